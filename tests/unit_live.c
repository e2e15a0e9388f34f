/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ring between plugin and tcgrr, from both ends: a made-up plugin writes it from a thread of its own, through the
 * plugin's own code; what comes out has to be exact, and whatever is malformed has to be refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "emu/live/intake.h"
#include "emu/live/live_internal.h"
#include "emu/plugin/inputs_format.h"
#include "emu/plugin/ring.h"
#include "store/digest.h"
#include "record/repair.h"
#include "store/symbols.h"
#include "store/error.h"
#include "tests/stream.h"

#define RING_BYTES (128u << 10)
#define CAPACITY   3000
#define BLOCKS     40
#define RUNS       1000000

#define NOP  0x00000013u
#define LOAD 0x0005a503u /* lw a0, 0(a1) */

/* One recording: tcgrr's end and the plugin's. */
struct fixture {
    struct tcgrr_live *live;
    struct tcgrr_ring ring;
    struct tcgrr_chunk *chunk;
    struct tcgrr_wire_header *header; /* a mapping of our own, to write what no plugin would */
};

static void introduce(struct fixture *f, uint32_t features)
{
    strcpy(f->ring.header->target, "riscv64");
    f->ring.header->api = 7;
    f->ring.header->system = 1;
    f->ring.header->vcpus = 2;
    f->ring.header->features = features;
    atomic_store_explicit(&f->ring.header->state, TCGRR_WIRE_RUNNING, memory_order_release);
}

static struct fixture *open_ring(uint32_t features)
{
    struct fixture *f = g_new0(struct fixture, 1);
    f->live = tcgrr_live_new(RING_BYTES, NULL);
    assert_non_null(f->live);
    f->header = mmap(NULL, TCGRR_WIRE_HEADER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, tcgrr_live_fd(f->live), 0);
    assert_ptr_not_equal(f->header, MAP_FAILED);
    assert_null(tcgrr_ring_attach(&f->ring, dup(tcgrr_live_fd(f->live)), false));
    f->chunk = tcgrr_chunk_new(CAPACITY);
    tcgrr_chunk_follow(f->chunk, NULL);
    if (features != UINT32_MAX) {
        introduce(f, features);
    }
    return f;
}

static void close_ring(struct fixture *f)
{
    tcgrr_live_free(f->live);
    tcgrr_chunk_free(f->chunk);
    tcgrr_ring_close(&f->ring);
    munmap(f->header, TCGRR_WIRE_HEADER_BYTES);
    g_free(f);
}

/* ---- the plugin's part ---- */

/* A block of `insns` instructions, the one in the middle of which is a load. */
static void push_define(struct tcgrr_ring *ring, uint32_t number, uint64_t pc, uint32_t insns)
{
    struct tcgrr_wire_define define = {number, insns, (uint32_t)pc, (uint32_t)(pc >> 32), 4 * insns};
    uint32_t words = (uint32_t)(sizeof(define) + insns + define.size + 3) / 4;
    uint32_t *space = tcgrr_ring_space(ring);
    uint8_t *content = (uint8_t *)(space + 1) + sizeof(define);

    space[0] = tcgrr_wire_word(TCGRR_WIRE_DEFINE, words);
    memcpy(space + 1, &define, sizeof(define));
    memset(content, 4, insns);
    for (uint32_t i = 0; i < insns; i++) {
        uint32_t word = i == insns / 2 ? LOAD : NOP;
        memcpy(content + insns + 4 * i, &word, sizeof(word));
    }
    tcgrr_ring_publish(ring, 1 + words);
}

static void push_event(struct tcgrr_ring *ring, enum tcgrr_wire_event kind, uint32_t vcpu, const uint64_t *values,
                       uint32_t count)
{
    uint32_t *space = tcgrr_ring_space(ring);
    space[0] = tcgrr_wire_word(TCGRR_WIRE_EVENT, kind | (1 + 2 * count) << 8);
    space[1] = vcpu;
    for (uint32_t i = 0; i < count; i++) {
        space[2 + 2 * i] = (uint32_t)values[i];
        space[3 + 2 * i] = (uint32_t)(values[i] >> 32);
    }
    tcgrr_ring_publish(ring, 2 + 2 * count);
}

/* What the made-up plugin says it ran. */
struct truth {
    struct fixture *f;
    struct tcgrr_blocks *blocks;
    tcgrr_icount icount;
    uint64_t flow;
    uint64_t execs, partials, flushes, faults;
    tcgrr_vcpu vcpu;
    uint64_t random;
    bool loops; /* mostly the same few blocks in a row */
};

static uint64_t pc_of(uint32_t number)
{
    return 0x80000000u + 0x1000u * (uint64_t)number;
}

static uint32_t insns_of(uint32_t number)
{
    return 1 + number % 9;
}

