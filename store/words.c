/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/words.h"

#include "store/error.h"

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

bool tcgrr_words_write(const char *path, char *const *words, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (; *words; words++) {
        if (strchr(*words, '\n')) {
            g_autofree char *name = g_path_get_basename(path);
            g_autofree char *folder = g_path_get_dirname(path);
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                        "%s has one argument a line, and this one has a line break: %s; the other files are in %s",
                        name, *words, folder);
            return false;
        }
        g_string_append_printf(text, "%s\n", *words);
    }
    return g_file_set_contents(path, text->str, (gssize)text->len, error);
}
