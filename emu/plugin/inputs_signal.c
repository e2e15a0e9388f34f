/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signals that one of the program's handlers takes. QEMU does not report them to plugins. When a handler begins, what
 * the program did before shows why: a signal arrived on a call's return, an instruction raised it, or it arrived while
 * the program computed.
 */
#include "emu/plugin/inputs_internal.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIGINFO_BYTES 128
#define STRETCH       (UINT64_C(1) << 18) /* instructions */

void tcgrr_inputs_announce_handler(const struct tcgrr_inputs *inputs, uint64_t handler, unsigned vcpu)
{
    if (!inputs->reads) {
        tcgrr_plugin_event(TCGRR_WIRE_HANDLER, vcpu, &handler, 1);
    }
}

/* The kernel's handler for the host's signal. The C library does not show those of the first real-time signals, which
 * it uses itself. */
static void *host_handler(int signal)
{
    struct {
        void *handler;
        uint64_t flags, restorer, mask;
    } action = {0};
    return syscall(SYS_rt_sigaction, signal, NULL, &action, sizeof(action.mask)) == 0 ? action.handler : NULL;
}

/* Notes the host's handlers before QEMU sets the program's handler of a real-time signal: QEMU maps these signals to
 * other numbers, and the change shows which. */
static void note_host_handlers(struct tcgrr_inputs *inputs)
{
    for (int host = TCGRR_SIGNALS_STANDARD; host < TCGRR_SIGNALS; host++) {
        inputs->host_handlers[host] = host_handler(host);
    }
}

void tcgrr_inputs_handler_set(struct tcgrr_inputs *inputs, const uint64_t arguments[8])
{
    uint64_t action[3] = {0}; /* handler, flags, and on x86 the restorer */
    uint64_t signal = arguments[0];
    struct tcgrr_plugin *plugin = inputs->plugin;

    if (!inputs->abi || signal == 0 || signal >= TCGRR_SIGNALS || arguments[1] == 0 ||
        !tcgrr_inputs_read_memory(inputs, arguments[1], action, sizeof(action))) {
        return;
    }
    if (signal >= TCGRR_SIGNALS_STANDARD) {
        note_host_handlers(inputs);
    }
    bool known = tcgrr_inputs_is_handler(inputs, action[0]);
    inputs->handlers[signal] = action[0] > 1 ? action[0] : 0; /* neither SIG_DFL nor SIG_IGN */
    inputs->restorers[signal] = action[2];
    if (inputs->handlers[signal] != 0 && !known) {
        tcgrr_inputs_announce_handler(inputs, action[0], plugin->vcpu);
    }
    /* A handler in code that is translated already cannot be watched. */
    for (uint32_t i = 0; inputs->handlers[signal] != 0 && !known && i < plugin->used; i++) {
        inputs->ended |= plugin->translations[i].pc == action[0];
    }
}

void tcgrr_inputs_handler_is_set(struct tcgrr_inputs *inputs, uint64_t signal)
{
    bool real_time = signal >= TCGRR_SIGNALS_STANDARD && signal < TCGRR_SIGNALS;

    for (int host = TCGRR_SIGNALS_STANDARD; real_time && host < TCGRR_SIGNALS; host++) {
        if (host_handler(host) != inputs->host_handlers[host]) {
            inputs->host_signals[signal] = (uint8_t)host;
        }
    }
}

int tcgrr_inputs_host_signal(const struct tcgrr_inputs *inputs, int64_t signal)
{
    if (signal <= 0 || signal >= TCGRR_SIGNALS) {
        return 0;
    }
    return signal < TCGRR_SIGNALS_STANDARD ? (int)signal : inputs->host_signals[signal];
}

bool tcgrr_inputs_is_handler(const struct tcgrr_inputs *inputs, uint64_t pc)
{
    for (unsigned i = 1; pc != 0 && i < TCGRR_SIGNALS; i++) {
        if (inputs->handlers[i] == pc) {
            return true;
        }
    }
    return false;
}

/* The only signal with this handler; 0 if there are several. */
static int64_t only_signal(const struct tcgrr_inputs *inputs, uint64_t handler)
{
    int64_t found = 0;
    for (unsigned i = 1; i < TCGRR_SIGNALS; i++) {
        if (inputs->handlers[i] == handler) {
            if (found != 0) {
                return 0;
            }
            found = i;
        }
    }
    return found;
}

