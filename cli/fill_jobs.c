/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/fill_jobs.h"

#include "store/error.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define POLL_US 20000

char **cli_fill_job(const struct cli_fill *asked, const struct tcgrr_fill_window *window, GError **error)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", error);
    g_autoptr(GPtrArray) words = g_ptr_array_new();

    if (!self) {
        return NULL;
    }
    g_ptr_array_add(words, g_steal_pointer(&self));
    g_ptr_array_add(words, g_strdup("fill"));
    g_ptr_array_add(words, g_canonicalize_filename(asked->trace, NULL));
    g_ptr_array_add(words, g_strdup_printf("--level=%s", tcgrr_level_name(window->level)));
    g_ptr_array_add(words, g_strdup_printf("--window=%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT, window->span.first,
                                           window->span.end));
    if (asked->qemu) {
        g_ptr_array_add(words, g_strdup_printf("--qemu=%s", asked->qemu));
    }
    if (asked->hang != CLI_FILL_HANG) {
        g_ptr_array_add(words, g_strdup_printf("--timeout=%d", asked->hang));
    }
    g_ptr_array_add(words, g_strdup_printf("--output=%s", window->part));
    g_ptr_array_add(words, NULL);
    return (char **)g_ptr_array_steal(words, NULL);
}

/* ---- running them ---- */

struct job {
    pid_t pid; /* 0: none */
    char *errors;
};

/* In the child: it goes with us, however we go. */
static void setup(gpointer data)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
}

static bool start_job(struct job *job, const struct cli_fill *asked, const struct tcgrr_fill_window *window,
                      GError **error)
{
    g_auto(GStrv) words = cli_fill_job(asked, window, error);
    g_autofree char *folder = g_path_get_dirname(window->part);

    job->errors = g_strconcat(window->part, ".err", NULL);
    g_mkdir_with_parents(folder, 0777);
    FILE *errors = words ? fopen(job->errors, "we") : NULL;
    GError *problem = NULL;
    bool good =
        errors && g_spawn_async_with_fds(NULL, words, NULL, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL,
                                         setup, NULL, &job->pid, -1, -1, fileno(errors), &problem);
    if (words && !good) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot start a replay: %s",
                    problem ? problem->message : g_strerror(errno));
    }
    g_clear_error(&problem);
    if (errors) {
        fclose(errors);
    }
    return good;
}

/* The job's last message, if it is an error. */
static void explain(const struct job *job, int status, GError **error)
{
    g_autofree char *said = NULL;
    g_file_get_contents(job->errors, &said, NULL, NULL);
    const char *line = said ? strstr(said, "tcgrr: ") : NULL;
    g_autofree char *words = line ? g_strndup(line + 7, strcspn(line + 7, "\n")) : NULL;
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "a window could not be derived: %s%s",
                words ? words : "its process ended, status ", words ? "" : g_strsignal(WTERMSIG(status)));
}

static void end_job(struct job *job)
{
    if (job->errors) {
        g_unlink(job->errors);
    }
    g_clear_pointer(&job->errors, g_free);
    job->pid = 0;
}

/* *ended: it has; false: it failed. */
static bool look_after(struct job *job, bool *ended, GError **error)
{
    int status = 0;

    *ended = waitpid(job->pid, &status, WNOHANG) != 0;
    if (!*ended) {
        return true;
    }
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!good) {
        explain(job, status, error);
    }
    end_job(job);
    return good;
}

static void stop_all(struct job *jobs, int count)
{
    for (int i = 0; i < count; i++) {
        if (jobs[i].pid > 0) {
            kill(jobs[i].pid, SIGTERM);
        }
    }
    for (int i = 0; i < count; i++) {
        if (jobs[i].pid > 0) {
            waitpid(jobs[i].pid, NULL, 0);
        }
        end_job(&jobs[i]);
    }
}

bool cli_fill_run_jobs(const struct cli_fill *asked, const GArray *windows, GError **error)
{
    g_autofree struct job *jobs = g_new0(struct job, (gsize)asked->jobs);
    guint next = 0;
    bool good = true;
    bool busy = true;

    while (good && busy) {
        busy = false;
        for (int i = 0; good && i < asked->jobs; i++) {
            bool ended = jobs[i].pid == 0;
            good = ended || look_after(&jobs[i], &ended, error);
            if (good && ended && next < windows->len) {
                good = start_job(&jobs[i], asked, &g_array_index(windows, struct tcgrr_fill_window, next++), error);
            }
            busy = busy || jobs[i].pid > 0;
        }
        if (asked->stop && *asked->stop) {
            g_clear_error(error);
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted");
            good = false;
        }
        g_usleep(POLL_US);
    }
    stop_all(jobs, asked->jobs);
    return good;
}
