/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deriving a window of a run: QEMU replays it with the plugin in it, and the result goes into a trace of its own.
 */
#ifndef TCGRR_RECORD_DERIVE_H
#define TCGRR_RECORD_DERIVE_H

#include "emu/qemu/session.h"
#include "store/symbols.h"
#include "store/trace.h"

struct tcgrr_derive_options {
    const char *output;            /* the window's trace, which is complete when it is there */
    const char *note;              /* which run it is a window of */
    bool notes_places;             /* add to that what the machine held at two places (see below) */
    struct tcgrr_symbols *symbols; /* to store, too; NULL: none */
    const struct tcgrr_run *run;
    const struct tcgrr_qemu *qemu;
    const char *plugin;
    char **words;              /* the command, QEMU first */
    const char *rr_file;       /* what QEMU replays */
    const char *start;         /* the image that the run starts from; NULL: at reset */
    tcgrr_icount start_icount; /* QEMU's own count there */
    const char *keyframe;      /* to begin from; NULL: the run's start */
    tcgrr_icount keyframe_icount;
    const char *keyframe_state; /* what the machine holds there (emu/qemu/machine_digest.h) */
    tcgrr_icount passes;        /* what it holds here is wanted, too, where nothing happens from outside; 0: nowhere */
    enum tcgrr_level level;
    tcgrr_icount from;  /* what is wanted begins here; the trace may have more before */
    tcgrr_icount until; /* and ends here, likewise; UINT64_MAX: where the replay ends */
    int hang_ms;
    const volatile int *stop;
    void (*progress)(tcgrr_icount icount, void *data); /* may be NULL */
    void *data;
};

/*
 * Replays and stores. TCGRR_ERROR_FAILED if the replay ends before `until`, or does not begin as the keyframe says,
 * _HUNG if it makes no progress, _STOPPED if `stop` becomes not 0; then there is no `output`. The two places, each as
 * TCGRR_DERIVE_PLACE: where the replay began, if that is a keyframe, and `passes`.
 */
#define TCGRR_DERIVE_PLACE   " %" G_GUINT64_FORMAT " %s" /* icount, and what the machine holds there */
#define TCGRR_DERIVE_NOWHERE "- -"                       /* in place of that, with icount 0 */
bool tcgrr_derive(const struct tcgrr_derive_options *options, GError **error);

#endif
