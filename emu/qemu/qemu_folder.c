/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/qemu.h"

#include "store/error.h"

#include <unistd.h>

/* Where builds and installations keep their binaries; QEMUs before 5.2 had a folder for each target. */
static const char *const places[] = {"", "build", "bin", "usr/bin", "usr/local/bin", "%s-softmmu", "%s-linux-user"};

static bool is_program(const char *path)
{
    return g_file_test(path, G_FILE_TEST_IS_REGULAR) && access(path, X_OK) == 0;
}

char *tcgrr_qemu_in_folder(const char *folder, const char *target, bool system, GError **error)
{
    g_autofree char *name = g_strconcat(system ? "qemu-system-" : "qemu-", target, NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        g_auto(GStrv) parts = g_strsplit(places[i], "%s", -1);
        g_autofree char *place = g_strjoinv(target, parts);
        g_autofree char *path = g_build_filename(folder, place, name, NULL);
        if (is_program(path)) {
            return g_canonicalize_filename(path, NULL);
        }
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "there is no %s in the folder", name);
    return NULL;
}
