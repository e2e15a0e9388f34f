/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/live/live_internal.h"

#include "store/digest.h"
#include "store/isa/disasm.h"

#include <string.h>

/* How long to sleep when the ring is empty: far less than it takes to fill. */
#define POLL_US     500
/* Minimum number of words that are read in one call, if available, however short the wait. */
#define LEAST_WORDS 32768u

struct tcgrr_live *tcgrr_live_new(uint32_t ring_bytes, GError **error)
{
    struct tcgrr_live *live = g_new0(struct tcgrr_live, 1);

    live->overcounted = UINT64_MAX;

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
    live->phrases = g_new0(struct phrase, TCGRR_WIRE_PHRASES);
    live->powers[0] = 1;
    for (unsigned i = 1; i < LIVE_POWERS; i++) {
        live->powers[i] = tcgrr_digest_append(live->powers[i - 1], TCGRR_DIGEST_BASE, 0);
    }
    live->epoch = 1;
    tcgrr_live_mapped_init(live);
    live->auxv = g_string_new(NULL);
    live->inputs.called = live->inputs.differs = live->inputs.ended = live->inputs.other = live->inputs.unsure =
        UINT64_MAX;
    return live;
}

void tcgrr_live_ask_yield(struct tcgrr_live *live)
{
    tcgrr_intake_ask_yield(live->intake);
}

void tcgrr_live_start_at(struct tcgrr_live *live, tcgrr_icount icount)
{
    live->start = icount;
    live->next_checkpoint = (icount / TCGRR_CHECKPOINT_STEP + 1) * TCGRR_CHECKPOINT_STEP;
    /* Earlier events at that instruction are not visible. */
    live->asked = (struct tcgrr_rrlog_asked){.icount = icount};
}

void tcgrr_live_events_only(struct tcgrr_live *live)
{
    live->events_only = true;
}

void tcgrr_live_init_chunk(const struct tcgrr_live *live, struct tcgrr_chunk *chunk)
{
    tcgrr_chunk_follow(chunk, NULL);
    chunk->first_icount = chunk->end_icount = live->start;
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
    tcgrr_blocks_free(live->blocks);
    g_free(live->phrases);
    g_array_unref(live->codes);
    g_hash_table_destroy(live->entries);
    g_array_unref(live->gap);
    g_string_free(live->auxv, TRUE);
    g_byte_array_unref(live->text);
    tcgrr_disasm_free(live->disasm);
    tcgrr_rrlog_free(live->own_log);
    tcgrr_live_sampling_clear(&live->sampling);
    for (size_t i = 0; i < KEPT_CLASSES; i++) {
        g_free(live->classes[i].classes);
    }
    if (live->uncertain) {
        g_array_unref(live->uncertain);
    }
    tcgrr_live_free_accesses(live->accesses);
    tcgrr_live_mapped_clear(live);
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

uint64_t tcgrr_live_events_dropped(const struct tcgrr_live *live)
{
    return live->events_dropped;
}

tcgrr_icount tcgrr_live_overcounted(const struct tcgrr_live *live)
{
    return live->overcounted;
}

uint64_t tcgrr_live_assumed(const struct tcgrr_live *live)
{
    return live->assumed;
}

void tcgrr_live_set_log(struct tcgrr_live *live, struct tcgrr_rrlog *log)
{
    tcgrr_rrlog_free(live->own_log);
    live->log = live->own_log = log;
}

void tcgrr_live_starts_uncounted(struct tcgrr_live *live)
{
    live->uncounted = true;
}

void tcgrr_live_correct_events(struct tcgrr_live *live)
{
    live->corrects_events = true;
}

void tcgrr_live_watch_log(struct tcgrr_live *live, struct tcgrr_rrlog *log,
                          void (*reach)(tcgrr_icount icount, bool open, void *data), void *data)
{
    live->log = log;
    live->reach = reach;
    live->reach_data = data;
}

void tcgrr_live_keep_uncertain(struct tcgrr_live *live)
{
    if (!live->uncertain) {
        live->uncertain = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_uncertain_retire));
    }
}

const GArray *tcgrr_live_uncertain(const struct tcgrr_live *live)
{
    return live->uncertain && live->uncertain->len <= MAX_DOUBTS ? live->uncertain : NULL;
}

void tcgrr_live_drop_uncertain(struct tcgrr_live *live, guint count)
{
    if (count > 0) {
        g_array_remove_range(live->uncertain, 0, count);
    }
}

bool tcgrr_live_full(const struct tcgrr_live *live, const struct tcgrr_chunk *chunk)
{
    return chunk->count == chunk->capacity;
}

uint64_t tcgrr_live_backlog(const struct tcgrr_live *live)
{
    return tcgrr_intake_backlog(live->intake);
}

uint64_t tcgrr_live_written_position(const struct tcgrr_live *live)
{
    return tcgrr_intake_written_position(live->intake);
}

