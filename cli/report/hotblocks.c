/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which blocks ran most often. A block is known by its address and length, as in the plugin. */
#include "cli/report/report.h"

#include "cli/cli.h"

enum { LIMIT };

static const struct report_option options[] = {
    {"limit", REPORT_NUMBER, "N", "number of blocks to print; 0: all (20)", 20, 0, UINT32_MAX},
    REPORT_LINES,
    {"inline", REPORT_WITHOUT, NULL, NULL, 0, 0, 0},
    {0},
};

/* chunk_block has the sums of each chunk, so that nothing is decoded. */
static const char sql[] =
    "SELECT pc, count(*) AS tcount, insns AS icount, coalesce(sum(execs), 0) AS ecount, coalesce(sum(ran), 0) AS ran\n"
    "FROM block LEFT JOIN (SELECT block, sum(execs) AS execs, sum(ran) AS ran FROM chunk_block GROUP BY block)\n"
    "ON block = id GROUP BY pc, insns ORDER BY ecount DESC, pc < 0, pc, icount";
enum { PC, TCOUNT, ICOUNT, ECOUNT, RAN };

struct printing {
    struct report_job *job;
    uint64_t limit;
    int rows;
    GString *text;
    json_t *list;
};

static void see(sqlite3_stmt *row, void *data)
{
    struct printing *printing = data;
    uint64_t pc = (uint64_t)sqlite3_column_int64(row, PC);
    int contents = sqlite3_column_int(row, TCOUNT), insns = sqlite3_column_int(row, ICOUNT);
    uint64_t execs = (uint64_t)sqlite3_column_int64(row, ECOUNT);

    if ((uint64_t)printing->rows++ >= printing->limit) {
        return;
    }
    if (!printing->list) {
        g_autofree char *line = report_source_line_text(printing->job, ", ", pc);
        g_string_append_printf(printing->text, "0x%016" G_GINT64_MODIFIER "x, %d, %d, %" G_GUINT64_FORMAT "%s\n", pc,
                               contents, insns, execs, line);
        return;
    }
    json_t *entry =
        json_pack("{s:o, s:o, s:i, s:i, s:o, s:o}", "pc", cli_json_address(pc), "symbol",
                  report_text_json(report_symbol(printing->job, pc)), "tcount", contents, "icount", insns, "ecount",
                  report_number_json(execs), "ran", report_number_json((uint64_t)sqlite3_column_int64(row, RAN)));
    report_set_source_line(printing->job, entry, pc);
    json_array_append_new(printing->list, entry);
}

static bool run(struct report_job *job, GError **error)
{
    uint64_t limit = job->values[LIMIT].number;
    struct printing printing = {.job = job, .limit = limit ? limit : UINT64_MAX, .text = g_string_new(NULL)};

    printing.list = job->json ? json_array() : NULL;
    bool good = report_each_row(job, sql, see, &printing, error);
    if (good && job->json) {
        report_print_json(job, json_pack("{s:i, s:O}", "collected", printing.rows, "blocks", printing.list));
    } else if (good) {
        printf("collected %d entries in the hash table\npc, tcount, icount, ecount%s\n%s", printing.rows,
               job->sources ? ", line" : "", printing.text->str);
    }
    json_decref(printing.list);
    g_string_free(printing.text, TRUE);
    return good;
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
    sql,
};
