/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RISC-V's instructions name their operands at fixed places; vectors are not decoded. */
#include "replay/cause/inputs_internal.h"

#include <string.h>

static unsigned bits(uint32_t code, unsigned first, unsigned count)
{
    return code >> first & ((1u << count) - 1);
}

/* gdb's stub numbers the integer registers from 0 and the floating-point ones from 33; their names vary. */
static const struct tcgrr_register *by_number(const struct tcgrr_decoding *decoding, unsigned number)
{
    const GPtrArray *list = decoding->registers->list;
    for (guint i = 0; i < list->len; i++) {
        const struct tcgrr_register *reg = g_ptr_array_index(list, i);
        if (reg->number == number) {
            return reg;
        }
    }
    return NULL;
}

static void read_number(struct tcgrr_decoding *decoding, unsigned number)
{
    const struct tcgrr_register *reg = by_number(decoding, number);
    if (reg) {
        tcgrr_decoding_read(decoding, reg->name, TCGRR_INPUT_ALL);
    }
}

static void read_x(struct tcgrr_decoding *decoding, unsigned number)
{
    if (number != 0) {
        read_number(decoding, number);
    }
}

static void read_f(struct tcgrr_decoding *decoding, unsigned number)
{
    read_number(decoding, 33 + number);
}

static void write_number(struct tcgrr_decoding *decoding, unsigned number)
{
    const struct tcgrr_register *reg = by_number(decoding, number);
    if (reg && number != 0) {
        g_array_append_val(decoding->inputs->written, reg->index);
    }
}

/* The registers that 32-bit instructions write. Vector instructions are not distinguished. */
static void long_writes(struct tcgrr_decoding *decoding, uint32_t code)
{
    unsigned opcode = bits(code, 0, 7);
    unsigned kind = bits(code, 27, 5);
    bool to_integer = opcode == 0x53 && (kind == 0x14 || kind == 0x18 || kind == 0x1c);
    bool to_float = opcode == 0x07 || (opcode >= 0x43 && opcode <= 0x4f) || (opcode == 0x53 && !to_integer);

    switch (opcode) {
    case 0x23: /* stores, branches, fences */
    case 0x27:
    case 0x63:
    case 0x0f:
        return;
    default:
        write_number(decoding, (to_float ? 33 : 0) + bits(code, 7, 5));
    }
}

static void short_writes(struct tcgrr_decoding *decoding, uint32_t code)
{
    unsigned function = bits(code, 13, 3);
    bool wide = decoding->address_mask != UINT32_MAX;

    switch (code & 3) {
    case 0: /* c.addi4spn and loads, of which function 4 has those of bytes and halfwords */
        if (function < 4 || (function == 4 && bits(code, 10, 3) < 2)) {
            write_number(decoding, (function == 1 || (function == 3 && !wide) ? 33 : 0) + 8 + bits(code, 2, 3));
        }
        break;
    case 1:
        if (function < 4) { /* c.jal of 32 bits writes x1 */
            write_number(decoding, function == 1 && !wide ? 1 : bits(code, 7, 5));
        } else if (function == 4) {
            write_number(decoding, 8 + bits(code, 7, 3));
        }
        break;
    default:
        if (function < 4) {
            write_number(decoding, (function == 1 || (function == 3 && !wide) ? 33 : 0) + bits(code, 7, 5));
        } else if (function == 4) { /* c.mv and c.add, c.jalr */
            bool jumps = bits(code, 2, 5) == 0, breaks = jumps && bits(code, 7, 5) == 0;
            write_number(decoding, !jumps ? bits(code, 7, 5) : bits(code, 12, 1) && !breaks ? 1 : 0);
        }
    }
}

/* Memory that is accessed where a register says. */
static void access_at(struct tcgrr_decoding *decoding, unsigned base, bool load)
{
    const struct tcgrr_register *reg = base ? by_number(decoding, base) : NULL;
    read_x(decoding, base);
    if (reg) {
        tcgrr_decoding_base(decoding, reg->name);
    }
    decoding->inputs->loads |= load;
}

