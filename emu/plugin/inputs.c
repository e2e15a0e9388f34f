/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/plugin/inputs.h"

#include "emu/plugin/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define WAIT_NS     (50 * 1000)
#define CHILDREN    64 /* whose numbers are known again */
#define VECTORS     1024
#define MAP_FIXED_  0x10
#define NO_REPLACE_ 0x100000 /* MAP_FIXED_NOREPLACE */

/* Where a system call's number, arguments and result are. */
static const struct names {
    const char *target, *number, *arguments[6], *result;
    uint8_t size, bytes[4]; /* of the instruction that makes one */
} all_names[] = {
    {"x86_64", "rax", {"rdi", "rsi", "rdx", "r10", "r8", "r9"}, "rax", 2, {0x0f, 0x05}},
    {"aarch64", "x8", {"x0", "x1", "x2", "x3", "x4", "x5"}, "x0", 4, {0x01, 0x00, 0x00, 0xd4}},
    {"riscv64", "a7", {"a0", "a1", "a2", "a3", "a4", "a5"}, "a0", 4, {0x73, 0x00, 0x00, 0x00}},
};

struct tcgrr_inputs {
    struct tcgrr_plugin *plugin;
    char *path;
    const struct names *names; /* NULL: registers stay as they are */
    enum tcgrr_call_numbers numbers;
    bool replay;
    bool writes; /* registers can be written */
    bool over;   /* replay: out of step, or nothing is left */
    bool has_base;
    uint64_t base;                 /* of the guest's memory in ours */
    uint64_t at;                   /* replay: where the next call is in the file */
    struct tcgrr_inputs_call last; /* of those read */
    struct qemu_plugin_register *number, *arguments[6], *result;
    GByteArray *value;
    uint64_t given[8]; /* the arguments of the call that is made */
    uint32_t length;   /* what stood where LENGTH's argument points, before it */
    uint64_t kept[6];  /* arguments that were replaced for the host */
    uint8_t replaced;  /* bits: which */
    bool pending;      /* `pending_result` is to be put into the register */
    uint64_t pending_result;
    struct {
        int32_t theirs, ours;
    } children[CHILDREN];
    unsigned child_count;
    GByteArray *record; /* what goes into or comes from the file */
};

static struct tcgrr_inputs *mine(void)
{
    return tcgrr_plugin.inputs;
}

/* ---- the guest's memory and registers ---- */

/* The kernel does it, so that what is not there is an error and no fault. */
static bool copy_memory(const struct tcgrr_inputs *inputs, uint64_t address, void *bytes, size_t size, bool write)
{
    struct iovec local = {.iov_base = bytes, .iov_len = size};
    struct iovec remote = {.iov_base = (void *)(uintptr_t)(inputs->base + address), .iov_len = size};
    ssize_t done = !inputs->has_base ? -1
                   : write           ? process_vm_writev(getpid(), &local, 1, &remote, 1, 0)
                                     : process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
    return done == (ssize_t)size;
}

static uint64_t get_register(const struct tcgrr_inputs *inputs, struct qemu_plugin_register *at)
{
    uint64_t value = 0;
    g_byte_array_set_size(inputs->value, 0);
    if (inputs->plugin->api.read_register(at, inputs->value) > 0 && inputs->value->len >= sizeof(value)) {
        memcpy(&value, inputs->value->data, sizeof(value));
    }
    return value;
}

static void set_register(const struct tcgrr_inputs *inputs, struct qemu_plugin_register *at, uint64_t value)
{
    g_byte_array_set_size(inputs->value, 0);
    g_byte_array_append(inputs->value, (const guint8 *)&value, sizeof(value));
    inputs->plugin->api.write_register(at, inputs->value);
}

/* ---- what a call wrote ---- */

