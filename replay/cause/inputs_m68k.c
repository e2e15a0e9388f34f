/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inputs from capstone's operands for the integer unit, and from the encoding for the floating-point unit, whose
 * instructions capstone 4 confuses. References are to the M68000 Family Programmer's Reference Manual.
 */
#include "replay/cause/inputs_internal.h"

#include <string.h>

enum { C = 1, V = 2, Z = 4, N = 8, X = 16 };

/* Bits of fpcontrol with rounding mode and precision, and those of fpstatus that conditions test. */
#define FP_MODES     0xfff0
#define FP_CONDITION 0x0f000000

/* The first word of long multiplications and divisions, without its lowest seven bits. */
#define LONG_MULTIPLICATION 0x4c00

static unsigned word_at(const struct tcgrr_decoding *decoding, unsigned offset)
{
    return offset + 2 <= decoding->length ? (unsigned)decoding->bytes[offset] << 8 | decoding->bytes[offset + 1] : 0;
}

/* QEMU's name of d0 to d7 and a0 to a7: 0 to 15. */
static const char *name_of(unsigned number)
{
    static const char *const names[] = {"d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7",
                                        "a0", "a1", "a2", "a3", "a4", "a5", "fp", "sp"};
    return names[number & 15];
}

static void read_number(struct tcgrr_decoding *decoding, unsigned number)
{
    tcgrr_decoding_read(decoding, name_of(number), TCGRR_INPUT_ALL);
}

/* Capstone's register. False if QEMU does not show it. */
static bool number_of(m68k_reg reg, unsigned *number)
{
    bool data = reg >= M68K_REG_D0 && reg <= M68K_REG_D7;
    bool address = reg >= M68K_REG_A0 && reg <= M68K_REG_A7;

    *number = data ? reg - M68K_REG_D0 : address ? 8 + reg - M68K_REG_A0 : 0;
    return data || address;
}

static void take_register(struct tcgrr_decoding *decoding, m68k_reg reg, bool reads, bool writes, bool base)
{
    unsigned number;
    const char *name = number_of(reg, &number)                     ? name_of(number)
                       : reg == M68K_REG_SR || reg == M68K_REG_CCR ? "ps"
                                                                   : NULL;

    if (reg == M68K_REG_INVALID || reg == M68K_REG_PC) {
        return;
    }
    if (!name) {
        decoding->inputs->hidden = "a control register";
        return;
    }
    if (reads) {
        tcgrr_decoding_read(decoding, name, TCGRR_INPUT_ALL);
    }
    if (writes) {
        tcgrr_decoding_write(decoding, name);
    }
    if (base) {
        tcgrr_decoding_base(decoding, name);
    }
}

/* What makes up the address of an operand in memory. */
static void take_memory(struct tcgrr_decoding *decoding, const cs_m68k_op *operand)
{
    bool moves =
        operand->address_mode == M68K_AM_REGI_ADDR_POST_INC || operand->address_mode == M68K_AM_REGI_ADDR_PRE_DEC;

    if (moves || operand->address_mode == M68K_AM_REGI_ADDR) {
        take_register(decoding, operand->reg, true, moves, true);
    }
    take_register(decoding, operand->mem.base_reg, true, false, true);
    take_register(decoding, operand->mem.index_reg, true, false, true);
    take_register(decoding, operand->mem.in_base_reg, true, false, true);
}

static void take_list(struct tcgrr_decoding *decoding, uint32_t bits, bool reads)
{
    for (unsigned i = 0; i < 16; i++) {
        if (bits & 1u << i) {
            take_register(decoding, i < 8 ? M68K_REG_D0 + i : M68K_REG_A0 + i - 8, reads, !reads, false);
        }
    }
}

