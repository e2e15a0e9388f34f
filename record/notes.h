/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The notes that a recording gets once QEMU has ended. */
#ifndef TCGRR_RECORD_NOTES_H
#define TCGRR_RECORD_NOTES_H

#include "emu/qemu/session.h"
#include "store/trace.h"

/* Stores notes about events that were left out and, at level full, the memory map and notes about irregular accesses.
 * `run` is complete. */
bool tcgrr_record_notes(struct tcgrr_writer *writer, struct tcgrr_session *session, const struct tcgrr_run *run,
                        GError **error);

#endif
