/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a comparison of two runs is asked, and what it finds. */
#ifndef TCGRR_LOCKSTEP_COMPARISON_H
#define TCGRR_LOCKSTEP_COMPARISON_H

#include "lockstep/run_source.h"
#include "lockstep/state.h"

#include "store/isa/isa.h"

enum tcgrr_divergence_kind {
    TCGRR_DIVERGENCE_FLOW,  /* another instruction, or the same on another vCPU */
    TCGRR_DIVERGENCE_ENDED, /* one side ended while the other went on */
    TCGRR_DIVERGENCE_CUT,   /* one side's QEMU was killed or aborted */
    TCGRR_DIVERGENCE_HUNG,  /* one side makes no progress any more */
    TCGRR_DIVERGENCE_DATA,  /* registers or stores differ, and control flow does not */
    TCGRR_DIVERGENCE_CALL,  /* user mode: one makes another system call */
};

/* "control flow", "ended", "aborted", "hung", "data", "system call". */
const char *tcgrr_divergence_name(enum tcgrr_divergence_kind kind);

/* A place in a run. */
enum tcgrr_position_kind {
    TCGRR_POSITION_NONE,   /* not given: the run's start, or its end */
    TCGRR_POSITION_ICOUNT, /* `value` instructions have run */
    TCGRR_POSITION_PC,     /* the first execution of the instruction at address `value` */
    TCGRR_POSITION_CODE,   /* likewise, `value` bytes above the lowest code of a program that QEMU has not placed yet;
                              a PC from when it has */
    TCGRR_POSITION_NAME,   /* likewise, the symbol whose name is GQuark `value`, of a program in user mode, where it
                              is once its file is mapped */
};
struct tcgrr_position {
    enum tcgrr_position_kind kind;
    uint64_t value;
};

struct tcgrr_state_options {
    const char *target;         /* of both runs, as QEMU names it; NULL: their states are not compared */
    bool same_qemu;             /* it ran both: if digests of stores differ, so did the stores */
    const char *const *ignored; /* further registers that may differ, as tcgrr_state_ignores() takes them */
};

/* Where the data of two runs first differ. */
struct tcgrr_data_divergence {
    uint64_t samples; /* compared */
    uint32_t registers_compared;
    bool stores;     /* and their digests of stores */
    bool alike;      /* in the first sample the digests of stores are the same: in user mode they have what is on the
                        stack when the program starts */
    GArray *initial; /* struct tcgrr_register_difference: in the first sample; each compared once it agreed; NULL: none
                        was compared */
    /*
     * Between different QEMUs, which may report the same stores in other pieces: where the digests first differ, if
     * they do. No divergence by itself. Each side's own count, as below.
     */
    bool stores_parted;
    tcgrr_icount stores_from[2];
    tcgrr_icount stores_to[2];
    uint64_t stores_number; /* of the last sample among A's before that */
    tcgrr_icount same[2];   /* the last sample in which all is the same; where comparing began if there is none */
    uint64_t same_number;   /* of that sample among A's; 0 also if there is none */
    bool found;
    /* Only if found; each side's own count. */
    tcgrr_icount from[2];           /* the last sample in which they are the same; where comparing began if none is */
    tcgrr_icount to[2];             /* the first in which they differ */
    uint64_t to_number;             /* of that sample among A's */
    GArray *registers;              /* struct tcgrr_register_difference */
    bool stores_differ;             /* so do the stores up to there */
    bool shifted;                   /* something came at different instructions before, which this may come from */
    struct tcgrr_comparison *place; /* what both sides run there, as a divergence of its own kind */
};
struct tcgrr_compare_options {
    struct tcgrr_position from[2]; /* where each side's comparison starts: they need not have run the same before */
    tcgrr_icount
        start; /* not 0: both start there and `from` is not looked at, because a side knows nothing before it */
    struct tcgrr_position until[2]; /* it ends where the first of the sides comes there; a pc counts after the start */
    bool strict;                    /* nothing is tolerated: for runs that share all that happens outside the guest */
    bool own_inputs;                /* what happened outside the guest may have led the runs apart: what that can
                                       explain is no verdict (struct tcgrr_comparison's `undecided`) */
    unsigned history;               /* executions in each list of the report */
    enum tcgrr_isa isa;             /* of both; UNKNOWN: loops that poll a clock cannot be recognised */
    bool vcpus_known;               /* it is known which vCPU ran what, so vCPUs can be compared one by one */
    /* With `strict`, the guest asked to shut down after so many instructions at least: from there on one of the runs
     * may be stopped sooner, because QEMU stops the vCPU when it comes round to it. 0: both end at the same
     * instruction. Looked at when one has ended; NULL: 0. */
    const tcgrr_icount *asked_after;
    /* With `tolerate_cut_a`: B has inputs up to here, and may end then. */
    tcgrr_icount reach;
    bool tolerate_cut_a; /* A is a recording that was cut short: that B goes on, or comes less far, is no
                            divergence */
    struct tcgrr_state_options state;
    bool data_ends;           /* it ends where the data are found to differ: that the flow does not is known already */
    const volatile int *stop; /* becomes not 0: the user interrupts, and there is no verdict; may be NULL */
    /* The same run as A, recorded: takes A's place where the data are known to differ, because then no more states are
     * compared. NULL: none. relieved() is called when A is not needed any more. */
    struct tcgrr_run_source *relief;
    void (*relieved)(void *data);
    void *data;
};

