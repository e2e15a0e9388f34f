/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/doctor.h"

#include "emu/qemu/qemu.h"

#include <stdio.h>
#include <string.h>

static const char *advice(const struct tcgrr_qemu *qemu)
{
    if (qemu->api == 0 && !qemu->system) {
        return "Debian's qemu-user from 10.0 on is linked statically and cannot load plugins; 7.2 can";
    }
    if (qemu->api == 0) {
        return "use a QEMU built with --enable-plugins, such as Debian's";
    }
    return qemu->system && !qemu->reports_discontinuities
               ? "a QEMU from 10.2 on reports interrupts and exceptions itself"
               : NULL;
}

static json_t *levels_json(const struct tcgrr_qemu *qemu)
{
    json_t *list = json_array();
    for (enum tcgrr_level level = TCGRR_LEVEL_FLOW; level < TCGRR_LEVEL_COUNT; level++) {
        if (!tcgrr_qemu_lacks(qemu, level)) {
            json_array_append_new(list, json_string(tcgrr_level_name(level)));
        }
    }
    return list;
}

/* Before API 5 the registers of a program cannot be written, so that its system calls are made again. */
static bool replays_exactly(const struct tcgrr_qemu *qemu)
{
    return qemu->api > 0 && (qemu->system || qemu->api >= 5);
}

static json_t *qemu_json(const struct tcgrr_qemu *qemu)
{
    json_t *object =
        json_pack("{s:o, s:s, s:s, s:s, s:i, s:i, s:i, s:b}", "qemu", cli_json_text(qemu->path), "version",
                  qemu->version, "target", qemu->target, "mode", qemu->system ? "system" : "user", "api_version",
                  qemu->api, "api_min", qemu->api_min, "api_cur", qemu->api_cur, "can_record", qemu->api > 0);
    bool reports = qemu->reports_discontinuities;
    json_object_set_new(object, "events", json_string(qemu->api == 0 ? "none" : reports ? "reported" : "inferred"));
    json_object_set_new(object, "levels", levels_json(qemu));
    json_object_set_new(object, "replay", json_boolean(replays_exactly(qemu)));
    json_object_set_new(object, "problem", cli_json_text(qemu->plugin_error));
    json_object_set_new(object, "advice", advice(qemu) ? json_string(advice(qemu)) : json_null());
    return object;
}

/* A table that an ordinary terminal is wide enough for. */
#define COLUMNS "  %-26s %-8s  %3s  %-8s  %-5s  %-4s  %s\n"
#define SCREEN  80

static const char legend[] = "\nEvery QEMU with a number under API records which blocks ran, exact counts,\n"
                             "interrupts and exceptions; in user mode system calls, too.\n"
                             "  API     version of the plugin interface\n"
                             "  events  whether QEMU reports interrupts and exceptions itself (10.2 and later)\n"
                             "          or tcgrr infers them; idle and resume are not reported under icount\n"
                             "  state   --level state: registers; from API 4 on a digest of stores, too\n"
                             "  full    --level full: memory accesses; from API 4 on with their values\n"
                             "  replay  repeats a run exactly; in user mode from API 5 on\n";

/* Prints "  what: text", indented, on as many lines as that takes. */
static void print_note(const char *what, const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    int column = printf("      %s:", what);

    for (char **word = words; *word; word++) {
        int width = (int)g_utf8_strlen(*word, -1);
        if (column + 1 + width > SCREEN && column > 8) {
            printf("\n       ");
            column = 7;
        }
        printf(" %s", *word);
        column += 1 + width;
    }
    printf("\n");
}

static const char *yes(bool answer)
{
    return answer ? "yes" : "-";
}

/* What the previous rows already show. */
struct shown {
    char *folder;  /* of the row before; NULL: there is none */
    char *problem; /* that was explained last */
};

/* A folder of QEMUs that cannot record for one reason has it once. */
static void print_problem(const struct tcgrr_qemu *qemu, struct shown *shown)
{
    const char *problem = qemu->plugin_error ? qemu->plugin_error : "";
    char *all = g_strdup_printf("%s %s", problem, advice(qemu));

    if (g_strcmp0(all, shown->problem) != 0 && *problem) {
        print_note("cannot record", problem);
    }
    if (g_strcmp0(all, shown->problem) != 0) {
        print_note("better", advice(qemu));
    }
    g_free(shown->problem);
    shown->problem = all;
}

