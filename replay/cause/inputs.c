/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/inputs_internal.h"

#include "store/isa/capstone_mode.h"
#include "store/isa/registers.h"

#include <string.h>

#define MODES 4

enum family { OTHER, AARCH64, ARM, M68K, RISCV, X86 };

struct tcgrr_decoder {
    enum family family;
    uint64_t address_mask;
    bool open[MODES];
    csh handles[MODES];
    cs_insn *insn;
    char *target;
    bool looked;               /* for the two that follow: loading LLVM takes as long as a hundred steps */
    struct tcgrr_llvm *llvm;   /* NULL: not here, or not for this target */
    struct tcgrr_llvm *little; /* the same of code in the other order of bytes, on ppc64 */
};

/* Which of a family's handles is for what. */
enum { X86_64, X86_32, X86_16 };
enum { ARM_A32, ARM_T32, ARM_T32_M };

static void open_mode(struct tcgrr_decoder *decoder, int index, enum tcgrr_capstone_mode mode)
{
    decoder->open[index] = tcgrr_capstone_open(mode, &decoder->handles[index]);
    if (decoder->open[index]) {
        cs_option(decoder->handles[index], CS_OPT_DETAIL, CS_OPT_ON);
        decoder->insn = decoder->insn ? decoder->insn : cs_malloc(decoder->handles[index]);
    }
}

struct tcgrr_decoder *tcgrr_decoder_new(const char *target)
{
    struct tcgrr_decoder *decoder = g_new0(struct tcgrr_decoder, 1);
    bool wide = strcmp(target, "x86_64") == 0 || strcmp(target, "aarch64") == 0 || strcmp(target, "riscv64") == 0;

    decoder->target = g_strdup(target);
    decoder->address_mask = wide ? UINT64_MAX : UINT32_MAX;
    if (strcmp(target, "aarch64") == 0) {
        decoder->family = AARCH64;
        open_mode(decoder, 0, TCGRR_MODE_A64);
    } else if (strcmp(target, "arm") == 0) {
        decoder->family = ARM;
        open_mode(decoder, ARM_A32, TCGRR_MODE_A32);
        open_mode(decoder, ARM_T32, TCGRR_MODE_T32);
        open_mode(decoder, ARM_T32_M, TCGRR_MODE_T32_M);
    } else if (strcmp(target, "m68k") == 0) {
        decoder->family = M68K;
        open_mode(decoder, 0, TCGRR_MODE_M68K);
    } else if (g_str_has_prefix(target, "riscv")) {
        decoder->family = RISCV;
    } else if (strcmp(target, "x86_64") == 0 || strcmp(target, "i386") == 0) {
        decoder->family = X86;
        open_mode(decoder, X86_64, TCGRR_MODE_X86_64);
        open_mode(decoder, X86_32, TCGRR_MODE_X86_32);
        open_mode(decoder, X86_16, TCGRR_MODE_X86_16);
    }
    return decoder;
}

void tcgrr_decoder_free(struct tcgrr_decoder *decoder)
{
    if (!decoder) {
        return;
    }
    if (decoder->insn) {
        cs_free(decoder->insn, 1);
    }
    for (int i = 0; i < MODES; i++) {
        if (decoder->open[i]) {
            cs_close(&decoder->handles[i]);
        }
    }
    tcgrr_llvm_free(decoder->llvm);
    tcgrr_llvm_free(decoder->little);
    g_free(decoder->target);
    g_free(decoder);
}

bool tcgrr_insn_inputs_is_place(const struct tcgrr_insn_inputs *inputs, const struct tcgrr_register_layout *registers,
                                unsigned index)
{
    const struct tcgrr_register *reg = g_ptr_array_index(registers->list, index);
    bool place = tcgrr_register_kind(reg->name) == TCGRR_REGISTER_PC;

    for (guint i = 0; i < inputs->bases->len; i++) {
        place = place || g_array_index(inputs->bases, unsigned, i) == index;
    }
    return place;
}

