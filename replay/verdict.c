/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/verdict.h"

#include "replay/unpinned.h"
#include "store/error.h"
#include "store/symbols.h"

#include <string.h>

/* Names of registers in a reason. */
#define MAX_REGISTERS 4

const char *tcgrr_verdict_inputs(const struct tcgrr_verdict *verdict)
{
    const struct tcgrr_replay_inputs inputs = {.own = verdict->own_inputs, .translated = verdict->translated};
    return tcgrr_replay_inputs_name(&inputs);
}

const char *tcgrr_verdict_name(enum tcgrr_verdict_kind kind)
{
    static const char *const names[] = {"good", "bad", "skipped"};
    return names[kind];
}

void tcgrr_verdict_clear(struct tcgrr_verdict *verdict)
{
    g_free(verdict->binary);
    g_free(verdict->version);
    g_free(verdict->reason);
    *verdict = (struct tcgrr_verdict){0};
}

char *tcgrr_verdict_binary(struct tcgrr_reader *reader, const char *build, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    if (g_file_test(build, G_FILE_TEST_IS_DIR)) {
        return tcgrr_qemu_in_folder(build, run->target, strcmp(run->mode, "system") == 0, error);
    }
    g_autofree char *found = g_find_program_in_path(build);
    if (!found) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    g_file_test(build, G_FILE_TEST_EXISTS) ? "not executable" : "no such file or command");
        return NULL;
    }
    return g_canonicalize_filename(found, NULL);
}

/* QEMU's messages for an rr file whose format it does not know. The second may come late: an event's number is checked
 * only when it is the next one. */
static bool other_format(const char *words)
{
    return strstr(words, "invalid input log file version") || strstr(words, "unknown event kind");
}

/* Where one side is, as text; owned by the caller. */
static char *describe_place(struct tcgrr_symbols *symbols, const struct tcgrr_divergence_side *side)
{
    g_autofree char *symbol = tcgrr_symbols_name_at(symbols, side->pc, side->icount);
    return g_strdup_printf("0x%" G_GINT64_MODIFIER "x%s%s", side->pc, symbol ? " " : "", symbol ? symbol : "");
}

/* What differs in the data: "a4, a5, stores"; owned by the caller. */
static char *describe_data(const struct tcgrr_data_divergence *data)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (guint i = 0; i < data->registers->len && i < MAX_REGISTERS; i++) {
        g_ptr_array_add(names, g_array_index(data->registers, struct tcgrr_register_difference, i).name);
    }
    if (data->registers->len > MAX_REGISTERS) {
        g_ptr_array_add(names, (char *)"…");
    }
    if (data->stores_differ) {
        g_ptr_array_add(names, (char *)"stores");
    }
    g_ptr_array_add(names, NULL);
    return g_strjoinv(", ", (char **)names->pdata);
}

/* Both run an instruction, but not the same, or with other data. */
static char *describe_parting(struct tcgrr_reader *reader, const struct tcgrr_comparison *comparison)
{
    const struct tcgrr_divergence_side *a = &comparison->sides[0];
    const struct tcgrr_divergence_side *b = &comparison->sides[1];
    struct tcgrr_symbols *symbols = tcgrr_symbols_new();
    tcgrr_symbols_add_trace(symbols, reader, NULL); /* names are a help only */
    g_autofree char *recorded = describe_place(symbols, a);
    g_autofree char *here = describe_place(symbols, b);
    tcgrr_symbols_free(symbols);

    if (comparison->kind == TCGRR_DIVERGENCE_DATA) {
        g_autofree char *data = describe_data(&comparison->data);
        return g_strdup_printf("data after %" G_GUINT64_FORMAT " instructions, at %s (the same after %" G_GUINT64_FORMAT
                               "): %s",
                               comparison->data.to[0], here, comparison->data.from[0], data);
    }
    if (a->pc == b->pc) {
        return g_strdup_printf("%s after %" G_GUINT64_FORMAT " instructions: another instruction at %s; does the guest "
                               "or the firmware differ?",
                               tcgrr_divergence_name(comparison->kind), comparison->icount, here);
    }
    return g_strdup_printf("%s after %" G_GUINT64_FORMAT " instructions: at %s, recorded %s",
                           tcgrr_divergence_name(comparison->kind), comparison->icount, here, recorded);
}

/* One of them runs nothing more. */
static char *describe_end(const struct tcgrr_replay_result *result, const char *words)
{
    const struct tcgrr_comparison *comparison = &result->comparison;

    if (comparison->sides[1].there) {
        return g_strdup_printf("went on after %" G_GUINT64_FORMAT " instructions, where the recording ended",
                               comparison->icount);
    }
    bool hung = comparison->kind == TCGRR_DIVERGENCE_HUNG; /* we ended it ourselves */
    return g_strdup_printf("%s after %" G_GUINT64_FORMAT " instructions%s%s%s%s%s",
                           tcgrr_divergence_name(comparison->kind), comparison->icount, hung ? "" : " (",
                           hung ? "" : result->exit, hung ? "" : ")", *words ? ": " : "", words);
}

