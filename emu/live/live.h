/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A live QEMU as a source of the stream: reads the plugin's raw facts from the ring and turns them into chunks with
 * exact instruction counts, events and checkpoints.
 */
#ifndef TCGRR_EMU_LIVE_H
#define TCGRR_EMU_LIVE_H

#include "emu/rrlog/rrlog.h"
#include "store/chunk.h"

struct tcgrr_live;

/* How a live stream ended, if it has. */
enum tcgrr_live_end {
    TCGRR_LIVE_RUNS,
    TCGRR_LIVE_FINISHED, /* QEMU exited normally and everything was delivered */
    TCGRR_LIVE_CUT,      /* QEMU disappeared without an END record: everything but the block it was in was delivered */
    TCGRR_LIVE_THREADS,  /* user mode: a thread could not be kept waiting any longer; recorded up to there */
    TCGRR_LIVE_UNLOADED, /* the plugin was never loaded */
};

/* What the plugin reported about its QEMU. */
struct tcgrr_live_info {
    char target[32];
    int api;
    int api_min;
    int api_cur;
    bool system;
    uint32_t vcpus;
    bool reports_discon;
    bool reports_syscalls;
    bool digests_stores;  /* samples have a digest of all stores */
    uint64_t environment; /* a hash of the environment that QEMU was started with */
};

/* The default size of the ring in bytes: a power of two, 128 KiB to 1 GiB. */
#define TCGRR_LIVE_RING_BYTES (16u << 20)

/* Creates the shared memory. Returns NULL with an error if there is not enough. Use from one thread, unless stated
 * otherwise. */
struct tcgrr_live *tcgrr_live_new(uint32_t ring_bytes, GError **error);
/* Makes the run begin after `icount` instructions. Call before anything is read. */
void tcgrr_live_start_at(struct tcgrr_live *live, tcgrr_icount icount);
/*
 * Call, before anything is read, if the plugin instruments nothing (level inputs): events come as they are reported,
 * without a known place, and there are no executions.
 */
void tcgrr_live_events_only(struct tcgrr_live *live);
/* Empties `chunk` and prepares it as the first one for tcgrr_live_next(). */
void tcgrr_live_init_chunk(const struct tcgrr_live *live, struct tcgrr_chunk *chunk);
/* Detaches from the plugin, if it still runs, and frees everything except the chunks that refer to its blocks. NULL is
 * allowed. */
void tcgrr_live_free(struct tcgrr_live *live);

/*
 * Call when QEMU was or will be asked to end, by a signal or through QMP: its vCPU yields regularly from now on, so
 * that QEMU can react. Any thread.
 */
void tcgrr_live_ask_yield(struct tcgrr_live *live);

/* Stops reading: the guest continues unrecorded instead of waiting for us. */
void tcgrr_live_detach(struct tcgrr_live *live);

/* Returns the descriptor that QEMU must inherit. */
int tcgrr_live_fd(const struct tcgrr_live *live);

/* Returns the blocks that its chunks refer to; owned by `live`. */
const struct tcgrr_blocks *tcgrr_live_blocks(const struct tcgrr_live *live);

/* Returns whether the plugin was loaded, and fills `info` if so. */
bool tcgrr_live_info(const struct tcgrr_live *live, struct tcgrr_live_info *info);

/* Call when the process has ended: nothing more will be written to the ring. */
void tcgrr_live_gone(struct tcgrr_live *live);

/*
 * The same in user mode if the process ended because a signal killed the guest program: the stream finishes there
 * instead of being cut. QEMU reports nothing in that case; the ring's header says how far the last execution got.
 */
void tcgrr_live_died(struct tcgrr_live *live);

/* Returns the system call that the program is in, as far as the stream was read; -1: none. */
int64_t tcgrr_live_in_call(const struct tcgrr_live *live);

/*
 * Call when QEMU was stopped at exactly `icount`, between two instructions, in the execution that began last. Adds that
 * execution to `chunk`, the one last passed to tcgrr_live_next(). The stream cannot be continued afterwards.
 */
void tcgrr_live_stop_at(struct tcgrr_live *live, struct tcgrr_chunk *chunk, tcgrr_icount icount);

/*
 * Appends to `chunk` what has run since the last call. Returns when it is full, when `wait_ms` have passed, or at the
 * end of the stream; `*end` then says how it ended. Between two calls the caller may replace the chunk with one that
 * follows it (tcgrr_chunk_follow). Fails with TCGRR_ERROR_DAMAGED if the ring is malformed.
 */
