/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/plugin/inputs_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/uio.h>
#include <unistd.h>

#define VECTORS         1024
#define PAGE_BYTES      4096
#define CALL_ARGUMENTS  6
#define HANDLE_BYTES    128    /* MAX_HANDLE_SZ */
#define LIST_INTERFACES 0x8912 /* SIOCGIFCONF */
#define MAP_ANONYMOUS_  0x20
#define DONT_NEED_      4                   /* MADV_DONTNEED */
#define SAYS_PROCESS    (0x100000 | 0x1000) /* CLONE_PARENT_SETTID, CLONE_PIDFD */

/*
 * The kernel copies the memory, so that an unmapped address is an error rather than a fault. The thread's number is
 * used, because the memory of a process whose first thread has ended is not accessible by the process's number or
 * /proc/self.
 */
bool tcgrr_inputs_read_memory(const struct tcgrr_inputs *inputs, uint64_t address, void *bytes, size_t size)
{
    struct iovec local = {.iov_base = bytes, .iov_len = size};
    struct iovec remote = {.iov_base = (void *)(uintptr_t)(inputs->base + address), .iov_len = size};
    return inputs->has_base && process_vm_readv(gettid(), &local, 1, &remote, 1, 0) == (ssize_t)size;
}

/* With this file the kernel can read and write all mapped memory, as for a debugger. */
static int open_memory(int flags)
{
    return open("/proc/thread-self/mem", flags | O_CLOEXEC);
}

/* Read-only shared mappings cannot be written that way: they are made writable temporarily. */
static bool write_protected(uint64_t address, const uint8_t *bytes, size_t size)
{
    FILE *maps = fopen("/proc/thread-self/maps", "re");
    char *line = NULL;
    size_t space = 0, done = 0;

    while (maps && done < size && getline(&line, &space, maps) > 0) {
        uint64_t first, end;
        char rights[5] = "";
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &first, &end, rights) != 3 || address + done < first ||
            address + done >= end) {
            continue;
        }
        int protection = (rights[0] == 'r' ? PROT_READ : 0) | (rights[1] == 'w' ? PROT_WRITE : 0) |
                         (rights[2] == 'x' ? PROT_EXEC : 0);
        size_t piece = MIN(size - done, end - address - done);
        void *mapping = (void *)(uintptr_t)first;
        if (mprotect(mapping, end - first, PROT_READ | PROT_WRITE) != 0) {
            break;
        }
        memcpy((void *)(uintptr_t)(address + done), bytes + done, piece);
        mprotect(mapping, end - first, protection);
        done += piece;
    }
    free(line);
    if (maps) {
        fclose(maps);
    }
    return done == size;
}

bool tcgrr_inputs_write_memory(const struct tcgrr_inputs *inputs, uint64_t address, const void *bytes, size_t size)
{
    struct iovec local = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
    struct iovec remote = {.iov_base = (void *)(uintptr_t)(inputs->base + address), .iov_len = size};
    if (!inputs->has_base || process_vm_writev(gettid(), &local, 1, &remote, 1, 0) == (ssize_t)size) {
        return inputs->has_base;
    }
    int fd = open_memory(O_RDWR);
    ssize_t done = fd >= 0 ? pwrite(fd, bytes, size, (off_t)(inputs->base + address)) : -1;
    if (fd >= 0) {
        close(fd);
    }
    return done == (ssize_t)size || write_protected(inputs->base + address, bytes, size);
}

static uint8_t *begin_piece(struct tcgrr_inputs *inputs, uint64_t address, uint64_t size)
{
    struct tcgrr_inputs_piece piece = {.address = address, .size = (uint32_t)size};
    guint before = inputs->record->len;

    inputs->too_large = inputs->too_large || (address != 0 && before + size > TCGRR_INPUTS_MAX);
    if (address == 0 || size == 0 || before + size > TCGRR_INPUTS_MAX) {
        return NULL;
    }
    g_byte_array_append(inputs->record, (const guint8 *)&piece, sizeof(piece));
    g_byte_array_set_size(inputs->record, before + (guint)(sizeof(piece) + size));
    return inputs->record->data + before + sizeof(piece);
}

static void add_piece(struct tcgrr_inputs *inputs, uint64_t address, uint64_t size)
{
    guint before = inputs->record->len;
    uint8_t *bytes = begin_piece(inputs, address, size);
    if (bytes && !tcgrr_inputs_read_memory(inputs, address, bytes, size)) {
        g_byte_array_set_size(inputs->record, before);
    }
}

