/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One page about a trace that needs nothing but a browser: what was run, functions and events along the run, stacks,
 * hot blocks. The page draws; what it draws is one JSON object in it.
 */
#include "cli/export/html.h"

#include "cli/cli.h"
#include "cli/export/page.h"
#include "cli/export/tree.h"
#include "store/addr2line.h"
#include "store/words.h"

#include <string.h>

#define BINS       400u  /* stretches of the timeline */
#define CURVES     12u   /* functions that have one of their own */
#define BLOCKS     40u   /* hot blocks that are shown */
#define FUNCTIONS  200u  /* in the list */
#define EVENTS     2000u /* in the list */
#define NODE_SHARE 5000u /* a stack with less than this share (one in NODE_SHARE) of the instructions is left out */

static void set(json_t *object, const char *key, json_t *value)
{
    json_object_set_new(object, key, value);
}

/* ---- what was run ---- */

static void add_fact(json_t *facts, const char *name, const char *text)
{
    json_array_append_new(facts, json_pack("[s, o]", name, report_text_json(g_strdup(text ? text : ""))));
}

/* The command as one types it. */
static char *command_line(const char *stored)
{
    json_t *words = stored ? json_loads(stored, 0, NULL) : NULL;
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    json_t *word;
    size_t i;

    json_array_foreach(words, i, word)
    {
        char *text = tcgrr_word_of_json(word);
        g_ptr_array_add(texts, text ? text : g_strdup(""));
    }
    g_ptr_array_add(texts, NULL);
    char *line = cli_quote_words((const char *const *)texts->pdata);
    json_decref(words);
    return line;
}

static json_t *facts_of(const struct tcgrr_run *run)
{
    json_t *facts = json_array();
    g_autofree char *command = command_line(run->original_command);
    g_autofree char *qemu = g_strdup_printf("%s, %s, %s mode", run->qemu_version, run->target, run->mode);
    g_autofree char *icount = cli_number(run->icount);
    g_autofree char *execs = cli_number(run->execs);
    g_autofree char *seconds = g_strdup_printf("%.2f s, %s", run->duration_s, run->exit ? run->exit : "cut short");

    add_fact(facts, "command", command);
    add_fact(facts, "QEMU", qemu);
    add_fact(facts, "instructions", icount);
    add_fact(facts, "blocks executed", execs);
    add_fact(facts, "level", run->level);
    add_fact(facts, "recorded", run->started);
    add_fact(facts, "ran", seconds);
    add_fact(facts, "complete",
             tcgrr_run_ended(run) ? "yes"
             : run->complete      ? "no: the recording was interrupted"
                                  : "no: the recording was cut short");
    return facts;
}

/* ---- along the run ---- */

struct curves {
    struct report_job *job;
    struct export_functions *functions;
    uint32_t *of_block; /* function of each block: its symbol's, or its page's */
    uint64_t *counts;   /* function * BINS + bin: instructions; there are `room` functions */
    uint32_t room;
    tcgrr_icount width;       /* instructions of a bin */
    uint64_t (*events)[BINS]; /* by kind */
};

static bool count_insns(struct curves *curves, GError **error)
{
    struct tcgrr_exec_walk walk;
    bool good = report_walk_begin(curves->job, &walk, NULL, error);

    for (; good && !walk.end; good = tcgrr_exec_walk_next(&walk, error)) {
        uint64_t bin = MIN(walk.at.icount / curves->width, BINS - 1);
        curves->counts[(uint64_t)curves->of_block[tcgrr_exec_walk_block(&walk)] * BINS + bin] += walk.at.counted;
    }
    report_walk_end(&walk);
    return good;
}

static void count_event(const struct tcgrr_event *event, void *data)
{
    struct curves *curves = data;
    curves->events[event->kind][MIN(event->icount / curves->width, BINS - 1)]++;
}

static void number_blocks(struct curves *curves)
{
    struct report_job *job = curves->job;

    curves->of_block = g_new0(uint32_t, MAX(job->block_count, 1));
    for (uint32_t i = 0; i < job->block_count; i++) {
        uint64_t pc = tcgrr_blocks_get(job->blocks, i)->pc;
        uint32_t function = export_function_of_block(curves->functions, i);
        curves->of_block[i] = function ? function : export_function_at(curves->functions, pc & ~(uint64_t)0xfff);
    }
    curves->room = export_function_count(curves->functions);
    curves->counts = g_new0(uint64_t, (gsize)curves->room * BINS);
}

