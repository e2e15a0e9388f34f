/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions by vCPU or size, and those whose text begins as match= says. */
#include "cli/report/report.h"

#include "cli/cli.h"
#include "store/error.h"

#include <string.h>

enum { SIZES, MATCH, TRACE };

static const struct report_option options[] = {
    {"sizes", REPORT_SWITCH, NULL, "how many instructions of each size ran, instead of how many on each vCPU", 0, 0, 0},
    {"match", REPORT_LIST, "TEXT", "also count instructions whose disassembly begins with TEXT", 0, 0, 0},
    {"trace", REPORT_SWITCH, NULL, "print a line each time one of those runs", 0, 0, 0},
    REPORT_LINES,
    {"inline", REPORT_WITHOUT, NULL, NULL, 0, 0, 0},
    {0},
};

/* An instruction that matches: at one address, with one text. */
struct record {
    uint64_t pc;
    char *text;
    uint64_t hits;
};

/* Where a block has one. */
struct place {
    uint32_t block;
    uint32_t insn;
    guint match;
    struct record *record;
};

/* What tracing counts for each match and vCPU. */
struct tally {
    uint64_t hits;
    uint64_t last; /* instructions of the vCPU when it last matched */
};

struct matches {
    struct report_job *job;
    GPtrArray *prefixes;
    GPtrArray *records;  /* struct record, in the order of their addresses' first translation */
    GHashTable *by_key;  /* "match pc text" → struct record */
    GArray *places;      /* struct place, by block, then instruction */
    guint *first;        /* by block: index of its first place + 1; 0: it has none */
    GArray *vcpus;       /* struct report_vcpu */
    GHashTable *tallies; /* vCPU << 16 | match → struct tally */
};

/* ---- finding them ---- */

static void add_place(struct matches *matches, uint32_t block, uint32_t insn, guint match, const char *text)
{
    uint64_t pc = tcgrr_block_pc(tcgrr_blocks_get(matches->job->blocks, block), insn);
    g_autofree char *key = g_strdup_printf("%u %" G_GINT64_MODIFIER "x %s", match, pc, text);
    struct record *record = g_hash_table_lookup(matches->by_key, key);

    if (!record) {
        record = g_new0(struct record, 1);
        record->pc = pc;
        record->text = g_strdup(text);
        g_ptr_array_add(matches->records, record);
        g_hash_table_insert(matches->by_key, g_steal_pointer(&key), record);
    }
    struct place place = {block, insn, match, record};
    g_array_append_val(matches->places, place);
    if (matches->first[block] == 0) {
        matches->first[block] = matches->places->len;
    }
}

static void find_places(struct matches *matches)
{
    struct report_job *job = matches->job;
    for (uint32_t block = 0; matches->prefixes->len > 0 && block < job->block_count; block++) {
        g_auto(GStrv) texts = report_disasm(job, tcgrr_blocks_get(job->blocks, block));
        for (uint32_t insn = 0; texts[insn]; insn++) {
            for (guint match = 0; match < matches->prefixes->len; match++) {
                if (g_str_has_prefix(texts[insn], g_ptr_array_index(matches->prefixes, match))) {
                    add_place(matches, block, insn, match, texts[insn]);
                }
            }
        }
    }
}

static void free_record(gpointer data)
{
    struct record *record = data;
    g_free(record->text);
    g_free(record);
}

/* ---- tracing ---- */

