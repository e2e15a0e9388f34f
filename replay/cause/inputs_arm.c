/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Both instruction sets of Arm. Capstone does not tell how much memory is accessed: the data registers do. */
#include "replay/cause/inputs_internal.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_MAX 64 /* bytes of a load of several vectors */

static bool starts_with_any(const char *text, const char *const *prefixes)
{
    for (; *prefixes; prefixes++) {
        if (g_str_has_prefix(text, *prefixes)) {
            return true;
        }
    }
    return false;
}

static const char *name_of(const struct tcgrr_decoding *decoding, unsigned reg)
{
    const char *name = reg ? cs_reg_name(decoding->handle, reg) : NULL;
    return name ? name : "";
}

/* ---- AArch64 ---- */

/* QEMU's name of the register that capstone's `name` is a part of. */
static void full_name64(const char *name, char out[16])
{
    g_strlcpy(out, name, 16);
    if (strcmp(name, "fp") == 0) {
        g_strlcpy(out, "x29", 16);
    } else if (strcmp(name, "lr") == 0) {
        g_strlcpy(out, "x30", 16);
    } else if (strcmp(name, "wsp") == 0) {
        g_strlcpy(out, "sp", 16);
    } else if (strcmp(name, "nzcv") == 0) {
        g_strlcpy(out, "cpsr", 16);
    } else if (name[0] != '\0' && g_ascii_isdigit(name[1])) {
        out[0] = name[0] == 'w' ? 'x' : strchr("bhsdq", name[0]) ? 'v' : name[0];
    }
}

/* Where there is SVE, the stub shows the low part of z0 for v0. */
static void show_vector(const struct tcgrr_decoding *decoding, char name[16])
{
    if (name[0] == 'v' && !tcgrr_registers_find(decoding->registers, name)) {
        name[0] = 'z';
    }
}

static void read_name64(struct tcgrr_decoding *decoding, const char *told)
{
    char name[16];
    full_name64(told, name);
    if (strcmp(name, "xzr") == 0) {
        return;
    }
    show_vector(decoding, name);
    decoding->inputs->unseen |= *name && !tcgrr_registers_find(decoding->registers, name);
    tcgrr_decoding_read(decoding, name, strcmp(name, "cpsr") == 0 ? 0xf0000000 : TCGRR_INPUT_ALL);
}

static uint64_t value64(const struct tcgrr_decoding *decoding, arm64_reg reg)
{
    char name[16];
    full_name64(name_of(decoding, reg), name);
    return tcgrr_decoding_value(decoding, name);
}

static unsigned width64(const char *name)
{
    switch (name[0]) {
    case 'w':
    case 's':
        return name[1] == 'p' ? 8 : 4;
    case 'q':
    case 'v':
        return 16;
    case 'h':
        return 2;
    case 'b':
        return 1;
    default:
        return 8;
    }
}

/* Bytes that a load or store accesses: as wide as its data registers, or what its name ends with. */
static unsigned accessed64(const struct tcgrr_decoding *decoding)
{
    static const char *const exclusive[] = {"stxr", "stlxr", "stxp", "stlxp", NULL};
    const char *mnemonic = decoding->insn->mnemonic;
    const cs_arm64 *arm64 = &decoding->insn->detail->arm64;
    size_t length = strlen(mnemonic);
    unsigned size = 0;

    /* The first register of a store-exclusive takes its status. */
    for (uint8_t i = starts_with_any(mnemonic, exclusive) ? 1 : 0; i < arm64->op_count; i++) {
        if (arm64->operands[i].type == ARM64_OP_MEM) {
            break;
        }
        if (arm64->operands[i].type == ARM64_OP_REG) {
            size += width64(name_of(decoding, arm64->operands[i].reg));
        }
    }
    bool pair = strstr(mnemonic, "p") && (g_str_has_prefix(mnemonic, "ld") || g_str_has_prefix(mnemonic, "st"));
    bool atomic = !g_str_has_prefix(mnemonic, "ldr") && !g_str_has_prefix(mnemonic, "str") && !pair &&
                  !g_str_has_prefix(mnemonic, "ldu") && !g_str_has_prefix(mnemonic, "stu");
    if (g_str_has_suffix(mnemonic, "sw")) {
        return 4;
    }
    if (!pair && length > 3 && mnemonic[length - 1] == 'b') {
        return 1;
    }
    if (!pair && length > 3 && mnemonic[length - 1] == 'h') {
        return 2;
    }
    return MIN(atomic && size > 8 && !strchr(decoding->insn->op_str, '{') ? size / 2 : size, BLOCK_MAX);
}