static bool is_counter(unsigned csr)
{
    return (csr >= 0xc00 && csr <= 0xc9f) || (csr >= 0xb00 && csr <= 0xb9f) || csr == 0x015; /* counters, seed */
}

static void read_csr(struct tcgrr_decoding *decoding, unsigned csr)
{
    const struct tcgrr_register *sstatus = tcgrr_register_layout_find(decoding->registers, "sstatus");
    if (sstatus && sstatus->number >= 0x100) {
        read_number(decoding, sstatus->number - 0x100 + csr);
    }
    decoding->inputs->outside |= is_counter(csr);
}

static void system_insn(struct tcgrr_decoding *decoding, uint32_t code)
{
    static const char *const returns[] = {"mepc", "sepc", "mstatus", "sstatus", "priv"};
    unsigned function = bits(code, 12, 3);

    if (function != 0) {
        read_csr(decoding, bits(code, 20, 12));
        if (function < 4) {
            read_x(decoding, bits(code, 15, 5));
        }
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(returns); i++) {
        tcgrr_decoding_read(decoding, returns[i], TCGRR_INPUT_ALL);
    }
}

static void float_insn(struct tcgrr_decoding *decoding, uint32_t code)
{
    unsigned kind = bits(code, 27, 5);
    bool from_integer = bits(code, 0, 7) == 0x53 && (kind == 0x1a || kind == 0x1e);
    bool fused = bits(code, 0, 7) != 0x53;

    tcgrr_decoding_read(decoding, "frm", TCGRR_INPUT_ALL);
    if (from_integer) { /* or from a table: fli */
        read_x(decoding, kind == 0x1e && bits(code, 20, 5) == 1 ? 0 : bits(code, 15, 5));
        return;
    }
    read_f(decoding, bits(code, 15, 5));
    /* Conversions and square roots have a constant where the others name a second register. */
    if (fused || !(kind == 0x08 || kind == 0x0b || kind == 0x18 || kind == 0x1c)) {
        read_f(decoding, bits(code, 20, 5));
    }
    if (fused) {
        read_f(decoding, bits(code, 27, 5));
    }
}

/* Arithmetic on vectors: how many registers make one is decided by vtype, so that any of them may be meant. */
static void vector_insn(struct tcgrr_decoding *decoding, uint32_t code)
{
    static const char *const modes[] = {"vl", "vtype", "vstart", "vxrm", "frm", "fcsr"};
    unsigned function = bits(code, 12, 3);

    if (function >= 4) {
        (function == 5 ? read_f : read_x)(decoding, bits(code, 15, 5));
    }
    if (function == 7) { /* vsetvl */
        read_x(decoding, bits(code, 20, 5));
        return;
    }
    for (unsigned i = 0; i < 32; i++) {
        char name[8];
        g_snprintf(name, sizeof(name), "v%u", i);
        tcgrr_decoding_read(decoding, name, TCGRR_INPUT_ALL);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
        tcgrr_decoding_read(decoding, modes[i], TCGRR_INPUT_ALL);
    }
}

static void long_insn(struct tcgrr_decoding *decoding, uint32_t code)
{
    unsigned first = bits(code, 15, 5);
    unsigned second = bits(code, 20, 5);
    unsigned function = bits(code, 12, 3);

    switch (bits(code, 0, 7)) {
    case 0x03: /* loads */
        access_at(decoding, first, true);
        break;
    case 0x07:
        access_at(decoding, first, true);
        decoding->inputs->known = function >= 1 && function <= 4;
        break;
    case 0x23: /* stores */
        access_at(decoding, first, false);
        read_x(decoding, second);
        break;
    case 0x27:
        access_at(decoding, first, false);
        read_f(decoding, second);
        decoding->inputs->known = function >= 1 && function <= 4;
        break;
    case 0x2f: /* atomics */
        access_at(decoding, first, bits(code, 27, 5) != 3);
        read_x(decoding, second);
        break;
    case 0x33: /* register with register, branches */
    case 0x3b:
    case 0x63:
        read_x(decoding, first);
        read_x(decoding, second);
        break;
    case 0x13: /* register with constant, jalr */
    case 0x1b:
    case 0x67:
        read_x(decoding, first);
        break;
    case 0x73:
        system_insn(decoding, code);
        break;
    case 0x43:
    case 0x47:
    case 0x4b:
    case 0x4f:
    case 0x53:
        float_insn(decoding, code);
        break;
    case 0x57:
        vector_insn(decoding, code);
        break;
    case 0x0f: /* fences, constants, jal */
    case 0x17:
    case 0x37:
    case 0x6f:
        break;
    default:
        decoding->inputs->known = false;
        break;
    }
}

