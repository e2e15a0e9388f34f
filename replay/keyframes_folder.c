/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/keyframes_folder.h"

#include "store/error.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

/* The prefix of folders that are not keyframes yet, or no longer. */
#define UNFINISHED  "new-"
/* A file of each keyframe: a digest of all others, and the state. */
#define SEAL        "seal"
#define SEAL_DIGITS 32

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

/* ---- the seal ---- */

static void digest_text(XXH3_state_t *state, const char *text)
{
    XXH3_128bits_update(state, text, strlen(text) + 1);
}

static bool digest_file(XXH3_state_t *state, const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    GMappedFile *file = g_mapped_file_new(path, FALSE, NULL);

    if (!file) {
        return false;
    }
    uint64_t bytes = g_mapped_file_get_length(file);
    digest_text(state, name);
    XXH3_128bits_update(state, &bytes, sizeof(bytes));
    XXH3_128bits_update(state, g_mapped_file_get_contents(file), bytes);
    g_mapped_file_unref(file);
    return true;
}

static gint by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of the files in it but the seal, in order; owned by the caller. */
static GPtrArray *list_files(const char *folder)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        if (strcmp(name, SEAL) != 0) {
            g_ptr_array_add(names, g_strdup(name));
        }
    }
    if (dir) {
        g_dir_close(dir);
    }
    g_ptr_array_sort(names, by_name);
    return names;
}

/* Of the files in `folder` as the keyframe at `icount` of those in the folder named `set`; NULL if one cannot be read.
 * Owned by the caller. */
static char *digest_all(const char *folder, const char *set, tcgrr_icount icount, const char *machine)
{
    g_autoptr(GPtrArray) names = list_files(folder);
    XXH3_state_t *state = XXH3_createState();
    bool good = true;

    XXH3_128bits_reset(state);
    digest_text(state, set);
    XXH3_128bits_update(state, &icount, sizeof(icount));
    digest_text(state, machine);
    for (guint i = 0; good && i < names->len; i++) {
        good = digest_file(state, folder, names->pdata[i]);
    }
    XXH128_hash_t digest = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    return good ? g_strdup_printf("%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x", (guint64)digest.high64,
                                  (guint64)digest.low64)
                : NULL;
}

static bool seal(const char *made, const char *folder, tcgrr_icount icount, const char *state, GError **error)
{
    g_autofree char *set = g_path_get_basename(folder);
    g_autofree char *path = g_build_filename(made, SEAL, NULL);
    g_autofree char *digest = digest_all(made, set, icount, state);
    g_autofree char *text = digest ? g_strconcat(digest, " ", state, "\n", NULL) : NULL;

    if (text) {
        return g_file_set_contents(path, text, -1, error);
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot read what was written to %s", made);
    return false;
}

bool tcgrr_keyframes_is_sealed(const char *keyframe, tcgrr_icount icount, char **state)
{
    g_autofree char *folder = g_path_get_dirname(keyframe);
    g_autofree char *set = g_path_get_basename(folder);
    g_autofree char *path = g_build_filename(keyframe, SEAL, NULL);
    g_autofree char *text = NULL;

    *state = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL) || strlen(text) <= SEAL_DIGITS || text[SEAL_DIGITS] != ' ') {
        return false;
    }
    text[SEAL_DIGITS] = '\0';
    const char *machine = g_strchomp(text + SEAL_DIGITS + 1);
    g_autofree char *digest = digest_all(keyframe, set, icount, machine);
    bool good = g_strcmp0(digest, text) == 0;
    *state = good ? g_strdup(machine) : NULL;
    return good;
}

void tcgrr_keyframes_discard(const char *keyframe)
{
    g_autofree char *folder = g_path_get_dirname(keyframe);
    g_autofree char *aside = tcgrr_keyframes_begin(folder, NULL);

    /* In one step, so that no process sees a half of it. */
    if (aside && g_rename(keyframe, aside) == 0) {
        tcgrr_keyframes_remove(aside, NULL);
    } else if (aside) {
        g_rmdir(aside);
    }
}

bool tcgrr_keyframes_keep(const char *made, const char *folder, tcgrr_icount icount, const char *state, GError **error)
{
    g_autofree char *name = g_strdup_printf("%" G_GUINT64_FORMAT, icount);
    g_autofree char *target = g_build_filename(folder, name, NULL);

    if (!seal(made, folder, icount, state, error)) {
        return false;
    }
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

void tcgrr_keyframes_tidy(const char *trace, const char *own)
{
    g_autofree char *all = tcgrr_keyframes_folder(trace);
    g_autofree char *limit = max_file(trace);

    g_rmdir(own);
    g_autoptr(GPtrArray) left = list_files(all);
    if (left->len == 1 && g_unlink(limit) == 0) {
        g_rmdir(all);
    }
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
