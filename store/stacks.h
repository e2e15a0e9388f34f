/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who called whom, derived from the executions alone: a call is a block that ends with a call instruction and is not
 * followed by the instruction after it; a return is a jump to where a call or an interrupt on the stack left off. The
 * trace has no stack pointer, so that the stacks of a guest's several tasks are one here: what a task switch leaves
 * open stays on it until something returns to below it.
 */
#ifndef TCGRR_STORE_STACKS_H
#define TCGRR_STORE_STACKS_H

#include "store/chunk.h"
#include "store/isa/isa.h"

enum tcgrr_frame_kind { TCGRR_FRAME_START, TCGRR_FRAME_CALL, TCGRR_FRAME_INTERRUPT, TCGRR_FRAME_EXCEPTION };

/* A function that has not returned. */
struct tcgrr_frame {
    enum tcgrr_frame_kind kind; /* how it was entered */
    uint64_t entry;             /* its first pc */
    uint64_t from;              /* pc of the call, or of the instruction that was interrupted */
    uint64_t back;              /* where it returns to; */
    uint64_t other;             /* or there: what was interrupted may have been about to branch. Mostly the same */
    tcgrr_icount icount;        /* when it was entered */
};

/* Maximum number of frames on one vCPU's stack; older ones are forgotten. */
#define TCGRR_MAX_FRAMES 1024u

/* What the caller provides to follow the stacks, and its callbacks. */
struct tcgrr_stacks_options {
    enum tcgrr_isa isa;
    /* Whether block `number` ends with a call; asked once for each. False: an error. */
    bool (*calls)(void *data, uint32_t number, const struct tcgrr_block *block, bool *calls, GError **error);
    /* A function was entered: `frame` is on top now. NULL: nobody asks. */
    void (*entered)(void *data, tcgrr_vcpu vcpu, const struct tcgrr_frame *frame);
    /* The one on top was left; or, with `bottom`, the outermost was forgotten. NULL: nobody asks. */
    void (*left)(void *data, tcgrr_vcpu vcpu, bool bottom, tcgrr_icount icount);
    void *data;
};

struct tcgrr_stacks;

struct tcgrr_stacks *tcgrr_stacks_new(const struct tcgrr_stacks_options *options);
/* The stacks as they are now, to go on from there once more. */
struct tcgrr_stacks *tcgrr_stacks_copy(const struct tcgrr_stacks *stacks);
/* NULL is allowed. */
void tcgrr_stacks_free(struct tcgrr_stacks *stacks);

/*
 * Takes the execution at the cursor, which follows the one that was taken before. `event`: the interrupt or exception
 * right before it, or NULL. False: an error of `calls`.
 */
bool tcgrr_stacks_follow(struct tcgrr_stacks *stacks, const struct tcgrr_cursor *at, const struct tcgrr_event *event,
                         GError **error);

/* The functions that a vCPU is in (struct tcgrr_frame), the outermost, which has the kind START, first; valid until the
 * next call. */
const GArray *tcgrr_stacks_frames(struct tcgrr_stacks *stacks, tcgrr_vcpu vcpu);

/* The interrupt or exception right before execution `seq` among `events` (struct tcgrr_event, in order), from *next on,
 * which moves on; NULL: none. */
const struct tcgrr_event *tcgrr_stacks_event_before(const GArray *events, guint *next, tcgrr_seq seq);

#endif
