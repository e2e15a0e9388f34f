/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each function ran itself and with all that it called. The whole trace is followed for it, as for callstack().
 *
 *   SELECT function, calls, own, inclusive FROM function ORDER BY inclusive DESC LIMIT 10;
 */
#include "store/sql/vtab_rows.h"
#include "store/stacks.h"

enum { FUNCTION, ENTRY, CALLS, OWN, INCLUSIVE, SCHEMA };

enum plan { PLAN_SCHEMA = 1 };

#define EXPECTED_ROWS 1000

struct row {
    uint64_t entry; /* the symbol's address; without one, where it was entered */
    bool named;
    uint64_t calls, own, inclusive;
};

static const char declaration[] =
    "CREATE TABLE function( -- what each function ran; the calls are followed as for callstack()\n"
    "  function TEXT,     -- its name; NULL: no symbol covers it\n"
    "  entry_pc INTEGER,  -- the symbol's address; where it was entered if there is none\n"
    "  calls INTEGER,     -- how often it was entered by calls, interrupts and exceptions\n"
    "  own INTEGER,       -- instructions that ran in it, outside of what it called\n"
    "  inclusive INTEGER, -- and those of what it called, once where it called itself\n"
    "  schema TEXT HIDDEN -- function('other'): of the trace attached as other\n"
    ")";

/* ---- counting ---- */

/* A function that has not returned. */
struct frame {
    uint32_t row;
    bool outermost;  /* of this function's on this vCPU */
    uint64_t before; /* instructions that the vCPU had run when it was entered */
};

struct vcpu {
    GArray *frames; /* struct frame */
    GArray *active; /* of uint32_t by row: frames of that function */
    uint64_t ran;
};

struct counting {
    struct tcgrr_sql_trace *trace;
    GArray *rows;           /* struct row */
    GHashTable *by_entry;   /* uint64_t → index of the row + 1 */
    GHashTable *of_address; /* address that was asked for → the same */
    GArray *of_block;       /* the same by block; 0: not asked, UINT32_MAX: no symbol covers it */
    GPtrArray *vcpus;       /* struct vcpu */
    GArray *events;         /* struct tcgrr_event of the chunk */
    tcgrr_seq first_seq;
    GError *error;
};

static void free_vcpu(gpointer data)
{
    struct vcpu *vcpu = data;
    g_array_unref(vcpu->frames);
    g_array_unref(vcpu->active);
    g_free(vcpu);
}

static struct vcpu *vcpu_of(struct counting *counting, tcgrr_vcpu number)
{
    while (counting->vcpus->len <= number) {
        struct vcpu *vcpu = g_new0(struct vcpu, 1);
        vcpu->frames = g_array_new(FALSE, FALSE, sizeof(struct frame));
        vcpu->active = g_array_new(FALSE, TRUE, sizeof(uint32_t));
        g_ptr_array_add(counting->vcpus, vcpu);
    }
    return g_ptr_array_index(counting->vcpus, number);
}

static uint32_t *active(struct vcpu *vcpu, uint32_t row)
{
    if (vcpu->active->len <= row) {
        g_array_set_size(vcpu->active, row + 1);
    }
    return &g_array_index(vcpu->active, uint32_t, row);
}

/* The row of the function that begins at `entry`, added if it is missing. */
static uint32_t row_at(struct counting *counting, uint64_t entry, bool named)
{
    gpointer known = g_hash_table_lookup(counting->by_entry, &entry);
    if (!known) {
        struct row row = {.entry = entry, .named = named};
        g_array_append_val(counting->rows, row);
        known = GUINT_TO_POINTER(counting->rows->len);
        g_hash_table_insert(counting->by_entry, g_memdup2(&entry, sizeof(entry)), known);
    }
    return GPOINTER_TO_UINT(known) - 1;
}

/* The row of the function entered at `pc`. */
static uint32_t row_of_entry(struct counting *counting, uint64_t pc)
{
    gpointer known = g_hash_table_lookup(counting->of_address, &pc);
    if (!known) {
        GError *error = NULL;
        const struct tcgrr_symbol *symbol = tcgrr_sql_trace_symbol_at(counting->trace, pc, &error);
        if (error && !counting->error) {
            counting->error = g_steal_pointer(&error);
        }
        g_clear_error(&error);
        known = GUINT_TO_POINTER(row_at(counting, symbol ? symbol->address : pc, symbol != NULL) + 1);
        g_hash_table_insert(counting->of_address, g_memdup2(&pc, sizeof(pc)), known);
    }
    return GPOINTER_TO_UINT(known) - 1;
}

