/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine that two QEMUs of different builds share: A's, pinned; or B's, if the user's alias stands for a machine
 * that B lacks.
 */
#ifndef TCGRR_LOCKSTEP_SHARED_MACHINE_H
#define TCGRR_LOCKSTEP_SHARED_MACHINE_H

#include "emu/qemu/pin.h"
#include "lockstep/comparison.h"

/* All is owned by the struct; all zero at first; empty with tcgrr_shared_machine_clear(). */
struct tcgrr_shared_machine {
    struct tcgrr_pins pins;
    bool pinned;
    int maker;       /* the side whose machine it is: 0 or 1 */
    char **words[2]; /* the arguments of A and B: the pinned ones, then each one's own */
};

/*
 * Pins the machine that `words` (common to both, NULL-terminated) make on A; `own` are the further words of A and B.
 * Pins nothing if the machine has neither versions, nor a device tree, nor files. Errors are those of tcgrr_pin() and,
 * if neither QEMU has the other's machine, of tcgrr_pin_check(). System mode only.
 */
bool tcgrr_shared_machine_pin(struct tcgrr_shared_machine *machine, const struct tcgrr_qemu *const qemus[2],
                              const char *const *words, const char *const *const own[2], GError **error);
void tcgrr_shared_machine_clear(struct tcgrr_shared_machine *machine);

/* Whether two versions of QEMU belong to one release: builds of one development cycle have the same number, rr log and
 * machines. */
bool tcgrr_lockstep_same_release(const char *a, const char *b);

/*
 * What a PC's firmware reads from QEMU (fw_cfg: ACPI tables, SMBIOS) differs between releases and cannot be pinned, and
 * some machines start elsewhere in another release. A divergence of two releases on one log from reset therefore says
 * nothing about the guest: withdraws it, sets `undecided`, and fails with TCGRR_ERROR_FAILED. `versions` are those of
 * the two QEMUs; `advice` is the option that skips the firmware.
 */
bool tcgrr_lockstep_check_machines(struct tcgrr_comparison *found, const char *target, const char *const versions[2],
                                   const char *advice, GError **error);

/*
 * B replays A's log, and its QEMU printed `words` when it ended. QEMU aborts the replay if its main loop does not find
 * the event that a device asks for in the log. If only QEMU itself can be the reason, that is not a divergence of the
 * guest: if the event is a random number (drawn at each reset, for the seed in a device tree), or any event if both
 * sides are the same build (`same_build`). In these cases withdraws `found`, which says that B ended sooner: sets
 * `undecided`, and fails with TCGRR_ERROR_FAILED.
 */
bool tcgrr_lockstep_check_log(struct tcgrr_comparison *found, const char *words, bool same_build, GError **error);

#endif