static void add_piece(struct tcgrr_inputs *inputs, uint64_t address, uint64_t size)
{
    struct tcgrr_inputs_piece piece = {.address = address, .size = (uint32_t)size};
    guint before = inputs->record->len;

    if (address == 0 || size == 0 || before + size > TCGRR_INPUTS_MOST) {
        return;
    }
    g_byte_array_append(inputs->record, (const guint8 *)&piece, sizeof(piece));
    g_byte_array_set_size(inputs->record, before + (guint)(sizeof(piece) + size));
    if (!copy_memory(inputs, address, inputs->record->data + before + sizeof(piece), size, false)) {
        g_byte_array_set_size(inputs->record, before);
    }
}

static void add_vector(struct tcgrr_inputs *inputs, uint64_t address, uint64_t count, uint64_t bytes)
{
    uint64_t entry[2];

    for (uint64_t i = 0; i < MIN(count, VECTORS) && bytes > 0; i++) {
        if (!copy_memory(inputs, address + i * sizeof(entry), entry, sizeof(entry), false)) {
            return;
        }
        uint64_t size = MIN(bytes, entry[1]);
        add_piece(inputs, entry[0], size);
        bytes -= size;
    }
}

static void add_message(struct tcgrr_inputs *inputs, uint64_t address, uint64_t bytes)
{
    uint64_t header[7]; /* struct msghdr: name, its length, vector, its length, control, its length, flags */

    if (copy_memory(inputs, address, header, sizeof(header), false)) {
        add_piece(inputs, address, sizeof(header));
        add_piece(inputs, header[0], MIN(header[1] & UINT32_MAX, 128));
        add_vector(inputs, header[2], header[3], bytes);
        add_piece(inputs, header[4], MIN(header[5], 65536));
    }
}

static void add_output(struct tcgrr_inputs *inputs, const struct tcgrr_call_output *output, uint64_t result)
{
    uint64_t address = inputs->given[output->argument], other = inputs->given[output->other];
    uint32_t length = 0;

    switch (output->how) {
    case TCGRR_CALL_FIXED:
        add_piece(inputs, address, output->size);
        break;
    case TCGRR_CALL_RESULT:
        add_piece(inputs, address, MIN(result, TCGRR_INPUTS_MOST) * output->size);
        break;
    case TCGRR_CALL_ARGUMENT:
        add_piece(inputs, address, MIN(other, TCGRR_INPUTS_MOST) * output->size);
        break;
    case TCGRR_CALL_BITS:
        add_piece(inputs, address, (MIN(other, 65536) + 63) / 64 * 8);
        break;
    case TCGRR_CALL_LENGTH:
        if (address != 0 && copy_memory(inputs, other, &length, sizeof(length), false)) {
            add_piece(inputs, other, sizeof(length));
            add_piece(inputs, address, MIN(length, inputs->length));
        }
        break;
    case TCGRR_CALL_VECTOR:
        add_vector(inputs, address, other, result);
        break;
    case TCGRR_CALL_MESSAGE:
        add_message(inputs, address, result);
        break;
    case TCGRR_CALL_IOCTL:
        add_piece(inputs, address, tcgrr_call_ioctl_size(inputs->given[1]));
        break;
    case TCGRR_CALL_PRCTL:
        add_piece(inputs, address, tcgrr_call_prctl_size(inputs->given[0]));
        break;
    default:
        break;
    }
}

/* ---- the file ---- */

static void append(struct tcgrr_inputs *inputs, const void *bytes, size_t size)
{
    int fd = open(inputs->path, O_WRONLY | O_APPEND | O_CLOEXEC);
    for (ssize_t done; fd >= 0 && size > 0; bytes = (const char *)bytes + done, size -= (size_t)done) {
        done = write(fd, bytes, size);
        if (done < 0 && errno != EINTR) {
            inputs->over = true; /* the disk is full: what is there can be given again */
            break;
        }
        done = MAX(done, 0);
    }
    if (fd >= 0) {
        close(fd);
    }
}

