/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/align/reconverge.h"

/* How many of the last skipped parts are searched. */
#define TAKEN_MAX  64
/* Maximum length of a loop's iteration, and of the stretch before it that is examined; instructions. */
#define BODY_MAX   1024
/* Number of iterations that determine the loop's body. */
#define BODY_TURNS 4
/* How much longer one side may loop than the other, in instructions, all of which have to be available. */
#define EXTRA_MAX  4194304
/* Maximum distance, in instructions, between a read and leaving a loop because of it. */
#define LEAVE_NEAR 128
/* Number of equal instructions that show that the two have rejoined. */
#define ALIKE      16
/* After a clock or a device that was read, so near; instructions. */
#define NEAR_INSNS 32
/* Maximum length of different paths that rejoin; instructions. */
#define APART_MAX  128

/* ---- looking back ---- */

/* Moves back through a run, skipping the parts that were set aside. */
struct back {
    const struct tcgrr_align *align;
    struct tcgrr_insn_cursor walk;
    tcgrr_icount start;
    int which;
    bool crossed;  /* something was taken out right after the instruction */
    bool switched; /* another vCPU ran after the instruction */
};

static struct back look_back(const struct tcgrr_align *align, const struct tcgrr_cursor_pair *pair, int which)
{
    return (struct back){align, pair->walks[which], pair->start[which], which, false, false};
}

static bool step_back(struct back *back)
{
    const GArray *taken = back->align->taken[back->which];

    back->crossed = false;
    for (guint i = taken->len; i > 0 && taken->len - i < TAKEN_MAX; i--) {
        const struct tcgrr_skipped_range *part = &g_array_index(taken, struct tcgrr_skipped_range, i - 1);
        if (part->end == back->walk.icount && part->start >= back->walk.window->from) {
            tcgrr_insn_cursor_begin_on(&back->walk, back->walk.window, back->walk.only, part->start);
            back->crossed = true;
        }
    }
    guint exec = back->walk.exec;
    if (back->walk.icount <= back->start || !tcgrr_insn_cursor_back(&back->walk) || back->walk.icount < back->start) {
        return false;
    }
    const struct tcgrr_exec *between = tcgrr_exec_window_exec(back->walk.window, back->walk.exec + 1);
    back->switched = back->walk.exec + 1 < exec && between->vcpu != tcgrr_insn_cursor_exec(&back->walk)->vcpu;
    return true;
}

static unsigned reasons_at(struct tcgrr_align *align, const struct tcgrr_insn_cursor *walk)
{
    return (tcgrr_codes_clock(&align->codes, walk) ? TCGRR_REASON_CLOCK : 0) |
           (tcgrr_codes_device(&align->codes, walk) ? TCGRR_REASON_DEVICE : 0);
}

/* ---- going on alike ---- */

/* Whether that many instructions are the same from here on, or all up to both ends or to the next reason to differ. */
static bool alike(struct tcgrr_align *align, const struct tcgrr_cursor_pair *pair)
{
    struct tcgrr_cursor_pair ahead = *pair;
    struct tcgrr_interrupt interrupt;
    unsigned reasons = 0;

    for (int insns = 0; insns < ALIKE; insns++) {
        bool over[2] = {tcgrr_cursor_pair_over(&ahead, 0), tcgrr_cursor_pair_over(&ahead, 1)};
        if (over[0] && over[1]) {
            return true;
        }
        if (over[0] || over[1] || !tcgrr_insn_cursor_same(&ahead.walks[0], &ahead.walks[1])) {
            return insns > 0 && (reasons || tcgrr_cursor_pair_interrupt(&ahead, 0, &interrupt) ||
                                 tcgrr_cursor_pair_interrupt(&ahead, 1, &interrupt));
        }
        for (int i = 0; i < 2; i++) {
            reasons |= reasons_at(align, &ahead.walks[i]);
            tcgrr_insn_cursor_step(&ahead.walks[i]);
        }
    }
    return true;
}

/* ---- loops ---- */

/* A loop that a side is in. */
struct body {
    GHashTable *pcs; /* set of uint64_t: the addresses of its instructions */
    uint32_t turn;   /* instructions of the last turn; UINT32_MAX: it is in no loop */
    bool memory;     /* it accesses memory */
};

