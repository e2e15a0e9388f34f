/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The call tree: each call path from the start into a function, and how many instructions ran there. */
#ifndef TCGRR_CLI_EXPORT_TREE_H
#define TCGRR_CLI_EXPORT_TREE_H

#include "cli/export/export.h"

struct export_node {
    uint32_t parent;   /* index in the tree; the root, 0, is its own */
    uint32_t function; /* of struct export_functions; the root's is 0 */
    uint64_t self;     /* instructions that ran in it, without those in its callees */
    uint64_t total;    /* including its callees */
};

/* Fills `nodes` (struct export_node; a parent comes before its children). */
bool export_tree(struct export_job *job, struct export_functions *functions, GArray *nodes, GError **error);

#endif