static uint64_t extend64(const cs_arm64_op *operand, uint64_t value)
{
    unsigned shift = operand->shift.type == ARM64_SFT_LSL ? operand->shift.value : 0;
    switch (operand->ext) {
    case ARM64_EXT_UXTW:
        return (uint64_t)(uint32_t)value << shift;
    case ARM64_EXT_SXTW:
        return (uint64_t)(int64_t)(int32_t)value << shift;
    default:
        return value << shift;
    }
}

static void access64(struct tcgrr_decoding *decoding)
{
    static const char *const neither[] = {"prf", "adr", "dc", "ic", NULL};
    static const char *const both[] = {"swp", "cas", NULL};
    static const char *const atomic[] = {"ldadd",  "ldclr",  "ldeor",  "ldset", "ldsmax",
                                         "ldsmin", "ldumax", "ldumin", NULL};
    const char *mnemonic = decoding->insn->mnemonic;
    const cs_arm64 *arm64 = &decoding->insn->detail->arm64;

    for (uint8_t i = 0; i < arm64->op_count; i++) {
        const cs_arm64_op *operand = &arm64->operands[i];
        if (operand->type != ARM64_OP_MEM || starts_with_any(mnemonic, neither)) {
            continue;
        }
        uint64_t address = value64(decoding, operand->mem.base) + (uint64_t)(int64_t)operand->mem.disp;
        if (operand->mem.index != ARM64_REG_INVALID) {
            address += extend64(operand, value64(decoding, operand->mem.index));
        }
        bool either = starts_with_any(mnemonic, both) || starts_with_any(mnemonic, atomic);
        bool store = g_str_has_prefix(mnemonic, "st");
        char base[16];
        full_name64(name_of(decoding, operand->mem.base), base);
        tcgrr_decoding_access(decoding, base, address, accessed64(decoding), either || !store, either || store);
        if (operand->mem.index != ARM64_REG_INVALID) {
            full_name64(name_of(decoding, operand->mem.index), base);
            tcgrr_decoding_index(decoding, base);
        }
    }
    /* A literal: ldr x0, #address */
    const cs_arm64_op *second = &arm64->operands[1];
    if (g_str_has_prefix(mnemonic, "ldr") && arm64->op_count == 2 && second->type == ARM64_OP_IMM) {
        tcgrr_decoding_access(decoding, NULL, (uint64_t)second->imm, accessed64(decoding), true, false);
    }
}

/* System registers have no operand that tells their name but the text. */
static void read_system64(struct tcgrr_decoding *decoding)
{
    const char *mnemonic = decoding->insn->mnemonic;
    const char *comma = strchr(decoding->insn->op_str, ',');

    if (strcmp(mnemonic, "mrs") == 0 && comma) {
        g_autofree char *name = g_ascii_strup(g_strstrip(g_strdup(comma + 1)), -1);
        bool nzcv = strcmp(name, "NZCV") == 0;
        g_autofree char *lower = g_ascii_strdown(name, -1);
        tcgrr_decoding_read(decoding, nzcv ? "cpsr" : name, TCGRR_INPUT_ALL);
        tcgrr_decoding_read(decoding, lower, TCGRR_INPUT_ALL); /* fpcr, fpsr */
        decoding->inputs->outside = strstr(name, "CNT") || strstr(name, "RNDR") || g_str_has_prefix(name, "PMCC");
    } else if (strcmp(mnemonic, "eret") == 0) {
        static const char *const names[] = {"ELR_EL1", "SPSR_EL1", "ELR_EL2", "SPSR_EL2", "ELR_EL3", "SPSR_EL3"};
        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
            tcgrr_decoding_read(decoding, names[i], TCGRR_INPUT_ALL);
        }
    }
}

static void read_numbered(struct tcgrr_decoding *decoding, const char *kinds, uint32_t number)
{
    for (; *kinds; kinds++) {
        char name[8];
        g_snprintf(name, sizeof(name), "%c%u", *kinds, number);
        tcgrr_decoding_read(decoding, name, TCGRR_INPUT_ALL);
    }
}

static void write_numbered(struct tcgrr_decoding *decoding, const char *kinds, uint32_t number)
{
    for (; *kinds; kinds++) {
        char name[8];
        g_snprintf(name, sizeof(name), "%c%u", *kinds, number);
        tcgrr_decoding_write(decoding, name);
    }
}

