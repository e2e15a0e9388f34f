/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/cli.h"

#include "cli/export/export.h"
#include "store/error.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct export_format *const formats[] = {&export_perfetto, &export_folded,  &export_callgrind,
                                                      &export_lcov,     &export_uftrace, &export_tenet,
                                                      &export_csv,      &export_parquet};

static const struct export_format *find_format(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        if (strcmp(formats[i]->name, name) == 0) {
            return formats[i];
        }
    }
    return NULL;
}

static int no_format(const struct cli_command *command, const char *name)
{
    const char *names[G_N_ELEMENTS(formats) + 1] = {NULL};
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        names[i] = formats[i]->name;
    }
    g_autofree char *all = g_strjoinv(", ", (char **)names);
    return cli_usage(command, "unknown format '%s'; the formats are %s", name, all);
}

static bool write_all(const struct export_format *format, struct export_job *job, GError **error)
{
    struct report_job *report = job->report;

    report->run = tcgrr_reader_run(report->reader);
    report->blocks = tcgrr_reader_blocks(report->reader, error);
    if (!report->blocks) {
        return false;
    }
    report->block_count = tcgrr_blocks_count(report->blocks);
    report->disasm = tcgrr_disasm_new(report->run->target);
    report->symbols = cli_trace_symbols(report->reader);
    bool good = format->run(job, error);
    tcgrr_symbols_free(report->symbols);
    tcgrr_disasm_free(report->disasm);
    if (good && job->out && (fflush(job->out) != 0 || ferror(job->out))) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot write the whole export: %m");
        good = false;
    }
    return good;
}

/* Exports to the file, which is replaced, or to standard output. */
static int export_trace(const struct export_format *format, struct export_job *job)
{
    const char *output = job->path;
    GError *error = NULL;

    if (format->own_files) {
        return write_all(format, job, &error) ? CLI_OK : cli_fail(error);
    }
    job->out = output ? report_create(job->report, output, &error) : stdout;
    if (!job->out) {
        return cli_fail(error);
    }
    bool good = write_all(format, job, &error);
    if (output && !report_close(job->out, output, good ? &error : NULL)) {
        good = false;
    }
    if (!good && output) {
        report_discard(output);
    }
    return good ? CLI_OK : cli_fail(error);
}

static bool parse_number(const char *text, uint64_t *number)
{
    return !text || cli_parse_icount(text, number);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    g_autofree char *output = NULL;
    g_autofree char *from = NULL;
    g_autofree char *until = NULL;
    g_autofree char *least = NULL;
    gboolean progress = FALSE;
    const GOptionEntry options[] = {
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &output,
         "the file to write (default: standard output); uftrace: the folder to create", "FILE"},
        {"from", 0, 0, G_OPTION_ARG_STRING, &from, "folded, tenet, csv, parquet: begin at this icount", "ICOUNT"},
        {"until", 0, 0, G_OPTION_ARG_STRING, &until, "folded, tenet, csv, parquet: end at this icount", "ICOUNT"},
        {"min", 0, 0, G_OPTION_ARG_STRING, &least,
         "perfetto, uftrace: leave out functions that ran for fewer instructions (default: perfetto shows about a "
         "million)",
         "INSTRUCTIONS"},
        {"progress", 0, 0, G_OPTION_ARG_NONE, &progress, "show progress even if standard error is not a terminal",
         NULL},
        {0},
    };
    if (!cli_parse(command, options, false, &argc, &argv)) {
        return CLI_USAGE;
    }
    if (argc != 3) {
        return cli_usage(command, "export takes a trace and a format");
    }
    const struct export_format *format = find_format(argv[2]);
    struct report as = {.name = argv[2]};
    struct report_job report = {.report = &as, .progress = progress || isatty(STDERR_FILENO)};
    struct export_job job = {.report = &report, .path = output, .until = UINT64_MAX};
    if (!format) {
        return no_format(command, argv[2]);
    }
    if (!parse_number(from, &job.from) || !parse_number(until, &job.until) || !parse_number(least, &job.least)) {
        return cli_usage(command, "--from, --until and --min take numbers of instructions");
    }
    if (format->binary && !output && isatty(STDOUT_FILENO)) {
        return cli_usage(command, "%s is not text for a terminal; name a file with -o", format->name);
    }
    if (format->own_files && !output) {
        return cli_usage(command, "%s needs -o with the name of what it writes", format->name);
    }
    int status = CLI_OK;
    report.reader = cli_open_trace_at(argv[1], TCGRR_LEVEL_FLOW, false, &status);
    if (report.reader) {
        status = export_trace(format, &job);
        tcgrr_reader_free(report.reader);
    }
    return status;
}

const struct cli_command cli_export = {
    "export",
    "TRACE FORMAT",
    "Convert a trace for other programs: perfetto, folded, callgrind, lcov, uftrace, tenet, csv, parquet",
    "perfetto   a timeline of functions, events and counters (ui.perfetto.dev)\n"
    "folded     stacks with the instructions that ran there (flamegraph.pl, speedscope)\n"
    "callgrind  instructions by address and calls (KCachegrind, callgrind_annotate)\n"
    "lcov       how often each source line ran, by the DWARF of the guest's files (genhtml)\n"
    "uftrace    calls by vCPU, in a folder (uftrace replay, report, graph, tui)\n"
    "tenet      each instruction with its memory accesses, of a trace at level full (Tenet)\n"
    "csv        each execution of a block\n"
    "parquet    the same for DuckDB, ClickHouse, Spark; needs libduckdb.so\n\n"
    "Examples:\n"
    "  tcgrr export boot.tcgrr perfetto -o boot.pftrace\n"
    "  tcgrr export boot.tcgrr folded | flamegraph.pl > boot.svg\n"
    "  tcgrr export boot.tcgrr callgrind -o callgrind.out.boot && kcachegrind callgrind.out.boot\n"
    "  tcgrr export guest.tcgrr lcov -o guest.info && genhtml guest.info -o coverage\n"
    "  tcgrr export boot.tcgrr uftrace -o boot.uftrace && uftrace tui -d boot.uftrace\n"
    "  tcgrr export boot.tcgrr csv --from 1000000 --until 2000000\n",
    run,
};
