/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Handles each new translation: sends its description through the ring and registers callbacks and inline operations.
 * */
#include "emu/plugin/access.h"
#include "emu/plugin/auxv.h"
#include "emu/plugin/inputs.h"
#include "emu/plugin/mapped.h"
#include "emu/plugin/moving.h"
#include "emu/plugin/sample.h"
#include "emu/plugin/text.h"
#include "emu/plugin/threads.h"

#include <string.h>
#include <sys/mman.h>

/* More than QEMU's largest code cache can hold. This reserves only address space; memory is allocated on use. */
#define MAX_TRANSLATIONS  (1u << 25)
#define PAGE_BYTES        4096u
#define MAX_UNTOLD        8u /* maximum size of an instruction on targets for which QEMU does not report it */
#define MAX_PIECE         8u /* bytes that QEMU's x86 translator fetches at a time */
#define TRANSLATION_BYTES (MAX_TRANSLATIONS * sizeof(struct tcgrr_translation))

/* Instructions of one block as read from QEMU; on the stack of the translation callback. */
struct content {
    uint32_t count;
    uint32_t size;
    uint8_t lengths[TCGRR_WIRE_MAX_INSNS];
    uint8_t bytes[16 * 1024];
    struct tcgrr_insn_class class[TCGRR_WIRE_MAX_INSNS];
};

