/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deriving a level of a recorded run by replaying it (docs/fill.md). The run is cut into windows; each is derived by a
 * process of its own, from a keyframe where there is one before it, into a trace of its own in the folder TRACE.fill.
 * Then all are collected into the trace, which is replaced in one step. Windows that are there already are not derived
 * again, whoever made them.
 */
#ifndef TCGRR_REPLAY_FILL_H
#define TCGRR_REPLAY_FILL_H

#include "store/layers.h"

/* The folder of the windows' traces; owned by the caller. */
char *tcgrr_fill_folder(const char *trace);

/*
 * Only one process at a time may fill a trace or collect into it: what another one added meanwhile would be lost. Waits
 * for others; the trace is to be opened after that. NULL with TCGRR_ERROR_STOPPED when `*stop` becomes not 0.
 */
struct tcgrr_fill_lock;
struct tcgrr_fill_lock *tcgrr_fill_lock(const char *trace, const volatile int *stop, GError **error);
/* NULL is allowed. */
void tcgrr_fill_unlock(struct tcgrr_fill_lock *lock);

struct tcgrr_fill;

/* Opens the trace, looks at the QEMU that recorded it (or, if that is not NULL, at `qemu`), and writes what its replays
 * read. TCGRR_ERROR_USAGE if it cannot be replayed. One thread. */
struct tcgrr_fill *tcgrr_fill_open(const char *trace, const char *qemu, const char *plugin, GError **error);
/* NULL is allowed. */
void tcgrr_fill_free(struct tcgrr_fill *fill);

struct tcgrr_reader *tcgrr_fill_reader(const struct tcgrr_fill *fill);
/* All that can be replayed. */
struct tcgrr_span tcgrr_fill_run(const struct tcgrr_fill *fill);

struct tcgrr_fill_window {
    enum tcgrr_level level;
    struct tcgrr_span span;
    char *part; /* the trace that it becomes */
    bool there; /* it is there already */
};

/*
 * The windows to derive so that the trace has `level` of all of `span`, made for `jobs` replays at a time, none shorter
 * than `least` instructions where that can be (0: TCGRR_FILL_WINDOW): struct tcgrr_fill_window, owned by the caller,
 * freed with g_array_unref(). None if it has it already. NULL with TCGRR_ERROR_FAILED if this QEMU cannot be recorded
 * at that level.
 */
GArray *tcgrr_fill_plan(struct tcgrr_fill *fill, enum tcgrr_level level, struct tcgrr_span span, unsigned jobs,
                        tcgrr_icount least, GError **error);
#define TCGRR_FILL_WINDOW ((tcgrr_icount)16 << 20) /* a replay takes some time to begin */

struct tcgrr_fill_derive {
    int hang_ms;
    const volatile int *stop;                          /* not 0: give up with TCGRR_ERROR_STOPPED */
    void (*progress)(tcgrr_icount icount, void *data); /* may be NULL */
    void *data;
};
/* Derives one window, if it is not there. From the start if that fails from a keyframe, which is removed if it was the
 * reason. */
bool tcgrr_fill_derive(struct tcgrr_fill *fill, const struct tcgrr_fill_window *window,
                       const struct tcgrr_fill_derive *options, GError **error);

/*
 * Takes what is in the parts, NULL-terminated, into the trace, which stays as it is until all is done. Parts of another
 * run are TCGRR_ERROR_USAGE; parts that contradict each other or the trace are TCGRR_ERROR_DAMAGED, and a keyframe may
 * be the reason. The parts stay.
 */
bool tcgrr_fill_collect(struct tcgrr_fill *fill, const char *const *parts, GError **error);

/* Removes the parts of a plan and all keyframes: what is planned from now on is derived from the start. */
void tcgrr_fill_distrust(struct tcgrr_fill *fill, const GArray *windows);

/* Removes the parts of a plan, and the folder if it is empty. */
void tcgrr_fill_clean(const struct tcgrr_fill *fill, const GArray *windows);

#endif
