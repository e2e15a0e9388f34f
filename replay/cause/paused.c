/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/paused.h"

#include <glib/gstdio.h>
#include <string.h>

#include "emu/qemu/command.h"
#include "emu/qemu/folder.h"
#include "emu/qemu/process.h"
#include "emu/qemu/qmp.h"
#include "emu/qemu/scratch.h"
#include "replay/recorded.h"
#include "store/error.h"

#define CONNECT_MS 60000
#define QMP_MS     60000
#define SLICE_MS   500
#define PAGE_BITS  12
#define RAM_PAGES  64
#define SPIN_US    600000 /* of QEMU's own time without executing an instruction, and it has hung */

struct tcgrr_rerun {
    struct tcgrr_rerun_options options;
    struct tcgrr_qemu probed;
    const struct tcgrr_qemu *qemu; /* that, or the one that was known */
    struct tcgrr_command command;
    char *folder;
    char *inputs; /* a folder in it */
    char *rr_file;
    char *qmp_socket;
    char *qmp_config;
    char *gdb_socket;
};

struct tcgrr_paused {
    struct tcgrr_rerun *rerun;
    struct tcgrr_process *process;
    struct tcgrr_qmp *qmp;
    struct tcgrr_gdb *gdb;
    tcgrr_icount icount;
    uint64_t ram[RAM_PAGES]; /* by a page's number modulo RAM_PAGES: 1 + the number of the one last seen to be RAM */
};

/* ---- what starts it ---- */

/* With gdb there, QEMU would hand it the guest's semihosting calls unless told otherwise. */
static void keep_semihosting(char **words, GPtrArray *kept)
{
    for (; *words; words++) {
        bool config = g_str_has_suffix(*words, "-semihosting-config") && words[1];
        g_ptr_array_add(kept, g_strdup(*words));
        if (config) {
            words++;
            g_ptr_array_add(kept,
                            strstr(*words, "target=") ? g_strdup(*words) : g_strconcat(*words, ",target=native", NULL));
        } else if (strcmp(*words, "-semihosting") == 0 || strcmp(*words, "--semihosting") == 0) {
            g_ptr_array_add(kept, g_strdup("-semihosting-config"));
            g_ptr_array_add(kept, g_strdup("enable=on,target=native"));
        }
    }
    g_ptr_array_add(kept, NULL);
}

static bool build_command(struct tcgrr_rerun *rerun, char **words, GError **error)
{
    g_autoptr(GPtrArray) kept = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *gdb = g_strdup_printf("unix:%s,server=on,wait=off", rerun->gdb_socket);
    g_autofree char *start = tcgrr_recorded_start_image(rerun->inputs);
    struct tcgrr_command_options options = {
        .mode = TCGRR_RUN_REPLAY,
        .start = start,
        .icount = tcgrr_reader_run(rerun->options.reader)->icount_shift,
        .rr_file = rerun->rr_file,
        .qmp_config = rerun->qmp_config,
        .gdb = gdb,
        .pause_at_end = true,
        .start_paused = true,
    };
    keep_semihosting(words + 1, kept);
    return tcgrr_command_build(rerun->qemu, (const char *const *)kept->pdata, &options, &rerun->command, error);
}

