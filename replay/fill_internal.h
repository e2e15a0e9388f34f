/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_REPLAY_FILL_INTERNAL_H
#define TCGRR_REPLAY_FILL_INTERNAL_H

#include "replay/files.h"
#include "replay/fill.h"

struct tcgrr_fill {
    char *path; /* absolute */
    char *plugin;
    struct tcgrr_reader *reader;
    struct tcgrr_qemu qemu;
    struct tcgrr_replay_files *files;
    struct tcgrr_keyframes *keyframes;
    char *folder; /* of the parts */
    char *id;     /* identifies the run: digest of its log and command */
    tcgrr_icount end;
    bool to_end; /* the run ends at `end`, rather than only the known part of it */
    tcgrr_icount asked_after;
    bool distrusts; /* keyframes are not used: everything is derived from the run's start */
};

/*
 * A window's replay begins this many instructions before the window and ends as many after it, because events right at
 * a keyframe, or where a replay stops, are not seen by both replays.
 */
#define TCGRR_FILL_OVERLAP ((tcgrr_icount)4096)

/* The machine's state at a place; icount 0: none. */
struct tcgrr_fill_place {
    tcgrr_icount icount;
    char state[40]; /* emu/qemu/machine_digest.h */
};

/* A part's description, from its only note. */
struct tcgrr_fill_part {
    enum tcgrr_level level;
    struct tcgrr_span span;
    bool samples;                   /* its samples are counted from the run's start, like those of a recording */
    struct tcgrr_fill_place began;  /* the keyframe from which it was derived */
    struct tcgrr_fill_place passed; /* the one from which the next window is derived */
};

struct tcgrr_fill_source {
    struct tcgrr_reader *reader;
    struct tcgrr_fill_part what;
};

/* Whether the trace is a part of this run; fills `part` then. */
bool tcgrr_fill_read_note(const struct tcgrr_fill *fill, struct tcgrr_reader *reader, struct tcgrr_fill_part *part);

/*
 * Checks that parts (struct tcgrr_fill_source) that were derived from keyframes agree with other parts that passed the
 * same keyframe or ran the same instructions. TCGRR_ERROR_DAMAGED if not.
 */
bool tcgrr_fill_check(const GArray *sources, GError **error);

#endif
