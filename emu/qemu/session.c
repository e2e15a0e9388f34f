/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/session.h"

#include "emu/live/retire.h"
#include "emu/qemu/command_options.h"
#include "emu/qemu/memory_map.h"
#include "emu/qemu/scratch.h"
#include "store/error.h"
#include "store/isa/disasm.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

/* Under icount QEMU answers only between slices of guest time, which may take seconds. */
#define QMP_TIMEOUT_MS   60000
#define CONNECT_SLICE_MS 1000
#define QUIT_TIMEOUT_MS  10000
#define FREE_GRACE_MS    1000
#define WATCH_US         3000
#define WATCH_MS         20 /* maximum delay until the watcher notices that it has to end; events are handled at once */
#define PAUSED_MS        2  /* to read everything that a stopped QEMU has reported: nothing more will arrive */
#define FULL_BYTES       8192 /* free space on a full disk: less than the buffer of unwritten data at QEMU's end */

struct tcgrr_session {
    struct tcgrr_qemu qemu;
    enum tcgrr_level level;
    struct tcgrr_command command;
    struct tcgrr_live *live;
    struct tcgrr_process *process;
    struct tcgrr_qmp *qmp;
    char *folder; /* private, for the QMP socket */
    char *socket;
    char *config; /* makes QEMU listen there */
    const char *directory;
    tcgrr_icount start_icount; /* QEMU's count when the run starts */
    bool quiet;
    bool adopted; /* QEMU was forked by another one */
    enum tcgrr_output output;
    char *const *environment;
    bool output_to_errors;
    bool start_paused;
    bool expendable;
    bool asks_map;       /* level full in system mode: query the memory map before the guest starts */
    bool holds;          /* the guest is held until then */
    bool resumes;        /* the watcher lets the guest run when it begins */
    GPtrArray *maps;     /* of GArray, one for each query; written by the watcher, read after it has ended */
    gint map;            /* atomic: enum map_wish, of a query while the guest runs */
    GThread *watcher;    /* owns the QMP connection while it runs */
    gint leave;          /* atomic: the watcher is to end */
    gint paused;         /* atomic: it saw QEMU stop without shutting down, and has ended */
    bool settled;        /* and all that it reported until then was read */
    bool guest_shutdown; /* written by the watcher, read after it has ended; */
    bool guest_reset;    /* likewise */
    int64_t qemu_icount; /* likewise */
};

enum map_wish { MAP_NOT_WANTED, MAP_WANTED, MAP_READ };

static bool watching(struct tcgrr_session *session)
{
    return !g_atomic_int_get(&session->leave) && !tcgrr_process_ended(session->process);
}

static bool make_folder(struct tcgrr_session *session, GError **error)
{
    session->folder = tcgrr_scratch_folder("qmp", error);
    if (session->folder) {
        session->socket = g_build_filename(session->folder, "qmp", NULL);
        session->config = g_build_filename(session->folder, "qmp.cfg", NULL);
    }
    return session->folder && tcgrr_qmp_configure(session->config, session->socket, error);
}

static char *plugin_arguments(const struct tcgrr_session *session, const struct tcgrr_session_options *options)
{
    const struct tcgrr_window *window = &options->window;
    GString *text = g_string_new(NULL);

    g_string_printf(text, "fd=%d,level=%s", tcgrr_live_fd(session->live), tcgrr_level_name(session->level));
    if (session->level == TCGRR_LEVEL_FULL && window->has_from_pc) {
        g_string_append_printf(text, ",%s=%" G_GUINT64_FORMAT, window->from_in_code ? "from-code" : "from-pc",
                               window->from_pc);
    } else if (session->level == TCGRR_LEVEL_FULL) {
        /* The plugin counts from where QEMU starts. */
        g_string_append_printf(text, ",from=%" G_GUINT64_FORMAT,
                               window->from - MIN(window->from, options->keyframe_icount));
    }
    if (options->inputs && !session->qemu.system) {
        g_autofree char *escaped = tcgrr_options_escape(options->inputs);
        const char *way = options->followed ? "followed" : options->given ? "given" : "inputs";
        g_string_append_printf(text, ",%s=%s", way, escaped);
    }
    if (options->forks && !session->qemu.system) {
        g_autofree char *escaped = tcgrr_options_escape(options->forks);
        g_string_append_printf(text, ",forks=%s", escaped);
    }
    if (options->pause) {
        g_autofree char *escaped = tcgrr_options_escape(options->pause);
        g_string_append_printf(text, ",pause=%s", escaped);
    }
    if (options->follow_none && !session->qemu.system) {
        g_string_append(text, ",follow=none");
    }
    if (!tcgrr_disasm_knows(session->qemu.target)) {
        g_string_append(text, ",texts=on");
    }
    if (options->mode == TCGRR_RUN_RECORD && session->qemu.system) {
        g_string_append(text, ",log=on");
    }
    return g_string_free(text, FALSE);
}

