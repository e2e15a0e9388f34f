/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/keyframes.h"

#include "cli/cli.h"
#include "replay/files.h"
#include "replay/replay.h"
#include "store/error.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_SIZE_DEFAULT "4G" /* TCGRR_KEYFRAMES_MAX */

struct options {
    struct tcgrr_keyframes_make make;
    const char *qemu;
    char **extra;
    bool json;
};

static void say_progress(tcgrr_icount icount, void *data)
{
    g_autofree char *text = cli_number(icount);
    cli_progress("keyframes up to icount %s", text);
}

static void print(struct tcgrr_reader *reader, struct tcgrr_keyframes *keyframes,
                  const struct tcgrr_keyframes_made *made, bool json)
{
    const GArray *list = tcgrr_keyframes_list(keyframes);
    struct tcgrr_keyframes_sum sum;
    tcgrr_keyframes_sum(tcgrr_reader_path(reader), &sum);

    if (json) {
        json_t *icounts = json_array();
        for (guint i = 0; i < list->len; i++) {
            json_array_append_new(icounts,
                                  json_integer((json_int_t)g_array_index(list, struct tcgrr_keyframe, i).icount));
        }
        cli_print_json(json_pack("{s:o, s:i, s:i, s:I, s:o}", "trace", cli_json_text(tcgrr_reader_path(reader)),
                                 "keyframes", (int)list->len, "made", (int)made->made, "bytes", (json_int_t)sum.bytes,
                                 "icounts", icounts));
        return;
    }
    g_autofree char *bytes = cli_bytes(sum.bytes);
    printf("%s: %u keyframes, %u of them new; %s in %s.keyframes\n", tcgrr_reader_path(reader), list->len, made->made,
           bytes, tcgrr_reader_path(reader));
}

static bool make(struct tcgrr_reader *reader, const struct tcgrr_qemu *qemu, struct options *options, GError **error)
{
    struct tcgrr_keyframes_options of;
    struct tcgrr_replay_files *files = tcgrr_replay_files_new(reader, qemu, (const char *const *)options->extra, error);
    if (!files) {
        return false;
    }
    tcgrr_replay_files_keyframes(files, &of);
    struct tcgrr_keyframes *keyframes = tcgrr_keyframes_open(&of);
    struct tcgrr_keyframes_made made = {0};
    bool good = tcgrr_keyframes_make(keyframes, &options->make, &made, error);
    const GArray *list = tcgrr_keyframes_list(keyframes);

    cli_progress_clear();
    if (good && made.refused) {
        g_set_error(
            error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
            "QEMU %s does not continue from a snapshot of this machine as it did without one (%s): %u keyframes are "
            "usable, the rest were removed; replays start from the last usable one or from the beginning",
            qemu->version, made.refused, list->len);
        good = false;
    }
    if (good) {
        print(reader, keyframes, &made, options->json);
    }
    g_free(made.refused);
    tcgrr_keyframes_free(keyframes);
    tcgrr_replay_files_free(files);
    return good;
}

static bool prepare(struct tcgrr_reader *reader, const char *plugin, struct options *options, GError **error)
{
    const char *recorded = tcgrr_reader_run(reader)->qemu_path;
    const char *name = options->qemu ? options->qemu : recorded ? recorded : "";
    struct tcgrr_qemu qemu = {0};
    bool good = tcgrr_replay_check_system(reader, "keyframes are snapshots of a machine", error) &&
                tcgrr_replay_check(reader, error) && tcgrr_qemu_probe(name, plugin, &qemu, error) &&
                make(reader, &qemu, options, error);

    tcgrr_qemu_clear(&qemu);
    return good;
}

static int drop(const char *path, bool json)
{
    struct tcgrr_keyframes_sum before;
    GError *error = NULL;

    tcgrr_keyframes_sum(path, &before);
    if (before.count == 0 && !g_file_test(path, G_FILE_TEST_EXISTS)) {
        cli_say_error("%s: there is no such trace, and it has no keyframes", path);
        return CLI_FAILED;
    }
    if (!tcgrr_keyframes_drop(path, &error)) {
        return cli_fail(error);
    }
    if (json) {
        cli_print_json(json_pack("{s:o, s:i, s:I}", "trace", cli_json_text(path), "dropped", (int)before.count, "bytes",
                                 (json_int_t)before.bytes));
    } else {
        g_autofree char *bytes = cli_bytes(before.bytes);
        printf("%s: dropped %u keyframes, %s\n", path, before.count, bytes);
    }
    return CLI_OK;
}