bool tcgrr_instrument_init(struct tcgrr_plugin *plugin)
{
    void *space =
        mmap(NULL, TRANSLATION_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    plugin->translations = space == MAP_FAILED ? NULL : space;
    if (!plugin->api.old_inline && !plugin->mark_by_call) {
        plugin->score = plugin->api.scoreboard_new(sizeof(uint64_t));
    }
    return plugin->translations != NULL;
}

/*
 * The size of instruction `index`. Near the end of a page of Thumb code QEMU 7.2 looks ahead and adds the bytes that it
 * read to the previous instruction, so an instruction is cut off at the next one.
 */
static size_t insn_length(const struct tcgrr_plugin *plugin, const struct qemu_plugin_tb *tb, size_t index,
                          size_t count)
{
    const struct qemu_plugin_insn *insn = plugin->api.tb_get_insn(tb, index);
    size_t length = plugin->api.insn_size(insn);

    if (index + 1 < count) {
        uint64_t distance =
            plugin->api.insn_vaddr(plugin->api.tb_get_insn(tb, index + 1)) - plugin->api.insn_vaddr(insn);
        length = distance > 0 && distance < length ? distance : length;
    }
    return length < 255 ? length : 255;
}

/*
 * For some targets QEMU 7.2 reports neither the bytes nor the lengths of instructions, only their addresses in the
 * host's memory, from which they are read here. If a length remains unknown, the content has no bytes.
 */
static void read_from_host(const struct tcgrr_plugin *plugin, const struct qemu_plugin_tb *tb, struct content *content)
{
    const char *target = plugin->ring.header->target;
    uint8_t lengths[TCGRR_WIRE_MAX_INSNS];
    uint32_t size = 0;

    for (uint32_t i = 0; i < content->count; i++) {
        const struct qemu_plugin_insn *insn = plugin->api.tb_get_insn(tb, i);
        const uint8_t *host = plugin->api.insn_haddr(insn);
        uint64_t length = 0;
        if (host && i + 1 < content->count) {
            length = plugin->api.insn_vaddr(plugin->api.tb_get_insn(tb, i + 1)) - plugin->api.insn_vaddr(insn);
        } else if (host) {
            g_autofree char *text = plugin->api.insn_disas(insn);
            length = tcgrr_isa_length(target, host, text);
        }
        if (length == 0 || length > MAX_UNTOLD || size + length > sizeof(content->bytes)) {
            return;
        }
        memcpy(content->bytes + size, host, length);
        lengths[i] = (uint8_t)length;
        size += (uint32_t)length;
    }
    memcpy(content->lengths, lengths, content->count);
    content->size = size;
}

static void read_content(const struct tcgrr_plugin *plugin, const struct qemu_plugin_tb *tb, struct content *content)
{
    size_t count = plugin->api.tb_n_insns(tb);
    bool thumb = false;

    content->count = 0;
    content->size = 0;
    for (size_t i = 0; i < count && i < TCGRR_WIRE_MAX_INSNS; i++) {
        size_t room = sizeof(content->bytes) - content->size;
        size_t length = insn_length(plugin, tb, i, count);
        uint8_t *bytes = content->bytes + content->size;
        length =
            tcgrr_api_insn_bytes(&plugin->api, plugin->api.tb_get_insn(tb, i), bytes, length < room ? length : room);
        if (thumb && length == 4 && i + 1 == count && bytes[1] >> 3 < 0x1d) {
            length = 2; /* the last instruction has no successor to cut it off */
        }
        thumb = thumb || (length == 2 && plugin->isa == TCGRR_ISA_ARM);
        content->lengths[content->count++] = (uint8_t)length;
        content->size += (uint32_t)length;
    }
    if (content->size == 0 && plugin->system && plugin->api.version == 1) {
        read_from_host(plugin, tb, content);
    }
}

/* Whether QEMU's disassembler, which knows the CPU's mode, can disassemble the bytes. */
static bool has_text(const struct tcgrr_plugin *plugin, const struct qemu_plugin_tb *tb, uint32_t index)
{
    g_autofree char *text = plugin->api.insn_disas(plugin->api.tb_get_insn(tb, index));
    return text && *text && !g_str_has_prefix(text, ".byte");
}

/*
 * QEMU up to 7.2 also reports an x86 instruction that crosses into the next page, although it then leaves it to the
 * next block. Such a torso has only the bytes before the fetch that crosses, so it is not a valid encoding. Only QEMU
 * knows the mode in which to decode it; a QEMU without a disassembler has no text for any instruction.
 */
static void drop_torso(const struct tcgrr_plugin *plugin, const struct qemu_plugin_tb *tb, uint64_t pc,
                       struct content *content)
{
    uint64_t left = PAGE_BYTES - 1 - ((pc + content->size - 1) & (PAGE_BYTES - 1));
    uint32_t last = content->count - 1;

    if (plugin->api.version >= 2 || plugin->isa != TCGRR_ISA_X86 || last == 0 || left >= MAX_PIECE) {
        return;
    }
    if (has_text(plugin, tb, 0) ? !has_text(plugin, tb, last) : content->class[last].leave == TCGRR_LEAVE_UNKNOWN) {
        content->count = last;
        content->size -= content->lengths[last];
        tcgrr_isa_classify(plugin->isa, pc, content->bytes, content->lengths, content->count, content->class);
    }
}

static void describe(struct tcgrr_plugin *plugin, uint32_t number, uint64_t pc, const struct content *content)
{
    struct tcgrr_wire_define define = {
        .number = number,
        .count = content->count,
        .pc_low = (uint32_t)pc,
        .pc_high = (uint32_t)(pc >> 32),
        .size = content->size,
    };
    uint32_t payload = (uint32_t)(sizeof(define) + content->count + content->size + 3) / 4;
    uint32_t *space = tcgrr_ring_space(&plugin->ring);
    uint8_t *to = (uint8_t *)(space + 1);

    space[0] = tcgrr_wire_word(TCGRR_WIRE_DEFINE, payload);
    space[payload] = 0; /* the padding, if there is any */
    memcpy(to, &define, sizeof(define));
    memcpy(to + sizeof(define), content->lengths, content->count);
    memcpy(to + sizeof(define) + content->count, content->bytes, content->size);
    tcgrr_ring_publish(&plugin->ring, 1 + payload);
}

/* Index of the first instruction from `from` on that could leave the block before its end; `count` if none can. */
static uint32_t next_leaver(const struct content *content, uint32_t from)
{
    while (from < content->count && content->class[from].leave == TCGRR_LEAVE_NEVER) {
        from++;
    }
    return from;
}

/* When `insn` runs, `unsure` instructions of the block are not sure to retire; the mark is `before` until then. */
static void mark_insn(struct tcgrr_plugin *plugin, struct qemu_plugin_insn *insn, uint32_t before, uint32_t unsure)
{
    uint64_t change = (uint64_t)unsure - before;

    if (plugin->api.old_inline) {
        plugin->api.register_insn_inline_1(insn, QEMU_PLUGIN_INLINE_ADD_U64, plugin->plain_mark, change);
        return;
    }
    if (plugin->mark_by_call) {
        plugin->api.register_insn_exec(insn, tcgrr_on_mark, QEMU_PLUGIN_CB_NO_REGS, (void *)(uintptr_t)unsure);
        return;
    }
    qemu_plugin_u64 entry = {.score = plugin->score};
    if (plugin->api.has_store) {
        plugin->api.register_insn_inline(insn, QEMU_PLUGIN_INLINE_STORE_U64, entry, unsure);
    } else {
        plugin->api.register_insn_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, entry, change);
    }
}

