/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which registers x86's and Arm's instructions read and write, compared with what LLVM says of them: capstone's data,
 * from which they are derived, have many errors. Encodings are made up at random, the same in each run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "replay/cause/inputs.h"
#include "store/isa/llvm/llvm.h"

#define TRIES 150000
#define PC    0x1000

enum code { X86_64, I386, A64, A32, T32 };

static const struct {
    const char *llvm;
    const char *target;
    unsigned longest; /* instruction, in bytes */
} codes[] = {
    [X86_64] = {"x86_64", "x86_64", 15}, [I386] = {"i386", "i386", 15}, [A64] = {"aarch64", "aarch64", 4},
    [A32] = {"arm", "arm", 4},           [T32] = {"thumb", "arm", 4},
};

/* What LLVM itself does not say, or not as Arm's and Intel's manuals do: by prefixes of its names. */
static const struct {
    enum code from, to;
    const char *begins;
} settled[] = {
    {X86_64, I386, "LOOP"}, /* implicit registers: rcx, here and with `rep`; rsp */
    {X86_64, I386, "RET"},      {X86_64, I386, "IRET"},    {X86_64, I386, "CALL"},
    {X86_64, I386, "STOS"},     {X86_64, I386, "MOVS"},    {X86_64, I386, "SCAS"},
    {X86_64, I386, "CMPS"},     {X86_64, I386, "LODS"},    {X86_64, I386, "INS"},
    {X86_64, I386, "OUTS"},     {X86_64, I386, "CMPXCHG"}, /* compares what it writes */
    {X86_64, I386, "SENDUIPI"},                            /* capstone takes them for what the same bytes were before */
    {X86_64, I386, "INCSSP"},   {X86_64, I386, "PTWRITE"}, {X86_64, I386, "CLRSSBSY"},
    {A64, T32, "BL"}, /* a call's link register, a trap's */
    {A64, T32, "tBL"},          {A64, T32, "SVC"},         {A64, T32, "tSVC"},
    {A64, T32, "t2SMC"},        {A64, A64, "SYSL"},        {A32, T32, "LDM"}, /* lists of registers that are loaded */
    {A32, T32, "sysLDM"},       {A32, T32, "tLDM"},        {A32, T32, "t2LDM"},
    {A32, T32, "tPOP"},         {A32, T32, "VLDM"},        {A32, T32, "FLDM"},
    {A32, T32, "VTB"}, /* all but the first register of a list, or the address's */
    {A32, T32, "VLD1d"},        {A32, T32, "VLD1q"},       {A32, T32, "VLD2d"},
    {A32, T32, "VLD2q"},        {A32, T32, "VLD2b"},       {A32, T32, "VLD1DUP"},
    {A32, T32, "VLD2DUP"},      {A32, T32, "VST1d"},       {A32, T32, "VST1q"},
    {A32, T32, "VST2d"},        {A32, T32, "VST2q"},       {A32, T32, "VST2b"},
    {A32, T32, "MOVr_TC"}, /* an encoding that has no defined meaning */
};

struct checking {
    enum code code;
    struct tcgrr_register_layout *registers;
    struct tcgrr_decoder *decoder;
    struct tcgrr_llvm *llvm;
    uint8_t *state;
    struct tcgrr_insn_inputs inputs;
    bool read[128], written[128]; /* by LLVM */
};

/* ---- registers ---- */

static void add_numbered(struct tcgrr_register_layout *registers, const char *kind, unsigned from, unsigned to,
                         unsigned bytes)
{
    for (unsigned i = from; i < to; i++) {
        g_autofree char *name = g_strdup_printf("%s%u", kind, i);
        assert_true(tcgrr_register_layout_add(registers, name, "core", bytes));
    }
}

static void add_named(struct tcgrr_register_layout *registers, const char *names, unsigned bytes)
{
    g_auto(GStrv) list = g_strsplit(names, " ", -1);
    for (char **name = list; *name; name++) {
        assert_true(tcgrr_register_layout_add(registers, *name, "core", bytes));
    }
}

static void add_registers(struct tcgrr_register_layout *registers, enum code code)
{
    if (code == A64) {
        add_numbered(registers, "x", 0, 31, 8);
        add_named(registers, "sp pc cpsr fpcr fpsr", 8);
        add_numbered(registers, "v", 0, 32, 16);
    } else if (code == X86_64 || code == I386) {
        add_named(registers, code == X86_64 ? "rax rbx rcx rdx rsi rdi rbp rsp" : "eax ebx ecx edx esi edi ebp esp",
                  code == X86_64 ? 8 : 4);
        add_numbered(registers, "r", 8, code == X86_64 ? 16 : 8, 8);
        add_numbered(registers, "xmm", 0, code == X86_64 ? 16 : 8, 16);
        add_named(registers, "eflags cs ss ds es fs gs fs_base gs_base cr0 efer mxcsr", 8);
    } else {
        add_numbered(registers, "r", 0, 13, 4);
        add_named(registers, "sp lr pc cpsr fpscr", 4);
        add_numbered(registers, "d", 0, 32, 8);
    }
}

