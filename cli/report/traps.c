/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupts, exceptions and host calls: how many on each vCPU, and where they hit. */
#include "cli/report/report.h"

#include "cli/cli.h"
#include "store/isa/vectors.h"

#include <string.h>

enum { LIMIT };

static const struct report_option options[] = {
    {"limit", REPORT_NUMBER, "N", "number of places to print, most hits first; 0: all (20)", 20, 0, UINT32_MAX},
    REPORT_LINES,
    {0},
};

#define TRAPS "FROM event WHERE kind IN ('interrupt', 'exception', 'hostcall')\n"

static const char by_vcpu[] =
    "SELECT vcpu, sum(kind = 'interrupt') AS interrupts, sum(kind = 'exception') AS exceptions,\n"
    "  sum(kind = 'hostcall') AS hostcalls, sum(source <> 'qemu') AS inferred\n" TRAPS "GROUP BY vcpu ORDER BY vcpu";
static const char by_place[] = "SELECT kind, from_pc, to_pc, count(*) AS hits, min(icount) AS first_icount\n" TRAPS
                               "  AND vcpu < (SELECT min(max(vcpus, 1), 65536) FROM run)\n"
                               "GROUP BY kind, from_pc, to_pc ORDER BY hits DESC, first_icount, min(id)";

struct traps {
    struct report_job *job;
    GArray *vcpus; /* struct vcpu, as many as the machine has */
    uint64_t inferred;
    uint64_t total;
    uint64_t strange; /* of vCPUs that the machine does not have */
    uint64_t places;
    json_t *list; /* of places */
};
struct vcpu {
    uint64_t interrupts;
    uint64_t exceptions;
    uint64_t hostcalls;
};

static void see_vcpu(sqlite3_stmt *row, void *data)
{
    struct traps *traps = data;
    sqlite3_int64 number = sqlite3_column_int64(row, 0);
    struct vcpu vcpu = {(uint64_t)sqlite3_column_int64(row, 1), (uint64_t)sqlite3_column_int64(row, 2),
                        (uint64_t)sqlite3_column_int64(row, 3)};
    uint64_t total = vcpu.interrupts + vcpu.exceptions + vcpu.hostcalls;

    if (number < 0 || number >= traps->vcpus->len) {
        traps->strange += total;
        return;
    }
    g_array_index(traps->vcpus, struct vcpu, number) = vcpu;
    traps->total += total;
    traps->inferred += (uint64_t)sqlite3_column_int64(row, 4);
}

static void print_vcpus(const struct traps *traps, json_t *list)
{
    if (!traps->job->json) {
        printf("VCPU, interrupts, exceptions, hostcalls\n");
    }
    for (guint i = 0; i < traps->vcpus->len; i++) {
        const struct vcpu *vcpu = &g_array_index(traps->vcpus, struct vcpu, i);
        if (!traps->job->json) {
            printf("% 4d, % 10" G_GINT64_FORMAT ", % 10" G_GINT64_FORMAT ", % 10" G_GINT64_FORMAT "\n", (int)i,
                   (gint64)vcpu->interrupts, (gint64)vcpu->exceptions, (gint64)vcpu->hostcalls);
        }
        json_array_append_new(list, json_pack("{s:i, s:o, s:o, s:o}", "vcpu", (int)i, "interrupts",
                                              report_number_json(vcpu->interrupts), "exceptions",
                                              report_number_json(vcpu->exceptions), "hostcalls",
                                              report_number_json(vcpu->hostcalls)));
    }
}

/* Where a column says that it went or came from; TCGRR_NO_PC: not known. */
static uint64_t pc_of(sqlite3_stmt *row, int column)
{
    return sqlite3_column_type(row, column) == SQLITE_NULL ? TCGRR_NO_PC : (uint64_t)sqlite3_column_int64(row, column);
}

