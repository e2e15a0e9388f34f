/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values that instructions read from the host: its clock, and the number of the processor that QEMU runs on. */
#include "emu/plugin/inputs_internal.h"

#include <stdio.h>
#include <string.h>

#define CLOCK_STEP  4096
#define CLOCK_BYTES 5 /* maximum size of an instruction */
#define X86_RCX     1

/* An instruction that reads them into registers. */
struct clock {
    uint8_t size;    /* of the instruction; 0: it reads neither */
    bool time;       /* it reads the clock: on x86 into eax and edx, elsewhere into `general` */
    bool processor;  /* x86: it reads the processor's number into `general` */
    uint8_t general; /* the number of the register */
};

static uint32_t word(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* rdpid, whose REX prefix is in its middle. */
static struct clock read_rdpid(const uint8_t *bytes, size_t size)
{
    bool rex = size == 5 && (bytes[1] & 0xf0) == 0x40;
    if (size != 4 && !rex) {
        return (struct clock){0};
    }
    const uint8_t *code = bytes + size - 3;
    bool is = bytes[0] == 0xf3 && code[0] == 0x0f && code[1] == 0xc7 && code[2] >= 0xf8;
    uint8_t upper = rex && (bytes[1] & 1) ? 8 : 0;
    return (struct clock){.size = is ? (uint8_t)size : 0, .processor = true, .general = (code[2] & 7) | upper};
}

/* rdtsc and rdtscp; the latter reads the processor's number into ecx, too. */
static struct clock read_x86_64(const uint8_t *bytes, size_t size)
{
    static const uint8_t plain[] = {0x0f, 0x31}, with_number[] = {0x0f, 0x01, 0xf9};

    if (size == sizeof(plain) && memcmp(bytes, plain, size) == 0) {
        return (struct clock){.size = (uint8_t)size, .time = true};
    }
    if (size == sizeof(with_number) && memcmp(bytes, with_number, size) == 0) {
        return (struct clock){.size = (uint8_t)size, .time = true, .processor = true, .general = X86_RCX};
    }
    return read_rdpid(bytes, size);
}

/* MRS of CNTVCT_EL0 or CNTVCTSS_EL0; register 31 is XZR. */
static struct clock read_aarch64(const uint8_t *bytes, size_t size)
{
    uint32_t code = size == 4 ? word(bytes) : 0, general = code & 31;
    bool is = ((code & ~31u) == 0xd53be040 || (code & ~31u) == 0xd53be0c0) && general != 31;
    return (struct clock){.size = is ? 4 : 0, .time = true, .general = (uint8_t)general};
}

/* CSRRS and its neighbours that write nothing, of cycle, time or instret: QEMU gives the host's clock for all three. */
static struct clock read_riscv64(const uint8_t *bytes, size_t size)
{
    uint32_t code = size == 4 ? word(bytes) : 0, general = code >> 7 & 31, number = code >> 20;
    bool reads = (code & 0x7f) == 0x73 && (code >> 12 & 2) && (code >> 15 & 31) == 0;
    bool is = reads && number >= 0xc00 && number <= 0xc02 && general != 0;
    return (struct clock){.size = is ? 4 : 0, .time = true, .general = (uint8_t)general};
}

static bool is_x86(const struct tcgrr_inputs *inputs)
{
    return inputs->numbers == TCGRR_CALLS_X86_64;
}

static bool is_aarch64(const struct tcgrr_inputs *inputs)
{
    return strcmp(inputs->abi->target, "aarch64") == 0;
}

static struct clock read_clock(const struct tcgrr_inputs *inputs, const uint8_t *bytes, size_t size)
{
    struct clock clock = is_x86(inputs)       ? read_x86_64(bytes, size)
                         : is_aarch64(inputs) ? read_aarch64(bytes, size)
                                              : read_riscv64(bytes, size);
    bool needs_general = !is_x86(inputs) || clock.processor;
    return !needs_general || inputs->general[clock.general] ? clock : (struct clock){0};
}

/* The instruction that ends at `pc`. */
static struct clock read_clock_before(const struct tcgrr_inputs *inputs, uint64_t pc)
{
    uint8_t bytes[CLOCK_BYTES];
    struct clock found = {0};
    size_t last = is_x86(inputs) ? sizeof(bytes) : 4;

    for (size_t size = is_x86(inputs) ? 2 : 4; size <= last && found.size == 0; size++) {
        if (tcgrr_inputs_read_memory(inputs, pc - size, bytes, size)) {
            found = read_clock(inputs, bytes, size);
        }
    }
    return found;
}

void tcgrr_inputs_find_general(struct tcgrr_inputs *inputs, const char *name, struct qemu_plugin_register *handle)
{
    static const char *const x86[TCGRR_GENERAL] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                                   "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    static const char *const riscv[TCGRR_GENERAL] = {
        "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "fp", "s1", "a0",  "a1",  "a2", "a3", "a4", "a5",
        "a6",   "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6"};
    char aarch64[8];

    for (int i = 0; i < TCGRR_GENERAL; i++) {
        snprintf(aarch64, sizeof(aarch64), "x%d", i);
        const char *own = is_x86(inputs) ? x86[i] : is_aarch64(inputs) ? aarch64 : riscv[i];
        inputs->general[i] = own && strcmp(name, own) == 0 ? handle : inputs->general[i];
    }
}

