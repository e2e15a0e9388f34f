/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/codec/codec_sample.h"
#include "store/reader_internal.h"

#include <string.h>

static bool load_registers(struct tcgrr_reader *reader, sqlite3_stmt *statement, struct tcgrr_register_table *registers,
                           GError **error)
{
    int status;
    bool good = true;

    while (good && (status = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(statement, 1);
        const char *feature = (const char *)sqlite3_column_text(statement, 2);
        sqlite3_int64 size = sqlite3_column_int64(statement, 3);
        if (sqlite3_column_int64(statement, 0) != tcgrr_register_table_count(registers) || !name || !feature ||
            size < 0) {
            return tcgrr_reader_damaged(reader, error, "register %u is missing", tcgrr_register_table_count(registers));
        }
        if (tcgrr_register_table_count(registers) == 0 && (strcmp(name, "pc") != 0 || size != sizeof(uint64_t))) {
            return tcgrr_reader_damaged(reader, error, "its first register is not the pc");
        }
        good =
            tcgrr_register_table_add(registers, name, feature, (uint32_t)MIN(size, (sqlite3_int64)UINT32_MAX), error);
        if (!good) {
            g_prefix_error(error, "%s is damaged: ", reader->path);
        }
    }
    return good && (status == SQLITE_DONE || tcgrr_reader_fail(reader, "the registers", error));
}

struct tcgrr_register_table *tcgrr_reader_registers(struct tcgrr_reader *reader, GError **error)
{
    /* A trace that is still being recorded gets its registers, all at once, with its first sample. */
    if (reader->registers && tcgrr_register_table_count(reader->registers) > 0) {
        return reader->registers;
    }
    sqlite3_stmt *statement = tcgrr_reader_query(reader, TCGRR_QUERY_REGISTERS, error);
    struct tcgrr_register_table *registers = tcgrr_register_table_new();
    bool good = statement && load_registers(reader, statement, registers, error);

    sqlite3_reset(statement);
    tcgrr_register_table_unref(reader->registers);
    reader->registers = registers;
    return good ? registers : NULL;
}

static bool decode(struct tcgrr_reader *reader, sqlite3_stmt *statement, struct tcgrr_samples *samples, GError **error)
{
    struct tcgrr_register_table *registers = tcgrr_reader_registers(reader, error);
    struct tcgrr_sample_row row = {
        .chunk = (uint64_t)sqlite3_column_int64(statement, 0),
        .samples = (uint64_t)sqlite3_column_int64(statement, 1),
        .first_icount = (uint64_t)sqlite3_column_int64(statement, 2),
        .last_icount = (uint64_t)sqlite3_column_int64(statement, 3),
    };
    const uint8_t *data = sqlite3_column_blob(statement, 4);
    size_t size = (size_t)sqlite3_column_bytes(statement, 4);
    sqlite3_int64 execs = sqlite3_column_int64(statement, 6);
    sqlite3_int64 first_icount = sqlite3_column_int64(statement, 7);

    if (!registers) {
        return false;
    }
    if (tcgrr_sample_row_digest(&row, data, size) != (uint64_t)sqlite3_column_int64(statement, 5)) {
        return tcgrr_reader_damaged(reader, error,
                                    "the samples of chunk %" G_GUINT64_FORMAT " do not match their digest", row.chunk);
    }
    bool good = execs > 0 && execs <= TCGRR_CHUNK_EXECS && first_icount >= 0 &&
                tcgrr_samples_decode(data, size, registers, (uint32_t)execs, (tcgrr_icount)first_icount,
                                     reader->scratch, samples);
    const GArray *list = samples->list;
    if (!good || list->len != row.samples || g_array_index(list, struct tcgrr_sample, 0).icount != row.first_icount ||
        g_array_index(list, struct tcgrr_sample, list->len - 1).icount != row.last_icount) {
        tcgrr_samples_clear(samples);
        return tcgrr_reader_damaged(reader, error, "the samples of chunk %" G_GUINT64_FORMAT " are malformed",
                                    row.chunk);
    }
    return true;
}

static bool read_samples(struct tcgrr_reader *reader, enum tcgrr_reader_query which, int64_t key,
                         struct tcgrr_samples *samples, int64_t *id, GError **error)
{
    sqlite3_stmt *statement = tcgrr_reader_query(reader, which, error);
    if (!statement) {
        return false;
    }
    sqlite3_bind_int64(statement, 1, key);
    int status = sqlite3_step(statement);
    bool good = true;

    tcgrr_samples_clear(samples);
    *id = -1;
    if (status == SQLITE_ROW) {
        good = decode(reader, statement, samples, error);
        *id = sqlite3_column_int64(statement, 0);
    } else if (status != SQLITE_DONE) {
        good = tcgrr_reader_fail(reader, "the samples", error);
    }
    sqlite3_reset(statement);
    return good;
}

bool tcgrr_reader_samples_from(struct tcgrr_reader *reader, tcgrr_icount icount, struct tcgrr_samples *samples,
                               int64_t *id, GError **error)
{
    int64_t key = icount > INT64_MAX ? INT64_MAX : (int64_t)icount;
    return read_samples(reader, TCGRR_QUERY_SAMPLES_FROM, key, samples, id, error);
}

bool tcgrr_reader_samples_after(struct tcgrr_reader *reader, int64_t after, struct tcgrr_samples *samples, int64_t *id,
                                GError **error)
{
    return read_samples(reader, TCGRR_QUERY_SAMPLES_AFTER, after, samples, id, error);
}

bool tcgrr_reader_samples_of(struct tcgrr_reader *reader, int64_t wanted, struct tcgrr_samples *samples, int64_t *id,
                             GError **error)
{
    return read_samples(reader, TCGRR_QUERY_SAMPLES_OF, wanted, samples, id, error);
}

bool tcgrr_reader_samples_before(struct tcgrr_reader *reader, tcgrr_icount icount, struct tcgrr_samples *samples,
                                 int64_t *id, GError **error)
{
    int64_t key = icount > INT64_MAX ? INT64_MAX : (int64_t)icount;
    return read_samples(reader, TCGRR_QUERY_SAMPLES_BEFORE, key, samples, id, error);
}
