/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options and the result of a comparison of two runs. */
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
    TCGRR_POSITION_CODE,   /* likewise, `value` bytes above the lowest code of a program that QEMU has not loaded yet;
                              replaced by a PC once it has */
    TCGRR_POSITION_NAME, /* likewise, the symbol whose name is GQuark `value`, of a program in user mode, at its address
                            once its file is mapped */
};
struct tcgrr_position {
    enum tcgrr_position_kind kind;
    uint64_t value;
};

struct tcgrr_state_options {
    const char *target;         /* of both runs, as QEMU names it; NULL: their states are not compared */
    bool same_qemu;             /* the same QEMU ran both, so different digests of stores mean different stores */
    const char *const *ignored; /* further registers that may differ, as tcgrr_state_ignores() takes them */
};

/* Where the data of two runs first differ. */
struct tcgrr_data_divergence {
    uint64_t samples; /* compared */
    uint32_t registers_compared;
    bool stores;     /* digests of stores were compared, too */
    bool alike;      /* the digests of stores are the same in the first sample; in user mode these include the initial
                        content of the stack */
    GArray *initial; /* struct tcgrr_register_difference: those in the first sample, which are compared only once they
                        agree; NULL: nothing was compared */
    /*
     * For different QEMUs, which may report the same stores in different pieces: where the digests first differ, if
     * they do. Not a divergence by itself. Each side's own count, as below.
     */
    bool stores_parted;
    tcgrr_icount stores_from[2];
    tcgrr_icount stores_to[2];
    uint64_t stores_number; /* number of A's last sample before that */
    tcgrr_icount
        same[2]; /* the last sample in which everything is the same; the start of the comparison if there is none */
    uint64_t same_number; /* number of that sample among A's; 0 also if there is none */
    bool found;
    /* Only if found; each side's own count. */
    tcgrr_icount from[2];           /* the last sample in which they are the same; where comparing began if none is */
    tcgrr_icount to[2];             /* the first in which they differ */
    uint64_t to_number;             /* of that sample among A's */
    GArray *registers;              /* struct tcgrr_register_difference */
    bool stores_differ;             /* the stores up to there differ, too */
    bool shifted;                   /* an event came at different instructions before, which may be the reason */
    struct tcgrr_comparison *place; /* what both sides run there, as a divergence of kind DATA */
};
struct tcgrr_compare_options {
    struct tcgrr_position from[2]; /* where each side's comparison starts: they need not have run the same before */
    tcgrr_icount start; /* if not 0, both start there and `from` is ignored, because a side has nothing before it */
    struct tcgrr_position
        until[2];     /* it ends when the first of the sides reaches this place; a pc counts only after the start */
    bool strict;      /* tolerate nothing: for runs that share all inputs */
    bool own_inputs;  /* the runs have different inputs: if these can explain a difference, there is no verdict (struct
                         tcgrr_comparison's `undecided`) */
    unsigned history; /* executions in each list of the report */
    enum tcgrr_isa isa; /* of both; if UNKNOWN, loops that poll a clock are not recognised */
    bool vcpus_known;   /* it is known which vCPU ran what, so vCPUs can be compared one by one */
    /* With `strict`, the guest asked to shut down after at least this many instructions: from there on one of the runs
     * may be stopped sooner, because QEMU stops the vCPU some time later. 0: both end at the same instruction. Read
     * when one has ended; NULL: 0. */
    const tcgrr_icount *asked_after;
    bool may_be_empty; /* that there is no instruction to compare is no error */
    /* With `tolerate_cut_a`: B has inputs up to here, and may end then. */
    tcgrr_icount reach;
    bool tolerate_cut_a; /* A is a recording that was cut short: it is no divergence if B continues or ends earlier */
    struct tcgrr_state_options state;
    bool data_ends;           /* end at the first difference of data: the flow is already known to be the same */
    const volatile int *stop; /* becomes not 0: the user interrupts, and there is no verdict; may be NULL */
    /* A recording of the same run as A, which replaces A once data are known to differ, because states are not compared
     * any further. NULL: none. relieved() is called when A is no longer needed. */
    struct tcgrr_run_source *relief;
    void (*relieved)(void *data);
    void *data;
};

/* Why a place at which the runs differ is not a divergence. Flags. */
enum tcgrr_reason {
    TCGRR_REASON_CLOCK = 1u << 0,     /* an instruction there reads a clock or waits */
    TCGRR_REASON_DEVICE = 1u << 1,    /* an instruction there accesses a device */
    TCGRR_REASON_INTERRUPT = 1u << 2, /* an interrupt came there */
    TCGRR_REASON_HANDLER = 1u << 3,   /* it is in the handler of an interrupt that came at a different place */
    TCGRR_REASON_END = 1u << 4,       /* the other run ends before it would reach this place */
    TCGRR_REASON_COUNT = 1u << 5,     /* QEMU does not report whether the interrupted instruction had run */
    TCGRR_REASON_VCPU = 1u << 6,      /* vCPUs took turns there */
};

