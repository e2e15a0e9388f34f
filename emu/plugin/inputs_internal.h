/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the inputs share; for them alone. */
#ifndef TCGRR_EMU_PLUGIN_INPUTS_INTERNAL_H
#define TCGRR_EMU_PLUGIN_INPUTS_INTERNAL_H

#include "emu/plugin/calls.h"
#include "emu/plugin/inputs.h"

/* Where a system call's number, arguments and result are, and which instruction makes one. */
struct tcgrr_syscall_abi {
    const char *target, *number, *arguments[6], *result, *stack;
    uint8_t size, bytes[4]; /* of that instruction */
    int16_t harmless;       /* a call that does nothing: getpid */
    /* How far a handler's ucontext is from the stack pointer that it begins with; 0: its third argument points there,
     * which it does on aarch64 only with SA_SIGINFO. */
    uint16_t frame;
    /* Where it has what the signal interrupted: pc, and the stack pointer or else third argument; number, arguments,
     * result of a call. */
    uint16_t interrupted, interrupted_context, interrupted_number, interrupted_arguments[6], interrupted_result;
};

/* A call whose result and registers are put right once the program goes on after it: a handler may run before. */
struct tcgrr_call_pending {
    uint64_t pc; /* after the call */
    uint64_t stack;
    uint64_t number;       /* as the program had it, */
    uint64_t arguments[6]; /* like these */
    uint8_t replaced;      /* bits: which of them the host was given others for; bit 6: the number */
    bool sets_result;
    bool again; /* QEMU makes the call again: `pc` is that of its instruction */
    uint64_t result;
};
#define TCGRR_CALL_NUMBER_REPLACED (1u << 6)
#define TCGRR_CALLS_PENDING        16 /* calls in handlers in calls' ways */

/* Signals that came at once: the handler of the last one begins first, the others' when it returns. */
struct tcgrr_signals {
    int64_t last;                         /* 0: none */
    uint64_t others[TCGRR_INPUTS_OTHERS]; /* the one whose handler begins next is first; 0: no more */
};

#define TCGRR_TIME_BYTES 16 /* struct timespec */

/* The call that a thread makes, and those that were interrupted. */
struct tcgrr_call_state {
    uint64_t given[8]; /* the arguments of the call that is made, as the program has them */
    uint32_t length;   /* what stood where the argument of TCGRR_CALL_LENGTH points, before it */

    /* Given. */
    bool prepared; /* `called` and `given` are what the program asked for, the host was asked for something else */
    bool answered; /* which does nothing */
    bool expects;  /* `recorded` is this call */
    bool deferred; /* which one is known only when it is this thread's turn again */
    /* The host takes signals meanwhile that are blocked otherwise, if there are any by then, and waits for no time:
     * 16 bytes of zeros, which are in place of the program's while the host looks. */
    bool lets_in;
    uint64_t time_at;
    uint8_t time_before[TCGRR_TIME_BYTES];
    int64_t called;
    struct tcgrr_signals followed; /* those that came on the return of `recorded` */
    int64_t enters;                /* the signal that is to come before the host makes the call; 0: none */
    int64_t sends; /* a call that is made: the signal that came on its return; 0: none, -1: one that cannot be sent */
    struct tcgrr_inputs_record recorded;
    struct tcgrr_call_pending pending[TCGRR_CALLS_PENDING];
    unsigned pending_count;
};

