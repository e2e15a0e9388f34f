/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A recorded run to move around in: QEMU replays it as often as needed, stops exactly where it should, and shows its
 * registers and memory there, and what memory a step accessed.
 */
#ifndef TCGRR_REPLAY_PAUSED_H
#define TCGRR_REPLAY_PAUSED_H

#include "emu/plugin/peek.h"
#include "emu/qemu/gdb.h"
#include "emu/qemu/qemu.h"
#include "replay/keyframes.h"
#include "store/trace.h"

/* What starts it, made once for many starts. */
struct tcgrr_rerun;

struct tcgrr_rerun_options {
    struct tcgrr_reader *reader;    /* the command and the rr file; must outlive the rerun */
    const char *qemu;               /* name or path; NULL: the one that recorded */
    const char *plugin;             /* to probe the QEMU with, and for what steps access */
    const struct tcgrr_qemu *known; /* the QEMU, probed already, which must outlive the rerun; NULL: probe `qemu` */
    const char *const *extra;       /* further QEMU arguments, NULL-terminated; NULL: none */
    struct tcgrr_keyframe given;    /* one to start from that is not among the trace's; its folder is the caller's */
    bool visits;                    /* the user looks there: leave keyframes beside the trace, too */
    int hang_ms;                    /* a run that makes no progress for so long has hung */
    const volatile int *stop;       /* not 0: give up with TCGRR_ERROR_STOPPED; may be NULL */
};

/*
 * Probes QEMU and takes the rr file out of the trace, into a private folder. TCGRR_ERROR_USAGE if the trace was
 * recorded without rr.
 */
struct tcgrr_rerun *tcgrr_rerun_new(const struct tcgrr_rerun_options *options, GError **error);
/* Removes the folder. Not before what was started is gone. NULL is allowed. */
void tcgrr_rerun_free(struct tcgrr_rerun *rerun);

/*
 * Lets it start, too, from the keyframes of `lender` up to `until`: to there both do the same. `lender` must outlive
 * it.
 */
void tcgrr_rerun_borrow(struct tcgrr_rerun *rerun, const struct tcgrr_rerun *lender, tcgrr_icount until);
/* The keyframe from which a start for `near` would begin; the beginning if there is none. */
struct tcgrr_keyframe tcgrr_rerun_nearest(const struct tcgrr_rerun *rerun, tcgrr_icount near);
/* The keyframe there is good: a replay from it did what one from the beginning did. */
void tcgrr_rerun_trust(struct tcgrr_rerun *rerun, tcgrr_icount icount);
/* From now on all starts are from the run's beginning. */
void tcgrr_rerun_distrust(struct tcgrr_rerun *rerun);

/* A QEMU that is stopped at a place in the run. One thread. */
struct tcgrr_paused;

/* Starts QEMU, which stands before its first instruction, or at the last keyframe (replay/keyframes.h) up to `near`.
 * `accesses`: what steps access is to be seen. */
struct tcgrr_paused *tcgrr_paused_start(struct tcgrr_rerun *rerun, tcgrr_icount near, bool accesses, GError **error);
/* Whether it started from a keyframe that is not trusted: what goes wrong with it is to be done again from the run's
 * beginning. */
bool tcgrr_paused_doubtful(const struct tcgrr_paused *paused);
/* Ends it. NULL is allowed. */
void tcgrr_paused_free(struct tcgrr_paused *paused);

/*
 * Goes through these places, ascending, and leaves keyframes there, in the private folder, for later starts; not where
 * something happens from outside the guest. They are not proved: who starts from one has to check what comes of it.
 * Where QEMU cannot save the machine there are none; the only error is TCGRR_ERROR_STOPPED. `standing`: goes there if
 * no keyframe is closer, and is freed; NULL: another one is started.
 */
bool tcgrr_rerun_leave_keyframes(struct tcgrr_rerun *rerun, struct tcgrr_paused *standing, const tcgrr_icount *places,
                                 unsigned count, GError **error);

/* Where it is. */
tcgrr_icount tcgrr_paused_icount(const struct tcgrr_paused *paused);

/*
 * Runs on to exactly `icount`, which is not before the place where it is. Where an interrupt is due at `icount`, it may
 * or may not have been delivered.
 */
bool tcgrr_paused_go(struct tcgrr_paused *paused, tcgrr_icount icount, GError **error);
/* Executes one instruction, or delivers one interrupt or exception: then the icount may stay the same. */
bool tcgrr_paused_step(struct tcgrr_paused *paused, GError **error);
/*
 * The memory that the last step accessed, as far as QEMU reports it (docs/accesses.md); owned by `paused`, until the
 * next step. NULL if accesses are not seen: this QEMU was not started for that, or reports too little for this target.
 */
const struct tcgrr_peek *tcgrr_paused_accesses(const struct tcgrr_paused *paused);

/* See emu/qemu/gdb_features.h; owned by `paused`, take a reference to keep it longer. */
struct tcgrr_register_layout *tcgrr_paused_registers(const struct tcgrr_paused *paused);
/* See tcgrr_gdb_read_state(). */
bool tcgrr_paused_read_state(struct tcgrr_paused *paused, const bool *wanted, uint8_t *state, GError **error);

/* See tcgrr_gdb_read_more(). */
bool tcgrr_paused_read_more(struct tcgrr_paused *paused, const bool *wanted, uint8_t *state, GError **error);

/* The physical address that the vCPU's own address stands for now; *mapped: there is one. */
bool tcgrr_paused_translate(struct tcgrr_paused *paused, uint64_t address, uint64_t *physical, bool *mapped,
                            GError **error);

/* Reads at most 256 bytes at a physical address. *ram: it is memory; a device is not touched. */
bool tcgrr_paused_read_memory(struct tcgrr_paused *paused, uint64_t physical, size_t size, uint8_t *bytes, bool *ram,
                              GError **error);

/* Reads at most 256 bytes of code at the vCPU's own address. *there: it is mapped; else `bytes` are left alone. */
bool tcgrr_paused_read_code(struct tcgrr_paused *paused, uint64_t address, size_t size, uint8_t *bytes, bool *there,
                            GError **error);

#endif
