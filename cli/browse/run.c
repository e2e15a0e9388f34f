/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/browse/run_internal.h"

#include "cli/cli.h"
#include "store/error.h"
#include "store/layers.h"
#include "store/sql/sql.h"

#include <string.h>

/* ---- opening ---- */

static void selection_end(struct browse_selection *selection)
{
    g_clear_pointer(&selection->wanted, g_array_unref);
    g_clear_pointer(&selection->offsets, g_array_unref);
}

static bool open_database(struct browse_run *run, GError **error)
{
    g_autofree char *absolute = g_canonicalize_filename(run->path, NULL); /* so that no name is taken for a URI */

    if (sqlite3_open_v2(absolute, &run->db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot open %s: %s", run->path, sqlite3_errmsg(run->db));
        return false;
    }
    sqlite3_busy_timeout(run->db, 5000);
    if (!tcgrr_sql_register(run->db, error)) {
        return false;
    }
    run->sql = tcgrr_sql_new(run->db);
    run->trace = tcgrr_sql_trace_get(run->sql, "main", error);
    return run->trace != NULL;
}

static bool load(struct browse_run *run, GError **error)
{
    struct tcgrr_totals totals;
    struct tcgrr_reader *reader =
        tcgrr_reader_open(run->path, error); /* has the best error message for an invalid file */

    if (!reader) {
        return false;
    }
    bool good = tcgrr_reader_need_level(reader, TCGRR_LEVEL_FLOW, false, error) &&
                tcgrr_reader_totals(reader, &totals, error) && tcgrr_symbols_add_trace(run->symbols, reader, error);
    tcgrr_reader_free(reader);
    if (!good || !open_database(run, error)) {
        return false;
    }
    run->length = totals.icount;
    if (run->length == 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s has no executions to look at", run->path);
        return false;
    }
    run->stacks = tcgrr_callstacks_new(run->trace);
    return browse_go(run, 0, error) && browse_bookmarks_read(run, error);
}

struct browse_run *browse_run_open(const char *path, GError **error)
{
    struct browse_run *run = g_new0(struct browse_run, 1);
    run->path = g_strdup(path);
    run->symbols = tcgrr_symbols_new();
    run->bookmarks = browse_lines_new();
    if (!load(run, error)) {
        g_clear_pointer(&run, browse_run_free);
    }
    return run;
}

void browse_run_free(struct browse_run *run)
{
    if (!run) {
        return;
    }
    tcgrr_callstacks_free(run->stacks);
    tcgrr_sql_trace_unref(run->trace);
    if (run->sql) {
        tcgrr_sql_finalize(run->sql);
        tcgrr_sql_unref(run->sql);
    }
    sqlite3_close(run->db);
    tcgrr_symbols_free(run->symbols);
    g_ptr_array_unref(run->bookmarks);
    selection_end(&run->found);
    g_free(run->searched);
    g_free(run->path);
    g_free(run);
}

const char *browse_run_path(const struct browse_run *run)
{
    return run->path;
}

const struct tcgrr_run *browse_run_about(const struct browse_run *run)
{
    return tcgrr_reader_run(tcgrr_sql_trace_reader(run->trace));
}

tcgrr_icount browse_run_length(const struct browse_run *run)
{
    return run->length;
}

struct browse_place browse_run_place(const struct browse_run *run)
{
    return run->place;
}

sqlite3_stmt *browse_prepare(struct browse_run *run, const char *sql, tcgrr_icount icount, GError **error)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(run->db, sql, -1, &statement, NULL) != SQLITE_OK) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s: %s", run->path, sqlite3_errmsg(run->db));
        return NULL;
    }
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)icount);
    return statement;
}

bool browse_finish(struct browse_run *run, sqlite3_stmt *statement, int status, GError **error)
{
    bool good = status == SQLITE_ROW || status == SQLITE_DONE;
    if (!good) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s: %s", run->path, sqlite3_errmsg(run->db));
    }
    sqlite3_finalize(statement);
    return good;
}

/* ---- places ---- */

void browse_place_of(const struct tcgrr_exec_walk *walk, uint32_t insn, struct browse_place *place)
{
    place->icount = walk->at.icount + insn;
    place->seq = (tcgrr_seq)tcgrr_exec_walk_seq(walk);
    place->block = tcgrr_exec_walk_block(walk);
    place->insn = insn;
    place->pc = tcgrr_block_pc(walk->at.block, insn);
    place->vcpu = walk->at.vcpu;
}