/* Whether an instruction overwrites all of its last operand, if that is a register, without having read it. */
static bool overwrites(const cs_insn *insn)
{
    const cs_m68k *m68k = &insn->detail->m68k;
    const cs_m68k_op *last = &m68k->operands[m68k->op_count - 1];
    bool whole = m68k->op_size.type == M68K_SIZE_TYPE_CPU && m68k->op_size.cpu_size == M68K_CPU_SIZE_LONG;
    bool from_status = m68k->operands[0].type == M68K_OP_REG &&
                       (m68k->operands[0].reg == M68K_REG_SR || m68k->operands[0].reg == M68K_REG_CCR);

    switch (insn->id) {
    case M68K_INS_MOVE:
        return (whole && !from_status) || last->reg == M68K_REG_SR || last->reg == M68K_REG_CCR;
    case M68K_INS_CLR:
        return whole;
    case M68K_INS_MOVEA:
    case M68K_INS_MOVEQ:
    case M68K_INS_LEA:
    case M68K_INS_BFEXTS:
    case M68K_INS_BFEXTU:
    case M68K_INS_BFFFO:
        return true;
    default:
        return false;
    }
}

static bool only_reads(unsigned id)
{
    return id == M68K_INS_CMP || id == M68K_INS_CMPA || id == M68K_INS_CMPI || id == M68K_INS_CMP2 ||
           id == M68K_INS_TST || id == M68K_INS_BTST || id == M68K_INS_CHK || id == M68K_INS_CHK2 ||
           id == M68K_INS_BFTST;
}

/* Of two operands or more. */
static bool writes_first(unsigned id)
{
    return id == M68K_INS_EXG || id == M68K_INS_LINK || id == M68K_INS_CAS ||
           (id >= M68K_INS_DBT && id <= M68K_INS_DBRA);
}

static void take_operands(struct tcgrr_decoding *decoding, unsigned opcode)
{
    const cs_insn *insn = decoding->insn;
    const cs_m68k *m68k = &insn->detail->m68k;

    for (uint8_t i = 0; i < m68k->op_count; i++) {
        const cs_m68k_op *operand = &m68k->operands[i];
        bool last = i + 1 == m68k->op_count;
        switch (operand->type) {
        case M68K_OP_REG:
            take_register(decoding, operand->reg, !last || !overwrites(insn),
                          (last && !only_reads(insn->id)) || writes_first(insn->id), false);
            break;
        case M68K_OP_REG_PAIR:
            if ((opcode & 0xff80) != LONG_MULTIPLICATION) {
                take_register(decoding, operand->reg_pair.reg_0, true, last, false);
                take_register(decoding, operand->reg_pair.reg_1, true, last, false);
            }
            break;
        case M68K_OP_REG_BITS:
            take_list(decoding, operand->register_bits, !last);
            break;
        case M68K_OP_MEM:
            take_memory(decoding, operand);
            break;
        default:
            break;
        }
    }
}

/* Registers that hold a bit field's offset and width, and the second ones of long multiplications and divisions. */
static void take_extension(struct tcgrr_decoding *decoding, unsigned opcode)
{
    unsigned extension = word_at(decoding, 2);

    if ((opcode & 0xf8c0) == 0xe8c0) {
        if (extension & 0x800) {
            read_number(decoding, extension >> 6 & 7);
        }
        if (extension & 0x20) {
            read_number(decoding, extension & 7);
        }
    } else if ((opcode & 0xff80) == LONG_MULTIPLICATION) {
        read_number(decoding, extension >> 12 & 7);
        tcgrr_decoding_write(decoding, name_of(extension & 7));
        tcgrr_decoding_write(decoding, name_of(extension >> 12 & 7));
        if (opcode & 0x40 && extension & 0x400) {
            read_number(decoding, extension & 7);
        }
    }
}

/* The bits of the condition codes that a condition tests: table 3-19. */
static uint64_t condition_bits(unsigned condition)
{
    static const uint8_t bits[] = {0, 0, C | Z, C | Z, C, C, Z, Z, V, V, N, N, N | V, N | V, N | Z | V, N | Z | V};
    return bits[condition & 15];
}

static void read_flags(struct tcgrr_decoding *decoding, unsigned opcode)
{
    uint64_t bits = 0;

    if ((opcode & 0xf000) == 0x6000 || (opcode & 0xf0c0) == 0x50c0) { /* Bcc; Scc, DBcc, TRAPcc */
        bits = condition_bits(opcode >> 8 & 15);
        bits = (opcode & 0xff00) == 0x6100 ? 0 : bits; /* BSR */
    }
    switch (decoding->insn->id) {
    case M68K_INS_ADDX:
    case M68K_INS_SUBX:
    case M68K_INS_NEGX:
    case M68K_INS_ABCD:
    case M68K_INS_SBCD:
    case M68K_INS_NBCD:
        bits = X | Z;
        break;
    case M68K_INS_ROXL:
    case M68K_INS_ROXR:
        bits = X;
        break;
    case M68K_INS_TRAPV:
        bits = V;
        break;
    case M68K_INS_ANDI:
    case M68K_INS_ORI:
    case M68K_INS_EORI:
        bits = (opcode & 0x3f) == 0x3c ? TCGRR_INPUT_ALL : 0;
        break;
    default:
        break;
    }
    if (bits) {
        tcgrr_decoding_read(decoding, "ps", bits);
    }
}

