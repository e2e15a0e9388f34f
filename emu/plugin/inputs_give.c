/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/plugin/inputs_internal.h"
#include "emu/plugin/reserve.h"
#include "emu/plugin/segments.h"
#include "emu/plugin/threads.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAP_TYPE_            0x0f
#define MAP_SHARED_          0x01 /* a bit of MAP_SHARED_VALIDATE, too */
#define MAP_PRIVATE_         0x02
#define MAP_FIXED_           0x10
#define MAP_ANONYMOUS_       0x20
#define NO_REPLACE_          0x100000 /* MAP_FIXED_NOREPLACE */
#define MAY_MOVE_            0x01     /* MREMAP_MAYMOVE */
#define MOVE_TO_             0x02     /* MREMAP_FIXED */
#define CLONE_VM_            0x100
#define CLONE_VFORK_         0x4000
#define INTERRUPTED          (-512) /* QEMU_ERESTARTSYS */
#define SIGNALS_SELF_X86     234    /* tgkill */
#define SIGNALS_SELF_GENERIC 131
#define READ_X86             0
#define READ_GENERIC         63
#define SUSPEND_X86          130 /* rt_sigsuspend */
#define SUSPEND_GENERIC      133
#define MASK_BYTES           8
#define POLL_X86             271 /* ppoll */
#define POLL_GENERIC         73
#define MAP_X86              9
#define MAP_GENERIC          222
#define UNMAP_X86            11
#define UNMAP_GENERIC        215
#define RESUME_X86           15 /* rt_sigreturn */
#define HANDLER_ARGUMENTS    3  /* number of registers that hold the handler's arguments */

static struct tcgrr_inputs *mine(void)
{
    return tcgrr_plugin.inputs;
}

static bool is_error(uint64_t result)
{
    return result >= (uint64_t)-4095;
}

void tcgrr_inputs_give_up(struct tcgrr_inputs *inputs, enum tcgrr_inputs_lack why)
{
    inputs->ended = true;
    tcgrr_plugin_event(TCGRR_WIRE_INPUTS_END, tcgrr_plugin.vcpu, (const uint64_t[]){why}, 1);
}

/* The program makes another call than the recorded one: the runs have diverged. Reports it and ends this one. */
static void tell_other_call(struct tcgrr_inputs *inputs, int64_t number, const struct tcgrr_inputs_record *recorded)
{
    uint64_t values[14] = {(uint64_t)number};

    memcpy(values + 1, inputs->call->given, 6 * sizeof(uint64_t));
    values[7] = recorded->kind == TCGRR_INPUTS_CALL ? (uint64_t)recorded->number : UINT64_MAX;
    memcpy(values + 8, recorded->arguments, sizeof(recorded->arguments));
    inputs->ended = true;
    tcgrr_plugin_event(TCGRR_WIRE_OTHER_CALL, tcgrr_plugin.vcpu, values, 14);
    tcgrr_plugin_leave();
}

/* Finds the record of this call, which has to be the next one. False: it is another call, or there is none; that has
 * been handled. */
static bool find_recorded(struct tcgrr_inputs *inputs, int64_t number, struct tcgrr_inputs_record *recorded)
{
    bool there = tcgrr_inputs_peek_record(inputs, recorded);

    while (there && !inputs->writes &&
           (recorded->kind == TCGRR_INPUTS_SIGNAL || recorded->kind == TCGRR_INPUTS_CLOCK ||
            recorded->kind == TCGRR_INPUTS_PROCESSOR)) {
        there = tcgrr_inputs_read_record(inputs, recorded) && tcgrr_inputs_peek_record(inputs, recorded);
    }
    if (there && recorded->kind == TCGRR_INPUTS_CALL && recorded->number == number) {
        return true;
    }
    if (there && !inputs->differed && recorded->kind != TCGRR_INPUTS_SIGNAL) {
        tell_other_call(inputs, number, recorded);
    } else if (inputs->writes) { /* there is none, or the next record is a signal that arrived while the recorded
                                    program computed */
        bool signal = there && recorded->kind == TCGRR_INPUTS_SIGNAL;
        bool sent = signal && tcgrr_inputs_host_signal(inputs, recorded->number) != 0;
        tcgrr_inputs_give_up(inputs, !signal ? TCGRR_INPUTS_LACK_ALL
                                     : sent  ? TCGRR_INPUTS_LACK_SIGNAL
                                             : TCGRR_INPUTS_LACK_UNSENT);
        tcgrr_plugin_leave();
    }
    inputs->ended = true;
    return false;
}