#define TCGRR_GENERAL          32 /* registers, at most */
#define TCGRR_CLOCK_READS      4
#define TCGRR_SIGNALS          65
#define TCGRR_SIGNALS_STANDARD 32 /* those below are no real-time signals */
struct tcgrr_inputs {
    struct tcgrr_plugin *plugin;
    char *path;
    const struct tcgrr_syscall_abi *abi; /* NULL: registers stay as they are */
    enum tcgrr_call_numbers numbers;
    int64_t clone; /* where those are not known: this one is; -1: it is not */
    enum tcgrr_inputs_mode mode;
    bool reads;                   /* registers can be read, */
    bool writes;                  /* and written */
    bool ended;                   /* nothing is recorded or given any more */
    struct tcgrr_signals signals; /* those that are to come at the plugin's `signal_at` */
    bool too_large;               /* not all that the last call wrote could be kept */
    bool unknown_writes;          /* what it wrote is not known */
    bool shares_memory;           /* memory that children of fork would write, too */
    bool differed; /* what was recorded could not be given at least once: the program may do other things now */
    bool has_base;
    uint64_t base;  /* of the guest's memory in ours */
    uint64_t at;    /* where the next record is in the file */
    int32_t writer; /* the process that wrote the last one seen; 0: none yet */
    struct qemu_plugin_register *number, *arguments[6], *result, *stack;
    struct qemu_plugin_register *original;               /* x86: what Linux keeps of the call's number; NULL: none */
    struct qemu_plugin_register *general[TCGRR_GENERAL]; /* by number, on aarch64 and riscv64 */
    struct tcgrr_call_state *call;                       /* of the thread that runs */
    GByteArray *value;
    GByteArray *record; /* what goes into or comes from the file, without its head */

    /* Instructions at which what was read of the host's clock is to be replaced: more than one where a signal's handler
     * begins before the first of them, and reads it, too. */
    uint64_t clock_reads[TCGRR_CLOCK_READS];
    unsigned clock_read_count;
    uint64_t clock;         /* what the program read of it last, at levels that compare data */
    uint64_t stack_at_call; /* kept: of the first call, until it has returned */
    bool called_before;     /* the first call was made */
    uint64_t brk_end;       /* given: what brk() returned last; 0: nothing yet */

    /* Kept: a call that has returned, and after which the program has not gone on yet. */
    bool holds;
    struct tcgrr_inputs_record held;
    uint64_t handlers[TCGRR_SIGNALS]; /* by signal; 0: none */
    uint64_t restorers[TCGRR_SIGNALS];
    uint8_t host_signals[TCGRR_SIGNALS];  /* what real-time signals are on the host; 0: not known */
    void *host_handlers[TCGRR_SIGNALS];   /* by the host's real-time signals, before the program sets a handler */
    uint64_t others[TCGRR_INPUTS_OTHERS]; /* ucontexts of handlers that begin when the one above them returns */
};

/* ---- memory (inputs_memory.c) ---- */

/* Copies what is at the guest's `address`; whatever is not there is an error and no fault. */
bool tcgrr_inputs_read_memory(const struct tcgrr_inputs *inputs, uint64_t address, void *bytes, size_t size);
/* The same the other way round, also to what the guest must not write to. */
bool tcgrr_inputs_write_memory(const struct tcgrr_inputs *inputs, uint64_t address, const void *bytes, size_t size);
/* Collects in `inputs->record` what the call that returned `result` wrote. */
void tcgrr_inputs_collect_writes(struct tcgrr_inputs *inputs, const struct tcgrr_call *call, int64_t result);
/* The bytes that shmat(), which returned `result`, attached; 0: they are not known, or it failed. */
uint64_t tcgrr_inputs_segment_bytes(const struct tcgrr_inputs *inputs, int64_t result);
/* Writes what was collected, `inputs->record`, to where it was. False if it is damaged. */
bool tcgrr_inputs_restore_memory(struct tcgrr_inputs *inputs);

/* ---- the clock (inputs_clock.c) ---- */

/* A register is there: keeps it if an instruction may read the clock into it. */
void tcgrr_inputs_find_general(struct tcgrr_inputs *inputs, const char *name, struct qemu_plugin_register *handle);
/* Has the instructions of a translation watched that read the host's clock: what they read is kept or given. */
void tcgrr_inputs_watch_clock(struct tcgrr_plugin *plugin, struct qemu_plugin_tb *tb);

/* ---- the file (inputs_file.c) ---- */

/* Appends a record, whose `bytes` are set here, and `inputs->record`. */
void tcgrr_inputs_write_record(struct tcgrr_inputs *inputs, struct tcgrr_inputs_record *head);
/* The next record, for which it is waited where somebody writes the file meanwhile. False: there is none. The first one
 * also returns stretches, the second goes on after them. */
