/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_REPLAY_STANDALONE_INTERNAL_H
#define TCGRR_REPLAY_STANDALONE_INTERNAL_H

#include "replay/cause/standalone.h"

struct writing; /* a guest's source on its way, of standalone_source.c */

/* What the generated guest runs on. */
struct tcgrr_stage {
    const char *template;                        /* source that the tables are put after */
    void (*put_tables)(struct writing *writing); /* registers, memory and what to print of them */
    const char *const *compiler;                 /* what clang needs for it, NULL-terminated */
    const char *linker;                          /* taken where it is found; NULL or not found: lld */
    const char *const *machine;                  /* what QEMU needs for it */
    const char *cpu;    /* its model where the recorded command names none; NULL: the machine's */
    const char *option; /* of QEMU, which takes the image */
    const char *file;   /* the image's name */
    uint64_t image;     /* where it is linked to */
    uint64_t ram[2];    /* first and after the last address of RAM for data; not the image's */
    bool x86;
    bool wide; /* x86: 64 bits */
};

/* The stage for the cause's target and mode. NULL with a reason, owned by the caller, if there is none. */
const struct tcgrr_stage *tcgrr_stage_find(const struct tcgrr_standalone_options *options, char **reason);

/*
 * The source of the guest that runs the instructions of the scene's stops from number `first` to `last`. NULL if they
 * need memory where the machine has none; with `move`, data that a single base register points to is moved. *moved says
 * whether any was. Owned by the caller.
 */
char *tcgrr_standalone_source(const struct tcgrr_stage *stage, const struct tcgrr_cause_scene *scene, guint first,
                              guint last, bool move, bool *moved);

#endif
