/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/inputs_internal.h"

#include <string.h>

/* Bits of eflags, and what capstone calls them. */
static const struct flag {
    uint64_t test;
    uint64_t written;
    uint64_t undefined;
    uint32_t bits;
} flags[] = {
    {X86_EFLAGS_TEST_CF, X86_EFLAGS_MODIFY_CF | X86_EFLAGS_RESET_CF | X86_EFLAGS_SET_CF, X86_EFLAGS_UNDEFINED_CF,
     1u << 0},
    {X86_EFLAGS_TEST_PF, X86_EFLAGS_MODIFY_PF | X86_EFLAGS_RESET_PF | X86_EFLAGS_SET_PF, X86_EFLAGS_UNDEFINED_PF,
     1u << 2},
    {X86_EFLAGS_TEST_AF, X86_EFLAGS_MODIFY_AF | X86_EFLAGS_RESET_AF | X86_EFLAGS_SET_AF, X86_EFLAGS_UNDEFINED_AF,
     1u << 4},
    {X86_EFLAGS_TEST_ZF, X86_EFLAGS_MODIFY_ZF | X86_EFLAGS_RESET_ZF | X86_EFLAGS_SET_ZF, X86_EFLAGS_UNDEFINED_ZF,
     1u << 6},
    {X86_EFLAGS_TEST_SF, X86_EFLAGS_MODIFY_SF | X86_EFLAGS_RESET_SF | X86_EFLAGS_SET_SF, X86_EFLAGS_UNDEFINED_SF,
     1u << 7},
    {X86_EFLAGS_TEST_TF, X86_EFLAGS_MODIFY_TF | X86_EFLAGS_RESET_TF, 0, 1u << 8},
    {X86_EFLAGS_TEST_IF, X86_EFLAGS_MODIFY_IF | X86_EFLAGS_RESET_IF | X86_EFLAGS_SET_IF, 0, 1u << 9},
    {X86_EFLAGS_TEST_DF, X86_EFLAGS_MODIFY_DF | X86_EFLAGS_RESET_DF | X86_EFLAGS_SET_DF, 0, 1u << 10},
    {X86_EFLAGS_TEST_OF, X86_EFLAGS_MODIFY_OF | X86_EFLAGS_RESET_OF | X86_EFLAGS_RESET_0F | X86_EFLAGS_SET_OF,
     X86_EFLAGS_UNDEFINED_OF, 1u << 11},
    {X86_EFLAGS_TEST_NT, X86_EFLAGS_MODIFY_NT | X86_EFLAGS_RESET_NT, 0, 1u << 14},
};

/* The machine's own name of the register that `name` is a part of; "" if it shows none. */
static void full_name(const struct tcgrr_decoding *decoding, const char *name, char out[16])
{
    static const char *const legacy[] = {"ax", "bx", "cx", "dx", "si", "di", "bp", "sp", "ip"};
    const char *wide = tcgrr_register_layout_find(decoding->registers, "rax") ? "r" : "e";
    const char *rest = name[0] == 'r' || name[0] == 'e' ? name + 1 : name;

    g_strlcpy(out, name, 16);
    for (size_t i = 0; i < G_N_ELEMENTS(legacy); i++) {
        bool part = strcmp(rest, legacy[i]) == 0;
        bool low = strlen(name) >= 2 && name[0] == legacy[i][0] &&
                   ((strlen(name) == 2 && legacy[i][1] == 'x' && (name[1] == 'l' || name[1] == 'h')) ||
                    (strlen(name) == 3 && name[1] == legacy[i][1] && name[2] == 'l'));
        if (part || low) {
            g_snprintf(out, 16, "%s%s", wide, legacy[i]);
            return;
        }
    }
    if (name[0] == 'r' && g_ascii_isdigit(name[1])) { /* r8d, r8w, r8b */
        size_t digits = 1 + strspn(name + 1, "0123456789");
        out[MIN(digits, (size_t)15)] = '\0';
    } else if ((name[0] == 'y' || name[0] == 'z') && g_str_has_prefix(name + 1, "mm")) {
        out[0] = 'x';
    } else if (strcmp(name, "flags") == 0 || strcmp(name, "rflags") == 0) {
        g_strlcpy(out, "eflags", 16);
    }
}

