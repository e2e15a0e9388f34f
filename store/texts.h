/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How QEMU disassembled blocks, as a trace stores it: the texts of blocks that follow each other in one zstd frame.
 * Without frame: the texts of a block with a line feed between them, and a zero byte after each block; a block whose
 * texts are not known is empty.
 */
#ifndef TCGRR_STORE_TEXTS_H
#define TCGRR_STORE_TEXTS_H

#include "store/blocks.h"

/* Blocks in one row, at most. */
#define TCGRR_TEXTS_BLOCKS 256u

/*
 * Replaces `out` by the stored form of the texts of the blocks from `first` up to, but not including, `end`, or of as
 * many of them as fit. Returns how many; `out` is empty if none of them has a text. `scratch` holds anything.
 */
uint32_t tcgrr_texts_encode(const struct tcgrr_blocks *blocks, uint32_t first, uint32_t end, GByteArray *scratch,
                            GByteArray *out);

/*
 * Gives their texts to those of the `count` blocks from `first` on that are loaded and have none. `data` is untrusted:
 * false if it is malformed or does not fit the blocks.
 */
bool tcgrr_texts_decode(const void *data, size_t size, uint32_t first, uint32_t count, GByteArray *scratch,
                        struct tcgrr_blocks *blocks);

#endif
