/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What instructions read from the host, and the file from which a program gets it again, with a made-up processor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "emu/plugin/inputs_internal.h"
#include "emu/plugin/threads.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PC    0x1000
#define NOP   0x90
#define INSNS 2

/* ---- the rest of the plugin, and QEMU ---- */

struct qemu_plugin_insn {
    uint64_t pc;
    size_t size;
};

struct qemu_plugin_tb {
    size_t count;
    struct qemu_plugin_insn insns[INSNS];
};

struct qemu_plugin_register {
    char name[8];
    uint64_t value;
};

struct callback {
    tcgrr_exec_cb call;
    void *data;
};

static uint8_t memory[16]; /* at PC */
static struct qemu_plugin_register registers[64];
static unsigned register_count;
static struct callback callbacks[INSNS][2]; /* before each instruction, in their order */
static const struct qemu_plugin_tb *translated;
static unsigned resets;
static struct tcgrr_wire_header header;

struct tcgrr_plugin tcgrr_plugin;

bool tcgrr_inputs_read_memory(const struct tcgrr_inputs *inputs, uint64_t address, void *bytes, size_t size)
{
    bool there = address >= PC && address - PC + size <= sizeof(memory);
    if (there) {
        memcpy(bytes, memory + (address - PC), size);
    }
    return there;
}

uint64_t tcgrr_inputs_get_register(const struct tcgrr_inputs *inputs, struct qemu_plugin_register *at)
{
    return at->value;
}

void tcgrr_inputs_set_register(const struct tcgrr_inputs *inputs, struct qemu_plugin_register *at, uint64_t value)
{
    at->value = value;
}

void tcgrr_inputs_reset_position(struct tcgrr_inputs *inputs)
{
    resets++;
}

void tcgrr_inputs_write_held(struct tcgrr_inputs *inputs, bool followed)
{
    inputs->holds = false;
    tcgrr_inputs_write_record(inputs, &inputs->held);
}

unsigned tcgrr_threads_current(void)
{
    return 7;
}

size_t tcgrr_api_insn_bytes(const struct tcgrr_api *api, const struct qemu_plugin_insn *insn, uint8_t *bytes,
                            size_t size)
{
    size_t length = MIN(insn->size, size);
    memcpy(bytes, memory + (insn->pc - PC), length);
    return length;
}

static size_t count_insns(const struct qemu_plugin_tb *tb)
{
    return tb->count;
}

static uint64_t tb_pc(const struct qemu_plugin_tb *tb)
{
    return tb->insns[0].pc;
}

static struct qemu_plugin_insn *tb_insn(const struct qemu_plugin_tb *tb, size_t i)
{
    return (struct qemu_plugin_insn *)&tb->insns[i];
}

static uint64_t insn_pc(const struct qemu_plugin_insn *insn)
{
    return insn->pc;
}

static size_t insn_bytes(const struct qemu_plugin_insn *insn)
{
    return insn->size;
}

static void add_callback(size_t at, tcgrr_exec_cb call, void *data)
{
    struct callback *free_one = callbacks[at][0].call ? &callbacks[at][1] : &callbacks[at][0];
    assert_null(free_one->call);
    *free_one = (struct callback){call, data};
}

static void add_insn_callback(struct qemu_plugin_insn *insn, tcgrr_exec_cb call, int flags, void *data)
{
    add_callback((size_t)(insn - translated->insns), call, data);
}

static void add_block_callback(struct qemu_plugin_tb *tb, tcgrr_exec_cb call, int flags, void *data)
{
    add_callback(0, call, data);
}

/* ---- a machine ---- */

static const struct tcgrr_syscall_abi abis[] = {{.target = "x86_64"}, {.target = "aarch64"}, {.target = "riscv64"}};

static struct qemu_plugin_register *find(const char *name)
{
    for (unsigned i = 0; i < register_count; i++) {
        if (strcmp(registers[i].name, name) == 0) {
            return &registers[i];
        }
    }
    fail_msg("no register %s", name);
    return NULL;
}

