/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User mode: pauses the program before an instruction that tcgrr chooses, without splitting translations there, and
 * shows its registers. The run is recorded at the same time, which is how tcgrr knows where it is. User mode has no
 * replay break, and QEMU's gdb stub stops only at addresses, at which it splits the code.
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
    TCGRR_PAUSE_PAUSED, /* set by the plugin: tcgrr may now read everything else, and write `left` and `steps` */
    TCGRR_PAUSE_RUNS,   /* set by tcgrr */
};

struct tcgrr_pause_register {
    char name[TCGRR_WIRE_MAX_NAME + 1];
    char feature[TCGRR_WIRE_MAX_NAME + 1]; /* "" if QEMU does not say */
    uint32_t size;                         /* bytes of its value; 0: it cannot be read */
};

/* A file that both the plugin and tcgrr map. */
struct tcgrr_pause {
    _Atomic uint32_t state;
    uint32_t steps; /* pause before the next instruction, whichever that is */
    uint64_t left;  /* otherwise pause before the block that would take the instructions begun beyond this number */

    uint64_t pc;       /* of the next instruction */
    uint32_t insn;     /* its index in its block */
    uint32_t insns;    /* number of instructions in that block */
    uint64_t base;     /* host address of the program's address 0 */
    uint32_t has_base; /* whether `base` is known */
    uint32_t registers;
    struct tcgrr_pause_register names[TCGRR_PAUSE_REGISTERS]; /* filled in at the first pause */
    uint8_t values[TCGRR_PAUSE_BYTES];                        /* one after the other, as long as their sizes are */
    struct tcgrr_peek peek;                                   /* accesses of the last step */
};

struct tcgrr_plugin;

/* Maps the file; registers no callbacks yet. Returns whether that worked. */
bool tcgrr_pause_init(struct tcgrr_plugin *plugin, const char *path);
/* Asks QEMU for the callbacks of a translation. Call it after requesting those that correct the program's registers.
 * `base`: host address of the program's address 0; NULL: not known. */
void tcgrr_pause_instrument(struct tcgrr_plugin *plugin, struct qemu_plugin_tb *tb, const uint64_t *base);

#endif