static void define_all(struct truth *truth)
{
    for (uint32_t number = 0; number < BLOCKS; number++) {
        uint8_t lengths[16], bytes[64];
        uint32_t insns = insns_of(number);
        memset(lengths, 4, sizeof(lengths));
        for (uint32_t i = 0; i < insns; i++) {
            uint32_t word = i == insns / 2 ? LOAD : NOP;
            memcpy(bytes + 4 * i, &word, sizeof(word));
        }
        assert_int_equal(tcgrr_blocks_add(truth->blocks, pc_of(number), insns, lengths, 4 * insns, bytes, NULL),
                         number);
        push_define(&truth->f->ring, number, pc_of(number), insns);
    }
}

/* One execution and, seldom, a fault in the middle of it, another vCPU or a flush. */
static void run_block(struct truth *truth)
{
    struct tcgrr_ring *ring = &truth->f->ring;
    uint32_t number = stream_random(&truth->random) % BLOCKS;
    uint32_t dice = stream_random(&truth->random) % 1000;
    if (truth->loops) {
        number = dice < 990 ? (truth->execs >> 12) + truth->execs % 5 : number;
        number %= BLOCKS;
        dice += dice > 21 ? 0 : 30 * (truth->execs % 16);
    }
    uint32_t insns = insns_of(number), ran = insns;

    tcgrr_ring_push(ring, number);
    if (dice < 20 && insns > 2) {
        uint64_t at = pc_of(number) + 4 * (insns / 2);
        push_event(ring, TCGRR_WIRE_DISCONTINUITY, truth->vcpu, (uint64_t[]){2, at, pc_of(3)}, 3);
        ran = insns / 2;
        tcgrr_ring_push(ring, tcgrr_wire_word(TCGRR_WIRE_LEFT, ran));
        truth->partials++;
        truth->faults++;
    } else if (dice == 20) {
        truth->vcpu ^= 1;
        tcgrr_ring_push(ring, tcgrr_wire_word(TCGRR_WIRE_VCPU, truth->vcpu));
    }
    truth->icount += ran;
    truth->flow = tcgrr_block_append(truth->flow, tcgrr_blocks_get(truth->blocks, number), ran);
    truth->execs++;
    if (dice == 21) {
        push_event(ring, TCGRR_WIRE_FLUSH, 0, NULL, 0);
        truth->flushes++;
        define_all(truth);
    }
}

static gpointer run_plugin(gpointer data)
{
    struct truth *truth = data;
    define_all(truth);
    for (uint32_t i = 0; i < RUNS; i++) {
        run_block(truth);
    }
    tcgrr_ring_push(&truth->f->ring, tcgrr_wire_word(TCGRR_WIRE_END, 0));
    return NULL;
}

/* ---- well-formed rings ---- */

/* What came out, over all chunks. */
struct result {
    uint64_t execs, partials, checkpoints;
    uint64_t events[TCGRR_EVENT_KIND_COUNT];
    enum tcgrr_live_end end;
};

static void take_chunk(struct fixture *f, struct result *result)
{
    struct tcgrr_chunk *chunk = f->chunk, *again = tcgrr_chunk_new(CAPACITY);

    result->execs += chunk->count;
    result->partials += chunk->partials->len;
    for (guint i = 0; i < chunk->checkpoints->len; i++) {
        const struct tcgrr_checkpoint *checkpoint = &g_array_index(chunk->checkpoints, struct tcgrr_checkpoint, i);
        assert_int_equal(checkpoint->icount, ++result->checkpoints * TCGRR_CHECKPOINT_STEP);
    }
    for (guint i = 0; i < chunk->events->len; i++) {
        result->events[g_array_index(chunk->events, struct tcgrr_event, i).kind]++;
    }
    /* What is said of the whole chunk is what its executions make. */
    tcgrr_chunk_follow(again, chunk);
    tcgrr_icount end_icount = chunk->end_icount;
    uint64_t end_flow = chunk->end_flow;
    g_autoptr(GArray) checkpoints = g_array_copy(chunk->checkpoints);
    tcgrr_chunk_compute(chunk, tcgrr_live_blocks(f->live));
    assert_int_equal(chunk->end_icount, end_icount);
    assert_int_equal(chunk->end_flow, end_flow);
    assert_int_equal(chunk->checkpoints->len, checkpoints->len);
    if (checkpoints->len > 0) {
        assert_memory_equal(chunk->checkpoints->data, checkpoints->data,
                            checkpoints->len * sizeof(struct tcgrr_checkpoint));
    }
    tcgrr_chunk_free(chunk);
    f->chunk = again;
}

/* Reads to the end; sleeps every now and then if `slow`. */
static void read_all(struct fixture *f, bool slow, struct result *result)
{
    GError *error = NULL;
    for (int turn = 0; result->end == TCGRR_LIVE_RUNS; turn++) {
        if (!tcgrr_live_next(f->live, f->chunk, 5, &result->end, &error)) {
            fail_msg("%s", error->message);
        }
        if (f->chunk->count == f->chunk->capacity || turn % 7 == 0) {
            take_chunk(f, result);
        }
        if (slow && turn % 40 == 0) {
            g_usleep(2000);
        }
    }
    take_chunk(f, result);
}

