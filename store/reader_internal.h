/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reader's inside, for reader.c and verify.c. */
#ifndef TCGRR_STORE_READER_INTERNAL_H
#define TCGRR_STORE_READER_INTERNAL_H

#include "store/store_internal.h"
#include "store/trace.h"

#include <sqlite3.h>

enum tcgrr_reader_query {
    TCGRR_QUERY_CHUNK_AT,
    TCGRR_QUERY_CHUNK,
    TCGRR_QUERY_EVENTS,
    TCGRR_QUERY_CHECKPOINT,
    TCGRR_QUERY_SYMBOL,
    TCGRR_QUERIES,
};

struct tcgrr_reader {
    char *path;
    sqlite3 *db;
    sqlite3_stmt *queries[TCGRR_QUERIES];
    GStringChunk *texts; /* of `run` */
    struct tcgrr_run run;
    struct tcgrr_blocks *blocks; /* NULL before they are asked for */
    struct tcgrr_codec *codec;
    GByteArray *scratch;
};

/* Both return false. */
bool tcgrr_reader_fail(struct tcgrr_reader *reader, const char *what, GError **error);
bool tcgrr_reader_damaged(struct tcgrr_reader *reader, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Checks and unpacks one row (part, size, data, digest) of rr_file into reader->scratch. */
bool tcgrr_reader_rr_part(struct tcgrr_reader *reader, sqlite3_stmt *statement, int64_t expected, GError **error);

#endif
