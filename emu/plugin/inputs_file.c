/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file is opened for each access, so that the program has no descriptors except its own. */
#include "emu/plugin/inputs_internal.h"
#include "emu/plugin/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define WAIT_NS (50 * 1000)

static void append(struct tcgrr_inputs *inputs, int fd, const void *bytes, size_t size)
{
    for (ssize_t done; size > 0; bytes = (const char *)bytes + done, size -= (size_t)done) {
        done = write(fd, bytes, size);
        if (done < 0 && errno != EINTR) {
            inputs->ended = true; /* the disk is full: what has been written can still be given */
            break;
        }
        done = MAX(done, 0);
    }
}

void tcgrr_inputs_write_record(struct tcgrr_inputs *inputs, struct tcgrr_inputs_record *head)
{
    int fd = inputs->ended ? -1 : open(inputs->path, O_WRONLY | O_APPEND | O_CLOEXEC);

    if (fd < 0) {
        inputs->ended = true;
        return;
    }
    head->pid = getpid();
    head->tid = (int32_t)gettid();
    head->thread = tcgrr_threads_current();
    head->bytes = inputs->record->len;
    g_byte_array_prepend(inputs->record, (const guint8 *)head, sizeof(*head));
    append(inputs, fd, inputs->record->data, inputs->record->len);
    close(fd);
}

static bool read_at(const struct tcgrr_inputs *inputs, uint64_t at, void *bytes, size_t size)
{
    int fd = open(inputs->path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? pread(fd, bytes, size, (off_t)at) : -1;
    if (fd >= 0) {
        close(fd);
    }
    return got == (ssize_t)size;
}

/* Waits until the file has that many bytes, as long as they may still be written: by process `writer`, if that is not
 * 0. */
static bool wait_for(const struct tcgrr_inputs *inputs, uint64_t at, void *bytes, size_t size, int32_t writer)
{
    const struct timespec pause = {.tv_nsec = WAIT_NS};

    for (;;) {
        bool gone = inputs->mode == TCGRR_INPUTS_REPLAYING || (writer != 0 && kill(writer, 0) != 0 && errno == ESRCH);
        if (read_at(inputs, at, bytes, size)) {
            return true;
        }
        if (gone || atomic_load_explicit(&inputs->plugin->ring.header->detach, memory_order_acquire)) {
            return false;
        }
        nanosleep(&pause, NULL);
    }
}

bool tcgrr_inputs_peek_any(struct tcgrr_inputs *inputs, struct tcgrr_inputs_record *head)
{
    bool there = wait_for(inputs, inputs->at, head, sizeof(*head), inputs->writer);

    if (there && head->kind == TCGRR_INPUTS_START) {
        inputs->at += sizeof(*head) + head->bytes;
        there = wait_for(inputs, inputs->at, head, sizeof(*head), inputs->writer);
    }
    inputs->writer = there ? head->pid : inputs->writer;
    return there && head->bytes <= TCGRR_INPUTS_MAX + 65536;
}

bool tcgrr_inputs_peek_record(struct tcgrr_inputs *inputs, struct tcgrr_inputs_record *head)
{
    bool there = tcgrr_inputs_peek_any(inputs, head);

    while (there && head->kind == TCGRR_INPUTS_STRETCH) {
        inputs->at += sizeof(*head) + head->bytes;
        there = tcgrr_inputs_peek_any(inputs, head);
    }
    return there;
}

bool tcgrr_inputs_read_record(struct tcgrr_inputs *inputs, const struct tcgrr_inputs_record *head)
{
    g_byte_array_set_size(inputs->record, head->bytes);
    bool there =
        head->bytes == 0 || wait_for(inputs, inputs->at + sizeof(*head), inputs->record->data, head->bytes, head->pid);
    inputs->at += sizeof(*head) + head->bytes;
    return there;
}
