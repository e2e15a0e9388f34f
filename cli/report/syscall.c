/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System calls of a program in user mode. */
#include "cli/report/report.h"

#include "store/error.h"

#include <string.h>

enum { PRINT, LOG_WRITES };

static const struct report_option options[] = {
    {"print", REPORT_SWITCH, NULL, "each call as it was made and returned, instead of sums", 0, 0, 0},
    {"log_writes", REPORT_SWITCH, NULL, "not available: a trace does not hold what a call wrote", 0, 0, 0},
    {0},
};

#define SYSCALLS "FROM event WHERE kind IN ('syscall', 'syscall_return')"

static const char sums[] =
    "SELECT number, sum(kind = 'syscall') AS calls,\n"
    "  sum(kind = 'syscall_return' AND result < 0) AS errors\n" SYSCALLS " GROUP BY number ORDER BY calls DESC, number";
static const char single[] = "SELECT number, icount, kind = 'syscall_return', result " SYSCALLS " ORDER BY icount, id";

struct printing {
    struct report_job *job;
    json_t *list; /* NULL: as text */
};

static void print_call(sqlite3_stmt *row, void *data)
{
    const struct printing *printing = data;
    gint64 number = sqlite3_column_int64(row, 0), result = sqlite3_column_int64(row, 3);
    bool returned = sqlite3_column_int(row, 2);

    if (printing->list) {
        json_t *entry =
            json_pack("{s:I, s:I}", "icount", (json_int_t)sqlite3_column_int64(row, 1), "number", (json_int_t)number);
        if (returned) {
            json_object_set_new(entry, "result", json_integer((json_int_t)result));
        }
        json_array_append_new(printing->list, entry);
    } else if (returned) {
        printf("syscall #%" G_GINT64_FORMAT " returned -> %" G_GINT64_FORMAT "\n", number, result);
    } else {
        printf("syscall #%" G_GINT64_FORMAT "\n", number);
    }
}

static void print_sum(sqlite3_stmt *row, void *data)
{
    const struct printing *printing = data;
    gint64 number = sqlite3_column_int64(row, 0);
    gint64 calls = sqlite3_column_int64(row, 1), errors = sqlite3_column_int64(row, 2);

    if (printing->list) {
        json_array_append_new(printing->list, json_pack("{s:I, s:I, s:I}", "number", (json_int_t)number, "calls",
                                                        (json_int_t)calls, "errors", (json_int_t)errors));
    } else {
        printf("%-13" G_GINT64_FORMAT "%-6" G_GINT64_FORMAT " %" G_GINT64_FORMAT "\n", number, calls, errors);
    }
}

static bool run(struct report_job *job, GError **error)
{
    bool print = job->values[PRINT].number != 0;
    struct printing printing = {.job = job, .list = job->json ? json_array() : NULL};

    if (job->values[LOG_WRITES].number) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                    "log_writes: a trace does not hold what system calls wrote, only their arguments");
        return false;
    }
    if (strcmp(job->run->mode, "user") != 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "%s is a system-mode trace; QEMU reports system calls only in user mode",
                    tcgrr_reader_path(job->reader));
        return false;
    }
    if (!print && !job->json) {
        printf("syscall no.  calls  errors\n");
    }
    bool good = report_each_row(job, print ? single : sums, print ? print_call : print_sum, &printing, error);
    if (good && job->json) {
        report_print_json(job, json_pack("{s:O}", print ? "calls" : "syscalls", printing.list));
    }
    json_decref(printing.list);
    return good;
}

const struct report report_syscall = {
    "syscall",
    "system calls by number (user mode)",
    "Errors are calls that returned a negative number.\n\n"
    "Examples:\n"
    "  tcgrr report hello.tcgrr syscall\n"
    "  tcgrr report hello.tcgrr syscall print=on\n",
    options,
    run,
    NULL,
    sums,
};
