/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Level full: accesses, which follow their execution in the ring. They are added to the chunk as they are read; which
 * of them count is decided when the execution is appended, because only then it is known how far it got.
 */
#include "emu/live/live_internal.h"

#include <string.h>

/* Number of executions that are separated from their accesses at a time. */
#define PIECE_EXECS 4096
/* In the place of an instruction's index: the one at which the open execution was left. */
#define RERUN_INSN  UINT16_MAX

struct page {
    uint64_t page;
    uint64_t offset;
    uint64_t known; /* mask for the physical address: all bits or none */
    uint32_t device;
    uint8_t flags;
};

/* Decoded bits of an access's word after its instruction's index. */
#define KIND_BITS 6
struct kind {
    uint64_t low; /* masks for the value */
    uint64_t high;
    uint32_t length; /* words; UINT32_MAX: not for the fast path */
    uint8_t size;
    uint8_t flags;
};

struct tcgrr_live_accesses {
    struct tcgrr_window window;
    tcgrr_icount from; /* UINT64_MAX until it is known */
    tcgrr_icount until;
    bool over_said; /* the plugin knows that the window is over */
    uint64_t strays;
    uint32_t devices;
    struct kind kinds[1 << KIND_BITS];
    struct page pages[TCGRR_WIRE_PAGES];
    GArray *pending; /* struct tcgrr_access: of the open execution, between two chunks */
    uint32_t execs[PIECE_EXECS];
};

static inline size_t value_words(uint32_t word)
{
    static const uint8_t words[8] = {1, 1, 1, 2, 4};
    return word & TCGRR_WIRE_ACCESS_VALUE ? words[word >> TCGRR_WIRE_ACCESS_SIZE & 7] : 0;
}

size_t tcgrr_live_access_length(uint32_t word)
{
    return 2 + value_words(word);
}

static inline bool makes_sense(uint32_t word)
{
    return (word >> TCGRR_WIRE_ACCESS_SIZE & 7) <= 4;
}

static void fill_kinds(struct kind *kinds)
{
    static const uint64_t low[] = {0xff, 0xffff, 0xffffffff, UINT64_MAX, UINT64_MAX};

    for (uint32_t i = 0; i < 1u << KIND_BITS; i++) {
        uint32_t word = i << TCGRR_WIRE_ACCESS_SIZE;
        uint32_t shift = i & 7;
        bool value = word & TCGRR_WIRE_ACCESS_VALUE;
        if (makes_sense(word)) {
            kinds[i].low = value ? low[shift] : 0;
            kinds[i].high = value && shift == 4 ? UINT64_MAX : 0;
            kinds[i].size = (uint8_t)(1u << shift);
            kinds[i].flags =
                (uint8_t)((word & TCGRR_WIRE_ACCESS_STORE ? TCGRR_ACCESS_STORE : 0) | (value ? TCGRR_ACCESS_VALUE : 0));
        }
        bool fast = makes_sense(word) && !(word & TCGRR_WIRE_ACCESS_RERUN);
        kinds[i].length = fast ? (uint32_t)tcgrr_live_access_length(word) : UINT32_MAX;
    }
}

void tcgrr_live_want_accesses(struct tcgrr_live *live, const struct tcgrr_window *window)
{
    struct tcgrr_live_accesses *accesses = g_new0(struct tcgrr_live_accesses, 1);

    accesses->window = *window;
    accesses->from = window->has_from_pc ? UINT64_MAX : window->from;
    accesses->until = window->has_until_pc ? UINT64_MAX : window->until;
    accesses->devices = TCGRR_DEVICE_UNNAMED;
    accesses->pending = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_access));
    fill_kinds(accesses->kinds);
    for (size_t i = 0; i < TCGRR_WIRE_PAGES; i++) {
        accesses->pages[i].page = UINT64_MAX;
    }
    live->accesses = accesses;
}

void tcgrr_live_free_accesses(struct tcgrr_live_accesses *accesses)
{
    if (accesses) {
        g_array_unref(accesses->pending);
        g_free(accesses);
    }
}

void tcgrr_live_window(const struct tcgrr_live *live, tcgrr_icount *from, tcgrr_icount *until)
{
    *from = live->accesses->from;
    *until = live->accesses->until;
}

uint64_t tcgrr_live_strays(const struct tcgrr_live *live)
{
    return live->accesses->strays + tcgrr_intake_header(live->intake)->strays;
}

/* ---- the open execution's accesses between two chunks ---- */

/* Index of the first access of the open execution; they are the chunk's last ones. */
static guint first_open(const struct tcgrr_chunk *chunk)
{
    guint at = chunk->accesses->len;
    while (at > 0 && g_array_index(chunk->accesses, struct tcgrr_access, at - 1).exec == chunk->count) {
        at--;
    }
    return at;
}

