/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plugin's state. QEMU hands the per-block callbacks one pointer, which is the translation's, so the rest hangs off
 * one global object; there is no other mutable state at file scope. Unless said otherwise a field belongs to the thread
 * that runs vCPU code (under icount there is one for all vCPUs).
 */
#ifndef TCGRR_EMU_PLUGIN_STATE_H
#define TCGRR_EMU_PLUGIN_STATE_H

#include "emu/plugin/api.h"
#include "emu/plugin/ring.h"
#include "store/isa/isa.h"
#include "store/isa/registers.h"

#include <pthread.h>

/* Where what not every mode of the plugin has is mapped: in a replay a program's mappings are to be where they were
 * when it was recorded, perhaps in another mode. */
#define TCGRR_FAR_AWAY ((void *)(uintptr_t)(UINT64_C(3) << 44))

/*
 * A translation that QEMU holds. The mark is how many instructions of the open block are not sure to retire: the
 * callback at its head sets it to `unsure`, all from the first one on that could leave the block; after each such
 * instruction an inline operation takes off those that are sure by then. So a block that ran to its end leaves 0,
 * whichever it was.
 */
struct tcgrr_translation {
    uint32_t number;
    uint16_t count; /* instructions */
    uint16_t unsure;
    uint8_t ends_with_store; /* the last instruction's last access is a store */
    uint8_t access_retires;  /* that access shows that the last instruction retired */
    uint8_t half;            /* of the address space: 1 the upper one */
    uint8_t remaps;          /* it may change mappings: bits as in tcgrr_moving_remaps() */
    uint8_t transfer; /* sampling: its last instruction is a branch or jump that cannot fail (tcgrr_isa_transfers) */
    uint8_t origin;   /* sampling: where branches count from 0, if that was not reached yet */
    uint8_t entered;  /* its own callback at the head has fired: it is not one that QEMU made to repeat an access */
    uint8_t plain;    /* level full: what it does besides accessing memory leaves mappings alone */
    uint32_t epoch;   /* of that half when `pc` was last looked at */
    uint32_t size;    /* bytes of its instructions */
    uint64_t pc;      /* where it runs */
};

/* Samples of the state (emu/plugin/sample.h). Belongs to the thread that runs vCPU code; zero but for `countdown` if
 * samples are not wanted. */
struct tcgrr_sampling {
    bool on;               /* constant after install */
    uint8_t open_transfer; /* whether the translation that runs ends with a branch or jump */
    int64_t countdown;     /* of those until the next sample, the one of the translation that runs taken off already */
    int64_t interval;      /* what it counts down from */
    uint64_t transfers;    /* all before the last sample */
    uint64_t stores;       /* digest of all stores so far that count */

    bool waits; /* for the part of the run where samples are wanted after each branch: stores do not count until then */
    bool begun; /* the place from which branches count anew was reached */
    bool announced; /* tcgrr knows the registers' names */
    unsigned count;
    struct tcgrr_sampled_register *registers; /* `count` of them */
    struct qemu_plugin_register *status;      /* 32-bit Arm: whose bits say which instruction set runs; NULL: none */
    uint32_t thumb_bit;
    uint8_t *values; /* of all registers at the last sample */
    GByteArray *value;
};

/* Samples are not wanted: never counts down. */
#define TCGRR_SAMPLING_OFF                                                                                             \
    {                                                                                                                  \
        .countdown = INT64_MAX                                                                                         \
    }

struct tcgrr_plugin {
    struct tcgrr_ring ring;
    volatile int64_t *mark;               /* of the current vCPU: where QEMU's inline operations count; below 0 as 0 */
    pthread_t thread;                     /* that runs vCPU code; set with the first block */
    const struct tcgrr_translation *open; /* the last one that began to run of those that have marks */
    unsigned vcpu;                        /* that `mark` belongs to; UINT_MAX before the first block */
    bool begun;                           /* the first vCPU is there */
    bool silent;                          /* record nothing more */
    const uint32_t *returned;             /* user mode: where the ring stood when one had returned */
    uint64_t position;    /* user mode: instructions of the blocks that began since an input was given */
    uint64_t signal_at;   /* the same where a signal is to come, or this is to be looked at; UINT64_MAX: nowhere */
    _Atomic bool threads; /* user mode: another thread waits for too long: recording ends with the next block */

