/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/keyframes.h"

#include "replay/keyframes_folder.h"
#include "replay/player.h"
#include "store/inputs.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

/* Raise when older keyframes can no longer be used. */
#define FORMAT "3"

struct tcgrr_keyframes {
    struct tcgrr_keyframes_options options;
    char *folder;
    GMutex lock; /* of the following */
    GArray *list;
    GStringChunk *names;
    GHashTable *states; /* the machine's state of each keyframe that was checked, by folder */
};

/* ---- to which QEMU, log and command they belong ---- */

static void digest_text(XXH3_state_t *state, const char *text)
{
    XXH3_64bits_update(state, text ? text : "", text ? strlen(text) + 1 : 1);
}

/* A file by its name and what a change of it changes. */
static void digest_status(XXH3_state_t *state, const char *path)
{
    struct stat status = {0};
    stat(path, &status);
    int64_t values[] = {status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
    digest_text(state, path);
    XXH3_64bits_update(state, values, sizeof(values));
}

static bool digest_content(XXH3_state_t *state, const char *path)
{
    GMappedFile *file = g_mapped_file_new(path, FALSE, NULL);
    if (!file) {
        return false;
    }
    XXH3_64bits_update(state, g_mapped_file_get_contents(file), g_mapped_file_get_length(file));
    g_mapped_file_unref(file);
    return true;
}

/* Adds the files that the guest consists of: a keyframe has only what was written to images, and lacks memory that was
 * zero and that this QEMU did not fill from a kernel or the like before the guest ran. */
static void digest_guest_files(XXH3_state_t *state, const struct tcgrr_keyframes_options *options)
{
    const char *directory = tcgrr_reader_run(options->reader)->directory;
    struct tcgrr_command_options plain = {
        .mode = TCGRR_RUN_REPLAY, .icount = tcgrr_reader_run(options->reader)->icount_shift, .scratch = "/"};
    struct tcgrr_command command = {0};

    if (!tcgrr_command_build(options->qemu, (const char *const *)options->words + 1, &plain, &command, NULL)) {
        return;
    }
    for (guint i = 0; i < command.images->len; i++) {
        const struct tcgrr_image *image = command.images->pdata[i];
        g_autofree char *path = g_canonicalize_filename(image->path, directory);
        digest_status(state, path);
    }
    for (guint i = 0; i < command.guest_files->len; i++) {
        g_autofree char *path = g_canonicalize_filename(command.guest_files->pdata[i], directory);
        digest_status(state, path);
    }
    tcgrr_command_clear(&command);
}

/* NULL if something of that is not known. */
static char *belongs_to(const struct tcgrr_keyframes_options *options)
{
    const struct tcgrr_qemu *qemu = options->qemu;
    const struct tcgrr_pinned *pinned = NULL;
    XXH3_state_t *state = XXH3_createState();
    bool good = tcgrr_reader_pinned(options->reader, &pinned, NULL);

    XXH3_64bits_reset(state);
    digest_text(state, FORMAT);
    digest_text(state, qemu->version);
    digest_text(state, qemu->build_id);
    digest_status(state, qemu->path); /* it may be a script that adds arguments */
    digest_text(state, pinned ? pinned->command : tcgrr_reader_run(options->reader)->original_command);
    for (const char *const *word = options->extra; word && *word; word++) {
        digest_text(state, *word);
    }
    digest_text(state, tcgrr_reader_run(options->reader)->icount_shift);
    good = good && digest_content(state, options->rr_file);
    if (good && !pinned) {
        digest_guest_files(state, options);
    }
    uint64_t digest = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return good ? g_strdup_printf("%016" G_GINT64_MODIFIER "x", (guint64)digest) : NULL;
}

/* ---- what is there ---- */

static gint by_icount(gconstpointer a, gconstpointer b)
{
    const struct tcgrr_keyframe *x = a, *y = b;
    return x->icount < y->icount ? -1 : x->icount > y->icount;
}

void tcgrr_keyframes_look(struct tcgrr_keyframes *keyframes)
{
    GDir *dir = keyframes->folder ? g_dir_open(keyframes->folder, 0, NULL) : NULL;
    const char *name;

    g_mutex_lock(&keyframes->lock);
    g_array_set_size(keyframes->list, 0);
    while (dir && (name = g_dir_read_name(dir))) {
        struct tcgrr_keyframe keyframe = {0};
        guint64 icount;
        if (g_ascii_string_to_unsigned(name, 10, 1, INT64_MAX, &icount, NULL)) {
            g_autofree char *path = g_build_filename(keyframes->folder, name, NULL);
            keyframe.icount = icount;
            keyframe.folder = g_string_chunk_insert_const(keyframes->names, path);
            g_array_append_val(keyframes->list, keyframe);
        }
    }
    if (dir) {
        g_dir_close(dir);
    }
    g_array_sort(keyframes->list, by_icount);
    g_mutex_unlock(&keyframes->lock);
}

struct tcgrr_keyframes *tcgrr_keyframes_open(const struct tcgrr_keyframes_options *options)
{
    struct tcgrr_keyframes *keyframes = g_new0(struct tcgrr_keyframes, 1);
    g_autofree char *name = belongs_to(options);
    g_autofree char *all = tcgrr_keyframes_folder(tcgrr_reader_path(options->reader));

    keyframes->options = *options;
    g_mutex_init(&keyframes->lock);
    keyframes->states = g_hash_table_new(g_direct_hash, g_direct_equal);
    keyframes->list = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_keyframe));
    keyframes->names = g_string_chunk_new(1024);
    keyframes->folder = name ? g_build_filename(all, name, NULL) : NULL;
    tcgrr_keyframes_look(keyframes);
    return keyframes;
}