static int make_all(const char *path, struct options *options)
{
    GError *error = NULL;
    int status = CLI_OK;
    g_autofree char *plugin = cli_plugin_path(&error);
    struct tcgrr_reader *reader = plugin ? cli_open_trace(path, &status) : NULL;

    if (!plugin) {
        return cli_fail(error);
    }
    if (reader && !prepare(reader, plugin, options, &error)) {
        int failed = cli_fail(error);
        status = *options->make.stop ? cli_stopped_status(*options->make.stop) : failed;
    }
    tcgrr_reader_free(reader);
    return status;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    g_autofree char *qemu = NULL;
    g_autofree char *size = NULL;
    g_autofree char *every = NULL;
    gint timeout = 60;
    gboolean drops = FALSE, json = FALSE, progress = FALSE;
    const GOptionEntry entries[] = {
        {"every", 0, 0, G_OPTION_ARG_STRING, &every, "distance in instructions (default: what QEMU replays in 0.15 s)",
         "ICOUNT"},
        {"max-size", 0, 0, G_OPTION_ARG_STRING, &size,
         "limit the disk space of the trace's keyframes by spacing them further apart (default " MAX_SIZE_DEFAULT ")",
         "SIZE"},
        {"drop", 0, 0, G_OPTION_ARG_NONE, &drops, "remove all keyframes of the trace", NULL},
        {"qemu", 0, 0, G_OPTION_ARG_FILENAME, &qemu,
         "make them for replays in this QEMU (default: the one that recorded)", "PATH"},
        {"timeout", 0, 0, G_OPTION_ARG_INT, &timeout,
         "seconds without progress after which the replay has hung (default 60)", "S"},
        {"progress", 0, 0, G_OPTION_ARG_NONE, &progress, "show progress even if standard error is not a terminal",
         NULL},
        {"json", 0, 0, G_OPTION_ARG_NONE, &json, "print one JSON object", NULL},
        {0},
    };
    struct options options = {.extra = cli_split_rest(&argc, argv)};
    if (!cli_parse(command, entries, false, &argc, &argv)) {
        return CLI_USAGE;
    }
    if (argc != 2) {
        return cli_usage(command, "keyframes takes one trace");
    }
    bool distance = !every || (cli_parse_icount(every, &options.make.every) && options.make.every > 0);
    if (!distance || !cli_timeout_is_good(timeout) ||
        !cli_parse_size(size ? size : MAX_SIZE_DEFAULT, &options.make.max_bytes)) {
        return cli_usage(command, !distance ? "--every takes a number of instructions, 1 or more"
                                  : !cli_timeout_is_good(timeout)
                                      ? CLI_TIMEOUT_TAKES
                                      : "--max-size takes bytes, or a number with K, M, G or T");
    }
    if (drops) {
        return drop(argv[1], json);
    }
    options.qemu = qemu;
    options.json = json;
    options.make.hang_ms = timeout * 1000;
    options.make.stop = cli_catch_signals();
    options.make.progress = progress || isatty(STDERR_FILENO) ? say_progress : NULL;
    options.make.data = &options;
    return make_all(argv[1], &options);
}

const struct cli_command cli_keyframes = {
    "keyframes",
    "TRACE [-- EXTRA_ARG…]",
    "Make snapshots along a recorded run, so that replays reach any point quickly",
    "They are kept in TRACE.keyframes and are optional: without them a replay starts from the beginning.\n\n"
    "Examples:\n"
    "  tcgrr keyframes boot.tcgrr\n"
    "  tcgrr keyframes boot.tcgrr --every 50M --max-size 1G\n"
    "  tcgrr keyframes boot.tcgrr --drop\n",
    run,
};
