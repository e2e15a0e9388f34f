/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The auxiliary vector that a user-mode program starts with, as text: "TYPE=0xVALUE", with a space between two. */
#ifndef TCGRR_STORE_AUXV_H
#define TCGRR_STORE_AUXV_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Appends an entry, unless there are hundreds already, as no real vector has. */
void tcgrr_auxv_add(GString *auxv, uint64_t type, uint64_t value);

/*
 * The entries in which two differ: "AT_HWCAP 0x2 and 0x6, AT_SYSINFO_EHDR (vDSO) 0x7ffff7fb9000 in B only", addresses
 * of both last. What is beyond 16 KiB of text is not compared. Owned by the caller; NULL: there are none, or one of the
 * two is not known (NULL or "").
 */
char *tcgrr_auxv_difference(const char *a, const char *b);

/* Whether the program or its interpreter is at another address in B, as far as both vectors say. NULL and "": not
 * known.
 */
bool tcgrr_auxv_moved(const char *a, const char *b);

#endif
