/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/plugin/inputs_internal.h"

#include "emu/plugin/pause.h"

#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAP_SHARED_    0x01 /* a bit of MAP_SHARED_VALIDATE, too */
#define MAP_ANONYMOUS_ 0x20
#define PROT_WRITE_    2

static const struct tcgrr_syscall_abi abis[] = {
    {.target = "x86_64",
     .number = "rax",
     .arguments = {"rdi", "rsi", "rdx", "r10", "r8", "r9"},
     .result = "rax",
     .stack = "rsp",
     .size = 2,
     .bytes = {0x0f, 0x05},
     .harmless = 39,
     .interrupted = 168,
     .interrupted_context = 136,
     .interrupted_number = 144,
     .interrupted_arguments = {104, 112, 136, 56, 40, 48},
     .interrupted_result = 144},
    {.target = "aarch64",
     .number = "x8",
     .arguments = {"x0", "x1", "x2", "x3", "x4", "x5"},
     .result = "x0",
     .stack = "sp",
     .size = 4,
     .bytes = {1, 0, 0, 0xd4},
     .harmless = 172,
     .frame = 128,
     .interrupted = 440,
     .interrupted_context = 432,
     .interrupted_number = 248,
     .interrupted_arguments = {184, 192, 200, 208, 216, 224},
     .interrupted_result = 184},
    {.target = "riscv64",
     .number = "a7",
     .arguments = {"a0", "a1", "a2", "a3", "a4", "a5"},
     .result = "a0",
     .stack = "sp",
     .size = 4,
     .bytes = {0x73, 0, 0, 0},
     .harmless = 172,
     .interrupted = 176,
     .interrupted_context = 272,
     .interrupted_number = 312,
     .interrupted_arguments = {256, 264, 272, 280, 288, 296},
     .interrupted_result = 256},
};

uint64_t tcgrr_inputs_get_register(const struct tcgrr_inputs *inputs, struct qemu_plugin_register *at)
{
    uint64_t value = 0;
    g_byte_array_set_size(inputs->value, 0);
    if (inputs->plugin->api.read_register(at, inputs->value) > 0 && inputs->value->len >= sizeof(value)) {
        memcpy(&value, inputs->value->data, sizeof(value));
    }
    return value;
}

void tcgrr_inputs_set_register(const struct tcgrr_inputs *inputs, struct qemu_plugin_register *at, uint64_t value)
{
    g_byte_array_set_size(inputs->value, 0);
    g_byte_array_append(inputs->value, (const guint8 *)&value, sizeof(value));
    inputs->plugin->api.write_register(at, inputs->value);
}

/* Of this thread. */
static _Thread_local struct tcgrr_call_state own_call;

const char *tcgrr_inputs_init(struct tcgrr_plugin *plugin, const char *target, const char *path,
                              enum tcgrr_inputs_mode mode, uint64_t at)
{
    struct tcgrr_inputs *inputs = calloc(1, sizeof(*inputs));

    if (!inputs) {
        return "out of memory";
    }
    inputs->plugin = plugin;
    inputs->path = strdup(path);
    inputs->mode = mode;
    inputs->call = &own_call;
    inputs->at = at;
    inputs->numbers = tcgrr_calls_of_target(target);
    inputs->clone = inputs->numbers == TCGRR_CALLS_UNKNOWN ? tcgrr_calls_clone(target) : -1;
    inputs->value = g_byte_array_new();
    inputs->record = g_byte_array_new();
    for (size_t i = 0; i < G_N_ELEMENTS(abis); i++) {
        if (strcmp(target, abis[i].target) == 0) {
            inputs->abi = &abis[i];
        }
    }
    plugin->inputs = inputs;
    return NULL;
}

void tcgrr_inputs_restart(const char *path, unsigned vcpu)
{
    struct tcgrr_inputs *inputs = tcgrr_plugin.inputs;

    free(inputs->path);
    inputs->path = strdup(path);
    inputs->ended = inputs->holds = inputs->differed = false;
    inputs->call = &own_call;
    for (unsigned signal = 1; signal < TCGRR_SIGNALS; signal++) {
        if (inputs->handlers[signal] != 0) {
            tcgrr_inputs_announce_handler(inputs, inputs->handlers[signal], vcpu);
        }
    }
}

static void find_register(struct tcgrr_inputs *inputs, const char *name, struct qemu_plugin_register *handle)
{
    const struct tcgrr_syscall_abi *abi = inputs->abi;

    for (unsigned k = 0; k < 6; k++) {
        inputs->arguments[k] = strcmp(name, abi->arguments[k]) == 0 ? handle : inputs->arguments[k];
    }
    inputs->number = strcmp(name, abi->number) == 0 ? handle : inputs->number;
    inputs->result = strcmp(name, abi->result) == 0 ? handle : inputs->result;
    inputs->original = strcmp(name, "orig_rax") == 0 ? handle : inputs->original;
    inputs->stack = strcmp(name, abi->stack) == 0 ? handle : inputs->stack;
    tcgrr_inputs_find_general(inputs, name, handle);
}