static void entered(void *data, tcgrr_vcpu number, const struct tcgrr_frame *entry)
{
    struct counting *counting = data;
    struct vcpu *vcpu = vcpu_of(counting, number);
    uint32_t row = row_of_entry(counting, entry->entry);
    uint32_t *frames = active(vcpu, row);
    struct frame frame = {row, *frames == 0, vcpu->ran};

    (*frames)++;
    g_array_append_val(vcpu->frames, frame);
    g_array_index(counting->rows, struct row, row).calls += entry->kind != TCGRR_FRAME_START;
}

/* One that is forgotten at the bottom hands its rest to the next of the same function, if there is one. */
static void left(void *data, tcgrr_vcpu number, bool bottom, tcgrr_icount icount)
{
    struct counting *counting = data;
    struct vcpu *vcpu = vcpu_of(counting, number);
    guint index = bottom ? 0 : vcpu->frames->len - 1;
    struct frame frame = g_array_index(vcpu->frames, struct frame, index);

    g_array_remove_index(vcpu->frames, index);
    (*active(vcpu, frame.row))--;
    if (frame.outermost) {
        g_array_index(counting->rows, struct row, frame.row).inclusive += vcpu->ran - frame.before;
    }
    for (guint i = 0; bottom && frame.outermost && i < vcpu->frames->len; i++) {
        struct frame *next = &g_array_index(vcpu->frames, struct frame, i);
        if (next->row == frame.row) {
            next->outermost = true;
            next->before = vcpu->ran;
            break;
        }
    }
}

/* Code belongs to the symbol that covers it, which may differ from the frame's function after a jump without a call;
 * code without a symbol belongs to the function that was entered. */
static uint32_t row_of_code(struct counting *counting, const struct vcpu *vcpu, const struct tcgrr_cursor *at)
{
    uint32_t *known = &g_array_index(counting->of_block, uint32_t, at->chunk->blocks[at->index]);
    if (*known == 0) {
        GError *error = NULL;
        const struct tcgrr_symbol *symbol = tcgrr_sql_trace_symbol_at(counting->trace, at->block->pc, &error);
        g_clear_error(&error); /* row_of_entry() met it, too */
        *known = symbol ? row_at(counting, symbol->address, true) + 1 : UINT32_MAX;
    }
    if (*known != UINT32_MAX) {
        return *known - 1;
    }
    return vcpu->frames->len ? g_array_index(vcpu->frames, struct frame, vcpu->frames->len - 1).row
                             : row_at(counting, at->block->pc, false);
}

static void count(struct counting *counting, const struct tcgrr_cursor *at)
{
    struct vcpu *vcpu = vcpu_of(counting, at->vcpu);
    uint32_t number = row_of_code(counting, vcpu, at);
    struct row *row = &g_array_index(counting->rows, struct row, number);

    row->own += at->ran;
    row->inclusive += *active(vcpu, number) == 0 ? at->ran : 0;
    vcpu->ran += at->ran;
}

/* ---- following ---- */

static bool calls(void *data, uint32_t number, const struct tcgrr_block *block, bool *answer, GError **error)
{
    return tcgrr_sql_trace_calls(((struct counting *)data)->trace, number, answer, error);
}

static void keep_event(const struct tcgrr_event *event, void *data)
{
    struct counting *counting = data;
    if (event->seq >= counting->first_seq) {
        g_array_append_val(counting->events, *event);
    }
}

static bool load_events(struct counting *counting, const struct tcgrr_chunk *chunk, GError **error)
{
    struct tcgrr_reader *reader = tcgrr_sql_trace_reader(counting->trace);
    g_array_set_size(counting->events, 0);
    counting->first_seq = chunk->first_seq;
    return tcgrr_reader_query(reader, TCGRR_QUERY_EVENTS, error) &&
           tcgrr_reader_events(reader, chunk->first_icount, chunk->end_icount, keep_event, counting, error);
}

