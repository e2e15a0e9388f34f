/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The producing end of the ring. All functions are for the thread that runs vCPU code, except where said. */
#ifndef TCGRR_EMU_PLUGIN_RING_H
#define TCGRR_EMU_PLUGIN_RING_H

#include "emu/plugin/wire.h"

#include <stdbool.h>
#include <stddef.h>

struct tcgrr_ring {
    struct tcgrr_wire_header *header;
    uint32_t *words; /* mapped twice in a row */
    uint64_t mask;
    uint64_t head;  /* words written; the header's copy is what the consumer may read */
    uint64_t limit; /* head may not pass this without waiting; UINT64_MAX when nobody reads any more */
};

/* Maps the shared file `fd` and closes it. Returns NULL if it worked, else what is wrong with it. */
const char *tcgrr_ring_attach(struct tcgrr_ring *ring, int fd);

/*
 * Waits until the consumer has made room again. This is what slows the guest down instead of losing anything. Returns
 * also when the consumer has detached or died; from then on the ring is written without being read.
 */
void tcgrr_ring_wait(struct tcgrr_ring *ring);

/* In a forked child: its copy of the guest is not recorded and must not write to the parent's ring. */
void tcgrr_ring_disown(struct tcgrr_ring *ring);

/* Publishes what was written at `ring->words[ring->head & ring->mask]` on: `count` words. */
static inline void tcgrr_ring_publish(struct tcgrr_ring *ring, uint64_t count)
{
    ring->head += count;
    atomic_store_explicit(&ring->header->head, ring->head, memory_order_release);
    if (__builtin_expect(ring->head >= ring->limit, 0)) {
        tcgrr_ring_wait(ring);
    }
}

static inline uint32_t *tcgrr_ring_space(struct tcgrr_ring *ring)
{
    return &ring->words[ring->head & ring->mask];
}

static inline void tcgrr_ring_push(struct tcgrr_ring *ring, uint32_t word)
{
    *tcgrr_ring_space(ring) = word;
    tcgrr_ring_publish(ring, 1);
}

#endif
