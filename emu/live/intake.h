/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The consuming end of the plugin's ring (emu/plugin/wire.h). What QEMU's process has written is copied before anybody
 * looks at it, because it can be changed at any time from over there. One thread, unless said otherwise.
 */
#ifndef TCGRR_EMU_INTAKE_H
#define TCGRR_EMU_INTAKE_H

#include "emu/plugin/wire.h"

#include <glib.h>
#include <stdbool.h>

struct tcgrr_intake;

/*
 * Creates the shared memory; `ring_bytes` is a power of two. NULL with TCGRR_ERROR_FAILED if there is none to be had.
 */
struct tcgrr_intake *tcgrr_intake_new(uint32_t ring_bytes, GError **error);
/* Detaches and frees. NULL is allowed. */
void tcgrr_intake_free(struct tcgrr_intake *intake);

/* The descriptor which QEMU has to inherit; stays the intake's. */
int tcgrr_intake_fd(const struct tcgrr_intake *intake);

/* The shared header: read each field once. */
const struct tcgrr_wire_header *tcgrr_intake_header(const struct tcgrr_intake *intake);

/* QEMU is to end: makes the vCPU yield, so that QEMU notices even if its guest never leaves its slice. Any thread. */
void tcgrr_intake_ask_yield(struct tcgrr_intake *intake);

/* Nothing is read any more: says so to the plugin, if it still runs. Any thread. */
void tcgrr_intake_detach(struct tcgrr_intake *intake);

/* Tells the plugin where to take samples (wire.h). Any thread. */
void tcgrr_intake_set_sample_step(struct tcgrr_intake *intake, uint32_t step);

/* The place from which branches are counted for samples, before QEMU starts. */
void tcgrr_intake_set_sample_origin(struct tcgrr_intake *intake, uint64_t pc, bool in_code);
void tcgrr_intake_set_process(struct tcgrr_intake *intake, uint32_t process);

/* Branches after which samples are taken instead of those that the step names (wire.h), before QEMU starts. */
void tcgrr_intake_set_closer_samples(struct tcgrr_intake *intake, uint64_t from, uint64_t to);

/* No further accesses are wanted. */
void tcgrr_intake_end_window(struct tcgrr_intake *intake);

/*
 * Asks the plugin to have QEMU flush its rr log; the number of this request. Once tcgrr_intake_flushed() returns true
 * for it, the file has every event from before the words that were there when it was asked for. That never happens
 * where QEMU records none or is gone. Any thread.
 */
uint32_t tcgrr_intake_ask_flush(struct tcgrr_intake *intake);

/* Positions in the stream, in words: up to which the plugin has handed over, and up to which words that are no copies
 * of what it is still writing have been read; UINT64_MAX if such copies were read, too. */
uint64_t tcgrr_intake_written_position(const struct tcgrr_intake *intake);
uint64_t tcgrr_intake_read_position(const struct tcgrr_intake *intake);
bool tcgrr_intake_flushed(const struct tcgrr_intake *intake, uint32_t asked);
/* Waits for that, at most `wait_ms`. */
void tcgrr_intake_await_flush(struct tcgrr_intake *intake, uint32_t asked, int wait_ms);
/* The errno with which a flush failed for want of room, after which the log may lack anything; 0: none did. */
int tcgrr_intake_flush_error(const struct tcgrr_intake *intake);

/* Words in the ring and in the draft that were not copied yet. To other threads than the reader it is an estimate. */
uint64_t tcgrr_intake_backlog(const struct tcgrr_intake *intake);

#define TCGRR_INTAKE_SLACK 4

/* What there is to read; the words are valid until the next call. */
struct tcgrr_intake_words {
    const uint32_t *words; /* all that were not taken; TCGRR_INTAKE_SLACK more can be read, and hold anything */
    const uint16_t *slots; /* for each word: 1 + the slot of the phrase that begins there, 0 if none is known to */
    size_t count;
    bool all; /* nothing was left behind: the plugin publishes whole records, so the last one is whole */
};

/*
 * Copies what there is, as far as it fits, after what was not taken yet, and gives its place in the ring back. At
 * least TCGRR_WIRE_RESERVE_WORDS fit, so that any record does. A draft that the plugin is still writing is only looked
 * at when nothing else came in two calls on end, or if `gone`, which says that the plugin is: looking slows it down.
 * Returns false if the ring holds what no plugin writes.
 */
bool tcgrr_intake_fill(struct tcgrr_intake *intake, bool gone, struct tcgrr_intake_words *words);

/* The first `count` words are done with. */
void tcgrr_intake_take(struct tcgrr_intake *intake, size_t count);

#endif