static void check_exact(bool slow, bool loops)
{
    struct truth truth = {
        .f = open_ring(TCGRR_WIRE_DISCON), .blocks = tcgrr_blocks_new(), .random = slow, .loops = loops};
    struct result result = {.end = TCGRR_LIVE_RUNS};
    GThread *plugin = g_thread_new("plugin", run_plugin, &truth);

    read_all(truth.f, slow, &result);
    g_thread_join(plugin);
    assert_int_equal(result.end, TCGRR_LIVE_FINISHED);
    assert_int_equal(result.execs, truth.execs);
    assert_int_equal(truth.f->chunk->first_icount, truth.icount);
    assert_int_equal(truth.f->chunk->first_flow, truth.flow);
    assert_int_equal(result.partials, truth.partials);
    assert_int_equal(result.events[TCGRR_EVENT_EXCEPTION], truth.faults);
    assert_int_equal(result.events[TCGRR_EVENT_FLUSH], truth.flushes);
    assert_int_equal(result.checkpoints, truth.icount / TCGRR_CHECKPOINT_STEP);
    assert_int_equal(tcgrr_live_assumed(truth.f->live), 0);
    assert_int_equal(tcgrr_intake_backlog(truth.f->live->intake), 0);
    tcgrr_blocks_free(truth.blocks);
    close_ring(truth.f);
}

static void test_exact(void **state)
{
    check_exact(false, false);
}

/* The ring is full most of the time. */
static void test_exact_when_slow(void **state)
{
    check_exact(true, false);
}

/* The ring says most of it in phrases. */
static void test_exact_in_loops(void **state)
{
    check_exact(false, true);
    check_exact(true, true);
}

/* Nobody reads: the plugin waits with a full ring and loses nothing. */
static void test_back_pressure(void **state)
{
    struct truth truth = {.f = open_ring(TCGRR_WIRE_DISCON), .blocks = tcgrr_blocks_new()};
    struct result result = {.end = TCGRR_LIVE_RUNS};
    GThread *plugin = g_thread_new("plugin", run_plugin, &truth);
    uint64_t before = 0, now = 1;

    /* On a busy machine it may not even have begun. */
    while (now != before || now < RING_BYTES / 8) {
        before = now;
        g_usleep(100000);
        now = tcgrr_intake_backlog(truth.f->live->intake);
    }
    assert_in_range(now, RING_BYTES / 8, RING_BYTES / 4 + TCGRR_WIRE_DRAFT_WORDS);
    read_all(truth.f, false, &result);
    g_thread_join(plugin);
    assert_int_equal(truth.f->chunk->first_icount, truth.icount);
    tcgrr_blocks_free(truth.blocks);
    close_ring(truth.f);
}

/* tcgrr goes away: the guest runs on. */
static void test_detached(void **state)
{
    struct truth truth = {.f = open_ring(TCGRR_WIRE_DISCON), .blocks = tcgrr_blocks_new()};
    GThread *plugin = g_thread_new("plugin", run_plugin, &truth);

    g_usleep(20000);
    tcgrr_live_free(truth.f->live);
    truth.f->live = NULL;
    g_thread_join(plugin);
    assert_int_equal(truth.execs, RUNS);
    tcgrr_blocks_free(truth.blocks);
    close_ring(truth.f);
}

static void expect_end(struct fixture *f, enum tcgrr_live_end wanted, tcgrr_icount icount)
{
    enum tcgrr_live_end end = TCGRR_LIVE_RUNS;
    GError *error = NULL;
    if (!tcgrr_live_next(f->live, f->chunk, 0, &end, &error)) {
        fail_msg("%s", error->message);
    }
    assert_int_equal(end, wanted);
    assert_int_equal(f->chunk->end_icount, icount);
}

static void test_ends(void **state)
{
    struct fixture *f = open_ring(UINT32_MAX);
    struct tcgrr_live_info info;

    assert_false(tcgrr_live_info(f->live, &info));
    expect_end(f, TCGRR_LIVE_RUNS, 0);
    tcgrr_live_gone(f->live);
    expect_end(f, TCGRR_LIVE_UNLOADED, 0);
    close_ring(f);

    f = open_ring(TCGRR_WIRE_DISCON);
    push_define(&f->ring, 0, 0x1000, 3);
    tcgrr_ring_push(&f->ring, 0);
    tcgrr_ring_push(&f->ring, 0);
    expect_end(f, TCGRR_LIVE_RUNS, 3);
    tcgrr_live_gone(f->live);
    expect_end(f, TCGRR_LIVE_CUT, 3); /* how far the last one came nobody knows */
    close_ring(f);

    f = open_ring(0);
    push_define(&f->ring, 0, 0x1000, 3);
    tcgrr_ring_push(&f->ring, 0);
    push_event(&f->ring, TCGRR_WIRE_THREAD, 1, NULL, 0);
    enum tcgrr_live_end end = TCGRR_LIVE_RUNS;
    assert_true(tcgrr_live_next(f->live, f->chunk, 0, &end, NULL));
    assert_int_equal(end, TCGRR_LIVE_THREADS);
    close_ring(f);
}

