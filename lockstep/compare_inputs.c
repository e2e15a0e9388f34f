/* SPDX-License-Identifier: GPL-2.0-or-later */
/* User mode: what follows from inputs that could not be given. */
#include "lockstep/compare.h"

#include "store/auxv.h"
#include "store/error.h"
#include "store/isa/isa_time.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define MEETING                                                                                                        \
    (UINT64_C(1)                                                                                                       \
     << 18)        /* number of instructions within which programs that differ have to make a call in common again */
#define RECENT 128 /* instructions before a difference among which a clock may be the reason */

static bool starts_differ(const struct tcgrr_comparison *comparison, const struct tcgrr_live_inputs *inputs,
                          bool same_release)
{
    const struct tcgrr_divergence_side *sides = comparison->sides;
    bool elsewhere = comparison->compared == 0 && sides[0].there && sides[1].there && sides[0].pc != sides[1].pc;

    bool data = comparison->kind == TCGRR_DIVERGENCE_DATA && !comparison->data.alike;

    return comparison->start[0] == 0 && comparison->start[1] == 0 &&
           (elsewhere || data || (!same_release && sides[1].icount <= inputs->called));
}

static bool is_raised(int64_t signal)
{
    return signal == SIGILL || signal == SIGTRAP || signal == SIGBUS || signal == SIGFPE || signal == SIGSEGV;
}

bool tcgrr_compare_is_raised(const char *exit)
{
    return g_str_has_prefix(exit, "signal ") && is_raised(atoi(exit + strlen("signal ")));
}

/* Whether one of them was interrupted there by a signal that no instruction raises. Where QEMU's registers cannot be
 * read that is inferred, as an interrupt. */
static bool is_interrupted(const struct tcgrr_divergence_side *side)
{
    for (guint i = 0; side->there && i < side->events->len; i++) {
        const struct tcgrr_event *event = &g_array_index(side->events, struct tcgrr_event, i);
        bool there = event->icount == side->icount && event->to_pc == side->pc;
        if (there && event->kind == TCGRR_EVENT_INTERRUPT) {
            return true;
        }
        if (there && event->kind == TCGRR_EVENT_SIGNAL && !is_raised(event->number)) {
            return true;
        }
    }
    return false;
}

/* Whether the side has ended, by a signal that neither an instruction nor the program's own call sent. */
static bool is_killed(const struct tcgrr_comparison *comparison, const struct tcgrr_given *given, int side)
{
    const struct tcgrr_divergence_side *end = &comparison->sides[side];
    bool calls = false; /* which may be to send itself a signal */

    if (end->there || !comparison->sides[!side].there) {
        return false;
    }
    for (guint i = 0; i < end->events->len; i++) {
        const struct tcgrr_event *event = &g_array_index(end->events, struct tcgrr_event, i);
        calls = event->kind == TCGRR_EVENT_SYSCALL || (calls && event->kind != TCGRR_EVENT_SYSCALL_RETURN);
    }
    g_autofree char *how = given->exit(side, given->data);
    return !calls && how && g_str_has_prefix(how, "signal ") && !tcgrr_compare_is_raised(how);
}

/* One of the two was ended from outside. */
static bool judge_killed(struct tcgrr_comparison *comparison, int side, GError **error)
{
    if (side == 0) {
        comparison->diverged = false;
        comparison->ended_outside = true;
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                "no verdict: the same for %" G_GUINT64_FORMAT
                " instructions, then a signal from outside ended the program while it computed",
                comparison->compared);
    return false;
}

/* `call`: the system call that the reason is one of; NULL: none. */
static bool give_no_verdict(const struct tcgrr_comparison *comparison, const char *reason, const int64_t *call,
                            GError **error)
{
    g_autofree char *made =
        call ? g_strdup_printf("then different, which may follow from system call %" G_GINT64_FORMAT, *call)
             : g_strdup("up to where what the program was given cannot be given again");

    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                "no verdict: the same for %" G_GUINT64_FORMAT " instructions, %s: %s", comparison->compared, made,
                reason);
    return false;
}

void tcgrr_compare_note_start(struct tcgrr_comparison *found, const char *const auxv[2], bool release)
{
    g_autofree char *difference = tcgrr_auxv_difference(auxv[0], auxv[1]);

    if (!found->diverged || found->note) {
        return;
    }
    if (difference) {
        found->note =
            g_strdup_printf("the two started with different auxiliary vectors, which may be why: %s", difference);
    } else if (release) {
        found->note = g_strdup("the two releases start a program differently (stack, vDSO), which may be why");
    }
}

