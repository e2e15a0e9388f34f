/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The producing end of the ring. All functions are for the thread that runs vCPU code, except where said. */
#ifndef TCGRR_EMU_PLUGIN_RING_H
#define TCGRR_EMU_PLUGIN_RING_H

#include "emu/plugin/wire.h"

#include <stdbool.h>
#include <stddef.h>

struct tcgrr_ring {
    struct tcgrr_wire_header *header; /* its `cursor` is written by nobody else, so it serves as our own, too */
    uint32_t *drafts;                 /* two, one after the other */
    uint32_t *draft;                  /* the one that is being written */
    const uint32_t *limit;            /* it is full when the cursor comes here */
    uint32_t *words;                  /* the ring, mapped twice in a row */
    uint64_t size;                    /* words of the ring */
    uint64_t head;                    /* as in the header */
    uint32_t (*phrases)[TCGRR_WIRE_PHRASE];
    bool as_written;      /* words hardly repeat: no phrases are looked for */
    bool restarts;        /* phrases that were sent before were another process's: to be said with the next draft */
    bool unread;          /* nobody reads any more */
    void (*packed)(void); /* called after a draft was packed; NULL: nothing is */
};

/* Maps the shared file `fd` and closes it. `again`: where the program before left off with tcgrr_ring_hand_over().
 * Returns NULL if it worked, else what is wrong with it. */
const char *tcgrr_ring_attach(struct tcgrr_ring *ring, int fd, bool again);

/* All that was written goes to the consumer, so that another process can go on. */
void tcgrr_ring_hand_over(struct tcgrr_ring *ring);

/* Gives back what attaching took. */
void tcgrr_ring_close(struct tcgrr_ring *ring);

/*
 * Packs the draft into the ring and begins the other one. Waits until the consumer has made room, which is what slows
 * the guest down instead of losing anything. Returns also when the consumer has detached or died; from then on what is
 * written is lost.
 */
void tcgrr_ring_pack(struct tcgrr_ring *ring);

/* In a forked child: its copy of the guest is not recorded and must not write to the parent's ring. */
void tcgrr_ring_disown(struct tcgrr_ring *ring);

/* Where the next words go; there is room for TCGRR_WIRE_RESERVE_WORDS. */
static inline uint32_t *tcgrr_ring_space(const struct tcgrr_ring *ring)
{
    return (uint32_t *)(uintptr_t)atomic_load_explicit(&ring->header->cursor, memory_order_relaxed);
}

/* Publishes `count` words that were written there. */
static inline void tcgrr_ring_publish(struct tcgrr_ring *ring, uint64_t count)
{
    uint32_t *cursor = tcgrr_ring_space(ring) + count;
    atomic_store_explicit(&ring->header->cursor, (uintptr_t)cursor, memory_order_release);
    if (__builtin_expect(cursor >= ring->limit, 0)) {
        tcgrr_ring_pack(ring);
    }
}

static inline void tcgrr_ring_push(struct tcgrr_ring *ring, uint32_t word)
{
    struct tcgrr_wire_header *header = ring->header;
    uint32_t *cursor = (uint32_t *)(uintptr_t)atomic_load_explicit(&header->cursor, memory_order_relaxed);
    *cursor++ = word;
    atomic_store_explicit(&header->cursor, (uintptr_t)cursor, memory_order_release);
    /* A draft begins with a page; the cursor reaches the next page exactly at the limit. */
    if (__builtin_expect((uintptr_t)cursor % TCGRR_WIRE_DRAFT_PAGE == 0, 0)) {
        tcgrr_ring_pack(ring);
    }
}

#endif
