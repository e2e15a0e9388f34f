/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/block_log.h"

#include "replay/cause/replay_pair_internal.h"
#include "store/error.h"

struct logging {
    struct tcgrr_rerun *rerun;
    const struct tcgrr_block_log *log;
    GError *error;
};

static struct tcgrr_rerun *prepare(const struct tcgrr_block_log *log, GError **error)
{
    g_autofree char *range = g_strdup_printf("0x%" G_GINT64_MODIFIER "x+0x%" G_GINT64_MODIFIER "x", log->address,
                                             MAX(log->size, (uint64_t)1));
    g_autofree char *absolute = g_canonicalize_filename(log->path, NULL);
    const char *logged[] = {"-d", "in_asm,op,op_opt,out_asm", "-dfilter", range, "-D", absolute, NULL};
    g_autoptr(GPtrArray) extra = g_ptr_array_new();
    struct tcgrr_rerun_options options = log->run;

    for (const char *const *word = log->run.extra; word && *word; word++) {
        g_ptr_array_add(extra, (gpointer)*word);
    }
    for (const char **word = logged; *word; word++) {
        g_ptr_array_add(extra, (gpointer)*word);
    }
    g_ptr_array_add(extra, NULL);
    options.extra = (const char *const *)extra->pdata;
    return tcgrr_rerun_new(&options, error);
}

static gpointer run(gpointer data)
{
    struct logging *logging = data;

    for (tcgrr_icount near = logging->log->from;; near = 0) {
        struct tcgrr_paused *paused = tcgrr_paused_start(logging->rerun, near, false, &logging->error);
        bool again = paused && tcgrr_paused_doubtful(paused);
        bool good = paused && tcgrr_paused_go(paused, logging->log->until, &logging->error);
        tcgrr_paused_free(paused);
        if (good || !again || logging->error->code == TCGRR_ERROR_STOPPED) {
            return GINT_TO_POINTER(good);
        }
        g_clear_error(&logging->error);
    }
}

bool tcgrr_block_logs(const struct tcgrr_block_log logs[2], GError **error)
{
    struct logging logging[2] = {{.log = &logs[0]}, {.log = &logs[1]}};

    logging[0].rerun = prepare(&logs[0], error);
    logging[1].rerun = logging[0].rerun ? prepare(&logs[1], error) : NULL;
    bool good = logging[1].rerun != NULL;
    if (good) {
        good = tcgrr_both_sides(run, &logging[0], &logging[1]);
        if (!good) {
            tcgrr_propagate_first(error, logging[0].error, logging[1].error);
        }
    }
    tcgrr_rerun_free(logging[0].rerun);
    tcgrr_rerun_free(logging[1].rerun);
    return good;
}
