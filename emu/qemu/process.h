/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A QEMU process, which shares our terminal, is watched, and does not outlive us. */
#ifndef TCGRR_EMU_PROCESS_H
#define TCGRR_EMU_PROCESS_H

#include <glib.h>
#include <stdbool.h>

struct tcgrr_process;

struct tcgrr_process_options {
    int pass_fd;   /* descriptor that the child gets under the same number; -1 or 0: none */
    int output_fd; /* the child's stdout, whatever `quiet` says; its stdin is then /dev/null; -1 or 0: not used */
    int drain_fd;  /* a descriptor that is read until the child has ended, and copied to our own stdout unless quiet;
                      taken over; -1 or 0: none */
    bool quiet; /* the child's stdin and stdout are /dev/null, and its stderr is only kept for reports; otherwise it has
                   ours */
    bool expendable;  /* killed when this process dies; otherwise sent SIGTERM, so that its files are complete */
    bool own_group;   /* it gets its own process group: signals from the terminal reach only us */
    bool pinned;      /* without address-space randomization */
    bool paths_stay;  /* keep the path of our private folder in `argv`; otherwise it is replaced by one that is the same
                         in every run */
    bool large_pages; /* it may use larger pages for what it allocates: QEMU copies the guest's kernel twice, and the
                         first touch of each page takes long on some hosts. glibc 2.35 and later. */
    const char *directory;    /* working directory; NULL: ours */
    char *const *environment; /* NAME=value, NULL-terminated; NULL: ours */
};

/*
 * Starts `argv`; argv[0] is a path or a name on PATH. The child gets SIGTERM, or SIGKILL, when this process dies for
 * any reason, but not when the calling thread ends (an internal thread starts it and stays). Processes that the child
 * starts are not covered: a wrapper script has to exec its QEMU. The child stays in our process group so that it can
 * use the terminal, whose settings are restored if it dies without doing so. Its standard error goes through us: it is
 * copied at once to our own (unless quiet), and the last 8 KiB are kept for reports. Descriptors that are not
 * close-on-exec are inherited, because the user's arguments may name some (-add-fd). Returns NULL with
 * TCGRR_ERROR_FAILED if it could not be started (exec failures included).
 */
struct tcgrr_process *tcgrr_process_start(char *const *argv, const struct tcgrr_process_options *options,
                                          GError **error);

/*
 * Watches a process that is already running and is not our child; freeing leaves it running. Its standard error is not
 * redirected. Its exit status is known only until its parent has reaped it, or if Linux reports it afterwards (from
 * 6.15 on). NULL with TCGRR_ERROR_FAILED if it is gone.
 */
struct tcgrr_process *tcgrr_process_adopt(int pid, GError **error);

/* Whether it has ended and all of its standard error has been read; does not wait. Thread-safe, as are all functions
 * below unless stated otherwise. */
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
 * Sends SIGTERM, and SIGKILL after `grace_ms`; returns when it has ended. A QEMU that counts instructions notices
 * SIGTERM only between two slices of guest time, which are up to 2^31 ns long: where the guest has no timer armed that
 * is 2^31 >> shift instructions, many seconds. SIGKILL costs a recording the end of its rr file, so give it time.
 */
void tcgrr_process_stop(struct tcgrr_process *process, int grace_ms);

/* The last lines that it wrote to standard error, as valid UTF-8 without the last newline; owned by the caller, "" if
 * none. */
char *tcgrr_process_stderr_tail(struct tcgrr_process *process);

/* The line that explains best why it ended, "" if there is none; owned by the caller. */
char *tcgrr_process_last_words(struct tcgrr_process *process);
/* An error on a connection to a QEMU, `name`, mostly means that the QEMU has ended: if it has, or does so at once,
 * replaces `error`, which is set, by a report of how it ended and its last message. */
void tcgrr_process_explain_end(struct tcgrr_process *process, const char *name, GError **error);

int tcgrr_process_pid(struct tcgrr_process *process);

/* Microseconds of processor time that it has spent, all threads together; 0 if that is not known. */
int64_t tcgrr_process_spent(struct tcgrr_process *process);
/* Whether all of its threads are waiting for something other than a processor or a disk. */
bool tcgrr_process_sleeps(struct tcgrr_process *process);

/* Stops it if it still runs (2 s of grace), reaps it and frees everything. NULL is allowed. Do not call it while
 * another thread uses the process. */
void tcgrr_process_free(struct tcgrr_process *process);

#endif