static void body_add(struct body *body, uint64_t pc)
{
    if (!g_hash_table_contains(body->pcs, &pc)) {
        g_hash_table_add(body->pcs, g_memdup2(&pc, sizeof(pc)));
    }
}

/* Goes back to where the side was at its next instruction before, and through some more iterations. */
static void find_body(struct tcgrr_align *align, const struct tcgrr_cursor_pair *pair, int which, struct body *body)
{
    struct back back = look_back(align, pair, which);
    uint64_t head = tcgrr_insn_cursor_pc(&back.walk);
    GArray *pcs = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    guint whole = 0;
    unsigned turns = 0;

    body->pcs = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    body->turn = UINT32_MAX;
    body->memory = false;
    for (uint32_t i = 0; i < BODY_MAX && turns < BODY_TURNS && step_back(&back); i++) {
        uint64_t pc = tcgrr_insn_cursor_pc(&back.walk);
        g_array_append_val(pcs, pc);
        if (body->turn == UINT32_MAX) {
            const struct tcgrr_block *block = tcgrr_insn_cursor_exec(&back.walk)->block;
            body->memory =
                body->memory || tcgrr_codes_classes(&align->codes, block)[back.walk.insn].access != TCGRR_ACCESS_NONE;
        }
        if (pc == head) {
            whole = pcs->len;
            body->turn = MIN(body->turn, whole);
            turns++;
        }
    }
    for (guint i = 0; i < whole; i++) {
        body_add(body, g_array_index(pcs, uint64_t, i));
    }
    g_array_unref(pcs);
}

/* How often the side ran the instruction at `pc` in its last turn. */
static unsigned times_in_turn(const struct tcgrr_align *align, const struct tcgrr_cursor_pair *pair, int which,
                              const struct body *body, uint64_t pc)
{
    struct back back = look_back(align, pair, which);
    unsigned times = 0;

    for (uint32_t i = 0; i < body->turn && step_back(&back); i++) {
        times += tcgrr_insn_cursor_pc(&back.walk) == pc;
    }
    return times;
}

/*
 * What the loop read last, or the interrupt that came, right before the side left it, which can be the reason. An
 * instruction that runs several times per iteration belongs to an inner loop, which has been left already.
 */
static unsigned reasons_to_leave(struct tcgrr_align *align, const struct tcgrr_cursor_pair *pair, int which,
                                 const struct body *body)
{
    struct back back = look_back(align, pair, which);
    unsigned reads = 0, interrupts = 0;

    for (uint32_t i = 0; i < LEAVE_NEAR && step_back(&back); i++) {
        uint64_t pc = tcgrr_insn_cursor_pc(&back.walk);
        if (!g_hash_table_contains(body->pcs, &pc)) {
            break;
        }
        if (i < 2 * body->turn + NEAR_INSNS) {
            interrupts |=
                (back.crossed ? TCGRR_REASON_INTERRUPT : 0) | (back.switched && body->memory ? TCGRR_REASON_VCPU : 0);
        }
        if (!reads) {
            reads = reasons_at(align, &back.walk);
            if (reads && times_in_turn(align, pair, which, body, pc) > 1) {
                return interrupts;
            }
        }
    }
    return reads | interrupts;
}

/* Side `late` runs on in the loop until it reaches the place where the other has left it. Returns the instructions that
 * took; 0: it does not within `most`. */
static uint32_t turn_on(struct tcgrr_align *align, struct tcgrr_cursor_pair *pair, int late, const struct body *body,
                        uint64_t most)
{
    struct tcgrr_insn_cursor *walk = &pair->walks[late];
    uint64_t out = tcgrr_insn_cursor_pc(&pair->walks[!late]);

    for (uint32_t extra = 0;
         extra <= most && tcgrr_align_read_on(align, pair, late) && !tcgrr_cursor_pair_over(pair, late);) {
        uint64_t pc = tcgrr_insn_cursor_pc(walk);
        /* Outside of the body it is certainly the way out. */
        if (extra > 0 && pc == out && (!g_hash_table_contains(body->pcs, &pc) || alike(align, pair))) {
            return extra;
        }
        if (g_hash_table_contains(body->pcs, &pc)) {
            tcgrr_insn_cursor_step(walk);
            extra++;
        } else if (!tcgrr_align_set_aside(align, pair, late, false)) {
            return 0;
        }
    }
    return 0;
}