uint64_t tcgrr_live_read_position(const struct tcgrr_live *live)
{
    return tcgrr_intake_read_position(live->intake);
}

uint32_t tcgrr_live_ask_flush(struct tcgrr_live *live)
{
    return tcgrr_intake_ask_flush(live->intake);
}

bool tcgrr_live_flushed(const struct tcgrr_live *live, uint32_t asked)
{
    return tcgrr_intake_flushed(live->intake, asked);
}

void tcgrr_live_await_flush(struct tcgrr_live *live, uint32_t asked, int wait_ms)
{
    tcgrr_intake_await_flush(live->intake, asked, wait_ms);
}

int tcgrr_live_flush_error(const struct tcgrr_live *live)
{
    return tcgrr_intake_flush_error(live->intake);
}

void tcgrr_live_gone(struct tcgrr_live *live)
{
    live->gone = true;
}

void tcgrr_live_died(struct tcgrr_live *live)
{
    live->gone = true;
    live->died = true;
}

int64_t tcgrr_live_in_call(const struct tcgrr_live *live)
{
    guint count = live->gap->len;
    const struct tcgrr_event *last = count > 0 ? &g_array_index(live->gap, struct tcgrr_event, count - 1) : NULL;
    return last && last->kind == TCGRR_EVENT_SYSCALL ? last->number : -1;
}

/* Closes the last execution of a program that died, whose end the plugin could not report. */
static void close_dead(struct tcgrr_live *live, struct tcgrr_chunk *chunk)
{
    int64_t unsure = tcgrr_intake_header(live->intake)->mark;

    if (live->open && unsure > 0 && unsure <= live->open->insns) {
        live->mark = live->open->insns - (uint32_t)unsure;
        live->unusual = true;
        live->inside = tcgrr_live_in_call(live) >= 0;
    }
    tcgrr_live_close(live, chunk, NULL);
    live->end = TCGRR_LIVE_FINISHED;
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
        .environment = header->environment,
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

/*
 * Reads those of the `available` words that are complete records and fit into the chunk. `*done` is their number, which
 * is smaller if the last record is incomplete.
 */
static bool read_words(struct tcgrr_live *live, struct tcgrr_chunk *chunk, const struct tcgrr_intake_words *in,
                       size_t *done, GError **error)
{
    const uint32_t *words = in->words;
    size_t available = in->count;
    bool good = true;
    for (*done = 0; good && *done < available && live->end == TCGRR_LIVE_RUNS;) {
        *done += live->accesses
                     ? tcgrr_live_read_full(live, chunk, words + *done, available - *done)
                     : tcgrr_live_read_fast(live, chunk, words + *done, in->slots + *done, available - *done);
        if (*done == available || tcgrr_live_full(live, chunk)) {
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

void tcgrr_live_stop_at(struct tcgrr_live *live, struct tcgrr_chunk *chunk, tcgrr_icount icount)
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
        live->address_mask = tcgrr_isa_address_mask(live->info.target);
        live->informed = true;
    }
    return live->informed;
}

bool tcgrr_live_next(struct tcgrr_live *live, struct tcgrr_chunk *chunk, int wait_ms, enum tcgrr_live_end *end,
                     GError **error)
{
    gint64 deadline = g_get_monotonic_time() + (gint64)wait_ms * 1000;
    size_t read = 0;

    while (live->end == TCGRR_LIVE_RUNS && !tcgrr_live_full(live, chunk)) {
        bool gone = live->gone; /* checked before reading the ring, so that everything written until then is read */
        struct tcgrr_intake_words words = {0};
        size_t done = 0;
        if (note_info(live) && !tcgrr_intake_fill(live->intake, gone, &words)) {
            return tcgrr_live_damaged(error, "a draft that was not packed");
        }
        if (!read_words(live, chunk, &words, &done, error)) {
            return false;
        }
        tcgrr_intake_take(live->intake, done);
        if (words.all && done < words.count && !tcgrr_live_full(live, chunk) && live->end == TCGRR_LIVE_RUNS) {
            return tcgrr_live_damaged(error, "a record that is cut off");
        }
        /* Even if nothing new was in the ring, there may be more in the draft that was begun last. */
        bool over = done == 0 && gone && (words.all || !live->informed);
        if (over && live->died && live->informed) {
            close_dead(live, chunk);
        } else if (over) {
            live->end = live->informed ? TCGRR_LIVE_CUT : TCGRR_LIVE_UNLOADED;
        }
        read += done;
        if ((done == 0 || read >= LEAST_WORDS) && g_get_monotonic_time() >= deadline) {
            break;
        }
        if (done == 0 && !gone) {
            g_usleep(POLL_US);
        }
    }
    if (live->accesses) {
        tcgrr_live_carry_accesses(live, chunk);
    }
    *end = live->end;
    return true;
}
