/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of a stopped machine in short: a digest of its registers and one of its memory, to compare two QEMUs that
 * reached the same place in different ways. The state of devices is not part of it.
 */
#ifndef TCGRR_EMU_MACHINE_DIGEST_H
#define TCGRR_EMU_MACHINE_DIGEST_H

#include "emu/qemu/process.h"
#include "emu/qemu/qmp.h"

/*
 * Two words of text, one line without its end, owned by the caller: registers as QEMU's monitor prints them, and all
 * memory that is mapped and not zero. The second is "-" where QEMU's memory cannot be read: its process is not ours to
 * look into, or is not the one that was started. NULL with an error if QEMU does not answer. QEMU must be stopped.
 */
char *tcgrr_machine_digest(struct tcgrr_qmp *qmp, struct tcgrr_process *process, GError **error);

/* Whether two such texts say the same, as far as both know. NULL and other texts are the same as nothing. */
bool tcgrr_machine_digest_same(const char *a, const char *b);

#endif