/* Whether a signal arrived on the call's return; *signal is its number. */
static bool is_followed(const struct tcgrr_inputs *inputs, const struct tcgrr_inputs_record *recorded, int64_t *signal)
{
    struct tcgrr_signals *followed = &inputs->call->followed;
    struct tcgrr_inputs after = *inputs;
    struct tcgrr_inputs_record next;

    after.at += sizeof(*recorded) + recorded->bytes;
    bool found = recorded->followed && tcgrr_inputs_peek_record(&after, &next) && next.kind == TCGRR_INPUTS_SIGNAL;
    *followed = found ? tcgrr_inputs_signals_of(&next) : (struct tcgrr_signals){0};
    *signal = followed->last;
    return found;
}

/* ---- before the call ---- */

static void replace(struct tcgrr_inputs *inputs, struct tcgrr_call_pending *pending, unsigned which, uint64_t value)
{
    if (pending->arguments[which] != value) {
        pending->replaced |= (uint8_t)(1u << which);
        tcgrr_inputs_set_register(inputs, inputs->arguments[which], value);
    }
}

static void replace_number(struct tcgrr_inputs *inputs, struct tcgrr_call_pending *pending, uint64_t number)
{
    if (pending->number != number) {
        pending->replaced |= TCGRR_CALL_NUMBER_REPLACED;
        tcgrr_inputs_set_register(inputs, inputs->number, number);
    }
}

/*
 * Makes the same mapping at the same address; the content of a mapped file is recorded. A shared mapping stays shared,
 * because from the first shared one on QEMU translates atomic instructions for several threads, and reports other
 * values to plugins for those that fail.
 */
static void map_again(struct tcgrr_inputs *inputs, struct tcgrr_call_pending *pending,
                      const struct tcgrr_inputs_record *recorded)
{
    uint64_t flags = pending->arguments[3];

    if (!(flags & MAP_ANONYMOUS_)) {
        bool shared = flags & MAP_SHARED_;
        flags = (flags & ~(uint64_t)MAP_TYPE_) | (shared ? MAP_SHARED_ : MAP_PRIVATE_) | MAP_ANONYMOUS_;
        replace(inputs, pending, 4, UINT64_MAX);
        replace(inputs, pending, 5, 0);
    }
    if (!(flags & MAP_FIXED_)) {
        flags |= NO_REPLACE_;
        replace(inputs, pending, 0, (uint64_t)recorded->result);
    }
    replace(inputs, pending, 3, flags);
}

/* Maps or unmaps shared memory that the program attaches or detaches. */
static void map_segment(struct tcgrr_inputs *inputs, struct tcgrr_call_pending *pending,
                        const struct tcgrr_inputs_record *recorded)
{
    uint64_t bytes = recorded->arguments[TCGRR_INPUTS_SEGMENT], flags = pending->arguments[2];
    int fd = tcgrr_segment_open((int64_t)(int32_t)pending->arguments[0], bytes, recorded->bytes == 0);
    int protection = PROT_READ | (flags & SHM_RDONLY ? 0 : PROT_WRITE) | (flags & SHM_EXEC ? PROT_EXEC : 0);

    replace(inputs, pending, 0, (uint64_t)recorded->result);
    replace(inputs, pending, 1, bytes);
    replace(inputs, pending, 2, (uint64_t)protection);
    replace(inputs, pending, 3, MAP_SHARED_ | (flags & SHM_REMAP ? MAP_FIXED_ : NO_REPLACE_));
    replace(inputs, pending, 4, (uint64_t)fd);
    replace(inputs, pending, 5, 0);
    replace_number(inputs, pending, inputs->numbers == TCGRR_CALLS_X86_64 ? MAP_X86 : MAP_GENERIC);
}

static void unmap_segment(struct tcgrr_inputs *inputs, struct tcgrr_call_pending *pending)
{
    replace(inputs, pending, 1, tcgrr_segment_at(pending->arguments[0]));
    replace_number(inputs, pending, inputs->numbers == TCGRR_CALLS_X86_64 ? UNMAP_X86 : UNMAP_GENERIC);
}

