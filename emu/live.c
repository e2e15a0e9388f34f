/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/live_internal.h"

#include "store/digest.h"
#include "store/error.h"

#include <string.h>

/* How long to sleep when the ring is empty: far shorter than it takes to fill. */
#define POLL_US 500

/* Executions that the fast path takes at once; fewer than SHORT are not worth two lanes. */
#define PIECE_WORDS 4096
#define SHORT_WORDS 64

struct tcgrr_live *tcgrr_live_new(uint32_t ring_bytes, GError **error)
{
    struct tcgrr_live *live = g_new0(struct tcgrr_live, 1);

    live->intake = tcgrr_intake_new(ring_bytes, error);
    if (!live->intake) {
        g_free(live);
        return NULL;
    }
    live->blocks = tcgrr_blocks_new();
    live->codes = g_array_new(FALSE, FALSE, sizeof(struct code));
    live->entries = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    live->gap = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_event));
    live->text = g_byte_array_new();
    live->mark = UINT32_MAX;
    live->next_checkpoint = TCGRR_CHECKPOINT_STEP;
    live->longest = 1;
    live->stride = PIECE_WORDS;
    return live;
}

void tcgrr_live_detach(struct tcgrr_live *live)
{
    tcgrr_intake_detach(live->intake);
}

void tcgrr_live_free(struct tcgrr_live *live)
{
    if (!live) {
        return;
    }
    tcgrr_intake_free(live->intake);
    if (!live->leader) {
        tcgrr_blocks_free(live->blocks);
    }
    g_free(live->pieces);
    g_array_unref(live->codes);
    g_hash_table_destroy(live->entries);
    g_array_unref(live->gap);
    g_byte_array_unref(live->text);
    tcgrr_rrlog_free(live->log);
    tcgrr_live_sampling_clear(&live->sampling);
    for (size_t i = 0; i < KEPT_CLASSES; i++) {
        g_free(live->classes[i].classes);
    }
    if (live->doubts) {
        g_array_unref(live->doubts);
    }
    tcgrr_live_free_accesses(live->accesses);
    g_free(live);
}

int tcgrr_live_fd(const struct tcgrr_live *live)
{
    return tcgrr_intake_fd(live->intake);
}

const struct tcgrr_blocks *tcgrr_live_blocks(const struct tcgrr_live *live)
{
    return live->blocks;
}

uint64_t tcgrr_live_assumed(const struct tcgrr_live *live)
{
    return live->assumed;
}

void tcgrr_live_set_log(struct tcgrr_live *live, struct tcgrr_rrlog *log)
{
    tcgrr_rrlog_free(live->log);
    live->log = log;
}

void tcgrr_live_keep_doubts(struct tcgrr_live *live)
{
    if (!live->doubts) {
        live->doubts = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_doubt));
    }
}

const GArray *tcgrr_live_doubts(const struct tcgrr_live *live)
{
    return live->doubts && live->doubts->len <= MOST_DOUBTS ? live->doubts : NULL;
}

bool tcgrr_live_full(const struct tcgrr_live *live, const struct tcgrr_chunk *chunk)
{
    /* A follower takes over whole pieces. */
    return chunk->capacity - chunk->count < (live->leader ? PIECE_WORDS : 1);
}

void tcgrr_live_bound(struct tcgrr_live *live, tcgrr_icount icount)
{
    live->bound = icount;
}

uint64_t tcgrr_live_backlog(const struct tcgrr_live *live)
{
    return tcgrr_intake_backlog(live->intake);
}

void tcgrr_live_gone(struct tcgrr_live *live)
{
    live->gone = true;
}

bool tcgrr_live_info(const struct tcgrr_live *live, struct tcgrr_live_info *info)
{
    const struct tcgrr_wire_header *header = tcgrr_intake_header(live->intake);

    if (atomic_load_explicit(&header->state, memory_order_acquire) == TCGRR_WIRE_WAITING) {
        return false;
    }
    *info = (struct tcgrr_live_info){
        .api = header->api,
        .api_min = header->api_min,
        .api_cur = header->api_cur,
        .system = header->system != 0,
        .vcpus = header->vcpus,
        .reports_discon = header->features & TCGRR_WIRE_DISCON,
        .reports_syscalls = header->features & TCGRR_WIRE_SYSCALL,
        .digests_stores = header->features & TCGRR_WIRE_STORES,
    };
    memcpy(info->target, header->target, sizeof(info->target));
    info->target[sizeof(info->target) - 1] = '\0';
    for (char *at = info->target; *at; at++) {
        if (!g_ascii_isgraph(*at)) {
            *at = '\0';
            break;
        }
    }
    return true;
}

