/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What goes from the plugin inside QEMU (one producer: the vCPU thread) to tcgrr (one consumer), in a shared memory
 * file: a header page, two drafts of 32-bit words, and a ring. The plugin writes its words into a draft. When that is
 * full it packs them into the ring, where phrases that it has sent before take one word, and goes on in the other one:
 * what two cores hand to each other is the dearest part of all, and guests run in loops. What is still in a draft can
 * be read there.
 *
 * The plugin writes raw facts and derives nothing: what began to run, where a block was left early, what QEMU reported.
 * tcgrr computes exact counts from them in emu/live/live.c and emu/live/retire.c. Both ends run on one machine, so
 * words are in its byte order. The consumer still trusts nothing it reads: a guest that breaks out of QEMU can write
 * here.
 */
#ifndef TCGRR_EMU_PLUGIN_WIRE_H
#define TCGRR_EMU_PLUGIN_WIRE_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TCGRR_WIRE_MAGIC   0x676e697272676374u /* "tcgrring" */
/* Raise when anything in this file changes: plugin and tcgrr of different builds refuse each other. */
#define TCGRR_WIRE_VERSION 19u

#define TCGRR_WIRE_HEADER_BYTES  4096u
#define TCGRR_WIRE_RESERVE_WORDS 8192u /* no single record is longer */
#define TCGRR_WIRE_MAX_INSNS     4096u /* in one block; QEMU's own limit is 512 */

/* The draft: once this many words are in it, it is packed; then the last record may reach into the reserve. */
#define TCGRR_WIRE_DRAFT_FULL  1024u
#define TCGRR_WIRE_DRAFT_WORDS (TCGRR_WIRE_DRAFT_FULL + TCGRR_WIRE_RESERVE_WORDS)
#define TCGRR_WIRE_RING_OFFSET (TCGRR_WIRE_HEADER_BYTES + 2 * TCGRR_WIRE_DRAFT_WORDS * 4u) /* bytes into the file */
static_assert(TCGRR_WIRE_RING_OFFSET % 4096 == 0, "the ring is mapped by itself");
/* A single word that fills a draft reaches the end of a page, which is quicker to see than the draft's own. */
#define TCGRR_WIRE_DRAFT_PAGE (TCGRR_WIRE_DRAFT_FULL * 4u)
static_assert(TCGRR_WIRE_HEADER_BYTES % TCGRR_WIRE_DRAFT_PAGE == 0 &&
                  TCGRR_WIRE_DRAFT_WORDS * 4u % TCGRR_WIRE_DRAFT_PAGE == 0,
              "drafts begin with a page");

/*
 * A draft in the ring: a word that says how many words it was and whether they follow as they were. If not, a word for
 * each TCGRR_WIRE_PHRASE of them comes first, which names one of TCGRR_WIRE_PHRASES slots; the phrase itself follows
 * if it is not what the slot has held so far, and is there from now on. The words that are left over follow as they
 * were. Slots hold zeros at first.
 */
#define TCGRR_WIRE_AS_WRITTEN (1u << 31)
#define TCGRR_WIRE_RESTART    (1u << 30) /* slots hold zeros again before this draft */
#define TCGRR_WIRE_PHRASE     16u
#define TCGRR_WIRE_PHRASES    16384u
#define TCGRR_WIRE_KNOWN      (1u << 31) /* the slot holds the phrase */
#define TCGRR_WIRE_PACKED_WORDS                                                                                        \
    (1 + TCGRR_WIRE_DRAFT_WORDS + TCGRR_WIRE_DRAFT_WORDS / TCGRR_WIRE_PHRASE) /* at most                               \
                                                                               */

/* What this QEMU supports, as detected by the plugin; bits of `features`. */
enum tcgrr_wire_feature {
    TCGRR_WIRE_DISCON = 1u << 0,  /* reports interrupts, exceptions and host calls itself (API 6) */
    TCGRR_WIRE_SYSCALL = 1u << 1, /* user mode: reports system calls */
    TCGRR_WIRE_STORES = 1u << 2,  /* sends the values of stores, so that samples have a digest of them (API 4) */
};

#define TCGRR_WIRE_PROGRAM 256u /* bytes of a program's path, including the terminating zero */