enum tcgrr_tolerated_kind {
    TCGRR_TOLERATED_EVENT,     /* an interrupt came at another instruction; its handler was compared with its handler */
    TCGRR_TOLERATED_LOOP,      /* a loop that waits for something ran more iterations on one side */
    TCGRR_TOLERATED_TRANSIENT, /* right after reading a clock or a device, or in an interrupt's handler, the two took
                                  different paths that rejoined */
    TCGRR_TOLERATED_KINDS,
};

/* A short phrase for flag number `i`; NULL after the last. */
const char *tcgrr_reason_name(int i);

/* "shifted event", "polling loop", "transient". */
const char *tcgrr_tolerated_name(enum tcgrr_tolerated_kind kind);

/* A place at which the runs differ for a reason. */
struct tcgrr_tolerated {
    enum tcgrr_tolerated_kind kind;
    unsigned reasons;       /* of enum tcgrr_reason */
    tcgrr_icount icount[2]; /* each side's; of an event: where it came */
    uint64_t pc; /* event: its handler; loop: its instruction that the other side does not reach again; transient: the
                    first instruction that only A runs */
    uint64_t from_pc[2]; /* event: the interrupted instruction; TCGRR_NO_PC: not known */
    uint64_t insns[2]; /* loop, transient: instructions that only this side ran; event: instructions of the interrupted
                          code that it ran since the other side was interrupted */
};

/* Maximum number of tolerated places that are listed; the others are only counted. */
#define TCGRR_TOLERATED_LISTED 256

/* What one side did at the divergence. */
struct tcgrr_divergence_side {
    bool there;             /* it runs an instruction there; if false, it has ended */
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
     * With an error from tcgrr_compare(): the runs differ, and there is no verdict, for this reason: their different
     * inputs may explain it. The fields below "only if diverged" say where, as far as that is known. NULL otherwise.
     */
    char *undecided;
    bool refused;            /* user mode: there is no verdict, for a reason that the error names */
    tcgrr_icount start[2];   /* each side's own icount where the comparison starts */
    tcgrr_icount aligned[2]; /* from here on both ran exactly the same instructions: the start, or the place after the
                                last tolerated one */
    tcgrr_icount compared;   /* instructions from there on that are the same on both sides, by A's count */
    uint64_t tolerated[TCGRR_TOLERATED_KINDS]; /* number of places of each kind */
    GArray *places;                            /* struct tcgrr_tolerated: the first of them */
    uint64_t differing;                        /* instructions in loops and transients that only A ran */
    tcgrr_icount
        surplus[2]; /* instructions that a side ran after the other's tolerated end, as far as they were read */
    enum tcgrr_run_source_state ends[2]; /* state of each side when the comparison ended */
    uint64_t input_differences; /* user mode: calls that returned something else, where that could not be changed */
    bool ended_outside;         /* user mode: a signal from outside ended A's program; up to there both are the same */
    uint64_t input_places;      /* user mode: number of times such a call made the runs differ */
    uint64_t skipped[2]; /* instructions between such a difference and the next call that both made, which were not
                            compared */
    bool clock_read;     /* user mode: shortly before the divergence A read a clock that is not given, or waited */
    uint64_t clock_pc;   /* address of that instruction */
    bool rest_left_out;  /* after the last such difference they made no call in common: the rest was not compared */
    struct tcgrr_data_divergence data; /* if states are compared: what was found before the flow diverged */
    /* Only if diverged (or undecided): */
    enum tcgrr_divergence_kind kind;
    tcgrr_icount icount; /* A's */
    tcgrr_vcpu vcpu;
    GArray *common;                  /* struct tcgrr_exec: the last executions in common, newest first; of side A */
    char *note;                      /* a further remark about it; NULL: none */
    struct tcgrr_live_call calls[2]; /* CALL: what each asked for; a number of -1: nothing */
    struct tcgrr_divergence_side sides[2];
};

/* Frees what it holds; it may be all zero. */
void tcgrr_comparison_clear(struct tcgrr_comparison *comparison);

/* Withdraws a divergence that something other than the QEMUs can explain: sets `undecided` to `why`, and sets
 * TCGRR_ERROR_FAILED with the text. Always returns false. */
bool tcgrr_comparison_withdraw(struct tcgrr_comparison *comparison, const char *why, GError **error, const char *format,
                               ...) G_GNUC_PRINTF(4, 5);

#endif
