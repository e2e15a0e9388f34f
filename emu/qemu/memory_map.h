/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine's physical memory map, as QEMU's monitor prints it. QEMU does not give plugins the names of devices that
 * share a page; here they are, by address.
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
 * The regions in what `info mtree -f` prints, for the first vCPU's view of memory: struct tcgrr_region, in order,
 * cleared with the array; empty where there is nothing that can be read. The text is untrusted.
 */
GArray *tcgrr_memory_map_parse(const char *text);

#endif