/* Whether the program itself called the handler, if registers show that: on x86 its return address is then not the
 * restorer. */
static bool is_called(const struct tcgrr_inputs *inputs, int64_t signal, uint64_t handler)
{
    uint64_t back = 0;

    if (signal <= 0 || signal >= TCGRR_SIGNALS || inputs->handlers[signal] != handler) {
        return true;
    }
    return strcmp(inputs->abi->target, "x86_64") == 0 &&
           (!tcgrr_inputs_read_memory(inputs, tcgrr_inputs_get_register(inputs, inputs->stack), &back, sizeof(back)) ||
            back != inputs->restorers[signal]);
}

uint64_t tcgrr_inputs_handler_ucontext(const struct tcgrr_inputs *inputs)
{
    const struct tcgrr_syscall_abi *abi = inputs->abi;
    return abi->frame ? tcgrr_inputs_get_register(inputs, inputs->stack) + abi->frame
                      : tcgrr_inputs_get_register(inputs, inputs->arguments[2]);
}

/*
 * Several signals that arrive at once: the frame of the last one is on top of the others', whose handlers have not
 * begun. Puts these into `head`. They are sent again in the order of their frames. QEMU takes the first one at once,
 * and the kernel delivers the others by ascending number: if that was not their order, none can be sent.
 */
static void find_others(struct tcgrr_inputs *inputs, struct tcgrr_inputs_record *head)
{
    const struct tcgrr_syscall_abi *abi = inputs->abi;
    uint64_t context = tcgrr_inputs_handler_ucontext(inputs);
    uint64_t above = (uint64_t)head->number, pc, signal;

    for (unsigned i = 0;; i++) {
        if (!tcgrr_inputs_read_memory(inputs, context + abi->interrupted, &pc, sizeof(pc)) ||
            !tcgrr_inputs_is_handler(inputs, pc)) {
            return;
        }
        bool known =
            i < TCGRR_INPUTS_OTHERS &&
            tcgrr_inputs_read_memory(inputs, context + abi->interrupted_arguments[0], &signal, sizeof(signal)) &&
            tcgrr_inputs_read_memory(inputs, context + abi->interrupted_context, &context, sizeof(context)) &&
            signal < TCGRR_SIGNALS && inputs->handlers[signal] == pc;
        if (!known || (i > 0 && above < head->arguments[i - 1])) {
            head->number = 0;
            return;
        }
        context += abi->frame;
        above = i > 0 ? head->arguments[i - 1] : above;
        head->arguments[i] = signal;
        inputs->others[i] = context;
    }
}

/* Whether the signal arrived together with another one, and its handler begins because the other's has returned. */
static bool was_below(struct tcgrr_inputs *inputs)
{
    uint64_t context = tcgrr_inputs_handler_ucontext(inputs);
    const struct tcgrr_call *call = tcgrr_call_find(inputs->numbers, inputs->held.number);

    for (unsigned i = 0; call && call->kind == TCGRR_CALL_RESUMES && i < TCGRR_INPUTS_OTHERS; i++) {
        if (inputs->others[i] != 0 && inputs->others[i] == context) {
            inputs->others[i] = 0;
            return true;
        }
    }
    return false;
}

static bool is_raised_by_insn(int64_t signal)
{
    return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE || signal == SIGTRAP;
}

/* Records the siginfo that the handler gets. */
static void collect_siginfo(struct tcgrr_inputs *inputs)
{
    struct tcgrr_inputs_piece piece = {.size = SIGINFO_BYTES};

    g_byte_array_set_size(inputs->record, 0);
    if (!inputs->reads) {
        return;
    }
    piece.address = inputs->abi->frame ? tcgrr_inputs_get_register(inputs, inputs->stack)
                                       : tcgrr_inputs_get_register(inputs, inputs->arguments[1]);
    g_byte_array_append(inputs->record, (const guint8 *)&piece, sizeof(piece));
    g_byte_array_set_size(inputs->record, sizeof(piece) + SIGINFO_BYTES);
    if (!tcgrr_inputs_read_memory(inputs, piece.address, inputs->record->data + sizeof(piece), SIGINFO_BYTES)) {
        g_byte_array_set_size(inputs->record, 0);
    }
}