/* SME: its array is too large for what the gdb stub shows of a register, where it shows it at all. */
static void read_matrix(struct tcgrr_decoding *decoding, const uint32_t numbers[4])
{
    decoding->inputs->known = true;
    decoding->inputs->condition = "cpsr";
    decoding->inputs->hidden = "za";
    for (size_t i = 0; i < 4; i++) {
        read_numbered(decoding, "vz", numbers[i]);
        read_numbered(decoding, "x", 12 + (uint32_t)i);
    }
    for (uint32_t i = 0; i < 16; i++) {
        read_numbered(decoding, "p", i);
    }
    read_numbered(decoding, "x", numbers[1]);
    tcgrr_decoding_read(decoding, "svcr", TCGRR_INPUT_ALL);
    tcgrr_decoding_read(decoding, "fpcr", TCGRR_INPUT_ALL);
}

/*
 * Instructions that capstone does not know, such as those on half-precision numbers: all that stands where their group
 * of encodings has registers that are read. Known only of those that access no memory.
 */
void tcgrr_inputs_aarch64_unknown(struct tcgrr_decoding *decoding)
{
    uint32_t code;
    if (decoding->length != sizeof(code)) {
        decoding->inputs->known = false;
        return;
    }
    memcpy(&code, decoding->bytes, sizeof(code));
    code = GUINT32_FROM_LE(code);
    uint32_t numbers[] = {code & 31, code >> 5 & 31, code >> 16 & 31, code >> 10 & 31};
    unsigned group = code >> 25 & 15;
    if (group == 0 && code >> 31) {
        read_matrix(decoding, numbers);
        return;
    }
    bool vectors = (group & 7) == 7;
    bool scalable = group == 2 && !(code >> 31);
    bool general = (group & 7) == 5 || (group & 14) == 8;

    decoding->inputs->known = vectors || scalable || general;
    decoding->inputs->condition = "cpsr";
    for (size_t i = 0; i < G_N_ELEMENTS(numbers) && decoding->inputs->known; i++) {
        read_numbered(decoding, general ? "x" : "vz", numbers[i]);
    }
    for (uint32_t i = 0; i < 16 && scalable; i++) {
        read_numbered(decoding, "p", i);
    }
    if (!general) {
        read_numbered(decoding, "x", numbers[1]);
        tcgrr_decoding_read(decoding, "fpcr", TCGRR_INPUT_ALL);
    }
    write_numbered(decoding, general ? "x" : "vzx", numbers[0]);
    bool conditional = (code >> 24 & 0x5f) == 0x1e && code & 1u << 21 && code & 1u << 10; /* fccmp, fcsel */
    if (general || conditional) {
        tcgrr_decoding_read(decoding, "cpsr", 0xf0000000);
    }
}

void tcgrr_inputs_aarch64(struct tcgrr_decoding *decoding)
{
    /* Capstone 4 calls the first operand of some of these written. */
    static const char *const compares[] = {"cmp",  "cmn", "tst",  "ccm", "fcmp", "fccmp", "cbz",
                                           "cbnz", "tbz", "tbnz", "br",  "blr",  "ret",   NULL};
    /* And does not know that these keep a part of what they write. */
    static const char *const merges[] = {"movk",  "bfi",   "bfxil", "bfc",   "ins",  "mla",  "mls", "fml",   "bit",
                                         "bif",   "bsl",   "sli",   "sri",   "tbx",  "sha",  "aes", "sqdml", "sqrdml",
                                         "smlal", "smlsl", "umlal", "umlsl", "sdot", "udot", NULL};
    const cs_arm64 *arm64 = &decoding->insn->detail->arm64;
    cs_regs reads;
    cs_regs writes;
    uint8_t count = 0;
    uint8_t written = 0;

    decoding->inputs->condition = "cpsr";
    if (cs_regs_access(decoding->handle, decoding->insn, reads, &count, writes, &written) != CS_ERR_OK) {
        decoding->inputs->known = false;
        return;
    }
    bool system = strcmp(decoding->insn->mnemonic, "mrs") == 0;
    for (int i = 0; i < count && !system; i++) {
        read_name64(decoding, name_of(decoding, reads[i]));
    }
    bool compares_first = starts_with_any(decoding->insn->mnemonic, compares);
    for (int i = 0; i < written; i++) {
        char name[16];
        full_name64(name_of(decoding, writes[i]), name);
        show_vector(decoding, name);
        bool first =
            arm64->op_count > 0 && arm64->operands[0].type == ARM64_OP_REG && arm64->operands[0].reg == writes[i];
        if (!(first && compares_first)) {
            tcgrr_decoding_write(decoding, name);
        }
    }
    if (arm64->update_flags) {
        tcgrr_decoding_write(decoding, "cpsr");
    }
    if (arm64->op_count > 0 && arm64->operands[0].type == ARM64_OP_REG &&
        (starts_with_any(decoding->insn->mnemonic, compares) || starts_with_any(decoding->insn->mnemonic, merges) ||
         arm64->operands[0].vector_index >= 0)) {
        read_name64(decoding, name_of(decoding, arm64->operands[0].reg));
    }
    if (arm64->cc != ARM64_CC_INVALID && arm64->cc != ARM64_CC_AL) {
        read_name64(decoding, "nzcv");
    }
    if (strcmp(decoding->insn->mnemonic, "ret") == 0 && arm64->op_count == 0) {
        tcgrr_decoding_read(decoding, "x30", TCGRR_INPUT_ALL);
    }
    if (decoding->insn->mnemonic[0] == 'f') {
        tcgrr_decoding_read(decoding, "fpcr", TCGRR_INPUT_ALL);
    }
    read_system64(decoding);
    access64(decoding);
}

