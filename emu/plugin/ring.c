/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/plugin/ring.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MIN(a, b) ((a) < (b) ? (a) : (b))

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
    ring->size = ring->header->ring_words;
    ring->limit = ring->words + ring->size - TCGRR_WIRE_RESERVE_WORDS;
    ring->header->base = (uintptr_t)ring->words;
    atomic_store_explicit(&ring->header->cursor, (uintptr_t)ring->words, memory_order_release);
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

/* Words that can be written before the consumer's place is reached, with the reserve kept free. */
static uint64_t room(const struct tcgrr_ring *ring, uint64_t written)
{
    uint64_t tail = atomic_load_explicit(&ring->header->tail, memory_order_acquire);
    uint64_t backlog = (written - tail) & (ring->size - 1);
    return ring->size - TCGRR_WIRE_RESERVE_WORDS - MIN(backlog, ring->size - TCGRR_WIRE_RESERVE_WORDS);
}

void tcgrr_ring_turn(struct tcgrr_ring *ring)
{
    const struct timespec pause = {.tv_nsec = 50 * 1000};
    uint32_t *cursor = tcgrr_ring_space(ring);
    uint64_t left;

    if (cursor >= ring->words + ring->size) {
        cursor -= ring->size;
        atomic_store_explicit(&ring->header->cursor, (uintptr_t)cursor, memory_order_release);
    }
    while ((left = room(ring, (uint64_t)(cursor - ring->words))) == 0 && !ring->unread) {
        ring->unread = consumer_gone(ring->header);
        nanosleep(&pause, NULL);
    }
    /* Within the first copy; the reserve may reach into the second. */
    uint64_t to_end = (uint64_t)(ring->words + ring->size - cursor);
    ring->limit = cursor + (ring->unread ? to_end : MIN(left, to_end));
}

void tcgrr_ring_disown(struct tcgrr_ring *ring)
{
    size_t bytes = 2 * ring->size * sizeof(uint32_t);
    int how = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;

    mmap(ring->words, bytes, PROT_READ | PROT_WRITE, how, -1, 0);
    mmap(ring->header, TCGRR_WIRE_HEADER_BYTES, PROT_READ | PROT_WRITE, how, -1, 0);
    atomic_store_explicit(&ring->header->cursor, (uintptr_t)ring->words, memory_order_relaxed);
    ring->limit = ring->words + ring->size;
    ring->unread = true;
}
