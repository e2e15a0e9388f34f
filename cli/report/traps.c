/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupts, exceptions and host calls: how many on each vCPU, and where they hit. */
#include "cli/report/report.h"

#include "cli/cli.h"

#include <string.h>

enum { LIMIT };

static const struct report_option options[] = {
    {"limit", REPORT_NUMBER, "N", "number of places to print, most hits first; 0: all (20)", 20, 0, UINT32_MAX},
    {0},
};

enum { INTERRUPT, EXCEPTION, HOSTCALL, KINDS };

struct vcpu {
    uint64_t counts[KINDS];
};

/* Compared as bytes: no gaps. */
struct where {
    uint64_t from; /* TCGRR_NO_PC: not known */
    uint64_t to;
    uint64_t kind;
};
struct place {
    struct where where;
    uint64_t hits;
    tcgrr_icount first;
};

struct traps {
    GArray *vcpus;      /* struct vcpu */
    GHashTable *places; /* struct place, the key is its beginning */
    uint64_t inferred;
    uint64_t total;
    uint64_t strange; /* of vCPUs that the machine does not have */
};

static guint hash_where(gconstpointer key)
{
    const struct where *where = key;
    return (guint)((where->from * 31 + where->to) * UINT64_C(0x9e3779b97f4a7c15) >> 32) + (guint)where->kind;
}

static gboolean same_where(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(struct where)) == 0;
}

static const char *kind_name(uint64_t kind)
{
    static const enum tcgrr_event_kind kinds[] = {TCGRR_EVENT_INTERRUPT, TCGRR_EVENT_EXCEPTION, TCGRR_EVENT_HOSTCALL};
    return tcgrr_event_name(kinds[kind]);
}

static void see(const struct tcgrr_event *event, void *data)
{
    struct traps *traps = data;
    unsigned kind = event->kind == TCGRR_EVENT_INTERRUPT   ? INTERRUPT
                    : event->kind == TCGRR_EVENT_EXCEPTION ? EXCEPTION
                    : event->kind == TCGRR_EVENT_HOSTCALL  ? HOSTCALL
                                                           : KINDS;
    if (kind == KINDS) {
        return;
    }
    if (event->vcpu >= traps->vcpus->len) {
        traps->strange++;
        return;
    }
    g_array_index(traps->vcpus, struct vcpu, event->vcpu).counts[kind]++;
    traps->total++;
    traps->inferred += event->inferred;

    struct where where = {event->from_pc, event->to_pc, kind};
    struct place *place = g_hash_table_lookup(traps->places, &where);
    if (!place) {
        place = g_new0(struct place, 1);
        place->where = where;
        place->first = event->icount;
        g_hash_table_insert(traps->places, place, place);
    }
    place->hits++;
}

static int by_hits(const void *a, const void *b)
{
    const struct place *left = *(struct place *const *)a;
    const struct place *right = *(struct place *const *)b;
    return left->hits != right->hits ? (left->hits > right->hits ? -1 : 1)
                                     : (left->first > right->first) - (left->first < right->first);
}

static void print_pc(struct report_job *job, uint64_t pc)
{
    g_autofree char *symbol = pc == TCGRR_NO_PC ? NULL : report_place(job, pc);
    if (pc == TCGRR_NO_PC) {
        printf(", unknown");
    } else {
        printf(", 0x%" G_GINT64_MODIFIER "x%s%s%s", pc, symbol ? " (" : "", symbol ? symbol : "", symbol ? ")" : "");
    }
}

static json_t *pc_json(uint64_t pc)
{
    return pc == TCGRR_NO_PC ? json_null() : cli_json_address(pc);
}

static json_t *pc_symbol_json(struct report_job *job, uint64_t pc)
{
    return report_text_json(pc == TCGRR_NO_PC ? NULL : report_place(job, pc));
}