enum tcgrr_wire_state {
    TCGRR_WIRE_WAITING,  /* the plugin was not loaded yet */
    TCGRR_WIRE_RUNNING,  /* installed */
    TCGRR_WIRE_FINISHED, /* QEMU exited normally, the END record is in the ring */
};

struct tcgrr_wire_header {
    uint64_t magic; /* this group: written by tcgrr before QEMU starts */
    uint32_t version;
    uint32_t ring_words; /* power of two */
    uint32_t consumer_pid;
    uint32_t consumer_fd; /* the descriptor of this memory in that process */
    uint32_t has_sample_origin;
    uint64_t sample_origin; /* if present: when a translation first begins at this address, the count of branches
                               restarts at 0 */
    uint32_t sample_origin_in_code; /* it is relative to `start_code`, which the plugin adds once it is known */
    /* If `closer_to` is not 0, samples are taken after each branch from number `closer_from` up to, but not including,
     * `closer_to`, and none between the very first sample and these; stores are not digested until then. */
    uint64_t closer_from;
    uint64_t closer_to;
    uint32_t process; /* user mode: the number of this process among those recorded together; see fork.h */

    char target[32]; /* this group: written by the plugin before `state` leaves WAITING */
    int32_t api;
    int32_t api_min;
    int32_t api_cur;
    uint32_t system;
    uint32_t vcpus;
    uint32_t features;
    uint64_t environment;   /* a hash of the environment that QEMU was first started with, in that order */
    _Atomic uint32_t state; /* enum tcgrr_wire_state; written by the plugin */

    /*
     * Where the plugin writes next, as an address of its own, and the address of the first draft's first word: with it
     * the plugin spends the fewest instructions per block. Drafts are written by turns, the first one first.
     */
    _Alignas(64) _Atomic uint64_t cursor;
    uint64_t base;
    _Alignas(64) _Atomic uint64_t head; /* words written to the ring so far, complete drafts only */
    _Alignas(64) _Atomic uint64_t tail; /* words consumed so far; written by tcgrr */
    _Alignas(64) _Atomic uint32_t
        detach; /* tcgrr has stopped reading: the plugin sends nothing more and lets the guest continue */
    /*
     * tcgrr may write this at any time; it takes effect with the next sample. Samples are taken after each branch or
     * jump whose number is a multiple of it; with 0 or 1, at the head of every translation.
     */
    _Atomic uint32_t sample_step;
    _Atomic uint32_t past_window; /* level full: tcgrr needs no more accesses */
    /* tcgrr wants QEMU to end: until it does, the vCPU's thread must yield to QEMU's other threads repeatedly. */
    _Atomic uint32_t yield_asked;
    /*
     * Where QEMU records an rr log: how often tcgrr has asked for it to be flushed, and up to which of these the file
     * has all that QEMU had written when it was asked. Both are futexes. `flush_error`: the errno with which a flush
     * failed because the disk is full; from then on the log may lack bytes, and `flush_done` stays.
     */
    _Alignas(64) _Atomic uint32_t flush_asked;
    _Atomic uint32_t flush_done;
    _Atomic int32_t flush_error;

    /* How many instructions of the open translation are not sure to retire, where that is counted here (API 1, user
     * mode): a program that dies by a signal says nothing more. Written by the plugin. */
    _Alignas(64) int64_t mark;

    _Alignas(64) uint64_t strays; /* accesses that QEMU reported for code that did not run; written by the plugin */

    /* User mode, written by the plugin, and kept where one program executes another: how often the process was about to
     * fork, how often that failed, and the program that it executed last, "" if none. */
    _Alignas(64) uint32_t forks;
    uint32_t forks_failed;
    char program[TCGRR_WIRE_PROGRAM];
    /* User mode, written by the plugin when the first code is translated: where QEMU put the lowest code of the program
     * (not of its interpreter); 0: not known. */
    _Atomic uint64_t start_code;
};
static_assert(sizeof(struct tcgrr_wire_header) <= TCGRR_WIRE_HEADER_BYTES, "the header must fit its page");

/*
 * Words. A value below TCGRR_WIRE_CONTROL means that the translation with this number began to run on the current vCPU.
 * Otherwise the top byte is a tag and the lower 24 bits are its payload; some tags are followed by more words.
 */