/*
 * The last instruction has no successor in the block that could update the mark, so its last memory access does. Under
 * API 1 the hook covers both directions, because QEMU 7.2 confuses reads with writes, and is a callback, because 7.2
 * does not remove hooks when a block is left early: only a callback can check which block an access belongs to.
 */
static void mark_last_access(struct tcgrr_plugin *plugin, struct qemu_plugin_insn *insn, int access,
                             struct tcgrr_translation *translation)
{
    const struct tcgrr_api *api = &plugin->api;
    qemu_plugin_u64 entry = {.score = plugin->score};

    translation->ends_with_store = access == QEMU_PLUGIN_MEM_W;
    if (tcgrr_may_repeat(plugin, translation)) {
        /* QEMU may have made it to repeat a device access; then this is the only callback. */
        api->register_mem(insn, tcgrr_on_single_access, QEMU_PLUGIN_CB_NO_REGS,
                          api->old_inline ? QEMU_PLUGIN_MEM_RW : access, translation);
    } else if (!translation->access_retires) {
        return;
    } else if (plugin->mark_by_call || api->old_inline) {
        api->register_mem(insn, tcgrr_on_last_access, QEMU_PLUGIN_CB_NO_REGS,
                          api->old_inline ? QEMU_PLUGIN_MEM_RW : access, translation);
    } else if (api->has_store) {
        api->register_mem_inline(insn, access, QEMU_PLUGIN_INLINE_STORE_U64, entry, 0);
    } else {
        api->register_mem_inline(insn, access, QEMU_PLUGIN_INLINE_ADD_U64, entry, UINT64_MAX);
    }
}

static void place_marks(struct tcgrr_plugin *plugin, struct qemu_plugin_tb *tb, struct content *content,
                        struct tcgrr_translation *translation)
{
    uint32_t count = content->count;
    uint32_t mark = next_leaver(content, 0);

    translation->unsure = (uint16_t)(count - mark);
    while (mark + 1 < count) {
        uint32_t next = next_leaver(content, mark + 1);
        mark_insn(plugin, plugin->api.tb_get_insn(tb, mark + 1), count - mark, count - next);
        mark = next;
    }
    if (mark + 1 != count || content->class[mark].access == TCGRR_ACCESS_NONE) {
        return;
    }
    /* For other classes an access does not prove that the instruction retired: a division loads, then traps. */
    translation->access_retires =
        content->class[mark].leave == TCGRR_LEAVE_MEMORY || content->class[mark].leave == TCGRR_LEAVE_UNKNOWN;
    mark_last_access(plugin, plugin->api.tb_get_insn(tb, mark), content->class[mark].access, translation);
}

static uint8_t remaps(enum tcgrr_isa isa, const struct content *content)
{
    const uint8_t *bytes = content->bytes;
    unsigned halves = 0;
    for (uint32_t i = 0; i < content->count; i++) {
        halves |= tcgrr_moving_remaps(isa, bytes, content->lengths[i]);
        bytes += content->lengths[i];
    }
    return (uint8_t)halves;
}

/* Registers callbacks for the digest of stores; at level full the accesses' callbacks compute it. For an instruction
 * that does not store, QEMU generates no code for this. */
static void watch_stores(struct tcgrr_plugin *plugin, struct qemu_plugin_tb *tb, const struct content *content)
{
    if (!plugin->sampling.on || !plugin->api.mem_value || plugin->accesses) {
        return;
    }
    for (uint32_t i = 0; i < content->count; i++) {
        if (content->class[i].leave != TCGRR_LEAVE_NEVER) {
            plugin->api.register_mem(plugin->api.tb_get_insn(tb, i), tcgrr_on_store, QEMU_PLUGIN_CB_NO_REGS,
                                     QEMU_PLUGIN_MEM_W, NULL);
        }
    }
}

/* Whether nothing in the block can change mappings between two accesses of one execution. */
static bool is_plain(const struct content *content)
{
    for (uint32_t i = 0; i + 1 < content->count; i++) {
        if (content->class[i].leave != TCGRR_LEAVE_NEVER && content->class[i].leave != TCGRR_LEAVE_MEMORY) {
            return false;
        }
    }
    return true;
}

static bool ends_with_transfer(struct tcgrr_plugin *plugin, uint64_t pc, const struct content *content)
{
    uint8_t length = content->lengths[content->count - 1];
    uint32_t offset = content->size - length;
    return tcgrr_sampling_counts(plugin, pc + offset, content->bytes + offset, length);
}

