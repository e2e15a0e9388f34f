/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_LOCKSTEP_SIDE_INTERNAL_H
#define TCGRR_LOCKSTEP_SIDE_INTERNAL_H

#include "lockstep/side.h"

/* Appends to `execs` what of the chunk overlaps the instructions from..to. */
void tcgrr_side_append_execs(const struct tcgrr_chunk *chunk, const struct tcgrr_blocks *blocks, tcgrr_icount from,
                             tcgrr_icount to, GArray *execs);

#endif
