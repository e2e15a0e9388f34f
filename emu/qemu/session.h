/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run of a QEMU with the plugin in it: probed, started, read until its end, asked for its own count, and cleaned
 * up. Recording, replaying and comparing all use it.
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
    const struct tcgrr_qemu *known; /* the result of probing it, if it has been probed already; else NULL */
    const char *const *arguments;   /* the user's words after it, NULL-terminated */
    const char *const *own;         /* see struct tcgrr_command_options */
    const char *plugin;             /* path of libtcgrr-plugin.so */
    enum tcgrr_run_mode mode;
    enum tcgrr_level level;
    bool lower;                   /* use a lower level if this QEMU cannot be recorded at that one */
    struct tcgrr_window window;   /* level full: the part whose memory accesses are wanted */
    const char *icount;           /* see struct tcgrr_command_options */
    const char *rr_file;          /* likewise */
    const char *directory;        /* QEMU's working directory; NULL: ours. Must live as long as the session */
    const char *start;            /* likewise */
    tcgrr_icount start_icount;    /* QEMU's count in that snapshot; the session's counts start there */
    const char *keyframe;         /* REPLAY: see struct tcgrr_command_options; the user's images are never written */
    tcgrr_icount keyframe_icount; /* of the keyframe; 0 without one */
    uint32_t ring_bytes;          /* of the ring between plugin and tcgrr, a power of two; 0: TCGRR_LIVE_RING_BYTES */
    bool only_reads;              /* writes to the user's images go to scratch files, as they always do in REPLAY */
    bool start_paused;
    bool expendable;    /* its recording is useless without this process */
    bool quiet;         /* the guest gets no terminal and its console output is discarded */
    const char *inputs; /* user mode: the file for what system calls return and write; NULL: none */
    bool given;         /* the program is given its inputs from the file, rather than their being recorded there */
    const char *pause;  /* user mode, with given inputs: the file of emu/plugin/pause.h; NULL: it runs freely */
    bool follow_none;   /* user mode: the run ends where the program executes another one */
    const char
        *forks; /* user mode: where forked children ask for a ring (emu/qemu/forks.h); NULL: they are not recorded */
    uint32_t process;         /* user mode: its number among the processes that are recorded together, from 0 */
    bool followed;            /* like `given`, while another run is still writing the file */
    char *const *environment; /* user mode: its environment, NAME=value, NULL-terminated; NULL: ours. Must live until it
                                 is started */
    enum tcgrr_output output; /* user mode: the kind of file that the program writes to; OURS: as `quiet` says */
    bool output_to_errors;    /* what QEMU and the guest write to standard output goes to standard error */
};

/*
 * Probes the QEMU and builds its command. Errors are TCGRR_ERROR_USAGE for arguments in conflict, TCGRR_ERROR_FAILED
 * for a QEMU that is missing or cannot load plugins. One thread uses a session, unless said otherwise.
 */
struct tcgrr_session *tcgrr_session_new(const struct tcgrr_session_options *options, GError **error);
/*
 * Starts QEMU. TCGRR_ERROR_FAILED if that is impossible. Unless it was started paused, a thread watches it from now on
 * (tcgrr_session_watch).
 */
bool tcgrr_session_start(struct tcgrr_session *session, GError **error);
/* Instead of starting a QEMU, uses process `pid`, which another QEMU has forked, and which keeps running afterwards. */
bool tcgrr_session_adopt(struct tcgrr_session *session, int pid, GError **error);
/* Stops QEMU if it still runs and frees everything, the live stream's blocks too. NULL is allowed. */
void tcgrr_session_free(struct tcgrr_session *session);

const struct tcgrr_qemu *tcgrr_session_qemu(const struct tcgrr_session *session);
/* The session's level, which may be lower than the one requested. */
enum tcgrr_level tcgrr_session_level(const struct tcgrr_session *session);
const struct tcgrr_command *tcgrr_session_command(const struct tcgrr_session *session);
struct tcgrr_live *tcgrr_session_live(const struct tcgrr_session *session);
struct tcgrr_process *tcgrr_session_process(const struct tcgrr_session *session);

/*
 * Starts a thread that waits for the guest to shut down, then asks QEMU for its count and ends it; or that waits for
 * QEMU to stop at a replay break. System mode only. The thread owns the QMP connection until it ends.
 */
void tcgrr_session_watch(struct tcgrr_session *session);
/*
 * Lets a stopped QEMU run, and watches it. The thread sends `cont`, because QEMU may answer only once the guest has
 * come to the end of its slice, for which the caller has to keep the ring from filling up.
 */