static void prepare_mapping(struct tcgrr_inputs *inputs, const struct tcgrr_call *call,
                            struct tcgrr_call_pending *pending, const struct tcgrr_inputs_record *recorded)
{
    if (strcmp(call->name, "mmap") == 0) {
        map_again(inputs, pending, recorded);
    } else if (strcmp(call->name, "mremap") == 0 && (uint64_t)recorded->result != pending->arguments[0]) {
        replace(inputs, pending, 3, pending->arguments[3] | MAY_MOVE_ | MOVE_TO_);
        replace(inputs, pending, 4, (uint64_t)recorded->result);
    } else if (strcmp(call->name, "shmat") == 0 && recorded->arguments[TCGRR_INPUTS_SEGMENT] > 0) {
        map_segment(inputs, pending, recorded);
    } else if (strcmp(call->name, "shmdt") == 0) {
        unmap_segment(inputs, pending);
    }
}

/* Releases the reserved memory that the program is about to map or unmap. `again`: the call has returned; reserves what
 * is free. */
static void reserve_around(struct tcgrr_inputs *inputs, const struct tcgrr_call *call,
                           const struct tcgrr_inputs_record *recorded, bool again)
{
    const uint64_t *given = inputs->call->given;
    void (*reserve)(uint64_t, uint64_t) = again ? tcgrr_reserve_again : tcgrr_reserve_release;

    if (is_error((uint64_t)recorded->result)) {
        return;
    }
    if (strcmp(call->name, "munmap") == 0) {
        reserve(inputs->base + given[0], given[1]);
    } else if (strcmp(call->name, "mremap") == 0) {
        reserve(inputs->base + given[0], given[1]);
        reserve(inputs->base + (uint64_t)recorded->result, given[2]);
    } else if (strcmp(call->name, "mmap") == 0 && !again) {
        reserve(inputs->base + (uint64_t)recorded->result, given[1]);
    } else if (strcmp(call->name, "shmat") == 0 && !again) {
        reserve(inputs->base + (uint64_t)recorded->result, recorded->arguments[TCGRR_INPUTS_SEGMENT]);
    } else if (strcmp(call->name, "shmdt") == 0) {
        reserve(inputs->base + given[0], tcgrr_segment_at(given[0]));
    } else if (strcmp(call->name, "brk") == 0) {
        uint64_t end = (uint64_t)recorded->result;
        if (inputs->brk_end != 0 && end > inputs->brk_end && !again) {
            reserve(inputs->base + inputs->brk_end, end - inputs->brk_end);
        }
        inputs->brk_end = end;
    }
}

/* The call is not made: replaces it by one that does nothing, or that sends the signal that arrived on its return. */
static void answer(struct tcgrr_inputs *inputs, struct tcgrr_call_pending *pending, int64_t signal)
{
    bool x86 = inputs->numbers == TCGRR_CALLS_X86_64;
    uint64_t number = signal == 0 ? (uint64_t)inputs->abi->harmless : x86 ? SIGNALS_SELF_X86 : SIGNALS_SELF_GENERIC;

    if (signal != 0) {
        replace(inputs, pending, 0, (uint64_t)getpid());
        replace(inputs, pending, 1, (uint64_t)gettid());
        replace(inputs, pending, 2, (uint64_t)signal);
    }
    replace_number(inputs, pending, number);
    inputs->call->answered = true;
}

/*
 * The call is not made: replaces it by one that does nothing either, but that QEMU restarts if a signal arrives, as it
 * does for every call that may block.
 */
static void answer_if_undisturbed(struct tcgrr_inputs *inputs, struct tcgrr_call_pending *pending)
{
    replace(inputs, pending, 0, UINT64_MAX);
    replace(inputs, pending, 1, 0);
    replace(inputs, pending, 2, 0);
    replace_number(inputs, pending, inputs->numbers == TCGRR_CALLS_X86_64 ? READ_X86 : READ_GENERIC);
    inputs->call->answered = true;
}

/* A handler has to run; afterwards QEMU restarts the call. */
static void interrupt(struct tcgrr_inputs *inputs, struct tcgrr_call_pending *pending, int64_t signal)
{
    pending->again = true;
    pending->pc -= inputs->abi->size;
    inputs->call->enters = signal;
}

/* Whether the signal is blocked in the calling thread, whose mask on the host is the program's. */
static bool is_blocked(const struct tcgrr_inputs *inputs, int64_t signal)
{
    sigset_t mask;
    return pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0 &&
           sigismember(&mask, tcgrr_inputs_host_signal(inputs, signal)) == 1;
}

