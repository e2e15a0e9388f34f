/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux's system calls: what the kernel writes into a program's memory when one succeeds, and what their numbers mean.
 */
#ifndef TCGRR_EMU_PLUGIN_CALLS_H
#define TCGRR_EMU_PLUGIN_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many bytes go to where an argument points. */
enum tcgrr_call_size {
    TCGRR_CALL_NOTHING,
    TCGRR_CALL_FIXED,    /* `size` */
    TCGRR_CALL_RESULT,   /* `size` for each that the result counts */
    TCGRR_CALL_ARGUMENT, /* `size` for each that argument `other` counts */
    TCGRR_CALL_BITS,     /* as many bits as argument `other` says, in words of 8 bytes */
    TCGRR_CALL_LENGTH, /* what stands, 4 bytes, where argument `other` points, once the call has returned; these, too */
    TCGRR_CALL_VECTOR, /* as many as the result, over the pieces that the argument lists, argument `other` of them */
    TCGRR_CALL_MESSAGE,     /* what a struct msghdr leads to */
    TCGRR_CALL_MESSAGES,    /* the same of as many struct mmsghdr as the result counts */
    TCGRR_CALL_HEADED,      /* as many as the result, and `size` before them */
    TCGRR_CALL_PAGES,       /* one for each page of as many bytes as argument `other` says */
    TCGRR_CALL_COMMAND,     /* what the command in argument `other` says */
    TCGRR_CALL_HANDLE,      /* `size`, and as many as its first 4 bytes say */
    TCGRR_CALL_FUTEX,       /* `size`, for operations that change the futex there (argument 1) */
    TCGRR_CALL_NEW_PROCESS, /* `size`, if clone() was asked to say there which process it made (argument 0) */
    TCGRR_CALL_IOCTL,       /* what the request says (argument 1) */
};

struct tcgrr_call_output {
    uint8_t argument;
    uint8_t how; /* enum tcgrr_call_size */
    uint8_t other;
    uint16_t size;
};

/* What giving a call's results to a program once more takes. */
enum tcgrr_call_kind {
    TCGRR_CALL_PLAIN,   /* nothing else: the call need not be made */
    TCGRR_CALL_MADE,    /* it changes the process itself: it is made */
    TCGRR_CALL_MAPS,    /* the same, and the result is an address that the host has to agree to */
    TCGRR_CALL_FORKS,   /* the result is a new process or thread */
    TCGRR_CALL_SIGNALS, /* its first `pids` arguments name a process or thread that it signals */
    TCGRR_CALL_RESUMES, /* it is made and its result is none: the program goes on elsewhere */
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

/* Which numbers this target's programs use, as the plugin API names it. */
enum tcgrr_call_numbers tcgrr_calls_of_target(const char *target);

/* The number of clone() on a target whose other calls are not known; -1: not known either. */
int64_t tcgrr_calls_clone(const char *target);

/* NULL: it is not known what the call writes. */
const struct tcgrr_call *tcgrr_call_find(enum tcgrr_call_numbers numbers, int64_t number);

/* Bytes that ioctl() `request` writes; TCGRR_CALL_ANY: not known. */
#define TCGRR_CALL_ANY SIZE_MAX
size_t tcgrr_call_ioctl_size(uint64_t request);
/* The same of a call, by its name, that does what a command says. TCGRR_CALL_SEMAPHORES: 2 for each semaphore. */
#define TCGRR_CALL_SEMAPHORES UINT32_MAX
uint32_t tcgrr_call_command_size(const char *call, uint64_t command);
/* Whether futex() `operation` writes to where its argument `argument`, 0 or 4, points. */
bool tcgrr_call_futex_writes(uint64_t operation, unsigned argument);

#endif