static void add_register(struct tcgrr_inputs *inputs, const char *name)
{
    struct qemu_plugin_register *added = &registers[register_count++];
    g_strlcpy(added->name, name, sizeof(added->name));
    tcgrr_inputs_find_general(inputs, name, added);
}

static void add_registers(struct tcgrr_inputs *inputs, const char *target)
{
    static const char *const named[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r9",
                                        "r15", "s11", "a5",  "x0",  "x5",  "x30", "pc",  "fp"};

    register_count = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(named); i++) {
        add_register(inputs, named[i]);
    }
    inputs->result = strcmp(target, "x86_64") == 0 ? find("rax") : NULL;
    inputs->arguments[2] = strcmp(target, "x86_64") == 0 ? find("rdx") : NULL;
}

/* A machine of `target` whose inputs go to, or come from, the file. */
static struct tcgrr_inputs *start(const char *target, const char *path, enum tcgrr_inputs_mode mode)
{
    struct tcgrr_inputs *inputs = g_new0(struct tcgrr_inputs, 1);

    tcgrr_plugin = (struct tcgrr_plugin){.inputs = inputs, .ring.header = &header};
    tcgrr_plugin.api.tb_n_insns = count_insns;
    tcgrr_plugin.api.tb_vaddr = tb_pc;
    tcgrr_plugin.api.tb_get_insn = tb_insn;
    tcgrr_plugin.api.insn_vaddr = insn_pc;
    tcgrr_plugin.api.insn_size = insn_bytes;
    tcgrr_plugin.api.register_insn_exec = add_insn_callback;
    tcgrr_plugin.api.register_tb_exec = add_block_callback;
    inputs->plugin = &tcgrr_plugin;
    inputs->path = g_strdup(path);
    inputs->mode = mode;
    inputs->writes = true;
    inputs->numbers = strcmp(target, "x86_64") == 0 ? TCGRR_CALLS_X86_64 : TCGRR_CALLS_UNKNOWN;
    inputs->abi = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(abis); i++) {
        inputs->abi = strcmp(target, abis[i].target) == 0 ? &abis[i] : inputs->abi;
    }
    inputs->record = g_byte_array_new();
    atomic_store(&header.detach, 0);
    add_registers(inputs, target);
    return inputs;
}

static void stop(struct tcgrr_inputs *inputs)
{
    g_byte_array_free(inputs->record, TRUE);
    g_free(inputs->path);
    g_free(inputs);
    tcgrr_plugin.inputs = NULL;
}

/* An instruction of one byte, or of four bytes where all have that size, follows. Runs callbacks before each of them.
 */
static void run_block(const struct qemu_plugin_tb *tb, const char *const *set, uint64_t value)
{
    memset(callbacks, 0, sizeof(callbacks));
    translated = tb;
    tcgrr_inputs_watch_clock(&tcgrr_plugin, (struct qemu_plugin_tb *)tb);
    for (size_t i = 0; i < tb->count; i++) {
        for (size_t k = 0; k < 2 && callbacks[i][k].call; k++) {
            callbacks[i][k].call(0, callbacks[i][k].data);
        }
        bool reads = tb->insns[i].pc == PC + 4; /* the instruction under test */
        for (size_t k = 0; reads && set[k]; k++) {
            find(set[k])->value = value + k;
        }
    }
}

/* Runs the instruction, as run_block() does, with the next one in the same block or in another one. */
static void run(const uint8_t *bytes, size_t size, bool same_block, const char *const *set, uint64_t value)
{
    const struct qemu_plugin_insn one = {PC + 4, size}, next = {PC + 4 + size, 1};
    const struct qemu_plugin_tb both = {.count = 2, .insns = {one, next}}, first = {.count = 1, .insns = {one}},
                                second = {.count = 1, .insns = {next}};

    memset(memory, NOP, sizeof(memory));
    memcpy(memory + 4, bytes, size);
    run_block(same_block ? &both : &first, set, value);
    if (!same_block) {
        run_block(&second, set, value);
    }
}

