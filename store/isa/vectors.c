/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/isa/vectors.h"

#include <stddef.h>
#include <string.h>

/* AArch64's table is 2 KiB, aligned to that, and has 16 entries of 128 bytes (Arm ARM, D1.4.1). */
#define A64_TABLE 0x800u
#define A64_ENTRY 0x80u

static const char *const a64_names[A64_TABLE / A64_ENTRY] = {
    "synchronous, same level, SP_EL0",   "irq, same level, SP_EL0",         "fiq, same level, SP_EL0",
    "serror, same level, SP_EL0",        "synchronous, same level, SP_ELx", "irq, same level, SP_ELx",
    "fiq, same level, SP_ELx",           "serror, same level, SP_ELx",      "synchronous, lower level, AArch64",
    "irq, lower level, AArch64",         "fiq, lower level, AArch64",       "serror, lower level, AArch64",
    "synchronous, lower level, AArch32", "irq, lower level, AArch32",       "fiq, lower level, AArch32",
    "serror, lower level, AArch32",
};

const char *tcgrr_vector_name(const char *target, uint64_t entry)
{
    if (strcmp(target, "aarch64") != 0 || entry % A64_ENTRY != 0) {
        return NULL;
    }
    return a64_names[entry % A64_TABLE / A64_ENTRY];
}
