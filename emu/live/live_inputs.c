/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the plugin's reports about the inputs that a user-mode run is given. */
#include "emu/live/live_internal.h"

#include "emu/plugin/inputs_format.h"

#include <string.h>

#define NOT_PLACED (UINT64_MAX - 1)

static uint64_t value_at(const uint32_t *words, unsigned index)
{
    return words[1 + 2 * index] | (uint64_t)words[2 + 2 * index] << 32;
}

const char *const tcgrr_live_interrupted = "a signal came while the program computed";

static const char *describe_lack(uint64_t why)
{
    static const char *const words[TCGRR_INPUTS_LACKS] = {
        [TCGRR_INPUTS_LACK_ALL] = "there are no more inputs: the recording was cut short, or they could not be kept",
        [TCGRR_INPUTS_LACK_AGAIN] = "a signal that no handler took made a system call start again",
        [TCGRR_INPUTS_LACK_UNSENT] =
            "a signal came that cannot be sent again: one of several that came at once, or one "
            "that tcgrr does not know",
        [TCGRR_INPUTS_LACK_PLACE] = "this QEMU loads the program at another address",
        [TCGRR_INPUTS_LACK_HIDDEN] = "the program makes a system call on x86's vsyscall page",
        [TCGRR_INPUTS_LACK_OUTPUTS] = "tcgrr does not know what it writes",
        [TCGRR_INPUTS_LACK_SHARED] =
            "since then the program shares memory with other processes or with a file, and what "
            "others write there is not recorded",
        [TCGRR_INPUTS_LACK_LARGE] = "what it wrote or mapped, more than 64 MiB, is not recorded",
    };
    const char *found = why < TCGRR_INPUTS_LACKS && why != TCGRR_INPUTS_LACK_SIGNAL ? words[why] : NULL;
    return found ? found : tcgrr_live_interrupted;
}

static void read_call(const uint32_t *words, unsigned index, struct tcgrr_live_call *call)
{
    call->number = (int64_t)value_at(words, index);
    for (unsigned i = 0; i < G_N_ELEMENTS(call->arguments); i++) {
        call->arguments[i] = value_at(words, index + 1 + i);
    }
}

bool tcgrr_live_read_inputs(struct tcgrr_live *live, unsigned kind, const uint32_t *words)
{
    struct tcgrr_live_inputs *inputs = &live->inputs;

    switch (kind) {
    case TCGRR_WIRE_INPUT_DIFFERS:
        if (inputs->differences++ == 0) {
            inputs->differs = NOT_PLACED;
            inputs->number = (int64_t)value_at(words, 0);
            inputs->got = (int64_t)value_at(words, 1);
            inputs->recorded = (int64_t)value_at(words, 2);
        }
        break;
    case TCGRR_WIRE_OTHER_CALL:
        inputs->other = NOT_PLACED;
        read_call(words, 0, &inputs->made);
        read_call(words, 7, &inputs->expected);
        break;
    case TCGRR_WIRE_INPUT_UNSURE:
        if (inputs->unsure == UINT64_MAX) {
            inputs->unsure = NOT_PLACED;
            inputs->unsure_call = (int64_t)value_at(words, 0);
            inputs->unsure_why = describe_lack(value_at(words, 1));
        }
        break;
    case TCGRR_WIRE_INPUTS_END:
        inputs->ended = NOT_PLACED;
        inputs->lack = describe_lack(value_at(words, 0));
        break;
    case TCGRR_WIRE_SYSCALL_RETURN:
        if (inputs->called == UINT64_MAX) {
            inputs->called = NOT_PLACED;
            live->inputs_changed = true;
        }
        return false;
    default:
        return false;
    }
    live->inputs_changed = true;
    return true;
}

static void place_once(tcgrr_icount *at, tcgrr_icount icount)
{
    *at = *at == NOT_PLACED ? icount : *at;
}

void tcgrr_live_place_inputs(struct tcgrr_live *live, tcgrr_icount icount)
{
    place_once(&live->inputs.called, icount);
    place_once(&live->inputs.differs, icount);
    place_once(&live->inputs.other, icount);
    place_once(&live->inputs.ended, icount);
    place_once(&live->inputs.unsure, icount);
    live->inputs_changed = false;
}

void tcgrr_live_set_process(struct tcgrr_live *live, uint32_t process)
{
    tcgrr_intake_set_process(live->intake, process);
}

char *tcgrr_live_program(const struct tcgrr_live *live)
{
    char program[TCGRR_WIRE_PROGRAM + 1] = {0};

    memcpy(program, tcgrr_intake_header(live->intake)->program, TCGRR_WIRE_PROGRAM);
    return *program ? g_utf8_make_valid(program, -1) : NULL;
}

uint32_t tcgrr_live_forks(const struct tcgrr_live *live)
{
    const struct tcgrr_wire_header *header = tcgrr_intake_header(live->intake);
    uint32_t forks = header->forks, failed = header->forks_failed;
    return forks - MIN(forks, failed);
}

const char *tcgrr_live_auxv(const struct tcgrr_live *live)
{
    return live->auxv->str;
}

uint32_t tcgrr_live_threads(const struct tcgrr_live *live)
{
    return live->last_vcpu + 1;
}

uint64_t tcgrr_live_start_code(const struct tcgrr_live *live)
{
    return atomic_load_explicit(&tcgrr_intake_header(live->intake)->start_code, memory_order_relaxed);
}

const struct tcgrr_live_inputs *tcgrr_live_inputs(const struct tcgrr_live *live)
{
    return &live->inputs;
}