void tcgrr_insn_inputs_init(struct tcgrr_insn_inputs *inputs)
{
    *inputs = (struct tcgrr_insn_inputs){0};
    inputs->registers = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_insn_input));
    inputs->bases = g_array_new(FALSE, FALSE, sizeof(unsigned));
    inputs->memory = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_operand));
    inputs->written = g_array_new(FALSE, FALSE, sizeof(unsigned));
}

void tcgrr_insn_inputs_clear(struct tcgrr_insn_inputs *inputs)
{
    g_clear_pointer(&inputs->registers, g_array_unref);
    g_clear_pointer(&inputs->bases, g_array_unref);
    g_clear_pointer(&inputs->memory, g_array_unref);
    g_clear_pointer(&inputs->written, g_array_unref);
}

void tcgrr_decoding_read(struct tcgrr_decoding *decoding, const char *name, uint64_t mask)
{
    const struct tcgrr_register *reg = tcgrr_register_layout_find(decoding->registers, name);
    GArray *list = decoding->inputs->registers;

    for (guint i = 0; reg && i < list->len; i++) {
        struct tcgrr_insn_input *input = &g_array_index(list, struct tcgrr_insn_input, i);
        if (input->index == reg->index) {
            input->mask |= mask;
            return;
        }
    }
    if (reg) {
        struct tcgrr_insn_input input = {reg->index, mask};
        g_array_append_val(list, input);
    }
}

void tcgrr_decoding_write(struct tcgrr_decoding *decoding, const char *name)
{
    const struct tcgrr_register *reg = tcgrr_register_layout_find(decoding->registers, name);
    if (reg) {
        g_array_append_val(decoding->inputs->written, reg->index);
    }
}

void tcgrr_decoding_access(struct tcgrr_decoding *decoding, uint64_t address, unsigned size, bool load, bool store)
{
    struct tcgrr_operand operand = {address & decoding->address_mask, (uint16_t)size, load, store};
    if (size > 0) {
        g_array_append_val(decoding->inputs->memory, operand);
    }
}

void tcgrr_decoding_base(struct tcgrr_decoding *decoding, const char *name)
{
    const struct tcgrr_register *reg = tcgrr_register_layout_find(decoding->registers, name);
    if (reg) {
        g_array_append_val(decoding->inputs->bases, reg->index);
    }
}

uint64_t tcgrr_decoding_value(const struct tcgrr_decoding *decoding, const char *name)
{
    const struct tcgrr_register *reg = tcgrr_register_layout_find(decoding->registers, name);
    return reg ? tcgrr_state_number(decoding->registers, decoding->state, reg) : 0;
}

static bool decode(struct tcgrr_decoder *decoder, int mode, struct tcgrr_decoding *decoding)
{
    const uint8_t *bytes = decoding->bytes;
    size_t left = decoding->length;
    uint64_t pc = decoding->pc;

    if (!decoder->open[mode] || !cs_disasm_iter(decoder->handles[mode], &bytes, &left, &pc, decoder->insn) ||
        left > 0) {
        return false;
    }
    decoding->handle = decoder->handles[mode];
    decoding->insn = decoder->insn;
    return true;
}

/*
 * Whether it begins, after other prefixes, like a VEX or EVEX instruction: capstone does not know all of them, and
 * 32-bit code has instructions of another kind (les, lds, bound) that begin likewise and are hardly used.
 */
static bool is_vector_x86(const struct tcgrr_decoding *decoding)
{
    static const uint8_t prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3};
    uint8_t i = 0;

    while (i < decoding->length && memchr(prefixes, decoding->bytes[i], sizeof(prefixes))) {
        i++;
    }
    return i < decoding->length &&
           (decoding->bytes[i] == 0xc4 || decoding->bytes[i] == 0xc5 || decoding->bytes[i] == 0x62);
}