struct row {
    const char *target;
    uint8_t size, bytes[5];
    const char *set[4]; /* what the instruction sets */
    bool time;          /* the first ones come from the clock, */
    bool processor;     /* the last one is the processor's number */
};

static const struct row rows[] = {
    {"x86_64", 2, {0x0f, 0x31}, {"rax", "rdx"}, true, false},
    {"x86_64", 3, {0x0f, 0x01, 0xf9}, {"rax", "rdx", "rcx"}, true, true},
    {"x86_64", 4, {0xf3, 0x0f, 0xc7, 0xfa}, {"rdx"}, false, true},
    {"x86_64", 5, {0xf3, 0x41, 0x0f, 0xc7, 0xf9}, {"r9"}, false, true},
    {"x86_64", 5, {0xf3, 0x48, 0x0f, 0xc7, 0xff}, {"rdi"}, false, true},
    {"x86_64", 5, {0xf3, 0x49, 0x0f, 0xc7, 0xff}, {"r15"}, false, true},
    {"aarch64", 4, {0x40, 0xe0, 0x3b, 0xd5}, {"x0"}, true, false},
    {"aarch64", 4, {0xde, 0xe0, 0x3b, 0xd5}, {"x30"}, true, false},
    {"riscv64", 4, {0xf3, 0x2d, 0x10, 0xc0}, {"s11"}, true, false},
    {"riscv64", 4, {0xf3, 0x27, 0x20, 0xc0}, {"a5"}, true, false},
    {"riscv64", 4, {0x73, 0x24, 0x00, 0xc0}, {"fp"}, true, false},
};

/* Others are left alone: rdrand, a memory operand, another prefix; a physical counter, and one into XZR; a counter that
 * is written, another one, and one into x0. */
static const struct row others[] = {
    {"x86_64", 4, {0xf3, 0x0f, 0xc7, 0xf2}, {"rdx"}, false, false},
    {"x86_64", 3, {0x0f, 0xc7, 0xfa}, {"rdx"}, false, false},
    {"x86_64", 5, {0xf3, 0x66, 0x0f, 0xc7, 0xf9}, {"rcx"}, false, false},
    {"x86_64", 2, {0x0f, 0x05}, {"rax"}, false, false},
    {"aarch64", 4, {0x20, 0xe0, 0x3b, 0xd5}, {"x0"}, false, false},
    {"aarch64", 4, {0x5f, 0xe0, 0x3b, 0xd5}, {"x0"}, false, false},
    {"riscv64", 4, {0xf3, 0x97, 0x00, 0xc0}, {"a5"}, false, false},
    {"riscv64", 4, {0xf3, 0x27, 0x30, 0xc0}, {"a5"}, false, false},
    {"riscv64", 4, {0x73, 0x20, 0x10, 0xc0}, {"a5"}, false, false},
};

static char *new_file(void)
{
    g_autofree char *path = g_strdup("/tmp/tcgrr-unit.XXXXXX");
    int fd = g_mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    return g_steal_pointer(&path);
}

/* Each value is what the host gave when it was recorded. */
static void gives_what_was_recorded(void **state)
{
    for (size_t i = 0; i < 2 * G_N_ELEMENTS(rows); i++) {
        const struct row *row = &rows[i / 2];
        g_autofree char *path = new_file();

        struct tcgrr_inputs *inputs = start(row->target, path, TCGRR_INPUTS_RECORDING);
        run(row->bytes, row->size, i % 2, row->set, 100);
        assert_int_equal(resets, 1);
        stop(inputs);
        inputs = start(row->target, path, TCGRR_INPUTS_REPLAYING);
        run(row->bytes, row->size, i % 2, row->set, 555);
        for (size_t k = 0; row->set[k]; k++) {
            assert_int_equal(find(row->set[k])->value, 100 + k);
        }
        stop(inputs);
        resets = 0;
        g_unlink(path);
    }
}

