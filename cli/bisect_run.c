/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/compare_options.h"

#include "replay/verdict.h"
#include "store/symbols.h"

#include <stdio.h>

/*
 * What `git bisect run` makes of an exit status. Any other would end the whole bisection, which is right only if the
 * user interrupts: skipping the commit would lose it.
 */
enum { GIT_GOOD = 0, GIT_BAD = 1, GIT_CANNOT_TELL = 125 };

static int status_of(enum tcgrr_verdict_kind kind)
{
    return kind == TCGRR_VERDICT_GOOD ? GIT_GOOD : kind == TCGRR_VERDICT_BAD ? GIT_BAD : GIT_CANNOT_TELL;
}

static void print_verdict(const char *trace, const char *qemu, const struct tcgrr_verdict *verdict, bool json)
{
    const char *name = verdict->kind == TCGRR_VERDICT_SKIPPED ? "cannot tell" : tcgrr_verdict_name(verdict->kind);
    const char *version = verdict->version ? verdict->version : "";
    if (!json) {
        printf("%s: %s%s%s%s: %s\n", name, verdict->binary ? verdict->binary : qemu, *version ? ", QEMU " : "", version,
               verdict->translated ? ", rr log translated" : "", verdict->reason);
        return;
    }
    json_t *diverged =
        verdict->kind == TCGRR_VERDICT_SKIPPED ? json_null() : json_boolean(verdict->kind == TCGRR_VERDICT_BAD);
    json_t *object = json_pack("{s:o, s:s, s:o, s:s, s:s, s:o, s:o, s:I}", "trace", cli_json_text(trace), "inputs",
                               tcgrr_verdict_inputs(verdict), "qemu", cli_json_text(qemu), "qemu_version", version,
                               "verdict", name, "diverged", diverged, "reason", cli_json_text(verdict->reason),
                               "compared", (json_int_t)verdict->compared);
    if (verdict->kind == TCGRR_VERDICT_SKIPPED) {
        json_object_set_new(object, "error",
                            json_pack("{s:o, s:i}", "text", cli_json_text(verdict->reason), "exit", GIT_CANNOT_TELL));
    }
    cli_print_json(object);
}

static int judge(const struct cli_command *command, const char *path, const char *qemu,
                 const struct cli_compare_options *comparing, struct tcgrr_replay_options *options)
{
    struct tcgrr_verdict verdict = {0};
    GError *error = NULL;
    int status = GIT_CANNOT_TELL;
    int ignored;
    struct tcgrr_reader *reader = cli_open_trace_at(path, TCGRR_LEVEL_FLOW, false, &ignored);

    if (!reader) {
        return status;
    }
    struct tcgrr_symbols *symbols = cli_trace_symbols(reader);
    struct tcgrr_symbols *const both[] = {symbols, symbols};
    bool resolved = cli_compare_options_resolve(command, comparing, both, &options->compare) == CLI_OK;
    if (resolved && tcgrr_replay_check(reader, &error) && tcgrr_verdict_find(reader, qemu, options, &verdict, &error)) {
        print_verdict(path, qemu, &verdict, comparing->json);
        status = status_of(verdict.kind);
    } else if (resolved) {
        int failed = cli_fail(error);
        status = *options->stop ? failed : status;
    }
    tcgrr_verdict_clear(&verdict);
    tcgrr_symbols_free(symbols);
    tcgrr_reader_free(reader);
    return status;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    g_autofree char *qemu = NULL;
    struct cli_compare_options comparing = {.history = 1};
    gint timeout = 60;
    const GOptionEntry entries[] = {
        {"qemu", 0, 0, G_OPTION_ARG_FILENAME, &qemu, "the QEMU to judge, or a folder that it was built in", "PATH"},
        {"timeout", 0, 0, G_OPTION_ARG_INT, &timeout,
         "seconds without progress after which the replay has hung (default 60)", "S"},
        CLI_EXTENT_OPTION_ROWS(comparing),
        {0},
    };
    char **extra = cli_split_rest(&argc, argv);
    int status = GIT_CANNOT_TELL;

    if (!cli_parse(command, entries, false, &argc, &argv)) {
        cli_compare_options_clear(&comparing);
        return GIT_CANNOT_TELL;
    }
    GError *error = NULL;
    g_autofree char *plugin = NULL;
    if (argc != 2 || !qemu || !cli_timeout_is_good(timeout)) {
        cli_usage(command, argc == 2 && qemu ? CLI_TIMEOUT_TAKES : "bisect-run takes one trace and --qemu PATH");
    } else if (!(plugin = cli_plugin_path(&error))) {
        cli_fail(error);
    } else {
        struct tcgrr_replay_options options = {
            .plugin = plugin,
            .extra = (const char *const *)extra,
            .hang_ms = timeout * 1000,
            .quiet = true,
            .stop = cli_catch_signals(),
        };
        status = judge(command, argv[1], qemu, &comparing, &options);
    }
    cli_compare_options_clear(&comparing);
    return status;
}

const struct cli_command cli_bisect_run = {
    "bisect-run",
    "TRACE --qemu PATH [-- EXTRA_ARG…]",
    "Judge one build of QEMU by a trace, for git bisect run",
    "Exit status: 0 good, 1 bad, 125 cannot tell (git skips the commit), 130 or 143 interrupted (git ends the\n"
    "bisection); there are no others.\n"
    "docs/bisect.md has a script that builds QEMU and calls this.\n\n"
    "Examples:\n"
    "  tcgrr bisect-run boot.tcgrr --qemu ./build/qemu-system-aarch64\n"
    "  tcgrr bisect-run boot.tcgrr --qemu build --from start_kernel --until 40000000\n"
    "  git bisect run sh -c 'ninja -C build || exit 125; tcgrr bisect-run ~/boot.tcgrr --qemu build'\n",
    run,
};