static void print_pc(struct report_job *job, uint64_t pc)
{
    g_autofree char *symbol = pc == TCGRR_NO_PC ? NULL : report_place(job, pc);
    if (pc == TCGRR_NO_PC) {
        printf(", unknown");
    } else {
        g_autofree char *line = report_source_line_text(job, " ", pc);
        printf(", 0x%" G_GINT64_MODIFIER "x%s%s%s%s", pc, symbol ? " (" : "", symbol ? symbol : "", symbol ? ")" : "",
               line);
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

static void print_place(sqlite3_stmt *row, void *data)
{
    struct traps *traps = data;
    struct report_job *job = traps->job;
    const char *kind = (const char *)sqlite3_column_text(row, 0);
    uint64_t from = pc_of(row, 1), to = pc_of(row, 2), hits = (uint64_t)sqlite3_column_int64(row, 3);
    uint64_t limit = job->values[LIMIT].number;

    if (traps->places++ >= limit && limit > 0) {
        return;
    }
    if (!job->json) {
        printf("%s%s", traps->places == 1 ? "\nkind, from, to, hits\n" : "", kind);
        print_pc(job, from);
        print_pc(job, to);
        printf(", %" G_GUINT64_FORMAT "\n", hits);
        return;
    }
    json_t *entry =
        json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "kind", kind, "from_pc", pc_json(from), "from_symbol",
                  pc_symbol_json(job, from), "to_pc", pc_json(to), "to_symbol", pc_symbol_json(job, to), "hits",
                  report_number_json(hits), "first_icount", report_number_json((uint64_t)sqlite3_column_int64(row, 4)));
    const char *vector = to == TCGRR_NO_PC ? NULL : tcgrr_vector_name(job->run->target, to);
    json_object_set_new(entry, "vector", vector ? json_string(vector) : json_null());
    report_set_source_line(job, entry, from);
    json_array_append_new(traps->list, entry);
}

static void say_notes(const struct report_job *job, const struct traps *traps)
{
    if (strcmp(job->run->mode, "user") == 0) {
        cli_note("user mode: QEMU reports interrupts and exceptions in system mode only");
    } else if (!job->run->reports_discontinuities) {
        cli_note("QEMU %s does not report interrupts, exceptions and host calls to plugins: the first two are "
                 "inferred from what ran%s, host calls are missing",
                 job->run->qemu_version, job->run->decided >= 0 ? " and from QEMU's rr log" : "");
    }
    if (traps->strange) {
        cli_note("%" G_GUINT64_FORMAT " events of vCPUs that the machine does not have are left out", traps->strange);
    }
}

static bool run(struct report_job *job, GError **error)
{
    struct traps traps = {.job = job, .vcpus = g_array_new(FALSE, TRUE, sizeof(struct vcpu)), .list = json_array()};
    json_t *vcpus = json_array();

    g_array_set_size(traps.vcpus, CLAMP(job->run->vcpus, 1, 65536));
    bool good = report_each_row(job, by_vcpu, see_vcpu, &traps, error);
    if (good) {
        print_vcpus(&traps, vcpus);
        good = report_each_row(job, by_place, print_place, &traps, error);
    }
    if (good && job->json) {
        report_print_json(job,
                          json_pack("{s:O, s:O, s:o, s:o}", "vcpus", vcpus, "places", traps.list, "total",
                                    report_number_json(traps.total), "inferred", report_number_json(traps.inferred)));
    }
    if (good) {
        say_notes(job, &traps);
    }
    json_decref(vcpus);
    json_decref(traps.list);
    g_array_unref(traps.vcpus);
    return good;
}

const struct report report_traps = {
    "traps",
    "interrupts, exceptions and host calls, by vCPU and place",
    "After the plugin's table comes a list of where they hit: for an interrupt `from` is the instruction that\n"
    "would have run next, for an exception the one that raised it; `to` is where it went.\n\n"
    "Examples:\n"
    "  tcgrr report boot.tcgrr traps\n"
    "  tcgrr report boot.tcgrr traps limit=0 --json | jq .places\n",
    options,
    run,
    NULL,
    by_place,
};
