/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux's system calls: what the kernel writes into a program's memory when one succeeds, and what their numbers mean.
 */
#ifndef TCGRR_EMU_PLUGIN_CALLS_H
#define TCGRR_EMU_PLUGIN_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many bytes the kernel writes to where an argument points. */
enum tcgrr_call_size {
    TCGRR_CALL_NOTHING,
    TCGRR_CALL_FIXED,    /* `size` */
    TCGRR_CALL_RESULT,   /* `size` times the result */
    TCGRR_CALL_ARGUMENT, /* `size` times argument `other` */
    TCGRR_CALL_BITS,     /* argument `other` is the number of bits, rounded up to words of 8 bytes */
    TCGRR_CALL_LENGTH,   /* the 4-byte length to which argument `other` points once the call has returned; the length is
                            written, too */
    TCGRR_CALL_VECTOR,   /* the result, spread over the iovec that the argument points to, which has `other` entries */
    TCGRR_CALL_MESSAGE,  /* everything that a struct msghdr points to */
    TCGRR_CALL_MESSAGES, /* the same for each struct mmsghdr; the result is their number */
    TCGRR_CALL_HEADED,   /* a header of `size` bytes, then the result */
    TCGRR_CALL_PAGES,    /* one for each page; argument `other` is the number of bytes */
    TCGRR_CALL_COMMAND,  /* depends on the command in argument `other` */
    TCGRR_CALL_HANDLE,   /* `size`, plus the length in its first 4 bytes */
    TCGRR_CALL_FUTEX,    /* `size`, for operations that change the futex there (argument 1) */
    TCGRR_CALL_NEW_PROCESS, /* `size`, if clone()'s flags (argument 0) ask for the new process's number there */
    TCGRR_CALL_IOCTL,       /* depends on the request (argument 1) */
};

struct tcgrr_call_output {
    uint8_t argument;
    uint8_t how; /* enum tcgrr_call_size */
    uint8_t other;
    uint16_t size;
};

/* What it takes to give a program a call's recorded result again. */
enum tcgrr_call_kind {
    TCGRR_CALL_PLAIN,   /* nothing else: the call is not made */
    TCGRR_CALL_MADE,    /* it changes the process itself, so it is made again */
    TCGRR_CALL_MAPS,    /* the same, and the host has to return the recorded address */
    TCGRR_CALL_FORKS,   /* the result is a new process or thread */
    TCGRR_CALL_SIGNALS, /* its first `pids` arguments name a process or thread that it signals */
    TCGRR_CALL_RESUMES, /* it is made and returns no result: the program continues elsewhere */
    TCGRR_CALL_ENDS,    /* it does not return if it succeeds */
};

#define TCGRR_CALL_OUTPUTS 4
struct tcgrr_call {
    const char *name;
    int16_t x86_64;  /* its number; -1: not there */
    int16_t generic; /* the same on aarch64, riscv64 and loongarch64 */
    uint8_t kind;    /* enum tcgrr_call_kind */
    uint8_t pids;
    struct tcgrr_call_output outputs[TCGRR_CALL_OUTPUTS];
};

enum tcgrr_call_numbers { TCGRR_CALLS_UNKNOWN, TCGRR_CALLS_X86_64, TCGRR_CALLS_GENERIC };

/* The system call numbers that programs of this target (the plugin API's name) use. */
enum tcgrr_call_numbers tcgrr_calls_of_target(const char *target);

/* The number of clone() on a target whose other calls are not known; -1: not known either. */
int64_t tcgrr_calls_clone(const char *target);

/* NULL: it is not known what the call writes. */
const struct tcgrr_call *tcgrr_call_find(enum tcgrr_call_numbers numbers, int64_t number);

/* The number of bytes that ioctl() `request` writes; TCGRR_CALL_ANY: not known. */
#define TCGRR_CALL_ANY SIZE_MAX
size_t tcgrr_call_ioctl_size(uint64_t request);
/* The same for the call of this name and its `command`. TCGRR_CALL_SEMAPHORES: 2 bytes for each semaphore. */
#define TCGRR_CALL_SEMAPHORES UINT32_MAX
uint32_t tcgrr_call_command_size(const char *call, uint64_t command);
/* Whether futex() `operation` writes to where its argument `argument`, 0 or 4, points. */
bool tcgrr_call_futex_writes(uint64_t operation, unsigned argument);

#endif
