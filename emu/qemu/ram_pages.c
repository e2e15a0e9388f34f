/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/ram_pages.h"

#include "emu/qemu/process_pages.h"

#include <string.h>
#include <unistd.h>

#define QMP_MS    60000
#define BYTES_MAX (UINT64_C(1) << 44) /* of a block */
/* The columns of QEMU's "info ramblock": name, page size, offset, used, total, address, "ro" or "rw". */
enum { NAME, PAGE_SIZE, PAGE_UNIT, OFFSET, USED, TOTAL, ADDRESS, COLUMNS };

struct block {
    char *name;
    uint64_t bytes;
    uint8_t *bits; /* one for each page */
};

struct tcgrr_ram_pages {
    uint64_t page_bytes;
    GArray *blocks;
};

static void clear_block(gpointer data)
{
    struct block *block = data;
    g_free(block->name);
    g_free(block->bits);
}

struct tcgrr_ram_pages *tcgrr_ram_pages_new(uint64_t page_bytes)
{
    struct tcgrr_ram_pages *pages = g_new0(struct tcgrr_ram_pages, 1);

    pages->page_bytes = page_bytes;
    pages->blocks = g_array_new(FALSE, FALSE, sizeof(struct block));
    g_array_set_clear_func(pages->blocks, clear_block);
    return pages;
}

void tcgrr_ram_pages_free(struct tcgrr_ram_pages *pages)
{
    if (pages) {
        g_array_unref(pages->blocks);
        g_free(pages);
    }
}

static size_t bitmap_bytes(const struct tcgrr_ram_pages *pages, uint64_t bytes)
{
    return bytes / pages->page_bytes / 8 + 1;
}

void tcgrr_ram_pages_add_block(struct tcgrr_ram_pages *pages, const char *name, uint64_t bytes)
{
    struct block block = {.name = g_strdup(name), .bytes = bytes, .bits = g_malloc0(bitmap_bytes(pages, bytes))};
    g_array_append_val(pages->blocks, block);
}

unsigned tcgrr_ram_pages_count_blocks(const struct tcgrr_ram_pages *pages)
{
    return pages->blocks->len;
}

static const struct block *find_block(const struct tcgrr_ram_pages *pages, const char *name)
{
    for (guint i = 0; i < pages->blocks->len; i++) {
        const struct block *block = &g_array_index(pages->blocks, struct block, i);
        if (strcmp(block->name, name) == 0) {
            return block;
        }
    }
    return NULL;
}

uint64_t tcgrr_ram_pages_block_bytes(const struct tcgrr_ram_pages *pages, const char *name)
{
    const struct block *block = find_block(pages, name);
    return block ? block->bytes : 0;
}

void tcgrr_ram_pages_add(struct tcgrr_ram_pages *pages, const char *name, uint64_t from, uint64_t end)
{
    const struct block *block = find_block(pages, name);

    end = MIN(end, block->bytes);
    for (uint64_t at = from / pages->page_bytes; at * pages->page_bytes < end; at++) {
        block->bits[at / 8] |= (uint8_t)(1 << at % 8);
    }
}

bool tcgrr_ram_pages_has(const struct tcgrr_ram_pages *pages, const char *name, uint64_t from, uint64_t end)
{
    const struct block *block = find_block(pages, name);
    bool has = false;

    for (uint64_t at = from / pages->page_bytes; !has && at * pages->page_bytes < end; at++) {
        has = block->bits[at / 8] >> at % 8 & 1;
    }
    return has;
}

static bool has_all(const struct tcgrr_ram_pages *pages, const struct block *block, uint64_t from, uint64_t end)
{
    for (uint64_t at = from / pages->page_bytes; at * pages->page_bytes < end; at++) {
        if (!(block->bits[at / 8] >> at % 8 & 1)) {
            return false;
        }
    }
    return true;
}

