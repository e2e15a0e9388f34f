/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A QEMU that is paused before its first instruction, to query the machine that the user's command makes. It opens none
 * of the user's output files and writes to none of the user's disks. Not thread-safe.
 */
#ifndef TCGRR_EMU_INSPECT_H
#define TCGRR_EMU_INSPECT_H

#include "emu/qemu/qemu.h"
#include "emu/qemu/qmp.h"

#define TCGRR_INSPECT_MS 20000 /* a good timeout for its answers */

struct tcgrr_inspect;

/*
 * Starts QEMU with the user's words, NULL-terminated. `directory` is its working directory; NULL: ours.
 * TCGRR_ERROR_FAILED with QEMU's message if it does not start.
 */
struct tcgrr_inspect *tcgrr_inspect_start(const struct tcgrr_qemu *qemu, const char *const *arguments,
                                          const char *directory, GError **error);
/* Ends it. NULL is allowed. */
void tcgrr_inspect_free(struct tcgrr_inspect *inspect);

/* tcgrr_qmp_execute() with a timeout that is long enough. */
json_t *tcgrr_inspect_qmp(struct tcgrr_inspect *inspect, const char *command, json_t *arguments, GError **error);

/* The human monitor's answer to a command; NULL with error. Owned by the caller. */
char *tcgrr_inspect_hmp(struct tcgrr_inspect *inspect, const char *command, GError **error);

/* The type of the object at `path` in QEMU's object tree ("/machine": "virt-7.2-machine"); NULL with error. Owned by
 * the caller. */
char *tcgrr_inspect_type(struct tcgrr_inspect *inspect, const char *path, GError **error);

/* The folders in which this QEMU looks for ROMs with these arguments, in order, NULL-terminated; owned by the caller
 * (g_strfreev). NULL with error. */
char **tcgrr_data_folders(const struct tcgrr_qemu *qemu, const char *const *arguments, const char *directory,
                          GError **error);

#endif
