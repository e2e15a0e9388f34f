/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many memory accesses there were, or each of them. */
#include "cli/report/report.h"

#include "cli/cli.h"

#include <stdlib.h>

enum { HADDR, HWADDR, TRACK, PRINT };
enum { BOTH, READS, WRITES };

static const struct report_option options[] = {
    {"haddr", REPORT_SWITCH, NULL, "count accesses to devices separately", 0, 0, 0},
    {"hwaddr", REPORT_SWITCH, NULL, "the same", 0, 0, 0},
    {"track", REPORT_CHOICE, "rw|r|w", "which accesses count (rw)", BOTH, 0, 0},
    {"print-accesses", REPORT_SWITCH, NULL, "also print each access", 0, 0, 0},
    {"inline", REPORT_WITHOUT, NULL, NULL, 0, 0, 0},
    {"callback", REPORT_WITHOUT, NULL, NULL, 0, 0, 0},
    REPORT_LINES,
    {0},
};

struct mem {
    struct report_job *job;
    bool print;
    bool first;
    uint64_t counts[2][2]; /* by whether it is to a device, and a store */
};

/* Its digits, without "0x", as many as its size asks for; "" if it is not known. Owned by the caller. */
static char *value_text(const struct tcgrr_access *access)
{
    if (!(access->flags & TCGRR_ACCESS_VALUE)) {
        return g_strdup("");
    }
    if (access->size > 8) {
        return g_strdup_printf("0x%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x", access->value[1],
                               access->value[0]);
    }
    return g_strdup_printf("0x%0*" G_GINT64_MODIFIER "x", 2 * access->size, access->value[0]);
}

static void print_json(struct mem *mem, const struct report_access *at, uint64_t pc, const char *value)
{
    const struct tcgrr_access *access = at->access;
    json_t *entry = json_pack("{s:I, s:o, s:o, s:s, s:o, s:i}", "icount", (json_int_t)(at->icount + access->insn), "pc",
                              cli_json_address(pc), "symbol", report_text_json(report_symbol(mem->job, pc)), "kind",
                              access->flags & TCGRR_ACCESS_STORE ? "store" : "load", "address",
                              cli_json_address(access->address), "size", (int)access->size);
    report_set_source_line(mem->job, entry, pc);
    if (access->flags & TCGRR_ACCESS_PHYSICAL) {
        json_object_set_new(entry, "physical", cli_json_address(access->physical));
    }
    if (*value) {
        json_object_set_new(entry, "value", json_string(value));
    }
    char *text = json_dumps(entry, JSON_COMPACT);
    printf("%s\n    %s", mem->first ? "" : ",", text);
    free(text);
    json_decref(entry);
    mem->first = false;
}

static void see(const struct report_access *at, void *data)
{
    struct mem *mem = data;
    const struct tcgrr_access *access = at->access;
    bool store = access->flags & TCGRR_ACCESS_STORE;
    uint64_t track = mem->job->values[TRACK].number;

    if (track != BOTH && (track == WRITES) != store) {
        return;
    }
    mem->counts[access->flags & TCGRR_ACCESS_DEVICE ? 1 : 0][store]++;
    if (!mem->print) {
        return;
    }
    uint64_t pc = tcgrr_block_pc(at->block, access->insn);
    g_autofree char *value = value_text(access);
    if (mem->job->json) {
        print_json(mem, at, pc, value);
        return;
    }
    g_autofree char *symbol = report_symbol(mem->job, pc);
    g_autofree char *line = report_source_line_text(mem->job, ",", pc);
    printf("0x%" G_GINT64_MODIFIER "x,%s,0x%" G_GINT64_MODIFIER "x,0x%" G_GINT64_MODIFIER "x,%d,%s,%s%s\n", pc,
           symbol ? symbol : "", access->address, access->physical, 8 * access->size, store ? "store" : "load", value,
           line);
}

static void print_sums(const struct mem *mem, bool io_separate)
{
    uint64_t ram = mem->counts[0][0] + mem->counts[0][1];
    uint64_t devices = mem->counts[1][0] + mem->counts[1][1];

    if (mem->job->json) {
        report_print_json(
            mem->job,
            json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "mem_accesses", report_number_json(ram + devices),
                      "io_accesses", report_number_json(devices), "loads", report_number_json(mem->counts[0][0]),
                      "stores", report_number_json(mem->counts[0][1]), "io_loads",
                      report_number_json(mem->counts[1][0]), "io_stores", report_number_json(mem->counts[1][1])));
        return;
    }
    printf("mem accesses: %" G_GUINT64_FORMAT "\n", io_separate ? ram : ram + devices);
    if (io_separate) {
        printf("io accesses: %" G_GUINT64_FORMAT "\n", devices);
    }
}

static bool run(struct report_job *job, GError **error)
{
    struct mem mem = {.job = job, .print = job->values[PRINT].number != 0, .first = true};

    if (!report_need(job, TCGRR_LEVEL_FULL, error)) {
        return false;
    }
    if (mem.print && job->json) {
        report_begin_json(job, "accesses");
    } else if (mem.print) {
        printf("insn_vaddr,insn_symbol,mem_vaddr,mem_hwaddr,access_size,access_type,mem_value%s\n",
               job->sources ? ",line" : "");
    }
    bool good = report_each_access(job, see, &mem, error);
    if (mem.print && job->json) {
        printf("%s]\n}\n", mem.first ? "" : "\n  ");
    } else if (good) {
        print_sums(&mem, job->values[HADDR].number || job->values[HWADDR].number);
    }
    return good;
}

const struct report report_mem = {
    "mem",
    "memory accesses: how many, or each of them",
    "With haddr=on, accesses to devices count as io accesses, not as mem accesses. access_size is in bits.\n"
    "Needs a trace recorded at --level full.\n\n"
    "Examples:\n"
    "  tcgrr report full.tcgrr mem haddr=on\n"
    "  tcgrr report full.tcgrr mem track=w print-accesses=on\n",
    options,
    run,
    NULL,
    NULL,
};
