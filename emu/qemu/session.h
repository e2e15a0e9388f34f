/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run of a QEMU with the plugin in it: probed, started, read until its end, asked for its own count, and put away.
 * What recording, replaying and comparing have in common.
 */
#ifndef TCGRR_EMU_SESSION_H
#define TCGRR_EMU_SESSION_H

#include "emu/live/live.h"
#include "emu/qemu/command.h"
#include "emu/qemu/output.h"
#include "emu/qemu/process.h"
#include "emu/qemu/qmp.h"

struct tcgrr_session;

struct tcgrr_session_options {
    const char *qemu;               /* name or path */
    const struct tcgrr_qemu *known; /* what that is, if it has been probed already; else NULL */
    const char *const *arguments;   /* the user's words after it, NULL-terminated */
    const char *const *own;         /* see struct tcgrr_command_options */
    const char *plugin;             /* path of libtcgrr-plugin.so */
    enum tcgrr_run_mode mode;
    enum tcgrr_level level;
    bool lower;                   /* take a lower level where this QEMU cannot be recorded at that one */
    struct tcgrr_window window;   /* level full: of which part memory accesses are wanted */
    const char *icount;           /* see struct tcgrr_command_options */
    const char *rr_file;          /* likewise */
    const char *directory;        /* QEMU's working directory; NULL: ours. Must live as long as the session */
    const char *start;            /* likewise */
    tcgrr_icount start_icount;    /* QEMU's count in that snapshot; counts of a session are from there on */
    const char *keyframe;         /* REPLAY: see struct tcgrr_command_options; the user's images are never written */
    tcgrr_icount keyframe_icount; /* of the keyframe; 0 without one */
    uint32_t ring_bytes;          /* of the ring between plugin and tcgrr, a power of two; 0: TCGRR_LIVE_RING_BYTES */
    bool only_reads; /* what would be written to the user's images goes to files of ours, as it always does in REPLAY */
    bool start_paused;
    bool expendable;    /* what it records is of no use without this process */
    bool quiet;         /* the guest gets no terminal and its console goes nowhere */
    const char *inputs; /* user mode: the file for what system calls return and write; NULL: none */
    bool given;         /* the program gets that from the file, instead of it being recorded there */
    const char *pause;  /* user mode, with given inputs: the file of emu/plugin/pause.h; NULL: it runs freely */
    bool follow_none;   /* user mode: the run ends where the program executes another one */
    const char *forks;  /* user mode: where forked children ask for a ring (emu/qemu/forks.h); NULL: they do not */
    uint32_t process;   /* user mode: which of the processes that are recorded together it is, from 0 */
    bool followed;      /* the same while another one writes the file */
    char *const *environment; /* user mode: NAME=value, NULL-terminated, with which it is started; NULL: ours. Must live
                                 until it is started */
    enum tcgrr_output output; /* user mode: the kind of file that the program writes to; OURS: as `quiet` says */
    bool output_to_errors;    /* what QEMU and the guest write to standard output goes to standard error */
};

/*
 * Probes the QEMU and builds its command. Errors are TCGRR_ERROR_USAGE for arguments in conflict, TCGRR_ERROR_FAILED
 * for a QEMU that is missing or cannot load plugins. One thread uses a session, unless said otherwise.
 */
struct tcgrr_session *tcgrr_session_new(const struct tcgrr_session_options *options, GError **error);
/*
 * Starts QEMU. TCGRR_ERROR_FAILED if that is not possible. Unless it was started paused, a thread watches over it from
 * now on (tcgrr_session_watch).
 */
bool tcgrr_session_start(struct tcgrr_session *session, GError **error);
/* Instead of starting it: the QEMU is process `pid`, which another one has forked, and which is left to itself. */
bool tcgrr_session_adopt(struct tcgrr_session *session, int pid, GError **error);
/* Stops QEMU if it still runs and frees everything, the live stream's blocks too. NULL is allowed. */
void tcgrr_session_free(struct tcgrr_session *session);

const struct tcgrr_qemu *tcgrr_session_qemu(const struct tcgrr_session *session);
/* The level that it has, which may be lower than was asked for. */
enum tcgrr_level tcgrr_session_level(const struct tcgrr_session *session);
const struct tcgrr_command *tcgrr_session_command(const struct tcgrr_session *session);
struct tcgrr_live *tcgrr_session_live(const struct tcgrr_session *session);
struct tcgrr_process *tcgrr_session_process(const struct tcgrr_session *session);

