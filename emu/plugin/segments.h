/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System V shared memory of a program that is given its inputs. The calls that make and remove segments are answered,
 * so that there are none on the host: a file in memory stands for each, which is mapped wherever the program attaches
 * the segment. One thread at a time.
 */
#ifndef TCGRR_EMU_PLUGIN_SEGMENTS_H
#define TCGRR_EMU_PLUGIN_SEGMENTS_H

#include <stdbool.h>
#include <stdint.h>

/* A descriptor of the file, ours, for the segment that is `id` in the program. `empty`: all of it is zero from here on.
 * -1: the host has none. */
int tcgrr_segment_open(int64_t id, uint64_t bytes, bool empty);

/* The program has a segment of so many bytes at its `address`. */
void tcgrr_segment_attached(uint64_t address, uint64_t bytes);
/* How large the segment there is; 0: there is none. */
uint64_t tcgrr_segment_at(uint64_t address);
/* The program has it there no longer. */
void tcgrr_segment_detached(uint64_t address);

#endif
