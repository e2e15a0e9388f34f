/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The instruction sets that capstone decodes for us, each with the architecture and mode that capstone wants. */
#ifndef TCGRR_ISA_CAPSTONE_MODE_H
#define TCGRR_ISA_CAPSTONE_MODE_H

#include <capstone/capstone.h>
#include <stdbool.h>

enum tcgrr_capstone_mode {
    TCGRR_MODE_NONE, /* capstone decodes nothing */
    TCGRR_MODE_A64,
    TCGRR_MODE_A32,
    TCGRR_MODE_T32,
    TCGRR_MODE_T32_M, /* of M profile */
    TCGRR_MODE_RV64,
    TCGRR_MODE_RV32,
    TCGRR_MODE_X86_64,
    TCGRR_MODE_X86_32,
    TCGRR_MODE_X86_16,
    TCGRR_MODE_M68K,
};

/* Whether this capstone has it. */
bool tcgrr_capstone_knows(enum tcgrr_capstone_mode mode);

/* False if it has not; else *handle is the caller's, for cs_close(). */
bool tcgrr_capstone_open(enum tcgrr_capstone_mode mode, csh *handle);

#endif