/* One of them ran as instruction number `icount` of its vCPU. */
static void trace_hit(struct matches *matches, const struct place *place, tcgrr_vcpu vcpu, uint64_t icount)
{
    gpointer key = (gpointer)(uintptr_t)((uint64_t)vcpu << 16 | place->match);
    struct tally *tally = g_hash_table_lookup(matches->tallies, key);
    if (!tally) {
        tally = g_new0(struct tally, 1);
        g_hash_table_insert(matches->tallies, key, tally);
    }
    uint64_t delta = icount - tally->last;
    tally->last = icount;
    tally->hits++;
    place->record->hits++;
    printf("0x%" G_GINT64_MODIFIER "x, '%s', %" G_GUINT64_FORMAT " hits , cpu %u, %" G_GUINT64_FORMAT
           " match hits, Δ+%" G_GUINT64_FORMAT " since last match, %" G_GUINT64_FORMAT " avg insns/match\n",
           place->record->pc, place->record->text, place->record->hits, vcpu, tally->hits, delta, icount / tally->hits);
}

static bool trace_all(struct matches *matches, GError **error)
{
    struct tcgrr_exec_walk walk;
    bool good = report_walk_begin(matches->job, &walk, NULL, error);

    for (; good && !walk.end; good = good && tcgrr_exec_walk_next(&walk, error)) {
        struct report_vcpu *vcpu = report_vcpu(matches->vcpus, walk.at.vcpu, error);
        uint32_t block = tcgrr_exec_walk_block(&walk);
        for (guint i = matches->first[block]; vcpu && i > 0 && i <= matches->places->len; i++) {
            const struct place *place = &g_array_index(matches->places, struct place, i - 1);
            if (place->block != block || place->insn >= walk.at.ran) {
                break;
            }
            trace_hit(matches, place, walk.at.vcpu, vcpu->ran + place->insn + 1);
        }
        good = vcpu != NULL;
        if (vcpu) {
            vcpu->ran += walk.at.ran;
        }
    }
    report_walk_end(&walk);
    return good;
}

/* ---- printing ---- */

static void print_vcpus(struct report_job *job, const struct report_profile *profile, json_t *object)
{
    json_t *list = json_array();
    uint64_t total = 0;
    for (guint i = 0; i < profile->vcpus->len; i++) {
        uint64_t ran = g_array_index(profile->vcpus, struct report_vcpu, i).ran;
        total += ran;
        if (!job->json) {
            printf("cpu %u insns: %" G_GUINT64_FORMAT "\n", i, ran);
        }
        json_array_append_new(list, json_pack("{s:i, s:o}", "vcpu", (int)i, "insns", report_number_json(ran)));
    }
    if (!job->json) {
        printf("total insns: %" G_GUINT64_FORMAT "\n", total);
    }
    json_object_set_new(object, "total", report_number_json(total));
    json_object_set_new(object, "vcpus", list);
}

static void print_sizes(struct report_job *job, const uint64_t *sizes, json_t *object)
{
    json_t *list = json_array();
    for (int i = 0; i < 256; i++) {
        if (sizes[i] && !job->json) {
            printf("len %d bytes: %" G_GUINT64_FORMAT " insns\n", i, sizes[i]);
        }
        if (sizes[i]) {
            json_array_append_new(list, json_pack("{s:i, s:o}", "bytes", i, "insns", report_number_json(sizes[i])));
        }
    }
    json_object_set_new(object, "sizes", list);
}

static void print_match(struct matches *matches, guint match, json_t *list)
{
    const char *prefix = g_ptr_array_index(matches->prefixes, match);
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    json_t *records = json_array();
    GString *text = g_string_new(NULL);
    uint64_t hits = 0;

    for (guint i = 0; i < matches->places->len; i++) {
        const struct place *place = &g_array_index(matches->places, struct place, i);
        const struct record *record = place->record;
        if (place->match != match || !g_hash_table_add(seen, place->record) || record->hits == 0) {
            continue;
        }
        hits += record->hits;
        g_autofree char *line = report_source_line_text(matches->job, " ", record->pc);
        g_string_append_printf(text, "  %" G_GINT64_MODIFIER "x: %s (hits %" G_GUINT64_FORMAT ")%s\n", record->pc,
                               record->text, record->hits, line);
        json_t *entry = json_pack("{s:o, s:o, s:o}", "pc", cli_json_address(record->pc), "disasm",
                                  report_text_json(g_strdup(record->text)), "hits", report_number_json(record->hits));
        report_set_source_line(matches->job, entry, record->pc);
        json_array_append_new(records, entry);
    }
    if (!matches->job->json) {
        printf("Match: %s, hits %" G_GUINT64_FORMAT "\n%s", prefix, hits, text->str);
    }
    json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "match", report_text_json(g_strdup(prefix)), "hits",
                                          report_number_json(hits), "insns", records));
    g_string_free(text, TRUE);
}