static void print_vcpus(struct report_job *job, const struct traps *traps, json_t *list)
{
    if (!job->json) {
        printf("VCPU, interrupts, exceptions, hostcalls\n");
    }
    for (guint i = 0; i < traps->vcpus->len; i++) {
        const uint64_t *counts = g_array_index(traps->vcpus, struct vcpu, i).counts;
        if (!job->json) {
            printf("% 4d, % 10" G_GINT64_FORMAT ", % 10" G_GINT64_FORMAT ", % 10" G_GINT64_FORMAT "\n", (int)i,
                   (gint64)counts[INTERRUPT], (gint64)counts[EXCEPTION], (gint64)counts[HOSTCALL]);
        }
        json_array_append_new(list, json_pack("{s:i, s:o, s:o, s:o}", "vcpu", (int)i, "interrupts",
                                              report_number_json(counts[INTERRUPT]), "exceptions",
                                              report_number_json(counts[EXCEPTION]), "hostcalls",
                                              report_number_json(counts[HOSTCALL])));
    }
}

static void print_places(struct report_job *job, const struct traps *traps, json_t *list)
{
    guint count;
    g_autofree gpointer *places = g_hash_table_get_keys_as_array(traps->places, &count);
    uint64_t limit = job->values[LIMIT].number ? job->values[LIMIT].number : count;

    qsort(places, count, sizeof(*places), by_hits);
    if (!job->json && count > 0) {
        printf("\nkind, from, to, hits\n");
    }
    for (guint i = 0; i < count && i < limit; i++) {
        const struct place *place = places[i];
        if (!job->json) {
            printf("%s", kind_name(place->where.kind));
            print_pc(job, place->where.from);
            print_pc(job, place->where.to);
            printf(", %" G_GUINT64_FORMAT "\n", place->hits);
            continue;
        }
        json_array_append_new(
            list, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "kind", kind_name(place->where.kind), "from_pc",
                            pc_json(place->where.from), "from_symbol", pc_symbol_json(job, place->where.from), "to_pc",
                            pc_json(place->where.to), "to_symbol", pc_symbol_json(job, place->where.to), "hits",
                            report_number_json(place->hits), "first_icount", report_number_json(place->first)));
    }
}

static void say_notes(const struct report_job *job, const struct traps *traps)
{
    if (strcmp(job->run->mode, "user") == 0) {
        report_note("user mode: QEMU reports interrupts and exceptions in system mode only");
    } else if (!job->run->reports_discontinuities) {
        report_note("QEMU %s does not report interrupts, exceptions and host calls to plugins: the first two are "
                    "inferred from what ran%s, host calls are missing",
                    job->run->qemu_version, job->run->decided >= 0 ? " and from QEMU's rr log" : "");
    }
    if (traps->strange) {
        report_note("%" G_GUINT64_FORMAT " events of vCPUs that the machine does not have are left out",
                    traps->strange);
    }
}

static bool run(struct report_job *job, GError **error)
{
    struct traps traps = {.vcpus = g_array_new(FALSE, TRUE, sizeof(struct vcpu)),
                          .places = g_hash_table_new_full(hash_where, same_where, g_free, NULL)};
    g_array_set_size(traps.vcpus, CLAMP(job->run->vcpus, 1, 65536));
    bool good = tcgrr_reader_events(job->reader, 0, UINT64_MAX, see, &traps, error);
    if (good) {
        json_t *vcpus = json_array();
        json_t *places = json_array();
        print_vcpus(job, &traps, vcpus);
        print_places(job, &traps, places);
        if (job->json) {
            report_print_json(job, json_pack("{s:O, s:O, s:o, s:o}", "vcpus", vcpus, "places", places, "total",
                                             report_number_json(traps.total), "inferred",
                                             report_number_json(traps.inferred)));
        }
        json_decref(vcpus);
        json_decref(places);
        say_notes(job, &traps);
    }
    g_array_unref(traps.vcpus);
    g_hash_table_unref(traps.places);
    return good;
}

const struct report report_traps = {
    "traps",
    "interrupts, exceptions and host calls, by vCPU and place",
    "After the plugin's table comes a list of where they hit: for an interrupt `from` is the instruction that would "
    "have run\n"
    "next, for an exception the one that raised it; `to` is where it went.\n\n"
    "Examples:\n"
    "  tcgrr report boot.tcgrr traps\n"
    "  tcgrr report boot.tcgrr traps limit=0 --json | jq .places\n",
    options,
    run,
    NULL,
};