bool tcgrr_inputs_peek_any(struct tcgrr_inputs *inputs, struct tcgrr_inputs_record *head);
bool tcgrr_inputs_peek_record(struct tcgrr_inputs *inputs, struct tcgrr_inputs_record *head);
/* Reads what belongs to the record `head`, which is the next one, into `inputs->record`, and goes on after it. */
bool tcgrr_inputs_read_record(struct tcgrr_inputs *inputs, const struct tcgrr_inputs_record *head);

/* ---- registers (inputs.c) ---- */

uint64_t tcgrr_inputs_get_register(const struct tcgrr_inputs *inputs, struct qemu_plugin_register *at);
void tcgrr_inputs_set_register(const struct tcgrr_inputs *inputs, struct qemu_plugin_register *at, uint64_t value);

/* ---- signals (inputs_signal.c) ---- */

/* The program is about to set a handler: rt_sigaction() with these arguments. */
void tcgrr_inputs_handler_set(struct tcgrr_inputs *inputs, const uint64_t arguments[8]);
/* It has. */
void tcgrr_inputs_handler_is_set(struct tcgrr_inputs *inputs, uint64_t signal);
/* The host's number of a program's signal; 0: it cannot be sent. */
int tcgrr_inputs_host_signal(const struct tcgrr_inputs *inputs, int64_t signal);
/* Where it cannot be read what called a handler, tcgrr is to know that it is one. */
void tcgrr_inputs_announce_handler(const struct tcgrr_inputs *inputs, uint64_t handler, unsigned vcpu);
/* Whether a handler is there. */
bool tcgrr_inputs_is_handler(const struct tcgrr_inputs *inputs, uint64_t pc);
/* Whether nothing has run since a call returned. */
bool tcgrr_inputs_returned(const struct tcgrr_inputs *inputs);
/* An input was kept or given: positions count from here. A signal that comes while the program computes is to
 * be sent at its place: where somebody writes the file meanwhile, the program computes no further than it is known. */
void tcgrr_inputs_reset_position(struct tcgrr_inputs *inputs);
/* The block there begins to run. */
void tcgrr_inputs_on_handler(unsigned vcpu, void *pc);

/* The signals of this record. */
struct tcgrr_signals tcgrr_inputs_signals_of(const struct tcgrr_inputs_record *record);
/* The ucontext of the handler that begins. */
uint64_t tcgrr_inputs_handler_ucontext(const struct tcgrr_inputs *inputs);
/* Sends them to the calling thread, so that QEMU begins their handlers in the recorded order. */
void tcgrr_inputs_send_signals(const struct tcgrr_inputs *inputs, const struct tcgrr_signals *signals);

/* ---- keeping (inputs.c) ---- */

/* Whether a call that does not return if it succeeds is recorded, because it failed. */
bool tcgrr_inputs_failed(struct tcgrr_inputs *inputs, int64_t number);
/* The call that is held goes into the file. */
void tcgrr_inputs_write_held(struct tcgrr_inputs *inputs, bool followed);

/* ---- giving (inputs_give.c) ---- */

/* Before a call is made, at its instruction, which is at `pc`. */
void tcgrr_inputs_on_call(unsigned vcpu, void *pc);
/* A handler begins on the return of a call: what it finds of that in registers is as the program had it. */
void tcgrr_inputs_restore_registers(struct tcgrr_inputs *inputs);
/* Where the program goes on after a call, or makes it again. */
void tcgrr_inputs_on_return(unsigned vcpu, void *pc);
/* The call `number` was entered, where registers cannot be written. */
void tcgrr_inputs_check(struct tcgrr_inputs *inputs, int64_t number);
/* It has returned `*result`, which becomes what the program is given. */
void tcgrr_inputs_give(struct tcgrr_inputs *inputs, int64_t number, int64_t *result);
/* Whether the call, with the arguments that it has, makes a thread rather than a process. */
bool tcgrr_inputs_is_thread(const struct tcgrr_inputs *inputs, const struct tcgrr_call *call);
/* What follows cannot be given. The run is not what was recorded from here on. */
void tcgrr_inputs_give_up(struct tcgrr_inputs *inputs, enum tcgrr_inputs_lack why);

#endif
