/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_STORE_ISA_VECTORS_H
#define TCGRR_STORE_ISA_VECTORS_H

#include <stdint.h>

/*
 * What enters the guest at `entry`, "irq, same level, SP_ELx", where the architecture fixes the distances between its
 * vectors; NULL: it does not, or `entry` is none of them.
 */
const char *tcgrr_vector_name(const char *target, uint64_t entry);

#endif