static void set(struct checking *checking, const char *name, unsigned byte, uint8_t value)
{
    const struct tcgrr_register *reg = tcgrr_register_layout_find(checking->registers, name);
    checking->state[reg->offset + byte] = value;
}

static void begin(struct checking *checking, enum code code)
{
    *checking = (struct checking){.code = code};
    checking->llvm = tcgrr_llvm_new(codes[code].llvm);
    if (!checking->llvm) {
        skip(); /* built without LLVM */
    }
    checking->registers = tcgrr_register_layout_new(codes[code].target);
    checking->decoder = tcgrr_decoder_new(codes[code].target);
    add_registers(checking->registers, code);
    assert_true(checking->registers->list->len <= G_N_ELEMENTS(checking->read));
    checking->state = g_malloc0(checking->registers->state_bytes);
    memset(checking->state, 1, checking->registers->list->len);
    if (code == X86_64 || code == I386) {
        set(checking, "cr0", 0, 1); /* protected mode */
    }
    if (code == X86_64) {
        set(checking, "efer", 1, 4); /* long mode */
    }
    if (code == T32) {
        set(checking, "cpsr", 0, 1 << 5);
    }
    tcgrr_insn_inputs_init(&checking->inputs);
}

static void end(struct checking *checking)
{
    tcgrr_insn_inputs_clear(&checking->inputs);
    tcgrr_decoder_free(checking->decoder);
    tcgrr_llvm_free(checking->llvm);
    tcgrr_register_layout_unref(checking->registers);
    g_free(checking->state);
}

/* ---- LLVM's names ---- */

static void name_x86(const char *name, bool wide, char out[16])
{
    static const char *const legacy[] = {"ax", "bx", "cx", "dx", "si", "di", "bp", "sp"};
    const char *rest = name[0] == 'r' || name[0] == 'e' ? name + 1 : name;

    for (size_t i = 0; i < G_N_ELEMENTS(legacy); i++) {
        bool low = rest[0] == legacy[i][0] && legacy[i][1] == 'x' &&
                   (strcmp(rest + 1, "l") == 0 || strcmp(rest + 1, "h") == 0);
        bool byte = strncmp(rest, legacy[i], 2) == 0 && strcmp(rest + 2, "l") == 0;
        if (strcmp(rest, legacy[i]) == 0 || low || byte) {
            g_snprintf(out, 16, "%s%s", wide ? "r" : "e", legacy[i]);
            return;
        }
    }
    if (name[0] == 'r' && g_ascii_isdigit(name[1])) {
        out[1 + strspn(name + 1, "0123456789")] = '\0';
    } else if (g_str_has_prefix(name + 1, "mm")) {
        out[0] = 'x';
    }
}

static void name_a64(const char *name, char out[16])
{
    if (strcmp(name, "fp") == 0 || strcmp(name, "lr") == 0) {
        g_strlcpy(out, name[0] == 'f' ? "x29" : "x30", 16);
    } else if (strcmp(name, "wsp") == 0) {
        g_strlcpy(out, "sp", 16);
    } else if (g_ascii_isdigit(name[1])) {
        out[0] = name[0] == 'w' ? 'x' : strchr("bhsdq", name[0]) ? 'v' : name[0];
    }
}

static void note(struct checking *checking, const char *name, unsigned access, bool *known)
{
    const struct tcgrr_register *reg = tcgrr_register_layout_find(checking->registers, name);
    if (reg) {
        *known = true;
        checking->read[reg->index] |= (access & (TCGRR_LLVM_READS | TCGRR_LLVM_ADDRESS)) != 0;
        checking->written[reg->index] |= (access & TCGRR_LLVM_WRITES) != 0;
    }
}

static bool take(const char *llvm, unsigned access, bool last, void *data)
{
    struct checking *checking = data;
    g_autofree char *name = g_ascii_strdown(llvm, -1);
    bool known = strcmp(name, "xzr") == 0 || strcmp(name, "wzr") == 0;
    char made[16];

    (void)last;
    if (strchr(name, '_') || strlen(name) >= sizeof(made)) {
        return false; /* its parts have names of their own */
    }
    g_strlcpy(made, name, sizeof(made));
    if (checking->code == X86_64 || checking->code == I386) {
        name_x86(name, checking->code == X86_64, made);
    } else if (checking->code == A64) {
        name_a64(name, made);
    } else if ((name[0] == 's' || name[0] == 'q') && g_ascii_isdigit(name[1])) {
        unsigned number = (unsigned)strtoul(name + 1, NULL, 10);
        g_snprintf(made, sizeof(made), "d%u", name[0] == 's' ? number / 2 : 2 * number + 1);
        note(checking, made, access, &known);
        g_snprintf(made, sizeof(made), "d%u", name[0] == 's' ? number / 2 : 2 * number);
    }
    note(checking, made, access, &known);
    return known;
}