/* The stub does not show how wide the code segment is: the mode that fits the length that QEMU saw. */
static bool decode_x86(struct tcgrr_decoder *decoder, struct tcgrr_decoding *decoding)
{
    bool protected_mode = tcgrr_decoding_value(decoding, "cr0") & 1;
    bool long_mode = tcgrr_decoding_value(decoding, "efer") & 1 << 10;

    decoding->address_mask = long_mode ? UINT64_MAX : UINT32_MAX;
    if (long_mode && (decode(decoder, X86_64, decoding) || is_vector_x86(decoding))) {
        return decoding->insn != NULL;
    }
    return (protected_mode && decode(decoder, X86_32, decoding)) || decode(decoder, X86_16, decoding) ||
           decode(decoder, X86_32, decoding);
}

static bool decode_arm(struct tcgrr_decoder *decoder, struct tcgrr_decoding *decoding)
{
    if (tcgrr_register_layout_find(decoding->registers, "xpsr")) {
        return decode(decoder, ARM_T32_M, decoding) || decode(decoder, ARM_T32, decoding);
    }
    bool thumb = tcgrr_decoding_value(decoding, "cpsr") & 1 << 5;
    return decode(decoder, thumb ? ARM_T32 : ARM_A32, decoding);
}

/* PowerPC's machine state says in which order bytes are. */
static struct tcgrr_llvm *choose_llvm(struct tcgrr_decoder *decoder, const struct tcgrr_decoding *decoding)
{
    if (!decoder->looked && (decoder->family == AARCH64 || decoder->family == OTHER)) {
        decoder->llvm = tcgrr_llvm_new(decoder->target);
        decoder->little = strcmp(decoder->target, "ppc64") == 0 ? tcgrr_llvm_new("ppc64le") : NULL;
    }
    decoder->looked = true;
    return decoder->little && tcgrr_decoding_value(decoding, "msr") & 1 ? decoder->little : decoder->llvm;
}

void tcgrr_decoder_inputs(struct tcgrr_decoder *decoder, const struct tcgrr_register_layout *registers,
                          const uint8_t *state, uint64_t pc, const uint8_t *bytes, uint8_t length,
                          struct tcgrr_insn_inputs *inputs)
{
    struct tcgrr_decoding decoding = {
        .registers = registers,
        .state = state,
        .pc = pc,
        .bytes = bytes,
        .length = length,
        .inputs = inputs,
        .address_mask = decoder->address_mask,
    };
    GArray *lists[] = {inputs->registers, inputs->bases, inputs->memory, inputs->written};
    *inputs = (struct tcgrr_insn_inputs){
        .known = true, .registers = lists[0], .bases = lists[1], .memory = lists[2], .written = lists[3]};
    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
        g_array_set_size(lists[i], 0);
    }
    if (decoder->family == AARCH64 && decode(decoder, 0, &decoding)) {
        tcgrr_insn_inputs_aarch64(&decoding);
        return;
    }
    decoding.llvm = choose_llvm(decoder, &decoding);
    if (decoding.llvm && tcgrr_insn_inputs_llvm(&decoding, decoder->target)) {
        return;
    } else if (decoder->family == AARCH64) {
        tcgrr_insn_inputs_aarch64_unknown(&decoding);
    } else if (decoder->family == ARM && decode_arm(decoder, &decoding)) {
        tcgrr_insn_inputs_arm(&decoding);
    } else if (decoder->family == X86 && decode_x86(decoder, &decoding)) {
        tcgrr_insn_inputs_x86(&decoding);
    } else if (decoder->family == M68K &&
               (tcgrr_insn_inputs_is_m68k_fpu(bytes, length) || decode(decoder, 0, &decoding))) {
        tcgrr_insn_inputs_m68k(&decoding);
    } else if (decoder->family == RISCV) {
        tcgrr_insn_inputs_riscv(&decoding);
    } else {
        inputs->known = false;
    }
}
