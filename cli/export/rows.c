/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line for each execution (csv), or for each instruction with its accesses (tenet). */
#include "cli/export/export.h"

#include "store/isa/isa.h"

/* ---- csv ---- */

struct csv {
    struct export_job *job;
    char **places; /* by block: its name as the file has it */
};

/* "name+0x10" in quotes where it needs them; "" where it has none. */
static const char *place(struct csv *csv, uint32_t number)
{
    char **known = &csv->places[number];
    if (!*known) {
        g_autofree char *name = report_place(csv->job->report, tcgrr_blocks_get(csv->job->report->blocks, number)->pc);
        g_auto(GStrv) parts = g_strsplit(name ? name : "", "\"", -1);
        g_autofree char *doubled = g_strjoinv("\"\"", parts);
        *known = *doubled ? g_strdup_printf("\"%s\"", doubled) : g_strdup("");
    }
    return *known;
}

static bool run_csv(struct export_job *job, GError **error)
{
    struct csv csv = {job, g_new0(char *, job->report->block_count + 1)};
    struct tcgrr_exec_range range = report_range(job->from, job->until);
    struct tcgrr_exec_walk walk;

    fputs("seq,icount,vcpu,block,pc,insns,ran,symbol\n", job->out);
    bool good = report_walk_begin(job->report, &walk, &range, error);
    for (; good && !walk.end && !ferror(job->out); good = tcgrr_exec_walk_next(&walk, error)) {
        uint32_t number = tcgrr_exec_walk_block(&walk);
        fprintf(job->out, "%" G_GINT64_FORMAT ",%" G_GUINT64_FORMAT ",%u,%u,0x%" G_GINT64_MODIFIER "x,%u,%u,%s\n",
                tcgrr_exec_walk_seq(&walk), walk.at.icount, walk.at.vcpu, number, walk.at.block->pc,
                walk.at.block->insns, walk.at.ran, place(&csv, number));
    }
    report_walk_end(&walk);
    for (uint32_t i = 0; i < job->report->block_count; i++) {
        g_free(csv.places[i]);
    }
    g_free(csv.places);
    return good;
}

const struct export_format export_csv = {"csv", "one line for each execution of a block: any table", false, false,
                                         run_csv};

/* ---- tenet ---- */

static void write_access(FILE *out, const struct tcgrr_access *access)
{
    fprintf(out, ",%s=0x%" G_GINT64_MODIFIER "x:", access->flags & TCGRR_ACCESS_STORE ? "mw" : "mr", access->address);
    for (unsigned i = 0; i < access->size; i++) {
        fprintf(out, "%02x", (unsigned)(access->value[i / 8] >> (8 * (i % 8)) & 0xff));
    }
}

/* The instructions of an execution, each with its accesses; `counter` is what Tenet calls the program counter. */
static void write_exec(const struct export_job *job, struct tcgrr_exec_walk *walk, const char *counter)
{
    const struct tcgrr_cursor *at = &walk->at;
    guint count;
    const struct tcgrr_access *access = tcgrr_exec_walk_accesses(walk, &count);
    const struct tcgrr_access *end = access + count;

    for (uint32_t i = 0; i < at->ran; i++) {
        bool wanted = at->icount + i >= job->from && at->icount + i < job->until;
        if (wanted) {
            fprintf(job->out, "%s=0x%" G_GINT64_MODIFIER "x", counter, tcgrr_block_pc(at->block, i));
        }
        for (; access < end && access->insn <= i; access++) {
            if (wanted && access->insn == i && access->flags & TCGRR_ACCESS_VALUE) {
                write_access(job->out, access);
            }
        }
        if (wanted) {
            putc('\n', job->out);
        }
    }
}

static bool run_tenet(struct export_job *job, GError **error)
{
    const char *target = job->report->run->target;
    const char *counter = g_str_equal(target, "x86_64") ? "rip" : g_str_equal(target, "i386") ? "eip" : "pc";
    struct tcgrr_exec_range range = report_range(job->from, job->until);
    struct tcgrr_exec_walk walk;

    if (!report_need(job->report, TCGRR_LEVEL_FULL, error)) {
        return false;
    }
    range.with_accesses = true;
    bool good = report_walk_begin(job->report, &walk, &range, error);
    for (; good && !walk.end && !ferror(job->out); good = tcgrr_exec_walk_next(&walk, error)) {
        write_exec(job, &walk, counter);
    }
    report_walk_end(&walk);
    return good;
}

const struct export_format export_tenet = {
    "tenet", "one line for each instruction with its memory accesses: Tenet in IDA (level full)", false, false,
    run_tenet};
