/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/plugin/ring.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_WORDS         (64 / sizeof(uint32_t))
#define MOST_FETCHED       (16 * LINE_WORDS)
#define PAUSE_US           200
#define ROOM_PART          4 /* one such part of the ring */
#define RING_PHRASES_BYTES (TCGRR_WIRE_PHRASES * TCGRR_WIRE_PHRASE * sizeof(uint32_t))

static bool plausible(const struct tcgrr_wire_header *header, size_t file_bytes)
{
    uint64_t words = header->ring_words;
    return words >= 2 * TCGRR_WIRE_RESERVE_WORDS && (words & (words - 1)) == 0 &&
           file_bytes == TCGRR_WIRE_RING_OFFSET + words * sizeof(uint32_t);
}
static_assert(2 * TCGRR_WIRE_RESERVE_WORDS > TCGRR_WIRE_PACKED_WORDS, "a draft must fit the smallest ring");

/* Maps the ring's file pages twice in a row, so that a draft may cross the ring's end. */
static uint32_t *map_twice(int fd, size_t bytes)
{
    char *base = mmap(NULL, 2 * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        return NULL;
    }
    for (int copy = 0; copy < 2; copy++) {
        if (mmap(base + copy * bytes, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
                 TCGRR_WIRE_RING_OFFSET) == MAP_FAILED) {
            munmap(base, 2 * bytes);
            return NULL;
        }
    }
    return (uint32_t *)base;
}

/* Fetches the ring's lines for the next draft from the other core while that draft is written: a store that waits for
 * its line delays all later stores, including QEMU's. */
#ifdef __x86_64__
__attribute__((target("prfchw"))) /* does nothing on processors without it */
#endif
static void
fetch_ahead(const struct tcgrr_ring *ring, uint64_t words)
{
    const uint32_t *next = ring->words + (ring->head & (ring->size - 1));

    for (uint64_t i = 0; i < words && i < MOST_FETCHED; i += LINE_WORDS) {
        __builtin_prefetch(next + i, 1);
    }
}

static void begin_draft(struct tcgrr_ring *ring, uint32_t *draft)
{
    ring->draft = draft;
    ring->limit = draft + TCGRR_WIRE_DRAFT_FULL;
    atomic_store_explicit(&ring->header->cursor, (uintptr_t)draft, memory_order_release);
}

