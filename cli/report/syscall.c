/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System calls of a program in user mode. */
#include "cli/report/report.h"

#include "cli/cli.h"
#include "store/error.h"

#include <string.h>

enum { PRINT, LOG_WRITES };

static const struct report_option options[] = {
    {"print", REPORT_SWITCH, NULL, "each call as it was made and returned, instead of sums", 0, 0, 0},
    {"log_writes", REPORT_SWITCH, NULL, "not available: a trace does not hold what a call wrote", 0, 0, 0},
    {0},
};

struct number {
    int64_t number;
    uint64_t calls;
    uint64_t errors;
};

struct seen {
    GHashTable *numbers; /* int64_t → struct number, which holds it */
    json_t *list;        /* of single calls; NULL: not wanted */
    bool print;          /* as text */
};

static void print_event(const struct seen *seen, const struct tcgrr_event *event)
{
    bool returned = event->kind == TCGRR_EVENT_SYSCALL_RETURN;
    if (seen->list) {
        json_t *entry =
            json_pack("{s:I, s:I}", "icount", (json_int_t)event->icount, "number", (json_int_t)event->number);
        if (returned) {
            json_object_set_new(entry, "result", json_integer((json_int_t)event->result));
        }
        json_array_append_new(seen->list, entry);
    } else if (seen->print && returned) {
        printf("syscall #%" G_GINT64_FORMAT " returned -> %" G_GINT64_FORMAT "\n", event->number, event->result);
    } else if (seen->print) {
        printf("syscall #%" G_GINT64_FORMAT "\n", event->number);
    }
}

static void see(const struct tcgrr_event *event, void *data)
{
    struct seen *seen = data;
    if (event->kind != TCGRR_EVENT_SYSCALL && event->kind != TCGRR_EVENT_SYSCALL_RETURN) {
        return;
    }
    struct number *entry = g_hash_table_lookup(seen->numbers, &event->number);
    if (!entry) {
        entry = g_new0(struct number, 1);
        entry->number = event->number;
        g_hash_table_insert(seen->numbers, &entry->number, entry);
    }
    entry->calls += event->kind == TCGRR_EVENT_SYSCALL;
    entry->errors += event->kind == TCGRR_EVENT_SYSCALL_RETURN && event->result < 0;
    print_event(seen, event);
}

static int by_calls(const void *a, const void *b)
{
    const struct number *left = *(struct number *const *)a;
    const struct number *right = *(struct number *const *)b;
    return left->calls != right->calls ? (left->calls > right->calls ? -1 : 1)
                                       : (left->number > right->number) - (left->number < right->number);
}

static void print_sums(struct report_job *job, const struct seen *seen)
{
    guint count;
    g_autofree gpointer *keys = g_hash_table_get_keys_as_array(seen->numbers, &count);
    json_t *list = json_array();

    qsort(keys, count, sizeof(*keys), by_calls); /* a key is the first member of its entry */
    if (!job->json) {
        printf("syscall no.  calls  errors\n");
    }
    for (guint i = 0; i < count; i++) {
        const struct number *entry = keys[i];
        if (!job->json) {
            printf("%-13" G_GINT64_FORMAT "%-6" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n", entry->number,
                   entry->calls, entry->errors);
        }
        json_array_append_new(list,
                              json_pack("{s:I, s:o, s:o}", "number", (json_int_t)entry->number, "calls",
                                        report_number_json(entry->calls), "errors", report_number_json(entry->errors)));
    }
    if (job->json) {
        report_print_json(job, json_pack("{s:O}", "syscalls", list));
    }
    json_decref(list);
}

static bool run(struct report_job *job, GError **error)
{
    bool print = job->values[PRINT].number != 0;
    struct seen seen = {.print = print && !job->json, .list = print && job->json ? json_array() : NULL};

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
    seen.numbers = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    bool good = tcgrr_reader_events(job->reader, 0, UINT64_MAX, see, &seen, error);
    if (good && seen.list) {
        report_print_json(job, json_pack("{s:O}", "calls", seen.list));
    } else if (good && !print) {
        print_sums(job, &seen);
    }
    json_decref(seen.list);
    g_hash_table_unref(seen.numbers);
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
};
