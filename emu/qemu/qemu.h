/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Probes a QEMU binary: what it is and what it can record. */
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
    char *build_id; /* GNU build id of the ELF file in hex; for a wrapper script, that of its QEMU if it is known, else
                       "" */
    char *target;   /* "aarch64", as the plugin API names it; "" if plugins cannot be loaded */
    bool system;    /* system emulation rather than user mode */
    int api_min;    /* plugin API versions; 0 if plugins cannot be loaded */
    int api_cur;
    int api;         /* API version that the plugin uses with this QEMU; 0 if none */
    bool api_forced; /* QEMU refused the version that the plugin chose by itself: pass this one with api= */
    bool reports_discontinuities; /* interrupts, exceptions and host calls; no QEMU does in user mode */
    bool has_io_uring;            /* it was built with io_uring */
    char *plugin_error;           /* why plugins cannot be loaded, one line; NULL if they can */
};

/*
 * Finds `name` on PATH (or as a path) and probes it: runs it with --version, then with the plugin `plugin` (path of
 * libtcgrr-plugin.so) in probe mode. Takes well under a second; every wait is bounded by 20 s. The result is cached
 * (emu/qemu/probe_cache.h) until one of these files changes. A binary that is not QEMU, cannot be run or does not
 * answer is an error; a QEMU without plugin support is not: it is returned with api 0 and `plugin_error`.
 */
bool tcgrr_qemu_probe(const char *name, const char *plugin, struct tcgrr_qemu *qemu, GError **error);
void tcgrr_qemu_clear(struct tcgrr_qemu *qemu);
/* The fastest value of aio= for this QEMU on this host: "io_uring" if QEMU and the kernel support it, because reading
 * much from the page cache then takes a third of the time that "threads" takes. Static. */
const char *tcgrr_qemu_aio(const struct tcgrr_qemu *qemu);
/* `copy`, which must be empty, gets its own strings. */
void tcgrr_qemu_copy(struct tcgrr_qemu *copy, const struct tcgrr_qemu *qemu);

/*
 * Runs `argv`, a QEMU that only lists what it has, and returns its standard output, at most 64 KiB. The answer is
 * cached until that QEMU changes (probe_cache.h). `directory` is its working directory; NULL: ours. NULL with
 * TCGRR_ERROR_FAILED if it fails or does not end within 20 s. Owned by the caller.
 */
char *tcgrr_qemu_list(char *const *argv, const char *directory, GError **error);

/* Whether the command `name` is a user-mode QEMU: by its name or, if that does not tell, by the output of --version.
 * False for anything that is not QEMU. */
bool tcgrr_qemu_is_user(const char *name);

/*
 * User mode: whether a QEMU of this target and plugin API can be given all data again that a program received,
 * including clock readings, so that registers and stores of two runs are the same.
 */
bool tcgrr_qemu_gives_data(const char *target, int api);

/* User mode: whether a program that runs on `api` can be given the results of the system calls that one on `recorded`
 * made: the one's registers can be read, the other's be written. */
bool tcgrr_qemu_gives_results(const char *target, int recorded, int api);

/* What this QEMU lacks to be recorded at this level, and which QEMU has it; NULL if it lacks nothing. */
const char *tcgrr_qemu_lacks(const struct tcgrr_qemu *qemu, enum tcgrr_level level);

/*
 * All commands on PATH and in /usr/bin named qemu-system-* or qemu-<target> (user mode), sorted, without duplicates
 * (two names of the same file are one, the name found first). Returns a NULL-terminated array owned by the caller
 * (g_strfreev).
 */
char **tcgrr_qemu_find_all(void);

/*
 * The QEMU for `target`, as the plugin API names it, in a folder that holds a build or an installation: in the folder
 * itself or in its usual subfolders (build/, bin/, usr/bin/, TARGET-softmmu/…). Returns its absolute path, owned by the
 * caller; NULL with TCGRR_ERROR_FAILED if there is none.
 */
char *tcgrr_qemu_in_folder(const char *folder, const char *target, bool system, GError **error);

#endif
