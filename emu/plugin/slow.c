/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/plugin/slow.h"

#include <sys/mman.h>
#include <unistd.h>

#define PAUSE_US 2000 /* pause before each block once the guest is slowed down */

static const struct tcgrr_api *slow_api;
static struct tcgrr_slow *slow;

static void on_block(unsigned vcpu, void *userdata)
{
    uint64_t count = (uintptr_t)userdata;
    uint64_t left = __atomic_load_n(&slow->left, __ATOMIC_ACQUIRE);
    if (left > count) {
        __atomic_store_n(&slow->left, left - count, __ATOMIC_RELEASE);
        return;
    }
    __atomic_store_n(&slow->left, 0, __ATOMIC_RELEASE);
    usleep(PAUSE_US);
}

static void translated(struct qemu_plugin_tb *tb)
{
    slow_api->register_tb_exec(tb, on_block, QEMU_PLUGIN_CB_NO_REGS, (void *)(uintptr_t)slow_api->tb_n_insns(tb));
}

bool tcgrr_slow_start(const struct tcgrr_api *api, qemu_plugin_id_t id, int fd)
{
    void *shared = mmap(NULL, sizeof(*slow), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    slow_api = api;
    slow = shared != MAP_FAILED ? shared : NULL;
    return slow && tcgrr_api_at_translation(api, id, translated);
}
