/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A model of caches: for each core one for instructions, one for data, and if asked for one after both. Instructions
 * are fetched by their virtual addresses. Fetches of one line that follow each other in a block are one look-up,
 * because all but the first hit and change nothing.
 */
#include "cli/report/cache_model.h"
#include "cli/report/report.h"

#include "cli/cli.h"
#include "store/error.h"

#include <string.h>

enum {
    ICACHESIZE,
    IBLKSIZE,
    IASSOC,
    DCACHESIZE,
    DBLKSIZE,
    DASSOC,
    EVICT,
    CORES,
    LIMIT,
    L2,
    L2CACHESIZE,
    L2BLKSIZE,
    L2ASSOC
};

#define MAX_SIZE (UINT64_C(1) << 36)
#define MAX_WAYS 65535

static const struct report_option options[] = {
    {"icachesize", REPORT_NUMBER, "N", "bytes of the instruction cache (16384)", 16384, 1, MAX_SIZE},
    {"iblksize", REPORT_NUMBER, "N", "bytes of its blocks (64)", 64, 1, MAX_SIZE},
    {"iassoc", REPORT_NUMBER, "N", "blocks in a set (8)", 8, 1, MAX_WAYS},
    {"dcachesize", REPORT_NUMBER, "N", "bytes of the data cache (16384)", 16384, 1, MAX_SIZE},
    {"dblksize", REPORT_NUMBER, "N", "bytes of its blocks (64)", 64, 1, MAX_SIZE},
    {"dassoc", REPORT_NUMBER, "N", "blocks in a set (8)", 8, 1, MAX_WAYS},
    {"evict", REPORT_CHOICE, "lru|fifo|rand", "which block makes room for another one (lru)", CACHE_LRU, 0, 0},
    {"cores", REPORT_NUMBER, "N", "number of cores with their own caches (the machine's; in user mode 1)", 0, 1, 65536},
    {"limit", REPORT_NUMBER, "N", "number of instructions to print, most misses first; 0: all (32)", 32, 0, UINT32_MAX},
    {"l2", REPORT_SWITCH, NULL, "a second-level cache for both (off)", 0, 0, 0},
    {"l2cachesize", REPORT_NUMBER, "N", "its bytes (2097152); implies l2=on, like the next two", 2097152, 1, MAX_SIZE},
    {"l2blksize", REPORT_NUMBER, "N", "bytes of its blocks (64)", 64, 1, MAX_SIZE},
    {"l2assoc", REPORT_NUMBER, "N", "blocks in a set (16)", 16, 1, MAX_WAYS},
    REPORT_LINES,
    {0},
};

/* The instructions of a block that are in one cache line. */
struct fetch_group {
    uint32_t first; /* of them */
    uint64_t fetch_misses;
    uint64_t l2_misses; /* of fetches */
};

struct core {
    struct cache insns;
    struct cache data;
    struct cache both;
};

/* Misses of an instruction's accesses. */
struct data_misses {
    uint32_t block;
    uint32_t insn;
    uint64_t data;
    uint64_t l2;
};

struct model {
    struct report_job *job;
    bool l2;
    bool with_data; /* the trace has memory accesses */
    struct core *cores;
    uint32_t core_count;
    GArray *groups;          /* struct fetch_group, block by block */
    guint *first;            /* by block: its first group; the last entry is the end */
    GHashTable *data_misses; /* block << 16 | instruction → struct data_misses */
};

/* Misses of the instruction at an address. */
struct insn {
    uint64_t pc;
    uint32_t block; /* one that has it */
    uint32_t index;
    uint64_t misses[3]; /* data, fetches, second cache */
};
enum { OF_DATA, OF_FETCHES, OF_L2 };

/* ---- setting up ---- */

/* Without memory accesses the data cache stays empty, which is fine unless it was asked about. */
static bool choose_data_cache(struct model *model, GError **error)
{
    struct report_job *job = model->job;
    bool asked = job->values[DCACHESIZE].given || job->values[DBLKSIZE].given || job->values[DASSOC].given;
    GError *reason = NULL;

    model->with_data = report_need(job, TCGRR_LEVEL_FULL, &reason);
    if (!model->with_data && (asked || job->fill)) {
        g_propagate_error(error, reason);
        return false;
    }
    if (!model->with_data) {
        cli_note("only instructions: the trace was recorded without memory accesses (fill --level full)");
        g_error_free(reason);
    }
    return true;
}

static void shape_of(const struct report_job *job, int size, struct cache_shape *shape)
{
    *shape = (struct cache_shape){job->values[size].number, job->values[size + 1].number, job->values[size + 2].number};
}

