/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/decide.h"

#include "emu/qemu/folder.h"
#include "emu/qemu/scratch.h"
#include "lockstep/lockstep_local.h"
#include "replay/recorded.h"
#include "store/error.h"

#include <string.h>

/* A QEMU without progress for so long has hung. */
#define HANG_MS 60000
/* So much further than the recordings the two run, whose counts may be others by then. */
#define BEYOND  16777216

struct deciding {
    char *folders[2];   /* with what pins each machine */
    char **commands[2]; /* as they were recorded: QEMU and its arguments */
    struct tcgrr_lockstep_local pair;
};

static bool prepare(struct deciding *deciding, struct tcgrr_reader *const readers[2],
                    struct tcgrr_lockstep_local_options *options, GError **error)
{
    for (int i = 0; i < 2; i++) {
        const char *directory = tcgrr_reader_run(readers[i])->directory;
        if (tcgrr_recorded_start(readers[i]) > 0) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s starts from a snapshot",
                        tcgrr_reader_path(readers[i]));
            return false;
        }
        deciding->folders[i] = tcgrr_scratch_folder("decide", error);
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
    /* They may end before the place that was to end the comparison. */
    bool ended =
        !good && error && *error && (*error)->code == TCGRR_ERROR_FAILED && !shared->undecided && shared->compared > 0;
    if (!good && !ended) {
        return TCGRR_UNDECIDED;
    }
    g_clear_error(error);
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
