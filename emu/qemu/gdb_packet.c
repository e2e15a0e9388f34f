/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/gdb_packet.h"

#include <string.h>

#include "store/error.h"

#define ESCAPE      '}'
#define ESCAPE_BIT  0x20
#define RUN         '*'
#define RUN_BIAS    29 /* a run's count is a printable character: the number of repetitions plus this */
#define RUN_MIN     32
#define RUN_MAX     126
#define CHECK_CHARS 3 /* "#" and two digits */
#define INTERRUPT   '\3'

#define INTERRUPT_TEXT "\3"

static uint8_t checksum(const char *text, size_t length)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < length; i++) {
        sum = (uint8_t)(sum + (uint8_t)text[i]);
    }
    return sum;
}

void tcgrr_gdb_packet_append(GString *out, const char *payload)
{
    g_string_append_c(out, '$');
    gsize start = out->len;
    for (; *payload; payload++) {
        if (strchr("$#}*", *payload)) {
            g_string_append_c(out, ESCAPE);
            g_string_append_c(out, (gchar)(*payload ^ ESCAPE_BIT));
        } else {
            g_string_append_c(out, *payload);
        }
    }
    g_string_append_printf(out, "#%02x", checksum(out->str + start, out->len - start));
}

static bool damaged(const char *text, GError **error)
{
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "it sent %s", text);
    return false;
}

static bool append_run(GString *payload, char count, GError **error)
{
    int more = count - RUN_BIAS;
    if (payload->len == 0 || count < RUN_MIN || count > RUN_MAX) {
        return damaged("a packet with a run of nothing", error);
    }
    char last = payload->str[payload->len - 1];
    while (more-- > 0) {
        g_string_append_c(payload, last);
    }
    return true;
}

/* Writes out escapes and runs. */
static bool expand(const char *text, size_t length, GString *payload, GError **error)
{
    for (size_t i = 0; i < length; i++) {
        bool special = text[i] == ESCAPE || text[i] == RUN;
        if (special && i + 1 == length) {
            return damaged("a packet that ends within an escape", error);
        }
        if (payload->len > TCGRR_GDB_PACKET_MAX) {
            return damaged("a packet of more than 1 MiB", error);
        }
        if (text[i] == RUN) {
            if (!append_run(payload, text[++i], error)) {
                return false;
            }
        } else {
            g_string_append_c(payload, special ? (gchar)(text[++i] ^ ESCAPE_BIT) : text[i]);
        }
    }
    return true;
}

/* The length of the packet or notification at the start of `input`, including its checksum; 0: it is incomplete. */
static bool measure(const GString *input, size_t *length, GError **error)
{
    const char *end = memchr(input->str, '#', input->len);
    size_t inside = end ? (size_t)(end - input->str) - 1 : input->len;

    *length = 0;
    if (inside > TCGRR_GDB_PACKET_MAX) {
        return damaged("a packet of more than 1 MiB", error);
    }
    if (!end || input->len < inside + 1 + CHECK_CHARS) {
        return true;
    }
    uint8_t sum;
    if (!tcgrr_gdb_packet_hex(end + 1, 1, &sum) || sum != checksum(input->str + 1, inside)) {
        return damaged("a packet with a wrong checksum", error);
    }
    *length = inside + 1 + CHECK_CHARS;
    return true;
}

bool tcgrr_gdb_packet_take(GString *input, GString *packet, bool *found, GError **error)
{
    for (size_t length = 1; length > 0; g_string_erase(input, 0, (gssize)length)) {
        size_t begin = 0;
        while (begin < input->len && (input->str[begin] == '\0' || !strchr("$%-\3", input->str[begin]))) {
            begin++;
        }
        g_string_erase(input, 0, (gssize)begin);
        *found = input->len > 0 && input->str[0] == INTERRUPT;
        if (*found) {
            g_string_assign(packet, INTERRUPT_TEXT);
            g_string_erase(input, 0, 1);
            return true;
        }
        if (input->len > 0 && input->str[0] == '-') {
            return damaged("a request to send a packet again", error);
        }
        if (input->len == 0 || !measure(input, &length, error)) {
            return input->len == 0;
        }
        *found = length > 0 && input->str[0] == '$';
        if (*found) {
            g_string_truncate(packet, 0);
            g_string_append_len(packet, input->str, (gssize)length);
            g_string_erase(input, 0, (gssize)length);
            return true;
        }
    }
    return true;
}

bool tcgrr_gdb_packet_expand(const GString *packet, GString *payload, GError **error)
{
    g_string_truncate(payload, 0);
    return packet->len <= CHECK_CHARS || expand(packet->str + 1, packet->len - 1 - CHECK_CHARS, payload, error);
}

bool tcgrr_gdb_packet_hex(const char *text, size_t bytes, uint8_t *out)
{
    for (size_t i = 0; i < bytes; i++) {
        int high = g_ascii_xdigit_value(text[2 * i]);
        int low = high < 0 ? -1 : g_ascii_xdigit_value(text[2 * i + 1]);
        if (low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
