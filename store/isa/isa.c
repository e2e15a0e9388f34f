/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/isa/isa.h"

#include <string.h>

#include "store/isa/isa_internal.h"

enum tcgrr_isa tcgrr_isa_of_target(const char *target)
{
    static const struct {
        const char *name;
        enum tcgrr_isa isa;
    } targets[] = {
        {"aarch64", TCGRR_ISA_AARCH64}, {"arm", TCGRR_ISA_ARM},    {"riscv64", TCGRR_ISA_RISCV},
        {"riscv32", TCGRR_ISA_RISCV},   {"x86_64", TCGRR_ISA_X86}, {"i386", TCGRR_ISA_X86},
    };

    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        if (strcmp(targets[i].name, target) == 0) {
            return targets[i].isa;
        }
    }
    return TCGRR_ISA_UNKNOWN;
}

struct waits {
    const char *target;
    enum tcgrr_leave leave;
    uint8_t length;
    uint8_t mask[4];
    uint8_t value[4];
    const char *text; /* where a QEMU gives no bytes */
};

static bool is_wait(const struct waits *row, const uint8_t *bytes, uint8_t length, const char *text)
{
    if (length == 0 && text && row->text) {
        size_t size = strlen(row->text);
        return strncmp(text, row->text, size) == 0 && strchr(" \t\n", text[size]) != NULL;
    }
    for (uint8_t i = 0; length == row->length && i < length; i++) {
        if ((bytes[i] & row->mask[i]) != row->value[i]) {
            return false;
        }
    }
    return length == row->length;
}

enum tcgrr_leave tcgrr_isa_waits(const char *target, const uint8_t *bytes, uint8_t length, const char *text)
{
    static const struct waits rows[] = {
        {"sh4", TCGRR_LEAVE_WAIT, 2, {0xff, 0xff}, {0x1b, 0x00}, NULL},                 /* sleep */
        {"sh4eb", TCGRR_LEAVE_WAIT, 2, {0xff, 0xff}, {0x00, 0x1b}, NULL},               /* sleep */
        {"rx", TCGRR_LEAVE_WAIT, 2, {0xff, 0xff}, {0x7f, 0x96}, "wait"},                /* wait */
        {"sparc", TCGRR_LEAVE_WAIT, 4, {0xff, 0xf8, 0, 0}, {0xa7, 0x80, 0, 0}, NULL},   /* wr …, %asr19 (LEON) */
        {"or1k", TCGRR_LEAVE_DOZE, 4, {0xff, 0xff, 0x07, 0xff}, {0xc1, 0, 0, 0}, NULL}, /* l.mtspr r0, …, PMR */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].target, target) == 0 && is_wait(&rows[i], bytes, length, text)) {
            return rows[i].leave;
        }
    }
    return TCGRR_LEAVE_UNKNOWN;
}

bool tcgrr_isa_only_goes_on(const char *target, const uint8_t *bytes, uint8_t length)
{
    if (strcmp(target, "avr") != 0 || length < 2) {
        return false;
    }
    uint32_t half = tcgrr_isa_load16(bytes);
    bool loads_or_stores = (half & 0xfc00) == 0x9000; /* lds, sts, push, pop, ld and st, xch and others */
    bool displaced = (half & 0xd000) == 0x8000;       /* ldd, std */
    return loads_or_stores || displaced;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

uint8_t tcgrr_isa_length(const char *target, const uint8_t *bytes, const char *text)
{
    static const char *const fixed[] = {"loongarch64", "microblaze", "microblazeel", "nios2"};
    uint8_t length = 0;

    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        if (strcmp(fixed[i], target) == 0) {
            return 4;
        }
    }
    if (strncmp(target, "xtensa", strlen("xtensa")) == 0) {
        return 1; /* no instruction: QEMU takes it for one byte long, and counts it, where it yields */
    }
    if (strcmp(target, "tricore") == 0) {
        return bytes[0] & 1 ? 4 : 2;
    }
    while (strcmp(target, "rx") == 0 && text && is_hex(text[0]) && is_hex(text[1]) && text[2] == ' ') {
        length++;
        text += strlen("00 ");
    }
    return length <= 8 ? length : 0;
}

uint64_t tcgrr_isa_address_mask(const char *target)
{
    static const char *const wide[] = {"alpha", "hppa", "s390x"};

    for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
        if (strcmp(wide[i], target) == 0) {
            return UINT64_MAX;
        }
    }
    return strstr(target, "64") ? UINT64_MAX : UINT32_MAX;
}

