/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The encodings' classes. Those of aarch64, their names and masks are the plugin's; four of its masks let in what their
 * titles do not say, register moves among the pairs for example, so these have strict ones as well. It has no classes
 * for RISC-V: here they follow the major opcodes of the base encoding and the quadrants of the compressed one.
 */
#include "cli/report/howvec.h"

#include <glib.h>
#include <string.h>

#define T HOWVEC_TOGETHER
#define N HOWVEC_NOT

static const struct howvec_class aarch64[] = {
    {"  UDEF", "udef", 0xffff0000, 0x00000000, N, 0, 0},
    {"  SVE", "sve", 0x1e000000, 0x04000000, T, 0, 0},
    {"Reserved", "res", 0x1e000000, 0x00000000, T, 0, 0},
    {"  PCrel addr", "pcrel", 0x1f000000, 0x10000000, T, 0, 0},
    {"  Add/Sub (imm,tags)", "asit", 0x1f800000, 0x11800000, T, 0, 0},
    {"  Add/Sub (imm)", "asi", 0x1f000000, 0x11000000, T, 0, 0},
    {"  Logical (imm)", "logi", 0x1f800000, 0x12000000, T, 0, 0},
    {"  Move Wide (imm)", "movwi", 0x1f800000, 0x12800000, T, 0, 0},
    {"  Bitfield", "bitf", 0x1f800000, 0x13000000, T, 0, 0},
    {"  Extract", "extr", 0x1f800000, 0x13800000, T, 0, 0},
    {"Data Proc Imm", "dpri", 0x1c000000, 0x10000000, T, 0, 0},
    {"  Cond Branch (imm)", "cndb", 0xfe000000, 0x54000000, T, 0, 0},
    {"  Exception Gen", "excp", 0xff000000, 0xd4000000, T, 0, 0},
    {"    NOP", "nop", 0xffffffff, 0xd503201f, N, 0, 0},
    {"  Hints", "hint", 0xfffff000, 0xd5032000, T, 0, 0},
    {"  Barriers", "barr", 0xfffff000, 0xd5033000, T, 0, 0},
    {"  PSTATE", "psta", 0xfff8f000, 0xd5004000, T, 0, 0},
    {"  System Insn", "sins", 0xffd80000, 0xd5080000, T, 0, 0},
    {"  System Reg", "sreg", 0xffd00000, 0xd5100000, T, 0, 0},
    {"  Branch (reg)", "breg", 0xfe000000, 0xd6000000, T, 0, 0},
    {"  Branch (imm)", "bimm", 0x7c000000, 0x14000000, T, 0, 0},
    {"  Cmp & Branch", "cmpb", 0x7e000000, 0x34000000, T, 0, 0},
    {"  Tst & Branch", "tstb", 0x7e000000, 0x36000000, T, 0, 0},
    {"Branches", "branch", 0x1c000000, 0x14000000, T, 0, 0},
    {"  AdvSimd ldstmult", "advlsm", 0xbfbf0000, 0x0c000000, T, 0, 0},
    {"  AdvSimd ldstmult++", "advlsmp", 0xbfb00000, 0x0c800000, T, 0, 0},
    {"  AdvSimd ldst", "advlss", 0xbf9f0000, 0x0d000000, T, 0, 0},
    {"  AdvSimd ldst++", "advlssp", 0xbf800000, 0x0d800000, T, 0, 0},
    {"  ldst excl", "ldstx", 0x3f000000, 0x08000000, T, 0, 0},
    {"    Prefetch", "prfm", 0xff000000, 0xd8000000, T, 0, 0},
    {"  Load Reg (lit)", "ldlit", 0x1b000000, 0x18000000, T, 0x3b000000, 0x18000000},
    {"  ldst noalloc pair", "ldstnap", 0x3b800000, 0x28000000, T, 0, 0},
    {"  ldst pair", "ldstp", 0x38000000, 0x28000000, T, 0x3a000000, 0x28000000},
    {"  ldst reg", "ldstr", 0x3b200000, 0x38000000, T, 0, 0},
    {"  Atomic ldst", "atomic", 0x3b200c00, 0x38200000, T, 0, 0},
    {"  ldst reg (reg off)", "ldstro", 0x3b200b00, 0x38200800, T, 0x3b200c00, 0x38200800},
    {"  ldst reg (pac)", "ldstpa", 0x3b200200, 0x38200800, T, 0x3b200400, 0x38200400},
    {"  ldst reg (imm)", "ldsti", 0x3b000000, 0x39000000, T, 0, 0},
    {"Loads & Stores", "ldst", 0x0a000000, 0x08000000, T, 0, 0},
    {"Data Proc Reg", "dprr", 0x0e000000, 0x0a000000, T, 0, 0},
    {"Scalar FP ", "fpsimd", 0x0e000000, 0x0e000000, T, 0, 0},
    {"Unclassified", "unclas", 0x00000000, 0x00000000, T, 0, 0},
};

