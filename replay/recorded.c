/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/recorded.h"

#include "emu/qemu/command.h"
#include "emu/qemu/folder.h"
#include "emu/qemu/scratch.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <jansson.h>
#include <string.h>

#include "emu/qemu/start.h"
#include "replay/waits.h"
#include "store/error.h"
#include "store/inputs.h"
#include "store/processes.h"
#include "store/words.h"

/* Where further arguments of QEMU's go: at the end, in user mode before the program, after which they would be its own.
 */
static guint extra_at(const GPtrArray *words, bool user)
{
    g_autofree const char **list = g_new0(const char *, words->len + 1); /* NULL-terminated */

    memcpy(list, words->pdata, words->len * sizeof(*list));
    int program = user ? tcgrr_command_program(list[0], list + 1) : -1;
    return program >= 0 ? (guint)program + 1 : words->len;
}

/* The words of a JSON array, NULL-terminated, followed by `extra`; NULL if the text is not one. Owned by the caller. */
static char **parse_words(const char *json, const char *const *extra, bool user)
{
    json_t *array = json ? json_loads(json, 0, NULL) : NULL;
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
    size_t i;
    json_t *word;

    json_array_foreach(array, i, word)
    {
        char *text = tcgrr_word_of_json(word);
        if (text) {
            g_ptr_array_add(words, text);
        }
    }
    bool good = json_is_array(array) && words->len > 0 && words->len == json_array_size(array);
    json_decref(array);
    if (!good) {
        return NULL;
    }
    for (guint at = extra_at(words, user); extra && *extra; extra++, at++) {
        g_ptr_array_insert(words, (gint)at, g_strdup(*extra));
    }
    g_ptr_array_add(words, NULL);
    return (char **)g_ptr_array_steal(words, NULL);
}

static char **no_words(struct tcgrr_reader *reader, GError **error)
{
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "%s does not say which command was recorded",
                tcgrr_reader_path(reader));
    return NULL;
}

char **tcgrr_recorded_words(struct tcgrr_reader *reader, const char *const *extra, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    char **words = parse_words(run->original_command, extra, g_strcmp0(run->mode, "user") == 0);
    return words ? words : no_words(reader, error);
}

char **tcgrr_recorded_command(struct tcgrr_reader *reader, const char *folder, const char *const *extra, GError **error)
{
    const struct tcgrr_pinned *pinned = NULL;
    if (!tcgrr_reader_pinned(reader, &pinned, error)) {
        return NULL;
    }
    if (!pinned) {
        return tcgrr_recorded_words(reader, extra, error);
    }
    if (g_mkdir_with_parents(folder, 0777) != 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot make the folder %s: %s", folder, g_strerror(errno));
        return NULL;
    }
    g_auto(GStrv) words = parse_words(pinned->command, extra, false);
    if (!words) {
        return no_words(reader, error);
    }
    return tcgrr_reader_extract_inputs(reader, folder, error) ? tcgrr_pins_resolve((const char *const *)words, folder)
                                                              : NULL;
}

tcgrr_icount tcgrr_recorded_start(struct tcgrr_reader *reader)
{
    const struct tcgrr_pinned *pinned = NULL;
    return tcgrr_reader_pinned(reader, &pinned, NULL) && pinned ? pinned->start_icount : 0;
}

struct tcgrr_rrlog *tcgrr_recorded_log(struct tcgrr_reader *reader, const char *rr_file, const char *version,
                                       bool *ends_early, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    struct tcgrr_rrlog *log = tcgrr_rrlog_load(rr_file, version, error);

    *ends_early = false;
    if (log) {
        tcgrr_rrlog_rebase(log, tcgrr_recorded_start(reader));
        *ends_early = run->complete && !run->guest_shutdown && run->icount < log->run_end;
    }
    if (*ends_early) {
        log->run_end = run->icount;
    }
    return log;
}

bool tcgrr_recorded_follow_log(struct tcgrr_reader *reader, const char *rr_file, struct tcgrr_session *session,
                               GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);

    if (!rr_file || !run->complete || run->decided < 0) {
        return true;
    }
    struct tcgrr_rrlog *log = tcgrr_rrlog_load(rr_file, tcgrr_session_qemu(session)->version, error);
    if (log) {
        tcgrr_rrlog_rebase(log, tcgrr_recorded_start(reader));
        tcgrr_live_set_log(tcgrr_session_live(session), log);
    }
    return log != NULL;
}

char *tcgrr_recorded_start_image(const char *folder)
{
    char *path = g_build_filename(folder, TCGRR_START_FILE, NULL);
    if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_clear_pointer(&path, g_free);
    }
    return path;
}