/* Notes what is done with a register, by capstone's number of it. */
static void access_register(struct tcgrr_decoding *decoding, x86_reg reg, bool read, bool write)
{
    const char *reported = cs_reg_name(decoding->handle, reg);
    char name[16];

    full_name(decoding, reported ? reported : "", name);
    if (read) {
        tcgrr_decoding_read(decoding, name, TCGRR_INPUT_ALL);
    }
    if (write) {
        tcgrr_decoding_write(decoding, name);
    }
}

/* The x87's stack turns, so that any of its registers may be meant. */
static void read_x87(struct tcgrr_decoding *decoding)
{
    static const char *const names[] = {"st0", "st1", "st2",  "st3",   "st4",  "st5",
                                        "st6", "st7", "ftag", "fstat", "fctrl"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        tcgrr_decoding_read(decoding, names[i], TCGRR_INPUT_ALL);
    }
}

/* Nor does capstone report which it writes. */
static void write_x87(struct tcgrr_decoding *decoding)
{
    for (unsigned i = 0; i < 8; i++) {
        char name[8];
        g_snprintf(name, sizeof(name), "st%u", i);
        tcgrr_decoding_write(decoding, name);
    }
    tcgrr_decoding_write(decoding, "fstat");
}

/* What of the flags the x87 writes and reads, which capstone does not report. */
static void flags_of_x87(struct tcgrr_decoding *decoding)
{
    enum { CF = 1u << 0, PF = 1u << 2, AF = 1u << 4, ZF = 1u << 6, SF = 1u << 7, OF = 1u << 11 };
    uint64_t tested = 0;

    const char *mnemonic = decoding->insn->mnemonic;

    decoding->inputs->flags_known = true;
    if (g_str_has_prefix(mnemonic, "fcomi") || g_str_has_prefix(mnemonic, "fcompi") ||
        g_str_has_prefix(mnemonic, "fucomi") || g_str_has_prefix(mnemonic, "fucompi")) {
        decoding->inputs->flags = CF | PF | AF | ZF | SF | OF;
    } else if (g_str_has_prefix(mnemonic, "fcmov")) {
        tested = strchr(mnemonic, 'u') ? PF : (strchr(mnemonic, 'b') ? CF : 0) | (strchr(mnemonic, 'e') ? ZF : 0);
    }
    if (tested) {
        tcgrr_decoding_read(decoding, "eflags", tested);
    }
}

static bool in_group(const struct tcgrr_decoding *decoding, unsigned group)
{
    return cs_insn_group(decoding->handle, decoding->insn, group);
}

/* SSE's comparisons, which capstone takes for `cmp`. */
static bool compares_vectors(const struct tcgrr_decoding *decoding)
{
    return g_str_has_prefix(decoding->insn->mnemonic, "cmp") &&
           (in_group(decoding, X86_GRP_SSE1) || in_group(decoding, X86_GRP_SSE2));
}

/* Flags that capstone 4 leaves out: what it reports was compared with what a processor does. */
static void correct_flags(struct tcgrr_decoding *decoding, uint64_t *tested)
{
    enum { CF = 1u << 0, PF = 1u << 2, AF = 1u << 4, ZF = 1u << 6, SF = 1u << 7, OF = 1u << 11 };
    static const struct {
        const char *begins;
        uint64_t tests;
        uint64_t writes;
    } missing[] = {
        {"adc", CF, 0},
        {"sbb", CF, 0},
        {"rcl", CF, 0},
        {"rcr", CF, 0},
        {"cmc", CF, 0},
        {"adox", OF, 0},
        {"lahf", CF | PF | AF | ZF | SF, 0},
        {"lzcnt", 0, CF},
        {"kortest", 0, CF | PF | AF | ZF | SF | OF},
        {"vcomis", 0, CF | PF | AF | ZF | SF | OF},
        {"vucomis", 0, CF | PF | AF | ZF | SF | OF},
        {"vptest", 0, CF | PF | AF | ZF | SF | OF},
        {"vtestp", 0, CF | PF | AF | ZF | SF | OF},
        {"pcmpestr", 0, CF | PF | AF | ZF | SF | OF},
        {"pcmpistr", 0, CF | PF | AF | ZF | SF | OF},
        {"vpcmpestr", 0, CF | PF | AF | ZF | SF | OF},
        {"vpcmpistr", 0, CF | PF | AF | ZF | SF | OF},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(missing); i++) {
        if (g_str_has_prefix(decoding->insn->mnemonic, missing[i].begins)) {
            *tested |= missing[i].tests;
            decoding->inputs->flags |= missing[i].writes;
        }
    }
    if (decoding->inputs->flags) {
        tcgrr_decoding_write(decoding, "eflags");
    }
}