/* Callback: an instruction is about to read the clock. */
static void on_clock(unsigned vcpu, void *next)
{
    struct tcgrr_inputs *inputs = tcgrr_plugin.inputs;

    if (!inputs) {
        return;
    }
    if (inputs->clock_read_count == TCGRR_CLOCK_READS) { /* handlers that were left by longjmp() */
        memmove(inputs->clock_reads, inputs->clock_reads + 1, (TCGRR_CLOCK_READS - 1) * sizeof(*inputs->clock_reads));
        inputs->clock_read_count--;
    }
    inputs->clock_reads[inputs->clock_read_count++] = (uintptr_t)next;
}

/* Whether such an instruction ran right before `pc`; if so, removes it from the pending reads. */
static bool take_clock_read(struct tcgrr_inputs *inputs, uint64_t pc)
{
    for (unsigned i = inputs->clock_read_count; i > 0; i--) {
        if (inputs->clock_reads[i - 1] == pc) {
            inputs->clock_read_count = i - 1;
            return true;
        }
    }
    return false;
}

static uint64_t get_time(const struct tcgrr_inputs *inputs, struct clock clock)
{
    if (!is_x86(inputs)) {
        return tcgrr_inputs_get_register(inputs, inputs->general[clock.general]);
    }
    uint64_t low = tcgrr_inputs_get_register(inputs, inputs->result),
             high = tcgrr_inputs_get_register(inputs, inputs->arguments[2]);
    return (low & UINT32_MAX) | high << 32;
}

static void set_time(const struct tcgrr_inputs *inputs, struct clock clock, uint64_t value)
{
    if (!is_x86(inputs)) {
        tcgrr_inputs_set_register(inputs, inputs->general[clock.general], value);
        return;
    }
    tcgrr_inputs_set_register(inputs, inputs->result, value & UINT32_MAX);
    tcgrr_inputs_set_register(inputs, inputs->arguments[2], value >> 32);
}

static void keep_value(struct tcgrr_inputs *inputs, enum tcgrr_inputs_kind kind, uint64_t value)
{
    struct tcgrr_inputs_record head = {.kind = kind, .result = (int64_t)value};

    g_byte_array_set_size(inputs->record, 0);
    tcgrr_inputs_write_record(inputs, &head);
}