/* The address of the signal mask that the call sets while it waits; 0: none. */
static uint64_t find_mask(const struct tcgrr_inputs *inputs, const struct tcgrr_call *call)
{
    const uint64_t *given = inputs->call->given;
    uint64_t mask = 0;

    if (!call) {
        return 0;
    }
    if (strcmp(call->name, "pselect6") == 0) {
        return tcgrr_inputs_read_memory(inputs, given[5], &mask, sizeof(mask)) ? mask : 0;
    }
    return strcmp(call->name, "rt_sigsuspend") == 0      ? given[0]
           : strcmp(call->name, "ppoll") == 0            ? given[3]
           : strncmp(call->name, "epoll_pwait", 11) == 0 ? given[4]
                                                         : 0;
}

/*
 * The same for a call that unblocks signals while it waits: the host makes it with a timeout of zero. When it is this
 * thread's turn, the timeout is written after the mask, over further bytes of the C library's structure. False: there
 * is no room for it.
 */
static bool answer_and_let_in(struct tcgrr_inputs *inputs, const struct tcgrr_call *call,
                              struct tcgrr_call_pending *pending)
{
    struct tcgrr_call_state *state = inputs->call;
    uint64_t mask = find_mask(inputs, call);

    state->time_at = mask + MASK_BYTES;
    if (mask == 0 || !tcgrr_inputs_read_memory(inputs, state->time_at, state->time_before, TCGRR_TIME_BYTES)) {
        return false;
    }
    replace(inputs, pending, 0, 0);
    replace(inputs, pending, 1, 0);
    replace(inputs, pending, 2, state->time_at);
    replace(inputs, pending, 3, mask);
    replace(inputs, pending, 4, MASK_BYTES);
    replace_number(inputs, pending, inputs->numbers == TCGRR_CALLS_X86_64 ? POLL_X86 : POLL_GENERIC);
    state->answered = state->lets_in = true;
    return true;
}

/* Writes the timeout with which the host checks for signals; false if it cannot be written. */
static bool put_time(struct tcgrr_inputs *inputs)
{
    static const uint8_t zero[TCGRR_TIME_BYTES];
    struct tcgrr_call_state *call = inputs->call;

    return tcgrr_inputs_read_memory(inputs, call->time_at, call->time_before, TCGRR_TIME_BYTES) &&
           tcgrr_inputs_write_memory(inputs, call->time_at, zero, sizeof(zero));
}

/* The signal arrived because the call unblocked it while it waited: the host makes the same call. */
static void suspend(struct tcgrr_inputs *inputs, const struct tcgrr_call *call, struct tcgrr_call_pending *pending,
                    int64_t signal)
{
    uint64_t mask = find_mask(inputs, call);

    if (mask == 0) {
        answer(inputs, pending, 0);
        inputs->call->sends = -1;
        return;
    }
    replace(inputs, pending, 0, mask);
    replace(inputs, pending, 1, MASK_BYTES);
    replace_number(inputs, pending, inputs->numbers == TCGRR_CALLS_X86_64 ? SUSPEND_X86 : SUSPEND_GENERIC);
    inputs->call->enters = signal;
    inputs->call->answered = true;
}

bool tcgrr_inputs_is_thread(const struct tcgrr_inputs *inputs, const struct tcgrr_call *call)
{
    return strcmp(call->name, "clone") == 0 && (inputs->call->given[0] & (CLONE_VM_ | CLONE_VFORK_)) == CLONE_VM_;
}

/* Whether the program sends itself a signal without a handler. That is sent again, because it may end the program. */
static bool sends_to_itself(const struct tcgrr_inputs *inputs, const struct tcgrr_call *call,
                            const struct tcgrr_inputs_record *recorded)
{
    unsigned which = call->pids > 0 ? call->pids - 1u : 0;
    int32_t whom = (int32_t)inputs->call->given[which];
    uint64_t signal = inputs->call->given[call->pids];

    return (whom == recorded->pid || whom == recorded->tid) && signal > 0 && signal < TCGRR_SIGNALS &&
           inputs->handlers[signal] == 0;
}

/* Whether the recorded call mapped nothing. It is not made again, because here it might map something, or fail in
 * another way: files are not open. */
static bool has_failed(const struct tcgrr_inputs *inputs, const struct tcgrr_call *call,
                       const struct tcgrr_inputs_record *recorded)
{
    uint64_t wanted = inputs->call->given[0], result = (uint64_t)recorded->result;
    return is_error(result) || (strcmp(call->name, "brk") == 0 && wanted != 0 && wanted != result);
}

