/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libtcgrr-plugin.so: loaded by tcgrr into a QEMU of any plugin API version. Its arguments: emu/plugin/arguments.h. */
#include "emu/plugin/access.h"
#include "emu/plugin/arguments.h"
#include "emu/plugin/flush.h"
#include "emu/plugin/follow.h"
#include "emu/plugin/auxv.h"
#include "emu/plugin/fork.h"
#include "emu/plugin/inputs.h"
#include "emu/plugin/mapped.h"
#include "emu/plugin/moving.h"
#include "emu/plugin/pause.h"
#include "emu/plugin/peek.h"
#include "emu/plugin/sample.h"
#include "emu/plugin/slow.h"
#include "emu/plugin/start.h"
#include "emu/plugin/threads.h"
#include "emu/plugin/yield.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT extern int qemu_plugin_version;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_plugin_info *info, int argc, char **argv);

/* Read by QEMU after dlopen(), and thus after our constructor. */
int qemu_plugin_version = 1;

static struct tcgrr_follow follow; /* constant after install */
static _Thread_local bool calls;   /* user mode: in a system call that has not returned */

struct tcgrr_plugin tcgrr_plugin = {.vcpu = UINT_MAX, .signal_at = UINT64_MAX, .sampling = TCGRR_SAMPLING_OFF};

__attribute__((constructor)) static void settle_version(void)
{
    tcgrr_api_load(&tcgrr_plugin.api);
    qemu_plugin_version = tcgrr_plugin.api.version;
}

/* The open translation's end was not seen: reports how far it certainly got. */
static __attribute__((noinline)) void push_left(struct tcgrr_plugin *plugin)
{
    uint32_t left = (uint32_t)*plugin->mark;

    tcgrr_ring_push(&plugin->ring, tcgrr_wire_word(TCGRR_WIRE_LEFT, plugin->open->count - left));
    /* A last instruction that was reached has retired if it is a branch, even if its class does not say so. */
    if (left > 1) {
        plugin->sampling.countdown += plugin->sampling.open_transfer;
    }
    *plugin->mark = 0;
}

static void find_mark(struct tcgrr_plugin *plugin)
{
    plugin->mark = plugin->score ? plugin->api.scoreboard_find(plugin->score, plugin->vcpu) : plugin->plain_mark;
}

static __attribute__((noinline)) void switch_vcpu(struct tcgrr_plugin *plugin, unsigned vcpu)
{
    if (tcgrr_left_block_early(plugin)) {
        push_left(plugin);
    }
    plugin->vcpu = vcpu;
    plugin->thread = pthread_self();
    find_mark(plugin);
    tcgrr_ring_push(&plugin->ring, tcgrr_wire_word(TCGRR_WIRE_VCPU, plugin->system ? vcpu : tcgrr_threads_current()));
}

void tcgrr_plugin_switch_thread(unsigned vcpu)
{
    struct tcgrr_plugin *plugin = &tcgrr_plugin;

    if (!plugin->silent) {
        switch_vcpu(plugin, vcpu);
        if (plugin->inputs) {
            tcgrr_inputs_resume_thread(false);
        }
    }
}

/* Undone by push_left() if the translation does not reach its branch. */
static inline void count_transfer(struct tcgrr_plugin *plugin, const struct tcgrr_translation *translation)
{
    plugin->sampling.countdown -= translation->transfer;
    plugin->sampling.open_transfer = translation->transfer;
}

static inline bool has_threads(const struct tcgrr_plugin *plugin)
{
    return atomic_load_explicit(&plugin->threads, memory_order_relaxed);
}

static void end_with_threads(struct tcgrr_plugin *plugin)
{
    if (!plugin->silent) {
        uint32_t *space = tcgrr_ring_space(&plugin->ring);
        space[0] = tcgrr_wire_word(TCGRR_WIRE_EVENT, TCGRR_WIRE_THREAD | 1 << 8);
        space[1] = plugin->vcpu;
        tcgrr_ring_publish(&plugin->ring, 2);
        plugin->signal_at = UINT64_MAX; /* no input is recorded or given any more */
        plugin->silent = true;
        tcgrr_threads_release_all();
    }
}

