/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/fill_internal.h"

#include "emu/qemu/scratch.h"
#include "record/derive.h"
#include "record/part_lock.h"
#include "replay/recorded.h"
#include "replay/replay.h"
#include "store/amend.h"
#include "store/error.h"
#include "store/inputs.h"
#include "store/merge.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#define OVERLAP TCGRR_FILL_OVERLAP
#define PER_JOB 4 /* windows for each replay at a time, where keyframes allow for it */

/* ---- which run ---- */

static bool find_id(struct tcgrr_fill *fill, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(fill->reader);
    g_autofree char *folder = tcgrr_scratch_folder("fill", error);
    g_autofree char *log = folder ? g_build_filename(folder, "log", NULL) : NULL;
    uint64_t size;
    g_autofree char *digest =
        log && tcgrr_recorded_original_rr(fill->reader, log, error) ? tcgrr_content_digest(log, &size, error) : NULL;

    if (folder) {
        g_unlink(log);
        g_rmdir(folder);
    }
    if (digest) {
        const char *command = run->original_command ? run->original_command : "";
        fill->id = g_strdup_printf("%s-%016" G_GINT64_MODIFIER "x", digest, XXH3_64bits(command, strlen(command)));
    }
    return digest != NULL;
}

/* The beginning of a part's note, without the places; owned by the caller. */
static char *begin_note(const struct tcgrr_fill *fill, const struct tcgrr_fill_part *part)
{
    return g_strdup_printf("window %s %s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %d", fill->id,
                           tcgrr_level_name(part->level), part->span.first, part->span.end, part->samples);
}

static void keep_note(const char *text, void *data)
{
    g_free(*(char **)data);
    *(char **)data = g_strdup(text);
}

bool tcgrr_fill_read_note(const struct tcgrr_fill *fill, struct tcgrr_reader *reader, struct tcgrr_fill_part *part)
{
    g_autofree char *text = NULL;
    char id[64], level[16], states[4][17];
    int samples;

    if (!tcgrr_reader_run(reader)->complete || !tcgrr_reader_notes(reader, keep_note, &text, NULL) || !text ||
        sscanf(text,
               "window %63s %15s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %d %" G_GUINT64_FORMAT
               " %16s %16s %" G_GUINT64_FORMAT " %16s %16s",
               id, level, &part->span.first, &part->span.end, &samples, &part->began.icount, states[0], states[1],
               &part->passed.icount, states[2], states[3]) != 11) {
        return false;
    }
    g_snprintf(part->began.state, sizeof(part->began.state), "%s %s", states[0], states[1]);
    g_snprintf(part->passed.state, sizeof(part->passed.state), "%s %s", states[2], states[3]);
    part->samples = samples != 0;
    uint64_t most = MAX(part->span.end, MAX(part->began.icount, part->passed.icount));
    return most <= INT64_MAX && strcmp(id, fill->id) == 0 && tcgrr_level_of(level, &part->level) &&
           part->span.first < part->span.end; /* a number that is none becomes a large one */
}

/* ---- opening ---- */

static bool open_files(struct tcgrr_fill *fill, const char *qemu, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(fill->reader);
    const char *name = qemu ? qemu : run->qemu_path ? run->qemu_path : "";
    struct tcgrr_keyframes_options of;

    if (!tcgrr_replay_check_system(fill->reader, "levels cannot be derived from it; record it again with --level",
                                   error) ||
        !tcgrr_replay_check(fill->reader, error) || !tcgrr_qemu_probe(name, fill->plugin, &fill->qemu, error)) {
        return false;
    }
    if (g_strcmp0(fill->qemu.version, run->qemu_version) != 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "%s was recorded by QEMU %s, %s is %s; name the QEMU that recorded it with --qemu", fill->path,
                    run->qemu_version, name, fill->qemu.version);
        return false;
    }
    fill->files = tcgrr_replay_files_new(fill->reader, &fill->qemu, NULL, error);
    if (!fill->files) {
        return false;
    }
    tcgrr_replay_files_keyframes(fill->files, &of);
    fill->keyframes = tcgrr_keyframes_open(&of);
    tcgrr_icount reach = tcgrr_replay_files_reach(fill->files, &fill->asked_after);
    fill->to_end = run->complete;
    fill->end = run->complete ? run->icount : MAX(reach, 1) - 1;
    return find_id(fill, error);
}

char *tcgrr_fill_folder(const char *trace)
{
    g_autofree char *path = tcgrr_amend_path(trace);
    return g_strconcat(path, ".fill", NULL);
}

struct tcgrr_fill *tcgrr_fill_open(const char *trace, const char *qemu, const char *plugin, GError **error)
{
    struct tcgrr_fill *fill = g_new0(struct tcgrr_fill, 1);

    fill->path = tcgrr_amend_path(trace);
    fill->folder = tcgrr_fill_folder(trace);
    fill->plugin = g_strdup(plugin);
    fill->reader = tcgrr_writer_fold_journal(fill->path, error) ? tcgrr_reader_open(trace, error) : NULL;
    if (!fill->reader || !open_files(fill, qemu, error)) {
        g_clear_pointer(&fill, tcgrr_fill_free);
    }
    return fill;
}