/* A draft was read to its end before it was packed, and another one was begun: that one counts, too. */
static void test_end_in_next_draft(void **state)
{
    struct fixture *f = open_ring(TCGRR_WIRE_DISCON);

    push_define(&f->ring, 0, 0x1000, 3);
    tcgrr_ring_push(&f->ring, 0);
    tcgrr_ring_push(&f->ring, 0);
    expect_end(f, TCGRR_LIVE_RUNS, 3);
    tcgrr_ring_pack(&f->ring);
    tcgrr_ring_push(&f->ring, 0);
    tcgrr_ring_push(&f->ring, tcgrr_wire_word(TCGRR_WIRE_END, 0));
    tcgrr_live_gone(f->live);
    enum tcgrr_live_end end = TCGRR_LIVE_RUNS;
    while (end == TCGRR_LIVE_RUNS) {
        assert_true(tcgrr_live_next(f->live, f->chunk, 0, &end, NULL));
    }
    assert_int_equal(end, TCGRR_LIVE_FINISHED);
    assert_int_equal(f->chunk->end_icount, 9);
    close_ring(f);
}

/* The run begins after the first block, or with the instruction of it that was repeated for a device. */
static void test_uncounted_start(void **state)
{
    struct fixture *f = open_ring(0);
    tcgrr_live_starts_uncounted(f->live);
    push_define(&f->ring, 0, 0x1000, 3);
    tcgrr_ring_push(&f->ring, 0);
    tcgrr_ring_push(&f->ring, 0);
    expect_end(f, TCGRR_LIVE_RUNS, 0);
    tcgrr_ring_push(&f->ring, 0);
    expect_end(f, TCGRR_LIVE_RUNS, 3);
    close_ring(f);

    f = open_ring(0);
    tcgrr_live_starts_uncounted(f->live);
    push_define(&f->ring, 0, 0x1000, 3);
    push_define(&f->ring, 1, 0x1004, 1);
    push_define(&f->ring, 2, 0x1008, 1);
    tcgrr_ring_push(&f->ring, 0);
    tcgrr_ring_push(&f->ring, tcgrr_wire_word(TCGRR_WIRE_LEFT, 1));
    push_event(&f->ring, TCGRR_WIRE_RERUN, 0, &(uint64_t){1}, 1);
    tcgrr_ring_push(&f->ring, 2);
    expect_end(f, TCGRR_LIVE_RUNS, 1);
    const struct tcgrr_block *block = tcgrr_blocks_get(tcgrr_live_blocks(f->live), f->chunk->blocks[0]);
    assert_int_equal(f->chunk->count, 1);
    assert_int_equal(block->pc, 0x1004);
    assert_int_equal(block->insns, 1);
    close_ring(f);
}

/* An instruction that only ever raises an exception, at whose handler it lies itself: none retires, and no event is
 * taken for two. The log is known only at the end. */
static void test_storm(void **state)
{
    enum { TURNS = 100 };
    struct fixture *f = open_ring(UINT32_MAX);
    struct tcgrr_rrlog *log = tcgrr_rrlog_new();
    struct tcgrr_answers answers = {.corrections = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_retire_correction))};
    const struct tcgrr_rrlog_event raised = {.icount = 0, .kind = TCGRR_RRLOG_EXCEPTION};

    tcgrr_live_keep_uncertain(f->live);
    introduce(f, TCGRR_WIRE_DISCON);
    strcpy(f->ring.header->target, "loongarch64");
    push_define(&f->ring, 0, 0, 1);
    for (int i = 0; i < TURNS; i++) {
        tcgrr_ring_push(&f->ring, 0);
        tcgrr_ring_push(&f->ring, tcgrr_wire_word(TCGRR_WIRE_LEFT, 0));
        push_event(&f->ring, TCGRR_WIRE_DISCONTINUITY, 0, (uint64_t[]){2, 0, 0}, 3);
        g_array_append_val(log->events, raised);
    }
    tcgrr_ring_push(&f->ring, 0);
    enum tcgrr_live_end end = TCGRR_LIVE_RUNS;
    assert_true(tcgrr_live_next(f->live, f->chunk, 0, &end, NULL));
    log->complete = true;
    assert_int_equal(tcgrr_answer_doubts(&answers, log, tcgrr_live_uncertain(f->live)), TURNS);
    assert_int_equal(answers.corrections->len, TURNS);
    assert_int_equal(answers.shift, -TURNS);
    g_array_unref(answers.corrections);
    tcgrr_rrlog_free(log);
    close_ring(f);
}

