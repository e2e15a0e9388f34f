/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the trace's writer and reader share. */
#ifndef TCGRR_STORE_STORE_INTERNAL_H
#define TCGRR_STORE_STORE_INTERNAL_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* The numbers of a `chunk` row, all as stored. */
struct tcgrr_chunk_row {
    uint64_t id;
    uint64_t first_seq;
    uint64_t execs;
    uint64_t first_icount;
    uint64_t insns;
    uint64_t vcpu;
    uint64_t first_flow;
    uint64_t end_flow;
    uint64_t codec;
};

/* The numbers of a `sample` row, all as stored. */
struct tcgrr_sample_row {
    uint64_t chunk;
    uint64_t samples;
    uint64_t first_icount;
    uint64_t last_icount;
};

/* sample.digest: over the numbers as little-endian 64-bit words, then the blob. */
uint64_t tcgrr_sample_row_digest(const struct tcgrr_sample_row *row, const void *data, size_t size);

/* mem_chunk.digest: over the two numbers as little-endian 64-bit words, then the data. */
uint64_t tcgrr_mem_row_digest(uint64_t chunk, uint64_t accesses, const void *data, size_t size);

/* chunk.digest: over the numbers as little-endian 64-bit words, then the three blobs in order. */
uint64_t tcgrr_chunk_row_digest(const struct tcgrr_chunk_row *row, const void *data, size_t data_size,
                                const void *partials, size_t partials_size, const void *switches, size_t switches_size);

/*
 * The seal: 32 bytes after the database's last page, which SQLite does not look at: "tcgrseal", the length before it,
 * and the 128-bit XXH3 of everything before it.
 */
bool tcgrr_seal_write(const char *path, GError **error);

enum tcgrr_seal_state { TCGRR_SEAL_NONE, TCGRR_SEAL_GOOD, TCGRR_SEAL_BROKEN };
bool tcgrr_seal_check(const char *path, enum tcgrr_seal_state *state, GError **error);

#endif
