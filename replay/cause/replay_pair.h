/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two recorded runs that did the same for a while, replayed side by side and examined where they should be equal. A
 * moment counts instructions from the start of their comparison; each run has its own icount for it.
 */
#ifndef TCGRR_REPLAY_REPLAY_PAIR_H
#define TCGRR_REPLAY_REPLAY_PAIR_H

#include "replay/cause/inputs.h"
#include "replay/cause/paused.h"
#include "replay/cause/trailing.h"
#include "store/isa/registers.h"

/* Instructions in common since the start. */
typedef uint64_t tcgrr_moment;

struct tcgrr_replay_pair_options {
    struct tcgrr_reader *readers[2];   /* may be the same: then both sides replay one recording */
    const char *qemus[2];              /* NULL: the one that recorded */
    const char *const *extra;          /* further arguments of side 1, NULL-terminated; NULL: none */
    const struct tcgrr_qemu *known[2]; /* the results of probing them; NULL: not probed yet */
    tcgrr_icount start[2];
    const char *plugin;
    const char *const *ignore; /* names of registers that are not compared, NULL-terminated; NULL: none */
    bool approaches; /* A will leave keyframes: keep the QEMU that was started to learn its registers, to make them */
    struct tcgrr_trailing *trailing; /* that QEMU, which stands near the place already; NULL: it is started here. Has
                                        to outlive the pair */
    tcgrr_moment
        keyframe_at; /* with `trailing`: that QEMU leaves a keyframe here or a little before, and ends; 0: not */
    int hang_ms;
    const volatile int *stop; /* not 0: give up with TCGRR_ERROR_STOPPED */
};

struct tcgrr_replay_pair;

/* Probes both QEMUs and starts each once, to learn its registers. The readers stay the caller's. */
struct tcgrr_replay_pair *tcgrr_replay_pair_new(const struct tcgrr_replay_pair_options *options, GError **error);
/*
 * The same with side 0 alone, for a run that is examined by itself: only tcgrr_replay_pair_walk_alone() and the
 * functions that report A's recording and registers may be called. The options name the same reader twice. `near`: the
 * place of the first snapshot.
 */
struct tcgrr_replay_pair *tcgrr_replay_pair_alone(const struct tcgrr_replay_pair_options *options, tcgrr_moment near,
                                                  GError **error);
/* NULL is allowed. */
void tcgrr_replay_pair_free(struct tcgrr_replay_pair *pair);

tcgrr_icount tcgrr_replay_pair_icount(const struct tcgrr_replay_pair *pair, int side, tcgrr_moment moment);
const struct tcgrr_qemu *tcgrr_replay_pair_qemu(const struct tcgrr_replay_pair *pair, int side);

/*
 * The latest moment up to `moment` at which neither run recorded an interrupt or exception. At one with such an event
 * it would be random whether the state is that before or after the event.
 */
bool tcgrr_replay_pair_quiet(struct tcgrr_replay_pair *pair, tcgrr_moment moment, tcgrr_moment *quiet, GError **error);

/*
 * The latest quiet moment up to `moment` at which both runs began to execute a block. Stopping in the middle of a block
 * splits it, which hides errors that QEMU makes only when it translates the block as a whole.
 */
bool tcgrr_replay_pair_boundary(struct tcgrr_replay_pair *pair, tcgrr_moment moment, tcgrr_moment *boundary,
                                GError **error);

/* The keyframe from which a side starts to reach `moment`; the beginning if there is none. Owned by the pair. */
struct tcgrr_keyframe tcgrr_replay_pair_keyframe(const struct tcgrr_replay_pair *pair, int side, tcgrr_moment moment);
/* Makes A leave a keyframe at this moment or a little before (tcgrr_rerun_leave_keyframe()), with the QEMU that was
 * started to learn its registers if it has not ended. */
bool tcgrr_replay_pair_leave_keyframe(struct tcgrr_replay_pair *pair, tcgrr_moment moment, GError **error);
/* Ends that QEMU, if there is one. */
void tcgrr_replay_pair_end_standing(struct tcgrr_replay_pair *pair);
/* Whether B can start from this keyframe of A's: it gets all of the memory from it (emu/qemu/vmstate.h). */
bool tcgrr_replay_pair_can_share(const struct tcgrr_replay_pair *pair, struct tcgrr_keyframe keyframe);
/* A's keyframe at `moment` is good, and B does the same up to there: makes B start from A's keyframes up to that one,
 * too. */
void tcgrr_replay_pair_share(struct tcgrr_replay_pair *pair, tcgrr_moment moment);
/* Makes all further starts begin at the run's beginning. */
void tcgrr_replay_pair_distrust(struct tcgrr_replay_pair *pair);

/* ---- registers: by their index in A's list ---- */

struct tcgrr_register_layout *tcgrr_replay_pair_registers(const struct tcgrr_replay_pair *pair, int side);
/* The bits of a register that differ in two states: of its lowest 64 bits, or all ones if only higher ones differ. 0
 * also if it is not compared: one side has no such register, or it is ignored. */
uint64_t tcgrr_replay_pair_difference(const struct tcgrr_replay_pair *pair, const uint8_t *const states[2],
                                      unsigned index);