/* An instruction that may lead anywhere raises an exception, whose handler was not seen before: the log says so. */
static void test_unnoticed(void **state)
{
    struct fixture *f = open_ring(UINT32_MAX);
    struct tcgrr_rrlog *log = tcgrr_rrlog_new();
    const struct tcgrr_rrlog_event raised = {.icount = 1, .kind = TCGRR_RRLOG_EXCEPTION};
    enum tcgrr_live_end end = TCGRR_LIVE_RUNS;

    g_array_append_val(log->events, raised);
    log->complete = true;
    log->total = 9;
    tcgrr_live_set_log(f->live, log);
    tcgrr_live_correct_events(f->live);
    introduce(f, 0);
    strcpy(f->ring.header->target, "sparc64");
    push_define(&f->ring, 0, 0x100, 2);
    push_define(&f->ring, 1, 0x1000, 2);
    for (uint32_t i = 0; i < 4; i++) { /* only the first time there is an exception; after that it is a branch */
        tcgrr_ring_push(&f->ring, i % 2);
        tcgrr_ring_push(&f->ring, tcgrr_wire_word(TCGRR_WIRE_LEFT, 1));
    }
    push_define(&f->ring, 2, 0x2000, 2);
    tcgrr_ring_push(&f->ring, 2);
    tcgrr_ring_push(&f->ring, 2);
    assert_true(tcgrr_live_next(f->live, f->chunk, 0, &end, NULL));
    assert_int_equal(f->chunk->end_icount, 1 + 3 * 2 + 2);
    assert_true(f->chunk->events->len > 0);
    const struct tcgrr_event *event = &g_array_index(f->chunk->events, struct tcgrr_event, 0);
    assert_int_equal(event->kind, TCGRR_EVENT_EXCEPTION);
    assert_int_equal(event->seq, 1);
    assert_int_equal(event->icount, 1);
    assert_int_equal(event->from_pc, 0x104);
    assert_int_equal(event->to_pc, 0x1000);
    close_ring(f);
}

static void test_info(void **state)
{
    struct fixture *f = open_ring(TCGRR_WIRE_DISCON);
    struct tcgrr_live_info info;

    assert_true(tcgrr_live_info(f->live, &info));
    assert_string_equal(info.target, "riscv64");
    assert_int_equal(info.api, 7);
    assert_int_equal(info.vcpus, 2);
    assert_true(info.system && info.reports_discon && !info.reports_syscalls);
    memset(f->header->target, 'x', sizeof(f->header->target));
    assert_true(tcgrr_live_info(f->live, &info));
    assert_int_equal(strlen(info.target), sizeof(info.target) - 1);
    memcpy(f->header->target, "a\nb", 4);
    assert_true(tcgrr_live_info(f->live, &info));
    assert_null(strchr(info.target, '\n'));
    close_ring(f);
}

static void test_system_calls(void **state)
{
    struct fixture *f = open_ring(TCGRR_WIRE_SYSCALL | TCGRR_WIRE_DISCON);
    push_define(&f->ring, 0, 0x1000, 3);
    tcgrr_ring_push(&f->ring, 0);
    push_event(&f->ring, TCGRR_WIRE_SYSCALL_ENTRY, 0, (uint64_t[]){64, 1, 2, 3, 4, 5, 6, 7, UINT64_MAX}, 9);
    push_event(&f->ring, TCGRR_WIRE_SYSCALL_RETURN, 0, (uint64_t[]){64, (uint64_t)-14}, 2);
    tcgrr_ring_push(&f->ring, 0);
    expect_end(f, TCGRR_LIVE_RUNS, 3);
    assert_int_equal(f->chunk->events->len, 2);
    const struct tcgrr_event *events = &g_array_index(f->chunk->events, struct tcgrr_event, 0);
    assert_int_equal(events[0].kind, TCGRR_EVENT_SYSCALL);
    assert_int_equal(events[0].number, 64);
    assert_int_equal(events[0].arguments[0], 1);
    assert_int_equal(events[0].arguments[7], UINT64_MAX);
    assert_int_equal(events[0].icount, 3);
    assert_int_equal(events[1].kind, TCGRR_EVENT_SYSCALL_RETURN);
    assert_true(events[1].result == -14);
    close_ring(f);
}

/* ---- the plugin's own check of what tcgrr gives it ---- */

static void test_attach_refuses(void **state)
{
    struct tcgrr_ring ring;
    struct fixture *f = open_ring(UINT32_MAX);
    const struct tcgrr_wire_header good = *f->header;
    int fd = tcgrr_live_fd(f->live);

    assert_non_null(tcgrr_ring_attach(&ring, -1, false));
    f->header->magic++;
    assert_non_null(tcgrr_ring_attach(&ring, fd, false));
    f->header->magic = good.magic;
    f->header->version++;
    assert_non_null(tcgrr_ring_attach(&ring, fd, false));
    f->header->version = good.version;
    static const uint32_t sizes[] = {0, 1, RING_BYTES / 4 - 1, RING_BYTES / 8, RING_BYTES / 2, UINT32_MAX, 1u << 31};
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        f->header->ring_words = sizes[i];
        assert_non_null(tcgrr_ring_attach(&ring, fd, false));
    }
    close_ring(f);
}

/* ---- malformed rings ---- */

#define WORD(tag, payload) ((uint32_t)(tag) << 24 | (payload))
#define EVENT(kind, words) WORD(TCGRR_WIRE_EVENT, (kind) | (words) << 8)