static void leaves_others_alone(void **state)
{
    for (size_t i = 0; i < 2 * G_N_ELEMENTS(others); i++) {
        const struct row *row = &others[i / 2];
        g_autofree char *path = new_file();
        struct tcgrr_inputs *inputs = start(row->target, path, TCGRR_INPUTS_RECORDING);
        struct tcgrr_inputs_record head;

        run(row->bytes, row->size, i % 2, row->set, 100);
        assert_int_equal(resets, 0);
        inputs->mode = TCGRR_INPUTS_REPLAYING;
        assert_false(tcgrr_inputs_peek_any(inputs, &head));
        stop(inputs);
        g_unlink(path);
    }
}

/* If data are compared, both runs have the same clock and the same processor, and nothing is recorded. */
static void counts_where_data_are_compared(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        const struct row *row = &rows[i];
        uint64_t last = 0;
        struct tcgrr_inputs *inputs =
            start(row->target, "/nonexistent", i % 2 ? TCGRR_INPUTS_RECORDING : TCGRR_INPUTS_FOLLOWING);

        tcgrr_plugin.sampling.on = true;
        for (unsigned turn = 0; turn < 2; turn++) {
            run(row->bytes, row->size, true, row->set, 555 + turn);
            const char *processor = row->set[row->time && row->processor ? 2 : 0];
            assert_true(!row->processor || find(processor)->value == 0);
            assert_true(!row->time || find(row->set[0])->value > last);
            last = row->time ? find(row->set[0])->value : 0;
        }
        assert_false(inputs->ended);
        stop(inputs);
    }
}

/* Data are compared, or searched, in a replay of what was recorded without that. */
static void gives_what_was_recorded_at_another_level(void **state)
{
    const struct row *row = &rows[1];
    g_autofree char *path = new_file();
    struct tcgrr_inputs *inputs = start("x86_64", path, TCGRR_INPUTS_RECORDING);

    run(row->bytes, row->size, true, row->set, 100);
    inputs->mode = TCGRR_INPUTS_REPLAYING;
    tcgrr_plugin.sampling.on = true;
    run(row->bytes, row->size, true, row->set, 555);
    assert_int_equal(find("rax")->value, 100);
    assert_int_equal(find("rdx")->value, 101);
    assert_int_equal(find("rcx")->value, 102);
    stop(inputs);
    g_unlink(path);
}

/* What was recorded by a tcgrr that did not know of the processor's number, and what there is no record of. */
static void leaves_unrecorded_number(void **state)
{
    const struct row *row = &rows[1];
    g_autofree char *path = new_file();
    struct tcgrr_inputs *inputs = start("x86_64", path, TCGRR_INPUTS_RECORDING);
    struct tcgrr_inputs_record clock = {.kind = TCGRR_INPUTS_CLOCK, .result = 100};

    tcgrr_inputs_write_record(inputs, &clock);
    inputs->mode = TCGRR_INPUTS_REPLAYING;
    run(row->bytes, row->size, true, row->set, 555);
    assert_int_equal(find("rax")->value, 100);
    assert_int_equal(find("rdx")->value, 0);
    assert_int_equal(find("rcx")->value, 557);
    stop(inputs);
    g_unlink(path);
}

/* A signal handler begins between the instruction and the next one, and reads the clock itself; a handler that is left
 * by longjmp() never gets to the next one. */
