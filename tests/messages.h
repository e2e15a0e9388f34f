/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Taking messages of another tcgrr, for tests. */
#ifndef TCGRR_TESTS_MESSAGES_H
#define TCGRR_TESTS_MESSAGES_H

#include "lockstep/peer/protocol.h"

/* A message with this payload, which is borrowed and must not be longer than its type allows. */
struct tcgrr_message message_of(enum tcgrr_message_type type, const GByteArray *payload);

/* That something was not taken, with an error that says so; clears it. */
void expect_refused(bool taken, GError **error);

/* Takes a message; what it is compared with is in `data`. */
typedef bool (*take_function)(const struct tcgrr_message *message, void *data, GError **error);

/* What is cut off anywhere, or has something after it, is refused. */
void expect_whole(enum tcgrr_message_type type, const GByteArray *payload, take_function take, void *data);

#endif
