/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/isa/disasm_internal.h"

#include "store/isa/capstone_mode.h"
#include "store/isa/llvm/llvm.h"

#include <string.h>

#define MAX_MODES 4

/* Sizes of the areas around a block whose code is likely to run in the same mode, the most telling first. */
static const unsigned area_bits[] = {12, 16, 20, 24};

/* What code shows about its mode, as bits: a page may show both. */
enum evidence { WIDE = 1, NARROW = 2 }; /* x86: 64 bits, fewer; arm: Thumb, A32 */

struct mode {
    enum tcgrr_capstone_mode mode;
    uint8_t evidence; /* the evidence that speaks for it */
};

static const struct target {
    const char *name;
    enum tcgrr_family family;
    struct mode modes[MAX_MODES]; /* in the order in which they are tried; NONE ends them */
} targets[] = {
    {"aarch64", TCGRR_FAMILY_AARCH64, {{TCGRR_MODE_A64, 0}}},
    {"arm", TCGRR_FAMILY_ARM, {{TCGRR_MODE_T32, WIDE}, {TCGRR_MODE_T32_M, WIDE}, {TCGRR_MODE_A32, NARROW}}},
    {"riscv64", TCGRR_FAMILY_RISCV, {{TCGRR_MODE_RV64, 0}}},
    {"riscv32", TCGRR_FAMILY_RISCV, {{TCGRR_MODE_RV32, 0}}},
    {"x86_64", TCGRR_FAMILY_X86, {{TCGRR_MODE_X86_64, WIDE}, {TCGRR_MODE_X86_32, NARROW}, {TCGRR_MODE_X86_16, NARROW}}},
    {"i386", TCGRR_FAMILY_X86, {{TCGRR_MODE_X86_32, NARROW}, {TCGRR_MODE_X86_16, NARROW}}},
    {"", TCGRR_FAMILY_OTHER, {{TCGRR_MODE_NONE, 0}}},
};

struct tcgrr_disasm {
    const struct target *target;
    int modes;
    csh handles[MAX_MODES];
    cs_insn *insn;
    struct tcgrr_llvm *llvm[MAX_MODES]; /* of a mode's code, opened when capstone does not know something */
    bool llvm_tried[MAX_MODES];
    char *name;        /* QEMU's of the target */
    cs_insn *details;  /* the same with operands and groups; NULL before they are asked for */
    GHashTable *areas; /* key of an area → enum evidence, both bits where it has both */
    uint8_t anywhere;  /* evidence of all areas together */
    uint32_t surveyed; /* blocks */
};

static const struct target *find_target(const char *name)
{
    const struct target *found = targets;
    while (found->family != TCGRR_FAMILY_OTHER && g_strcmp0(found->name, name) != 0) {
        found++;
    }
    return found;
}

bool tcgrr_disasm_knows(const char *target)
{
    return tcgrr_capstone_knows(find_target(target)->modes[0].mode);
}

struct tcgrr_disasm *tcgrr_disasm_new(const char *name)
{
    struct tcgrr_disasm *disasm = g_new0(struct tcgrr_disasm, 1);
    const struct target *found = find_target(name);

    disasm->target = found;
    disasm->name = g_strdup(name ? name : "");
    disasm->areas = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    while (tcgrr_capstone_open(found->modes[disasm->modes].mode, &disasm->handles[disasm->modes])) {
        disasm->modes++;
    }
    if (disasm->modes > 0) {
        disasm->insn = cs_malloc(disasm->handles[0]);
        if (!disasm->insn) {
            g_error("out of memory for capstone");
        }
    }
    return disasm;
}

void tcgrr_disasm_free(struct tcgrr_disasm *disasm)
{
    if (!disasm) {
        return;
    }
    if (disasm->insn) {
        cs_free(disasm->insn, 1);
    }
    if (disasm->details) {
        cs_free(disasm->details, 1);
    }
    for (int i = 0; i < disasm->modes; i++) {
        cs_close(&disasm->handles[i]);
    }
    for (int i = 0; i < MAX_MODES; i++) {
        tcgrr_llvm_free(disasm->llvm[i]);
    }
    g_free(disasm->name);
    g_hash_table_unref(disasm->areas);
    g_free(disasm);
}

/* ---- modes ---- */

static bool is_x86_prefix(uint8_t byte)
{
    return byte == 0x66 || byte == 0x67 || byte == 0xf0 || byte == 0xf2 || byte == 0xf3 || (byte & 0xe7) == 0x26 ||
           byte == 0x64 || byte == 0x65;
}