#define TCGRR_WIRE_CONTROL 0xf0000000u
enum tcgrr_wire_tag {
    /* The translation that ran before this point certainly retired only `payload` instructions: whatever the next one
     * was, its end was not seen. Comes right before the next translation's word. */
    TCGRR_WIRE_LEFT = 0xf0,
    /* Everything after this runs on vCPU `payload`. */
    TCGRR_WIRE_VCPU = 0xf1,
    /* A translation, before its first use. `payload` words follow: struct tcgrr_wire_define, then a byte of length per
     * instruction, then their bytes, padded to a word. Numbers start at 0 and again after a flush. */
    TCGRR_WIRE_DEFINE = 0xf2,
    /* An event: payload = kind | words << 8; words follow: the vCPU, then what the kind brings. */
    TCGRR_WIRE_EVENT = 0xf3,
    /*
     * The same content as translation `words[0]`, found running at another address: 3 words follow: that one, the pc
     * (64). It gets the next number.
     */
    TCGRR_WIRE_ALIAS = 0xf5,
    /*
     * Only if tcgrr asked for texts: how QEMU disassembles the instructions of the DEFINE that comes next. `payload`
     * words follow: a text and a zero byte for each, padded. An empty text is one that did not fit.
     */
    TCGRR_WIRE_TEXT = 0xfb,
    /*
     * Only if tcgrr asked for samples. A register, all before the first VALUE: `payload` words follow: bytes of its
     * value, then its name and its feature, each with a zero after it, padded. Numbers count from 0.
     */
    TCGRR_WIRE_REGISTER = 0xf8,
    /* A part of a register's value that changed since the previous sample: `payload` words follow: struct
     * tcgrr_wire_value, then its bytes, padded. Parts that are not sent have not changed. */
    TCGRR_WIRE_VALUE = 0xf9,
    /* The registers have the values sent so far at the head of the translation whose word came last; the digest of all
     * stores so far (64) follows. */
    TCGRR_WIRE_SAMPLE = 0xfa,
    /*
     * Level full: a memory access by the translation that began last. `payload`: index of its instruction, and bits of
     * enum tcgrr_wire_access. A word follows: the slot of its page (TCGRR_WIRE_PAGE) << 12 | the low 12 bits of its
     * address. Then, with TCGRR_WIRE_ACCESS_VALUE, its value: a word up to 4 bytes, 2 for 8 bytes, 4 for 16.
     */
    TCGRR_WIRE_ACCESS = 0xf6,
    /*
     * Level full: the page that a slot stands for from here on. `payload`: the slot; 5 words follow: the virtual
     * address without its low 12 bits (64), what to add to a virtual address for the physical one (64), the device's
     * number, 0 for memory, with TCGRR_WIRE_NOWHERE if the physical address is not known.
     */
    TCGRR_WIRE_PAGE = 0xf7,
    /* Level full: `payload` words with the name of the next device, padded with zeros. The first device gets number 2;
     * number 1 stands for all devices without a name. */
    TCGRR_WIRE_DEVICE = 0xfc,
    /* User mode: code is translated in a part of memory that was mapped from a file. Before the first translation of
     * it, and again if it was sent long before. `payload` words follow: struct tcgrr_wire_mapped, then the file's path
     * with its zero, padded; an empty path: from no file. */
    TCGRR_WIRE_MAPPED = 0xfd,
    /* QEMU is exiting normally; `payload` 1: from inside an instruction (a device that ends QEMU). Nothing follows. */
    TCGRR_WIRE_END = 0xf4,
};

struct tcgrr_wire_define {
    uint32_t number;
    uint32_t count; /* instructions, 1..TCGRR_WIRE_MAX_INSNS */
    uint32_t pc_low;
    uint32_t pc_high;
    uint32_t size; /* bytes of all instructions */
};

struct tcgrr_wire_value {
    uint32_t number; /* of the register */
    uint32_t offset; /* in its value */
    uint32_t size;   /* bytes */
};
struct tcgrr_wire_mapped {
    uint64_t first;  /* address, the program's own */
    uint64_t size;   /* bytes */
    uint64_t offset; /* in the file */
};

#define TCGRR_WIRE_VALUE_BYTES        16384u /* in one record */
/* Limits of what the plugin sends about registers. */
#define TCGRR_WIRE_MAX_REGISTERS      4095u
#define TCGRR_WIRE_MAX_REGISTER_BYTES 65536u
#define TCGRR_WIRE_MAX_STATE_BYTES    ((1u << 20) - 8u) /* all registers together */
#define TCGRR_WIRE_MAX_NAME           255u

