/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory accesses, in the order in which they were made. idxNum is enum tcgrr_vtab_query_bit, as for exec, and bits of
 * its own.
 *
 *   SELECT icount, symbolize(pc), value FROM mem WHERE covers = 0x80201000 AND kind = 'store' ORDER BY icount DESC
 * LIMIT 1; SELECT device, kind, count(*) FROM mem WHERE device IS NOT NULL GROUP BY 1, 2;
 */
#include "store/access_pages.h"
#include "store/sql/vtab_query.h"
#include "store/sql/vtab_rows.h"

enum { ICOUNT, VCPU, PC, SEQ, KIND, ADDRESS, SIZE, VALUE, PHYSICAL, DEVICE, SYMBOL, PART, BLOCK, SCHEMA, COVERS };

enum bit {
    BIT_ADDRESS = TCGRR_VTAB_MORE,
    BIT_ADDRESS_LOW = TCGRR_VTAB_MORE << 1,
    BIT_ADDRESS_HIGH = TCGRR_VTAB_MORE << 2,
    BIT_PHYSICAL = TCGRR_VTAB_MORE << 3,
    BIT_PHYSICAL_LOW = TCGRR_VTAB_MORE << 4,
    BIT_PHYSICAL_HIGH = TCGRR_VTAB_MORE << 5,
    BIT_KIND = TCGRR_VTAB_MORE << 6,
    BIT_COVERS = TCGRR_VTAB_MORE << 7,
};

static const struct tcgrr_vtab_rule rules[] = {
    {ADDRESS, TCGRR_VTAB_EQ, BIT_ADDRESS, "address=?", 1e-6, false},
    {ADDRESS, TCGRR_VTAB_LOW, BIT_ADDRESS_LOW, "address>?", 0.1, false},
    {ADDRESS, TCGRR_VTAB_HIGH, BIT_ADDRESS_HIGH, "address<?", 0.1, false},
    {PHYSICAL, TCGRR_VTAB_EQ, BIT_PHYSICAL, "physical=?", 1e-6, false},
    {PHYSICAL, TCGRR_VTAB_LOW, BIT_PHYSICAL_LOW, "physical>?", 0.1, false},
    {PHYSICAL, TCGRR_VTAB_HIGH, BIT_PHYSICAL_HIGH, "physical<?", 0.1, false},
    {KIND, TCGRR_VTAB_EQ, BIT_KIND, "kind=?", 0.5, false},
    {COVERS, TCGRR_VTAB_EQ, BIT_COVERS, "covers=?", 1e-6, true},
};
#define RULES         G_N_ELEMENTS(rules)
#define EXPECTED_ROWS 2e8
#define LARGEST       16 /* bytes of an access */

struct mem_cursor {
    struct tcgrr_vtab_cursor base;
    struct tcgrr_vtab_query query;
    struct tcgrr_access_range wanted;
    int64_t covers; /* only accesses to this byte, if has_covers */
    bool has_covers;
    struct tcgrr_exec_walk walk;
    int64_t chunk; /* that `at` is in; -1: none */
    guint at;      /* the access */
};

static const char declaration[] =
    "CREATE TABLE mem( -- memory accesses of instructions that ran (record --level full)\n"
    "  icount INTEGER,   -- instructions before the one that makes it\n"
    "  vcpu INTEGER,\n"
    "  pc INTEGER,\n"
    "  seq INTEGER,      -- exec.seq of the execution it belongs to\n"
    "  kind TEXT,        -- 'load' or 'store'\n"
    "  address INTEGER,  -- virtual, of its lowest byte\n"
    "  size INTEGER,     -- bytes\n"
    "  value,            -- an integer up to 8 bytes, else a blob, lowest byte first;\n"
    "                    -- NULL: not known\n"
    "  physical INTEGER, -- address; NULL: not known\n"
    "  device TEXT,      -- its name, '' if it is not known; NULL: memory\n"
    "  symbol TEXT,      -- of pc: name+0x10\n"
    "  part INTEGER,     -- which of the instruction's accesses, from 0\n"
    "  block INTEGER,    -- block.id\n"
    "  schema TEXT HIDDEN,    -- mem('other'): of the trace attached as other\n"
    "  covers INTEGER HIDDEN  -- WHERE covers = X: accesses to the byte at address X\n"
    ")";