static bool cover_block(const struct tcgrr_ram_pages *pages, const struct tcgrr_ram_pages *part,
                        const struct block *block)
{
    const struct block *whole = find_block(pages, block->name);

    if (!whole || whole->bytes != block->bytes) {
        return false;
    }
    for (uint64_t at = 0; at < block->bytes; at += part->page_bytes) {
        uint64_t end = MIN(at + part->page_bytes, block->bytes);
        if (has_all(part, block, at, end) && !has_all(pages, whole, at, end)) {
            return false;
        }
    }
    return true;
}

bool tcgrr_ram_pages_cover(const struct tcgrr_ram_pages *pages, const struct tcgrr_ram_pages *part)
{
    const GArray *blocks = part ? part->blocks : pages->blocks;

    for (guint i = 0; i < blocks->len; i++) {
        const struct block *block = &g_array_index(blocks, struct block, i);
        if (part ? !cover_block(pages, part, block) : !has_all(pages, block, 0, block->bytes)) {
            return false;
        }
    }
    return true;
}

/* ---- what a QEMU has written ---- */

struct written {
    int pagemap;
    GArray *anonymous; /* tcgrr_process_anonymous() */
    struct tcgrr_ram_pages *pages;
};

/* Whether no file provides any of this memory, whose pages would have content without having been written. If the
 * process is not the one that answered, it has no memory there. */
static bool is_anonymous(const struct written *written, uint64_t from, uint64_t end)
{
    for (guint i = 0; i < written->anonymous->len; i++) {
        const struct tcgrr_page_span *span = &g_array_index(written->anonymous, struct tcgrr_page_span, i);
        if (span->first <= from && end <= span->end) {
            return true;
        }
    }
    return false;
}

/* A line of "info ramblock"; false if this block's memory is not known. */
static bool add_line(const struct written *written, const char *line)
{
    g_auto(GStrv) words = g_strsplit_set(line, " \t\r", -1);
    const char *columns[COLUMNS] = {0};
    unsigned count = 0;

    for (char **word = words; *word && count < COLUMNS; word++) {
        if (**word) {
            columns[count++] = *word;
        }
    }
    if (count < COLUMNS) {
        return false;
    }
    uint64_t bytes = g_ascii_strtoull(columns[USED], NULL, 16), first = g_ascii_strtoull(columns[ADDRESS], NULL, 16);
    if (bytes == 0 || bytes > BYTES_MAX || !is_anonymous(written, first, first + bytes)) {
        return false;
    }
    g_autoptr(GArray) spans = tcgrr_process_pages(written->pagemap, first, first + bytes);
    tcgrr_ram_pages_add_block(written->pages, columns[NAME], bytes);
    for (guint i = 0; spans && i < spans->len; i++) {
        const struct tcgrr_page_span *span = &g_array_index(spans, struct tcgrr_page_span, i);
        tcgrr_ram_pages_add(written->pages, columns[NAME], span->first - first, span->end - first);
    }
    return spans != NULL;
}

/* The first line has the columns' names. */
static bool add_lines(const struct written *written, const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    bool good = lines[0] != NULL;

    for (char **line = lines + good; good && *line; line++) {
        good = *g_strchug(*line) == '\0' || add_line(written, *line);
    }
    return good && tcgrr_ram_pages_count_blocks(written->pages) > 0;
}

struct tcgrr_ram_pages *tcgrr_ram_pages_written(struct tcgrr_qmp *qmp, struct tcgrr_process *process)
{
    json_t *answer = tcgrr_qmp_execute(qmp, "human-monitor-command",
                                       json_pack("{s:s}", "command-line", "info ramblock"), QMP_MS, NULL);
    const char *text = json_string_value(answer);
    struct written written = {0};
    int pid = tcgrr_process_pid(process);

    written.pagemap = tcgrr_process_pages_open(pid);
    written.anonymous = tcgrr_process_anonymous(pid);
    written.pages = tcgrr_ram_pages_new((uint64_t)sysconf(_SC_PAGESIZE));
    if (!text || written.pagemap < 0 || !written.anonymous || !add_lines(&written, text)) {
        g_clear_pointer(&written.pages, tcgrr_ram_pages_free);
    }
    if (written.pagemap >= 0) {
        close(written.pagemap);
    }
    g_clear_pointer(&written.anonymous, g_array_unref);
    json_decref(answer);
    return written.pages;
}