void tcgrr_inputs_find_registers(struct tcgrr_plugin *plugin)
{
    struct tcgrr_inputs *inputs = plugin->inputs;
    GArray *registers =
        inputs->abi && plugin->api.read_register && plugin->api.get_registers ? plugin->api.get_registers() : NULL;

    for (guint i = 0; registers && i < registers->len; i++) {
        const void *place = registers->data + (gsize)i * g_array_get_element_size(registers);
        const qemu_plugin_reg_descriptor *found = place;
        find_register(inputs, found->name, found->handle);
    }
    inputs->reads = inputs->number && inputs->result && inputs->stack;
    for (unsigned k = 0; k < 6; k++) {
        inputs->reads = inputs->reads && inputs->arguments[k];
    }
    inputs->writes = inputs->reads && plugin->api.write_register;
    if (registers) {
        g_array_free(registers, TRUE);
    }
}

/* Whether the program enters this block by returning from a call, or is about to make a call. */
static bool is_around_call(const struct tcgrr_inputs *inputs, uint64_t pc)
{
    const struct tcgrr_syscall_abi *abi = inputs->abi;
    uint8_t bytes[4];

    return (tcgrr_inputs_read_memory(inputs, pc - abi->size, bytes, abi->size) &&
            memcmp(bytes, abi->bytes, abi->size) == 0) ||
           (tcgrr_inputs_read_memory(inputs, pc, bytes, abi->size) && memcmp(bytes, abi->bytes, abi->size) == 0);
}

static void on_kept_call(unsigned vcpu, void *nothing)
{
    struct tcgrr_inputs *inputs = tcgrr_plugin.inputs;
    if (inputs && !inputs->called_before) {
        inputs->called_before = true;
        inputs->stack_at_call = tcgrr_inputs_get_register(inputs, inputs->stack);
    }
}

static void watch_calls(struct tcgrr_plugin *plugin, struct qemu_plugin_tb *tb)
{
    const struct tcgrr_syscall_abi *abi = plugin->inputs->abi;
    size_t count = plugin->api.tb_n_insns(tb);

    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = plugin->api.tb_get_insn(tb, i);
        uint8_t bytes[4];
        size_t size = tcgrr_api_insn_bytes(&plugin->api, insn, bytes, sizeof(bytes));
        if (size == abi->size && memcmp(bytes, abi->bytes, size) == 0) {
            void *pc = (void *)(uintptr_t)plugin->api.insn_vaddr(insn);
            bool gives = plugin->inputs->mode != TCGRR_INPUTS_RECORDING;
            plugin->api.register_insn_exec(insn, gives ? tcgrr_inputs_on_call : on_kept_call,
                                           gives ? QEMU_PLUGIN_CB_RW_REGS : QEMU_PLUGIN_CB_R_REGS, pc);
        }
    }
}

static void on_kept_return(unsigned vcpu, void *nothing)
{
    struct tcgrr_inputs *inputs = tcgrr_plugin.inputs;
    if (inputs && inputs->holds) {
        tcgrr_inputs_write_held(inputs, false);
    }
}

void tcgrr_inputs_instrument(struct tcgrr_plugin *plugin, struct qemu_plugin_tb *tb)
{
    struct tcgrr_inputs *inputs = plugin->inputs;
    struct qemu_plugin_insn *first = plugin->api.tb_get_insn(tb, 0);
    char *host = plugin->api.insn_haddr && !inputs->has_base ? plugin->api.insn_haddr(first) : NULL;
    uint64_t pc = plugin->api.tb_vaddr(tb);
    void *data = (void *)(uintptr_t)pc;

    if (host) {
        inputs->base = (uintptr_t)host - plugin->api.insn_vaddr(first);
        inputs->has_base = true;
        if (inputs->mode != TCGRR_INPUTS_RECORDING) {
            mallopt(M_MMAP_MAX, 0); /* from the program's start on, keep QEMU's own memory away from the recorded
                                       addresses of the program's */
        }
    }
    if (!inputs->abi) {
        return;
    }
    bool gives = inputs->mode != TCGRR_INPUTS_RECORDING;
    if (tcgrr_inputs_is_handler(inputs, pc)) {
        int flags = gives && inputs->writes ? QEMU_PLUGIN_CB_RW_REGS
                    : inputs->reads         ? QEMU_PLUGIN_CB_R_REGS
                                            : QEMU_PLUGIN_CB_NO_REGS;
        plugin->api.register_tb_exec(tb, tcgrr_inputs_on_handler, flags, data);
    }
    if (!gives && is_around_call(inputs, pc)) {
        plugin->api.register_tb_exec(tb, on_kept_return, QEMU_PLUGIN_CB_NO_REGS, NULL);
    }
    if (inputs->writes) {
        tcgrr_inputs_watch_clock(plugin, tb);
    }
    if (plugin->pauses) {
        tcgrr_pause_instrument(plugin, tb, inputs->has_base ? &inputs->base : NULL);
    }
    if (!gives && inputs->reads && !inputs->called_before) {
        watch_calls(plugin, tb);
    }
    if (gives && inputs->writes) {
        if (is_around_call(inputs, pc)) {
            plugin->api.register_tb_exec(tb, tcgrr_inputs_on_return, QEMU_PLUGIN_CB_RW_REGS, data);
        }
        watch_calls(plugin, tb);
    }
}

