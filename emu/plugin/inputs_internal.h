/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files that implement inputs.h, and private to them. */
#ifndef TCGRR_EMU_PLUGIN_INPUTS_INTERNAL_H
#define TCGRR_EMU_PLUGIN_INPUTS_INTERNAL_H

#include "emu/plugin/calls.h"
#include "emu/plugin/inputs.h"

/* A target's system call convention: the registers of a call's number, arguments and result, and the instruction that
 * makes a call. */
struct tcgrr_syscall_abi {
    const char *target, *number, *arguments[6], *result, *stack;
    uint8_t size, bytes[4]; /* of that instruction */
    int16_t harmless;       /* a call that does nothing: getpid */
    /* The offset of a signal handler's ucontext from the stack pointer at its start; 0: its third argument points to
     * the ucontext (on aarch64 that is so only with SA_SIGINFO). */
    uint16_t frame;
    /* Offsets in the ucontext of what the signal interrupted: the pc; the stack pointer or else the third argument; a
     * call's number, arguments and result. */
    uint16_t interrupted, interrupted_context, interrupted_number, interrupted_arguments[6], interrupted_result;
};

/* A call whose result and registers are corrected when the program continues after it. A signal handler may run before
 * that. */
struct tcgrr_call_pending {
    uint64_t pc; /* after the call */
    uint64_t stack;
    uint64_t number;       /* the program's own, */
    uint64_t arguments[6]; /* likewise */
    uint8_t replaced;      /* bits: the arguments that were replaced for the host; bit 6: the number */
    bool sets_result;
    bool again; /* QEMU restarts the call: `pc` is that of the call's instruction */
    uint64_t result;
};
#define TCGRR_CALL_NUMBER_REPLACED (1u << 6)
#define TCGRR_CALLS_PENDING        16 /* calls that were interrupted by handlers that make calls, nested */

/* Signals that arrived together: the handler of the last one begins first, those of the others when it returns. */
struct tcgrr_signals {
    int64_t last;                         /* 0: none */
    uint64_t others[TCGRR_INPUTS_OTHERS]; /* in the order in which their handlers begin; 0: no more */
};

#define TCGRR_TIME_BYTES 16 /* struct timespec */

/* A thread's current system call, and those of its calls that signals interrupted. */
struct tcgrr_call_state {
    uint64_t given[8]; /* the program's arguments of the current call */
    uint32_t length;   /* the value to which the argument of TCGRR_CALL_LENGTH pointed before the call */

    /* If inputs are given: */
    bool prepared; /* `called` and `given` are the program's call; the host was given another one */
    bool answered; /* the host's call does nothing */
    bool expects;  /* `recorded` is this call */
    bool deferred; /* the record of the call is looked up only when it is this thread's turn again */
    /* The host's call unblocks signals, takes those that are pending, and does not wait: its timeout, 16 bytes of
     * zeros, replaces the program's until the call returns. */
    bool lets_in;
    uint64_t time_at;
    uint8_t time_before[TCGRR_TIME_BYTES];
    int64_t called;
    struct tcgrr_signals followed; /* those that arrived on the return of `recorded` */
    int64_t enters;                /* the signal to be delivered before the host makes the call; 0: none */
    int64_t
        sends; /* of a call that is made: the signal that arrived on its return; 0: none, -1: one that cannot be sent */
    struct tcgrr_inputs_record recorded;
    struct tcgrr_call_pending pending[TCGRR_CALLS_PENDING];
    unsigned pending_count;
};

