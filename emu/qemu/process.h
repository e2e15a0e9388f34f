/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A QEMU process: started with our own terminal, watched, and never left behind. */
#ifndef TCGRR_EMU_PROCESS_H
#define TCGRR_EMU_PROCESS_H

#include <glib.h>
#include <stdbool.h>

struct tcgrr_process;

struct tcgrr_process_options {
    int pass_fd;   /* descriptor that the child gets under the same number; -1 or 0: none */
    int output_fd; /* where the child's stdout goes instead of what `quiet` says, and its stdin is /dev/null; -1 or 0:
                      nowhere else */
    int drain_fd;  /* read until the child has ended, and shown on our own stdout unless quiet; taken over; -1 or 0:
                      nothing is */
    bool quiet;    /* stdin and stdout of the child are /dev/null and its stderr is only kept; otherwise it has ours */
    bool expendable;       /* killed when this process dies; otherwise asked to end, so that its files are whole */
    bool own_group;        /* of processes: what is typed at the terminal reaches only us */
    bool pinned;           /* without address-space randomization */
    bool paths_stay;       /* a folder of ours keeps its path in `argv`; otherwise it has one that is always the same */
    const char *directory; /* working directory; NULL: ours */
    char *const *environment; /* NAME=value, NULL-terminated; NULL: ours */
};

/*
 * Starts `argv`; argv[0] is a path or a name on PATH. The child gets SIGTERM, or SIGKILL, when this process dies,
 * however it dies, but not when the calling thread ends (a thread inside starts it and stays). What the child itself
 * starts is not covered: a wrapper script has to exec its QEMU. It stays in our process group so that it can use the
 * terminal, whose settings are put back if it dies without doing so. Its standard error goes through us: passed on at
 * once to our own (unless quiet), with the last 8 KiB kept for reports. Descriptors that are not close-on-exec are
 * inherited, because the user's arguments may name some (-add-fd). Returns NULL with TCGRR_ERROR_FAILED if it could not
 * be started (exec failures included).
 */
struct tcgrr_process *tcgrr_process_start(char *const *argv, const struct tcgrr_process_options *options,
                                          GError **error);

/*
 * Watches a process that runs already and is no child of ours; freeing leaves it running. Its standard error goes where
 * it went. Its status is only known as long as its parent has not asked for it, or where Linux reports it afterwards
 * (from 6.15 on). NULL with TCGRR_ERROR_FAILED if it is gone.
 */
struct tcgrr_process *tcgrr_process_adopt(int pid, GError **error);

/* Whether it has ended, and what it wrote to standard error until then was read; without waiting. Thread-safe, as all
 * functions below unless said otherwise. */
bool tcgrr_process_ended(struct tcgrr_process *process);

/* Waits at most `timeout_ms` for its end. Returns whether it has ended. */
bool tcgrr_process_wait(struct tcgrr_process *process, int timeout_ms);

/* Its wait status as waitpid() gives it, -1 if somebody else reaped it (SIGCHLD ignored); only valid after it has
 * ended. */
int tcgrr_process_status(struct tcgrr_process *process);

/* How it ended, for people and the trace: "exit 0", "signal 9 (Killed)". Owned by the caller. Only after it has ended.
 */
char *tcgrr_process_describe_end(struct tcgrr_process *process);

/* Sends a signal if it still runs. */
void tcgrr_process_signal(struct tcgrr_process *process, int signal);

/*
 * SIGTERM, then after `grace_ms` SIGKILL; returns when it has ended. A QEMU that counts instructions notices SIGTERM
 * only between two slices of guest time, which are up to 2^31 ns long: where the guest has no timer armed that is 2^31
 * >> shift instructions, many seconds. SIGKILL costs a recording the end of its rr file, so give it time.
 */
void tcgrr_process_stop(struct tcgrr_process *process, int grace_ms);

/* The last lines that it wrote to standard error, as valid UTF-8 without the last newline; owned by the caller, "" if
 * none. */
char *tcgrr_process_stderr_tail(struct tcgrr_process *process);

/* The telling one of these lines, "" if there is none; owned by the caller. */
char *tcgrr_process_last_words(struct tcgrr_process *process);
/* An error on a connection to a QEMU, `name`, is most often that one's own end: if it has ended, or does at once,
 * `error`, which is set, reports how and with which words instead. */
void tcgrr_process_explain_end(struct tcgrr_process *process, const char *name, GError **error);

int tcgrr_process_pid(struct tcgrr_process *process);

/* Microseconds of processor time that it has spent, all threads together; 0 if that is not known. */
int64_t tcgrr_process_spent(struct tcgrr_process *process);
/* Whether each of its threads waits for something that is neither a processor nor a disk. */
bool tcgrr_process_sleeps(struct tcgrr_process *process);

/* Stops it if it still runs (2 s of grace), reaps it and frees everything. NULL is allowed. Not to be called while
 * another thread uses it. */
void tcgrr_process_free(struct tcgrr_process *process);

#endif
