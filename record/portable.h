/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pins a recording's machine before it begins, so that other releases of QEMU, also on other hosts, can replay it. */
#ifndef TCGRR_RECORD_PORTABLE_H
#define TCGRR_RECORD_PORTABLE_H

#include "emu/qemu/pin.h"

struct tcgrr_portable_options {
    const char *qemu;
    const char *const *arguments; /* the user's words after it */
    const char *plugin;
    const char *directory;           /* QEMU's working directory; NULL: ours */
    const char *icount;              /* the shift; NULL: the user's own, else 0 */
    const char *start_at;            /* a symbol, a 0x address or an icount; NULL: the run starts at reset */
    const char *const *symbol_files; /* further ELF files, NULL-terminated; NULL: none */
    const volatile int *stop;        /* becomes not 0: the user interrupts */
};

/* All is owned by the struct; empty with tcgrr_portable_clear(). */
struct tcgrr_portable {
    struct tcgrr_qemu qemu;
    struct tcgrr_pins pins;
    char **arguments;          /* the arguments that replace the user's */
    char *start;               /* its own copy of the image that it starts from; NULL: at reset */
    char *start_at;            /* the start, as the user named it */
    tcgrr_icount start_icount; /* QEMU's count there */
};

/*
 * Probes the QEMU, pins its machine and, with `start_at`, runs it to that place and takes the snapshot.
 * TCGRR_ERROR_USAGE for user mode, which has no machine, and for an invalid place.
 */
bool tcgrr_portable_open(const struct tcgrr_portable_options *options, struct tcgrr_portable *portable, GError **error);
void tcgrr_portable_clear(struct tcgrr_portable *portable);

/* Stores how the machine was pinned, and all files. `qemu` is the user's name for the QEMU. */
bool tcgrr_portable_store(const struct tcgrr_portable *portable, const char *qemu, struct tcgrr_writer *writer,
                          GError **error);

#endif
