/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reader's inside, for reader*.c and verify.c. */
#ifndef TCGRR_STORE_READER_INTERNAL_H
#define TCGRR_STORE_READER_INTERNAL_H

#include "store/inputs.h"
#include "store/sqlite_api.h"
#include "store/store_internal.h"
#include "store/trace.h"

enum tcgrr_reader_query {
    TCGRR_QUERY_CHUNK_AT,
    TCGRR_QUERY_CHUNK,
    TCGRR_QUERY_CHUNK_SUMMARY,
    TCGRR_QUERY_ID_OF_ICOUNT,
    TCGRR_QUERY_ID_OF_SEQ,
    TCGRR_QUERY_BLOCKS,
    TCGRR_QUERY_BLOCK,
    TCGRR_QUERY_BLOCK_LIMIT,
    TCGRR_QUERY_TEXTS,
    TCGRR_QUERY_TEXT_OF,
    TCGRR_QUERY_EVENTS,
    TCGRR_QUERY_CHECKPOINT,
    TCGRR_QUERY_REGISTERS,
    TCGRR_QUERY_SAMPLES_FROM,
    TCGRR_QUERY_SAMPLES_AFTER,
    TCGRR_QUERY_SAMPLES_OF,
    TCGRR_QUERY_SAMPLES_BEFORE,
    TCGRR_QUERY_MEM,
    TCGRR_QUERY_MEM_PAGES,
    TCGRR_QUERY_DEVICES,
    TCGRR_QUERY_REGIONS,
    TCGRR_QUERY_SYMBOLS,
    TCGRR_QUERIES,
};

struct tcgrr_reader {
    char *path;
    sqlite3 *db;
    bool borrowed; /* the connection is somebody else's */
    char *schema;  /* the trace's name within the connection */
    sqlite3_stmt *queries[TCGRR_QUERIES];
    GStringChunk *texts; /* of `run` */
    struct tcgrr_run run;
    bool pinned_read;            /* `pinned` was looked for; its `command` is NULL where the machine is not pinned */
    struct tcgrr_pinned pinned;  /* strings in `texts` */
    struct tcgrr_blocks *blocks; /* NULL before they are asked for; on a borrowed connection not all are filled */
    uint32_t loaded_to;          /* borrowed: all blocks below are filled */
    uint32_t needed;             /* borrowed: how often some were asked for */
    struct tcgrr_register_table *registers;  /* NULL: not asked for yet, or none were there */
    struct tcgrr_access_codec *access_codec; /* NULL before it is needed, as what follows */
    GPtrArray *devices;                      /* names by number; NULL where there is none */
    GArray *regions;                         /* struct tcgrr_region, ascending */
    struct tcgrr_codec *codec;
    GByteArray *scratch;
};

/*
 * A reader of the trace that somebody's connection knows as `schema` ("main", or the name it was attached under).
 * Blocks that the trace gains later are found. Statements are prepared when they are first needed;
 * tcgrr_reader_finalize() finalizes them, without which the connection cannot be closed.
 */
struct tcgrr_reader *tcgrr_reader_attach(sqlite3 *db, const char *schema, GError **error);
void tcgrr_reader_finalize(struct tcgrr_reader *reader);

/* What both kinds of reader begin with. */
struct tcgrr_reader *tcgrr_reader_new(const char *path, const char *schema);
bool tcgrr_reader_check_identity(struct tcgrr_reader *reader, GError **error);
bool tcgrr_reader_read_run(struct tcgrr_reader *reader, GError **error);

/* Loads a row of `block`: the next one, or, on a borrowed connection, any. */
bool tcgrr_reader_load_block(struct tcgrr_reader *reader, sqlite3_stmt *statement, GError **error);
/* Borrowed: makes room for all blocks, fills all of them, or those of `numbers`, which are below the count reserved. */
const struct tcgrr_blocks *tcgrr_reader_reserve(struct tcgrr_reader *reader, GError **error);
const struct tcgrr_blocks *tcgrr_reader_need_all(struct tcgrr_reader *reader, GError **error);
bool tcgrr_reader_need(struct tcgrr_reader *reader, const uint32_t *numbers, uint32_t count, GError **error);

/* Loads the texts of all blocks that are loaded, or of block `number`, if the trace has them. */
bool tcgrr_reader_need_texts(struct tcgrr_reader *reader, GError **error);
bool tcgrr_reader_need_text(struct tcgrr_reader *reader, uint32_t number, GError **error);

/* A statement in which each %w is the schema, prepared with these flags of SQLite; NULL where SQLite refuses it. */
sqlite3_stmt *tcgrr_reader_prepare(struct tcgrr_reader *reader, const char *format, unsigned flags);
/* The statement for a query, ready to be bound; NULL with error. */
sqlite3_stmt *tcgrr_reader_query(struct tcgrr_reader *reader, enum tcgrr_reader_query which, GError **error);

/* Replaces `uses` (struct tcgrr_page_use) by the pages that the accesses of chunk `id` go to; none if it has no
 * accesses. *found says whether there is such a chunk. */
bool tcgrr_reader_pages(struct tcgrr_reader *reader, int64_t id, GArray *uses, bool *found, GError **error);
/* What accesses need besides statements. */
void tcgrr_reader_free_accesses(struct tcgrr_reader *reader);

/* No run has more, so that sums of a few such numbers do not overflow. */
#define TCGRR_READER_MAX_COUNT ((uint64_t)1 << 60)
#define TCGRR_READER_MAX_VCPUS 65536u

/* Whether a column of a row holds a number from 0 to `most`, or NULL. SQLite itself bounds nothing. */
bool tcgrr_reader_fits(sqlite3_stmt *row, int column, uint64_t most);

/* Both return false. */
bool tcgrr_reader_fail(struct tcgrr_reader *reader, const char *what, GError **error);
bool tcgrr_reader_damaged(struct tcgrr_reader *reader, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Checks and unpacks one row (part, size, data, digest) of rr_file into reader->scratch. */
bool tcgrr_reader_rr_part(struct tcgrr_reader *reader, sqlite3_stmt *statement, int64_t expected, GError **error);

#endif
