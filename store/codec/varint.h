/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers of variable length: seven bits a byte, low ones first, the top bit set in all but the last. */
#ifndef TCGRR_STORE_VARINT_H
#define TCGRR_STORE_VARINT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

static inline void tcgrr_varint_put(GByteArray *bytes, uint64_t value)
{
    guint8 buffer[10];
    guint length = 0;
    while (value >= 0x80) {
        buffer[length++] = (guint8)(value | 0x80);
        value >>= 7;
    }
    buffer[length++] = (guint8)value;
    g_byte_array_append(bytes, buffer, length);
}

/*
 * Reads one from the untrusted bytes `*at`..`end`, and advances `*at`. False if it does not end there or has more than
 * 63 bits.
 */
static inline bool tcgrr_varint_take(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 63 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            return true;
        }
    }
    return false;
}

#endif