static void print_qemu(const struct tcgrr_qemu *qemu, struct shown *shown)
{
    g_autofree char *name = g_path_get_basename(qemu->path);
    g_autofree char *api = qemu->api ? g_strdup_printf("%d", qemu->api) : g_strdup("-");
    char *here = g_path_get_dirname(qemu->path);
    bool records = qemu->api > 0;

    if (!shown->folder) {
        printf(COLUMNS, "QEMU", "version", "API", "events", "state", "full", "replay");
    }
    if (g_strcmp0(shown->folder, here) != 0) {
        printf("%s\n", here);
    }
    g_free(shown->folder);
    shown->folder = here;
    printf(COLUMNS, name, qemu->version, api,
           !records                        ? "-"
           : qemu->reports_discontinuities ? "reported"
                                           : "inferred",
           yes(records && !tcgrr_qemu_lacks(qemu, TCGRR_LEVEL_STATE)),
           yes(records && !tcgrr_qemu_lacks(qemu, TCGRR_LEVEL_FULL)), yes(replays_exactly(qemu)));
    if (records && !strstr(name, qemu->target)) {
        print_note("target", qemu->target);
    }
    if (!records) {
        print_problem(qemu, shown);
    }
}

/* Returns whether any of them can record. A named one that cannot be probed is an error. */
static int examine(char **names, bool named, const char *plugin, json_t *list)
{
    struct shown shown = {NULL, NULL};
    int usable = 0;
    int failures = 0;
    for (char **name = names; *name; name++) {
        struct tcgrr_qemu qemu;
        GError *error = NULL;
        if (!tcgrr_qemu_probe(*name, plugin, &qemu, &error)) {
            failures++;
            cli_say_error("%s", error->message);
            g_error_free(error);
            continue;
        }
        usable += qemu.api > 0;
        if (list) {
            json_array_append_new(list, qemu_json(&qemu));
        } else {
            print_qemu(&qemu, &shown);
        }
        tcgrr_qemu_clear(&qemu);
    }
    if (shown.folder) {
        fputs(legend, stdout);
    }
    g_free(shown.folder);
    g_free(shown.problem);
    return usable > 0 && !(named && failures) ? CLI_OK : CLI_FAILED;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    gboolean json = FALSE, pair = FALSE;
    char **rest = cli_split_rest(&argc, argv);
    const GOptionEntry options[] = {
        {"pair", 0, 0, G_OPTION_ARG_NONE, &pair,
         "list the differences between the machines that two QEMUs make from the arguments after --", NULL},
        {"json", 0, 0, G_OPTION_ARG_NONE, &json, "print one JSON object", NULL},
        {0},
    };
    if (!cli_parse(command, options, false, &argc, &argv)) {
        return CLI_USAGE;
    }
    GError *error = NULL;
    g_autofree char *plugin = cli_plugin_path(&error);
    if (!plugin) {
        return cli_fail(error);
    }
    if (pair) {
        return argc == 3 ? cli_doctor_pair(argv + 1, rest, plugin, json)
                         : cli_usage(command, "--pair takes two QEMUs, and the guest's arguments after --");
    }
    bool named = argc > 1;
    g_auto(GStrv) names = named ? g_strdupv(argv + 1) : tcgrr_qemu_find_all();
    json_t *list = json ? json_array() : NULL;
    int status = examine(names, named, plugin, list);
    if (list) {
        cli_print_json(json_pack("{s:o, s:o}", "plugin", cli_json_text(plugin), "qemus", list));
    }
    if (!*names) {
        cli_say_error("no QEMU on PATH; on Debian: apt-get install qemu-system");
    } else if (status == CLI_FAILED && !named) {
        cli_say_error("none of these can load plugins; on Debian: apt-get install qemu-system");
    }
    return status;
}

const struct cli_command cli_doctor = {
    "doctor",
    "[QEMU…] | --pair A B -- ARG…",
    "List the QEMUs found here and what each can record",
    "Without names: every QEMU on PATH. Exit status 3 if none can record.\n\n"
    "Examples:\n"
    "  tcgrr doctor\n"
    "  tcgrr doctor ./build/qemu-system-riscv64 --json\n"
    "  tcgrr doctor --pair qemu-system-aarch64 ./build/qemu-system-aarch64 -- -M virt -cpu cortex-a57 -kernel Image\n",
    run,
};
