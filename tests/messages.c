/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/messages.h"

#include "store/error.h"

struct tcgrr_message message_of(enum tcgrr_message_type type, const GByteArray *payload)
{
    assert_true(payload->len <= tcgrr_message_longest(type));
    return (struct tcgrr_message){type, payload->data, payload->len};
}

void expect_refused(bool taken, GError **error)
{
    assert_false(taken);
    assert_true(g_error_matches(*error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED));
    g_clear_error(error);
}

void expect_whole(enum tcgrr_message_type type, const GByteArray *payload, take_function take, void *data)
{
    struct tcgrr_message message = message_of(type, payload);
    GError *error = NULL;

    for (message.length = 0; message.length < payload->len; message.length++) {
        /* A copy of this length, so that a sanitizer sees reading past it. */
        g_autofree uint8_t *copy = g_memdup2(payload->data, message.length);
        message.payload = copy;
        expect_refused(take(&message, data, &error), &error);
    }
    g_autoptr(GByteArray) longer = g_byte_array_new();
    g_byte_array_append(longer, payload->data, payload->len);
    g_byte_array_append(longer, (const guint8 *)"", 1);
    message = (struct tcgrr_message){type, longer->data, longer->len};
    expect_refused(take(&message, data, &error), &error);
    message = message_of(type, payload);
    assert_true(take(&message, data, &error));
}
