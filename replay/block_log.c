/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/block_log.h"

bool tcgrr_block_log(const struct tcgrr_rerun_options *options, uint64_t address, uint64_t size, tcgrr_icount until,
                     const char *path, GError **error)
{
    g_autofree char *range =
        g_strdup_printf("0x%" G_GINT64_MODIFIER "x+0x%" G_GINT64_MODIFIER "x", address, MAX(size, (uint64_t)1));
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    const char *extra[] = {"-d", "in_asm,op,op_opt,out_asm", "-dfilter", range, "-D", absolute, NULL};
    struct tcgrr_rerun_options with_log = *options;

    with_log.extra = extra;
    struct tcgrr_rerun *rerun = tcgrr_rerun_new(&with_log, error);
    struct tcgrr_paused *paused = rerun ? tcgrr_paused_start(rerun, error) : NULL;
    bool good = paused && tcgrr_paused_go(paused, until, error);
    tcgrr_paused_free(paused);
    tcgrr_rerun_free(rerun);
    return good;
}