/* The same as enter(), for callbacks that have more to do than writing to the ring. */
static __attribute__((noinline)) void enter_slowly(struct tcgrr_translation *translation, bool marked, bool moving,
                                                   bool sampled)
{
    struct tcgrr_plugin *plugin = &tcgrr_plugin;

    if (has_threads(plugin)) {
        end_with_threads(plugin);
        return;
    }
    if (*plugin->mark > 0) {
        push_left(plugin);
    }
    if (marked) {
        *plugin->mark = translation->unsure;
        plugin->open = translation;
    }
    if (moving && translation->epoch != plugin->epochs[translation->half]) {
        tcgrr_moving_check(plugin, translation);
    }
    tcgrr_ring_push(&plugin->ring, translation->number);
    if (plugin->position >= plugin->signal_at) {
        tcgrr_inputs_on_position();
    }
    if (sampled) {
        if (translation->origin) {
            tcgrr_sampling_begin(plugin);
            translation->origin = 0;
        }
        if (plugin->sampling.countdown <= 0) {
            if (!plugin->sampling.announced) {
                tcgrr_start_digest();
            }
            tcgrr_sample(plugin);
        }
        count_transfer(plugin, translation);
    }
}

/* In user mode threads are switched elsewhere, except at the first block of the first thread, and of others whose vCPU
 * QEMU has not reported before. False: the block is of a thread that is not recorded. */
static __attribute__((noinline)) bool switch_here(struct tcgrr_plugin *plugin, unsigned vcpu)
{
    if (plugin->system || !plugin->begun) {
        switch_vcpu(plugin, vcpu);
        return true;
    }
    if (tcgrr_threads_is_new()) {
        tcgrr_plugin_start_thread(vcpu);
    }
    if (!tcgrr_threads_runs()) {
        return false;
    }
    if (!plugin->mark) {
        switch_vcpu(plugin, vcpu);
    }
    plugin->vcpu = vcpu;
    return true;
}

/*
 * The hot path: a translation begins to run. Checks now whether the previous one was seen to its end, because its mark
 * is reused; if neither of the two can be left early, there is nothing to set. Inlining makes the variants. Rare cases
 * are called last, so that no registers have to be saved across them.
 */
static inline void enter(unsigned vcpu, struct tcgrr_translation *translation, bool marked, bool several_vcpus,
                         bool moving, bool sampled)
{
    struct tcgrr_plugin *plugin = &tcgrr_plugin;

    if (several_vcpus && __builtin_expect(vcpu != plugin->vcpu, 0)) {
        if (plugin->silent || !switch_here(plugin, vcpu)) {
            return;
        }
    }
    bool rare = *plugin->mark > 0;
    if (several_vcpus) {
        plugin->position += translation->count;
        rare |= has_threads(plugin) | (plugin->position >= plugin->signal_at);
    }
    if (moving) {
        rare |= translation->epoch != plugin->epochs[translation->half];
    }
    if (sampled) {
        rare |= (plugin->sampling.countdown <= 0) | translation->origin;
    }
    if (__builtin_expect(rare, 0)) {
        enter_slowly(translation, marked, moving, sampled);
        return;
    }
    if (marked) {
        *plugin->mark = translation->unsure;
        plugin->open = translation;
    }
    if (sampled) {
        count_transfer(plugin, translation);
    }
    tcgrr_ring_push(&plugin->ring, translation->number);
}

static void on_plain_block(unsigned vcpu, void *translation)
{
    enter(vcpu, translation, false, false, false, false);
}

static void on_marked_block(unsigned vcpu, void *translation)
{
    enter(vcpu, translation, true, false, false, false);
}

static void on_moving_plain_block(unsigned vcpu, void *translation)
{
    enter(vcpu, translation, false, false, true, false);
}

static void on_moving_marked_block(unsigned vcpu, void *translation)
{
    enter(vcpu, translation, true, false, true, false);
}

static void on_any_block(unsigned vcpu, void *translation)
{
    enter(vcpu, translation, true, true, true, true);
}

