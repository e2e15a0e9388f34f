/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The address at which two tcgrr processes connect: "unix:PATH" or "tcp:HOST:PORT". */
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
 * TCGRR_ERROR_USAGE if the text is not an address. IPv6 addresses are in brackets; "tcp::PORT" and "tcp:PORT" mean this
 * machine.
 */
bool tcgrr_address_parse(const char *text, struct tcgrr_address *address, GError **error);
void tcgrr_address_clear(struct tcgrr_address *address);

/* *local: the address cannot be reached from outside this machine. TCGRR_ERROR_FAILED if the host is not known;
 * TCGRR_ERROR_STOPPED if `*stop` (may be NULL) becomes non-zero during the lookup. */
bool tcgrr_address_is_local(const struct tcgrr_address *address, bool *local, const volatile int *stop, GError **error);

/* A listening socket. */
struct tcgrr_listener;

/*
 * A socket file is accessible only to its owner (0600). A stale one, at which no process listens, is replaced; the file
 * is removed when the listener is freed. `stop`: as above, during the lookup of a host.
 */
struct tcgrr_listener *tcgrr_listener_new(const struct tcgrr_address *address, const volatile int *stop,
                                          GError **error);
/* The address, with the actual port if port 0 was requested; owned by the listener. */
const char *tcgrr_listener_text(const struct tcgrr_listener *listener);
/* Waits for a connection, at most `wait_ms` (TCGRR_ERROR_HUNG) or until `*stop` (may be NULL) is not 0
 * (TCGRR_ERROR_STOPPED). Returns the socket, or -1. */
int tcgrr_listener_accept(struct tcgrr_listener *listener, int wait_ms, const volatile int *stop, GError **error);
/* NULL is allowed. */
void tcgrr_listener_free(struct tcgrr_listener *listener);

/* Connects to a listener, and retries for `wait_ms` until there is one. Returns the socket, or -1 with an error as
 * above. */
int tcgrr_address_connect(const struct tcgrr_address *address, int wait_ms, const volatile int *stop, GError **error);

#endif
