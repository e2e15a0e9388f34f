/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/live/intake.h"

#include "store/error.h"
#include "store/model.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BUFFER_WORDS (4 * TCGRR_WIRE_RESERVE_WORDS)
/* Number of words that are read before more are copied: few enough to stay in the first-level cache. */
#define ENOUGH_WORDS (4 * TCGRR_WIRE_DRAFT_FULL)

struct tcgrr_intake {
    int fd;
    struct tcgrr_wire_header *header;
    const uint32_t *drafts; /* two, one after the other */
    uint32_t *ring;         /* mapped twice in a row */
    uint64_t mask;
    uint64_t tail;   /* words of the ring copied so far; the one in the header is for the plugin */
    bool second;     /* the second draft is the next one */
    uint32_t peeked; /* words copied from it already */
    bool quiet;      /* the last call found nothing in the ring */
    uint32_t (*phrases)[TCGRR_WIRE_PHRASE];
    uint32_t *buffer;
    uint16_t *slots; /* as in struct tcgrr_intake_words */
    size_t taken;
    size_t filled;
};

static bool map_ring(struct tcgrr_intake *intake, size_t bytes)
{
    char *front = mmap(NULL, TCGRR_WIRE_RING_OFFSET, PROT_READ | PROT_WRITE, MAP_SHARED, intake->fd, 0);
    if (front == MAP_FAILED) {
        return false;
    }
    intake->header = (struct tcgrr_wire_header *)(void *)front;
    intake->drafts = (const uint32_t *)(void *)(front + TCGRR_WIRE_HEADER_BYTES);
    char *base = mmap(NULL, 2 * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        return false;
    }
    intake->ring = (uint32_t *)(void *)base;
    for (int copy = 0; copy < 2; copy++) {
        if (mmap(base + copy * bytes, bytes, PROT_READ, MAP_SHARED | MAP_FIXED, intake->fd, TCGRR_WIRE_RING_OFFSET) ==
            MAP_FAILED) {
            return false;
        }
    }
    return true;
}

struct tcgrr_intake *tcgrr_intake_new(uint32_t ring_bytes, GError **error)
{
    struct tcgrr_intake *intake = g_new0(struct tcgrr_intake, 1);

    intake->mask = ring_bytes / sizeof(uint32_t) - 1;
    intake->buffer = g_new0(uint32_t, BUFFER_WORDS + TCGRR_INTAKE_SLACK);
    intake->slots = g_new(uint16_t, BUFFER_WORDS);
    intake->phrases = g_malloc0(TCGRR_WIRE_PHRASES * sizeof(*intake->phrases));
    intake->quiet = true;
    intake->fd = memfd_create("tcgrr-ring", MFD_CLOEXEC);
    if (intake->fd < 0 || ftruncate(intake->fd, TCGRR_WIRE_RING_OFFSET + (off_t)ring_bytes) != 0 ||
        !map_ring(intake, ring_bytes)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot share %u KiB of memory with QEMU: %s",
                    ring_bytes / 1024, g_strerror(errno));
        tcgrr_intake_free(intake);
        return NULL;
    }
    intake->header->magic = TCGRR_WIRE_MAGIC;
    intake->header->version = TCGRR_WIRE_VERSION;
    intake->header->ring_words = ring_bytes / sizeof(uint32_t);
    intake->header->consumer_pid = (uint32_t)getpid();
    intake->header->consumer_fd = (uint32_t)intake->fd;
    tcgrr_intake_set_sample_step(intake, TCGRR_SAMPLE_STEP);
    return intake;
}

void tcgrr_intake_free(struct tcgrr_intake *intake)
{
    if (!intake) {
        return;
    }
    if (intake->header) {
        tcgrr_intake_detach(intake);
        munmap(intake->header, TCGRR_WIRE_RING_OFFSET);
    }
    if (intake->ring) {
        munmap(intake->ring, 2 * (intake->mask + 1) * sizeof(uint32_t));
    }
    if (intake->fd >= 0) {
        close(intake->fd);
    }
    g_free(intake->phrases);
    g_free(intake->slots);
    g_free(intake->buffer);
    g_free(intake);
}

int tcgrr_intake_fd(const struct tcgrr_intake *intake)
{
    return intake->fd;
}

const struct tcgrr_wire_header *tcgrr_intake_header(const struct tcgrr_intake *intake)
{
    return intake->header;
}

void tcgrr_intake_detach(struct tcgrr_intake *intake)
{
    atomic_store_explicit(&intake->header->detach, 1, memory_order_release);
}

