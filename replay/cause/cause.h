/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds why two runs diverge: follows the data that the instruction at the divergence read backwards, to the first
 * instruction that gets the same input on both sides and produces different results.
 */
#ifndef TCGRR_REPLAY_CAUSE_H
#define TCGRR_REPLAY_CAUSE_H

#include "replay/cause/replay_pair.h"

enum tcgrr_cause_kind {
    TCGRR_CAUSE_INSTRUCTION, /* an instruction's result differs although everything that it reads is the same */
    TCGRR_CAUSE_INPUT,       /* an instruction got different values from a device, a clock or QEMU itself */
    TCGRR_CAUSE_EVENT,       /* an interrupt was delivered on one side only, or to different places */
    TCGRR_CAUSE_DEVICE,      /* memory changed that no instruction wrote */
    TCGRR_CAUSE_START,       /* data differed already at the start of the comparison */
    TCGRR_CAUSE_CODE,        /* the guests' instructions differ from the start */
    TCGRR_CAUSE_BLOCK,       /* a block's results differ only where its instructions are translated together */
};

/* "instruction", "input", "event", "device", "start", "code", "block". */
const char *tcgrr_cause_name(enum tcgrr_cause_kind kind);

/* One flag in a register. */
struct tcgrr_cause_flag {
    char *name;
    uint64_t before;
    uint64_t values[2];
    bool undefined; /* the architecture leaves it undefined after this instruction */
};

/* A register that differs after the instruction and did not before. */
struct tcgrr_cause_register {
    char *name;
    char *before; /* "0x…"; NULL: not known */
    char *values[2];
    GArray *flags; /* struct tcgrr_cause_flag: those that differ; empty where the machine describes none */
};

/* A piece of memory that differs: the instruction wrote it or, if none did, it differs at the start. */
struct tcgrr_cause_memory {
    uint64_t address;
    uint64_t physical;
    uint16_t size;
    uint8_t values[2][TCGRR_PLACE_MAX];
};

/* One instruction that propagated the difference from the cause towards the divergence. */
struct tcgrr_cause_link {
    bool gap; /* the difference was not followed between the previous link and this one, because it is known where it
                 began */
    tcgrr_icount icounts[2];
    uint64_t pc;
    uint8_t length; /* 0: its bytes are not known */
    uint8_t bytes[16];
    char *takes; /* the input that differed: "eflags (ZF)", "memory 0x105000"; NULL: none, this is the cause */
};

/* The cause's block as it was stepped through, with all registers at each stop. */
struct tcgrr_cause_scene {
    struct tcgrr_register_layout *registers[2]; /* NULL: there is no scene */
    GPtrArray *stops[2];                        /* struct tcgrr_stop */
    guint first;                                /* the stop at which the block begins */
    guint at; /* the stop before the cause, or before a block's last instruction; the next one is after it */
};

struct tcgrr_cause {
    enum tcgrr_cause_kind kind;
    tcgrr_icount icounts[2];
    uint64_t pc;
    unsigned insns; /* of the block, which begins at `pc`; 0: the cause is one instruction */
    uint8_t length;
    uint8_t bytes[16];
    GPtrArray *registers; /* struct tcgrr_cause_register * */
    GArray *memory;       /* struct tcgrr_cause_memory */
    GPtrArray *links;     /* struct tcgrr_cause_link *: from the cause to the diverging instruction */
    char *explanation;    /* one sentence */
    GPtrArray *also;      /* char *: registers that differed before the instruction, which it does not read */
    GPtrArray *left_out;  /* char *: registers that only one of the two QEMUs has */
    struct tcgrr_cause_scene scene;
    unsigned replays; /* number of replays of each side */
};

/* Facts about when data first differed. */
struct tcgrr_cause_dated {
    bool first;        /* the first difference is the cause, because the two share all inputs */
    tcgrr_moment same; /* the last moment at which all registers are known to be the same; 0: no later one is known */
    tcgrr_moment differs; /* a moment at which registers are known to differ; UINT64_MAX: none is known */
    GPtrArray *registers; /* char *: the registers that differ then; NULL: not known */
};

struct tcgrr_cause_options {
    struct tcgrr_replay_pair *pair; /* the two runs, ready; it stays the caller's */
    tcgrr_moment diverged_at; /* number of instructions in common from the start on; UINT64_MAX: only data diverge */
    tcgrr_moment floor;       /* both are completely the same there, including memory */
    bool halts; /* one side does not continue: it hangs, aborts or ends there, or some instructions later */
    struct tcgrr_cause_dated dated;
    void (*progress)(const char *text, void *data); /* may be NULL */
    void *data;
};

/*
 * Finds the cause. The two must replay what they recorded, the same up to `diverged_at`. False with an error if a QEMU
 * could not be started, hangs, or does not diverge from the other in its replay.
 */
bool tcgrr_cause_find(const struct tcgrr_cause_options *options, struct tcgrr_cause *cause, GError **error);
void tcgrr_cause_clear(struct tcgrr_cause *cause);

#endif