/* ---- comparing ---- */

/* Flags, modes and segments are known to both in other ways. */
static bool is_compared(enum code code, const char *name)
{
    if (code == X86_64 || code == I386) {
        return g_str_has_prefix(name, "xmm") || name[0] == 'r' || (name[0] == 'e' && strlen(name) == 3);
    }
    return name[0] != 'f' && strcmp(name, "pc") != 0 && strcmp(name, "cpsr") != 0;
}

static bool is_settled(enum code code, const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(settled); i++) {
        if (code >= settled[i].from && code <= settled[i].to && g_str_has_prefix(name, settled[i].begins)) {
            return true;
        }
    }
    return false;
}

static void compare(struct checking *checking, const struct tcgrr_llvm_insn *insn)
{
    bool read[128] = {false}, written[128] = {false};

    for (guint i = 0; i < checking->inputs.registers->len; i++) {
        read[g_array_index(checking->inputs.registers, struct tcgrr_insn_input, i).index] = true;
    }
    for (guint i = 0; i < checking->inputs.written->len; i++) {
        written[g_array_index(checking->inputs.written, unsigned, i)] = true;
    }
    for (guint i = 0; i < checking->registers->list->len; i++) {
        const char *name = ((const struct tcgrr_register *)g_ptr_array_index(checking->registers->list, i))->name;
        bool same = read[i] == checking->read[i] && written[i] == checking->written[i];
        if (!same && is_compared(checking->code, name)) {
            fail_msg("%s (%s): %s is %s%s, LLVM: %s%s", insn->text, insn->name, name, read[i] ? "read " : "",
                     written[i] ? "written" : "", checking->read[i] ? "read " : "",
                     checking->written[i] ? "written" : "");
        }
    }
}

/* Random bytes are seldom an instruction with many prefixes. */
static void make_up(GRand *random, enum code code, unsigned turn, uint8_t bytes[16])
{
    unsigned at = 0, form = turn / 2 % 10;

    for (unsigned i = 0; i < 16; i++) {
        bytes[i] = (uint8_t)g_rand_int_range(random, 0, 256);
    }
    if (code != X86_64 && code != I386) {
        return;
    }
    if (form >= 8) { /* AVX */
        bytes[0] = form == 8 ? 0xc5 : 0xc4;
        bytes[1] = form == 8 ? bytes[1] : (uint8_t)((bytes[1] & 0xe0) | (1 + bytes[13] % 3));
        return;
    }
    if (form >= 5) {
        bytes[at++] = (const uint8_t[]){0x66, 0xf2, 0xf3}[form - 5];
    }
    if (code == X86_64 && turn % 2) {
        bytes[at++] = 0x40 | (bytes[15] & 15); /* REX */
    }
    if (form >= 2 && form != 4) {
        bytes[at++] = 0x0f;
        if (bytes[14] < 40) {
            bytes[at++] = bytes[14] % 2 ? 0x38 : 0x3a;
        }
    }
}

static bool decode(struct checking *checking, const uint8_t *bytes, uint8_t *length, struct tcgrr_llvm_insn *insn)
{
    for (*length = checking->code == A64 || checking->code == A32 ? 4
                   : checking->code == T32                        ? 2
                                                                  : 1;
         *length <= codes[checking->code].longest; *length += checking->code == T32 ? 2 : 1) {
        memset(checking->read, 0, sizeof(checking->read));
        memset(checking->written, 0, sizeof(checking->written));
        if (tcgrr_llvm_decode(checking->llvm, PC, bytes, *length, insn, take, checking)) {
            return true;
        }
    }
    return false;
}

static void check(enum code code)
{
    struct checking checking;
    GRand *random = g_rand_new_with_seed(1);
    unsigned known = 0;

    begin(&checking, code);
    for (unsigned turn = 0; turn < TRIES; turn++) {
        uint8_t bytes[16], length;
        struct tcgrr_llvm_insn insn;
        make_up(random, code, turn, bytes);
        if (!decode(&checking, bytes, &length, &insn) || is_settled(code, insn.name)) {
            continue;
        }
        tcgrr_decoder_inputs(checking.decoder, checking.registers, checking.state, PC, bytes, length, &checking.inputs);
        if (checking.inputs.known) {
            compare(&checking, &insn);
            known++;
        }
    }
    assert_true(known > TRIES / 10); /* it is not that nothing was compared */
    g_rand_free(random);
    end(&checking);
}

static void test_code(void **state)
{
    check(*(const enum code *)*state);
}

int main(void)
{
    static enum code which[] = {X86_64, I386, A64, A32, T32};
    struct CMUnitTest tests[G_N_ELEMENTS(which)];

    for (size_t i = 0; i < G_N_ELEMENTS(which); i++) {
        tests[i] = (struct CMUnitTest)cmocka_unit_test_prestate(test_code, &which[i]);
        tests[i].name = codes[which[i]].llvm;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
