/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small tables of varints as the trace keeps them: a zstd frame with its digest after it. */
#ifndef TCGRR_STORE_PACKED_H
#define TCGRR_STORE_PACKED_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Replaces `out` with the packed bytes of `plain`. */
void tcgrr_packed_write(const GByteArray *plain, GByteArray *out);

/* Replaces `plain` with what was packed. False if that is damaged, or more than `most` bytes. */
bool tcgrr_packed_read(const uint8_t *blob, size_t size, uint64_t most, GByteArray *plain);

#endif
