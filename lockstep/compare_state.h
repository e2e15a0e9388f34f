/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The comparator's part that looks at samples of the state: data goes wrong long before control flow does. Sides have
 * samples at the same places where they executed the same instructions; what only one of them has is passed over.
 */
#ifndef TCGRR_LOCKSTEP_COMPARE_STATE_H
#define TCGRR_LOCKSTEP_COMPARE_STATE_H

#include "lockstep/run_source.h"
#include "lockstep/state.h"

struct tcgrr_comparison;
struct tcgrr_compare_options;

struct tcgrr_state_options {
    const char *target;         /* of both runs, as QEMU names it; NULL: their states are not compared */
    bool same_qemu;             /* it ran both: if digests of stores differ, so did the stores */
    const char *const *ignored; /* further registers that may differ, as tcgrr_state_ignores() takes them */
};

/* Where the data of two runs first differs. */
struct tcgrr_data_divergence {
    uint64_t samples; /* compared */
    uint32_t registers_compared;
    bool stores;     /* and their digests of stores */
    GArray *initial; /* struct tcgrr_register_difference: in the first sample; each compared once it agreed; NULL: none
                        was compared */
    /*
     * Between different QEMUs, which may tell the same stores in other pieces: where the digests first differ, if they
     * do. No divergence by itself. Each side's own count, as below.
     */
    bool stores_parted;
    tcgrr_icount stores_from[2];
    tcgrr_icount stores_to[2];
    tcgrr_icount same[2]; /* the last sample in which all is the same; where comparing began if there is none */
    uint64_t same_number; /* of that sample among A's; 0 also if there is none */
    bool found;
    /* Only if found; each side's own count. */
    tcgrr_icount from[2];           /* the last sample in which they are the same; where comparing began if none is */
    tcgrr_icount to[2];             /* the first in which they differ */
    uint64_t to_number;             /* of that sample among A's */
    GArray *registers;              /* struct tcgrr_register_difference */
    bool stores_differ;             /* so do the stores up to there */
    bool shifted;                   /* something came at different instructions before, which this may come from */
    struct tcgrr_comparison *place; /* what both sides run there, as a divergence of its own kind */
};
void tcgrr_data_divergence_clear(struct tcgrr_data_divergence *data);

struct tcgrr_state_comparing;

/* `sides`, `start` and `options` are the comparison's. What is found goes to `data`. */
struct tcgrr_state_comparing *tcgrr_state_comparing_new(struct tcgrr_run_source *const sides[2],
                                                        const tcgrr_icount start[2],
                                                        const struct tcgrr_compare_options *options,
                                                        struct tcgrr_data_divergence *data);
/* NULL is allowed. */
void tcgrr_state_comparing_free(struct tcgrr_state_comparing *comparing);

/*
 * Compares the samples with from <= icount < to, each side by its own count. Both sides have come to `to`, or have
 * ended, and executed the same instructions from `from` on. Does nothing once a difference was found.
 */
bool tcgrr_state_compare(struct tcgrr_state_comparing *comparing, const tcgrr_icount from[2], const tcgrr_icount to[2],
                         GError **error);

/*
 * Something came at different instructions in the two runs: from here on data may differ in consequence, and the
 * digests of stores do.
 */
void tcgrr_state_shifted(struct tcgrr_state_comparing *comparing);

/* If only the data diverged, and not in consequence of what was tolerated, that is the comparison's divergence. */
void tcgrr_state_conclude(struct tcgrr_comparison *comparison);

#endif