/* Instructions that use the stack, or state that QEMU does not show, without an operand that says so. */
static void take_implicit(struct tcgrr_decoding *decoding)
{
    switch (decoding->insn->id) {
    case M68K_INS_RTE:
    case M68K_INS_RTR:
    case M68K_INS_RTS:
    case M68K_INS_RTD:
    case M68K_INS_JSR:
    case M68K_INS_BSR:
    case M68K_INS_PEA:
    case M68K_INS_LINK:
        take_register(decoding, M68K_REG_A7, true, true, true);
        break;
    case M68K_INS_UNLK:
        tcgrr_decoding_base(decoding, name_of(8 + (word_at(decoding, 0) & 7)));
        tcgrr_decoding_write(decoding, "sp");
        break;
    case M68K_INS_TRAP:
    case M68K_INS_ILLEGAL:
    case M68K_INS_BKPT:
        decoding->inputs->hidden = "the vector that it goes through";
        break;
    case M68K_INS_MOVEC:
        decoding->inputs->hidden = "a control register";
        break;
    case M68K_INS_PTESTR:
    case M68K_INS_PTESTW:
    case M68K_INS_PMOVE:
    case M68K_INS_PLOADR:
    case M68K_INS_PLOADW:
        decoding->inputs->hidden = "the MMU";
        break;
    default:
        break;
    }
}

/* ---- the floating-point unit ---- */

/* The effective address of the first word: section 2.2. */
static void take_address(struct tcgrr_decoding *decoding, unsigned opcode, unsigned extension, bool writes)
{
    unsigned mode = opcode >> 3 & 7, number = opcode & 7;

    if (mode == 0) {
        (writes ? tcgrr_decoding_write(decoding, name_of(number)) : read_number(decoding, number));
        return;
    }
    if (mode < 7) {
        bool moves = mode == 3 || mode == 4;
        take_register(decoding, M68K_REG_A0 + number, true, moves, true);
    }
    if (mode == 6 || (mode == 7 && number == 3)) {
        unsigned index = word_at(decoding, extension) >> 12;
        read_number(decoding, index);
        tcgrr_decoding_base(decoding, name_of(index));
    }
}

static void take_float(struct tcgrr_decoding *decoding, unsigned number, bool reads)
{
    char name[4] = {'f', 'p', (char)('0' + (number & 7)), '\0'};
    (reads ? tcgrr_decoding_read(decoding, name, TCGRR_INPUT_ALL) : tcgrr_decoding_write(decoding, name));
}

/* Whether an operation takes in both operands: FDIV to FSUB, FCMP, and those of them that round. */
static bool is_dyadic(unsigned operation)
{
    return operation >= 0x60 || operation == 0x38 || (operation >= 0x20 && operation < 0x30);
}

/* An operation on a register, from another or from `opcode`'s operand. */
static void take_operation(struct tcgrr_decoding *decoding, unsigned opcode, unsigned command)
{
    unsigned operation = command & 0x7f, source = command >> 10 & 7, destination = command >> 7 & 7;
    bool constant = (command & 0xfc00) == 0x5c00;

    if (!(command & 0x4000)) {
        take_float(decoding, source, true);
    } else if (!constant) {
        take_address(decoding, opcode, 4, false);
    }
    if (!constant && is_dyadic(operation)) {
        take_float(decoding, destination, true);
    }
    if (constant || (operation != 0x38 && operation != 0x3a)) { /* FCMP, FTST */
        take_float(decoding, destination, false);
    }
    if ((operation & 0x78) == 0x30) { /* FSINCOS */
        take_float(decoding, operation & 7, false);
    }
    tcgrr_decoding_read(decoding, "fpcontrol", FP_MODES);
    tcgrr_decoding_write(decoding, "fpstatus");
}

