/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's rr log as a whole: looking up events for a recording, and rewriting the log for a replay.
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

/* Maximum number of events kept of one log; the rest counts as cut off. */
#define TCGRR_RRLOG_MAX_EVENTS (64u << 20)

/* The readable part of a log. */
struct tcgrr_rrlog {
    uint32_t version;
    GArray *events;     /* struct tcgrr_rrlog_event, in order */
    GArray *disk;       /* tcgrr_icount, in order: where requests to disks ended */
    tcgrr_icount total; /* instructions in the part that was read */
    bool complete;      /* QEMU's own end mark was reached */
    bool unknown;       /* the data at `end` could not be parsed */
    uint64_t end;       /* bytes that could be parsed */
    /*
     * The run ends with the guest's request to shut down; the instructions after it, up to `total`, are the tail.
     * Before 10.2 QEMU does not log where in its last stretch of instructions the request was, only that it came after
     * `asked_after`; the run then includes the whole stretch. Without a request, `run_end` is `total`.
     */
    bool guest_shutdown;
    tcgrr_icount run_end;
    tcgrr_icount asked_after;
    /* If the log is still being written, or has no end mark: all events before this place are known. */
    tcgrr_icount reached;
};

/*
 * Parses `size` bytes, which are untrusted, as QEMU `release` ("7.2.22"; NULL: not known) writes them. If the log is
 * cut off or contains something unknown, the result has the part before it. TCGRR_ERROR_FAILED for an unknown format;
 * the format of a log that a killed QEMU left is known only from the release. Thread-safe.
 */
struct tcgrr_rrlog *tcgrr_rrlog_parse(const uint8_t *bytes, size_t size, const char *release, GError **error);
/* The same for the file at `path`; TCGRR_ERROR_FAILED also if it cannot be read. */
struct tcgrr_rrlog *tcgrr_rrlog_load(const char *path, const char *release, GError **error);
/* A log that is being written, with no events yet. Pass tcgrr_rrlog_seen() as a stream's `seen`, with the log as
 * `data`, to add them. */
struct tcgrr_rrlog *tcgrr_rrlog_new(void);
bool tcgrr_rrlog_seen(const struct tcgrr_rr_event *event, tcgrr_icount icount, void *log);
/* Makes all counts of the log relative to `start`, QEMU's count when the run began from a snapshot. */
void tcgrr_rrlog_rebase(struct tcgrr_rrlog *log, tcgrr_icount start);
/* NULL is allowed. */
void tcgrr_rrlog_free(struct tcgrr_rrlog *log);

/* Further facts about the run; see struct tcgrr_rr_stream_options. */
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
/* A line of text for each repair that was made; owned by the caller. */
GPtrArray *tcgrr_rrlog_repairs(const struct tcgrr_rrlog_rewritten *rewritten);

/* The random bytes that QEMU `release` drew before it reset the machine, concatenated, from the log at `path`: the
 * seeds of a device tree. NULL with an error of tcgrr_rrlog_load(). */
GByteArray *tcgrr_rrlog_seeds(const char *path, const char *release, GError **error);

/* Writes a line of text for each event of the log in the file `source`, by QEMU `release`, to the file `target`. */
bool tcgrr_rrlog_dump(const char *source, const char *target, const char *release, GError **error);

/* Index of the first event at or after `icount`; log->events->len if there is none. */
guint tcgrr_rrlog_find(const struct tcgrr_rrlog *log, tcgrr_icount icount);

/*
 * An execution whose instructions all certainly retired, except that the last one may not have; the vCPU did not start
 * the last one over. `place` is the number of instructions before that one, by the assumptions made so far. Only an
 * interrupt or exception at its place can keep an instruction from retiring, so the log shows whether it did.
 */
struct tcgrr_uncertain_retire {
    uint64_t seq : 49;    /* of the execution */
    uint64_t retired : 1; /* what is assumed */
    uint64_t
        left : 1; /* the last instruction cannot lead to where the vCPU went: an event, seen or inferred, led there */
    uint64_t inside : 1; /* the block has more instructions, so that no other event can have happened at this place */
    uint64_t hidden : 1; /* the block was entered from one that could continue anywhere, and does not follow that one in
                            memory: an event may have led there unnoticed */
    uint64_t follows : 1;  /* likewise, and it follows that one in memory: a trap into the host returns there */
    uint64_t entered : 1;  /* it begins where events are known to lead */
    uint64_t to_entry : 1; /* the vCPU went to where events are known to lead */
    uint64_t branch : 1;   /* the last instruction is a branch according to its disassembly */
    uint64_t events : 7;   /* seen since the last doubt or the last instruction that certainly retired;
                              TCGRR_UNCERTAIN_EVENTS:   or more */
    tcgrr_icount place;
};
#define TCGRR_UNCERTAIN_EVENTS 127u

/* State that is kept between doubts. Initially all zero. */
struct tcgrr_rrlog_asked {
    tcgrr_icount icount; /* after the last doubt's execution */
    uint32_t events;     /* number of events at this icount before it */
};

/*
 * Looks up `doubt`, whose corrected place is `place`. If the log reaches that far, sets `*retired` and returns true;
 * otherwise leaves it unchanged. Look up all doubts of a run in order.
 */
bool tcgrr_rrlog_decide(const struct tcgrr_rrlog *log, struct tcgrr_rrlog_asked *asked,
                        const struct tcgrr_uncertain_retire *doubt, tcgrr_icount place, bool *retired);

#endif
