/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sides for tests of the comparator: runs that are all there from the start. */
#ifndef TCGRR_TESTS_MADE_UP_H
#define TCGRR_TESTS_MADE_UP_H

#include "lockstep/run_source.h"

struct made_up {
    struct tcgrr_run_source base; /* must be first */
    GArray *script;               /* what it was made from; owned, may be NULL */
    struct tcgrr_blocks *blocks;
    struct tcgrr_chunk *chunk; /* the whole run */
    enum tcgrr_run_source_state end;
    tcgrr_icount damaged; /* from here on its digests are wrong */
};

/* A side with an empty run, which has room for `capacity` executions. */
struct made_up *made_up_new(uint32_t capacity, enum tcgrr_run_source_state end);
/* Empties its run again. */
void made_up_reset(struct made_up *run);
/* At its first execution. */
struct tcgrr_cursor made_up_start(const struct made_up *run);

#endif
