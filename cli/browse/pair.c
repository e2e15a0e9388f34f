/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/browse/pair.h"

static const struct browse_difference *at(const struct browse_pair *pair, guint i)
{
    return &g_array_index(pair->differences, struct browse_difference, i);
}

tcgrr_icount browse_pair_other(const struct browse_pair *pair, int of, tcgrr_icount icount)
{
    tcgrr_icount here = pair->start[of];
    tcgrr_icount there = pair->start[1 - of];
    tcgrr_icount same = UINT64_MAX; /* instructions of the other run that lie between here and the next difference */

    for (guint i = 0; i < pair->differences->len; i++) {
        const struct browse_difference *next = at(pair, i);
        if (icount < next->icount[of] + next->length[of]) {
            same = next->icount[1 - of] + next->length[1 - of] - there;
            break;
        }
        here = next->icount[of] + next->length[of];
        there = next->icount[1 - of] + next->length[1 - of];
    }
    if (icount < here) {
        return there > here - icount ? there - (here - icount) : 0;
    }
    return there + MIN(icount - here, same);
}

const struct browse_difference *browse_pair_next(const struct browse_pair *pair, int of, tcgrr_icount icount,
                                                 enum browse_direction direction)
{
    const struct browse_difference *found = NULL;
    for (guint i = 0; i < pair->differences->len; i++) {
        const struct browse_difference *next = at(pair, i);
        if (direction == BROWSE_ON && next->icount[of] > icount) {
            return next;
        }
        found = next->icount[of] < icount ? next : found;
    }
    return direction == BROWSE_ON ? NULL : found;
}