/* Kinds of TCGRR_WIRE_EVENT, and the words that follow the vCPU; a 64-bit value takes two words, the low one first. */
enum tcgrr_wire_event {
    TCGRR_WIRE_INIT,   /* – */
    TCGRR_WIRE_EXIT,   /* – */
    TCGRR_WIRE_IDLE,   /* – */
    TCGRR_WIRE_RESUME, /* – */
    TCGRR_WIRE_FLUSH,  /* – ; all translations were discarded, numbering restarts */
    TCGRR_WIRE_RERUN,  /* number: a device access that was rolled back in the middle of a block was repeated in this
                          separate translation */
    TCGRR_WIRE_DISCONTINUITY,  /* type (QEMU's: 1 interrupt, 2 exception, 4 host call), from (64), to (64) */
    TCGRR_WIRE_SYSCALL_ENTRY,  /* number (64), 8 arguments (64 each) */
    TCGRR_WIRE_SYSCALL_RETURN, /* number (64), result (64) */
    TCGRR_WIRE_THREAD, /* – ; user mode: a thread cannot be kept waiting any longer; nothing more is recorded */
    TCGRR_WIRE_SIGNAL, /* user mode: a handler begins: the signal, 0 if not known (64), the handler (64) */
    /* User mode with given inputs: a call returned a different result, which could not be replaced: its number, its
     * result, the recorded result (64 each). */
    TCGRR_WIRE_INPUT_DIFFERS,
    /* The program is about to make a different call from the recorded one: its number and 6 arguments, then the same
     * for the recorded one (64 each), whose number is all ones if there is none. The run ends. */
    TCGRR_WIRE_OTHER_CALL,
    TCGRR_WIRE_INPUT_UNSURE, /* the call after which other data may be there than recorded, why (64 each): enum
                                tcgrr_inputs_lack */
    TCGRR_WIRE_INPUTS_END,   /* why (64), likewise; from here on the program gets its own inputs */
    TCGRR_WIRE_HANDLER,      /* user mode, registers cannot be read: where signals may go from here on (64) */
    TCGRR_WIRE_EXEC, /* – ; user mode: everything after this comes from another program, with another QEMU and another
                        instance of the plugin */
    TCGRR_WIRE_AUXV, /* user mode: an entry of the auxiliary vector that the program started with: type, value (64 each)
                      */
    TCGRR_WIRE_EVENT_KINDS,
};

enum tcgrr_wire_access {
    TCGRR_WIRE_ACCESS_INSN = 0xfff, /* mask */
    TCGRR_WIRE_ACCESS_SIZE = 12,    /* shift; three bits: 0 for a byte to 4 for 16 bytes */
    TCGRR_WIRE_ACCESS_STORE = 1 << 15,
    TCGRR_WIRE_ACCESS_VALUE = 1 << 16,
    TCGRR_WIRE_ACCESS_RERUN =
        1 << 17, /* made when the instruction at which the open translation was left was repeated */
};

#define TCGRR_WIRE_PAGES       4096u
#define TCGRR_WIRE_DEVICES     1024u
#define TCGRR_WIRE_DEVICE_NAME 256u /* bytes, at most */
#define TCGRR_WIRE_UNNAMED     1u
#define TCGRR_WIRE_NOWHERE     (1u << 31)

/* Returns the slot for the page of `address`. */
static inline uint32_t tcgrr_wire_page_slot(uint64_t address)
{
    return (uint32_t)(address >> 12 ^ address >> 24) & (TCGRR_WIRE_PAGES - 1);
}

static inline uint32_t tcgrr_wire_word(enum tcgrr_wire_tag tag, uint32_t payload)
{
    return (uint32_t)tag << 24 | (payload & 0xffffffu);
}

/* Returns whether two phrases are equal. */
static inline bool tcgrr_wire_same_phrase(const uint32_t *a, const uint32_t *b)
{
    typedef uint64_t pair __attribute__((vector_size(16), aligned(4), may_alias));
    const pair *x = (const pair *)a, *y = (const pair *)b;
    pair differences = (x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]);
    static_assert(TCGRR_WIRE_PHRASE == 4 * sizeof(pair) / sizeof(uint32_t), "a phrase is four such pairs");
    return (differences[0] | differences[1]) == 0;
}

#endif
