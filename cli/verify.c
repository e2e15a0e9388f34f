/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/cli.h"

#include <stdio.h>

static void say(const char *text, void *data)
{
    json_t *problems = data;
    if (problems) {
        json_array_append_new(problems, cli_json_text(text));
    } else {
        cli_say_error("%s", text);
    }
}

static int verify(struct tcgrr_reader *reader, const char *path, bool json)
{
    GError *error = NULL;
    uint64_t problems = 0;
    json_t *list = json ? json_array() : NULL;

    if (!tcgrr_reader_verify(reader, say, list, &problems, &error)) {
        json_decref(list);
        return cli_fail(error);
    }
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    if (problems > 0) {
        cli_say_error("%s is damaged: %" G_GUINT64_FORMAT " problem%s found; record it again", path, problems,
                      problems == 1 ? "" : "s");
    }
    if (json) {
        cli_print_json(json_pack("{s:o, s:b, s:b, s:I, s:o}", "trace", cli_json_text(path), "good", problems == 0,
                                 "complete", tcgrr_run_ended(run), "problems_found", (json_int_t)problems, "problems",
                                 list));
    } else if (problems == 0) {
        printf("%s: good%s\n", path, run->complete ? "" : " as far as it goes: the recording was cut short");
    }
    return problems ? CLI_FAILED : CLI_OK;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    gboolean json = FALSE;
    const GOptionEntry options[] = {
        {"json", 0, 0, G_OPTION_ARG_NONE, &json, "print one JSON object", NULL},
        {0},
    };
    if (!cli_parse(command, options, false, &argc, &argv)) {
        return CLI_USAGE;
    }
    g_autofree char *trace = cli_one_trace(command, argc, argv);
    if (!trace) {
        return CLI_USAGE;
    }
    int status = CLI_OK;
    struct tcgrr_reader *reader = cli_open_trace(trace, &status);
    if (reader) {
        status = verify(reader, trace, json);
        tcgrr_reader_free(reader);
    }
    return status;
}

const struct cli_command cli_verify = {
    "verify",
    "[TRACE]",
    "Decode a whole trace and check every count, digest and byte",
    "Exit status 0: good (a recording that was cut short is good as far as it goes); 3: damaged.\n\n"
    "Examples:\n"
    "  tcgrr verify boot.tcgrr\n",
    run,
};