static bool leave_loop(struct tcgrr_align *align, struct tcgrr_cursor_pair *pair, int late, const struct body *body,
                       uint64_t most)
{
    struct tcgrr_tolerated place = {.kind = TCGRR_TOLERATED_LOOP,
                                    .icount = {pair->walks[0].icount, pair->walks[1].icount},
                                    .pc = tcgrr_insn_cursor_pc(&pair->walks[late]),
                                    .from_pc = {TCGRR_NO_PC, TCGRR_NO_PC}};
    struct tcgrr_align_state state;
    struct tcgrr_cursor_pair trial = *pair;

    tcgrr_align_save(align, &state);
    place.insns[late] = turn_on(align, &trial, late, body, most);
    /* Less than a turn or so is no turn. */
    if (place.insns[late] * 2 > body->turn) {
        unsigned reasons[2] = {reasons_to_leave(align, pair, !late, body), reasons_to_leave(align, &trial, late, body)};
        /* A read has to be visible on one side at least; an interrupt must have come on both. */
        place.reasons = ((reasons[0] | reasons[1]) & ~(unsigned)TCGRR_REASON_INTERRUPT) | (reasons[0] & reasons[1]);
    }
    tcgrr_align_restore(align, &state, place.reasons != 0);
    if (place.reasons) {
        tcgrr_align_tolerate(align, &place);
        *pair = trial;
    }
    return place.reasons != 0;
}

/* If one side has left a loop in which the other runs a limited number of further instructions, continues after it. */
static bool leave_either(struct tcgrr_align *align, struct tcgrr_cursor_pair *pair, uint64_t most)
{
    struct body bodies[2];
    bool good = false;

    find_body(align, pair, 0, &bodies[0]);
    find_body(align, pair, 1, &bodies[1]);
    /* The inner loop first, where one side goes back in it and the other in one around it. */
    int inner = bodies[1].turn < bodies[0].turn;
    for (int i = 0; i < 2 && !good; i++) {
        int late = i == 0 ? inner : !inner;
        good = bodies[late].turn != UINT32_MAX && leave_loop(align, pair, late, &bodies[late], most);
    }
    g_hash_table_destroy(bodies[0].pcs);
    g_hash_table_destroy(bodies[1].pcs);
    return good;
}

/* ---- transients ---- */

/*
 * What the side read last, shortly before. If it was read several times, it was polled in a loop that both sides have
 * left, so the difference is not due to it.
 */
static unsigned read_before(struct tcgrr_align *align, const struct tcgrr_cursor_pair *pair, int which)
{
    struct back back = look_back(align, pair, which);
    unsigned reasons = 0;
    uint64_t pc = 0;

    for (int i = 0; i < 2 * NEAR_INSNS && step_back(&back); i++) {
        if (reasons && tcgrr_insn_cursor_pc(&back.walk) == pc) {
            return 0;
        }
        if (!reasons && i < NEAR_INSNS) {
            reasons = reasons_at(align, &back.walk);
            pc = tcgrr_insn_cursor_pc(&back.walk);
        }
    }
    return reasons;
}

/* Instructions that the side runs from here on, without interrupts. The place after the last one counts if
 * the run ends there. */
static guint list_next_insns(const struct tcgrr_cursor_pair *pair, int which, struct tcgrr_insn_cursor *places)
{
    struct tcgrr_insn_cursor walk = pair->walks[which];
    struct tcgrr_interrupt interrupt;
    guint count = 0;

    while (count < APART_MAX) {
        places[count++] = walk;
        bool over = !tcgrr_insn_cursor_exec(&walk) || walk.icount >= pair->end[which];
        if (over || (count > 1 && walk.insn == 0 && tcgrr_interrupt_at(&walk, 0, &interrupt))) {
            break;
        }
        tcgrr_insn_cursor_step(&walk);
    }
    return count;
}

