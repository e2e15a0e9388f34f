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

/* The address at which the plugin maps memory that only some of its modes need: it must not shift the program's own
 * mappings, which have to be at the same addresses in a replay, perhaps in another mode, as in the recording. */
#define TCGRR_FAR_AWAY ((void *)(uintptr_t)(UINT64_C(3) << 44))

/*
 * A translation that QEMU holds. The mark is how many instructions of the open block are not sure to retire: the
 * callback at its head sets it to `unsure`, the number from the first one on that could leave the block; after each
 * such instruction an inline operation subtracts those that are sure by then. So every block that ran to its end leaves
 * 0.
 */
struct tcgrr_translation {
    uint32_t number;
    uint16_t count; /* instructions */
    uint16_t unsure;
    uint8_t ends_with_store; /* the last instruction's last access is a store */
    uint8_t access_retires;  /* that access shows that the last instruction retired */
    uint8_t half;            /* of the address space: 1 is the upper one */
    uint8_t remaps;          /* the mappings that it may change: bits as in tcgrr_moving_remaps() */
    uint8_t transfer; /* sampling: its last instruction is a branch or jump that cannot fail (tcgrr_isa_transfers) */
    uint8_t origin;   /* sampling: branches count from 0 here, and this place has not been reached yet */
    uint8_t entered;  /* its own callback at the head has fired, so QEMU did not make it to repeat an access */
    uint8_t plain;    /* level full: nothing in it can change mappings between two of its accesses */
    uint32_t epoch;   /* of that half when `pc` was last checked */
    uint32_t size;    /* bytes of its instructions */
    uint64_t pc;      /* where it runs */
};

/* Samples of the state (emu/plugin/sample.h). Belongs to the thread that runs vCPU code; zero but for `countdown` if
 * samples are not wanted. */
struct tcgrr_sampling {
    bool on;               /* constant after install */
    uint8_t open_transfer; /* whether the translation that runs ends with a branch or jump */
    int64_t countdown;     /* branches and jumps until the next sample, without that of the running translation */
    int64_t interval;      /* what it counts down from */
    uint64_t transfers;    /* all before the last sample */
    uint64_t stores;       /* digest of all stores so far that count */

    bool waits;     /* until the part of the run with a sample after each branch: stores do not count before */
    bool begun;     /* the place from which branches are counted again was reached */
    bool announced; /* tcgrr knows the registers' names */
    unsigned count;
    struct tcgrr_sampled_register *registers; /* `count` of them */
    struct qemu_plugin_register *status;      /* 32-bit Arm: its bits name the current instruction set; NULL: none */
    uint32_t thumb_bit;
    uint8_t *values; /* of all registers at the last sample */
    GByteArray *value;
};

/* No samples are wanted: the countdown never reaches 0. */
#define TCGRR_SAMPLING_OFF                                                                                             \
    {                                                                                                                  \
        .countdown = INT64_MAX                                                                                         \
    }

struct tcgrr_plugin {
    struct tcgrr_ring ring;
    volatile int64_t *mark; /* the current vCPU's, which QEMU's inline operations change; a value below 0 counts as 0 */
    pthread_t thread;       /* the one that runs vCPU code; set by the first block */
    const struct tcgrr_translation *open; /* of the translations that have marks, the one that last began to run */
    unsigned vcpu;                        /* the owner of `mark`; UINT_MAX before the first block */
    bool begun;                           /* the first vCPU is there */
    bool silent;                          /* record nothing more */
    const uint32_t *returned;             /* user mode: position in the ring when a system call last returned */
    uint64_t position;                    /* user mode: instructions in the blocks that began since the last input */
    uint64_t signal_at;   /* the position at which to send a signal or to check for one; UINT64_MAX: nowhere */
    _Atomic bool threads; /* user mode: another thread has waited too long: recording ends with the next block */

    struct tcgrr_sampling sampling;

    uint32_t epochs[2]; /* number of times mappings changed in each half of the address space */
    uint32_t numbers;   /* number of translations and aliases since the last flush; the next one's number */
    struct qemu_plugin_register *pc_register;  /* NULL: addresses cannot be checked */
    struct qemu_plugin_register *cr0_register; /* x86, as the next */
    struct qemu_plugin_register *eflags_register;
    GByteArray *pc_value; /* a value of one of these registers */
    struct tcgrr_alias *aliases;

    struct tcgrr_translation
        *translations; /* reserved address space, used from the start up to `used`; given back at a flush */
    uint32_t used;
    int64_t *plain_mark;                  /* in the ring's header: API 1 and user mode, all vCPUs count here */
    struct qemu_plugin_scoreboard *score; /* from API 2 on: a mark for each vCPU */

    struct tcgrr_accesses *accesses; /* level full, else NULL */
    struct tcgrr_inputs *inputs;     /* user mode, if they are recorded or given again; else NULL */

    uint64_t yielded; /* when the vCPU last gave way, in ns of the host's clock (yield.h) */

    struct tcgrr_api api; /* this field and those below are constant after install */
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

/* Whether the open translation was left, or may have been left, before its end. */
static inline bool tcgrr_left_block_early(const struct tcgrr_plugin *plugin)
{
    return plugin->mark && *plugin->mark > 0;
}

/*
 * Whether QEMU may have made the block to repeat a device access: it then has that one instruction or, if that is in a
 * delay slot, the branch before it, too. Any unknown machine may have delay slots.
 */
static inline bool tcgrr_may_repeat(const struct tcgrr_plugin *plugin, const struct tcgrr_translation *translation)
{
    return translation->count <= (plugin->isa == TCGRR_ISA_UNKNOWN ? 2 : 1);
}

/* Reserves address space for translations. Returns whether that worked. */
bool tcgrr_instrument_init(struct tcgrr_plugin *plugin);

/* Describes a new translation in the ring and asks QEMU for the callbacks and marks that it needs. */
void tcgrr_instrument(struct tcgrr_plugin *plugin, struct qemu_plugin_tb *tb);

/* QEMU has discarded all translations. */
void tcgrr_instrument_forget(struct tcgrr_plugin *plugin);

/* The callback for a translation's head. Call it when the translation is complete. */
tcgrr_exec_cb tcgrr_block_callback(const struct tcgrr_plugin *plugin, const struct tcgrr_translation *translation);
/* The callback for blocks that are translated once the guest has threads. */
void tcgrr_on_thread_block(unsigned vcpu, void *nothing);
/* User mode: the calling thread, vCPU `vcpu` (UINT_MAX if not known yet), is new. Waits until it is its turn. */
void tcgrr_plugin_start_thread(unsigned vcpu);
/* User mode: from here on the calling thread runs, which is QEMU's vCPU `vcpu`. */
void tcgrr_plugin_switch_thread(unsigned vcpu);
/* Sends an event with `count` values. */
void tcgrr_plugin_event(enum tcgrr_wire_event kind, unsigned vcpu, const uint64_t *values, unsigned count);
/* Sends everything that is pending and restarts the numbers of translations: another process continues. */
void tcgrr_plugin_hand_over(void);
/* Ends the run here, in an orderly way, in the middle of a block; does not return. */
_Noreturn void tcgrr_plugin_leave(void);
/* Callbacks for the accesses of a last instruction. */
void tcgrr_on_single_access(unsigned vcpu, uint32_t info, uint64_t vaddr, void *translation);
void tcgrr_on_mark(unsigned vcpu, void *unsure);
void tcgrr_on_last_access(unsigned vcpu, uint32_t info, uint64_t vaddr, void *translation);

#endif
