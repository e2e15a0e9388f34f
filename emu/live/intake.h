/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The consuming end of the plugin's ring (emu/plugin/wire.h). Everything that QEMU's process writes is copied before it
 * is interpreted, because that process can change it at any time. Use from one thread, unless stated otherwise.
 */
#ifndef TCGRR_EMU_INTAKE_H
#define TCGRR_EMU_INTAKE_H

#include "emu/plugin/wire.h"

#include <glib.h>
#include <stdbool.h>

struct tcgrr_intake;

/*
 * Creates the shared memory; `ring_bytes` is a power of two. Returns NULL with TCGRR_ERROR_FAILED if there is not
 * enough memory.
 */
struct tcgrr_intake *tcgrr_intake_new(uint32_t ring_bytes, GError **error);
/* Detaches and frees. NULL is allowed. */
void tcgrr_intake_free(struct tcgrr_intake *intake);

/* Returns the descriptor that QEMU must inherit; the intake keeps ownership. */
int tcgrr_intake_fd(const struct tcgrr_intake *intake);

/* Returns the shared header: read each field only once. */
const struct tcgrr_wire_header *tcgrr_intake_header(const struct tcgrr_intake *intake);

/* Call when QEMU is asked to end: makes the vCPU yield, so that QEMU notices even if the guest never leaves its time
 * slice. Any thread. */
void tcgrr_intake_ask_yield(struct tcgrr_intake *intake);

/* Stops reading, and reports this to the plugin if it still runs. Any thread. */
void tcgrr_intake_detach(struct tcgrr_intake *intake);

/* Tells the plugin where to take samples (wire.h). Any thread. */
void tcgrr_intake_set_sample_step(struct tcgrr_intake *intake, uint32_t step);

/* Sets the place from which branches are counted for samples; call before QEMU starts. */
void tcgrr_intake_set_sample_origin(struct tcgrr_intake *intake, uint64_t pc, bool in_code);
void tcgrr_intake_set_process(struct tcgrr_intake *intake, uint32_t process);

/* Sets the branches after which samples are taken instead of those given by the step (wire.h); call before QEMU starts.
 * */
void tcgrr_intake_set_closer_samples(struct tcgrr_intake *intake, uint64_t from, uint64_t to);

/* Tells the plugin that no more accesses are needed. */
void tcgrr_intake_end_window(struct tcgrr_intake *intake);

/*
 * Asks the plugin to have QEMU flush its rr log; returns the number of this request. Once tcgrr_intake_flushed()
 * returns true for it, the file has every event that precedes the words available at the time of the request. That
 * never happens if QEMU does not record a log or has exited. Any thread.
 */
uint32_t tcgrr_intake_ask_flush(struct tcgrr_intake *intake);

/* Positions in the stream, in words: up to which the plugin has handed over, and up to which words that are no copies
 * of what it is still writing have been read; UINT64_MAX if such copies were read, too. */
uint64_t tcgrr_intake_written_position(const struct tcgrr_intake *intake);
uint64_t tcgrr_intake_read_position(const struct tcgrr_intake *intake);
bool tcgrr_intake_flushed(const struct tcgrr_intake *intake, uint32_t asked);
/* Waits for the flush, at most `wait_ms`. */
void tcgrr_intake_await_flush(struct tcgrr_intake *intake, uint32_t asked, int wait_ms);
/* Returns the errno with which a flush failed for lack of space, after which the log may be incomplete; 0: no flush
 * failed. */
int tcgrr_intake_flush_error(const struct tcgrr_intake *intake);

/* Returns the number of words in the ring and in the draft that were not copied yet. Only an estimate on threads other
 * than the reader's. */
uint64_t tcgrr_intake_backlog(const struct tcgrr_intake *intake);

#define TCGRR_INTAKE_SLACK 4

/* The words available for reading; valid until the next call. */
struct tcgrr_intake_words {
    const uint32_t *words; /* all that were not taken; TCGRR_INTAKE_SLACK more can be read, with arbitrary contents */
    const uint16_t *slots; /* for each word: 1 + the slot of the phrase that begins there, 0 if none is known to */
    size_t count;
    bool all; /* nothing else is available: the plugin publishes complete records, so the last one is complete */
};

/*
 * Copies the available words, as far as they fit, after those that were not taken yet, and releases their space in the
 * ring. At least TCGRR_WIRE_RESERVE_WORDS fit, so any record does. A draft that the plugin is still writing is only
 * read if nothing else arrived in two consecutive calls, or if `gone`, which means that the plugin no longer runs:
 * reading it slows the plugin down. Returns false if the contents of the ring are invalid.
 */
bool tcgrr_intake_fill(struct tcgrr_intake *intake, bool gone, struct tcgrr_intake_words *words);

/* Marks the first `count` words as taken. */
void tcgrr_intake_take(struct tcgrr_intake *intake, size_t count);

#endif
