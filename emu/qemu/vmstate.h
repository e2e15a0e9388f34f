/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's memory in a machine's state that QEMU saved to a qcow2 image (snapshot-save). QEMU lists every page,
 * those that are zero by their address alone, and when it loads them it reads as many pages of its own memory, which
 * takes longer than all the rest. A page that is zero already where the state is loaded need not be listed.
 *
 * Formats: QEMU's docs/interop/qcow2.rst and docs/devel/migration/main.rst, and for the records of pages the comments
 * in its migration/ram.c. Images in which anything else is found are left alone.
 */
#ifndef TCGRR_EMU_VMSTATE_H
#define TCGRR_EMU_VMSTATE_H

#include "emu/qemu/ram_pages.h"

/*
 * Removes from the state in the image at `path` the pages that are zero there and are not in `written`: what the
 * machine into which the state will be loaded has written before that (tcgrr_ram_pages_written()). A state that is not
 * understood is left as it is; false with an error if the image cannot be read or written, and is spoilt then.
 */
bool tcgrr_vmstate_omit_zeros(const char *path, const struct tcgrr_ram_pages *written, GError **error);

/*
 * Whether loading the state in the image at `path` gives the whole memory to a machine that has written these pages
 * before; NULL: perhaps any. False also if the state is not understood.
 */
bool tcgrr_vmstate_covers(const char *path, const struct tcgrr_ram_pages *written);

#endif