/* QEMU knows the address from the first translation on. After an execve it stays that of the first program, as symbols
 * do. */
static void note_start_code(struct tcgrr_plugin *plugin)
{
    _Atomic uint64_t *noted = &plugin->ring.header->start_code;

    if (!plugin->system && plugin->api.start_code && atomic_load_explicit(noted, memory_order_relaxed) == 0) {
        uint64_t start = plugin->api.start_code();
        plugin->ring.header->sample_origin += plugin->ring.header->sample_origin_in_code ? start : 0;
        if (plugin->accesses && plugin->accesses->window.in_code) {
            plugin->accesses->window.from_pc += start;
            plugin->accesses->window.in_code = false;
        }
        atomic_store_explicit(noted, start, memory_order_relaxed);
    }
}

/* Classifies the instructions and notes what the callbacks need to know about the block. */
static struct tcgrr_translation *add_translation(struct tcgrr_plugin *plugin, struct qemu_plugin_tb *tb, uint64_t pc,
                                                 struct content *content)
{
    struct tcgrr_translation *translation = &plugin->translations[plugin->used];
    *translation = (struct tcgrr_translation){.number = plugin->numbers++, .pc = pc, .half = pc >> 63};
    plugin->used++;
    translation->epoch = plugin->epochs[translation->half];
    tcgrr_isa_classify(plugin->isa, pc, content->bytes, content->lengths, content->count, content->class);
    drop_torso(plugin, tb, pc, content);
    translation->count = (uint16_t)content->count;
    translation->size = content->size;
    translation->transfer = ends_with_transfer(plugin, pc, content);
    translation->origin = plugin->sampling.on && !plugin->sampling.begun && plugin->ring.header->has_sample_origin &&
                          plugin->ring.header->sample_origin == pc;
    translation->plain = plugin->accesses && is_plain(content);
    translation->remaps = plugin->pc_register ? remaps(plugin->isa, content) : 0;
    return translation;
}

void tcgrr_instrument(struct tcgrr_plugin *plugin, struct qemu_plugin_tb *tb)
{
    struct content content;

    if (!plugin->system && tcgrr_threads_is_new()) {
        tcgrr_plugin_start_thread(UINT_MAX);
    }
    if (atomic_load_explicit(&plugin->threads, memory_order_relaxed)) {
        plugin->api.register_tb_exec(tb, tcgrr_on_thread_block, QEMU_PLUGIN_CB_NO_REGS, NULL);
        return;
    }
    if (plugin->silent || plugin->used == MAX_TRANSLATIONS) {
        plugin->silent = true;
        return;
    }
    note_start_code(plugin);
    read_content(plugin, tb, &content);
    if (content.count == 0) {
        return;
    }
    bool returned = plugin->returned == tcgrr_ring_space(&plugin->ring);
    tcgrr_mapped_translated(plugin, tb);
    uint64_t pc = plugin->api.tb_vaddr(tb);
    struct tcgrr_translation *translation = add_translation(plugin, tb, pc, &content);
    if (plugin->texts) {
        tcgrr_text(plugin, tb, content.count);
    }
    describe(plugin, translation->number, pc, &content);
    place_marks(plugin, tb, &content, translation);
    watch_stores(plugin, tb, &content);
    if (plugin->accesses) {
        tcgrr_access_instrument(plugin, tb, translation, content.class);
    }
    if (!plugin->system) {
        tcgrr_auxv_instrument(plugin, tb);
    }
    if (plugin->inputs) {
        tcgrr_inputs_instrument(plugin, tb);
    }
    bool reads = plugin->pc_register || plugin->sampling.on;
    plugin->api.register_tb_exec(tb, tcgrr_block_callback(plugin, translation),
                                 reads ? QEMU_PLUGIN_CB_R_REGS : QEMU_PLUGIN_CB_NO_REGS, translation);
    if (returned) {
        plugin->returned = tcgrr_ring_space(&plugin->ring); /* nothing ran since then */
    }
}

void tcgrr_instrument_forget(struct tcgrr_plugin *plugin)
{
    size_t bytes = (plugin->used * sizeof(struct tcgrr_translation) + 4095) & ~(size_t)4095;
    madvise(plugin->translations, bytes, MADV_DONTNEED);
    plugin->used = 0;
    plugin->numbers = 0;
    tcgrr_moving_forget(plugin);
}
