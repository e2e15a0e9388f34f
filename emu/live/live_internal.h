/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Internals of the live stream, shared by live.c (the hot loop), live_close.c (how an execution ended) and
 * live_records.c (the plugin's records). */
#ifndef TCGRR_EMU_LIVE_INTERNAL_H
#define TCGRR_EMU_LIVE_INTERNAL_H

#include "emu/live/intake.h"
#include "emu/live/live.h"
#include "emu/live/retire.h"

/* A translation, in the form that the fast path needs. */
struct code {
    uint64_t sum;
    uint64_t shifted; /* its power as tcgrr_digest_step() takes it */
    uint64_t pc;
    uint64_t next; /* where it may continue, besides `target`; NOWHERE if only there */
    uint64_t target;
    uint32_t block;
    uint16_t insns;
    bool anywhere; /* it may continue anywhere, or QEMU reports discontinuities, so that there is nothing to infer */
    bool entry;    /* known to be the entry of an interrupt or exception handler */
    bool repeats;  /* its last instruction may run again, as a further iteration of itself */
    bool indirect; /* it may continue anywhere */
    bool watched;  /* level full: an instruction that begins or ends the window is in it */
};
#define NOWHERE UINT64_MAX

/* Maximum number of doubts kept: 256 MiB. */
#define MAX_DOUBTS (16u << 20)

#define KEPT_CLASSES 256
struct classes {
    const struct tcgrr_block *block;
    struct tcgrr_insn_class *classes;
    enum { NOT_ASKED, BRANCH, NO_BRANCH } branch; /* whether it is a single branch, judged by its text */
};

/* What the plugin sends of the guest's state (live_sample.c). */
struct tcgrr_live_sampling {
    struct tcgrr_register_table *registers; /* the pc, then the plugin's registers; NULL before the first one arrives */
    uint8_t *image;                         /* their values as sent so far; NULL before the first value arrives */
    uint64_t stores;
    bool pending; /* the open execution has a sample */
};

/*
 * What the executions of a phrase (wire.h) add up to: all of them, and all but the last, which is the open one when a
 * phrase has been read.
 */
struct phrase {
    uint32_t words[TCGRR_WIRE_PHRASE];
    uint32_t blocks[TCGRR_WIRE_PHRASE - 1];
    uint32_t epoch; /* if it is not the stream's, everything here is invalid */
    uint64_t sum;
    uint64_t shifted; /* as in struct code */
    uint64_t sum_before;
    uint64_t shifted_before;
    uint32_t insns;
    uint32_t insns_before;
};

/* Number of precomputed powers of the digest: enough for the instructions of most phrases. */
#define LIVE_POWERS 1024u

struct tcgrr_live_accesses;

struct tcgrr_live {
    struct tcgrr_intake *intake;
    bool gone;
    enum tcgrr_live_end end;
    bool events_only;     /* see tcgrr_live_events_only() */
    bool corrects_events; /* see tcgrr_live_correct_events() */
    bool uncounted;       /* the first execution is not, see tcgrr_live_starts_uncounted(); until it is over */
    tcgrr_icount start;   /* instructions before the run's beginning */

    struct tcgrr_live_info info;
    bool informed;
    enum tcgrr_isa isa;
    uint64_t address_mask;
    struct tcgrr_blocks *blocks;
    GArray *codes; /* struct code by translation number; the first `known` are in use */
    uint32_t known;
    struct phrase *phrases; /* by slot */
    uint64_t powers[LIVE_POWERS];
    uint32_t epoch; /* from 1; changes when numbers stand for other translations, or when different translations may
                       follow one another */
    GHashTable *entries; /* set of pcs (allocated) known to be entries of handlers */
    uint64_t assumed;
    tcgrr_icount overcounted;                                  /* see tcgrr_live_overcounted() */
    uint64_t events_dropped;                                   /* see tcgrr_live_events_dropped() */
    struct tcgrr_rrlog *log;                                   /* NULL: not known yet, or will never be known */
    struct tcgrr_rrlog *own_log;                               /* the same, if we must free it */
    void (*reach)(tcgrr_icount icount, bool open, void *data); /* tcgrr_live_watch_log(); NULL: the log is complete */
    void *reach_data;
    struct tcgrr_rrlog_asked asked;
    GArray *uncertain; /* struct tcgrr_uncertain_retire; NULL: not kept */
    uint32_t
        past_events; /* interrupts and exceptions since the last doubt or the last instruction that certainly retired */

    /* The execution that began last. It is appended to the chunk when the next one begins, because its length is only
     * known then. */
    const struct code *open; /* NULL: none; into `codes`, or to `kept` */
    struct code kept;
    uint32_t mark;     /* the payload of LEFT; UINT32_MAX: there was none, so it ran to its end */
    uint64_t rerun_pc; /* of the instruction whose access was repeated */
    bool has_rerun;
    bool hidden;   /* the previous execution could continue anywhere, so that an event between the two may have gone
                      unnoticed */
    bool follows;  /* likewise, but it continued at the next instruction: where a trap into the host returns */
    bool doubtful; /* whether its last instruction retired must be found out later */
    bool executed; /* user mode: another program has taken the first one's place */
    bool died;     /* user mode: the program ended by a signal, see tcgrr_live_died() */
    bool inside;   /* QEMU ended from inside its next instruction */
    GArray *gap;   /* struct tcgrr_event since it began */
    bool unusual;  /* any of the above is set */
    tcgrr_vcpu vcpu;
    tcgrr_vcpu last_vcpu; /* the highest one that has run */
    bool switched;
    tcgrr_icount next_checkpoint;
    struct tcgrr_live_sampling sampling;
    struct tcgrr_disasm *disasm; /* NULL: not needed yet */
    GByteArray *text; /* QEMU's disassembly of the block that is defined next: a string for each instruction */
    struct classes classes[KEPT_CLASSES]; /* by block */
    struct tcgrr_live_accesses *accesses; /* live_access.c; NULL: none are wanted */
    struct tcgrr_live_inputs inputs;
    GMutex mapped_lock;
    guint mapped_placed; /* how many of the first ones have a known place in the run */
    bool mapped_changed; /* there are more; not under the lock */
    GArray *mapped;      /* struct tcgrr_mapping; its paths belong to `mapped_paths`. Under the lock, as that */
    GStringChunk *mapped_paths;
    GString *auxv;       /* store/auxv.h */
    bool inputs_changed; /* since the open execution began; places are 0 until that is closed */
};

/* Written without branches, because the host's branch predictor cannot predict which way a block goes. */
static inline bool may_follow(const struct code *code, const struct code *next)
{
    return (next->pc == code->next) | (next->pc == code->target) | (code->anywhere & !next->entry);
}

/*
 * Returns whether an unnoticed event may have led from `code`, which ran to its end, to `next`. Also needed if QEMU
 * reports discontinuities: m68k's rte is an exception only in the rr log.
 */
static inline bool may_hide(const struct code *code, const struct code *next)
{
    return code->indirect && next->pc != code->next;
}

/* Notes how `next` was reached from `code`, which ran to its end. */
static inline void note_way(struct tcgrr_live *live, const struct code *code, const struct code *next)
{
    live->hidden = may_hide(code, next);
    live->follows = code->indirect && next->pc == code->next;
}

/* Returns whether the open execution may be one of many complete ones in a row, so that its end needs no special
 * treatment. */
static inline bool tcgrr_live_is_quiet(const struct tcgrr_live *live)
{
    return live->open && live->known > 0 && !live->unusual && !live->switched && !live->sampling.pending;
}

/* Ends the open execution: determines how far it got and what happened since. `next`: what begins now on the same vCPU;
 * NULL if not known. The chunk must have room for one execution. */
void tcgrr_live_close(struct tcgrr_live *live, struct tcgrr_chunk *chunk, const struct code *next);

/* Registers `pc` as an entry of interrupts, exceptions or signals: from here on, any arrival there after a jump to a
 * computed address is taken for one. */
void tcgrr_live_learn_entry(struct tcgrr_live *live, uint64_t pc);

/* Appends the open execution, of which `ran` instructions retired and QEMU counted `counted`. */
void tcgrr_live_append(struct tcgrr_live *live, struct tcgrr_chunk *chunk, uint32_t ran, uint32_t counted);

/*
 * The hot loop: reads complete executions with nothing in between. Stops before the first piece that has anything else,
 * which must then be read record by record. `slots` come from the intake; NULL: none. Returns the number of words that
 * it took.
 */
size_t tcgrr_live_read_fast(struct tcgrr_live *live, struct tcgrr_chunk *chunk, const uint32_t *words,
                            const uint16_t *slots, size_t available);

/* ---- level full (live_access.c): only if live->accesses ---- */

/* The hot loop for executions with accesses in between. */
size_t tcgrr_live_read_full(struct tcgrr_live *live, struct tcgrr_chunk *chunk, const uint32_t *words,
                            size_t available);
/* The records TCGRR_WIRE_ACCESS, _PAGE and _DEVICE, one by one. False with TCGRR_ERROR_DAMAGED. */
bool tcgrr_live_read_access(struct tcgrr_live *live, struct tcgrr_chunk *chunk, const uint32_t *words, GError **error);
bool tcgrr_live_read_page(struct tcgrr_live *live, const uint32_t *words, GError **error);
bool tcgrr_live_read_device(struct tcgrr_live *live, struct tcgrr_chunk *chunk, const uint32_t *words, GError **error);
/* Returns the number of words in the record of an access. */
size_t tcgrr_live_access_length(uint32_t word);
/* Returns whether the window begins or ends at one of the block's instructions. */
bool tcgrr_live_is_watched(const struct tcgrr_live *live, const struct tcgrr_block *block);
/* Call before appending the open execution, of which `ran` instructions retired: keeps their accesses. */
void tcgrr_live_settle_accesses(struct tcgrr_live *live, struct tcgrr_chunk *chunk, uint32_t ran);
/* Call before handing the chunk out: moves the accesses of the open execution to the chunk that it will be appended to.
 * */
void tcgrr_live_carry_accesses(struct tcgrr_live *live, struct tcgrr_chunk *chunk);
void tcgrr_live_free_accesses(struct tcgrr_live_accesses *accesses);

/* Reads an event about inputs, of kind `kind` with these words; false: it is of another kind. */
bool tcgrr_live_read_inputs(struct tcgrr_live *live, unsigned kind, const uint32_t *words);
/* Sets the place of what was read since the open execution began to `icount`. */
void tcgrr_live_place_inputs(struct tcgrr_live *live, tcgrr_icount icount);

/* The record TCGRR_WIRE_MAPPED (live_mapped.c), without its first word; what it leaves is freed with the others. */
bool tcgrr_live_read_mapped(struct tcgrr_live *live, const uint32_t *payload, uint32_t words, GError **error);
void tcgrr_live_mapped_init(struct tcgrr_live *live);
/* Call when the open execution, during which the last mappings arrived, ended at `icount`. */
void tcgrr_live_place_mapped(struct tcgrr_live *live, tcgrr_icount icount);
void tcgrr_live_mapped_clear(struct tcgrr_live *live);

/* Returns the number of words in the record that begins with `word`. */
size_t tcgrr_live_record_length(uint32_t word);

/* Reads one record that the hot loop did not read; it must be complete. */
bool tcgrr_live_read_record(struct tcgrr_live *live, struct tcgrr_chunk *chunk, const uint32_t *words, GError **error);

/* Read the records about the guest's state; the first two take the words after the first. */
bool tcgrr_live_read_register(struct tcgrr_live *live, const uint32_t *payload, uint32_t words, GError **error);
bool tcgrr_live_read_value(struct tcgrr_live *live, const uint32_t *payload, uint32_t words, GError **error);
bool tcgrr_live_read_sample(struct tcgrr_live *live, const uint32_t *words, GError **error);
/* Adds the sample of the open execution to the chunk to which that will be appended next. */
void tcgrr_live_place_sample(struct tcgrr_live *live, struct tcgrr_chunk *chunk);
void tcgrr_live_sampling_clear(struct tcgrr_live_sampling *sampling);

/*
 * Texts of instructions (live_text.c). tcgrr_live_read_text() keeps those that arrived; tcgrr_live_take_text() gives
 * them to the new block that they belong to; tcgrr_live_copy_text() gives a new block the texts of one with the same
 * content at another address, without the addresses in them.
 */
bool tcgrr_live_read_text(struct tcgrr_live *live, const uint32_t *payload, uint32_t words, GError **error);
bool tcgrr_live_take_text(struct tcgrr_live *live, uint32_t number, GError **error);
void tcgrr_live_copy_text(struct tcgrr_live *live, uint32_t number, const struct tcgrr_block *from);

/* Sets TCGRR_ERROR_DAMAGED, with the message that the ring holds `what`. Returns false. */
bool tcgrr_live_damaged(GError **error, const char *what);

#endif
