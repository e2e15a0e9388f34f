/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/export/export.h"

struct walk {
    struct export_job *job;
    const struct export_visitor *visitor;
    struct tcgrr_stacks *stacks;
    GArray *events; /* struct tcgrr_event of the chunk */
    guint next;     /* for the stacks */
    guint shown;    /* for the visitor */
    tcgrr_seq first_seq;
    tcgrr_vcpu vcpus; /* one more than the highest that ran */
    tcgrr_icount end;
};

static bool calls(void *data, uint32_t number, const struct tcgrr_block *block, bool *answer, GError **error)
{
    struct report_job *report = ((struct walk *)data)->job->report;
    *answer = tcgrr_disasm_ends_with_call(report->disasm, block);
    return true;
}

static void entered(void *data, tcgrr_vcpu vcpu, const struct tcgrr_frame *frame)
{
    const struct walk *walk = data;
    walk->visitor->entered(walk->visitor->data, vcpu, frame);
}

static void left(void *data, tcgrr_vcpu vcpu, bool bottom, tcgrr_icount icount)
{
    const struct walk *walk = data;
    walk->visitor->left(walk->visitor->data, vcpu, bottom, icount);
}

static void keep_event(const struct tcgrr_event *event, void *data)
{
    struct walk *walk = data;
    if (event->seq >= walk->first_seq) {
        g_array_append_val(walk->events, *event);
    }
}

static void show_events(struct walk *walk, tcgrr_seq seq)
{
    for (; walk->shown < walk->events->len; walk->shown++) {
        const struct tcgrr_event *event = &g_array_index(walk->events, struct tcgrr_event, walk->shown);
        if (event->seq > seq) {
            return;
        }
        if (walk->visitor->event) {
            walk->visitor->event(walk->visitor->data, event);
        }
    }
}

/* Gets the events of the chunk that a walk has entered. */
static bool enter_chunk(struct walk *walk, const struct tcgrr_chunk *chunk, GError **error)
{
    g_array_set_size(walk->events, 0);
    walk->next = walk->shown = 0;
    walk->first_seq = chunk->first_seq;
    return tcgrr_reader_events(walk->job->report->reader, chunk->first_icount, chunk->end_icount, keep_event, walk,
                               error);
}

static bool show_all(struct walk *walk, GError **error)
{
    struct tcgrr_exec_walk execs;
    bool good = report_walk_begin(walk->job->report, &execs, NULL, error);

    for (; good && !execs.end; good = good && tcgrr_exec_walk_next(&execs, error)) {
        tcgrr_seq seq = (tcgrr_seq)tcgrr_exec_walk_seq(&execs);
        if (execs.at.index == 0 && !enter_chunk(walk, execs.at.chunk, error)) {
            good = false;
            break;
        }
        const struct tcgrr_event *event = tcgrr_stacks_event_before(walk->events, &walk->next, seq);
        show_events(walk, seq);
        good = tcgrr_stacks_follow(walk->stacks, &execs.at, event, error);
        if (good && walk->visitor->execution) {
            walk->visitor->execution(walk->visitor->data, &execs.at);
        }
        walk->vcpus = MAX(walk->vcpus, execs.at.vcpu + 1);
        walk->end = execs.at.icount + execs.at.counted;
    }
    report_walk_end(&execs);
    return good;
}

bool export_walk(struct export_job *job, const struct export_visitor *visitor, GError **error)
{
    struct walk walk = {
        .job = job, .visitor = visitor, .events = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_event))};
    struct tcgrr_stacks_options options = {
        .isa = tcgrr_isa_of_target(job->report->run->target),
        .calls = calls,
        .entered = visitor->entered ? entered : NULL,
        .left = visitor->left ? left : NULL,
        .data = &walk,
    };

    tcgrr_disasm_survey(job->report->disasm, job->report->blocks, job->report->block_count);
    walk.stacks = tcgrr_stacks_new(&options);
    bool good = show_all(&walk, error);
    for (tcgrr_vcpu vcpu = 0; good && visitor->left && vcpu < walk.vcpus; vcpu++) {
        for (guint open = tcgrr_stacks_frames(walk.stacks, vcpu)->len; open > 0; open--) {
            visitor->left(visitor->data, vcpu, false, walk.end);
        }
    }
    tcgrr_stacks_free(walk.stacks);
    g_array_unref(walk.events);
    return good;
}

/* ---- functions ---- */

struct export_functions {
    struct report_job *job;
    GPtrArray *names;     /* char *, by number; 0: "" */
    GHashTable *numbers;  /* name → number */
    GHashTable *by_entry; /* address → number */
    uint32_t *of_block;   /* number + 1; 0: not asked yet */
};

struct export_functions *export_functions_new(struct report_job *job)
{
    struct export_functions *functions = g_new0(struct export_functions, 1);
    functions->job = job;
    functions->names = g_ptr_array_new_with_free_func(g_free);
    functions->numbers = g_hash_table_new(g_str_hash, g_str_equal);
    functions->by_entry = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    functions->of_block = g_new0(uint32_t, MAX(job->block_count, 1));
    g_ptr_array_add(functions->names, g_strdup(""));
    return functions;
}

void export_functions_free(struct export_functions *functions)
{
    g_hash_table_unref(functions->numbers);
    g_hash_table_unref(functions->by_entry);
    g_ptr_array_unref(functions->names);
    g_free(functions->of_block);
    g_free(functions);
}

/* Takes the name over; formats have no room for what separates their fields. */
static uint32_t number_of(struct export_functions *functions, char *name)
{
    g_strdelimit(name, "; \t\r\n", '_');
    gpointer known = g_hash_table_lookup(functions->numbers, name);
    if (known) {
        g_free(name);
        return GPOINTER_TO_UINT(known);
    }
    g_ptr_array_add(functions->names, name);
    g_hash_table_insert(functions->numbers, name, GUINT_TO_POINTER(functions->names->len - 1));
    return functions->names->len - 1;
}

uint32_t export_function_of_block(struct export_functions *functions, uint32_t number)
{
    uint32_t *known = &functions->of_block[number];
    if (*known == 0) {
        char *name = report_symbol(functions->job, tcgrr_blocks_get(functions->job->blocks, number)->pc);
        *known = (name ? number_of(functions, name) : 0) + 1;
    }
    return *known - 1;
}

uint32_t export_function_at(struct export_functions *functions, uint64_t entry)
{
    gpointer known = g_hash_table_lookup(functions->by_entry, &entry);
    if (!known) {
        char *name = report_symbol(functions->job, entry);
        name = name ? name : g_strdup_printf("0x%" G_GINT64_MODIFIER "x", entry);
        known = GUINT_TO_POINTER(number_of(functions, name));
        g_hash_table_insert(functions->by_entry, g_memdup2(&entry, sizeof(entry)), known);
    }
    return GPOINTER_TO_UINT(known);
}

const char *export_function_name(const struct export_functions *functions, uint32_t function)
{
    return g_ptr_array_index(functions->names, function);
}

uint32_t export_function_count(const struct export_functions *functions)
{
    return functions->names->len;
}
