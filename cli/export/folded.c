/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line for each stack of functions: "start;middle;leaf 1234", as flamegraph.pl, inferno and speedscope read it. */
#include "cli/export/tree.h"

static void write_path(FILE *out, const struct export_functions *functions, const GArray *nodes, guint index)
{
    const struct export_node *node = &g_array_index(nodes, struct export_node, index);
    if (node->parent) {
        write_path(out, functions, nodes, node->parent);
        putc(';', out);
    }
    fputs(export_function_name(functions, node->function), out);
}

static bool run(struct export_job *job, GError **error)
{
    struct export_functions *functions = export_functions_new(job->report);
    g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(struct export_node));
    bool good = export_tree(job, functions, nodes, error);

    for (guint i = 1; good && i < nodes->len; i++) {
        uint64_t self = g_array_index(nodes, struct export_node, i).self;
        if (self) {
            write_path(job->out, functions, nodes, i);
            fprintf(job->out, " %" G_GUINT64_FORMAT "\n", self);
        }
    }
    export_functions_free(functions);
    return good;
}

const struct export_format export_folded = {
    "folded", "stacks of functions with the instructions that ran there: flamegraph.pl, speedscope", false, false, run};
