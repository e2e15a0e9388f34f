/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control flow: the addresses that the flow left for another one than the next, and where it went from there. An
 * interrupt is not the doing of the instruction it came after: what counts is where that instruction led to. An
 * instruction that raised an exception counts as left early.
 */
#include "cli/report/report.h"

#include "cli/cli.h"
#include "store/isa/isa.h"

#include <string.h>

enum { SORT, LIMIT };
enum { HOTTEST, EARLY, EXCEPTIONS };

static const struct report_option options[] = {
    {"sort", REPORT_CHOICE, "hottest|early|exceptions",
     "by branches taken, by early exits, or by different destinations (hottest)", HOTTEST, 0, 0},
    {"limit", REPORT_NUMBER, "N", "number of nodes to print; 0: all (10)", 10, 0, UINT32_MAX},
    REPORT_LINES,
    {0},
};

#define NO_BLOCK UINT32_MAX

struct edge {
    uint32_t from;
    uint32_t to;
    uint64_t count;
};

struct destination {
    uint64_t pc;
    uint64_t count;
};

/* An address from which the flow went elsewhere. */
struct node {
    uint64_t pc;
    uint32_t block; /* one that has it; NO_BLOCK: none is known */
    uint32_t insn;
    uint64_t early;    /* exceptions raised there */
    uint64_t branches; /* all, with those exceptions */
    GArray *destinations;
};

struct vcpu {
    uint32_t block; /* the last execution; NO_BLOCK: none */
    uint32_t ran;
    GArray *events; /* struct tcgrr_event, since */
};

struct flow {
    struct report_job *job;
    GArray *edges;       /* struct edge: taken from a block's end, nothing in between */
    GHashTable *by_edge; /* from << 28 | to → index in `edges` + 1 */
    guint *last;         /* by block: index + 1 of the edge last taken from it, most often the next one, too */
    GHashTable *nodes;   /* address → struct node, which holds it */
    GPtrArray *vcpus;    /* struct vcpu */
    GArray *events;
    enum tcgrr_isa isa;
};

/* ---- counting ---- */

