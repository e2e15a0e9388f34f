/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/inspect.h"

#include <stdio.h>
#include <string.h>

#include "emu/qemu/command_options.h"
#include "emu/qemu/folder.h"
#include "emu/qemu/process.h"
#include "emu/qemu/scratch.h"
#include "store/error.h"

#define SLICE_MS 200
#define QUIT_MS  2000

struct tcgrr_inspect {
    char *folder;
    char *socket;
    struct tcgrr_process *process;
    struct tcgrr_qmp *qmp;
};

static void add(GPtrArray *words, const char *word)
{
    g_ptr_array_add(words, g_strdup(word));
}

/* The id= of an option, as ",id=…"; "" without one. Owned by the caller. */
static char *id_of(const GPtrArray *inside)
{
    const char *id = tcgrr_suboptions_get(inside, "id");
    g_autofree char *escaped = id ? tcgrr_options_escape(id) : NULL;
    return escaped ? g_strdup_printf(",id=%s", escaped) : g_strdup("");
}

/* The option's value with its connections to the host removed. NULL: the value may stay; owned by the caller. */
static char *disconnect(const struct tcgrr_option *option)
{
    const char *value = option->value ? option->value : "";
    g_autoptr(GPtrArray) inside = tcgrr_suboptions_parse(value, "type");
    g_autofree char *id = id_of(inside);
    const char *model = tcgrr_suboptions_get(inside, "model");
    const char *type = tcgrr_suboptions_get(inside, "type");

    if (strcmp(option->name, "serial") == 0 || strcmp(option->name, "parallel") == 0 ||
        strcmp(option->name, "debugcon") == 0) {
        return strcmp(value, "none") == 0 || g_str_has_prefix(value, "chardev:") ? NULL : g_strdup("null");
    }
    if (strcmp(option->name, "chardev") == 0) {
        return g_strdup_printf("null%s", id);
    }
    if (strcmp(option->name, "audiodev") == 0) {
        return g_strdup_printf("none%s", id);
    }
    if (strcmp(option->name, "netdev") == 0) {
        return g_strdup_printf("hubport,hubid=1%s", id);
    }
    if (strcmp(option->name, "net") == 0 && g_strcmp0(type, "nic") != 0) {
        return g_strdup("none"); /* its cards stay; without any -net there would be one more */
    }
    if (strcmp(option->name, "nic") == 0 && g_strcmp0(type, "none") != 0) {
        return g_strdup_printf("hubport,hubid=1%s%s%s", id, model ? ",model=" : "", model ? model : "");
    }
    return NULL;
}

/* Adds the user's words without options that would display, write, listen or wait. */
static void add_given(GPtrArray *words, const char *const *arguments)
{
    static const char *const dropped[] = {
        "S",        "daemonize", "pidfile", "gdb", "s",           "qmp",    "qmp-pretty",  "mon",      "monitor",
        "display",  "vnc",       "spice",   "D",   "d",           "trace",  "plugin",      "icount",   "loadvm",
        "incoming", "nographic", "curses",  "sdl", "full-screen", "action", "no-shutdown", "snapshot", NULL};
    g_autoptr(GArray) given = tcgrr_options_scan_system(arguments);
    bool network = false;

    for (guint i = 0; i < given->len; i++) {
        const struct tcgrr_option *option = &g_array_index(given, struct tcgrr_option, i);
        if (g_strv_contains(dropped, option->name)) {
            continue;
        }
        network = network || strcmp(option->name, "nic") == 0 || strncmp(option->name, "net", 3) == 0;
        g_autofree char *value = disconnect(option);
        for (size_t word = 0; word < option->words; word++) {
            add(words, value && word == 1 ? value : arguments[option->first + word]);
        }
    }
    if (!network) { /* as when it is recorded */
        add(words, "-nic");
        add(words, "none");
    }
}

static char **build(const struct tcgrr_qemu *qemu, const char *const *arguments, const char *socket)
{
    static const char *const ours[] = {"-display", "none", "-monitor", "none", "-snapshot", "-S", "-qmp", NULL};
    GPtrArray *words = g_ptr_array_new();
    g_autofree char *escaped = tcgrr_options_escape(socket);

    add(words, qemu->path);
    add_given(words, arguments);
    for (const char *const *word = ours; *word; word++) {
        add(words, *word);
    }
    g_ptr_array_add(words, g_strdup_printf("unix:%s,server=on,wait=off", escaped));
    g_ptr_array_add(words, NULL);
    return (char **)g_ptr_array_free(words, FALSE);
}

