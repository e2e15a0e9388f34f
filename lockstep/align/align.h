/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Goes through two runs whose interrupts come at different instructions. Both are walked side by side. Where they are
 * not the same, handlers of interrupts that came here on one side are set aside, to be compared with the handler of the
 * same interrupt on the other side once it comes there; the interrupted code goes on beside the interrupted code.
 * Loops that wait for something may run more iterations on one side (lockstep/align/reconverge.h). All else makes the
 * runs diverge.
 */
#ifndef TCGRR_LOCKSTEP_ALIGN_H
#define TCGRR_LOCKSTEP_ALIGN_H

#include "lockstep/align/handler.h"
#include "lockstep/comparison.h"

/* Instructions that have to be at hand after the place where runs are compared, to find out why they differ; more are
 * fetched where that is not enough. */
#define TCGRR_ALIGN_AHEAD     16384
/* Handlers of one side that wait for their counterparts, at most, and what they may hold; executions. */
#define TCGRR_ALIGN_ASIDE_MAX 4096
#define TCGRR_ALIGN_HELD_MAX  (1u << 20)
/* Where the comparison ends, an interrupt that came so many instructions of the interrupted code before would have come
 * later on the other side; or twice as many as another one was shifted. */
#define TCGRR_ALIGN_END_NEAR  16384

/* Two pieces of the runs that are compared: all of them, or two handlers. */
struct tcgrr_cursor_pair {
    struct tcgrr_insn_cursor walks[2];
    tcgrr_icount start[2]; /* nothing before is looked at */
    unsigned number[2];    /* there: the discontinuity that led to it (struct tcgrr_interrupt) */
    tcgrr_icount end[2];   /* nor anything from here on */
    unsigned depth;        /* 0: the runs; else handlers, interrupted handlers, … */
};

/* The handler of an interrupt that has not come on the other side yet. */
struct tcgrr_deferred_handler {
    tcgrr_icount start, end;
    tcgrr_icount other;             /* where the other side was */
    struct tcgrr_exec_window *body; /* what it ran; counted by references (g_rc_box_acquire()) */
    uint64_t walked;                /* struct tcgrr_align's */
    struct tcgrr_interrupt interrupt;
    unsigned reasons;
    bool differs; /* from the one it was compared with, first here: */
    tcgrr_icount differs_at[2];
};

/* A part of a run that was taken out of what surrounds it. */
struct tcgrr_skipped_range {
    tcgrr_icount start, end;
};

struct tcgrr_align {
    const struct tcgrr_compare_options *options;
    struct tcgrr_comparison *comparison; /* what is tolerated goes there */
    struct tcgrr_codes codes;
    struct tcgrr_exec_window *windows; /* both sides'; the caller's */
    tcgrr_vcpu only;                   /* the vCPU that is followed; or TCGRR_ANY_VCPU */
    struct tcgrr_cursor_pair runs;
    GArray *aside[2];      /* struct tcgrr_deferred_handler */
    GArray *taken[2];      /* struct tcgrr_skipped_range */
    uint64_t explained;    /* differences that have a reason */
    uint64_t walked;       /* instructions that were the same, outside of what was set aside */
    uint64_t furthest;     /* the most of them between an interrupt and its counterpart */
    char *note;            /* why the last difference is not tolerated; NULL: nothing to say */
    tcgrr_icount place[2]; /* where that is, if tcgrr_align_differs() or tcgrr_align_finish() says so */
    GError *error;         /* a side could not be read; NULL: none */
};

void tcgrr_align_init(struct tcgrr_align *align, const struct tcgrr_compare_options *options,
                      struct tcgrr_comparison *comparison, struct tcgrr_exec_window windows[2], tcgrr_vcpu only);
void tcgrr_align_clear(struct tcgrr_align *align);

/* Continues, with other windows, where the sides have reached instructions `at`; up to there they are the same, except
 * for what was set aside. */
void tcgrr_align_begin(struct tcgrr_align *align, const tcgrr_icount at[2]);

/*
 * Goes on with align->runs until one side reaches its end (struct tcgrr_cursor_pair) and returns true, or until the
 * runs differ without a reason: false, and the walks are where they do. After `end` there must be TCGRR_ALIGN_AHEAD
 * instructions at hand, or the run's end.
 */
bool tcgrr_align_run(struct tcgrr_align *align);

/* Nothing is set aside. */
bool tcgrr_align_settled(const struct tcgrr_align *align);

/* The comparison ends here: what is still set aside would have come later on the other side. False: not all of it can
 * have, and align->note says what. */
bool tcgrr_align_finish(struct tcgrr_align *align);

/* Whether handlers that were compared differ: align->note and align->place are about the first of them. */
bool tcgrr_align_differs(struct tcgrr_align *align);

/* The first execution of a window that is still needed; and the note that so many were cut off it. */
guint tcgrr_align_first_needed(const struct tcgrr_align *align, int which);
void tcgrr_align_cut(struct tcgrr_align *align, int which, guint execs);

/* ---- for lockstep/align/reconverge.c ---- */

/* What can be taken back. */
struct tcgrr_align_state {
    guint places;
    uint64_t tolerated[TCGRR_TOLERATED_KINDS];
    uint64_t differing;
    guint taken[2];
    GArray *aside[2];
};
void tcgrr_align_save(const struct tcgrr_align *align, struct tcgrr_align_state *state);
/* Either takes back all that was tolerated and set aside since, or keeps it; frees what was saved. */
void tcgrr_align_restore(struct tcgrr_align *align, struct tcgrr_align_state *state, bool keep);

/*
 * If an interrupt came on side `which` where its walk is, sets its handler aside and goes on after it. `beside`: the
 * other side is at the interrupted code, too.
 */
bool tcgrr_align_set_aside(struct tcgrr_align *align, struct tcgrr_cursor_pair *pair, int which, bool beside);

/* Makes sure that some of the side's run is at hand after its walk. False, with align->error set, if it could not be
 * read. */
bool tcgrr_align_read_on(struct tcgrr_align *align, struct tcgrr_cursor_pair *pair, int which);

void tcgrr_align_tolerate(struct tcgrr_align *align, const struct tcgrr_tolerated *place);

/* Whether an interrupt came on side `which` where its walk is. */
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
