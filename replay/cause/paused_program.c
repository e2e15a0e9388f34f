/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/paused_program.h"

#include "emu/plugin/pause.h"
#include "store/error.h"
#include "store/isa/registers.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <linux/futex.h>
#include <unistd.h>

#define EXECS   4096
#define WAIT_MS 1
#define SPINS   200

struct tcgrr_paused_program {
    struct tcgrr_paused_program_options options;
    struct tcgrr_session *session;
    struct tcgrr_pause *pause;
    struct tcgrr_chunk *chunk; /* all before the block in which it is paused */
    struct tcgrr_register_layout *registers;
    uint32_t *places; /* by register: where its value is among the plugin's */
    char *path;
    int memory; /* of QEMU's process; -1: not open yet */
};

bool tcgrr_paused_program_check(const struct tcgrr_qemu *qemu, GError **error)
{
    if (tcgrr_qemu_gives_data(qemu->target, qemu->api)) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                "%s (QEMU %s, %s) cannot replay a program so that its registers and memory can be looked at: that "
                "takes x86_64, aarch64 or riscv64 and QEMU 10.1 or later",
                qemu->path, qemu->version, qemu->target);
    return false;
}

/* ---- starting ---- */

static bool map_stand(struct tcgrr_paused_program *program, GError **error)
{
    int fd = open(program->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool good = fd >= 0 && ftruncate(fd, sizeof(*program->pause)) == 0;
    void *shared = good ? mmap(NULL, sizeof(*program->pause), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;

    if (shared == MAP_FAILED) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot share %s: %s", program->path, g_strerror(errno));
    } else {
        program->pause = shared;
    }
    if (fd >= 0) {
        close(fd);
    }
    return program->pause != NULL;
}

static bool start(struct tcgrr_paused_program *program, GError **error)
{
    struct tcgrr_session_options options = {
        .plugin = program->options.plugin, .level = TCGRR_LEVEL_FLOW, .pause = program->path};

    tcgrr_replay_files_session(program->options.files, &options);
    program->session = tcgrr_session_new(&options, error);
    if (!program->session || !tcgrr_session_start(program->session, error)) {
        return false;
    }
    tcgrr_live_init_chunk(tcgrr_session_live(program->session), program->chunk);
    return true;
}

/* Reads the plugin's description of the registers. It is memory of another process: read once, with bounds checks. */
static void learn_registers(struct tcgrr_paused_program *program)
{
    const struct tcgrr_pause *pause = program->pause;
    uint32_t count = MIN(pause->registers, (uint32_t)TCGRR_PAUSE_REGISTERS);
    uint32_t offset = 0;

    program->registers = tcgrr_register_layout_new(program->options.qemu->target);
    program->places = g_new0(uint32_t, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        struct tcgrr_pause_register reg = pause->names[i];
        reg.name[sizeof(reg.name) - 1] = reg.feature[sizeof(reg.feature) - 1] = '\0';
        if (reg.size > TCGRR_PAUSE_BYTES - offset) {
            return;
        }
        if (tcgrr_register_layout_add(program->registers, reg.name, reg.feature, reg.size)) {
            program->places[program->registers->list->len - 1] = offset;
        }
        offset += reg.size;
    }
}

/* ---- running ---- */

static bool stands(const struct tcgrr_paused_program *program)
{
    return atomic_load_explicit(&program->pause->state, memory_order_acquire) == TCGRR_PAUSE_PAUSED;
}

/* Reads what the plugin has reported until it has nothing more; *end as tcgrr_session_next() says. */
static bool drain(struct tcgrr_paused_program *program, enum tcgrr_live_end *end, GError **error)
{
    struct tcgrr_live *live = tcgrr_session_live(program->session);
    bool good = true;

    do {
        if (tcgrr_live_full(live, program->chunk)) {
            tcgrr_chunk_follow(program->chunk, program->chunk);
        }
        good = tcgrr_session_next(program->session, program->chunk, WAIT_MS, end, error);
    } while (good && *end == TCGRR_LIVE_RUNS &&
             (tcgrr_live_full(live, program->chunk) || (stands(program) && tcgrr_live_backlog(live) > 0)));
    return good;
}

static bool has_ended(struct tcgrr_paused_program *program, GError **error)
{
    g_autofree char *words = tcgrr_session_words(program->session);

    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                "the program ends in %s after %" G_GUINT64_FORMAT " instructions%s%s", program->options.qemu->path,
                program->chunk->end_icount, *words ? ": " : "", words);
    return false;
}

/* Waits until it is paused, and until all before is known. */
static bool wait_standing(struct tcgrr_paused_program *program, GError **error)
{
    enum tcgrr_live_end end = TCGRR_LIVE_RUNS;
    gint64 moved = g_get_monotonic_time();
    tcgrr_icount seen = program->chunk->end_icount;

    for (int i = 0; i < SPINS && !stands(program); i++) {
        g_thread_yield();
    }
    for (;;) {
        bool stood = stands(program); /* checked before reading what it has reported */
        if (!drain(program, &end, error)) {
            return false;
        }
        if (stood) {
            return true;
        }
        if (end != TCGRR_LIVE_RUNS) {
            return has_ended(program, error);
        }
        if (program->options.stop && *program->options.stop) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted");
            return false;
        }
        if (program->chunk->end_icount != seen) {
            seen = program->chunk->end_icount;
            moved = g_get_monotonic_time();
        } else if (g_get_monotonic_time() - moved > (gint64)program->options.hang_ms * 1000) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_HUNG, "%s hangs after icount %" G_GUINT64_FORMAT,
                        program->options.qemu->path, seen);
            return false;
        }
    }
}

