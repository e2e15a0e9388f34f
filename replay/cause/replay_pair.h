/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two recorded runs that did the same for a while, replayed side by side and looked at where they should be equal. A
 * moment is counted from where the comparison of the two started; each run has its own icount for it.
 */
#ifndef TCGRR_REPLAY_REPLAY_PAIR_H
#define TCGRR_REPLAY_REPLAY_PAIR_H

#include "replay/cause/inputs.h"
#include "replay/cause/paused.h"
#include "store/isa/registers.h"

/* Instructions since the start that both have in common. */
typedef uint64_t tcgrr_moment;

struct tcgrr_replay_pair_options {
    struct tcgrr_reader *readers[2];   /* may be the same: then both sides replay one recording */
    const char *qemus[2];              /* NULL: the one that recorded */
    const char *const *extra;          /* further arguments of side 1, NULL-terminated; NULL: none */
    const struct tcgrr_qemu *known[2]; /* what they are; NULL: not probed yet */
    tcgrr_icount start[2];
    const char *plugin;
    const char *const *ignore; /* names of registers that are not compared, NULL-terminated; NULL: none */
    bool approaches;           /* A is to leave keyframes: the QEMU that shows its registers stays, to do so */
    int hang_ms;
    const volatile int *stop; /* not 0: give up with TCGRR_ERROR_STOPPED */
};

struct tcgrr_replay_pair;

/* Probes both QEMUs and starts each once, to learn its registers. The readers stay the caller's. */
struct tcgrr_replay_pair *tcgrr_replay_pair_new(const struct tcgrr_replay_pair_options *options, GError **error);
/*
 * The same of side 0 alone: of a run that is examined by itself, only for tcgrr_replay_pair_walk_alone() and what
 * reports A's recording and registers. The options name the same reader twice. `near`: where the first snapshot will
 * be.
 */
struct tcgrr_replay_pair *tcgrr_replay_pair_alone(const struct tcgrr_replay_pair_options *options, tcgrr_moment near,
                                                  GError **error);
/* NULL is allowed. */
void tcgrr_replay_pair_free(struct tcgrr_replay_pair *pair);

tcgrr_icount tcgrr_replay_pair_icount(const struct tcgrr_replay_pair *pair, int side, tcgrr_moment moment);
const struct tcgrr_qemu *tcgrr_replay_pair_qemu(const struct tcgrr_replay_pair *pair, int side);

/*
 * The latest moment up to `moment` at which neither run recorded an interrupt or exception: whether the state there is
 * the one before it or after it would be chance.
 */
bool tcgrr_replay_pair_quiet(struct tcgrr_replay_pair *pair, tcgrr_moment moment, tcgrr_moment *quiet, GError **error);

/*
 * The latest quiet moment up to `moment` at which both runs began to execute a block. To stop in the middle of one cuts
 * it in two, and what a QEMU only does wrong when it translates the two together is not wrong then.
 */
bool tcgrr_replay_pair_boundary(struct tcgrr_replay_pair *pair, tcgrr_moment moment, tcgrr_moment *boundary,
                                GError **error);

/* The keyframe from which a side starts to look at `moment`; the beginning if there is none. It belongs to the pair. */
struct tcgrr_keyframe tcgrr_replay_pair_keyframe(const struct tcgrr_replay_pair *pair, int side, tcgrr_moment moment);
/* Has A leave keyframes at these moments, ascending, or a little before (tcgrr_rerun_leave_keyframes()); also of none,
 * the QEMU that stands for that is ended. */
bool tcgrr_replay_pair_leave_keyframes(struct tcgrr_replay_pair *pair, const tcgrr_moment *moments, unsigned count,
                                       GError **error);
/* A's keyframe at `moment` is good, and B does the same up to there: it, too, starts from A's up to that one. */
void tcgrr_replay_pair_share(struct tcgrr_replay_pair *pair, tcgrr_moment moment);
/* From now on all starts are from the run's beginning. */
void tcgrr_replay_pair_distrust(struct tcgrr_replay_pair *pair);

/* ---- registers: by their index in A's list ---- */

struct tcgrr_register_layout *tcgrr_replay_pair_registers(const struct tcgrr_replay_pair *pair, int side);
/* What differs in a register of two states: of its lowest 64 bits, or all ones if only higher ones differ. 0 also where
 * it is not compared: one side has no such register, or it is ignored. */
uint64_t tcgrr_replay_pair_difference(const struct tcgrr_replay_pair *pair, const uint8_t *const states[2],
                                      unsigned index);
/* Whether both states have the register's value. */
bool tcgrr_replay_pair_know(const struct tcgrr_replay_pair *pair, const uint8_t *const states[2], unsigned index);
/* B's register of this name; NULL if B has none. */
const struct tcgrr_register *tcgrr_replay_pair_other(const struct tcgrr_replay_pair *pair, unsigned index);

/* The moment at which the execution began, in A's recording, that instruction `moment` is in; and the instructions that
 * its block has from `moment` on. */
bool tcgrr_replay_pair_block(struct tcgrr_replay_pair *pair, tcgrr_moment moment, tcgrr_moment *first, unsigned *rest,
                             GError **error);

