/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/session.h"

#include "store/error.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define QMP_TIMEOUT_MS 20000
#define QUIT_TIMEOUT_MS 10000

struct tcgrr_session {
    struct tcgrr_qemu qemu;
    struct tcgrr_command command;
    struct tcgrr_live *live;
    struct tcgrr_process *process;
    struct tcgrr_qmp *qmp;
    char *folder; /* private, for the QMP socket */
    char *socket; /* NULL in user mode */
    const char *directory;
    bool quiet;
    bool quitting;
    bool qmp_failed;
    int64_t qemu_icount;
};

static bool make_folder(struct tcgrr_session *session, GError **error)
{
    session->folder = g_dir_make_tmp("tcgrr-XXXXXX", error);
    if (session->folder) {
        session->socket = g_build_filename(session->folder, "qmp", NULL);
    }
    return session->folder != NULL;
}

static bool build_command(struct tcgrr_session *session, const struct tcgrr_session_options *options, GError **error)
{
    g_autofree char *plugin_arguments = g_strdup_printf("fd=%d", tcgrr_live_fd(session->live));
    struct tcgrr_command_options command = {
        .mode = options->mode,
        .icount = options->icount,
        .rr_file = options->rr_file,
        .qmp_socket = session->qemu.system ? session->socket : NULL,
        .gdb = options->gdb,
        .snapshot = options->snapshot,
        .pause_at_end = session->qemu.system,
        .start_paused = options->start_paused,
        .plugin = options->plugin,
        .plugin_arguments = plugin_arguments,
    };
    return tcgrr_command_build(&session->qemu, options->arguments, &command, &session->command, error);
}

static bool prepare(struct tcgrr_session *session, const struct tcgrr_session_options *options, GError **error)
{
    if (!tcgrr_qemu_probe(options->qemu, options->plugin, &session->qemu, error)) {
        return false;
    }
    if (session->qemu.api == 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "%s cannot load plugins: %s; see tcgrr doctor for a QEMU that can", session->qemu.path,
                    session->qemu.plugin_error ? session->qemu.plugin_error : "no reason given");
        return false;
    }
    session->live = tcgrr_live_new(TCGRR_LIVE_RING_BYTES, error);
    return session->live && make_folder(session, error) && build_command(session, options, error);
}

struct tcgrr_session *tcgrr_session_new(const struct tcgrr_session_options *options, GError **error)
{
    struct tcgrr_session *session = g_new0(struct tcgrr_session, 1);
    session->qemu_icount = -1;
    session->quiet = options->quiet;
    session->directory = options->directory;
    if (!prepare(session, options, error)) {
        tcgrr_session_free(session);
        return NULL;
    }
    return session;
}

bool tcgrr_session_start(struct tcgrr_session *session, GError **error)
{
    g_auto(GStrv) environment = tcgrr_qemu_environment(&session->qemu);
    struct tcgrr_process_options options = {
        .pass_fd = tcgrr_live_fd(session->live),
        .output_fd = -1,
        .quiet = session->quiet,
        .directory = session->directory,
        .environment = environment,
    };
    session->process = tcgrr_process_start(session->command.argv, &options, error);
    return session->process != NULL;
}

void tcgrr_session_free(struct tcgrr_session *session)
{
    if (!session) {
        return;
    }
    tcgrr_qmp_free(session->qmp);
    tcgrr_process_free(session->process);
    tcgrr_live_free(session->live);
    tcgrr_command_clear(&session->command);
    tcgrr_qemu_clear(&session->qemu);
    if (session->folder) {
        g_unlink(session->socket);
        g_rmdir(session->folder);
    }
    g_free(session->socket);
    g_free(session->folder);
    g_free(session);
}

const struct tcgrr_qemu *tcgrr_session_qemu(const struct tcgrr_session *session)
{
    return &session->qemu;
}

const struct tcgrr_command *tcgrr_session_command(const struct tcgrr_session *session)
{
    return &session->command;
}

struct tcgrr_live *tcgrr_session_live(const struct tcgrr_session *session)
{
    return session->live;
}

struct tcgrr_process *tcgrr_session_process(const struct tcgrr_session *session)
{
    return session->process;
}