#define TCGRR_GENERAL          32 /* registers, at most */
#define TCGRR_CLOCK_READS      4
#define TCGRR_SIGNALS          65
#define TCGRR_SIGNALS_STANDARD 32 /* signals below this one are not real-time signals */
struct tcgrr_inputs {
    struct tcgrr_plugin *plugin;
    char *path;
    const struct tcgrr_syscall_abi *abi; /* NULL: registers stay as they are */
    enum tcgrr_call_numbers numbers;
    int64_t clone; /* the number of clone(), if the others are not known; -1: not known either */
    enum tcgrr_inputs_mode mode;
    bool reads;                   /* registers can be read */
    bool writes;                  /* registers can be written */
    bool ended;                   /* nothing more is recorded or given */
    struct tcgrr_signals signals; /* those to be delivered at the plugin's `signal_at` */
    bool too_large;               /* the last call wrote more than could be stored */
    bool unknown_writes;          /* it is not known what the last call wrote */
    bool shares_memory;           /* the program has memory that forked children would write, too */
    bool differed; /* at least one recorded input could not be given: the program may behave differently now */
    bool has_base;
    uint64_t base;  /* host address of the guest's address 0 */
    uint64_t at;    /* offset of the next record in the file */
    int32_t writer; /* the process that wrote the last record that was read; 0: none yet */
    struct qemu_plugin_register *number, *arguments[6], *result, *stack;
    struct qemu_plugin_register *original; /* x86: orig_rax, where Linux keeps the call's number; NULL: none */
    struct qemu_plugin_register *general[TCGRR_GENERAL]; /* by number */
    struct tcgrr_call_state *call;                       /* of the thread that runs */
    GByteArray *value;
    GByteArray *record; /* the pieces of the record that is written or read, without its head */

    /* Instructions at which a value read from the host's clock is still to be replaced. There is more than one if a
     * signal handler begins before the first of them and reads the clock, too. */
    uint64_t clock_reads[TCGRR_CLOCK_READS];
    unsigned clock_read_count;
    uint64_t clock;         /* the value that the program last read from the clock, at levels that compare data */
    uint64_t stack_at_call; /* recording: the stack pointer at the first call, until that has returned */
    bool called_before;     /* the first call has been made */
    uint64_t brk_end;       /* giving: what brk() last returned; 0: nothing yet */

    /* Recording: a call that has returned, after which the program has not continued yet. */
    bool holds;
    struct tcgrr_inputs_record held;
    uint64_t handlers[TCGRR_SIGNALS]; /* by signal; 0: none */
    uint64_t restorers[TCGRR_SIGNALS];
    uint8_t host_signals[TCGRR_SIGNALS];  /* the host's number of each real-time signal; 0: not known */
    void *host_handlers[TCGRR_SIGNALS];   /* the host's handler of each real-time signal before the program sets one */
    uint64_t others[TCGRR_INPUTS_OTHERS]; /* ucontexts of handlers that begin when the current handler returns */
};

/* ---- memory (inputs_memory.c) ---- */

/* Copies memory from the guest's `address`. Returns false, without faulting, if it is not mapped. */
bool tcgrr_inputs_read_memory(const struct tcgrr_inputs *inputs, uint64_t address, void *bytes, size_t size);
/* Copies memory to the guest's `address`, even if the guest may not write there. */
bool tcgrr_inputs_write_memory(const struct tcgrr_inputs *inputs, uint64_t address, const void *bytes, size_t size);
/* Collects in `inputs->record` what the call that returned `result` wrote. */
void tcgrr_inputs_collect_writes(struct tcgrr_inputs *inputs, const struct tcgrr_call *call, int64_t result);
/* The number of bytes that shmat(), which returned `result`, attached; 0: not known, or it failed. */
uint64_t tcgrr_inputs_segment_bytes(const struct tcgrr_inputs *inputs, int64_t result);
/* Writes the collected pieces, `inputs->record`, back to their addresses. False if the record is damaged. */
bool tcgrr_inputs_restore_memory(struct tcgrr_inputs *inputs);

/* ---- the clock (inputs_clock.c) ---- */

/* Keeps the handle of a register that such an instruction may read into. */
void tcgrr_inputs_find_general(struct tcgrr_inputs *inputs, const char *name, struct qemu_plugin_register *handle);
/* Watches the instructions of a translation that read the host's clock or the number of its processor: what they read
 * is recorded or given. */
void tcgrr_inputs_watch_clock(struct tcgrr_plugin *plugin, struct qemu_plugin_tb *tb);

/* ---- the file (inputs_file.c) ---- */

/* Appends the record `head`, whose `bytes` it sets, and `inputs->record` to the file. */
void tcgrr_inputs_write_record(struct tcgrr_inputs *inputs, struct tcgrr_inputs_record *head);
/* Reads the head of the next record without consuming it, and waits for it if the file is still being written. False:
 * there is none. The first function also returns stretches; the second skips them. */