static bool is_made(const struct tcgrr_inputs *inputs, const struct tcgrr_call *call,
                    const struct tcgrr_inputs_record *recorded)
{
    switch (call ? call->kind : TCGRR_CALL_PLAIN) {
    case TCGRR_CALL_MAPS:
        return !has_failed(inputs, call, recorded);
    case TCGRR_CALL_MADE:
        return strcmp(call->name, "shmdt") != 0 || tcgrr_segment_at(inputs->call->given[0]) > 0;
    case TCGRR_CALL_RESUMES:
        return true;
    case TCGRR_CALL_FORKS:
        return tcgrr_inputs_is_thread(inputs, call);
    case TCGRR_CALL_SIGNALS:
        return sends_to_itself(inputs, call, recorded);
    default:
        return false;
    }
}

static struct tcgrr_call_pending *expect(struct tcgrr_inputs *inputs, uint64_t pc)
{
    if (inputs->call->pending_count == TCGRR_CALLS_PENDING) { /* handlers that were left by longjmp() */
        memmove(inputs->call->pending, inputs->call->pending + 1,
                (TCGRR_CALLS_PENDING - 1) * sizeof(*inputs->call->pending));
        inputs->call->pending_count--;
    }
    struct tcgrr_call_pending *pending = &inputs->call->pending[inputs->call->pending_count++];
    *pending = (struct tcgrr_call_pending){.pc = pc + inputs->abi->size, .number = (uint64_t)inputs->call->called};
    pending->stack = tcgrr_inputs_get_register(inputs, inputs->stack);
    memcpy(pending->arguments, inputs->call->given, sizeof(pending->arguments));
    return pending;
}

/* Reads the call that the program is about to make from its registers. Returns what is known of it, or NULL. */
static const struct tcgrr_call *read_call(struct tcgrr_inputs *inputs)
{
    inputs->call->called = (int64_t)tcgrr_inputs_get_register(inputs, inputs->number);
    for (unsigned i = 0; i < 6; i++) {
        inputs->call->given[i] = tcgrr_inputs_get_register(inputs, inputs->arguments[i]);
    }
    return tcgrr_call_find(inputs->numbers, inputs->call->called);
}

/* The host makes the call again: it gets the arguments with which it does what it did in the recording. */
static void prepare_made(struct tcgrr_inputs *inputs, const struct tcgrr_call *call, struct tcgrr_call_pending *pending)
{
    const struct tcgrr_inputs_record *recorded = &inputs->call->recorded;

    if (tcgrr_inputs_is_thread(inputs, call)) {
        tcgrr_reserve_all(); /* QEMU is about to allocate a stack */
    }
    reserve_around(inputs, call, recorded, false);
    if (call->kind == TCGRR_CALL_MAPS || call->kind == TCGRR_CALL_MADE) {
        prepare_mapping(inputs, call, pending, recorded);
    } else if (call->kind == TCGRR_CALL_SIGNALS) {
        for (unsigned i = 0; i < call->pids; i++) {
            bool thread = i + 1u == call->pids && strcmp(call->name, "kill") != 0;
            replace(inputs, pending, i, (uint64_t)(thread ? gettid() : getpid()));
        }
    }
}

/* The host makes a call that does nothing instead. `signal`: the one that followed in the recording; 0: none. */
static void prepare_answered(struct tcgrr_inputs *inputs, const struct tcgrr_call *call,
                             struct tcgrr_call_pending *pending, bool followed, int64_t signal)
{
    if (inputs->call->deferred) {
        if (!answer_and_let_in(inputs, call, pending)) {
            answer_if_undisturbed(inputs, pending);
        }
        return;
    }
    bool handled = followed && tcgrr_inputs_host_signal(inputs, signal) != 0;
    if (handled && inputs->call->recorded.result == INTERRUPTED) {
        answer_if_undisturbed(inputs, pending);
        interrupt(inputs, pending, signal);
    } else if (handled && is_blocked(inputs, signal)) {
        suspend(inputs, call, pending, signal);
    } else {
        bool several = followed && inputs->call->followed.others[0] != 0;
        inputs->call->sends = several && signal > 0 ? signal : inputs->call->sends;
        answer(inputs, pending, followed && signal > 0 && !several ? signal : 0);
    }
}

