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

/*
 * Capstone 4 gives many operands a wrong access, or none: what is read and written follows from their places instead.
 * The first operand is written and the others are read, except:
 */
static const char *const compares64[] = {"cmp",  "cmn", "tst",  "ccm", "fcmp", "fccmp", "cbz",
                                         "cbnz", "tbz", "tbnz", "br",  "blr",  "ret",   NULL};
/* these, which keep a part of what they write, or add to it, as do all whose names end with "n2"; */
static const char *const merges64[] = {
    "movk",   "bfi",     "bfxil",   "bfc",      "mla",      "mls",   "fmla",   "fmls",   "fmlal", "fmlsl",  "fcmla",
    "bit",    "bif",     "bsl",     "sli",      "sri",      "tbx",   "sha1c",  "sha1m",  "sha1p", "sha1su", "sha256",
    "sha512", "aese",    "aesd",    "sm3partw", "sm4e",     "sdot",  "udot",   "usdot",  "sudot", "saba",   "uaba",
    "sadalp", "uadalp",  "ssra",    "usra",     "srsra",    "ursra", "suqadd", "usqadd", "smlal", "smlsl",  "umlal",
    "umlsl",  "sqdmlal", "sqdmlsl", "sqrdmlah", "sqrdmlsh", "pac",   "aut",    "xpac",   NULL};
/* and these, which transfer as many vectors as they name. */
static const char *const lists64[] = {"ld1", "ld2", "ld3", "ld4", "st1", "st2", "st3", "st4", NULL};
/* Registers that these access are operands of other kinds, or none. */
static const char *const systems64[] = {"mrs", "msr", "sys", "svc", "hvc", "smc", "dc", "ic", "at", "tlbi", NULL};

static bool is_memory64(const cs_arm64 *arm64)
{
    for (uint8_t i = 0; i < arm64->op_count; i++) {
        if (arm64->operands[i].type == ARM64_OP_MEM) {
            return true;
        }
    }
    return false;
}

static void write_name64(struct tcgrr_decoding *decoding, const char *short_name)
{
    char name[16];

    full_name64(short_name, name);
    show_vector(decoding, name);
    tcgrr_decoding_write(decoding, name);
}

/* Whether an instruction that accesses no memory takes in what its first operand contains. */
static bool keeps_first64(const struct tcgrr_decoding *decoding)
{
    const char *mnemonic = decoding->insn->mnemonic;
    const cs_arm64 *arm64 = &decoding->insn->detail->arm64;
    bool bits = arm64->op_count == 2 && arm64->operands[1].type == ARM64_OP_IMM &&
                (strcmp(mnemonic, "bic") == 0 || strcmp(mnemonic, "orr") == 0); /* of a vector */

    return bits || arm64->operands[0].vector_index >= 0 || starts_with_any(mnemonic, compares64) ||
           starts_with_any(mnemonic, merges64) || (g_str_has_suffix(mnemonic, "n2") && strcmp(mnemonic, "trn2") != 0);
}

static void access_plain64(struct tcgrr_decoding *decoding)
{
    const cs_arm64 *arm64 = &decoding->insn->detail->arm64;

    for (uint8_t i = 0; i < arm64->op_count; i++) {
        if (arm64->operands[i].type != ARM64_OP_REG) {
            continue;
        }
        if (i > 0 || keeps_first64(decoding)) {
            read_name64(decoding, name_of(decoding, arm64->operands[i].reg));
        }
        if (i == 0 && !starts_with_any(decoding->insn->mnemonic, compares64)) {
            write_name64(decoding, name_of(decoding, arm64->operands[i].reg));
        }
    }
}

/* Vectors before the address, and possibly a register that is added to it afterwards. */
static void access_list64(struct tcgrr_decoding *decoding)
{
    const cs_arm64 *arm64 = &decoding->insn->detail->arm64;
    const char *braces = strchr(decoding->insn->op_str, '}');
    bool lane = braces && braces[1] == '[';
    bool load = decoding->insn->mnemonic[0] == 'l';
    bool before = true;

    for (uint8_t i = 0; i < arm64->op_count; i++) {
        const cs_arm64_op *operand = &arm64->operands[i];
        if (operand->type == ARM64_OP_MEM) {
            read_name64(decoding, name_of(decoding, operand->mem.base));
            if (arm64->writeback) {
                write_name64(decoding, name_of(decoding, operand->mem.base));
            }
            before = false;
        } else if (operand->type == ARM64_OP_REG) {
            if (!before || !load || lane) {
                read_name64(decoding, name_of(decoding, operand->reg));
            }
            if (before && load) {
                write_name64(decoding, name_of(decoding, operand->reg));
            }
        }
    }
}

