/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fills in the report of a divergence. */
#ifndef TCGRR_LOCKSTEP_REPORT_H
#define TCGRR_LOCKSTEP_REPORT_H

#include "lockstep/comparison.h"
#include "lockstep/insn_cursor.h"

/* Reports that the sides diverge at the cursors' current instructions. */
void tcgrr_report_divergence(struct tcgrr_comparison *comparison, const struct tcgrr_insn_cursor *walks,
                             unsigned history);

#endif
