/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Level inputs: QEMU reports interrupts and exceptions without their places, which its rr log has. */
#ifndef TCGRR_RECORD_EVENTS_H
#define TCGRR_RECORD_EVENTS_H

#include "emu/rrlog/rrlog.h"
#include "store/trace.h"

/*
 * Gives the stored events the places that `log` has for them, where it is certain which of the log's events they are,
 * and removes those after the run's end. Where it is not certain they are removed, and a note says how many and how to
 * get them. Everything has to be committed before; nothing of it is after.
 */
bool tcgrr_place_events(struct tcgrr_writer *writer, const struct tcgrr_rrlog *log, GError **error);

#endif
