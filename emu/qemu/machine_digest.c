/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/machine_digest.h"

#include "emu/qemu/memory_map.h"
#include "emu/qemu/process_pages.h"
#include "store/error.h"

#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include <xxhash.h>

#define QMP_MS      60000
#define BATCH_PAGES 256u
#define UNKNOWN     "-"
#define DIGITS      16 /* of a digest */

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
    memory->pid = pid;
    memory->pages = tcgrr_process_pages_open(pid);
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

/* Adds `bytes` at QEMU's address `from`; pages that were never written are left out without being touched. */
static bool add_range(struct memory *memory, uint64_t from, uint64_t address, uint64_t bytes)
{
    uint64_t end = from + bytes / memory->page_bytes * memory->page_bytes;
    g_autoptr(GArray) spans = tcgrr_process_pages(memory->pages, from, end);

    for (guint i = 0; spans && i < spans->len; i++) {
        struct tcgrr_page_span span = g_array_index(spans, struct tcgrr_page_span, i);
        for (uint64_t at = span.first; at < span.end; at += BATCH_PAGES * memory->page_bytes) {
            size_t count = (size_t)MIN((span.end - at) / memory->page_bytes, BATCH_PAGES);
            if (!add_pages(memory, at, address + (at - from), count)) {
                return false;
            }
        }
    }
    return spans != NULL;
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