/* Level full. */
static void on_accessing_block(unsigned vcpu, void *translation)
{
    enter(vcpu, translation, true, true, true, true);
    tcgrr_access_enter(&tcgrr_plugin, translation);
}

/* Code may run at other addresses from here on. */
static void on_remapping_block(unsigned vcpu, void *userdata)
{
    struct tcgrr_translation *translation = userdata;
    enter(vcpu, translation, true, true, true, true);
    if (tcgrr_plugin.accesses) {
        tcgrr_access_enter(&tcgrr_plugin, translation);
    }
    tcgrr_plugin.epochs[0] += translation->remaps & 1;
    tcgrr_plugin.epochs[1] += translation->remaps >> 1;
}

void tcgrr_on_thread_block(unsigned vcpu, void *nothing)
{
    if (vcpu == tcgrr_plugin.vcpu) {
        end_with_threads(&tcgrr_plugin);
    }
}

/* A block that may be QEMU's repetition of an access; see tcgrr_on_single_access(). */
static void on_single_block(unsigned vcpu, void *userdata)
{
    struct tcgrr_translation *translation = userdata;
    translation->entered = 1;
    enter(vcpu, translation, true, true, true, true);
    if (tcgrr_plugin.accesses) {
        tcgrr_access_enter(&tcgrr_plugin, translation);
    }
}

/* The same if there is nothing else to do. */
static void on_plain_single_block(unsigned vcpu, void *userdata)
{
    struct tcgrr_translation *translation = userdata;
    translation->entered = 1;
    enter(vcpu, translation, true, false, true, false);
}

tcgrr_exec_cb tcgrr_block_callback(const struct tcgrr_plugin *plugin, const struct tcgrr_translation *translation)
{
    if (translation->remaps) {
        return on_remapping_block;
    }
    /* Also used until the first block, which initialises the state, has run. */
    bool anything = !plugin->one_vcpu || plugin->vcpu == UINT_MAX || plugin->sampling.on || plugin->accesses;
    if (tcgrr_may_repeat(plugin, translation)) {
        return anything ? on_single_block : on_plain_single_block;
    }
    if (plugin->accesses) {
        return on_accessing_block;
    }
    if (anything) {
        return on_any_block;
    }
    bool marked = translation->unsure > 0;
    if (plugin->pc_register) {
        return marked ? on_moving_marked_block : on_moving_plain_block;
    }
    return marked ? on_marked_block : on_plain_block;
}

/* `values` are 64-bit words; the ring takes them low half first. */
static void push_event(struct tcgrr_plugin *plugin, enum tcgrr_wire_event kind, unsigned vcpu, const uint64_t *values,
                       unsigned count)
{
    bool other_thread = !plugin->system && plugin->vcpu != UINT_MAX && vcpu != plugin->vcpu;
    if (plugin->silent || other_thread) {
        return;
    }
    vcpu = plugin->system ? vcpu : tcgrr_threads_current();
    uint32_t *space = tcgrr_ring_space(&plugin->ring);
    space[0] = tcgrr_wire_word(TCGRR_WIRE_EVENT, kind | (1 + 2 * count) << 8);
    space[1] = vcpu;
    for (unsigned i = 0; i < count; i++) {
        space[2 + 2 * i] = (uint32_t)values[i];
        space[3 + 2 * i] = (uint32_t)(values[i] >> 32);
    }
    tcgrr_ring_publish(&plugin->ring, 2 + 2 * count);
}

/* Whether this is the kind of access that an instruction makes last; API 1 cannot be asked for one kind only. */
static bool is_last_access(const struct tcgrr_plugin *plugin, const struct tcgrr_translation *translation,
                           uint32_t info)
{
    return !translation->ends_with_store || plugin->api.mem_is_store(info);
}

/*
 * The last access of a short block: its own, if the callback at its head was called; otherwise QEMU made the block to
 * repeat a device access. QEMU 7.2 also calls it for accesses of later blocks, and for what an interrupt pushes; these
 * are ignored.
 */