static bool prepare(struct tcgrr_rerun *rerun, GError **error)
{
    struct tcgrr_reader *reader = rerun->options.reader;
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    if (!run->rr) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "%s was recorded without rr and cannot be replayed",
                    tcgrr_reader_path(reader));
        return false;
    }
    const char *qemu = rerun->options.qemu ? rerun->options.qemu : run->qemu_path;
    rerun->qemu = rerun->options.known ? rerun->options.known : &rerun->probed;
    if (!rerun->options.known && !tcgrr_qemu_probe(qemu, rerun->options.plugin, &rerun->probed, error)) {
        return false;
    }
    rerun->folder = tcgrr_scratch_folder("rerun", error);
    if (!rerun->folder) {
        return false;
    }
    rerun->inputs = g_build_filename(rerun->folder, "inputs", NULL);
    g_auto(GStrv) words = tcgrr_recorded_command(reader, rerun->inputs, rerun->options.extra, error);
    rerun->rr_file = g_build_filename(rerun->folder, "replay.rr", NULL);
    rerun->qmp_socket = g_build_filename(rerun->folder, "qmp", NULL);
    rerun->qmp_config = g_build_filename(rerun->folder, "qmp.cfg", NULL);
    rerun->gdb_socket = g_build_filename(rerun->folder, "gdb", NULL);
    struct tcgrr_rrlog_rewritten rewritten;
    return words && tcgrr_qmp_configure(rerun->qmp_config, rerun->qmp_socket, error) &&
           tcgrr_recorded_rr(reader, rerun->rr_file, rerun->qemu->version, words, &rewritten, error) &&
           build_command(rerun, words, error);
}

struct tcgrr_rerun *tcgrr_rerun_new(const struct tcgrr_rerun_options *options, GError **error)
{
    struct tcgrr_rerun *rerun = g_new0(struct tcgrr_rerun, 1);
    rerun->options = *options;
    if (!prepare(rerun, error)) {
        tcgrr_rerun_free(rerun);
        return NULL;
    }
    return rerun;
}

void tcgrr_rerun_free(struct tcgrr_rerun *rerun)
{
    if (!rerun) {
        return;
    }
    tcgrr_folder_remove(rerun->inputs);
    tcgrr_folder_remove(rerun->folder);
    tcgrr_command_clear(&rerun->command);
    tcgrr_qemu_clear(&rerun->probed);
    g_free(rerun->folder);
    g_free(rerun->inputs);
    g_free(rerun->rr_file);
    g_free(rerun->qmp_socket);
    g_free(rerun->qmp_config);
    g_free(rerun->gdb_socket);
    g_free(rerun);
}

const struct tcgrr_qemu *tcgrr_rerun_qemu(const struct tcgrr_rerun *rerun)
{
    return rerun->qemu;
}

/* ---- a QEMU that stands still ---- */

/* An error on one of its connections is most often QEMU's own end, which says why. */
static void explain_end(struct tcgrr_paused *paused, GError **error)
{
    if (!tcgrr_process_wait(paused->process, 200)) {
        return;
    }
    g_autofree char *tail = tcgrr_process_stderr_tail(paused->process);
    g_autofree char *end = tcgrr_process_describe_end(paused->process);
    const char *line = strrchr(tail, '\n');
    const char *words = line ? line + 1 : tail;
    g_clear_error(error);
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s ended behind icount %" G_GUINT64_FORMAT " (%s)%s%s",
                paused->rerun->qemu->path, paused->icount, end, *words ? ": " : "", words);
}

static bool ask_icount(struct tcgrr_paused *paused, tcgrr_icount *icount, GError **error)
{
    json_t *answer = tcgrr_qmp_execute(paused->qmp, "query-replay", NULL, QMP_MS, error);
    json_t *number = json_object_get(answer, "icount");
    tcgrr_icount start = tcgrr_recorded_start(paused->rerun->options.reader);
    bool good = json_is_integer(number) && json_integer_value(number) >= 0;

    if (good) {
        tcgrr_icount own = (tcgrr_icount)json_integer_value(number);
        *icount = own - MIN(own, start);
    } else if (answer) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "QEMU does not say where its replay stands");
    }
    json_decref(answer);
    return good;
}

static bool connect_both(struct tcgrr_paused *paused, GError **error)
{
    struct tcgrr_rerun *rerun = paused->rerun;

    paused->qmp = tcgrr_qmp_connect(rerun->qmp_socket, CONNECT_MS, error);
    paused->gdb = paused->qmp ? tcgrr_gdb_connect(rerun->gdb_socket, rerun->qemu->target, CONNECT_MS, error) : NULL;
    return paused->gdb && ask_icount(paused, &paused->icount, error);
}

