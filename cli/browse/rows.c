/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The surroundings of a place: instructions, stack, events, registers, accesses, and the bar of the whole run. */
#include "cli/browse/run_internal.h"

#include "store/isa/vectors.h"

#include <string.h>

/* ---- lists ---- */

static void free_line(void *data)
{
    g_free(((struct browse_line *)data)->text);
    g_free(data);
}

GPtrArray *browse_lines_new(void)
{
    return g_ptr_array_new_with_free_func(free_line);
}

void browse_lines_add(GPtrArray *lines, tcgrr_icount icount, char *text)
{
    struct browse_line line = {icount, text};
    g_ptr_array_add(lines, g_memdup2(&line, sizeof(line)));
}

/* The list, if it is whole; else NULL, and the list is freed. */
static GPtrArray *list_if_good(GPtrArray *list, bool good)
{
    if (!good) {
        g_ptr_array_unref(list);
    }
    return good ? list : NULL;
}

/* ---- instructions ---- */

static void free_row(void *data)
{
    struct browse_row *row = data;
    g_free(row->text);
    g_free(row->symbol);
    g_free(row);
}

static char *symbol_or_address(struct browse_run *run, uint64_t pc)
{
    char *name = pc == TCGRR_NO_PC ? g_strdup("?") : tcgrr_symbols_name(run->symbols, pc);
    return name ? name : g_strdup_printf("0x%" G_GINT64_MODIFIER "x", pc);
}

static char *event_text(struct browse_run *run, const struct tcgrr_event *event)
{
    const char *sure = event->inferred && !event->confirmed ? " (inferred)" : "";

    if (event->kind == TCGRR_EVENT_SYSCALL || event->kind == TCGRR_EVENT_SYSCALL_RETURN) {
        return event->kind == TCGRR_EVENT_SYSCALL
                   ? g_strdup_printf("syscall %" G_GINT64_FORMAT, event->number)
                   : g_strdup_printf("syscall %" G_GINT64_FORMAT " = %" G_GINT64_FORMAT, event->number, event->result);
    }
    if (!event->has_pcs) {
        return g_strdup_printf("%s%s", tcgrr_event_name(event->kind), sure);
    }
    g_autofree char *from = symbol_or_address(run, event->from_pc);
    g_autofree char *to = symbol_or_address(run, event->to_pc);
    const char *what = tcgrr_vector_name(tcgrr_reader_run(tcgrr_sql_trace_reader(run->trace))->target, event->to_pc);
    return g_strdup_printf("%s at %s to %s%s%s%s%s", tcgrr_event_name(event->kind), from, to, what ? " (" : "",
                           what ? what : "", what ? ")" : "", sure);
}

struct rows {
    struct browse_run *run;
    GPtrArray *list;
    tcgrr_icount first;
    GArray *events; /* struct tcgrr_event of the window */
    guint next;     /* of them */
};

static void keep_event(const struct tcgrr_event *event, void *data)
{
    struct rows *rows = data;
    if (event->kind != TCGRR_EVENT_FLUSH) {
        g_array_append_val(rows->events, *event);
    }
}

static void add_row(struct rows *rows, const struct browse_row *row)
{
    g_ptr_array_add(rows->list, g_memdup2(row, sizeof(*row)));
}

static void add_events(struct rows *rows, tcgrr_seq seq)
{
    for (; rows->next < rows->events->len; rows->next++) {
        const struct tcgrr_event *event = &g_array_index(rows->events, struct tcgrr_event, rows->next);
        struct browse_row row = {.kind = BROWSE_EVENT, .icount = event->icount, .vcpu = event->vcpu};
        if (event->seq > seq) {
            return;
        }
        if (event->icount >= rows->first) {
            row.text = event_text(rows->run, event);
            add_row(rows, &row);
        }
    }
}

/* The instructions of the walk's current execution, from `rows->first` on; those that it did not reach after
 * them. */
static bool add_execution(struct rows *rows, const struct tcgrr_exec_walk *walk, guint *here, GError **error)
{
    struct browse_run *run = rows->run;
    char **texts = tcgrr_sql_trace_disasm(run->trace, tcgrr_exec_walk_block(walk), error);
    struct browse_place place;

    if (!texts) {
        return false;
    }
    add_events(rows, (tcgrr_seq)tcgrr_exec_walk_seq(walk));
    for (uint32_t i = 0; i < walk->at.block->insns; i++) {
        browse_place_of(walk, i, &place);
        if (place.icount < rows->first) {
            continue;
        }
        if (place.seq == run->place.seq && i == run->place.insn) {
            *here = rows->list->len;
        }
        struct browse_row row = {.kind = i < walk->at.ran ? BROWSE_INSN : BROWSE_NOT_REACHED,
                                 .icount = place.icount,
                                 .vcpu = place.vcpu,
                                 .pc = place.pc,
                                 .begins = i == 0,
                                 .ends = i + 1 == walk->at.block->insns,
                                 .text = g_strdup(texts[i]),
                                 .symbol = tcgrr_symbols_name_at(run->symbols, place.pc, place.icount)};
        add_row(rows, &row);
    }
    return true;
}

