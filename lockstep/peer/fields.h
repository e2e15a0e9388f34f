/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fields of a lockstep message: numbers of variable length (store/codec/varint.h), 8 bytes little-endian where a
 * number may need all 64 bits, and texts. Received fields are untrusted: one that is missing or out of range makes the
 * whole message bad, and all fields taken after it are 0.
 */
#ifndef TCGRR_LOCKSTEP_FIELDS_H
#define TCGRR_LOCKSTEP_FIELDS_H

#include "store/codec/varint.h"

#include <string.h>

struct tcgrr_fields {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
};

/* A number below 2^63. */
static inline void tcgrr_put_number(GByteArray *to, uint64_t number)
{
    tcgrr_varint_put(to, number);
}

static inline void tcgrr_put_fixed(GByteArray *to, uint64_t number)
{
    uint64_t little = GUINT64_TO_LE(number);
    g_byte_array_append(to, (const guint8 *)&little, sizeof(little));
}

static inline void tcgrr_put_text(GByteArray *to, const char *text)
{
    tcgrr_put_number(to, strlen(text));
    g_byte_array_append(to, (const guint8 *)text, (guint)strlen(text));
}

/* A number from 0 to `most`. */
static inline uint64_t tcgrr_take_number(struct tcgrr_fields *in, uint64_t most)
{
    uint64_t number = 0;
    if (in->bad || !tcgrr_varint_take(&in->at, in->end, &number) || number > most) {
        in->bad = true;
        return 0;
    }
    return number;
}

/* `length` bytes; NULL if there are fewer. */
static inline const uint8_t *tcgrr_take_bytes(struct tcgrr_fields *in, uint64_t length)
{
    const uint8_t *bytes = in->at;
    if (in->bad || length > (uint64_t)(in->end - in->at)) {
        in->bad = true;
        return NULL;
    }
    in->at += length;
    return bytes;
}

static inline uint64_t tcgrr_take_fixed(struct tcgrr_fields *in)
{
    uint64_t little = 0;
    const uint8_t *bytes = tcgrr_take_bytes(in, sizeof(little));
    if (bytes) {
        memcpy(&little, bytes, sizeof(little));
    }
    return GUINT64_FROM_LE(little);
}

/* A text of less than `size` bytes. It may be shown on a terminal, so everything but printable ASCII is replaced by
 * '?'. */
static inline void tcgrr_take_text(struct tcgrr_fields *in, char *text, size_t size)
{
    uint64_t length = tcgrr_take_number(in, size - 1);
    const uint8_t *bytes = tcgrr_take_bytes(in, length);

    text[0] = '\0';
    for (uint64_t i = 0; bytes && i < length; i++) {
        text[i] = (char)(g_ascii_isprint((char)bytes[i]) ? bytes[i] : '?');
        text[i + 1] = '\0';
    }
}

/* Whether all fields were taken, and none was bad. */
static inline bool tcgrr_take_end(const struct tcgrr_fields *in)
{
    return !in->bad && in->at == in->end;
}

#endif
