/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the reports share: going through a trace, names of places, output. */
#include "cli/report/report.h"

#include "cli/cli.h"
#include "store/error.h"
#include "store/layers.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* More vCPUs than any machine of QEMU has. */
#define MAX_VCPUS 65536u

bool report_need(struct report_job *job, enum tcgrr_level level, GError **error)
{
    bool some;

    if (!tcgrr_reader_need_level(job->reader, level, job->fill, error)) {
        return false;
    }
    g_autoptr(GArray) spans = tcgrr_reader_spans(job->reader, level, error);
    if (!spans) {
        return false;
    }
    if (spans->len == 0) {
        cli_note("there are no memory accesses: the run did not reach --full-from");
    } else if (!tcgrr_reader_has_all(job->reader, level)) {
        struct tcgrr_span lack = tcgrr_spans_lack(spans, (struct tcgrr_span){0, job->run->icount}, &some);
        g_autofree char *text = tcgrr_reader_lack_text(job->reader, level, lack);
        cli_note("only a part of the run: %s", text);
    }
    return true;
}

/* ---- executions ---- */

static void show_progress(const struct tcgrr_chunk *chunk, void *data)
{
    struct report_job *job = data;
    gint64 now = g_get_monotonic_time();
    if (now >= job->next_progress) {
        g_autofree char *done = cli_number(chunk->first_icount);
        g_autofree char *all = cli_number(job->run->icount);
        cli_progress("%s of %s instructions", done, all);
        job->next_progress = now + G_USEC_PER_SEC / 2;
    }
}

bool report_walk_begin(struct report_job *job, struct tcgrr_exec_walk *walk, const struct tcgrr_exec_range *range,
                       GError **error)
{
    static const struct tcgrr_exec_range all = TCGRR_EXEC_RANGE_ALL;

    *walk = (struct tcgrr_exec_walk){.entered = job->progress ? show_progress : NULL, .data = job};
    job->next_progress = g_get_monotonic_time() + G_USEC_PER_SEC;
    return tcgrr_exec_walk_begin(walk, tcgrr_chunk_cache_new(job->reader, 1), range ? range : &all, error);
}

void report_walk_end(struct tcgrr_exec_walk *walk)
{
    struct tcgrr_chunk_cache *cache = walk->cache;
    cli_progress_clear();
    tcgrr_exec_walk_end(walk);
    tcgrr_chunk_cache_free(cache);
}

struct tcgrr_exec_range report_range(tcgrr_icount from, tcgrr_icount until)
{
    struct tcgrr_exec_range range = TCGRR_EXEC_RANGE_ALL;
    range.first_icount = (int64_t)MIN(from, INT64_MAX);
    range.last_icount = (int64_t)MIN(until, INT64_MAX) - 1;
    return range;
}

bool report_each_access(struct report_job *job, void (*visit)(const struct report_access *access, void *data),
                        void *data, GError **error)
{
    struct tcgrr_exec_range range = TCGRR_EXEC_RANGE_ALL;
    struct tcgrr_exec_walk walk;
    guint count;

    range.with_accesses = true;
    bool good = report_walk_begin(job, &walk, &range, error);
    for (; good && !walk.end; good = tcgrr_exec_walk_next(&walk, error)) {
        const struct tcgrr_access *accesses = tcgrr_exec_walk_accesses(&walk, &count);
        for (guint i = 0; i < count; i++) {
            visit(&(struct report_access){&accesses[i], walk.at.block, walk.at.icount, walk.at.vcpu}, data);
        }
    }
    report_walk_end(&walk);
    return good;
}

GPtrArray *report_values_of(GHashTable *table)
{
    GPtrArray *values = g_ptr_array_sized_new(g_hash_table_size(table));
    GHashTableIter iterator;
    gpointer value;
    g_hash_table_iter_init(&iterator, table);
    while (g_hash_table_iter_next(&iterator, NULL, &value)) {
        g_ptr_array_add(values, value);
    }
    return values;
}

struct wanted_events {
    tcgrr_seq first;
    tcgrr_seq last;
    GArray *events;
};

static void take_event(const struct tcgrr_event *event, void *data)
{
    const struct wanted_events *wanted = data;
    if (event->seq >= wanted->first && event->seq <= wanted->last) {
        g_array_append_vals(wanted->events, event, 1);
    }
}

bool report_chunk_events(struct report_job *job, const struct tcgrr_chunk *chunk, GArray *events, GError **error)
{
    struct wanted_events wanted = {chunk->first_seq + 1, chunk->first_seq + chunk->count, events};
    g_array_set_size(events, 0);
    return tcgrr_reader_events(job->reader, chunk->first_icount, chunk->end_icount, take_event, &wanted, error);
}

/* ---- places ---- */

char **report_disasm(struct report_job *job, const struct tcgrr_block *block)
{
    tcgrr_disasm_survey(job->disasm, job->blocks, job->block_count);
    return tcgrr_disasm_block(job->disasm, block);
}