void tcgrr_on_single_access(unsigned vcpu, uint32_t info, uint64_t vaddr, void *userdata)
{
    const struct tcgrr_translation *translation = userdata;
    struct tcgrr_plugin *plugin = &tcgrr_plugin;

    if (!is_last_access(plugin, translation, info)) {
        return;
    }
    if (translation->entered) {
        if (plugin->open == translation && translation->access_retires) {
            *plugin->mark = 0;
        }
    } else {
        push_event(plugin, TCGRR_WIRE_RERUN, vcpu, &(uint64_t){translation->number}, 1);
    }
}

void tcgrr_on_mark(unsigned vcpu, void *unsure)
{
    *tcgrr_plugin.mark = (intptr_t)unsure;
}

void tcgrr_on_last_access(unsigned vcpu, uint32_t info, uint64_t vaddr, void *userdata)
{
    const struct tcgrr_translation *translation = userdata;
    if (tcgrr_plugin.open == translation && is_last_access(&tcgrr_plugin, translation, info)) {
        *tcgrr_plugin.mark = 0;
    }
}

void tcgrr_plugin_start_thread(unsigned vcpu)
{
    struct tcgrr_plugin *plugin = &tcgrr_plugin;

    tcgrr_threads_start(vcpu);
    if (!plugin->silent && plugin->inputs) {
        tcgrr_inputs_resume_thread(true);
    }
    push_event(plugin, TCGRR_WIRE_INIT, vcpu, NULL, 0);
}

static void vcpu_started(unsigned vcpu)
{
    struct tcgrr_plugin *plugin = &tcgrr_plugin;

    if (!plugin->system && plugin->begun) {
        if (tcgrr_threads_is_new()) { /* QEMU 7.2 reports it in the thread that makes it */
            tcgrr_plugin_start_thread(vcpu);
        }
        return;
    }
    plugin->begun = true;
    push_event(plugin, TCGRR_WIRE_INIT, vcpu, NULL, 0);
    if (plugin->events_only) {
        return;
    }
    if (plugin->inputs) {
        tcgrr_inputs_find_registers(plugin);
    }
    tcgrr_moving_init(plugin);
    tcgrr_sampling_init(plugin);
    if (plugin->vcpu != UINT_MAX) {
        find_mark(plugin); /* QEMU may have moved the scoreboard to make it longer */
    }
}

static void vcpu_ended(unsigned vcpu)
{
    push_event(&tcgrr_plugin, TCGRR_WIRE_EXIT, vcpu, NULL, 0);
}

static void vcpu_idles(unsigned vcpu)
{
    push_event(&tcgrr_plugin, TCGRR_WIRE_IDLE, vcpu, NULL, 0);
}

static void vcpu_resumes(unsigned vcpu)
{
    push_event(&tcgrr_plugin, TCGRR_WIRE_RESUME, vcpu, NULL, 0);
}

static void flushed(void)
{
    bool returned = tcgrr_plugin.returned == tcgrr_ring_space(&tcgrr_plugin.ring);

    if (!tcgrr_plugin.silent && tcgrr_left_block_early(&tcgrr_plugin)) {
        push_left(&tcgrr_plugin); /* the length of the open translation is unknown once it is discarded */
    }
    push_event(&tcgrr_plugin, TCGRR_WIRE_FLUSH, 0, NULL, 0);
    if (returned) {
        tcgrr_plugin.returned = tcgrr_ring_space(&tcgrr_plugin.ring); /* nothing ran since then */
    }
    tcgrr_instrument_forget(&tcgrr_plugin);
    if (tcgrr_plugin.accesses) {
        tcgrr_access_forget(&tcgrr_plugin);
    }
}

static void discontinued(unsigned vcpu, unsigned type, uint64_t from, uint64_t to)
{
    uint64_t values[] = {type, from, to};
    push_event(&tcgrr_plugin, TCGRR_WIRE_DISCONTINUITY, vcpu, values, 3);
}

