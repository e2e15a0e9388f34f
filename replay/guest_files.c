/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/guest_files.h"

#include "record/record.h"
#include "store/error.h"
#include "store/inputs.h"

#include <string.h>

struct looking {
    const char *directory;
    GHashTable *written; /* set of char *: names of files that the guest wrote to; NULL: check all files */
    char *changed;       /* the first of them that has changed; NULL: none so far */
};

static void look_at_note(const char *text, void *data)
{
    const struct looking *looking = data;

    if (g_str_has_prefix(text, TCGRR_WRITTEN_NOTE)) {
        g_hash_table_add(looking->written, g_strdup(text + strlen(TCGRR_WRITTEN_NOTE)));
    }
}

/* There is no digest of a file that had been written to before it was read. */
static void look_at_file(const char *path, uint64_t size, const char *xxh128, void *data)
{
    struct looking *looking = data;
    uint64_t size_now;

    if (looking->changed || !path || (looking->written && !g_hash_table_contains(looking->written, path))) {
        return;
    }
    g_autofree char *file = g_canonicalize_filename(path, looking->directory);
    g_autofree char *now = tcgrr_content_digest(file, &size_now, NULL);
    if (!now || size_now != size || g_strcmp0(now, xxh128) != 0) {
        looking->changed = g_strdup(path);
    }
}

/* *changed: the first of them that is not what it was, owned by the caller; NULL: none. */
static bool find_changed(struct tcgrr_reader *reader, char **changed, GError **error)
{
    struct looking looking = {
        .directory = tcgrr_reader_run(reader)->directory,
        .written = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
    };
    bool good = tcgrr_reader_notes(reader, look_at_note, &looking, error) &&
                tcgrr_reader_guest_files(reader, look_at_file, &looking, error);

    g_hash_table_unref(looking.written);
    *changed = looking.changed;
    return good;
}

bool tcgrr_guest_files_unchanged(struct tcgrr_reader *reader, GError **error)
{
    g_autofree char *changed = NULL;

    if (!find_changed(reader, &changed, error)) {
        return false;
    }
    if (changed) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "the guest wrote to %s while it was recorded, and the file is not what it was before: restore it, "
                    "or record "
                    "with snapshot=on",
                    changed);
    }
    return !changed;
}

bool tcgrr_guest_files_check(struct tcgrr_comparison *found, struct tcgrr_reader *reader, GError **error)
{
    GError *problem = NULL;

    if (!found->diverged || tcgrr_guest_files_unchanged(reader, &problem)) {
        return true;
    }
    tcgrr_comparison_withdraw(found, "the guest had written to one of its disks", error,
                              "no verdict: the two differ at icount %" G_GUINT64_FORMAT ", but %s", found->icount,
                              problem->message);
    g_error_free(problem);
    return false;
}

bool tcgrr_guest_files_same(struct tcgrr_reader *reader)
{
    struct looking looking = {.directory = tcgrr_reader_run(reader)->directory};
    bool good = tcgrr_reader_guest_files(reader, look_at_file, &looking, NULL);
    bool same = good && !looking.changed;

    g_free(looking.changed);
    return same;
}