static bool make_cores(struct model *model, GError **error)
{
    const struct report_job *job = model->job;
    uint64_t machine = strcmp(job->run->mode, "user") == 0 ? 1 : CLAMP(job->run->vcpus, 1, 65536);
    struct cache_shape shapes[3];

    model->core_count = (uint32_t)(job->values[CORES].given ? job->values[CORES].number : machine);
    model->l2 = job->values[L2].number ||
                (!job->values[L2].given &&
                 (job->values[L2CACHESIZE].given || job->values[L2BLKSIZE].given || job->values[L2ASSOC].given));
    shape_of(job, ICACHESIZE, &shapes[0]);
    shape_of(job, DCACHESIZE, &shapes[1]);
    shape_of(job, L2CACHESIZE, &shapes[2]);
    if (!cache_check(&shapes[0], "instruction cache", error) || !cache_check(&shapes[1], "data cache", error) ||
        (model->l2 && !cache_check(&shapes[2], "second cache", error))) {
        return false;
    }
    uint64_t lines = shapes[0].size / shapes[0].line + shapes[1].size / shapes[1].line +
                     (model->l2 ? shapes[2].size / shapes[2].line : 0);
    if (lines * model->core_count > CACHE_MAX_LINES) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "the caches of all cores have more than 67,108,864 blocks");
        return false;
    }
    model->cores = g_new0(struct core, model->core_count);
    for (uint32_t i = 0; i < model->core_count; i++) {
        enum cache_policy policy = (enum cache_policy)job->values[EVICT].number;
        cache_init(&model->cores[i].insns, &shapes[0], policy);
        cache_init(&model->cores[i].data, &shapes[1], policy);
        if (model->l2) {
            cache_init(&model->cores[i].both, &shapes[2], policy);
        }
    }
    return true;
}

static void free_cores(struct model *model)
{
    for (uint32_t i = 0; model->cores && i < model->core_count; i++) {
        cache_clear(&model->cores[i].insns);
        cache_clear(&model->cores[i].data);
        cache_clear(&model->cores[i].both);
    }
    g_free(model->cores);
}

static void make_groups(struct model *model)
{
    const struct report_job *job = model->job;
    unsigned shift = model->cores[0].insns.shift;

    model->groups = g_array_new(FALSE, FALSE, sizeof(struct fetch_group));
    model->first = g_new(guint, job->block_count + 1);
    for (uint32_t i = 0; i < job->block_count; i++) {
        const struct tcgrr_block *block = tcgrr_blocks_get(job->blocks, i);
        uint64_t pc = block->pc;
        uint64_t line = 0;
        model->first[i] = model->groups->len;
        for (uint32_t insn = 0; insn < block->insns; pc += block->lengths[insn++]) {
            if (insn == 0 || pc >> shift != line) {
                struct fetch_group group = {.first = insn};
                g_array_append_val(model->groups, group);
                line = pc >> shift;
            }
        }
    }
    model->first[job->block_count] = model->groups->len;
}

/* ---- running ---- */

static void count_data_miss(struct model *model, uint32_t block, uint32_t insn, bool l2)
{
    gpointer key = (gpointer)(uintptr_t)((uint64_t)block << 16 | insn);
    struct data_misses *misses = g_hash_table_lookup(model->data_misses, key);
    if (!misses) {
        misses = g_new0(struct data_misses, 1);
        misses->block = block;
        misses->insn = insn;
        g_hash_table_insert(model->data_misses, key, misses);
    }
    misses->data++;
    misses->l2 += l2;
}

/* Devices are not cached. */
static void run_access(struct model *model, struct core *core, uint32_t block, const struct tcgrr_access *access)
{
    if (access->flags & TCGRR_ACCESS_DEVICE) {
        return;
    }
    uint64_t address = access->flags & TCGRR_ACCESS_PHYSICAL ? access->physical : access->address;
    if (!cache_access(&core->data, address)) {
        count_data_miss(model, block, access->insn, model->l2 && !cache_access(&core->both, address));
    }
}

/* Fetches an execution's instructions, and makes its accesses, up to `end`, in between. */
static void run_exec(struct model *model, struct core *core, const struct tcgrr_cursor *cursor, uint32_t number,
                     const struct tcgrr_access *access, const struct tcgrr_access *end)
{
    struct fetch_group *group = &g_array_index(model->groups, struct fetch_group, model->first[number]);
    const struct fetch_group *last = &g_array_index(model->groups, struct fetch_group, model->first[number + 1]);
    uint64_t pc = cursor->block->pc;
    uint32_t insn = 0;

    for (; group < last && group->first < cursor->ran; group++) {
        for (; insn < group->first; insn++) {
            pc += cursor->block->lengths[insn];
        }
        if (!cache_access(&core->insns, pc)) {
            group->fetch_misses++;
            if (model->l2 && !cache_access(&core->both, pc)) {
                group->l2_misses++;
            }
        }
        core->insns.accesses--; /* all of the block are counted below */
        uint32_t next = group + 1 < last ? group[1].first : cursor->block->insns;
        for (; access < end && access->insn < next; access++) {
            run_access(model, core, number, access);
        }
    }
    core->insns.accesses += cursor->ran;
}