static void keep_signal(struct tcgrr_inputs *inputs, const struct tcgrr_inputs_record *head)
{
    struct tcgrr_inputs_record own = *head;

    if (inputs->holds) {
        tcgrr_inputs_write_held(inputs, head->place == TCGRR_INPUTS_AT_RETURN);
    }
    collect_siginfo(inputs);
    tcgrr_inputs_write_record(inputs, &own);
}

/* Gives the handler the recorded siginfo. */
static void give_signal(struct tcgrr_inputs *inputs, uint64_t handler)
{
    struct tcgrr_inputs_record next;

    if (!inputs->ended && tcgrr_inputs_peek_record(inputs, &next) && next.kind == TCGRR_INPUTS_SIGNAL &&
        (uint64_t)next.result == handler) {
        inputs->ended = !tcgrr_inputs_read_record(inputs, &next) || !tcgrr_inputs_restore_memory(inputs);
    }
}

void tcgrr_inputs_on_handler(unsigned vcpu, void *pc)
{
    struct tcgrr_inputs *inputs = tcgrr_plugin.inputs;
    uint64_t handler = (uintptr_t)pc;

    if (!inputs || !tcgrr_inputs_is_handler(inputs, handler)) {
        return;
    }
    struct tcgrr_plugin *plugin = inputs->plugin;
    bool returned = tcgrr_inputs_returned(inputs);
    bool left = tcgrr_left_block_early(plugin);
    int64_t signal = inputs->reads ? (int64_t)(int32_t)tcgrr_inputs_get_register(inputs, inputs->arguments[0])
                                   : only_signal(inputs, handler);
    if (!returned && inputs->reads && is_called(inputs, signal, handler)) {
        return;
    }
    struct tcgrr_inputs_record head = {.kind = TCGRR_INPUTS_SIGNAL, .number = signal, .result = (int64_t)handler};
    head.place = returned                                             ? TCGRR_INPUTS_AT_RETURN
                 : (inputs->reads ? is_raised_by_insn(signal) : left) ? TCGRR_INPUTS_AT_INSN
                                                                      : TCGRR_INPUTS_ELSEWHERE;
    if (head.place != TCGRR_INPUTS_ELSEWHERE || inputs->reads) {
        tcgrr_plugin_event(TCGRR_WIRE_SIGNAL, vcpu, (const uint64_t[]){(uint64_t)signal, handler}, 2);
    }
    if (head.place == TCGRR_INPUTS_ELSEWHERE) {
        head.position = plugin->position;
    }
    if (inputs->mode == TCGRR_INPUTS_RECORDING) {
        if (returned && inputs->reads && was_below(inputs)) {
            head.place = TCGRR_INPUTS_BELOW;
        } else if (head.place != TCGRR_INPUTS_AT_INSN && inputs->reads) {
            find_others(inputs, &head);
        }
        keep_signal(inputs, &head);
    } else {
        give_signal(inputs, handler);
        if (returned && inputs->writes) {
            tcgrr_inputs_restore_registers(inputs);
        }
    }
    tcgrr_inputs_reset_position(inputs);
}

bool tcgrr_inputs_returned(const struct tcgrr_inputs *inputs)
{
    const struct tcgrr_plugin *plugin = inputs->plugin;
    /* The ring returns to the same address, so comparing that is not enough. */
    return plugin->position == 0 && plugin->returned == tcgrr_ring_space(&plugin->ring);
}

struct tcgrr_signals tcgrr_inputs_signals_of(const struct tcgrr_inputs_record *record)
{
    struct tcgrr_signals signals = {.last = record->number};
    memcpy(signals.others, record->arguments, sizeof(signals.others));
    return signals;
}

void tcgrr_inputs_send_signals(const struct tcgrr_inputs *inputs, const struct tcgrr_signals *signals)
{
    for (unsigned i = TCGRR_INPUTS_OTHERS; i > 0; i--) {
        if (signals->others[i - 1] != 0) {
            int signal = tcgrr_inputs_host_signal(inputs, (int64_t)signals->others[i - 1]);
            syscall(SYS_tgkill, getpid(), gettid(), signal);
        }
    }
    syscall(SYS_tgkill, getpid(), gettid(), tcgrr_inputs_host_signal(inputs, signals->last));
}