void tcgrr_live_carry_accesses(struct tcgrr_live *live, struct tcgrr_chunk *chunk)
{
    guint first = first_open(chunk);
    if (first < chunk->accesses->len) {
        g_array_append_vals(live->accesses->pending, &g_array_index(chunk->accesses, struct tcgrr_access, first),
                            chunk->accesses->len - first);
        g_array_set_size(chunk->accesses, first);
    }
}

static void take_up(struct tcgrr_live *live, struct tcgrr_chunk *chunk)
{
    GArray *pending = live->accesses->pending;
    if (pending->len == 0) {
        return;
    }
    for (guint i = 0; i < pending->len; i++) {
        g_array_index(pending, struct tcgrr_access, i).exec = chunk->count;
    }
    g_array_append_vals(chunk->accesses, pending->data, pending->len);
    g_array_set_size(pending, 0);
}

/* ---- reading ---- */

static inline uint64_t long_at(const uint32_t *words)
{
    return words[0] | (uint64_t)words[1] << 32;
}

static inline const struct kind *kind_of(const struct tcgrr_live_accesses *accesses, uint32_t word)
{
    return &accesses->kinds[word >> TCGRR_WIRE_ACCESS_SIZE & ((1u << KIND_BITS) - 1)];
}

/*
 * Fills all fields but `exec` and `insn` in place: building the struct elsewhere and copying it takes twice as long. No
 * branch depends on the kind of access, which the host could not predict: words after a short record are read and
 * masked out.
 */
static inline void decode(const struct tcgrr_live_accesses *accesses, const uint32_t *words, const struct kind *kind,
                          struct tcgrr_access *access)
{
    const struct page *page = &accesses->pages[words[1] >> 12 & (TCGRR_WIRE_PAGES - 1)];
    uint64_t address = page->page + (words[1] & 0xfff);

    access->size = kind->size;
    access->flags = page->flags | kind->flags;
    access->device = page->device;
    access->address = address;
    access->physical = (address + page->offset) & page->known;
    access->value[0] = long_at(words + 2) & kind->low;
    access->value[1] = long_at(words + 4) & kind->high;
}

bool tcgrr_live_read_access(struct tcgrr_live *live, struct tcgrr_chunk *chunk, const uint32_t *words, GError **error)
{
    if (!live->accesses || !live->open || !makes_sense(words[0])) {
        return tcgrr_live_damaged(error, "a memory access that makes no sense");
    }
    struct tcgrr_access access;
    decode(live->accesses, words, kind_of(live->accesses, words[0]), &access);
    access.insn = words[0] & TCGRR_WIRE_ACCESS_RERUN ? RERUN_INSN : (uint16_t)(words[0] & TCGRR_WIRE_ACCESS_INSN);
    take_up(live, chunk);
    guint first = first_open(chunk);
    guint count = chunk->accesses->len - first;
    uint16_t before = count ? g_array_index(chunk->accesses, struct tcgrr_access, chunk->accesses->len - 1).insn : 0;
    bool inside = access.insn < live->open->insns || access.insn == RERUN_INSN;
    if (!inside || access.insn < before || count >= TCGRR_EXEC_ACCESSES) {
        return tcgrr_live_damaged(error, "memory accesses that cannot belong to their instruction");
    }
    access.exec = chunk->count;
    g_array_append_val(chunk->accesses, access);
    return true;
}

static void set_page(struct tcgrr_live_accesses *accesses, const uint32_t *words)
{
    uint32_t device = words[5] & ~TCGRR_WIRE_NOWHERE;

    accesses->pages[words[0] & (TCGRR_WIRE_PAGES - 1)] = (struct page){
        .page = long_at(words + 1),
        .offset = long_at(words + 3),
        .known = words[5] & TCGRR_WIRE_NOWHERE ? 0 : UINT64_MAX,
        .device = device,
        .flags = (device ? TCGRR_ACCESS_DEVICE : 0) | (words[5] & TCGRR_WIRE_NOWHERE ? 0 : TCGRR_ACCESS_PHYSICAL),
    };
}

static bool is_page(const struct tcgrr_live_accesses *accesses, const uint32_t *words)
{
    return (words[0] & 0xffffffu) < TCGRR_WIRE_PAGES && (words[5] & ~TCGRR_WIRE_NOWHERE) <= accesses->devices;
}

bool tcgrr_live_read_page(struct tcgrr_live *live, const uint32_t *words, GError **error)
{
    if (!live->accesses || !is_page(live->accesses, words)) {
        return tcgrr_live_damaged(error, "a page that makes no sense");
    }
    set_page(live->accesses, words);
    return true;
}

