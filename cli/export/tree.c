/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/export/tree.h"

#define MAX_DEPTH 256u /* maximum depth of a path; deeper calls count for the function at this depth */

struct growing {
    struct export_job *job;
    struct export_functions *functions;
    GArray *nodes;
    GHashTable *children; /* edge → index */
    GPtrArray *stacks;    /* by vCPU: GArray of uint32_t, the node of each frame */
};

static guint64 edge(uint32_t parent, uint32_t function)
{
    return (guint64)parent << 32 | function;
}

/* GLib's own takes only some of the bits, and a function is called from very many nodes. */
static guint hash_edge(gconstpointer key)
{
    return (guint)((*(const guint64 *)key * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

static uint32_t child(struct growing *growing, uint32_t parent, uint32_t function)
{
    guint64 key = edge(parent, function);
    gpointer known = g_hash_table_lookup(growing->children, &key);
    if (!known) {
        struct export_node node = {.parent = parent, .function = function};
        known = GUINT_TO_POINTER(growing->nodes->len);
        g_array_append_val(growing->nodes, node);
        g_hash_table_insert(growing->children, g_memdup2(&key, sizeof(key)), known);
    }
    return GPOINTER_TO_UINT(known);
}

static GArray *stack_of(struct growing *growing, tcgrr_vcpu vcpu)
{
    while (growing->stacks->len <= vcpu) {
        g_ptr_array_add(growing->stacks, g_array_new(FALSE, FALSE, sizeof(uint32_t)));
    }
    return g_ptr_array_index(growing->stacks, vcpu);
}

static uint32_t top(const GArray *stack)
{
    return stack->len ? g_array_index(stack, uint32_t, stack->len - 1) : 0;
}

static void entered(void *data, tcgrr_vcpu vcpu, const struct tcgrr_frame *frame)
{
    struct growing *growing = data;
    GArray *stack = stack_of(growing, vcpu);
    uint32_t node = top(stack);
    if (stack->len < MAX_DEPTH) {
        node = child(growing, node, export_function_at(growing->functions, frame->entry));
    }
    g_array_append_val(stack, node);
}

static void left(void *data, tcgrr_vcpu vcpu, bool bottom, tcgrr_icount icount)
{
    GArray *stack = stack_of(data, vcpu);
    g_array_remove_index(stack, bottom ? 0 : stack->len - 1);
}

/* A jump into another function without a call is shown as one. */
static void execution(void *data, const struct tcgrr_cursor *at)
{
    struct growing *growing = data;
    uint32_t node = top(stack_of(growing, at->vcpu));
    uint32_t function = export_function_of_block(growing->functions, at->chunk->blocks[at->index]);

    if (at->icount < growing->job->from || at->icount >= growing->job->until) {
        return;
    }
    if (function && function != g_array_index(growing->nodes, struct export_node, node).function) {
        node = child(growing, node, function);
    }
    g_array_index(growing->nodes, struct export_node, node).self += at->counted;
}

bool export_tree(struct export_job *job, struct export_functions *functions, GArray *nodes, GError **error)
{
    struct growing growing = {
        .job = job,
        .functions = functions,
        .nodes = nodes,
        .children = g_hash_table_new_full(hash_edge, g_int64_equal, g_free, NULL),
        .stacks = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref),
    };
    struct export_node root = {0};

    g_array_append_val(nodes, root);
    bool good = export_walk(job, &(struct export_visitor){entered, left, execution, NULL, &growing}, error);
    for (guint i = nodes->len; good && i-- > 0;) {
        struct export_node *node = &g_array_index(nodes, struct export_node, i);
        node->total += node->self;
        if (i > 0) {
            g_array_index(nodes, struct export_node, node->parent).total += node->total;
        }
    }
    g_hash_table_unref(growing.children);
    g_ptr_array_unref(growing.stacks);
    return good;
}