/* 0x40 to 0x4f are prefixes in 64-bit mode and whole instructions elsewhere. */
static unsigned x86_evidence(const struct tcgrr_block *block)
{
    const uint8_t *bytes = block->bytes;
    unsigned evidence = 0;

    for (uint32_t i = 0; i < block->insns; bytes += block->lengths[i++]) {
        uint8_t at = 0;
        while (at + 1 < block->lengths[i] && is_x86_prefix(bytes[at])) {
            at++;
        }
        if (block->lengths[i] > at && (bytes[at] & 0xf0) == 0x40) {
            evidence |= block->lengths[i] > at + 1 ? WIDE : NARROW;
        }
    }
    return evidence;
}

/* A 2-byte instruction or an odd half-word is Thumb; so is a block of which each first half-word starts a long one. */
static unsigned arm_evidence(const struct tcgrr_block *block)
{
    const uint8_t *bytes = block->bytes;
    bool long_ones = true;

    if (block->pc & 2) {
        return WIDE;
    }
    for (uint32_t i = 0; i < block->insns; bytes += block->lengths[i++]) {
        if (block->lengths[i] == 2) {
            return WIDE;
        }
        long_ones = long_ones && block->lengths[i] == 4 && bytes[1] >= 0xe8;
    }
    return long_ones ? 0 : NARROW;
}

static unsigned evidence_of(const struct tcgrr_disasm *disasm, const struct tcgrr_block *block)
{
    switch (disasm->target->family) {
    case TCGRR_FAMILY_X86:
        return x86_evidence(block);
    case TCGRR_FAMILY_ARM:
        return arm_evidence(block);
    default:
        return 0;
    }
}

/* Speaks for one side only. */
static bool is_clear(unsigned evidence)
{
    return evidence == WIDE || evidence == NARROW;
}

bool tcgrr_disasm_wants_survey(const struct tcgrr_disasm *disasm)
{
    return disasm->target->family == TCGRR_FAMILY_X86 || disasm->target->family == TCGRR_FAMILY_ARM;
}

static gint64 area_key(uint64_t pc, size_t size)
{
    return (gint64)((pc >> area_bits[size]) ^ ((uint64_t)(size + 1) << 60));
}

static void add_evidence(struct tcgrr_disasm *disasm, uint64_t pc, unsigned evidence)
{
    for (size_t i = 0; i < G_N_ELEMENTS(area_bits); i++) {
        gint64 key = area_key(pc, i);
        unsigned before = GPOINTER_TO_UINT(g_hash_table_lookup(disasm->areas, &key));
        if (!(before & evidence)) {
            g_hash_table_replace(disasm->areas, g_memdup2(&key, sizeof(key)), GUINT_TO_POINTER(before | evidence));
        }
    }
    disasm->anywhere |= (uint8_t)evidence;
}

void tcgrr_disasm_survey(struct tcgrr_disasm *disasm, const struct tcgrr_blocks *blocks, uint32_t count)
{
    for (; tcgrr_disasm_wants_survey(disasm) && disasm->surveyed < count; disasm->surveyed++) {
        const struct tcgrr_block *block = tcgrr_blocks_get(blocks, disasm->surveyed);
        unsigned evidence = evidence_of(disasm, block);
        if (is_clear(evidence)) {
            add_evidence(disasm, block->pc, evidence);
        }
    }
}

/* The preferred modes for this block: from its own code, else from the surrounding code; 0 if neither shows one. */
static unsigned preferred(const struct tcgrr_disasm *disasm, const struct tcgrr_block *block)
{
    unsigned evidence = evidence_of(disasm, block);
    for (size_t i = 0; !is_clear(evidence) && i < G_N_ELEMENTS(area_bits); i++) {
        gint64 key = area_key(block->pc, i);
        evidence = GPOINTER_TO_UINT(g_hash_table_lookup(disasm->areas, &key));
    }
    return is_clear(evidence) ? evidence : is_clear(disasm->anywhere) ? disasm->anywhere : 0;
}

/* ---- text ---- */

static bool decode(struct tcgrr_disasm *disasm, int mode, uint64_t pc, const uint8_t *bytes, uint8_t length)
{
    size_t left = length;
    return cs_disasm_iter(disasm->handles[mode], &bytes, &left, &pc, disasm->insn) && left == 0;
}

