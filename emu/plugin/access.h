/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Level full: sends every memory access through the ring, after the translation that makes it. QEMU is asked for each
 * access's physical address, because only QEMU knows when a mapping changes.
 */
#ifndef TCGRR_EMU_PLUGIN_ACCESS_H
#define TCGRR_EMU_PLUGIN_ACCESS_H

#include "emu/plugin/state.h"

/* The part of the run whose accesses are wanted. tcgrr drops accesses that are sent before it begins or after it ends.
 * */
struct tcgrr_access_window {
    uint64_t from;    /* accesses of earlier instructions need not be sent */
    bool has_from_pc; /* nor those before the first execution of the instruction at `from_pc` */
    uint64_t from_pc;
    bool in_code; /* `from_pc` is relative to the program's lowest code, whose address is not known yet */
};

/* The size that an access's `info` stands for. */
#define TCGRR_ACCESS_KINDS 512
struct tcgrr_access_kind {
    uint32_t info;
    uint32_t shift;
};

struct tcgrr_access_page {
    uint64_t page;
    uint64_t offset; /* from virtual to physical */
    uint32_t device;
};

struct tcgrr_accesses {
    /* The translation whose accesses are sent: the one that began last; NULL while none are wanted. */
    const struct tcgrr_translation *open;
    uint64_t near; /* page of its last access, if that went to memory and nothing in it can change mappings */
    bool past_window;
    uint64_t begun; /* instructions of all translations that began: at least as many as retired */
    struct tcgrr_access_window window;
    const char *devices[TCGRR_WIRE_DEVICES]; /* names by number; QEMU's own strings, which stay */
    uint32_t next_device;
    struct tcgrr_access_kind kinds[TCGRR_ACCESS_KINDS];
    struct tcgrr_access_page pages[TCGRR_WIRE_PAGES];
};

/* Call it before the first translation. Returns false if memory could not be allocated. */
bool tcgrr_access_init(struct tcgrr_plugin *plugin, const struct tcgrr_access_window *window);

/* Asks QEMU for the accesses of all instructions of a new translation. `class` has an entry for each instruction. */
void tcgrr_access_instrument(const struct tcgrr_plugin *plugin, struct qemu_plugin_tb *tb,
                             const struct tcgrr_translation *translation, const struct tcgrr_insn_class *class);

/* The translation begins to run; its number is in the ring. Only if plugin->accesses. */
void tcgrr_access_enter(struct tcgrr_plugin *plugin, const struct tcgrr_translation *translation);

/* QEMU has discarded all translations. Only if plugin->accesses. */
void tcgrr_access_forget(struct tcgrr_plugin *plugin);

#endif
