/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's own rr log as a whole: what a recording asks it, and its way into a replay.
 *
 * It holds the exact instruction count of every interrupt and exception. Where an older QEMU does not report these to
 * plugins, that settles whether an instruction retired before one.
 */
#ifndef TCGRR_EMU_RRLOG_H
#define TCGRR_EMU_RRLOG_H

#include "emu/rrlog/stream.h"

enum tcgrr_rrlog_kind {
    TCGRR_RRLOG_INTERRUPT = TCGRR_RR_INTERRUPT,
    TCGRR_RRLOG_EXCEPTION = TCGRR_RR_EXCEPTION,
};

struct tcgrr_rrlog_event {
    uint64_t icount : 62;
    uint64_t kind : 2; /* enum tcgrr_rrlog_kind */
};

/* Events kept of one log, at most; what follows counts as cut off. */
#define TCGRR_RRLOG_MAX_EVENTS (64u << 20)

/* What could be read of a log. */
struct tcgrr_rrlog {
    uint32_t version;
    GArray *events;     /* struct tcgrr_rrlog_event, in order */
    GArray *disk;       /* tcgrr_icount, in order: where requests to disks ended */
    tcgrr_icount total; /* instructions up to the end of what was read */
    bool complete;      /* QEMU's own end mark was reached */
    bool unknown;       /* what follows `end` was not understood */
    uint64_t end;       /* bytes that were understood */
    /*
     * The run ends with the guest's request to shut down; what follows up to `total` is its tail. Before 10.2 QEMU does
     * not say where in its last stretch of instructions the guest asked: after `asked_after`, and the run then takes in
     * the whole stretch. Without a request, `run_end` is `total`.
     */
    bool guest_shutdown;
    tcgrr_icount run_end;
    tcgrr_icount asked_after;
    /* Of a log that is still being written, or has no end mark: all events before this place are there. */
    tcgrr_icount reached;
};

/*
 * Reads `size` bytes, which are untrusted, as QEMU `release` ("7.2.22"; NULL: not known) writes them. A log that is cut
 * off or holds something that is not understood gives the part before it. TCGRR_ERROR_FAILED for a format that is not
 * known; the log of a QEMU that was killed is known by the release only. Any thread.
 */
struct tcgrr_rrlog *tcgrr_rrlog_parse(const uint8_t *bytes, size_t size, const char *release, GError **error);
/* The same for the file at `path`; TCGRR_ERROR_FAILED also if it cannot be read. */
struct tcgrr_rrlog *tcgrr_rrlog_load(const char *path, const char *release, GError **error);
/* A log that is being written, without an event yet; `seen` of a stream adds them, with the log as its `data`. */
struct tcgrr_rrlog *tcgrr_rrlog_new(void);
bool tcgrr_rrlog_seen(const struct tcgrr_rr_event *event, tcgrr_icount icount, void *log);
/* Makes all counts of the log count from `start` on, where QEMU's count stood when the run began from a snapshot. */
void tcgrr_rrlog_rebase(struct tcgrr_rrlog *log, tcgrr_icount start);
/* NULL is allowed. */
void tcgrr_rrlog_free(struct tcgrr_rrlog *log);

/* What is known of the run besides; see struct tcgrr_rr_stream_options. */
struct tcgrr_rrlog_known {
    tcgrr_icount asked_by;
    tcgrr_icount logged;
    bool riscv_tree;
    bool tree_added;
};

struct tcgrr_rrlog_rewritten {
    struct tcgrr_rr_state state;
    uint64_t left_out; /* bytes at the end of a log that was cut short */
};

/*
 * Writes the log in the file `source`, by QEMU `from`, to the file `target`, repaired, for QEMU `to` (NULL: the same).
 * TCGRR_ERROR_FAILED if a file cannot be read or written, a format is
 * not known, or `to` cannot replay something in it.
 */
bool tcgrr_rrlog_rewrite(const char *source, const char *target, const char *from, const char *to,
                         const struct tcgrr_rrlog_known *known, struct tcgrr_rrlog_rewritten *rewritten,
                         GError **error);
/* A line of text for each thing that was done to it; owned by the caller. */
GPtrArray *tcgrr_rrlog_repairs(const struct tcgrr_rrlog_rewritten *rewritten);

/* The random bytes that QEMU `release` drew before it reset the machine, one after the other, by the log in the file at
 * `path`: the seeds of a device tree. NULL with an error of tcgrr_rrlog_load(). */
GByteArray *tcgrr_rrlog_seeds(const char *path, const char *release, GError **error);

/* Writes a line of text for each event of the log in the file `source`, by QEMU `release`, to the file `target`. */
bool tcgrr_rrlog_dump(const char *source, const char *target, const char *release, GError **error);

/* Index of the first event at or after `icount`; log->events->len if there is none. */
guint tcgrr_rrlog_find(const struct tcgrr_rrlog *log, tcgrr_icount icount);

/*
 * An execution of which all instructions but the last certainly retired, and the last may have; the vCPU did not begin
 * again at the last one. `place` counts the instructions up to that one, by the assumptions made so far. What keeps an
 * instruction from retiring is an interrupt or exception at its place, so the log shows it.
 */
struct tcgrr_uncertain_retire {
    uint64_t seq : 49;    /* of the execution */
    uint64_t retired : 1; /* what is assumed */
    uint64_t left : 1;    /* the last instruction does not go where the vCPU went: an event, which was seen or inferred,
                             took it there */
    uint64_t inside : 1;  /* the block has more instructions, so that no other event can have happened at this place */
    uint64_t hidden : 1;  /* the block was entered from one that could go on anywhere, and is not what follows that one:
                             an event may have led there unnoticed */
    uint64_t follows : 1; /* likewise, and it is what follows that one: a trap into the host returns there */
    uint64_t entered : 1; /* it begins where events are known to lead */
    uint64_t to_entry : 1; /* so does what the vCPU went to */
    uint64_t branch : 1;   /* by its text the last instruction is a branch */
    uint64_t events : 7;   /* seen since the last doubt or the last instruction that certainly retired;
                              TCGRR_UNCERTAIN_EVENTS:   or more */
    tcgrr_icount place;
};
#define TCGRR_UNCERTAIN_EVENTS 127u

/* What is remembered from one doubt to the next. All zero at first. */
struct tcgrr_rrlog_asked {
    tcgrr_icount icount; /* after the last doubt's execution */
    uint32_t events;     /* that had happened at this icount before it */
};

/*
 * Asks the log about `doubt`, whose place is really `place`. Returns whether the log reaches that far, `*retired` then
 * being the answer; it stays as it was otherwise. All uncertain of a run have to be asked in order.
 */
bool tcgrr_rrlog_decide(const struct tcgrr_rrlog *log, struct tcgrr_rrlog_asked *asked,
                        const struct tcgrr_uncertain_retire *doubt, tcgrr_icount place, bool *retired);

#endif