static bool run_all(struct model *model, GError **error)
{
    struct tcgrr_exec_range range = TCGRR_EXEC_RANGE_ALL;
    struct tcgrr_exec_walk walk;
    guint count;

    range.with_accesses = model->with_data;
    bool good = report_walk_begin(model->job, &walk, &range, error);
    for (; good && !walk.end; good = tcgrr_exec_walk_next(&walk, error)) {
        const struct tcgrr_access *accesses = tcgrr_exec_walk_accesses(&walk, &count);
        run_exec(model, &model->cores[walk.at.vcpu % model->core_count], &walk.at, tcgrr_exec_walk_block(&walk),
                 accesses, accesses + count);
    }
    report_walk_end(&walk);
    return good;
}

/* ---- what missed ---- */

static struct insn *get_insn(GHashTable *insns, uint64_t pc, uint32_t block, uint32_t index)
{
    struct insn *insn = g_hash_table_lookup(insns, &pc);
    if (!insn) {
        insn = g_new0(struct insn, 1);
        *insn = (struct insn){.pc = pc, .block = block, .index = index};
        g_hash_table_insert(insns, &insn->pc, insn);
    }
    return insn;
}

/* Those that missed, by address. */
static GHashTable *collect(const struct model *model)
{
    const struct report_job *job = model->job;
    GHashTable *insns = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);

    for (uint32_t i = 0; i < job->block_count; i++) {
        for (guint at = model->first[i]; at < model->first[i + 1]; at++) {
            const struct fetch_group *group = &g_array_index(model->groups, struct fetch_group, at);
            if (group->fetch_misses) {
                uint64_t pc = tcgrr_block_pc(tcgrr_blocks_get(job->blocks, i), group->first);
                struct insn *insn = get_insn(insns, pc, i, group->first);
                insn->misses[OF_FETCHES] += group->fetch_misses;
                insn->misses[OF_L2] += group->l2_misses;
            }
        }
    }
    g_autoptr(GPtrArray) misses = report_values_of(model->data_misses);
    for (guint i = 0; i < misses->len; i++) {
        const struct data_misses *of = g_ptr_array_index(misses, i);
        uint64_t pc = tcgrr_block_pc(tcgrr_blocks_get(job->blocks, of->block), of->insn);
        struct insn *insn = get_insn(insns, pc, of->block, of->insn);
        insn->misses[OF_DATA] += of->data;
        insn->misses[OF_L2] += of->l2;
    }
    return insns;
}

static gint by_misses(gconstpointer a, gconstpointer b, gpointer data)
{
    const struct insn *left = *(struct insn *const *)a;
    const struct insn *right = *(struct insn *const *)b;
    uint64_t misses[] = {left->misses[*(const int *)data], right->misses[*(const int *)data]};
    return misses[0] != misses[1] ? (misses[0] > misses[1] ? -1 : 1) : (left->pc > right->pc) - (left->pc < right->pc);
}

/* ---- printing ---- */

static void add_counts(struct cache *sum, const struct cache *cache)
{
    sum->accesses += cache->accesses;
    sum->misses += cache->misses;
}

static double rate(const struct cache *cache)
{
    return cache->accesses ? (double)cache->misses / (double)cache->accesses * 100.0 : 0.0;
}

static void print_core(const struct model *model, const char *name, const struct core *core)
{
    printf("%-8s%-14" G_GUINT64_FORMAT " %-12" G_GUINT64_FORMAT " %9.4f%%  %-14" G_GUINT64_FORMAT
           " %-12" G_GUINT64_FORMAT " %9.4f%%",
           name, core->data.accesses, core->data.misses, rate(&core->data), core->insns.accesses, core->insns.misses,
           rate(&core->insns));
    if (model->l2 && core->both.accesses && core->both.misses) {
        printf("  %-12" G_GUINT64_FORMAT " %-11" G_GUINT64_FORMAT " %10.4f%%", core->both.accesses, core->both.misses,
               rate(&core->both));
    }
    printf("\n");
}

static json_t *cache_json(const struct cache *cache)
{
    return json_pack("{s:o, s:o}", "accesses", report_number_json(cache->accesses), "misses",
                     report_number_json(cache->misses));
}