static void finish(void)
{
    struct tcgrr_plugin *plugin = &tcgrr_plugin;

    if (plugin->inputs) {
        tcgrr_inputs_finish();
    }
    if (!plugin->silent) {
        if (tcgrr_left_block_early(plugin)) {
            push_left(plugin);
        }
        /* A signal that ends a program arrives between instructions. */
        bool inside = plugin->mark && pthread_equal(plugin->thread, pthread_self()) && (plugin->system || calls);
        tcgrr_ring_push(&plugin->ring, tcgrr_wire_word(TCGRR_WIRE_END, inside));
        plugin->silent = true;
    }
    atomic_store_explicit(&plugin->ring.header->state, TCGRR_WIRE_FINISHED, memory_order_release);
}

void tcgrr_plugin_hand_over(void)
{
    struct tcgrr_plugin *plugin = &tcgrr_plugin;

    if (tcgrr_left_block_early(plugin)) {
        push_left(plugin);
    }
    push_event(plugin, TCGRR_WIRE_EXEC, plugin->vcpu, NULL, 0);
    push_event(plugin, TCGRR_WIRE_FLUSH, 0, NULL, 0);
    tcgrr_ring_hand_over(&plugin->ring);
}

void tcgrr_plugin_event(enum tcgrr_wire_event kind, unsigned vcpu, const uint64_t *values, unsigned count)
{
    push_event(&tcgrr_plugin, kind, vcpu, values, count);
}

_Noreturn void tcgrr_plugin_leave(void)
{
    finish();
    _exit(0);
}

/* The host executes another program in place of this one; if inputs are given, that has run already. */
static void end_before_exec(void)
{
    if (tcgrr_inputs_are_given()) {
        tcgrr_plugin_leave();
    }
    finish();
}

static void syscall_entered(unsigned vcpu, int64_t number, const uint64_t arguments[8])
{
    uint64_t values[9];
    memcpy(values + 1, arguments, 8 * sizeof(uint64_t));
    calls = true;
    if (tcgrr_plugin.inputs && !tcgrr_plugin.silent) {
        number = tcgrr_inputs_enter(number, values + 1);
    }
    values[0] = (uint64_t)number;
    push_event(&tcgrr_plugin, TCGRR_WIRE_SYSCALL_ENTRY, vcpu, values, 9);
    if (tcgrr_plugin.inputs && !tcgrr_plugin.silent && tcgrr_inputs_executes(number) &&
        tcgrr_follow_exec(&follow, tcgrr_inputs_end_here(), values + 1)) {
        end_before_exec();
    }
    if (tcgrr_plugin.inputs && !tcgrr_plugin.silent && tcgrr_inputs_may_block(number)) {
        bool settles = tcgrr_inputs_must_settle_before();
        tcgrr_threads_leave();
        if (settles) {
            tcgrr_threads_enter(vcpu);
            tcgrr_inputs_settle();
        }
    }
}

static void syscall_returned(unsigned vcpu, int64_t number, int64_t result)
{
    calls = false;
    tcgrr_mapped_changed();
    tcgrr_fork_made(result);
    if (tcgrr_plugin.silent && !tcgrr_fork_returned(vcpu)) {
        return;
    }
    if (tcgrr_threads_several()) {
        tcgrr_threads_enter(vcpu);
    }
    int32_t made = tcgrr_plugin.inputs && result > 0 && tcgrr_inputs_makes_thread(number, result) ? (int32_t)result : 0;
    if (tcgrr_plugin.inputs) {
        number = tcgrr_inputs_return(number, &result);
    }
    uint64_t values[] = {(uint64_t)number, (uint64_t)result};
    push_event(&tcgrr_plugin, TCGRR_WIRE_SYSCALL_RETURN, vcpu, values, 2);
    if (made != 0) {
        tcgrr_inputs_leave_turn();
        tcgrr_threads_on_create(made, vcpu);
        tcgrr_inputs_resume_thread(true);
    }
    tcgrr_plugin.returned = tcgrr_ring_space(&tcgrr_plugin.ring);
}

