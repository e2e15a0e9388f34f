/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/device_tree.h"

#include <libfdt.h>

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
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "QEMU's device tree is of no use: %s",
                    fdt_strerror(problem));
        return false;
    }
    return g_file_set_contents(path, tree, (gssize)fdt_totalsize(tree), error);
}
