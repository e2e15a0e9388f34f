/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory accesses of a part of the run, as a replay reported them, because a backward slice needs them repeatedly.
 */
#ifndef TCGRR_REPLAY_ACCESS_LOG_H
#define TCGRR_REPLAY_ACCESS_LOG_H

#include "store/model.h"

#include <glib.h>

/* A piece of memory. */
struct tcgrr_memory_range {
    uint64_t address; /* the vCPU's own */
    uint64_t physical;
    bool mapped; /* `physical` is known */
    uint16_t size;
};

/* Whether an access stores to any byte of the range. */
bool tcgrr_access_stores_to(const struct tcgrr_access *access, const struct tcgrr_memory_range *range);

struct tcgrr_access_log;

struct tcgrr_access_log *tcgrr_access_log_new(void);
/* NULL is allowed. */
void tcgrr_access_log_free(struct tcgrr_access_log *log);

/* Forgets everything; instructions from..until-1 are to be added. */
void tcgrr_access_log_begin(struct tcgrr_access_log *log, tcgrr_icount from, tcgrr_icount until);
/* Adds an access; call it in the order of execution. Accesses outside the part are ignored; if there are too many, the
 * earliest are dropped. */
void tcgrr_access_log_add(struct tcgrr_access_log *log, tcgrr_icount icount, const struct tcgrr_access *access);

/* Whether it has the accesses right before `before`; *from is set to where they begin. */
bool tcgrr_access_log_reaches(const struct tcgrr_access_log *log, tcgrr_icount before, tcgrr_icount *from);

/* Finds the last store to the range before `before` in the log. */
bool tcgrr_access_log_last_store(const struct tcgrr_access_log *log, const struct tcgrr_memory_range *range,
                                 tcgrr_icount before, tcgrr_icount *icount);

/* Calls `found` for each range that instruction number `icount` loads from. */
void tcgrr_access_log_loads(const struct tcgrr_access_log *log, tcgrr_icount icount,
                            void (*found)(const struct tcgrr_memory_range *range, void *data), void *data);

#endif
