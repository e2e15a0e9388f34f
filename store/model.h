/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words that every room shares: blocks, executions, events, checkpoints. */
#ifndef TCGRR_STORE_MODEL_H
#define TCGRR_STORE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

/* Instructions retired since reset (system mode: equal to QEMU's own count; user mode: since the program's start). */
typedef uint64_t tcgrr_icount;
/* Executions since the start of the recording. */
typedef uint64_t tcgrr_seq;
typedef uint32_t tcgrr_vcpu;

/* Icount between two checkpoints. Part of the trace format. */
#define TCGRR_CHECKPOINT_STEP ((tcgrr_icount)65536)
/* Executions in one chunk, at most. Part of the trace format. */
#define TCGRR_CHUNK_EXECS     (1u << 20)
/* Branches and jumps between two samples of the state, unless told otherwise. */
#define TCGRR_SAMPLE_STEP     8192u
/* Different blocks in one trace, at most. */
#define TCGRR_MAX_BLOCKS      (1u << 28)
/* Maximum number of instructions in one block; QEMU's own limit is 512. */
#define TCGRR_MAX_INSNS       4096u
/* Maximum length of an instruction's text in bytes; longer ones are cut off. */
#define TCGRR_MAX_INSN_TEXT   127u
/* A chunk with this many memory accesses is full; */
#define TCGRR_CHUNK_ACCESSES  (1u << 18)
/* and its last execution has fewer than this many. Both are part of the trace format. */
#define TCGRR_EXEC_ACCESSES   (1u << 18)

/* How much of a run is recorded: each level includes those before it. */
#define TCGRR_LEVELS(X)                                                                                                \
    X(INPUTS, "inputs") /* QEMU's rr log, and events where QEMU reports them */                                        \
    X(FLOW, "flow")     /* executions, events and digests */                                                           \
    X(STATE, "state")   /* samples of registers and stores */                                                          \
    X(FULL, "full")     /* memory accesses */

#define TCGRR_LEVEL_ENUM(id, name) TCGRR_LEVEL_##id,
enum tcgrr_level { TCGRR_LEVELS(TCGRR_LEVEL_ENUM) TCGRR_LEVEL_COUNT };

/* "flow" and so on. */
const char *tcgrr_level_name(enum tcgrr_level level);
/* The level with this name. False if there is none; `name` may be NULL. */
bool tcgrr_level_of(const char *name, enum tcgrr_level *level);

/* A translated block by content: the same code at the same address is the same block in every run and QEMU version. */
struct tcgrr_block {
    uint64_t hash; /* of everything below; the id that means the same in every trace */
    uint64_t pc;
    uint32_t insns;
    uint32_t size;          /* bytes of all instructions together */
    const uint8_t *lengths; /* `insns` entries: bytes of each instruction */
    const uint8_t *bytes;   /* `size` bytes, one instruction after the other */
    const char *text;       /* its instructions as QEMU disassembled them, a line feed between two; NULL: not known */
    uint64_t sum;           /* its flow digest (store/digest.h) */
    uint64_t power;         /* of `insns` instructions */
};

/* An execution that retired fewer instructions than its block has. */
struct tcgrr_partial {
    uint32_t index;   /* within the chunk */
    uint32_t ran;     /* 0..insns-1 */
    uint32_t counted; /* ran..insns: what the icount moved on; more than `ran` where QEMU counts what it did not run */
};

/* From this execution on, another vCPU runs. */
struct tcgrr_switch {
    uint32_t index; /* within the chunk */
    tcgrr_vcpu vcpu;
};

struct tcgrr_checkpoint {
    tcgrr_icount icount; /* multiple of TCGRR_CHECKPOINT_STEP */
    uint64_t flow;       /* digest of all instructions so far */
};

/* Flags of an access. */
enum tcgrr_access_flag {
    TCGRR_ACCESS_STORE = 1u << 0,    /* it wrote; otherwise it read */
    TCGRR_ACCESS_DEVICE = 1u << 1,   /* it went to a device, not to RAM or ROM */
    TCGRR_ACCESS_VALUE = 1u << 2,    /* `value` is known: QEMU gives it from API 4 on */
    TCGRR_ACCESS_PHYSICAL = 1u << 3, /* `physical` is known: system mode */
};

/* One access to memory of an instruction that retired. */
struct tcgrr_access {
    uint32_t exec;     /* of whose instruction: index within the chunk */
    uint16_t insn;     /* index of the instruction in its block */
    uint8_t size;      /* bytes: 1, 2, 4, 8 or 16 */
    uint8_t flags;     /* of enum tcgrr_access_flag */
    uint32_t device;   /* number of the device's name, 0: RAM or ROM, or not known */
    uint64_t address;  /* virtual */
    uint64_t physical; /* 0 where it is not known */
    uint64_t value[2]; /* what was read or written, low half first; 0 beyond `size`, or where it is not known */
};

/* A device that accesses go to; number 1 stands for all devices whose names QEMU does not give, and is not in lists. */
#define TCGRR_DEVICE_UNNAMED 1u
#define TCGRR_DEVICE_NAME    256u
struct tcgrr_device {
    uint32_t number;                  /* in the stream: 2, 3, … */
    char name[TCGRR_DEVICE_NAME + 1]; /* printable */
};

#define TCGRR_EVENT_KINDS(X)                                                                                           \
    X(INTERRUPT, "interrupt")                                                                                          \
    X(EXCEPTION, "exception")                                                                                          \
    X(HOSTCALL, "hostcall")                                                                                            \
    X(SYSCALL, "syscall")                                                                                              \
    X(SYSCALL_RETURN, "syscall_return")                                                                                \
    X(IDLE, "idle")                                                                                                    \
    X(RESUME, "resume")                                                                                                \
    X(INIT, "init")                                                                                                    \
    X(EXIT, "exit")                                                                                                    \
    X(FLUSH, "flush")                                                                                                  \
    X(SIGNAL, "signal")                                                                                                \
    X(EXEC, "exec")

#define TCGRR_EVENT_ENUM(id, name) TCGRR_EVENT_##id,
enum tcgrr_event_kind { TCGRR_EVENT_KINDS(TCGRR_EVENT_ENUM) TCGRR_EVENT_KIND_COUNT };

/* "interrupt" and so on. */
const char *tcgrr_event_name(enum tcgrr_event_kind kind);
/* The kind with this name. False if there is none; `name` may be NULL. */
bool tcgrr_event_kind_of(const char *name, uint8_t *kind);

/* A pc that is not known. */
#define TCGRR_NO_PC     UINT64_MAX
/* A place that is not known, or not yet. */
#define TCGRR_NO_ICOUNT UINT64_MAX

struct tcgrr_event {
    tcgrr_seq seq;       /* executions before it */
    tcgrr_icount icount; /* instructions retired before it; TCGRR_NO_ICOUNT: not known */
    tcgrr_vcpu vcpu;
    uint8_t kind;   /* enum tcgrr_event_kind */
    bool inferred;  /* from what ran before and after; false: reported by QEMU itself */
    bool confirmed; /* inferred, and QEMU's rr file has it at this icount: its kind is certain */
    bool has_pcs;
    uint64_t from_pc; /* interrupt: the instruction that would have run next; exception: the one that raised it */
    uint64_t to_pc;
    int64_t number;        /* system calls: which; SIGNAL: the signal, 0 if not known */
    int64_t result;        /* SYSCALL_RETURN */
    uint64_t arguments[8]; /* SYSCALL */
};

#endif
