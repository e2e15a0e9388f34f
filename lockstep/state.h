/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compares the states of two runs at the same place: the registers that both have, by name, except for those that may
 * legitimately differ.
 */
#ifndef TCGRR_LOCKSTEP_STATE_H
#define TCGRR_LOCKSTEP_STATE_H

#include "store/samples.h"

/*
 * Whether this register of this target (QEMU's name) may differ between runs that do the same: in any two runs; or, if
 * they do not share their inputs (`own_inputs`), because it holds a time, pending interrupts, or the place of an event;
 * or because `more` names it (NULL-terminated, with * and ? as in file names; NULL: none).
 */
bool tcgrr_state_ignores(const char *target, const char *name, bool own_inputs, const char *const *more);

/* Whether two QEMUs are the same, by version and GNU build id ("": not known; NULL likewise). */
bool tcgrr_state_same_qemu(const char *version_a, const char *build_a, const char *version_b, const char *build_b);

/* A register that differs. Values are bytes as in the samples, owned by the array it is in. */
struct tcgrr_register_difference {
    char *name;
    uint32_t size; /* bytes of each value */
    uint8_t *a;
    uint8_t *b;
};

/* Which registers of two runs can be compared. */
struct tcgrr_state_comparer;

/*
 * Matches the tables of the two sides, which must outlive it. The rest as tcgrr_state_ignores() takes it. A register
 * whose size is not the same on both sides is left out.
 */
struct tcgrr_state_comparer *tcgrr_state_comparer_new(const struct tcgrr_register_table *a,
                                                      const struct tcgrr_register_table *b, const char *target,
                                                      bool own_inputs, const char *const *more);
/* NULL is allowed. */
void tcgrr_state_comparer_free(struct tcgrr_state_comparer *comparer);
/* How many registers are compared. */
uint32_t tcgrr_state_comparer_registers(const struct tcgrr_state_comparer *comparer);

/*
 * Call it with the first two images: excludes the registers that differ; each is compared only from the first image on
 * in which it agrees. Returns them, struct tcgrr_register_difference; owned by the caller.
 */
GArray *tcgrr_state_comparer_set_aside(struct tcgrr_state_comparer *comparer, const uint8_t *a, const uint8_t *b);
/* Whether two images agree in all registers that are not excluded. */
bool tcgrr_state_comparer_same(struct tcgrr_state_comparer *comparer, const uint8_t *a, const uint8_t *b);
/* The registers that differ: struct tcgrr_register_difference, in the order of side A; owned by the caller. */
GArray *tcgrr_state_comparer_differences(const struct tcgrr_state_comparer *comparer, const uint8_t *a,
                                         const uint8_t *b);

/* A little-endian value as "0x…" with all digits; owned by the caller. */
char *tcgrr_register_text(const uint8_t *value, uint32_t size);

#endif
