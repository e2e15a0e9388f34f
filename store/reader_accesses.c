/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/codec/codec_access.h"
#include "store/reader_internal.h"

struct region {
    uint64_t first;
    uint64_t last;
    char *name;
};

void tcgrr_reader_free_accesses(struct tcgrr_reader *reader)
{
    tcgrr_access_codec_free(reader->access_codec);
    if (reader->devices) {
        g_ptr_array_unref(reader->devices);
    }
    if (reader->regions) {
        g_array_unref(reader->regions);
    }
}

/* ---- accesses ---- */

/* Leaves out what instructions accessed that, as it turned out, did not retire. */
static void drop_unretired(struct tcgrr_chunk *chunk)
{
    struct tcgrr_access *accesses = (struct tcgrr_access *)(void *)chunk->accesses->data;
    guint partial = 0;
    guint to = 0;

    for (guint from = 0; from < chunk->accesses->len; from++) {
        const struct tcgrr_partial *at;
        while (partial < chunk->partials->len &&
               g_array_index(chunk->partials, struct tcgrr_partial, partial).index < accesses[from].exec) {
            partial++;
        }
        at = partial < chunk->partials->len ? &g_array_index(chunk->partials, struct tcgrr_partial, partial) : NULL;
        if (!at || at->index != accesses[from].exec || accesses[from].insn < at->ran) {
            if (to < from) {
                accesses[to] = accesses[from];
            }
            to++;
        }
    }
    g_array_set_size(chunk->accesses, to);
}

static bool decode(struct tcgrr_reader *reader, sqlite3_stmt *statement, int64_t id, struct tcgrr_chunk *chunk,
                   GError **error)
{
    sqlite3_int64 count = sqlite3_column_int64(statement, 0);
    const uint8_t *data = sqlite3_column_blob(statement, 1);
    size_t size = (size_t)sqlite3_column_bytes(statement, 1);

    if (count <= 0 || tcgrr_mem_row_digest((uint64_t)id, (uint64_t)count, data, size) !=
                          (uint64_t)sqlite3_column_int64(statement, 2)) {
        return tcgrr_reader_damaged(reader, error,
                                    "the memory accesses of chunk %" G_GINT64_FORMAT " do not match their digest", id);
    }
    if (!reader->access_codec) {
        reader->access_codec = tcgrr_access_codec_new();
    }
    if (!tcgrr_access_decode(reader->access_codec, data, size, (uint64_t)count, chunk, reader->blocks, error)) {
        g_prefix_error(error, "%s: chunk %" G_GINT64_FORMAT ": ", reader->path, id);
        return false;
    }
    drop_unretired(chunk);
    return true;
}

bool tcgrr_reader_accesses(struct tcgrr_reader *reader, int64_t id, struct tcgrr_chunk *chunk, GError **error)
{
    sqlite3_stmt *statement = tcgrr_reader_query(reader, TCGRR_QUERY_MEM, error);
    if (!statement) {
        return false;
    }
    sqlite3_bind_int64(statement, 1, id);
    int status = sqlite3_step(statement);
    bool good = true;

    g_array_set_size(chunk->accesses, 0);
    if (status == SQLITE_ROW) {
        good = decode(reader, statement, id, chunk, error);
    } else if (status != SQLITE_DONE) {
        good = tcgrr_reader_fail(reader, "the memory accesses", error);
    }
    sqlite3_reset(statement);
    return good;
}

bool tcgrr_reader_pages(struct tcgrr_reader *reader, int64_t id, GArray *uses, bool *found, GError **error)
{
    sqlite3_stmt *statement = tcgrr_reader_query(reader, TCGRR_QUERY_MEM_PAGES, error);
    if (!statement) {
        return false;
    }
    sqlite3_bind_int64(statement, 1, id);
    int status = sqlite3_step(statement);
    bool good = true;

    g_array_set_size(uses, 0);
    *found = status == SQLITE_ROW;
    if (*found && sqlite3_column_type(statement, 0) != SQLITE_NULL) {
        good = tcgrr_pages_decode(sqlite3_column_blob(statement, 0), (size_t)sqlite3_column_bytes(statement, 0),
                                  reader->scratch, uses) ||
               tcgrr_reader_damaged(reader, error, "the pages that chunk %" G_GINT64_FORMAT " accesses", id);
    } else if (!*found && status != SQLITE_DONE) {
        good = tcgrr_reader_fail(reader, "the pages of a chunk", error);
    }
    sqlite3_reset(statement);
    return good;
}