static void read_flags(struct tcgrr_decoding *decoding, bool whole)
{
    uint64_t reported = compares_vectors(decoding) ? 0 : decoding->insn->detail->x86.eflags;
    uint64_t tested = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(flags); i++) {
        tested |= reported & flags[i].test ? flags[i].bits : 0;
        decoding->inputs->flags |= reported & (flags[i].written | flags[i].undefined) ? flags[i].bits : 0;
        decoding->inputs->undefined |= reported & flags[i].undefined ? flags[i].bits : 0;
    }
    decoding->inputs->flags_known = true;
    correct_flags(decoding, &tested);
    if (tested || whole) {
        tcgrr_decoding_read(decoding, "eflags", tested ? tested : TCGRR_INPUT_ALL);
    }
}

/*
 * Where capstone 4 is wrong: registers that it does not know to be read or written. `test` with an immediate operand is
 * the only one that it takes to write what it does not write.
 */
static void correct_registers(struct tcgrr_decoding *decoding)
{
    /* They change the low part of a vector, and keep the rest. */
    static const char *const merges[] = {"sqrts",    "rcpss",   "rsqrtss", "cvtss2sd",
                                         "cvtsd2ss", "cvtsi2s", "rounds",  NULL};
    const cs_x86 *x86 = &decoding->insn->detail->x86;
    const char *mnemonic = decoding->insn->mnemonic;
    unsigned id = decoding->insn->id;
    bool keeps = id == X86_INS_ADOX || id == X86_INS_ADCX || id == X86_INS_CMPXCHG;

    for (const char *const *prefix = merges; *prefix; prefix++) {
        keeps = keeps || g_str_has_prefix(mnemonic, *prefix);
    }
    if (strstr(mnemonic, "gather") && x86->op_count == 3 && x86->operands[2].type == X86_OP_REG) {
        keeps = true; /* elements that the mask, which it clears, leaves out */
        access_register(decoding, x86->operands[2].reg, false, true);
    }
    if (keeps && x86->op_count > 0 && x86->operands[0].type == X86_OP_REG) {
        access_register(decoding, x86->operands[0].reg, true, false);
    }
    if (id == X86_INS_CMPXCHG || id == X86_INS_XLATB || id == X86_INS_AAA || id == X86_INS_AAD || id == X86_INS_AAM ||
        id == X86_INS_AAS || id == X86_INS_DAA || id == X86_INS_DAS) {
        access_register(decoding, X86_REG_EAX, true, true);
    }
    if (id == X86_INS_XLATB) {
        access_register(decoding, X86_REG_EBX, true, false);
    }
}

static void read_registers(struct tcgrr_decoding *decoding)
{
    cs_regs reads;
    cs_regs writes;
    uint8_t count = 0;
    uint8_t written = 0;
    bool whole_flags = false;
    bool x87 = in_group(decoding, X86_GRP_FPU);

    if (cs_regs_access(decoding->handle, decoding->insn, reads, &count, writes, &written) != CS_ERR_OK) {
        decoding->inputs->known = false;
        return;
    }
    for (int i = 0; i < count; i++) {
        char name[16];
        const char *reported = cs_reg_name(decoding->handle, reads[i]);
        full_name(decoding, reported ? reported : "", name);
        x87 |= reads[i] == X86_REG_FPSW || g_str_has_prefix(name, "st(") || g_str_has_prefix(name, "mm");
        if (strcmp(name, "eflags") == 0) {
            whole_flags = true;
        } else {
            tcgrr_decoding_read(decoding, name, TCGRR_INPUT_ALL);
        }
    }
    for (int i = 0; i < written; i++) {
        char name[16];
        const char *reported = cs_reg_name(decoding->handle, writes[i]);
        full_name(decoding, reported ? reported : "", name);
        x87 |= writes[i] == X86_REG_FPSW;
        bool is_flags = strcmp(name, "eflags") == 0;
        if (is_flags ? !compares_vectors(decoding) : decoding->insn->id != X86_INS_TEST) {
            tcgrr_decoding_write(decoding, name);
        }
    }
    correct_registers(decoding);
    if (x87) {
        read_x87(decoding);
        write_x87(decoding);
    }
    if (in_group(decoding, X86_GRP_FPU)) {
        flags_of_x87(decoding);
    } else {
        read_flags(decoding, whole_flags);
    }
}

