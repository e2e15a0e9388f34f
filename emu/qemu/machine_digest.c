/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/machine_digest.h"

#include "emu/qemu/memory_map.h"
#include "store/error.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>
#include <xxhash.h>

#define QMP_MS      60000
#define BATCH_PAGES 256u
#define UNKNOWN     "-"
#define DIGITS      16 /* of a digest */
/* In /proc/PID/pagemap: the page is in memory, or swapped out. */
#define HAS_CONTENT (UINT64_C(3) << 62)

/* PAGEMAP_SCAN of Linux's documentation, admin-guide/mm/pagemap.rst; headers before 6.7 lack it. */
struct scan_region {
    uint64_t start;
    uint64_t end;
    uint64_t categories;
};
struct scan {
    uint64_t size; /* of this struct */
    uint64_t flags;
    uint64_t start;
    uint64_t end;
    uint64_t walk_end; /* how far the scan got; set by the kernel */
    uint64_t regions;
    uint64_t regions_room;
    uint64_t most_pages;
    uint64_t inverted; /* of these categories a page must have all of `all_of`, and one of `any_of` */
    uint64_t all_of;
    uint64_t any_of;
    uint64_t wanted; /* adjacent pages that agree in these are returned as one region */
};
#define SCAN_PAGES   _IOWR('f', 16, struct scan)
#define SCAN_PRESENT (UINT64_C(1) << 3)
#define SCAN_SWAPPED (UINT64_C(1) << 4)
#define SCAN_ZERO    (UINT64_C(1) << 5) /* the shared zero page, mapped where memory was only read */

static char *ask(struct tcgrr_qmp *qmp, const char *command, GError **error)
{
    json_t *answer =
        tcgrr_qmp_execute(qmp, "human-monitor-command", json_pack("{s:s}", "command-line", command), QMP_MS, error);
    char *text = answer ? g_strdup(json_is_string(answer) ? json_string_value(answer) : "") : NULL;
    json_decref(answer);
    return text;
}

/* ---- memory, read out of QEMU's own process ---- */

struct memory {
    int pid;
    int pages; /* /proc/PID/pagemap */
    size_t page_bytes;
    uint64_t zeroes; /* digest of a page of zeros, which counts as an absent page */
    uint8_t *buffer; /* BATCH_PAGES of them */
    XXH3_state_t *state;
};

static bool open_memory(struct memory *memory, int pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/pagemap", pid);

    memory->pid = pid;
    memory->pages = open(path, O_RDONLY | O_CLOEXEC);
    memory->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    memory->buffer = g_malloc0(BATCH_PAGES * memory->page_bytes);
    memory->zeroes = XXH3_64bits(memory->buffer, memory->page_bytes);
    memory->state = XXH3_createState();
    XXH3_64bits_reset(memory->state);
    return memory->pages >= 0;
}

static void close_memory(struct memory *memory)
{
    if (memory->pages >= 0) {
        close(memory->pages);
    }
    g_free(memory->buffer);
    XXH3_freeState(memory->state);
}

/* Adds `count` pages at QEMU's address `from`, which are at the guest's `address`. */
static bool add_pages(struct memory *memory, uint64_t from, uint64_t address, size_t count)
{
    size_t bytes = count * memory->page_bytes;
    struct iovec to = {memory->buffer, bytes};
    struct iovec source = {(void *)(uintptr_t)from, bytes};

    if (process_vm_readv(memory->pid, &to, 1, &source, 1, 0) != (ssize_t)bytes) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t entry[] = {address + i * memory->page_bytes,
                            XXH3_64bits(memory->buffer + i * memory->page_bytes, memory->page_bytes)};
        if (entry[1] != memory->zeroes) {
            XXH3_64bits_update(memory->state, entry, sizeof(entry));
        }
    }
    return true;
}

/* A range of QEMU's addresses, in whole pages. */
struct span {
    uint64_t first;
    uint64_t end;
};

static void add_span(GArray *spans, uint64_t first, uint64_t end)
{
    struct span *last = spans->len > 0 ? &g_array_index(spans, struct span, spans->len - 1) : NULL;

    if (last && last->end == first) {
        last->end = end;
    } else {
        g_array_append_val(spans, ((struct span){first, end}));
    }
}

/* Finds the pages of from..end that were written to. Linux 6.7 and later report many at once, and omit those that were
 * only read, of which a QEMU that has loaded or saved a machine has very many. False: this kernel does not support
 * that. */
static bool scan_pages(const struct memory *memory, uint64_t from, uint64_t end, GArray *spans)
{
    struct scan_region regions[BATCH_PAGES];
    int found = 0;

    for (uint64_t at = from; at < end;) {
        struct scan scan = {
            .size = sizeof(scan),
            .start = at,
            .end = end,
            .regions = (uintptr_t)regions,
            .regions_room = BATCH_PAGES,
            .inverted = SCAN_ZERO,
            .all_of = SCAN_ZERO,
            .any_of = SCAN_PRESENT | SCAN_SWAPPED,
            .wanted = SCAN_PRESENT,
        };
        found = ioctl(memory->pages, SCAN_PAGES, &scan);
        if (found < 0 || scan.walk_end <= at) {
            return false;
        }
        for (int i = 0; i < found; i++) {
            add_span(spans, regions[i].start, regions[i].end);
        }
        at = scan.walk_end;
    }
    return true;
}