GPtrArray *browse_rows(struct browse_run *run, guint before, guint after, guint *here, GError **error)
{
    struct tcgrr_exec_range range = TCGRR_EXEC_RANGE_ALL;
    struct tcgrr_exec_walk walk = {0};
    struct rows rows = {.run = run,
                        .list = g_ptr_array_new_with_free_func(free_row),
                        .first = run->place.icount > before ? run->place.icount - before : 0,
                        .events = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_event))};
    tcgrr_icount last = run->place.icount + after;

    *here = 0;
    range.first_icount = (int64_t)rows.first;
    range.last_icount = (int64_t)last;
    bool good = tcgrr_reader_query(tcgrr_sql_trace_reader(run->trace), TCGRR_QUERY_EVENTS, error) &&
                tcgrr_reader_events(tcgrr_sql_trace_reader(run->trace), rows.first, last, keep_event, &rows, error) &&
                tcgrr_exec_walk_begin(&walk, tcgrr_sql_trace_chunk_cache(run->trace), &range, error);
    while (good && !walk.end) {
        good = add_execution(&rows, &walk, here, error) && tcgrr_exec_walk_next(&walk, error);
    }
    if (good) {
        add_events(&rows, UINT64_MAX);
    }
    tcgrr_exec_walk_end(&walk);
    g_array_unref(rows.events);
    return list_if_good(rows.list, good);
}

/* ---- stack ---- */

static void free_frame(void *data)
{
    g_free(((struct browse_frame *)data)->symbol);
    g_free(((struct browse_frame *)data)->line);
    g_free(data);
}

char *browse_source(struct browse_run *run)
{
    g_autofree char *line = tcgrr_sql_trace_source(run->trace, run->place.pc, false, NULL);
    g_autofree char *inlined = line ? tcgrr_sql_trace_source(run->trace, run->place.pc, true, NULL) : NULL;
    return line ? g_strconcat(line, inlined ? ", " : NULL, inlined, NULL) : NULL;
}

bool browse_stack(struct browse_run *run, GPtrArray **frames, GError **error)
{
    static const char *const kinds[] = {"start", "call", "interrupt", "exception"};
    struct tcgrr_callstack found = {.frames = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_frame))};
    bool done = false;

    *frames = NULL;
    bool good = tcgrr_callstacks_look(run->stacks, run->place.icount, &found, &done, error);
    if (good && done) {
        *frames = g_ptr_array_new_with_free_func(free_frame);
    }
    uint64_t pc = found.pc;
    for (guint i = found.frames->len; good && done && i-- > 0;) {
        const struct tcgrr_frame *frame = &g_array_index(found.frames, struct tcgrr_frame, i);
        g_autofree char *source = tcgrr_sql_trace_source(run->trace, pc, false, NULL);
        struct browse_frame line = {.kind = kinds[frame->kind],
                                    .pc = pc,
                                    .entered = frame->icount,
                                    .symbol = tcgrr_symbols_name(run->symbols, pc),
                                    .line = source ? g_path_get_basename(source) : NULL};
        g_ptr_array_add(*frames, g_memdup2(&line, sizeof(line)));
        pc = frame->from;
    }
    g_array_unref(found.frames);
    return good;
}

/* ---- events ---- */

/* One row of `event`: icount, kind, inferred, from_pc, to_pc, number, result. */
static void read_event(sqlite3_stmt *statement, struct tcgrr_event *event)
{
    *event = (struct tcgrr_event){.icount = (tcgrr_icount)sqlite3_column_int64(statement, 0)};
    tcgrr_event_kind_of((const char *)sqlite3_column_text(statement, 1), &event->kind);
    event->inferred = g_strcmp0((const char *)sqlite3_column_text(statement, 2), "inferred") == 0;
    event->has_pcs = sqlite3_column_type(statement, 4) != SQLITE_NULL;
    event->from_pc =
        sqlite3_column_type(statement, 3) == SQLITE_NULL ? TCGRR_NO_PC : (uint64_t)sqlite3_column_int64(statement, 3);
    event->to_pc = (uint64_t)sqlite3_column_int64(statement, 4);
    event->number = sqlite3_column_int64(statement, 5);
    event->result = sqlite3_column_int64(statement, 6);
}