char *report_symbol(struct report_job *job, uint64_t pc)
{
    const struct tcgrr_symbol *symbol = tcgrr_symbols_at(job->symbols, pc);
    return symbol ? g_strdup(symbol->name) : NULL;
}

char *report_place(struct report_job *job, uint64_t pc)
{
    return tcgrr_symbols_name(job->symbols, pc);
}

/* "" if it is not known. Reports that print each instruction ask for the same ones over and over. */
static const char *source_line_at(struct report_job *job, uint64_t pc)
{
    const char *known = g_hash_table_lookup(job->lines, &pc);

    if (!known) {
        char *line = tcgrr_addr2line_line(job->sources, pc);
        known = line ? line : g_strdup("");
        g_hash_table_insert(job->lines, g_memdup2(&pc, sizeof(pc)), (char *)known);
    }
    return known;
}

char *report_source_line_text(struct report_job *job, const char *before, uint64_t pc)
{
    const char *line = job->sources ? source_line_at(job, pc) : NULL;
    return line ? g_strconcat(before, *line ? line : "?", NULL) : g_strdup("");
}

void report_set_source_line(struct report_job *job, json_t *object, uint64_t pc)
{
    if (job->sources) {
        const char *line = source_line_at(job, pc);
        json_object_set_new(object, "line", *line ? report_text_json(g_strdup(line)) : json_null());
    }
}

uint32_t report_offset(const struct tcgrr_block *block, uint32_t insn)
{
    uint32_t offset = 0;
    for (uint32_t i = 0; i < insn; i++) {
        offset += block->lengths[i];
    }
    return offset;
}

uint32_t report_opcode(const struct tcgrr_block *block, uint32_t insn)
{
    const uint8_t *bytes = block->bytes + report_offset(block, insn);
    uint32_t opcode = 0;
    for (unsigned i = 0; i < 4 && i < block->lengths[insn]; i++) {
        opcode |= (uint32_t)bytes[i] << (8 * i);
    }
    return opcode;
}

/* ---- profile ---- */

struct making {
    struct report_job *job;
    struct report_profile *profile;
    uint16_t *insns;      /* of each block */
    GHashTable *partials; /* block << 16 | ran → index in profile->partials + 1 */
};

struct report_vcpu *report_vcpu(GArray *vcpus, tcgrr_vcpu vcpu, GError **error)
{
    if (vcpu >= MAX_VCPUS) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "the trace is damaged: it names vCPU %u", vcpu);
        return NULL;
    }
    if (vcpu >= vcpus->len) {
        g_array_set_size(vcpus, vcpu + 1); /* cleared */
    }
    return &g_array_index(vcpus, struct report_vcpu, vcpu);
}

/* Executions first to end - 1 ran on `vcpu`, all of them to their ends so far. */
static bool count_stretch(struct making *making, const struct tcgrr_chunk *chunk, tcgrr_vcpu vcpu, uint32_t first,
                          uint32_t end, GError **error)
{
    struct report_vcpu *entry = report_vcpu(making->profile->vcpus, vcpu, error);
    if (!entry) {
        return false;
    }
    uint64_t *execs = making->profile->execs;
    uint64_t insns = 0;
    for (uint32_t i = first; i < end; i++) {
        uint32_t block = chunk->blocks[i];
        execs[block]++;
        insns += making->insns[block];
    }
    entry->execs += end - first;
    entry->ran += insns;
    return true;
}

static void count_partial(struct making *making, uint32_t block, uint32_t ran)
{
    GArray *partials = making->profile->partials;
    gpointer key = (gpointer)(uintptr_t)((uint64_t)block << 16 | ran); /* ran is at most TCGRR_MAX_INSNS */
    guint index = GPOINTER_TO_UINT(g_hash_table_lookup(making->partials, key));

    if (index == 0) {
        struct report_partial partial = {.block = block, .ran = ran};
        g_array_append_val(partials, partial);
        index = partials->len;
        g_hash_table_insert(making->partials, key, GUINT_TO_POINTER(index));
    }
    g_array_index(partials, struct report_partial, index - 1).execs++;
}

static bool profile_chunk(struct making *making, const struct tcgrr_chunk *chunk, GError **error)
{
    tcgrr_vcpu vcpu = chunk->vcpu;
    uint32_t first = 0;
    guint next = 0;

    for (guint i = 0; i <= chunk->switches->len; i++) {
        const struct tcgrr_switch *change =
            i < chunk->switches->len ? &g_array_index(chunk->switches, struct tcgrr_switch, i) : NULL;
        uint32_t end = change ? change->index : chunk->count;
        if (!count_stretch(making, chunk, vcpu, first, end, error)) {
            return false;
        }
        struct report_vcpu *entry = report_vcpu(making->profile->vcpus, vcpu, NULL);
        for (; next < chunk->partials->len; next++) {
            const struct tcgrr_partial *partial = &g_array_index(chunk->partials, struct tcgrr_partial, next);
            if (partial->index >= end) {
                break;
            }
            uint32_t block = chunk->blocks[partial->index];
            count_partial(making, block, partial->ran);
            entry->ran -= making->insns[block] - partial->ran;
        }
        first = end;
        vcpu = change ? change->vcpu : vcpu;
    }
    return true;
}