bool tcgrr_recorded_suits(struct tcgrr_reader *reader, const struct tcgrr_qemu *qemu, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    const struct tcgrr_pinned *pinned = NULL;
    if (!tcgrr_reader_pinned(reader, &pinned, error)) {
        return false;
    }
    return !pinned || !*pinned->machine || g_strcmp0(qemu->version, run->qemu_version) == 0 ||
           tcgrr_pin_check(qemu, pinned->machine, pinned->cpu, error);
}

bool tcgrr_recorded_original_rr(struct tcgrr_reader *reader, const char *path, GError **error)
{
    g_autofree char *left = g_strconcat(tcgrr_reader_path(reader), ".rr", NULL);
    GError *problem = NULL;

    if (tcgrr_reader_extract_rr(reader, path, &problem)) {
        return true;
    }
    if (problem->code != TCGRR_ERROR_DAMAGED && g_file_test(left, G_FILE_TEST_EXISTS)) {
        g_autofree char *bytes = NULL;
        gsize size = 0;
        g_clear_error(&problem);
        return g_file_get_contents(left, &bytes, &size, error) && g_file_set_contents(path, bytes, (gssize)size, error);
    }
    g_propagate_error(error, problem);
    return false;
}

bool tcgrr_recorded_rr(struct tcgrr_reader *reader, const char *path, const char *to, char *const *words,
                       struct tcgrr_rrlog_rewritten *rewritten, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    const struct tcgrr_pinned *pinned = NULL;
    tcgrr_icount start = tcgrr_recorded_start(reader);
    struct tcgrr_rrlog_known known = {
        .asked_by = run->complete ? start + run->icount : 0,
        .logged = start + run->logged,
        .tree_added = tcgrr_reader_pinned(reader, &pinned, NULL) && pinned && pinned->afterwards,
        .riscv_tree =
            words && g_str_has_prefix(run->target, "riscv") && tcgrr_pin_has_dtb((const char *const *)words + 1),
    };
    if (g_strcmp0(run->mode, "user") == 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "%s is a user-mode recording, in which QEMU cannot be stopped at an icount; tcgrr replay --at "
                    "compares up to one",
                    tcgrr_reader_path(reader));
        return false;
    }
    g_autofree char *original = g_strconcat(path, ".original", NULL);
    if (to && !tcgrr_waits_check(reader, to, error)) {
        return false;
    }
    bool good = tcgrr_recorded_original_rr(reader, original, error) &&
                tcgrr_rrlog_rewrite(original, path, run->qemu_version, to, &known, rewritten, error);

    if (good) { /* the log's counts are QEMU's own */
        rewritten->state.total -= MIN(rewritten->state.total, start);
        rewritten->state.end -= MIN(rewritten->state.end, start);
        rewritten->state.moved -= MIN(rewritten->state.moved, start);
    } else {
        g_prefix_error(error, "cannot prepare a replay of %s: ", tcgrr_reader_path(reader));
    }
    g_unlink(original);
    return good;
}

GPtrArray *tcgrr_recorded_repairs(struct tcgrr_reader *reader, GError **error)
{
    struct tcgrr_rrlog_rewritten rewritten;
    g_autofree char *folder = tcgrr_scratch_folder("info", error);
    g_autofree char *path = folder ? g_build_filename(folder, "replay.rr", NULL) : NULL;
    bool good = path && tcgrr_recorded_rr(reader, path, NULL, NULL, &rewritten, error);

    if (path) {
        g_unlink(path);
        g_rmdir(folder);
    }
    return good ? tcgrr_rrlog_repairs(&rewritten) : NULL;
}

char *tcgrr_recorded_calls(struct tcgrr_reader *reader, const char *folder, GError **error)
{
    g_autofree char *path = g_build_filename(folder, TCGRR_INPUTS_CALLS, NULL);
    g_autofree char *left = g_strconcat(tcgrr_reader_path(reader), ".calls", NULL);

    if (!tcgrr_reader_check_start(reader, error)) {
        return NULL;
    }
    if (g_mkdir_with_parents(folder, 0777) != 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot make the folder %s: %s", folder, g_strerror(errno));
        return NULL;
    }
    if (!tcgrr_reader_extract_inputs(reader, folder, error)) {
        return NULL;
    }
    if (!g_file_test(path, G_FILE_TEST_EXISTS) && g_file_test(left, G_FILE_TEST_EXISTS) &&
        !tcgrr_file_copy(left, path, error)) {
        return NULL;
    }
    if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                    "%s does not hold the inputs of its program and cannot be replayed; record it again",
                    tcgrr_reader_path(reader));
        return NULL;
    }
    return g_steal_pointer(&path);
}
