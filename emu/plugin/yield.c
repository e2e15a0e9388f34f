/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/plugin/yield.h"

#include <time.h>

/* Interval between two slices that are cut short: long enough for the guest to make progress, also towards its
 * shutdown. */
#define YIELD_EVERY_NS (20 * 1000 * 1000)

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Called in the vCPU's thread after a draft has been packed. */
static void heed(void)
{
    struct tcgrr_plugin *plugin = &tcgrr_plugin;

    if (!atomic_load_explicit(&plugin->ring.header->yield_asked, memory_order_relaxed)) {
        return;
    }
    uint64_t now = now_ns();
    if (now - plugin->yielded < YIELD_EVERY_NS) {
        return;
    }
    plugin->yielded = now;
    if (plugin->api.reset_7) {
        plugin->api.reset_7(plugin->id, plugin->reset, NULL);
    } else {
        plugin->api.reset(plugin->id, plugin->reset);
    }
}

void tcgrr_yield_init(struct tcgrr_plugin *plugin, qemu_plugin_id_t id, tcgrr_any_cb reset)
{
    plugin->id = id;
    plugin->reset = reset;
    if (plugin->system && (plugin->api.reset || plugin->api.reset_7)) {
        plugin->ring.packed = heed;
    }
}
