/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/plugin/pause.h"

#include "emu/plugin/state.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS 100000000 /* interval of checking whether tcgrr still exists */

static struct {
    struct tcgrr_pause *shared;
    struct qemu_plugin_register *handles[TCGRR_PAUSE_REGISTERS];
    GByteArray *value;
    bool announced;
    bool over; /* it never pauses again */
} paused;

/* ---- registers ---- */

static uint32_t read_value(struct qemu_plugin_register *handle)
{
    g_byte_array_set_size(paused.value, 0);
    return tcgrr_plugin.api.read_register(handle, paused.value) > 0 ? paused.value->len : 0;
}

static void tell_registers(void)
{
    struct tcgrr_pause *shared = paused.shared;
    GArray *found = tcgrr_plugin.api.get_registers();
    uint32_t bytes = 0;

    shared->registers = 0;
    for (guint i = 0; found && i < found->len && shared->registers < TCGRR_PAUSE_REGISTERS; i++) {
        /* Later API versions append fields to the descriptor. */
        const void *place = found->data + (gsize)i * g_array_get_element_size(found);
        const qemu_plugin_reg_descriptor *descriptor = place;
        struct tcgrr_pause_register *reg = &shared->names[shared->registers];
        *reg = (struct tcgrr_pause_register){.size = read_value(descriptor->handle)};
        if (reg->size == 0 || bytes + reg->size > TCGRR_PAUSE_BYTES) {
            continue;
        }
        g_strlcpy(reg->name, descriptor->name, sizeof(reg->name));
        g_strlcpy(reg->feature, descriptor->feature ? descriptor->feature : "", sizeof(reg->feature));
        paused.handles[shared->registers++] = descriptor->handle;
        bytes += reg->size;
    }
    if (found) {
        g_array_free(found, TRUE);
    }
    paused.announced = true;
}

/* Bytes after the end of a register of variable length count as zero. */
static void tell_values(void)
{
    uint8_t *to = paused.shared->values;

    for (uint32_t i = 0; i < paused.shared->registers; i++) {
        uint32_t size = paused.shared->names[i].size;
        uint32_t length = read_value(paused.handles[i]);
        memset(to, 0, size);
        memcpy(to, paused.value->data, length < size ? length : size);
        to += size;
    }
}

/* ---- standing ---- */

static void wait_for_tcgrr(struct tcgrr_pause *shared)
{
    const struct tcgrr_wire_header *header = tcgrr_plugin.ring.header;
    const struct timespec look = {.tv_nsec = LOOK_NS};

    while (atomic_load_explicit(&shared->state, memory_order_acquire) == TCGRR_PAUSE_PAUSED && !paused.over) {
        syscall(SYS_futex, &shared->state, FUTEX_WAIT, TCGRR_PAUSE_PAUSED, &look, NULL, 0);
        paused.over = atomic_load_explicit(&header->detach, memory_order_relaxed) != 0;
    }
}

static void stand_here(uint64_t pc)
{
    struct tcgrr_pause *shared = paused.shared;

    if (!paused.announced) {
        tell_registers();
    }
    tell_values();
    shared->pc = pc;
    atomic_store_explicit(&shared->state, TCGRR_PAUSE_PAUSED, memory_order_release);
    wait_for_tcgrr(shared);
    shared->peek.count = shared->peek.lost = 0;
    __atomic_store_n(&shared->peek.on, shared->steps, __ATOMIC_RELEASE);
}

/* Whether the instruction does not belong to the run that is examined. */
static bool passes_by(unsigned vcpu)
{
    return paused.over || tcgrr_plugin.silent || vcpu != tcgrr_plugin.vcpu;
}

static void on_head(unsigned vcpu, void *userdata)
{
    const struct tcgrr_translation *translation = userdata;
    struct tcgrr_pause *shared = paused.shared;

    if (passes_by(vcpu)) {
        return;
    }
    shared->insn = 0;
    shared->insns = translation->count;
    if (shared->steps || shared->left < translation->count) {
        stand_here(translation->pc);
    } else {
        shared->left -= translation->count;
    }
}

static void on_insn(unsigned vcpu, void *pc)
{
    if (passes_by(vcpu)) {
        return;
    }
    paused.shared->insn++;
    if (__builtin_expect(paused.shared->steps, 0)) {
        stand_here((uintptr_t)pc);
    }
}

void tcgrr_pause_instrument(struct tcgrr_plugin *plugin, struct qemu_plugin_tb *tb, const uint64_t *base)
{
    struct tcgrr_translation *translation = &plugin->translations[plugin->used - 1];

    paused.shared->has_base = base != NULL;
    paused.shared->base = base ? *base : 0;
    tcgrr_peek_instrument(tb);
    for (uint16_t i = 0; i < translation->count; i++) {
        struct qemu_plugin_insn *insn = plugin->api.tb_get_insn(tb, i);
        void *pc = (void *)(uintptr_t)plugin->api.insn_vaddr(insn);
        plugin->api.register_insn_exec(insn, i == 0 ? on_head : on_insn, QEMU_PLUGIN_CB_R_REGS,
                                       i == 0 ? translation : pc);
    }
}

bool tcgrr_pause_init(struct tcgrr_plugin *plugin, const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *shared =
        fd >= 0 ? mmap(TCGRR_FAR_AWAY, sizeof(*paused.shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;

    if (fd >= 0) {
        close(fd);
    }
    if (shared == MAP_FAILED || !plugin->api.get_registers || !plugin->api.read_register) {
        return false;
    }
    paused.shared = shared;
    paused.value = g_byte_array_new();
    tcgrr_peek_of_program(&plugin->api, &paused.shared->peek);
    plugin->pauses = true;
    return true;
}