static uint32_t matches(struct tcgrr_disasm *disasm, int mode, const struct tcgrr_block *block)
{
    const uint8_t *bytes = block->bytes;
    uint64_t pc = block->pc;
    uint32_t good = 0;

    for (uint32_t i = 0; i < block->insns; i++) {
        good += decode(disasm, mode, pc, bytes, block->lengths[i]);
        bytes += block->lengths[i];
        pc += block->lengths[i];
    }
    return good;
}

/* The first mode that fits all instructions, those the evidence speaks for before the others; else the one that fits
 * most. */
static int choose_mode(struct tcgrr_disasm *disasm, const struct tcgrr_block *block)
{
    unsigned wanted = preferred(disasm, block);
    int best = 0;
    uint32_t most = 0;

    for (int pass = 0; pass < 2 && disasm->modes > 1; pass++) {
        for (int mode = 0; mode < disasm->modes; mode++) {
            bool first = !wanted || disasm->target->modes[mode].evidence == wanted;
            if (first != (pass == 0)) {
                continue;
            }
            uint32_t good = matches(disasm, mode, block);
            if (good > most) {
                most = good;
                best = mode;
            }
            if (good == block->insns) {
                return mode;
            }
        }
    }
    return best;
}

/* ---- LLVM ---- */

/* Which code LLVM is to take it for: capstone's mode, or else the target's, on ppc64 in either order of bytes. */
static const char *llvm_code(const struct tcgrr_disasm *disasm, int mode)
{
    switch (disasm->target->modes[mode].mode) {
    case TCGRR_MODE_T32:
        return "thumb";
    case TCGRR_MODE_T32_M:
        return "thumb_m";
    case TCGRR_MODE_X86_32:
        return "i386";
    case TCGRR_MODE_X86_16:
        return "x86_16";
    default:
        return mode == 0 || disasm->modes > 0 ? disasm->name : strcmp(disasm->name, "ppc64") == 0 ? "ppc64le" : "";
    }
}

static bool ask_llvm(struct tcgrr_disasm *disasm, int mode, uint64_t pc, const uint8_t *bytes, uint8_t length,
                     struct tcgrr_llvm_insn *insn)
{
    if (!disasm->llvm_tried[mode]) {
        disasm->llvm_tried[mode] = true;
        disasm->llvm[mode] = tcgrr_llvm_new(llvm_code(disasm, mode));
    }
    return length > 0 && tcgrr_llvm_decode(disasm->llvm[mode], pc, bytes, length, insn, NULL, NULL);
}

static uint32_t llvm_matches(struct tcgrr_disasm *disasm, int mode, const struct tcgrr_block *block)
{
    struct tcgrr_llvm_insn insn;
    uint32_t offset = 0;
    uint32_t good = 0;

    for (uint32_t i = 0; i < block->insns; offset += block->lengths[i++]) {
        good += ask_llvm(disasm, mode, block->pc + offset, block->bytes + offset, block->lengths[i], &insn);
    }
    return good;
}

/* The mode in which LLVM is asked about a block. */
static int llvm_mode(struct tcgrr_disasm *disasm, const struct tcgrr_block *block)
{
    if (disasm->modes > 0) {
        return choose_mode(disasm, block);
    }
    bool either = strcmp(disasm->name, "ppc64") == 0;
    return either && llvm_matches(disasm, 1, block) > llvm_matches(disasm, 0, block) ? 1 : 0;
}

static char *as_bytes(const struct tcgrr_disasm *disasm, const uint8_t *bytes, uint8_t length)
{
    enum tcgrr_family family = disasm->target->family;
    if ((family == TCGRR_FAMILY_AARCH64 || family == TCGRR_FAMILY_ARM || family == TCGRR_FAMILY_RISCV) && length == 4) {
        return g_strdup_printf(".4byte 0x%02x%02x%02x%02x", bytes[3], bytes[2], bytes[1], bytes[0]);
    }
    if ((family == TCGRR_FAMILY_ARM || family == TCGRR_FAMILY_RISCV) && length == 2) {
        return g_strdup_printf(".2byte 0x%02x%02x", bytes[1], bytes[0]);
    }
    GString *text = g_string_new(".byte");
    for (uint8_t i = 0; i < length; i++) {
        g_string_append_printf(text, "%s0x%02x", i ? ", " : " ", bytes[i]);
    }
    return g_string_free(text, FALSE);
}