bool tcgrr_compare_withdraw_over_calls(struct tcgrr_comparison *found, GError **error)
{
    bool gone = found->kind == TCGRR_DIVERGENCE_CUT || found->kind == TCGRR_DIVERGENCE_HUNG;

    return !found->diverged || gone ||
           tcgrr_comparison_withdraw(found, "each program made its own system calls", error,
                                     "no verdict: the runs had inputs of their own, and differ at icount "
                                     "%" G_GUINT64_FORMAT " (A) and %" G_GUINT64_FORMAT
                                     " (B), which may be why: each program made its own system calls",
                                     found->sides[0].icount, found->sides[1].icount);
}

#define STATIC_ADVICE "a program linked with -static -no-pie is always at the same addresses"

/* What of the start differs, in words, and what can be done about it. */
static char *describe_start(const struct tcgrr_given *given)
{
    const char *a = given->auxv ? given->auxv(0, given->data) : NULL,
               *b = given->auxv ? given->auxv(1, given->data) : NULL;
    const char *advice = tcgrr_auxv_moved(a, b) ? "instructions are compared with their addresses: " STATIC_ADVICE
                                                : "compare from a place in the program: --from main";
    g_autofree char *difference = tcgrr_auxv_difference(a, b);
    bool known = a && b && *a && *b;

    return difference ? g_strdup_printf("(auxiliary vector: %s); %s", difference, advice)
                      : g_strdup_printf("(%s); %s",
                                        known ? "addresses, data on the stack; the auxiliary vector is the same"
                                              : "addresses, environment, auxiliary vector",
                                        advice);
}

/* The two QEMUs start the program differently. */
static bool refuse_start(const struct tcgrr_comparison *comparison, const struct tcgrr_given *given, GError **error)
{
    g_autofree char *what = describe_start(given);

    if (comparison->kind == TCGRR_DIVERGENCE_DATA) {
        g_set_error(
            error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
            "no verdict: the same %" G_GUINT64_FORMAT
            " instructions ran, with different data, but the two QEMUs start the program with different data on "
            "its stack %s",
            comparison->compared, what);
        return false;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                "no verdict: after %" G_GUINT64_FORMAT
                " instructions, before its first system call, the program runs at 0x%" G_GINT64_MODIFIER
                "x and at 0x%" G_GINT64_MODIFIER "x, because the two QEMUs start it differently %s",
                comparison->compared, comparison->sides[0].pc, comparison->sides[1].pc, what);
    return false;
}

/* Whether an instruction of `exec` that is one of from..to reads a clock; *pc: the last one that does. */
static bool exec_reads_clock(const struct tcgrr_exec *exec, enum tcgrr_isa isa, tcgrr_icount from, tcgrr_icount to,
                             uint64_t *pc)
{
    const struct tcgrr_block *block = exec->block;
    uint32_t offset = 0;
    bool found = false;

    for (uint32_t i = 0; i < exec->ran; i++) {
        bool inside = exec->icount + i >= from && exec->icount + i < to;
        if (inside && tcgrr_isa_depends_on_time(isa, block->bytes + offset, block->lengths[i])) {
            *pc = block->pc + offset;
            found = true;
        }
        offset += block->lengths[i];
    }
    return found;
}

/* Whether the side read a clock shortly before where the two differ, by an instruction; *pc: by which. */
static bool read_clock(struct tcgrr_run_source *side, enum tcgrr_isa isa, tcgrr_icount icount, uint64_t *pc)
{
    tcgrr_icount from = icount > RECENT ? icount - RECENT : 0;
    struct tcgrr_stretch stretch;
    bool found = false;

    tcgrr_stretch_init(&stretch);
    if (icount > 0 && side->ops->stretch(side, from, icount, &stretch, NULL)) {
        for (guint i = 0; i < stretch.execs->len; i++) {
            const struct tcgrr_exec *exec = &g_array_index(stretch.execs, struct tcgrr_exec, i);
            found |= exec_reads_clock(exec, isa, from, icount, pc);
        }
    }
    tcgrr_stretch_clear(&stretch);
    return found;
}