/* ---- A32 and T32 ---- */

static const char *flags_name(const struct tcgrr_decoding *decoding)
{
    return tcgrr_registers_find(decoding->registers, "xpsr") ? "xpsr" : "cpsr";
}

/* Capstone's names of some registers, and the machine's. */
static const char *plain_name32(const char *name)
{
    static const char *const other[][2] = {{"sb", "r9"}, {"sl", "r10"}, {"fp", "r11"}, {"ip", "r12"}};
    for (size_t i = 0; i < G_N_ELEMENTS(other); i++) {
        if (strcmp(name, other[i][0]) == 0) {
            return other[i][1];
        }
    }
    return name;
}

static void write_name32(struct tcgrr_decoding *decoding, const char *name)
{
    bool wide = name[0] == 'q' && g_ascii_isdigit(name[1]);
    bool narrow = name[0] == 's' && g_ascii_isdigit(name[1]);
    unsigned number = wide || narrow ? (unsigned)strtoul(name + 1, NULL, 10) : 0;

    if (g_str_has_prefix(name, "apsr") || strcmp(name, "cpsr") == 0) {
        tcgrr_decoding_write(decoding, flags_name(decoding));
        return;
    }
    if (!wide && !narrow) {
        tcgrr_decoding_write(decoding, plain_name32(name));
        return;
    }
    for (unsigned i = 0; i < (wide ? 2u : 1u); i++) {
        char made[16];
        g_snprintf(made, sizeof(made), "d%u", wide ? 2 * number + i : number / 2);
        tcgrr_decoding_write(decoding, made);
    }
}

static void read_name32(struct tcgrr_decoding *decoding, const char *name)
{
    unsigned number = name[0] != '\0' ? (unsigned)strtoul(name + 1, NULL, 10) : 0;
    char made[16];

    if (g_str_has_prefix(name, "apsr") || strcmp(name, "cpsr") == 0) {
        tcgrr_decoding_read(decoding, flags_name(decoding), 0xf80f0000);
        return;
    }
    if ((name[0] == 's' || name[0] == 'q') && g_ascii_isdigit(name[1])) {
        for (unsigned i = 0; i < (name[0] == 'q' ? 2u : 1u); i++) {
            g_snprintf(made, sizeof(made), "d%u", name[0] == 'q' ? 2 * number + i : number / 2);
            tcgrr_decoding_read(decoding, made, TCGRR_INPUT_ALL);
        }
        return;
    }
    name = plain_name32(name);
    if (strcmp(name, "pc") != 0) {
        tcgrr_decoding_read(decoding, name, TCGRR_INPUT_ALL);
    }
}

static uint64_t value32(const struct tcgrr_decoding *decoding, unsigned reg)
{
    const char *name = name_of(decoding, reg);

    if (strcmp(name, "pc") == 0) {
        bool thumb = strcmp(flags_name(decoding), "xpsr") == 0 || tcgrr_decoding_value(decoding, "cpsr") & 1 << 5;
        return (decoding->pc + (thumb ? 4 : 8)) & ~(uint64_t)3;
    }
    return tcgrr_decoding_value(decoding, plain_name32(name));
}

static unsigned accessed32(const struct tcgrr_decoding *decoding)
{
    const char *mnemonic = decoding->insn->mnemonic;
    const char *text = decoding->insn->op_str;

    if (g_str_has_prefix(mnemonic, "v")) {
        return text[0] == 's' ? 4 : text[0] == 'd' ? 8 : BLOCK_MAX;
    }
    if (g_str_has_prefix(mnemonic, "ldrd") || g_str_has_prefix(mnemonic, "strd") || strstr(mnemonic, "exd")) {
        return 8;
    }
    /* "ldrb.w", "ldrsbeq": the letter behind the stem, a condition may follow. */
    const char *rest = strlen(mnemonic) > 3 ? mnemonic + 3 : "";
    rest += g_str_has_prefix(rest, "ex") ? 2 : 0;
    rest += rest[0] == 's' && (rest[1] == 'b' || rest[1] == 'h') ? 1 : 0;
    return rest[0] == 'b' ? 1 : rest[0] == 'h' && rest[1] != 'i' && rest[1] != 's' ? 2 : 4;
}

