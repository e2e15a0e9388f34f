/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User mode: pauses the program where tcgrr wants it, before an instruction, without cutting translations there, and
 * shows its registers. The run is recorded meanwhile, which is how tcgrr knows where it is. There is no replay break in
 * user mode; QEMU's gdb stub stops at addresses only, and cuts the code at them.
 */
#ifndef TCGRR_EMU_PLUGIN_PAUSE_H
#define TCGRR_EMU_PLUGIN_PAUSE_H

#include "emu/plugin/peek.h"
#include "emu/plugin/wire.h"

#include <stdatomic.h>

#define TCGRR_PAUSE_REGISTERS 512
#define TCGRR_PAUSE_BYTES     32768 /* of all values */

enum {
    TCGRR_PAUSE_STARTS, /* no block has begun */
    TCGRR_PAUSE_PAUSED, /* set by the plugin; then tcgrr may read everything else, and write `left` and `steps` */
    TCGRR_PAUSE_RUNS,   /* set by tcgrr */
};

struct tcgrr_pause_register {
    char name[TCGRR_WIRE_MAX_NAME + 1];
    char feature[TCGRR_WIRE_MAX_NAME + 1]; /* "" if QEMU does not say */
    uint32_t size;                         /* bytes of its value; 0: it cannot be read */
};

/* A file that both map. */
struct tcgrr_pause {
    _Atomic uint32_t state;
    uint32_t steps; /* it pauses before the next instruction, whichever that is */
    uint64_t left;  /* else before the block with which more than so many would have begun */

    uint64_t pc;       /* of the instruction ahead, */
    uint32_t insn;     /* its number in its block, */
    uint32_t insns;    /* which has so many */
    uint64_t base;     /* where in QEMU's memory the program's begins */
    uint32_t has_base; /* that is known */
    uint32_t registers;
    struct tcgrr_pause_register names[TCGRR_PAUSE_REGISTERS]; /* filled in at the first pause */
    uint8_t values[TCGRR_PAUSE_BYTES];                        /* one after the other, as long as their sizes are */
    struct tcgrr_peek peek;                                   /* accesses of the last step */
};

struct tcgrr_plugin;

/* Maps the file and asks for nothing yet. Returns whether that worked. */
bool tcgrr_pause_init(struct tcgrr_plugin *plugin, const char *path);
/* Asks QEMU for the callbacks of a translation; after those that put the program's registers right. `base`: of its
 * memory in ours; NULL: not known. */
void tcgrr_pause_instrument(struct tcgrr_plugin *plugin, struct qemu_plugin_tb *tb, const uint64_t *base);

#endif