static int mem_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    static const struct tcgrr_vtab_columns columns = {.seq = SEQ,
                                                      .icount = ICOUNT,
                                                      .vcpu = VCPU,
                                                      .pc = PC,
                                                      .block = BLOCK,
                                                      .schema = SCHEMA,
                                                      .rowid = TCGRR_VTAB_NO_COLUMN};
    return tcgrr_vtab_query_plan(info, &columns, rules, RULES, EXPECTED_ROWS);
}

static int mem_open(sqlite3_vtab *table, sqlite3_vtab_cursor **cursor)
{
    struct mem_cursor *made = sqlite3_malloc(sizeof(*made));
    if (!made) {
        return SQLITE_NOMEM;
    }
    *made = (struct mem_cursor){0};
    *cursor = &made->base.base;
    return SQLITE_OK;
}

static int mem_close(sqlite3_vtab_cursor *base)
{
    struct mem_cursor *cursor = (struct mem_cursor *)base;
    tcgrr_exec_walk_end(&cursor->walk);
    tcgrr_vtab_query_clear(&cursor->query);
    tcgrr_sql_trace_unref(cursor->base.trace);
    sqlite3_free(cursor);
    return SQLITE_OK;
}

/* ---- what is wanted ---- */

static void read_kind(struct tcgrr_access_range *wanted, sqlite3_value *value)
{
    const char *kind = (const char *)sqlite3_value_text(value);
    bool load = kind && g_ascii_strcasecmp(kind, "load") == 0;
    bool store = kind && g_ascii_strcasecmp(kind, "store") == 0;
    wanted->flags = (load ? TCGRR_PAGE_USE_LOADED : 0) | (store ? TCGRR_PAGE_USE_STORED : 0);
}

/* An access to the byte begins at it, or a little before. */
static void read_covers(struct mem_cursor *cursor, sqlite3_value *value)
{
    int64_t low = INT64_MIN;
    int64_t high = INT64_MAX;

    tcgrr_vtab_narrow(value, TCGRR_VTAB_EQ, &low, &high);
    cursor->has_covers = true;
    cursor->covers = low;
    if (low > high) {
        cursor->wanted.flags = 0;
        return;
    }
    int64_t first = low < INT64_MIN + LARGEST ? INT64_MIN : low - (LARGEST - 1);
    cursor->wanted.first_address = MAX(cursor->wanted.first_address, first);
    cursor->wanted.last_address = MIN(cursor->wanted.last_address, low);
}

static void read_wanted(struct mem_cursor *cursor, int bits, sqlite3_value **arguments)
{
    struct tcgrr_access_range *wanted = &cursor->wanted;
    int64_t *const lows[] = {&wanted->first_address,  &wanted->first_address,  &wanted->first_address,
                             &wanted->first_physical, &wanted->first_physical, &wanted->first_physical};
    int64_t *const highs[] = {&wanted->last_address,  &wanted->last_address,  &wanted->last_address,
                              &wanted->last_physical, &wanted->last_physical, &wanted->last_physical};

    *wanted = (struct tcgrr_access_range){INT64_MIN, INT64_MAX, INT64_MIN, INT64_MAX,
                                          TCGRR_PAGE_USE_LOADED | TCGRR_PAGE_USE_STORED};
    cursor->has_covers = false;
    for (size_t i = 0; i < RULES; i++) {
        if (!(bits & (int)rules[i].bit)) {
            continue;
        }
        sqlite3_value *value = *arguments++;
        if (rules[i].bit == BIT_KIND) {
            read_kind(wanted, value);
        } else if (rules[i].bit == BIT_COVERS) {
            read_covers(cursor, value);
        } else {
            tcgrr_vtab_narrow(value, rules[i].relation, lows[i], highs[i]);
        }
    }
    if (wanted->first_address > wanted->last_address || wanted->first_physical > wanted->last_physical ||
        wanted->flags == 0) {
        cursor->query.range.last_seq = -1;
    }
    cursor->query.range.accesses = wanted;
    cursor->query.range.with_accesses = true;
}

/* ---- moving ---- */

static const struct tcgrr_access *access_at(const struct mem_cursor *cursor, guint at)
{
    return &g_array_index(cursor->walk.chunk->chunk->accesses, struct tcgrr_access, at);
}

static uint64_t pc_of(const struct mem_cursor *cursor)
{
    return tcgrr_block_pc(cursor->walk.at.block, access_at(cursor, cursor->at)->insn);
}