static void take_controls(struct tcgrr_decoding *decoding, unsigned opcode, unsigned command)
{
    static const char *const names[] = {"fpiaddr", "fpstatus", "fpcontrol"};
    bool stores = command & 0x2000;

    for (unsigned i = 0; i < 3; i++) {
        if (command & 0x400u << i) {
            (stores ? tcgrr_decoding_read(decoding, names[i], TCGRR_INPUT_ALL)
                    : tcgrr_decoding_write(decoding, names[i]));
            /* QEMU does not keep it. */
            decoding->inputs->hidden = i == 0 && stores ? names[i] : decoding->inputs->hidden;
        }
    }
    take_address(decoding, opcode, 4, stores);
}

/* FMOVEM; the list's bits are in reverse where addresses go down, and a list in a register may be any. */
static void take_floats(struct tcgrr_decoding *decoding, unsigned opcode, unsigned command)
{
    bool dynamic = command & 0x800, stores = command & 0x2000, down = !(command & 0x1000);

    if (dynamic) {
        read_number(decoding, command >> 4 & 7);
    }
    for (unsigned i = 0; i < 8; i++) {
        if (dynamic || command & (down ? 1u << i : 0x80u >> i)) {
            take_float(decoding, i, stores);
        }
    }
    take_address(decoding, opcode, 4, stores);
}

static void take_general(struct tcgrr_decoding *decoding, unsigned opcode, unsigned command)
{
    switch (command >> 13) {
    case 0:
    case 2:
        take_operation(decoding, opcode, command);
        break;
    case 3: /* to memory or a data register */
        take_float(decoding, command >> 7 & 7, true);
        tcgrr_decoding_read(decoding, "fpcontrol", FP_MODES);
        if ((command >> 10 & 7) == 7) {
            read_number(decoding, command >> 4 & 7);
        }
        if ((opcode & 0x38) == 0) {
            read_number(decoding, opcode & 7); /* a shorter operand leaves the rest unchanged */
        }
        take_address(decoding, opcode, 4, true);
        tcgrr_decoding_write(decoding, "fpstatus");
        break;
    case 4:
    case 5:
        take_controls(decoding, opcode, command);
        break;
    case 6:
    case 7:
        take_floats(decoding, opcode, command);
        break;
    default:
        decoding->inputs->known = false;
        break;
    }
}

static void take_fpu(struct tcgrr_decoding *decoding, unsigned opcode)
{
    unsigned command = word_at(decoding, 2);

    switch (opcode >> 6 & 7) {
    case 0:
        take_general(decoding, opcode, command);
        break;
    case 1: /* FScc, FDBcc, FTRAPcc */
        tcgrr_decoding_read(decoding, "fpstatus", FP_CONDITION);
        if ((opcode & 0x38) <= 8) {
            read_number(decoding, opcode & 7);
            tcgrr_decoding_write(decoding, name_of(opcode & 7));
        } else if ((opcode & 0x3f) < 0x3a) {
            take_address(decoding, opcode, 4, true);
        }
        break;
    case 2:
    case 3: /* FBcc, FNOP */
        tcgrr_decoding_read(decoding, "fpstatus", FP_CONDITION);
        break;
    default: /* FSAVE, FRESTORE */
        decoding->inputs->hidden = "the floating-point unit's internal state";
        break;
    }
}

bool tcgrr_insn_inputs_is_m68k_fpu(const uint8_t *bytes, uint8_t length)
{
    return length >= 2 && bytes[0] >> 1 == 0xf2 >> 1;
}

void tcgrr_insn_inputs_m68k(struct tcgrr_decoding *decoding)
{
    unsigned opcode = word_at(decoding, 0);

    decoding->inputs->condition = "ps";
    if (tcgrr_insn_inputs_is_m68k_fpu(decoding->bytes, decoding->length)) {
        take_fpu(decoding, opcode);
        return;
    }
    if (decoding->insn->id == M68K_INS_INVALID) {
        decoding->inputs->known = false;
        return;
    }
    take_operands(decoding, opcode);
    take_extension(decoding, opcode);
    read_flags(decoding, opcode);
    take_implicit(decoding);
}