static void handlers_nest(void **state)
{
    const struct row *row = &rows[0];
    const struct qemu_plugin_tb first = {.count = 1, .insns = {{PC + 4, 2}}};
    const struct qemu_plugin_tb second = {.count = 1, .insns = {{PC + 6, 1}}};
    g_autofree char *path = new_file();
    struct tcgrr_inputs *inputs = start("x86_64", path, TCGRR_INPUTS_RECORDING);

    run(row->bytes, row->size, true, row->set, 1); /* the bytes stay in memory */
    for (unsigned i = 0; i < 2 * TCGRR_CLOCK_READS; i++) {
        run_block(&first, row->set, 1);
    }
    assert_int_equal(inputs->clock_read_count, TCGRR_CLOCK_READS);
    run_block(&second, row->set, 1);
    assert_int_equal(inputs->clock_read_count, TCGRR_CLOCK_READS - 1);
    inputs->clock_reads[inputs->clock_read_count++] = PC + 9; /* that handler's own */
    run_block(&second, row->set, 1);
    assert_int_equal(inputs->clock_read_count, TCGRR_CLOCK_READS - 2);

    /* By then the code may be other code, or the inputs are gone. */
    inputs->clock_read_count = 0;
    run_block(&first, row->set, 1);
    resets = 0;
    struct callback late;
    memset(callbacks, 0, sizeof(callbacks));
    translated = &second;
    tcgrr_inputs_watch_clock(&tcgrr_plugin, (struct qemu_plugin_tb *)&second);
    late = callbacks[0][0];
    memset(memory, NOP, sizeof(memory));
    late.call(0, late.data);
    assert_int_equal(resets, 0);
    stop(inputs);
    late.call(0, late.data);
    g_unlink(path);
}

/* A call that is held comes before what was read after it. */
static void held_call_comes_first(void **state)
{
    const struct row *row = &rows[0];
    g_autofree char *path = new_file();
    struct tcgrr_inputs *inputs = start("x86_64", path, TCGRR_INPUTS_RECORDING);
    struct tcgrr_inputs_record head;

    inputs->holds = true;
    inputs->held = (struct tcgrr_inputs_record){.kind = TCGRR_INPUTS_CALL, .number = 5};
    g_byte_array_append(inputs->record, (const guint8 *)"abcd", 4);
    run(row->bytes, row->size, true, row->set, 100);
    inputs->mode = TCGRR_INPUTS_REPLAYING;
    assert_true(tcgrr_inputs_peek_record(inputs, &head));
    assert_int_equal(head.kind, TCGRR_INPUTS_CALL);
    assert_int_equal(head.pid, getpid());
    assert_int_equal(head.thread, 7);
    assert_true(tcgrr_inputs_read_record(inputs, &head));
    assert_memory_equal(inputs->record->data, "abcd", 4);
    assert_true(tcgrr_inputs_peek_record(inputs, &head));
    assert_int_equal(head.kind, TCGRR_INPUTS_CLOCK);
    assert_int_equal(head.bytes, 0);
    stop(inputs);
    g_unlink(path);
}

/* ---- the file ---- */

static void write_kind(struct tcgrr_inputs *inputs, uint32_t kind, unsigned bytes)
{
    struct tcgrr_inputs_record head = {.kind = kind};
    g_byte_array_set_size(inputs->record, bytes);
    memset(inputs->record->data, (int)kind, bytes);
    tcgrr_inputs_write_record(inputs, &head);
}

static void skips_what_nobody_asked_for(void **state)
{
    g_autofree char *path = new_file();
    struct tcgrr_inputs *inputs = start("x86_64", path, TCGRR_INPUTS_RECORDING);
    struct tcgrr_inputs_record head;

    write_kind(inputs, TCGRR_INPUTS_START, 30);
    write_kind(inputs, TCGRR_INPUTS_STRETCH, 0);
    write_kind(inputs, TCGRR_INPUTS_STRETCH, 0);
    write_kind(inputs, TCGRR_INPUTS_THREAD, 3);
    inputs->mode = TCGRR_INPUTS_REPLAYING;
    assert_true(tcgrr_inputs_peek_any(inputs, &head));
    assert_int_equal(head.kind, TCGRR_INPUTS_STRETCH);
    assert_true(tcgrr_inputs_peek_record(inputs, &head));
    assert_int_equal(head.kind, TCGRR_INPUTS_THREAD);
    assert_true(tcgrr_inputs_read_record(inputs, &head));
    assert_int_equal(inputs->record->len, 3);
    assert_false(tcgrr_inputs_peek_record(inputs, &head));
    stop(inputs);
    g_unlink(path);
}