const struct tcgrr_isa_row *tcgrr_isa_find(const struct tcgrr_isa_row *rows, size_t count, uint32_t word)
{
    for (size_t i = 0; i < count; i++) {
        if ((word & rows[i].mask) == rows[i].value) {
            return &rows[i];
        }
    }
    return NULL;
}

struct tcgrr_insn_class tcgrr_isa_row_class(const struct tcgrr_isa_row *row)
{
    return (struct tcgrr_insn_class){.leave = row->leave, .flow = row->flow, .access = row->access, .call = row->call};
}

static bool has_target(const struct tcgrr_insn_class *class)
{
    return class->flow == TCGRR_FLOW_JUMP || class->flow == TCGRR_FLOW_BRANCH;
}

static void merge_flow(struct tcgrr_insn_class *into, const struct tcgrr_insn_class *other)
{
    bool conflict = has_target(into) && has_target(other) && into->target != other->target;

    if (into->flow == TCGRR_FLOW_INDIRECT || other->flow == TCGRR_FLOW_INDIRECT || conflict) {
        into->flow = TCGRR_FLOW_INDIRECT;
        into->target = 0;
        return;
    }
    if (!has_target(into)) {
        into->target = other->target;
    }
    if (into->flow != other->flow) {
        into->flow = TCGRR_FLOW_BRANCH; /* of NEXT, JUMP and BRANCH any two together are a branch */
    }
}

struct tcgrr_insn_class tcgrr_isa_merge(struct tcgrr_insn_class a, struct tcgrr_insn_class b)
{
    if (a.leave != b.leave) {
        a.leave = TCGRR_LEAVE_UNKNOWN;
    }
    a.access |= b.access;
    a.call = a.call && b.call;
    merge_flow(&a, &b);
    return a;
}

void tcgrr_isa_classify(enum tcgrr_isa isa, uint64_t pc, const uint8_t *bytes, const uint8_t *lengths, size_t count,
                        struct tcgrr_insn_class *out)
{
    switch (isa) {
    case TCGRR_ISA_AARCH64:
        tcgrr_isa_classify_aarch64(pc, bytes, lengths, count, out);
        return;
    case TCGRR_ISA_ARM:
        tcgrr_isa_classify_arm(pc, bytes, lengths, count, out);
        return;
    case TCGRR_ISA_RISCV:
        tcgrr_isa_classify_riscv(pc, bytes, lengths, count, out);
        return;
    case TCGRR_ISA_X86:
        tcgrr_isa_classify_x86(pc, bytes, lengths, count, out);
        return;
    default:
        break;
    }
    for (size_t i = 0; i < count; i++) {
        out[i] = tcgrr_isa_unknown();
    }
}

/*
 * Where the bytes could be code of several instruction sets or sizes, an instruction that branches in one and not in
 * the other must not count: it would if it happened to end a block. Arm's are known, but for AArch32 code on a 64-bit
 * machine, which is taken for A64. c.jal of RV32 is c.addiw in RV64. x86's branches are branches in all three modes.
 */
bool tcgrr_isa_transfers(enum tcgrr_isa isa, bool thumb, uint64_t pc, const uint8_t *bytes, uint8_t length)
{
    struct tcgrr_insn_class class = tcgrr_isa_unknown();
    bool arm = isa == TCGRR_ISA_ARM || isa == TCGRR_ISA_AARCH64;
    bool either = isa == TCGRR_ISA_RISCV && length == 2 && (tcgrr_isa_load16(bytes) & 0xe003) == 0x2001;

    if (isa == TCGRR_ISA_AARCH64 && length == 4) {
        class = tcgrr_isa_a64_insn(pc, tcgrr_isa_load32(bytes));
    } else if (isa == TCGRR_ISA_ARM && length == 2) {
        class = tcgrr_isa_t32_insn(pc, tcgrr_isa_load16(bytes), 2);
    } else if (isa == TCGRR_ISA_ARM && length == 4 && thumb) {
        class = tcgrr_isa_t32_insn(pc, tcgrr_isa_load16(bytes) << 16 | tcgrr_isa_load16(bytes + 2), 4);
    } else if (isa == TCGRR_ISA_ARM && length == 4) {
        class = tcgrr_isa_a32_insn(pc, tcgrr_isa_load32(bytes));
    } else if (!arm && !either) {
        tcgrr_isa_classify(isa, pc, bytes, &length, 1, &class);
    }
    return class.leave == TCGRR_LEAVE_NEVER && class.flow != TCGRR_FLOW_NEXT;
}
