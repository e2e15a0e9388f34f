/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A start that several releases of QEMU share: the guest is run up to a place under icount without rr, and the machine
 * is saved there. Runs that begin with it leave the firmware out, whatever it did.
 */
#ifndef TCGRR_EMU_START_H
#define TCGRR_EMU_START_H

#include "emu/qemu/qemu.h"
#include "store/model.h"

/* What the image is called among a trace's embedded files. */
#define TCGRR_START_FILE "start.qcow2"

struct tcgrr_start_options {
    const struct tcgrr_qemu *qemu;
    const char *const *arguments; /* after it, NULL-terminated; a user's own -S, -gdb and the like are taken care of */
    const char *directory;        /* QEMU's working directory; NULL: ours */
    const char *plugin;           /* path of libtcgrr-plugin.so; needed for an icount only */
    const char *icount;           /* the shift; NULL: the one in `arguments`, else 0 */
    bool is_address;              /* `place` is an address, before whose first execution it stops; else an icount */
    uint64_t place;
    const char *path;         /* of the image, which is made */
    const volatile int *stop; /* becomes not 0: the user interrupts; may be NULL */
};

/*
 * Makes the snapshot. `icount` is QEMU's own count there, from which a run that starts with it counts on.
 * TCGRR_ERROR_USAGE if the guest has disks that it may write to, because QEMU would save those, too, in the user's own
 * files. TCGRR_ERROR_ENDED if the guest ends before it comes there; TCGRR_ERROR_STOPPED if the user interrupts.
 */
bool tcgrr_start_make(const struct tcgrr_start_options *options, tcgrr_icount *icount, GError **error);

/*
 * Whether the QEMU of `options` starts from the snapshot in the image at `path`, which another one may have made: it is
 * started with it and ended again. TCGRR_ERROR_FAILED with what it says, if not.
 */
bool tcgrr_start_check(const struct tcgrr_start_options *options, GError **error);

#endif
