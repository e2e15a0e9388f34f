/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the samples of a chunk are stored; docs/trace-format.md describes it. */
#ifndef TCGRR_STORE_CODEC_SAMPLE_H
#define TCGRR_STORE_CODEC_SAMPLE_H

#include "store/samples.h"

/* The approximate limit, in bytes of memory, for the samples of one chunk: a chunk that has more is full. */
#define TCGRR_SAMPLES_BYTES (32u << 20)

/* Replaces `out` by the encoding of samples of a chunk that begins at `first_icount`. `scratch` is written over. */
void tcgrr_samples_encode(const struct tcgrr_samples *samples, tcgrr_icount first_icount, GByteArray *scratch,
                          GByteArray *out);

/*
 * Empties `samples`, then fills it from `data`, which is untrusted, for a chunk of `execs` executions that begins at
 * `first_icount`. False: it is malformed. `scratch` is written over.
 */
bool tcgrr_samples_decode(const uint8_t *data, size_t size, struct tcgrr_register_table *registers, uint32_t execs,
                          tcgrr_icount first_icount, GByteArray *scratch, struct tcgrr_samples *samples);

#endif
