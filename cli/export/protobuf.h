/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes messages in protobuf's encoding: one field after another; a nested message is a field of bytes. */
#ifndef TCGRR_CLI_EXPORT_PROTOBUF_H
#define TCGRR_CLI_EXPORT_PROTOBUF_H

#include <glib.h>
#include <stdint.h>

void protobuf_number(GByteArray *message, uint32_t field, uint64_t value);
void protobuf_text(GByteArray *message, uint32_t field, const char *text);
void protobuf_message(GByteArray *message, uint32_t field, const GByteArray *inner);

#endif
