/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compares two runs whose interrupts are delivered at different instructions. Both are walked side by side. Where they
 * differ because one side has an interrupt, its handler is set aside, to be compared with the handler of the same
 * interrupt when it is delivered on the other side; meanwhile the interrupted code on both sides is compared. Loops
 * that wait for something may run more iterations on one side (lockstep/align/reconverge.h). Any other difference is a
 * divergence.
 */
#ifndef TCGRR_LOCKSTEP_ALIGN_H
#define TCGRR_LOCKSTEP_ALIGN_H

#include "lockstep/align/handler.h"
#include "lockstep/comparison.h"

/* Number of instructions that have to be available after the place where runs are compared, to find out why they
 * differ; more are fetched if that is not enough. */
#define TCGRR_ALIGN_AHEAD     16384
/* Maximum number of handlers of one side that wait for their counterparts, and of the executions that they contain. */
#define TCGRR_ALIGN_ASIDE_MAX 4096
#define TCGRR_ALIGN_HELD_MAX  (1u << 20)
/* An interrupt without a counterpart is tolerated if it came at most this many instructions of the interrupted code
 * before the end of the comparison, or twice as many as another interrupt was shifted: it would have come later on the
 * other side. */
#define TCGRR_ALIGN_END_NEAR  16384

/* Two parts of the runs that are compared: the whole runs, or two handlers. */
struct tcgrr_cursor_pair {
    struct tcgrr_insn_cursor walks[2];
    tcgrr_icount start[2]; /* instructions before it are ignored */
    unsigned number[2];    /* the discontinuity that led there (struct tcgrr_interrupt) */
    tcgrr_icount end[2];   /* so are instructions from here on */
    unsigned depth;        /* 0: the runs; else handlers, interrupted handlers, … */
};

/* The handler of an interrupt that has not come on the other side yet. */
struct tcgrr_deferred_handler {
    tcgrr_icount start, end;
    tcgrr_icount other;             /* place of the other side at that time */
    struct tcgrr_exec_window *body; /* what it ran; reference-counted (g_rc_box_acquire()) */
    uint64_t walked;                /* struct tcgrr_align's */
    struct tcgrr_interrupt interrupt;
    unsigned reasons;
    bool differs; /* from the one it was compared with; `differs_at` is the first difference */
    tcgrr_icount differs_at[2];
};

/* A part of a run that was skipped. */
struct tcgrr_skipped_range {
    tcgrr_icount start, end;
};

struct tcgrr_align {
    const struct tcgrr_compare_options *options;
    struct tcgrr_comparison *comparison; /* what is tolerated goes there */
    struct tcgrr_codes codes;
    struct tcgrr_exec_window *windows; /* both sides'; the caller's */
    tcgrr_vcpu only;                   /* the only vCPU that is followed, or TCGRR_ANY_VCPU */
    struct tcgrr_cursor_pair runs;
    GArray *aside[2];   /* struct tcgrr_deferred_handler */
    GArray *taken[2];   /* struct tcgrr_skipped_range */
    uint64_t explained; /* differences that have a reason */
    uint64_t walked;    /* instructions that were the same, excluding handlers that were set aside */
    uint64_t furthest;  /* the largest number of them between an interrupt and its counterpart */
    char *note;         /* why the last difference is not tolerated; NULL: nothing to say */
    tcgrr_icount
        place[2];  /* the place of the difference, if tcgrr_align_differs() or tcgrr_align_finish() reports one */
    GError *error; /* a side could not be read; NULL: none */
};

void tcgrr_align_init(struct tcgrr_align *align, const struct tcgrr_compare_options *options,
                      struct tcgrr_comparison *comparison, struct tcgrr_exec_window windows[2], tcgrr_vcpu only);
void tcgrr_align_clear(struct tcgrr_align *align);

/* Continues, with new windows, at instructions `at`, which the sides have reached. Up to there they are the same,
 * except for handlers that were set aside. */
void tcgrr_align_begin(struct tcgrr_align *align, const tcgrr_icount at[2]);

/*
 * Continues with align->runs until one side reaches its end (struct tcgrr_cursor_pair), and returns true; or until the
 * runs differ without a reason, and returns false with the cursors at the difference. TCGRR_ALIGN_AHEAD instructions
 * must be available after `end`, unless the run ends before.
 */
bool tcgrr_align_run(struct tcgrr_align *align);

/* Whether no handler is set aside. */
bool tcgrr_align_settled(const struct tcgrr_align *align);

/* Ends the comparison: handlers that are still set aside would have come later on the other side. False if that is
 * impossible for one of them; align->note says which. */
bool tcgrr_align_finish(struct tcgrr_align *align);

/* Whether handlers that were compared differ. align->note and align->place then describe the first difference. */
bool tcgrr_align_differs(struct tcgrr_align *align);

/*
 * The first execution of a window that is still needed. After removing `execs` executions from the start of a window,
 * call tcgrr_align_after_cut(), which adjusts the indices into it.
 */
guint tcgrr_align_first_needed(const struct tcgrr_align *align, int which);
void tcgrr_align_after_cut(struct tcgrr_align *align, int which, guint execs);

/* ---- for lockstep/align/reconverge.c ---- */

/* The state that can be restored. */
struct tcgrr_align_state {
    guint places;
    uint64_t tolerated[TCGRR_TOLERATED_KINDS];
    uint64_t differing;
    guint taken[2];
    GArray *aside[2];
};
void tcgrr_align_save(const struct tcgrr_align *align, struct tcgrr_align_state *state);
/* Undoes everything that was tolerated and set aside since, unless `keep`; frees the saved state. */
void tcgrr_align_restore(struct tcgrr_align *align, struct tcgrr_align_state *state, bool keep);

/*
 * If side `which` has an interrupt at its current place, sets its handler aside and continues after it. `beside`: the
 * other side is at the interrupted code, too.
 */
bool tcgrr_align_set_aside(struct tcgrr_align *align, struct tcgrr_cursor_pair *pair, int which, bool beside);

/* Makes sure that some of the side's run is available after its current place. False, with align->error set, if it
 * could not be read. */
bool tcgrr_align_read_on(struct tcgrr_align *align, struct tcgrr_cursor_pair *pair, int which);

void tcgrr_align_tolerate(struct tcgrr_align *align, const struct tcgrr_tolerated *place);

/* Whether side `which` has an interrupt at its current place. */
static inline bool tcgrr_cursor_pair_interrupt(const struct tcgrr_cursor_pair *pair, int which,
                                               struct tcgrr_interrupt *interrupt)
{
    const struct tcgrr_insn_cursor *walk = &pair->walks[which];
    unsigned number = walk->icount == pair->start[which] ? pair->number[which] : 0;
    return tcgrr_interrupt_at(walk, number, interrupt);
}

static inline bool tcgrr_cursor_pair_over(const struct tcgrr_cursor_pair *pair, int which)
{
    const struct tcgrr_insn_cursor *walk = &pair->walks[which];
    return !tcgrr_insn_cursor_exec(walk) || walk->icount >= pair->end[which];
}

#endif
