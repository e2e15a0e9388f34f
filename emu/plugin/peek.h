/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mode of the plugin in which it records nothing: it notes the memory accesses of the instructions that a debugger
 * steps through. tcgrr reads them between two steps.
 */
#ifndef TCGRR_EMU_PLUGIN_PEEK_H
#define TCGRR_EMU_PLUGIN_PEEK_H

#include "emu/plugin/api.h"

/* The longest instructions make 2 times 256 accesses of a byte. */
#define TCGRR_PEEK_MAX 1024

enum {
    TCGRR_PEEK_STORE = 1,
    TCGRR_PEEK_PHYSICAL = 2, /* `physical` is known, API 2 */
    TCGRR_PEEK_DEVICE = 4,   /* the access went to a device, not memory */
    TCGRR_PEEK_VALUE = 8,    /* `bytes` is known, API 4 */
};

struct tcgrr_peek_access {
    uint64_t address; /* the vCPU's own */
    uint64_t physical;
    uint8_t bytes[16]; /* what was loaded or stored, in memory order */
    uint8_t size;
    uint8_t flags;
};

/* In memory shared with tcgrr, which writes it while QEMU is stopped. */
struct tcgrr_peek {
    uint32_t on; /* while this is set, the accesses of code that is translated and run are noted; atomic */
    uint32_t count;
    uint32_t lost; /* number of accesses for which there was no room */
    struct tcgrr_peek_access accesses[TCGRR_PEEK_MAX];
};

/* Maps descriptor `fd` and registers what is needed. Returns whether that worked. */
bool tcgrr_peek_start(const struct tcgrr_api *api, qemu_plugin_id_t id, int fd);

/* User mode, while the run is recorded (emu/plugin/pause.h): notes accesses in `into`, for the translations that are
 * passed to tcgrr_peek_instrument(). Their virtual addresses count as physical ones. */
void tcgrr_peek_of_program(const struct tcgrr_api *api, struct tcgrr_peek *into);
void tcgrr_peek_instrument(struct qemu_plugin_tb *tb);

#endif
