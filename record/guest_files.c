/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The user's files that the guest consists of: their digests, and which of them were written to while it ran. */
#include "emu/qemu/pin.h"
#include "record/record_internal.h"
#include "store/inputs.h"
#include "store/symbols.h"

#include <string.h>
#include <sys/stat.h>

const char *tcgrr_recorder_user_path(const struct recorder *recorder, const char *path)
{
    const char *own = tcgrr_pins_user_path(&recorder->portable.pins, path);
    return own ? own : path;
}

/* When it was last written to, in nanoseconds; -1: it is no regular file. */
static int64_t date_of(const char *path)
{
    struct stat status;
    bool regular = stat(path, &status) == 0 && S_ISREG(status.st_mode);
    return regular ? (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec : -1;
}

static const GPtrArray *guest_files(const struct recorder *recorder)
{
    return tcgrr_session_command(recorder->session)->guest_files;
}

void tcgrr_recorder_date_files(struct recorder *recorder)
{
    const GPtrArray *files = guest_files(recorder);

    recorder->dates = g_array_new(FALSE, FALSE, sizeof(int64_t));
    for (guint i = 0; i < files->len; i++) {
        int64_t date = date_of(g_ptr_array_index(files, i));
        g_array_append_val(recorder->dates, date);
    }
}

/* The guest writes to its disks. Not by the clock, which may jump. */
static bool was_written(const struct recorder *recorder, guint index)
{
    return recorder->dates &&
           date_of(g_ptr_array_index(guest_files(recorder), index)) != g_array_index(recorder->dates, int64_t, index);
}

bool tcgrr_recorder_digest_files(struct recorder *recorder, GError **error)
{
    const GPtrArray *files = guest_files(recorder);
    bool good = true;

    for (guint i = 0; i < files->len && good; i++) {
        const char *path = g_ptr_array_index(files, i), *name = tcgrr_recorder_user_path(recorder, path);
        uint64_t size;
        g_autofree char *digest = date_of(path) >= 0 ? tcgrr_content_digest(path, &size, NULL) : NULL;
        /* If the file does not exist, QEMU found it elsewhere or will report it; generated files are not the user's. */
        good = !digest || !*name ||
               tcgrr_writer_guest_file(recorder->writer, name, size, was_written(recorder, i) ? "" : digest, error);
    }
    return good;
}

static bool is_guest_file(const struct recorder *recorder, const char *path)
{
    const GPtrArray *files = guest_files(recorder);
    bool found = false;

    for (guint i = 0; i < files->len && !found; i++) {
        g_autofree char *whole = g_canonicalize_filename(g_ptr_array_index(files, i), NULL);
        found = strcmp(whole, path) == 0;
    }
    return found;
}

bool tcgrr_recorder_digest_mapped(struct recorder *recorder, const GArray *mapped, GError **error)
{
    bool good = true;

    for (guint i = recorder->mapped; i < mapped->len && good; i++) {
        const char *path = g_array_index(mapped, struct tcgrr_mapping, i).path;
        uint64_t size;
        bool known = !path || is_guest_file(recorder, path);
        for (guint k = 0; k < i && !known; k++) {
            known = g_strcmp0(path, g_array_index(mapped, struct tcgrr_mapping, k).path) == 0;
        }
        g_autofree char *digest = !known && date_of(path) >= 0 ? tcgrr_content_digest(path, &size, NULL) : NULL;
        good = !digest || tcgrr_writer_guest_file(recorder->writer, path, size, digest, error);
    }
    return good;
}

bool tcgrr_recorder_note_written(struct recorder *recorder, char **first, GError **error)
{
    const GPtrArray *files = guest_files(recorder);

    for (guint i = 0; recorder->run.rr && i < files->len; i++) {
        if (!was_written(recorder, i)) {
            continue;
        }
        const char *name = tcgrr_recorder_user_path(recorder, g_ptr_array_index(files, i));
        g_autofree char *note = g_strconcat(TCGRR_WRITTEN_NOTE, name, NULL);
        if (!tcgrr_writer_note(recorder->writer, note, error)) {
            return false;
        }
        *first = *first ? *first : g_strdup(name);
    }
    return true;
}
