/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine's physical memory map, as QEMU's monitor prints it. It has the names of devices that share a page, by
 * address, which QEMU does not give to plugins.
 */
#ifndef TCGRR_EMU_MEMORY_MAP_H
#define TCGRR_EMU_MEMORY_MAP_H

#include <glib.h>
#include <stdint.h>

struct tcgrr_region {
    uint64_t first; /* addresses, both included */
    uint64_t last;
    char *kind; /* "ram", "rom", "i/o", … */
    char *name;
};

/*
 * The regions of the first vCPU's view of memory in the output of `info mtree -f`: struct tcgrr_region, in order,
 * cleared with the array; empty if the text cannot be parsed. The text is untrusted.
 */
GArray *tcgrr_memory_map_parse(const char *text);

#endif
