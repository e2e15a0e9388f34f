/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/guest_files.h"

#include "store/error.h"
#include "store/inputs.h"

struct looking {
    const char *directory;
    char *changed; /* the first one that has; NULL: none so far */
    bool unknown;  /* what it was is not known */
};

static void look(const char *path, uint64_t size, const char *xxh128, void *data)
{
    struct looking *looking = data;
    uint64_t size_now;

    if (looking->changed || !path) {
        return;
    }
    g_autofree char *file = g_canonicalize_filename(path, looking->directory);
    g_autofree char *now = tcgrr_content_digest(file, &size_now, NULL);
    if (!now || size_now != size || g_strcmp0(now, xxh128) != 0) {
        looking->changed = g_strdup(path);
        looking->unknown = !xxh128 || !*xxh128;
    }
}

bool tcgrr_guest_files_check(struct tcgrr_comparison *found, struct tcgrr_reader *reader, GError **error)
{
    struct looking looking = {.directory = tcgrr_reader_run(reader)->directory};

    if (!found->diverged) {
        return true;
    }
    if (!tcgrr_reader_guest_files(reader, look, &looking, error)) {
        return false;
    }
    if (!looking.changed) {
        return true;
    }
    found->diverged = false;
    found->undecided = g_strdup("a file of the guest's has changed since the recording began");
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                "no verdict: the two differ at icount %" G_GUINT64_FORMAT ", but %s %s; restore it, or record %s",
                found->icount, looking.changed,
                looking.unknown ? "was written to before tcgrr had read it"
                                : "is not what it was when the recording began",
                "again (a disk with snapshot=on stays as it is)");
    g_free(looking.changed);
    return false;
}
