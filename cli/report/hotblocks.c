/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which blocks ran most often. A block is known by its address and length, as in the plugin. */
#include "cli/report/report.h"

#include "cli/cli.h"

enum { LIMIT };

static const struct report_option options[] = {
    {"limit", REPORT_NUMBER, "N", "number of blocks to print; 0: all (20)", 20, 0, UINT32_MAX},
    {"inline", REPORT_WITHOUT, NULL, NULL, 0, 0, 0},
    {0},
};

struct place {
    uint64_t pc;
    uint32_t insns;
    uint32_t contents; /* different pieces of code seen there */
    uint64_t execs;
    uint64_t ran; /* instructions of all executions */
};

static int by_place(const void *a, const void *b)
{
    const struct place *left = a;
    const struct place *right = b;
    return left->pc != right->pc ? (left->pc < right->pc ? -1 : 1)
                                 : (left->insns > right->insns) - (left->insns < right->insns);
}

static int hottest(const void *a, const void *b)
{
    const struct place *left = a;
    const struct place *right = b;
    return left->execs != right->execs ? (left->execs > right->execs ? -1 : 1) : by_place(a, b);
}

/* One for each address and length, the hottest first. */
static GArray *collect(const struct report_job *job, const struct report_profile *profile)
{
    GArray *places = g_array_sized_new(FALSE, FALSE, sizeof(struct place), job->block_count);
    guint kept = 0;

    for (uint32_t i = 0; i < job->block_count; i++) {
        const struct tcgrr_block *block = tcgrr_blocks_get(job->blocks, i);
        struct place place = {block->pc, block->insns, 1, profile->execs[i], profile->execs[i] * block->insns};
        g_array_append_val(places, place);
    }
    for (guint i = 0; i < profile->partials->len; i++) {
        const struct report_partial *partial = &g_array_index(profile->partials, struct report_partial, i);
        struct place *place = &g_array_index(places, struct place, partial->block);
        place->ran -= partial->execs * (place->insns - partial->ran);
    }
    g_array_sort(places, by_place);
    for (guint i = 0; i < places->len; i++) {
        struct place place = g_array_index(places, struct place, i);
        struct place *last = kept ? &g_array_index(places, struct place, kept - 1) : NULL;
        if (last && by_place(last, &place) == 0) {
            last->contents++;
            last->execs += place.execs;
            last->ran += place.ran;
        } else {
            g_array_index(places, struct place, kept++) = place;
        }
    }
    g_array_set_size(places, kept);
    g_array_sort(places, hottest);
    return places;
}

static void print_json(struct report_job *job, const GArray *places, guint count)
{
    json_t *list = json_array();
    for (guint i = 0; i < count; i++) {
        const struct place *place = &g_array_index(places, struct place, i);
        json_array_append_new(list, json_pack("{s:o, s:o, s:i, s:i, s:o, s:o}", "pc", cli_json_address(place->pc),
                                              "symbol", report_text_json(report_symbol(job, place->pc)), "tcount",
                                              (int)place->contents, "icount", (int)place->insns, "ecount",
                                              report_number_json(place->execs), "ran", report_number_json(place->ran)));
    }
    report_print_json(job, json_pack("{s:i, s:o}", "collected", (int)places->len, "blocks", list));
}

static void print_text(const GArray *places, guint count)
{
    printf("collected %u entries in the hash table\npc, tcount, icount, ecount\n", places->len);
    for (guint i = 0; i < count; i++) {
        const struct place *place = &g_array_index(places, struct place, i);
        printf("0x%016" G_GINT64_MODIFIER "x, %u, %u, %" G_GUINT64_FORMAT "\n", place->pc, place->contents,
               place->insns, place->execs);
    }
}

static bool run(struct report_job *job, GError **error)
{
    struct report_profile profile;
    if (!report_profile_make(job, &profile, error)) {
        return false;
    }
    GArray *places = collect(job, &profile);
    uint64_t limit = job->values[LIMIT].number;
    guint count = (guint)MIN(limit ? limit : places->len, places->len);
    if (job->json) {
        print_json(job, places, count);
    } else {
        print_text(places, count);
    }
    g_array_unref(places);
    report_profile_clear(&profile);
    return true;
}

const struct report report_hotblocks = {
    "hotblocks",
    "the blocks that ran most often",
    "pc, tcount (different code seen at that address with that many instructions), icount (instructions of the "
    "block),\n"
    "ecount (how often it began to run). --json adds symbol and ran, the instructions that ran to their ends in all "
    "of\n"
    "these executions: fewer than icount times ecount where some ended early.\n\n"
    "Examples:\n"
    "  tcgrr report boot.tcgrr hotblocks limit=5\n"
    "  tcgrr report boot.tcgrr hotblocks limit=0 --json | jq '.blocks[] | select(.symbol == \"memset\")'\n",
    options,
    run,
    NULL,
};
