/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/decide.h"

#include "emu/qemu/command.h"
#include "emu/qemu/folder.h"
#include "emu/qemu/scratch.h"
#include "lockstep/lockstep_local.h"
#include "replay/recorded.h"
#include "store/error.h"
#include "store/processes.h"

#include <string.h>

/* A QEMU without progress for so long has hung. */
#define HANG_MS 60000
/* How much further than the recordings the two run, because their counts may differ by then. */
#define BEYOND  16777216

struct deciding {
    char *folders[2];   /* with what pins each machine */
    char **commands[2]; /* as they were recorded: QEMU and its arguments */
    struct tcgrr_lockstep_local pair;
};

static bool is_user(struct tcgrr_reader *reader)
{
    return g_strcmp0(tcgrr_reader_run(reader)->mode, "user") == 0;
}

/* By path, the digests of the guest's files that are known. */
static void note_file(const char *path, uint64_t size, const char *xxh128, void *data)
{
    if (path && xxh128 && *xxh128) {
        g_hash_table_insert(data, g_strdup(path), g_strdup(xxh128));
    }
}

static bool files_differ(GHashTable *const files[2])
{
    GHashTableIter iter;
    gpointer path, digest;

    g_hash_table_iter_init(&iter, files[0]);
    while (g_hash_table_iter_next(&iter, &path, &digest)) {
        const char *other = g_hash_table_lookup(files[1], path);
        if (other && strcmp(digest, other) != 0) {
            return true;
        }
    }
    return false;
}

/* Whether both ran the same program with the same arguments, as far as is known. */
static bool same_command(struct tcgrr_reader *const readers[2])
{
    GHashTable *files[2];
    char **words[2];
    int programs[2];
    bool known = true;

    for (int i = 0; i < 2; i++) {
        files[i] = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        words[i] = tcgrr_recorded_words(readers[i], NULL, NULL);
        programs[i] = words[i] ? tcgrr_command_program(words[i][0], (const char *const *)words[i] + 1) : -1;
        known = known && programs[i] >= 0 && tcgrr_reader_guest_files(readers[i], note_file, files[i], NULL);
    }
    bool same = !known || (g_strv_equal((const char *const *)words[0] + 1 + programs[0],
                                        (const char *const *)words[1] + 1 + programs[1]) &&
                           !files_differ(files));
    for (int i = 0; i < 2; i++) {
        g_hash_table_unref(files[i]);
        g_strfreev(words[i]);
    }
    return same;
}

bool tcgrr_decide_check_calls(struct tcgrr_reader *const readers[2], struct tcgrr_comparison *found, GError **error)
{
    return !found->diverged || !is_user(readers[0]) || !same_command(readers) ||
           tcgrr_compare_withdraw_over_calls(found, error);
}

void tcgrr_decide_note_start(struct tcgrr_reader *const readers[2], struct tcgrr_comparison *found)
{
    const char *const auxv[] = {tcgrr_reader_run(readers[0])->auxv, tcgrr_reader_run(readers[1])->auxv};
    tcgrr_compare_note_start(found, auxv, false);
}

static bool prepare(struct deciding *deciding, struct tcgrr_reader *const readers[2],
                    struct tcgrr_lockstep_local_options *options, GError **error)
{
    for (int i = 0; i < 2; i++) {
        const char *directory = tcgrr_reader_run(readers[i])->directory;
        if (is_user(readers[i]) && !tcgrr_reader_check_start(readers[i], error)) {
            return false;
        }
        if (tcgrr_recorded_start(readers[i]) > 0) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s starts from a snapshot",
                        tcgrr_reader_path(readers[i]));
            return false;
        }
        deciding->folders[i] = tcgrr_scratch_folder(TCGRR_SCRATCH_INPUTS, error);
        deciding->commands[i] =
            deciding->folders[i] ? tcgrr_recorded_command(readers[i], deciding->folders[i], NULL, error) : NULL;
        if (!deciding->commands[i]) {
            return false;
        }
        options->members[i] = (struct tcgrr_lockstep_member){
            .qemu = deciding->commands[i][0],
            .arguments = (const char *const *)deciding->commands[i] + 1,
            .directory = directory && g_file_test(directory, G_FILE_TEST_IS_DIR) ? directory : NULL,
            .quiet = true,
        };
    }
    return true;
}

/* Whether both sides go the same ways where they diverge. */
static bool same_place(const struct tcgrr_comparison *a, const struct tcgrr_comparison *b)
{
    for (int i = 0; i < 2; i++) {
        if (a->sides[i].there != b->sides[i].there || (a->sides[i].there && a->sides[i].pc != b->sides[i].pc)) {
            return false;
        }
    }
    return true;
}

static enum tcgrr_decision judge(const struct deciding *deciding, const struct tcgrr_comparison *found, bool good,
                                 GError **error)
{
    const struct tcgrr_comparison *shared = &deciding->pair.comparison;

    if (deciding->pair.own_because) {
        g_clear_error(error);
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s", deciding->pair.own_because);
        return TCGRR_UNDECIDED;
    }
    if (good && shared->diverged) {
        return same_place(shared, found) ? TCGRR_DECIDED_DIVERGES : TCGRR_DECIDED_ELSEWHERE;
    }
    /* They may end before the place where the comparison was to end. */
    bool ended = !good && error && *error && (*error)->code == TCGRR_ERROR_FAILED && !shared->undecided &&
                 !shared->refused && shared->compared > 0;
    if (!good && !ended) {
        return TCGRR_UNDECIDED;
    }
    g_clear_error(error);
    if (shared->input_places > 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "system calls returned something else again");
        return TCGRR_UNDECIDED;
    }
    return TCGRR_DECIDED_INPUTS;
}

enum tcgrr_decision tcgrr_decide(struct tcgrr_reader *const readers[2], const struct tcgrr_decide_options *options,
                                 const struct tcgrr_comparison *found, GError **error)
{
    const struct tcgrr_compare_options *compare = options->compare;
    struct tcgrr_lockstep_local_options local = {
        .plugin = options->plugin,
        .level = TCGRR_LEVEL_FLOW,
        .hang_ms = HANG_MS,
        .starts_late = compare->from[0].kind == TCGRR_POSITION_PC,
        .compare = {.history = compare->history},
        .stop = options->stop,
    };
    struct deciding deciding = {0};
    enum tcgrr_decision decision = TCGRR_UNDECIDED;

    for (int i = 0; i < 2; i++) {
        tcgrr_icount most = found->sides[i].icount - (local.starts_late ? found->start[i] : 0) + BEYOND;
        local.compare.from[i] = compare->from[i];
        local.compare.until[i] = (struct tcgrr_position){TCGRR_POSITION_ICOUNT, most + most / 8};
    }
    if (prepare(&deciding, readers, &local, error) && tcgrr_lockstep_local_open(&deciding.pair, &local, error)) {
        bool good = tcgrr_lockstep_local_run(&deciding.pair, &local, error);
        decision = judge(&deciding, found, good, error);
    }
    tcgrr_lockstep_local_clear(&deciding.pair);
    for (int i = 0; i < 2; i++) {
        g_strfreev(deciding.commands[i]);
        if (deciding.folders[i]) {
            tcgrr_folder_remove(deciding.folders[i]);
            g_free(deciding.folders[i]);
        }
    }
    return decision;
}