void tcgrr_keyframes_free(struct tcgrr_keyframes *keyframes)
{
    if (keyframes) {
        g_array_unref(keyframes->list);
        g_string_chunk_free(keyframes->names);
        g_hash_table_unref(keyframes->states);
        g_mutex_clear(&keyframes->lock);
        g_free(keyframes->folder);
        g_free(keyframes);
    }
}

/* Whether the keyframe is unchanged; if so, sets its state. Checked only once, because nothing legitimate changes it.
 * */
static bool is_good(struct tcgrr_keyframes *keyframes, struct tcgrr_keyframe *keyframe)
{
    /* Folder names are unique. */
    keyframe->state = g_hash_table_lookup(keyframes->states, keyframe->folder);
    if (!keyframe->state) {
        g_autofree char *state = NULL;
        if (tcgrr_keyframes_is_sealed(keyframe->folder, keyframe->icount, &state)) {
            keyframe->state = g_string_chunk_insert_const(keyframes->names, state);
            g_hash_table_insert(keyframes->states, (char *)keyframe->folder, (char *)keyframe->state);
        }
    }
    return keyframe->state != NULL;
}

static void discard(struct tcgrr_keyframes *keyframes, guint at)
{
    const struct tcgrr_keyframe *keyframe = &g_array_index(keyframes->list, struct tcgrr_keyframe, at);

    g_hash_table_remove(keyframes->states, keyframe->folder);
    tcgrr_keyframes_discard(keyframe->folder);
    g_array_remove_index(keyframes->list, at);
}

struct tcgrr_keyframe tcgrr_keyframes_before(struct tcgrr_keyframes *keyframes, tcgrr_icount icount)
{
    struct tcgrr_keyframe found = {0};

    g_mutex_lock(&keyframes->lock);
    for (guint i = keyframes->list->len; i > 0 && !found.folder; i--) {
        struct tcgrr_keyframe keyframe = g_array_index(keyframes->list, struct tcgrr_keyframe, i - 1);
        if (keyframe.icount > icount) {
            continue;
        }
        if (is_good(keyframes, &keyframe)) {
            found = keyframe;
        } else {
            discard(keyframes, i - 1);
        }
    }
    g_mutex_unlock(&keyframes->lock);
    return found;
}

void tcgrr_keyframes_reject(struct tcgrr_keyframes *keyframes, tcgrr_icount icount)
{
    g_mutex_lock(&keyframes->lock);
    for (guint i = keyframes->list->len; i > 0; i--) {
        if (g_array_index(keyframes->list, struct tcgrr_keyframe, i - 1).icount == icount) {
            discard(keyframes, i - 1);
        }
    }
    g_mutex_unlock(&keyframes->lock);
}

bool tcgrr_keyframes_complete(const struct tcgrr_qemu *qemu)
{
    return !g_str_has_prefix(qemu->target, "riscv") || strtoul(qemu->version, NULL, 10) > 10;
}

const GArray *tcgrr_keyframes_list(const struct tcgrr_keyframes *keyframes)
{
    return keyframes->list;
}

const struct tcgrr_keyframes_options *tcgrr_keyframes_options(const struct tcgrr_keyframes *keyframes)
{
    return &keyframes->options;
}

const char *tcgrr_keyframes_own_folder(const struct tcgrr_keyframes *keyframes)
{
    return keyframes->folder;
}
