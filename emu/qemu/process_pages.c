/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/process_pages.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BATCH_PAGES 256u
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

int tcgrr_process_pages_open(int pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/pagemap", pid);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static void add_span(GArray *spans, uint64_t first, uint64_t end)
{
    struct tcgrr_page_span *last =
        spans->len > 0 ? &g_array_index(spans, struct tcgrr_page_span, spans->len - 1) : NULL;

    if (last && last->end == first) {
        last->end = end;
    } else {
        g_array_append_val(spans, ((struct tcgrr_page_span){first, end}));
    }
}

/* Finds the pages of from..end that were written to. Linux 6.7 and later report many at once, and omit those that were
 * only read, of which a QEMU that has loaded or saved a machine has very many. False: this kernel does not support
 * that. */
static bool scan_pages(int pages, uint64_t from, uint64_t end, GArray *spans)
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
        found = ioctl(pages, SCAN_PAGES, &scan);
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
static bool look_at_pages(int pages, uint64_t from, uint64_t end, GArray *spans)
{
    uint64_t entries[BATCH_PAGES];
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);

    while (from < end) {
        size_t count = MIN((end - from) / page_bytes, BATCH_PAGES);
        ssize_t bytes = (ssize_t)(count * sizeof(*entries));
        if (pread(pages, entries, (size_t)bytes, (off_t)(from / page_bytes * sizeof(*entries))) != bytes) {
            return false;
        }
        for (size_t i = 0; i < count; i++, from += page_bytes) {
            if (entries[i] & HAS_CONTENT) {
                add_span(spans, from, from + page_bytes);
            }
        }
    }
    return true;
}

GArray *tcgrr_process_pages(int pages, uint64_t from, uint64_t end)
{
    GArray *spans = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_page_span));
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);

    from -= from % page_bytes;
    end += (page_bytes - end % page_bytes) % page_bytes;
    if (!scan_pages(pages, from, end, spans)) {
        g_array_set_size(spans, 0);
        if (!look_at_pages(pages, from, end, spans)) {
            g_array_unref(spans);
            return NULL;
        }
    }
    return spans;
}

/* "7f0000000000-7f0000021000 rw-p 00000000 00:00 0   [heap]": the inode is 0 if no file is mapped. */
static bool parse_mapping(const char *line, struct tcgrr_page_span *span)
{
    char *at;

    span->first = g_ascii_strtoull(line, &at, 16);
    span->end = *at == '-' ? g_ascii_strtoull(at + 1, &at, 16) : 0;
    g_auto(GStrv) words = g_strsplit(at, " ", 6);
    return span->end > span->first && g_strv_length(words) >= 5 && strcmp(words[4], "0") == 0;
}

GArray *tcgrr_process_anonymous(int pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/maps", pid);
    g_autofree char *text = NULL;
    struct tcgrr_page_span span;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return NULL;
    }
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    GArray *spans = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_page_span));
    for (char **line = lines; *line; line++) {
        if (parse_mapping(*line, &span)) {
            add_span(spans, span.first, span.end);
        }
    }
    return spans;
}