struct tcgrr_paused *tcgrr_paused_start(struct tcgrr_rerun *rerun, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(rerun->options.reader);
    struct tcgrr_process_options options = {
        .output_fd = -1,
        .pass_fd = -1,
        .quiet = true,
        .directory = run->directory && g_file_test(run->directory, G_FILE_TEST_IS_DIR) ? run->directory : NULL,
    };
    struct tcgrr_paused *paused = g_new0(struct tcgrr_paused, 1);
    GError *problem = NULL;

    paused->rerun = rerun;
    paused->process = tcgrr_process_start(rerun->command.argv, &options, error);
    if (!paused->process) {
        g_free(paused);
        return NULL;
    }
    if (!connect_both(paused, &problem)) {
        explain_end(paused, &problem);
        g_propagate_error(error, problem);
        tcgrr_paused_free(paused);
        return NULL;
    }
    return paused;
}

void tcgrr_paused_free(struct tcgrr_paused *paused)
{
    if (!paused) {
        return;
    }
    tcgrr_gdb_free(paused->gdb);
    tcgrr_qmp_free(paused->qmp);
    tcgrr_process_stop(paused->process, 0);
    tcgrr_process_free(paused->process);
    g_unlink(paused->rerun->qmp_socket);
    g_unlink(paused->rerun->gdb_socket);
    g_free(paused);
}

tcgrr_icount tcgrr_paused_icount(const struct tcgrr_paused *paused)
{
    return paused->icount;
}

/*
 * Waits for QEMU to stand still, as long as it gets anywhere. Of a long run it may tell so only at its end, but of one
 * that spends time on a single step no more is to be expected.
 */
static bool wait_still(struct tcgrr_paused *paused, bool step, GError **error)
{
    const struct tcgrr_rerun_options *options = &paused->rerun->options;
    gint64 moved = g_get_monotonic_time();
    gint64 spent = tcgrr_process_spent(paused->process);
    tcgrr_icount seen = paused->icount;
    bool stopped = false;

    while (!stopped) {
        tcgrr_icount now = seen;
        if (options->stop && *options->stop) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted");
            return false;
        }
        if (!tcgrr_gdb_wait(paused->gdb, SLICE_MS, &stopped, error) || (!stopped && !ask_icount(paused, &now, error))) {
            return false;
        }
        if (now != seen) {
            seen = now;
            moved = g_get_monotonic_time();
        } else if (!stopped && (g_get_monotonic_time() - moved > (gint64)options->hang_ms * 1000 ||
                                (step && tcgrr_process_spent(paused->process) - spent > SPIN_US))) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_HUNG, "%s hangs behind icount %" G_GUINT64_FORMAT,
                        paused->rerun->qemu->path, seen);
            return false;
        }
    }
    return ask_icount(paused, &paused->icount, error);
}

static bool run_to(struct tcgrr_paused *paused, tcgrr_icount icount, GError **error)
{
    json_int_t own = (json_int_t)(icount + tcgrr_recorded_start(paused->rerun->options.reader));
    json_t *answer = tcgrr_qmp_execute(paused->qmp, "replay-break", json_pack("{s:I}", "icount", own), QMP_MS, error);
    json_decref(answer);
    if (!answer || !tcgrr_gdb_continue(paused->gdb, error) || !wait_still(paused, false, error)) {
        return false;
    }
    if (paused->icount != icount) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "%s was to stop at icount %" G_GUINT64_FORMAT " and stands at %" G_GUINT64_FORMAT,
                    paused->rerun->qemu->path, icount, paused->icount);
        return false;
    }
    return true;
}

bool tcgrr_paused_go(struct tcgrr_paused *paused, tcgrr_icount icount, GError **error)
{
    GError *problem = NULL;

    if (icount == paused->icount || run_to(paused, icount, &problem)) {
        return true;
    }
    if (problem->code == TCGRR_ERROR_FAILED) {
        explain_end(paused, &problem);
    }
    g_propagate_error(error, problem);
    return false;
}