static void short_memory(struct tcgrr_decoding *decoding, uint32_t code)
{
    unsigned base = 8 + bits(code, 7, 3);
    unsigned data = 8 + bits(code, 2, 3);
    unsigned function = bits(code, 13, 3);
    bool store = function >= 5;

    if (function == 0) { /* c.addi4spn */
        read_x(decoding, 2);
    } else if (function == 4) { /* bytes and halfwords */
        decoding->inputs->known = bits(code, 10, 3) < 4;
        store = bits(code, 10, 3) >= 2;
        access_at(decoding, base, !store);
        if (store) {
            read_x(decoding, data);
        }
    } else {
        access_at(decoding, base, !store);
        if (store) {
            bool is_float = function == 5 || (function == 7 && decoding->address_mask == UINT32_MAX);
            (is_float ? read_f : read_x)(decoding, data);
        }
    }
}

static void short_arithmetic(struct tcgrr_decoding *decoding, uint32_t code)
{
    unsigned function = bits(code, 13, 3);
    bool wide = decoding->address_mask != UINT32_MAX;

    if (function == 0 || (function == 1 && wide)) {
        read_x(decoding, bits(code, 7, 5));
    } else if (function == 3 && bits(code, 7, 5) == 2) {
        read_x(decoding, 2);
    } else if (function == 4 || function >= 6) {
        bool extends = bits(code, 12, 1) && bits(code, 5, 2) == 3; /* or inverts: it has one operand */
        read_x(decoding, 8 + bits(code, 7, 3));
        if (function == 4 && bits(code, 10, 2) == 3 && !extends) {
            read_x(decoding, 8 + bits(code, 2, 3));
        }
    }
}

static void short_stack(struct tcgrr_decoding *decoding, uint32_t code)
{
    unsigned function = bits(code, 13, 3);
    unsigned first = bits(code, 7, 5);
    unsigned second = bits(code, 2, 5);
    bool wide = (function & 3) == 1 || ((function & 3) == 3 && decoding->address_mask != UINT32_MAX);

    if (function == 0) {
        read_x(decoding, first);
    } else if (function == 4) {
        bool adds = bits(code, 12, 1) && second != 0;
        read_x(decoding, second == 0 || adds ? first : second);
        if (adds) {
            read_x(decoding, second);
        }
    } else {
        bool store = function > 4;
        access_at(decoding, 2, !store);
        if (store) {
            bool is_float = function == 5 || (function == 7 && !wide);
            (is_float ? read_f : read_x)(decoding, second);
        }
    }
}

void tcgrr_insn_inputs_riscv(struct tcgrr_decoding *decoding)
{
    uint32_t code = 0;

    if (decoding->length != 2 && decoding->length != 4) {
        decoding->inputs->known = false;
        return;
    }
    memcpy(&code, decoding->bytes, decoding->length);
    code = GUINT32_FROM_LE(code);
    switch (code & 3) {
    case 0:
        short_memory(decoding, code);
        break;
    case 1:
        short_arithmetic(decoding, code);
        break;
    case 2:
        short_stack(decoding, code);
        break;
    default:
        long_insn(decoding, code);
        break;
    }
    if ((code & 3) == 3) {
        long_writes(decoding, code);
    } else {
        short_writes(decoding, code);
    }
}