/* What a walk searches for in the executions that it visits. */
struct target {
    enum browse_direction direction;
    tcgrr_icount icount;   /* at it, or `direction` from it, without itself */
    bool at;               /* at it is good, too */
    const GArray *offsets; /* of uint32_t by block: the instruction wanted in it; NULL: any */
};

/* The instruction of an execution that is nearest to where the target begins. */
static bool matches(const struct target *target, const struct tcgrr_exec_walk *walk, uint32_t *insn)
{
    const struct tcgrr_cursor *at = &walk->at;
    bool on = target->direction == BROWSE_ON;
    tcgrr_icount least = target->at || !on ? target->icount : target->icount + 1;

    if (at->ran == 0) {
        return false;
    }
    if (target->offsets) {
        *insn = g_array_index(target->offsets, uint32_t, tcgrr_exec_walk_block(walk));
    } else if (on) {
        *insn = least > at->icount ? (uint32_t)MIN(least - at->icount, at->ran) : 0;
    } else {
        *insn = target->icount > at->icount ? (uint32_t)MIN(target->icount - at->icount, at->ran) - 1 : at->ran;
    }
    tcgrr_icount icount = at->icount + *insn;
    return *insn < at->ran && (on ? icount >= least : icount < target->icount);
}

/* Goes to the nearest instruction that the target wants. */
static bool seek(struct browse_run *run, const struct target *target, const GArray *wanted, bool *moved, GError **error)
{
    struct tcgrr_exec_range range = TCGRR_EXEC_RANGE_ALL;
    struct tcgrr_exec_walk walk = {0};
    uint32_t insn;

    range.wanted = wanted;
    range.descending = target->direction == BROWSE_BACK;
    *(range.descending ? &range.last_icount : &range.first_icount) = (int64_t)target->icount;
    *moved = false;
    bool good = tcgrr_exec_walk_begin(&walk, tcgrr_sql_trace_chunk_cache(run->trace), &range, error);
    while (good && !walk.end && !*moved) {
        *moved = matches(target, &walk, &insn);
        if (*moved) {
            browse_place_of(&walk, insn, &run->place);
        } else {
            good = tcgrr_exec_walk_next(&walk, error);
        }
    }
    tcgrr_exec_walk_end(&walk);
    return good;
}

bool browse_go(struct browse_run *run, tcgrr_icount icount, GError **error)
{
    struct target there = {.direction = BROWSE_ON, .icount = MIN(icount, run->length), .at = true};
    struct target before = {.direction = BROWSE_BACK, .icount = there.icount};
    bool moved = false;
    bool good = there.icount < run->length ? seek(run, &there, NULL, &moved, error) : true;
    if (good && !moved) {
        good = seek(run, &before, NULL, &moved, error);
    }
    if (good && !moved) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s has no instruction at icount %" G_GUINT64_FORMAT,
                    run->path, icount);
        good = false;
    }
    return good;
}

bool browse_step(struct browse_run *run, enum browse_direction direction, bool *moved, GError **error)
{
    struct target target = {.direction = direction, .icount = run->place.icount};
    return seek(run, &target, NULL, moved, error);
}

/* ---- moves to code ---- */

static void selection_begin(struct browse_selection *selection, uint32_t blocks)
{
    selection->wanted = g_array_sized_new(FALSE, TRUE, sizeof(bool), blocks);
    selection->offsets = g_array_sized_new(FALSE, TRUE, sizeof(uint32_t), blocks);
    g_array_set_size(selection->wanted, blocks);
    g_array_set_size(selection->offsets, blocks);
}

static void select_block(struct browse_selection *selection, uint32_t block, uint32_t insn)
{
    g_array_index(selection->wanted, bool, block) = true;
    g_array_index(selection->offsets, uint32_t, block) = insn;
}

static bool seek_selection(struct browse_run *run, const struct browse_selection *selection,
                           enum browse_direction direction, bool *moved, GError **error)
{
    struct target target = {.direction = direction, .icount = run->place.icount, .offsets = selection->offsets};
    return seek(run, &target, selection->wanted, moved, error);
}

/* Likewise, and frees it. */
static bool seek_once(struct browse_run *run, struct browse_selection *selection, enum browse_direction direction,
                      bool *moved, GError **error)
{
    bool good = seek_selection(run, selection, direction, moved, error);
    selection_end(selection);
    return good;
}