bool tcgrr_live_read_device(struct tcgrr_live *live, struct tcgrr_chunk *chunk, const uint32_t *words, GError **error)
{
    size_t length = (words[0] & 0xffffffu) * 4u;
    struct tcgrr_device device = {0};

    if (!live->accesses || length > TCGRR_DEVICE_NAME || live->accesses->devices + 1 >= TCGRR_WIRE_DEVICES) {
        return tcgrr_live_damaged(error, "a device that makes no sense");
    }
    memcpy(device.name, words + 1, length);
    for (char *at = device.name; *at; at++) {
        if (!g_ascii_isprint(*at)) {
            *at = '?';
        }
    }
    device.number = ++live->accesses->devices;
    g_array_append_val(chunk->devices, device);
    return true;
}

/* The state of separating the words of executions from those of accesses. */
struct split_state {
    const uint32_t *at; /* the next word to process */
    const uint32_t *end;
    const struct code *code; /* the execution that began last */
    uint32_t exec;           /* its index in the chunk */
    uint32_t insn;           /* of its last access */
    guint first;             /* its first access */
};

/* Processes executions and accesses until there is another record; returns how many executions began. */
static size_t split_words(struct tcgrr_live *live, GArray *into, struct split_state *state, size_t most)
{
    struct tcgrr_live_accesses *accesses = live->accesses;
    const struct code *codes = (const struct code *)live->codes->data;
    struct split_state now = *state; /* where the compiler can keep it in registers */
    guint count = into->len;
    size_t execs = 0;

    /* An access takes two words or more. */
    g_array_set_size(into, count + (guint)((now.end - now.at) / 2 + 1));
    struct tcgrr_access *data = (struct tcgrr_access *)(void *)into->data;
    while (now.at < now.end) {
        uint32_t word = *now.at;
        if (word >> 24 == TCGRR_WIRE_ACCESS) {
            const struct kind *kind = kind_of(accesses, word);
            uint32_t insn = word & TCGRR_WIRE_ACCESS_INSN;
            if (kind->length > (size_t)(now.end - now.at) || insn < now.insn || insn >= now.code->insns ||
                count - now.first >= TCGRR_EXEC_ACCESSES) {
                break;
            }
            data[count].exec = now.exec;
            data[count].insn = (uint16_t)insn;
            decode(accesses, now.at, kind, &data[count++]);
            now.insn = insn;
            now.at += kind->length;
        } else if (word < live->known) {
            const struct code *code = &codes[word];
            if (execs == most || count >= TCGRR_CHUNK_ACCESSES || code->watched || !may_follow(now.code, code)) {
                break;
            }
            accesses->execs[execs++] = word;
            now = (struct split_state){now.at + 1, now.end, code, now.exec + 1, 0, count};
        } else if (word >> 24 == TCGRR_WIRE_PAGE && now.end - now.at >= 6 && is_page(accesses, now.at)) {
            set_page(accesses, now.at);
            now.at += 6;
        } else {
            break;
        }
    }
    g_array_set_size(into, count);
    *state = now;
    return execs;
}

/* ---- what counts ---- */

static bool contains(const struct tcgrr_block *block, uint64_t pc, uint32_t *insn)
{
    if (pc - block->pc >= block->size) {
        return false;
    }
    uint64_t at = block->pc;
    for (*insn = 0; *insn < block->insns && at < pc; ++*insn) {
        at += block->lengths[*insn];
    }
    return at == pc && *insn < block->insns;
}

/* The plugin says where the program is before it describes the first block. */
static void place_window(struct tcgrr_window *window, uint64_t start_code)
{
    window->from_pc += window->from_in_code ? start_code : 0;
    window->until_pc += window->until_in_code ? start_code : 0;
    window->from_in_code = window->until_in_code = false;
}

bool tcgrr_live_is_watched(const struct tcgrr_live *live, const struct tcgrr_block *block)
{
    struct tcgrr_window *window = &live->accesses->window;
    uint32_t insn;

    place_window(window, tcgrr_live_start_code(live));
    return (window->has_from_pc && contains(block, window->from_pc, &insn)) ||
           (window->has_until_pc && contains(block, window->until_pc, &insn));
}

/* Handles an execution that began at `icount` and in which the window begins or ends. */
static void find_window(struct tcgrr_live_accesses *accesses, const struct tcgrr_block *block, tcgrr_icount icount,
                        uint32_t ran)
{
    const struct tcgrr_window *window = &accesses->window;
    uint32_t insn;

    if (accesses->from == UINT64_MAX && contains(block, window->from_pc, &insn) && insn < ran) {
        accesses->from = icount + insn;
    }
    if (window->has_until_pc && accesses->until == UINT64_MAX && contains(block, window->until_pc, &insn) &&
        insn < ran && icount + insn > accesses->from) {
        accesses->until = icount + insn;
    }
}

