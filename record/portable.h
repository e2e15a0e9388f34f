/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a recording pins before it begins, so that other releases of QEMU, on other machines too, replay it. */
#ifndef TCGRR_RECORD_PORTABLE_H
#define TCGRR_RECORD_PORTABLE_H

#include "emu/qemu/pin.h"

struct tcgrr_portable_options {
    const char *qemu;
    const char *const *arguments; /* the user's words after it */
    const char *plugin;
    const char *directory; /* QEMU's working directory; NULL: ours */
};

/* All is owned by the struct; empty with tcgrr_portable_clear(). */
struct tcgrr_portable {
    struct tcgrr_qemu qemu;
    struct tcgrr_pins pins;
    char **arguments; /* what QEMU is started with in the place of the user's words */
};

/* Probes the QEMU and pins its machine. TCGRR_ERROR_USAGE for user mode, which has no machine. */
bool tcgrr_portable_open(const struct tcgrr_portable_options *options, struct tcgrr_portable *portable, GError **error);
void tcgrr_portable_clear(struct tcgrr_portable *portable);

/* Stores how the machine was pinned, and all files. `qemu` is what the user called it. */
bool tcgrr_portable_store(const struct tcgrr_portable *portable, const char *qemu, struct tcgrr_writer *writer,
                          GError **error);

#endif