/* After a block number 0 of three instructions. */
static const struct {
    const char *what;
    uint32_t words[12];
    uint32_t count;
} malformed[] = {
    {"a number that is not defined", {1}, 1},
    {"the highest number", {TCGRR_WIRE_CONTROL - 1}, 1},
    {"a definition without words", {WORD(TCGRR_WIRE_DEFINE, 0)}, 1},
    {"a definition cut off", {WORD(TCGRR_WIRE_DEFINE, 4), 1, 1, 0x2000, 0}, 5},
    {"a definition without instructions", {WORD(TCGRR_WIRE_DEFINE, 5), 1, 0, 0x2000, 0, 0}, 6},
    {"a definition with a number left out", {WORD(TCGRR_WIRE_DEFINE, 7), 2, 1, 0x2000, 0, 4, 4, 0x13}, 8},
    {"a definition of a number that is there", {WORD(TCGRR_WIRE_DEFINE, 7), 0, 1, 0x2000, 0, 4, 4, 0x13}, 8},
    {"more instructions than bytes", {WORD(TCGRR_WIRE_DEFINE, 7), 1, 9, 0x2000, 0, 4, 4, 0x13}, 8},
    {"more instructions than any block", {WORD(TCGRR_WIRE_DEFINE, 7), 1, 0xffffffff, 0x2000, 0, 4, 4, 0x13}, 8},
    {"more bytes than words", {WORD(TCGRR_WIRE_DEFINE, 7), 1, 1, 0x2000, 0, 0xfffffff0, 4, 0x13}, 8},
    {"lengths that are not the size", {WORD(TCGRR_WIRE_DEFINE, 7), 1, 1, 0x2000, 0, 3, 4, 0x13}, 8},
    {"a definition longer than what is there", {WORD(TCGRR_WIRE_DEFINE, 0xffffff), 1, 1, 0x2000, 0, 4, 4, 0x13}, 8},
    {"an event of no kind", {EVENT(TCGRR_WIRE_EVENT_KINDS, 1), 0}, 2},
    {"an event of kind 255", {EVENT(255, 1), 0}, 2},
    {"an event without its vCPU", {EVENT(TCGRR_WIRE_IDLE, 0)}, 1},
    {"an event with a word too many", {EVENT(TCGRR_WIRE_IDLE, 2), 0, 0}, 3},
    {"an event longer than what is there", {EVENT(TCGRR_WIRE_IDLE, 0xffff), 0}, 2},
    {"a discontinuity of type 3", {EVENT(TCGRR_WIRE_DISCONTINUITY, 7), 0, 3, 0, 0, 0, 0, 0}, 8},
    {"a discontinuity cut off", {EVENT(TCGRR_WIRE_DISCONTINUITY, 5), 0, 1, 0, 0, 0}, 6},
    {"a repeated access without a block", {EVENT(TCGRR_WIRE_RERUN, 3), 0, 1, 0}, 4},
    {"a repeated access in block 2^32", {EVENT(TCGRR_WIRE_RERUN, 3), 0, 0, 1}, 4},
    {"a copy of a block that is not there", {WORD(TCGRR_WIRE_ALIAS, 3), 7, 0x2000, 0}, 4},
    {"a copy cut off", {WORD(TCGRR_WIRE_ALIAS, 3), 0}, 2},
    {"a mapping without a path", {WORD(TCGRR_WIRE_MAPPED, 6), 0x1000, 0, 0x1000, 0, 0, 0}, 7},
    {"a mapping whose path does not end", {WORD(TCGRR_WIRE_MAPPED, 7), 0x1000, 0, 0x1000, 0, 0, 0, 0x61616161}, 8},
    {"a mapping beyond the last address", {WORD(TCGRR_WIRE_MAPPED, 7), 0x1000, 0, -1u, -1u, 0, 0, 0x61}, 8},
    {"a tag that is none", {WORD(0xfe, 0)}, 1},
    {"all bits", {0xffffffff}, 1},
};

static void test_malformed(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(malformed); i++) {
        struct fixture *f = open_ring(TCGRR_WIRE_DISCON);
        enum tcgrr_live_end end = TCGRR_LIVE_RUNS;
        GError *error = NULL;

        push_define(&f->ring, 0, 0x1000, 3);
        tcgrr_ring_push(&f->ring, 0);
        memcpy(tcgrr_ring_space(&f->ring), malformed[i].words, malformed[i].count * sizeof(uint32_t));
        tcgrr_ring_publish(&f->ring, malformed[i].count);
        tcgrr_live_gone(f->live); /* or the rest of a record that is cut off could still come */
        while (end == TCGRR_LIVE_RUNS && tcgrr_live_next(f->live, f->chunk, 0, &end, &error)) {
        }
        if (!error) {
            fail_msg("taken: %s", malformed[i].what);
        }
        assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED));
        assert_null(strchr(error->message, '\n'));
        g_error_free(error);
        close_ring(f);
    }
}

