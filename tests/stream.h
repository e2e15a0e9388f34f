/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Made-up runs for the unit tests: a sequence of instructions, cut into executions of blocks in any way that is wanted.
 */
#ifndef TCGRR_TESTS_STREAM_H
#define TCGRR_TESTS_STREAM_H

#include "store/chunk.h"

/* The same numbers in every run of the tests. */
uint32_t stream_random(uint64_t *state);

/* A guest's instructions in the order they run: `length` addresses (uint64_t), in loops and straight stretches. */
GArray *stream_script(uint64_t seed, guint length);

/* The number of a block of `insns` instructions from `pc` on. An address always holds the same instruction. */
uint32_t stream_block(struct tcgrr_blocks *blocks, uint64_t pc, uint32_t insns);

/* Appends an execution to the chunk. tcgrr_chunk_compute() makes counts and digests of them. */
void stream_append(struct tcgrr_chunk *chunk, const struct tcgrr_blocks *blocks, uint32_t block, uint32_t ran,
                   uint32_t counted);

/*
 * Appends instructions of the script from number `at` on, until the script ends or the chunk is full, as blocks of
 * random size up to `most`, some of which are left early. Returns the number of the next instruction. Computes the
 * chunk.
 */
guint stream_cut(const GArray *script, guint at, uint64_t seed, uint32_t most, struct tcgrr_blocks *blocks,
                 struct tcgrr_chunk *chunk);

/*
 * Fills chunk->accesses with accesses of all kinds by the chunk's executions, as a machine would make them: streams,
 * copies, a stack, a few devices. Those of instructions that did not retire too if `unretired`.
 */
void stream_accesses(struct tcgrr_chunk *chunk, const struct tcgrr_blocks *blocks, uint64_t seed, bool unretired);

/* The flow digest of the script's first `count` instructions. */
uint64_t stream_digest(const GArray *script, guint count);

#endif