static bool build_command(struct tcgrr_session *session, const struct tcgrr_session_options *options, GError **error)
{
    g_autofree char *arguments = plugin_arguments(session, options);
    struct tcgrr_command_options command = {
        .mode = options->mode,
        .icount = options->icount,
        .rr_file = options->rr_file,
        .qmp_config = session->qemu.system ? session->config : NULL,
        .scratch = options->mode == TCGRR_RUN_REPLAY || options->only_reads ? session->folder : NULL,
        .directory = options->directory,
        .own = options->own,
        .keyframe = options->keyframe,
        .keyframe_icount = options->keyframe_icount,
        .start = options->start,
        .pause_at_end = session->qemu.system,
        .start_paused = options->start_paused || session->holds,
        .plugin = options->plugin,
        .plugin_arguments = arguments,
    };
    if (!tcgrr_command_build(&session->qemu, options->arguments, &command, &session->command, error)) {
        return false;
    }
    if (session->holds) {
        g_ptr_array_add(session->command.notes,
                        g_strdup("added -S: the guest starts once tcgrr has read the memory map"));
    }
    return true;
}

/* QEMU does not reliably report which vCPU runs a block, so with several it is not known whose registers it shows. */
static bool check_vcpus(const struct tcgrr_session *session, GError **error)
{
    if (session->level < TCGRR_LEVEL_STATE || session->command.vcpus == 1) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "level %s needs a machine with one vCPU; this one has %u",
                tcgrr_level_name(session->level), session->command.vcpus);
    return false;
}

static bool choose_level(struct tcgrr_session *session, const struct tcgrr_session_options *options, GError **error)
{
    const char *lack = tcgrr_qemu_lacks(&session->qemu, options->level);

    session->level = lack ? TCGRR_LEVEL_FLOW : options->level;
    if (lack && !options->lower) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "%s (QEMU %s) cannot be recorded at level %s: %s. At level flow it can; see tcgrr doctor",
                    session->qemu.path, session->qemu.version, tcgrr_level_name(options->level), lack);
        return false;
    }
    return true;
}

/* At level inputs the rr log is all there is. */
static bool check_log(const struct tcgrr_session *session, GError **error)
{
    if (session->level != TCGRR_LEVEL_INPUTS || session->command.mode != TCGRR_RUN_PLAIN) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "level inputs records QEMU's rr log, and %s; use --level flow",
                !session->qemu.system        ? "QEMU has none in user mode"
                : session->command.vcpus > 1 ? "QEMU's rr takes one vCPU only"
                                             : "--no-rr leaves that out");
    return false;
}

static bool prepare(struct tcgrr_session *session, const struct tcgrr_session_options *options, GError **error)
{
    if (options->known) {
        tcgrr_qemu_copy(&session->qemu, options->known);
    } else if (!tcgrr_qemu_probe(options->qemu, options->plugin, &session->qemu, error)) {
        return false;
    }
    if (session->qemu.api == 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "%s cannot load plugins: %s; see tcgrr doctor for a QEMU that can", session->qemu.path,
                    session->qemu.plugin_error ? session->qemu.plugin_error : "no reason given");
        return false;
    }
    if (!choose_level(session, options, error)) {
        return false;
    }
    session->live = tcgrr_live_new(options->ring_bytes ? options->ring_bytes : TCGRR_LIVE_RING_BYTES, error);
    if (session->live) {
        tcgrr_live_start_at(session->live, options->keyframe_icount);
        tcgrr_live_set_process(session->live, options->process);
    }
    if (session->live && session->qemu.system && options->keyframe_icount == 0 && !options->start &&
        tcgrr_retire_starts_uncounted(session->qemu.target, session->qemu.version)) {
        tcgrr_live_starts_uncounted(session->live);
    }
    if (session->live && session->level == TCGRR_LEVEL_INPUTS) {
        tcgrr_live_events_only(session->live);
    }
    if (session->live && session->level == TCGRR_LEVEL_FULL) {
        tcgrr_live_want_accesses(session->live, &options->window);
        session->asks_map = session->qemu.system;
        session->holds = session->asks_map && !options->start_paused && !g_strv_contains(options->arguments, "-S");
        session->resumes = session->holds;
    }
    return session->live && make_folder(session, error) && build_command(session, options, error) &&
           check_vcpus(session, error) && check_log(session, error);
}