/* The two forms of each callback that API 7 changed: `_1` for APIs 1 to 6, `_7` from 7 on. */
static void tb_trans_1(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    tcgrr_instrument(&tcgrr_plugin, tb);
}
static void tb_trans_7(struct qemu_plugin_tb *tb, void *userdata)
{
    tcgrr_instrument(&tcgrr_plugin, tb);
}
static void init_1(qemu_plugin_id_t id, unsigned vcpu)
{
    vcpu_started(vcpu);
}
static void init_7(unsigned vcpu, void *userdata)
{
    vcpu_started(vcpu);
}
static void exit_1(qemu_plugin_id_t id, unsigned vcpu)
{
    vcpu_ended(vcpu);
}
static void exit_7(unsigned vcpu, void *userdata)
{
    vcpu_ended(vcpu);
}
static void idle_1(qemu_plugin_id_t id, unsigned vcpu)
{
    vcpu_idles(vcpu);
}
static void idle_7(unsigned vcpu, void *userdata)
{
    vcpu_idles(vcpu);
}
static void resume_1(qemu_plugin_id_t id, unsigned vcpu)
{
    vcpu_resumes(vcpu);
}
static void resume_7(unsigned vcpu, void *userdata)
{
    vcpu_resumes(vcpu);
}
static void flush_1(qemu_plugin_id_t id)
{
    flushed();
}
static void flush_7(void *userdata)
{
    flushed();
}
static void atexit_1(qemu_plugin_id_t id, void *userdata)
{
    finish();
}
static void atexit_7(void *userdata)
{
    finish();
}
static void discon_6(qemu_plugin_id_t id, unsigned vcpu, unsigned type, uint64_t from, uint64_t to)
{
    discontinued(vcpu, type, from, to);
}
static void discon_7(unsigned vcpu, unsigned type, uint64_t from, uint64_t to, void *userdata)
{
    discontinued(vcpu, type, from, to);
}
static void syscall_1(qemu_plugin_id_t id, unsigned vcpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3,
                      uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
    syscall_entered(vcpu, number, (const uint64_t[]){a1, a2, a3, a4, a5, a6, a7, a8});
}
static void syscall_7(unsigned vcpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5,
                      uint64_t a6, uint64_t a7, uint64_t a8, void *userdata)
{
    syscall_entered(vcpu, number, (const uint64_t[]){a1, a2, a3, a4, a5, a6, a7, a8});
}
static void syscall_ret_1(qemu_plugin_id_t id, unsigned vcpu, int64_t number, int64_t result)
{
    syscall_returned(vcpu, number, result);
}
static void syscall_ret_7(unsigned vcpu, int64_t number, int64_t result, void *userdata)
{
    syscall_returned(vcpu, number, result);
}