static uint64_t value_of(const struct tcgrr_decoding *decoding, x86_reg reg)
{
    char name[16];
    const char *reported = reg != X86_REG_INVALID ? cs_reg_name(decoding->handle, reg) : NULL;
    if (!reported) {
        return 0;
    }
    if (reg == X86_REG_RIP || reg == X86_REG_EIP) {
        return decoding->pc + decoding->length;
    }
    full_name(decoding, reported, name);
    return tcgrr_decoding_value(decoding, name);
}

static uint64_t segment_base(const struct tcgrr_decoding *decoding, x86_reg segment, bool stack)
{
    if (!(tcgrr_decoding_value(decoding, "cr0") & 1)) { /* real mode */
        static const char *const names[] = {"ds", "ss"};
        const char *name = segment != X86_REG_INVALID ? cs_reg_name(decoding->handle, segment) : names[stack];
        return tcgrr_decoding_value(decoding, name) << 4;
    }
    if (segment == X86_REG_FS || segment == X86_REG_GS) {
        return tcgrr_decoding_value(decoding, segment == X86_REG_FS ? "fs_base" : "gs_base");
    }
    return 0; /* flat, as all protected-mode systems of today have them */
}

/* Capstone 4 does not say reliably which memory is written: the first operand of all but these. */
static bool keeps_first(const char *mnemonic)
{
    static const char *const exact[] = {"bt", "call", "jmp", "ret", "imul", NULL};
    static const char *const prefixes[] = {"cmp",   "test",   "push",    "mul",     "div",    "idiv",  "fld",  "fild",
                                           "fcom",  "fucom",  "ficom",   "fadd",    "fsub",   "fmul",  "fdiv", "fiadd",
                                           "fisub", "fimul",  "fidiv",   "comis",   "ucomis", "vcomi", "vuco", "ptest",
                                           "vptes", "prefet", "ldmxcsr", "vldmxcs", "lgdt",   "lidt",  "lldt", "ltr",
                                           "invl",  "clfl",   "nop",     "lods",    "scas",   "out",   "frst", "fxrst",
                                           "xrst",  "verr",   "verw",    "lmsw",    "fbld",   NULL};
    if (g_str_has_prefix(mnemonic, "cmpxchg")) {
        return false;
    }
    for (const char *const *prefix = prefixes; *prefix; prefix++) {
        if (g_str_has_prefix(mnemonic, *prefix)) {
            return true;
        }
    }
    return g_strv_contains(exact, mnemonic);
}

static void note_base(struct tcgrr_decoding *decoding, x86_reg reg)
{
    char name[16];
    if (reg != X86_REG_INVALID) {
        full_name(decoding, cs_reg_name(decoding->handle, reg), name);
        tcgrr_decoding_base(decoding, name);
    }
}

static void access_operands(struct tcgrr_decoding *decoding)
{
    const cs_x86 *x86 = &decoding->insn->detail->x86;
    uint64_t mask = x86->addr_size == 8 ? UINT64_MAX : x86->addr_size == 4 ? UINT32_MAX : UINT16_MAX;

    for (uint8_t i = 0; i < x86->op_count; i++) {
        const cs_x86_op *operand = &x86->operands[i];
        const x86_op_mem *memory = &operand->mem;
        if (operand->type != X86_OP_MEM || decoding->insn->id == X86_INS_LEA || decoding->insn->id == X86_INS_NOP) {
            continue;
        }
        bool stack = memory->base == X86_REG_EBP || memory->base == X86_REG_RBP || memory->base == X86_REG_BP ||
                     memory->base == X86_REG_ESP || memory->base == X86_REG_RSP;
        uint64_t offset = value_of(decoding, memory->base) +
                          value_of(decoding, memory->index) * (uint64_t)memory->scale + (uint64_t)memory->disp;
        bool fs_or_gs = memory->segment == X86_REG_FS || memory->segment == X86_REG_GS;
        if (fs_or_gs) {
            tcgrr_decoding_read(decoding, memory->segment == X86_REG_FS ? "fs_base" : "gs_base", TCGRR_INPUT_ALL);
        }
        bool sets = g_str_has_prefix(decoding->insn->mnemonic, "set");
        bool keeps = keeps_first(decoding->insn->mnemonic);
        bool store = !keeps && (i == 0 || operand->access & CS_AC_WRITE);
        bool load = !sets && (operand->access & CS_AC_READ || !store);
        tcgrr_decoding_access(decoding, segment_base(decoding, memory->segment, stack) + (offset & mask), operand->size,
                              load, store);
        note_base(decoding, memory->base);
        note_base(decoding, memory->index);
    }
}

