/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the places where a comparison starts and ends. */
#ifndef TCGRR_LOCKSTEP_POSITION_H
#define TCGRR_LOCKSTEP_POSITION_H

#include "lockstep/comparison.h"

/* "icount 1234", "pc 0x80001234", "main"; owned by the caller. */
char *tcgrr_position_text(const struct tcgrr_position *where);

/*
 * Advances a side until it reaches `where`. False with an error, TCGRR_ERROR_FAILED if it ends before; `name` names the
 * side in the message.
 */
bool tcgrr_position_reach(struct tcgrr_run_source *side, const struct tcgrr_position *where, const char *name,
                          tcgrr_icount *icount, GError **error);

/*
 * Finds `where` among the instructions from..to, which the side has passed; *icount is UINT64_MAX if it is not there.
 */
bool tcgrr_position_find(struct tcgrr_run_source *side, const struct tcgrr_position *where, tcgrr_icount from,
                         tcgrr_icount to, tcgrr_icount *icount, GError **error);

#endif