bool tcgrr_inputs_peek_any(struct tcgrr_inputs *inputs, struct tcgrr_inputs_record *head);
bool tcgrr_inputs_peek_record(struct tcgrr_inputs *inputs, struct tcgrr_inputs_record *head);
/* Reads the pieces of the next record, `head`, into `inputs->record`, and consumes the record. */
bool tcgrr_inputs_read_record(struct tcgrr_inputs *inputs, const struct tcgrr_inputs_record *head);

/* ---- registers (inputs.c) ---- */

uint64_t tcgrr_inputs_get_register(const struct tcgrr_inputs *inputs, struct qemu_plugin_register *at);
void tcgrr_inputs_set_register(const struct tcgrr_inputs *inputs, struct qemu_plugin_register *at, uint64_t value);

/* ---- signals (inputs_signal.c) ---- */

/* The program is about to set a signal handler: rt_sigaction() with these arguments. */
void tcgrr_inputs_handler_set(struct tcgrr_inputs *inputs, const uint64_t arguments[8]);
/* The handler has been set. */
void tcgrr_inputs_handler_is_set(struct tcgrr_inputs *inputs, uint64_t signal);
/* The host's number of a program's signal; 0: it cannot be sent. */
int tcgrr_inputs_host_signal(const struct tcgrr_inputs *inputs, int64_t signal);
/* If registers cannot be read, so that the start of a handler cannot be recognised, reports its address to tcgrr. */
void tcgrr_inputs_announce_handler(const struct tcgrr_inputs *inputs, uint64_t handler, unsigned vcpu);
/* Whether a handler begins at `pc`. */
bool tcgrr_inputs_is_handler(const struct tcgrr_inputs *inputs, uint64_t pc);
/* Whether nothing has run since a call returned. */
bool tcgrr_inputs_returned(const struct tcgrr_inputs *inputs);
/* An input was recorded or given: positions count from here. A signal that arrived while the program computed has to be
 * sent at its recorded place; if the file is still being written, the program computes only as far as the file says. */
void tcgrr_inputs_reset_position(struct tcgrr_inputs *inputs);
/* The block at `pc`, a handler's first, begins to run. */
void tcgrr_inputs_on_handler(unsigned vcpu, void *pc);

/* The signals of this record. */
struct tcgrr_signals tcgrr_inputs_signals_of(const struct tcgrr_inputs_record *record);
/* The ucontext of the handler that begins. */
uint64_t tcgrr_inputs_handler_ucontext(const struct tcgrr_inputs *inputs);
/* Sends the signals to the calling thread so that QEMU begins their handlers in the recorded order. */
void tcgrr_inputs_send_signals(const struct tcgrr_inputs *inputs, const struct tcgrr_signals *signals);

/* ---- keeping (inputs.c) ---- */

/* Whether a call that does not return on success has a record, because it failed. */
bool tcgrr_inputs_failed(struct tcgrr_inputs *inputs, int64_t number);
/* Writes the held call to the file. `followed`: a signal arrived on its return. */
void tcgrr_inputs_write_held(struct tcgrr_inputs *inputs, bool followed);

/* ---- giving (inputs_give.c) ---- */

/* Callback: the program is about to make a call, with the instruction at `pc`. */
void tcgrr_inputs_on_call(unsigned vcpu, void *pc);
/* A handler begins on the return of a call: restores the program's own values of the call's registers. */
void tcgrr_inputs_restore_registers(struct tcgrr_inputs *inputs);
/* Callback: the program continues after a call, or restarts it. */
void tcgrr_inputs_on_return(unsigned vcpu, void *pc);
/* The program entered the call `number`; for QEMUs whose registers cannot be written. */
void tcgrr_inputs_check(struct tcgrr_inputs *inputs, int64_t number);
/* The call has returned `*result`, which is replaced by what the program is given. */
void tcgrr_inputs_give(struct tcgrr_inputs *inputs, int64_t number, int64_t *result);
/* Whether the call, with its arguments, creates a thread rather than a process. */
bool tcgrr_inputs_is_thread(const struct tcgrr_inputs *inputs, const struct tcgrr_call *call);
/* Nothing more can be given: from here on the run is no longer the recorded one. */
void tcgrr_inputs_give_up(struct tcgrr_inputs *inputs, enum tcgrr_inputs_lack why);

#endif