void tcgrr_intake_set_sample_step(struct tcgrr_intake *intake, uint32_t step)
{
    atomic_store_explicit(&intake->header->sample_step, step, memory_order_relaxed);
}

void tcgrr_intake_set_sample_origin(struct tcgrr_intake *intake, uint64_t pc, bool in_code)
{
    intake->header->sample_origin = pc;
    intake->header->has_sample_origin = 1;
    intake->header->sample_origin_in_code = in_code;
}

void tcgrr_intake_set_process(struct tcgrr_intake *intake, uint32_t process)
{
    intake->header->process = process;
}

void tcgrr_intake_set_closer_samples(struct tcgrr_intake *intake, uint64_t from, uint64_t to)
{
    intake->header->closer_from = from;
    intake->header->closer_to = to;
}

void tcgrr_intake_end_window(struct tcgrr_intake *intake)
{
    atomic_store_explicit(&intake->header->past_window, 1, memory_order_relaxed);
}

void tcgrr_intake_ask_yield(struct tcgrr_intake *intake)
{
    atomic_store_explicit(&intake->header->yield_asked, 1, memory_order_relaxed);
}

uint64_t tcgrr_intake_written_position(const struct tcgrr_intake *intake)
{
    return atomic_load_explicit(&intake->header->head, memory_order_acquire);
}

uint64_t tcgrr_intake_read_position(const struct tcgrr_intake *intake)
{
    return intake->peeked > 0 ? UINT64_MAX : intake->tail;
}

uint32_t tcgrr_intake_ask_flush(struct tcgrr_intake *intake)
{
    uint32_t asked = atomic_fetch_add_explicit(&intake->header->flush_asked, 1, memory_order_acq_rel) + 1;
    syscall(SYS_futex, &intake->header->flush_asked, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    return asked;
}

bool tcgrr_intake_flushed(const struct tcgrr_intake *intake, uint32_t asked)
{
    uint32_t done = atomic_load_explicit(&intake->header->flush_done, memory_order_acquire);
    return (int32_t)(done - asked) >= 0;
}

int tcgrr_intake_flush_error(const struct tcgrr_intake *intake)
{
    return atomic_load_explicit(&intake->header->flush_error, memory_order_acquire);
}

void tcgrr_intake_await_flush(struct tcgrr_intake *intake, uint32_t asked, int wait_ms)
{
    const struct timespec wait = {wait_ms / 1000, (long)(wait_ms % 1000) * 1000000};
    uint32_t done = atomic_load_explicit(&intake->header->flush_done, memory_order_acquire);

    if ((int32_t)(done - asked) < 0) {
        syscall(SYS_futex, &intake->header->flush_done, FUTEX_WAIT, done, &wait, NULL, 0);
    }
}

static uint32_t draft_offset(const struct tcgrr_intake *intake)
{
    return intake->second ? TCGRR_WIRE_DRAFT_WORDS : 0;
}

/* Number of words in the next draft, if that is being written; bounded, whatever the other process claims. */
static uint32_t drafted(const struct tcgrr_intake *intake)
{
    uint64_t cursor = atomic_load_explicit(&intake->header->cursor, memory_order_acquire);
    uint64_t words = (cursor - intake->header->base) / sizeof(uint32_t) - draft_offset(intake);
    return words <= TCGRR_WIRE_DRAFT_WORDS ? (uint32_t)words : 0;
}

uint64_t tcgrr_intake_backlog(const struct tcgrr_intake *intake)
{
    uint64_t head = atomic_load_explicit(&intake->header->head, memory_order_acquire);
    uint32_t words = drafted(intake);
    return ((head - intake->tail) & intake->mask) + words - MIN(words, intake->peeked);
}

/*
 * Unpacks the draft at `from`, of which the ring has `most` words, to the buffer's end. Returns the number of words
 * that it took in the ring, 0 if it is invalid. The other process can change the ring at any time, so each word is read
 * once.
 */
static uint64_t unpack(struct tcgrr_intake *intake, const uint32_t *from, uint64_t most)
{
    uint32_t *to = intake->buffer + intake->filled;
    uint16_t *slots = intake->slots + intake->filled;
    uint32_t begin = *(const volatile uint32_t *)from;
    uint32_t count = begin & ~(TCGRR_WIRE_AS_WRITTEN | TCGRR_WIRE_RESTART), left = count;
    uint64_t took = 1;

    if (count > TCGRR_WIRE_DRAFT_WORDS) {
        return 0;
    }
    if (begin & TCGRR_WIRE_RESTART) {
        memset(intake->phrases, 0, TCGRR_WIRE_PHRASES * sizeof(*intake->phrases));
    }
    memset(slots, 0, count * sizeof(*slots));
    for (; !(begin & TCGRR_WIRE_AS_WRITTEN) && left >= TCGRR_WIRE_PHRASE; left -= TCGRR_WIRE_PHRASE) {
        uint32_t word = *(const volatile uint32_t *)(from + took++);
        uint32_t slot = word % TCGRR_WIRE_PHRASES;
        uint32_t *phrase = intake->phrases[slot];
        if (!(word & TCGRR_WIRE_KNOWN)) {
            memcpy(phrase, from + took, sizeof(*intake->phrases));
            took += TCGRR_WIRE_PHRASE;
        }
        memcpy(to, phrase, sizeof(*intake->phrases));
        *slots = (uint16_t)(1 + slot);
        to += TCGRR_WIRE_PHRASE;
        slots += TCGRR_WIRE_PHRASE;
    }
    memcpy(to, from + took, left * sizeof(uint32_t));
    intake->filled += count;
    took += left;
    return took <= most ? took : 0;
}

/* Within the buffer. */
static void move(struct tcgrr_intake *intake, size_t to, size_t from, size_t count)
{
    memmove(intake->buffer + to, intake->buffer + from, count * sizeof(*intake->buffer));
    memmove(intake->slots + to, intake->slots + from, count * sizeof(*intake->slots));
}

/* Copies the next draft from the ring. */
static bool take_draft(struct tcgrr_intake *intake, uint64_t backlog)
{
    size_t filled = intake->filled;
    uint64_t took = unpack(intake, intake->ring + (intake->tail & intake->mask), backlog);
    size_t known = MIN(intake->peeked, intake->filled - filled);

    if (took == 0) {
        return false;
    }
    if (known > 0) {
        intake->filled -= known;
        move(intake, filled, filled + known, intake->filled - filled);
    }
    intake->peeked = 0;
    intake->second = !intake->second;
    intake->tail += took;
    atomic_store_explicit(&intake->header->tail, intake->tail, memory_order_release);
    return true;
}

/*
 * Copies words of a draft that the plugin may begin to overwrite at the same time. They are copied in order: if the
 * head has not moved afterwards, none of them was overwritten. ThreadSanitizer would report the words that are
 * discarded.
 */
__attribute__((no_sanitize("thread"))) static void copy_draft(uint32_t *to, const uint32_t *from, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        to[i] = __atomic_load_n(&from[i], __ATOMIC_ACQUIRE);
    }
}