struct tcgrr_inspect *tcgrr_inspect_start(const struct tcgrr_qemu *qemu, const char *const *arguments,
                                          const char *directory, GError **error)
{
    struct tcgrr_inspect *inspect = g_new0(struct tcgrr_inspect, 1);
    struct tcgrr_process_options options = {
        .pass_fd = -1, .output_fd = -1, .quiet = true, .large_pages = true, .directory = directory};

    inspect->folder = tcgrr_scratch_folder("start", error);
    if (inspect->folder) {
        inspect->socket = g_build_filename(inspect->folder, "qmp", NULL);
        g_auto(GStrv) argv = build(qemu, arguments, inspect->socket);
        inspect->process = tcgrr_process_start(argv, &options, error);
    }
    if (!inspect->process) {
        tcgrr_inspect_free(inspect);
        return NULL;
    }
    for (int waited = 0; !inspect->qmp && waited < TCGRR_INSPECT_MS && !tcgrr_process_ended(inspect->process);
         waited += SLICE_MS) {
        inspect->qmp = tcgrr_qmp_connect(inspect->socket, SLICE_MS, NULL);
    }
    if (!inspect->qmp) {
        g_autofree char *words = tcgrr_process_last_words(inspect->process);
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s (QEMU %s) does not make this machine%s%s", qemu->path,
                    qemu->version, *words ? ": " : "", words);
        tcgrr_inspect_free(inspect);
        return NULL;
    }
    return inspect;
}

void tcgrr_inspect_free(struct tcgrr_inspect *inspect)
{
    if (!inspect) {
        return;
    }
    if (inspect->qmp) {
        json_decref(tcgrr_qmp_execute(inspect->qmp, "quit", NULL, QUIT_MS, NULL));
        tcgrr_process_wait(inspect->process, QUIT_MS);
    }
    tcgrr_qmp_free(inspect->qmp);
    tcgrr_process_free(inspect->process);
    tcgrr_folder_remove(inspect->folder);
    g_free(inspect->socket);
    g_free(inspect->folder);
    g_free(inspect);
}

json_t *tcgrr_inspect_qmp(struct tcgrr_inspect *inspect, const char *command, json_t *arguments, GError **error)
{
    return tcgrr_qmp_execute(inspect->qmp, command, arguments, TCGRR_INSPECT_MS, error);
}

/* Extracts the text from an answer and unreferences the answer. */
static char *text_of(json_t *answer, GError **error)
{
    char *text = json_is_string(answer) ? g_strdup(json_string_value(answer)) : NULL;
    if (answer && !text) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "QEMU's answer is not a text");
    }
    json_decref(answer);
    return text;
}

char *tcgrr_inspect_hmp(struct tcgrr_inspect *inspect, const char *command, GError **error)
{
    return text_of(
        tcgrr_inspect_qmp(inspect, "human-monitor-command", json_pack("{s:s}", "command-line", command), error), error);
}

char *tcgrr_inspect_type(struct tcgrr_inspect *inspect, const char *path, GError **error)
{
    return text_of(
        tcgrr_inspect_qmp(inspect, "qom-get", json_pack("{s:s, s:s}", "path", path, "property", "type"), error), error);
}

char **tcgrr_data_folders(const struct tcgrr_qemu *qemu, const char *const *arguments, const char *directory,
                          GError **error)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    g_autoptr(GArray) given = tcgrr_options_scan_system(arguments);

    g_ptr_array_add(words, qemu->path);
    for (guint i = 0; i < given->len; i++) {
        const struct tcgrr_option *option = &g_array_index(given, struct tcgrr_option, i);
        if (strcmp(option->name, "L") == 0 && option->value) {
            g_ptr_array_add(words, (char *)"-L");
            g_ptr_array_add(words, (char *)option->value);
        }
    }
    g_ptr_array_add(words, (char *)"-L");
    g_ptr_array_add(words, (char *)"help");
    g_ptr_array_add(words, NULL);
    g_autofree char *text = tcgrr_qemu_list((char *const *)words->pdata, directory, error);
    return text ? g_strsplit(g_strchomp(text), "\n", -1) : NULL;
}
