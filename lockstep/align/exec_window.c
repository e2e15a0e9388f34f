/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/align/exec_window.h"

guint tcgrr_exec_window_find_event(const struct tcgrr_exec_window *window, tcgrr_icount icount)
{
    guint low = 0, high = window->stretch.events->len;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        if (tcgrr_exec_window_event(window, middle)->icount < icount) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

guint tcgrr_exec_window_find_exec(const struct tcgrr_exec_window *window, tcgrr_icount icount)
{
    guint low = 0, high = window->stretch.execs->len;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        const struct tcgrr_exec *exec = tcgrr_exec_window_exec(window, middle);
        if (exec->icount + exec->counted <= icount) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool tcgrr_exec_window_find_pc(const struct tcgrr_exec_window *window, uint64_t pc, tcgrr_icount from, tcgrr_icount to,
                               tcgrr_icount *icount)
{
    const struct tcgrr_exec *exec;

    for (guint i = tcgrr_exec_window_find_exec(window, from);
         (exec = tcgrr_exec_window_exec(window, i)) && exec->icount < to; i++) {
        uint64_t at = exec->block->pc;
        for (uint32_t insn = 0; insn < exec->ran && pc - exec->block->pc < exec->block->size; insn++) {
            *icount = exec->icount + insn;
            if (at == pc && *icount >= from && *icount < to) {
                return true;
            }
            at += exec->block->lengths[insn];
        }
    }
    return false;
}

/* Removes duplicates from fetching the boundary again: the execution that crosses it, and events at it. */
static void append(struct tcgrr_exec_window *window, const struct tcgrr_stretch *more)
{
    const GArray *execs = more->execs;
    guint skip = 0;

    while (skip < execs->len && g_array_index(execs, struct tcgrr_exec, skip).icount < window->to) {
        skip++;
    }
    g_array_append_vals(window->stretch.execs, &g_array_index(execs, struct tcgrr_exec, skip), execs->len - skip);
    g_array_set_size(window->stretch.events, tcgrr_exec_window_find_event(window, window->to));
    g_array_append_vals(window->stretch.events, more->events->data, more->events->len);
}

bool tcgrr_exec_window_extend(struct tcgrr_exec_window *window, tcgrr_icount to, GError **error)
{
    struct tcgrr_run_source_position end;
    struct tcgrr_stretch more;

    if (to <= window->to || window->state != TCGRR_SOURCE_REACHED) {
        return true;
    }
    tcgrr_stretch_init(&more);
    bool good = window->side->ops->advance(window->side, to, to, &end, error) &&
                window->side->ops->stretch(window->side, window->to, to, &more, error);
    if (good) {
        append(window, &more);
        window->to = to;
        window->state = end.state;
    }
    tcgrr_stretch_clear(&more);
    return good;
}

bool tcgrr_exec_window_begin(struct tcgrr_exec_window *window, struct tcgrr_run_source *side, tcgrr_icount from,
                             tcgrr_icount to, GError **error)
{
    struct tcgrr_run_source_position end;

    *window = (struct tcgrr_exec_window){.side = side, .stretch = window->stretch, .from = from, .to = to};
    if (!window->stretch.execs) {
        tcgrr_stretch_init(&window->stretch);
    }
    if (!side->ops->advance(side, to, to, &end, error)) {
        return false;
    }
    window->state = end.state;
    return side->ops->stretch(side, from, to, &window->stretch, error);
}

void tcgrr_exec_window_cut(struct tcgrr_exec_window *window, guint exec)
{
    if (exec > 0) {
        window->from = exec < window->stretch.execs->len ? tcgrr_exec_window_exec(window, exec)->icount : window->to;
        g_array_remove_range(window->stretch.execs, 0, exec);
        guint event = tcgrr_exec_window_find_event(window, window->from);
        if (event > 0) {
            g_array_remove_range(window->stretch.events, 0, event);
        }
    }
}

void tcgrr_exec_window_clear(struct tcgrr_exec_window *window)
{
    if (window->stretch.execs) {
        tcgrr_stretch_clear(&window->stretch);
    }
}