void tcgrr_inputs_on_call(unsigned vcpu, void *pc)
{
    struct tcgrr_inputs *inputs = mine();
    struct tcgrr_inputs_record *recorded = inputs ? &inputs->call->recorded : NULL;

    if (!inputs || inputs->ended) {
        return;
    }
    const struct tcgrr_call *call = read_call(inputs);
    if (call && call->kind == TCGRR_CALL_ENDS && !tcgrr_inputs_failed(inputs, inputs->call->called)) {
        return;
    }
    bool deferred = tcgrr_threads_several() && tcgrr_inputs_may_block(inputs->call->called);
    if (deferred) { /* other threads may run first: it is compared after it has returned */
        *recorded = (struct tcgrr_inputs_record){.number = inputs->call->called};
    } else if (!(inputs->call->expects = find_recorded(inputs, inputs->call->called, recorded))) {
        return;
    }
    if (!inputs->called_before && !deferred && recorded->stack == 0) {
        inputs->writes = false; /* recorded where neither registers nor data can be read: it is only compared */
        return;
    }
    if (!inputs->called_before) {
        tcgrr_reserve_all();
    }
    inputs->called_before = true;
    if (recorded->stack != 0 && recorded->stack != tcgrr_inputs_get_register(inputs, inputs->stack)) {
        tcgrr_inputs_give_up(inputs, TCGRR_INPUTS_LACK_PLACE); /* the program is at another address */
        tcgrr_plugin_leave();
    }
    struct tcgrr_call_pending *pending = expect(inputs, (uintptr_t)pc);
    int64_t signal = 0;
    bool followed = is_followed(inputs, recorded, &signal);
    inputs->call->prepared = true;
    inputs->call->deferred = deferred;
    bool made = is_made(inputs, call, recorded);
    inputs->call->sends = !followed ? 0 : signal <= 0 ? -1 : made ? signal : 0;
    if (made) {
        prepare_made(inputs, call, pending);
    } else {
        prepare_answered(inputs, call, pending, followed, signal);
    }
}

bool tcgrr_inputs_must_settle_before(void)
{
    return mine() && mine()->call->deferred;
}

void tcgrr_inputs_settle(void)
{
    struct tcgrr_inputs *inputs = mine();
    struct tcgrr_call_state *call = inputs->call;
    int64_t signal;

    call->deferred = false;
    if (call->lets_in && !put_time(inputs)) { /* another thread has unmapped that memory: the host's call might block */
        tcgrr_inputs_give_up(inputs, TCGRR_INPUTS_LACK_ALL);
        tcgrr_plugin_leave();
    }
    call->expects = !inputs->ended && find_recorded(inputs, call->called, &call->recorded);
    if (!call->expects || !is_followed(inputs, &call->recorded, &signal)) {
        return;
    }
    bool known = tcgrr_inputs_host_signal(inputs, signal) != 0;
    bool sent = known && !is_blocked(inputs, signal); /* not one that the call unblocked while it waited */
    if (known && !sent && call->lets_in && call->recorded.result != INTERRUPTED) {
        tcgrr_inputs_send_signals(inputs, &call->followed);
    } else if (sent && call->recorded.result == INTERRUPTED && call->pending_count > 0) {
        interrupt(inputs, &call->pending[call->pending_count - 1], signal);
        tcgrr_inputs_send_signals(inputs, &call->followed);
    } else {
        call->sends = sent ? signal : -1;
    }
}

/* ---- after it ---- */

/* Reports that the host returned another result, which cannot be replaced. */
static void tell_difference(struct tcgrr_inputs *inputs, int64_t number, int64_t got, int64_t recorded)
{
    inputs->differed = true;
    tcgrr_plugin_event(TCGRR_WIRE_INPUT_DIFFERS, tcgrr_plugin.vcpu,
                       (const uint64_t[]){(uint64_t)number, (uint64_t)got, (uint64_t)recorded}, 3);
}

bool tcgrr_inputs_may_leave_order(void)
{
    const struct tcgrr_inputs *inputs = mine();
    return inputs && inputs->mode != TCGRR_INPUTS_RECORDING && !inputs->writes;
}

void tcgrr_inputs_leave_order(void)
{
    tell_difference(mine(), -1, 0, 0);
    mine()->ended = true;
}

void tcgrr_inputs_check(struct tcgrr_inputs *inputs, int64_t number)
{
    const struct tcgrr_call *call = tcgrr_call_find(inputs->numbers, number);

    bool ends = call && call->kind == TCGRR_CALL_ENDS && !tcgrr_inputs_failed(inputs, number);
    bool deferred = tcgrr_threads_several() && tcgrr_inputs_may_block(number);
    inputs->call->expects = !ends && !deferred && find_recorded(inputs, number, &inputs->call->recorded);
}

/* Reports that data may differ from here on, because the call's effect on memory is not recorded. Memory that a program
 * shares only with its children is its own until it has one. */
