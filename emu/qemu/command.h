/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Turns the user's QEMU command into one that records or replays it. */
#ifndef TCGRR_EMU_COMMAND_H
#define TCGRR_EMU_COMMAND_H

#include "emu/qemu/images.h"
#include "emu/qemu/qemu.h"

/* The name, in its image, of the snapshot that a run starts from (emu/qemu/start.h). */
#define TCGRR_START_TAG "tcgrr-start"

/* In user mode QEMU is started with this variable set to 1, unless the user has set it. */
#define TCGRR_COMMAND_ARENAS "MALLOC_ARENA_MAX"

enum tcgrr_run_mode {
    TCGRR_RUN_RECORD, /* icount with rr=record */
    TCGRR_RUN_REPLAY, /* icount with rr=replay */
    TCGRR_RUN_PLAIN,  /* icount without rr (--no-rr, more than one vCPU); in user mode no icount at all */
};

struct tcgrr_command_options {
    enum tcgrr_run_mode mode;
    const char *icount;     /* value of shift=: "0".."10" or "auto"; NULL: the user's own, else "0" */
    const char *rr_file;    /* RECORD and REPLAY: QEMU's rrfile */
    const char *qmp_config; /* system mode: a file that makes QEMU's QMP server (tcgrr_qmp_configure()); NULL: none */
    const char *gdb;        /* system mode: value for -gdb, e.g. "tcp::1234"; NULL: none */
    bool pause_at_end; /* when the guest shuts down, pause QEMU instead of ending it (-action shutdown=pause), so that
                          it can be asked for its count */
    /* Writes to the user's images go to files in this folder instead, which are listed in `images`; NULL: the images
     * are used directly. */
    const char *scratch;
    const char *directory; /* with `scratch`: QEMU's working directory; NULL: ours */
    /* REPLAY: what the guest prints to files goes to /dev/null, because the recording wrote it already, except for the
     * last words of the command, which are these; NULL: no such words. */
    const char *const *own;
    const char *keyframe; /* with `scratch`: the folder of a keyframe (emu/qemu/images.h) to start from; or NULL */
    tcgrr_icount keyframe_icount; /* its icount */
    const char *snapshot;         /* a qcow2 file for VM snapshots, added as a drive that no device uses; NULL: none */
    const char *start;            /* a qcow2 file with the snapshot TCGRR_START_TAG that the run starts from, without a
                                     keyframe; written to, except with `scratch`; NULL: the run starts at reset */
    bool start_paused;            /* -S */
    const char *plugin;           /* path of libtcgrr-plugin.so */
    const char *plugin_arguments; /* "fd=7,…", appended to -plugin PATH, */
};

/* The parsed command. */
struct tcgrr_command {
    char **argv;              /* complete command to start, NULL-terminated; argv[0] is qemu->path */
    enum tcgrr_run_mode mode; /* RECORD may have become PLAIN because of -smp; `notes` says so */
    char *icount_shift;       /* the shift in use, "" in user mode */
    unsigned vcpus;           /* from -smp; 1 without it, although a few machines start with more */
    const char *warning; /* something that the user may have expected and does not get; one of `notes`; NULL: nothing */
    GPtrArray *notes;    /* char*: what was added or changed and why, one line each, for -v */
    GPtrArray *guest_files; /* char*: the user's files that the guest consists of: kernel, initrd, dtb, bios, disks,
                               loader devices; user mode: the program */
    const char *aio;        /* how QEMU accesses files of keyframes, a value of aio=; static */
    GPtrArray *images;      /* struct tcgrr_image: create them with tcgrr_images_create() before starting QEMU */
    char *kernel;           /* -kernel, or in user mode the program; NULL if none */
};

/*
 * Builds the command. `arguments` are the user's words after the QEMU binary, NULL-terminated. On failure `command` is
 * empty; on success it is owned by the caller (tcgrr_command_clear()). No file is touched, except that
 * qcow2 images are asked for their backing files where there is a `scratch`: names in guest_files are as the user wrote
 * them, relative to QEMU's working directory, and need not exist (QEMU finds a BIOS in its own folders, too).
 *
 * TCGRR_ERROR_USAGE with one line that names the argument and the remedy where the user's words conflict:
 * - always: another accelerator than TCG, MTTCG (thread=multi), -daemonize, another icount shift than options->icount;
 * - RECORD and REPLAY: -icount with rr= or rrfile= of its own or sleep=off, a disk that does not go through blkreplay
 *   (flash may), -net; REPLAY with more than one vCPU;
 * - user mode: no program, or REPLAY, options->icount or options->gdb, which need an icount.
 * TCGRR_ERROR_FAILED if a plugin is asked for and qemu->plugin_error says that it cannot be loaded.
 */
bool tcgrr_command_build(const struct tcgrr_qemu *qemu, const char *const *arguments,
                         const struct tcgrr_command_options *options, struct tcgrr_command *command, GError **error);
/*
 * The index of the program's name in `arguments`, the words after the name of a user-mode QEMU; -1 for a system
 * emulator or anything else. Decides by the name or, if that is not enough, by the output of --version.
 */
int tcgrr_command_program(const char *qemu, const char *const *arguments);

void tcgrr_command_clear(struct tcgrr_command *command);

#endif