static json_t *numbers(const uint64_t *values)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < BINS; i++) {
        json_array_append_new(list, report_number_json(values[i]));
    }
    return list;
}

static json_t *curve(const char *name, const uint64_t *values)
{
    return json_pack("{s:o, s:o}", "name", report_text_json(g_strdup(name)), "values", numbers(values));
}

static uint64_t sum_of(const struct curves *curves, uint32_t function)
{
    uint64_t sum = 0;
    for (unsigned bin = 0; bin < BINS; bin++) {
        sum += curves->counts[(uint64_t)function * BINS + bin];
    }
    return sum;
}

/* The functions with most instructions, then one curve for all others. */
static json_t *curves_json(struct curves *curves)
{
    json_t *list = json_array();
    uint64_t others[BINS] = {0};
    g_autofree uint64_t *sums = g_new(uint64_t, curves->room);

    for (uint32_t i = 0; i < curves->room; i++) {
        sums[i] = sum_of(curves, i);
    }
    for (unsigned shown = 0; shown < CURVES; shown++) {
        uint32_t best = 0;
        for (uint32_t i = 1; i < curves->room; i++) {
            best = sums[i] > sums[best] ? i : best;
        }
        if (sums[best] == 0) {
            break;
        }
        json_array_append_new(
            list, curve(export_function_name(curves->functions, best), curves->counts + (uint64_t)best * BINS));
        sums[best] = 0;
    }
    for (uint32_t i = 0; i < curves->room; i++) {
        for (unsigned bin = 0; sums[i] && bin < BINS; bin++) {
            others[bin] += curves->counts[(uint64_t)i * BINS + bin];
        }
    }
    json_array_append_new(list, curve("all others", others));
    return list;
}

static json_t *event_curves(const struct curves *curves)
{
    json_t *list = json_array();
    for (int kind = 0; kind < TCGRR_EVENT_KIND_COUNT; kind++) {
        uint64_t sum = 0;
        for (unsigned bin = 0; bin < BINS; bin++) {
            sum += curves->events[kind][bin];
        }
        if (sum > 1) {
            json_array_append_new(list, curve(tcgrr_event_name((enum tcgrr_event_kind)kind), curves->events[kind]));
        }
    }
    return list;
}

static bool add_timeline(struct report_job *job, struct export_functions *functions, json_t *data, GError **error)
{
    struct curves curves = {
        .job = job,
        .functions = functions,
        .width = MAX((job->run->icount + BINS - 1) / BINS, 1),
        .events = g_malloc0(sizeof(uint64_t[TCGRR_EVENT_KIND_COUNT][BINS])),
    };
    json_t *x = json_array();

    number_blocks(&curves);
    bool good =
        count_insns(&curves, error) && tcgrr_reader_events(job->reader, 0, INT64_MAX, count_event, &curves, error);
    for (unsigned bin = 0; bin < BINS; bin++) {
        json_array_append_new(x, report_number_json(bin * curves.width));
    }
    set(data, "x", x);
    set(data, "series", curves_json(&curves));
    set(data, "events", event_curves(&curves));
    g_free(curves.of_block);
    g_free(curves.counts);
    g_free(curves.events);
    return good;
}

/* ---- stacks and functions ---- */

struct sums {
    uint32_t function;
    uint64_t self;
    uint64_t total;
};

static int by_self(const void *a, const void *b)
{
    const struct sums *left = a;
    const struct sums *right = b;
    return left->self != right->self ? (left->self > right->self ? -1 : 1) : 0;
}

/* Whether a node of the same function lies above: its total has this one's in it already. */
static bool is_nested(const GArray *nodes, const struct export_node *node)
{
    for (uint32_t up = node->parent; up; up = g_array_index(nodes, struct export_node, up).parent) {
        if (g_array_index(nodes, struct export_node, up).function == node->function) {
            return true;
        }
    }
    return false;
}

