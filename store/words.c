/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/words.h"

#include <glib.h>
#include <string.h>

json_t *tcgrr_word_json(const char *word)
{
    json_t *text = json_string(word); /* NULL: not UTF-8 */

    if (text) {
        return text;
    }
    GString *digits = g_string_new(NULL);
    for (const char *at = word; *at; at++) {
        g_string_append_printf(digits, "%02x", (unsigned char)*at);
    }
    json_t *object = json_pack("{s:s}", "bytes", digits->str);
    g_string_free(digits, TRUE);
    return object;
}

char *tcgrr_word_of_json(const json_t *json)
{
    const char *digits = json_string_value(json_object_get(json, "bytes"));
    size_t length = digits ? strlen(digits) : 0;

    if (!digits) {
        return g_strdup(json_string_value(json));
    }
    GString *word = g_string_new(NULL);
    for (size_t i = 0; i + 1 < length; i += 2) {
        int byte = g_ascii_xdigit_value(digits[i]) * 16 + g_ascii_xdigit_value(digits[i + 1]);
        if (!g_ascii_isxdigit(digits[i]) || !g_ascii_isxdigit(digits[i + 1]) || byte == 0) {
            break;
        }
        g_string_append_c(word, (char)byte);
    }
    if (word->len * 2 != length) { /* a trace is untrusted */
        g_string_free(word, TRUE);
        return NULL;
    }
    return g_string_free(word, FALSE);
}
