/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System V shared memory of a program that is given its inputs. The calls that create and remove segments are answered
 * from the file, so the host has no segments: a memory file replaces each, and is mapped wherever the program attaches
 * the segment. Not thread-safe.
 */
#ifndef TCGRR_EMU_PLUGIN_SEGMENTS_H
#define TCGRR_EMU_PLUGIN_SEGMENTS_H

#include <stdbool.h>
#include <stdint.h>

/* The descriptor, which stays ours, of the file for the program's segment `id`. `empty`: the file is cleared. -1 on
 * failure. */
int tcgrr_segment_open(int64_t id, uint64_t bytes, bool empty);

/* The program has attached a segment of `bytes` bytes at its `address`. */
void tcgrr_segment_attached(uint64_t address, uint64_t bytes);
/* The size of the segment at `address`; 0: there is none. */
uint64_t tcgrr_segment_at(uint64_t address);
/* The program has detached the segment at `address`. */
void tcgrr_segment_detached(uint64_t address);

#endif
