/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Derives a level of a recorded run by replaying it (docs/fill.md). The run is divided into windows; a separate process
 * derives each, from a keyframe if there is one before it, into a separate trace (a part) in the folder TRACE.fill.
 * Then all parts are collected into the trace, which is replaced in one step. Windows whose parts exist already are not
 * derived again, no matter which process made them.
 */
#ifndef TCGRR_REPLAY_FILL_H
#define TCGRR_REPLAY_FILL_H

#include "store/layers.h"

/* The folder of the windows' traces; owned by the caller. */
char *tcgrr_fill_folder(const char *trace);

/*
 * Only one process at a time may fill a trace or collect into it; otherwise what one added would be lost. Waits for
 * other processes; open the trace afterwards. NULL with TCGRR_ERROR_STOPPED if `*stop` becomes non-zero.
 */
struct tcgrr_fill_lock;
struct tcgrr_fill_lock *tcgrr_fill_lock(const char *trace, const volatile int *stop, GError **error);
/* NULL is allowed. */
void tcgrr_fill_unlock(struct tcgrr_fill_lock *lock);

struct tcgrr_fill;

/* Opens the trace, probes the QEMU that recorded it (or `qemu`, if that is not NULL), and writes the files for its
 * replays. TCGRR_ERROR_USAGE if it cannot be replayed. Not thread-safe. */
struct tcgrr_fill *tcgrr_fill_open(const char *trace, const char *qemu, const char *plugin, GError **error);
/* NULL is allowed. */
void tcgrr_fill_free(struct tcgrr_fill *fill);

struct tcgrr_reader *tcgrr_fill_reader(const struct tcgrr_fill *fill);
/* The part of the run that can be replayed. */
struct tcgrr_span tcgrr_fill_run(const struct tcgrr_fill *fill);

struct tcgrr_fill_window {
    enum tcgrr_level level;
    struct tcgrr_span span;
    char *part; /* path of the window's trace */
    bool there; /* the part exists already */
};

/*
 * The windows to derive so that the trace has `level` of all of `span`, for `jobs` parallel replays, none shorter than
 * `least` instructions if possible (0: TCGRR_FILL_WINDOW): struct tcgrr_fill_window, owned by the caller, freed with
 * g_array_unref(). Empty if the trace has it already. NULL with TCGRR_ERROR_FAILED if this QEMU cannot be recorded at
 * that level.
 */
GArray *tcgrr_fill_plan(struct tcgrr_fill *fill, enum tcgrr_level level, struct tcgrr_span span, unsigned jobs,
                        tcgrr_icount least, GError **error);
#define TCGRR_FILL_WINDOW ((tcgrr_icount)16 << 20) /* long enough to outweigh the start of a replay */

struct tcgrr_fill_derive {
    int hang_ms;
    const volatile int *stop;                          /* not 0: give up with TCGRR_ERROR_STOPPED */
    void (*progress)(tcgrr_icount icount, void *data); /* may be NULL */
    void *data;
};
/* Derives one window, unless it exists. If that fails from a keyframe, derives it from the run's start, and removes the
 * keyframe if it was the reason. */
bool tcgrr_fill_derive(struct tcgrr_fill *fill, const struct tcgrr_fill_window *window,
                       const struct tcgrr_fill_derive *options, GError **error);

/*
 * Adds the content of the parts, NULL-terminated, to the trace, which is unchanged until everything is done. Parts of
 * another run are TCGRR_ERROR_USAGE; parts that contradict each other or the trace are TCGRR_ERROR_DAMAGED, possibly
 * because of a keyframe. The parts are not removed.
 */
bool tcgrr_fill_collect(struct tcgrr_fill *fill, const char *const *parts, GError **error);

/* Removes the parts of a plan and all keyframes: windows planned afterwards are derived from the run's start. */
void tcgrr_fill_distrust(struct tcgrr_fill *fill, const GArray *windows);

/* Removes the parts of a plan, and the folder if it is empty. */
void tcgrr_fill_clean(const struct tcgrr_fill *fill, const GArray *windows);

#endif
