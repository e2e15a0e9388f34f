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
    char *id;     /* of the run: digest of its log and command */
    tcgrr_icount end;
    bool to_end; /* the run ends there, instead of what is known of it */
    tcgrr_icount asked_after;
};

/* What a part says of itself, in its only note. */
struct tcgrr_fill_part {
    enum tcgrr_level level;
    struct tcgrr_span span;
    bool samples; /* they are counted from the run's start, so that they are those of a recording */
};

/* Owned by the caller. */
char *tcgrr_fill_note(const struct tcgrr_fill *fill, const struct tcgrr_fill_part *part);
/* Whether the trace is a part of this run; fills `part` then. */
bool tcgrr_fill_read_note(const struct tcgrr_fill *fill, struct tcgrr_reader *reader, struct tcgrr_fill_part *part);

#endif
