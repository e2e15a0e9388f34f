/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A folder as `uftrace record` leaves it, with a task for each vCPU. A record has room for 48 bits of an address and
 * 1,024 levels of calls, so functions get addresses of their own, ADDRESS_STEP apart, which the symbol file names.
 */
#include "cli/cli.h"
#include "cli/export/export.h"

#include "store/error.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#define MAGIC         "Ftrace!"
#define VERSION       4u
#define HEADER_BYTES  40u
#define MAX_DEPTH     1024u
#define RECORD_MAGIC  5u
#define BASE_ADDRESS  UINT64_C(0x400000)
#define ADDRESS_STEP  16u
#define ADDRESS_SHIFT 16u /* of a record's second word: type, more, magic and depth are below */
#define PAGE_BYTES    4096u
#define FEATURES      0x62u /* sessions, symbols with relative addresses, a highest depth */
#define INFORMATION   0x89u /* exename, cmdline, taskinfo */
#define SESSION       "0000000000000001"

enum record_type { RECORD_ENTRY, RECORD_EXIT };

struct call {
    tcgrr_icount icount;
    uint32_t function;
    uint32_t depth;
    bool written; /* its entry */
};

struct task {
    FILE *out;
    GArray *calls; /* struct call that have not returned */
};

struct folder {
    struct export_job *job;
    struct export_functions *functions;
    char *program;    /* the stand-in for the executable in the root folder: the trace's name */
    GPtrArray *tasks; /* struct task, by vCPU */
    uint64_t deep;    /* calls that a record has no room for */
    GError *error;    /* the first */
};

static FILE *create(struct folder *folder, const char *name, GError **error)
{
    g_autofree char *path = g_build_filename(folder->job->path, name, NULL);
    return report_create(folder->job->report, path, error);
}

static bool finish(struct folder *folder, FILE *file, const char *name, GError **error)
{
    g_autofree char *path = g_build_filename(folder->job->path, name, NULL);
    return report_close(file, path, error);
}

/* ---- records ---- */

static void put(FILE *out, enum record_type type, const struct call *call, tcgrr_icount icount)
{
    uint64_t address = BASE_ADDRESS + (uint64_t)call->function * ADDRESS_STEP;
    uint64_t words[2] = {GUINT64_TO_LE(icount), GUINT64_TO_LE((uint64_t)type | RECORD_MAGIC << 3 | call->depth << 6 |
                                                              address << ADDRESS_SHIFT)};
    fwrite(words, sizeof(words), 1, out);
}

static struct task *task_of(struct folder *folder, tcgrr_vcpu vcpu)
{
    while (folder->tasks->len <= vcpu) {
        struct task *task = g_new0(struct task, 1);
        g_autofree char *name = g_strdup_printf("%u.dat", folder->tasks->len + 1);
        task->calls = g_array_new(FALSE, FALSE, sizeof(struct call));
        task->out = create(folder, name, folder->error ? NULL : &folder->error);
        g_ptr_array_add(folder->tasks, task);
    }
    return g_ptr_array_index(folder->tasks, vcpu);
}

static void entered(void *data, tcgrr_vcpu vcpu, const struct tcgrr_frame *frame)
{
    struct folder *folder = data;
    GArray *calls = task_of(folder, vcpu)->calls;
    const struct call *last = calls->len ? &g_array_index(calls, struct call, calls->len - 1) : NULL;
    struct call call = {frame->icount, export_function_at(folder->functions, frame->entry), last ? last->depth + 1 : 0,
                        false};
    g_array_append_val(calls, call);
}

/* The entries of all calls around the innermost one and its own, as far as they are not there yet. */
static void put_entries(struct task *task)
{
    guint first = task->calls->len;

    while (first > 0 && !g_array_index(task->calls, struct call, first - 1).written) {
        first--;
    }
    for (guint i = first; i < task->calls->len; i++) {
        struct call *call = &g_array_index(task->calls, struct call, i);
        put(task->out, RECORD_ENTRY, call, call->icount);
        call->written = true;
    }
}

static void left(void *data, tcgrr_vcpu vcpu, bool bottom, tcgrr_icount icount)
{
    struct folder *folder = data;
    struct task *task = task_of(folder, vcpu);
    guint index = bottom ? 0 : task->calls->len - 1;
    const struct call *call = &g_array_index(task->calls, struct call, index);

    if (!bottom && call->depth >= MAX_DEPTH) {
        folder->deep++;
    } else if (!bottom && task->out && icount - call->icount >= folder->job->least) {
        put_entries(task);
        put(task->out, RECORD_EXIT, call, icount);
    }
    g_array_remove_index(task->calls, index);
}

/* ---- the other files ---- */

