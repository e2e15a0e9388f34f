/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lets two sides whose QEMUs are of different builds agree on one machine. */
#ifndef TCGRR_LOCKSTEP_MACHINE_H
#define TCGRR_LOCKSTEP_MACHINE_H

#include "emu/qemu/pin.h"
#include "lockstep/peer/peer.h"

/* All is owned by the struct; all zero at first; empty with tcgrr_agreed_machine_clear(). */
struct tcgrr_agreed_machine {
    struct tcgrr_pins pins; /* our arguments, pinned to the machine that the maker's QEMU makes */
    bool pinned;
    int maker;    /* whose machine it is: 0 the listening side, 1 the connecting one */
    char **words; /* our pinned arguments; NULL: the user's */
};

/*
 * Both sides call it. Each queries the machine that its QEMU makes from `arguments` (NULL-terminated). The listening
 * side sends its machine, and the connecting side receives the files that it lacks; or the other way round, if the
 * connecting side does not have that machine. Nothing is pinned if the machine has no versions. TCGRR_ERROR_FAILED if
 * neither has the other's machine, or they were given different ones; other errors are those of tcgrr_pin() and peer.h.
 */
bool tcgrr_agreed_machine_agree(struct tcgrr_agreed_machine *agreed, struct tcgrr_peer *peer, bool listens,
                                const struct tcgrr_qemu *qemu, const char *const *arguments, GError **error);
void tcgrr_agreed_machine_clear(struct tcgrr_agreed_machine *agreed);

#endif