/* Whether both continue in the same way from these places. */
static bool meet_at(struct tcgrr_align *align, const struct tcgrr_cursor_pair *pair, const struct tcgrr_insn_cursor *a,
                    const struct tcgrr_insn_cursor *b, struct tcgrr_cursor_pair *met)
{
    struct tcgrr_cursor_pair trial = *pair;

    trial.walks[0] = *a;
    trial.walks[1] = *b;
    bool over[2] = {tcgrr_cursor_pair_over(&trial, 0), tcgrr_cursor_pair_over(&trial, 1)};
    bool possible = over[0] == over[1] && (over[0] ? pair->depth > 0 : tcgrr_insn_cursor_same(a, b));
    if (!possible || !alike(align, &trial)) {
        return false;
    }
    *met = trial;
    return true;
}

/* The nearest place from which both run the same: where A first reaches an instruction, and B, too. */
static bool meet(struct tcgrr_align *align, const struct tcgrr_cursor_pair *pair, struct tcgrr_cursor_pair *met)
{
    struct tcgrr_insn_cursor places[2][APART_MAX];
    guint counts[2] = {list_next_insns(pair, 0, places[0]), list_next_insns(pair, 1, places[1])};
    GHashTable *first = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    guint nearest = UINT_MAX;

    for (guint a = counts[0]; a-- > 0;) {
        if (tcgrr_insn_cursor_exec(&places[0][a])) {
            uint64_t pc = tcgrr_insn_cursor_pc(&places[0][a]);
            g_hash_table_replace(first, g_memdup2(&pc, sizeof(pc)), GUINT_TO_POINTER(a + 1));
        }
    }
    for (guint b = 0; b < counts[1] && b < nearest; b++) {
        uint64_t pc = tcgrr_insn_cursor_exec(&places[1][b]) ? tcgrr_insn_cursor_pc(&places[1][b]) : TCGRR_NO_PC;
        guint a = GPOINTER_TO_UINT(g_hash_table_lookup(first, &pc));
        if (a > 0 && a - 1 + b < nearest && meet_at(align, pair, &places[0][a - 1], &places[1][b], met)) {
            nearest = a - 1 + b;
        }
    }
    g_hash_table_destroy(first);
    return nearest != UINT_MAX || (counts[0] > 0 && counts[1] > 0 &&
                                   meet_at(align, pair, &places[0][counts[0] - 1], &places[1][counts[1] - 1], met));
}

/* Whether the two meet again soon, and what explains that they took different ways. */
static bool find_transient(struct tcgrr_align *align, const struct tcgrr_cursor_pair *pair,
                           struct tcgrr_cursor_pair *met, struct tcgrr_tolerated *place)
{
    unsigned reasons[2] = {read_before(align, pair, 0), read_before(align, pair, 1)};

    *place = (struct tcgrr_tolerated){.kind = TCGRR_TOLERATED_TRANSIENT,
                                      .icount = {pair->walks[0].icount, pair->walks[1].icount},
                                      .pc = tcgrr_insn_cursor_pc(&pair->walks[0]),
                                      .from_pc = {TCGRR_NO_PC, TCGRR_NO_PC}};
    place->reasons =
        (reasons[0] && reasons[1] ? reasons[0] | reasons[1] : 0) | (pair->depth > 0 ? TCGRR_REASON_HANDLER : 0);
    if (!place->reasons || !meet(align, pair, met)) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        place->insns[i] = met->walks[i].icount - pair->walks[i].icount;
    }
    return true;
}

bool tcgrr_reconverge(struct tcgrr_align *align, struct tcgrr_cursor_pair *pair)
{
    struct tcgrr_cursor_pair met;
    struct tcgrr_tolerated place;
    bool transient = find_transient(align, pair, &met, &place);

    /* What explains the difference with fewer instructions is more likely. */
    if (leave_either(align, pair, transient ? place.insns[0] + place.insns[1] : EXTRA_MAX)) {
        return true;
    }
    if (transient) {
        tcgrr_align_tolerate(align, &place);
        *pair = met;
    }
    return transient;
}
