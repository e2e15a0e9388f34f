/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registers of a machine as QEMU's gdb stub describes them (target.xml and what it includes), and states: the
 * values of all of them at one moment.
 */
#ifndef TCGRR_EMU_GDB_FEATURES_H
#define TCGRR_EMU_GDB_FEATURES_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* A named part of a register: a flag. */
struct tcgrr_register_field {
    char *name;
    uint8_t first; /* bit, 0 being the lowest */
    uint8_t last;
};

struct tcgrr_register {
    char *name;
    char *type;      /* "" if it does not say */
    unsigned number; /* in the stub's numbering */
    unsigned bytes;
    unsigned index;  /* in the list */
    unsigned offset; /* of its value in a state */
    bool core;       /* one of those that the stub sends all at once, which is fast */
    bool system; /* of a feature with control and status registers rather than registers that programs compute with */
    GArray *fields; /* struct tcgrr_register_field; NULL: none are described */
};

/* Never changes once it is complete; any thread. */
struct tcgrr_register_layout {
    GPtrArray *list;      /* struct tcgrr_register *, in the order in which they are described */
    GHashTable *by_name;  /* char * → struct tcgrr_register * */
    unsigned state_bytes; /* of one state */
    bool big_endian;      /* byte order of values */
};

/* Whether values on QEMU's target of that name have the highest byte first. */
bool tcgrr_target_is_big_endian(const char *target);

/* Creates a layout without registers, with one reference. `target` is QEMU's target name, which implies the byte order.
 * */
struct tcgrr_register_layout *tcgrr_register_layout_new(const char *target);
struct tcgrr_register_layout *tcgrr_register_layout_ref(struct tcgrr_register_layout *registers);
/* Frees it with the last reference. NULL is allowed. */
void tcgrr_register_layout_unref(struct tcgrr_register_layout *registers);

/*
 * Adds the registers that a document describes; names of further documents that it includes are appended to `includes`
 * (char *). Numbers go on from `*number`. Registers of more than 256 bytes are left out, as is one whose name is there
 * already. TCGRR_ERROR_DAMAGED if it is not such a document or has too much of anything.
 */
bool tcgrr_register_layout_parse(struct tcgrr_register_layout *registers, const char *text, gsize length,
                                 unsigned *number, GPtrArray *includes, GError **error);

/* Adds one register, which counts as a core one. False: there is one of this name already, or it is too large. */
bool tcgrr_register_layout_add(struct tcgrr_register_layout *registers, const char *name, const char *feature,
                               unsigned bytes);

/* NULL if there is none of this name. */
const struct tcgrr_register *tcgrr_register_layout_find(const struct tcgrr_register_layout *registers,
                                                        const char *name);

/*
 * A state is one block of memory of `state_bytes` bytes: a byte for each register that says whether its value is known,
 * then the values.
 */
static inline bool tcgrr_state_knows(const uint8_t *state, unsigned index)
{
    return state[index] != 0;
}

/* The value's bytes, in the target's order. */
static inline const uint8_t *tcgrr_state_value(const uint8_t *state, const struct tcgrr_register *reg)
{
    return state + reg->offset;
}

/* The low 64 bits of a value. */
uint64_t tcgrr_state_number(const struct tcgrr_register_layout *registers, const uint8_t *state,
                            const struct tcgrr_register *reg);

/* "0x…" with all digits of the register; owned by the caller. */
char *tcgrr_state_text(const struct tcgrr_register_layout *registers, const uint8_t *state,
                       const struct tcgrr_register *reg);

#endif
