/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target for what comes over gdb's remote protocol, from QEMU's stub or from a gdb. The first byte selects:
 * packets as they are; the rest as one packet's payload, its checksum made right; a description of registers.
 */
#include "emu/qemu/gdb_features.h"
#include "emu/qemu/gdb_packet.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(const char *text, size_t size)
{
    g_autoptr(GString) input = g_string_new_len(text, (gssize)size);
    g_autoptr(GString) packet = g_string_new(NULL);
    g_autoptr(GString) payload = g_string_new(NULL);
    bool found = true;

    while (found && tcgrr_gdb_packet_take(input, packet, &found, NULL)) {
        if (found && packet->str[0] == '$' && tcgrr_gdb_packet_expand(packet, payload, NULL)) {
            uint8_t bytes[16];
            if (payload->len > TCGRR_GDB_PACKET_MAX || input->len > size) {
                abort();
            }
            tcgrr_gdb_packet_hex(payload->str, MIN(payload->len / 2, sizeof(bytes)), bytes);
        }
    }
}

static void take_payload(const char *text, size_t size)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++) {
        sum = (uint8_t)(sum + (uint8_t)text[i]);
    }
    g_autoptr(GString) packet = g_string_new("+$");
    g_string_append_len(packet, text, (gssize)size);
    g_string_append_printf(packet, "#%02x", sum);
    take(packet->str, packet->len);
}

static void parse(const char *text, size_t size)
{
    struct tcgrr_register_layout *registers = tcgrr_register_layout_new("x86_64");
    g_autoptr(GPtrArray) includes = g_ptr_array_new_with_free_func(g_free);
    unsigned number = 0;

    if (tcgrr_register_layout_parse(registers, text, size, &number, includes, NULL)) {
        uint8_t *state = g_malloc0(registers->state_bytes);
        for (guint i = 0; i < registers->list->len; i++) {
            const struct tcgrr_register *reg = g_ptr_array_index(registers->list, i);
            if (reg->offset + reg->bytes > registers->state_bytes) {
                abort();
            }
            g_free(tcgrr_state_text(registers, state, reg));
        }
        g_free(state);
    }
    tcgrr_register_layout_unref(registers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const ways[])(const char *, size_t) = {take, take_payload, parse};
    if (size >= 1) {
        ways[data[0] % 3]((const char *)data + 1, size - 1);
    }
    return 0;
}