/* What capstone reports, which is right of other accesses to memory, and of registers that are no operands. */
static void access_reported64(struct tcgrr_decoding *decoding, bool operands)
{
    const cs_insn *insn = decoding->insn;
    cs_regs reads;
    cs_regs writes;
    uint8_t count = 0;
    uint8_t written = 0;

    if (cs_regs_access(decoding->handle, insn, reads, &count, writes, &written) != CS_ERR_OK) {
        decoding->inputs->known = false;
        return;
    }
    for (int i = 0; i < count; i++) {
        if (operands || cs_reg_read(decoding->handle, insn, reads[i])) {
            read_name64(decoding, name_of(decoding, reads[i]));
        }
    }
    for (int i = 0; i < written; i++) {
        if (operands || cs_reg_write(decoding->handle, insn, writes[i])) {
            write_name64(decoding, name_of(decoding, writes[i]));
        }
    }
}

static void access_system64(struct tcgrr_decoding *decoding)
{
    const char *mnemonic = decoding->insn->mnemonic;
    const cs_arm64 *arm64 = &decoding->insn->detail->arm64;
    bool written = strcmp(mnemonic, "mrs") == 0 || strcmp(mnemonic, "sysl") == 0;

    for (uint8_t i = 0; i < arm64->op_count; i++) {
        const char *name = arm64->operands[i].type == ARM64_OP_REG ? name_of(decoding, arm64->operands[i].reg) : NULL;
        if (name && written) {
            write_name64(decoding, name);
        } else if (name) {
            read_name64(decoding, name);
        }
    }
}

/* Pointer authentication is encoded as hints, which older CPUs ignore, and capstone knows only as these. */
static void access_hint64(struct tcgrr_decoding *decoding)
{
    uint64_t hint = (uint64_t)decoding->insn->detail->arm64.operands[0].imm;
    bool link = hint == 7 || (hint >= 24 && hint <= 31);
    bool pair = hint == 8 || hint == 10 || hint == 12 || hint == 14;

    if (link || pair) {
        read_name64(decoding, link ? "x30" : "x17");
        read_name64(decoding, link ? "sp" : "x16");
        write_name64(decoding, link ? "x30" : "x17");
    }
}

static void access_registers64(struct tcgrr_decoding *decoding)
{
    const char *mnemonic = decoding->insn->mnemonic;
    bool list = starts_with_any(mnemonic, lists64);
    bool memory = is_memory64(&decoding->insn->detail->arm64);

    if (starts_with_any(mnemonic, systems64)) {
        access_system64(decoding);
        return;
    }
    access_reported64(decoding, memory && !list);
    if (strcmp(mnemonic, "hint") == 0) {
        access_hint64(decoding);
    } else if (list) {
        access_list64(decoding);
    } else if (!memory) {
        access_plain64(decoding);
    }
}

