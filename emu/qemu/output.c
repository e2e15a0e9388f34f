/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/output.h"

#include "store/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const char *const names[TCGRR_OUTPUT_COUNT] = {"ours", "null", "pipe", "file", "terminal"};

enum tcgrr_output tcgrr_output_kind(int fd)
{
    struct stat status;

    if (fstat(fd, &status) != 0 || S_ISCHR(status.st_mode)) {
        return isatty(fd) ? TCGRR_OUTPUT_TERMINAL : TCGRR_OUTPUT_NULL;
    }
    return S_ISREG(status.st_mode) ? TCGRR_OUTPUT_FILE : TCGRR_OUTPUT_PIPE;
}

const char *tcgrr_output_name(enum tcgrr_output kind)
{
    return names[kind];
}

enum tcgrr_output tcgrr_output_named(const char *name)
{
    enum tcgrr_output kind = TCGRR_OUTPUT_COUNT - 1;
    while (kind > TCGRR_OUTPUT_OURS && g_strcmp0(name, names[kind]) != 0) {
        kind--;
    }
    return kind;
}

static bool open_pipe(int *child, int *ours)
{
    int ends[2];
    bool good = pipe2(ends, O_CLOEXEC) == 0;
    if (good) {
        *ours = ends[0];
        *child = ends[1];
    }
    return good;
}

static bool open_terminal(int *child, int *ours)
{
    char name[128];
    *ours = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    bool good = *ours >= 0 && grantpt(*ours) == 0 && unlockpt(*ours) == 0 && ptsname_r(*ours, name, sizeof(name)) == 0;
    *child = good ? open(name, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
    return *child >= 0;
}

bool tcgrr_output_open(enum tcgrr_output kind, int *child, int *ours, GError **error)
{
    *child = *ours = -1;
    bool good = kind == TCGRR_OUTPUT_PIPE       ? open_pipe(child, ours)
                : kind == TCGRR_OUTPUT_TERMINAL ? open_terminal(child, ours)
                : kind == TCGRR_OUTPUT_FILE
                    ? (*child = open(g_get_tmp_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) >= 0
                    : (*child = open("/dev/null", O_WRONLY | O_CLOEXEC)) >= 0;
    if (!good) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot make a %s for the program's output: %s",
                    names[kind], g_strerror(errno));
        if (*ours >= 0) {
            close(*ours);
            *ours = -1;
        }
    }
    return good;
}