/* What is no lie but makes no sense is taken for what it says, within the block. */
static void test_strange(void **state)
{
    struct fixture *f = open_ring(TCGRR_WIRE_DISCON);

    tcgrr_ring_push(&f->ring, tcgrr_wire_word(TCGRR_WIRE_LEFT, 5));
    push_event(&f->ring, TCGRR_WIRE_IDLE, UINT32_MAX, NULL, 0);
    tcgrr_ring_push(&f->ring, tcgrr_wire_word(TCGRR_WIRE_VCPU, 0xffffff));
    push_define(&f->ring, 0, UINT64_MAX - 3, 3);
    tcgrr_ring_push(&f->ring, 0);
    tcgrr_ring_push(&f->ring, tcgrr_wire_word(TCGRR_WIRE_LEFT, 0xffffff));
    tcgrr_ring_push(&f->ring, 0);
    push_event(&f->ring, TCGRR_WIRE_FLUSH, 0, NULL, 0);
    push_define(&f->ring, 0, UINT64_MAX - 3, 3);
    tcgrr_ring_push(&f->ring, 0);
    tcgrr_ring_push(&f->ring, tcgrr_wire_word(TCGRR_WIRE_END, 0));
    expect_end(f, TCGRR_LIVE_FINISHED, 9);
    assert_int_equal(f->chunk->switches->len, 1);
    close_ring(f);
}

/* The header's own fields: nothing that stands there may lead outside of the ring. */
static void test_wild_header(void **state)
{
    for (uint64_t seed = 1; seed < 200; seed++) {
        struct fixture *f = open_ring(TCGRR_WIRE_DISCON);
        uint64_t random = seed;
        enum tcgrr_live_end end = TCGRR_LIVE_RUNS;
        uint8_t *bytes = (uint8_t *)f->header;

        push_define(&f->ring, 0, 0x1000, 3);
        for (size_t i = 0; i < sizeof(*f->header); i++) {
            if (seed < 4 || stream_random(&random) % 8 == 0) {
                bytes[i] = seed == 1 ? 0xff : seed == 2 ? 0 : (uint8_t)stream_random(&random);
            }
        }
        tcgrr_live_gone(f->live);
        for (int turn = 0; turn < 4 && tcgrr_live_next(f->live, f->chunk, 0, &end, NULL); turn++) {
            tcgrr_chunk_follow(f->chunk, f->chunk);
        }
        close_ring(f);
    }
}

/* Nor may the ring's raw content. */
static void test_wild_ring(void **state)
{
    for (uint64_t seed = 1; seed < 300; seed++) {
        struct fixture *f = open_ring(TCGRR_WIRE_DISCON);
        uint64_t random = seed;
        enum tcgrr_live_end end = TCGRR_LIVE_RUNS;

        for (uint64_t i = 0; i < f->ring.size; i++) {
            uint32_t word = stream_random(&random) % TCGRR_WIRE_DRAFT_WORDS;
            f->ring.words[i] = word | (stream_random(&random) % 8 == 0 ? TCGRR_WIRE_KNOWN : 0);
        }
        atomic_store_explicit(&f->header->head, stream_random(&random) % (f->ring.size + seed), memory_order_release);
        tcgrr_live_gone(f->live);
        for (int turn = 0; turn < 4 && tcgrr_live_next(f->live, f->chunk, 0, &end, NULL); turn++) {
            tcgrr_chunk_follow(f->chunk, f->chunk);
        }
        close_ring(f);
    }
}

/* Words at random, most of them small or with a tag that exists. */
static void test_random_words(void **state)
{
    for (uint64_t seed = 1; seed < 3000; seed++) {
        struct fixture *f = open_ring(seed & 3);
        uint64_t random = seed;
        enum tcgrr_live_end end = TCGRR_LIVE_RUNS;

        for (uint32_t number = 0; number < 4; number++) {
            push_define(&f->ring, number, pc_of(number), insns_of(number));
        }
        for (int i = 0; i < 400; i++) {
            uint32_t dice = stream_random(&random) % 16, low = stream_random(&random) % 5;
            uint32_t word = dice < 9    ? low
                            : dice < 12 ? tcgrr_wire_word(TCGRR_WIRE_LEFT, low)
                            : dice < 13 ? tcgrr_wire_word(TCGRR_WIRE_VCPU, low)
                            : dice < 15 ? EVENT(stream_random(&random) % 10, 1 + 2 * low)
                                        : stream_random(&random) << 1;
            tcgrr_ring_push(&f->ring, word);
        }
        tcgrr_live_gone(f->live);
        for (int turn = 0; turn < 4 && tcgrr_live_next(f->live, f->chunk, 0, &end, NULL); turn++) {
            tcgrr_chunk_compute(f->chunk, tcgrr_live_blocks(f->live));
            tcgrr_chunk_follow(f->chunk, f->chunk);
        }
        close_ring(f);
    }
}

