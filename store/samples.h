/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Samples of the guest's state: the values of all registers at points along the run, and a digest of all stores up to
 * there. Values are bytes in the order in which QEMU gives them, which is the guest's.
 */
#ifndef TCGRR_STORE_SAMPLES_H
#define TCGRR_STORE_SAMPLES_H

#include "store/model.h"

#include <glib.h>

/* Bounds on QEMU's description of its registers. */
#define TCGRR_MAX_REGISTERS      4096u
#define TCGRR_MAX_REGISTER_BYTES 65536u
#define TCGRR_MAX_STATE_BYTES    (1u << 20) /* of all registers together */
#define TCGRR_MAX_REGISTER_NAME  255u

struct tcgrr_state_register {
    const char *name;    /* unique in its table */
    const char *feature; /* which part of the processor it belongs to, in gdb's words */
    uint32_t size;       /* bytes */
    uint32_t offset;     /* of its value in an image of the state */
};

/* The registers of one stream, numbered from 0. Complete before its first sample and constant from then on; counted
 * references, any thread. */
struct tcgrr_register_table;

struct tcgrr_register_table *tcgrr_register_table_new(void);
struct tcgrr_register_table *tcgrr_register_table_ref(struct tcgrr_register_table *registers);
/* NULL is allowed. */
void tcgrr_register_table_unref(struct tcgrr_register_table *registers);
/*
 * Adds one. A name that is there already gets "#2" after it, and so on. False, TCGRR_ERROR_DAMAGED: a size, a name or
 * their number is beyond the bounds above.
 */
bool tcgrr_register_table_add(struct tcgrr_register_table *registers, const char *name, const char *feature,
                              uint32_t size, GError **error);
uint32_t tcgrr_register_table_count(const struct tcgrr_register_table *registers);
const struct tcgrr_state_register *tcgrr_register_table_get(const struct tcgrr_register_table *registers,
                                                            uint32_t number);
/* The one of that name; NULL if there is none. */
const struct tcgrr_state_register *tcgrr_register_table_find(const struct tcgrr_register_table *registers,
                                                             const char *name);
/* Bytes of an image of the state. */
uint32_t tcgrr_register_table_bytes(const struct tcgrr_register_table *registers);

/* The state before an execution. */
struct tcgrr_sample {
    tcgrr_icount icount; /* instructions before it */
    uint32_t exec;       /* index of the execution within its chunk */
    tcgrr_vcpu vcpu;     /* whose registers these are */
    uint64_t stores;     /* digest of all stores before it, if `has_stores` */
    uint32_t offset;     /* where its part of `changes` begins */
};

/* Samples in order, each but the first kept as what changed since the one before it. */
struct tcgrr_samples {
    struct tcgrr_register_table *registers; /* NULL: there was no sample yet */
    bool has_stores;                        /* the digests of stores are known */
    GArray *list;                           /* struct tcgrr_sample */
    GByteArray *changes; /* of each sample: number of a register, 16 bits, and its value, and so on */
    GByteArray *last;    /* image of the state at the last sample */
};

struct tcgrr_samples *tcgrr_samples_new(void);
/* NULL is allowed. */
void tcgrr_samples_free(struct tcgrr_samples *samples);
/* Empties it. */
void tcgrr_samples_clear(struct tcgrr_samples *samples);
/*
 * Appends `sample`, whose `offset` is ignored, with the state in `image`. All samples of one container have the same
 * registers.
 */
void tcgrr_samples_add(struct tcgrr_samples *samples, struct tcgrr_register_table *registers,
                       const struct tcgrr_sample *sample, const uint8_t *image);
/* Appends those of `from` with first <= icount <= last. */
void tcgrr_samples_append(struct tcgrr_samples *samples, const struct tcgrr_samples *from, tcgrr_icount first,
                          tcgrr_icount last);

/* A place among samples. */
struct tcgrr_sample_cursor {
    const struct tcgrr_samples *samples;
    guint index;
    const struct tcgrr_sample *sample; /* the one at `index`; NULL at the end */
    uint8_t *image;                    /* the state there; owned by the cursor */
};

/* Puts the cursor on the first sample. Returns whether there is one. Call tcgrr_sample_end() at the end. */
bool tcgrr_sample_begin(struct tcgrr_sample_cursor *cursor, const struct tcgrr_samples *samples);
/* Moves on. Returns whether there is another one. */
bool tcgrr_sample_next(struct tcgrr_sample_cursor *cursor);
void tcgrr_sample_end(struct tcgrr_sample_cursor *cursor);

#endif
