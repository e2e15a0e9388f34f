/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The notes that a recording gets once QEMU has ended. */
#ifndef TCGRR_RECORD_NOTES_H
#define TCGRR_RECORD_NOTES_H

#include "emu/qemu/session.h"
#include "store/trace.h"

/* Stores, at level full, the memory map and what is not as it should be of the accesses; and events that were left out.
 * `run` is as it ended. */
bool tcgrr_record_notes(struct tcgrr_writer *writer, struct tcgrr_session *session, const struct tcgrr_run *run,
                        GError **error);

#endif