static inline void lane_step(struct tcgrr_lane *lane, const struct code *code, uint32_t *to)
{
    *to = lane->before->block;
    lane->flow = tcgrr_digest_step(lane->flow, lane->before->shifted, lane->before->sum);
    lane->insns += lane->before->insns;
    lane->fits &= may_follow(lane->before, code);
    lane->before = code;
}

/*
 * Goes through `count` words that follow the open execution. A digest depends on the one before it, so a single chain
 * would wait for each multiplication; two halves side by side do not. No branch depends on what ran, which the host
 * could not predict. Words that are not of known translations find some entry of the table all the same; with them the
 * piece does not fit.
 */
static struct tcgrr_lane read_piece(const struct tcgrr_live *live, const uint32_t *words, size_t count, uint32_t *to)
{
    const struct code *codes = (const struct code *)live->codes->data;
    uint32_t mask = live->codes->len - 1;
    uint32_t seen = 0;
    struct tcgrr_lane first = {.before = live->open, .fits = true};
    size_t half = count < SHORT_WORDS ? 0 : count / 2;

    if (half > 0) {
        struct tcgrr_lane second = {.before = &codes[words[half - 1] & mask], .fits = true};
        for (size_t i = 0; i < half; i++) {
            seen |= words[i] | words[half + i];
            lane_step(&first, &codes[words[i] & mask], &to[i]);
            lane_step(&second, &codes[words[half + i] & mask], &to[half + i]);
        }
        first.flow = tcgrr_digest_append(tcgrr_digest_settle(first.flow), tcgrr_digest_power(second.insns),
                                         tcgrr_digest_settle(second.flow));
        first.insns += second.insns;
        first.fits &= second.fits;
        first.before = second.before;
    }
    for (size_t i = 2 * half; i < count; i++) {
        seen |= words[i];
        lane_step(&first, &codes[words[i] & mask], &to[i]);
    }
    first.fits &= seen <= mask;
    first.flow = tcgrr_digest_settle(first.flow);
    return first;
}

/* How many words are of known translations that can follow one another. */
static size_t fitting(const struct tcgrr_live *live, const uint32_t *words, size_t most)
{
    const struct code *codes = (const struct code *)live->codes->data;
    const struct code *open = live->open;
    size_t count = 0;
    while (count < most && words[count] < live->known && may_follow(open, &codes[words[count]])) {
        open = &codes[words[count++]];
    }
    return count;
}

/* Reads what of the next *count words, at least one, fits; *count says how many they are then. */
static struct tcgrr_lane read_fitting(struct tcgrr_live *live, const uint32_t *words, size_t *count, uint32_t *to)
{
    struct tcgrr_lane piece;

    *count = MIN(*count, live->stride);
    live->stride = MIN(2 * live->stride, PIECE_WORDS);
    piece = read_piece(live, words, *count, to);
    if (!piece.fits) {
        *count = fitting(live, words, *count);
        piece = read_piece(live, words, *count, to);
        live->stride = SHORT_WORDS;
    }
    return piece;
}

/* The checkpoints that fall into the executions from `open` on, up to and without the last of `words`. */
static void add_checkpoints(struct tcgrr_live *live, struct tcgrr_chunk *chunk, const struct code *codes,
                            const uint32_t *words, tcgrr_icount end)
{
    const struct code *code = live->open;
    tcgrr_icount icount = chunk->end_icount;
    uint64_t flow = chunk->end_flow;

    while (live->next_checkpoint <= end) {
        while (icount + code->insns >= live->next_checkpoint) {
            const struct tcgrr_block *block = tcgrr_blocks_get(live->blocks, code->block);
            struct tcgrr_checkpoint checkpoint = {
                .icount = live->next_checkpoint,
                .flow = tcgrr_block_append(flow, block, (uint32_t)(live->next_checkpoint - icount))};
            g_array_append_val(chunk->checkpoints, checkpoint);
            live->next_checkpoint += TCGRR_CHECKPOINT_STEP;
        }
        icount += code->insns;
        flow = tcgrr_digest_settle(tcgrr_digest_step(flow, code->shifted, code->sum));
        code = &codes[*words++];
    }
}

/* A follower does not overtake its leader without need. */
static bool far_enough(const struct tcgrr_live *live, const struct tcgrr_chunk *chunk)
{
    return live->leader && chunk->end_icount >= live->bound;
}

