/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Derives a window of a run: QEMU replays it with the plugin, and the result goes into a separate trace. */
#ifndef TCGRR_RECORD_DERIVE_H
#define TCGRR_RECORD_DERIVE_H

#include "emu/qemu/session.h"
#include "store/symbols.h"
#include "store/trace.h"

struct tcgrr_derive_options {
    const char *output;            /* the window's trace; it exists only once it is complete */
    const char *note;              /* identifies the run */
    bool notes_places;             /* add to the note the state of the machine at two places (see below) */
    struct tcgrr_symbols *symbols; /* symbols to store; NULL: none */
    const struct tcgrr_run *run;
    const struct tcgrr_qemu *qemu;
    const char *plugin;
    char **words;              /* the command, QEMU first */
    const char *rr_file;       /* what QEMU replays */
    const char *start;         /* the image that the run starts from; NULL: at reset */
    tcgrr_icount start_icount; /* QEMU's own count there */
    const char *keyframe;      /* to begin from; NULL: the run's start */
    tcgrr_icount keyframe_icount;
    const char *keyframe_state; /* the machine's state there (emu/qemu/machine_digest.h) */
    tcgrr_icount passes; /* also note the machine's state here, a place without an event from outside; 0: nowhere */
    enum tcgrr_level level;
    tcgrr_icount from;  /* start of the window; the trace may begin earlier */
    tcgrr_icount until; /* end of the window; the trace may end later; UINT64_MAX: the end of the replay */
    int hang_ms;
    const volatile int *stop;
    void (*progress)(tcgrr_icount icount, void *data); /* may be NULL */
    void *data;
};

/*
 * Replays and stores. TCGRR_ERROR_FAILED if the replay ends before `until`, or does not begin in the keyframe's state,
 * _HUNG if it makes no progress, _STOPPED if `stop` becomes non-zero; in these cases there is no `output`. The two
 * places, each as TCGRR_DERIVE_PLACE, are the start of the replay, if that is a keyframe, and `passes`.
 */
#define TCGRR_DERIVE_PLACE   " %" G_GUINT64_FORMAT " %s" /* icount, and the machine's state there */
#define TCGRR_DERIVE_NOWHERE "- -"                       /* the state of a place with icount 0 */
bool tcgrr_derive(const struct tcgrr_derive_options *options, GError **error);

#endif
