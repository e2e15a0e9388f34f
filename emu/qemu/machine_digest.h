/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Digests of a stopped machine's registers and memory, to compare two QEMUs that reached the same place in different
 * ways. The state of devices is not included.
 */
#ifndef TCGRR_EMU_MACHINE_DIGEST_H
#define TCGRR_EMU_MACHINE_DIGEST_H

#include "emu/qemu/process.h"
#include "emu/qemu/qmp.h"

/*
 * Two words on one line, without a newline, owned by the caller: the digest of the registers as QEMU's monitor prints
 * them, and that of all memory that is mapped and not zero. The second is "-" if QEMU's memory cannot be read: we may
 * not inspect its process, or it is not the process that was started. NULL with an error if QEMU does not answer. QEMU
 * must be stopped.
 */
char *tcgrr_machine_digest(struct tcgrr_qmp *qmp, struct tcgrr_process *process, GError **error);

/* Whether two such texts are the same in the words that both have. NULL and malformed texts equal nothing. */
bool tcgrr_machine_digest_same(const char *a, const char *b);

#endif
