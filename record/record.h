/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recording: a live QEMU into a trace. */
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
    const char *start_at; /* run there first and record from a snapshot: a symbol, a 0x address or an icount; pins the
                             machine, too. NULL: from reset */
    bool portable;        /* pin the machine, and embed its files, so that other releases of QEMU replay it */
    enum tcgrr_level level;
    const char *sample_from;    /* where branches count from for samples: a symbol or a 0x address; NULL: the start */
    uint32_t sample_step;       /* branches and jumps between two samples of the state; 0: TCGRR_SAMPLE_STEP */
    struct tcgrr_window window; /* level full: of which part memory accesses are wanted */
    struct tcgrr_until until;   /* where the recording ends although the guest would go on; system mode only */
    const char *icount;
    const char *const *symbol_files; /* further ELF files, NULL-terminated; NULL: none */
    const char *tool_version;
    const char *directory; /* QEMU's working directory; NULL: ours. Must live as long as the recording */
    bool quiet;            /* the guest gets no terminal and its console goes nowhere */
    bool output_to_errors; /* what QEMU and the guest write to standard output goes to standard error */
    /*
     * Set asynchronously (by a signal handler) to the number of the signal that asks to stop, plus TCGRR_RECORD_FORCE
     * when asked again: then QEMU is killed. Read only.
     */
    const volatile int *stop;
    void (*started)(const struct tcgrr_command *command, void *data); /* once QEMU's command is known; may be NULL */
    void (*warn)(const char *text, void *data); /* what keeps the run from being portable; may be NULL */
    void (*progress)(const struct tcgrr_record_progress *progress, void *data); /* may be NULL */
    void *data;
};

/* What came of it, besides what the trace itself says. */
/* A note of a trace, before the name of a file of the guest's that was written to while it ran. */
#define TCGRR_WRITTEN_NOTE "while it was recorded, the guest wrote to "

struct tcgrr_record_result {
    enum tcgrr_live_end end;
    struct tcgrr_writer_sizes sizes;
    char *exit;       /* how QEMU ended; owned by the caller */
    bool exit_failed; /* by a signal or with a status other than 0 */
    bool reached;     /* the place at which it was to end */
    bool reset;       /* the guest reset the machine, which ended the run, as far as QEMU says */
    char *written;    /* a file of the guest's that it wrote to, so that it cannot be replayed from that; NULL: none.
                         Owned by the caller */
    char *lost;       /* why a forked child was not recorded; NULL: all were. Owned by the caller */
};

/*
 * Records until QEMU ends or `stop` is set. The trace is valid whenever true is returned; also after most errors (disk
 * full) what was recorded until then is. Besides the calling thread one more stores; the session has its own.
 */
bool tcgrr_record(const struct tcgrr_record_options *options, struct tcgrr_record_result *result, GError **error);

#endif
