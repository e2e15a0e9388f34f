/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/plugin/sample.h"

#include <stdlib.h>
#include <string.h>

struct tcgrr_sampled_register {
    struct qemu_plugin_register *handle;
    char *name;
    char *feature;
    uint32_t size; /* bytes of its value; 0: it cannot be read */
    uint32_t offset;
};

/*
 * The program counter is left out, because QEMU updates it only occasionally and a sample's place has it; RISC-V's
 * counters, because reading them reads QEMU's clocks; and its source of random numbers, because reading it would
 * consume one.
 */
static bool is_left_out(enum tcgrr_isa isa, const char *name)
{
    enum tcgrr_register_kind kind = tcgrr_register_kind(name);
    bool reading_tells = kind == TCGRR_REGISTER_COUNTER || strcmp(name, "seed") == 0;
    return kind == TCGRR_REGISTER_PC || (isa == TCGRR_ISA_RISCV && reading_tells);
}

static void keep(struct tcgrr_plugin *plugin, const qemu_plugin_reg_descriptor *found)
{
    struct tcgrr_sampling *sampling = &plugin->sampling;
    const char *feature = found->feature ? found->feature : "";

    if (plugin->isa == TCGRR_ISA_ARM && (strcmp(found->name, "cpsr") == 0 || strcmp(found->name, "xpsr") == 0)) {
        sampling->status = found->handle;
        sampling->thumb_bit = found->name[0] == 'c' ? 1u << 5 : 1u << 24;
    }
    if (is_left_out(plugin->isa, found->name) || sampling->count == TCGRR_WIRE_MAX_REGISTERS || !*found->name ||
        strlen(found->name) > TCGRR_WIRE_MAX_NAME || strlen(feature) > TCGRR_WIRE_MAX_NAME) {
        return; /* further registers are not sampled */
    }
    sampling->registers[sampling->count++] = (struct tcgrr_sampled_register){
        .handle = found->handle, .name = strdup(found->name), .feature = strdup(feature)};
}

void tcgrr_sampling_init(struct tcgrr_plugin *plugin)
{
    struct tcgrr_sampling *sampling = &plugin->sampling;

    if (!sampling->on || sampling->registers) {
        return;
    }
    GArray *registers = plugin->api.get_registers();
    sampling->registers = g_new0(struct tcgrr_sampled_register, registers ? registers->len + 1 : 1);
    sampling->value = g_byte_array_sized_new(4096);
    for (guint i = 0; registers && i < registers->len; i++) {
        /* Later API versions append fields to the descriptor. */
        const void *place = registers->data + (gsize)i * g_array_get_element_size(registers);
        keep(plugin, place);
    }
    if (registers) {
        g_array_free(registers, TRUE);
    }
}

void tcgrr_sampling_restart(struct tcgrr_plugin *plugin)
{
    struct tcgrr_sampling *sampling = &plugin->sampling;

    if (sampling->on) {
        g_free(sampling->values);
        *sampling = (struct tcgrr_sampling){
            .on = true,
            .count = sampling->count,
            .registers = sampling->registers,
            .status = sampling->status,
            .thumb_bit = sampling->thumb_bit,
            .value = sampling->value,
        };
    }
}

/* Reads a register into sampling->value. Returns the number of bytes; 0 if it cannot be read. */
static uint32_t read_value(struct tcgrr_plugin *plugin, struct qemu_plugin_register *handle)
{
    GByteArray *value = plugin->sampling.value;
    g_byte_array_set_size(value, 0);
    return plugin->api.read_register(handle, value) > 0 ? value->len : 0;
}

bool tcgrr_sampling_counts(struct tcgrr_plugin *plugin, uint64_t pc, const uint8_t *bytes, uint8_t length)
{
    bool thumb = false;

    if (!plugin->sampling.on) {
        return false;
    }
    if (plugin->sampling.status && length == 4) {
        uint32_t status;
        if (read_value(plugin, plugin->sampling.status) != sizeof(status)) {
            return false;
        }
        memcpy(&status, plugin->sampling.value->data, sizeof(status));
        thumb = status & plugin->sampling.thumb_bit;
    }
    return tcgrr_isa_transfers(plugin->isa, thumb, pc, bytes, length);
}

/* ---- telling tcgrr ---- */

static void tell_name(struct tcgrr_plugin *plugin, const struct tcgrr_sampled_register *sampled)
{
    size_t name = strlen(sampled->name) + 1;
    size_t feature = strlen(sampled->feature) + 1;
    uint32_t payload = (uint32_t)(sizeof(uint32_t) + name + feature + 3) / 4;
    uint32_t *space = tcgrr_ring_space(&plugin->ring);
    char *to = (char *)(space + 2);

    space[0] = tcgrr_wire_word(TCGRR_WIRE_REGISTER, payload);
    space[payload] = 0; /* the padding, if there is any */
    space[1] = sampled->size;
    memcpy(to, sampled->name, name);
    memcpy(to + name, sampled->feature, feature);
    tcgrr_ring_publish(&plugin->ring, 1 + payload);
}