static const struct howvec_class riscv[] = {
    {"  Branch (imm, compressed)", "cj", 0xe003, 0x2001, T, 0, 0}, /* RV32 alone; an addition on RV64 */
    {"  NOP", "nop", 0xffffffff, 0x00000013, N, 0, 0},
    {"  NOP (compressed)", "cnop", 0xffff, 0x0001, N, 0, 0},
    {"  ALU (imm)", "opi", 0x7f, 0x13, T, 0, 0},
    {"  ALU word (imm)", "opiw", 0x7f, 0x1b, T, 0, 0},
    {"  Load upper (imm)", "lui", 0x7f, 0x37, T, 0, 0},
    {"  PCrel addr", "auipc", 0x7f, 0x17, T, 0, 0},
    {"  Multiply & Divide", "muldiv", 0xfe00007f, 0x02000033, T, 0, 0},
    {"  Multiply & Divide word", "muldivw", 0xfe00007f, 0x0200003b, T, 0, 0},
    {"  ALU (reg)", "op", 0x7f, 0x33, T, 0, 0},
    {"  ALU word (reg)", "opw", 0x7f, 0x3b, T, 0, 0},
    {"  Cond Branch", "cndb", 0x7f, 0x63, T, 0, 0},
    {"  Branch (imm)", "jal", 0x7f, 0x6f, T, 0, 0},
    {"  Branch (reg)", "jalr", 0x7f, 0x67, T, 0, 0},
    {"  Exceptions & Returns", "excp", 0x707f, 0x0073, T, 0, 0},
    {"  System Reg", "csr", 0x7f, 0x73, T, 0, 0},
    {"  Fences", "fence", 0x7f, 0x0f, T, 0, 0},
    {"  Loads", "ld", 0x7f, 0x03, T, 0, 0},
    {"  Stores", "st", 0x7f, 0x23, T, 0, 0},
    {"  Atomics", "amo", 0x7f, 0x2f, T, 0, 0},
    {"  FP & Vector Loads", "fld", 0x7f, 0x07, T, 0, 0},
    {"  FP & Vector Stores", "fst", 0x7f, 0x27, T, 0, 0},
    {"  FP fused", "fma", 0x73, 0x43, T, 0, 0},
    {"  FP", "fp", 0x7f, 0x53, T, 0, 0},
    {"  Vector", "vec", 0x7f, 0x57, T, 0, 0},
    {"  Loads (compressed)", "cld", 0xa003, 0x2000, T, 0, 0},
    {"  Loads (compressed)", "cld", 0xe003, 0x4000, T, 0, 0},
    {"  Stores (compressed)", "cst", 0x8003, 0x8000, T, 0, 0},
    {"  ALU (compressed)", "cop", 0xe003, 0x0000, T, 0, 0},
    {"  Branch (imm, compressed)", "cj", 0xe003, 0xa001, T, 0, 0},
    {"  Cond Branch (compressed)", "ccndb", 0xc003, 0xc001, T, 0, 0},
    {"  ALU (compressed)", "cop", 0x0003, 0x0001, T, 0, 0},
    {"  Exceptions (compressed)", "cexcp", 0xffff, 0x9002, T, 0, 0},
    {"  Branch (reg, compressed)", "cjr", 0xe07f, 0x8002, T, 0, 0},
    {"  ALU (compressed)", "cop", 0xe003, 0x8002, T, 0, 0},
    {"  ALU (compressed)", "cop", 0xe003, 0x0002, T, 0, 0},
    {"  Loads (compressed)", "cld", 0x8003, 0x0002, T, 0, 0},
    {"  Stores (compressed)", "cst", 0x8003, 0x8002, T, 0, 0},
    {"Unclassified", "unclas", 0x00000000, 0x00000000, HOWVEC_SINGLY, 0, 0},
};

const struct howvec_class *howvec_table(const char *target, size_t *count)
{
    if (strcmp(target, "aarch64") == 0) {
        *count = G_N_ELEMENTS(aarch64);
        return aarch64;
    }
    if (g_str_has_prefix(target, "riscv")) {
        int skipped = strcmp(target, "riscv32") != 0;
        *count = G_N_ELEMENTS(riscv) - (size_t)skipped;
        return riscv + skipped;
    }
    *count = 0;
    return NULL;
}
