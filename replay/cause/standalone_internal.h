/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_REPLAY_STANDALONE_INTERNAL_H
#define TCGRR_REPLAY_STANDALONE_INTERNAL_H

#include "replay/cause/standalone.h"

struct writing; /* a guest's source that is being generated (standalone_source.c) */

/* The machine that the generated guest runs on. */
struct tcgrr_stage {
    const char *template;                        /* source to which the tables are appended */
    void (*put_tables)(struct writing *writing); /* writes the tables: registers, memory and what to print */
    const char *const *compiler;                 /* arguments of clang, NULL-terminated */
    const char *linker;                          /* used if it is found; otherwise, or if NULL, lld */
    const char *const *machine;                  /* arguments of QEMU */
    const char *cpu;    /* the CPU model if the recorded command names none; NULL: the machine's default */
    const char *option; /* QEMU's option for the image */
    const char *file;   /* the image's name */
    uint64_t image;     /* the address that it is linked to */
    uint64_t ram[2];    /* start and end of the RAM for data, outside the image */
    bool x86;
    bool wide; /* x86: 64 bits */
};

/* The stage for the cause's target and mode. NULL with a reason, owned by the caller, if there is none. */
const struct tcgrr_stage *tcgrr_stage_find(const struct tcgrr_standalone_options *options, char **reason);

/*
 * Generates the source of the guest that runs the instructions of the scene's stops `first` to `last`. NULL if they
 * need memory at an address where the machine has none; with `move`, data to which a single base register points is
 * moved. *moved says whether any was. Owned by the caller.
 */
char *tcgrr_standalone_source(const struct tcgrr_stage *stage, const struct tcgrr_cause_scene *scene, guint first,
                              guint last, bool move, bool *moved);

#endif