/* Copies the new words of the draft that is being written; nothing if it has been packed in the meantime. */
static bool peek(struct tcgrr_intake *intake)
{
    uint32_t words = drafted(intake);
    uint32_t news = words - MIN(words, intake->peeked);

    copy_draft(intake->buffer + intake->filled, intake->drafts + draft_offset(intake) + words - news, news);
    if (atomic_load_explicit(&intake->header->head, memory_order_acquire) != intake->tail) {
        return false;
    }
    memset(intake->slots + intake->filled, 0, news * sizeof(*intake->slots));
    intake->filled += news;
    intake->peeked += news;
    return true;
}

bool tcgrr_intake_fill(struct tcgrr_intake *intake, bool gone, struct tcgrr_intake_words *words)
{
    uint64_t head = atomic_load_explicit(&intake->header->head, memory_order_acquire);
    bool found = head != intake->tail;

    intake->filled -= intake->taken;
    move(intake, 0, intake->taken, intake->filled);
    intake->taken = 0;
    /* The available words may not be a complete record yet. */
    size_t enough = MIN(MAX(ENOUGH_WORDS, intake->filled + 1), BUFFER_WORDS - TCGRR_WIRE_DRAFT_WORDS);
    while (head != intake->tail && intake->filled < enough) {
        if (head - intake->tail > intake->mask + 1 || !take_draft(intake, head - intake->tail)) {
            return false;
        }
    }
    bool looks = !found && (gone || intake->quiet) && BUFFER_WORDS - intake->filled >= TCGRR_WIRE_DRAFT_WORDS;
    intake->quiet = !found;
    *words = (struct tcgrr_intake_words){intake->buffer, intake->slots, 0, looks && peek(intake)};
    words->count = intake->filled;
    return true;
}

void tcgrr_intake_take(struct tcgrr_intake *intake, size_t count)
{
    intake->taken += count;
}
