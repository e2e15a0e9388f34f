/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/position.h"

#include "store/error.h"

char *tcgrr_position_text(const struct tcgrr_position *where)
{
    if (where->kind == TCGRR_POSITION_NAME) {
        return g_strdup(g_quark_to_string((GQuark)where->value));
    }
    return where->kind == TCGRR_POSITION_PC ? g_strdup_printf("pc 0x%" G_GINT64_MODIFIER "x", where->value)
                                            : g_strdup_printf("icount %" G_GUINT64_FORMAT, where->value);
}

/* The address of a place, since when it has been there; false: it is an icount, or no symbol of that name is known. */
static bool find_pc(struct tcgrr_run_source *side, const struct tcgrr_position *where, uint64_t *pc,
                    tcgrr_icount *since)
{
    *pc = where->value;
    *since = 0;
    return where->kind == TCGRR_POSITION_PC ||
           (where->kind == TCGRR_POSITION_NAME && side->ops->address &&
            side->ops->address(side, g_quark_to_string((GQuark)where->value), pc, since));
}

bool tcgrr_position_find(struct tcgrr_run_source *side, const struct tcgrr_position *where, tcgrr_icount from,
                         tcgrr_icount to, tcgrr_icount *icount, GError **error)
{
    bool found = where->kind == TCGRR_POSITION_ICOUNT && where->value >= from && where->value <= to;

    uint64_t pc;
    tcgrr_icount since;
    bool has_pc = find_pc(side, where, &pc, &since);

    *icount = where->value;
    if (has_pc && since <= to && !side->ops->find(side, pc, MAX(from, since), to, icount, &found, error)) {
        return false;
    }
    if (!found) {
        *icount = UINT64_MAX;
    }
    return true;
}

static bool never_executed(struct tcgrr_run_source *side, const struct tcgrr_position *where, const char *name,
                           tcgrr_icount end, GError **error)
{
    g_autofree char *text = tcgrr_position_text(where);
    uint64_t pc;
    tcgrr_icount since;

    if (where->kind == TCGRR_POSITION_NAME && !find_pc(side, where, &pc, &since)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "no symbol %s was found in %s, neither in the program nor in a library that it loaded, so nothing "
                    "was compared; --from also takes an address",
                    text, name);
    } else {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "%s never executed %s, so nothing was compared (it ended after %" G_GUINT64_FORMAT " instructions)",
                    name, text, end);
    }
    return false;
}

bool tcgrr_position_reach(struct tcgrr_run_source *side, const struct tcgrr_position *where, const char *name,
                          tcgrr_icount *icount, GError **error)
{
    struct tcgrr_run_source_position at = {.state = TCGRR_SOURCE_REACHED};
    /* Executions far before the place that a side has reached are no longer available, so they are not requested. */
    tcgrr_icount from = where->kind == TCGRR_POSITION_ICOUNT ? where->value - where->value % TCGRR_CHECKPOINT_STEP : 0;

    *icount = where->kind == TCGRR_POSITION_NONE ? 0 : UINT64_MAX;
    while (*icount == UINT64_MAX && at.state == TCGRR_SOURCE_REACHED) {
        tcgrr_icount to = from + TCGRR_CHECKPOINT_STEP;
        if (!side->ops->advance(side, 0, to, &at, error) ||
            !tcgrr_position_find(side, where, from, at.icount, icount, error)) {
            return false;
        }
        from = to;
    }
    return *icount != UINT64_MAX || never_executed(side, where, name, at.icount, error);
}