/*
 * Waits in a thread of its own for the guest to shut down, then asks QEMU for its count and tells it to quit; or for
 * QEMU to stop at a replay break. In system mode only. While it watches, the QMP connection is the thread's.
 */
void tcgrr_session_watch(struct tcgrr_session *session);
/* Whether it saw QEMU stop without having shut down; then it has ended. */
bool tcgrr_session_paused(struct tcgrr_session *session);
/* The same, and the last tcgrr_session_next() read what QEMU had to report until it stopped. */
bool tcgrr_session_settled(struct tcgrr_session *session);
/* Once it was paused: before QEMU is made to continue, after which it can be watched again. */
void tcgrr_session_unpause(struct tcgrr_session *session);

/*
 * The QMP connection, made when first asked for; NULL with error if QEMU has none or does not answer in time. Only
 * while nobody watches.
 */
struct tcgrr_qmp *tcgrr_session_qmp(struct tcgrr_session *session, GError **error);

/*
 * Waits until the plugin is loaded. TCGRR_ERROR_FAILED if QEMU ends before, TCGRR_ERROR_STOPPED if `*stop` becomes
 * something other than 0.
 */
bool tcgrr_session_wait_loaded(struct tcgrr_session *session, const volatile int *stop, GError **error);

/*
 * tcgrr_live_next() that also looks after the process: when QEMU has ended, the rest is read. A QEMU that ended before
 * the plugin came up is TCGRR_ERROR_FAILED with what it wrote to standard error.
 */
bool tcgrr_session_next(struct tcgrr_session *session, struct tcgrr_chunk *chunk, int wait_ms, enum tcgrr_live_end *end,
                        GError **error);

/* After tcgrr_session_end(): QEMU's own instruction count at the end; -1 if it could not be asked (user mode, no rr, or
 * it left by itself). */
int64_t tcgrr_session_qemu_icount(const struct tcgrr_session *session);

/* After the stream's end: whether the guest shut the machine down, rather than QEMU being told to leave or leaving by
 * itself. */
bool tcgrr_session_guest_shutdown(struct tcgrr_session *session);
/* Whether that was by a reset, if QEMU has said so before it was asked. */
bool tcgrr_session_guest_reset(struct tcgrr_session *session);

/*
 * After the stream's end, level full in system mode: the machine's memory map when it started and, where the guest shut
 * it down, when it ended. GArrays of struct tcgrr_region (emu/qemu/memory_map.h); owned by the session.
 */
const GPtrArray *tcgrr_session_maps(struct tcgrr_session *session);

/* What QEMU's own count is at icount `icount` of the session: more, if it started from a snapshot. */
tcgrr_icount tcgrr_session_own_icount(const struct tcgrr_session *session, tcgrr_icount icount);

/* Asks QEMU for its count now. -1 if it cannot say. */
int64_t tcgrr_session_ask_icount(struct tcgrr_session *session);

/* The telling line of what QEMU wrote to standard error, "" if there is none; owned by the caller. */
char *tcgrr_session_words(struct tcgrr_session *session);
/* Why QEMU, which has ended, ran nothing: these words, or else what is wrong with the program that it was to run, ""
 * if that is not known. Owned by the caller. */
char *tcgrr_session_why_not_run(struct tcgrr_session *session);

/*
 * After the stream's end: false with TCGRR_ERROR_FAILED if how the run ended says nothing about the guest: QEMU never
 * ran an instruction (`icount` is 0), or somebody else ended it, a signal from a terminal or the kernel for want of
 * memory. A QEMU that crashes or aborts has ended by itself.
 */
bool tcgrr_session_check_end(struct tcgrr_session *session, tcgrr_icount icount, GError **error);
/* The same of a QEMU that makes no progress any more: false if somebody else told it to end. */
bool tcgrr_session_check_hung(struct tcgrr_session *session, GError **error);

/*
 * False with TCGRR_ERROR_FAILED if QEMU could not write its rr log, at `path`: it goes on without it then, and may say
 * nothing of it. `cut`: QEMU has ended, and the log lacks its end.
 */
bool tcgrr_session_check_log(struct tcgrr_session *session, const char *path, bool cut, GError **error);

/*
 * Waits for the process after the stream's end, at most 10 s, then by force; returns how it ended, owned by the caller.
 */
char *tcgrr_session_end(struct tcgrr_session *session);

#endif
