/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stops a recorded run at any place: QEMU replays it as often as needed, stops exactly at the requested place, and
 * shows its registers and memory there, and the memory that a step accessed.
 */
#ifndef TCGRR_REPLAY_PAUSED_H
#define TCGRR_REPLAY_PAUSED_H

#include "emu/plugin/peek.h"
#include "emu/qemu/gdb.h"
#include "emu/qemu/qemu.h"
#include "emu/qemu/ram_pages.h"
#include "replay/keyframes.h"
#include "store/trace.h"

/* The data needed to start it, prepared once for many starts. */
struct tcgrr_rerun;

struct tcgrr_rerun_options {
    struct tcgrr_reader *reader;    /* the command and the rr file; must outlive the rerun */
    const char *qemu;               /* name or path; NULL: the one that recorded */
    const char *plugin;             /* to probe the QEMU, and to report the accesses of steps */
    const struct tcgrr_qemu *known; /* the QEMU, probed already, which must outlive the rerun; NULL: probe `qemu` */
    const char *const *extra;       /* further QEMU arguments, NULL-terminated; NULL: none */
    struct tcgrr_keyframe
        given;   /* an additional keyframe, not one of the trace's, to start from; its folder is the caller's */
    bool visits; /* the user visits these places: leave keyframes next to the trace, too */
    int hang_ms; /* a run without progress for this long has hung */
    const volatile int *stop; /* not 0: give up with TCGRR_ERROR_STOPPED; may be NULL */
};

/*
 * Probes QEMU and extracts the rr file from the trace into a private folder. TCGRR_ERROR_USAGE if the trace was
 * recorded without rr.
 */
struct tcgrr_rerun *tcgrr_rerun_new(const struct tcgrr_rerun_options *options, GError **error);
/* Removes the folder. Free everything that was started before. NULL is allowed. */
void tcgrr_rerun_free(struct tcgrr_rerun *rerun);

/* The QEMU that it starts; owned by the rerun. */
const struct tcgrr_qemu *tcgrr_rerun_qemu(const struct tcgrr_rerun *rerun);

/*
 * Lets it also start from the keyframes of `lender` up to `until`, because up to there both do the same. `lender` must
 * outlive it.
 */
void tcgrr_rerun_borrow(struct tcgrr_rerun *rerun, const struct tcgrr_rerun *lender, tcgrr_icount until);
/* The keyframe from which a start near `near` would begin; the beginning if there is none. */
struct tcgrr_keyframe tcgrr_rerun_nearest(const struct tcgrr_rerun *rerun, tcgrr_icount near);
/* Marks the keyframe there as good: a replay from it did the same as one from the beginning. */
void tcgrr_rerun_trust(struct tcgrr_rerun *rerun, tcgrr_icount icount);
/* Makes all further starts begin at the run's beginning. */
void tcgrr_rerun_distrust(struct tcgrr_rerun *rerun);

/* A QEMU that is stopped at a place in the run. Not thread-safe. */
struct tcgrr_paused;

/* Starts QEMU, stopped before its first instruction or at the last keyframe (replay/keyframes.h) up to `near`.
 * `accesses`: report the accesses of steps. */
struct tcgrr_paused *tcgrr_paused_start(struct tcgrr_rerun *rerun, tcgrr_icount near, bool accesses, GError **error);
/* Whether it started from a keyframe that is not trusted: work that fails with it has to be repeated from the run's
 * beginning. */
bool tcgrr_paused_doubtful(const struct tcgrr_paused *paused);
/* Ends it. NULL is allowed. */
void tcgrr_paused_free(struct tcgrr_paused *paused);

/*
 * Goes to `place` and saves a keyframe there, in the private folder, for later starts, unless the place has an event
 * from outside the guest. It is not verified: a caller that starts from it has to check the result. If QEMU cannot save
 * the machine, there is none; the only error is TCGRR_ERROR_STOPPED. `standing` is used if no keyframe is closer, and
 * is freed; NULL: another QEMU is started.
 */
bool tcgrr_rerun_leave_keyframe(struct tcgrr_rerun *rerun, struct tcgrr_paused *standing, tcgrr_icount place,
                                GError **error);

/* The pages that QEMU had written when it started (tcgrr_ram_pages_written()), the caller's from now on; NULL: not
 * known, or taken before. */
struct tcgrr_ram_pages *tcgrr_paused_take_written(struct tcgrr_paused *paused);

/* The current place. */
tcgrr_icount tcgrr_paused_icount(const struct tcgrr_paused *paused);

/*
 * Runs to exactly `icount`, which is not before the current place. If an interrupt is due at `icount`, it may or may
 * not have been delivered.
 */
bool tcgrr_paused_go(struct tcgrr_paused *paused, tcgrr_icount icount, GError **error);
/* Executes one instruction, or delivers one interrupt or exception, in which case the icount may stay the same. */
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

/* The physical address to which the vCPU's address is currently mapped; *mapped: there is one. */
bool tcgrr_paused_translate(struct tcgrr_paused *paused, uint64_t address, uint64_t *physical, bool *mapped,
                            GError **error);

/* Reads at most 256 bytes at a physical address. *ram: it is memory; devices are not accessed. */
bool tcgrr_paused_read_memory(struct tcgrr_paused *paused, uint64_t physical, size_t size, uint8_t *bytes, bool *ram,
                              GError **error);

/* Reads at most 256 bytes of code at a virtual address. *there: it is mapped; else `bytes` are unchanged. */
bool tcgrr_paused_read_code(struct tcgrr_paused *paused, uint64_t address, size_t size, uint8_t *bytes, bool *there,
                            GError **error);

#endif
