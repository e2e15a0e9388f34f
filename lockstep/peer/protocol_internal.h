/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files that read and write messages. */
#ifndef TCGRR_LOCKSTEP_PROTOCOL_INTERNAL_H
#define TCGRR_LOCKSTEP_PROTOCOL_INTERNAL_H

#include "lockstep/peer/fields.h"
#include "lockstep/peer/protocol.h"

/* The message's fields, to be taken in order; they point into the message. */
struct tcgrr_fields tcgrr_message_fields(const struct tcgrr_message *message);

/* Whether all fields were taken and were good; TCGRR_ERROR_DAMAGED otherwise. */
bool tcgrr_message_taken(const struct tcgrr_fields *in, const struct tcgrr_message *message, GError **error);

#endif
