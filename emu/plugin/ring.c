/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/plugin/ring.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static bool plausible(const struct tcgrr_wire_header *header, size_t file_bytes)
{
    uint64_t words = header->ring_words;
    return words >= 2 * TCGRR_WIRE_RESERVE_WORDS && (words & (words - 1)) == 0 &&
           file_bytes == TCGRR_WIRE_HEADER_BYTES + words * sizeof(uint32_t);
}

/* One address range in which the ring's file pages stand twice, so that a record may run over the end. */
static uint32_t *map_twice(int fd, size_t bytes)
{
    char *base = mmap(NULL, 2 * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        return NULL;
    }
    for (int copy = 0; copy < 2; copy++) {
        if (mmap(base + copy * bytes, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
                 TCGRR_WIRE_HEADER_BYTES) == MAP_FAILED) {
            munmap(base, 2 * bytes);
            return NULL;
        }
    }
    return (uint32_t *)base;
}

const char *tcgrr_ring_attach(struct tcgrr_ring *ring, int fd)
{
    struct stat status;
    const char *problem = "cannot map the shared memory";

    if (fstat(fd, &status) != 0) {
        return "the descriptor in fd= is not open";
    }
    ring->header = mmap(NULL, TCGRR_WIRE_HEADER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (ring->header == MAP_FAILED) {
        return problem;
    }
    if (ring->header->magic != TCGRR_WIRE_MAGIC || ring->header->version != TCGRR_WIRE_VERSION ||
        !plausible(ring->header, status.st_size)) {
        problem = "the shared memory is not this version's; plugin and tcgrr must come from the same build";
        goto fail;
    }
    ring->words = map_twice(fd, ring->header->ring_words * sizeof(uint32_t));
    if (!ring->words) {
        goto fail;
    }
    close(fd);
    ring->mask = ring->header->ring_words - 1;
    ring->limit = ring->header->ring_words - TCGRR_WIRE_RESERVE_WORDS;
    return NULL;
fail:
    munmap(ring->header, TCGRR_WIRE_HEADER_BYTES);
    return problem;
}

static bool consumer_gone(const struct tcgrr_wire_header *header)
{
    return atomic_load_explicit(&header->detach, memory_order_acquire) ||
           (kill((pid_t)header->consumer_pid, 0) != 0 && errno == ESRCH);
}

void tcgrr_ring_wait(struct tcgrr_ring *ring)
{
    const struct timespec pause = {.tv_nsec = 50 * 1000};
    uint64_t room = ring->header->ring_words - TCGRR_WIRE_RESERVE_WORDS;

    for (;;) {
        ring->limit = atomic_load_explicit(&ring->header->tail, memory_order_acquire) + room;
        if (ring->head < ring->limit) {
            return;
        }
        if (consumer_gone(ring->header)) {
            ring->limit = UINT64_MAX;
            return;
        }
        nanosleep(&pause, NULL);
    }
}

void tcgrr_ring_disown(struct tcgrr_ring *ring)
{
    size_t bytes = 2 * (ring->mask + 1) * sizeof(uint32_t);
    int how = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;

    mmap(ring->words, bytes, PROT_READ | PROT_WRITE, how, -1, 0);
    mmap(ring->header, TCGRR_WIRE_HEADER_BYTES, PROT_READ | PROT_WRITE, how, -1, 0);
    ring->limit = UINT64_MAX;
}