/* Judges what was found. *by_input: the two differ because an input did. */
static bool judge(struct tcgrr_comparison *comparison, const struct tcgrr_given *given, bool *by_input, GError **error)
{
    const struct tcgrr_live_inputs *inputs = given->inputs;
    bool same_release = given->same_release;
    tcgrr_icount icount = comparison->sides[1].icount;

    *by_input = false;
    if (!comparison->diverged) {
        return true;
    }
    for (int side = 0; side < 2; side++) {
        if (is_killed(comparison, given, side)) {
            return judge_killed(comparison, side, error);
        }
    }
    bool interrupted = is_interrupted(&comparison->sides[0]) || is_interrupted(&comparison->sides[1]);
    if (interrupted || inputs->ended <= icount) {
        return give_no_verdict(comparison, interrupted ? tcgrr_live_interrupted : inputs->lack, NULL, error);
    }
    if (given->environments_differ && given->environments_differ(given->data)) {
        g_set_error(
            error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
            "no verdict: the same for %" G_GUINT64_FORMAT
            " instructions, but the two QEMUs were started with different environments, which their programs "
            "see: the script that starts one of them adds variables or changes their order; name the QEMU that it "
            "starts instead",
            comparison->compared);
        return false;
    }
    if (starts_differ(comparison, inputs, same_release)) {
        return refuse_start(comparison, given, error);
    }
    if (inputs->differs <= icount) {
        comparison->diverged = false;
        *by_input = true;
    } else if (inputs->unsure <= icount) {
        return give_no_verdict(comparison, inputs->unsure_why, &inputs->unsure_call, error);
    } else if (inputs->other <= icount) {
        comparison->kind = TCGRR_DIVERGENCE_CALL;
        comparison->calls[0] = inputs->expected;
        comparison->calls[1] = inputs->made;
    }
    return true;
}

/* ---- meeting again ---- */

/* A system call that a run makes. */
struct call {
    tcgrr_icount icount;
    int64_t number;
    uint64_t pc; /* of the previous block */
};

/* The calls after instruction `from`, up to a limit. */
static GArray *calls_after(struct tcgrr_run_source *side, tcgrr_icount from, GError **error)
{
    GArray *calls = g_array_new(FALSE, FALSE, sizeof(struct call));
    struct tcgrr_stretch stretch;
    guint exec = 0;

    tcgrr_stretch_init(&stretch);
    bool good = side->ops->stretch(side, from, from + MEETING, &stretch, error);
    for (guint i = 0; good && i < stretch.events->len; i++) {
        const struct tcgrr_event *event = &g_array_index(stretch.events, struct tcgrr_event, i);
        while (exec + 1 < stretch.execs->len &&
               g_array_index(stretch.execs, struct tcgrr_exec, exec + 1).icount < event->icount) {
            exec++;
        }
        if (event->kind == TCGRR_EVENT_SYSCALL && event->icount > from && exec < stretch.execs->len) {
            struct call call = {event->icount, event->number,
                                g_array_index(stretch.execs, struct tcgrr_exec, exec).block->pc};
            g_array_append_val(calls, call);
        }
    }
    tcgrr_stretch_clear(&stretch);
    if (!good) {
        g_array_unref(calls);
    }
    return good ? calls : NULL;
}

/* Finds the earliest call that both A and B make; false: there is none. */
static bool find_meeting(const GArray *const calls[2], tcgrr_icount at[2])
{
    for (guint sum = 0; sum + 1 < calls[0]->len + calls[1]->len; sum++) {
        for (guint i = sum < calls[1]->len ? 0 : sum - calls[1]->len + 1; i <= sum && i < calls[0]->len; i++) {
            const struct call *a = &g_array_index(calls[0], struct call, i);
            const struct call *b = &g_array_index(calls[1], struct call, sum - i);
            if (a->number == b->number && a->pc == b->pc) {
                at[0] = a->icount;
                at[1] = b->icount;
                return true;
            }
        }
    }
    return false;
}

/* Moves both places in `at` to the next call that both make; *met: there is one. If one side was read far beyond that,
 * it cannot be found. */