/* ---- looking ---- */

#define TCGRR_PLACE_MAX 64

/* A piece of memory that is watched. */
struct tcgrr_place {
    uint64_t physical[2]; /* on each side */
    uint16_t size;        /* at most TCGRR_PLACE_MAX */
};

/* What is there. */
struct tcgrr_content {
    bool ram;
    uint8_t bytes[TCGRR_PLACE_MAX];
};

/* What is to be looked at besides the core registers, which are fast to read. */
struct tcgrr_watch {
    const bool *registers; /* by A's index; NULL: all */
    const GArray *places;  /* struct tcgrr_place */
};

/* A moment at which both sides were stopped. */
struct tcgrr_snapshot {
    tcgrr_moment moment;
    uint8_t *states[2];
    struct tcgrr_content *contents[2]; /* of the places that were asked for, in their order */
};

/* Looks to be taken at `count` moments, in ascending order: struct tcgrr_snapshot *, owned by the caller. */
GPtrArray *tcgrr_snapshots_new(const struct tcgrr_replay_pair *pair, const tcgrr_moment *moments, guint count,
                               const struct tcgrr_watch *watch);

/* Replays both and takes the snapshots. */
bool tcgrr_replay_pair_look(struct tcgrr_replay_pair *pair, GPtrArray *snapshots, const struct tcgrr_watch *watch,
                            GError **error);

/* Memory that an instruction accesses. */
struct tcgrr_touched {
    struct tcgrr_operand operand;
    bool mapped;
    bool ram;
    uint64_t physical;
    uint16_t size; /* of `before` and `after`: the operand's, as far as it is looked at */
    bool blind;    /* what was there before is not known, of a store: `before` means nothing */
    uint8_t before[TCGRR_PLACE_MAX];
    uint8_t after[TCGRR_PLACE_MAX]; /* only of stores */
};

/* Where a single-stepped run stood. */
struct tcgrr_stop {
    tcgrr_moment moment;
    uint64_t pc;      /* as the stub gives it */
    uint64_t address; /* of the instruction as the trace has it: on x86 with its segment's base */
    uint8_t *state;
    struct tcgrr_content *contents; /* of the places that were asked for */
    uint8_t length;                 /* of the instruction that comes next; 0: its bytes are not known */
    uint8_t bytes[16];
    struct tcgrr_insn_inputs inputs; /* of it */
    GArray *touched;                 /* struct tcgrr_touched */
};

/* A stretch that is walked: from `from` to `to`, and `more` steps after it. */
struct tcgrr_segment {
    tcgrr_moment from;
    tcgrr_moment to;
    unsigned more;
    struct tcgrr_watch watch;
    GPtrArray *stops[2]; /* struct tcgrr_stop *, filled; the caller's */
};

/*
 * Replays both and goes through the segments, which follow each other, instruction by instruction. They have no more
 * stops in common than the runs have. What the instruction at a stop reads is read there, whatever is watched. On the
 * way to the first segment the snapshots are taken, if any, of what it watches. That a side hangs or ends in the steps
 * after `to` ends its stops.
 */
bool tcgrr_replay_pair_walk(struct tcgrr_replay_pair *pair, struct tcgrr_segment *segments, unsigned count,
                            GPtrArray *snapshots, GError **error);

/* The same with side 0 alone, without snapshots; the stops are in each segment's stops[0]. */
bool tcgrr_replay_pair_walk_alone(struct tcgrr_replay_pair *pair, struct tcgrr_segment *segments, unsigned count,
                                  GError **error);

/*
 * Of tcgrr_replay_pair_alone(), before it has gone anywhere: the registers where side 0 stands, of those that are
 * `wanted`, and *moment, that place.
 */
bool tcgrr_replay_pair_read_near(struct tcgrr_replay_pair *pair, const bool *wanted, uint8_t *state,
                                 tcgrr_moment *moment, GError **error);

/* Starts side 0 and goes to a moment; NULL with error. The caller's (tcgrr_paused_free). */
struct tcgrr_paused *tcgrr_replay_pair_pause_at(struct tcgrr_replay_pair *pair, tcgrr_moment moment, GError **error);
struct tcgrr_decoder *tcgrr_replay_pair_decoder(struct tcgrr_replay_pair *pair, int side);

/*
 * Why a side went no further than `moment` when it was to be stepped on after the end of a walk: it hung or ended.
 * NULL if it did not; it is not asked to again. What `pair` owns.
 */
const char *tcgrr_replay_pair_obstacle(const struct tcgrr_replay_pair *pair, int side, tcgrr_moment moment);

/* The physical address that `address` stands for on each side at a moment; *mapped: on both it stands for one. */
bool tcgrr_replay_pair_translate(struct tcgrr_replay_pair *pair, tcgrr_moment moment, uint64_t address,
                                 uint64_t physical[2], bool *mapped, GError **error);

/* Whether a side recorded an interrupt at a moment. */
bool tcgrr_replay_pair_interrupted(struct tcgrr_replay_pair *pair, int side, tcgrr_moment moment, bool *interrupted,
                                   GError **error);

#endif
