/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/where.h"

#include "store/error.h"

char *tcgrr_where_text(const struct tcgrr_where *where)
{
    return where->kind == TCGRR_WHERE_PC ? g_strdup_printf("pc 0x%" G_GINT64_MODIFIER "x", where->value)
                                         : g_strdup_printf("icount %" G_GUINT64_FORMAT, where->value);
}

bool tcgrr_where_find(struct tcgrr_side *side, const struct tcgrr_where *where, tcgrr_icount from, tcgrr_icount to,
                      tcgrr_icount *icount, GError **error)
{
    bool found = where->kind == TCGRR_WHERE_ICOUNT && where->value >= from && where->value <= to;

    *icount = where->value;
    if (where->kind == TCGRR_WHERE_PC && !side->ops->find(side, where->value, from, to, icount, &found, error)) {
        return false;
    }
    if (!found) {
        *icount = UINT64_MAX;
    }
    return true;
}

bool tcgrr_where_reach(struct tcgrr_side *side, const struct tcgrr_where *where, const char *name, tcgrr_icount *icount,
                       GError **error)
{
    struct tcgrr_side_position at = {.state = TCGRR_SIDE_REACHED};
    tcgrr_icount from = 0;

    *icount = where->kind == TCGRR_WHERE_NONE ? 0 : UINT64_MAX;
    while (*icount == UINT64_MAX && at.state == TCGRR_SIDE_REACHED) {
        tcgrr_icount to = from + TCGRR_CHECKPOINT_STEP;
        if (!side->ops->advance(side, 0, to, &at, error) ||
            !tcgrr_where_find(side, where, from, at.icount, icount, error)) {
            return false;
        }
        from = to;
    }
    if (*icount == UINT64_MAX) {
        g_autofree char *text = tcgrr_where_text(where);
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "%s never executed %s, so nothing was compared (it ended after %" G_GUINT64_FORMAT " instructions)",
                    name, text, at.icount);
        return false;
    }
    return true;
}
