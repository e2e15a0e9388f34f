/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/plugin/peek.h"

#include <string.h>
#include <sys/mman.h>

static const struct tcgrr_api *peek_api;
static struct tcgrr_peek *peek;
static bool peek_system = true;

static bool is_on(void)
{
    return __atomic_load_n(&peek->on, __ATOMIC_ACQUIRE) != 0;
}

/* Stores a value in memory order. */
static void take_value(uint32_t info, struct tcgrr_peek_access *access)
{
    qemu_plugin_mem_value value = peek_api->mem_value(info);
    bool big = peek_api->mem_is_big_endian(info);
    uint64_t words[2] = {value.data.u64, access->size > 8 ? value.data.u128.high : 0};

    for (uint8_t i = 0; i < access->size; i++) {
        uint8_t at = big ? (uint8_t)(access->size - 1 - i) : i;
        access->bytes[at] = (uint8_t)(words[i / 8] >> i % 8 * 8);
    }
    access->flags |= TCGRR_PEEK_VALUE;
}

static void on_access(unsigned vcpu, uint32_t info, uint64_t address, void *userdata)
{
    if (!is_on()) {
        return;
    }
    if (peek->count == TCGRR_PEEK_MAX) {
        peek->lost++;
        return;
    }
    struct tcgrr_peek_access *access = &peek->accesses[peek->count];
    struct qemu_plugin_hwaddr *place = peek_system ? peek_api->get_hwaddr(info, address) : NULL;
    *access = (struct tcgrr_peek_access){.address = address, .size = (uint8_t)(1u << peek_api->mem_size_shift(info))};
    access->flags = peek_api->mem_is_store(info) ? TCGRR_PEEK_STORE : 0;
    if (place && peek_api->hwaddr_is_io(place)) {
        access->flags |= TCGRR_PEEK_DEVICE;
    }
    if (!peek_system) { /* a program has no others */
        access->physical = address;
        access->flags |= TCGRR_PEEK_PHYSICAL;
    } else if (place && peek_api->version >= 2) { /* before, it computes the address from unrelated offsets */
        access->physical = peek_api->hwaddr_phys_addr(place);
        access->flags |= TCGRR_PEEK_PHYSICAL;
    }
    if (peek_api->mem_value && access->size <= sizeof(access->bytes)) {
        take_value(info, access);
    }
    peek->count++;
}

void tcgrr_peek_instrument(struct qemu_plugin_tb *tb)
{
    for (size_t i = 0; i < peek_api->tb_n_insns(tb); i++) {
        peek_api->register_mem(peek_api->tb_get_insn(tb, i), on_access, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW,
                               NULL);
    }
}

static void translated(struct qemu_plugin_tb *tb)
{
    if (is_on()) {
        tcgrr_peek_instrument(tb);
    }
}

void tcgrr_peek_of_program(const struct tcgrr_api *api, struct tcgrr_peek *into)
{
    peek_api = api;
    peek = into;
    peek_system = false;
}

bool tcgrr_peek_start(const struct tcgrr_api *api, qemu_plugin_id_t id, int fd)
{
    void *shared = mmap(NULL, sizeof(*peek), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    peek_api = api;
    peek = shared != MAP_FAILED ? shared : NULL;
    return peek && tcgrr_api_at_translation(api, id, translated);
}
