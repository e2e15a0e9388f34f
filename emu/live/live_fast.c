/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hot loop: consecutive complete executions. Guests run in loops, and the plugin marks the start of a phrase that
 * it has sent before; the sums of such a phrase are computed once.
 */
#include "emu/live/live_internal.h"

#include "store/digest.h"

#include <string.h>

/* A stretch of executions: the digest of all but the one that began last. */
struct lane {
    const struct code *before; /* the one that began last */
    uint64_t flow;
    uint64_t insns;
};

static const struct code *code_of(const struct tcgrr_live *live, uint32_t word)
{
    return (const struct code *)live->codes->data + word;
}

static inline void complete(struct lane *lane)
{
    lane->flow = tcgrr_digest_step(lane->flow, lane->before->shifted, lane->before->sum);
    lane->insns += lane->before->insns;
}

/* Adds one execution to the lane. Returns false, without a change, if it cannot follow. */
static inline bool step(const struct tcgrr_live *live, struct lane *lane, uint32_t word, uint32_t *block)
{
    if (word >= live->known || !may_follow(lane->before, code_of(live, word))) {
        return false;
    }
    *block = lane->before->block;
    complete(lane);
    lane->before = code_of(live, word);
    return true;
}

/* 8 times the digest's power for that many instructions, as tcgrr_digest_step() takes it. */
static inline uint64_t shifted_power(const struct tcgrr_live *live, uint64_t insns)
{
    return 8 * (insns < LIVE_POWERS ? live->powers[insns] : tcgrr_digest_power(insns));
}

/*
 * Computes the sums of the executions in `words`. Returns false if they cannot follow one another. It works on two
 * halves in parallel, because each step of a digest depends on the one before.
 */
static bool learn(const struct tcgrr_live *live, struct phrase *phrase, const uint32_t *words)
{
    enum { HALF = TCGRR_WIRE_PHRASE / 2 };
    struct lane first = {0}, second = {0};

    phrase->epoch = 0;
    if (words[0] >= live->known || words[HALF] >= live->known) {
        return false;
    }
    first.before = code_of(live, words[0]);
    second.before = code_of(live, words[HALF]);
    for (unsigned i = 1; i < HALF; i++) {
        if (!step(live, &first, words[i], &phrase->blocks[i - 1]) ||
            !step(live, &second, words[HALF + i], &phrase->blocks[HALF + i - 1])) {
            return false;
        }
    }
    if (!step(live, &first, words[HALF], &phrase->blocks[HALF - 1])) {
        return false;
    }
    phrase->insns_before = (uint32_t)(first.insns + second.insns);
    phrase->shifted_before = shifted_power(live, phrase->insns_before);
    phrase->sum_before =
        tcgrr_digest_settle(tcgrr_digest_step(first.flow, shifted_power(live, second.insns), second.flow));
    complete(&second);
    phrase->insns = (uint32_t)(first.insns + second.insns);
    phrase->shifted = shifted_power(live, phrase->insns);
    phrase->sum = tcgrr_digest_settle(tcgrr_digest_step(first.flow, shifted_power(live, second.insns), second.flow));
    memcpy(phrase->words, words, sizeof(phrase->words));
    phrase->epoch = live->epoch;
    return true;
}

/* All phrases together do not fit into the second-level cache with the other data. */
#define AHEAD ((size_t)8 * TCGRR_WIRE_PHRASE)
static inline void fetch_ahead(const struct phrase *phrase)
{
    for (size_t at = 0; at < sizeof(*phrase); at += 64) {
        __builtin_prefetch((const char *)phrase + at);
    }
}

/*
 * Adds consecutive phrases to the lane, at most `most` words, while the sum with the execution that began last is below
 * `until` instructions. Returns how many words it took.
 */