static char *as_text(struct tcgrr_disasm *disasm, int mode, uint64_t pc, const uint8_t *bytes, uint8_t length)
{
    bool good = disasm->modes > 0 && decode(disasm, mode, pc, bytes, length);
    /* One Arm handle does not know all system registers: those of other profiles are tried, where lengths cannot
     * mislead. */
    for (int other = 0; !good && disasm->target->family == TCGRR_FAMILY_ARM && other < disasm->modes; other++) {
        good = disasm->target->modes[other].evidence == disasm->target->modes[mode].evidence &&
               decode(disasm, other, pc, bytes, length);
    }
    struct tcgrr_llvm_insn other;
    if (!good) {
        return ask_llvm(disasm, mode, pc, bytes, length, &other) ? g_strdup(other.text)
                                                                 : as_bytes(disasm, bytes, length);
    }
    return disasm->insn->op_str[0] ? g_strconcat(disasm->insn->mnemonic, " ", disasm->insn->op_str, NULL)
                                   : g_strstrip(g_strdup(disasm->insn->mnemonic));
}

/* What QEMU said, and LLVM's words or bytes where it did not know the instruction: then it gives a number at most. */
static char **lines_of(struct tcgrr_disasm *disasm, const struct tcgrr_block *block)
{
    char **texts = g_strsplit(block->text, "\n", -1); /* as many as instructions */
    uint32_t offset = 0;

    for (uint32_t i = 0; i < block->insns; offset += block->lengths[i++]) {
        struct tcgrr_llvm_insn insn;
        const uint8_t *bytes = block->bytes + offset;
        if (g_ascii_isalpha(*texts[i])) {
            continue;
        }
        bool known = ask_llvm(disasm, llvm_mode(disasm, block), block->pc + offset, bytes, block->lengths[i], &insn);
        if (known || !*texts[i]) {
            g_free(texts[i]);
            texts[i] = known ? g_strdup(insn.text) : as_bytes(disasm, bytes, block->lengths[i]);
        }
    }
    return texts;
}

char **tcgrr_disasm_block(struct tcgrr_disasm *disasm, const struct tcgrr_block *block)
{
    if (disasm->modes == 0 && block->text) {
        return lines_of(disasm, block);
    }
    char **texts = g_new(char *, block->insns + 1);
    int mode = llvm_mode(disasm, block);
    const uint8_t *bytes = block->bytes;
    uint64_t pc = block->pc;

    for (uint32_t i = 0; i < block->insns; i++) {
        texts[i] = as_text(disasm, mode, pc, bytes, block->lengths[i]);
        bytes += block->lengths[i];
        pc += block->lengths[i];
    }
    texts[block->insns] = NULL;
    return texts;
}

/* ---- details ---- */

enum tcgrr_family tcgrr_disasm_family(const struct tcgrr_disasm *disasm)
{
    return disasm->target->family;
}

void tcgrr_disasm_each(struct tcgrr_disasm *disasm, const struct tcgrr_block *block,
                       void (*visit)(uint32_t index, const cs_insn *insn, void *data), void *data)
{
    int mode = choose_mode(disasm, block);
    csh handle = disasm->modes > 0 ? disasm->handles[mode] : 0;
    const uint8_t *bytes = block->bytes;
    uint64_t pc = block->pc;

    if (handle) {
        cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON); /* costs time, and memory in what it decodes into */
    }
    if (handle && !disasm->details) {
        disasm->details = cs_malloc(handle);
    }
    for (uint32_t i = 0; i < block->insns; i++) {
        const uint8_t *at = bytes;
        size_t left = block->lengths[i];
        uint64_t address = pc;
        bool good = disasm->details && cs_disasm_iter(handle, &at, &left, &address, disasm->details) && left == 0;
        visit(i, good ? disasm->details : NULL, data);
        bytes += block->lengths[i];
        pc += block->lengths[i];
    }
    if (handle) {
        cs_option(handle, CS_OPT_DETAIL, CS_OPT_OFF);
    }
}

void tcgrr_disasm_each_llvm(struct tcgrr_disasm *disasm, const struct tcgrr_block *block,
                            void (*visit)(uint32_t index, const struct tcgrr_llvm_insn *insn, void *data), void *data)
{
    int mode = llvm_mode(disasm, block);
    uint32_t offset = 0;

    for (uint32_t i = 0; i < block->insns; offset += block->lengths[i++]) {
        struct tcgrr_llvm_insn insn;
        bool good = ask_llvm(disasm, mode, block->pc + offset, block->bytes + offset, block->lengths[i], &insn);
        visit(i, good ? &insn : NULL, data);
    }
}

