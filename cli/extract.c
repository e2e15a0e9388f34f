/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/cli.h"

#include "replay/replay.h"

#include <stdio.h>

/* Prints what was written: QEMU's rr file, if there is one, and the command. */
static void print_files(const char *folder, bool rr, bool json)
{
    static const char *const names[] = {"replay.rr", "replay.txt", "original.rr", "command.txt"};
    json_t *files = json_array();

    for (size_t i = rr ? 0 : G_N_ELEMENTS(names) - 1; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(folder, names[i], NULL);
        if (json) {
            json_array_append_new(files, cli_json_text(path));
        } else {
            printf("%s\n", path);
        }
    }
    if (json) {
        cli_print_json(json_pack("{s:o}", "files", files));
    } else {
        json_decref(files);
    }
}

/* Whether there is nothing at `path` that could be overwritten. */
static bool is_free(const char *path)
{
    GDir *folder = g_dir_open(path, 0, NULL);
    bool empty = folder ? g_dir_read_name(folder) == NULL : !g_file_test(path, G_FILE_TEST_EXISTS);
    if (folder) {
        g_dir_close(folder);
    }
    return empty;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    gboolean force = FALSE, json = FALSE;
    const GOptionEntry options[] = {
        {"force", 0, 0, G_OPTION_ARG_NONE, &force, "write into a folder that is not empty", NULL},
        {"json", 0, 0, G_OPTION_ARG_NONE, &json, "print one JSON object: the files", NULL},
        {0},
    };
    if (!cli_parse(command, options, false, &argc, &argv)) {
        return CLI_USAGE;
    }
    if (argc != 3) {
        return cli_usage(command, "extract takes a trace and a folder");
    }
    if (!force && !is_free(argv[2])) {
        return cli_usage(command, "%s exists and is not empty; name another folder, or use --force", argv[2]);
    }
    GError *error = NULL;
    int status = CLI_OK;
    struct tcgrr_reader *reader = cli_open_trace(argv[1], &status);
    if (!reader) {
        return status;
    }
    if (tcgrr_replay_extract(reader, argv[2], &error)) {
        print_files(argv[2], tcgrr_reader_run(reader)->rr, json);
    } else {
        status = cli_fail(error);
    }
    tcgrr_reader_free(reader);
    return status;
}

const struct cli_command cli_extract = {
    "extract",
    "TRACE DIR",
    "Write QEMU's rr file, the embedded files and the command that replays them",
    "Writes DIR/replay.rr and DIR/command.txt (one argument per line), which replay the run without tcgrr, and\n"
    "DIR/inputs with the embedded files of a trace that was recorded with --portable or --start-at. replay.rr\n"
    "is the repaired log, original.rr the one that QEMU wrote; replay.txt lists the events of replay.rr.\n\n"
    "Examples:\n"
    "  tcgrr extract "
    "boot.tcgrr boot && xargs -d '\\n"
    "' -a boot/command.txt env\n",
    run,
};
