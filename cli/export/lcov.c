/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How often each source line ran, as lcov and genhtml read it. A line ran as often as the one of its instructions that
 * ran most. */
#include "cli/export/export.h"

#include "store/error.h"
#include "store/lines.h"

#include <string.h>

#define MAX_LINE_BYTES 65536u /* of code that a row of DWARF covers; what claims more is no line */

struct coverage {
    struct export_job *job;
    struct tcgrr_lines *lines;
    GHashTable *seen;   /* files whose lines were added */
    GHashTable *counts; /* pc → uint64_t: executions of its instruction */
    GTree *files;       /* name → GTree of line → uint64_t */
};

/* ---- files ---- */

/* Adds the lines of an ELF file of the guest, where it ran. */
static void add_file(const char *path, struct coverage *coverage)
{
    const struct export_job *job = coverage->job;
    uint64_t offset = 0;

    if (!path || !g_hash_table_add(coverage->seen, g_strdup(path)) || !tcgrr_symbols_is_elf(path)) {
        return;
    }
    if (!tcgrr_symbols_find_offset(path, job->report->blocks, job->report->block_count, &offset, NULL)) {
        offset = 0; /* too little of it ran to say so: as it was linked */
    }
    tcgrr_lines_add_elf(coverage->lines, path, offset);
}

static void add_guest_file(const char *path, uint64_t size, const char *xxh128, void *data)
{
    add_file(path, data);
}

static bool add_files(struct coverage *coverage, GError **error)
{
    struct report_job *report = coverage->job->report;
    const GArray *symbols = tcgrr_symbols_list(report->symbols);

    if (!tcgrr_reader_guest_files(report->reader, add_guest_file, coverage, error)) {
        return false;
    }
    for (guint i = 0; i < symbols->len; i++) {
        add_file(g_array_index(symbols, struct tcgrr_symbol, i).file, coverage);
    }
    if (tcgrr_lines_list(coverage->lines)->len == 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    tcgrr_lines_available()
                        ? "none of the guest's ELF files exists and has line numbers (compile with -g; 'tcgrr symbols "
                          "TRACE FILE' names more files)"
                        : "this tcgrr was built without libdw; install libdw-dev and build tcgrr again");
        return false;
    }
    return true;
}

/* ---- counting ---- */

static bool count_insns(struct coverage *coverage, GError **error)
{
    struct report_job *report = coverage->job->report;
    struct report_profile profile;
    uint64_t counts[TCGRR_MAX_INSNS];

    if (!report_profile_make(report, &profile, error)) {
        return false;
    }
    for (uint32_t number = 0; number < report->block_count; number++) {
        const struct tcgrr_block *block = tcgrr_blocks_get(report->blocks, number);
        uint64_t pc = block->pc;
        report_profile_insns(report, &profile, number, counts);
        for (uint32_t i = 0; i < block->insns; i++) {
            uint64_t *known = g_hash_table_lookup(coverage->counts, &pc);
            if (known) {
                *known += counts[i];
            } else {
                g_hash_table_insert(coverage->counts, g_memdup2(&pc, sizeof(pc)), g_memdup2(&counts[i], sizeof(pc)));
            }
            pc += block->lengths[i];
        }
    }
    report_profile_clear(&profile);
    return true;
}

static int by_name(const void *a, const void *b, void *data)
{
    return strcmp(a, b);
}

static int by_number(const void *a, const void *b, void *data)
{
    return GPOINTER_TO_UINT(a) < GPOINTER_TO_UINT(b) ? -1 : GPOINTER_TO_UINT(a) > GPOINTER_TO_UINT(b);
}

static uint64_t count_at(const struct coverage *coverage, uint64_t pc)
{
    const uint64_t *count = g_hash_table_lookup(coverage->counts, &pc);
    return count ? *count : 0;
}

static void count_line(struct coverage *coverage, const struct tcgrr_line *line)
{
    GTree *file = g_tree_lookup(coverage->files, line->file);
    uint64_t most = 0;

    if (!file) {
        file = g_tree_new_full(by_number, NULL, NULL, g_free);
        g_tree_insert(coverage->files, (char *)line->file, file);
    }
    for (uint64_t pc = line->address; pc < line->end && pc - line->address < MAX_LINE_BYTES; pc++) {
        most = MAX(most, count_at(coverage, pc));
    }
    uint64_t *known = g_tree_lookup(file, GUINT_TO_POINTER(line->number));
    if (known) {
        *known = MAX(*known, most);
    } else {
        g_tree_insert(file, GUINT_TO_POINTER(line->number), g_memdup2(&most, sizeof(most)));
    }
}

/* ---- writing ---- */

struct totals {
    FILE *out;
    guint found;
    guint hit;
};

static gboolean write_line(void *number, void *count, void *data)
{
    struct totals *totals = data;
    fprintf(totals->out, "DA:%u,%" G_GUINT64_FORMAT "\n", GPOINTER_TO_UINT(number), *(uint64_t *)count);
    totals->found++;
    totals->hit += *(uint64_t *)count > 0;
    return FALSE;
}

/* The functions that begin in a file. */
static void write_functions(struct coverage *coverage, const char *file)
{
    const GArray *symbols = tcgrr_symbols_list(coverage->job->report->symbols);
    struct totals totals = {.out = coverage->job->out};

    for (guint i = 0; i < symbols->len; i++) {
        const struct tcgrr_symbol *symbol = &g_array_index(symbols, struct tcgrr_symbol, i);
        const struct tcgrr_line *line = tcgrr_lines_at(coverage->lines, symbol->address);
        if (line && strcmp(line->file, file) == 0) {
            uint64_t count = count_at(coverage, symbol->address);
            fprintf(totals.out, "FN:%u,%s\nFNDA:%" G_GUINT64_FORMAT ",%s\n", line->number, symbol->name, count,
                    symbol->name);
            totals.found++;
            totals.hit += count > 0;
        }
    }
    fprintf(totals.out, "FNF:%u\nFNH:%u\n", totals.found, totals.hit);
}

static gboolean write_file(void *name, void *tree, void *data)
{
    struct coverage *coverage = data;
    struct totals totals = {.out = coverage->job->out};

    fprintf(totals.out, "TN:\nSF:%s\n", (const char *)name);
    write_functions(coverage, name);
    g_tree_foreach(tree, write_line, &totals);
    fprintf(totals.out, "LF:%u\nLH:%u\nend_of_record\n", totals.found, totals.hit);
    return FALSE;
}

static bool run(struct export_job *job, GError **error)
{
    struct coverage coverage = {
        .job = job,
        .lines = tcgrr_lines_new(),
        .seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
        .counts = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free),
        .files = g_tree_new_full(by_name, NULL, NULL, (GDestroyNotify)g_tree_unref),
    };

    bool good = add_files(&coverage, error) && count_insns(&coverage, error);
    if (good) {
        const GArray *lines = tcgrr_lines_list(coverage.lines);
        for (guint i = 0; i < lines->len; i++) {
            count_line(&coverage, &g_array_index(lines, struct tcgrr_line, i));
        }
        g_tree_foreach(coverage.files, write_file, &coverage);
    }
    g_tree_unref(coverage.files);
    g_hash_table_unref(coverage.counts);
    g_hash_table_unref(coverage.seen);
    tcgrr_lines_free(coverage.lines);
    return good;
}

const struct export_format export_lcov = {
    .name = "lcov",
    .summary = "how often each source line ran",
    .run = run,
};
