/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/plugin/moving.h"

#include <string.h>
#include <sys/mman.h>

/* A cache of the numbers of (translation, pc), so that a guest that switches back and forth between mappings does not
 * use up a new number each time. */
#define ALIASES     (1u << 16)
/* Maximum count of numbers between two flushes, which bounds what the consumer keeps. */
#define MAX_NUMBERS (1u << 21)
/* x86 */
#define CR0_PG      (UINT64_C(1) << 31)
#define EFLAGS_VM   (UINT64_C(1) << 17)

struct tcgrr_alias {
    uint64_t pc;
    uint32_t translation; /* index + 1; 0: free */
    uint32_t number;
};
#define ALIAS_BYTES (ALIASES * sizeof(struct tcgrr_alias))

void tcgrr_moving_init(struct tcgrr_plugin *plugin)
{
    struct qemu_plugin_register *pc = NULL;

    if (plugin->pc_register || !plugin->system || plugin->api.version < 2 || plugin->isa == TCGRR_ISA_UNKNOWN ||
        !plugin->api.get_registers || !plugin->api.read_register) {
        return;
    }
    void *space = mmap(NULL, ALIAS_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    GArray *registers = plugin->api.get_registers();
    for (guint i = 0; registers && space != MAP_FAILED && i < registers->len; i++) {
        /* Later API versions append fields to the descriptor. */
        const void *place = registers->data + (gsize)i * g_array_get_element_size(registers);
        const qemu_plugin_reg_descriptor *found = place;
        if (tcgrr_register_kind(found->name) == TCGRR_REGISTER_PC) {
            pc = found->handle;
        } else if (strcmp(found->name, "cr0") == 0) {
            plugin->cr0_register = found->handle;
        } else if (strcmp(found->name, "eflags") == 0) {
            plugin->eflags_register = found->handle;
        }
    }
    if (registers) {
        g_array_free(registers, TRUE);
    }
    /* x86's pc is an offset into a segment: the registers needed to interpret it have to exist. */
    if (pc && space != MAP_FAILED &&
        (plugin->isa != TCGRR_ISA_X86 || (plugin->cr0_register && plugin->eflags_register))) {
        plugin->pc_register = pc;
        plugin->aliases = space;
        plugin->pc_value = g_byte_array_sized_new(16);
    } else if (space != MAP_FAILED) {
        munmap(space, ALIAS_BYTES);
    }
}

static unsigned remaps_aarch64(uint32_t insn)
{
    if ((insn & 0xffffffe0) == 0xd5182000) { /* msr ttbr0_el1 */
        return 1;
    }
    if ((insn & 0xfff8f000) == 0xd5181000 ||
        (insn & 0xfff8f000) == 0xd5182000) { /* msr sctlr, ttbr, tcr of any level */
        return 3;
    }
    return (insn & 0xfff8f000) == 0xd5088000; /* tlbi */
}

static unsigned remaps_x86(const uint8_t *bytes, uint8_t length)
{
    while (length > 2 && (bytes[0] == 0x66 || bytes[0] == 0x67 || (bytes[0] & 0xf0) == 0x40)) {
        bytes++;
        length--;
    }
    bool to_control_register = length >= 3 && bytes[0] == 0x0f && bytes[1] == 0x22;
    bool invlpg = length >= 3 && bytes[0] == 0x0f && bytes[1] == 0x01 && (bytes[2] & 0x38) == 0x38 && bytes[2] < 0xc0;
    return to_control_register ? 3 : invlpg;
}

unsigned tcgrr_moving_remaps(enum tcgrr_isa isa, const uint8_t *bytes, uint8_t length)
{
    uint32_t insn = 0;
    memcpy(&insn, bytes, length < 4 ? length : 4);
    switch (isa) {
    case TCGRR_ISA_AARCH64:
        return length == 4 ? remaps_aarch64(insn) : 0;
    case TCGRR_ISA_ARM: {
        /* mcr p15 to c1, c2 or c8; in T32 the halves are swapped. */
        uint32_t swapped = insn << 16 | insn >> 16;
        uint32_t word = (insn & 0x0f100f10) == 0x0e000f10 ? insn : (swapped & 0x0f100f10) == 0x0e000f10 ? swapped : 0;
        unsigned target = word >> 16 & 0xf;
        return length == 4 && (target == 1 || target == 2 || target == 8) ? 3 : 0;
    }
    case TCGRR_ISA_RISCV: {
        bool satp = (insn & 0x7f) == 0x73 && (insn & 0x3000) != 0 && insn >> 20 == 0x180;
        return length == 4 && (satp || (insn & 0xfe007fff) == 0x12000073) ? 3 : 0;
    }
    case TCGRR_ISA_X86:
        return remaps_x86(bytes, length);
    default:
        return 0;
    }
}

static bool read_register(struct tcgrr_plugin *plugin, struct qemu_plugin_register *handle, uint64_t *result)
{
    GByteArray *value = plugin->pc_value;
    g_byte_array_set_size(value, 0);
    if (plugin->api.read_register(handle, value) <= 0 || value->len < 4) {
        return false;
    }
    *result = 0;
    memcpy(result, value->data, value->len < 8 ? value->len : 8);
    return true;
}

/*
 * Whether the pc's value is an address. x86's is an offset into the code segment, whose base only 16-bit code uses.
 * Without paging, code cannot be mapped at another address.
 */
static bool pc_is_address(struct tcgrr_plugin *plugin, const struct tcgrr_translation *translation, uint64_t pc)
{
    uint64_t cr0, eflags;

    if (plugin->isa != TCGRR_ISA_X86) {
        return true;
    }
    bool within_segment = pc <= 0xffff && translation->pc > 0xffff;
    return !within_segment && read_register(plugin, plugin->cr0_register, &cr0) && (cr0 & CR0_PG) &&
           read_register(plugin, plugin->eflags_register, &eflags) && !(eflags & EFLAGS_VM);
}

static void push_alias(struct tcgrr_plugin *plugin, const struct tcgrr_translation *translation, uint64_t pc)
{
    uint32_t *space = tcgrr_ring_space(&plugin->ring);
    space[0] = tcgrr_wire_word(TCGRR_WIRE_ALIAS, 0);
    space[1] = translation->number;
    space[2] = (uint32_t)pc;
    space[3] = (uint32_t)(pc >> 32);
    tcgrr_ring_publish(&plugin->ring, 4);
}

/* The number of the translation's content at `pc`; a new number is sent as an alias. */
static uint32_t number_at(struct tcgrr_plugin *plugin, const struct tcgrr_translation *translation, uint64_t pc)
{
    uint32_t index = (uint32_t)(translation - plugin->translations) + 1;
    uint32_t slot = (uint32_t)(((pc >> 1) * 0x9e3779b97f4a7c15u + index * 0x85ebca6bu) >> 32) & (ALIASES - 1);
    struct tcgrr_alias *alias = &plugin->aliases[slot];

    if (alias->translation != index || alias->pc != pc) {
        push_alias(plugin, translation, pc);
        *alias = (struct tcgrr_alias){.pc = pc, .translation = index, .number = plugin->numbers++};
    }
    return alias->number;
}

void tcgrr_moving_check(struct tcgrr_plugin *plugin, struct tcgrr_translation *translation)
{
    uint64_t pc;

    translation->epoch = plugin->epochs[translation->half];
    if (plugin->numbers >= MAX_NUMBERS || !read_register(plugin, plugin->pc_register, &pc) || pc == translation->pc) {
        return;
    }
    /* Mappings move whole pages: any other difference is due to a segment's base. */
    if (((pc ^ translation->pc) & 0xfff) || !pc_is_address(plugin, translation, pc)) {
        return;
    }
    translation->number = number_at(plugin, translation, pc);
    translation->pc = pc;
    translation->half = pc >> 63;
    translation->epoch = plugin->epochs[translation->half];
}

void tcgrr_moving_forget(struct tcgrr_plugin *plugin)
{
    if (plugin->aliases) {
        memset(plugin->aliases, 0, ALIAS_BYTES);
    }
}
