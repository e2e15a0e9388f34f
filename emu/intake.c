/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/intake.h"

#include "store/error.h"
#include "store/model.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Small enough to stay in the second-level cache on its way from the ring to the chunk. */
#define BUFFER_WORDS (4 * TCGRR_WIRE_RESERVE_WORDS)

struct tcgrr_intake {
    int fd;
    struct tcgrr_wire_header *header;
    uint32_t *ring; /* mapped twice in a row */
    uint64_t mask;
    uint64_t tail; /* words copied so far; the header's is for the plugin */
    uint32_t *buffer;
    size_t taken;
    size_t filled;
};

static bool map_ring(struct tcgrr_intake *intake, size_t bytes)
{
    intake->header = mmap(NULL, TCGRR_WIRE_HEADER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, intake->fd, 0);
    if (intake->header == MAP_FAILED) {
        intake->header = NULL;
        return false;
    }
    char *base = mmap(NULL, 2 * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        return false;
    }
    intake->ring = (uint32_t *)(void *)base;
    for (int copy = 0; copy < 2; copy++) {
        if (mmap(base + copy * bytes, bytes, PROT_READ, MAP_SHARED | MAP_FIXED, intake->fd, TCGRR_WIRE_HEADER_BYTES) ==
            MAP_FAILED) {
            return false;
        }
    }
    return true;
}

struct tcgrr_intake *tcgrr_intake_new(uint32_t ring_bytes, GError **error)
{
    struct tcgrr_intake *intake = g_new0(struct tcgrr_intake, 1);

    intake->mask = ring_bytes / sizeof(uint32_t) - 1;
    intake->buffer = g_new(uint32_t, BUFFER_WORDS);
    intake->fd = memfd_create("tcgrr-ring", MFD_CLOEXEC);
    if (intake->fd < 0 || ftruncate(intake->fd, TCGRR_WIRE_HEADER_BYTES + (off_t)ring_bytes) != 0 ||
        !map_ring(intake, ring_bytes)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot share %u KiB of memory with QEMU: %s",
                    ring_bytes / 1024, g_strerror(errno));
        tcgrr_intake_free(intake);
        return NULL;
    }
    intake->header->magic = TCGRR_WIRE_MAGIC;
    intake->header->version = TCGRR_WIRE_VERSION;
    intake->header->ring_words = ring_bytes / sizeof(uint32_t);
    intake->header->consumer_pid = (uint32_t)getpid();
    tcgrr_intake_set_sample_step(intake, TCGRR_SAMPLE_STEP);
    return intake;
}

void tcgrr_intake_free(struct tcgrr_intake *intake)
{
    if (!intake) {
        return;
    }
    if (intake->header) {
        tcgrr_intake_detach(intake);
        munmap(intake->header, TCGRR_WIRE_HEADER_BYTES);
    }
    if (intake->ring) {
        munmap(intake->ring, 2 * (intake->mask + 1) * sizeof(uint32_t));
    }
    if (intake->fd >= 0) {
        close(intake->fd);
    }
    g_free(intake->buffer);
    g_free(intake);
}

int tcgrr_intake_fd(const struct tcgrr_intake *intake)
{
    return intake->fd;
}

const struct tcgrr_wire_header *tcgrr_intake_header(const struct tcgrr_intake *intake)
{
    return intake->header;
}

void tcgrr_intake_detach(struct tcgrr_intake *intake)
{
    atomic_store_explicit(&intake->header->detach, 1, memory_order_release);
}

void tcgrr_intake_set_sample_step(struct tcgrr_intake *intake, uint32_t step)
{
    atomic_store_explicit(&intake->header->sample_step, step, memory_order_relaxed);
}

void tcgrr_intake_set_sample_origin(struct tcgrr_intake *intake, uint64_t pc)
{
    intake->header->sample_origin = pc;
    intake->header->has_sample_origin = 1;
}

void tcgrr_intake_end_window(struct tcgrr_intake *intake)
{
    atomic_store_explicit(&intake->header->past_window, 1, memory_order_relaxed);
}

/* Taken modulo the ring, whatever the other process says. */
uint64_t tcgrr_intake_backlog(const struct tcgrr_intake *intake)
{
    uint64_t cursor = atomic_load_explicit(&intake->header->cursor, memory_order_acquire);
    uint64_t written = (cursor - intake->header->base) / sizeof(uint32_t);
    return (written - intake->tail) & intake->mask;
}

size_t tcgrr_intake_fill(struct tcgrr_intake *intake, const uint32_t **words, bool *all)
{
    size_t left = intake->filled - intake->taken;
    uint64_t backlog = tcgrr_intake_backlog(intake); /* read once: it grows meanwhile */
    size_t more = MIN(backlog, BUFFER_WORDS - left);

    memmove(intake->buffer, intake->buffer + intake->taken, left * sizeof(uint32_t));
    memcpy(intake->buffer + left, intake->ring + (intake->tail & intake->mask), more * sizeof(uint32_t));
    intake->taken = 0;
    intake->filled = left + more;
    intake->tail += more;
    atomic_store_explicit(&intake->header->tail, intake->tail, memory_order_release);
    *words = intake->buffer;
    *all = more == backlog;
    return intake->filled;
}

void tcgrr_intake_take(struct tcgrr_intake *intake, size_t count)
{
    intake->taken += count;
}
