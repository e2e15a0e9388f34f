/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One side of a comparison: a live or stored run as the comparator needs it: digests at any icount, and the executions
 * of a recent stretch when two digests differ.
 */
#ifndef TCGRR_LOCKSTEP_RUN_SOURCE_H
#define TCGRR_LOCKSTEP_RUN_SOURCE_H

#include "emu/qemu/session.h"
#include "store/trace.h"

/* How far a side has got. */
enum tcgrr_run_source_state {
    TCGRR_SOURCE_REACHED,  /* it has passed the requested checkpoint */
    TCGRR_SOURCE_ENDED,    /* it ended normally before */
    TCGRR_SOURCE_SHUTDOWN, /* its guest shut down before; the vCPU keeps running until QEMU stops it */
    TCGRR_SOURCE_CUT,      /* it was cut short before: killed, or its recording was */
    TCGRR_SOURCE_HUNG,     /* it makes no progress any more */
    TCGRR_SOURCE_STOPPED,  /* it was stopped on purpose before */
};

struct tcgrr_run_source_position {
    enum tcgrr_run_source_state state;
    tcgrr_icount icount; /* the requested place, or where the side ended */
    uint64_t flow;       /* digest of the instructions up to there */
};

/* An execution in a stretch. */
struct tcgrr_exec {
    const struct tcgrr_block *block;
    uint32_t ran;
    uint32_t counted;
    tcgrr_vcpu vcpu;
    tcgrr_icount icount; /* before it */
};

/* The executions and events in a part of a run. */
struct tcgrr_stretch {
    GArray *execs;  /* struct tcgrr_exec, in order */
    GArray *events; /* struct tcgrr_event, in order; `seq` is unused */
};
void tcgrr_stretch_init(struct tcgrr_stretch *stretch);
void tcgrr_stretch_clear(struct tcgrr_stretch *stretch);

/* How far back a side can be queried, in instructions. */
#define TCGRR_SOURCE_WINDOW (8 * TCGRR_CHECKPOINT_STEP)

struct tcgrr_run_source;

/* Returns whether a block is wanted. `early`: some of its executions ended before its last instruction. */
typedef bool (*tcgrr_block_wanted)(const struct tcgrr_block *block, bool early, void *data);

/* All functions: false with an error if the side could not be read, or TCGRR_ERROR_STOPPED. */
struct tcgrr_run_source_ops {
    /*
     * Continues until `to` instructions have run or the side has ended, and computes the digest of the instructions
     * from `from` on. `from` and `to` are each 0 or at most TCGRR_SOURCE_WINDOW before the furthest instruction
     * requested so far. Fastest if `from` is 0 and `to` is a checkpoint.
     */
    bool (*advance)(struct tcgrr_run_source *side, tcgrr_icount from, tcgrr_icount to,
                    struct tcgrr_run_source_position *position, GError **error);
    /*
     * Fills `stretch`, which is emptied first, with the executions from the one in which instruction `from` runs up to
     * instruction `to` or the end of the run, and with the events from..to. It goes on as far as it has to. Blocks live
     * as long as the side.
     */
    bool (*stretch)(struct tcgrr_run_source *side, tcgrr_icount from, tcgrr_icount to, struct tcgrr_stretch *stretch,
                    GError **error);
    /* Finds the first instruction at `pc` that ran in from..to, which the side has already run. *found: there is one.
     * */
    bool (*find)(struct tcgrr_run_source *side, uint64_t pc, tcgrr_icount from, tcgrr_icount to, tcgrr_icount *icount,
                 bool *found, GError **error);
    /* Frees the side, but not what it was created from. */
    void (*free)(struct tcgrr_run_source *side);
    /*
     * Fills `samples`, which is emptied first, with those of the state with from <= icount < to; the side has reached
     * `to`, and `from` is in the window. NULL: it has none.
     */
    bool (*samples)(struct tcgrr_run_source *side, tcgrr_icount from, tcgrr_icount to, struct tcgrr_samples *samples,
                    GError **error);
    /*
     * Continues towards `to` for about `wait_ms` at most. *there: advance() and stretch() up to `to` will not have to
     * wait for a guest. NULL: they never have to.
     */
    bool (*approach)(struct tcgrr_run_source *side, tcgrr_icount to, int wait_ms, bool *there, GError **error);
    /* Finds the address of the symbol `name` in the files that a user-mode program has mapped so far, and the
     * instruction from which on it is valid. False: there is no such symbol. NULL: symbols are unknown. */
    bool (*address)(struct tcgrr_run_source *side, const char *name, uint64_t *pc, tcgrr_icount *since);
    /*
     * Moves *icount forward, possibly not at all, to a place before the next execution of a block that `wanted`
     * accepts; to UINT64_MAX if there is none. NULL: the side has no list of blocks.
     */
    bool (*pass_over)(struct tcgrr_run_source *side, tcgrr_icount *icount, tcgrr_block_wanted wanted, void *data,
                      GError **error);
};

