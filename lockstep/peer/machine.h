/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How two sides whose QEMUs are of different builds agree on one machine. */
#ifndef TCGRR_LOCKSTEP_MACHINE_H
#define TCGRR_LOCKSTEP_MACHINE_H

#include "emu/qemu/pin.h"
#include "lockstep/peer/peer.h"

/* All is owned by the struct; all zero at first; empty with tcgrr_agreed_machine_clear(). */
struct tcgrr_agreed_machine {
    struct tcgrr_pins pins; /* of our arguments, as the maker's QEMU makes the machine */
    bool pinned;
    int maker;    /* whose machine it is: 0 the listening side, 1 the connecting one */
    char **words; /* our arguments; NULL: as the user said */
};

/*
 * Both sides call it. What each one's QEMU makes of `arguments` (NULL-terminated) is found out; the listening side
 * says it, and the connecting one gets the files that it lacks; the other way round where the connecting side has no
 * such machine. Nothing is pinned where the machine has no versions. TCGRR_ERROR_FAILED if neither has the other's
 * machine, or they were given different ones; other errors are those of tcgrr_pin() and peer.h.
 */
bool tcgrr_agreed_machine_agree(struct tcgrr_agreed_machine *agreed, struct tcgrr_peer *peer, bool listens,
                                const struct tcgrr_qemu *qemu, const char *const *arguments, GError **error);
void tcgrr_agreed_machine_clear(struct tcgrr_agreed_machine *agreed);

#endif