bool browse_block(struct browse_run *run, enum browse_direction direction, bool *moved, GError **error)
{
    const struct tcgrr_blocks *blocks = tcgrr_sql_trace_blocks(run->trace, error);
    struct browse_selection selection;

    if (!blocks) {
        return false;
    }
    selection_begin(&selection, tcgrr_blocks_count(blocks));
    select_block(&selection, run->place.block, 0);
    return seek_once(run, &selection, direction, moved, error);
}

/* Whether an instruction of the block begins at `pc`. */
static bool find_pc(const struct tcgrr_block *block, uint64_t pc, uint32_t *insn)
{
    uint64_t at = block->pc;
    if (pc - block->pc >= block->size) {
        return false;
    }
    for (*insn = 0; *insn < block->insns && at < pc; (*insn)++) {
        at += block->lengths[*insn];
    }
    return at == pc;
}

bool browse_pc(struct browse_run *run, uint64_t pc, enum browse_direction direction, bool *moved, GError **error)
{
    const struct tcgrr_blocks *blocks = tcgrr_sql_trace_blocks(run->trace, error);
    struct browse_selection selection;
    uint32_t insn;

    if (!blocks) {
        return false;
    }
    selection_begin(&selection, tcgrr_blocks_count(blocks));
    for (uint32_t i = 0; i < selection.wanted->len; i++) {
        if (find_pc(tcgrr_blocks_get(blocks, i), pc, &insn)) {
            select_block(&selection, i, insn);
        }
    }
    return seek_once(run, &selection, direction, moved, error);
}

/* The first instruction, or backwards the last one, of a block whose text has `text` in it. */
static bool find_text(char **texts, const char *text, enum browse_direction direction, uint32_t *insn)
{
    bool found = false;
    for (uint32_t i = 0; texts[i] && !(found && direction == BROWSE_ON); i++) {
        g_autofree char *small = g_ascii_strdown(texts[i], -1);
        if (strstr(small, text)) {
            *insn = i;
            found = true;
        }
    }
    return found;
}

/* The next match in the rest of the current execution. */
static bool search_here(struct browse_run *run, const char *text, enum browse_direction direction, bool *moved,
                        GError **error)
{
    char **texts = tcgrr_sql_trace_disasm(run->trace, run->place.block, error);
    struct browse_place start = run->place;

    *moved = false;
    if (!texts) {
        return false;
    }
    int step = direction == BROWSE_ON ? 1 : -1;
    for (int64_t i = (int64_t)start.insn + step; i >= 0 && texts[i]; i += step) {
        g_autofree char *small = g_ascii_strdown(texts[i], -1);
        if (strstr(small, text)) {
            if (!browse_go(run, start.icount + (tcgrr_icount)(i - start.insn), error)) {
                return false;
            }
            *moved = run->place.seq == start.seq; /* else the execution ended before it */
            run->place = *moved ? run->place : start;
            return true;
        }
    }
    return true;
}

/* Searches the texts of all blocks, unless the same text was searched for before. */
static bool search_blocks(struct browse_run *run, const char *text, enum browse_direction direction, GError **error)
{
    const struct tcgrr_blocks *blocks = tcgrr_sql_trace_blocks(run->trace, error);

    if (blocks && g_strcmp0(run->searched, text) == 0 && run->searched_in == direction) {
        return true;
    }
    selection_end(&run->found);
    g_clear_pointer(&run->searched, g_free);
    if (!blocks) {
        return false;
    }
    selection_begin(&run->found, tcgrr_blocks_count(blocks));
    for (uint32_t i = 0; i < run->found.wanted->len; i++) {
        char **texts = tcgrr_sql_trace_disasm(run->trace, i, error);
        uint32_t insn = 0;
        if (!texts) {
            return false;
        }
        if (find_text(texts, text, direction, &insn)) {
            select_block(&run->found, i, insn);
        }
    }
    run->searched = g_strdup(text);
    run->searched_in = direction;
    return true;
}

bool browse_search(struct browse_run *run, const char *text, enum browse_direction direction, bool *moved,
                   GError **error)
{
    g_autofree char *small = g_ascii_strdown(text, -1);

    return search_here(run, small, direction, moved, error) &&
           (*moved ||
            (search_blocks(run, small, direction, error) && seek_selection(run, &run->found, direction, moved, error)));
}