static bool write_info(struct folder *folder, GError **error)
{
    FILE *out = create(folder, "info", error);
    uint8_t header[HEADER_BYTES] = MAGIC;
    uint64_t features = GUINT64_TO_LE(FEATURES);
    uint64_t information = GUINT64_TO_LE(INFORMATION);
    uint32_t version = GUINT32_TO_LE(VERSION);
    uint16_t length = GUINT16_TO_LE(HEADER_BYTES);
    uint16_t depth = GUINT16_TO_LE(MAX_DEPTH);

    if (!out) {
        return false;
    }
    memcpy(header + 8, &version, sizeof(version));
    memcpy(header + 12, &length, sizeof(length));
    header[14] = 1; /* little-endian */
    header[15] = 2; /* 64 bits */
    memcpy(header + 16, &features, sizeof(features));
    memcpy(header + 24, &information, sizeof(information));
    memcpy(header + 32, &depth, sizeof(depth));
    fwrite(header, sizeof(header), 1, out);
    fprintf(out, "exename:/%s\ncmdline:tcgrr export %s uftrace\ntaskinfo:lines=2\ntaskinfo:nr_tid=%u\ntaskinfo:tids=",
            folder->program, folder->program, folder->tasks->len);
    for (guint i = 0; i < folder->tasks->len; i++) {
        fprintf(out, "%s%u", i ? "," : "", i + 1);
    }
    fputc('\n', out);
    return finish(folder, out, "info", error);
}

static bool write_tasks(struct folder *folder, GError **error)
{
    FILE *out = create(folder, "task.txt", error);
    if (!out) {
        return false;
    }
    fprintf(out, "SESS timestamp=0.000000000 pid=1 sid=" SESSION " exename=\"/%s\"\n", folder->program);
    for (guint i = 0; i < folder->tasks->len; i++) {
        fprintf(out, "TASK timestamp=0.000000000 tid=%u pid=1\n", i + 1);
    }
    return finish(folder, out, "task.txt", error);
}

static bool write_map(struct folder *folder, GError **error)
{
    const char *name = "sid-" SESSION ".map";
    FILE *out = create(folder, name, error);
    uint64_t bytes = (uint64_t)export_function_count(folder->functions) * ADDRESS_STEP;

    if (!out) {
        return false;
    }
    fprintf(out, "%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x r-xp 00000000 00:00 0    /%s\n", BASE_ADDRESS,
            BASE_ADDRESS + (bytes / PAGE_BYTES + 1) * PAGE_BYTES, folder->program);
    fputs("7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0    [stack]\n", out); /* or all addresses are the kernel's */
    return finish(folder, out, name, error);
}

static bool write_symbols(struct folder *folder, GError **error)
{
    g_autofree char *name = g_strdup_printf("%s.sym", folder->program);
    FILE *out = create(folder, name, error);
    uint32_t count = export_function_count(folder->functions);

    if (!out) {
        return false;
    }
    fprintf(out, "# symbols: %u\n# path name: /%s\n", count, folder->program);
    for (uint32_t i = 1; i < count; i++) {
        fprintf(out, "%016" G_GINT64_MODIFIER "x T %s\n", (uint64_t)i * ADDRESS_STEP,
                export_function_name(folder->functions, i));
    }
    fprintf(out, "%016" G_GINT64_MODIFIER "x ? __sym_end\n", (uint64_t)count * ADDRESS_STEP);
    return finish(folder, out, name, error);
}

static bool close_tasks(struct folder *folder, GError **error)
{
    bool good = true;
    for (guint i = 0; i < folder->tasks->len; i++) {
        struct task *task = g_ptr_array_index(folder->tasks, i);
        g_autofree char *name = g_strdup_printf("%u.dat", i + 1);
        good = (!task->out || finish(folder, task->out, name, good ? error : NULL)) && good;
        g_array_unref(task->calls);
    }
    return good;
}

/* ---- all of it ---- */

static bool make_folder(const struct export_job *job, GError **error)
{
    if (g_mkdir(job->path, 0777) != 0) {
        g_set_error(error, TCGRR_ERROR, errno == EEXIST ? TCGRR_ERROR_USAGE : TCGRR_ERROR_FAILED,
                    "cannot create the folder %s: %s", job->path, g_strerror(errno));
        return false;
    }
    return true;
}

static bool run(struct export_job *job, GError **error)
{
    if (!make_folder(job, error)) {
        return false;
    }
    struct folder folder = {
        .job = job,
        .functions = export_functions_new(job->report),
        .program = g_path_get_basename(tcgrr_reader_path(job->report->reader)),
        .tasks = g_ptr_array_new_with_free_func(g_free),
    };
    g_strdelimit(folder.program, " \t\"\n", '_');
    bool good = export_walk(job, &(struct export_visitor){entered, left, NULL, NULL, &folder}, error);
    if (folder.error && good) {
        g_propagate_error(error, g_steal_pointer(&folder.error));
        good = false;
    }
    good = close_tasks(&folder, good ? error : NULL) && good;
    good = good && write_info(&folder, error) && write_tasks(&folder, error) && write_map(&folder, error) &&
           write_symbols(&folder, error);
    if (good && folder.deep) {
        cli_note("%" G_GUINT64_FORMAT " calls more than %u deep are left out", folder.deep, MAX_DEPTH);
    }
    g_clear_error(&folder.error);
    g_ptr_array_unref(folder.tasks);
    g_free(folder.program);
    export_functions_free(folder.functions);
    return good;
}

const struct export_format export_uftrace = {
    .name = "uftrace",
    .summary = "calls by vCPU, a folder for uftrace replay, report, graph and tui",
    .own_files = true,
    .run = run,
};