void tcgrr_fill_free(struct tcgrr_fill *fill)
{
    if (fill) {
        tcgrr_keyframes_free(fill->keyframes);
        tcgrr_replay_files_free(fill->files);
        tcgrr_qemu_clear(&fill->qemu);
        tcgrr_reader_free(fill->reader);
        g_free(fill->path);
        g_free(fill->folder);
        g_free(fill->plugin);
        g_free(fill->id);
        g_free(fill);
    }
}

struct tcgrr_reader *tcgrr_fill_reader(const struct tcgrr_fill *fill)
{
    return fill->reader;
}

struct tcgrr_span tcgrr_fill_run(const struct tcgrr_fill *fill)
{
    return (struct tcgrr_span){0, fill->end};
}

/* ---- windows ---- */

static void clear_window(gpointer data)
{
    g_free(((struct tcgrr_fill_window *)data)->part);
}

static bool is_there(const struct tcgrr_fill *fill, const struct tcgrr_fill_window *window)
{
    struct tcgrr_reader *reader = tcgrr_reader_open(window->part, NULL);
    struct tcgrr_fill_part part;
    bool there = reader && tcgrr_fill_read_note(fill, reader, &part) && part.level == window->level &&
                 part.span.first == window->span.first && part.span.end == window->span.end;
    tcgrr_reader_free(reader);
    return there;
}

static void add_window(const struct tcgrr_fill *fill, enum tcgrr_level level, struct tcgrr_span span, GArray *windows)
{
    struct tcgrr_fill_window window = {.level = level, .span = span};
    g_autofree char *name = g_strdup_printf("%s-%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT ".tcgrr",
                                            tcgrr_level_name(level), span.first, span.end);
    window.part = g_build_filename(fill->folder, name, NULL);
    window.there = is_there(fill, &window);
    g_array_append_val(windows, window);
}

/* Samples of the state are numbered by the branches from the start on. */
static bool uses_keyframes(const struct tcgrr_fill *fill, enum tcgrr_level level)
{
    return level != TCGRR_LEVEL_STATE && !fill->distrusts && tcgrr_keyframes_list(fill->keyframes)->len > 0;
}

/* Cuts the span after keyframes, or, where every replay has to go all the way, into as many parts as there are jobs.
 */
static void split(const struct tcgrr_fill *fill, enum tcgrr_level level, struct tcgrr_span span, unsigned jobs,
                  tcgrr_icount least, GArray *windows)
{
    const GArray *list = tcgrr_keyframes_list(fill->keyframes);
    tcgrr_icount length = span.end - span.first;
    tcgrr_icount step = MAX(length / (jobs * PER_JOB), least);
    tcgrr_icount first = span.first;

    for (guint i = 0; uses_keyframes(fill, level) && i < list->len; i++) {
        tcgrr_icount cut = g_array_index(list, struct tcgrr_keyframe, i).icount + OVERLAP;
        if (cut >= first + step && cut + step / 2 < span.end) {
            add_window(fill, level, (struct tcgrr_span){first, cut}, windows);
            first = cut;
        }
    }
    /* Getting there at level flow is fast compared with level full. */
    bool alone = level == TCGRR_LEVEL_FULL && !uses_keyframes(fill, level) && length / jobs >= least;
    for (unsigned i = 1; alone && i < jobs; i++) {
        tcgrr_icount cut = span.first + length / jobs * i;
        add_window(fill, level, (struct tcgrr_span){first, cut}, windows);
        first = cut;
    }
    add_window(fill, level, (struct tcgrr_span){first, span.end}, windows);
}

/* Level full has samples, too; they are derived by themselves where windows begin at keyframes. */
static bool wants_samples(const struct tcgrr_fill *fill, enum tcgrr_level level, struct tcgrr_span span)
{
    return level == TCGRR_LEVEL_FULL && uses_keyframes(fill, level) && span.first == 0 && span.end == fill->end &&
           tcgrr_reader_run(fill->reader)->sample_step == 0 && !tcgrr_qemu_lacks(&fill->qemu, TCGRR_LEVEL_STATE);
}

GArray *tcgrr_fill_plan(struct tcgrr_fill *fill, enum tcgrr_level level, struct tcgrr_span span, unsigned jobs,
                        tcgrr_icount least, GError **error)
{
    const char *lack = tcgrr_qemu_lacks(&fill->qemu, level);
    if (lack) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s (QEMU %s) cannot derive level %s: %s", fill->qemu.path,
                    fill->qemu.version, tcgrr_level_name(level), lack);
        return NULL;
    }
    g_autoptr(GArray) there = tcgrr_reader_spans(fill->reader, level, error);
    if (!there) {
        return NULL;
    }
    GArray *windows = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_fill_window));
    g_array_set_clear_func(windows, clear_window);
    if (wants_samples(fill, level, span)) {
        add_window(fill, TCGRR_LEVEL_STATE, span, windows);
    }
    tcgrr_icount first = span.first;
    for (guint i = 0; i <= there->len && first < span.end; i++) {
        struct tcgrr_span next =
            i < there->len ? g_array_index(there, struct tcgrr_span, i) : (struct tcgrr_span){span.end, span.end};
        if (next.first > first) {
            split(fill, level, (struct tcgrr_span){first, MIN(next.first, span.end)}, jobs,
                  least ? least : TCGRR_FILL_WINDOW, windows);
        }
        first = MAX(first, next.end);
    }
    return windows;
}

