/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/device_tree.h"

#include <libfdt.h>
#include <string.h>

#include "store/error.h"

bool tcgrr_device_tree_pack(const char *path, GError **error)
{
    g_autofree char *tree = NULL;
    gsize size = 0;
    if (!g_file_get_contents(path, &tree, &size, error)) {
        return false;
    }
    int problem = size < FDT_V1_SIZE ? -FDT_ERR_TRUNCATED : fdt_check_full(tree, size);
    problem = problem ? problem : fdt_pack(tree);
    if (problem) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "QEMU's device tree cannot be used: %s",
                    fdt_strerror(problem));
        return false;
    }
    return g_file_set_contents(path, tree, (gssize)fdt_totalsize(tree), error);
}

/* The nodes with random seeds, in the order in which QEMU draws them. */
static const char *const nodes[] = {"/chosen", "/secure-chosen"};
static const char *const seeds[] = {"kaslr-seed", "rng-seed"};

/* Clears the padding of properties to four bytes, whose content is arbitrary. */
static void clear_padding(char *tree)
{
    int offset = 0;
    int next = 0;
    for (uint32_t tag = FDT_BEGIN_NODE; tag != FDT_END; offset = next) {
        tag = fdt_next_tag(tree, offset, &next);
        int length = 0;
        const struct fdt_property *property =
            tag == FDT_PROP ? fdt_get_property_by_offset(tree, offset, &length) : NULL;
        if (property) {
            char *data = tree + ((const char *)property->data - tree);
            memset(data + length, 0, (size_t)(-length & 3));
        }
    }
}

/* Loads the tree at `path` and sets its random seeds to zero; NULL with error. *seeded: it has seeds. */
static char *load_without_seeds(const char *path, gsize *size, bool *seeded, GError **error)
{
    char *tree = NULL;
    if (!g_file_get_contents(path, &tree, size, error)) {
        return NULL;
    }
    if (*size < FDT_V1_SIZE || fdt_check_full(tree, *size)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s is not a device tree", path);
        g_free(tree);
        return NULL;
    }
    clear_padding(tree);
    for (size_t i = 0; i < G_N_ELEMENTS(nodes) * G_N_ELEMENTS(seeds); i++) {
        int length = 0;
        int node = fdt_path_offset(tree, nodes[i / G_N_ELEMENTS(seeds)]);
        void *seed = node >= 0 ? fdt_getprop_w(tree, node, seeds[i % G_N_ELEMENTS(seeds)], &length) : NULL;
        if (seed && length > 0) {
            memset(seed, 0, (size_t)length);
            *seeded = true;
        }
    }
    return tree;
}

bool tcgrr_device_tree_compare(const char *a, const char *b, bool *same, bool *seeded, GError **error)
{
    gsize sizes[2];
    *seeded = false;
    g_autofree char *first = load_without_seeds(a, &sizes[0], seeded, error);
    g_autofree char *second = first ? load_without_seeds(b, &sizes[1], seeded, error) : NULL;
    *same = second && sizes[0] == sizes[1] && memcmp(first, second, sizes[0]) == 0;
    return second != NULL;
}

bool tcgrr_device_tree_seed(const char *path, const GByteArray *drawn, GError **error)
{
    g_autofree char *tree = NULL;
    gsize size = 0;
    guint used = 0;
    if (!g_file_get_contents(path, &tree, &size, error)) {
        return false;
    }
    bool good = size >= FDT_V1_SIZE && fdt_check_full(tree, size) == 0;
    for (size_t i = 0; good && i < G_N_ELEMENTS(nodes) * G_N_ELEMENTS(seeds); i++) {
        int length = 0;
        int node = fdt_path_offset(tree, nodes[i / G_N_ELEMENTS(seeds)]);
        uint8_t *seed = node >= 0 ? fdt_getprop_w(tree, node, seeds[i % G_N_ELEMENTS(seeds)], &length) : NULL;
        good = !seed || (length > 0 && (guint)length <= drawn->len - used);
        if (seed && good) {
            memcpy(seed, drawn->data + used, (size_t)length);
            used += (guint)length;
        }
        if (seed && good && length == 8) { /* QEMU draws a number, which a tree stores big-endian */
            uint64_t number;
            memcpy(&number, seed, sizeof(number));
            number = GUINT64_TO_BE(number);
            memcpy(seed, &number, sizeof(number));
        }
    }
    if (!good || used != drawn->len) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "the random seeds of the device tree are not those that QEMU drew");
        return false;
    }
    return g_file_set_contents(path, tree, (gssize)size, error);
}

/* Whether an Arm machine adds this node to a user's tree, which leaves a gap at its former place. */
static bool is_added(const char *name)
{
    return name && (strcmp(name, "memory") == 0 || g_str_has_prefix(name, "memory@") || strcmp(name, "psci") == 0);
}

/* Moves the data after the header to where fdt_create() puts it; packing had moved it. */
static void unpack_header(char *tree, size_t size)
{
    const uint32_t begin = 48;
    uint32_t packed = fdt_off_mem_rsvmap(tree);
    uint32_t gap = packed < begin ? begin - packed : 0;
    memmove(tree + packed + gap, tree + packed, size - packed - gap);
    fdt_set_off_mem_rsvmap(tree, packed + gap);
    fdt_set_off_dt_struct(tree, fdt_off_dt_struct(tree) + gap);
    fdt_set_off_dt_strings(tree, fdt_off_dt_strings(tree) + gap);
}

/* QEMU makes its own tree 1 MiB large; a tree from a file gets 10,000 bytes more, and then twice that size. */
bool tcgrr_device_tree_arm(const char *path, GError **error)
{
    enum { OWN = 1 << 20, ROOM = 10000, SIZE = OWN / 2 - ROOM };
    g_autofree char *packed = NULL;
    g_autofree char *tree = g_malloc0(SIZE);
    gsize size = 0;
    if (!g_file_get_contents(path, &packed, &size, error)) {
        return false;
    }
    int problem = size < FDT_V1_SIZE ? -FDT_ERR_TRUNCATED : fdt_check_full(packed, size);
    problem = problem ? problem : size > SIZE - OWN / 8 ? -FDT_ERR_NOSPACE : fdt_open_into(packed, tree, SIZE);
    int node = problem ? problem : fdt_first_subnode(tree, 0);
    while (!problem && node >= 0) {
        bool added = is_added(fdt_get_name(tree, node, NULL));
        problem = added ? fdt_del_node(tree, node) : 0;
        node = added ? fdt_first_subnode(tree, 0) : fdt_next_subnode(tree, node);
    }
    if (problem) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "QEMU's device tree cannot be used: %s",
                    fdt_strerror(problem));
        return false;
    }
    unpack_header(tree, SIZE);
    return g_file_set_contents(path, tree, SIZE, error);
}