static void access_operand32(struct tcgrr_decoding *decoding, const cs_arm_op *operand)
{
    const char *mnemonic = decoding->insn->mnemonic;
    bool store = g_str_has_prefix(mnemonic, "st") || g_str_has_prefix(mnemonic, "vst");
    uint64_t index = operand->mem.index ? value32(decoding, operand->mem.index) : 0;
    unsigned shift = operand->shift.type == ARM_SFT_LSL ? operand->shift.value : (unsigned)operand->mem.lshift;

    index <<= shift & 31;
    bool minus = operand->mem.scale < 0 || operand->subtracted;
    uint64_t address =
        value32(decoding, operand->mem.base) + (minus ? -index : index) + (uint64_t)(int64_t)operand->mem.disp;
    if (!g_str_has_prefix(mnemonic, "pl") && !g_str_has_prefix(mnemonic, "adr")) {
        tcgrr_decoding_access(decoding, name_of(decoding, operand->mem.base), address, accessed32(decoding), !store,
                              store);
        if (operand->mem.index) {
            tcgrr_decoding_index(decoding, plain_name32(name_of(decoding, operand->mem.index)));
        }
    }
}

/* Loads and stores of a list of registers. */
static void access_list32(struct tcgrr_decoding *decoding)
{
    const char *mnemonic = decoding->insn->mnemonic;
    const cs_arm *arm = &decoding->insn->detail->arm;
    bool push = g_str_has_prefix(mnemonic, "push") || g_str_has_prefix(mnemonic, "vpush");
    bool pop = g_str_has_prefix(mnemonic, "pop") || g_str_has_prefix(mnemonic, "vpop");
    bool load = g_str_has_prefix(mnemonic, "ldm") || g_str_has_prefix(mnemonic, "vldm");
    bool store = g_str_has_prefix(mnemonic, "stm") || g_str_has_prefix(mnemonic, "vstm");
    unsigned data = arm->op_count - (push || pop ? 0 : 1);
    unsigned size = data * (mnemonic[0] == 'v' && strchr(decoding->insn->op_str, 'd') ? 8 : 4);

    if (arm->op_count == 0 || !(push || pop || load || store)) {
        return;
    }
    uint64_t base = push || pop ? tcgrr_decoding_value(decoding, "sp") : value32(decoding, arm->operands[0].reg);
    if (push || strstr(mnemonic, "mdb")) {
        base -= size;
    } else if (strstr(mnemonic, "mib")) {
        base += 4;
    }
    tcgrr_decoding_access(decoding, NULL, base, size, load || pop, store || push);
}

void tcgrr_inputs_arm(struct tcgrr_decoding *decoding)
{
    const cs_arm *arm = &decoding->insn->detail->arm;
    cs_regs reads;
    cs_regs writes;
    uint8_t count = 0;
    uint8_t written = 0;

    decoding->inputs->condition = flags_name(decoding);
    if (cs_regs_access(decoding->handle, decoding->insn, reads, &count, writes, &written) != CS_ERR_OK) {
        decoding->inputs->known = false;
        return;
    }
    for (int i = 0; i < count; i++) {
        read_name32(decoding, name_of(decoding, reads[i]));
    }
    for (int i = 0; i < written; i++) {
        write_name32(decoding, name_of(decoding, writes[i]));
    }
    if (arm->update_flags) {
        tcgrr_decoding_write(decoding, flags_name(decoding));
    }
    if (arm->cc != ARM_CC_INVALID && arm->cc != ARM_CC_AL) {
        read_name32(decoding, "cpsr");
    }
    for (uint8_t i = 0; i < arm->op_count; i++) {
        if (arm->operands[i].type == ARM_OP_MEM) {
            access_operand32(decoding, &arm->operands[i]);
        }
    }
    access_list32(decoding);
    const char *mnemonic = decoding->insn->mnemonic;
    if (g_str_has_prefix(mnemonic, "mrc") || g_str_has_prefix(mnemonic, "mrrc")) {
        decoding->inputs->outside = strstr(decoding->insn->op_str, "c14") != NULL; /* the timers */
        decoding->inputs->known = decoding->inputs->outside;
    }
}