static void doubt(struct tcgrr_inputs *inputs, const struct tcgrr_call *call,
                  const struct tcgrr_inputs_record *recorded)
{
    bool anonymous = call && strcmp(call->name, "mmap") == 0 && (recorded->arguments[3] & MAP_ANONYMOUS_);
    bool forks = call && call->kind == TCGRR_CALL_FORKS && !tcgrr_inputs_is_thread(inputs, call);
    uint64_t why = forks && inputs->shares_memory ? TCGRR_INPUTS_LACK_SHARED : recorded->doubt;

    if (is_error((uint64_t)recorded->result) || why == 0) {
        return;
    }
    inputs->shares_memory = inputs->shares_memory || anonymous;
    if (!anonymous) {
        tcgrr_plugin_event(TCGRR_WIRE_INPUT_UNSURE, tcgrr_plugin.vcpu,
                           (const uint64_t[]){(uint64_t)recorded->number, why}, 2);
    }
}

/* Notes a segment that was attached or detached: the call was made, with the recorded result. */
static void note_segment(const struct tcgrr_inputs *inputs, const struct tcgrr_call *call,
                         const struct tcgrr_inputs_record *recorded)
{
    if (!call || is_error((uint64_t)recorded->result)) {
        return;
    }
    if (strcmp(call->name, "shmat") == 0) {
        tcgrr_segment_attached((uint64_t)recorded->result, recorded->arguments[TCGRR_INPUTS_SEGMENT]);
    } else if (strcmp(call->name, "shmdt") == 0) {
        tcgrr_segment_detached(inputs->call->given[0]);
    }
}

static void give(struct tcgrr_inputs *inputs, const struct tcgrr_call *call, int64_t number, int64_t *result)
{
    const struct tcgrr_inputs_record *recorded = &inputs->call->recorded;
    bool maps = call && call->kind == TCGRR_CALL_MAPS;
    bool resumes = call && call->kind == TCGRR_CALL_RESUMES;
    struct tcgrr_call_pending *pending = inputs->writes && inputs->call->pending_count > 0
                                             ? &inputs->call->pending[inputs->call->pending_count - 1]
                                             : NULL;

    if (!tcgrr_inputs_read_record(inputs, recorded)) {
        tcgrr_inputs_give_up(inputs, TCGRR_INPUTS_LACK_ALL);
        return;
    }
    if ((recorded->result == INTERRUPTED || *result == INTERRUPTED) && inputs->writes) {
        if (recorded->result != *result || !pending || !pending->again) {
            tcgrr_inputs_give_up(inputs, TCGRR_INPUTS_LACK_AGAIN);
        }
        return;
    }
    doubt(inputs, call, recorded);
    if (resumes) {
        inputs->call->pending_count -= pending != NULL;
        return;
    }
    if (recorded->result != *result && !inputs->writes && call && strcmp(call->name, "set_tid_address") == 0) {
        return; /* every C library makes this call, for its main thread's number, which differs in each run */
    }
    if (call && inputs->writes) {
        reserve_around(inputs, call, recorded, true);
    }
    if (recorded->result != *result && (!inputs->writes || (maps && !inputs->call->answered))) {
        tell_difference(inputs, number, *result, recorded->result);
        return;
    }
    if (inputs->writes || !maps) {
        tcgrr_inputs_restore_memory(inputs);
    }
    note_segment(inputs, call, recorded);
    if (pending) {
        pending->sets_result = recorded->result != *result;
        pending->result = (uint64_t)recorded->result;
        *result = recorded->result;
        inputs->call->pending_count -= !pending->sets_result && pending->replaced == 0;
    }
}

void tcgrr_inputs_give(struct tcgrr_inputs *inputs, int64_t number, int64_t *result)
{
    const struct tcgrr_call *call = tcgrr_call_find(inputs->numbers, number);

    if (!inputs->ended && !inputs->writes && !inputs->call->expects && tcgrr_threads_several() &&
        tcgrr_inputs_may_block(number)) {
        inputs->call->expects = find_recorded(inputs, number, &inputs->call->recorded);
    }
    if (inputs->call->lets_in) {
        tcgrr_inputs_write_memory(inputs, inputs->call->time_at, inputs->call->time_before, TCGRR_TIME_BYTES);
    }
    if (inputs->call->expects) {
        give(inputs, call, number, result);
    }
    if (tcgrr_inputs_host_signal(inputs, inputs->call->sends) != 0) {
        tcgrr_inputs_send_signals(inputs, &inputs->call->followed);
    } else if (inputs->call->sends != 0) {
        tcgrr_inputs_give_up(inputs, TCGRR_INPUTS_LACK_UNSENT);
    }
    inputs->call->sends = inputs->call->enters = 0;
    inputs->call->expects = inputs->call->prepared = inputs->call->answered = inputs->call->deferred =
        inputs->call->lets_in = false;
}

