/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/files.h"

#include "emu/qemu/folder.h"
#include "emu/qemu/scratch.h"
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
    tcgrr_icount reach;
    tcgrr_icount asked_after;
};

static bool write_files(struct tcgrr_replay_files *files, GError **error)
{
    struct tcgrr_rrlog_rewritten rewritten = {0};

    files->folder = tcgrr_scratch_folder("files", error);
    if (!files->folder) {
        return false;
    }
    files->inputs = g_build_filename(files->folder, "inputs", NULL);
    files->rr_file = g_build_filename(files->folder, "replay.rr", NULL);
    files->words = tcgrr_recorded_command(files->reader, files->inputs, files->extra, error);
    files->start = tcgrr_recorded_start_image(files->inputs);
    bool good = files->words && tcgrr_recorded_suits(files->reader, files->qemu, error) &&
                tcgrr_recorded_rr(files->reader, files->rr_file, files->qemu->version, files->words, &rewritten, error);

    files->reach = rewritten.state.end;
    files->asked_after = rewritten.state.was_moved ? rewritten.state.moved : 0;
    return good;
}

struct tcgrr_replay_files *tcgrr_replay_files_new(struct tcgrr_reader *reader, const struct tcgrr_qemu *qemu,
                                                  const char *const *extra, GError **error)
{
    struct tcgrr_replay_files *files = g_new0(struct tcgrr_replay_files, 1);

    *files = (struct tcgrr_replay_files){.reader = reader, .qemu = qemu, .extra = extra};
    if (!write_files(files, error)) {
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
    g_free(files);
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
