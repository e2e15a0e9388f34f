/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record/record.h"

#include "cli/cli.h"
#include "cli/compare_options.h"
#include "cli/level.h"
#include "emu/qemu/command.h"
#include "replay/keyframes.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void say_started(const struct tcgrr_command *command, void *data)
{
    const bool *verbose = data;
    if (!*verbose) {
        if (command->warning) {
            cli_note("%s", command->warning);
        }
        return;
    }
    for (guint i = 0; i < command->notes->len; i++) {
        cli_note("%s", (const char *)g_ptr_array_index(command->notes, i));
    }
    g_autofree char *line = g_strjoinv(" ", command->argv);
    cli_note("%s", line);
}

static void say_warning(const char *text, void *data)
{
    cli_note("%s", text);
}

static void say_progress(const struct tcgrr_record_progress *progress, void *data)
{
    g_autofree char *icount = cli_number(progress->icount);
    g_autofree char *bytes = cli_bytes(progress->bytes);
    double seconds = progress->seconds > 0 ? progress->seconds : 1;

    g_autofree char *at = cli_number(progress->last_event_icount);
    g_autofree char *event =
        progress->last_event ? g_strdup_printf(", last event: %s at %s", progress->last_event, at) : g_strdup("");
    cli_progress("%.0f s, %s instructions, %.0f M/s, %s%s", progress->seconds, icount,
                 (double)progress->icount / seconds / 1e6, bytes, event);
}

/* The name that was asked for, or the one made of the guest's or QEMU's name. */
static char *output_name(const char *output, const char *qemu, char **arguments)
{
    const char *from = qemu;
    if (output) {
        return g_strdup(output);
    }
    int at = tcgrr_command_program(qemu, (const char *const *)arguments);
    const char *program = at >= 0 ? arguments[at] : NULL;
    for (char **word = arguments; *word && !program; word++) {
        if ((strcmp(*word, "-kernel") == 0 || strcmp(*word, "-bios") == 0) && word[1]) {
            from = word[1];
        }
    }
    g_autofree char *base = g_path_get_basename(program ? program : from);
    char *dot = strrchr(base, '.');
    if (dot && dot != base && !strchr(dot, '-')) {
        *dot = '\0';
    }
    return g_strconcat(base, ".tcgrr", NULL);
}

/* Whether the guest writes to our terminal, where a progress line would only be in the way. */
static bool guest_has_terminal(const char *qemu, char **arguments)
{
    g_autofree char *name = g_path_get_basename(qemu);
    if (!strstr(name, "system")) {
        return true;
    }
    for (; *arguments; arguments++) {
        if (strstr(*arguments, "stdio") || g_str_has_suffix(*arguments, "-nographic") ||
            g_str_has_suffix(*arguments, "-curses") || strcmp(*arguments, "curses") == 0) {
            return true;
        }
    }
    return false;
}

/* Prints the remarks on the recording after the trace is written. Returns the exit status. */
static int conclude(const struct tcgrr_record_result *result, const char *output, int stopped)
{
    if (stopped) {
        return cli_stopped_status(stopped);
    }
    if (result->lost) {
        cli_say_error("%s", result->lost);
    }
    if (result->end == TCGRR_LIVE_CUT) {
        cli_say_error("QEMU died (%s); everything recorded up to then is in %s", result->exit, output);
        return CLI_FAILED;
    }
    if (result->end == TCGRR_LIVE_THREADS) {
        cli_note("a thread of the program computed for 20 s while another one waited to run, and may be waiting "
                 "for that one; everything recorded up to then is in %s",
                 output);
        return CLI_FAILED;
    }
    return result->lost ? CLI_FAILED : CLI_OK;
}

