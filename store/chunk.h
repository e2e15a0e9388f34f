/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A chunk: a run of executions with the events and checkpoints that fall into it. It is the unit of the one stream that
 * live QEMUs, stored traces and remote peers deliver and that traces store.
 */
#ifndef TCGRR_STORE_CHUNK_H
#define TCGRR_STORE_CHUNK_H

#include "store/blocks.h"
#include "store/samples.h"

struct tcgrr_chunk {
    tcgrr_seq first_seq;       /* executions before the chunk */
    tcgrr_icount first_icount; /* instructions before the chunk */
    tcgrr_icount end_icount;   /* and at its end */
    uint64_t first_flow;       /* digest before the chunk */
    uint64_t end_flow;
    tcgrr_vcpu vcpu;               /* that runs at its start */
    uint32_t count;                /* executions, at most `capacity` */
    uint32_t capacity;             /* lowered to `count` where something else says that the chunk is full */
    uint32_t room;                 /* what it was made for */
    uint32_t *blocks;              /* number of the block of each execution */
    uint32_t end_blocks;           /* blocks of the stream known at the chunk's end: all numbers are below it */
    GArray *partials;              /* struct tcgrr_partial, ascending index */
    GArray *switches;              /* struct tcgrr_switch, ascending index */
    GArray *events;                /* struct tcgrr_event, in order */
    GArray *checkpoints;           /* struct tcgrr_checkpoint, ascending */
    struct tcgrr_samples *samples; /* empty below level state */
    GArray *accesses; /* struct tcgrr_access in the order in which they were made; empty unless the level is full */
    GArray *devices;  /* struct tcgrr_device: those that accesses here are the first to go to */
};

/* `capacity`: executions it can hold, 1..TCGRR_CHUNK_EXECS. */
struct tcgrr_chunk *tcgrr_chunk_new(uint32_t capacity);
/* NULL is allowed. */
void tcgrr_chunk_free(struct tcgrr_chunk *chunk);

/* Empties it and makes it start where `before` ends; where the stream starts if `before` is NULL. They may be the same
 * chunk. */
void tcgrr_chunk_follow(struct tcgrr_chunk *chunk, const struct tcgrr_chunk *before);

/* Whether there is nothing in it: no execution, event or checkpoint. */
bool tcgrr_chunk_is_empty(const struct tcgrr_chunk *chunk);

/* A place in a chunk, moving from execution to execution. */
struct tcgrr_cursor {
    const struct tcgrr_chunk *chunk;
    const struct tcgrr_blocks *table;
    uint32_t index;       /* of the execution */
    uint32_t partial;     /* next entry of chunk->partials */
    uint32_t next_switch; /* next entry of chunk->switches */
    /* The execution at `index`; not valid at the chunk's end. */
    const struct tcgrr_block *block;
    uint32_t ran;
    uint32_t counted;
    tcgrr_icount icount; /* before it */
    tcgrr_vcpu vcpu;
};

/* Fills in the execution at cursor->index. Inline, as is what follows: all reading of traces goes through here. */
static inline bool tcgrr_cursor_load(struct tcgrr_cursor *cursor)
{
    const struct tcgrr_chunk *chunk = cursor->chunk;
    if (cursor->index == chunk->count) {
        return false;
    }
    cursor->block = tcgrr_blocks_get(cursor->table, chunk->blocks[cursor->index]);
    cursor->ran = cursor->block->insns;
    cursor->counted = cursor->ran;
    if (cursor->partial < chunk->partials->len) {
        const struct tcgrr_partial *partial = &g_array_index(chunk->partials, struct tcgrr_partial, cursor->partial);
        if (partial->index == cursor->index) {
            cursor->ran = partial->ran;
            cursor->counted = partial->counted;
            cursor->partial++;
        }
    }
    while (cursor->next_switch < chunk->switches->len) {
        const struct tcgrr_switch *change = &g_array_index(chunk->switches, struct tcgrr_switch, cursor->next_switch);
        if (change->index > cursor->index) {
            break;
        }
        cursor->vcpu = change->vcpu;
        cursor->next_switch++;
    }
    return true;
}

/* Puts the cursor on the chunk's first execution. Returns whether there is one. */
static inline bool tcgrr_cursor_begin(struct tcgrr_cursor *cursor, const struct tcgrr_chunk *chunk,
                                      const struct tcgrr_blocks *table)
{
    *cursor = (struct tcgrr_cursor){.chunk = chunk, .table = table, .icount = chunk->first_icount, .vcpu = chunk->vcpu};
    return tcgrr_cursor_load(cursor);
}

/* Moves on. Returns whether there is another execution. */
static inline bool tcgrr_cursor_next(struct tcgrr_cursor *cursor)
{
    cursor->icount += cursor->counted;
    cursor->index++;
    return tcgrr_cursor_load(cursor);
}

/*
 * Recomputes end_icount, end_flow, the checkpoints' icounts and digests from the executions, starting at `first_*`.
 * Refills chunk->checkpoints. For chunks that were decoded.
 */
void tcgrr_chunk_compute(struct tcgrr_chunk *chunk, const struct tcgrr_blocks *table);

/* Gives each sample the icount of the execution that it belongs to. Returns whether all had that icount before. */
bool tcgrr_chunk_place_samples(struct tcgrr_chunk *chunk, const struct tcgrr_blocks *table);

#endif