/* ---- other moves ---- */

/* To the icount in the first row of a statement, which it finalizes. */
static bool go_to_row(struct browse_run *run, sqlite3_stmt *statement, bool *moved, GError **error)
{
    int status = sqlite3_step(statement);
    tcgrr_icount icount = status == SQLITE_ROW ? (tcgrr_icount)sqlite3_column_int64(statement, 0) : 0;

    *moved = status == SQLITE_ROW;
    return browse_finish(run, statement, status, error) && (!*moved || browse_go(run, icount, error));
}

bool browse_event(struct browse_run *run, enum browse_direction direction, bool *moved, GError **error)
{
    sqlite3_stmt *statement = browse_prepare(
        run,
        direction == BROWSE_ON
            ? "SELECT icount FROM event WHERE icount > ? AND kind <> 'flush' ORDER BY icount LIMIT 1"
            : "SELECT icount FROM event WHERE icount < ? AND kind <> 'flush' ORDER BY icount DESC LIMIT 1",
        run->place.icount, error);
    return statement && go_to_row(run, statement, moved, error);
}

bool browse_access(struct browse_run *run, uint64_t address, enum browse_direction direction, bool *moved,
                   GError **error)
{
    sqlite3_stmt *statement = browse_prepare(
        run,
        direction == BROWSE_ON ? "SELECT icount FROM mem WHERE icount > ? AND covers = ?2 ORDER BY icount LIMIT 1"
                               : "SELECT icount FROM mem WHERE icount < ? AND covers = ?2 ORDER BY icount DESC LIMIT 1",
        run->place.icount, error);
    if (!statement) {
        return false;
    }
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)address);
    return go_to_row(run, statement, moved, error);
}

bool browse_caller(struct browse_run *run, bool *moved, GError **error)
{
    struct tcgrr_callstack found = {.frames = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_frame))};
    bool good = true;

    *moved = false;
    for (bool done = false; good && !done;) {
        good = tcgrr_callstacks_look(run->stacks, run->place.icount, &found, &done, error);
    }
    if (good && found.frames->len > 1) {
        const struct tcgrr_frame *top = &g_array_index(found.frames, struct tcgrr_frame, found.frames->len - 1);
        struct target before = {.direction = BROWSE_BACK, .icount = top->icount};
        good = seek(run, &before, NULL, moved, error);
    }
    g_array_unref(found.frames);
    return good;
}

/* ---- what a user wrote ---- */

static bool find_code(struct browse_run *run, uint64_t pc, const char *text, bool *moved, GError **error)
{
    struct browse_place start = run->place;

    if (!browse_pc(run, pc, BROWSE_ON, moved, error)) {
        return false;
    }
    if (*moved) {
        return true;
    }
    bool good = browse_go(run, 0, error);
    *moved = good && run->place.pc == pc;
    good = good && (*moved || browse_pc(run, pc, BROWSE_ON, moved, error));
    if (good && !*moved) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "%s did not run", text);
        good = false;
    }
    run->place = good ? run->place : start;
    return good;
}

bool browse_find(struct browse_run *run, const char *text, bool *moved, GError **error)
{
    const struct tcgrr_symbol *symbol = tcgrr_symbols_find(run->symbols, text);
    size_t length = strlen(text);
    char *end = NULL;
    uint64_t icount;
    guint64 value;

    *moved = true;
    if (symbol) {
        return find_code(run, symbol->address, text, moved, error);
    }
    if (g_str_has_prefix(text, "0x") && g_ascii_string_to_unsigned(text + 2, 16, 0, UINT64_MAX, &value, NULL)) {
        return find_code(run, value, text, moved, error);
    }
    if (cli_parse_icount(text, &icount)) {
        return browse_go(run, icount, error);
    }
    double share = length > 1 && text[length - 1] == '%' ? g_ascii_strtod(text, &end) : -1;
    if (share >= 0 && share <= 100 && end == text + length - 1) {
        return browse_go(run, (tcgrr_icount)((double)run->length * share / 100), error);
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "'%s' is not an icount, a percentage (12.5%%), a 0x address%s",
                text,
                tcgrr_symbols_list(run->symbols)->len ? " or a symbol of the trace"
                                                      : " or a symbol: the trace has none (tcgrr symbols TRACE FILE)");
    return false;
}