/* ---- names ---- */

static bool load_devices(struct tcgrr_reader *reader, GError **error)
{
    sqlite3_stmt *statement = tcgrr_reader_query(reader, TCGRR_QUERY_DEVICES, error);
    int status = SQLITE_ERROR;
    bool good = statement != NULL;

    reader->devices = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_set_size(reader->devices, TCGRR_DEVICE_UNNAMED + 1); /* 0 is memory */
    while (good && (status = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(statement, 1);
        good = (name && sqlite3_column_int64(statement, 0) == reader->devices->len) ||
               tcgrr_reader_damaged(reader, error, "device %u is missing", reader->devices->len);
        g_ptr_array_add(reader->devices, g_strdup(name));
    }
    sqlite3_reset(statement);
    return good && (status == SQLITE_DONE || tcgrr_reader_fail(reader, "the devices", error));
}

static void clear_region(gpointer data)
{
    g_free(((struct region *)data)->name);
}

static bool load_regions(struct tcgrr_reader *reader, GError **error)
{
    sqlite3_stmt *statement = tcgrr_reader_query(reader, TCGRR_QUERY_REGIONS, error);
    int status = SQLITE_ERROR;

    reader->regions = g_array_new(FALSE, FALSE, sizeof(struct region));
    g_array_set_clear_func(reader->regions, clear_region);
    while (statement && (status = sqlite3_step(statement)) == SQLITE_ROW) {
        struct region region = {
            .first = (uint64_t)sqlite3_column_int64(statement, 0),
            .last = (uint64_t)sqlite3_column_int64(statement, 1),
            .name = g_strdup((const char *)sqlite3_column_text(statement, 2)),
        };
        g_array_append_val(reader->regions, region);
    }
    sqlite3_reset(statement);
    return statement && (status == SQLITE_DONE || tcgrr_reader_fail(reader, "the memory map", error));
}

/* The map may have been queried more than once: the last result counts. NULL if there is no region. */
static const struct region *region_at(const struct tcgrr_reader *reader, uint64_t physical)
{
    for (guint i = reader->regions->len; i > 0; i--) {
        const struct region *region = &g_array_index(reader->regions, struct region, i - 1);
        if (physical >= region->first && physical <= region->last && region->name) {
            return region;
        }
    }
    return NULL;
}

static const char *mapped_name(const struct tcgrr_reader *reader, uint64_t physical)
{
    const struct region *region = region_at(reader, physical);
    return region ? region->name : "";
}

bool tcgrr_reader_region(struct tcgrr_reader *reader, uint64_t physical, uint64_t *first, GError **error)
{
    if (!reader->regions && !load_regions(reader, error)) {
        g_clear_pointer(&reader->regions, g_array_unref);
        return false;
    }
    const struct region *region = region_at(reader, physical);
    *first = region ? region->first : 0;
    return true;
}

const char *tcgrr_reader_device(struct tcgrr_reader *reader, const struct tcgrr_access *access, GError **error)
{
    if (!(access->flags & TCGRR_ACCESS_DEVICE)) {
        return NULL;
    }
    /* A trace that is still being recorded may have got more of them. */
    if (!reader->devices || access->device >= reader->devices->len) {
        g_clear_pointer(&reader->devices, g_ptr_array_unref);
        g_clear_pointer(&reader->regions, g_array_unref);
        if (!load_devices(reader, error) || !load_regions(reader, error)) {
            g_clear_pointer(&reader->devices, g_ptr_array_unref); /* or a half of them would be taken for all */
            g_clear_pointer(&reader->regions, g_array_unref);
            return NULL;
        }
    }
    const char *name =
        access->device < reader->devices->len ? g_ptr_array_index(reader->devices, access->device) : NULL;
    return name ? name : access->flags & TCGRR_ACCESS_PHYSICAL ? mapped_name(reader, access->physical) : "";
}