static json_t *functions_json(const GArray *nodes, const struct export_functions *functions)
{
    uint32_t count = export_function_count(functions);
    g_autofree struct sums *sums = g_new0(struct sums, count);
    json_t *list = json_array();

    for (guint i = 1; i < nodes->len; i++) {
        const struct export_node *node = &g_array_index(nodes, struct export_node, i);
        sums[node->function].function = node->function;
        sums[node->function].self += node->self;
        sums[node->function].total += is_nested(nodes, node) ? 0 : node->total;
    }
    qsort(sums, count, sizeof(*sums), by_self);
    for (uint32_t i = 0; i < MIN(count, FUNCTIONS) && sums[i].total; i++) {
        const char *name = export_function_name(functions, sums[i].function);
        json_array_append_new(list, json_pack("[o, o, o]", report_text_json(g_strdup(name)),
                                              report_number_json(sums[i].self), report_number_json(sums[i].total)));
    }
    return list;
}

/* The nodes that are wide enough to be seen, renumbered. */
static json_t *nodes_json(const GArray *nodes, const struct export_functions *functions)
{
    g_autofree uint32_t *numbers_of = g_new0(uint32_t, nodes->len);
    uint64_t least = g_array_index(nodes, struct export_node, 0).total / NODE_SHARE;
    json_t *list = json_array();

    for (guint i = 0; i < nodes->len; i++) {
        const struct export_node *node = &g_array_index(nodes, struct export_node, i);
        if (i > 0 && (node->total <= least || (node->parent && !numbers_of[node->parent]))) {
            continue;
        }
        numbers_of[i] = (uint32_t)json_array_size(list);
        const char *name = i ? export_function_name(functions, node->function) : "all";
        json_array_append_new(list,
                              json_pack("[i, o, o, o]", (int)numbers_of[node->parent], report_text_json(g_strdup(name)),
                                        report_number_json(node->self), report_number_json(node->total)));
    }
    return list;
}

static bool add_stacks(struct report_job *job, struct export_functions *functions, json_t *data, GError **error)
{
    g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(struct export_node));
    struct export_job walk = {.report = job, .until = UINT64_MAX};
    bool good = export_tree(&walk, functions, nodes, error);

    if (good) {
        set(data, "nodes", nodes_json(nodes, functions));
        set(data, "functions", functions_json(nodes, functions));
    }
    return good;
}

/* ---- blocks ---- */

struct heat {
    uint32_t block;
    uint64_t ran;
};

static int hottest(const void *a, const void *b)
{
    const struct heat *left = a;
    const struct heat *right = b;
    return left->ran != right->ran ? (left->ran > right->ran ? -1 : 1) : (left->block > right->block) ? 1 : -1;
}

static json_t *block_json(struct report_job *job, const struct report_profile *profile, const struct heat *heat,
                          struct tcgrr_addr2line *sources)
{
    const struct tcgrr_block *block = tcgrr_blocks_get(job->blocks, heat->block);
    g_auto(GStrv) texts = report_disasm(job, block);
    g_autofree char *place = report_place(job, block->pc);
    g_autofree char *source = tcgrr_addr2line_line(sources, block->pc);
    json_t *lines = json_array();

    for (uint32_t i = 0; i < block->insns; i++) {
        g_autofree char *line = g_strdup_printf("0x%016" G_GINT64_MODIFIER "x  %s", tcgrr_block_pc(block, i), texts[i]);
        json_array_append_new(lines, report_text_json(g_steal_pointer(&line)));
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "pc", cli_json_address(block->pc), "symbol",
                     report_text_json(source ? g_strconcat(place ? place : "", "  ", source, NULL) : g_strdup(place)),
                     "execs", report_number_json(profile->execs[heat->block]), "ran", report_number_json(heat->ran),
                     "text", lines);
}

