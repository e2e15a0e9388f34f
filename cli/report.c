/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/cli.h"

#include "cli/export/html.h"
#include "cli/fill.h"
#include "cli/report/report.h"
#include "store/error.h"
#include "store/layers.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct report *const reports[] = {
    &report_bb,        &report_bbv,      &report_cache,  &report_cflow,     &report_drcov, &report_execlog,
    &report_hotblocks, &report_hotpages, &report_howvec, &report_hwprofile, &report_insn,  &report_ips,
    &report_mem,       &report_syscall,  &report_traps,  &report_html,
};

static const struct report *find_report(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(reports); i++) {
        if (strcmp(reports[i]->name, name) == 0) {
            return reports[i];
        }
    }
    return NULL;
}

static const char *nearest_report(const char *name)
{
    const char *names[G_N_ELEMENTS(reports) + 1] = {NULL};
    for (size_t i = 0; i < G_N_ELEMENTS(reports); i++) {
        names[i] = reports[i]->name;
    }
    return cli_nearest(name, names);
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

/* ---- lists and help ---- */

static void print_list(FILE *to)
{
    for (size_t i = 0; i < G_N_ELEMENTS(reports); i++) {
        fprintf(to, "  %-10s %s\n", reports[i]->name, reports[i]->summary);
    }
    fputs("\n'tcgrr report TRACE NAME help' shows a report's options and examples.\n", to);
}

static void print_list_json(void)
{
    json_t *list = json_array();
    for (size_t i = 0; i < G_N_ELEMENTS(reports); i++) {
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:o}", "name", reports[i]->name, "summary", reports[i]->summary,
                                        "options", report_options_json(reports[i]->options)));
    }
    cli_print_json(json_pack("{s:o}", "reports", list));
}

/* `path` is the trace, if there is one, for what depends on it. */
static void print_help(const struct report *report, const char *path)
{
    struct tcgrr_reader *reader = path ? tcgrr_reader_open(path, NULL) : NULL;

    printf("Usage: tcgrr report TRACE %s [OPTION=VALUE…] [--json]\n\n%c%s%s.\n\n", report->name,
           g_ascii_toupper(report->summary[0]), report->summary + 1,
           report == &report_html ? "" : ", as QEMU's plugin of that name");
    if (report->options->name) {
        printf("Options:\n");
        report_print_options(report->options);
        printf("\n");
    }
    printf("%s", report->help);
    if (reader && report->explain) {
        report->explain(tcgrr_reader_run(reader));
    }
    if (report->sql) {
        printf("\nThe same rows from tcgrr query:\n%s\n", report->sql);
    }
    tcgrr_reader_free(reader);
}

/*
 * `tcgrr report TRACE NAME help`, and the same without TRACE. The options would otherwise take --help for the
 * command's.
 */
static bool helped(int argc, char **argv)
{
    const struct report *report = NULL;
    const char *path = NULL;
    bool asked = false;

    for (int i = 1; i < argc; i++) {
        asked = asked || asks_for_help(argv[i]);
        if (argv[i][0] != '-' && !report) {
            report = find_report(argv[i]);
            path = report || asks_for_help(argv[i]) ? path : argv[i];
        }
    }
    if (asked && report) {
        print_help(report, path);
    }
    return asked && report;
}

/* ---- running ---- */

static void say_without(const struct report_job *job)
{
    for (int i = 0; job->report->options[i].name; i++) {
        if (job->values[i].given && job->report->options[i].kind == REPORT_WITHOUT) {
            cli_note("%s changes nothing in a report", job->report->options[i].name);
        }
    }
}

static void open_sources(struct report_job *job)
{
    for (int i = 0; job->report->options[i].name; i++) {
        if (strcmp(job->report->options[i].name, "lines") == 0 && job->values[i].number) {
            job->sources = tcgrr_addr2line_new();
            job->lines = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
            tcgrr_addr2line_add_files(job->sources, job->symbols, job->blocks, job->block_count);
        }
    }
}

static void close_sources(struct report_job *job)
{
    tcgrr_addr2line_free(job->sources);
    g_clear_pointer(&job->lines, g_hash_table_unref);
    job->sources = NULL;
}

/* RETRY: a level that was lacking has been made. */
#define RETRY (-1)

