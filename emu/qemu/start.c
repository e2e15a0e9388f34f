/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/start.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "emu/plugin/slow.h"
#include "emu/qemu/command.h"
#include "emu/qemu/command_options.h"
#include "emu/qemu/folder.h"
#include "emu/qemu/gdb.h"
#include "emu/qemu/process.h"
#include "emu/qemu/qcow2.h"
#include "emu/qemu/qmp.h"
#include "emu/qemu/scratch.h"
#include "store/error.h"

#define CONNECT_MS 20000
#define QMP_MS     60000
#define SLICE_MS   100
#define END_MS     2000 /* time between closing its sockets and its end */
#define SHORT_US   500
#define CLOSE      2000 /* number of instructions before the place at which single-stepping starts */
#define TRIES      3

/* A run on its way to the place. */
struct start {
    const struct tcgrr_start_options *options;
    bool loads; /* it starts from an existing snapshot */
    struct tcgrr_command command;
    char *folder;
    char *qmp_socket;
    char *qmp_config;
    char *gdb_socket;
    struct tcgrr_process *process;
    struct tcgrr_qmp *qmp;
    struct tcgrr_gdb *gdb;
    int slow_fd;             /* an icount: memory shared with the plugin, else -1 */
    struct tcgrr_slow *slow; /* NULL without */
};

/* ---- what the snapshot would touch ---- */

static bool is_on(const GPtrArray *inside, const char *key)
{
    const char *value = tcgrr_suboptions_get(inside, key);
    return value && (strcmp(value, "on") == 0 || strcmp(value, "true") == 0 || strcmp(value, "yes") == 0);
}

/* A disk that nobody writes to, or a filter in front of one. */
static bool is_harmless(const struct tcgrr_option *option)
{
    g_autoptr(GPtrArray) inside =
        tcgrr_suboptions_parse(option->value, strcmp(option->name, "blockdev") == 0 ? "driver" : NULL);
    return is_on(inside, "readonly") || is_on(inside, "read-only") ||
           g_strcmp0(tcgrr_suboptions_get(inside, "media"), "cdrom") == 0 ||
           g_strcmp0(tcgrr_suboptions_get(inside, "driver"), "blkreplay") == 0;
}

static bool check_disks(const struct tcgrr_start_options *options, GError **error)
{
    static const char *const disks[] = {"drive", "blockdev", "hda", "hdb",      "hdc",    "hdd",
                                        "fda",   "fdb",      "sd",  "mtdblock", "pflash", NULL};
    g_autoptr(GArray) given = tcgrr_options_scan_system(options->arguments);
    for (guint i = 0; i < given->len; i++) {
        const struct tcgrr_option *option = &g_array_index(given, struct tcgrr_option, i);
        if (option->value && g_strv_contains(disks, option->name) && !is_harmless(option)) {
            return tcgrr_option_refuse(option, error,
                                       "QEMU would write a snapshot of this disk into its file; add readonly=on, or "
                                       "start at reset");
        }
    }
    return true;
}

/* ---- the QEMU ---- */

static bool share_memory(struct start *start, GError **error)
{
    start->slow_fd = memfd_create("tcgrr-slow", 0);
    if (start->slow_fd < 0 || ftruncate(start->slow_fd, sizeof(*start->slow)) != 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot make shared memory: %s", g_strerror(errno));
        return false;
    }
    void *shared = mmap(NULL, sizeof(*start->slow), PROT_READ | PROT_WRITE, MAP_SHARED, start->slow_fd, 0);
    start->slow = shared != MAP_FAILED ? shared : NULL;
    if (!start->slow) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot map shared memory: %s", g_strerror(errno));
    }
    return start->slow != NULL;
}

static bool launch(struct start *start, GError **error)
{
    const struct tcgrr_start_options *options = start->options;
    g_autofree char *slow = g_strdup_printf("slow=%d", start->slow_fd);
    g_autofree char *socket = tcgrr_options_escape(start->gdb_socket);
    g_autofree char *gdb = g_strdup_printf("unix:%s,server=on,wait=off", socket);
    struct tcgrr_command_options command = {
        .mode = TCGRR_RUN_PLAIN,
        .icount = options->icount,
        .qmp_config = start->qmp_config,
        .gdb = start->loads ? NULL : gdb,
        .start = start->loads ? options->path : NULL,
        .snapshot = start->loads ? NULL : options->path,
        .pause_at_end = true,
        .start_paused = true,
        .plugin = start->slow ? options->plugin : NULL,
        .plugin_arguments = slow,
    };
    struct tcgrr_process_options process = {
        .pass_fd = start->slow_fd,
        .output_fd = -1,
        .quiet = true,
        .large_pages = true,
        .directory = options->directory,
    };
    if (!tcgrr_command_build(options->qemu, options->arguments, &command, &start->command, error)) {
        return false;
    }
    start->process = tcgrr_process_start(start->command.argv, &process, error);
    for (int waited = 0; start->process && !start->qmp && waited < CONNECT_MS && !tcgrr_process_ended(start->process);
         waited += SLICE_MS) {
        start->qmp = tcgrr_qmp_connect(start->qmp_socket, SLICE_MS, NULL);
    }
    if (start->process && !start->qmp) {
        g_autofree char *words = tcgrr_process_last_words(start->process);
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s did not start%s%s", options->qemu->path,
                    *words ? ": " : "; check its arguments by running it without tcgrr", words);
    }
    return start->qmp != NULL;
}