/* Adds the content of the pages that are mapped from a file, up to the file's end. */
static void add_mapped(struct tcgrr_inputs *inputs, uint64_t address, uint64_t size)
{
    guint before = inputs->record->len;
    int fd = open_memory(O_RDONLY);
    uint8_t *bytes = fd >= 0 ? begin_piece(inputs, address, size) : NULL;
    size_t done = 0;

    for (ssize_t got = 1; bytes && done < size && got > 0; done += got > 0 ? (size_t)got : 0) {
        got = pread(fd, bytes + done, size - done, (off_t)(inputs->base + address + done));
    }
    if (fd >= 0) {
        close(fd);
    }
    if (bytes) {
        struct tcgrr_inputs_piece piece = {.address = address, .size = (uint32_t)done};
        memcpy(inputs->record->data + before, &piece, sizeof(piece));
        g_byte_array_set_size(inputs->record, done > 0 ? before + (guint)(sizeof(piece) + done) : before);
    }
}

/* The same, unless all of it is zero, which is not stored. */
static void add_unless_zero(struct tcgrr_inputs *inputs, uint64_t address, uint64_t size)
{
    add_mapped(inputs, address, size);
    for (guint i = sizeof(struct tcgrr_inputs_piece); i < inputs->record->len; i++) {
        if (inputs->record->data[i] != 0) {
            return;
        }
    }
    g_byte_array_set_size(inputs->record, 0);
}

static void add_vector(struct tcgrr_inputs *inputs, uint64_t address, uint64_t count, uint64_t bytes)
{
    uint64_t entry[2];

    for (uint64_t i = 0; i < MIN(count, VECTORS) && bytes > 0; i++) {
        if (!tcgrr_inputs_read_memory(inputs, address + i * sizeof(entry), entry, sizeof(entry))) {
            return;
        }
        uint64_t size = MIN(bytes, entry[1]);
        add_piece(inputs, entry[0], size);
        bytes -= size;
    }
}

static void add_message(struct tcgrr_inputs *inputs, uint64_t address, uint64_t bytes)
{
    uint64_t header[7]; /* struct msghdr: name, its length, vector, its length, control, its length, flags */

    if (tcgrr_inputs_read_memory(inputs, address, header, sizeof(header))) {
        add_piece(inputs, address, sizeof(header));
        add_piece(inputs, header[0], MIN(header[1] & UINT32_MAX, 128));
        add_vector(inputs, header[2], header[3], bytes);
        add_piece(inputs, header[4], MIN(header[5], 65536));
    }
}

static void add_messages(struct tcgrr_inputs *inputs, uint64_t address, uint64_t count)
{
    struct {
        uint64_t header[7];
        uint64_t length;
    } message;

    for (uint64_t i = 0; i < MIN(count, VECTORS); i++, address += sizeof(message)) {
        if (tcgrr_inputs_read_memory(inputs, address, &message, sizeof(message))) {
            add_piece(inputs, address, sizeof(message));
            add_message(inputs, address, message.length & UINT32_MAX);
        }
    }
}

/* Adds memory to which a call may have written an unknown amount: up to the end of the page, because the next page may
 * be QEMU's. Storing more than was written is harmless, because the program's memory was the same before. */
static void add_any(struct tcgrr_inputs *inputs, uint64_t address)
{
    inputs->unknown_writes = true;
    add_piece(inputs, address, PAGE_BYTES - address % PAGE_BYTES);
}

static void add_of_request(struct tcgrr_inputs *inputs, uint64_t address, uint64_t request)
{
    size_t size = tcgrr_call_ioctl_size(request);
    uint64_t list[2]; /* struct ifconf: its length, where it is */

    if (size == TCGRR_CALL_ANY) {
        add_any(inputs, address);
    } else {
        add_piece(inputs, address, size);
    }
    if ((uint32_t)request == LIST_INTERFACES && tcgrr_inputs_read_memory(inputs, address, list, sizeof(list))) {
        add_piece(inputs, list[1], list[0] & INT32_MAX);
    }
}

static void add_of_command(struct tcgrr_inputs *inputs, const struct tcgrr_call *call, uint64_t address,
                           uint64_t command)
{
    uint32_t size = tcgrr_call_command_size(call->name, command);
    struct semid_ds set = {0};

    if (size == TCGRR_CALL_SEMAPHORES) {
        bool known = semctl((int)inputs->call->given[0], 0, IPC_STAT, &set) == 0;
        size = known ? (uint32_t)set.sem_nsems * 2 : 0;
        inputs->unknown_writes = inputs->unknown_writes || !known;
    }
    add_piece(inputs, address, size);
}

/* Adds an output whose size depends on another argument. */
static void add_chosen(struct tcgrr_inputs *inputs, const struct tcgrr_call *call,
                       const struct tcgrr_call_output *output, uint64_t address)
{
    const uint64_t *given = inputs->call->given;
    uint32_t length = 0;

    switch (output->how) {
    case TCGRR_CALL_IOCTL:
        add_of_request(inputs, address, given[1]);
        break;
    case TCGRR_CALL_COMMAND:
        add_of_command(inputs, call, address, given[output->other]);
        break;
    case TCGRR_CALL_HANDLE:
        if (tcgrr_inputs_read_memory(inputs, address, &length, sizeof(length))) {
            add_piece(inputs, address, output->size + MIN(length, HANDLE_BYTES));
        }
        break;
    case TCGRR_CALL_FUTEX:
        add_piece(inputs, address, tcgrr_call_futex_writes(given[1], output->argument) ? output->size : 0);
        break;
    case TCGRR_CALL_NEW_PROCESS:
        add_piece(inputs, address, given[0] & SAYS_PROCESS ? output->size : 0);
        break;
    default:
        break;
    }
}

