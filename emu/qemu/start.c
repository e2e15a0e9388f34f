/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/start.h"

#include <glib/gstdio.h>
#include <string.h>

#include "emu/qemu/command.h"
#include "emu/qemu/command_options.h"
#include "emu/qemu/folder.h"
#include "emu/qemu/gdb.h"
#include "emu/qemu/process.h"
#include "emu/qemu/qmp.h"
#include "emu/qemu/snapshot.h"
#include "store/error.h"

#define CONNECT_MS 20000
#define QMP_MS     60000
#define SLICE_MS   100
#define SHORT_US   500     /* the shortest time that QEMU is let run between two looks at its count */
#define NEAR       2000000 /* instructions before the place from which on QEMU runs one at a time, */
#define CLOSE      4000    /* and is asked for each one */
#define TRIES      3

/* A run on its way to the place. */
struct start {
    const struct tcgrr_start_options *options;
    struct tcgrr_command command;
    char *folder;
    char *qmp_socket;
    char *gdb_socket;
    struct tcgrr_process *process;
    struct tcgrr_qmp *qmp;
    struct tcgrr_gdb *gdb;
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

static bool launch(struct start *start, GError **error)
{
    const struct tcgrr_start_options *options = start->options;
    g_autofree char *gdb = g_strdup_printf("unix:%s,server=on,wait=off", start->gdb_socket);
    struct tcgrr_command_options command = {
        .mode = TCGRR_RUN_PLAIN,
        .icount = options->icount,
        .qmp_socket = start->qmp_socket,
        .gdb = gdb,
        .snapshot = options->path,
        .pause_at_end = true,
        .start_paused = true,
    };
    struct tcgrr_process_options process = {
        .pass_fd = -1, .output_fd = -1, .quiet = true, .directory = options->directory};
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
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "QEMU does not tell its instruction count");
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
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                options->is_address ? "the guest ended and never came to 0x%" G_GINT64_MODIFIER "x, where it was to "
                                      "start"
                                    : "the guest ended before it came to icount %" G_GINT64_MODIFIER "u, where it was "
                                      "to start",
                options->place);
    return false;
}

static bool interrupted(struct start *start, GError **error)
{
    if (!start->options->stop || !*start->options->stop) {
        return false;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted before the place where it was to start");
    return true;
}

/* ---- an address ---- */

static bool run_to_address(struct start *start, GError **error)
{
    bool stopped = false;
    if (!tcgrr_gdb_break(start->gdb, start->options->place, error) || !tcgrr_gdb_continue(start->gdb, error)) {
        return false;
    }
    while (!stopped) {
        if (interrupted(start, error)) {
            return false;
        }
        GError *problem = NULL;
        bool good = tcgrr_gdb_wait(start->gdb, SLICE_MS, &stopped, &problem);
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
 * Lets QEMU run for parts of the way, by how fast it was before, until at most `close` instructions are left. It must
 * not come too far: half of the way is what it is given each time.
 */
static bool approach(struct start *start, tcgrr_icount close, tcgrr_icount *at, GError **error)
{
    double speed = 1000; /* instructions in a microsecond, as fast as it could be */

    while (*at < start->options->place && start->options->place - *at > close) {
        if (interrupted(start, error)) {
            return false;
        }
        if (has_ended(start)) {
            return ended_before(start, error);
        }
        double way = (double)(start->options->place - *at) / 2;
        tcgrr_icount before = *at;
        gint64 began = g_get_monotonic_time();
        if (!tell(start, "cont", error)) {
            return false;
        }
        g_usleep((gulong)CLAMP(way / speed, SHORT_US, SLICE_MS * 1000.0));
        if (!tell(start, "stop", error) || !ask_icount(start, at, error)) {
            return false;
        }
        double took = (double)MAX(g_get_monotonic_time() - began, 1);
        speed = MAX((double)(*at - before) / took, 1.0);
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

/* Under its older name, too, blocks of one instruction make QEMU slow, and so it stops nearer to where it is told. */
static bool slow_down(struct start *start, GError **error)
{
    return tell_monitor(start, "one-insn-per-tb on", NULL) || tell_monitor(start, "singlestep on", error);
}

/* *passed: it came too far. */
static bool run_to_icount(struct start *start, bool *passed, GError **error)
{
    tcgrr_icount at = 0;
    tcgrr_icount place = start->options->place;
    bool good = approach(start, NEAR, &at, error) && slow_down(start, error) && approach(start, CLOSE, &at, error);
    *passed = good && at > place;
    if (!good || *passed) {
        return good;
    }
    return step_to(start, &at, error);
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
    tcgrr_command_clear(&start->command);
    tcgrr_folder_remove(start->folder);
    g_free(start->qmp_socket);
    g_free(start->gdb_socket);
    g_free(start->folder);
}

/* Runs there and saves. *passed: it came too far, and another run may not. */
static bool make(const struct tcgrr_start_options *options, tcgrr_icount *icount, bool *passed, GError **error)
{
    struct start start = {.options = options};
    bool good = tcgrr_snapshot_create(options->path, error);
    start.folder = good ? g_dir_make_tmp("tcgrr-start-XXXXXX", error) : NULL;
    good = start.folder != NULL;
    if (good) {
        start.qmp_socket = g_build_filename(start.folder, "qmp", NULL);
        start.gdb_socket = g_build_filename(start.folder, "gdb", NULL);
        good = launch(&start, error);
    }
    start.gdb = good ? tcgrr_gdb_connect(start.gdb_socket, options->qemu->target, CONNECT_MS, error) : NULL;
    good = start.gdb && (options->is_address ? run_to_address(&start, error) : run_to_icount(&start, passed, error));
    good = good && (*passed || (ask_icount(&start, icount, error) &&
                                tell_monitor(&start, "savevm " TCGRR_START_TAG, error)));
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
                "this machine is too busy to stop QEMU at icount %" G_GUINT64_FORMAT "; take an address near there",
                options->place);
    return false;
}
