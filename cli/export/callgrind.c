/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions by address, and calls with what they cost, as KCachegrind and callgrind_annotate read it. */
#include "cli/export/export.h"

#include <string.h>

/* A place that calls a function. */
struct edge {
    uint64_t from;   /* pc of the call */
    uint32_t caller; /* function that the pc belongs to */
    uint32_t callee;
    uint64_t entry; /* the callee's first pc */
    uint64_t calls;
    uint64_t cost; /* instructions between calls and returns */
};

struct open_call {
    struct edge *edge; /* NULL: the start */
    tcgrr_icount icount;
};

struct calling {
    struct export_job *job;
    struct export_functions *functions;
    GHashTable *edges; /* struct edge, by (from, entry) */
    GPtrArray *stacks; /* by vCPU: GArray of struct open_call */
};

static guint hash_edge(gconstpointer data)
{
    const struct edge *edge = data;
    return (guint)((edge->from * UINT64_C(0x9e3779b97f4a7c15) ^ edge->entry) >> 13);
}

static gboolean same_edge(gconstpointer a, gconstpointer b)
{
    const struct edge *left = a;
    const struct edge *right = b;
    return left->from == right->from && left->entry == right->entry;
}

static GArray *stack_of(struct calling *calling, tcgrr_vcpu vcpu)
{
    while (calling->stacks->len <= vcpu) {
        g_ptr_array_add(calling->stacks, g_array_new(FALSE, FALSE, sizeof(struct open_call)));
    }
    return g_ptr_array_index(calling->stacks, vcpu);
}

/* The function that covers an address, else its page. */
static uint32_t place_of(struct calling *calling, uint64_t pc)
{
    bool named = tcgrr_symbols_at(calling->job->report->symbols, pc) != NULL;
    return export_function_at(calling->functions, named ? pc : pc & ~(uint64_t)0xfff);
}

static void entered(void *data, tcgrr_vcpu vcpu, const struct tcgrr_frame *frame)
{
    struct calling *calling = data;
    struct edge key = {.from = frame->from, .entry = frame->entry};
    struct open_call call = {.icount = frame->icount};

    if (frame->kind != TCGRR_FRAME_START) {
        call.edge = g_hash_table_lookup(calling->edges, &key);
        if (!call.edge) {
            key.caller = place_of(calling, frame->from);
            key.callee = export_function_at(calling->functions, frame->entry);
            call.edge = g_memdup2(&key, sizeof(key));
            g_hash_table_add(calling->edges, call.edge);
        }
        call.edge->calls++;
    }
    g_array_append_val(stack_of(calling, vcpu), call);
}

static void left(void *data, tcgrr_vcpu vcpu, bool bottom, tcgrr_icount icount)
{
    GArray *stack = stack_of(data, vcpu);
    guint index = bottom ? 0 : stack->len - 1;
    const struct open_call *call = &g_array_index(stack, struct open_call, index);
    if (call->edge) {
        call->edge->cost += icount - call->icount;
    }
    g_array_remove_index(stack, index);
}

/* An address that ran. */
struct cost {
    uint32_t function;
    uint64_t pc;
    uint64_t ran;
    const struct edge *edge; /* a call from there; NULL: the instruction itself */
};

static int by_function(const void *a, const void *b)
{
    const struct cost *left = a;
    const struct cost *right = b;
    if (left->function != right->function) {
        return left->function < right->function ? -1 : 1;
    }
    if (left->pc != right->pc) {
        return left->pc < right->pc ? -1 : 1;
    }
    return (left->edge != NULL) - (right->edge != NULL);
}

static void add_instructions(struct calling *calling, const struct report_profile *profile, GArray *costs)
{
    const struct report_job *job = calling->job->report;
    g_autofree uint64_t *counts = g_new(uint64_t, TCGRR_MAX_INSNS);

    for (uint32_t i = 0; i < job->block_count; i++) {
        const struct tcgrr_block *block = tcgrr_blocks_get(job->blocks, i);
        report_profile_insns(job, profile, i, counts);
        uint64_t pc = block->pc;
        uint32_t function = place_of(calling, pc);
        for (uint32_t k = 0; k < block->insns; pc += block->lengths[k++]) {
            struct cost cost = {function, pc, counts[k], NULL};
            if (cost.ran) {
                g_array_append_val(costs, cost);
            }
        }
    }
}

static void write_costs(struct calling *calling, GArray *costs)
{
    FILE *out = calling->job->out;
    uint32_t function = UINT32_MAX;

    g_array_sort(costs, by_function);
    for (guint i = 0; i < costs->len; i++) {
        const struct cost *cost = &g_array_index(costs, struct cost, i);
        if (cost->function != function) {
            function = cost->function;
            fprintf(out, "\nfn=(%u) %s\n", function, export_function_name(calling->functions, function));
        }
        if (cost->edge) {
            fprintf(out, "cfn=(%u) %s\ncalls=%" G_GUINT64_FORMAT " 0x%" G_GINT64_MODIFIER "x\n", cost->edge->callee,
                    export_function_name(calling->functions, cost->edge->callee), cost->edge->calls, cost->edge->entry);
        }
        fprintf(out, "0x%" G_GINT64_MODIFIER "x %" G_GUINT64_FORMAT "\n", cost->pc, cost->ran);
    }
}

static bool run(struct export_job *job, GError **error)
{
    struct calling calling = {
        .job = job,
        .functions = export_functions_new(job->report),
        .edges = g_hash_table_new_full(hash_edge, same_edge, g_free, NULL),
        .stacks = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref),
    };
    struct report_profile profile = {0};
    g_autoptr(GArray) costs = g_array_new(FALSE, FALSE, sizeof(struct cost));
    bool good = export_walk(job, &(struct export_visitor){entered, left, NULL, NULL, &calling}, error) &&
                report_profile_make(job->report, &profile, error);
    GHashTableIter iterator;
    gpointer value;

    if (good) {
        add_instructions(&calling, &profile, costs);
        g_hash_table_iter_init(&iterator, calling.edges);
        while (g_hash_table_iter_next(&iterator, &value, NULL)) {
            const struct edge *edge = value;
            struct cost cost = {edge->caller, edge->from, edge->cost, edge};
            g_array_append_val(costs, cost);
        }
        fprintf(job->out,
                "# callgrind format\nversion: 1\ncreator: tcgrr\npositions: instr\nevents: Ir\n"
                "summary: %" G_GUINT64_FORMAT "\n\nfl=???\n",
                job->report->run->icount);
        write_costs(&calling, costs);
        report_profile_clear(&profile);
    }
    g_hash_table_unref(calling.edges);
    g_ptr_array_unref(calling.stacks);
    export_functions_free(calling.functions);
    return good;
}

const struct export_format export_callgrind = {
    "callgrind", "instructions by address, and calls: KCachegrind, callgrind_annotate", false, false, run};
