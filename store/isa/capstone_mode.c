/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/isa/capstone_mode.h"

static const struct {
    int arch; /* -1: none */
    unsigned bits;
} modes[] = {
    [TCGRR_MODE_NONE] = {-1, 0},
    [TCGRR_MODE_A64] = {CS_ARCH_ARM64, CS_MODE_ARM},
    [TCGRR_MODE_A32] = {CS_ARCH_ARM, CS_MODE_ARM | CS_MODE_V8},
    [TCGRR_MODE_T32] = {CS_ARCH_ARM, CS_MODE_THUMB | CS_MODE_V8},
    [TCGRR_MODE_T32_M] = {CS_ARCH_ARM, CS_MODE_THUMB | CS_MODE_MCLASS},
#if CS_API_MAJOR >= 5
    [TCGRR_MODE_RV64] = {CS_ARCH_RISCV, CS_MODE_RISCV64 | CS_MODE_RISCVC},
    [TCGRR_MODE_RV32] = {CS_ARCH_RISCV, CS_MODE_RISCV32 | CS_MODE_RISCVC},
#else
    [TCGRR_MODE_RV64] = {-1, 0},
    [TCGRR_MODE_RV32] = {-1, 0},
#endif
    [TCGRR_MODE_X86_64] = {CS_ARCH_X86, CS_MODE_64},
    [TCGRR_MODE_X86_32] = {CS_ARCH_X86, CS_MODE_32},
    [TCGRR_MODE_X86_16] = {CS_ARCH_X86, CS_MODE_16},
    [TCGRR_MODE_M68K] = {CS_ARCH_M68K, CS_MODE_BIG_ENDIAN | CS_MODE_M68K_040},
};

bool tcgrr_capstone_knows(enum tcgrr_capstone_mode mode)
{
    return modes[mode].arch >= 0 && cs_support(modes[mode].arch);
}

bool tcgrr_capstone_open(enum tcgrr_capstone_mode mode, csh *handle)
{
    return tcgrr_capstone_knows(mode) &&
           cs_open((cs_arch)modes[mode].arch, (cs_mode)modes[mode].bits, handle) == CS_ERR_OK;
}
