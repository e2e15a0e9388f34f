/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moves QEMU's own disassembly from the ring to the blocks. */
#include "emu/live/live_internal.h"

#include <string.h>

bool tcgrr_live_read_text(struct tcgrr_live *live, const uint32_t *payload, uint32_t words, GError **error)
{
    if (words > TCGRR_WIRE_RESERVE_WORDS) {
        return tcgrr_live_damaged(error, "a text that is too long");
    }
    g_byte_array_set_size(live->text, 0);
    g_byte_array_append(live->text, (const guint8 *)payload, words * 4);
    return true;
}

/* Whether a word of `size` characters is an instruction's bytes in hexadecimal, in either order. */
static bool is_bytes(const char *word, size_t size, const uint8_t *bytes, uint8_t length)
{
    bool forward = size == 2u * length;
    bool backward = forward;
    for (uint8_t i = 0; i < length && (forward || backward); i++) {
        int value = g_ascii_xdigit_value(word[2 * i]) * 16 + g_ascii_xdigit_value(word[2 * i + 1]);
        forward = forward && value == bytes[i];
        backward = backward && value == bytes[length - 1 - i];
    }
    return forward || backward;
}

/* Some of QEMU's disassemblers put the bytes first and pad with spaces. */
static void append_clean(GString *line, const char *text, const uint8_t *bytes, uint8_t length)
{
    bool first = true;
    while (*text) {
        size_t space = strspn(text, " \t\n");
        size_t size = strcspn(text + space, " \t\n");
        const char *word = text + space;
        if (size > 0 && !(first && is_bytes(word, size, bytes, length))) {
            if (line->len > 0 && line->str[line->len - 1] != '\n') {
                g_string_append_c(line, ' ');
            }
            g_string_append_len(line, word, (gssize)size);
        }
        first = false;
        text = word + size;
    }
}

bool tcgrr_live_take_text(struct tcgrr_live *live, uint32_t number, GError **error)
{
    const struct tcgrr_block *block = tcgrr_blocks_get(live->blocks, number);
    const char *at = (const char *)live->text->data;
    size_t left = live->text->len;
    const uint8_t *bytes = block->bytes;
    g_autoptr(GString) lines = g_string_new(NULL);

    for (uint32_t i = 0; i < block->insns; i++) {
        size_t size = strnlen(at, left);
        if (size == left) {
            return tcgrr_live_damaged(error, "a block with too few texts");
        }
        g_string_append(lines, i ? "\n" : "");
        append_clean(lines, at, bytes, block->lengths[i]);
        at += size + 1;
        left -= size + 1;
        bytes += block->lengths[i];
    }
    return tcgrr_blocks_set_text(live->blocks, number, lines->str) ||
           tcgrr_live_damaged(error, "a text of several lines");
}

void tcgrr_live_copy_text(struct tcgrr_live *live, uint32_t number, const struct tcgrr_block *from)
{
    g_autoptr(GString) lines = g_string_new(NULL);
    for (const char *line = from->text; line;) {
        size_t size = strcspn(line, "#\n");
        while (size > 0 && line[size - 1] == ' ') {
            size--;
        }
        g_string_append_len(lines, line, (gssize)size);
        line = strchr(line, '\n');
        if (line) {
            g_string_append_c(lines, *line++);
        }
    }
    tcgrr_blocks_set_text(live->blocks, number, lines->str);
}
