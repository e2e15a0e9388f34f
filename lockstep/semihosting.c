/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/semihosting.h"

#include <glib.h>
#include <string.h>

#define NOT_CONSTANT (-1)

/* What an instruction does to registers, as far as it matters here. */
struct effect {
    int sets; /* the register that it sets to a constant or copies from another one; -1: none */
    int from; /* that one; -1: a constant */
    int constant;
};

/* An architecture: the instruction that calls, and how one is read that loads the number of the call. */
struct calls {
    const char *targets; /* with a space before and after each */
    int number;          /* the register that holds it */
    bool (*is_call)(const uint8_t *at, uint32_t left);
    struct effect (*read)(const uint8_t *at, uint32_t length);
};

static uint32_t word(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint32_t half(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8;
}

static const struct effect nothing = {-1, -1, 0};

/* HLT #0xf000 */
static bool is_call_aarch64(const uint8_t *at, uint32_t left)
{
    return left >= 4 && word(at) == 0xd45e0000;
}

static struct effect read_aarch64(const uint8_t *at, uint32_t length)
{
    uint32_t code = word(at);
    int target = (int)(code & 0x1f);

    if ((code & 0x7fe00000) == 0x52800000) { /* MOVZ */
        return (struct effect){target, -1, (int)(code >> 5 & 0xffff)};
    }
    bool moves = (code & 0x7fe0ffe0) == 0x2a0003e0; /* ORR from the zero register */
    return moves ? (struct effect){target, (int)(code >> 16 & 0x1f), 0} : nothing;
}

/* SVC 0x123456, HLT 0xf000; Thumb: SVC 0xab, BKPT 0xab, HLT 0x3c */
static bool is_call_arm(const uint8_t *at, uint32_t left)
{
    if (left >= 4 && (word(at) == 0xef123456 || word(at) == 0xe10f0070)) {
        return true;
    }
    return left >= 2 && (half(at) == 0xdfab || half(at) == 0xbeab || half(at) == 0xbabc);
}

static struct effect read_arm(const uint8_t *at, uint32_t length)
{
    uint32_t code = length == 4 ? word(at) : half(at);

    if (length == 4) {
        bool constant = (code & 0xffff0f00) == 0xe3a00000; /* MOV rd, #0..255 */
        bool moves = (code & 0xffff0ff0) == 0xe1a00000;
        int target = (int)(code >> 12 & 0xf);
        return constant ? (struct effect){target, -1, (int)(code & 0xff)}
               : moves  ? (struct effect){target, (int)(code & 0xf), 0}
                        : nothing;
    }
    if ((code & 0xf800) == 0x2000) { /* MOVS rd, #0..255 */
        return (struct effect){(int)(code >> 8 & 7), -1, (int)(code & 0xff)};
    }
    bool moves = (code & 0xff00) == 0x4600;
    return moves ? (struct effect){(int)((code & 7) | (code >> 4 & 8)), (int)(code >> 3 & 0xf), 0} : nothing;
}

/* EBREAK between SLLI x0, x0, 0x1f and SRAI x0, x0, 7 */
static bool is_call_riscv(const uint8_t *at, uint32_t left)
{
    return left >= 8 && word(at) == 0x01f01013 && word(at + 4) == 0x00100073;
}

static struct effect read_riscv(const uint8_t *at, uint32_t length)
{
    uint32_t code = length == 4 ? word(at) : half(at);
    int target = (int)(code >> 7 & 0x1f);

    if (length == 4) {
        bool adds = (code & 0x707f) == 0x13; /* ADDI */
        int source = (int)(code >> 15 & 0x1f);
        int constant = (int)(code >> 20);
        return adds && source == 0     ? (struct effect){target, -1, constant}
               : adds && constant == 0 ? (struct effect){target, source, 0}
                                       : nothing;
    }
    if ((code & 0xe003) == 0x4001) { /* C.LI */
        return (struct effect){target, -1, (int)((code >> 2 & 0x1f) | (code >> 7 & 0x20))};
    }
    bool moves = (code & 0xf003) == 0x8002 && (code >> 2 & 0x1f) != 0; /* C.MV */
    return moves ? (struct effect){target, (int)(code >> 2 & 0x1f), 0} : nothing;
}

static const struct calls all_calls[] = {
    {" aarch64 ", 0, is_call_aarch64, read_aarch64},
    {" arm ", 0, is_call_arm, read_arm},
    {" riscv32 riscv64 ", 10, is_call_riscv, read_riscv},
};

/* The number of the call that is the block's instruction `insn`, at `offset`; NOT_CONSTANT if the block does not show
 * it. */
static int call_number(const struct calls *calls, const struct tcgrr_block *block, uint32_t insn, uint32_t offset)
{
    int wanted = calls->number;

    while (insn-- > 0) {
        offset -= block->lengths[insn];
        struct effect effect = calls->read(block->bytes + offset, block->lengths[insn]);
        if (effect.sets == wanted && effect.from < 0) {
            return effect.constant;
        }
        wanted = effect.sets == wanted ? effect.from : wanted;
    }
    return NOT_CONSTANT;
}

/* What the host's answer depends on; NULL: nothing that differs in the next run. */
static const char *asked_for(int number)
{
    switch (number) {
    case 0x06: /* SYS_READ */
    case 0x07: /* SYS_READC */
        return "input";
    case 0x0d: /* SYS_TMPNAM */
        return "a temporary name";
    case 0x10: /* SYS_CLOCK */
    case 0x11: /* SYS_TIME */
    case 0x30: /* SYS_ELAPSED */
        return "the time";
    case 0x12: /* SYS_SYSTEM */
        return "a command's result";
    case NOT_CONSTANT:
        return "something, perhaps the time";
    default:
        return NULL;
    }
}

static const char *find_call(const struct calls *calls, const struct tcgrr_blocks *blocks, uint64_t *pc)
{
    for (uint32_t i = 0; i < tcgrr_blocks_count(blocks); i++) {
        const struct tcgrr_block *block = tcgrr_blocks_get(blocks, i);
        uint32_t offset = 0;
        for (uint32_t insn = 0; insn < block->insns; offset += block->lengths[insn++]) {
            bool is_call = calls->is_call(block->bytes + offset, block->size - offset);
            const char *what = is_call ? asked_for(call_number(calls, block, insn, offset)) : NULL;
            if (what) {
                *pc = block->pc + offset;
                return what;
            }
        }
    }
    return NULL;
}

const char *tcgrr_semihosting_asked(const char *target, const struct tcgrr_blocks *blocks, uint64_t *pc)
{
    g_autofree char *name = g_strconcat(" ", target, " ", NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(all_calls); i++) {
        if (strstr(all_calls[i].targets, name)) {
            return find_call(&all_calls[i], blocks, pc);
        }
    }
    return NULL;
}