bool tcgrr_paused_step(struct tcgrr_paused *paused, GError **error)
{
    GError *problem = NULL;

    if (tcgrr_gdb_step(paused->gdb, &problem) && wait_still(paused, true, &problem)) {
        return true;
    }
    if (problem->code == TCGRR_ERROR_FAILED) {
        explain_end(paused, &problem);
    }
    g_propagate_error(error, problem);
    return false;
}

struct tcgrr_registers *tcgrr_paused_registers(const struct tcgrr_paused *paused)
{
    return tcgrr_gdb_registers(paused->gdb);
}

bool tcgrr_paused_read_state(struct tcgrr_paused *paused, const bool *wanted, uint8_t *state, GError **error)
{
    return tcgrr_gdb_read_state(paused->gdb, wanted, state, error);
}

bool tcgrr_paused_read_more(struct tcgrr_paused *paused, const bool *wanted, uint8_t *state, GError **error)
{
    return tcgrr_gdb_read_more(paused->gdb, wanted, state, error);
}

/* What QEMU's own monitor says to `format`; owned by the caller. */
static G_GNUC_PRINTF(3, 4) char *monitor(struct tcgrr_paused *paused, GError **error, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    g_autofree char *line = g_strdup_vprintf(format, list);
    va_end(list);
    json_t *answer = tcgrr_qmp_execute(paused->qmp, "human-monitor-command", json_pack("{s:s}", "command-line", line),
                                       QMP_MS, error);
    char *text = answer ? g_strdup(json_is_string(answer) ? json_string_value(answer) : "") : NULL;
    json_decref(answer);
    return text;
}

bool tcgrr_paused_translate(struct tcgrr_paused *paused, uint64_t address, uint64_t *physical, bool *mapped,
                            GError **error)
{
    g_autofree char *text = monitor(paused, error, "gva2gpa 0x%" G_GINT64_MODIFIER "x", address);
    if (!text) {
        return false;
    }
    *mapped = g_str_has_prefix(text, "gpa: ");
    *physical = *mapped ? g_ascii_strtoull(text + strlen("gpa: "), NULL, 0) : 0;
    return true;
}

/* gpa2hva knows whether RAM or ROM is there, without touching it. RAM seldom goes away, and asking takes long. */
static bool is_ram(struct tcgrr_paused *paused, uint64_t physical, bool *ram, GError **error)
{
    uint64_t page = physical >> PAGE_BITS;
    uint64_t *seen = &paused->ram[page % RAM_PAGES];

    *ram = *seen == page + 1;
    if (*ram) {
        return true;
    }
    g_autofree char *text = monitor(paused, error, "gpa2hva 0x%" G_GINT64_MODIFIER "x", physical);
    if (text) {
        *ram = g_ascii_strncasecmp(text, "host virtual address", strlen("host virtual address")) == 0;
        *seen = *ram ? page + 1 : *seen;
    }
    return text != NULL;
}

bool tcgrr_paused_read_memory(struct tcgrr_paused *paused, uint64_t physical, size_t size, uint8_t *bytes, bool *ram,
                              GError **error)
{
    bool last = false;
    if (!is_ram(paused, physical, ram, error) || !is_ram(paused, physical + size - 1, &last, error)) {
        return false;
    }
    *ram = *ram && last;
    return !*ram || tcgrr_gdb_read_memory(paused->gdb, true, physical, size, bytes, ram, error);
}

bool tcgrr_paused_read_code(struct tcgrr_paused *paused, uint64_t address, size_t size, uint8_t *bytes, bool *there,
                            GError **error)
{
    uint8_t read[256];

    if (!tcgrr_gdb_read_memory(paused->gdb, false, address, size, read, there, error)) {
        return false;
    }
    if (*there) {
        memcpy(bytes, read, size);
    }
    return true;
}
