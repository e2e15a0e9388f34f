/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Made-up runs of a RISC-V guest with interrupts and loops, and pairs of them for the comparator. */
#ifndef TCGRR_TESTS_GUEST_H
#define TCGRR_TESTS_GUEST_H

#include "lockstep/compare.h"
#include "tests/made_up.h"

#define MAIN       0x80001000u /* 64 instructions in a circle, by a branch */
#define MAIN_INSNS 64
#define TICK       0x80002000u /* an interrupt's handler: 20 instructions, the last one mret */
#define TICK_INSNS 20
#define KEY        0x80003000u /* another one's: 12 */
#define KEY_INSNS  12
#define CLOCK_LOOP 0x80004000u /* rdtime, nop, branch back; after it nops and a return */
#define LOAD_LOOP  0x80004100u /* the same with a load */
#define COUNT_LOOP 0x80004200u /* with another nop */
#define LOOP_INSNS 3
#define DETOUR     0x80005000u /* nops */

struct guest_step {
    uint64_t pc;
    bool device; /* its access goes to a device, so QEMU leaves the block after it */
    bool event;  /* something happened before it */
    bool other;  /* it is another instruction than is there otherwise */
    tcgrr_vcpu vcpu;
};

struct guest {
    GArray *steps;  /* struct guest_step */
    GArray *events; /* struct tcgrr_event */
    unsigned main;  /* instructions of the main loop so far */
    bool happened;
    tcgrr_vcpu vcpu; /* that runs what comes next */
};

struct guest guest_start(void);

/* Runs so many instructions, one after the other; of the main loop, from where it was. */
void guest_run(struct guest *guest, uint64_t pc, unsigned insns);
void guest_main(struct guest *guest, unsigned insns);
/* The main loop's next instruction. */
uint64_t guest_main_pc(const struct guest *guest);

/* Something happens here. */
struct tcgrr_event *guest_event(struct guest *guest, enum tcgrr_event_kind kind, uint64_t from, uint64_t to);
/* The main loop is interrupted; the handler is not run. */
struct tcgrr_event *guest_interrupt(struct guest *guest, uint64_t handler);
/* It is interrupted, and TICK or KEY runs. */
void guest_tick(struct guest *guest);
void guest_key(struct guest *guest);

/* So many turns of a loop, whose first instruction may access a device; and what is after it. */
void guest_loop(struct guest *guest, uint64_t loop, unsigned turns, bool device);
void guest_leave_loop(struct guest *guest, uint64_t loop);

/* The same guest twice, in different runs and cut into blocks differently. */
struct pair {
    struct guest guests[2];
    struct tcgrr_compare_options options;
    struct tcgrr_comparison result;
    struct made_up *runs[2];
};

struct pair pair_start(void);
/* Compares what the guests did. Once. */
void pair_compare(struct pair *pair);
void pair_end(struct pair *pair);
/* A place that was tolerated. */
const struct tcgrr_tolerated *pair_place(const struct pair *pair, guint index);
/* Compares; wants no divergence, and so much tolerated. */
void pair_same(struct pair *pair, uint64_t events, uint64_t loops, uint64_t transients);
/* Compares and ends; wants the runs to part there. */
void pair_parts(struct pair *pair, tcgrr_icount a, tcgrr_icount b);
/* The same; wants no verdict, because their own inputs may be why they diverge there. */
void pair_doubts(struct pair *pair, tcgrr_icount a, tcgrr_icount b);

#endif
