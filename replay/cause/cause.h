/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why two runs diverge: from the instruction where their control flow does back along what it read, to the first
 * instruction that is given the same on both sides and makes something else of it.
 */
#ifndef TCGRR_REPLAY_CAUSE_H
#define TCGRR_REPLAY_CAUSE_H

#include "replay/cause/replay_pair.h"

enum tcgrr_cause_kind {
    TCGRR_CAUSE_INSTRUCTION, /* an instruction's result differs though all that it takes in is the same */
    TCGRR_CAUSE_INPUT,       /* it was given something else by a device, a clock or QEMU itself */
    TCGRR_CAUSE_EVENT,       /* an interrupt was delivered on one side, or to another place */
    TCGRR_CAUSE_DEVICE,      /* memory changed that no instruction wrote */
    TCGRR_CAUSE_START,       /* it differed already where the comparison starts */
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
    bool undefined; /* the architecture promises nothing of it after this instruction */
};

/* A register that differs after the instruction and did not before. */
struct tcgrr_cause_register {
    char *name;
    char *before; /* "0x…"; NULL: not known */
    char *values[2];
    GArray *flags; /* struct tcgrr_cause_flag: those that differ; empty where the machine describes none */
};

/* A piece of memory that differs: that the instruction wrote, or, where nothing did, that differs at the start. */
struct tcgrr_cause_memory {
    uint64_t address;
    uint64_t physical;
    uint16_t size;
    uint8_t values[2][TCGRR_PLACE_MAX];
};

/* How the difference came from the cause to where the runs diverge: one instruction that passed it on. */
struct tcgrr_cause_link {
    bool gap; /* between the link before and this one the difference was not followed, because it is known where it
                 began */
    tcgrr_icount icounts[2];
    uint64_t pc;
    uint8_t length; /* 0: its bytes are not known */
    uint8_t bytes[16];
    char
        *takes; /* what differed of what it took in: "eflags (ZF)", "memory 0x105000"; NULL: nothing, it is the cause */
};

/* The cause's block as it was stepped through, with all registers at each stop. */
struct tcgrr_cause_scene {
    struct tcgrr_register_layout *registers[2]; /* NULL: there is no scene */
    GPtrArray *stops[2];                        /* struct tcgrr_stop */
    guint first;                                /* where the block begins */
    guint at; /* before the cause, of a block its last instruction; after it is the next */
};

struct tcgrr_cause {
    enum tcgrr_cause_kind kind;
    tcgrr_icount icounts[2];
    uint64_t pc;
    unsigned insns; /* of the block, which begins at `pc`; 0: it is about one instruction */
    uint8_t length;
    uint8_t bytes[16];
    GPtrArray *registers; /* struct tcgrr_cause_register * */
    GArray *memory;       /* struct tcgrr_cause_memory */
    GPtrArray *links;     /* struct tcgrr_cause_link *: from the cause to the diverging instruction */
    char *explanation;    /* one sentence */
    GPtrArray *also;      /* char *: registers that differed before the instruction, which it does not read */
    GPtrArray *left_out;  /* char *: registers that only one of the two QEMUs has */
    struct tcgrr_cause_scene scene;
    unsigned replays; /* of each side, that it took */
};

/* What is known of when data first differed. */
struct tcgrr_cause_dated {
    bool first;           /* the first difference is the cause, because the two share all that happens outside */
    tcgrr_moment same;    /* the last moment at which all registers are known to be the same; 0: no later one */
    tcgrr_moment differs; /* one at which registers are known to differ; UINT64_MAX: none is */
    GPtrArray *registers; /* char *: which then; NULL: not known */
};

struct tcgrr_cause_options {
    struct tcgrr_replay_pair *pair; /* the two runs, ready; it stays the caller's */
    tcgrr_moment diverged_at; /* instructions that the two have in common from the start on; UINT64_MAX: only their
                                 data diverge */
    tcgrr_moment floor;       /* all of both is the same there, memory, too */
    bool halts; /* one side does not go on there: it hangs, aborts or ends. That may be some instructions later */
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
