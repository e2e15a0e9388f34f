/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's rr log on its way to a QEMU that replays it: bytes as they are written go in, the bytes of a log for another
 * release, or for the same one, come out. On the way it is repaired:
 *
 * - SHUTDOWN goes after the instructions that led to it. Until 10.1 QEMU writes it before them, and a replay that is
 *   made to stop in between ends there instead.
 * - The log ends with the guest's request to shut down. What the vCPU ran after that, until QEMU came round to stopping
 *   it, is left out: it is another number of instructions in each run.
 * - Where the guest resets the machine, what QEMU's main thread writes comes before what the vCPU's thread does.
 * - Stretches of instructions between which QEMU wrote nothing but checkpoints of no consequence are joined: a replay
 *   stops at the end of each.
 * - What is in one release only is left out where others do without, or added: the clock that 7.2 reads before it
 *   starts, a seed for a device tree that it is given.
 * - Whatever it ends with, it is closed so that QEMU ends in order.
 *
 * Memory: one event, at most TCGRR_RR_MAX_BYTES, what is pushed at a time, and while the guest resets what the vCPU's
 * thread wrote. One thread uses a stream.
 */
#ifndef TCGRR_EMU_RRLOG_STREAM_H
#define TCGRR_EMU_RRLOG_STREAM_H

#include "emu/rrlog/format.h"

struct tcgrr_rr_stream_options {
    const char *from; /* version of the QEMU that writes the log; NULL: only its head says */
    const char *to;   /* of the one that will read it; NULL: the same */
    /* The output goes through a pipe: QEMU cannot seek in it, and expects the events right after the version. */
    bool pipe;
    /* The guest asked to shut down after at most this many instructions, which is more than the log says. 0: not known.
     * */
    tcgrr_icount asked_by;
    /* The log has everything that happened before this many instructions, even if it is cut short. 0: not known. */
    tcgrr_icount logged;
    /* The QEMU that reads it runs a RISC-V machine with -dtb: before 8.0 it draws a random seed for the device tree all
     * the same, which has no effect, because it draws another one at reset. */
    bool riscv_tree;
    bool tree_added; /* with `riscv_tree`: the QEMU that wrote the log generated its device tree */
    /* Called for each event that is read, with the instructions before it (INSTRUCTION: after it); may be NULL. It
     * stops the stream by returning false. */
    bool (*seen)(const struct tcgrr_rr_event *event, tcgrr_icount icount, void *data);
    void *data;
};

/* What was read, and the repairs so far. */
struct tcgrr_rr_state {
    uint32_t version;    /* of the log that comes out; 0: its head has not come yet */
    bool translated;     /* the output is for another release */
    bool complete;       /* the end that QEMU writes was read */
    bool unknown;        /* something could not be parsed; nothing after it is used */
    bool guest_shutdown; /* the guest asked for it */
    tcgrr_icount total;  /* instructions in what was read */
    tcgrr_icount end;    /* instructions of the run: up to the guest's request, or `total` */
    tcgrr_icount
        moved; /* with `was_moved`: the original place of SHUTDOWN; the request came after it, at `end` at the latest */
    bool was_moved;
    bool dropped_clock;
    bool dropped_seed; /* of a device tree */
    bool added_seed;
    uint64_t read;     /* bytes that could be parsed, including the head */
    uint64_t last_run; /* of these, before the last INSTRUCTION */
};

struct tcgrr_rr_stream;

/* TCGRR_ERROR_FAILED if the format of one of the releases is not known. */
struct tcgrr_rr_stream *tcgrr_rr_stream_new(const struct tcgrr_rr_stream_options *options, GError **error);
/* NULL is allowed. */
void tcgrr_rr_stream_free(struct tcgrr_rr_stream *stream);

/*
 * Takes the next `size` bytes of the log, beginning with its head of TCGRR_RR_HEAD_BYTES, which may still be empty.
 * Appends to `out` what can be passed on: each event as soon as it is complete (a SHUTDOWN as soon as its place is
 * known). After the run's end it reads on and appends nothing. TCGRR_ERROR_FAILED, naming the event, if the other
 * release cannot replay it. If a log of the same release contains something unknown, everything from there is passed on
 * unchanged.
 */
bool tcgrr_rr_stream_push(struct tcgrr_rr_stream *stream, const uint8_t *bytes, size_t size, GByteArray *out,
                          GError **error);
/*
 * QEMU, which is still writing the log, has run `icount` instructions, and all events before that have been pushed:
 * appends the instructions up to there, so that the reader of the log can run them before QEMU has another event to
 * write. QEMU's next INSTRUCTION event is shortened by them. If an event before `icount` is pushed later after all,
 * that is TCGRR_ERROR_DAMAGED.
 */
void tcgrr_rr_stream_run(struct tcgrr_rr_stream *stream, tcgrr_icount icount, GByteArray *out);
/* The log is known to have all events up to `icount`, where it then ends unless it has an end of its own. */
void tcgrr_rr_stream_logged(struct tcgrr_rr_stream *stream, tcgrr_icount icount);
/* Ends the log: appends what closes it, if it is not closed yet. Push nothing afterwards. */
void tcgrr_rr_stream_close(struct tcgrr_rr_stream *stream, GByteArray *out);

/* Owned by the stream. */
const struct tcgrr_rr_state *tcgrr_rr_stream_state(const struct tcgrr_rr_stream *stream);

#endif
