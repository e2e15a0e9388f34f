/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/block_log.h"

#include "replay/cause/replay_pair_internal.h"
#include "store/error.h"

struct logging {
    struct tcgrr_rerun *rerun;
    struct tcgrr_block_log log;
    GThread *thread;
    GError *error;
};

struct tcgrr_block_logs {
    struct logging sides[2];
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

    for (tcgrr_icount near = logging->log.from;; near = 0) {
        struct tcgrr_paused *paused = tcgrr_paused_start(logging->rerun, near, false, &logging->error);
        bool again = paused && tcgrr_paused_doubtful(paused);
        bool good = paused && tcgrr_paused_go(paused, logging->log.until, &logging->error);
        tcgrr_paused_free(paused);
        if (good || !again || logging->error->code == TCGRR_ERROR_STOPPED) {
            return GINT_TO_POINTER(good);
        }
        g_clear_error(&logging->error);
    }
}

struct tcgrr_block_logs *tcgrr_block_logs_start(const struct tcgrr_block_log logs[2], GError **error)
{
    struct tcgrr_block_logs *started = g_new0(struct tcgrr_block_logs, 1);

    for (int side = 0; side < 2; side++) {
        started->sides[side].log = logs[side];
        started->sides[side].rerun = prepare(&logs[side], error);
        if (!started->sides[side].rerun) {
            tcgrr_block_logs_finish(started, NULL);
            return NULL;
        }
    }
    for (int side = 0; side < 2; side++) {
        started->sides[side].thread = g_thread_new("tcgrr-log", run, &started->sides[side]);
    }
    return started;
}

bool tcgrr_block_logs_finish(struct tcgrr_block_logs *logs, GError **error)
{
    bool good = true;

    for (int side = 0; logs && side < 2; side++) {
        struct logging *logging = &logs->sides[side];
        good = (!logging->thread || GPOINTER_TO_INT(g_thread_join(logging->thread))) && good;
        tcgrr_rerun_free(logging->rerun);
    }
    if (logs) {
        if (!good) {
            tcgrr_propagate_first(error, logs->sides[0].error, logs->sides[1].error);
        }
        g_free(logs);
    }
    return good;
}