/* What an instruction takes from the stack or puts there without an operand that says so. */
static void access_stack(struct tcgrr_decoding *decoding)
{
    const cs_x86 *x86 = &decoding->insn->detail->x86;
    bool long_mode = x86->addr_size == 8 || tcgrr_decoding_value(decoding, "efer") & 1 << 10;
    unsigned word = x86->op_count > 0 && x86->operands[0].size == 2 ? 2 : long_mode ? 8 : 4;
    const char *wide = tcgrr_register_layout_find(decoding->registers, "rsp") ? "rsp" : "esp";
    const char *frame = tcgrr_register_layout_find(decoding->registers, "rbp") ? "rbp" : "ebp";
    uint64_t base = segment_base(decoding, X86_REG_INVALID, true);
    uint64_t sp = base + tcgrr_decoding_value(decoding, wide);
    guint before = decoding->inputs->memory->len;

    switch (decoding->insn->id) {
    case X86_INS_POP:
    case X86_INS_POPF:
    case X86_INS_POPFD:
    case X86_INS_POPFQ:
    case X86_INS_RET:
        tcgrr_decoding_access(decoding, sp, word, true, false);
        break;
    case X86_INS_RETF:
        tcgrr_decoding_access(decoding, sp, 2 * word, true, false);
        break;
    case X86_INS_IRET:
    case X86_INS_IRETD:
    case X86_INS_IRETQ:
        tcgrr_decoding_access(decoding, sp, 5 * word, true, false);
        tcgrr_decoding_read(decoding, wide, TCGRR_INPUT_ALL);
        break;
    case X86_INS_POPAL:
    case X86_INS_POPAW:
        tcgrr_decoding_access(decoding, sp, 8 * word, true, false);
        break;
    case X86_INS_LEAVE:
        tcgrr_decoding_access(decoding, base + tcgrr_decoding_value(decoding, frame), word, true, false);
        break;
    case X86_INS_PUSH:
    case X86_INS_PUSHF:
    case X86_INS_PUSHFD:
    case X86_INS_PUSHFQ:
    case X86_INS_CALL:
        tcgrr_decoding_access(decoding, sp - word, word, false, true);
        break;
    case X86_INS_PUSHAL:
    case X86_INS_PUSHAW:
        tcgrr_decoding_access(decoding, sp - 8 * word, 8 * word, false, true);
        break;
    default:
        break;
    }
    if (decoding->inputs->memory->len > before) {
        tcgrr_decoding_base(decoding, decoding->insn->id == X86_INS_LEAVE ? frame : wide);
    }
}

static bool is_outside(unsigned id)
{
    switch (id) {
    case X86_INS_IN:
    case X86_INS_INSB:
    case X86_INS_INSW:
    case X86_INS_INSD:
    case X86_INS_RDTSC:
    case X86_INS_RDTSCP:
    case X86_INS_RDPMC:
    case X86_INS_RDMSR:
    case X86_INS_RDRAND:
    case X86_INS_RDSEED:
    case X86_INS_CPUID:
        return true;
    default:
        return false;
    }
}

void tcgrr_insn_inputs_x86(struct tcgrr_decoding *decoding)
{
    const char *mnemonic = decoding->insn->mnemonic;

    decoding->inputs->condition = "eflags";
    decoding->inputs->outside = is_outside(decoding->insn->id);
    read_registers(decoding);
    if (in_group(decoding, X86_GRP_SSE1) || in_group(decoding, X86_GRP_SSE2) || in_group(decoding, X86_GRP_AVX) ||
        in_group(decoding, X86_GRP_FMA)) {
        /* Masks, rounding and denormals; what happened before only where that is stored. */
        tcgrr_decoding_read(decoding, "mxcsr", g_str_has_suffix(mnemonic, "stmxcsr") ? TCGRR_INPUT_ALL : 0xffc0);
    }
    access_operands(decoding);
    access_stack(decoding);
    decoding->inputs->unreported =
        g_str_has_prefix(mnemonic, "fx") || g_str_has_prefix(mnemonic, "xsave") || g_str_has_prefix(mnemonic, "xrstor");
}