static bool read_at(const struct tcgrr_inputs *inputs, uint64_t at, void *bytes, size_t size)
{
    int fd = open(inputs->path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? pread(fd, bytes, size, (off_t)at) : -1;
    if (fd >= 0) {
        close(fd);
    }
    return got == (ssize_t)size;
}

/* Waits until that much is there, as long as somebody may still write it. */
static bool wait_for(const struct tcgrr_inputs *inputs, uint64_t at, void *bytes, size_t size, int32_t writer)
{
    const struct timespec pause = {.tv_nsec = WAIT_NS};

    for (;;) {
        bool gone = writer != 0 && kill(writer, 0) != 0 && errno == ESRCH;
        if (read_at(inputs, at, bytes, size)) {
            return true;
        }
        if (gone || atomic_load_explicit(&inputs->plugin->ring.header->detach, memory_order_acquire)) {
            return false;
        }
        nanosleep(&pause, NULL);
    }
}

/* The next recorded call, without its pieces. */
static bool next_call(struct tcgrr_inputs *inputs, struct tcgrr_inputs_call *call)
{
    struct tcgrr_inputs_call first = {0};

    if (inputs->over) {
        return false;
    }
    bool there = wait_for(inputs, 0, &first, sizeof(first), 0) &&
                 wait_for(inputs, inputs->at, call, sizeof(*call), first.pid) && call->number != TCGRR_INPUTS_END &&
                 call->bytes <= TCGRR_INPUTS_MOST + 65536;
    inputs->over = !there;
    inputs->last = there ? *call : inputs->last;
    return there;
}

/* ---- recording ---- */

static void record_call(struct tcgrr_inputs *inputs, int64_t number, int64_t result)
{
    const struct tcgrr_call *call = tcgrr_call_find(inputs->numbers, number);
    struct tcgrr_inputs_call head = {.number = number, .result = result, .pid = getpid(), .tid = (int)gettid()};

    g_byte_array_set_size(inputs->record, 0);
    g_byte_array_append(inputs->record, (const guint8 *)&head, sizeof(head));
    for (unsigned i = 0; call && result >= 0 && i < TCGRR_CALL_OUTPUTS; i++) {
        add_output(inputs, &call->outputs[i], (uint64_t)result);
    }
    head.bytes = inputs->record->len - (uint32_t)sizeof(head);
    memcpy(inputs->record->data, &head, sizeof(head));
    append(inputs, inputs->record->data, inputs->record->len);
}

/* ---- giving again ---- */

static void put_pieces(struct tcgrr_inputs *inputs, const struct tcgrr_inputs_call *call)
{
    g_byte_array_set_size(inputs->record, call->bytes);
    if (call->bytes > 0 &&
        !wait_for(inputs, inputs->at + sizeof(*call), inputs->record->data, call->bytes, call->pid)) {
        inputs->over = true;
        return;
    }
    for (guint i = 0; i + sizeof(struct tcgrr_inputs_piece) <= inputs->record->len;) {
        struct tcgrr_inputs_piece piece;
        memcpy(&piece, inputs->record->data + i, sizeof(piece));
        i += sizeof(piece);
        if (piece.size > inputs->record->len - i) {
            inputs->over = true;
            return;
        }
        copy_memory(inputs, piece.address, inputs->record->data + i, piece.size, true);
        i += piece.size;
    }
}

static void note_child(struct tcgrr_inputs *inputs, int64_t theirs, int64_t ours)
{
    if (theirs > 0 && ours > 0 && inputs->child_count < CHILDREN) {
        inputs->children[inputs->child_count].theirs = (int32_t)theirs;
        inputs->children[inputs->child_count++].ours = (int32_t)ours;
    }
}

static void replay_call(struct tcgrr_inputs *inputs, int64_t number, int64_t *result)
{
    const struct tcgrr_call *call = tcgrr_call_find(inputs->numbers, number);
    struct tcgrr_inputs_call recorded;

    if (!next_call(inputs, &recorded)) {
        return;
    }
    if (recorded.number != number) {
        inputs->over = true; /* the runs have parted, which is seen elsewhere */
        return;
    }
    bool maps = call && call->kind == TCGRR_CALL_MAPS;
    if (call && call->kind == TCGRR_CALL_FORKS) {
        note_child(inputs, recorded.result, *result);
    }
    /* Where the result cannot be given, what belongs to it would make no sense. */
    if (recorded.result == *result || (inputs->writes && !maps)) {
        put_pieces(inputs, &recorded);
        inputs->pending = recorded.result != *result;
        inputs->pending_result = (uint64_t)recorded.result;
        *result = recorded.result;
    }
    inputs->at += sizeof(recorded) + recorded.bytes;
}

static int32_t our_process(const struct tcgrr_inputs *inputs, const struct tcgrr_inputs_call *recorded, int32_t theirs)
{
    for (unsigned i = 0; i < inputs->child_count; i++) {
        if (inputs->children[i].theirs == theirs) {
            return inputs->children[i].ours;
        }
    }
    return theirs == recorded->tid && theirs != recorded->pid ? (int32_t)gettid()
           : theirs == recorded->pid                          ? getpid()
                                                              : theirs;
}

static void replace_argument(struct tcgrr_inputs *inputs, unsigned which, uint64_t value)
{
    uint64_t now = get_register(inputs, inputs->arguments[which]);
    if (now != value) {
        inputs->kept[which] = now;
        inputs->replaced |= 1u << which;
        set_register(inputs, inputs->arguments[which], value);
    }
}

/* Before a call is made: what the host has to be told differently. The registers get their values back after it. */
static void on_call_insn(unsigned vcpu, void *nothing)
{
    struct tcgrr_inputs *inputs = mine();
    struct tcgrr_inputs_call recorded;
    if (!inputs) {
        return;
    }
    int64_t number = (int64_t)get_register(inputs, inputs->number);
    const struct tcgrr_call *call = tcgrr_call_find(inputs->numbers, number);
    bool signals = call && call->kind == TCGRR_CALL_SIGNALS;
    if (!signals && (!call || strcmp(call->name, "mmap") != 0)) {
        return;
    }
    bool known = next_call(inputs, &recorded) && recorded.number == number;
    if (!known && !signals) {
        return;
    }
    if (!known) {
        recorded = inputs->last; /* a call by which the other ended itself: it must not be sent to that process */
    }
    for (unsigned i = 0; i < call->pids; i++) {
        int32_t theirs = (int32_t)get_register(inputs, inputs->arguments[i]);
        int32_t ours = theirs < 0 ? -our_process(inputs, &recorded, -theirs) : our_process(inputs, &recorded, theirs);
        replace_argument(inputs, i, (uint64_t)(int64_t)ours);
    }
    uint64_t flags = get_register(inputs, inputs->arguments[3]);
    if (call->kind == TCGRR_CALL_MAPS && !(flags & MAP_FIXED_) && (uint64_t)recorded.result < (uint64_t)-4096) {
        replace_argument(inputs, 0, (uint64_t)recorded.result);
        replace_argument(inputs, 3, flags | NO_REPLACE_);
    }
}

static void on_block(unsigned vcpu, void *nothing)
{
    struct tcgrr_inputs *inputs = mine();

    if (!inputs || !(inputs->pending || inputs->replaced)) {
        return;
    }
    for (unsigned i = 0; i < 6 && inputs->replaced; i++) {
        /* On most targets the first argument's register has the result by now. */
        if (inputs->replaced & 1u << i && inputs->arguments[i] != inputs->result) {
            set_register(inputs, inputs->arguments[i], inputs->kept[i]);
        }
    }
    inputs->replaced = 0;
    if (inputs->pending) {
        set_register(inputs, inputs->result, inputs->pending_result);
        inputs->pending = false;
    }
}

/* ---- for the plugin ---- */

const char *tcgrr_inputs_init(struct tcgrr_plugin *plugin, const char *target, const char *path, bool replay)
{
    struct tcgrr_inputs *inputs = calloc(1, sizeof(*inputs));

    if (!inputs) {
        return "out of memory";
    }
    inputs->plugin = plugin;
    inputs->path = strdup(path);
    inputs->replay = replay;
    inputs->numbers = tcgrr_calls_of_target(target);
    inputs->value = g_byte_array_new();
    inputs->record = g_byte_array_new();
    for (size_t i = 0; i < G_N_ELEMENTS(all_names); i++) {
        if (strcmp(target, all_names[i].target) == 0) {
            inputs->names = &all_names[i];
        }
    }
    plugin->inputs = inputs;
    return NULL;
}

void tcgrr_inputs_vcpu(struct tcgrr_plugin *plugin)
{
    struct tcgrr_inputs *inputs = plugin->inputs;
    GArray *registers = inputs->replay && inputs->names && plugin->api.write_register && plugin->api.read_register
                            ? plugin->api.get_registers()
                            : NULL;
    bool all = registers != NULL;

    for (guint i = 0; registers && i < registers->len; i++) {
        const void *place = registers->data + (gsize)i * g_array_get_element_size(registers);
        const qemu_plugin_reg_descriptor *found = place;
        for (unsigned k = 0; k < 6; k++) {
            if (strcmp(found->name, inputs->names->arguments[k]) == 0) {
                inputs->arguments[k] = found->handle;
            }
        }
        inputs->number = strcmp(found->name, inputs->names->number) == 0 ? found->handle : inputs->number;
        inputs->result = strcmp(found->name, inputs->names->result) == 0 ? found->handle : inputs->result;
    }
    for (unsigned k = 0; k < 6; k++) {
        all = all && inputs->arguments[k];
    }
    inputs->writes = all && inputs->number && inputs->result;
    if (registers) {
        g_array_free(registers, TRUE);
    }
}

void tcgrr_inputs_instrument(struct tcgrr_plugin *plugin, struct qemu_plugin_tb *tb)
{
    struct tcgrr_inputs *inputs = plugin->inputs;
    size_t count = plugin->api.tb_n_insns(tb);
    struct qemu_plugin_insn *first = plugin->api.tb_get_insn(tb, 0);
    char *host = plugin->api.insn_haddr && !inputs->has_base ? plugin->api.insn_haddr(first) : NULL;

    if (host) {
        inputs->base = (uintptr_t)host - plugin->api.insn_vaddr(first);
        inputs->has_base = true;
    }
    if (!inputs->writes) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = plugin->api.tb_get_insn(tb, i);
        uint8_t bytes[4];
        size_t size = tcgrr_api_insn_bytes(&plugin->api, insn, bytes, sizeof(bytes));
        if (size == inputs->names->size && memcmp(bytes, inputs->names->bytes, size) == 0) {
            plugin->api.register_insn_exec(insn, on_call_insn, QEMU_PLUGIN_CB_RW_REGS, NULL);
        }
    }
    plugin->api.register_tb_exec(tb, on_block, QEMU_PLUGIN_CB_RW_REGS, NULL);
}

void tcgrr_inputs_enter(int64_t number, const uint64_t arguments[8])
{
    struct tcgrr_inputs *inputs = mine();
    const struct tcgrr_call *call = tcgrr_call_find(inputs->numbers, number);

    memcpy(inputs->given, arguments, sizeof(inputs->given));
    for (unsigned i = 0; call && i < TCGRR_CALL_OUTPUTS; i++) {
        if (call->outputs[i].how == TCGRR_CALL_LENGTH &&
            !copy_memory(inputs, arguments[call->outputs[i].other], &inputs->length, sizeof(inputs->length), false)) {
            inputs->length = 0;
        }
    }
}

void tcgrr_inputs_return(int64_t number, int64_t *result)
{
    struct tcgrr_inputs *inputs = mine();
    if (inputs->replay) {
        replay_call(inputs, number, result);
    } else if (!inputs->over) {
        record_call(inputs, number, *result);
    }
}

void tcgrr_inputs_finish(void)
{
    const struct tcgrr_inputs_call end = {.number = TCGRR_INPUTS_END, .pid = getpid()};
    if (!mine()->replay) {
        append(mine(), &end, sizeof(end));
    }
}