static json_t *ask(struct start *start, const char *command, json_t *arguments, GError **error)
{
    return tcgrr_qmp_execute(start->qmp, command, arguments, QMP_MS, error);
}

static bool tell(struct start *start, const char *command, GError **error)
{
    json_t *answer = ask(start, command, NULL, error);
    json_decref(answer);
    return answer != NULL;
}

/* Whether the human monitor took a command, silently. */
static bool tell_monitor(struct start *start, const char *line, GError **error)
{
    json_t *answer = ask(start, "human-monitor-command", json_pack("{s:s}", "command-line", line), error);
    g_autofree char *complaint = answer ? g_strdup(json_string_value(answer)) : NULL;
    bool good = complaint && !*g_strstrip(complaint);
    if (answer && !good) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s: %s", line, complaint ? complaint : "no answer");
    }
    json_decref(answer);
    return good;
}

static bool ask_icount(struct start *start, tcgrr_icount *icount, GError **error)
{
    json_t *answer = ask(start, "query-replay", NULL, error);
    json_t *value = json_object_get(answer, "icount");
    bool good = json_is_integer(value);
    if (good) {
        *icount = (tcgrr_icount)json_integer_value(value);
    } else if (answer) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "QEMU does not report its instruction count");
    }
    json_decref(answer);
    return good;
}

static bool has_ended(struct start *start)
{
    return tcgrr_process_ended(start->process) || tcgrr_qmp_has_event(start->qmp, "SHUTDOWN");
}

static bool ended_before(struct start *start, GError **error)
{
    const struct tcgrr_start_options *options = start->options;
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_ENDED,
                options->is_address ? "the guest ended without reaching 0x%" G_GINT64_MODIFIER "x, the place to "
                                      "start from"
                                    : "the guest ended before it reached icount %" G_GINT64_MODIFIER "u, the place "
                                      "to start from",
                options->place);
    return false;
}

static bool interrupted(struct start *start, GError **error)
{
    if (!start->options->stop || !*start->options->stop) {
        return false;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED,
                "interrupted before the guest reached the place to start from");
    return true;
}

/* Connects only when needed: while a client is connected, QEMU 7.2's stub also reports each stop that QMP causes. */
static bool connect_gdb(struct start *start, GError **error)
{
    start->gdb = tcgrr_gdb_connect(start->gdb_socket, start->options->qemu->target, CONNECT_MS, error);
    return start->gdb != NULL;
}

/* ---- an address ---- */

static bool run_to_address(struct start *start, GError **error)
{
    bool stopped = false;
    if (!connect_gdb(start, error) || !tcgrr_gdb_break(start->gdb, start->options->place, error) ||
        !tcgrr_gdb_continue(start->gdb, error)) {
        return false;
    }
    while (!stopped) {
        if (interrupted(start, error)) {
            return false;
        }
        GError *problem = NULL;
        bool good = tcgrr_gdb_wait(start->gdb, SLICE_MS, &stopped, &problem);
        if (!good) {
            tcgrr_process_wait(start->process, END_MS);
        }
        if (has_ended(start)) {
            g_clear_error(&problem);
            return ended_before(start, error);
        }
        if (!good) {
            g_propagate_error(error, problem);
            return false;
        }
    }
    return true;
}

/* ---- an icount ---- */

/*
 * Lets the plugin stop QEMU near the place, from where it is single-stepped. The plugin overcounts, so several runs are
 * needed.
 */
