/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Level inputs: QEMU reports interrupts and exceptions without their places; these are taken from its rr log. */
#ifndef TCGRR_RECORD_EVENTS_H
#define TCGRR_RECORD_EVENTS_H

#include "emu/rrlog/rrlog.h"
#include "store/trace.h"

/*
 * Sets the places of the stored events from `log` if it is certain to which of the log's events they correspond, and
 * removes those after the run's end. Others are removed, too, and a note says how many and how to get them. Commit
 * everything before the call; the changes are not committed afterwards.
 */
bool tcgrr_place_events(struct tcgrr_writer *writer, const struct tcgrr_rrlog *log, GError **error);

#endif