static void tell_end(struct tcgrr_live *live, tcgrr_icount icount)
{
    if (icount >= live->accesses->until && !live->accesses->over_said) {
        tcgrr_intake_end_window(live->intake);
        live->accesses->over_said = true;
    }
}

/* Executions from `first` on were complete and began at `icount`: drops their accesses outside the window. */
static void clip(struct tcgrr_live *live, struct tcgrr_chunk *chunk, uint32_t first, tcgrr_icount icount)
{
    const struct tcgrr_live_accesses *accesses = live->accesses;
    GArray *list = chunk->accesses;
    guint from = list->len;
    guint to;

    tell_end(live, chunk->end_icount);
    if (icount >= accesses->from && chunk->end_icount <= accesses->until) {
        return;
    }
    while (from > 0 && g_array_index(list, struct tcgrr_access, from - 1).exec >= first) {
        from--;
    }
    for (to = from; from < list->len; from++) {
        const struct tcgrr_access *access = &g_array_index(list, struct tcgrr_access, from);
        for (; first < access->exec && first < chunk->count; first++) {
            icount += tcgrr_blocks_get(live->blocks, chunk->blocks[first])->insns;
        }
        tcgrr_icount at = icount + access->insn;
        if (access->exec == chunk->count || (at >= accesses->from && at < accesses->until)) {
            g_array_index(list, struct tcgrr_access, to++) = *access;
        }
    }
    g_array_set_size(list, to);
}

size_t tcgrr_live_read_full(struct tcgrr_live *live, struct tcgrr_chunk *chunk, const uint32_t *words, size_t available)
{
    if (!tcgrr_live_is_quiet(live) || live->open->watched) {
        return 0;
    }
    take_up(live, chunk);
    guint open = first_open(chunk);
    struct split_state state = {
        .at = words,
        .end = words + available,
        .code = live->open,
        .exec = chunk->count,
        .insn = open < chunk->accesses->len
                    ? g_array_index(chunk->accesses, struct tcgrr_access, chunk->accesses->len - 1).insn
                    : 0,
        .first = open,
    };
    uint32_t before = chunk->count;
    tcgrr_icount icount = chunk->end_icount;
    size_t execs =
        split_words(live, chunk->accesses, &state, MIN((size_t)PIECE_EXECS, (size_t)(chunk->capacity - chunk->count)));
    if (execs > 0) {
        tcgrr_live_read_fast(live, chunk, live->accesses->execs, NULL, execs);
        clip(live, chunk, before, icount);
        if (first_open(chunk) >= TCGRR_CHUNK_ACCESSES) {
            chunk->capacity = chunk->count;
        }
    }
    return (size_t)(state.at - words);
}

/* Whether the instruction at which the open execution was left was repeated, and retired. The two addresses may differ
 * by a segment's base, so only their offsets in the page are compared. */
static bool was_repeated(const struct tcgrr_live *live, const struct tcgrr_block *block, uint32_t ran)
{
    return live->has_rerun && live->mark + 1 == ran &&
           ((live->rerun_pc ^ tcgrr_block_pc(block, live->mark)) & 0xfff) == 0;
}

/*
 * For an instruction that QEMU rolled back and repeated, only the repetition's accesses count. Accesses of an
 * instruction that did not retire do not count; while that is uncertain, they are kept.
 */
void tcgrr_live_settle_accesses(struct tcgrr_live *live, struct tcgrr_chunk *chunk, uint32_t ran)
{
    struct tcgrr_live_accesses *accesses = live->accesses;
    const struct tcgrr_block *block = tcgrr_blocks_get(live->blocks, live->open->block);
    GArray *list = chunk->accesses;
    tcgrr_icount icount = chunk->end_icount;

    take_up(live, chunk);
    guint from = first_open(chunk);
    guint to = from;
    bool rerun = from < list->len && g_array_index(list, struct tcgrr_access, list->len - 1).insn == RERUN_INSN;
    bool repeated = was_repeated(live, block, ran);
    if (live->open->watched) {
        find_window(accesses, block, icount, ran);
    }
    for (; from < list->len; from++) {
        struct tcgrr_access access = g_array_index(list, struct tcgrr_access, from);
        bool stays = access.insn < ran || (live->doubtful && access.insn + 1u == block->insns);
        if (access.insn == RERUN_INSN) {
            stays = repeated;
            access.insn = (uint16_t)(ran - 1);
            accesses->strays += !repeated;
        } else if (rerun && repeated && access.insn == live->mark) {
            stays = false;
        }
        if (stays && icount + access.insn >= accesses->from && icount + access.insn < accesses->until) {
            g_array_index(list, struct tcgrr_access, to++) = access;
        }
    }
    g_array_set_size(list, to);
    if (to >= TCGRR_CHUNK_ACCESSES) {
        chunk->capacity = chunk->count + 1; /* the execution that is to be appended */
    }
    tell_end(live, icount + ran);
}