struct tcgrr_session *tcgrr_session_new(const struct tcgrr_session_options *options, GError **error)
{
    struct tcgrr_session *session = g_new0(struct tcgrr_session, 1);
    session->qemu_icount = -1;
    session->maps = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    session->quiet = options->quiet;
    session->output = options->output;
    session->environment = options->environment;
    session->output_to_errors = options->output_to_errors;
    session->directory = options->directory;
    session->start_paused = options->start_paused;
    session->start_icount = options->start_icount;
    session->expendable = options->expendable;
    if (!prepare(session, options, error)) {
        tcgrr_session_free(session);
        return NULL;
    }
    return session;
}

/* QEMU's environment; the command removes variables that are only for QEMU from the program's environment. */
static char **user_environment(const struct tcgrr_session *session)
{
    char **own = session->environment ? g_strdupv((char **)session->environment) : g_get_environ();
    return g_environ_setenv(own, TCGRR_COMMAND_ARENAS, "1", FALSE);
}

bool tcgrr_session_start(struct tcgrr_session *session, GError **error)
{
    bool record = session->command.mode == TCGRR_RUN_RECORD;
    struct tcgrr_process_options options = {
        .pass_fd = tcgrr_live_fd(session->live),
        .output_fd = session->output_to_errors ? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3) : -1,
        .quiet = session->quiet,
        .expendable = session->expendable || !record,
        .directory = session->directory,
    };
    g_auto(GStrv) environment = session->qemu.system ? NULL : user_environment(session);
    options.environment = environment;
    options.large_pages = session->qemu.system;
    options.pinned = !session->qemu.system;
    options.paths_stay = !session->qemu.system; /* a program must not see a descriptor of ours, and could close it */
    if (!tcgrr_images_create(session->command.images, session->directory, error)) {
        return false;
    }
    if (!session->qemu.system && session->output != TCGRR_OUTPUT_OURS &&
        !tcgrr_output_open(session->output, &options.output_fd, &options.drain_fd, error)) {
        return false;
    }
    session->process = tcgrr_process_start(session->command.argv, &options, error);
    if (options.output_fd >= 0) {
        close(options.output_fd);
    }
    if (session->process && !session->start_paused) {
        tcgrr_session_watch(session);
    }
    return session->process != NULL;
}

bool tcgrr_session_adopt(struct tcgrr_session *session, int pid, GError **error)
{
    session->adopted = true;
    session->process = tcgrr_process_adopt(pid, error);
    return session->process != NULL;
}

static void end_watch(struct tcgrr_session *session)
{
    if (session->watcher) {
        g_atomic_int_set(&session->leave, 1);
        g_thread_join(session->watcher);
        session->watcher = NULL;
    }
}

void tcgrr_session_free(struct tcgrr_session *session)
{
    if (!session) {
        return;
    }
    /* A vCPU that waits for room in the ring, or for the end of its slice, keeps QMP from answering the watcher. */
    if (session->process && !session->adopted && !tcgrr_process_ended(session->process)) {
        tcgrr_live_detach(session->live);
        tcgrr_process_stop(session->process, FREE_GRACE_MS);
    }
    end_watch(session);
    tcgrr_qmp_free(session->qmp);
    tcgrr_process_free(session->process);
    tcgrr_live_free(session->live);
    if (session->command.images) {
        tcgrr_images_remove(session->command.images);
    }
    tcgrr_command_clear(&session->command);
    tcgrr_qemu_clear(&session->qemu);
    if (session->folder) {
        g_unlink(session->socket);
        g_unlink(session->config);
        g_rmdir(session->folder);
    }
    g_ptr_array_unref(session->maps);
    g_free(session->socket);
    g_free(session->config);
    g_free(session->folder);
    g_free(session);
}

const struct tcgrr_qemu *tcgrr_session_qemu(const struct tcgrr_session *session)
{
    return &session->qemu;
}