static size_t read_phrases(const struct tcgrr_live *live, struct lane *lane, const uint32_t *words,
                           const uint16_t *slots, size_t most, uint64_t until, uint32_t *to)
{
    const struct code *codes = code_of(live, 0), *before = lane->before;
    struct phrase *phrases = live->phrases;
    struct lane all = *lane; /* with the execution that began last */
    uint64_t flow = lane->flow, insns = lane->insns;
    size_t i = 0;

    complete(&all);
    for (; i + TCGRR_WIRE_PHRASE <= most && slots[i] > 0; i += TCGRR_WIRE_PHRASE) {
        if (i + AHEAD < most && slots[i + AHEAD] > 0) {
            fetch_ahead(&phrases[slots[i + AHEAD] - 1]);
        }
        struct phrase *phrase = &phrases[slots[i] - 1];
        bool known = phrase->epoch == live->epoch && tcgrr_wire_same_phrase(phrase->words, words + i);
        if ((!known && !learn(live, phrase, words + i)) || !may_follow(before, &codes[words[i]]) ||
            all.insns + phrase->insns >= until) {
            break;
        }
        to[i] = before->block;
        memcpy(to + i + 1, phrase->blocks, sizeof(phrase->blocks));
        before = &codes[words[i + TCGRR_WIRE_PHRASE - 1]];
        flow = tcgrr_digest_step(all.flow, phrase->shifted_before, phrase->sum_before);
        insns = all.insns + phrase->insns_before;
        all.flow = tcgrr_digest_step(all.flow, phrase->shifted, phrase->sum);
        all.insns += phrase->insns;
    }
    *lane = (struct lane){before, flow, insns};
    return i;
}

/*
 * Processes the words after the open execution, up to `*count`, or to the first that cannot follow, or until an
 * execution has begun that ends at `until` instructions or later; sets `*count` to their number.
 */
static struct lane read_piece(const struct tcgrr_live *live, const uint32_t *words, const uint16_t *slots,
                              size_t *count, uint64_t until, uint32_t *to)
{
    struct lane lane = {.before = live->open};
    size_t i = 0;

    while (i < *count && lane.insns + lane.before->insns < until) {
        size_t phrases =
            slots && slots[i] > 0 ? read_phrases(live, &lane, words + i, slots + i, *count - i, until, to + i) : 0;
        if (phrases == 0 && !step(live, &lane, words[i], &to[i])) {
            break;
        }
        i += MAX(phrases, 1);
    }
    *count = i;
    lane.flow = tcgrr_digest_settle(lane.flow);
    return lane;
}

/* Adds the checkpoints in the open execution, which is complete. */
static void add_checkpoints(struct tcgrr_live *live, struct tcgrr_chunk *chunk)
{
    const struct tcgrr_block *block = tcgrr_blocks_get(live->blocks, live->open->block);

    while (chunk->end_icount + block->insns >= live->next_checkpoint) {
        uint32_t insns = (uint32_t)(live->next_checkpoint - chunk->end_icount);
        struct tcgrr_checkpoint checkpoint = {.icount = live->next_checkpoint,
                                              .flow = tcgrr_block_append(chunk->end_flow, block, insns)};
        g_array_append_val(chunk->checkpoints, checkpoint);
        live->next_checkpoint += TCGRR_CHECKPOINT_STEP;
    }
}

size_t tcgrr_live_read_fast(struct tcgrr_live *live, struct tcgrr_chunk *chunk, const uint32_t *words,
                            const uint16_t *slots, size_t available)
{
    const struct code *open = live->open;
    size_t most = MIN(available, (size_t)(chunk->capacity - chunk->count));
    size_t done = 0, count = 1;

    if (!tcgrr_live_is_quiet(live)) {
        return 0;
    }
    for (; done < most && count > 0; done += count) {
        uint64_t until = live->next_checkpoint - chunk->end_icount;
        bool passes = live->open->insns >= until;
        count = passes ? 1 : most - done;
        struct lane piece = read_piece(live, words + done, slots ? slots + done : NULL, &count,
                                       passes ? UINT64_MAX : until, chunk->blocks + chunk->count);
        if (passes && count > 0) {
            add_checkpoints(live, chunk);
        }
        chunk->end_flow = tcgrr_digest_append(chunk->end_flow, tcgrr_digest_power(piece.insns), piece.flow);
        chunk->end_icount += piece.insns;
        chunk->count += (uint32_t)count;
        live->open = piece.before;
    }
    if (done > 0) {
        note_way(live, done > 1 ? code_of(live, words[done - 2]) : open, live->open);
        live->past_events = 0;
    }
    return done;
}