static int by_block(const void *a, const void *b)
{
    const struct report_partial *left = a;
    const struct report_partial *right = b;
    return left->block != right->block ? (left->block < right->block ? -1 : 1)
                                       : (left->ran > right->ran) - (left->ran < right->ran);
}

bool report_profile_make(struct report_job *job, struct report_profile *profile, GError **error)
{
    struct making making = {.job = job, .profile = profile, .partials = g_hash_table_new(NULL, NULL)};
    struct tcgrr_exec_walk walk;

    making.insns = g_new(uint16_t, MAX(job->block_count, 1));
    for (uint32_t block = 0; block < job->block_count; block++) {
        making.insns[block] = (uint16_t)tcgrr_blocks_get(job->blocks, block)->insns;
    }
    profile->execs = g_new0(uint64_t, MAX(job->block_count, 1));
    profile->partials = g_array_new(FALSE, FALSE, sizeof(struct report_partial));
    profile->vcpus = g_array_new(FALSE, TRUE, sizeof(struct report_vcpu));
    bool good =
        report_walk_begin(job, &walk, NULL, error) && report_vcpu(profile->vcpus, MAX(job->run->vcpus, 1) - 1, error);
    for (; good && !walk.end; good = good && tcgrr_exec_walk_next_chunk(&walk, error)) {
        good = profile_chunk(&making, walk.at.chunk, error);
    }
    report_walk_end(&walk);
    g_hash_table_unref(making.partials);
    g_free(making.insns);
    if (good) {
        g_array_sort(profile->partials, by_block);
    } else {
        report_profile_clear(profile);
    }
    return good;
}

void report_profile_clear(struct report_profile *profile)
{
    g_clear_pointer(&profile->execs, g_free);
    g_clear_pointer(&profile->partials, g_array_unref);
    g_clear_pointer(&profile->vcpus, g_array_unref);
}

/* Index of the first partial of `block` or of a later one. */
static guint first_partial(const GArray *partials, uint32_t block)
{
    guint low = 0;
    guint high = partials->len;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        if (g_array_index(partials, struct report_partial, middle).block < block) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void report_profile_insns(const struct report_job *job, const struct report_profile *profile, uint32_t block,
                          uint64_t *counts)
{
    uint32_t insns = tcgrr_blocks_get(job->blocks, block)->insns;
    uint64_t left = profile->execs[block];
    guint next = first_partial(profile->partials, block);

    for (uint32_t i = 0; i < insns; i++) {
        for (; next < profile->partials->len; next++) {
            const struct report_partial *partial = &g_array_index(profile->partials, struct report_partial, next);
            if (partial->block != block || partial->ran > i) {
                break;
            }
            left -= partial->execs;
        }
        counts[i] = left;
    }
}

/* ---- output ---- */

void report_print_json(struct report_job *job, json_t *object)
{
    json_t *whole = json_pack("{s:s, s:o}", "report", job->report->name, "trace",
                              report_text_json(g_strdup(tcgrr_reader_path(job->reader))));
    json_object_update(whole, object);
    json_decref(object);
    cli_print_json(whole);
}

void report_begin_json(struct report_job *job, const char *key)
{
    json_t *path = report_text_json(g_strdup(tcgrr_reader_path(job->reader)));
    g_autofree char *quoted = json_dumps(path, JSON_ENCODE_ANY);
    cli_json_begun();
    printf("{\n  \"report\": \"%s\",\n  \"trace\": %s,\n  \"%s\": [", job->report->name, quoted, key);
    json_decref(path);
}

json_t *report_text_json(char *text)
{
    g_autofree char *valid = text ? g_utf8_make_valid(text, -1) : NULL;
    g_free(text);
    return valid ? json_string(valid) : json_null();
}

json_t *report_number_json(uint64_t number)
{
    return json_integer((json_int_t)number);
}

FILE *report_create(struct report_job *job, const char *path, GError **error)
{
    const char *trace = tcgrr_reader_path(job->reader);
    struct stat old;
    struct stat own;
    if (stat(path, &old) == 0 && stat(trace, &own) == 0 && old.st_dev == own.st_dev && old.st_ino == own.st_ino) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "%s is the trace itself; name another file", path);
        return NULL;
    }
    FILE *file = fopen(path, "wbe");
    if (!file) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot create %s: %s", path, g_strerror(errno));
    }
    return file;
}

void report_discard(const char *path)
{
    struct stat status;

    if (lstat(path, &status) == 0 && S_ISREG(status.st_mode)) {
        unlink(path);
    }
}

bool report_close(FILE *file, const char *path, GError **error)
{
    bool good = !ferror(file);
    good = fclose(file) == 0 && good;
    if (!good) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot write %s: %s", path, g_strerror(errno));
        report_discard(path);
    }
    return good;
}