static bool approach(struct start *start, tcgrr_icount *at, GError **error)
{
    tcgrr_icount place = start->options->place;

    for (*at = 0; *at + CLOSE < place;) {
        __atomic_store_n(&start->slow->left, place - *at - CLOSE / 2, __ATOMIC_RELEASE);
        if (!tell(start, "cont", error)) {
            return false;
        }
        while (__atomic_load_n(&start->slow->left, __ATOMIC_ACQUIRE) > 0) {
            if (interrupted(start, error)) {
                return false;
            }
            if (has_ended(start)) {
                return ended_before(start, error);
            }
            g_usleep(SHORT_US);
        }
        if (!tell(start, "stop", error) || !ask_icount(start, at, error)) {
            return false;
        }
    }
    return true;
}

/* One instruction after the other; a step that delivers an interrupt executes none. */
static bool step_to(struct start *start, tcgrr_icount *at, GError **error)
{
    while (*at < start->options->place) {
        for (tcgrr_icount left = start->options->place - *at; left > 0; left--) {
            bool stopped = false;
            if (!tcgrr_gdb_step(start->gdb, error)) {
                return false;
            }
            while (!stopped) {
                if (interrupted(start, error)) {
                    return false;
                }
                if (!tcgrr_gdb_wait(start->gdb, SLICE_MS, &stopped, error)) {
                    return false;
                }
                if (!stopped && has_ended(start)) {
                    return ended_before(start, error);
                }
            }
        }
        if (!ask_icount(start, at, error)) {
            return false;
        }
    }
    return true;
}

/* *passed: it came too far. */
static bool run_to_icount(struct start *start, bool *passed, GError **error)
{
    tcgrr_icount at = 0;
    bool good = approach(start, &at, error);
    *passed = good && at > start->options->place;
    if (good) {
        __atomic_store_n(&start->slow->left, UINT64_MAX, __ATOMIC_RELEASE); /* steps are slow enough */
    }
    good = good && (*passed || (connect_gdb(start, error) && tcgrr_gdb_step_with_interrupts(start->gdb, error) &&
                                step_to(start, &at, error)));
    *passed = good && at > start->options->place;
    return good;
}

/* ---- all of it ---- */

static void finish(struct start *start)
{
    tcgrr_gdb_free(start->gdb);
    tcgrr_qmp_free(start->qmp);
    if (start->process) {
        tcgrr_process_stop(start->process, 0);
    }
    tcgrr_process_free(start->process);
    if (start->slow) {
        munmap(start->slow, sizeof(*start->slow));
    }
    if (start->slow_fd >= 0) {
        close(start->slow_fd);
    }
    tcgrr_command_clear(&start->command);
    tcgrr_folder_remove(start->folder);
    g_free(start->qmp_socket);
    g_free(start->qmp_config);
    g_free(start->gdb_socket);
    g_free(start->folder);
}

/* Starts QEMU, which is stopped. */
static bool open_start(struct start *start, GError **error)
{
    start->folder = tcgrr_scratch_folder("start", error);
    if (!start->folder) {
        return false;
    }
    start->qmp_socket = g_build_filename(start->folder, "qmp", NULL);
    start->qmp_config = g_build_filename(start->folder, "qmp.cfg", NULL);
    start->gdb_socket = g_build_filename(start->folder, "gdb", NULL);
    return tcgrr_qmp_configure(start->qmp_config, start->qmp_socket, error) && launch(start, error);
}

/* Runs to the place and saves the machine. *passed: it ran too far, but another run may not. */
static bool make(const struct tcgrr_start_options *options, tcgrr_icount *icount, bool *passed, GError **error)
{
    struct start start = {.options = options, .slow_fd = -1};
    bool good = tcgrr_qcow2_create(options->path, TCGRR_QCOW2_NO_DISK, error) &&
                (options->is_address || share_memory(&start, error)) && open_start(&start, error);
    good = good && (options->is_address ? run_to_address(&start, error) : run_to_icount(&start, passed, error));
    good = good &&
           (*passed || (ask_icount(&start, icount, error) && tell_monitor(&start, "savevm " TCGRR_START_TAG, error)));
    finish(&start);
    return good;
}

bool tcgrr_start_make(const struct tcgrr_start_options *options, tcgrr_icount *icount, GError **error)
{
    if (!check_disks(options, error)) {
        return false;
    }
    bool passed = false;
    for (int i = 0; i < TRIES; i++) {
        if (!make(options, icount, &passed, error)) {
            return false;
        }
        if (!passed) {
            return true;
        }
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                "this machine is too busy to stop QEMU at icount %" G_GUINT64_FORMAT "; use an address near there",
                options->place);
    return false;
}

bool tcgrr_start_check(const struct tcgrr_start_options *options, GError **error)
{
    struct start start = {.options = options, .slow_fd = -1, .loads = true};
    bool good = open_start(&start, error) && tell(&start, "query-status", error);
    finish(&start);
    return good;
}
