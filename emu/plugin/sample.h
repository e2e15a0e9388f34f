/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Samples of the guest's state: all registers that QEMU shows, and a digest of all stores. They are taken at the heads
 * of translations, because only there all that QEMU computes lazily is in its place, and at those heads that only the
 * guest's instructions decide about: where as many branches and jumps as are wanted have run since the sample before.
 * Every QEMU ends a translation with those, however else it cuts the code.
 */
#ifndef TCGRR_EMU_PLUGIN_SAMPLE_H
#define TCGRR_EMU_PLUGIN_SAMPLE_H

#include "emu/plugin/state.h"

/* Finds the registers; in a vCPU's init callback. */
void tcgrr_sampling_init(struct tcgrr_plugin *plugin);
/* In a forked child: restarts samples. */
void tcgrr_sampling_restart(struct tcgrr_plugin *plugin);

/* Whether the instruction, the last of a translation that is just made, is a branch or jump that samples count. */
bool tcgrr_sampling_counts(struct tcgrr_plugin *plugin, uint64_t pc, const uint8_t *bytes, uint8_t length);

/* Call it where the count of branches restarts: a sample is taken there. */
void tcgrr_sampling_begin(struct tcgrr_plugin *plugin);

/* Takes a sample, at the head of the translation whose word was pushed last, and decides when the next one is due. */
void tcgrr_sample(struct tcgrr_plugin *plugin);

/* Numbers without structure. docs/trace-format.md says how the digest is made. */
#define TCGRR_STORE_SALT_ADDRESS UINT64_C(0x243f6a8885a308d3)
#define TCGRR_STORE_SALT_VALUE   UINT64_C(0x13198a2e03707344)
#define TCGRR_STORE_FACTOR       UINT64_C(0x9e3779b97f4a7c15)

/* Adds a store to the digest; `type` is that of QEMU's value. */
static inline void tcgrr_sampling_add_store(struct tcgrr_sampling *sampling, uint64_t vaddr, unsigned type,
                                            uint64_t low, uint64_t high)
{
    unsigned __int128 product = (unsigned __int128)(vaddr ^ TCGRR_STORE_SALT_ADDRESS) * (low ^ TCGRR_STORE_SALT_VALUE);
    uint64_t store = ((uint64_t)product ^ (uint64_t)(product >> 64)) + high * TCGRR_STORE_FACTOR + type;
    sampling->stores = ((sampling->stores << 27 | sampling->stores >> 37) ^ store) * TCGRR_STORE_FACTOR;
}

/* A memory callback for stores: adds one to the digest. */
void tcgrr_on_store(unsigned vcpu, uint32_t info, uint64_t vaddr, void *userdata);

#endif
