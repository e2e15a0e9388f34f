/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/align/reel.h"

guint tcgrr_reel_find_event(const struct tcgrr_reel *reel, tcgrr_icount icount)
{
    guint low = 0, high = reel->stretch.events->len;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        if (tcgrr_reel_event(reel, middle)->icount < icount) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

guint tcgrr_reel_find_exec(const struct tcgrr_reel *reel, tcgrr_icount icount)
{
    guint low = 0, high = reel->stretch.execs->len;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        const struct tcgrr_exec *exec = tcgrr_reel_exec(reel, middle);
        if (exec->icount + exec->counted <= icount) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* What a second look at the boundary brings once more goes: the execution that runs across it, and events at it. */
static void append(struct tcgrr_reel *reel, const struct tcgrr_stretch *more)
{
    const GArray *execs = more->execs;
    guint skip = 0;

    while (skip < execs->len && g_array_index(execs, struct tcgrr_exec, skip).icount < reel->to) {
        skip++;
    }
    g_array_append_vals(reel->stretch.execs, &g_array_index(execs, struct tcgrr_exec, skip), execs->len - skip);
    g_array_set_size(reel->stretch.events, tcgrr_reel_find_event(reel, reel->to));
    g_array_append_vals(reel->stretch.events, more->events->data, more->events->len);
}

bool tcgrr_reel_extend(struct tcgrr_reel *reel, tcgrr_icount to, GError **error)
{
    struct tcgrr_side_position end;
    struct tcgrr_stretch more;

    if (to <= reel->to || reel->state != TCGRR_SIDE_REACHED) {
        return true;
    }
    tcgrr_stretch_init(&more);
    bool good = reel->side->ops->advance(reel->side, to, to, &end, error) &&
                reel->side->ops->stretch(reel->side, reel->to, to, &more, error);
    if (good) {
        append(reel, &more);
        reel->to = to;
        reel->state = end.state;
    }
    tcgrr_stretch_clear(&more);
    return good;
}

bool tcgrr_reel_begin(struct tcgrr_reel *reel, struct tcgrr_side *side, tcgrr_icount from, tcgrr_icount to,
                      GError **error)
{
    struct tcgrr_side_position end;

    *reel = (struct tcgrr_reel){.side = side, .from = from, .to = to};
    tcgrr_stretch_init(&reel->stretch);
    if (!side->ops->advance(side, to, to, &end, error)) {
        return false;
    }
    reel->state = end.state;
    return side->ops->stretch(side, from, to, &reel->stretch, error);
}

void tcgrr_reel_cut(struct tcgrr_reel *reel, guint exec)
{
    if (exec > 0) {
        reel->from = exec < reel->stretch.execs->len ? tcgrr_reel_exec(reel, exec)->icount : reel->to;
        g_array_remove_range(reel->stretch.execs, 0, exec);
        guint event = tcgrr_reel_find_event(reel, reel->from);
        if (event > 0) {
            g_array_remove_range(reel->stretch.events, 0, event);
        }
    }
}

void tcgrr_reel_clear(struct tcgrr_reel *reel)
{
    if (reel->stretch.execs) {
        tcgrr_stretch_clear(&reel->stretch);
    }
}
