/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words of a command as JSON, which knows no bytes that are not UTF-8. */
#ifndef TCGRR_STORE_WORDS_H
#define TCGRR_STORE_WORDS_H

#include <jansson.h>

/* A string, or {"bytes": "HEX"} for what no string can hold. New reference. */
json_t *tcgrr_word_json(const char *word);

/* The word again; NULL: it is none. Owned by the caller. */
char *tcgrr_word_of_json(const json_t *json);

#endif