static bool is_wanted(const struct mem_cursor *cursor)
{
    const struct tcgrr_access *access = access_at(cursor, cursor->at);
    const struct tcgrr_access_range *wanted = &cursor->wanted;
    const struct tcgrr_vtab_query *query = &cursor->query;
    int64_t address = (int64_t)access->address;
    int64_t physical = (int64_t)access->physical;
    int64_t icount = (int64_t)(cursor->walk.at.icount + access->insn);
    uint8_t flag = access->flags & TCGRR_ACCESS_STORE ? TCGRR_PAGE_USE_STORED : TCGRR_PAGE_USE_LOADED;

    if (!(flag & wanted->flags) || address < wanted->first_address || address > wanted->last_address ||
        physical < wanted->first_physical || physical > wanted->last_physical || icount < query->range.first_icount ||
        icount > query->range.last_icount) {
        return false;
    }
    if (cursor->has_covers && (uint64_t)cursor->covers - access->address >= access->size) {
        return false;
    }
    int64_t pc = query->range.wanted ? (int64_t)pc_of(cursor) : query->first_pc;
    return pc >= query->first_pc && pc <= query->last_pc;
}

/*
 * Puts the cursor on the first access of the walk's execution, its last if descending; false if there is none. Stands
 * on or near those of the execution before.
 */
static bool find_first(struct mem_cursor *cursor)
{
    const GArray *accesses = cursor->walk.chunk->chunk->accesses;
    uint32_t exec = cursor->walk.at.index;

    if (cursor->query.range.descending) {
        while (cursor->at < accesses->len && access_at(cursor, cursor->at)->exec <= exec) {
            cursor->at++;
        }
        while (cursor->at > 0 && access_at(cursor, cursor->at - 1)->exec > exec) {
            cursor->at--;
        }
        return cursor->at > 0 && access_at(cursor, --cursor->at)->exec == exec;
    }
    while (cursor->at > 0 && access_at(cursor, cursor->at - 1)->exec >= exec) {
        cursor->at--;
    }
    while (cursor->at < accesses->len && access_at(cursor, cursor->at)->exec < exec) {
        cursor->at++;
    }
    return cursor->at < accesses->len && access_at(cursor, cursor->at)->exec == exec;
}

/* Moves to the execution's next access; false at its end, where the cursor then is. */
static bool step(struct mem_cursor *cursor)
{
    uint32_t exec = cursor->walk.at.index;

    if (cursor->query.range.descending) {
        if (cursor->at == 0 || access_at(cursor, cursor->at - 1)->exec != exec) {
            return false;
        }
        cursor->at--;
        return true;
    }
    cursor->at++;
    return cursor->at < cursor->walk.chunk->chunk->accesses->len && access_at(cursor, cursor->at)->exec == exec;
}

/* The walk has reached another execution. Returns whether it has accesses. */
static bool enter(struct mem_cursor *cursor)
{
    const struct tcgrr_exec_walk *walk = &cursor->walk;

    if (walk->end) {
        return false;
    }
    if (cursor->chunk != walk->chunk->id) {
        cursor->chunk = walk->chunk->id;
        cursor->at = 0;
    }
    return find_first(cursor);
}

/* From the current access on, which exists if `more`, to the next that is asked for. */
static int settle(struct mem_cursor *cursor, bool more)
{
    GError *error = NULL;
    while (!cursor->walk.end) {
        for (; more; more = step(cursor)) {
            if (is_wanted(cursor)) {
                return SQLITE_OK;
            }
        }
        if (!tcgrr_exec_walk_next(&cursor->walk, &error)) {
            return tcgrr_vtab_fail(cursor->base.base.pVtab, error);
        }
        more = enter(cursor);
    }
    return SQLITE_OK;
}

static int mem_filter(sqlite3_vtab_cursor *base, int bits, const char *text, int count, sqlite3_value **arguments)
{
    struct mem_cursor *cursor = (struct mem_cursor *)base;
    GError *error = NULL;

    tcgrr_exec_walk_end(&cursor->walk);
    cursor->chunk = -1;
    int status = tcgrr_vtab_query_read(&cursor->query, &cursor->base, TCGRR_LEVEL_FULL, bits, true, arguments);
    if (status != SQLITE_OK) {
        return status;
    }
    read_wanted(cursor, bits, arguments + tcgrr_vtab_query_arguments(bits));
    if (!tcgrr_exec_walk_begin(&cursor->walk, tcgrr_sql_trace_chunk_cache(cursor->base.trace), &cursor->query.range,
                               &error)) {
        return tcgrr_vtab_fail(base->pVtab, error);
    }
    return settle(cursor, enter(cursor));
}

static int mem_next(sqlite3_vtab_cursor *base)
{
    struct mem_cursor *cursor = (struct mem_cursor *)base;
    return settle(cursor, step(cursor));
}

