/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_STORE_ISA_VECTORS_H
#define TCGRR_STORE_ISA_VECTORS_H

#include <stdint.h>

/*
 * The kind of event whose vector is at `entry`, such as "irq, same level, SP_ELx", if the architecture fixes the
 * distances between vectors; NULL: it does not, or `entry` is not one of them.
 */
const char *tcgrr_vector_name(const char *target, uint64_t entry);

#endif
