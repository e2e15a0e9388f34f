/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine that two QEMUs of different builds share: A's, pinned; or B's, where the alias that the user names stands
 * for a machine that B lacks.
 */
#ifndef TCGRR_LOCKSTEP_SHARED_MACHINE_H
#define TCGRR_LOCKSTEP_SHARED_MACHINE_H

#include "emu/qemu/pin.h"
#include "lockstep/comparison.h"

/* All is owned by the struct; all zero at first; empty with tcgrr_shared_machine_clear(). */
struct tcgrr_shared_machine {
    struct tcgrr_pins pins;
    bool pinned;
    int maker;       /* whose machine it is: 0 or 1 */
    char **words[2]; /* the arguments of A and B: the pinned ones, then each one's own */
};

/*
 * Pins what `words` (of both, NULL-terminated) make on A; `own` are the further words of A and B. Nothing is pinned
 * where the machine has neither versions nor a device tree. Errors are those of tcgrr_pin() and, if neither has what
 * the other one makes, of tcgrr_pin_check(). System mode only.
 */
bool tcgrr_shared_machine_pin(struct tcgrr_shared_machine *machine, const struct tcgrr_qemu *const qemus[2],
                              const char *const *words, const char *const *const own[2], GError **error);
void tcgrr_shared_machine_clear(struct tcgrr_shared_machine *machine);

/* Whether two versions of QEMU are of one release: builds of one development cycle have its number, the same rr log and
 * the same machines. */
bool tcgrr_lockstep_same_release(const char *a, const char *b);

/*
 * What two releases give a PC's firmware (fw_cfg: ACPI tables, SMBIOS) differs and cannot be pinned, and some machines
 * begin elsewhere in another release, so such a divergence of two runs on one log from reset on says nothing about the
 * guest. Takes it back, sets its `undecided`, and fails with TCGRR_ERROR_FAILED. `versions` are those of the two QEMUs;
 * `advice` is the option that leaves the firmware out.
 */
bool tcgrr_lockstep_check_machines(struct tcgrr_comparison *found, const char *target, const char *const versions[2],
                                   const char *advice, GError **error);

/*
 * B replays A's log, and its QEMU said `words` when it ended. QEMU gives up a log in which its main loop does not find
 * the event that a device asks for; where nothing but QEMU can be why, that is no divergence of the guest: a random
 * number (drawn anew at each reset, for the seed in a device tree), or any event if one build (`same_build`) runs both.
 * Then `found`, which says that B ended sooner, is taken back, and its `undecided` set: TCGRR_ERROR_FAILED.
 */
bool tcgrr_lockstep_check_log(struct tcgrr_comparison *found, const char *words, bool same_build, GError **error);

#endif