/* Sums up by size, and by record unless tracing did so already. */
static void sum_up(struct matches *matches, const struct report_profile *profile, uint64_t *sizes, bool records)
{
    g_autofree uint64_t *counts = g_new(uint64_t, TCGRR_MAX_INSNS);
    for (uint32_t i = 0; i < matches->job->block_count; i++) {
        const struct tcgrr_block *block = tcgrr_blocks_get(matches->job->blocks, i);
        if (profile->execs[i] == 0) {
            continue;
        }
        report_profile_insns(matches->job, profile, i, counts);
        for (uint32_t insn = 0; insn < block->insns; insn++) {
            sizes[block->lengths[insn]] += counts[insn];
        }
        for (guint at = matches->first[i]; records && at > 0 && at <= matches->places->len; at++) {
            const struct place *place = &g_array_index(matches->places, struct place, at - 1);
            if (place->block != i) {
                break;
            }
            place->record->hits += counts[place->insn];
        }
    }
}

static bool print_all(struct matches *matches, GError **error)
{
    struct report_job *job = matches->job;
    struct report_profile profile;
    uint64_t sizes[256] = {0};
    json_t *object = json_object();
    json_t *list = json_array();
    bool trace = job->values[TRACE].number != 0;

    bool good = (!trace || trace_all(matches, error)) && report_profile_make(job, &profile, error);
    if (good) {
        sum_up(matches, &profile, sizes, !trace);
        if (job->values[SIZES].number) {
            print_sizes(job, sizes, object);
        } else {
            print_vcpus(job, &profile, object);
        }
        for (guint i = 0; i < matches->prefixes->len; i++) {
            print_match(matches, i, list);
        }
        report_profile_clear(&profile);
    }
    json_object_set_new(object, "matches", list);
    if (good && job->json) {
        report_print_json(job, json_incref(object));
    }
    json_decref(object);
    return good;
}

static bool run(struct report_job *job, GError **error)
{
    struct matches matches = {.job = job, .prefixes = job->values[MATCH].texts};

    if (job->values[TRACE].number && (matches.prefixes->len == 0 || job->json)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "trace=on needs match=TEXT and does not work with --json");
        return false;
    }
    matches.records = g_ptr_array_new_with_free_func(free_record);
    matches.by_key = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    matches.places = g_array_new(FALSE, FALSE, sizeof(struct place));
    matches.first = g_new0(guint, MAX(job->block_count, 1));
    matches.vcpus = g_array_new(FALSE, TRUE, sizeof(struct report_vcpu));
    matches.tallies = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    find_places(&matches);

    bool good = print_all(&matches, error);
    g_ptr_array_unref(matches.records);
    g_hash_table_unref(matches.by_key);
    g_array_unref(matches.places);
    g_free(matches.first);
    g_array_unref(matches.vcpus);
    g_hash_table_unref(matches.tallies);
    return good;
}

const struct report report_insn = {
    "insn",
    "instructions that ran, by vCPU, size or disassembly",
    "Counts only instructions that completed, also with sizes=on, where the plugin counts translations.\n\n"
    "Examples:\n"
    "  tcgrr report boot.tcgrr insn\n"
    "  tcgrr report boot.tcgrr insn match=svc match=eret\n"
    "  tcgrr report boot.tcgrr insn match=wfi trace=on\n",
    options,
    run,
    NULL,
    NULL,
};
