/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds where a value in a recorded run came from: the instruction that wrote it, what that one read, what wrote those
 * values, and so on, back to where a value entered the guest from outside. Replays the run as often as necessary.
 */
#ifndef TCGRR_REPLAY_WHY_H
#define TCGRR_REPLAY_WHY_H

#include "replay/cause/replay_pair.h"

struct tcgrr_why_options {
    struct tcgrr_reader *reader;
    const char *qemu; /* NULL: the one that recorded */
    const char *plugin;
    tcgrr_icount at;  /* the value is the one before instruction number `at` */
    const char *what; /* a register; or else: */
    uint64_t address; /* of memory, if `what` is NULL */
    uint16_t size;    /* 0: as wide as the target's addresses */
    unsigned depth;   /* maximum number of steps */
    int hang_ms;
    const volatile int *stop;                       /* not 0: give up with TCGRR_ERROR_STOPPED */
    void (*progress)(const char *text, void *data); /* may be NULL */
    void *data;
};

/* A register or a piece of memory with its value. */
struct tcgrr_why_value {
    char *name;  /* "x1", "memory 0xffff000012345678:8" */
    char *value; /* "0x…"; NULL: not known */
    int writer;  /* the step that wrote it; -1: none was found */
};

/* An instruction that wrote one of the values that are followed. */
struct tcgrr_why_step {
    tcgrr_icount icount;
    uint64_t pc;
    uint8_t length; /* 0: its bytes are not known */
    uint8_t bytes[16];
    struct tcgrr_why_value wrote;
    GArray *read; /* struct tcgrr_why_value */
};

/* Strings and arrays are owned by it; empty with tcgrr_why_clear(). */
struct tcgrr_why {
    struct tcgrr_why_value asked;
    GPtrArray *steps; /* struct tcgrr_why_step *, newest first */
    GPtrArray *ends;  /* char *: why a chain ends, one line for each */
    unsigned replays;
};

/*
 * Follows the value back. TCGRR_ERROR_USAGE if there is no such register, memory or place in the run. If something is
 * not known, the chain ends there with a line that says so; nothing is guessed.
 */
bool tcgrr_why_find(const struct tcgrr_why_options *options, struct tcgrr_why *why, GError **error);
void tcgrr_why_clear(struct tcgrr_why *why);

#endif