static int run_report(struct report_job *job, bool fill, char **words)
{
    GError *error = NULL;
    bool good = report_parse_options(job, words, &error);

    job->fill = fill;
    job->run = tcgrr_reader_run(job->reader);
    good = good && report_need(job, TCGRR_LEVEL_FLOW, &error);
    if (good) {
        say_without(job);
        job->blocks = tcgrr_reader_blocks(job->reader, &error);
        good = job->blocks != NULL;
    }
    if (good) {
        job->block_count = tcgrr_blocks_count(job->blocks);
        job->disasm = tcgrr_disasm_new(job->run->target);
        job->symbols = cli_trace_symbols(job->reader);
        open_sources(job);
        cli_page();
        good = job->report->run(job, &error);
        close_sources(job);
        tcgrr_symbols_free(job->symbols);
        tcgrr_disasm_free(job->disasm);
    }
    report_clear_options(job);
    if (good) {
        return CLI_OK;
    }
    if (error->domain == TCGRR_ERROR && error->code == TCGRR_ERROR_USAGE) {
        cli_say_error("%s; see tcgrr report TRACE %s help", error->message, job->report->name);
        g_error_free(error);
        return CLI_USAGE;
    }
    int status = CLI_FAILED;
    return cli_fill_lack(tcgrr_reader_path(job->reader), fill, error, &status) ? RETRY : status;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    gboolean json = FALSE;
    gboolean progress = FALSE, fill = FALSE;
    g_autofree char *output = NULL;
    const GOptionEntry entries[] = {
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &output, "html: the page's file (default: standard output)", "FILE"},
        {"json", 0, 0, G_OPTION_ARG_NONE, &json, "print one JSON object", NULL},
        {"progress", 0, 0, G_OPTION_ARG_NONE, &progress, "show progress even if standard error is not a terminal",
         NULL},
        CLI_FILL_OPTION(fill),
        {0},
    };
    if (helped(argc, argv)) {
        return CLI_OK;
    }
    if (!cli_parse(command, entries, false, &argc, &argv)) {
        return CLI_USAGE;
    }
    int status = CLI_OK;
    struct tcgrr_reader *reader = argc > 1 ? cli_open_trace(argv[1], &status) : NULL;
    if (status != CLI_OK) {
        return status;
    }
    if (argc <= 2) {
        if (json) {
            print_list_json();
        } else {
            print_list(stdout);
        }
        tcgrr_reader_free(reader);
        return CLI_OK;
    }
    struct report_job job = {.report = find_report(argv[2]),
                             .json = json,
                             .output = output,
                             .progress = progress || isatty(STDERR_FILENO),
                             .reader = reader};
    const char *meant = job.report ? NULL : nearest_report(argv[2]);
    if (output && job.report != &report_html) {
        status = cli_usage(command, "-o works only with html; redirect the output of other reports");
    } else if (json && !output && job.report == &report_html) {
        status = cli_usage(command, "html prints a page, no JSON object; name a file for the page with -o");
    } else if (job.report) {
        while ((status = run_report(&job, fill, argv + 3)) == RETRY) {
            tcgrr_reader_free(job.reader);
            job.reader = cli_open_trace(argv[1], &status);
            if (!job.reader) {
                return status;
            }
        }
    } else if (meant) {
        status = cli_usage(command, "there is no report '%s'; did you mean '%s'?", argv[2], meant);
    } else {
        status = cli_usage(command, "there is no report '%s'; 'tcgrr report TRACE' lists them", argv[2]);
    }
    tcgrr_reader_free(job.reader);
    return status;
}

const struct cli_command cli_report = {
    "report",
    "TRACE [NAME [OPTION=VALUE…]]",
    "Print what QEMU's example plugins report, from a trace",
    "Without NAME, lists the reports. 'tcgrr report TRACE NAME help' shows the options of one. Options and output are\n"
    "those of the QEMU plugin with the same name (docs/reports.md).\n\n"
    "Examples:\n"
    "  tcgrr report boot.tcgrr\n"
    "  tcgrr report boot.tcgrr hotblocks limit=10\n"
    "  tcgrr report boot.tcgrr howvec count=sreg --json\n",
    run,
};