/* Runs on until `left` more instructions have begun, or for one step. */
static bool run_on(struct tcgrr_paused_program *program, uint64_t left, bool step, GError **error)
{
    struct tcgrr_pause *pause = program->pause;

    pause->left = left;
    pause->steps = step;
    atomic_store_explicit(&pause->state, TCGRR_PAUSE_RUNS, memory_order_release);
    syscall(SYS_futex, &pause->state, FUTEX_WAKE, 1, NULL, NULL, 0);
    return wait_standing(program, error);
}

struct tcgrr_paused_program *tcgrr_paused_program_start(const struct tcgrr_paused_program_options *options,
                                                        GError **error)
{
    static int number; /* of its file; atomic */
    struct tcgrr_paused_program *program = g_new0(struct tcgrr_paused_program, 1);
    g_autofree char *name = g_strdup_printf("pause-%d", g_atomic_int_add(&number, 1));

    program->options = *options;
    program->memory = -1;
    program->path = tcgrr_replay_files_path(options->files, name);
    program->chunk = tcgrr_chunk_new(EXECS);
    if (!map_stand(program, error) || !start(program, error) || !wait_standing(program, error)) {
        tcgrr_paused_program_free(program);
        return NULL;
    }
    learn_registers(program);
    return program;
}

void tcgrr_paused_program_free(struct tcgrr_paused_program *program)
{
    if (!program) {
        return;
    }
    tcgrr_session_free(program->session);
    tcgrr_chunk_free(program->chunk);
    tcgrr_register_layout_unref(program->registers);
    if (program->pause) {
        munmap(program->pause, sizeof(*program->pause));
    }
    if (program->memory >= 0) {
        close(program->memory);
    }
    g_free(program->places);
    g_free(program->path);
    g_free(program);
}

tcgrr_icount tcgrr_paused_program_icount(const struct tcgrr_paused_program *program)
{
    return program->chunk->end_icount + program->pause->insn;
}

bool tcgrr_paused_program_go(struct tcgrr_paused_program *program, tcgrr_icount icount, GError **error)
{
    tcgrr_icount now;

    while ((now = tcgrr_paused_program_icount(program)) < icount) {
        uint64_t rest = program->pause->insns - MIN(program->pause->insn, program->pause->insns);
        bool inside = icount - now < rest;
        if (!run_on(program, inside ? 0 : icount - now - rest, inside, error)) {
            return false;
        }
    }
    if (now > icount) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "%s should have stopped at icount %" G_GUINT64_FORMAT " but is at %" G_GUINT64_FORMAT,
                    program->options.qemu->path, icount, now);
    }
    return now == icount;
}

bool tcgrr_paused_program_step(struct tcgrr_paused_program *program, GError **error)
{
    return run_on(program, 0, true, error);
}

/* ---- looking ---- */

const struct tcgrr_peek *tcgrr_paused_program_accesses(const struct tcgrr_paused_program *program)
{
    return &program->pause->peek;
}

struct tcgrr_register_layout *tcgrr_paused_program_registers(const struct tcgrr_paused_program *program)
{
    return program->registers;
}

/* Whether the register is x86's flags: QEMU computes them on demand, from state that is consistent only between blocks.
 * */
static bool is_late(const struct tcgrr_paused_program *program, const struct tcgrr_register *reg)
{
    return program->pause->insn > 0 && strcmp(reg->name, "eflags") == 0;
}

void tcgrr_paused_program_read_state(const struct tcgrr_paused_program *program, uint8_t *state)
{
    const GPtrArray *list = program->registers->list;
    uint64_t pc = program->pause->pc;

    for (guint i = 0; i < list->len; i++) {
        const struct tcgrr_register *reg = g_ptr_array_index(list, i);
        bool here = tcgrr_register_kind(reg->name) == TCGRR_REGISTER_PC && reg->bytes == sizeof(pc);
        state[i] = !is_late(program, reg);
        /* QEMU's own program counter is that of somewhere before. */
        memcpy(state + reg->offset, here ? (const void *)&pc : program->pause->values + program->places[i], reg->bytes);
    }
}

void tcgrr_paused_program_read_memory(struct tcgrr_paused_program *program, uint64_t address, size_t size,
                                      uint8_t *bytes, bool *there)
{
    if (program->memory < 0) {
        int pid = tcgrr_process_pid(tcgrr_session_process(program->session));
        g_autofree char *path = g_strdup_printf("/proc/%d/mem", pid);
        program->memory = open(path, O_RDONLY | O_CLOEXEC);
    }
    *there = program->pause->has_base && program->memory >= 0 &&
             pread(program->memory, bytes, size, (off_t)(program->pause->base + address)) == (ssize_t)size;
}