enum tcgrr_level tcgrr_session_level(const struct tcgrr_session *session)
{
    return session->level;
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

tcgrr_icount tcgrr_session_own_icount(const struct tcgrr_session *session, tcgrr_icount icount)
{
    return session->start_icount + icount;
}

int64_t tcgrr_session_ask_icount(struct tcgrr_session *session)
{
    struct tcgrr_qmp *qmp = tcgrr_session_qmp(session, NULL);
    json_t *answer = qmp && session->command.mode != TCGRR_RUN_PLAIN
                         ? tcgrr_qmp_execute(qmp, "query-replay", NULL, QMP_TIMEOUT_MS, NULL)
                         : NULL;
    json_t *icount = json_object_get(answer, "icount");
    int64_t result = json_is_integer(icount) ? json_integer_value(icount) - (int64_t)session->start_icount : -1;
    json_decref(answer);
    return result;
}

/* ---- the watching thread: waits for the guest's shutdown while the caller's thread keeps the ring from filling up
 * ---- */

/* Whether the guest has shut down and QEMU waits, because it was told to (-action shutdown=pause). */
static bool is_shut_down(struct tcgrr_session *session)
{
    json_t *answer = tcgrr_qmp_execute(session->qmp, "query-status", NULL, QMP_TIMEOUT_MS, NULL);
    const char *status = json_string_value(json_object_get(answer, "status"));
    bool result = status && strcmp(status, "shutdown") == 0;
    json_decref(answer);
    return result;
}

void tcgrr_session_ask_map(struct tcgrr_session *session)
{
    if (!session->asks_map || !session->qmp) {
        return;
    }
    json_t *arguments = json_pack("{s:s}", "command-line", "info mtree -f");
    json_t *answer = tcgrr_qmp_execute(session->qmp, "human-monitor-command", arguments, QMP_TIMEOUT_MS, NULL);
    if (json_is_string(answer)) {
        g_ptr_array_add(session->maps, tcgrr_memory_map_parse(json_string_value(answer)));
    }
    json_decref(answer);
}

/* The SHUTDOWN event comes shortly before the machine has really stopped. */
static void say_goodbye(struct tcgrr_session *session)
{
    while (!is_shut_down(session) && watching(session)) {
        g_usleep(WATCH_US);
    }
    session->qemu_icount = tcgrr_session_ask_icount(session);
    tcgrr_session_ask_map(session); /* firmware and drivers place devices */
    json_decref(tcgrr_qmp_execute(session->qmp, "quit", NULL, QMP_TIMEOUT_MS, NULL));
    session->guest_shutdown = true;
    session->guest_reset = tcgrr_qmp_event_says(session->qmp, "SHUTDOWN", "reason", "guest-reset");
}

/* Connects as soon as QEMU has made its socket. */
static bool connect_early(struct tcgrr_session *session)
{
    while (!session->qmp && watching(session)) {
        if (g_file_test(session->socket, G_FILE_TEST_EXISTS)) {
            session->qmp = tcgrr_qmp_connect(session->socket, CONNECT_SLICE_MS, NULL);
        } else {
            g_usleep(WATCH_US);
        }
    }
    return session->qmp != NULL;
}

static gpointer watch(gpointer data)
{
    struct tcgrr_session *session = data;
    bool connected = connect_early(session);
    if (connected && session->maps->len == 0) {
        tcgrr_session_ask_map(session);
    }
    if (connected && session->resumes) {
        json_decref(tcgrr_qmp_execute(session->qmp, "cont", NULL, QMP_TIMEOUT_MS, NULL));
    }
    /* A short guest may have ended before we connected and could receive the event. */
    bool shut_down = connected && is_shut_down(session);

    while (!shut_down && watching(session)) {
        /* SHUTDOWN precedes the STOP that it causes, so it is checked after that. */
        bool stopped = tcgrr_qmp_has_event(session->qmp, "STOP");
        shut_down = tcgrr_qmp_has_event(session->qmp, "SHUTDOWN");
        if (!shut_down && stopped) {
            g_atomic_int_set(&session->paused, 1);
            return NULL;
        }
        if (g_atomic_int_get(&session->map) == MAP_WANTED) {
            tcgrr_session_ask_map(session);
            g_atomic_int_set(&session->map, MAP_READ);
        }
        tcgrr_qmp_wait(session->qmp, WATCH_MS);
    }
    if (shut_down) {
        say_goodbye(session);
    }
    return NULL;
}

void tcgrr_session_watch(struct tcgrr_session *session)
{
    if (session->qemu.system && !session->watcher) {
        session->watcher = g_thread_new("tcgrr-watch", watch, session);
    }
}

bool tcgrr_session_update_map(struct tcgrr_session *session)
{
    if (!session->asks_map || !session->watcher) {
        return true;
    }
    (void)g_atomic_int_compare_and_exchange(&session->map, MAP_NOT_WANTED, MAP_WANTED);
    return g_atomic_int_get(&session->map) == MAP_READ;
}

void tcgrr_session_resume(struct tcgrr_session *session)
{
    session->resumes = true;
    tcgrr_session_watch(session);
}

bool tcgrr_session_paused(struct tcgrr_session *session)
{
    return g_atomic_int_get(&session->paused);
}

bool tcgrr_session_settled(struct tcgrr_session *session)
{
    return session->settled;
}

void tcgrr_session_unpause(struct tcgrr_session *session)
{
    end_watch(session);
    session->resumes = false;
    g_atomic_int_set(&session->leave, 0);
    g_atomic_int_set(&session->paused, 0);
    session->settled = false;
    tcgrr_qmp_forget_events(session->qmp); /* one of them says that it stopped */
}

char *tcgrr_session_words(struct tcgrr_session *session)
{
    return tcgrr_process_last_words(session->process);
}

/* What is wrong with a program that QEMU's user mode cannot run; QEMU itself reports that only on a terminal. "":
 * nothing is visible. */
static char *describe_program(const struct tcgrr_session *session)
{
    const char *path = session->qemu.system ? NULL : session->command.kernel;
    FILE *file = path ? fopen(path, "re") : NULL;
    char head[128] = "";
    char *text = NULL;

    if (path && !file) {
        return g_strdup_printf("cannot open %s: %s", path, g_strerror(errno));
    }
    size_t size = file ? fread(head, 1, sizeof(head) - 1, file) : 0;
    if (size > 2 && memcmp(head, "#!", 2) == 0) {
        head[strcspn(head, "\n")] = '\0';
        text = g_strdup_printf("%s is a script, which QEMU's user mode does not run by itself; name the program that "
                               "runs it, as in: %s %s %s",
                               path, session->qemu.path, g_strstrip(head + 2), path);
    } else if (file && (size < 4 || memcmp(head, "\177ELF", 4) != 0)) {
        text = g_strdup_printf("%s is not a program (not an ELF file)", path);
    }
    if (file) {
        fclose(file);
    }
    if (!text) {
        text = g_strdup("");
    }
    return text;
}

char *tcgrr_session_why_not_run(struct tcgrr_session *session)
{
    char *words = tcgrr_session_words(session);

    if (*words) {
        return words;
    }
    g_free(words);
    return describe_program(session);
}

/*
 * Whether a user-mode QEMU that has ended was ended by its program's signal. QEMU passes on signals that it receives,
 * so the only other possibilities are QEMU's own failures and SIGKILL from outside.
 */
static bool died_as_program(struct tcgrr_session *session)
{
    static const char *const failures[] = {"QEMU internal SIG", "Assertion", "ERROR:", "BUG"};
    int status = tcgrr_process_status(session->process);

    if (session->qemu.system || status < 0 || !WIFSIGNALED(status)) {
        return false;
    }
    g_autofree char *said = tcgrr_process_stderr_tail(session->process);
    for (size_t i = 0; i < G_N_ELEMENTS(failures); i++) {
        if (strstr(said, failures[i])) {
            return strstr(said, "uncaught target signal") != NULL;
        }
    }
    return WTERMSIG(status) != SIGKILL;
}

/* Whether QEMU was told to end from outside; QEMU reports by whom. */
static bool told_to_end(struct tcgrr_session *session)
{
    g_autofree char *tail = tcgrr_process_stderr_tail(session->process);
    g_autofree char *us = g_strdup_printf(" from pid %d ", (int)getpid());
    return strstr(tail, "terminating on signal") && !strstr(tail, us);
}

static bool ended_from_outside(struct tcgrr_session *session)
{
    static const int own[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    int status = tcgrr_process_status(session->process);
    bool killed = status >= 0 && WIFSIGNALED(status);

    for (size_t i = 0; i < G_N_ELEMENTS(own); i++) {
        killed = killed && WTERMSIG(status) != own[i];
    }
    return killed || told_to_end(session);
}

bool tcgrr_session_check_end(struct tcgrr_session *session, tcgrr_icount icount, GError **error)
{
    if (!tcgrr_process_wait(session->process, QUIT_TIMEOUT_MS)) {
        return true; /* it hung after its end, and we ended it */
    }
    bool outside = !died_as_program(session) && ended_from_outside(session);
    if (icount > 0 && !outside) {
        return true;
    }
    g_autofree char *end = tcgrr_process_describe_end(session->process);
    g_autofree char *words = tcgrr_session_why_not_run(session);
    const char *why = strstr(words, "in the replay log")
                          ? "; it sets up its machine with other inputs than the recorded run "
                            "had, which therefore cannot drive it"
                          : "";
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s %s (%s)%s%s%s", session->qemu.path,
                outside ? "was ended from outside tcgrr" : "ended without running an instruction", end,
                *words ? ": " : "", words, why);
    return false;
}

bool tcgrr_session_check_log(struct tcgrr_session *session, const char *path, bool cut, GError **error)
{
    struct statvfs disk;
    int problem = tcgrr_live_flush_error(session->live);

    /* Data that is still buffered when QEMU ends is lost by stdio without an error. */
    if (problem == 0 && cut && statvfs(path, &disk) == 0 && disk.f_bavail * disk.f_frsize < FULL_BYTES) {
        problem = ENOSPC;
    }
    if (problem == 0) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s could not write its rr log to %s: %s; free some space",
                session->qemu.path, path, g_strerror(problem));
    return false;
}