bool tcgrr_disasm_has_llvm(struct tcgrr_disasm *disasm)
{
    struct tcgrr_llvm_insn insn;
    (void)ask_llvm(disasm, 0, 0, (const uint8_t[4]){0}, 4, &insn);
    return disasm->llvm[0] != NULL;
}

/* ---- calls ---- */

static uint32_t word(const uint8_t *bytes, uint8_t length)
{
    return length == 4 ? bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24
                       : bytes[0] | (uint32_t)bytes[1] << 8;
}

static bool aarch64_call(uint32_t code)
{
    /* bl; blr and its forms with pointer authentication */
    return (code & 0xfc000000) == 0x94000000 || (code & 0xfefff000) == 0xd63f0000;
}

static bool arm_call(uint32_t code, uint8_t length, bool thumb)
{
    if (length == 2) {
        return (code & 0xff87) == 0x4780; /* blx register */
    }
    if (thumb) {
        return (code & 0xf800) == 0xf000 && (code >> 30) == 3 && (code & 0x10000000 || !(code & 0x10000)); /* bl, blx */
    }
    return (code >> 28) == 0xf ? (code & 0xfe000000) == 0xfa000000
                               : (code & 0x0f000000) == 0x0b000000 || (code & 0x0ffffff0) == 0x012fff30;
}

static bool riscv_call(const struct tcgrr_disasm *disasm, uint32_t code, uint8_t length)
{
    unsigned link = code >> 7 & 31;
    if (length == 2) { /* c.jalr; c.jal on RV32 */
        return ((code & 0xf07f) == 0x9002 && link != 0) ||
               ((code & 0xe003) == 0x2001 && strcmp(disasm->target->name, "riscv32") == 0);
    }
    return ((code & 0x7f) == 0x6f || (code & 0x707f) == 0x67) && (link == 1 || link == 5);
}

static bool x86_call(const uint8_t *bytes, uint8_t length, bool wide)
{
    uint8_t at = 0;
    while (at + 1 < length && (is_x86_prefix(bytes[at]) || (wide && (bytes[at] & 0xf0) == 0x40))) {
        at++;
    }
    return bytes[at] == 0xe8 || (bytes[at] == 0x9a && !wide) ||
           (bytes[at] == 0xff && at + 1 < length && ((bytes[at + 1] & 0x30) == 0x10));
}

/* By LLVM; where a branch has a delay slot, the call is the last but one. */
static bool ends_with_llvm_call(struct tcgrr_disasm *disasm, const struct tcgrr_block *block)
{
    static const char *const delayed[] = {"mips", "mipsel", "mips64", "mips64el", "sparc", "sparc64", NULL};
    uint32_t after = g_strv_contains(delayed, disasm->name) ? 1 : 0;
    struct tcgrr_llvm_insn insn;
    uint32_t offset = block->size;

    if (block->insns <= after) {
        return false;
    }
    for (uint32_t i = 0; i <= after; i++) {
        offset -= block->lengths[block->insns - 1 - i];
    }
    return ask_llvm(disasm, llvm_mode(disasm, block), block->pc + offset, block->bytes + offset,
                    block->lengths[block->insns - 1 - after], &insn) &&
           (insn.properties & TCGRR_LLVM_CALL || g_str_has_prefix(insn.text, "call "));
}

bool tcgrr_disasm_ends_with_call(struct tcgrr_disasm *disasm, const struct tcgrr_block *block)
{
    uint8_t length = block->lengths[block->insns - 1];
    if (length == 0) {
        return false;
    }
    const uint8_t *bytes = block->bytes + block->size - length;
    if (disasm->target->family == TCGRR_FAMILY_X86) {
        return x86_call(bytes, length, preferred(disasm, block) != NARROW);
    }
    if (disasm->target->family == TCGRR_FAMILY_OTHER) {
        return ends_with_llvm_call(disasm, block);
    }
    if (length != 2 && length != 4) {
        return false;
    }
    switch (disasm->target->family) {
    case TCGRR_FAMILY_AARCH64:
        return aarch64_call(word(bytes, length));
    case TCGRR_FAMILY_ARM:
        return arm_call(word(bytes, length), length, preferred(disasm, block) != NARROW);
    case TCGRR_FAMILY_RISCV:
        return riscv_call(disasm, word(bytes, length), length);
    default:
        return false;
    }
}