static void push_mapped(struct tcgrr_ring *ring, uint64_t first, const char *path)
{
    struct tcgrr_wire_mapped mapped = {first, 0x1000, 0};
    uint32_t words = (uint32_t)(sizeof(mapped) + strlen(path) + 4) / 4;
    uint32_t *space = tcgrr_ring_space(ring);

    space[0] = tcgrr_wire_word(TCGRR_WIRE_MAPPED, words);
    memset(space + 1, 0, words * sizeof(uint32_t));
    memcpy(space + 1, &mapped, sizeof(mapped));
    memcpy((char *)(space + 1) + sizeof(mapped), path, strlen(path));
    tcgrr_ring_publish(ring, 1 + words);
}

static const struct tcgrr_mapping *mapping_of(const GArray *mapped, guint index)
{
    return &g_array_index(mapped, struct tcgrr_mapping, index);
}

static void test_mapped(void **state)
{
    struct fixture *f = open_ring(0);

    push_mapped(&f->ring, 0x1000, "/bin/true");
    push_mapped(&f->ring, 0x5000, "");
    push_define(&f->ring, 0, 0x1000, 3);
    tcgrr_ring_push(&f->ring, 0);
    tcgrr_ring_push(&f->ring, tcgrr_wire_word(TCGRR_WIRE_END, 0));
    expect_end(f, TCGRR_LIVE_FINISHED, 3);
    g_autoptr(GArray) mapped = tcgrr_live_mapped(f->live);
    assert_int_equal(tcgrr_live_mapped_count(f->live), 2);
    assert_string_equal(mapping_of(mapped, 0)->path, "/bin/true");
    assert_int_equal(mapping_of(mapped, 0)->since, 0);
    assert_null(mapping_of(mapped, 1)->path);
    assert_int_equal(mapping_of(mapped, 1)->first, 0x5000);
    close_ring(f);
}

/* A program that generates code forever: the last entry stands for everything. */
static void test_mapped_forever(void **state)
{
    struct tcgrr_wire_mapped mapped = {0x1000, 0x1000, 0};
    uint32_t payload[sizeof(mapped) / 4 + 1] = {0};
    struct fixture *f = open_ring(0);

    memcpy(payload, &mapped, sizeof(mapped));
    for (unsigned i = 0; i < 70000; i++) {
        assert_true(tcgrr_live_read_mapped(f->live, payload, G_N_ELEMENTS(payload), NULL));
    }
    tcgrr_live_place_mapped(f->live, 5);
    g_autoptr(GArray) all = tcgrr_live_mapped(f->live);
    assert_int_equal(all->len, 65536);
    assert_int_equal(mapping_of(all, 65534)->size, 0x1000);
    assert_int_equal(mapping_of(all, 65535)->first, 0);
    assert_int_equal(mapping_of(all, 65535)->size, UINT64_MAX);
    close_ring(f);
}

/* Why inputs ended, in words, for every reason that there is, and for what is none. */
static void test_inputs_end(void **state)
{
    g_autoptr(GHashTable) texts = g_hash_table_new(g_str_hash, g_str_equal);

    for (uint64_t why = 0; why <= TCGRR_INPUTS_LACKS; why++) {
        struct fixture *f = open_ring(0);
        uint64_t unsure[] = {42, why};
        push_define(&f->ring, 0, 0x1000, 3);
        tcgrr_ring_push(&f->ring, 0);
        push_event(&f->ring, TCGRR_WIRE_INPUT_UNSURE, 0, unsure, 2);
        push_event(&f->ring, TCGRR_WIRE_INPUT_UNSURE, 0, (const uint64_t[]){43, 0}, 2); /* the first counts */
        push_event(&f->ring, TCGRR_WIRE_INPUTS_END, 0, &why, 1);
        tcgrr_ring_push(&f->ring, 0);
        tcgrr_ring_push(&f->ring, tcgrr_wire_word(TCGRR_WIRE_END, 0));
        expect_end(f, TCGRR_LIVE_FINISHED, 6);
        const struct tcgrr_live_inputs *inputs = tcgrr_live_inputs(f->live);
        assert_int_equal(inputs->unsure_call, 42);
        assert_int_equal(inputs->unsure, 3);
        assert_int_equal(inputs->ended, 3);
        assert_string_equal(inputs->unsure_why, inputs->lack);
        g_hash_table_add(texts, (gpointer)inputs->lack);
        close_ring(f);
    }
    /* Each has its own; a signal, and what is none, have the same. */
    assert_int_equal(g_hash_table_size(texts), TCGRR_INPUTS_LACKS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_exact_when_slow),
        cmocka_unit_test(test_exact_in_loops),
        cmocka_unit_test(test_back_pressure),
        cmocka_unit_test(test_detached),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_uncounted_start),
        cmocka_unit_test(test_storm),
        cmocka_unit_test(test_unnoticed),
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_system_calls),
        cmocka_unit_test(test_attach_refuses),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_strange),
        cmocka_unit_test(test_wild_header),
        cmocka_unit_test(test_wild_ring),
        cmocka_unit_test(test_random_words),
        cmocka_unit_test(test_mapped),
        cmocka_unit_test(test_mapped_forever),
        cmocka_unit_test(test_inputs_end),
        cmocka_unit_test(test_end_in_next_draft),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