static void print_cores(const struct model *model, json_t *list)
{
    struct core sum = {0};
    if (!model->job->json) {
        printf("core #, data accesses, data misses, dmiss rate, insn accesses, insn misses, imiss rate%s\n",
               model->l2 ? ", l2 accesses, l2 misses, l2 miss rate" : "");
    }
    for (uint32_t i = 0; i < model->core_count; i++) {
        const struct core *core = &model->cores[i];
        g_autofree char *name = g_strdup_printf("%u", i);
        if (!model->job->json) {
            print_core(model, name, core);
        }
        json_t *entry = json_pack("{s:i, s:o, s:o}", "core", (int)i, "data", cache_json(&core->data), "insns",
                                  cache_json(&core->insns));
        if (model->l2) {
            json_object_set_new(entry, "l2", cache_json(&core->both));
        }
        json_array_append_new(list, entry);
        add_counts(&sum.data, &core->data);
        add_counts(&sum.insns, &core->insns);
        add_counts(&sum.both, &core->both);
    }
    if (model->core_count > 1 && !model->job->json) {
        print_core(model, "sum", &sum);
    }
}

static void print_worst(const struct model *model, GPtrArray *insns, int which, const char *title, json_t *list)
{
    struct report_job *job = model->job;
    uint64_t limit = job->values[LIMIT].number ? job->values[LIMIT].number : UINT64_MAX;

    g_ptr_array_sort_with_data(insns, by_misses, &which);
    if (!job->json) {
        printf("\naddress, %s, instruction%s\n", title, job->sources ? ", line" : "");
    }
    for (guint i = 0; i < insns->len && i < limit; i++) {
        const struct insn *insn = g_ptr_array_index(insns, i);
        if (insn->misses[which] == 0) {
            break;
        }
        g_autofree char *symbol = report_symbol(job, insn->pc);
        g_auto(GStrv) texts = report_disasm(job, tcgrr_blocks_get(job->blocks, insn->block));
        if (!job->json) {
            g_autofree char *line = report_source_line_text(job, ", ", insn->pc);
            printf("0x%" G_GINT64_MODIFIER "x%s%s%s, %" G_GUINT64_FORMAT ", %s%s\n", insn->pc, symbol ? " (" : "",
                   symbol ? symbol : "", symbol ? ")" : "", insn->misses[which], texts[insn->index], line);
        }
        json_t *entry = json_pack("{s:o, s:o, s:o, s:o}", "pc", cli_json_address(insn->pc), "symbol",
                                  report_text_json(g_strdup(symbol)), "misses", report_number_json(insn->misses[which]),
                                  "disasm", report_text_json(g_strdup(texts[insn->index])));
        report_set_source_line(job, entry, insn->pc);
        json_array_append_new(list, entry);
    }
}

static void print_all(const struct model *model)
{
    static const char *const titles[] = {"data misses", "fetch misses", "L2 misses"};
    static const char *const keys[] = {"data_misses", "fetch_misses", "l2_misses"};
    g_autoptr(GHashTable) table = collect(model);
    GPtrArray *insns = report_values_of(table);
    json_t *cores = json_array();
    json_t *object = json_object();

    print_cores(model, cores);
    json_object_set_new(object, "cores", cores);
    for (int i = 0; i <= OF_L2; i++) {
        if (i != OF_L2 || model->l2) {
            json_t *list = json_array();
            print_worst(model, insns, i, titles[i], list);
            json_object_set_new(object, keys[i], list);
        }
    }
    if (model->job->json) {
        report_print_json(model->job, json_incref(object));
    }
    json_decref(object);
    g_ptr_array_unref(insns);
}

static bool run(struct report_job *job, GError **error)
{
    struct model model = {.job = job};
    bool good = make_cores(&model, error) && choose_data_cache(&model, error);

    model.data_misses = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    if (good) {
        make_groups(&model);
        good = run_all(&model, error);
    }
    if (good) {
        print_all(&model);
    }
    g_clear_pointer(&model.groups, g_array_unref);
    g_hash_table_unref(model.data_misses);
    g_free(model.first);
    free_cores(&model);
    return good;
}

const struct report report_cache = {
    "cache",
    "a model of caches, and the instructions that miss most",
    "Instructions that did not complete are not counted. The data cache needs a trace recorded at --level full;\n"
    "it uses physical addresses where they are known, and ignores devices.\n\n"
    "Examples:\n"
    "  tcgrr report boot.tcgrr cache icachesize=32768 iassoc=4\n"
    "  tcgrr report full.tcgrr cache l2=on evict=fifo limit=10\n",
    options,
    run,
    NULL,
    NULL,
};