/* Registers everything; returns the wire features that this QEMU has. */
static uint32_t register_callbacks(struct tcgrr_plugin *plugin, qemu_plugin_id_t id)
{
    enum { ALWAYS, BLOCKS, USER_MODE }; /* at any level, where blocks are recorded, in user mode */
    static const struct {
        const char *name;
        tcgrr_any_cb form_1;
        tcgrr_any_cb form_7;
        int when;
    } callbacks[] = {
        {"qemu_plugin_register_vcpu_tb_trans_cb", (tcgrr_any_cb)tb_trans_1, (tcgrr_any_cb)tb_trans_7, BLOCKS},
        {"qemu_plugin_register_vcpu_init_cb", (tcgrr_any_cb)init_1, (tcgrr_any_cb)init_7, ALWAYS},
        {"qemu_plugin_register_vcpu_exit_cb", (tcgrr_any_cb)exit_1, (tcgrr_any_cb)exit_7, BLOCKS},
        {"qemu_plugin_register_vcpu_idle_cb", (tcgrr_any_cb)idle_1, (tcgrr_any_cb)idle_7, BLOCKS},
        {"qemu_plugin_register_vcpu_resume_cb", (tcgrr_any_cb)resume_1, (tcgrr_any_cb)resume_7, BLOCKS},
        {"qemu_plugin_register_flush_cb", (tcgrr_any_cb)flush_1, (tcgrr_any_cb)flush_7, BLOCKS},
        {"qemu_plugin_register_atexit_cb", (tcgrr_any_cb)atexit_1, (tcgrr_any_cb)atexit_7, ALWAYS},
        {"qemu_plugin_register_vcpu_syscall_cb", (tcgrr_any_cb)syscall_1, (tcgrr_any_cb)syscall_7, USER_MODE},
        {"qemu_plugin_register_vcpu_syscall_ret_cb", (tcgrr_any_cb)syscall_ret_1, (tcgrr_any_cb)syscall_ret_7,
         USER_MODE},
    };
    uint32_t features = 0;

    for (size_t i = 0; i < sizeof(callbacks) / sizeof(callbacks[0]); i++) {
        if (callbacks[i].when == USER_MODE ? plugin->system : callbacks[i].when == BLOCKS && plugin->events_only) {
            continue;
        }
        bool done = tcgrr_api_register(&plugin->api, id, callbacks[i].name,
                                       plugin->api.version >= 7 ? callbacks[i].form_7 : callbacks[i].form_1);
        if (done && callbacks[i].when == USER_MODE) {
            features |= TCGRR_WIRE_SYSCALL;
        }
    }
    if (!plugin->system) {
        return features; /* signals are not discontinuities of QEMU's, and it reports no others in user mode */
    }
    if (plugin->api.register_discon_7) {
        plugin->api.register_discon_7(id, QEMU_PLUGIN_DISCON_ALL, (tcgrr_any_cb)discon_7, NULL);
        features |= TCGRR_WIRE_DISCON;
    } else if (plugin->api.register_discon_6) {
        plugin->api.register_discon_6(id, QEMU_PLUGIN_DISCON_ALL, (tcgrr_any_cb)discon_6);
        features |= TCGRR_WIRE_DISCON;
    }
    return features;
}

static void reset_1(qemu_plugin_id_t id)
{
    register_callbacks(&tcgrr_plugin, id);
}
static void reset_7(void *userdata)
{
    register_callbacks(&tcgrr_plugin, tcgrr_plugin.id);
}

/* QEMU may exit between a reset, which removes all callbacks, and their registration; the exit callback is then not
 * called. A program in user mode exits without running destructors, and needs that callback. */
__attribute__((destructor)) static void leave(void)
{
    const struct tcgrr_wire_header *header = tcgrr_plugin.ring.header;

    if (tcgrr_plugin.system && header &&
        atomic_load_explicit(&header->state, memory_order_relaxed) == TCGRR_WIRE_RUNNING) {
        finish();
    }
}

static int refuse(const char *why)
{
    fprintf(stderr, "libtcgrr-plugin: %s\n", why);
    return 1;
}

static int probe(const struct qemu_plugin_info *info, int fd)
{
    dprintf(fd, "target=%s min=%d cur=%d api=%d system=%d discon=%d io_uring=%d\n", info->target_name,
            info->version.min, info->version.cur, qemu_plugin_version, info->system_emulation,
            info->system_emulation && tcgrr_api_has_discon(&tcgrr_plugin.api),
            dlsym(RTLD_DEFAULT, "io_uring_queue_init") != NULL); /* QEMU is linked with liburing */
    return 1;
}

/* A hash of the environment, in its order, because a program in user mode sees it. */
static uint64_t hash_environment(void)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (char **entry = environ; *entry; entry++) {
        for (const char *byte = *entry;; byte++) {
            hash = (hash ^ (uint8_t)*byte) * 0x100000001b3u;
            if (!*byte) {
                break;
            }
        }
    }
    return hash;
}

static void introduce(struct tcgrr_plugin *plugin, const struct qemu_plugin_info *info, uint32_t features)
{
    struct tcgrr_wire_header *header = plugin->ring.header;

    snprintf(header->target, sizeof(header->target), "%s", info->target_name);
    header->api = plugin->api.version;
    header->api_min = info->version.min;
    header->api_cur = info->version.cur;
    header->system = plugin->system;
    header->vcpus = plugin->system ? (uint32_t)info->system.smp_vcpus : 1;
    header->features = features | (plugin->sampling.on && plugin->api.mem_value ? TCGRR_WIRE_STORES : 0);
    if (header->environment == 0) { /* otherwise keep that of the program that executed this one */
        header->environment = hash_environment();
    }
    atomic_store_explicit(&header->state, TCGRR_WIRE_RUNNING, memory_order_release);
}