/* Whether a signal with a handler may arrive while the program computes. */
static bool awaits_signals(const struct tcgrr_inputs *inputs)
{
    bool awaits = false;
    for (int signal = 1; signal < TCGRR_SIGNALS; signal++) {
        awaits = awaits || (inputs->handlers[signal] != 0 && !is_raised_by_insn(signal));
    }
    return awaits;
}

/* Sets the position at which to send this record's signal, if that arrived while the program computed. */
static void aim(struct tcgrr_inputs *inputs, const struct tcgrr_inputs_record *next)
{
    bool sent = next->kind == TCGRR_INPUTS_SIGNAL && next->place == TCGRR_INPUTS_ELSEWHERE && next->position > 0 &&
                tcgrr_inputs_host_signal(inputs, next->number) != 0;

    inputs->plugin->signal_at = sent ? next->position : UINT64_MAX;
    inputs->signals = tcgrr_inputs_signals_of(next);
}

void tcgrr_inputs_reset_position(struct tcgrr_inputs *inputs)
{
    struct tcgrr_plugin *plugin = inputs->plugin;
    struct tcgrr_inputs_record next;
    bool gives = inputs->mode == TCGRR_INPUTS_REPLAYING && inputs->writes && !inputs->ended;

    plugin->position = 0;
    plugin->signal_at = UINT64_MAX;
    if (gives && tcgrr_inputs_peek_record(inputs, &next)) {
        aim(inputs, &next);
    } else if (inputs->mode == TCGRR_INPUTS_FOLLOWING && inputs->writes && awaits_signals(inputs)) {
        plugin->signal_at = 1;
    } else if (inputs->mode == TCGRR_INPUTS_RECORDING && awaits_signals(inputs)) {
        plugin->signal_at = STRETCH;
    }
}

/* Records how far the program has computed, so that a run that follows may go that far. */
static void keep_stretch(struct tcgrr_inputs *inputs)
{
    struct tcgrr_inputs_record head = {.kind = TCGRR_INPUTS_STRETCH, .position = inputs->plugin->position};

    if (inputs->holds) {
        tcgrr_inputs_write_held(inputs, false);
    }
    g_byte_array_set_size(inputs->record, 0);
    tcgrr_inputs_write_record(inputs, &head);
    inputs->plugin->signal_at = inputs->ended ? UINT64_MAX : head.position + STRETCH;
}

/* Waits until it is known whether a signal arrives before the end of the block that begins. */
static void follow_stretches(struct tcgrr_inputs *inputs)
{
    struct tcgrr_plugin *plugin = inputs->plugin;
    struct tcgrr_inputs_record next;
    bool there = !inputs->ended && tcgrr_inputs_peek_any(inputs, &next);

    plugin->signal_at = UINT64_MAX;
    while (there && next.kind == TCGRR_INPUTS_STRETCH) {
        inputs->at += sizeof(next) + next.bytes;
        if (next.position > plugin->position) { /* a signal may still arrive at the end of that block */
            plugin->signal_at = next.position;
            return;
        }
        there = tcgrr_inputs_peek_any(inputs, &next);
    }
    if (there) {
        aim(inputs, &next);
    }
}

void tcgrr_inputs_on_position(void)
{
    struct tcgrr_plugin *plugin = &tcgrr_plugin;
    struct tcgrr_inputs *inputs = plugin->inputs;

    if (inputs->mode == TCGRR_INPUTS_RECORDING) {
        keep_stretch(inputs);
        return;
    }
    if (inputs->mode == TCGRR_INPUTS_FOLLOWING) {
        follow_stretches(inputs);
    }
    if (plugin->position ==
        plugin->signal_at) { /* if the position is past, this QEMU cuts blocks at other places: the signal is skipped */
        tcgrr_inputs_send_signals(inputs, &inputs->signals);
    }
    plugin->signal_at = plugin->signal_at > plugin->position ? plugin->signal_at : UINT64_MAX;
}