void tcgrr_session_resume(struct tcgrr_session *session);
/* Whether the thread saw QEMU stop without a shutdown; the thread has then ended. */
bool tcgrr_session_paused(struct tcgrr_session *session);
/* The same, and the last tcgrr_session_next() has read everything that QEMU reported until it stopped. */
bool tcgrr_session_settled(struct tcgrr_session *session);
/* Call it before QEMU continues after a pause; it can be watched again afterwards. */
void tcgrr_session_unpause(struct tcgrr_session *session);

/*
 * The QMP connection, opened by the first call; NULL with error if QEMU has none or does not answer in time. Only while
 * no thread watches.
 */
struct tcgrr_qmp *tcgrr_session_qmp(struct tcgrr_session *session, GError **error);

/*
 * Waits until the plugin is loaded. TCGRR_ERROR_FAILED if QEMU ends before, TCGRR_ERROR_STOPPED if `*stop` becomes
 * something other than 0.
 */
bool tcgrr_session_wait_loaded(struct tcgrr_session *session, const volatile int *stop, GError **error);

/*
 * Like tcgrr_live_next(), but also checks the process: when QEMU has ended, reads the rest of the stream. If QEMU ended
 * before the plugin was loaded, TCGRR_ERROR_FAILED with QEMU's standard error.
 */
bool tcgrr_session_next(struct tcgrr_session *session, struct tcgrr_chunk *chunk, int wait_ms, enum tcgrr_live_end *end,
                        GError **error);

/* After tcgrr_session_end(): QEMU's own instruction count at the end; -1 if it could not be asked (user mode, no rr, or
 * it left by itself). */
int64_t tcgrr_session_qemu_icount(const struct tcgrr_session *session);

/* After the stream's end: whether the guest shut the machine down, rather than QEMU being told to leave or leaving by
 * itself. */
bool tcgrr_session_guest_shutdown(struct tcgrr_session *session);
/* Whether that was due to a reset, if QEMU had reported so by then. */
bool tcgrr_session_guest_reset(struct tcgrr_session *session);

/*
 * Level full in system mode, before QEMU is told to end: has the watching thread ask for the memory map again, because
 * firmware and drivers place devices. Whether it has done so, or need not; call it again until then, but not for ever:
 * QEMU answers only between two slices. The first form is for a stopped QEMU that no thread watches, and waits.
 */
void tcgrr_session_ask_map(struct tcgrr_session *session);
bool tcgrr_session_update_map(struct tcgrr_session *session);
/*
 * After the stream's end, level full in system mode: the machine's memory map when it started and, where the guest shut
 * it down or the map was asked for again, when it ended. GArrays of struct tcgrr_region (emu/qemu/memory_map.h); owned
 * by the session.
 */
const GPtrArray *tcgrr_session_maps(struct tcgrr_session *session);

/* QEMU's own count at icount `icount` of the session: higher, if the run started from a snapshot. */
tcgrr_icount tcgrr_session_own_icount(const struct tcgrr_session *session, tcgrr_icount icount);

/* Asks QEMU for its count now. -1 if it cannot say. */
int64_t tcgrr_session_ask_icount(struct tcgrr_session *session);

/* The line of QEMU's standard error that explains best why it ended, "" if there is none; owned by the caller. */
char *tcgrr_session_words(struct tcgrr_session *session);
/* Why QEMU, which has ended, ran nothing: that line, or else what is wrong with the program, "" if that is not known.
 * Owned by the caller. */
char *tcgrr_session_why_not_run(struct tcgrr_session *session);

/*
 * After the stream's end: false with TCGRR_ERROR_FAILED if the end of the run says nothing about the guest: QEMU never
 * ran an instruction (`icount` is 0), or was ended from outside, by a signal from a terminal or by the kernel for lack
 * of memory. A QEMU that crashes or aborts has ended by itself.
 */
bool tcgrr_session_check_end(struct tcgrr_session *session, tcgrr_icount icount, GError **error);
/* The same for a QEMU that has hung: false if it was told to end from outside. */
bool tcgrr_session_check_hung(struct tcgrr_session *session, GError **error);

/*
 * False with TCGRR_ERROR_FAILED if QEMU could not write its rr log at `path`: QEMU then continues without it, possibly
 * without a message. `cut`: QEMU has ended, and the log lacks its end.
 */
bool tcgrr_session_check_log(struct tcgrr_session *session, const char *path, bool cut, GError **error);

/*
 * Waits at most 10 s for the process to end after the stream's end, then kills it; returns how it ended, owned by the
 * caller.
 */
char *tcgrr_session_end(struct tcgrr_session *session);

#endif