static int record(struct tcgrr_record_options *options, bool json)
{
    struct tcgrr_record_result result;
    GError *error = NULL;
    bool good = tcgrr_record(options, &result, &error);

    cli_progress_clear();
    if (!good) {
        g_free(result.exit);
        return cli_fail(error);
    }
    tcgrr_keyframes_drop(options->output, NULL); /* of a trace that had this name before */
    int status = conclude(&result, options->output, *options->stop);
    if (result.written) {
        cli_note("the guest wrote to %s, and a replay needs it as it was: restore it before replaying, or record with "
                 "snapshot=on",
                 result.written);
    }
    if (result.reset) {
        cli_note("the guest reset the machine, which ended the run");
    }
    if (status == CLI_OK && options->until.wanted && !result.reached) {
        cli_say_error("the guest ended before it reached --until");
    }
    int printed = cli_print_trace(options->output, json,
                                  !options->until.wanted ? CLI_TRACE_RECORDED
                                  : result.reached       ? CLI_TRACE_REACHED
                                                         : CLI_TRACE_MISSED);
    g_free(result.written);
    g_free(result.lost);
    g_free(result.exit);
    return status ? status : printed;
}

/* Runs the command after the options are parsed. */
static int start(const struct cli_command *command, struct tcgrr_record_options *options, const struct cli_level *level,
                 bool json)
{
    GError *error = NULL;
    int status = cli_level_resolve(command, level, options);

    if (status != CLI_OK) {
        return status;
    }
    g_autofree char *plugin = cli_plugin_path(&error);
    if (!plugin) {
        return cli_fail(error);
    }
    options->plugin = plugin;
    options->stop = cli_catch_signals();
    return record(options, json);
}

/* What can be refused before anything is started. */
static int check_arguments(const struct cli_command *command, int argc, const char *output, const char *follow)
{
    if (argc < 2) {
        return cli_usage(command, "record needs the QEMU command to run");
    }
    if (output && !*output) {
        return cli_usage(command, "-o takes the name of a file");
    }
    if (output && g_file_test(output, G_FILE_TEST_IS_DIR)) {
        return cli_usage(command, "-o %s is a folder; name the file for the trace", output);
    }
    if (output && g_file_test(output, G_FILE_TEST_EXISTS) && !g_file_test(output, G_FILE_TEST_IS_REGULAR)) {
        return cli_usage(command, "-o %s is not a regular file; choose another name", output);
    }
    if (follow && strcmp(follow, "none") != 0 && strcmp(follow, "exec") != 0 && strcmp(follow, "all") != 0) {
        return cli_usage(command, "--follow takes none, exec or all, not '%s'", follow);
    }
    return CLI_OK;
}

/* What was asked for. */
struct arguments {
    char *output;
    char *icount;
    char *start_at;
    char *follow;
    char **symbols;
    struct cli_level level;
    gboolean force, no_rr, json, verbose, progress, portable;
};

static void arguments_clear(struct arguments *arguments)
{
    g_free(arguments->output);
    g_free(arguments->icount);
    g_free(arguments->start_at);
    g_free(arguments->follow);
    g_strfreev(arguments->symbols);
    cli_level_clear(&arguments->level);
}

static int parse(const struct cli_command *command, int *argc, char ***argv, struct arguments *arguments)
{
    const GOptionEntry options[] = {
        {"output", 'o', 0, G_OPTION_ARG_FILENAME, &arguments->output,
         "the trace to write (default: NAME.tcgrr in the current folder)", "TRACE"},
        {"force", 0, 0, G_OPTION_ARG_NONE, &arguments->force, "replace an existing trace", NULL},
        CLI_LEVEL_OPTIONS(arguments->level),
        {"until", 0, 0, G_OPTION_ARG_STRING, &arguments->level.end,
         "end the run here: a symbol, a 0x address (before its first execution) or an icount; system mode", "WHERE"},
        {"no-rr", 0, 0, G_OPTION_ARG_NONE, &arguments->no_rr, "record without QEMU's rr; the trace cannot be replayed",
         NULL},
        {"portable", 0, 0, G_OPTION_ARG_NONE, &arguments->portable,
         "pin the machine and embed its files, so that other releases of QEMU replay it", NULL},
        {"start-at", 0, 0, G_OPTION_ARG_STRING, &arguments->start_at,
         "run there first, take a snapshot and record from it: a symbol, a 0x address or an icount; implies --portable",
         "WHERE"},
        {"icount", 0, 0, G_OPTION_ARG_STRING, &arguments->icount,
         "icount shift: 0 to 10 or auto (default: your -icount, else 0)", "SHIFT"},
        {"follow", 0, 0, G_OPTION_ARG_STRING, &arguments->follow,
         "user mode: also record a program started by execve, in the same run (exec, the default); forked children, "
         "too, each in its own trace beside TRACE (all); or neither (none)",
         "WHAT"},
        {"symbols", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &arguments->symbols,
         "an ELF file whose symbols to store (repeatable)", "FILE"},
        {"progress", 0, 0, G_OPTION_ARG_NONE, &arguments->progress,
         "show progress even if the guest uses the terminal or standard error is not one", NULL},
        {"json", 0, 0, G_OPTION_ARG_NONE, &arguments->json,
         "print one JSON object at the end; what the guest prints goes to standard error", NULL},
        {"verbose", 'v', 0, G_OPTION_ARG_NONE, &arguments->verbose, "show what is added to QEMU's command", NULL},
        {0},
    };
    return cli_parse(command, options, true, argc, argv)
               ? check_arguments(command, *argc, arguments->output, arguments->follow)
               : CLI_USAGE;
}

