/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file of a user-mode program's inputs: records, each followed by its pieces. Only the tcgrr that wrote it, or one
 * on the same kind of host, reads it: everything is in the host's byte order.
 */
#ifndef TCGRR_EMU_PLUGIN_INPUTS_FORMAT_H
#define TCGRR_EMU_PLUGIN_INPUTS_FORMAT_H

#include <stdint.h>

enum tcgrr_inputs_kind {
    TCGRR_INPUTS_CALL = 1,
    TCGRR_INPUTS_SIGNAL,  /* a handler began: `number` is the signal, 0 if it cannot be sent; `result` the handler */
    TCGRR_INPUTS_END,     /* the run is over, nothing follows */
    TCGRR_INPUTS_THREAD,  /* a thread began to run */
    TCGRR_INPUTS_START,   /* at most one, the first: its bytes are the environment, NAME=value with a zero after each */
    TCGRR_INPUTS_STRETCH, /* the program has computed up to `position`, and no signal came before that */
    TCGRR_INPUTS_CLOCK,   /* an instruction read the host's clock: `result`; not where registers and stores are compared
                           */
};

/* Where a signal came. */
enum tcgrr_inputs_place {
    TCGRR_INPUTS_AT_RETURN, /* on the return of the call before it */
    TCGRR_INPUTS_AT_INSN,   /* an instruction raised it */
    TCGRR_INPUTS_ELSEWHERE, /* somebody sent it while the program computed */
    TCGRR_INPUTS_BELOW,     /* with another one, whose handler began first and has returned */
};

/* Why inputs cannot be given any more, or not be relied on. */
enum tcgrr_inputs_lack {
    TCGRR_INPUTS_LACK_ALL,     /* there are no more: the recording was cut short, or could not keep them */
    TCGRR_INPUTS_LACK_SIGNAL,  /* a signal came while the program computed */
    TCGRR_INPUTS_LACK_AGAIN,   /* a signal made QEMU make a call again, in a way that cannot be repeated */
    TCGRR_INPUTS_LACK_UNSENT,  /* a signal came that cannot be sent: one of several, an unknown one */
    TCGRR_INPUTS_LACK_PLACE,   /* this QEMU puts the program elsewhere */
    TCGRR_INPUTS_LACK_HIDDEN,  /* a call by no instruction that is watched: x86's vsyscall page */
    TCGRR_INPUTS_LACK_OUTPUTS, /* what a call writes is not known */
    TCGRR_INPUTS_LACK_SHARED,  /* memory that other processes, or the program by its file, may write */
    TCGRR_INPUTS_LACK_LARGE,   /* more than TCGRR_INPUTS_MAX */
    TCGRR_INPUTS_LACKS,
};

struct tcgrr_inputs_record {
    uint32_t kind;
    uint32_t bytes; /* of all its pieces, which follow */
    int32_t pid;    /* of the process, which is gone if nothing more comes; START: 0 */
    int32_t tid;
    uint32_t thread;   /* its number in the order in which they were made */
    uint32_t doubt;    /* of a call: why data may be other data after it, enum tcgrr_inputs_lack; 0: it may not */
    uint32_t place;    /* of a signal: enum tcgrr_inputs_place */
    uint32_t followed; /* a signal came on the call's return, whose record is the next */
    union {
        uint64_t stack; /* of the first call: where the stack was; 0: not known */
        /* Of a stretch, and of a signal that came while the program computed: instructions of the blocks that began
         * since the record before, as the recording QEMU cut them; 0: not known. */
        uint64_t position;
    };
    int64_t number;
    int64_t result;
    uint64_t arguments[6]; /* of a signal: those that came with it, the one whose handler begins next is first */
};
/* Of shmat(), which has three arguments: the bytes that were attached; 0: not known. */
#define TCGRR_INPUTS_SEGMENT 3
#define TCGRR_INPUTS_OTHERS  6
#define TCGRR_INPUTS_MAX     (64u << 20) /* bytes of one call, at most; what is longer is left to the host */

struct tcgrr_inputs_piece {
    uint64_t address; /* of the guest */
    uint32_t size;
    uint32_t unused;
};

#endif
