/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a QEMU binary is and what it can record, found out by asking the binary itself. */
#ifndef TCGRR_EMU_QEMU_H
#define TCGRR_EMU_QEMU_H

#include "store/model.h"

#include <glib.h>
#include <stdbool.h>

/* All strings are owned by the struct; empty with tcgrr_qemu_clear(). */
struct tcgrr_qemu {
    char *path;     /* absolute */
    char *version;  /* "10.0.2" */
    char *banner;   /* first line of --version */
    char *build_id; /* GNU build id of the ELF file as hex; of a wrapper script's QEMU where it is known, else "" */
    char *target;   /* "aarch64", as the plugin API names it; "" if plugins cannot be loaded */
    bool system;    /* system emulation rather than user mode */
    int api_min;    /* plugin API versions; 0 if plugins cannot be loaded */
    int api_cur;
    int api;                      /* version that the plugin speaks with this QEMU; 0 if none */
    bool api_forced;              /* the plugin chose another one first and was refused: it is told with api= */
    bool reports_discontinuities; /* interrupts, exceptions and host calls; no QEMU does in user mode */
    bool has_io_uring;            /* it was built with it */
    char *plugin_error;           /* why plugins cannot be loaded, one line; NULL if they can */
};

/*
 * Finds `name` on PATH (or as a path) and asks it: runs it with --version, then with the plugin `plugin` (path of
 * libtcgrr-plugin.so) in probe mode. Takes well under a second; every wait is bounded by 20 s. The answer
 * is kept (emu/qemu/probe_cache.h) and given again as long as these files do not change.
 * A binary that is not QEMU, cannot be run or does not answer is an error; a QEMU without plugin support is not: it
 * is returned with api 0 and `plugin_error`.
 */
bool tcgrr_qemu_probe(const char *name, const char *plugin, struct tcgrr_qemu *qemu, GError **error);
void tcgrr_qemu_clear(struct tcgrr_qemu *qemu);
/* How this QEMU accesses files fastest here, a value of its aio=: "io_uring", which takes a third of the time of
 * "threads" where much is read from the page cache, if QEMU and the kernel have it. Static. */
const char *tcgrr_qemu_aio(const struct tcgrr_qemu *qemu);
/* `copy` gets strings of its own; it was empty. */
void tcgrr_qemu_copy(struct tcgrr_qemu *copy, const struct tcgrr_qemu *qemu);

/*
 * What `argv`, a QEMU that only prints something, writes to standard output; at most 64 KiB of it. `directory` is its
 * working directory; NULL: ours. NULL with TCGRR_ERROR_FAILED if it does not end well within 20 s. Owned by the caller.
 */
char *tcgrr_qemu_output(char *const *argv, const char *directory, GError **error);

/* Whether the command `name` is a QEMU for single programs: by its name or, where that leaves it open, by what
 * --version answers. False for what is no QEMU. */
bool tcgrr_qemu_is_user(const char *name);

/*
 * User mode: whether all data that a program gets on a QEMU of this target and plugin API can be given to it again, its
 * clock, too, so that registers and stores of two runs are the same.
 */
bool tcgrr_qemu_gives_data(const char *target, int api);

/* What it lacks to be recorded at this level, and which QEMU would do; NULL if it can. */
const char *tcgrr_qemu_lacks(const struct tcgrr_qemu *qemu, enum tcgrr_level level);

/*
 * All commands on PATH and in /usr/bin named qemu-system-* or qemu-<target> (user mode), sorted, without duplicates
 * (two names of the same file are one, the name found first). Returns a NULL-terminated array owned by the caller
 * (g_strfreev).
 */
char **tcgrr_qemu_find_all(void);

/*
 * The QEMU for `target`, as the plugin API names it, in a folder that holds a build or an installation: in the folder
 * itself or where those keep it (build/, bin/, usr/bin/, TARGET-softmmu/…). Returns its absolute path, owned by the
 * caller; NULL with TCGRR_ERROR_FAILED if there is none.
 */
char *tcgrr_qemu_in_folder(const char *folder, const char *target, bool system, GError **error);

#endif