static bool add_blocks(struct report_job *job, json_t *data, GError **error)
{
    struct report_profile profile = {0};
    g_autoptr(GArray) heats = g_array_new(FALSE, FALSE, sizeof(struct heat));
    json_t *list = json_array();
    struct tcgrr_addr2line *sources;

    set(data, "blocks", list);
    if (!report_profile_make(job, &profile, error)) {
        return false;
    }
    for (uint32_t i = 0; i < job->block_count; i++) {
        struct heat heat = {i, profile.execs[i] * tcgrr_blocks_get(job->blocks, i)->insns};
        g_array_append_val(heats, heat);
    }
    for (guint i = 0; i < profile.partials->len; i++) {
        const struct report_partial *partial = &g_array_index(profile.partials, struct report_partial, i);
        uint32_t insns = tcgrr_blocks_get(job->blocks, partial->block)->insns;
        g_array_index(heats, struct heat, partial->block).ran -= partial->execs * (insns - partial->ran);
    }
    g_array_sort(heats, hottest);
    sources = tcgrr_addr2line_new();
    tcgrr_addr2line_add_files(sources, job->symbols, job->blocks, job->block_count);
    for (guint i = 0; i < MIN(heats->len, BLOCKS); i++) {
        json_array_append_new(list, block_json(job, &profile, &g_array_index(heats, struct heat, i), sources));
    }
    tcgrr_addr2line_free(sources);
    report_profile_clear(&profile);
    return true;
}

/* ---- events and notes ---- */

struct listing {
    struct report_job *job;
    json_t *list;
    uint64_t count;
};

static json_t *place_json(struct report_job *job, uint64_t pc)
{
    g_autofree char *name = pc == TCGRR_NO_PC ? NULL : report_place(job, pc);
    if (pc == TCGRR_NO_PC) {
        return json_string("");
    }
    return json_sprintf("0x%llx%s%s", (unsigned long long)pc, name ? " " : "", name ? name : "");
}

static void list_event(const struct tcgrr_event *event, void *data)
{
    struct listing *listing = data;
    if (listing->count++ < EVENTS) {
        json_array_append_new(listing->list,
                              json_pack("[o, o, s, o, o]", report_number_json(event->icount),
                                        json_sprintf("%u", event->vcpu), tcgrr_event_name(event->kind),
                                        place_json(listing->job, event->has_pcs ? event->from_pc : TCGRR_NO_PC),
                                        place_json(listing->job, event->has_pcs ? event->to_pc : TCGRR_NO_PC)));
    }
}

static void list_note(const char *text, void *data)
{
    json_array_append_new(data, report_text_json(g_strdup(text)));
}

static bool add_events(struct report_job *job, json_t *data, GError **error)
{
    struct listing listing = {job, json_array(), 0};
    json_t *notes = json_array();
    bool good = tcgrr_reader_events(job->reader, 0, INT64_MAX, list_event, &listing, error) &&
                tcgrr_reader_notes(job->reader, list_note, notes, error);
    g_autofree char *all = cli_number(listing.count);

    set(data, "eventlist", listing.list);
    set(data, "eventnote",
        json_sprintf(listing.count > EVENTS ? "The first %u of %s." : "%.0u%s in all.",
                     listing.count > EVENTS ? EVENTS : 0, all));
    set(data, "notes", notes);
    return good;
}

/* ---- the page ---- */

static bool run(struct report_job *job, GError **error)
{
    struct export_functions *functions = export_functions_new(job);
    json_t *data = json_object();
    char *name = g_path_get_basename(tcgrr_reader_path(job->reader));

    set(data, "title", report_text_json(name));
    set(data, "icount", report_number_json(job->run->icount));
    set(data, "facts", facts_of(job->run));
    bool good = add_timeline(job, functions, data, error) && add_stacks(job, functions, data, error) &&
                add_blocks(job, data, error) && add_events(job, data, error);
    FILE *out = !good ? NULL : job->output ? report_create(job, job->output, error) : stdout;
    if (out) {
        GString *page = page_fill(page_html, data);
        fputs(page->str, out);
        g_string_free(page, TRUE);
    }
    good = out && (out == stdout || report_close(out, job->output, error));
    if (good && job->json) {
        report_print_json(job, json_pack("{s:o}", "file", cli_json_text(job->output)));
    }
    json_decref(data);
    export_functions_free(functions);
    return good;
}

static const struct report_option options[] = {{0}};

const struct report report_html = {
    "html",
    "the whole run as one page for a browser (-o FILE.html)",
    "What was run, functions and events along the run, stacks as a flame graph, functions and blocks that ran most,\n"
    "events. The page is self-contained and needs no network.\n\n"
    "Examples:\n"
    "  tcgrr report boot.tcgrr html -o boot.html\n",
    options,
    run,
    NULL,
    NULL,
};
