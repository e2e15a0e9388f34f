/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where two tcgrr meet: "unix:PATH" or "tcp:HOST:PORT". */
#ifndef TCGRR_LOCKSTEP_ADDRESS_H
#define TCGRR_LOCKSTEP_ADDRESS_H

#include <glib.h>
#include <stdbool.h>

struct tcgrr_address {
    char *path; /* unix */
    char *host; /* tcp; without brackets */
    char *port; /* a number */
};

/*
 * TCGRR_ERROR_USAGE for what is no address. IPv6 addresses stand in brackets; "tcp::PORT" and "tcp:PORT" mean this
 * machine.
 */
bool tcgrr_address_parse(const char *text, struct tcgrr_address *address, GError **error);
void tcgrr_address_clear(struct tcgrr_address *address);

/* *local: nobody outside this machine can be at the other end. TCGRR_ERROR_FAILED for a host that is not known;
 * TCGRR_ERROR_STOPPED if `*stop` (may be NULL) is not 0 before that is known. */
bool tcgrr_address_local(const struct tcgrr_address *address, bool *local, const volatile int *stop, GError **error);

/* Somebody who waits for a connection. */
struct tcgrr_listener;

/*
 * A socket file is for its owner alone (0600). One that nobody listens at any more is replaced; it is removed when the
 * listener is freed. `stop`: as above, while a host is looked up.
 */
struct tcgrr_listener *tcgrr_listener_new(const struct tcgrr_address *address, const volatile int *stop,
                                          GError **error);
/* The address with the port that was found for port 0; owned by the listener. */
const char *tcgrr_listener_text(const struct tcgrr_listener *listener);
/* Waits for somebody, at most `wait_ms` (TCGRR_ERROR_HUNG) or until `*stop` (may be NULL) is not 0
 * (TCGRR_ERROR_STOPPED). The socket, or -1. */
int tcgrr_listener_accept(struct tcgrr_listener *listener, int wait_ms, const volatile int *stop, GError **error);
/* NULL is allowed. */
void tcgrr_listener_free(struct tcgrr_listener *listener);

/* Connects to somebody who listens, or begins to within `wait_ms`. The socket, or -1 with an error as above. */
int tcgrr_address_connect(const struct tcgrr_address *address, int wait_ms, const volatile int *stop, GError **error);

#endif