static bool meet(struct tcgrr_run_source *const sides[2], struct tcgrr_comparison *comparison, tcgrr_icount at[2],
                 bool *met, GError **error)
{
    const tcgrr_icount left[] = {at[0], at[1]};
    GError *problem = NULL;
    g_autoptr(GArray) a = calls_after(sides[0], at[0], &problem);
    g_autoptr(GArray) b = a ? calls_after(sides[1], at[1], &problem) : NULL;

    if (problem && problem->code != TCGRR_ERROR_GONE) {
        g_propagate_error(error, problem);
        return false;
    }
    g_clear_error(&problem);
    comparison->input_places++;
    *met = b && find_meeting((const GArray *const[]){a, b}, at);
    comparison->rest_left_out = !*met;
    for (int i = 0; i < 2 && *met; i++) {
        comparison->skipped[i] += at[i] - left[i];
    }
    return true;
}

/* Whether the side has instruction `icount` to compare. */
static bool goes_on(struct tcgrr_run_source *side, const struct tcgrr_position *until, tcgrr_icount icount, bool *there,
                    GError **error)
{
    struct tcgrr_run_source_position position;
    bool good = side->ops->advance(side, icount, icount + 1, &position, error);

    *there = good && position.state == TCGRR_SOURCE_REACHED &&
             (until->kind != TCGRR_POSITION_ICOUNT || icount < until->value);
    return good;
}

/* Compares what follows from `at` on, and moves `at` to where they differ again; *diverged: they do. */
static bool compare_on(struct tcgrr_run_source *const sides[2], const struct tcgrr_compare_options *options,
                       struct tcgrr_comparison *comparison, tcgrr_icount at[2], bool *diverged, GError **error)
{
    struct tcgrr_compare_options how = *options;
    struct tcgrr_comparison next = {0};
    bool there[2];

    *diverged = false;
    for (int i = 0; i < 2; i++) {
        how.from[i] = (struct tcgrr_position){TCGRR_POSITION_ICOUNT, at[i]};
        if (!goes_on(sides[i], &how.until[i], at[i], &there[i], error)) {
            return false;
        }
    }
    if (!there[0] && !there[1]) {
        return true;
    }
    bool good = tcgrr_compare(sides[0], sides[1], &how, &next, error);
    if (good) {
        *diverged = next.diverged;
        comparison->compared += next.compared;
        for (int i = 0; i < 2; i++) {
            comparison->ends[i] = next.ends[i];
            at[i] = next.diverged ? next.sides[i].icount : at[i];
        }
    }
    tcgrr_comparison_clear(&next);
    return good;
}

/* Whether the place in the program that both begin at is not at the same address: nothing after it can be the same. */
static bool check_placed(const struct tcgrr_compare_options *options, const struct tcgrr_comparison *found,
                         GError **error)
{
    const struct tcgrr_divergence_side *sides = found->sides;
    bool placed = options->from[0].kind > TCGRR_POSITION_ICOUNT && options->from[1].kind > TCGRR_POSITION_ICOUNT;

    if (!placed || !found->diverged || found->compared > 0 || !sides[0].there || !sides[1].there ||
        sides[0].pc == sides[1].pc) {
        return true;
    }
    g_set_error(
        error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
        "no verdict: the two QEMUs put the program, or its library, at different addresses, 0x%" G_GINT64_MODIFIER
        "x and 0x%" G_GINT64_MODIFIER "x, and instructions are compared with their addresses; " STATIC_ADVICE,
        sides[0].pc, sides[1].pc);
    return false;
}

bool tcgrr_compare_given(struct tcgrr_run_source *a, struct tcgrr_run_source *b,
                         const struct tcgrr_compare_options *options, const struct tcgrr_given *given,
                         struct tcgrr_comparison *comparison, GError **error)
{
    struct tcgrr_run_source *const sides[] = {a, b};
    bool by_input = false;

    if (!tcgrr_compare(a, b, options, comparison, error)) {
        return false;
    }
    comparison->refused = !check_placed(options, comparison, error) || !judge(comparison, given, &by_input, error);
    if (comparison->refused) {
        return false;
    }
    tcgrr_icount at[] = {comparison->sides[0].icount, comparison->sides[1].icount};
    while (by_input) {
        bool met = false;
        if (!meet(sides, comparison, at, &met, error) ||
            (met && !compare_on(sides, options, comparison, at, &by_input, error))) {
            return false;
        }
        by_input = by_input && met;
    }
    comparison->input_differences = given->inputs->differences;
    comparison->clock_read = comparison->diverged && !given->clocks &&
                             read_clock(a, given->isa, comparison->sides[0].icount, &comparison->clock_pc);
    return true;
}