/* ---- one window ---- */

/* Where the replay of a window that begins at `first` begins. */
static struct tcgrr_keyframe origin_of(const struct tcgrr_fill *fill, enum tcgrr_level level, tcgrr_icount first)
{
    return uses_keyframes(fill, level) && first > OVERLAP ? tcgrr_keyframes_before(fill->keyframes, first - OVERLAP)
                                                          : (struct tcgrr_keyframe){0};
}

static bool derive_from(struct tcgrr_fill *fill, const struct tcgrr_fill_window *window,
                        const struct tcgrr_fill_derive *options, struct tcgrr_keyframe keyframe, GError **error)
{
    const struct tcgrr_span *span = &window->span;
    struct tcgrr_keyframes_options files;
    struct tcgrr_fill_part part = {
        .level = window->level,
        .span = *span,
        .samples =
            window->level >= TCGRR_LEVEL_STATE && !keyframe.folder && !tcgrr_qemu_lacks(&fill->qemu, TCGRR_LEVEL_STATE),
    };
    g_autofree char *note = begin_note(fill, &part);
    bool to_end = fill->to_end && span->end + OVERLAP >= fill->end;
    tcgrr_icount next = span->end < fill->end ? origin_of(fill, window->level, span->end).icount : 0;

    tcgrr_replay_files_keyframes(fill->files, &files);
    struct tcgrr_derive_options derive = {
        .output = window->part,
        .note = note,
        .notes_places = true,
        .run = tcgrr_reader_run(fill->reader),
        .qemu = &fill->qemu,
        .plugin = fill->plugin,
        .words = files.words,
        .rr_file = files.rr_file,
        .start = files.start,
        .start_icount = tcgrr_recorded_start(fill->reader),
        .keyframe = keyframe.folder,
        .keyframe_icount = keyframe.icount,
        .keyframe_state = keyframe.state,
        .passes = next > keyframe.icount ? next : 0,
        .level = window->level,
        .from = span->first,
        .until = to_end ? UINT64_MAX : MIN(span->end + OVERLAP, fill->end),
        .hang_ms = options->hang_ms,
        .stop = options->stop,
        .progress = options->progress,
        .data = options->data,
    };
    return tcgrr_derive(&derive, error);
}

bool tcgrr_fill_derive(struct tcgrr_fill *fill, const struct tcgrr_fill_window *window,
                       const struct tcgrr_fill_derive *options, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(window->part);
    struct tcgrr_keyframe keyframe;
    GError *problem = NULL;

    if (is_there(fill, window)) {
        return true;
    }
    if (g_mkdir_with_parents(folder, 0777) != 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot make the folder %s: %s", folder, g_strerror(errno));
        return false;
    }
    keyframe = origin_of(fill, window->level, window->span.first);
    bool good = derive_from(fill, window, options, keyframe, &problem);
    if (!good && keyframe.folder && problem->code != TCGRR_ERROR_STOPPED) { /* it may be the keyframe's fault */
        g_clear_error(&problem);
        good = derive_from(fill, window, options, (struct tcgrr_keyframe){0}, &problem);
        if (good) {
            tcgrr_keyframes_reject(fill->keyframes, keyframe.icount);
        }
    }
    if (problem) {
        g_propagate_error(error, problem);
    }
    return good;
}

void tcgrr_fill_distrust(struct tcgrr_fill *fill, const GArray *windows)
{
    const GArray *list = tcgrr_keyframes_list(fill->keyframes);

    for (guint i = 0; i < windows->len; i++) {
        g_unlink(g_array_index(windows, struct tcgrr_fill_window, i).part);
    }
    while (list->len > 0) {
        tcgrr_keyframes_reject(fill->keyframes, g_array_index(list, struct tcgrr_keyframe, 0).icount);
    }
    fill->distrusts = true;
}

/* What processes that were killed left, rather than what others are writing. */
static void remove_parts(const char *folder)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        const char *suffix = strstr(name, ".tcgrr.") ? g_strrstr(name, TCGRR_PART_SUFFIX) : NULL;
        if (suffix) { /* after it may come what SQLite adds, or the lock */
            g_autofree char *part = g_strdup_printf("%s/%.*s" TCGRR_PART_SUFFIX, folder, (int)(suffix - name), name);
            tcgrr_part_remove_dead(part);
        }
    }
    if (dir) {
        g_dir_close(dir);
    }
}

void tcgrr_fill_clean(const struct tcgrr_fill *fill, const GArray *windows)
{
    remove_parts(fill->folder);
    for (guint i = 0; i < windows->len; i++) {
        g_unlink(g_array_index(windows, struct tcgrr_fill_window, i).part);
    }
    g_rmdir(fill->folder);
}