/* Why a place at which the runs differ is no divergence. Flags. */
enum tcgrr_reason {
    TCGRR_REASON_CLOCK = 1u << 0,     /* an instruction there reads a clock or waits */
    TCGRR_REASON_DEVICE = 1u << 1,    /* one accesses a device */
    TCGRR_REASON_INTERRUPT = 1u << 2, /* an interrupt came there */
    TCGRR_REASON_HANDLER = 1u << 3,   /* it is in the handler of an interrupt that came at another place */
    TCGRR_REASON_END = 1u << 4,       /* the other run ends before it would come there */
    TCGRR_REASON_COUNT = 1u << 5,     /* QEMU does not say whether the interrupted instruction had run */
    TCGRR_REASON_VCPU = 1u << 6,      /* vCPUs took turns there */
};

enum tcgrr_tolerated_kind {
    TCGRR_TOLERATED_EVENT,     /* an interrupt came at another instruction; its handler was compared with its handler */
    TCGRR_TOLERATED_LOOP,      /* a loop that waits for something ran more iterations on one side */
    TCGRR_TOLERATED_TRANSIENT, /* right after reading a clock or a device, or in an interrupt's handler, the two
                                  took different ways and met again */
    TCGRR_TOLERATED_KINDS,
};

/* What flag number `i` stands for, as a short phrase; NULL after the last. */
const char *tcgrr_reason_name(int i);

/* "shifted event", "polling loop", "transient". */
const char *tcgrr_tolerated_name(enum tcgrr_tolerated_kind kind);

/* A place at which the runs differ for a reason. */
struct tcgrr_tolerated {
    enum tcgrr_tolerated_kind kind;
    unsigned reasons;       /* of enum tcgrr_reason */
    tcgrr_icount icount[2]; /* each side's; of an event: where it came */
    uint64_t pc;            /* event: its handler; loop: its instruction that the other side does not come to again;
                               transient: A's first instruction of its own */
    uint64_t from_pc[2];    /* event: the interrupted instruction; TCGRR_NO_PC: not known */
    uint64_t insns[2];      /* loop, transient: what each side ran of its own; event: what each had run of the
                               interrupted code since the other was interrupted */
};

/* Tolerated places that are listed, at most; the others are only counted. */
#define TCGRR_TOLERATED_LISTED 256

/* What one side did at the divergence. */
struct tcgrr_divergence_side {
    bool there;             /* it runs an instruction there; otherwise it has ended */
    tcgrr_icount icount;    /* its own at the divergence */
    struct tcgrr_exec exec; /* the execution that the instruction is in */
    uint32_t insn;          /* index of the instruction in its block */
    uint64_t pc;
    GArray *history; /* struct tcgrr_exec: that execution and those after it, oldest first */
    GArray *events;  /* struct tcgrr_event: the last ones before it and the first ones after it */
};

struct tcgrr_comparison {
    bool diverged;
    /*
     * With an error from tcgrr_compare(): the runs differ, and that they have inputs of their own may be the reason,
     * this one: there is no verdict. What is below "only if diverged" says where, as far as that is at hand. NULL
     * otherwise.
     */
    char *undecided;
    bool refused;            /* user mode: there is no verdict, for a reason that the error names */
    tcgrr_icount start[2];   /* each side's own icount where the comparison starts */
    tcgrr_icount aligned[2]; /* from here on both ran instruction for instruction the same: the start, or after the
                                last place that was tolerated */
    tcgrr_icount compared;   /* instructions from there on that are the same on both sides, by A's count */
    uint64_t tolerated[TCGRR_TOLERATED_KINDS]; /* how many places of each kind */
    GArray *places;                            /* struct tcgrr_tolerated: the first of them */
    uint64_t differing;                        /* instructions of A's own in loops and transients */
    tcgrr_icount surplus[2]; /* what a side ran after the other's tolerated end, as far as it was looked at */
    enum tcgrr_run_source_state ends[2]; /* how each side was when the comparison ended */
    uint64_t input_differences; /* user mode: calls that returned something else, where that could not be changed */
    bool ended_outside;    /* user mode: A's program was ended by a signal from outside; up to there it is the same */
    uint64_t input_places; /* user mode: so often they led the runs apart, which then met again at a call */
    uint64_t skipped[2];   /* instructions between going apart and meeting again, which were not compared */
    bool clock_read;       /* user mode: shortly before they diverge, A read a clock that is not given, or waited */
    uint64_t clock_pc;     /* by this instruction */
    bool rest_left_out;    /* the last time they did not meet again: what follows was not compared at all */
    struct tcgrr_data_divergence data; /* if states are compared: what was found before the flow diverged */
    /* Only if diverged (or undecided): */
    enum tcgrr_divergence_kind kind;
    tcgrr_icount icount; /* A's */
    tcgrr_vcpu vcpu;
    GArray *common;                  /* struct tcgrr_exec: the last executions in common, newest first; of side A */
    char *note;                      /* what else there is to say of it; NULL: nothing */
    struct tcgrr_live_call calls[2]; /* CALL: what each asked for; a number of -1: nothing */
    struct tcgrr_divergence_side sides[2];
};

/* Frees what it holds; it may be all zero. */
void tcgrr_comparison_clear(struct tcgrr_comparison *comparison);

/* A divergence that something other than the QEMUs can explain is none: takes it back, with `why` as its `undecided`,
 * and sets TCGRR_ERROR_FAILED with the text. Always returns false. */
bool tcgrr_comparison_withdraw(struct tcgrr_comparison *comparison, const char *why, GError **error, const char *format,
                               ...) G_GNUC_PRINTF(4, 5);

#endif