static struct tcgrr_call_pending *find_pending(struct tcgrr_inputs *inputs, uint64_t pc)
{
    uint64_t stack = 0;

    for (unsigned i = inputs->call->pending_count; i > 0; i--) {
        struct tcgrr_call_pending *pending = &inputs->call->pending[i - 1];
        if (pending->pc == pc && (!pending->again || tcgrr_inputs_returned(inputs))) {
            stack = stack ? stack : tcgrr_inputs_get_register(inputs, inputs->stack);
            if (pending->stack == stack) {
                inputs->call->pending_count = i - 1;
                return pending;
            }
        }
    }
    return NULL;
}

/* Restores the call's own number and arguments in the ucontext of the handler that interrupted it. */
static void put_back_context(const struct tcgrr_inputs *inputs, const struct tcgrr_call_pending *pending)
{
    const struct tcgrr_syscall_abi *abi = inputs->abi;
    uint64_t context = tcgrr_inputs_handler_ucontext(inputs), pc;
    size_t size = sizeof(uint64_t);

    if (!tcgrr_inputs_read_memory(inputs, context + abi->interrupted, &pc, sizeof(pc)) || pc != pending->pc) {
        return; /* the ucontext of another handler, which has not begun */
    }
    for (unsigned i = 0; i < 6; i++) {
        if (pending->replaced & 1u << i && (pending->again || inputs->arguments[i] != inputs->result)) {
            tcgrr_inputs_write_memory(inputs, context + abi->interrupted_arguments[i], &pending->arguments[i], size);
        }
    }
    if (pending->replaced & TCGRR_CALL_NUMBER_REPLACED && (pending->again || inputs->number != inputs->result)) {
        tcgrr_inputs_write_memory(inputs, context + abi->interrupted_number, &pending->number, size);
    }
    if (pending->sets_result) {
        tcgrr_inputs_write_memory(inputs, context + abi->interrupted_result, &pending->result, size);
    }
}

void tcgrr_inputs_restore_registers(struct tcgrr_inputs *inputs)
{
    const struct tcgrr_call_pending *pending =
        inputs->call->pending_count > 0 ? &inputs->call->pending[inputs->call->pending_count - 1] : NULL;

    for (unsigned i = HANDLER_ARGUMENTS; pending && i < 6; i++) {
        if (pending->replaced & 1u << i) {
            tcgrr_inputs_set_register(inputs, inputs->arguments[i], pending->arguments[i]);
        }
    }
    if (pending && pending->replaced & TCGRR_CALL_NUMBER_REPLACED && inputs->original) {
        tcgrr_inputs_set_register(inputs, inputs->original, pending->number);
    }
    if (pending) {
        put_back_context(inputs, pending);
    }
}

void tcgrr_inputs_on_return(unsigned vcpu, void *pc)
{
    struct tcgrr_inputs *inputs = mine();
    struct tcgrr_call_pending *pending =
        inputs && inputs->call->pending_count > 0 ? find_pending(inputs, (uintptr_t)pc) : NULL;

    if (!pending) {
        return;
    }
    for (unsigned i = 0; i < 6; i++) {
        /* On most targets the register of the first argument already has the result. */
        if (pending->replaced & 1u << i && (pending->again || inputs->arguments[i] != inputs->result)) {
            tcgrr_inputs_set_register(inputs, inputs->arguments[i], pending->arguments[i]);
        }
    }
    if (pending->replaced & TCGRR_CALL_NUMBER_REPLACED && (pending->again || inputs->number != inputs->result)) {
        tcgrr_inputs_set_register(inputs, inputs->number, pending->number);
    }
    if (pending->replaced & TCGRR_CALL_NUMBER_REPLACED && inputs->original &&
        tcgrr_inputs_get_register(inputs, inputs->original) !=
            RESUME_X86) { /* a handler ran in between and left its own values */
        tcgrr_inputs_set_register(inputs, inputs->original, pending->number);
    }
    if (pending->sets_result) {
        tcgrr_inputs_set_register(inputs, inputs->result, pending->result);
    }
}