const char *tcgrr_ring_attach(struct tcgrr_ring *ring, int fd, bool again)
{
    struct stat status;

    *ring = (struct tcgrr_ring){0};
    if (fstat(fd, &status) != 0) {
        return "the descriptor in fd= is not open";
    }
    char *front = mmap(NULL, TCGRR_WIRE_RING_OFFSET, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (front == MAP_FAILED) {
        return "cannot map the shared memory";
    }
    ring->header = (struct tcgrr_wire_header *)(void *)front;
    ring->drafts = (uint32_t *)(void *)(front + TCGRR_WIRE_HEADER_BYTES);
    if (ring->header->magic != TCGRR_WIRE_MAGIC || ring->header->version != TCGRR_WIRE_VERSION ||
        !plausible(ring->header, status.st_size)) {
        tcgrr_ring_close(ring);
        return "the shared memory is not this version's; plugin and tcgrr must come from the same build";
    }
    ring->size = ring->header->ring_words;
    ring->words = map_twice(fd, ring->size * sizeof(uint32_t));
    void *phrases = mmap(NULL, RING_PHRASES_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ring->phrases = phrases == MAP_FAILED ? NULL : phrases;
    if (!ring->words || !ring->phrases) {
        tcgrr_ring_close(ring);
        return "cannot map the shared memory";
    }
    close(fd);
    ring->restarts = again;
    ring->head = again ? atomic_load_explicit(&ring->header->head, memory_order_relaxed) : 0;
    atomic_store_explicit(&ring->header->cursor, 0, memory_order_release); /* no words, whatever the base */
    ring->header->base = (uintptr_t)ring->drafts;
    begin_draft(ring, ring->drafts);
    return NULL;
}

void tcgrr_ring_close(struct tcgrr_ring *ring)
{
    munmap(ring->header, TCGRR_WIRE_RING_OFFSET);
    if (ring->words) {
        munmap(ring->words, 2 * ring->size * sizeof(uint32_t));
    }
    if (ring->phrases) {
        munmap(ring->phrases, RING_PHRASES_BYTES);
    }
}

static bool consumer_gone(const struct tcgrr_wire_header *header)
{
    return atomic_load_explicit(&header->detach, memory_order_acquire) ||
           (kill((pid_t)header->consumer_pid, 0) != 0 && errno == ESRCH);
}

static bool has_room(const struct tcgrr_ring *ring, uint64_t words)
{
    return ring->head + words - atomic_load_explicit(&ring->header->tail, memory_order_acquire) <= ring->size;
}

/* If there is no room, waits for much more than that, because sleeping and waking up for each draft would take more
 * processor time than the draft. The content of the ring keeps the consumer busy in the meantime. */
static void wait_for_room(struct tcgrr_ring *ring, uint64_t words)
{
    const struct timespec pause = {.tv_nsec = PAUSE_US * 1000};

    if (has_room(ring, words)) {
        return;
    }
    words = words > ring->size / ROOM_PART ? words : ring->size / ROOM_PART;
    while (!has_room(ring, words) && !ring->unread) {
        ring->unread = consumer_gone(ring->header);
        nanosleep(&pause, NULL);
    }
}

/* The slot for a phrase: the upper bits of a sum of products with powers of a random odd number. */
static inline uint32_t slot_of(const uint32_t *words)
{
    static const uint64_t odd[TCGRR_WIRE_PHRASE / 2] = {UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xdf442d22ce4859b9),
                                                        UINT64_C(0x604a5ce3addef82d), UINT64_C(0xd94363fc538227b1),
                                                        UINT64_C(0x2e2b795f2d10fd85), UINT64_C(0x4be7956e30a337e9),
                                                        UINT64_C(0x5ecb31e4ccd2721d), UINT64_C(0x06d4b2611beb6861)};
    uint64_t sum = 0;
#pragma GCC unroll 8
    for (unsigned i = 0; i < TCGRR_WIRE_PHRASE / 2; i++) {
        uint64_t pair;
        memcpy(&pair, words + 2 * i, sizeof(pair));
        sum += pair * odd[i];
    }
    return (uint32_t)(sum >> 50);
}
static_assert(TCGRR_WIRE_PHRASES == 1u << 14, "slot_of() gives 14 bits");

/* Writes the phrase to the ring or, if it is known, its slot; returns the place of the next word. */
static uint32_t *pack_phrase(struct tcgrr_ring *ring, const uint32_t *words, uint32_t slot, uint32_t *to)
{
    if (tcgrr_wire_same_phrase(words, ring->phrases[slot])) {
        *to = slot | TCGRR_WIRE_KNOWN;
        return to + 1;
    }
    *to = slot;
    memcpy(to + 1, words, sizeof(*ring->phrases));
    memcpy(ring->phrases[slot], words, sizeof(*ring->phrases));
    return to + 1 + TCGRR_WIRE_PHRASE;
}

/* Packs the complete phrases of the draft, `count` of them; returns the place of the next word. The slots are
 * prefetched before they are compared, because the guest's own data has displaced much of them in the nearer caches. */
static uint32_t *pack_phrases(struct tcgrr_ring *ring, uint32_t count, uint32_t *to)
{
    uint16_t slots[TCGRR_WIRE_DRAFT_WORDS / TCGRR_WIRE_PHRASE];

    for (uint32_t i = 0; i < count; i++) {
        slots[i] = (uint16_t)slot_of(ring->draft + (size_t)i * TCGRR_WIRE_PHRASE);
        __builtin_prefetch(ring->phrases[slots[i]]);
    }
    for (uint32_t i = 0; i < count; i++) {
        to = pack_phrase(ring, ring->draft + (size_t)i * TCGRR_WIRE_PHRASE, slots[i], to);
    }
    return to;
}

/* Returns the number of words that it takes in the ring. */
static uint64_t pack_draft(struct tcgrr_ring *ring, uint32_t count)
{
    uint32_t *begin = ring->words + (ring->head & (ring->size - 1));
    uint32_t phrases = ring->as_written ? 0 : count / TCGRR_WIRE_PHRASE;
    uint32_t done = phrases * TCGRR_WIRE_PHRASE;

    *begin = count | (ring->as_written ? TCGRR_WIRE_AS_WRITTEN : 0) | (ring->restarts ? TCGRR_WIRE_RESTART : 0);
    ring->restarts = false;
    uint32_t *to = pack_phrases(ring, phrases, begin + 1);
    memcpy(to, ring->draft + done, (count - done) * sizeof(uint32_t));
    return (uint64_t)(to - begin) + count - done;
}

void tcgrr_ring_pack(struct tcgrr_ring *ring)
{
    wait_for_room(ring, TCGRR_WIRE_PACKED_WORDS);
    if (!ring->unread) {
        uint64_t took = pack_draft(ring, (uint32_t)(tcgrr_ring_space(ring) - ring->draft));
        ring->head += took;
        /* A plain store is not enough: a consumer that reads a draft while it is being overwritten must see that the
         * head has moved. */
        atomic_exchange_explicit(&ring->header->head, ring->head, memory_order_acq_rel);
        fetch_ahead(ring, took + LINE_WORDS);
    }
    begin_draft(ring, ring->draft == ring->drafts ? ring->drafts + TCGRR_WIRE_DRAFT_WORDS : ring->drafts);
    if (ring->packed) {
        ring->packed();
    }
}

void tcgrr_ring_hand_over(struct tcgrr_ring *ring)
{
    do {
        tcgrr_ring_pack(ring);
    } while (ring->draft != ring->drafts); /* both sides take them by turns, the first one first */
}

void tcgrr_ring_disown(struct tcgrr_ring *ring)
{
    int how = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;

    if (mmap(ring->header, TCGRR_WIRE_RING_OFFSET, PROT_READ | PROT_WRITE, how, -1, 0) == MAP_FAILED) {
        abort(); /* otherwise it would write to another process's ring */
    }
    begin_draft(ring, ring->drafts);
    ring->unread = true;
}