struct tcgrr_qmp *tcgrr_session_qmp(struct tcgrr_session *session, GError **error)
{
    if (!session->qmp && !session->qemu.system) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "user-mode QEMU has no QMP");
    } else if (!session->qmp) {
        session->qmp = tcgrr_qmp_connect(session->socket, QMP_TIMEOUT_MS, error);
    }
    return session->qmp;
}

int64_t tcgrr_session_ask_icount(struct tcgrr_session *session)
{
    struct tcgrr_qmp *qmp = tcgrr_session_qmp(session, NULL);
    json_t *answer = qmp && session->command.mode != TCGRR_RUN_PLAIN
                         ? tcgrr_qmp_execute(qmp, "query-replay", NULL, QUIT_TIMEOUT_MS, NULL)
                         : NULL;
    json_t *icount = json_object_get(answer, "icount");
    int64_t result = json_is_integer(icount) ? json_integer_value(icount) : -1;
    json_decref(answer);
    return result;
}

/* Whether the guest has shut down and QEMU waits, because it was told to (-action shutdown=pause). */
static bool is_shut_down(struct tcgrr_session *session)
{
    json_t *answer = tcgrr_qmp_execute(session->qmp, "query-status", NULL, QUIT_TIMEOUT_MS, NULL);
    const char *status = json_string_value(json_object_get(answer, "status"));
    bool result = status && strcmp(status, "shutdown") == 0;
    json_decref(answer);
    return result;
}

/* The SHUTDOWN event comes shortly before the machine has really stopped. */
static void say_goodbye(struct tcgrr_session *session)
{
    gint64 deadline = g_get_monotonic_time() + QUIT_TIMEOUT_MS * 1000;
    while (!is_shut_down(session) && !tcgrr_process_ended(session->process) && g_get_monotonic_time() < deadline) {
        g_usleep(1000);
    }
    session->qemu_icount = tcgrr_session_ask_icount(session);
    json_decref(tcgrr_qmp_execute(session->qmp, "quit", NULL, QUIT_TIMEOUT_MS, NULL));
    session->quitting = true;
}

/* Looks after QMP without ever waiting for a QEMU that is not yet there. */
static void watch_qmp(struct tcgrr_session *session)
{
    if (!session->qemu.system || session->quitting || session->qmp_failed) {
        return;
    }
    bool just_connected = false;
    if (!session->qmp) {
        if (!g_file_test(session->socket, G_FILE_TEST_EXISTS)) {
            return;
        }
        just_connected = tcgrr_session_qmp(session, NULL) != NULL;
        session->qmp_failed = !just_connected;
    }
    /* A short guest can be through before we were there to hear the event. */
    if (session->qmp &&
        (tcgrr_qmp_has_event(session->qmp, "SHUTDOWN") || (just_connected && is_shut_down(session)))) {
        say_goodbye(session);
    }
}

static bool never_came_up(struct tcgrr_session *session, GError **error)
{
    g_autofree char *end = tcgrr_session_end(session);
    g_autofree char *tail = tcgrr_process_stderr_tail(session->process);
    g_strchomp(tail);
    const char *last = strrchr(tail, '\n');
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s did not start (%s)%s%s", session->qemu.path, end,
                *tail ? ": " : "; check its arguments by running it without tcgrr", last ? last + 1 : tail);
    return false;
}

bool tcgrr_session_next(struct tcgrr_session *session, struct tcgrr_chunk *chunk, int wait_ms, enum tcgrr_live_end *end,
                        GError **error)
{
    if (tcgrr_process_ended(session->process)) {
        tcgrr_live_gone(session->live);
    } else {
        watch_qmp(session);
    }
    if (!tcgrr_live_next(session->live, chunk, wait_ms, end, error)) {
        return false;
    }
    return *end != TCGRR_LIVE_UNLOADED || never_came_up(session, error);
}

bool tcgrr_session_guest_shutdown(const struct tcgrr_session *session)
{
    return session->quitting;
}

int64_t tcgrr_session_qemu_icount(const struct tcgrr_session *session)
{
    return session->qemu_icount;
}

char *tcgrr_session_end(struct tcgrr_session *session)
{
    if (!tcgrr_process_wait(session->process, QUIT_TIMEOUT_MS)) {
        tcgrr_process_stop(session->process, 2000);
    }
    return tcgrr_process_describe_end(session->process);
}
