/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/doubts.h"

#include "emu/qemu/command.h"
#include "emu/qemu/unlogged.h"
#include "lockstep/semihosting.h"
#include "store/error.h"
#include "store/isa/isa.h"

#include <inttypes.h>
#include <string.h>

/* Whether the guest executed a waiting instruction that QEMU does not count, so that a replay stops before it. */
static bool find_doze(const char *target, const struct tcgrr_blocks *blocks, uint64_t *pc)
{
    for (uint32_t i = 0; i < tcgrr_blocks_count(blocks); i++) {
        const struct tcgrr_block *block = tcgrr_blocks_get(blocks, i);
        uint32_t last = block->insns - 1;
        uint32_t offset = block->size - block->lengths[last];
        if (tcgrr_isa_waits(target, block->bytes + offset, block->lengths[last], NULL) == TCGRR_LEAVE_DOZE) {
            *pc = block->pc + offset;
            return true;
        }
    }
    return false;
}

static bool check_dozes(struct tcgrr_comparison *found, const char *target, const struct tcgrr_blocks *blocks,
                        GError **error)
{
    uint64_t pc;

    if (!found->diverged || !find_doze(target, blocks, &pc)) {
        return true;
    }
    return tcgrr_comparison_withdraw(found, "the guest dozes, which no QEMU replays", error,
                                     "no verdict: the two differ at icount %" G_GUINT64_FORMAT
                                     ", but the guest dozes (at 0x%" PRIx64
                                     "), which QEMU does not count and cannot replay",
                                     found->icount, pc);
}

/* Whether A reaches an instruction there that waits, and B hangs. */
static bool hangs_at_wait(const struct tcgrr_comparison *found, const char *target)
{
    const struct tcgrr_divergence_side *a = &found->sides[0];
    const struct tcgrr_block *block = a->exec.block;

    if (!found->diverged || found->kind != TCGRR_DIVERGENCE_HUNG || !a->there || found->sides[1].there || !block) {
        return false;
    }
    uint64_t offset = tcgrr_block_pc(block, a->insn) - block->pc;
    return tcgrr_isa_waits(target, block->bytes + offset, block->lengths[a->insn], NULL) == TCGRR_LEAVE_WAIT;
}

static bool check_waits(struct tcgrr_comparison *found, const char *target, bool translated, GError **error)
{
    if (!translated || !hangs_at_wait(found, target)) {
        return true;
    }
    return tcgrr_comparison_withdraw(found, "QEMU hangs where the guest waits, on a log of another release", error,
                                     "no verdict: QEMU hangs at icount %" G_GUINT64_FORMAT
                                     ", where the guest waits (at 0x%" PRIx64
                                     "): the rr log is of another release, by which it does not wake up there",
                                     found->icount, found->sides[0].pc);
}

static bool check_unlogged(struct tcgrr_comparison *found, const struct tcgrr_doubts_run *run, GError **error)
{
    bool looks = found->diverged && run->system && *run->words;
    g_autoptr(GArray) options = looks ? tcgrr_options_scan_system(run->words + 1) : NULL;
    g_autofree char *unlogged = options ? tcgrr_unlogged_find(options) : NULL;

    for (int i = 0; options && i < 2; i++) {
        g_autofree char *device = tcgrr_unlogged_work(options, run->versions[i]);
        if (device) {
            return tcgrr_comparison_withdraw(found, "a device works at times that are in no rr log", error,
                                             "no verdict: the two differ at icount %" G_GUINT64_FORMAT
                                             ", but QEMU %s does some of the work of %s at times that it does not "
                                             "record, which may be why; use another device",
                                             found->icount, run->versions[i], device);
        }
    }
    if (!unlogged) {
        return true;
    }
    return tcgrr_comparison_withdraw(found, "the guest can get input that is in no rr log", error,
                                     "no verdict: the two differ at icount %" G_GUINT64_FORMAT
                                     ", but QEMU does not record what the guest gets through %s, which may be why",
                                     found->icount, unlogged);
}