static void damaged_file_ends(void **state)
{
    g_autofree char *path = new_file();
    struct tcgrr_inputs *inputs = start("x86_64", path, TCGRR_INPUTS_RECORDING);
    struct tcgrr_inputs_record head;

    write_kind(inputs, TCGRR_INPUTS_THREAD, 100);
    assert_int_equal(truncate(path, sizeof(head) + 50), 0);
    inputs->mode = TCGRR_INPUTS_REPLAYING;
    assert_true(tcgrr_inputs_peek_record(inputs, &head));
    assert_false(tcgrr_inputs_read_record(inputs, &head));

    inputs->at = 0;
    head.bytes = UINT32_MAX;
    assert_true(g_file_set_contents(path, (const char *)&head, sizeof(head), NULL));
    assert_false(tcgrr_inputs_peek_record(inputs, &head));
    stop(inputs);
    g_unlink(path);
}

static void full_disk_ends_recording(void **state)
{
    static const char *const paths[] = {"/dev/full", "/nonexistent/file"};

    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
        struct tcgrr_inputs *inputs = start("x86_64", paths[i], TCGRR_INPUTS_RECORDING);
        write_kind(inputs, TCGRR_INPUTS_THREAD, 0);
        assert_true(inputs->ended);
        stop(inputs);
    }
}

static void *write_later(void *path)
{
    const struct tcgrr_inputs_record head = {.kind = TCGRR_INPUTS_THREAD, .pid = getpid(), .bytes = 1};
    int fd = open(path, O_WRONLY | O_APPEND);

    for (size_t i = 0; i < sizeof(head) + 1; i++) { /* piece by piece */
        g_usleep(i % 32 == 0 ? 2000 : 0);
        assert_int_equal(write(fd, i < sizeof(head) ? (const char *)&head + i : "x", 1), 1);
    }
    close(fd);
    return NULL;
}

/* While another run writes the file, its reader waits: until that run is gone, or nobody wants the result. */
static void waits_for_the_writer(void **state)
{
    g_autofree char *path = new_file();
    struct tcgrr_inputs *inputs = start("x86_64", path, TCGRR_INPUTS_FOLLOWING);
    struct tcgrr_inputs_record head;
    pthread_t writer;

    assert_int_equal(pthread_create(&writer, NULL, write_later, path), 0);
    assert_true(tcgrr_inputs_peek_record(inputs, &head));
    assert_true(tcgrr_inputs_read_record(inputs, &head));
    assert_int_equal(inputs->record->data[0], 'x');
    pthread_join(writer, NULL);
    assert_int_equal(inputs->writer, getpid());

    pid_t gone = fork();
    if (gone == 0) {
        _exit(0);
    }
    assert_int_equal(waitpid(gone, NULL, 0), gone);
    inputs->writer = gone;
    assert_false(tcgrr_inputs_peek_record(inputs, &head));

    inputs->writer = getpid();
    atomic_store(&header.detach, 1);
    assert_false(tcgrr_inputs_peek_record(inputs, &head));
    stop(inputs);
    g_unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_what_was_recorded),
        cmocka_unit_test(leaves_others_alone),
        cmocka_unit_test(counts_where_data_are_compared),
        cmocka_unit_test(gives_what_was_recorded_at_another_level),
        cmocka_unit_test(leaves_unrecorded_number),
        cmocka_unit_test(handlers_nest),
        cmocka_unit_test(held_call_comes_first),
        cmocka_unit_test(skips_what_nobody_asked_for),
        cmocka_unit_test(damaged_file_ends),
        cmocka_unit_test(full_disk_ends_recording),
        cmocka_unit_test(waits_for_the_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
