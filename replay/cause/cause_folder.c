/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/cause_folder.h"

#include <errno.h>
#include <glib/gstdio.h>

#include "store/error.h"

#define NAMES_MAX 100000

static bool is_empty(const char *path)
{
    GDir *dir = g_dir_open(path, 0, NULL);
    bool empty = dir && !g_dir_read_name(dir);
    if (dir) {
        g_dir_close(dir);
    }
    return empty;
}

static bool make_told(struct tcgrr_cause_folder *folder, bool force, GError **error)
{
    folder->made = !g_file_test(folder->path, G_FILE_TEST_EXISTS);
    if (!folder->made && !force && !is_empty(folder->path)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                    "%s already exists; name another folder with --bundle, or use --force", folder->path);
        return false;
    }
    if (g_mkdir_with_parents(folder->path, 0777) != 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot make the folder %s: %s", folder->path,
                    g_strerror(errno));
        return false;
    }
    return true;
}

/* Makes `wanted` or the first of its successors that is free; 0, or why not. */
static int make_new(struct tcgrr_cause_folder *folder, const char *wanted)
{
    for (unsigned i = 1; i < NAMES_MAX; i++) {
        g_free(folder->path);
        folder->path = i == 1 ? g_strdup(wanted) : g_strdup_printf("%s-%u", wanted, i);
        if (g_mkdir(folder->path, 0777) == 0) {
            folder->made = true;
            return 0;
        }
        if (errno != EEXIST) {
            return errno;
        }
    }
    return EEXIST;
}

bool tcgrr_cause_folder_make(struct tcgrr_cause_folder *folder, const char *given, const char *wanted, bool force,
                             GError **error)
{
    *folder = (struct tcgrr_cause_folder){.path = g_strdup(given), .ours = g_ptr_array_new_with_free_func(g_free)};
    if (given) {
        return make_told(folder, force, error);
    }
    int problem = make_new(folder, wanted);
    if (problem) {
        g_autofree char *name = g_path_get_basename(wanted);
        problem = make_new(folder, name);
    }
    if (problem) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "cannot make the folder %s: %s; name another one with --bundle", folder->path, g_strerror(problem));
    }
    return problem == 0;
}

char *tcgrr_cause_folder_file(struct tcgrr_cause_folder *folder, const char *name)
{
    g_ptr_array_add(folder->ours, g_strdup(name));
    return g_build_filename(folder->path, name, NULL);
}

static void remove_empty(const struct tcgrr_cause_folder *folder)
{
    if (folder->made && folder->path) {
        g_rmdir(folder->path);
    }
}

void tcgrr_cause_folder_drop(struct tcgrr_cause_folder *folder)
{
    for (guint i = 0; i < folder->ours->len; i++) {
        g_autofree char *path = g_build_filename(folder->path, g_ptr_array_index(folder->ours, i), NULL);
        g_unlink(path);
    }
    g_ptr_array_set_size(folder->ours, 0);
    remove_empty(folder);
}

void tcgrr_cause_folder_clear(struct tcgrr_cause_folder *folder)
{
    remove_empty(folder);
    g_clear_pointer(&folder->path, g_free);
    g_clear_pointer(&folder->ours, g_ptr_array_unref);
}