bool tcgrr_session_check_hung(struct tcgrr_session *session, GError **error)
{
    if (!told_to_end(session)) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                "%s was told to quit from outside tcgrr and hung while quitting", session->qemu.path);
    return false;
}

static bool never_came_up(struct tcgrr_session *session, GError **error)
{
    g_autofree char *end = tcgrr_session_end(session);
    g_autofree char *words = tcgrr_session_why_not_run(session);
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s did not start (%s)%s%s", session->qemu.path, end,
                *words ? ": " : "; check its arguments by running it without tcgrr", words);
    return false;
}

bool tcgrr_session_wait_loaded(struct tcgrr_session *session, const volatile int *stop, GError **error)
{
    struct tcgrr_live_info info;

    for (bool ended = false; !tcgrr_live_info(session->live, &info); g_usleep(WATCH_US)) {
        if (ended) {
            return never_came_up(session, error);
        }
        if (*stop) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted before %s came up", session->qemu.path);
            return false;
        }
        ended = tcgrr_process_ended(session->process);
    }
    return true;
}

bool tcgrr_session_next(struct tcgrr_session *session, struct tcgrr_chunk *chunk, int wait_ms, enum tcgrr_live_end *end,
                        GError **error)
{
    bool paused =
        tcgrr_session_paused(session); /* checked first, so that everything it reported until then can be read */

    if (tcgrr_process_ended(session->process)) {
        (died_as_program(session) ? tcgrr_live_died : tcgrr_live_gone)(session->live);
    }
    if (!tcgrr_live_next(session->live, chunk, paused ? MIN(wait_ms, PAUSED_MS) : wait_ms, end, error)) {
        return false;
    }
    session->settled = paused && !tcgrr_live_full(session->live, chunk) && tcgrr_live_backlog(session->live) == 0;
    return *end != TCGRR_LIVE_UNLOADED || never_came_up(session, error);
}

bool tcgrr_session_guest_shutdown(struct tcgrr_session *session)
{
    /* At the stream's end QEMU is about to end, and then the watcher is finished. */
    tcgrr_process_wait(session->process, QUIT_TIMEOUT_MS);
    end_watch(session);
    return session->guest_shutdown;
}

bool tcgrr_session_guest_reset(struct tcgrr_session *session)
{
    return tcgrr_session_guest_shutdown(session) && session->guest_reset;
}

const GPtrArray *tcgrr_session_maps(struct tcgrr_session *session)
{
    tcgrr_process_wait(session->process, QUIT_TIMEOUT_MS);
    end_watch(session);
    return session->maps;
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
    end_watch(session);
    return tcgrr_process_describe_end(session->process);
}