/* Whether both states have the register's value. */
bool tcgrr_replay_pair_know(const struct tcgrr_replay_pair *pair, const uint8_t *const states[2], unsigned index);
/* B's register of this name; NULL if B has none. */
const struct tcgrr_register *tcgrr_replay_pair_other(const struct tcgrr_replay_pair *pair, unsigned index);

/* The moment at which, in A's recording, the execution of instruction `moment` began, and the number of instructions
 * that its block has from `moment` on. */
bool tcgrr_replay_pair_block(struct tcgrr_replay_pair *pair, tcgrr_moment moment, tcgrr_moment *first, unsigned *rest,
                             GError **error);

/* ---- looking ---- */

#define TCGRR_PLACE_MAX 64

/* A piece of memory that is watched. */
struct tcgrr_place {
    uint64_t physical[2]; /* on each side */
    uint16_t size;        /* at most TCGRR_PLACE_MAX */
};

/* The content of such a place. */
struct tcgrr_content {
    bool ram;
    uint8_t bytes[TCGRR_PLACE_MAX];
};

/* What to read besides the core registers, which are fast to read. */
struct tcgrr_watch {
    const bool *registers; /* by A's index; NULL: all */
    const GArray *places;  /* struct tcgrr_place */
};

/* A moment at which both sides were stopped. */
struct tcgrr_snapshot {
    tcgrr_moment moment;
    uint8_t *states[2];
    struct tcgrr_content *contents[2]; /* of the requested places, in their order */
};

/* Prepares snapshots at `count` moments, in ascending order: struct tcgrr_snapshot *, owned by the caller. */
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
    uint16_t size; /* of `before` and `after`: the operand's, or the part that is read */
    bool blind;    /* a store whose previous content is not known: `before` is not valid */
    uint8_t before[TCGRR_PLACE_MAX];
    uint8_t after[TCGRR_PLACE_MAX]; /* only of stores */
};

/* A place at which a single-stepped run stopped. */
struct tcgrr_stop {
    tcgrr_moment moment;
    uint64_t pc;      /* as the stub reports it */
    uint64_t address; /* of the instruction as the trace has it: on x86 with its segment's base */
    uint8_t *state;
    struct tcgrr_content *contents; /* of the requested places */
    uint8_t length;                 /* of the next instruction; 0: its bytes are not known */
    uint8_t bytes[16];
    struct tcgrr_insn_inputs inputs; /* of it */
    GArray *touched;                 /* struct tcgrr_touched */
};

/* A stretch to single-step: from `from` to `to`, and `more` steps after it. */
struct tcgrr_segment {
    tcgrr_moment from;
    tcgrr_moment to;
    unsigned more;
    struct tcgrr_watch watch;
    GPtrArray *stops[2]; /* struct tcgrr_stop *, filled; the caller's */
};

/*
 * Replays both and single-steps through the segments, which are in ascending order. The sides' stops agree only as far
 * as the runs do. What the instruction at a stop reads is read there, even if it is not watched. On the way to the
 * first segment the snapshots, if any, are taken, with what that segment watches. If a side hangs or ends in the steps
 * after `to`, it has no further stops.
 */
bool tcgrr_replay_pair_walk(struct tcgrr_replay_pair *pair, struct tcgrr_segment *segments, unsigned count,
                            GPtrArray *snapshots, GError **error);

/* The same with side 0 alone, without snapshots; the stops are in each segment's stops[0]. */
bool tcgrr_replay_pair_walk_alone(struct tcgrr_replay_pair *pair, struct tcgrr_segment *segments, unsigned count,
                                  GError **error);

/*
 * After tcgrr_replay_pair_alone(), before any walk: reads those registers of side 0 that are `wanted`, and sets *moment
 * to its place.
 */
bool tcgrr_replay_pair_read_near(struct tcgrr_replay_pair *pair, const bool *wanted, uint8_t *state,
                                 tcgrr_moment *moment, GError **error);

/* Starts side 0 and goes to a moment; NULL with error. The caller's (tcgrr_paused_free). */
struct tcgrr_paused *tcgrr_replay_pair_pause_at(struct tcgrr_replay_pair *pair, tcgrr_moment moment, GError **error);
struct tcgrr_decoder *tcgrr_replay_pair_decoder(struct tcgrr_replay_pair *pair, int side);

/*
 * Why a side did not run beyond `moment` when it was stepped after the end of a walk: it hung or ended. NULL if it did
 * not. It is not stepped there again. Owned by `pair`.
 */
const char *tcgrr_replay_pair_obstacle(const struct tcgrr_replay_pair *pair, int side, tcgrr_moment moment);

/* The physical address to which `address` is mapped on each side at a moment; *mapped: it is mapped on both. */
bool tcgrr_replay_pair_translate(struct tcgrr_replay_pair *pair, tcgrr_moment moment, uint64_t address,
                                 uint64_t physical[2], bool *mapped, GError **error);

/* Whether a side recorded an interrupt at a moment. */
bool tcgrr_replay_pair_interrupted(struct tcgrr_replay_pair *pair, int side, tcgrr_moment moment, bool *interrupted,
                                   GError **error);

#endif
