/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Maps places of one run to the corresponding places of another. */
#ifndef TCGRR_CLI_BROWSE_PAIR_H
#define TCGRR_CLI_BROWSE_PAIR_H

#include "cli/browse/run.h"

/* A place at which the runs differ, by each one's icount. Between two of them they run the same. */
struct browse_difference {
    tcgrr_icount icount[2]; /* where they begin to differ; they run the same again `length` instructions later */
    tcgrr_icount length[2];
    const char *kind; /* "divergence: control flow"; static */
};

struct browse_pair {
    tcgrr_icount start[2]; /* where the comparison began */
    GArray *differences;   /* struct browse_difference, ascending */
};

/* The place of run `1 - of` that corresponds to instruction `icount` of run `of`; after a divergence, the place at the
 * same distance from it. */
tcgrr_icount browse_pair_other(const struct browse_pair *pair, int of, tcgrr_icount icount);
/* The next difference after, or the last before, instruction `icount` of run `of`; NULL if there is none. */
const struct browse_difference *browse_pair_next(const struct browse_pair *pair, int of, tcgrr_icount icount,
                                                 enum browse_direction direction);

#endif
