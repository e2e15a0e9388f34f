/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Both instruction sets of Arm. */
#include "replay/cause/inputs_internal.h"

#include <stdlib.h>
#include <string.h>

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
    if (name[0] == 'v' && !tcgrr_register_layout_find(decoding->registers, name)) {
        name[0] = 'z';
    }
}

static void read_name64(struct tcgrr_decoding *decoding, const char *short_name)
{
    char name[16];
    full_name64(short_name, name);
    if (strcmp(name, "xzr") == 0) {
        return;
    }
    show_vector(decoding, name);
    decoding->inputs->unseen |= *name && !tcgrr_register_layout_find(decoding->registers, name);
    tcgrr_decoding_read(decoding, name, strcmp(name, "cpsr") == 0 ? 0xf0000000 : TCGRR_INPUT_ALL);
}

static void note_memory64(struct tcgrr_decoding *decoding)
{
    const char *mnemonic = decoding->insn->mnemonic;
    const cs_arm64 *arm64 = &decoding->insn->detail->arm64;

    for (uint8_t i = 0; i < arm64->op_count; i++) {
        const cs_arm64_op *operand = &arm64->operands[i];
        if (operand->type != ARM64_OP_MEM) {
            continue;
        }
        const unsigned parts[] = {operand->mem.base, operand->mem.index};
        for (size_t k = 0; k < G_N_ELEMENTS(parts); k++) {
            char name[16];
            full_name64(name_of(decoding, parts[k]), name);
            tcgrr_decoding_base(decoding, name);
        }
        decoding->inputs->loads |= g_str_has_prefix(mnemonic, "ld");
    }
}

/* System registers have no operand with their name, only the text. */
static void read_system64(struct tcgrr_decoding *decoding)
{
    const char *mnemonic = decoding->insn->mnemonic;
    const char *comma = strchr(decoding->insn->op_str, ',');

    if (strcmp(mnemonic, "mrs") == 0 && comma) {
        g_autofree char *operand = g_strstrip(g_strdup(comma + 1));
        g_autofree char *name = g_ascii_strup(operand, -1);
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

/* SME: the ZA array is larger than the gdb stub shows of a register, if it shows it at all. */
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
void tcgrr_insn_inputs_aarch64_unknown(struct tcgrr_decoding *decoding)
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

void tcgrr_insn_inputs_aarch64(struct tcgrr_decoding *decoding)
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
    note_memory64(decoding);
}

/* ---- A32 and T32 ---- */

#define PSR_FLAGS   0xf80f0000 /* NZCVQ, GE */
#define PSR_CARRY   0x20000000
#define PSR_GE      0x000f0000
#define PSR_IT      0x0600fc00 /* not zero inside an IT block */
#define FPSCR_FLAGS 0xf0000000
#define FPSCR_MODES 0x07ff9f00 /* how is computed, and what traps */

static const char *flags_name(const struct tcgrr_decoding *decoding)
{
    return tcgrr_register_layout_find(decoding->registers, "xpsr") ? "xpsr" : "cpsr";
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
    if (strcmp(name, "fpscr_nzcv") == 0) {
        tcgrr_decoding_write(decoding, "fpscr");
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
        bool whole = strcmp(decoding->insn->mnemonic, "mrs") == 0;
        tcgrr_decoding_read(decoding, flags_name(decoding), whole ? TCGRR_INPUT_ALL : PSR_FLAGS);
        return;
    }
    if (strcmp(name, "fpscr_nzcv") == 0) {
        tcgrr_decoding_read(decoding, "fpscr", FPSCR_FLAGS);
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

/* Instructions whose first operands, which they write, are taken in as well, without capstone saying so. */
static bool keeps_first32(const char *mnemonic)
{
    static const char *const prefixes[] = {"umlal", "smlal", "umaal", "smlsld", "vtrn", "vzip", "vuzp", "vswp", NULL};
    return starts_with_any(mnemonic, prefixes);
}

/* What capstone leaves open: it gives some operands no access (vstm's, ssat's, bx's), and some of them the wrong one.
 */
static void read_operands32(struct tcgrr_decoding *decoding)
{
    static const char *const loads[] = {"vld", "fld", NULL};
    const char *mnemonic = decoding->insn->mnemonic;
    const cs_arm *arm = &decoding->insn->detail->arm;
    bool load = starts_with_any(mnemonic, loads);

    for (uint8_t i = 0; i < arm->op_count; i++) {
        const cs_arm_op *operand = &arm->operands[i];
        if (operand->type == ARM_OP_SYSREG && strcmp(mnemonic, "mrs") == 0) {
            decoding->inputs->hidden = "a system register";
        }
        if (operand->shift.type == ARM_SFT_RRX || operand->shift.type == ARM_SFT_RRX_REG) {
            tcgrr_decoding_read(decoding, flags_name(decoding), PSR_CARRY);
        }
        bool moved_to = i == 0 && (strcmp(mnemonic, "vmrs") == 0 || strcmp(mnemonic, "vmsr") == 0);
        if (operand->type != ARM_OP_REG || moved_to || (operand->access != 0 && !keeps_first32(mnemonic))) {
            continue;
        }
        if (load) {
            write_name32(decoding, name_of(decoding, operand->reg));
        } else {
            read_name32(decoding, name_of(decoding, operand->reg));
        }
    }
}

/* State that is not among the operands. */
static void read_implicit32(struct tcgrr_decoding *decoding)
{
    const char *mnemonic = decoding->insn->mnemonic;

    if (g_str_has_prefix(mnemonic, "rrx")) {
        tcgrr_decoding_read(decoding, flags_name(decoding), PSR_CARRY);
    } else if (g_str_has_prefix(mnemonic, "sel")) {
        tcgrr_decoding_read(decoding, flags_name(decoding), PSR_GE);
    }
    /* Alone, an instruction does not show that it is in an IT block, and has a condition. */
    if (tcgrr_decoding_value(decoding, flags_name(decoding)) & PSR_IT) {
        tcgrr_decoding_read(decoding, flags_name(decoding), PSR_FLAGS | PSR_IT);
    }
    if (mnemonic[0] == 'v' && (strstr(mnemonic, ".f16") || strstr(mnemonic, ".f32") || strstr(mnemonic, ".f64"))) {
        tcgrr_decoding_read(decoding, "fpscr", FPSCR_MODES);
    }
}

void tcgrr_insn_inputs_arm(struct tcgrr_decoding *decoding)
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
    read_operands32(decoding);
    read_implicit32(decoding);
    for (uint8_t i = 0; i < arm->op_count; i++) {
        if (arm->operands[i].type == ARM_OP_MEM) {
            tcgrr_decoding_base(decoding, plain_name32(name_of(decoding, arm->operands[i].mem.base)));
            tcgrr_decoding_base(decoding, plain_name32(name_of(decoding, arm->operands[i].mem.index)));
        }
    }
    const char *mnemonic = decoding->insn->mnemonic;
    if (g_str_has_prefix(mnemonic, "mrc") || g_str_has_prefix(mnemonic, "mrrc")) {
        decoding->inputs->outside = strstr(decoding->insn->op_str, "c14") != NULL; /* the timers */
        decoding->inputs->known = decoding->inputs->outside;
    }
}