void tcgrr_inputs_write_held(struct tcgrr_inputs *inputs, bool followed)
{
    inputs->held.followed = followed;
    inputs->holds = false;
    tcgrr_inputs_write_record(inputs, &inputs->held);
}

/* Whether other processes, or the program itself through another mapping or file, may write to the memory that the call
 * maps. */
static bool shares_memory(const struct tcgrr_call *call, const uint64_t given[8])
{
    if (strcmp(call->name, "mmap") != 0) {
        return strcmp(call->name, "shmat") == 0;
    }
    int flags = (given[3] & MAP_ANONYMOUS_) ? O_RDWR : fcntl((int)given[4], F_GETFL);
    return (given[3] & MAP_SHARED_) && ((given[2] & PROT_WRITE_) || (flags & O_ACCMODE) != O_RDONLY);
}

static void keep(struct tcgrr_inputs *inputs, int64_t number, int64_t result)
{
    const struct tcgrr_call *call = tcgrr_call_find(inputs->numbers, number);

    inputs->held = (struct tcgrr_inputs_record){.kind = TCGRR_INPUTS_CALL, .number = number, .result = result};
    inputs->held.stack = inputs->stack_at_call;
    inputs->stack_at_call = 0;
    memcpy(inputs->held.arguments, inputs->call->given, sizeof(inputs->held.arguments));
    tcgrr_inputs_collect_writes(inputs, call, result);
    if (call && strcmp(call->name, "shmat") == 0) {
        inputs->held.arguments[TCGRR_INPUTS_SEGMENT] = tcgrr_inputs_segment_bytes(inputs, result);
    }
    inputs->held.doubt = inputs->too_large                                  ? TCGRR_INPUTS_LACK_LARGE
                         : inputs->unknown_writes                           ? TCGRR_INPUTS_LACK_OUTPUTS
                         : call && shares_memory(call, inputs->call->given) ? TCGRR_INPUTS_LACK_SHARED
                                                                            : 0;
    inputs->holds = true;
    if (!inputs->abi) {
        tcgrr_inputs_write_held(inputs, false); /* it cannot be seen where the program continues */
    }
}

int64_t tcgrr_inputs_enter(int64_t number, uint64_t arguments[8])
{
    struct tcgrr_inputs *inputs = tcgrr_plugin.inputs;

    if (inputs->holds) {
        tcgrr_inputs_write_held(inputs, false);
    }
    if (inputs->call->prepared) {
        number = inputs->call->called;
        memcpy(arguments, inputs->call->given, sizeof(inputs->call->given));
    } else {
        memcpy(inputs->call->given, arguments, sizeof(inputs->call->given));
    }
    const struct tcgrr_call *call = tcgrr_call_find(inputs->numbers, number);
    for (unsigned i = 0; call && i < TCGRR_CALL_OUTPUTS; i++) {
        if (call->outputs[i].how == TCGRR_CALL_LENGTH &&
            !tcgrr_inputs_read_memory(inputs, arguments[call->outputs[i].other], &inputs->call->length,
                                      sizeof(inputs->call->length))) {
            inputs->call->length = 0;
        }
    }
    if (call && strcmp(call->name, "rt_sigaction") == 0) {
        tcgrr_inputs_handler_set(inputs, arguments);
    }
    bool given = inputs->mode != TCGRR_INPUTS_RECORDING && !inputs->ended;
    if (given && !inputs->writes) {
        tcgrr_inputs_check(inputs, number);
    } else if (given && !inputs->call->prepared && !(call && call->kind == TCGRR_CALL_ENDS)) {
        tcgrr_inputs_give_up(inputs, TCGRR_INPUTS_LACK_HIDDEN);
        tcgrr_plugin_leave();
    }
    if (inputs->call->enters != 0) {
        tcgrr_inputs_send_signals(inputs, &inputs->call->followed);
    }
    return number;
}

