/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file of a user-mode program's inputs: records, each followed by its pieces. Everything is in the host's byte
 * order, because only the tcgrr that wrote the file, or one on the same kind of host, reads it.
 */
#ifndef TCGRR_EMU_PLUGIN_INPUTS_FORMAT_H
#define TCGRR_EMU_PLUGIN_INPUTS_FORMAT_H

#include <stdint.h>

enum tcgrr_inputs_kind {
    TCGRR_INPUTS_CALL = 1,
    TCGRR_INPUTS_SIGNAL,  /* a handler began: `number` is the signal, 0 if it cannot be sent; `result` the handler */
    TCGRR_INPUTS_END,     /* the run is over, nothing follows */
    TCGRR_INPUTS_THREAD,  /* a thread began to run */
    TCGRR_INPUTS_START,   /* at most one, the first: the environment, each NAME=value followed by a zero byte */
    TCGRR_INPUTS_STRETCH, /* the program has computed up to `position`, and no signal arrived before that */
    TCGRR_INPUTS_CLOCK, /* an instruction read `result` from the host's clock; none if registers and stores are compared
                         */
    TCGRR_INPUTS_PROCESSOR, /* an instruction read `result` as the number of the processor; likewise */
};

/* Where a signal arrived. */
enum tcgrr_inputs_place {
    TCGRR_INPUTS_AT_RETURN, /* on the return of the call before it */
    TCGRR_INPUTS_AT_INSN,   /* an instruction raised it */
    TCGRR_INPUTS_ELSEWHERE, /* another process sent it while the program computed */
    TCGRR_INPUTS_BELOW,     /* together with another one, whose handler began first and has returned */
};

/* Why inputs can no longer be given, or cannot be relied on. */
enum tcgrr_inputs_lack {
    TCGRR_INPUTS_LACK_ALL,     /* there are no more: the recording was cut short or could not store them */
    TCGRR_INPUTS_LACK_SIGNAL,  /* a signal arrived while the program computed */
    TCGRR_INPUTS_LACK_AGAIN,   /* a signal made QEMU restart a call in a way that cannot be repeated */
    TCGRR_INPUTS_LACK_UNSENT,  /* a signal arrived that cannot be sent: one of several, or an unknown one */
    TCGRR_INPUTS_LACK_PLACE,   /* this QEMU loads the program at another address */
    TCGRR_INPUTS_LACK_HIDDEN,  /* a call that is not made by a watched instruction: x86's vsyscall page */
    TCGRR_INPUTS_LACK_OUTPUTS, /* it is not known what a call writes */
    TCGRR_INPUTS_LACK_SHARED,  /* memory that other processes, or the program through the file, may write */
    TCGRR_INPUTS_LACK_LARGE,   /* more than TCGRR_INPUTS_MAX */
    TCGRR_INPUTS_LACKS,
};

struct tcgrr_inputs_record {
    uint32_t kind;
    uint32_t bytes; /* of all its pieces, which follow the record */
    int32_t pid;    /* of the process that writes the file; if it is gone, nothing more follows; START: 0 */
    int32_t tid;
    uint32_t thread;   /* its number, in order of creation */
    uint32_t doubt;    /* of a call: why data may differ after it, enum tcgrr_inputs_lack; 0: it does not */
    uint32_t place;    /* of a signal: enum tcgrr_inputs_place */
    uint32_t followed; /* a signal arrived on the call's return; its record is the next one */
    union {
        uint64_t stack; /* of the first call: the stack pointer; 0: not known */
        /* Of a stretch, and of a signal that arrived while the program computed: the number of instructions in the
         * blocks that began since the previous record, in the recording QEMU's blocks; 0: not known. */
        uint64_t position;
    };
    int64_t number;
    int64_t result;
    uint64_t
        arguments[6]; /* of a signal: those that arrived with it, beginning with the one whose handler begins next */
};
/* The index at which the record of shmat(), which has three arguments, has the number of bytes attached; 0: not known.
 * */
#define TCGRR_INPUTS_SEGMENT 3
#define TCGRR_INPUTS_OTHERS  6
#define TCGRR_INPUTS_MAX     (64u << 20) /* maximum number of bytes of one call; the host makes a call with more */

struct tcgrr_inputs_piece {
    uint64_t address; /* in the guest */
    uint32_t size;
    uint32_t unused;
};

#endif
