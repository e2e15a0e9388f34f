/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The producing end of the ring. Unless stated otherwise, only the thread that runs vCPU code may call these functions.
 * */
#ifndef TCGRR_EMU_PLUGIN_RING_H
#define TCGRR_EMU_PLUGIN_RING_H

#include "emu/plugin/wire.h"

#include <stdbool.h>
#include <stddef.h>

struct tcgrr_ring {
    struct tcgrr_wire_header *header; /* nobody else writes its `cursor`, so it is also our own cursor */
    uint32_t *drafts;                 /* two, one after the other */
    uint32_t *draft;                  /* the one that is being written */
    const uint32_t *limit;            /* the draft is full when the cursor gets here */
    uint32_t *words;                  /* the ring, mapped twice in a row */
    uint64_t size;                    /* words of the ring */
    uint64_t head;                    /* as in the header */
    uint32_t (*phrases)[TCGRR_WIRE_PHRASE];
    bool as_written;      /* words rarely repeat, so phrases are not searched for */
    bool restarts;        /* the phrases sent so far were another process's; the next draft says so */
    bool unread;          /* there is no reader any more */
    void (*packed)(void); /* called after a draft was packed; may be NULL */
};

/* Maps the shared file `fd` and closes it. `again`: continues after a previous program called tcgrr_ring_hand_over().
 * Returns NULL on success, else what is wrong with the file. */
const char *tcgrr_ring_attach(struct tcgrr_ring *ring, int fd, bool again);

/* Passes everything written so far to the consumer, so that another process can continue. */
void tcgrr_ring_hand_over(struct tcgrr_ring *ring);

/* Releases what tcgrr_ring_attach() acquired. */
void tcgrr_ring_close(struct tcgrr_ring *ring);

/*
 * Packs the draft into the ring and begins the other one. Waits until the consumer has made room: the guest is slowed
 * down and nothing is lost. Also returns when the consumer has detached or died; words written after that are lost.
 */
void tcgrr_ring_pack(struct tcgrr_ring *ring);

/* Call in a forked child: its copy of the guest is not recorded and must not write to the parent's ring. */
void tcgrr_ring_disown(struct tcgrr_ring *ring);

/* Returns where to write the next words; there is room for TCGRR_WIRE_RESERVE_WORDS. */
static inline uint32_t *tcgrr_ring_space(const struct tcgrr_ring *ring)
{
    return (uint32_t *)(uintptr_t)atomic_load_explicit(&ring->header->cursor, memory_order_relaxed);
}

/* Publishes the `count` words that were written there. */
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
    /* A draft begins at a page boundary, and the cursor reaches the next one exactly at the limit. */
    if (__builtin_expect((uintptr_t)cursor % TCGRR_WIRE_DRAFT_PAGE == 0, 0)) {
        tcgrr_ring_pack(ring);
    }
}

#endif