int64_t tcgrr_inputs_return(int64_t number, int64_t *result)
{
    struct tcgrr_inputs *inputs = tcgrr_plugin.inputs;

    if (inputs->mode == TCGRR_INPUTS_RECORDING) {
        if (!inputs->ended) {
            keep(inputs, number, *result);
        }
        tcgrr_inputs_reset_position(inputs);
        return number;
    }
    if (inputs->call->prepared) {
        number = inputs->call->called;
    }
    const struct tcgrr_call *call = tcgrr_call_find(inputs->numbers, number);
    if (call && strcmp(call->name, "rt_sigaction") == 0) {
        tcgrr_inputs_handler_is_set(inputs, inputs->call->given[0]);
    }
    tcgrr_inputs_give(inputs, number, result);
    tcgrr_inputs_reset_position(inputs);
    return number;
}

void tcgrr_inputs_resume_thread(bool begins)
{
    struct tcgrr_inputs *inputs = tcgrr_plugin.inputs;
    struct tcgrr_inputs_record record = {.kind = TCGRR_INPUTS_THREAD};

    inputs->call = &own_call;
    if (!begins || inputs->ended) {
        return;
    }
    if (inputs->mode == TCGRR_INPUTS_RECORDING) {
        g_byte_array_set_size(inputs->record, 0);
        tcgrr_inputs_write_record(inputs, &record);
    } else if (tcgrr_inputs_peek_record(inputs, &record) && record.kind == TCGRR_INPUTS_THREAD) {
        tcgrr_inputs_read_record(inputs, &record);
    }
    tcgrr_inputs_reset_position(inputs);
}

void tcgrr_inputs_leave_turn(void)
{
    if (tcgrr_plugin.inputs->holds) {
        tcgrr_inputs_write_held(tcgrr_plugin.inputs, false);
    }
}

bool tcgrr_inputs_next_thread_is(unsigned number)
{
    struct tcgrr_inputs *inputs = tcgrr_plugin.inputs;
    struct tcgrr_inputs_record next;
    return inputs->mode == TCGRR_INPUTS_RECORDING || inputs->ended || !tcgrr_inputs_peek_record(inputs, &next) ||
           next.kind == TCGRR_INPUTS_END || next.thread == number;
}

bool tcgrr_inputs_may_block(int64_t number)
{
    const struct tcgrr_inputs *inputs = tcgrr_plugin.inputs;
    const struct tcgrr_call *call = tcgrr_call_find(inputs->numbers, number);
    return call ? call->kind == TCGRR_CALL_PLAIN : number != inputs->clone;
}

/* Whether it is a thread of this process rather than a forked one. */
static bool is_own_thread(int64_t tid)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/task/%" PRId64, tid);
    return access(path, F_OK) == 0;
}

bool tcgrr_inputs_makes_thread(int64_t number, int64_t result)
{
    const struct tcgrr_inputs *inputs = tcgrr_plugin.inputs;
    const struct tcgrr_call *call = tcgrr_call_find(inputs->numbers, number);

    return call ? tcgrr_inputs_is_thread(inputs, call) : number == inputs->clone && is_own_thread(result);
}

bool tcgrr_inputs_are_given(void)
{
    return tcgrr_plugin.inputs->mode != TCGRR_INPUTS_RECORDING;
}

bool tcgrr_inputs_end_here(void)
{
    struct tcgrr_inputs *inputs = tcgrr_plugin.inputs;
    struct tcgrr_inputs_record next;
    return inputs->mode != TCGRR_INPUTS_RECORDING && !inputs->ended && tcgrr_inputs_peek_record(inputs, &next) &&
           next.kind == TCGRR_INPUTS_END;
}

bool tcgrr_inputs_failed(struct tcgrr_inputs *inputs, int64_t number)
{
    struct tcgrr_inputs_record next;
    return inputs->mode != TCGRR_INPUTS_RECORDING && !inputs->ended && tcgrr_inputs_peek_record(inputs, &next) &&
           next.kind == TCGRR_INPUTS_CALL && next.number == number;
}

bool tcgrr_inputs_executes(int64_t number)
{
    struct tcgrr_inputs *inputs = tcgrr_plugin.inputs;
    const struct tcgrr_call *call = tcgrr_call_find(inputs->numbers, number);
    return call && strcmp(call->name, "execve") == 0 && !tcgrr_inputs_failed(inputs, number);
}

void tcgrr_inputs_finish(void)
{
    struct tcgrr_inputs *inputs = tcgrr_plugin.inputs;
    struct tcgrr_inputs_record end = {.kind = TCGRR_INPUTS_END};

    if (inputs->mode != TCGRR_INPUTS_RECORDING) {
        return;
    }
    if (inputs->holds) {
        tcgrr_inputs_write_held(inputs, false);
    }
    g_byte_array_set_size(inputs->record, 0);
    tcgrr_inputs_write_record(inputs, &end);
}