bool tcgrr_live_next(struct tcgrr_live *live, struct tcgrr_chunk *chunk, int wait_ms, enum tcgrr_live_end *end,
                     GError **error);

/*
 * Call, before the first tcgrr_live_next(), if the run's rr log is known because QEMU replays it: counts that this QEMU
 * does not report are taken from it. Takes ownership of `log`.
 */
void tcgrr_live_set_log(struct tcgrr_live *live, struct tcgrr_rrlog *log);

/* Call, before the first tcgrr_live_next(), if QEMU does not count the run's first block
 * (tcgrr_retire_starts_uncounted()), which is then left out of the run. */
void tcgrr_live_starts_uncounted(struct tcgrr_live *live);

/* With a known log: gives inferred events the places of origin that a recording takes from it at its end. */
void tcgrr_live_correct_events(struct tcgrr_live *live);

/*
 * The same for a log that is being written, by this QEMU or by the one that it follows; `log` stays the caller's. Where
 * it does not reach far enough, `reach` is called, which waits until it has all events before `icount` and says so in
 * its `reached`; it is called while tcgrr_live_next() is. `open`: what came after `icount` has not been read, or
 * nothing will.
 */
void tcgrr_live_watch_log(struct tcgrr_live *live, struct tcgrr_rrlog *log,
                          void (*reach)(tcgrr_icount icount, bool open, void *data), void *data);

/*
 * Call, before the first tcgrr_live_next(), if the run's rr log will be known when the run has ended: keeps the
 * questions for it.
 */
void tcgrr_live_keep_uncertain(struct tcgrr_live *live);
/* Returns what was kept, struct tcgrr_uncertain_retire in order, owned by `live`; NULL if nothing had to be kept, or
 * there were too many. */
const GArray *tcgrr_live_uncertain(const struct tcgrr_live *live);
/* Drops the first `count` of them, which were answered. */
void tcgrr_live_drop_uncertain(struct tcgrr_live *live, guint count);

/*
 * Where the plugin takes samples, if the session's level has them: after each branch or jump whose number is a
 * multiple of `step` (TCGRR_SAMPLE_STEP unless told otherwise); with 0 or 1 at the head of each block, which is before
 * each instruction if QEMU makes blocks of one instruction. Can be changed while QEMU runs, and is heeded from the next
 * sample on. Any thread.
 */
void tcgrr_live_set_sample_step(struct tcgrr_live *live, uint32_t step);

/* Returns the number of words in the ring that were not read yet; exact while the plugin is paused
 * (emu/plugin/pause.h). */
uint64_t tcgrr_live_backlog(const struct tcgrr_live *live);

/* Returns whether the chunk is full, so that the caller must replace it. */
bool tcgrr_live_full(const struct tcgrr_live *live, const struct tcgrr_chunk *chunk);

/*
 * When a block first begins at `pc`, the count of branches and the digest of stores restart at 0, and a sample is
 * taken: so runs that behaved differently before have samples at the same places after it, with the same digests.
 * `in_code`: `pc` counts from the program's lowest code. Call it before QEMU is started.
 */
void tcgrr_live_set_sample_origin(struct tcgrr_live *live, uint64_t pc, bool in_code);

/* User mode: sets the number of this process among those recorded together (emu/plugin/fork.h). Call before the plugin
 * reads it. */
void tcgrr_live_set_process(struct tcgrr_live *live, uint32_t process);
/* Returns the program that the process executed last; owned by the caller, NULL if none. */
char *tcgrr_live_program(const struct tcgrr_live *live);
/* Returns how many children the process has forked so far. */
uint32_t tcgrr_live_forks(const struct tcgrr_live *live);

/*
 * Takes samples after each branch or jump from number `from` up to, but not including, `to`, whatever the step, and
 * none between the very first sample and these; digests of stores begin with them. Call it before QEMU is started.
 */
void tcgrr_live_set_closer_samples(struct tcgrr_live *live, uint64_t from, uint64_t to);

/*
 * Returns the number of executions whose count is certain neither from this QEMU (emu/live/retire.h) nor from the log.
 */
uint64_t tcgrr_live_assumed(const struct tcgrr_live *live);

/*
 * Returns the place of the first instruction that QEMU counted but did not run (emu/live/retire.h), as far as the
 * stream was read; UINT64_MAX: none.
 */
tcgrr_icount tcgrr_live_overcounted(const struct tcgrr_live *live);

/*
 * Returns how many events were dropped because there were too many between two executions: a guest whose exception
 * handler cannot be fetched raises exceptions for ever without executing anything.
 */
uint64_t tcgrr_live_events_dropped(const struct tcgrr_live *live);

