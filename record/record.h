/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records a live QEMU into a trace. */
#ifndef TCGRR_RECORD_RECORD_H
#define TCGRR_RECORD_RECORD_H

#include "emu/qemu/session.h"
#include "record/until.h"
#include "store/trace.h"

/* Progress, reported about five times a second while it runs. */
struct tcgrr_record_progress {
    double seconds;
    tcgrr_icount icount;
    uint64_t execs;
    uint64_t bytes;         /* stored so far */
    const char *last_event; /* kind of the guest's last event, NULL if none */
    tcgrr_icount last_event_icount;
};

#define TCGRR_RECORD_FORCE 256

struct tcgrr_record_options {
    const char *output;
    bool force;
    bool follow_none; /* user mode: the run ends where the program executes another one */
    bool follow_all;  /* user mode: forked children are recorded, too, each in a trace beside `output` */
    const char *qemu;
    const char *const *arguments;
    const char *plugin;
    bool rr;
    const char *start_at; /* run to this place first and record from a snapshot there: a symbol, a 0x address or an
                             icount; pins the machine, too. NULL: from reset */
    bool portable;        /* pin the machine, and embed its files, so that other releases of QEMU replay it */
    enum tcgrr_level level;
    const char
        *sample_from; /* where counting branches for samples starts: a symbol or a 0x address; NULL: the run's start */
    uint32_t sample_step;       /* branches and jumps between two samples of the state; 0: TCGRR_SAMPLE_STEP */
    struct tcgrr_window window; /* level full: the part whose memory accesses are recorded */
    struct tcgrr_until until;   /* where the recording ends even if the guest would continue; system mode only */
    const char *icount;
    const char *const *symbol_files; /* further ELF files, NULL-terminated; NULL: none */
    const char *tool_version;
    const char *directory; /* QEMU's working directory; NULL: ours. Must live as long as the recording */
    bool quiet;            /* the guest gets no terminal and its console output is discarded */
    bool output_to_errors; /* what QEMU and the guest write to standard output goes to standard error */
    /*
     * Set asynchronously (by a signal handler) to the number of the signal that asks to stop; a second signal adds
     * TCGRR_RECORD_FORCE, and QEMU is killed. Read only.
     */
    const volatile int *stop;
    void (*started)(const struct tcgrr_command *command, void *data); /* once QEMU's command is known; may be NULL */
    void (*warn)(const char *text, void *data);                       /* reports what cannot be pinned; may be NULL */
    void (*progress)(const struct tcgrr_record_progress *progress, void *data); /* may be NULL */
    void *data;
};

/* The result, apart from the content of the trace. */
/* The start of a trace's note about a file of the guest's that was written to during the run; the file's name follows.
 * */
#define TCGRR_WRITTEN_NOTE "while it was recorded, the guest wrote to "

struct tcgrr_record_result {
    enum tcgrr_live_end end;
    struct tcgrr_writer_sizes sizes;
    char *exit;       /* how QEMU ended; owned by the caller */
    bool exit_failed; /* by a signal or with a status other than 0 */
    bool reached;     /* whether it reached the place at which it was to end */
    bool reset;       /* the guest reset the machine, which ended the run, if QEMU reports that */
    char *written; /* one of the guest's own files that it wrote to, so the run cannot be replayed from that file; NULL:
                      none. Owned by the caller */
    char *lost;    /* why a forked child was not recorded; NULL: all were. Owned by the caller */
};

/*
 * Records until QEMU ends or `stop` is set. The trace is valid whenever true is returned; after most errors (such as a
 * full disk) it is valid, too, up to the error. A second thread stores chunks; the session has threads of its own.
 */
bool tcgrr_record(const struct tcgrr_record_options *options, struct tcgrr_record_result *result, GError **error);

#endif
