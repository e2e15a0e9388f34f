/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set of pages of a QEMU's blocks of guest memory, which QEMU names ("pc.ram", "virt.flash0"). Not thread-safe. */
#ifndef TCGRR_EMU_RAM_PAGES_H
#define TCGRR_EMU_RAM_PAGES_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "emu/qemu/process.h"
#include "emu/qemu/qmp.h"

struct tcgrr_ram_pages;

/* An empty set without blocks. */
struct tcgrr_ram_pages *tcgrr_ram_pages_new(uint64_t page_bytes);
/* NULL is allowed. */
void tcgrr_ram_pages_free(struct tcgrr_ram_pages *pages);

/* Adds a block with none of its pages. The set takes 32 KiB for each GiB with pages of 4 KiB. */
void tcgrr_ram_pages_add_block(struct tcgrr_ram_pages *pages, const char *name, uint64_t bytes);
unsigned tcgrr_ram_pages_count_blocks(const struct tcgrr_ram_pages *pages);
/* The size of a block; 0: there is none of this name. */
uint64_t tcgrr_ram_pages_block_bytes(const struct tcgrr_ram_pages *pages, const char *name);

/* Adds all pages with any of the bytes from..end-1 of a block that the set has; they may exceed the block. */
void tcgrr_ram_pages_add(struct tcgrr_ram_pages *pages, const char *name, uint64_t from, uint64_t end);
/* Whether it has any page with any of these bytes, which are inside a block that the set has. */
bool tcgrr_ram_pages_has(const struct tcgrr_ram_pages *pages, const char *name, uint64_t from, uint64_t end);
/* Whether every byte of the pages in `part`, which may be of another size, is in a page of `pages`; NULL: whether
 * `pages` has all pages of its blocks. */
bool tcgrr_ram_pages_cover(const struct tcgrr_ram_pages *pages, const struct tcgrr_ram_pages *part);

/*
 * The pages of the machine that QEMU has written to since it was started, and perhaps more. All other pages of a block
 * hold only zeros, and always did. Call it before the guest runs: memory that was written and is zero later may be
 * taken away by the host's kernel. QEMU must be stopped. NULL: it is not known, because this release (7.2) does not say
 * where its memory is, a file provides some of it, or we are not permitted to look.
 */
struct tcgrr_ram_pages *tcgrr_ram_pages_written(struct tcgrr_qmp *qmp, struct tcgrr_process *process);

#endif