static bool add_event_lines(struct browse_run *run, const char *sql, guint limit, GPtrArray *lines, GError **error)
{
    sqlite3_stmt *statement = browse_prepare(run, sql, run->place.icount, error);
    struct tcgrr_event event;
    int status = SQLITE_DONE;

    if (!statement) {
        return false;
    }
    sqlite3_bind_int64(statement, 2, limit);
    while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
        read_event(statement, &event);
        browse_lines_add(lines, event.icount, event_text(run, &event));
    }
    return browse_finish(run, statement, status, error);
}

GPtrArray *browse_events(struct browse_run *run, guint before, guint after, guint *here, GError **error)
{
    GPtrArray *lines = browse_lines_new();
    bool good =
        add_event_lines(run,
                        "SELECT * FROM (SELECT icount, kind, source, from_pc, to_pc, number, result, id FROM event"
                        " WHERE icount < ? AND kind <> 'flush' ORDER BY icount DESC, id DESC LIMIT ?2)"
                        " ORDER BY icount, id",
                        before, lines, error);
    *here = lines->len;
    good = good && add_event_lines(run,
                                   "SELECT icount, kind, source, from_pc, to_pc, number, result FROM event"
                                   " WHERE icount >= ? AND kind <> 'flush' ORDER BY icount, id LIMIT ?2",
                                   after, lines, error);
    return list_if_good(lines, good);
}

/* ---- registers and memory ---- */

/* A value of SQL: an integer, or a blob with its lowest byte first. Owned by the caller. */
static char *value_text(sqlite3_stmt *statement, int column, int size)
{
    if (sqlite3_column_type(statement, column) == SQLITE_NULL) {
        return g_strdup("?");
    }
    if (sqlite3_column_type(statement, column) == SQLITE_INTEGER) {
        uint64_t value = (uint64_t)sqlite3_column_int64(statement, column);
        value &= size < 8 ? (UINT64_C(1) << size * 8) - 1 : UINT64_MAX;
        return g_strdup_printf("0x%0*" G_GINT64_MODIFIER "x", size * 2, value);
    }
    GString *text = g_string_new("0x");
    const uint8_t *bytes = sqlite3_column_blob(statement, column);
    for (int i = sqlite3_column_bytes(statement, column); i > 0; i--) {
        g_string_append_printf(text, "%02x", bytes[i - 1]);
    }
    return g_string_free(text, FALSE);
}

bool browse_has_registers(const struct browse_run *run)
{
    enum tcgrr_level level;
    return tcgrr_level_of(browse_run_about(run)->level, &level) && level >= TCGRR_LEVEL_STATE;
}

bool browse_has_accesses(const struct browse_run *run)
{
    const struct tcgrr_run *about = browse_run_about(run);
    enum tcgrr_level level;
    return tcgrr_level_of(about->level, &level) && level >= TCGRR_LEVEL_FULL &&
           (about->mem_from < 0 || run->place.icount >= (tcgrr_icount)about->mem_from) &&
           (about->mem_until < 0 || run->place.icount < (tcgrr_icount)about->mem_until);
}

/* The last sample at or before the place: searched for first in the chunk, which mostly has it. */
static bool last_sample(struct browse_run *run, int64_t *icount, GError **error)
{
    *icount = -1;
    for (tcgrr_icount reach = 1 << 20; *icount < 0; reach *= 16) {
        tcgrr_icount from = run->place.icount > reach ? run->place.icount - reach : 0;
        sqlite3_stmt *statement = browse_prepare(
            run, "SELECT max(icount) FROM state WHERE icount <= ? AND icount >= ?2", run->place.icount, error);
        if (!statement) {
            return false;
        }
        sqlite3_bind_int64(statement, 2, (sqlite3_int64)from);
        int status = sqlite3_step(statement);
        bool found = status == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL;
        *icount = found ? sqlite3_column_int64(statement, 0) : -1;
        if (!browse_finish(run, statement, status, error)) {
            return false;
        }
        if (from == 0) {
            break;
        }
    }
    return true;
}

GPtrArray *browse_registers(struct browse_run *run, tcgrr_icount *at, GError **error)
{
    GPtrArray *lines = browse_lines_new();
    int64_t sampled;
    int status = SQLITE_DONE;

    if (!last_sample(run, &sampled, error)) {
        return list_if_good(lines, false);
    }
    if (sampled < 0) {
        return lines;
    }
    *at = (tcgrr_icount)sampled;
    sqlite3_stmt *statement =
        browse_prepare(run, "SELECT register, value, size FROM state WHERE icount = ?", *at, error);
    if (!statement) {
        return list_if_good(lines, false);
    }
    while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
        g_autofree char *value = value_text(statement, 1, sqlite3_column_int(statement, 2));
        browse_lines_add(lines, *at,
                         g_strdup_printf("%-6s %s", (const char *)sqlite3_column_text(statement, 0), value));
    }
    return list_if_good(lines, browse_finish(run, statement, status, error));
}