    struct tcgrr_sampling sampling;

    uint32_t epochs[2];                        /* counts the changes of mappings in each half of the address space */
    uint32_t numbers;                          /* given to translations and their aliases since the last flush */
    struct qemu_plugin_register *pc_register;  /* NULL: addresses cannot be looked at */
    struct qemu_plugin_register *cr0_register; /* x86, as the next */
    struct qemu_plugin_register *eflags_register;
    GByteArray *pc_value; /* and of the two */
    struct tcgrr_alias *aliases;

    struct tcgrr_translation
        *translations; /* reserved address space, used from the start up to `used`; given back at a flush */
    uint32_t used;
    int64_t *plain_mark;                  /* in the ring's header: API 1 and user mode, all vCPUs count here */
    struct qemu_plugin_scoreboard *score; /* API 2 on: one mark for each vCPU */

    struct tcgrr_accesses *accesses; /* level full, else NULL */
    struct tcgrr_inputs *inputs;     /* user mode, if they are recorded or given again; else NULL */

    uint64_t yielded; /* when the vCPU last gave way, in ns of the host's clock (yield.h) */

    struct tcgrr_api api; /* constant after install, as what follows */
    qemu_plugin_id_t id;
    tcgrr_any_cb reset;
    enum tcgrr_isa isa;
    bool system;
    bool events_only; /* no block is recorded */
    bool pauses;      /* user mode: the program pauses where tcgrr says (emu/plugin/pause.h) */
    bool one_vcpu;
    bool texts;        /* tcgrr wants QEMU's disassembly */
    bool mark_by_call; /* marks are set by callbacks, not by inline operations */
};

extern struct tcgrr_plugin tcgrr_plugin;

/* Whether the open translation's end was not seen. */
static inline bool tcgrr_plugin_left(const struct tcgrr_plugin *plugin)
{
    return plugin->mark && *plugin->mark > 0;
}

/*
 * Whether QEMU may have made the block to repeat a device access: of one instruction or, if that is in a delay slot,
 * with the branch before it. Which machines have delay slots is not asked: of an unknown one it may be any.
 */
static inline bool tcgrr_may_repeat(const struct tcgrr_plugin *plugin, const struct tcgrr_translation *translation)
{
    return translation->count <= (plugin->isa == TCGRR_ISA_UNKNOWN ? 2 : 1);
}

/* Reserves what translations need. Returns whether that worked. */
bool tcgrr_instrument_init(struct tcgrr_plugin *plugin);

/* Describes a new translation in the ring and asks QEMU for the callbacks and marks that it needs. */
void tcgrr_instrument(struct tcgrr_plugin *plugin, struct qemu_plugin_tb *tb);

/* QEMU has thrown all translations away. */
void tcgrr_instrument_forget(struct tcgrr_plugin *plugin);

/* The callback for a translation's head, once it is known what it needs. */
tcgrr_exec_cb tcgrr_block_callback(const struct tcgrr_plugin *plugin, const struct tcgrr_translation *translation);
/* The callback for blocks that are translated once the guest has threads. */
void tcgrr_on_thread_block(unsigned vcpu, void *nothing);
/* User mode: a new thread, vCPU `vcpu`, is to run; UINT_MAX if that is not known yet. Waits until it is. */
void tcgrr_plugin_start_thread(unsigned vcpu);
/* User mode: another thread runs from here on, the calling one, which is vCPU `vcpu` of QEMU's. */
void tcgrr_plugin_switch_thread(unsigned vcpu);
/* Sends an event with `count` values. */
void tcgrr_plugin_event(enum tcgrr_wire_event kind, unsigned vcpu, const uint64_t *values, unsigned count);
/* Everything is said, and the numbers of translations start again: another process goes on. */
void tcgrr_plugin_hand_over(void);
/* Ends the run here, in order, in the middle of a block; does not return. */
_Noreturn void tcgrr_plugin_leave(void);
/* Callbacks for the accesses of a last instruction. */
void tcgrr_on_single_access(unsigned vcpu, uint32_t info, uint64_t vaddr, void *translation);
void tcgrr_on_mark(unsigned vcpu, void *unsure);
void tcgrr_on_last_access(unsigned vcpu, uint32_t info, uint64_t vaddr, void *translation);

#endif