static int mem_eof(sqlite3_vtab_cursor *base)
{
    return ((struct mem_cursor *)base)->walk.end;
}

/* ---- columns ---- */

static void result_value(sqlite3_context *context, const struct tcgrr_access *access)
{
    uint64_t bytes[2] = {GUINT64_TO_LE(access->value[0]), GUINT64_TO_LE(access->value[1])};

    if (!(access->flags & TCGRR_ACCESS_VALUE)) {
        sqlite3_result_null(context);
    } else if (access->size <= 8) {
        sqlite3_result_int64(context, (sqlite3_int64)access->value[0]);
    } else {
        sqlite3_result_blob(context, bytes, access->size, SQLITE_TRANSIENT);
    }
}

static int result_device(const struct mem_cursor *cursor, sqlite3_context *context, const struct tcgrr_access *access)
{
    GError *error = NULL;
    const char *name = tcgrr_reader_device(tcgrr_sql_trace_reader(cursor->base.trace), access, &error);

    if (error) {
        return tcgrr_vtab_fail(cursor->base.base.pVtab, error);
    }
    if (name) {
        sqlite3_result_text(context, name, -1, SQLITE_TRANSIENT);
    }
    return SQLITE_OK;
}

/* How many accesses of the same instruction come before it. */
static guint part_of(const struct mem_cursor *cursor)
{
    const struct tcgrr_access *access = access_at(cursor, cursor->at);
    guint part = 0;
    while (part < cursor->at && access_at(cursor, cursor->at - part - 1)->exec == access->exec &&
           access_at(cursor, cursor->at - part - 1)->insn == access->insn) {
        part++;
    }
    return part;
}

static int mem_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct mem_cursor *cursor = (struct mem_cursor *)base;
    const struct tcgrr_access *access = access_at(cursor, cursor->at);

    switch (column) {
    case ICOUNT:
        sqlite3_result_int64(context, (sqlite3_int64)(cursor->walk.at.icount + access->insn));
        break;
    case VCPU:
        sqlite3_result_int64(context, cursor->walk.at.vcpu);
        break;
    case PC:
        sqlite3_result_int64(context, (sqlite3_int64)pc_of(cursor));
        break;
    case SEQ:
        sqlite3_result_int64(context, tcgrr_exec_walk_seq(&cursor->walk));
        break;
    case KIND:
        sqlite3_result_text(context, access->flags & TCGRR_ACCESS_STORE ? "store" : "load", -1, SQLITE_STATIC);
        break;
    case ADDRESS:
        sqlite3_result_int64(context, (sqlite3_int64)access->address);
        break;
    case SIZE:
        sqlite3_result_int(context, access->size);
        break;
    case VALUE:
        result_value(context, access);
        break;
    case PHYSICAL:
        if (access->flags & TCGRR_ACCESS_PHYSICAL) {
            sqlite3_result_int64(context, (sqlite3_int64)access->physical);
        }
        break;
    case DEVICE:
        return result_device(cursor, context, access);
    case SYMBOL:
        return tcgrr_vtab_result_symbol_then(&cursor->base, context, pc_of(cursor),
                                             cursor->walk.at.icount + access->insn);
    case PART:
        sqlite3_result_int64(context, part_of(cursor));
        break;
    case BLOCK:
        sqlite3_result_int64(context, tcgrr_exec_walk_block(&cursor->walk));
        break;
    case SCHEMA:
        tcgrr_vtab_result_schema(context, &cursor->base);
        break;
    case COVERS:
        if (cursor->has_covers) {
            sqlite3_result_int64(context, cursor->covers);
        }
        break;
    default:
        break;
    }
    return SQLITE_OK;
}

static int mem_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
    const struct mem_cursor *cursor = (struct mem_cursor *)base;
    *rowid = cursor->walk.chunk->id << 20 | cursor->at;
    return SQLITE_OK;
}

const struct tcgrr_vtab_table tcgrr_vtab_mem = {
    .name = "mem",
    .declaration = declaration,
    .module =
        {
            .iVersion = 0,
            .xConnect = tcgrr_vtab_connect,
            .xBestIndex = mem_best_index,
            .xDisconnect = tcgrr_vtab_disconnect,
            .xOpen = mem_open,
            .xClose = mem_close,
            .xFilter = mem_filter,
            .xNext = mem_next,
            .xEof = mem_eof,
            .xColumn = mem_column,
            .xRowid = mem_rowid,
        },
};