static void keep_clock(struct tcgrr_inputs *inputs, struct clock clock)
{
    if (inputs->holds) {
        tcgrr_inputs_write_held(inputs, false);
    }
    if (clock.time) {
        keep_value(inputs, TCGRR_INPUTS_CLOCK, get_time(inputs, clock));
    }
    if (clock.processor) {
        uint64_t number = tcgrr_inputs_get_register(inputs, inputs->general[clock.general]);
        keep_value(inputs, TCGRR_INPUTS_PROCESSOR, number);
    }
    tcgrr_inputs_reset_position(inputs);
}

/* Sets `*value` to the recorded one. False if none was recorded: data are compared, or registers could not be read. If
 * data are compared while the other run is still writing, waiting for its next record could take forever. */
static bool take_recorded(struct tcgrr_inputs *inputs, enum tcgrr_inputs_kind kind, uint64_t *value)
{
    struct tcgrr_inputs_record next;
    bool looks = inputs->mode == TCGRR_INPUTS_REPLAYING ||
                 (inputs->mode == TCGRR_INPUTS_FOLLOWING && !inputs->plugin->sampling.on);
    bool there = looks && !inputs->ended && tcgrr_inputs_peek_record(inputs, &next) && next.kind == (uint32_t)kind;

    if (there) {
        *value = (uint64_t)next.result;
        tcgrr_inputs_read_record(inputs, &next);
        tcgrr_inputs_reset_position(inputs);
    }
    return there;
}

/* Gives what was recorded. Without that the clock is a counter that each such instruction advances, and, if data are
 * compared, the processor is number 0. */
static void give_clock(struct tcgrr_inputs *inputs, struct clock clock)
{
    uint64_t processor = 0;

    if (clock.time) {
        if (!take_recorded(inputs, TCGRR_INPUTS_CLOCK, &inputs->clock)) {
            inputs->clock += CLOCK_STEP;
        }
        set_time(inputs, clock, inputs->clock);
    }
    if (clock.processor && (take_recorded(inputs, TCGRR_INPUTS_PROCESSOR, &processor) || inputs->plugin->sampling.on)) {
        tcgrr_inputs_set_register(inputs, inputs->general[clock.general], processor);
    }
}

/* Callback: the instruction after the one that read the clock. */
static void on_clock_read(unsigned vcpu, void *pc)
{
    struct tcgrr_inputs *inputs = tcgrr_plugin.inputs;
    if (!inputs || !take_clock_read(inputs, (uintptr_t)pc)) {
        return;
    }
    struct clock clock = read_clock_before(inputs, (uintptr_t)pc);
    if (clock.size == 0) {
        return;
    }
    if (inputs->mode == TCGRR_INPUTS_RECORDING && !inputs->plugin->sampling.on) {
        keep_clock(inputs, clock);
    } else if (inputs->writes) {
        give_clock(inputs, clock);
    }
}

void tcgrr_inputs_watch_clock(struct tcgrr_plugin *plugin, struct qemu_plugin_tb *tb)
{
    const struct tcgrr_api *api = &plugin->api;
    size_t count = api->tb_n_insns(tb);
    uint64_t pc = api->tb_vaddr(tb);
    uint8_t bytes[CLOCK_BYTES];

    if (read_clock_before(plugin->inputs, pc).size > 0) {
        api->register_tb_exec(tb, on_clock_read, QEMU_PLUGIN_CB_RW_REGS, (void *)(uintptr_t)pc);
    }
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = api->tb_get_insn(tb, i);
        size_t size = tcgrr_api_insn_bytes(api, insn, bytes, sizeof(bytes));
        void *next = (void *)(uintptr_t)(api->insn_vaddr(insn) + size);
        if (size == api->insn_size(insn) && read_clock(plugin->inputs, bytes, size).size > 0) {
            api->register_insn_exec(insn, on_clock, QEMU_PLUGIN_CB_NO_REGS, next);
            if (i + 1 < count) {
                api->register_insn_exec(api->tb_get_insn(tb, i + 1), on_clock_read, QEMU_PLUGIN_CB_RW_REGS, next);
            }
        }
    }
}
