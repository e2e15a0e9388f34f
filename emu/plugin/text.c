/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/plugin/text.h"

#include <string.h>

/* Maximum size of a record; texts that do not fit are sent empty. */
#define MAX_BYTES 28672u
static_assert(MAX_BYTES / 4 + 1 < TCGRR_WIRE_RESERVE_WORDS && MAX_BYTES > 2 * TCGRR_WIRE_MAX_INSNS,
              "the record must fit, with something of each instruction");

void tcgrr_text(struct tcgrr_plugin *plugin, const struct qemu_plugin_tb *tb, uint32_t count)
{
    uint32_t *space = tcgrr_ring_space(&plugin->ring);
    char *to = (char *)(space + 1);
    uint32_t used = 0;

    for (uint32_t i = 0; i < count; i++) {
        char *text = plugin->api.insn_disas(plugin->api.tb_get_insn(tb, i));
        size_t size = text ? strlen(text) : 0;
        if (used + size + (count - i) > MAX_BYTES) {
            size = 0;
        }
        memcpy(to + used, text ? text : "", size);
        used += (uint32_t)size;
        to[used++] = '\0';
        g_free(text);
    }
    while (used % 4) {
        to[used++] = '\0';
    }
    space[0] = tcgrr_wire_word(TCGRR_WIRE_TEXT, used / 4);
    tcgrr_ring_publish(&plugin->ring, 1 + used / 4);
}