static bool follow(struct counting *counting, struct tcgrr_stacks *stacks, GError **error)
{
    struct tcgrr_exec_range range = TCGRR_EXEC_RANGE_ALL;
    struct tcgrr_exec_walk walk = {0};
    int64_t first = -1;
    guint next = 0;

    bool good = tcgrr_exec_walk_begin(&walk, tcgrr_sql_trace_chunk_cache(counting->trace), &range, error);
    while (good && !walk.end && !counting->error) {
        const struct tcgrr_chunk *chunk = walk.at.chunk;
        if ((int64_t)chunk->first_seq != first) {
            first = (int64_t)chunk->first_seq;
            next = 0;
            good = load_events(counting, chunk, error);
        }
        const struct tcgrr_event *event =
            tcgrr_stacks_event_before(counting->events, &next, chunk->first_seq + walk.at.index);
        good = good && tcgrr_stacks_follow(stacks, &walk.at, event, error);
        if (good) {
            count(counting, &walk.at);
            good = tcgrr_exec_walk_next(&walk, error);
        }
    }
    tcgrr_exec_walk_end(&walk);
    return good;
}

static bool collect(struct tcgrr_sql_trace *trace, GArray *rows, GError **error)
{
    struct counting counting = {
        .trace = trace,
        .rows = rows,
        .by_entry = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL),
        .of_address = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL),
        .of_block = g_array_new(FALSE, TRUE, sizeof(uint32_t)),
        .vcpus = g_ptr_array_new_with_free_func(free_vcpu),
        .events = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_event)),
    };
    struct tcgrr_stacks *stacks = tcgrr_stacks_new(&(struct tcgrr_stacks_options){
        .isa = tcgrr_isa_of_target(tcgrr_reader_run(tcgrr_sql_trace_reader(trace))->target),
        .calls = calls,
        .entered = entered,
        .left = left,
        .data = &counting,
    });
    const struct tcgrr_blocks *blocks = tcgrr_sql_trace_blocks(trace, error);

    if (blocks) {
        g_array_set_size(counting.of_block, tcgrr_blocks_count(blocks));
    }
    bool good = blocks && follow(&counting, stacks, error);
    if (good && counting.error) {
        g_propagate_error(error, g_steal_pointer(&counting.error));
        good = false;
    }
    for (guint i = 0; good && i < counting.vcpus->len; i++) { /* what has not returned at the end */
        const struct vcpu *vcpu = g_ptr_array_index(counting.vcpus, i);
        while (vcpu->frames->len) {
            left(&counting, i, false, 0);
        }
    }
    g_clear_error(&counting.error);
    tcgrr_stacks_free(stacks);
    g_hash_table_unref(counting.by_entry);
    g_hash_table_unref(counting.of_address);
    g_array_unref(counting.of_block);
    g_ptr_array_unref(counting.vcpus);
    g_array_unref(counting.events);
    return good;
}

/* ---- the table ---- */

static int function_filter(sqlite3_vtab_cursor *base, int bits, const char *text, int argc, sqlite3_value **arguments)
{
    struct tcgrr_vtab_rows *cursor = (struct tcgrr_vtab_rows *)base;
    GError *error = NULL;

    int status = tcgrr_vtab_rows_begin(cursor, bits & PLAN_SCHEMA ? arguments[0] : NULL, 0, INT64_MAX);
    if (status != SQLITE_OK) {
        return status;
    }
    return collect(cursor->base.trace, cursor->rows, &error) ? SQLITE_OK : tcgrr_vtab_fail(base->pVtab, error);
}

static int function_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct tcgrr_vtab_rows *cursor = (struct tcgrr_vtab_rows *)base;
    const struct row *row = &g_array_index(cursor->rows, struct row, cursor->at);
    const uint64_t values[] = {
        [ENTRY] = row->entry, [CALLS] = row->calls, [OWN] = row->own, [INCLUSIVE] = row->inclusive};

    if (column == FUNCTION && row->named) {
        const struct tcgrr_symbol *symbol = tcgrr_sql_trace_symbol_at(cursor->base.trace, row->entry, NULL);
        sqlite3_result_text(context, symbol ? symbol->name : NULL, -1, SQLITE_TRANSIENT);
    } else if (column >= ENTRY && column <= INCLUSIVE) {
        sqlite3_result_int64(context, (sqlite3_int64)values[column]);
    }
    return SQLITE_OK;
}

const struct tcgrr_vtab_table tcgrr_vtab_function = {
    .name = "function",
    .declaration = declaration,
    .module = TCGRR_VTAB_ROWS_MODULE(function_filter, function_column),
    .rules = {{SCHEMA, TCGRR_VTAB_EQ, PLAN_SCHEMA, "of schema", 1, true}},
    .row = sizeof(struct row),
    .rows = EXPECTED_ROWS,
    .cost = 1e8,
};
