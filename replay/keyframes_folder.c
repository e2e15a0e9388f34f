/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/keyframes_folder.h"

#include "store/error.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

/* Begins the names of folders that are not keyframes yet. */
#define UNFINISHED "new-"

char *tcgrr_keyframes_folder(const char *trace)
{
    /* QEMU runs in the folder in which it was recorded. */
    g_autofree char *path = g_canonicalize_filename(trace, NULL);

    return g_strconcat(path, ".keyframes", NULL);
}

char *tcgrr_keyframes_begin(const char *folder, GError **error)
{
    char *made = g_build_filename(folder, UNFINISHED "XXXXXX", NULL);

    if (g_mkdir_with_parents(folder, 0777) != 0 || !g_mkdtemp(made)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot make a folder in %s: %s", folder,
                    g_strerror(errno));
        g_clear_pointer(&made, g_free);
    }
    return made;
}

bool tcgrr_keyframes_keep(const char *made, const char *folder, tcgrr_icount icount, GError **error)
{
    g_autofree char *name = g_strdup_printf("%" G_GUINT64_FORMAT, icount);
    g_autofree char *target = g_build_filename(folder, name, NULL);

    if (g_rename(made, target) == 0) {
        return true;
    }
    if (errno == EEXIST || errno == ENOTEMPTY) { /* somebody else was faster */
        return tcgrr_keyframes_remove(made, error);
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot name %s: %s", target, g_strerror(errno));
    return false;
}

bool tcgrr_keyframes_remove(const char *folder, GError **error)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        bool inner = g_file_test(path, G_FILE_TEST_IS_DIR) && !g_file_test(path, G_FILE_TEST_IS_SYMLINK);
        if (inner ? !tcgrr_keyframes_remove(path, error) : g_unlink(path) != 0) {
            break;
        }
    }
    if (dir) {
        g_dir_close(dir);
    }
    if (g_rmdir(folder) == 0 || errno == ENOENT) {
        return true;
    }
    if (error && !*error) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot remove %s: %s", folder, g_strerror(errno));
    }
    return false;
}

uint64_t tcgrr_keyframes_bytes(const char *folder)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;
    uint64_t sum = 0;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        struct stat status;
        if (lstat(path, &status) == 0) {
            sum += S_ISDIR(status.st_mode) ? tcgrr_keyframes_bytes(path) : (uint64_t)status.st_blocks * 512;
        }
    }
    if (dir) {
        g_dir_close(dir);
    }
    return sum;
}

static char *max_file(const char *trace)
{
    g_autofree char *all = tcgrr_keyframes_folder(trace);
    return g_build_filename(all, "max-size", NULL);
}

uint64_t tcgrr_keyframes_max_bytes(const char *trace)
{
    g_autofree char *path = max_file(trace);
    g_autofree char *text = NULL;
    guint64 bytes;
    bool known = g_file_get_contents(path, &text, NULL, NULL) &&
                 g_ascii_string_to_unsigned(g_strchomp(text), 10, 1, G_MAXUINT64, &bytes, NULL);
    return known ? bytes : TCGRR_KEYFRAMES_MAX;
}

void tcgrr_keyframes_set_max_bytes(const char *trace, uint64_t bytes)
{
    g_autofree char *all = tcgrr_keyframes_folder(trace);
    g_autofree char *path = max_file(trace);
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT "\n", bytes);
    if (g_mkdir_with_parents(all, 0777) == 0) {
        g_file_set_contents(path, text, -1, NULL); /* without it, it is the usual */
    }
}

static void each_in(const char *folder, void (*visit)(tcgrr_icount icount, void *data), void *data)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        if (g_ascii_isdigit(*name)) {
            visit(g_ascii_strtoull(name, NULL, 10), data);
        }
    }
    if (dir) {
        g_dir_close(dir);
    }
}

void tcgrr_keyframes_each(const char *trace, void (*visit)(tcgrr_icount icount, void *data), void *data)
{
    g_autofree char *all = tcgrr_keyframes_folder(trace);
    GDir *dir = g_dir_open(all, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(all, name, NULL);
        each_in(path, visit, data);
    }
    if (dir) {
        g_dir_close(dir);
    }
}

static void count(tcgrr_icount icount, void *data)
{
    ++*(unsigned *)data;
}

void tcgrr_keyframes_sum(const char *trace, struct tcgrr_keyframes_sum *sum)
{
    g_autofree char *all = tcgrr_keyframes_folder(trace);
    *sum = (struct tcgrr_keyframes_sum){.bytes = tcgrr_keyframes_bytes(all)};
    tcgrr_keyframes_each(trace, count, &sum->count);
}

bool tcgrr_keyframes_drop(const char *trace, GError **error)
{
    g_autofree char *all = tcgrr_keyframes_folder(trace);
    return tcgrr_keyframes_remove(all, error);
}
