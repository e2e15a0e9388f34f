/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/guest.h"

#include "tests/stream.h"

#include <string.h>

#define CAPACITY (1u << 20)

#define NOP    0x00000013u
#define LOAD   0x00053503u
#define RDTIME 0xc0102573u
#define OTHER  0x00100013u
#define MRET   0x30200073u
#define RET    0x00008067u

/* bne x1, x2, back by `bytes` */
static uint32_t branch_back(uint32_t bytes)
{
    uint32_t offset = -bytes;
    return 0x00209063u | (offset >> 12 & 1) << 31 | (offset >> 5 & 0x3f) << 25 | (offset >> 1 & 0xf) << 8 |
           (offset >> 11 & 1) << 7;
}

static uint32_t word_at(uint64_t pc)
{
    uint32_t index = (pc & 0xfff) / 4;
    switch (pc & ~UINT64_C(0xff)) {
    case MAIN:
        return index == MAIN_INSNS - 1 ? branch_back(4 * (MAIN_INSNS - 1)) : NOP;
    case TICK:
        return index == TICK_INSNS - 1 ? MRET : NOP;
    case KEY:
        return index == KEY_INSNS - 1 ? MRET : NOP;
    case CLOCK_LOOP:
    case LOAD_LOOP:
    case COUNT_LOOP:
        index %= 0x40;
        return index == 2                           ? branch_back(8)
               : index == 10                        ? RET
               : index > 0 || (pc & 0xf00) == 0x200 ? NOP
               : (pc & 0xf00) == 0                  ? RDTIME
                                                    : LOAD;
    default:
        return NOP;
    }
}

struct guest guest_start(void)
{
    return (struct guest){.steps = g_array_new(FALSE, TRUE, sizeof(struct guest_step)),
                          .events = g_array_new(FALSE, TRUE, sizeof(struct tcgrr_event))};
}

void guest_run(struct guest *guest, uint64_t pc, unsigned insns)
{
    for (unsigned i = 0; i < insns; i++) {
        struct guest_step step = {.pc = pc + 4 * i, .event = guest->happened, .vcpu = guest->vcpu};
        g_array_append_val(guest->steps, step);
        guest->happened = false;
    }
}

uint64_t guest_main_pc(const struct guest *guest)
{
    return MAIN + 4 * (guest->main % MAIN_INSNS);
}

void guest_main(struct guest *guest, unsigned insns)
{
    for (; insns > 0; insns--) {
        guest_run(guest, guest_main_pc(guest), 1);
        guest->main++;
    }
}

struct tcgrr_event *guest_event(struct guest *guest, enum tcgrr_event_kind kind, uint64_t from, uint64_t to)
{
    struct tcgrr_event event = {.icount = guest->steps->len,
                                .kind = (uint8_t)kind,
                                .vcpu = guest->vcpu,
                                .has_pcs = true,
                                .from_pc = from,
                                .to_pc = to};
    g_array_append_val(guest->events, event);
    guest->happened = true;
    return &g_array_index(guest->events, struct tcgrr_event, guest->events->len - 1);
}

/* An interrupt of the main loop, without its handler. */
struct tcgrr_event *guest_interrupt(struct guest *guest, uint64_t handler)
{
    return guest_event(guest, TCGRR_EVENT_INTERRUPT, guest_main_pc(guest), handler);
}

void guest_tick(struct guest *guest)
{
    guest_interrupt(guest, TICK);
    guest_run(guest, TICK, TICK_INSNS);
}

void guest_key(struct guest *guest)
{
    guest_interrupt(guest, KEY);
    guest_run(guest, KEY, KEY_INSNS);
}

void guest_loop(struct guest *guest, uint64_t loop, unsigned turns, bool device)
{
    for (; turns > 0; turns--) {
        guint first = guest->steps->len;
        guest_run(guest, loop, LOOP_INSNS);
        g_array_index(guest->steps, struct guest_step, first).device = device;
    }
}

/* After a loop. */
void guest_leave_loop(struct guest *guest, uint64_t loop)
{
    guest_run(guest, loop + 4 * LOOP_INSNS, 8);
}

/* How many instructions from number `at` on QEMU could translate as one block. */
static uint32_t block_at(const GArray *steps, guint at, uint32_t most)
{
    uint32_t count = 1;
    for (; count < most && at + count < steps->len; count++) {
        const struct guest_step *last = &g_array_index(steps, struct guest_step, at + count - 1), *next = last + 1;
        uint32_t word = word_at(last->pc);
        bool leaves = (word & 0x7f) == 0x63 || word == MRET || word == RET || word == RDTIME;
        if (leaves || last->device || next->event || next->vcpu != last->vcpu || next->pc != last->pc + 4) {
            break;
        }
    }
    return count;
}