GPtrArray *browse_accesses(struct browse_run *run, GError **error)
{
    GPtrArray *lines = browse_lines_new();
    sqlite3_stmt *statement = browse_prepare(run, "SELECT kind, size, address, value, device FROM mem WHERE icount = ?",
                                             run->place.icount, error);
    int status = SQLITE_DONE;

    if (!statement) {
        return list_if_good(lines, false);
    }
    while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
        g_autofree char *value = value_text(statement, 3, sqlite3_column_int(statement, 1));
        const char *device = (const char *)sqlite3_column_text(statement, 4);
        browse_lines_add(lines, run->place.icount,
                         g_strdup_printf("%s %d 0x%" G_GINT64_MODIFIER "x = %s%s%s",
                                         (const char *)sqlite3_column_text(statement, 0),
                                         sqlite3_column_int(statement, 1), (uint64_t)sqlite3_column_int64(statement, 2),
                                         value, device ? "  " : "",
                                         device && !*device ? "a device"
                                         : device           ? device
                                                            : ""));
    }
    return list_if_good(lines, browse_finish(run, statement, status, error));
}

char *browse_fill_command(const struct browse_run *run, enum tcgrr_level level)
{
    tcgrr_icount from = run->place.icount > 1000000 ? run->place.icount - 1000000 : 0;
    return g_strdup_printf("tcgrr fill %s --level %s --from %" G_GUINT64_FORMAT " --until %" G_GUINT64_FORMAT,
                           run->path, tcgrr_level_name(level), from, MIN(run->place.icount + 1000000, run->length));
}

/* ---- the bar ---- */

guint browse_bar_column(const struct browse_run *run, guint width, tcgrr_icount icount)
{
    return (guint)MIN((double)icount / (double)run->length * width, width - 1);
}

static bool count_events(struct browse_run *run, struct browse_bar *bar, GError **error)
{
    sqlite3_stmt *statement = browse_prepare(
        run, "SELECT icount * ?2 / ?1, count(*) FROM event WHERE kind <> 'flush' AND icount < ?1 GROUP BY 1",
        run->length, error);
    int status = SQLITE_DONE;

    if (!statement) {
        return false;
    }
    sqlite3_bind_double(statement, 2, bar->width);
    while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
        bar->events[MIN((guint)sqlite3_column_int(statement, 0), bar->width - 1)] +=
            (uint32_t)sqlite3_column_int(statement, 1);
    }
    return browse_finish(run, statement, status, error);
}

/* A chunk lists the different blocks that it executes: the list's length says how much code that is. */
static bool measure_code(struct browse_run *run, struct browse_bar *bar, GError **error)
{
    sqlite3_stmt *statement = browse_prepare(
        run, "SELECT first_icount, first_icount + insns, length(blocks) FROM chunk WHERE insns > 0 OR ?1", 0, error);
    uint32_t most = 1;
    int status = SQLITE_DONE;

    if (!statement) {
        return false;
    }
    while ((status = sqlite3_step(statement)) == SQLITE_ROW) {
        guint last = browse_bar_column(run, bar->width, (tcgrr_icount)sqlite3_column_int64(statement, 1));
        for (guint i = browse_bar_column(run, bar->width, (tcgrr_icount)sqlite3_column_int64(statement, 0)); i <= last;
             i++) {
            bar->code[i] = MAX(bar->code[i], (uint32_t)sqlite3_column_int(statement, 2));
            most = MAX(most, bar->code[i]);
        }
    }
    for (guint i = 0; i < bar->width; i++) {
        bar->code[i] = (bar->code[i] * 8 + most - 1) / most;
    }
    return browse_finish(run, statement, status, error);
}

struct browse_bar *browse_bar_new(struct browse_run *run, guint width, GError **error)
{
    struct browse_bar *bar = g_new0(struct browse_bar, 1);
    bar->width = width;
    bar->events = g_new0(uint32_t, width);
    bar->code = g_new0(uint32_t, width);
    bar->keyframes = g_new0(bool, width);
    if (!count_events(run, bar, error) || !measure_code(run, bar, error)) {
        g_clear_pointer(&bar, browse_bar_free);
    }
    return bar;
}

void browse_bar_free(struct browse_bar *bar)
{
    if (bar) {
        g_free(bar->events);
        g_free(bar->code);
        g_free(bar->keyframes);
        g_free(bar);
    }
}
