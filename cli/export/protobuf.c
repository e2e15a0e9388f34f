/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/export/protobuf.h"

#include <string.h>

enum { VARINT = 0, BYTES = 2 }; /* how a field's value is written */

static void varint(GByteArray *message, uint64_t value)
{
    uint8_t bytes[10];
    guint count = 0;
    do {
        bytes[count] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        count++;
        value >>= 7;
    } while (value);
    g_byte_array_append(message, bytes, count);
}

void protobuf_number(GByteArray *message, uint32_t field, uint64_t value)
{
    varint(message, (uint64_t)field << 3 | VARINT);
    varint(message, value);
}

static void bytes(GByteArray *message, uint32_t field, const void *data, size_t size)
{
    varint(message, (uint64_t)field << 3 | BYTES);
    varint(message, size);
    g_byte_array_append(message, data, (guint)size);
}

void protobuf_text(GByteArray *message, uint32_t field, const char *text)
{
    bytes(message, field, text, strlen(text));
}

void protobuf_message(GByteArray *message, uint32_t field, const GByteArray *inner)
{
    bytes(message, field, inner->data, inner->len);
}