/* Sets up what the run and this QEMU need. */
static void configure(struct tcgrr_plugin *plugin, const struct qemu_plugin_info *info,
                      const struct tcgrr_arguments *arguments)
{
    plugin->events_only = strcmp(arguments->level, "inputs") == 0;
    if (strcmp(arguments->level, "flow") != 0 && !plugin->events_only && plugin->api.get_registers &&
        plugin->api.read_register) {
        plugin->sampling = (struct tcgrr_sampling){.on = true};
    }
    plugin->isa = tcgrr_isa_of_target(info->target_name);
    plugin->texts = arguments->texts;
    plugin->system = info->system_emulation;
    plugin->api.vsyscalls = !plugin->system && plugin->isa == TCGRR_ISA_X86;
    plugin->one_vcpu = plugin->system && info->system.max_vcpus == 1;
    /*
     * With several vCPUs on one thread, as under icount, QEMU 10.0 and 11.1 miscompile inline operations on per-vCPU
     * data: guests crash. One mark serves all vCPUs, because they take turns between blocks.
     */
    plugin->plain_mark = &plugin->ring.header->mark;
    plugin->mark_by_call = !plugin->one_vcpu && !plugin->api.old_inline;
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_plugin_info *info, int argc, char **argv)
{
    struct tcgrr_plugin *plugin = &tcgrr_plugin;
    struct tcgrr_arguments arguments = TCGRR_ARGUMENTS_INIT;

    if (!tcgrr_arguments_read(argc, argv, &arguments)) {
        return refuse("an argument is not known; this plugin is loaded by tcgrr itself");
    }
    follow = arguments.follow;
    if (arguments.probe >= 0) {
        return probe(info, arguments.probe);
    }
    if (arguments.slow >= 0) {
        return tcgrr_slow_start(&plugin->api, id, arguments.slow) ? 0 : refuse("cannot slow the guest down");
    }
    if (arguments.peek >= 0) {
        return tcgrr_peek_start(&plugin->api, id, arguments.peek) ? 0 : refuse("cannot record what steps access");
    }
    const char *problem = arguments.fd < 0 ? "fd= is missing; this plugin is loaded by tcgrr itself"
                                           : tcgrr_ring_attach(&plugin->ring, arguments.fd, arguments.again);
    if (problem) {
        return refuse(problem);
    }
    configure(plugin, info, &arguments);
    bool full = strcmp(arguments.level, "full") == 0;
    if (arguments.again) {
        tcgrr_auxv_leave_out();
    }
    if (arguments.again) { /* the window may have begun in the previous program; tcgrr knows */
        arguments.window = (struct tcgrr_access_window){0};
    }
    plugin->ring.as_written = full; /* accesses hardly repeat */
    if (!tcgrr_instrument_init(plugin) || (full && !tcgrr_access_init(plugin, &arguments.window))) {
        return refuse("not enough address space");
    }
    if (arguments.log && !tcgrr_flush_start(plugin->ring.header)) {
        return refuse("cannot start a thread");
    }
    problem = arguments.inputs
                  ? tcgrr_inputs_init(plugin, info->target_name, arguments.inputs, arguments.mode, arguments.at)
                  : NULL;
    if (problem) {
        return refuse(problem);
    }
    if (arguments.pause && !(plugin->inputs && tcgrr_pause_init(plugin, arguments.pause))) {
        return refuse("cannot pause where tcgrr asks");
    }
    tcgrr_fork_init(arguments.forks);
    tcgrr_threads_init();
    tcgrr_yield_init(plugin, id, plugin->api.version >= 7 ? (tcgrr_any_cb)reset_7 : (tcgrr_any_cb)reset_1);
    introduce(plugin, info, register_callbacks(plugin, id));
    return 0;
}