size_t tcgrr_live_read_fast(struct tcgrr_live *live, struct tcgrr_chunk *chunk, const uint32_t *words, size_t available)
{
    const struct code *codes = (const struct code *)live->codes->data;
    const struct code *open = live->open;
    size_t most = MIN(available, (size_t)(chunk->capacity - chunk->count));
    size_t done = 0;

    if (!tcgrr_live_is_quiet(live)) {
        return 0;
    }
    while (done < most && !far_enough(live, chunk)) {
        size_t count = most - done;
        struct tcgrr_lane piece;
        enum tcgrr_follow follow =
            live->leader ? tcgrr_live_following(live, chunk, words + done, &count, &piece) : TCGRR_FOLLOW_ALONE;
        live->waits = follow == TCGRR_FOLLOW_WAITS;
        if (follow == TCGRR_FOLLOW_ALONE) {
            size_t wanted = MIN(count, live->stride);
            piece = read_fitting(live, words + done, &count, chunk->blocks + chunk->count);
            most = count < wanted ? done + count : most;
        }
        if (live->waits || count == 0) {
            break;
        }
        if (live->pieces) {
            tcgrr_live_lead(live, &(struct tcgrr_piece){chunk->end_icount, chunk->blocks + chunk->count,
                                                        (uint32_t)count, piece.before->block, piece.insns, piece.flow});
        }
        add_checkpoints(live, chunk, codes, words + done, chunk->end_icount + piece.insns);
        chunk->end_flow = tcgrr_digest_append(chunk->end_flow, tcgrr_digest_power(piece.insns), piece.flow);
        chunk->end_icount += piece.insns;
        chunk->count += (uint32_t)count;
        live->open = piece.before;
        done += count;
    }
    if (done > 0) {
        live->hidden = done > 1 ? codes[words[done - 2]].indirect : open->indirect;
        live->past_events = 0;
    }
    return done;
}

/*
 * Reads `available` words, as many as are whole records and fit into the chunk. `*done` says how many; fewer than there
 * are if the last record is not all there yet.
 */
static bool read_words(struct tcgrr_live *live, struct tcgrr_chunk *chunk, const uint32_t *words, size_t available,
                       size_t *done, GError **error)
{
    bool good = true;
    live->waits = false;
    for (*done = 0; good && *done < available && live->end == TCGRR_LIVE_RUNS;) {
        *done += live->accesses ? tcgrr_live_read_full(live, chunk, words + *done, available - *done)
                                : tcgrr_live_read_fast(live, chunk, words + *done, available - *done);
        if (*done == available || tcgrr_live_full(live, chunk) || live->waits || far_enough(live, chunk)) {
            break;
        }
        size_t length = tcgrr_live_record_length(words[*done]);
        if (length > TCGRR_WIRE_RESERVE_WORDS) {
            return tcgrr_live_damaged(error, "a record of impossible length");
        }
        if (length > available - *done) {
            break;
        }
        good = tcgrr_live_read_record(live, chunk, words + *done, error);
        *done += length;
    }
    chunk->end_blocks = tcgrr_blocks_count(live->blocks);
    return good;
}

void tcgrr_live_stand_at(struct tcgrr_live *live, struct tcgrr_chunk *chunk, tcgrr_icount icount)
{
    uint64_t ran = icount - chunk->end_icount;
    if (live->open && icount > chunk->end_icount && ran <= live->open->insns && chunk->count < chunk->capacity) {
        tcgrr_live_append(live, chunk, (uint32_t)ran, (uint32_t)ran);
        live->open = NULL;
    }
}

static bool note_info(struct tcgrr_live *live)
{
    if (!live->informed && tcgrr_live_info(live, &live->info)) {
        live->isa = tcgrr_isa_of_target(live->info.target);
        live->informed = true;
    }
    return live->informed;
}

bool tcgrr_live_next(struct tcgrr_live *live, struct tcgrr_chunk *chunk, int wait_ms, enum tcgrr_live_end *end,
                     GError **error)
{
    gint64 deadline = g_get_monotonic_time() + (gint64)wait_ms * 1000;

    while (live->end == TCGRR_LIVE_RUNS && !tcgrr_live_full(live, chunk)) {
        bool gone = live->gone; /* before looking at the ring: what came in between is then still read */
        const uint32_t *words = NULL;
        bool all = false;
        size_t available = note_info(live) ? tcgrr_intake_fill(live->intake, &words, &all) : 0;
        size_t done = 0;
        if (!read_words(live, chunk, words, available, &done, error)) {
            return false;
        }
        tcgrr_intake_take(live->intake, done);
        if (done > 0) {
            live->fed = g_get_monotonic_time();
        }
        bool left = live->waits || far_enough(live, chunk) || tcgrr_live_full(live, chunk);
        if (all && done < available && !left && live->end == TCGRR_LIVE_RUNS) {
            return tcgrr_live_damaged(error, "a record that is cut off");
        }
        if (done == 0 && gone) {
            live->end = live->informed ? TCGRR_LIVE_CUT : TCGRR_LIVE_UNLOADED;
        } else if (done == 0) {
            g_usleep(POLL_US);
        }
        if (far_enough(live, chunk) || g_get_monotonic_time() >= deadline) {
            break;
        }
    }
    if (live->accesses) {
        tcgrr_live_put_off(live, chunk);
    }
    *end = live->end;
    return true;
}
