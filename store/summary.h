/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which blocks a chunk executes and how often: chunk.blocks. With it chunks are skipped, and executions counted,
 * without decoding. */
#ifndef TCGRR_STORE_SUMMARY_H
#define TCGRR_STORE_SUMMARY_H

#include "store/chunk.h"

struct tcgrr_block_use {
    uint32_t block;
    uint32_t execs; /* at least 1 */
    uint64_t lost;  /* instructions of those executions that did not run: execs * insns - lost ran */
};

/*
 * Replaces `uses` (struct tcgrr_block_use) by those of `chunk`, ascending by block. `counts` is a GArray of uint32_t,
 * at first empty, which the caller keeps from call to call.
 */
void tcgrr_summary_collect(const struct tcgrr_chunk *chunk, const struct tcgrr_blocks *table, GArray *counts,
                           GArray *uses);

/* Replaces `out` by the stored form; `scratch` holds anything. */
void tcgrr_summary_encode(const GArray *uses, GByteArray *scratch, GByteArray *out);

/* Replaces `uses` by what `blob` holds, which is untrusted: false if it is not well-formed or damaged. */
bool tcgrr_summary_decode(const void *blob, size_t size, GByteArray *scratch, GArray *uses);

#endif