/* It ended or hung where the recording continues, or the other way round. */
static enum tcgrr_verdict_kind judge_end(const struct tcgrr_replay_result *result, const char *words)
{
    const struct tcgrr_comparison *comparison = &result->comparison;
    bool cannot_tell = comparison->compared == 0 || other_format(words);
    return cannot_tell ? TCGRR_VERDICT_SKIPPED : TCGRR_VERDICT_BAD;
}

/* No divergence, as far as there was something to compare. */
static enum tcgrr_verdict_kind judge_same(const struct tcgrr_comparison *comparison)
{
    bool early = comparison->ends[1] == TCGRR_SOURCE_CUT || comparison->ends[1] == TCGRR_SOURCE_HUNG;
    return comparison->compared == 0 || early || comparison->input_places > 0 ? TCGRR_VERDICT_SKIPPED
                                                                              : TCGRR_VERDICT_GOOD;
}

static void judge(struct tcgrr_reader *reader, const struct tcgrr_replay_result *result, struct tcgrr_verdict *verdict)
{
    const struct tcgrr_comparison *comparison = &result->comparison;
    const struct tcgrr_divergence_side *sides = comparison->sides;
    g_autofree char *words = tcgrr_session_words(result->session);

    verdict->version = g_strdup(result->qemu_version);
    verdict->compared = comparison->compared;
    verdict->own_inputs = result->inputs.own;
    verdict->translated = result->inputs.translated;
    if (comparison->diverged && sides[0].there && sides[1].there) {
        verdict->kind = TCGRR_VERDICT_BAD;
        verdict->reason = describe_parting(reader, comparison);
    } else if (comparison->diverged) {
        verdict->kind = judge_end(result, words);
        verdict->reason = describe_end(result, words);
    } else {
        verdict->kind = judge_same(comparison);
        verdict->reason =
            verdict->kind == TCGRR_VERDICT_GOOD
                ? g_strdup_printf("no divergence in %" G_GUINT64_FORMAT " instructions", comparison->compared)
            : comparison->input_places > 0
                ? g_strdup_printf("the same for %" G_GUINT64_FORMAT " instructions, but %" G_GUINT64_FORMAT
                                  " times a system call returned something else and it continued differently",
                                  comparison->compared, comparison->input_places)
                : g_strdup_printf("ended after %" G_GUINT64_FORMAT
                                  " instructions, but the recording was cut short, too",
                                  comparison->compared);
    }
}

/* What another machine can be the reason of says nothing about the build. */
static void doubt(struct tcgrr_reader *reader, struct tcgrr_verdict *verdict)
{
    g_autofree char *found = verdict->reason;
    g_autofree char *advice = tcgrr_unpinned_advice(reader);
    verdict->kind = TCGRR_VERDICT_SKIPPED;
    verdict->reason = g_strdup_printf("%s; %s", found, advice);
}

static void ignore_problem(const char *text, void *data)
{
}

/* Malformed data can also come from a QEMU that went wild. */
static bool trace_is_damaged(struct tcgrr_reader *reader)
{
    uint64_t problems = 0;
    return !tcgrr_reader_verify(reader, ignore_problem, NULL, &problems, NULL) || problems > 0;
}

/* Whether the error says something about this build alone. */
static bool about_build(struct tcgrr_reader *reader, const GError *error)
{
    return error->domain != TCGRR_ERROR || error->code == TCGRR_ERROR_FAILED || error->code == TCGRR_ERROR_HUNG ||
           (error->code == TCGRR_ERROR_DAMAGED && !trace_is_damaged(reader));
}

bool tcgrr_verdict_find(struct tcgrr_reader *reader, const char *build, const struct tcgrr_replay_options *options,
                        struct tcgrr_verdict *verdict, GError **error)
{
    struct tcgrr_replay_options replay = *options;
    struct tcgrr_replay_result result = {0};
    GError *problem = NULL;

    *verdict = (struct tcgrr_verdict){.kind = TCGRR_VERDICT_SKIPPED};
    verdict->binary = tcgrr_verdict_binary(reader, build, &problem);
    replay.qemu = verdict->binary;
    replay.at = UINT64_MAX;
    if (verdict->binary && tcgrr_replay(reader, &replay, &result, &problem)) {
        judge(reader, &result, verdict);
        if (result.unpinned) {
            doubt(reader, verdict);
        }
    }
    tcgrr_replay_result_clear(&result);
    if (options->stop && *options->stop && !g_error_matches(problem, TCGRR_ERROR, TCGRR_ERROR_STOPPED)) {
        /* Ctrl-C reaches QEMU as well, so what it did says nothing. */
        g_clear_error(&problem);
        g_set_error(&problem, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted while replaying in %s", build);
    }
    if (!problem) {
        return true;
    }
    if (!about_build(reader, problem)) {
        g_propagate_error(error, problem);
        tcgrr_verdict_clear(verdict);
        return false;
    }
    verdict->reason = g_strdup(problem->message);
    g_error_free(problem);
    return true;
}
