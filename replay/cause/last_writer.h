/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the last writer of a register or a piece of memory before a place in a recorded run. */
#ifndef TCGRR_REPLAY_LAST_WRITER_H
#define TCGRR_REPLAY_LAST_WRITER_H

#include "replay/cause/access_log.h"
#include "replay/cause/replay_pair.h"

/* Whether a writer was found, or why not. */
enum tcgrr_last_writer_kind {
    TCGRR_LAST_WRITER_FOUND,      /* `icount` is that of the instruction */
    TCGRR_LAST_WRITER_NONE,       /* nothing wrote it since the run's start */
    TCGRR_LAST_WRITER_UNREPORTED, /* this QEMU does not report this target's stores */
    TCGRR_LAST_WRITER_UNKNOWN,    /* it is not known: `reason` */
};

struct tcgrr_last_writer {
    enum tcgrr_last_writer_kind kind;
    tcgrr_icount icount;
    const char *reason;
};

/*
 * The last instruction of from..before-1 that writes register number `index` (of side 0's list), according to its
 * bytes; NONE if there is none. `state` is that of a nearby place, for the processor's mode. Reads only the recorded
 * flow.
 */
bool tcgrr_last_register_writer(struct tcgrr_replay_pair *pair, struct tcgrr_reader *reader, unsigned index,
                                const uint8_t *state, tcgrr_icount from, tcgrr_icount before,
                                struct tcgrr_last_writer *last, GError **error);

struct tcgrr_last_store_options {
    struct tcgrr_reader *reader;
    const struct tcgrr_qemu *qemu; /* that replays it */
    const char *plugin;
    const volatile int *stop; /* not 0: give up with TCGRR_ERROR_STOPPED */
    struct tcgrr_access_log
        *log; /* the accesses that the last replay reported right before a place; the next replay refills it */
};

/*
 * The last store before `before` to any byte of the range: from the trace if it has memory accesses there, else from
 * the log, else from a replay that records them.
 */
bool tcgrr_last_store_writer(const struct tcgrr_last_store_options *options, const struct tcgrr_memory_range *range,
                             tcgrr_icount before, struct tcgrr_last_writer *last, GError **error);

/*
 * The same without reported stores: the last time before `before` that the range did not hold `bytes` yet is `*from`,
 * and at `*to`, a few instructions later, it did. *found is false if it held them from the start on. Writes of the
 * value that was already there are not detected.
 */
bool tcgrr_last_change(struct tcgrr_replay_pair *pair, const struct tcgrr_memory_range *range, const uint8_t *bytes,
                       tcgrr_icount before, tcgrr_moment *from, tcgrr_moment *to, bool *found, GError **error);

#endif
