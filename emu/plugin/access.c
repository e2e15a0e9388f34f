/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/plugin/access.h"

#include "emu/plugin/sample.h"

#include <string.h>
#include <sys/mman.h>

/*
 * The userdata of an instruction's callbacks: the address of its translation, whose upper bits are unused, and its
 * index.
 */
#define PLACE_SHIFT 12
static_assert(TCGRR_WIRE_MAX_INSNS == 1u << PLACE_SHIFT, "an instruction's index must fit");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a value's low bytes stand first in QEMU's union");

bool tcgrr_access_init(struct tcgrr_plugin *plugin, const struct tcgrr_access_window *window)
{
    void *space =
        mmap(TCGRR_FAR_AWAY, sizeof(struct tcgrr_accesses), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (space == MAP_FAILED) {
        return false;
    }
    plugin->accesses = space;
    plugin->accesses->window = *window;
    plugin->accesses->next_device = TCGRR_WIRE_UNNAMED + 1;
    for (uint32_t i = 0; i < TCGRR_ACCESS_KINDS; i++) {
        plugin->accesses->kinds[i].info = UINT32_MAX;
    }
    for (uint32_t i = 0; i < TCGRR_WIRE_PAGES; i++) {
        plugin->accesses->pages[i].page = UINT64_MAX;
    }
    return true;
}

/* ---- where accesses go ---- */

/* QEMU derives a name from an address in its own memory for a region without a name, such as a page that devices share.
 * */
static bool is_made_up(const char *name)
{
    return strncmp(name, "anon", 4) == 0 && name[4] && name[4 + strspn(name + 4, "0123456789abcdef")] == '\0';
}

static void push_device(struct tcgrr_plugin *plugin, const char *name)
{
    uint32_t *space = tcgrr_ring_space(&plugin->ring);
    size_t length = strnlen(name, TCGRR_WIRE_DEVICE_NAME);
    uint32_t words = (uint32_t)(length + 3) / 4;

    space[0] = tcgrr_wire_word(TCGRR_WIRE_DEVICE, words);
    space[words] = 0; /* the padding, if there is any */
    memcpy(space + 1, name, length);
    tcgrr_ring_publish(&plugin->ring, 1 + words);
}

static uint32_t device_number(struct tcgrr_plugin *plugin, const struct qemu_plugin_hwaddr *place)
{
    struct tcgrr_accesses *accesses = plugin->accesses;
    const char *name = plugin->api.hwaddr_device_name(place);

    if (!name || is_made_up(name)) {
        return TCGRR_WIRE_UNNAMED;
    }
    for (uint32_t i = TCGRR_WIRE_UNNAMED + 1; i < accesses->next_device; i++) {
        if (accesses->devices[i] == name) {
            return i;
        }
    }
    if (accesses->next_device == TCGRR_WIRE_DEVICES) {
        return TCGRR_WIRE_UNNAMED;
    }
    push_device(plugin, name);
    accesses->devices[accesses->next_device] = name;
    return accesses->next_device++;
}

static __attribute__((noinline)) void push_page(struct tcgrr_plugin *plugin, uint64_t address, uint64_t offset,
                                                uint32_t device)
{
    uint32_t slot = tcgrr_wire_page_slot(address);
    uint64_t page = address & ~UINT64_C(0xfff);
    uint32_t *space = tcgrr_ring_space(&plugin->ring);

    plugin->accesses->pages[slot] = (struct tcgrr_access_page){.page = page, .offset = offset, .device = device};
    space[0] = tcgrr_wire_word(TCGRR_WIRE_PAGE, slot);
    space[1] = (uint32_t)page;
    space[2] = (uint32_t)(page >> 32);
    space[3] = (uint32_t)offset;
    space[4] = (uint32_t)(offset >> 32);
    space[5] = device;
    tcgrr_ring_publish(&plugin->ring, 6);
}

/* Asks QEMU where an access goes: returns the offset from its virtual to its physical address, and the device. */
static inline uint64_t ask_place(struct tcgrr_plugin *plugin, uint32_t info, uint64_t address, uint32_t *device)
{
    const struct qemu_plugin_hwaddr *place = plugin->system ? plugin->api.get_hwaddr(info, address) : NULL;

    if (__builtin_expect(!place, 0)) {
        *device = TCGRR_WIRE_NOWHERE;
        return 0;
    }
    *device = __builtin_expect(plugin->api.hwaddr_is_io(place), 0) ? device_number(plugin, place) : 0;
    if (plugin->api.version < 2) {
        *device |= TCGRR_WIRE_NOWHERE; /* QEMU computes the address from unrelated offsets */
        return 0;
    }
    return plugin->api.hwaddr_phys_addr(place) - address;
}

/* Makes the page's slot say where this access goes, and returns the slot. */
static inline uint32_t locate(struct tcgrr_plugin *plugin, uint32_t info, uint64_t address)
{
    struct tcgrr_accesses *accesses = plugin->accesses;
    uint32_t slot = tcgrr_wire_page_slot(address);
    uint32_t device;

    if ((address & ~UINT64_C(0xfff)) == accesses->near) {
        return slot;
    }
    uint64_t offset = ask_place(plugin, info, address, &device);
    const struct tcgrr_access_page *page = &accesses->pages[slot];
    accesses->near = accesses->open->plain && device == 0 ? address & ~UINT64_C(0xfff) : UINT64_MAX;
    if (__builtin_expect(
            (page->page ^ (address & ~UINT64_C(0xfff))) | (page->offset ^ offset) | (page->device ^ device), 0)) {
        push_page(plugin, address, offset, device);
    }
    return slot;
}

/* ---- the accesses themselves ---- */

/*
 * The access is not by the translation that began last, but by one that QEMU made to repeat a device access, whose head
 * has no callback; or it is unknown. Returns flags for its record, 0 if it gets none.
 */
static __attribute__((noinline)) uint32_t place_stray(struct tcgrr_plugin *plugin, uintptr_t place)
{
    const struct tcgrr_translation *translation = (const struct tcgrr_translation *)(place >> PLACE_SHIFT);

    if (!plugin->accesses->open) {
        return 0;
    }
    if (translation->count == 1 && !translation->entered) {
        return TCGRR_WIRE_ACCESS_RERUN;
    }
    plugin->ring.header->strays++;
    return 0;
}

/*
 * The access's size. QEMU is asked only once for each kind of access: it takes long to return a value, and the ring's
 * cursor must not depend on that.
 */
static inline uint32_t size_shift(struct tcgrr_plugin *plugin, uint32_t info)
{
    struct tcgrr_access_kind *kind = &plugin->accesses->kinds[(info ^ info >> 9) % TCGRR_ACCESS_KINDS];
    if (__builtin_expect(kind->info != info, 0)) {
        *kind = (struct tcgrr_access_kind){.info = info, .shift = plugin->api.mem_size_shift(info)};
    }
    return kind->shift;
}

/* Adds every store to the digest, whether its access is wanted or not. */
static inline bool is_digested(const struct tcgrr_plugin *plugin, uint32_t bits)
{
    return (bits & TCGRR_WIRE_ACCESS_STORE) && plugin->sampling.on;
}

/* An access that is not the open translation's. Returns flags for its record, 0 if it gets none. */
static __attribute__((noinline)) uint32_t stray_access(struct tcgrr_plugin *plugin, uint32_t info, uint64_t address,
                                                       uintptr_t place, uint32_t bits)
{
    uint32_t stray = place_stray(plugin, place);
    if (!stray && is_digested(plugin, bits) && plugin->api.mem_value) {
        tcgrr_on_store(plugin->vcpu, info, address, NULL);
    }
    return stray ? bits | stray : 0;
}

/* Writes the value after the access's first two words. */
static inline void push_value(struct tcgrr_plugin *plugin, const qemu_plugin_mem_value *value, uint64_t address,
                              uint32_t shift, uint32_t bits)
{
    static const uint64_t masks[8] = {0xff, 0xffff, 0xffffffff, UINT64_MAX, UINT64_MAX};
    uint32_t *space = tcgrr_ring_space(&plugin->ring);
    uint64_t low = value->data.u64 & masks[shift];
    uint64_t high = value->data.u128.high;

    memcpy(space + 2, &low, sizeof(low));
    memcpy(space + 4, &high, sizeof(high));
    if (is_digested(plugin, bits)) {
        tcgrr_sampling_add_store(&plugin->sampling, address, shift, low, shift == 4 ? high : 0);
    }
}

static inline void on_access(uint32_t info, uint64_t address, uintptr_t place, uint32_t bits)
{
    static const uint8_t lengths[8] = {3, 3, 3, 4, 6};
    struct tcgrr_plugin *plugin = &tcgrr_plugin;
    bool has_value = plugin->api.mem_value;
    qemu_plugin_mem_value value;

    bits |= tcgrr_wire_word(TCGRR_WIRE_ACCESS, (uint32_t)place & TCGRR_WIRE_ACCESS_INSN);
    if (__builtin_expect(place >> PLACE_SHIFT != (uintptr_t)plugin->accesses->open, 0)) {
        bits = stray_access(plugin, info, address, place, bits);
        if (!bits) {
            return;
        }
    }
    if (has_value) {
        value = plugin->api.mem_value(info); /* takes long to return, so it is requested first and used last */
    }
    uint32_t slot = locate(plugin, info, address);
    uint32_t shift = size_shift(plugin, info);
    uint32_t *space = tcgrr_ring_space(&plugin->ring);
    space[0] = bits | shift << TCGRR_WIRE_ACCESS_SIZE | (has_value ? TCGRR_WIRE_ACCESS_VALUE : 0);
    space[1] = slot << 12 | ((uint32_t)address & 0xfff);
    if (has_value) {
        push_value(plugin, &value, address, shift, bits);
    }
    tcgrr_ring_publish(&plugin->ring, has_value ? lengths[shift] : 2);
}

static void on_load(unsigned vcpu, uint32_t info, uint64_t address, void *place)
{
    on_access(info, address, (uintptr_t)place, 0);
}

static void on_store(unsigned vcpu, uint32_t info, uint64_t address, void *place)
{
    on_access(info, address, (uintptr_t)place, TCGRR_WIRE_ACCESS_STORE);
}

static void on_either(unsigned vcpu, uint32_t info, uint64_t address, void *place)
{
    on_access(info, address, (uintptr_t)place,
              tcgrr_plugin.api.mem_is_store(info) ? (uint32_t)TCGRR_WIRE_ACCESS_STORE : 0);
}

void tcgrr_access_instrument(const struct tcgrr_plugin *plugin, struct qemu_plugin_tb *tb,
                             const struct tcgrr_translation *translation, const struct tcgrr_insn_class *class)
{
    const struct tcgrr_api *api = &plugin->api;

    for (uint32_t i = 0; i < translation->count; i++) {
        if (class[i].leave == TCGRR_LEAVE_NEVER) {
            continue; /* it makes no memory access: that could fault */
        }
        struct qemu_plugin_insn *insn = api->tb_get_insn(tb, i);
        void *place = (void *)((uintptr_t)translation << PLACE_SHIFT | i);
        if (api->version < 2) {
            /* QEMU 7.2 confuses hooks on reads with hooks on writes. */
            api->register_mem(insn, on_either, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, place);
        } else {
            api->register_mem(insn, on_load, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_R, place);
            api->register_mem(insn, on_store, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_W, place);
        }
    }
}

/* ---- the window ---- */

static bool is_reached(struct tcgrr_accesses *accesses, const struct tcgrr_translation *translation)
{
    if (accesses->window.has_from_pc) {
        return accesses->window.from_pc - translation->pc < translation->size;
    }
    accesses->begun += translation->count;
    return accesses->begun > accesses->window.from;
}

void tcgrr_access_enter(struct tcgrr_plugin *plugin, const struct tcgrr_translation *translation)
{
    struct tcgrr_accesses *accesses = plugin->accesses;

    accesses->near = UINT64_MAX;
    if (__builtin_expect(!accesses->open, 0) && (accesses->past_window || !is_reached(accesses, translation))) {
        return;
    }
    accesses->open = translation;
    if (__builtin_expect(atomic_load_explicit(&plugin->ring.header->past_window, memory_order_relaxed), 0)) {
        accesses->past_window = true;
        accesses->open = NULL;
    }
}

void tcgrr_access_forget(struct tcgrr_plugin *plugin)
{
    static const struct tcgrr_translation gone;
    /* The next translation may get the same address as the open one, although it is another one. */
    if (plugin->accesses->open) {
        plugin->accesses->open = &gone;
    }
}