static guint hash_edge(gconstpointer key)
{
    return (guint)((uint64_t)(uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

static void count_edge(struct flow *flow, uint32_t from, uint32_t to)
{
    guint *last = &flow->last[from];
    if (*last == 0 || g_array_index(flow->edges, struct edge, *last - 1).to != to) {
        gpointer key = (gpointer)(uintptr_t)((uint64_t)from << 28 | to); /* block numbers have 28 bits */
        *last = GPOINTER_TO_UINT(g_hash_table_lookup(flow->by_edge, key));
        if (*last == 0) {
            struct edge edge = {.from = from, .to = to};
            g_array_append_val(flow->edges, edge);
            *last = flow->edges->len;
            g_hash_table_insert(flow->by_edge, key, GUINT_TO_POINTER(*last));
        }
    }
    g_array_index(flow->edges, struct edge, *last - 1).count++;
}

static void count_branch(struct flow *flow, uint64_t from, uint32_t block, uint32_t insn, uint64_t to, uint64_t count,
                         bool early)
{
    struct node *node = g_hash_table_lookup(flow->nodes, &from);
    if (!node) {
        node = g_new0(struct node, 1);
        node->pc = from;
        node->block = block;
        node->insn = insn;
        node->destinations = g_array_new(FALSE, FALSE, sizeof(struct destination));
        g_hash_table_insert(flow->nodes, &node->pc, node);
    }
    if (node->block == NO_BLOCK) {
        node->block = block;
        node->insn = insn;
    }
    node->early += early ? count : 0;
    node->branches += count;
    for (guint i = 0; i < node->destinations->len; i++) {
        struct destination *destination = &g_array_index(node->destinations, struct destination, i);
        if (destination->pc == to) {
            destination->count += count;
            return;
        }
    }
    struct destination destination = {to, count};
    g_array_append_val(node->destinations, destination);
}

/* Whether the block ends with an instruction that always raises an exception: a system call, for example. */
static bool ends_with_trap(const struct flow *flow, const struct tcgrr_block *block)
{
    struct tcgrr_insn_class classes[TCGRR_MAX_INSNS];
    tcgrr_isa_classify(flow->isa, block->pc, block->bytes, block->lengths, block->insns, classes);
    return classes[block->insns - 1].leave == TCGRR_LEAVE_TRAP;
}

/*
 * Whether the first event after a whole execution was raised by its last instruction. QEMU gives as the place of a
 * system call the instruction to return to.
 */
static bool raised_by_last(const struct flow *flow, const struct tcgrr_event *event, const struct tcgrr_block *block)
{
    return event->kind == TCGRR_EVENT_EXCEPTION &&
           (event->from_pc == tcgrr_block_pc(block, block->insns - 1) ||
            (event->from_pc == block->pc + block->size && ends_with_trap(flow, block)));
}

/* The flow left a block after its first `ran` instructions, events happened, and it goes on at `to`. */
static void follow_events(struct flow *flow, const struct vcpu *vcpu, uint64_t to)
{
    const struct tcgrr_block *block = tcgrr_blocks_get(flow->job->blocks, vcpu->block);
    bool whole = vcpu->ran == block->insns;
    uint64_t here = tcgrr_block_pc(block, vcpu->ran); /* where it is if the last instruction leads to the next one */
    uint64_t last = whole ? tcgrr_block_pc(block, block->insns - 1) : here;
    bool known = !whole; /* whether `here` is sure */

    for (guint i = 0; i < vcpu->events->len; i++) {
        const struct tcgrr_event *event = &g_array_index(vcpu->events, struct tcgrr_event, i);
        bool raised = event->kind == TCGRR_EVENT_EXCEPTION;
        bool by_last = whole && i == 0 && raised_by_last(flow, event, block);
        uint64_t from = by_last ? last : event->from_pc != TCGRR_NO_PC ? event->from_pc : here;
        if (!known && !by_last && from != here && event->from_pc != TCGRR_NO_PC) {
            count_branch(flow, last, vcpu->block, block->insns - 1, from, 1, false);
        }
        uint64_t next = event->to_pc != TCGRR_NO_PC ? event->to_pc : to;
        if (raised) {
            bool inside = from == last;
            count_branch(flow, from, inside ? vcpu->block : NO_BLOCK, whole ? block->insns - 1 : vcpu->ran, next, 1,
                         true);
        }
        here = next;
        known = true;
    }
    if (!known && here != to) {
        count_branch(flow, last, vcpu->block, block->insns - 1, to, 1, false);
    } else if (!whole && vcpu->events->len == 0 && here != to) {
        count_branch(flow, here, vcpu->block, vcpu->ran, to, 1, true);
    }
}

static struct vcpu *get_vcpu(struct flow *flow, tcgrr_vcpu number)
{
    number = MIN(number, 65535u);
    if (number >= flow->vcpus->len) {
        g_ptr_array_set_size(flow->vcpus, (gint)number + 1);
    }
    struct vcpu *vcpu = g_ptr_array_index(flow->vcpus, number);
    if (!vcpu) {
        vcpu = g_new0(struct vcpu, 1);
        vcpu->block = NO_BLOCK;
        vcpu->events = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_event));
        g_ptr_array_index(flow->vcpus, number) = vcpu;
    }
    return vcpu;
}

static void free_vcpu(gpointer data)
{
    struct vcpu *vcpu = data;
    if (vcpu) {
        g_array_unref(vcpu->events);
        g_free(vcpu);
    }
}

static bool changes_flow(const struct tcgrr_event *event)
{
    return event->kind == TCGRR_EVENT_INTERRUPT || event->kind == TCGRR_EVENT_EXCEPTION;
}

/* Follows the flow into the walk's current execution. */
static void count_exec(struct flow *flow, const struct tcgrr_exec_walk *walk)
{
    const struct tcgrr_blocks *blocks = flow->job->blocks;
    struct vcpu *vcpu = get_vcpu(flow, walk->at.vcpu);
    const struct tcgrr_block *before = vcpu->block != NO_BLOCK ? tcgrr_blocks_get(blocks, vcpu->block) : NULL;

    if (before && (vcpu->ran != before->insns || vcpu->events->len > 0)) {
        follow_events(flow, vcpu, walk->at.block->pc);
    } else if (before && before->pc + before->size != walk->at.block->pc) {
        count_edge(flow, vcpu->block, tcgrr_exec_walk_block(walk));
    }
    g_array_set_size(vcpu->events, 0);
    vcpu->block = tcgrr_exec_walk_block(walk);
    vcpu->ran = walk->at.ran;
}

/* Keeps the events right after that execution; *next is the first unhandled one. */
static void keep_events(struct flow *flow, const struct tcgrr_exec_walk *walk, guint *next)
{
    for (; *next < flow->events->len; (*next)++) {
        const struct tcgrr_event *event = &g_array_index(flow->events, struct tcgrr_event, *next);
        if ((int64_t)event->seq > tcgrr_exec_walk_seq(walk) + 1) {
            break;
        }
        if (changes_flow(event)) {
            g_array_append_vals(get_vcpu(flow, event->vcpu)->events, event, 1);
        }
    }
}

static bool count_all(struct flow *flow, GError **error)
{
    struct tcgrr_exec_walk walk;
    guint next = 0;
    bool good = report_walk_begin(flow->job, &walk, NULL, error);

    for (; good && !walk.end; good = good && tcgrr_exec_walk_next(&walk, error)) {
        if (walk.at.index == 0) {
            next = 0;
            good = report_chunk_events(flow->job, walk.at.chunk, flow->events, error);
        }
        count_exec(flow, &walk);
        keep_events(flow, &walk, &next);
    }
    report_walk_end(&walk);
    return good;
}

/* ---- the nodes ---- */

static void free_node(gpointer data)
{
    struct node *node = data;
    g_array_unref(node->destinations);
    g_free(node);
}

/* Joins what was counted by blocks: more than one can end with the same instruction. */
static void join_edges(struct flow *flow)
{
    for (guint i = 0; i < flow->edges->len; i++) {
        const struct edge *edge = &g_array_index(flow->edges, struct edge, i);
        const struct tcgrr_block *from = tcgrr_blocks_get(flow->job->blocks, edge->from);
        count_branch(flow, tcgrr_block_pc(from, from->insns - 1), edge->from, from->insns - 1,
                     tcgrr_blocks_get(flow->job->blocks, edge->to)->pc, edge->count, false);
    }
}

static int by_count(const void *a, const void *b)
{
    const struct destination *left = a;
    const struct destination *right = b;
    return left->count != right->count ? (left->count > right->count ? -1 : 1)
                                       : (left->pc > right->pc) - (left->pc < right->pc);
}

static uint64_t rank(const struct node *node, uint64_t sort)
{
    return sort == HOTTEST ? node->branches : sort == EARLY ? node->early : node->destinations->len;
}

static gint by_rank(gconstpointer a, gconstpointer b, gpointer data)
{
    const struct node *left = *(struct node *const *)a;
    const struct node *right = *(struct node *const *)b;
    uint64_t sort = *(const uint64_t *)data;
    uint64_t ranks[] = {rank(left, sort), rank(right, sort)};
    return ranks[0] != ranks[1] ? (ranks[0] > ranks[1] ? -1 : 1) : (left->pc > right->pc) - (left->pc < right->pc);
}

/* An instruction whose fetch failed is in no block that ran up to it; it may be in one that ran later. */
static bool find_block(const struct report_job *job, uint64_t pc, uint32_t *number, uint32_t *insn)
{
    for (*number = 0; *number < job->block_count; (*number)++) {
        const struct tcgrr_block *block = tcgrr_blocks_get(job->blocks, *number);
        uint64_t at = block->pc;
        for (*insn = 0; pc - block->pc < block->size && *insn < block->insns; (*insn)++) {
            if (at == pc) {
                return true;
            }
            at += block->lengths[*insn];
        }
    }
    return false;
}

static char *text_of(struct report_job *job, const struct node *node)
{
    uint32_t block = node->block;
    uint32_t insn = node->insn;
    if (block == NO_BLOCK && !find_block(job, node->pc, &block, &insn)) {
        return NULL;
    }
    g_auto(GStrv) texts = report_disasm(job, tcgrr_blocks_get(job->blocks, block));
    return g_strdup(texts[insn]);
}

static void print_node(struct report_job *job, const struct node *node, json_t *list)
{
    g_autofree char *symbol = report_symbol(job, node->pc);
    g_autofree char *text = text_of(job, node);
    json_t *destinations = json_array();

    if (!job->json) {
        g_autofree char *line = report_source_line_text(job, " ", node->pc);
        printf("  addr: 0x%" G_GINT64_MODIFIER "x %s: %s (%s)%s\n", node->pc, symbol ? symbol : "?", text ? text : "?",
               node->early ? "sync fault" : "branch", line);
        if (node->early) {
            printf("    early exits %" G_GUINT64_FORMAT "\n", node->early);
        }
        printf("    branches %" G_GUINT64_FORMAT "\n", node->branches);
    }
    g_array_sort(node->destinations, by_count);
    for (guint i = 0; i < node->destinations->len; i++) {
        const struct destination *to = &g_array_index(node->destinations, struct destination, i);
        if (!job->json) {
            printf("      to 0x%" G_GINT64_MODIFIER "x (%" G_GUINT64_FORMAT ")\n", to->pc, to->count);
        }
        json_array_append_new(destinations, json_pack("{s:o, s:o}", "pc", cli_json_address(to->pc), "count",
                                                      report_number_json(to->count)));
    }
    json_t *entry = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "pc", cli_json_address(node->pc), "symbol",
                              report_text_json(g_steal_pointer(&symbol)), "disasm",
                              report_text_json(g_steal_pointer(&text)), "early_exits", report_number_json(node->early),
                              "branches", report_number_json(node->branches), "destinations", destinations);
    report_set_source_line(job, entry, node->pc);
    json_array_append_new(list, entry);
}