/* Determines and sends the sizes of the registers; those that cannot be read now are never read. */
static void tell_registers(struct tcgrr_plugin *plugin)
{
    struct tcgrr_sampling *sampling = &plugin->sampling;
    unsigned count = 0;
    uint32_t bytes = 0;

    for (unsigned i = 0; i < sampling->count; i++) {
        struct tcgrr_sampled_register sampled = sampling->registers[i];
        sampled.size = read_value(plugin, sampled.handle);
        sampled.offset = bytes;
        if (sampled.size > 0 && sampled.size <= TCGRR_WIRE_MAX_REGISTER_BYTES &&
            bytes + sampled.size <= TCGRR_WIRE_MAX_STATE_BYTES) {
            tell_name(plugin, &sampled);
            sampling->registers[count++] = sampled;
            bytes += sampled.size;
        }
    }
    sampling->count = count;
    sampling->values = g_malloc0(bytes + 1);
    sampling->announced = true;
}

static void tell_value(struct tcgrr_plugin *plugin, uint32_t number, const uint8_t *value, uint32_t size)
{
    for (uint32_t offset = 0; offset < size; offset += TCGRR_WIRE_VALUE_BYTES) {
        struct tcgrr_wire_value head = {.number = number, .offset = offset, .size = size - offset};
        if (head.size > TCGRR_WIRE_VALUE_BYTES) {
            head.size = TCGRR_WIRE_VALUE_BYTES;
        }
        uint32_t payload = (uint32_t)(sizeof(head) + head.size + 3) / 4;
        uint32_t *space = tcgrr_ring_space(&plugin->ring);
        space[0] = tcgrr_wire_word(TCGRR_WIRE_VALUE, payload);
        space[payload] = 0; /* the padding, if there is any */
        memcpy(space + 1, &head, sizeof(head));
        memcpy((uint8_t *)(space + 1) + sizeof(head), value + offset, head.size);
        tcgrr_ring_publish(&plugin->ring, 1 + payload);
    }
}

/* Sends the changes since the last sample. Bytes after the end of a register of variable length, such as a vector
 * register, count as zero. */
static void tell_changes(struct tcgrr_plugin *plugin)
{
    struct tcgrr_sampling *sampling = &plugin->sampling;

    for (unsigned i = 0; i < sampling->count; i++) {
        const struct tcgrr_sampled_register *sampled = &sampling->registers[i];
        uint8_t *before = sampling->values + sampled->offset;
        uint32_t length = read_value(plugin, sampled->handle);
        if (length == 0) {
            continue;
        }
        if (length < sampled->size) {
            g_byte_array_set_size(sampling->value, sampled->size);
            memset(sampling->value->data + length, 0, sampled->size - length);
        }
        if (memcmp(before, sampling->value->data, sampled->size) != 0) {
            memcpy(before, sampling->value->data, sampled->size);
            tell_value(plugin, i, before, sampled->size);
        }
    }
}

/*
 * Samples are taken at multiples of the step, so that the samples of a larger step are a subset of those of a smaller
 * one. If samples are wanted after each branch of a part of the run, there are none between the first sample and that
 * part. In user mode, where only samples show data, they are then taken before every block.
 */
static void set_next(struct tcgrr_plugin *plugin)
{
    struct tcgrr_sampling *sampling = &plugin->sampling;
    uint32_t step = atomic_load_explicit(&plugin->ring.header->sample_step, memory_order_relaxed);
    uint64_t from = plugin->ring.header->closer_from;

    sampling->transfers += (uint64_t)(sampling->interval - sampling->countdown);
    uint64_t next = step <= 1 ? 0 : step - sampling->transfers % step;
    sampling->waits = false;
    if (next > 1 && sampling->transfers < plugin->ring.header->closer_to) {
        sampling->waits = sampling->transfers < from;
        next = sampling->waits ? from - sampling->transfers : plugin->system ? 1 : 0;
    }
    sampling->interval = (int64_t)next;
    sampling->countdown = sampling->interval;
}

void tcgrr_sampling_begin(struct tcgrr_plugin *plugin)
{
    struct tcgrr_sampling *sampling = &plugin->sampling;

    if (!sampling->begun) {
        sampling->begun = true;
        sampling->transfers = 0;
        sampling->stores = 0;
        sampling->interval = 0;
        sampling->countdown = 0;
    }
}

void tcgrr_sample(struct tcgrr_plugin *plugin)
{
    if (!plugin->sampling.announced) {
        tell_registers(plugin);
    }
    set_next(plugin);
    tell_changes(plugin);
    uint32_t *space = tcgrr_ring_space(&plugin->ring);
    space[0] = tcgrr_wire_word(TCGRR_WIRE_SAMPLE, 0);
    space[1] = (uint32_t)plugin->sampling.stores;
    space[2] = (uint32_t)(plugin->sampling.stores >> 32);
    tcgrr_ring_publish(&plugin->ring, 3);
}

/* ---- stores ---- */

void tcgrr_on_store(unsigned vcpu, uint32_t info, uint64_t vaddr, void *userdata)
{
    struct tcgrr_sampling *sampling = &tcgrr_plugin.sampling;
    if (sampling->waits) {
        return;
    }
    qemu_plugin_mem_value value = tcgrr_plugin.api.mem_value(info);
    uint64_t low = 0;
    uint64_t high = 0;

    switch (value.type) {
    case QEMU_PLUGIN_MEM_VALUE_U8:
        low = value.data.u8;
        break;
    case QEMU_PLUGIN_MEM_VALUE_U16:
        low = value.data.u16;
        break;
    case QEMU_PLUGIN_MEM_VALUE_U32:
        low = value.data.u32;
        break;
    case QEMU_PLUGIN_MEM_VALUE_U64:
        low = value.data.u64;
        break;
    default:
        low = value.data.u128.low;
        high = value.data.u128.high;
        break;
    }
    tcgrr_sampling_add_store(sampling, vaddr, value.type, low, high);
}