void tcgrr_insn_inputs_aarch64(struct tcgrr_decoding *decoding)
{
    const cs_arm64 *arm64 = &decoding->insn->detail->arm64;

    decoding->inputs->condition = "cpsr";
    access_registers64(decoding);
    if (arm64->update_flags) {
        tcgrr_decoding_write(decoding, "cpsr");
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
    bool half = g_str_has_prefix(mnemonic, "vcvt") && strchr("bt", mnemonic[4]) && strstr(mnemonic, ".f16.f");
    return half || starts_with_any(mnemonic, prefixes);
}

/* Of Thumb's, capstone reports the register that they store as written. */
static bool stores_unprivileged32(const char *mnemonic)
{
    return g_str_has_prefix(mnemonic, "strbt") || g_str_has_prefix(mnemonic, "strht");
}

/* Loads two registers, to which capstone gives no access. */
static bool loads_pair32(const char *mnemonic)
{
    return g_str_has_prefix(mnemonic, "ldrexd") || g_str_has_prefix(mnemonic, "ldaexd");
}

/* Those whose operands in braces are all loaded, or all stored. */
enum transfer { SINGLE, LOAD_LIST, STORE_LIST };

static enum transfer transfer_of(const char *mnemonic)
{
    static const char *const loads[] = {"ldm", "pop", "vldm", "vpop", "fldm", "vld", "fld", NULL};
    static const char *const stores[] = {"stm", "push", "vstm", "vpush", "fstm", "vst", "fst", NULL};

    return starts_with_any(mnemonic, loads) ? LOAD_LIST : starts_with_any(mnemonic, stores) ? STORE_LIST : SINGLE;
}

/* The register with the address, which may be written back; NULL: none is an operand. */
static const char *base32(const struct tcgrr_decoding *decoding)
{
    const char *mnemonic = decoding->insn->mnemonic;
    const cs_arm *arm = &decoding->insn->detail->arm;

    for (uint8_t i = 0; i < arm->op_count; i++) {
        if (arm->operands[i].type == ARM_OP_MEM) {
            return name_of(decoding, arm->operands[i].mem.base);
        }
    }
    if (strstr(mnemonic, "push") || strstr(mnemonic, "pop")) {
        return "sp";
    }
    bool multiple = transfer_of(mnemonic) != SINGLE && arm->op_count > 0 && arm->operands[0].type == ARM_OP_REG;
    return multiple ? name_of(decoding, arm->operands[0].reg) : NULL;
}

/* Capstone's flag for that is not set for all of them, its text always is right. */
static bool writes_back32(const struct tcgrr_decoding *decoding)
{
    const char *mnemonic = decoding->insn->mnemonic;
    const char *text = decoding->insn->op_str;

    const char *after = strrchr(text, ']');
    bool post = after && after[1] == ',' && !strchr(after, '{'); /* in braces: an option of a coprocessor's */

    return strchr(text, '!') || post || strstr(mnemonic, "push") || strstr(mnemonic, "pop");
}

/* Operands with a list of registers: before an address, or after the register with it. */
static bool in_list32(const struct tcgrr_decoding *decoding, uint8_t index)
{
    const cs_arm *arm = &decoding->insn->detail->arm;
    const char *brace = strchr(decoding->insn->op_str, '{');
    bool first = brace == decoding->insn->op_str; /* not ldm's, whose base is before it */

    for (uint8_t i = 0; i < index; i++) {
        if (arm->operands[i].type == ARM_OP_MEM) {
            return false;
        }
    }
    return arm->operands[index].type == ARM_OP_REG && (!brace || first || index > 0);
}

static void access_list32(struct tcgrr_decoding *decoding, enum transfer transfer)
{
    const cs_arm *arm = &decoding->insn->detail->arm;
    const char *lane = strchr(decoding->insn->op_str, '['), *brace = strchr(decoding->insn->op_str, '}');
    bool keeps = lane && brace && lane < brace && lane[1] != ']'; /* the other elements */

    for (uint8_t i = 0; i < arm->op_count; i++) {
        if (arm->operands[i].type != ARM_OP_REG) {
            continue;
        }
        bool listed = in_list32(decoding, i);
        const char *name = name_of(decoding, arm->operands[i].reg);
        if (!listed || transfer == STORE_LIST || keeps) {
            read_name32(decoding, name);
        }
        if (listed && transfer == LOAD_LIST) {
            write_name32(decoding, name);
        }
    }
}

/*
 * What capstone leaves open: it gives some operands no access (ssat's, bx's), and some of them the wrong one. Nor does
 * it count a register that says how far another one is shifted.
 */
static void access_operands32(struct tcgrr_decoding *decoding)
{
    const char *mnemonic = decoding->insn->mnemonic;
    const cs_arm *arm = &decoding->insn->detail->arm;

    for (uint8_t i = 0; i < arm->op_count; i++) {
        const cs_arm_op *operand = &arm->operands[i];
        if (operand->type == ARM_OP_SYSREG && strcmp(mnemonic, "mrs") == 0) {
            decoding->inputs->hidden = "a system register";
        }
        if (operand->shift.type == ARM_SFT_RRX || operand->shift.type == ARM_SFT_RRX_REG) {
            tcgrr_decoding_read(decoding, flags_name(decoding), PSR_CARRY);
        }
        if (operand->shift.type >= ARM_SFT_ASR_REG && operand->shift.type < ARM_SFT_RRX_REG) {
            read_name32(decoding, name_of(decoding, operand->shift.value));
        }
        bool moved_to = i == 0 && (strcmp(mnemonic, "vmrs") == 0 || strcmp(mnemonic, "vmsr") == 0);
        bool reported = operand->access != 0 && !keeps_first32(mnemonic) && !stores_unprivileged32(mnemonic);
        if (operand->type != ARM_OP_REG || moved_to || reported) {
            continue;
        }
        if (loads_pair32(mnemonic) && i < 2) {
            write_name32(decoding, name_of(decoding, operand->reg));
        } else {
            read_name32(decoding, name_of(decoding, operand->reg));
        }
    }
}

/* From a coprocessor's registers to the core's. */
static void access_coprocessor32(struct tcgrr_decoding *decoding)
{
    const cs_arm *arm = &decoding->insn->detail->arm;

    for (uint8_t i = 0; i < arm->op_count; i++) {
        if (arm->operands[i].type == ARM_OP_REG) {
            write_name32(decoding, name_of(decoding, arm->operands[i].reg));
        }
    }
    decoding->inputs->outside = strstr(decoding->insn->op_str, "c14") != NULL; /* the timers */
    decoding->inputs->known = decoding->inputs->outside;
}

static void access_registers32(struct tcgrr_decoding *decoding)
{
    const char *mnemonic = decoding->insn->mnemonic;
    enum transfer transfer = transfer_of(mnemonic);
    cs_regs reads;
    cs_regs writes;
    uint8_t count = 0;
    uint8_t written = 0;

    if (cs_regs_access(decoding->handle, decoding->insn, reads, &count, writes, &written) != CS_ERR_OK) {
        decoding->inputs->known = false;
        return;
    }
    for (int i = 0; i < count; i++) {
        if (transfer == SINGLE || cs_reg_read(decoding->handle, decoding->insn, reads[i])) {
            read_name32(decoding, name_of(decoding, reads[i]));
        }
    }
    for (int i = 0; i < written && !stores_unprivileged32(mnemonic); i++) {
        if (transfer == SINGLE || cs_reg_write(decoding->handle, decoding->insn, writes[i])) {
            write_name32(decoding, name_of(decoding, writes[i]));
        }
    }
    const char *base = base32(decoding);
    if (base) {
        read_name32(decoding, base);
    }
    if (base && writes_back32(decoding)) {
        write_name32(decoding, base);
    }
    if (transfer == SINGLE) {
        access_operands32(decoding);
    } else {
        access_list32(decoding, transfer);
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
    static const char *const from_coprocessor[] = {"mrc", "mrrc", NULL};
    /* What is newer than capstone 4 in the floating-point unit, it takes for a coprocessor's; rfe has no operands. */
    static const char *const unknown[] = {"ldc", "stc", "cdp", "rfe", "srs", NULL};
    const cs_arm *arm = &decoding->insn->detail->arm;
    const char *mnemonic = decoding->insn->mnemonic;

    decoding->inputs->condition = flags_name(decoding);
    if (starts_with_any(mnemonic, from_coprocessor)) {
        access_coprocessor32(decoding);
    } else if (starts_with_any(mnemonic, unknown) || g_str_has_prefix(decoding->insn->op_str, "p9, ")) {
        decoding->inputs->known = false;
    } else {
        access_registers32(decoding);
    }
    if (arm->update_flags) {
        tcgrr_decoding_write(decoding, flags_name(decoding));
    }
    if (arm->cc != ARM_CC_INVALID && arm->cc != ARM_CC_AL) {
        read_name32(decoding, "cpsr");
    }
    read_implicit32(decoding);
    for (uint8_t i = 0; i < arm->op_count; i++) {
        if (arm->operands[i].type == ARM_OP_MEM) {
            tcgrr_decoding_base(decoding, plain_name32(name_of(decoding, arm->operands[i].mem.base)));
            tcgrr_decoding_base(decoding, plain_name32(name_of(decoding, arm->operands[i].mem.index)));
        }
    }
}
