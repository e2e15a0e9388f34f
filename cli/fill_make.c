/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/fill.h"

#include "cli/fill_jobs.h"
#include "store/error.h"
#include "store/symbols.h"

#include <stdio.h>
#include <unistd.h>

static bool resolve(struct tcgrr_fill *fill, const char *option, const char *text, tcgrr_icount after,
                    tcgrr_icount *icount, GError **error)
{
    struct tcgrr_reader *reader = tcgrr_fill_reader(fill);
    struct tcgrr_symbols *symbols = text ? cli_trace_symbols(reader) : NULL;
    struct tcgrr_position where = {TCGRR_POSITION_NONE, 0};
    bool known = !text || cli_parse_where(text, symbols, &where);
    bool good = known;

    tcgrr_symbols_free(symbols);
    if (!known) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "%s %s: there is no symbol of this name", option, text);
    } else if (where.kind == TCGRR_POSITION_ICOUNT) {
        *icount = MIN(where.value, tcgrr_fill_run(fill).end);
    } else if (where.kind == TCGRR_POSITION_PC) {
        good = cli_find_pc(reader, where.value, after, icount, error);
        g_prefix_error(error, "%s %s: ", option, text);
    }
    return good;
}

bool cli_fill_span(struct tcgrr_fill *fill, const struct cli_fill *given, struct tcgrr_span *span, GError **error)
{
    *span = tcgrr_fill_run(fill);
    if (!resolve(fill, "--from", given->from, 0, &span->first, error) ||
        !resolve(fill, "--until", given->until, span->first, &span->end, error)) {
        return false;
    }
    if (span->first < span->end) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                "--until must come after --from, and --from before the run's end");
    return false;
}

struct progress {
    bool show;
    unsigned window;
    unsigned windows;
};

static void say(tcgrr_icount icount, void *data)
{
    struct progress *progress = data;
    if (progress->show) {
        g_autofree char *text = cli_number(icount);
        cli_progress("window %u of %u, icount %s", progress->window, progress->windows, text);
    }
}

/* One window after the other, by this process. */
static bool derive_here(struct tcgrr_fill *fill, const struct cli_fill *given, const GArray *windows, GError **error)
{
    struct progress progress = {.show = given->progress, .windows = windows->len};
    struct tcgrr_fill_derive options = {
        .hang_ms = given->hang * 1000, .stop = given->stop, .progress = say, .data = &progress};
    bool good = true;

    for (guint i = 0; good && i < windows->len; i++) {
        progress.window = i + 1;
        good = tcgrr_fill_derive(fill, &g_array_index(windows, struct tcgrr_fill_window, i), &options, error);
    }
    cli_progress_clear();
    return good;
}

static bool collect(struct tcgrr_fill *fill, const GArray *windows, GError **error)
{
    g_autoptr(GPtrArray) parts = g_ptr_array_new();
    for (guint i = 0; i < windows->len; i++) {
        g_ptr_array_add(parts, g_array_index(windows, struct tcgrr_fill_window, i).part);
    }
    g_ptr_array_add(parts, NULL);
    if (!tcgrr_fill_collect(fill, (const char *const *)parts->pdata, error)) {
        return false;
    }
    tcgrr_fill_clean(fill, windows);
    return true;
}

/* Plans, derives and collects. *count: of the windows. */
static bool make(struct tcgrr_fill *fill, const struct cli_fill *given, struct tcgrr_span span, unsigned *count,
                 bool *contradict, GError **error)
{
    g_autoptr(GArray) windows =
        tcgrr_fill_plan(fill, given->level, span, (unsigned)given->jobs, (tcgrr_icount)given->least, error);
    GError *problem = NULL;

    *contradict = false;
    if (!windows) {
        return false;
    }
    *count = windows->len;
    bool alone = given->jobs == 1 || windows->len == 1;
    if (windows->len == 0) {
        return true;
    }
    if (!(alone ? derive_here(fill, given, windows, error) : cli_fill_run_jobs(given, windows, error))) {
        return false;
    }
    bool good = collect(fill, windows, &problem);
    if (!good && problem->code == TCGRR_ERROR_DAMAGED) {
        *contradict = true;
        tcgrr_fill_distrust(fill, windows);
    }
    if (problem) {
        g_propagate_error(error, problem);
    }
    return good;
}

bool cli_fill_make(const struct cli_fill *given, unsigned *made, GError **error)
{
    g_autofree char *plugin = cli_plugin_path(error);
    struct tcgrr_fill_lock *lock = plugin ? tcgrr_fill_lock(given->trace, given->stop, error) : NULL;
    struct tcgrr_fill *fill = lock ? tcgrr_fill_open(given->trace, given->qemu, plugin, error) : NULL;
    struct tcgrr_span span;
    unsigned count = 0;
    bool contradict = false;
    GError *problem = NULL;
    bool good = fill && cli_fill_span(fill, given, &span, error);

    if (good) {
        good = make(fill, given, span, &count, &contradict, &problem);
        if (contradict) { /* some keyframe is wrong: once more, without any */
            g_clear_error(&problem);
            good = make(fill, given, span, &count, &contradict, &problem);
        }
        if (problem) {
            g_propagate_error(error, problem);
        }
    }
    if (good && made) {
        *made = count;
    }
    tcgrr_fill_free(fill);
    tcgrr_fill_unlock(lock);
    return good;
}

/* Derives the level that a command turned out to need; prints why if that fails. Returns an exit status. */
static int fill_needed(const char *trace, enum tcgrr_level level, const char *from, const char *until)
{
    struct cli_fill fill = {.trace = trace,
                            .level = level,
                            .from = from,
                            .until = until,
                            .jobs = 1,
                            .hang = CLI_FILL_HANG,
                            .progress = isatty(STDERR_FILENO),
                            .stop = cli_catch_signals()};
    GError *problem = NULL;

    cli_note("filling %s with level %s", trace, tcgrr_level_name(level));
    return cli_fill_make(&fill, NULL, &problem) ? CLI_OK : cli_fail(problem);
}

int cli_fill_window(const char *trace, enum tcgrr_level level, struct tcgrr_span span)
{
    g_autofree char *from = g_strdup_printf("%" G_GUINT64_FORMAT, span.first);
    g_autofree char *until = g_strdup_printf("%" G_GUINT64_FORMAT, span.end);
    return fill_needed(trace, level, from, until);
}

bool cli_fill_lack(const char *trace, bool wanted, GError *error, int *status)
{
    enum tcgrr_level level = TCGRR_LEVEL_INPUTS;

    if (error->domain == TCGRR_ERROR && error->code > TCGRR_ERROR_LACKS && wanted) {
        level = (enum tcgrr_level)(error->code - TCGRR_ERROR_LACKS);
    }
    if (level == TCGRR_LEVEL_INPUTS) {
        *status = cli_fail(error);
        return false;
    }
    g_error_free(error);
    *status = fill_needed(trace, level, NULL, NULL);
    return *status == CLI_OK;
}