/* Its run, cut into blocks. Frees the guest. */
static struct made_up *finish(struct guest *guest, uint64_t seed)
{
    struct made_up *run = made_up_new(CAPACITY, TCGRR_SOURCE_ENDED);
    uint8_t lengths[64];
    tcgrr_vcpu vcpu = 0;
    uint32_t words[64];

    memset(lengths, 4, sizeof(lengths));
    for (guint at = 0; at < guest->steps->len;) {
        uint32_t ran = block_at(guest->steps, at, 1 + stream_random(&seed) % 20);
        const struct guest_step *first = &g_array_index(guest->steps, struct guest_step, at);
        uint32_t insns = first[ran - 1].device ? ran + 3 : ran;
        for (uint32_t i = 0; i < insns; i++) {
            words[i] = i < ran && first[i].other ? OTHER : word_at(first->pc + 4 * i);
        }
        if (first->vcpu != vcpu) {
            struct tcgrr_switch change = {run->chunk->count, first->vcpu};
            g_array_append_val(run->chunk->switches, change);
            vcpu = first->vcpu;
        }
        uint32_t block = tcgrr_blocks_add(run->blocks, first->pc, insns, lengths, insns * 4, (uint8_t *)words, NULL);
        stream_append(run->chunk, run->blocks, block, ran, ran);
        at += ran;
    }
    tcgrr_chunk_compute(run->chunk, run->blocks);
    g_array_append_vals(run->chunk->events, guest->events->data, guest->events->len);
    g_array_unref(guest->steps);
    g_array_unref(guest->events);
    return run;
}

struct pair pair_start(void)
{
    return (struct pair){.guests = {guest_start(), guest_start()},
                         .options = {.isa = TCGRR_ISA_RISCV, .history = 5, .own_inputs = true}};
}

void pair_compare(struct pair *pair)
{
    GError *error = NULL;
    for (int i = 0; i < 2; i++) {
        pair->runs[i] = finish(&pair->guests[i], 7 + (uint64_t)i);
    }
    if (!tcgrr_compare(&pair->runs[0]->base, &pair->runs[1]->base, &pair->options, &pair->result, &error) &&
        !pair->result.undecided) {
        fail_msg("%s", error->message);
    }
    g_clear_error(&error);
}

void pair_end(struct pair *pair)
{
    tcgrr_comparison_clear(&pair->result);
    for (int i = 0; i < 2; i++) {
        pair->runs[i]->base.ops->free(&pair->runs[i]->base);
    }
}

const struct tcgrr_tolerated *pair_place(const struct pair *pair, guint index)
{
    assert_true(index < pair->result.places->len);
    return &g_array_index(pair->result.places, struct tcgrr_tolerated, index);
}

/* Compares; wants no divergence, and so much tolerated. */
void pair_same(struct pair *pair, uint64_t events, uint64_t loops, uint64_t transients)
{
    pair_compare(pair);
    if (pair->result.diverged || pair->result.undecided) {
        fail_msg("diverged at %lu and %lu: %s", (unsigned long)pair->result.sides[0].icount,
                 (unsigned long)pair->result.sides[1].icount,
                 pair->result.undecided ? pair->result.undecided : pair->result.note);
    }
    assert_int_equal(pair->result.tolerated[TCGRR_TOLERATED_EVENT], events);
    assert_int_equal(pair->result.tolerated[TCGRR_TOLERATED_LOOP], loops);
    assert_int_equal(pair->result.tolerated[TCGRR_TOLERATED_TRANSIENT], transients);
    assert_int_equal(pair->result.places->len, MIN(events + loops + transients, TCGRR_TOLERATED_LISTED));
    assert_int_equal(pair->result.compared + pair->result.differing, pair->runs[0]->chunk->end_icount);
}

/* Compares and frees; wants the runs to part there. */
void pair_parts(struct pair *pair, tcgrr_icount a, tcgrr_icount b)
{
    pair_compare(pair);
    assert_true(pair->result.diverged);
    assert_int_equal(pair->result.kind, TCGRR_DIVERGENCE_FLOW);
    assert_int_equal(pair->result.sides[0].icount, a);
    assert_int_equal(pair->result.sides[1].icount, b);
    assert_int_equal(pair->result.icount, a);
    pair_end(pair);
}

/* Compares and frees; wants no verdict, because of what is there. */
void pair_doubts(struct pair *pair, tcgrr_icount a, tcgrr_icount b)
{
    pair_compare(pair);
    assert_false(pair->result.diverged);
    assert_non_null(pair->result.undecided);
    assert_int_equal(pair->result.sides[0].icount, a);
    assert_int_equal(pair->result.sides[1].icount, b);
    assert_int_equal(pair->result.icount, a);
    pair_end(pair);
}
