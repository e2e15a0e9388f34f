/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words of a command: as JSON, which has no bytes that are not UTF-8, and as lines. */
#ifndef TCGRR_STORE_WORDS_H
#define TCGRR_STORE_WORDS_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

/* A JSON string, or {"bytes": "HEX"} for a word that is not valid UTF-8. New reference. */
json_t *tcgrr_word_json(const char *word);

/* The word again; NULL: it is none. Owned by the caller. */
char *tcgrr_word_of_json(const json_t *json);

/* Writes `words` (NULL-terminated) to the file at `path`, one a line. TCGRR_ERROR_FAILED if a word has a line break,
 * and nothing is written then; else GLib's errors. */
bool tcgrr_words_write(const char *path, char *const *words, GError **error);

#endif
