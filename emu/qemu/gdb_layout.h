/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registers of targets whose gdb stub does not describe them, in the order that gdb assumes in that case. */
#ifndef TCGRR_EMU_GDB_LAYOUT_H
#define TCGRR_EMU_GDB_LAYOUT_H

#include <glib.h>

/* A description as tcgrr_register_layout_parse() takes it, owned by the caller; NULL if there is none of this target.
 */
char *tcgrr_gdb_layout(const char *target);

#endif