static bool has_semihosting(const char *const *words)
{
    for (; *words; words++) {
        const char *option = *words + strspn(*words, "-");
        if (option != *words && g_str_has_prefix(option, "semihosting")) {
            return true;
        }
    }
    return false;
}

static bool check_semihosting(struct tcgrr_comparison *found, const struct tcgrr_doubts_run *run, GError **error)
{
    uint64_t pc = 0;
    bool may = found->diverged && has_semihosting(run->words);
    const char *what = may ? tcgrr_semihosting_asked(run->target, run->blocks, &pc) : NULL;

    if (!what) {
        return true;
    }
    return tcgrr_comparison_withdraw(found, "the guest asked the host for what is in no rr log", error,
                                     "no verdict: the two differ at icount %" G_GUINT64_FORMAT
                                     ", but the guest had asked the host for %s (semihosting, at 0x%" PRIx64
                                     "), which QEMU does not record and each run gets for itself",
                                     found->icount, what, pc);
}

/* Why a QEMU may not repeat its own run. */
static const char *find_unrepeated(bool system)
{
    return system ? "one of the guest's devices may work at times that are in no rr log: try without it"
                  : "the program gets something that is not recorded, such as the clock that an instruction reads";
}

static bool check_repeats(struct tcgrr_comparison *found, const struct tcgrr_doubts_run *run, GError **error)
{
    if (!found->diverged || !run->repeats || found->kind == TCGRR_DIVERGENCE_CUT) {
        return true;
    }
    return tcgrr_comparison_withdraw(
        found, "QEMU does not repeat its own run", error,
        "no verdict: the two differ at icount %" G_GUINT64_FORMAT
        ", but both are the same QEMU with the same command, files and %s, so this QEMU does not repeat its own run; "
        "%s",
        found->icount, run->system ? "rr log" : "system calls", find_unrepeated(run->system));
}

bool tcgrr_doubts_check_clock(struct tcgrr_comparison *found, GError **error)
{
    bool gone = found->kind == TCGRR_DIVERGENCE_CUT || found->kind == TCGRR_DIVERGENCE_HUNG;

    if (!found->diverged || gone || !found->clock_read) {
        return true;
    }
    return tcgrr_comparison_withdraw(found, "the program read a clock before", error,
                                     "no verdict: the two differ at icount %" G_GUINT64_FORMAT
                                     ", but right before that the program reads a clock or waits (at 0x%" PRIx64
                                     "), which these QEMUs cannot repeat and which may be why",
                                     found->icount, found->clock_pc);
}

bool tcgrr_doubts_check(struct tcgrr_comparison *found, const struct tcgrr_doubts_run *run, GError **error)
{
    return check_unlogged(found, run, error) && check_dozes(found, run->target, run->blocks, error) &&
           check_waits(found, run->target, run->translated, error) && check_semihosting(found, run, error) &&
           check_repeats(found, run, error) && (!run->unchanged || tcgrr_doubts_check_clock(found, error));
}

bool tcgrr_doubts_judge_control(struct tcgrr_comparison *found, const struct tcgrr_comparison *own, GError *problem,
                                const char *who, bool system, GError **error)
{
    bool undecided = problem && own->undecided && problem->code == TCGRR_ERROR_FAILED;

    if (problem && problem->code == TCGRR_ERROR_STOPPED) {
        g_propagate_error(error, problem);
        return false;
    }
    g_clear_error(&problem);
    if (!undecided) {
        return true;
    }
    g_autofree char *reason = g_strdup_printf("%s does not repeat its own run", who);
    return tcgrr_comparison_withdraw(found, reason, error,
                                     "no verdict: the two differ at icount %" G_GUINT64_FORMAT
                                     ", but %s does not repeat its own run either (at icount %" G_GUINT64_FORMAT
                                     "); %s",
                                     found->icount, who, own->icount, find_unrepeated(system));
}