/* Base of every side; must be the first field. */
struct tcgrr_run_source {
    const struct tcgrr_run_source_ops *ops;
};

/* Creates a side for a stored trace. The caller keeps ownership of the reader. */
struct tcgrr_run_source *tcgrr_run_source_stored(struct tcgrr_reader *reader, GError **error);

/* The rr log that two live sides share: one writes it while the other replays it. */
struct tcgrr_run_source_log {
    /*
     * Called whenever more of the side has been read, up to `icount`, on the way to `to`. `over`: QEMU has exited. Sets
     * the fields below. False with an error if the log cannot be used.
     */
    bool (*step)(struct tcgrr_run_source_log *log, tcgrr_icount icount, tcgrr_icount to, bool over, GError **error);
    /* Called when the side must not be read further yet: waits briefly for the log. */
    void (*wait)(struct tcgrr_run_source_log *log);
    tcgrr_icount known; /* the side is used up to here only: what it runs after it may not be part of the run */
    tcgrr_icount end;   /* the log, and with it the run, ends here; UINT64_MAX: not known */
    bool asked;         /* because the guest asked for its shutdown */
    bool complete;      /* or because QEMU exited normally */
};

struct tcgrr_run_source_live_options {
    int hang_ms;              /* without progress for this long, the side counts as hung */
    bool replays;             /* QEMU gets all that comes from outside out of an rr file: one
                                 that works and retires nothing waits for what is not there */
    const volatile int *stop; /* if not 0, functions fail with TCGRR_ERROR_STOPPED; may be NULL */
    void (*progress)(tcgrr_icount icount, void *data); /* called occasionally; may be NULL */
    tcgrr_icount ahead;                                /* how far it may be read ahead of the comparator */
    tcgrr_icount stop_at;                              /* where QEMU is when `paused` reports that it stopped */
    /* Returns whether QEMU was stopped on purpose and everything it reported until then was read; may be NULL. */
    bool (*paused)(struct tcgrr_session *session);
    /* Where `stop_at` is a place on the way to `goes_to`: called there, lets QEMU run on to that; false with an error
     * if it does not. */
    tcgrr_icount goes_to;
    bool (*pass)(tcgrr_icount to, void *data, GError **error);
    void *pass_data;
    tcgrr_icount enough; /* from here on it counts as stopped at the latest; 0: nowhere */
    /* What it is expected to execute, from the first instruction on: once it has diverged from that and makes no
     * progress for half a second, it counts as hung. A side that the comparator always advances first, or NULL. */
    struct tcgrr_run_source *original;
    /* User mode: a side that knows the addresses of symbols. This side's program gets its calls' results instead of
     * making the calls, so it maps no files, but has the same contents at the same addresses. Must live as long as this
     * side; may be NULL. */
    struct tcgrr_run_source *names;
    struct tcgrr_run_source_log *log; /* NULL: it shares none. Must outlive the side */
    bool translated;                  /* its inputs were recorded by another release */
    bool fails_at_threads; /* if a thread has kept others waiting too long, what comes after is not known: reading on
                              fails (TCGRR_ERROR_FAILED); if this is not set, the run counts as cut short there */
    void *data;
};

/* Creates a side for a running QEMU. The caller keeps ownership of the session. */
struct tcgrr_run_source *tcgrr_run_source_live(struct tcgrr_session *session,
                                               const struct tcgrr_run_source_live_options *options);

/*
 * `other`, also live, is compared with `side` and read after it: where it ends without having run an instruction while
 * `side` has run none either, reading `side` fails with what tcgrr_session_check_end() says of `other`. It must live as
 * long as `side`.
 */
void tcgrr_run_source_live_set_other(struct tcgrr_run_source *side, struct tcgrr_run_source *other);

/* Reads a little more of a live side with a log, unless it was read as far as `to`; waits for nothing. *there: it has
 * reached `to`, or its end, and the log up to there was given on. */
bool tcgrr_run_source_live_read_ahead(struct tcgrr_run_source *side, tcgrr_icount to, bool *there, GError **error);

#endif