static int record_one(const struct cli_command *command, char **argv, const struct arguments *arguments)
{
    bool verbose = arguments->verbose;
    g_autofree char *start_at = cli_plain_where(arguments->start_at);
    g_autofree char *name = output_name(arguments->output, argv[1], argv + 2);
    bool shows = arguments->progress || (isatty(STDERR_FILENO) && !guest_has_terminal(argv[1], argv + 2));
    struct tcgrr_record_options record_options = {
        .output = name,
        .force = arguments->force,
        .qemu = argv[1],
        .arguments = (const char *const *)argv + 2,
        .rr = !arguments->no_rr,
        .portable = arguments->portable,
        .start_at = start_at,
        .follow_none = arguments->follow && strcmp(arguments->follow, "none") == 0,
        .follow_all = arguments->follow && strcmp(arguments->follow, "all") == 0,
        .icount = arguments->icount,
        .symbol_files = (const char *const *)arguments->symbols,
        .tool_version = TCGRR_VERSION,
        .output_to_errors = arguments->json,
        .started = say_started,
        .warn = say_warning,
        .progress = shows ? say_progress : NULL,
        .data = &verbose,
    };
    return start(command, &record_options, &arguments->level, arguments->json);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments arguments = {0};
    int status = parse(command, &argc, &argv, &arguments);

    if (status == CLI_OK) {
        status = record_one(command, argv, &arguments);
    }
    arguments_clear(&arguments);
    return status;
}

const struct cli_command cli_record = {
    "record",
    "[--] QEMU ARG…",
    "Run a QEMU command and record everything it executes into one file",
    "The guest's console works as in plain QEMU: with -nographic Ctrl-C is the guest's, and Ctrl-A x ends the run.\n"
    "Otherwise Ctrl-C ends the recording; what was recorded stays valid.\n"
    "Under icount QEMU handles signals and input "
    "only between slices of guest time: for a guest that polls instead of\n"
    "sleeping (a boot loader's prompt) use --icount 7, which makes the slices 128 times shorter.\n\n"
    "Examples:\n"
    "  tcgrr record -o boot.tcgrr -- qemu-system-aarch64 -M virt -cpu cortex-a57 -nographic -kernel Image\n"
    "  tcgrr record --portable -o boot.tcgrr -- qemu-system-aarch64 -M virt-7.2 -cpu cortex-a57 -nographic -kernel "
    "Image\n"
    "  tcgrr record --start-at _start -- qemu-system-x86_64 -M pc-i440fx-7.2 -nographic -kernel guest.elf\n"
    "  tcgrr record --symbols vmlinux -- qemu-system-x86_64 -nographic -kernel bzImage\n"
    "  tcgrr record --level full --full-from panic -- qemu-system-riscv64 -M virt -nographic -kernel vmlinux\n"
    "  tcgrr record -- qemu-aarch64 ./program argument\n",
    run,
};