/* The part of a run whose memory accesses are wanted: from one instruction up to, but not including, another. */
struct tcgrr_window {
    tcgrr_icount from;
    bool has_from_pc; /* begins where the instruction at `from_pc` first runs instead */
    uint64_t from_pc;
    tcgrr_icount until; /* UINT64_MAX: the run's end */
    bool has_until_pc;  /* ends where the instruction at `until_pc` next runs instead */
    uint64_t until_pc;
    bool from_in_code;  /* user mode: `from_pc` counts from the program's lowest code, wherever QEMU puts it; */
    bool until_in_code; /* likewise `until_pc` */
};

/* Makes chunks include the memory accesses that the plugin sends. Call before the first tcgrr_live_next(). */
void tcgrr_live_want_accesses(struct tcgrr_live *live, const struct tcgrr_window *window);
/* Reports where the window was; an icount is UINT64_MAX if the window did not begin or end. tcgrr_live_want_accesses()
 * must have been called. */
void tcgrr_live_window(const struct tcgrr_live *live, tcgrr_icount *from, tcgrr_icount *until);
/* Returns the number of accesses that QEMU reported but that belong to no instruction that ran. */
uint64_t tcgrr_live_strays(const struct tcgrr_live *live);

/*
 * Asks the plugin to have QEMU flush its rr log; returns the number of the request. tcgrr_live_flushed() tests whether,
 * and tcgrr_live_await_flush() waits at most `wait_ms` until, the file has every event that precedes what this stream
 * had delivered at the time of the request. That never happens if QEMU does not record a log or has ended; in the
 * latter case nothing more will be added to the file.
 */
uint32_t tcgrr_live_ask_flush(struct tcgrr_live *live);
/* As for the intake (emu/live/intake.h): what a flush requested now covers, and what has been read. */
uint64_t tcgrr_live_written_position(const struct tcgrr_live *live);
uint64_t tcgrr_live_read_position(const struct tcgrr_live *live);
bool tcgrr_live_flushed(const struct tcgrr_live *live, uint32_t asked);
void tcgrr_live_await_flush(struct tcgrr_live *live, uint32_t asked, int wait_ms);
/* Returns the errno with which a flush failed for lack of space, so that the log may be incomplete; 0: none failed. */
int tcgrr_live_flush_error(const struct tcgrr_live *live);

/* A system call: its number, -1 for none, and its arguments. */
struct tcgrr_live_call {
    int64_t number;
    uint64_t arguments[6];
};

/*
 * User mode: in what way the inputs given to this run were insufficient. A place is UINT64_MAX if that did not happen.
 */
struct tcgrr_live_inputs {
    uint64_t differences;   /* calls that returned something else, where that could not be changed */
    tcgrr_icount differs;   /* where the first of them returned */
    int64_t number;         /* which one that was, */
    int64_t got;            /* what it returned, */
    int64_t recorded;       /* and should have */
    tcgrr_icount called;    /* its first call returned here */
    tcgrr_icount ended;     /* no inputs were given from here on, */
    const char *lack;       /* why, in words, static */
    tcgrr_icount unsure;    /* other data than recorded may be there from here on, after */
    int64_t unsure_call;    /* this call, */
    const char *unsure_why; /* in words, static */
    tcgrr_icount other;     /* here it made another call than the recorded one */
    struct tcgrr_live_call made;
    struct tcgrr_live_call expected;
};
const struct tcgrr_live_inputs *tcgrr_live_inputs(const struct tcgrr_live *live);
/* The text for inputs that end because a signal arrived while the program was computing. */
extern const char *const tcgrr_live_interrupted;

/* User mode: returns the auxiliary vector with which the program started (store/auxv.h), as far as it was read; valid
 * until `live` is read further; "": not known. */
const char *tcgrr_live_auxv(const struct tcgrr_live *live);

/* User mode: returns how many of the program's threads have run. */
uint32_t tcgrr_live_threads(const struct tcgrr_live *live);

/*
 * User mode: the mapped parts of memory in which code of the program was translated so far, struct tcgrr_mapping (at
 * most 65,536), and their number. Their paths are valid as long as `live`. Owned by the caller. From any thread.
 */
GArray *tcgrr_live_mapped(const struct tcgrr_live *live);
guint tcgrr_live_mapped_count(const struct tcgrr_live *live);

/* User mode: returns where the program's lowest code is; 0: it has not begun, or this QEMU does not report it. Any
 * thread. */
uint64_t tcgrr_live_start_code(const struct tcgrr_live *live);

#endif
