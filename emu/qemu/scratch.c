/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/scratch.h"

#include "store/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* What is put into such folders, and has to be short. */
#define LONGEST_SOCKET "/forks-XXXXXX/socket"

/* Process-wide, because it ends with the process; made once and only read afterwards. */
static GMutex lock;
static char *root;
static pid_t cleaner;

/*
 * What the cleaner executes: it reads until the pipe's other end is closed everywhere, and then removes the folder. rm
 * fails if a QEMU that is just being killed creates a file meanwhile, so it is tried again, for 10 s.
 */
#define CLEAN "read -r end; i=0; until rm -rf -- \"$0\" || [ $i = 100 ]; do i=$((i + 1)); sleep 0.1; done"

/*
 * The cleaner keeps no other descriptor of ours open, and is not affected by signals to our process group. Only system
 * calls are allowed between fork() and exec().
 */
static void become_cleaner(int pipe_end)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

    setsid();
    for (size_t i = 0; i < G_N_ELEMENTS(ignored); i++) {
        signal(ignored[i], SIG_IGN);
    }
    dup2(pipe_end, STDIN_FILENO);
    close_range(STDOUT_FILENO, ~0u, 0);
    if (open("/dev/null", O_WRONLY) == STDOUT_FILENO) {
        dup2(STDOUT_FILENO, STDERR_FILENO);
    }
    execl("/bin/sh", "sh", "-c", CLEAN, root, (char *)NULL);
    _exit(1);
}

/* Returns when the cleaner has left our process group and session, so that signals to these do not reach it. */
static void start_cleaner(void)
{
    int ends[2], ready[2];
    char byte;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return; /* without the cleaner, only files that are not removed explicitly remain */
    }
    bool waits = pipe2(ready, O_CLOEXEC) == 0;
    cleaner = fork();
    if (cleaner == 0) {
        close(ends[1]);
        become_cleaner(ends[0]); /* closes `ready` after setsid() */
    }
    close(ends[0]); /* ends[1] stays open until this process ends */
    if (waits) {
        close(ready[1]);
        while (read(ready[0], &byte, 1) < 0 && errno == EINTR) {
        }
        close(ready[0]);
    }
}

static void kill_cleaner(void)
{
    if (cleaner > 0) {
        kill(cleaner, SIGKILL);
        waitpid(cleaner, NULL, 0);
    }
}

/* An orderly exit: nothing is left to clean up, unless it was forgotten. */
static void dismiss_cleaner(void)
{
    if (g_rmdir(root) == 0) {
        kill_cleaner();
    }
}

/* The cleaner is started before the folder is created, so that the folder is removed whenever we are killed. */
static bool make_root(GError **error)
{
    root = g_strdup_printf("%s/tcgrr-%08x%08x", g_get_tmp_dir(), g_random_int(), g_random_int());
    if (strlen(root) + strlen(LONGEST_SOCKET) >= sizeof(((struct sockaddr_un *)NULL)->sun_path)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "the name %s is too long for sockets in that folder", root);
        g_clear_pointer(&root, g_free);
        return false;
    }
    start_cleaner();
    if (mkdir(root, 0700) == 0) {
        atexit(dismiss_cleaner);
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot make the folder %s: %s", root, g_strerror(errno));
    kill_cleaner();
    g_clear_pointer(&root, g_free);
    return false;
}

static bool have_root(GError **error)
{
    g_mutex_lock(&lock);
    bool good = root || make_root(error);
    g_mutex_unlock(&lock);
    return good;
}

char *tcgrr_scratch_folder(const char *name, GError **error)
{
    GError *problem = NULL;
    if (!have_root(&problem)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s; set TMPDIR to a folder with room", problem->message);
        g_error_free(problem);
        return NULL;
    }
    g_autofree char *pattern = g_strdup_printf("%s/%s-XXXXXX", root, name);
    if (!g_mkdtemp(pattern)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "cannot make the folder %s: %s; set TMPDIR to one with room", pattern, g_strerror(errno));
        return NULL;
    }
    return g_steal_pointer(&pattern);
}

char *tcgrr_scratch_find_inputs(const char *const *argv)
{
    g_mutex_lock(&lock);
    g_autofree char *known = root ? g_regex_escape_string(root, -1) : NULL;
    g_mutex_unlock(&lock);
    if (!known) {
        return NULL;
    }
    g_autofree char *pattern = g_strdup_printf("%s(/[^/,]+)?/" TCGRR_SCRATCH_INPUTS "(-[^/,]+)?", known);
    g_autoptr(GRegex) regex = g_regex_new(pattern, 0, 0, NULL);
    char *found = NULL;

    for (; *argv && !found; argv++) {
        g_autoptr(GMatchInfo) match = NULL;
        if (g_regex_match(regex, *argv, 0, &match)) {
            found = g_match_info_fetch(match, 0);
        }
    }
    return found;
}
