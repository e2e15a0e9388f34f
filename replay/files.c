/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/files.h"

#include "emu/qemu/calls_file.h"
#include "emu/qemu/folder.h"
#include "emu/qemu/scratch.h"
#include "replay/guest_files.h"
#include "replay/recorded.h"

struct tcgrr_replay_files {
    struct tcgrr_reader *reader;
    const struct tcgrr_qemu *qemu;
    const char *const *extra;
    char *folder;
    char *inputs; /* in it */
    char *rr_file;
    char **words;
    char *start; /* in `inputs`; NULL: the run starts at reset */
    /* User mode. */
    char *calls;
    char **environment;
    tcgrr_icount reach;
    tcgrr_icount asked_after;
};

static bool is_user(const struct tcgrr_replay_files *files)
{
    return g_strcmp0(tcgrr_reader_run(files->reader)->mode, "user") == 0;
}

static bool write_calls(struct tcgrr_replay_files *files, GError **error)
{
    files->calls = tcgrr_recorded_calls(files->reader, files->inputs, error);
    files->environment = files->calls ? tcgrr_calls_file_environment(files->calls, error) : NULL;
    return files->environment != NULL;
}

static bool write_files(struct tcgrr_replay_files *files, GError **error)
{
    struct tcgrr_rrlog_rewritten rewritten = {0};

    files->folder = tcgrr_scratch_folder("files", error);
    if (!files->folder) {
        return false;
    }
    files->inputs = g_build_filename(files->folder, TCGRR_SCRATCH_INPUTS, NULL);
    files->rr_file = g_build_filename(files->folder, "replay.rr", NULL);
    files->words = tcgrr_recorded_command(files->reader, files->inputs, files->extra, error);
    files->start = tcgrr_recorded_start_image(files->inputs);
    bool good = files->words && tcgrr_recorded_suits(files->reader, files->qemu, error);
    if (!good || is_user(files)) {
        return good && write_calls(files, error);
    }
    good = tcgrr_recorded_rr(files->reader, files->rr_file, files->qemu->version, files->words, &rewritten, error);

    files->reach = rewritten.state.end;
    files->asked_after = rewritten.state.was_moved ? rewritten.state.moved : 0;
    return good;
}

struct tcgrr_replay_files *tcgrr_replay_files_new(struct tcgrr_reader *reader, const struct tcgrr_qemu *qemu,
                                                  const char *const *extra, GError **error)
{
    struct tcgrr_replay_files *files = g_new0(struct tcgrr_replay_files, 1);

    *files = (struct tcgrr_replay_files){.reader = reader, .qemu = qemu, .extra = extra};
    if (!tcgrr_guest_files_unchanged(reader, error) || !write_files(files, error)) {
        g_clear_pointer(&files, tcgrr_replay_files_free);
    }
    return files;
}

void tcgrr_replay_files_free(struct tcgrr_replay_files *files)
{
    if (!files) {
        return;
    }
    tcgrr_folder_remove(files->inputs);
    tcgrr_folder_remove(files->folder);
    g_strfreev(files->words);
    g_free(files->folder);
    g_free(files->inputs);
    g_free(files->rr_file);
    g_free(files->start);
    g_free(files->calls);
    g_strfreev(files->environment);
    g_free(files);
}

char *tcgrr_replay_files_path(const struct tcgrr_replay_files *files, const char *name)
{
    return g_build_filename(files->folder, name, NULL);
}

void tcgrr_replay_files_session(const struct tcgrr_replay_files *files, struct tcgrr_session_options *options)
{
    const struct tcgrr_run *run = tcgrr_reader_run(files->reader);
    bool user = is_user(files);

    options->known = files->qemu;
    options->qemu = files->qemu->path;
    options->arguments = (const char *const *)files->words + 1;
    options->mode = user ? TCGRR_RUN_PLAIN : TCGRR_RUN_REPLAY;
    options->icount = user ? NULL : run->icount_shift;
    options->rr_file = files->rr_file;
    options->start = files->start;
    options->start_icount = tcgrr_recorded_start(files->reader);
    options->inputs = files->calls;
    options->given = user;
    options->environment = files->environment;
    options->output = user ? tcgrr_output_named(run->output) : TCGRR_OUTPUT_OURS;
    options->directory = run->directory && g_file_test(run->directory, G_FILE_TEST_IS_DIR) ? run->directory : NULL;
    options->quiet = true;
}

void tcgrr_replay_files_keyframes(const struct tcgrr_replay_files *files, struct tcgrr_keyframes_options *options)
{
    *options = (struct tcgrr_keyframes_options){
        .reader = files->reader,
        .qemu = files->qemu,
        .rr_file = files->rr_file,
        .words = files->words,
        .extra = files->extra,
        .start = files->start,
    };
}

tcgrr_icount tcgrr_replay_files_reach(const struct tcgrr_replay_files *files, tcgrr_icount *asked_after)
{
    *asked_after = files->asked_after;
    return files->reach;
}
