/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Long output on a terminal, shown a screen at a time by the user's pager, as git does. */
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t pager; /* 0: none; global, because a process has one standard output */

/* The user reads on when everything is written. */
static void wait_for_pager(void)
{
    fflush(stdout);
    close(STDOUT_FILENO);
    while (waitpid(pager, NULL, 0) < 0 && errno == EINTR) {
    }
}

/* Ctrl-C reaches both; a pager that reads on must not be left with the terminal. */
static void end_with_pager(int number)
{
    close(STDOUT_FILENO);
    while (waitpid(pager, NULL, 0) < 0 && kill(pager, 0) == 0) {
    }
    _exit(128 + number);
}

static const char *choose_pager(void)
{
    const char *chosen = g_getenv("TCGRR_PAGER");
    chosen = chosen ? chosen : g_getenv("PAGER");
    g_autofree char *less = chosen ? NULL : g_find_program_in_path("less");
    chosen = chosen ? chosen : less ? "less" : "";
    return *chosen && g_strcmp0(chosen, "cat") != 0 ? chosen : NULL;
}

void cli_page(void)
{
    const char *program = choose_pager();
    int ends[2];

    if (pager || !program || !isatty(STDOUT_FILENO) || pipe(ends) != 0) {
        return;
    }
    fflush(stdout);
    pager = fork();
    if (pager == 0) {
        dup2(ends[0], STDIN_FILENO);
        close(ends[0]);
        close(ends[1]);
        setenv("LESS", "FRX", 0); /* colors; what fits the screen is printed as if there was no pager */
        execl("/bin/sh", "sh", "-c", program, (char *)NULL);
        _exit(127);
    }
    close(ends[0]);
    if (pager > 0) {
        dup2(ends[1], STDOUT_FILENO);
        atexit(wait_for_pager);
        struct sigaction old;
        if (sigaction(SIGINT, NULL, &old) == 0 && old.sa_handler == SIG_DFL) {
            signal(SIGINT, end_with_pager);
        }
    }
    close(ends[1]);
    pager = MAX(pager, 0);
}

bool cli_paging(void)
{
    return pager > 0;
}
