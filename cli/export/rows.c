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

static bool csv_chunk(int64_t id, const struct tcgrr_chunk *chunk, void *data, GError **error)
{
    struct csv *csv = data;
    struct export_job *job = csv->job;
    struct tcgrr_cursor at;

    for (bool more = tcgrr_cursor_begin(&at, chunk, job->report->blocks); more; more = tcgrr_cursor_next(&at)) {
        uint32_t number = chunk->blocks[at.index];
        if (at.icount + at.counted > job->from && at.icount < job->until) {
            fprintf(job->out, "%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT ",%u,%u,0x%" G_GINT64_MODIFIER "x,%u,%u,%s\n",
                    chunk->first_seq + at.index, at.icount, at.vcpu, number, at.block->pc, at.block->insns, at.ran,
                    place(csv, number));
        }
    }
    job->report->stop = chunk->end_icount >= job->until || ferror(job->out);
    return true;
}

static bool run_csv(struct export_job *job, GError **error)
{
    struct csv csv = {job, g_new0(char *, job->report->block_count + 1)};

    fputs("seq,icount,vcpu,block,pc,insns,ran,symbol\n", job->out);
    job->report->from = job->from;
    bool good = report_each_chunk(job->report, csv_chunk, &csv, error);
    for (uint32_t i = 0; i < job->report->block_count; i++) {
        g_free(csv.places[i]);
    }
    g_free(csv.places);
    return good;
}

const struct export_format export_csv = {"csv", "one line for each execution of a block: any table", false, false,
                                         run_csv};

/* ---- tenet ---- */

struct tenet {
    struct export_job *job;
    const char *counter; /* what Tenet calls the program counter */
};

static void write_access(FILE *out, const struct tcgrr_access *access)
{
    fprintf(out, ",%s=0x%" G_GINT64_MODIFIER "x:", access->flags & TCGRR_ACCESS_STORE ? "mw" : "mr", access->address);
    for (unsigned i = 0; i < access->size; i++) {
        fprintf(out, "%02x", (unsigned)(access->value[i / 8] >> (8 * (i % 8)) & 0xff));
    }
}

static bool tenet_chunk(int64_t id, const struct tcgrr_chunk *chunk, void *data, GError **error)
{
    struct tenet *tenet = data;
    struct export_job *job = tenet->job;
    const struct tcgrr_access *access = (const struct tcgrr_access *)(const void *)chunk->accesses->data;
    const struct tcgrr_access *end = access + chunk->accesses->len;
    struct tcgrr_cursor at;

    for (bool more = tcgrr_cursor_begin(&at, chunk, job->report->blocks); more; more = tcgrr_cursor_next(&at)) {
        for (uint32_t i = 0; i < at.ran; i++) {
            bool wanted = at.icount + i >= job->from && at.icount + i < job->until;
            if (wanted) {
                fprintf(job->out, "%s=0x%" G_GINT64_MODIFIER "x", tenet->counter, tcgrr_block_pc(at.block, i));
            }
            for (; access < end && (access->exec < at.index || (access->exec == at.index && access->insn <= i));
                 access++) {
                if (wanted && access->exec == at.index && access->insn == i && access->flags & TCGRR_ACCESS_VALUE) {
                    write_access(job->out, access);
                }
            }
            if (wanted) {
                putc('\n', job->out);
            }
        }
    }
    job->report->stop = chunk->end_icount >= job->until || ferror(job->out);
    return true;
}

static bool run_tenet(struct export_job *job, GError **error)
{
    const char *target = job->report->run->target;
    struct tenet tenet = {job, g_str_equal(target, "x86_64") ? "rip" : g_str_equal(target, "i386") ? "eip" : "pc"};

    job->report->accesses = true;
    job->report->from = job->from;
    return report_need(job->report, TCGRR_LEVEL_FULL, error) &&
           report_each_chunk(job->report, tenet_chunk, &tenet, error);
}

const struct export_format export_tenet = {
    "tenet", "one line for each instruction with its memory accesses: Tenet in IDA (level full)", false, false,
    run_tenet};