/* Finds the pages of from..end that were accessed, in a way that all kernels support. */
static bool look_at_pages(const struct memory *memory, uint64_t from, uint64_t end, GArray *spans)
{
    uint64_t entries[BATCH_PAGES];

    while (from < end) {
        size_t count = MIN((end - from) / memory->page_bytes, BATCH_PAGES);
        ssize_t bytes = (ssize_t)(count * sizeof(*entries));
        if (pread(memory->pages, entries, (size_t)bytes, (off_t)(from / memory->page_bytes * sizeof(*entries))) !=
            bytes) {
            return false;
        }
        for (size_t i = 0; i < count; i++, from += memory->page_bytes) {
            if (entries[i] & HAS_CONTENT) {
                add_span(spans, from, from + memory->page_bytes);
            }
        }
    }
    return true;
}

/* Adds `bytes` at QEMU's address `from`; pages that were never written are left out without being touched. */
static bool add_range(struct memory *memory, uint64_t from, uint64_t address, uint64_t bytes)
{
    uint64_t end = from + bytes / memory->page_bytes * memory->page_bytes;
    g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(struct span));

    if (!scan_pages(memory, from, end, spans)) {
        g_array_set_size(spans, 0);
        if (!look_at_pages(memory, from, end, spans)) {
            return false;
        }
    }
    for (guint i = 0; i < spans->len; i++) {
        struct span span = g_array_index(spans, struct span, i);
        for (uint64_t at = span.first; at < span.end; at += BATCH_PAGES * memory->page_bytes) {
            size_t count = (size_t)MIN((span.end - at) / memory->page_bytes, BATCH_PAGES);
            if (!add_pages(memory, at, address + (at - from), count)) {
                return false;
            }
        }
    }
    return true;
}

/* QEMU's address of the guest's physical `address`; 0: QEMU does not report it, for example for a device. */
static uint64_t find_host(struct tcgrr_qmp *qmp, uint64_t address)
{
    g_autofree char *command = g_strdup_printf("gpa2hva 0x%" G_GINT64_MODIFIER "x", address);
    g_autofree char *text = ask(qmp, command, NULL);
    const char *host = text ? strstr(text, ") is 0x") : NULL;

    return host ? g_ascii_strtoull(host + strlen(") is "), NULL, 16) : 0;
}

static bool add_region(struct memory *memory, struct tcgrr_qmp *qmp, const struct tcgrr_region *region)
{
    static const char *const kinds[] = {"ram", "rom", "romd", NULL};
    uint64_t host = g_strv_contains(kinds, region->kind) ? find_host(qmp, region->first) : 0;

    if (host == 0 || region->last - region->first == UINT64_MAX) {
        return true;
    }
    /* Regions begin and end at page boundaries, unless a page contains several. */
    return add_range(memory, host & ~(uint64_t)(memory->page_bytes - 1), region->first,
                     region->last - region->first + 1);
}

/* UNKNOWN or a digest; owned by the caller. */
static char *digest_memory(struct tcgrr_qmp *qmp, int pid)
{
    g_autofree char *text = ask(qmp, "info mtree -f", NULL);
    g_autoptr(GArray) map = tcgrr_memory_map_parse(text ? text : "");
    struct memory memory = {0};
    bool good = map->len > 0 && open_memory(&memory, pid);

    for (guint i = 0; good && i < map->len; i++) {
        good = add_region(&memory, qmp, &g_array_index(map, struct tcgrr_region, i));
    }
    char *digest = good ? g_strdup_printf("%016" G_GINT64_MODIFIER "x", (guint64)XXH3_64bits_digest(memory.state))
                        : g_strdup(UNKNOWN);
    if (map->len > 0) {
        close_memory(&memory);
    }
    return digest;
}

char *tcgrr_machine_digest(struct tcgrr_qmp *qmp, struct tcgrr_process *process, GError **error)
{
    g_autofree char *registers = ask(qmp, "info registers", error);
    g_autofree char *memory = registers ? digest_memory(qmp, tcgrr_process_pid(process)) : NULL;

    return registers ? g_strdup_printf("%016" G_GINT64_MODIFIER "x %s",
                                       (guint64)XXH3_64bits(registers, strlen(registers)), memory)
                     : NULL;
}

/* The start of the second word; NULL: the text is malformed. */
static const char *second_word(const char *text)
{
    size_t first = text ? strspn(text, "0123456789abcdef") : 0;
    bool good = first == DIGITS && text[first] == ' ' &&
                (strcmp(text + first + 1, UNKNOWN) == 0 ||
                 (strspn(text + first + 1, "0123456789abcdef") == DIGITS && text[2 * DIGITS + 1] == '\0'));
    return good ? text + first + 1 : NULL;
}

bool tcgrr_machine_digest_same(const char *a, const char *b)
{
    const char *memory[] = {second_word(a), second_word(b)};

    if (!memory[0] || !memory[1] || strncmp(a, b, DIGITS) != 0) {
        return false;
    }
    return strcmp(memory[0], UNKNOWN) == 0 || strcmp(memory[1], UNKNOWN) == 0 || strcmp(memory[0], memory[1]) == 0;
}
