/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/compare.h"

#include "store/error.h"

#include <signal.h>

static bool starts_differ(const struct tcgrr_comparison *comparison, const struct tcgrr_live_inputs *inputs,
                          bool same_release)
{
    const struct tcgrr_divergence_side *sides = comparison->sides;
    bool elsewhere = comparison->compared == 0 && sides[0].there && sides[1].there && sides[0].pc != sides[1].pc;

    bool data = comparison->kind == TCGRR_DIVERGENCE_DATA && !comparison->data.alike;

    return comparison->start[0] == 0 && comparison->start[1] == 0 &&
           (elsewhere || data || (!same_release && sides[1].icount <= inputs->called));
}

/* Whether one of them was interrupted there by a signal that no instruction raises. Where QEMU's registers cannot be
 * read that is inferred, as an interrupt. */
static bool is_interrupted(const struct tcgrr_divergence_side *side)
{
    static const int64_t raised[] = {SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV};

    for (guint i = 0; side->there && i < side->events->len; i++) {
        const struct tcgrr_event *event = &g_array_index(side->events, struct tcgrr_event, i);
        bool there = event->icount == side->icount && event->to_pc == side->pc;
        if (there && event->kind == TCGRR_EVENT_INTERRUPT) {
            return true;
        }
        bool sent = there && event->kind == TCGRR_EVENT_SIGNAL;
        for (size_t k = 0; k < G_N_ELEMENTS(raised); k++) {
            sent = sent && event->number != raised[k];
        }
        if (sent) {
            return true;
        }
    }
    return false;
}

bool tcgrr_compare_inputs(struct tcgrr_comparison *comparison, const struct tcgrr_live_inputs *inputs,
                          bool same_release, GError **error)
{
    tcgrr_icount icount = comparison->sides[1].icount;

    comparison->input_differences = inputs->differences;
    if (!comparison->diverged) {
        return true;
    }
    if (inputs->ended <= icount || is_interrupted(&comparison->sides[0]) || is_interrupted(&comparison->sides[1])) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "no verdict: the same for %" G_GUINT64_FORMAT
                    " instructions, up to where what the program was given cannot be given again (a signal that came "
                    "while it computed, a file too large to keep, or a QEMU that puts the program elsewhere)",
                    comparison->compared);
        return false;
    }
    if (starts_differ(comparison, inputs, same_release) && comparison->kind == TCGRR_DIVERGENCE_DATA) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "no verdict: the same %" G_GUINT64_FORMAT
                    " instructions ran, with other data, but the two QEMUs start the program with other data on its "
                    "stack (environment, auxiliary vector); compare from a place in the program: --from main",
                    comparison->compared);
        return false;
    }
    if (starts_differ(comparison, inputs, same_release)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "no verdict: after %" G_GUINT64_FORMAT
                    " instructions, before its first system call, the program runs at 0x%" G_GINT64_MODIFIER
                    "x and at 0x%" G_GINT64_MODIFIER
                    "x, because the two QEMUs start it differently (addresses, auxiliary vector); compare from a place "
                    "in the program: --from main",
                    comparison->compared, comparison->sides[0].pc, comparison->sides[1].pc);
        return false;
    }
    if (inputs->differs <= icount) {
        comparison->diverged = false;
        comparison->diverged_by_input = true;
    } else if (inputs->other <= icount) {
        comparison->kind = TCGRR_DIVERGENCE_CALL;
        comparison->calls[0] = inputs->expected;
        comparison->calls[1] = inputs->made;
    }
    return true;
}