static void print_nodes(struct report_job *job, const struct flow *flow)
{
    GPtrArray *nodes = report_values_of(flow->nodes);
    json_t *list = json_array();
    uint64_t sort = job->values[SORT].number;
    uint64_t limit = job->values[LIMIT].number ? job->values[LIMIT].number : UINT64_MAX;

    g_ptr_array_sort_with_data(nodes, by_rank, &sort);
    if (!job->json) {
        printf("collected %u control flow nodes in the hash table\n", nodes->len);
    }
    for (guint i = 0; i < nodes->len && i < limit; i++) {
        print_node(job, g_ptr_array_index(nodes, i), list);
    }
    if (job->json) {
        report_print_json(job, json_pack("{s:i, s:O}", "collected", (int)nodes->len, "nodes", list));
    }
    json_decref(list);
    g_ptr_array_unref(nodes);
}

static bool run(struct report_job *job, GError **error)
{
    struct flow flow = {.job = job};
    flow.edges = g_array_new(FALSE, FALSE, sizeof(struct edge));
    flow.by_edge = g_hash_table_new(hash_edge, NULL);
    flow.last = g_new0(guint, MAX(job->block_count, 1));
    flow.nodes = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, free_node);
    flow.vcpus = g_ptr_array_new_with_free_func(free_vcpu);
    flow.events = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_event));
    flow.isa = tcgrr_isa_of_target(job->run->target);

    bool good = count_all(&flow, error);
    if (good) {
        join_edges(&flow);
        print_nodes(job, &flow);
    }
    g_array_unref(flow.edges);
    g_hash_table_unref(flow.by_edge);
    g_free(flow.last);
    g_hash_table_unref(flow.nodes);
    g_ptr_array_unref(flow.vcpus);
    g_array_unref(flow.events);
    return good;
}

const struct report report_cflow = {
    "cflow",
    "branches and faults: where they are and where they went",
    "A node is an address from which the flow did not continue at the next instruction. `early exits` are\n"
    "exceptions that the instruction raised. Interrupts are not counted as branches of the instruction before them, "
    "and\n"
    "a block that QEMU merely cut short is not an exit; the plugin counts both.\n\n"
    "Examples:\n"
    "  tcgrr report boot.tcgrr cflow\n"
    "  tcgrr report boot.tcgrr cflow sort=early limit=20\n",
    options,
    run,
    NULL,
    NULL,
};
