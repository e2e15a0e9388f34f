/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The blocks of one stream, numbered from 0 in the order they were first seen. Append-only: a block's address and
 * content never change, so that a thread may read blocks which another thread handed to it while that one appends.
 */
#ifndef TCGRR_STORE_BLOCKS_H
#define TCGRR_STORE_BLOCKS_H

#include "store/model.h"

#include <glib.h>

struct tcgrr_blocks;

struct tcgrr_blocks *tcgrr_blocks_new(void);
void tcgrr_blocks_free(struct tcgrr_blocks *blocks);

/* How many there are. Only for the thread that appends. */
uint32_t tcgrr_blocks_count(const struct tcgrr_blocks *blocks);

/* Block `number`, which must exist. Any thread that was told of it. */
const struct tcgrr_block *tcgrr_blocks_get(const struct tcgrr_blocks *blocks, uint32_t number);

/*
 * The number of the block with this content: `insns` lengths and `size` bytes, copied. Appends it if it is new. One
 * thread. The content is checked: TCGRR_ERROR_DAMAGED, and UINT32_MAX, if it has no or more than TCGRR_MAX_INSNS
 * instructions or the lengths do not add up to `size`.
 */
uint32_t tcgrr_blocks_add(struct tcgrr_blocks *blocks, uint64_t pc, uint32_t insns, const uint8_t *lengths,
                          uint32_t size, const uint8_t *bytes, GError **error);

/*
 * Gives block `number`, which must exist and have none, its text as in struct tcgrr_block: copied, with everything that
 * is not printable ASCII shown as a question mark. False if it does not have a line for each instruction. By the thread
 * that appends, before any other thread knows of the block.
 */
bool tcgrr_blocks_set_text(struct tcgrr_blocks *blocks, uint32_t number, const char *text);

/*
 * For a table that is filled in any order: makes it count at least `count` blocks, each of which exists once it is set.
 * Do not append to such a table. One thread.
 */
void tcgrr_blocks_reserve(struct tcgrr_blocks *blocks, uint32_t count);
bool tcgrr_blocks_is_set(const struct tcgrr_blocks *blocks, uint32_t number);
/* Sets block `number` of those reserved, checking the content as tcgrr_blocks_add() does. */
bool tcgrr_blocks_set(struct tcgrr_blocks *blocks, uint32_t number, uint64_t pc, uint32_t insns, const uint8_t *lengths,
                      uint32_t size, const uint8_t *bytes, GError **error);

/* Digest of a block's first `insns` instructions. */
uint64_t tcgrr_block_prefix(const struct tcgrr_block *block, uint32_t insns);

/* The flow digest `flow` continued by the first `insns` instructions of `block`. */
uint64_t tcgrr_block_append(uint64_t flow, const struct tcgrr_block *block, uint32_t insns);

/* pc of instruction `index`, 0..insns; `insns` gives the address after the block. */
uint64_t tcgrr_block_pc(const struct tcgrr_block *block, uint32_t index);

#endif