static void add_output(struct tcgrr_inputs *inputs, const struct tcgrr_call *call,
                       const struct tcgrr_call_output *output, uint64_t result)
{
    uint64_t address = inputs->call->given[output->argument], other = inputs->call->given[output->other];
    uint32_t length = 0;

    switch (output->how) {
    case TCGRR_CALL_FIXED:
        add_piece(inputs, address, output->size);
        break;
    case TCGRR_CALL_RESULT:
        add_piece(inputs, address, MIN(result, TCGRR_INPUTS_MAX) * output->size);
        break;
    case TCGRR_CALL_ARGUMENT:
        add_piece(inputs, address, MIN(other, TCGRR_INPUTS_MAX) * output->size);
        break;
    case TCGRR_CALL_BITS:
        add_piece(inputs, address, (MIN(other, 65536) + 63) / 64 * 8);
        break;
    case TCGRR_CALL_LENGTH:
        if (address != 0 && tcgrr_inputs_read_memory(inputs, other, &length, sizeof(length))) {
            add_piece(inputs, other, sizeof(length));
            add_piece(inputs, address, MIN(length, inputs->call->length));
        }
        break;
    case TCGRR_CALL_VECTOR:
        add_vector(inputs, address, other, result);
        break;
    case TCGRR_CALL_MESSAGE:
        add_message(inputs, address, result);
        break;
    case TCGRR_CALL_MESSAGES:
        add_messages(inputs, address, result);
        break;
    case TCGRR_CALL_HEADED:
        add_piece(inputs, address, output->size + MIN(result, TCGRR_INPUTS_MAX));
        break;
    case TCGRR_CALL_PAGES:
        add_piece(inputs, address, MIN(other, UINT32_MAX) / PAGE_BYTES + (other % PAGE_BYTES != 0));
        break;
    default:
        add_chosen(inputs, call, output, address);
        break;
    }
}

/* Whether the call may have written something: one that fails writes nothing except the remaining time or the required
 * space. */
static bool may_write(const struct tcgrr_call *call, unsigned output, int64_t result)
{
    bool fixed = !call || call->outputs[output].how == TCGRR_CALL_FIXED;
    return result >= 0 || (fixed && (result == -EINTR || result == -E2BIG || result == -EOVERFLOW));
}

uint64_t tcgrr_inputs_segment_bytes(const struct tcgrr_inputs *inputs, int64_t result)
{
    struct shmid_ds segment;
    bool known = (result >= 0 || result < -4095) && shmctl((int)inputs->call->given[0], IPC_STAT, &segment) == 0;

    return known ? (segment.shm_segsz + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1) : 0;
}

void tcgrr_inputs_collect_writes(struct tcgrr_inputs *inputs, const struct tcgrr_call *call, int64_t result)
{
    bool failed = result < 0 && result > -4096;

    g_byte_array_set_size(inputs->record, 0);
    inputs->too_large = inputs->unknown_writes = false;
    for (unsigned i = 0; call && i < TCGRR_CALL_OUTPUTS; i++) {
        if (may_write(call, i, result)) {
            add_output(inputs, call, &call->outputs[i], (uint64_t)result);
        }
    }
    for (unsigned i = 0; !call && may_write(NULL, 0, result) && i < CALL_ARGUMENTS; i++) {
        add_any(inputs, inputs->call->given[i]);
    }
    if (call && strcmp(call->name, "mmap") == 0 && !failed && !(inputs->call->given[3] & MAP_ANONYMOUS_)) {
        add_mapped(inputs, (uint64_t)result, inputs->call->given[1]);
    }
    if (call && strcmp(call->name, "shmat") == 0 && !failed) {
        add_unless_zero(inputs, (uint64_t)result, tcgrr_inputs_segment_bytes(inputs, result));
    }
    /* Pages that the program has dropped: those of a file have the file's content again, all others are zero. */
    if (call && strcmp(call->name, "madvise") == 0 && !failed && inputs->call->given[2] == DONT_NEED_) {
        add_unless_zero(inputs, inputs->call->given[0], inputs->call->given[1]);
    }
}

bool tcgrr_inputs_restore_memory(struct tcgrr_inputs *inputs)
{
    for (guint i = 0; i + sizeof(struct tcgrr_inputs_piece) <= inputs->record->len;) {
        struct tcgrr_inputs_piece piece;
        memcpy(&piece, inputs->record->data + i, sizeof(piece));
        i += sizeof(piece);
        if (piece.size > inputs->record->len - i) {
            return false;
        }
        tcgrr_inputs_write_memory(inputs, piece.address, inputs->record->data + i, piece.size);
        i += piece.size;
    }
    return true;
}
