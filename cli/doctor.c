/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/doctor.h"
#include "emu/qemu/qemu.h"

#include <stdio.h>

/* What a plugin API version brings, for people. */
static char *abilities(const struct tcgrr_qemu *qemu)
{
    if (qemu->api == 0) {
        return g_strdup("nothing");
    }
    GString *text = g_string_new("blocks, exact counts");
    g_string_append(text, qemu->reports_discontinuities ? ", interrupts and exceptions (reported)"
                                                        : ", interrupts and exceptions (inferred)");
    if (!tcgrr_qemu_lacks(qemu, TCGRR_LEVEL_STATE)) {
        g_string_append(text,
                        qemu->api >= 4 ? ", level state (registers, digest of stores)" : ", level state (registers)");
    }
    if (!tcgrr_qemu_lacks(qemu, TCGRR_LEVEL_FULL)) {
        g_string_append(text, qemu->api >= 4 ? ", level full (memory accesses)"
                                             : ", level full (memory accesses, without values)");
    }
    g_string_append(text, qemu->system ? ", replay; no idle and resume (not told under icount)"
                                       : ", system calls; no replay");
    return g_string_free(text, FALSE);
}

static const char *advice(const struct tcgrr_qemu *qemu)
{
    if (qemu->api == 0 && !qemu->system) {
        return "Debian's qemu-user from 10.0 on is linked statically and cannot load plugins; 7.2 can";
    }
    if (qemu->api == 0) {
        return "take a QEMU built with --enable-plugins, such as Debian's";
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

static json_t *qemu_json(const struct tcgrr_qemu *qemu)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:b}", "qemu", qemu->path, "version", qemu->version, "target",
                  qemu->target, "mode", qemu->system ? "system" : "user", "api_version", qemu->api, "api_min",
                  qemu->api_min, "api_cur", qemu->api_cur, "can_record", qemu->api > 0);
    bool reports = qemu->reports_discontinuities;
    json_object_set_new(object, "events", json_string(qemu->api == 0 ? "none" : reports ? "reported" : "inferred"));
    json_object_set_new(object, "levels", levels_json(qemu));
    json_object_set_new(object, "replay", json_boolean(qemu->api > 0 && qemu->system));
    json_object_set_new(object, "problem", qemu->plugin_error ? json_string_nocheck(qemu->plugin_error) : json_null());
    json_object_set_new(object, "advice", advice(qemu) ? json_string(advice(qemu)) : json_null());
    return object;
}

static void print_qemu(const struct tcgrr_qemu *qemu)
{
    g_autofree char *can = abilities(qemu);
    printf("%s\n  QEMU %s, %s mode", qemu->path, qemu->version, qemu->system ? "system" : "user");
    if (qemu->api) {
        printf(", target %s, plugin API %d (of %d to %d)", qemu->target, qemu->api, qemu->api_min, qemu->api_cur);
    }
    printf("\n  records: %s\n", can);
    if (qemu->plugin_error) {
        printf("  because: %s\n", qemu->plugin_error);
    }
    if (advice(qemu)) {
        printf("  better:  %s\n", advice(qemu));
    }
}

/* Returns whether any of them can record. A named one that cannot be probed is an error. */
static int examine(char **names, bool named, const char *plugin, json_t *list)
{
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
            print_qemu(&qemu);
        }
        tcgrr_qemu_clear(&qemu);
    }
    return usable > 0 && !(named && failures) ? CLI_OK : CLI_FAILED;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    gboolean json = FALSE, pair = FALSE;
    char **rest = cli_split_rest(&argc, argv);
    const GOptionEntry options[] = {
        {"pair", 0, 0, G_OPTION_ARG_NONE, &pair,
         "say what two QEMUs would give a guest differently with the arguments after --", NULL},
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
        cli_print_json(json_pack("{s:s, s:o}", "plugin", plugin, "qemus", list));
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
    "Say which QEMUs are here and what each can record",
    "Without names: every QEMU on PATH. Exit status 3 if none can record.\n\n"
    "Examples:\n"
    "  tcgrr doctor\n"
    "  tcgrr doctor ./build/qemu-system-riscv64 --json\n"
    "  tcgrr doctor --pair qemu-system-aarch64 ./build/qemu-system-aarch64 -- -M virt -cpu cortex-a57 -kernel Image\n",
    run,
};
