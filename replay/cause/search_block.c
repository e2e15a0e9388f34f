/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Narrowing a difference down to a block, without stopping inside of one. */
#include "replay/cause/search_internal.h"

/* Narrows the two down until no block begins between them. */
static bool narrow_to_block(struct tcgrr_search *search, const GArray *wanted, tcgrr_moment *same,
                            tcgrr_moment *differs, GError **error)
{
    g_autoptr(GArray) nothing = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_location));
    tcgrr_moment length = UINT64_MAX;

    for (;;) {
        if (wanted) {
            tcgrr_moment low = *same;
            *same = tcgrr_search_narrow(search, wanted, &low, differs) ? MAX(low, *same) : *same;
        } else {
            tcgrr_search_narrow_first(search, same, differs);
        }
        if (length == *differs - *same) {
            return true;
        }
        length = *differs - *same;
        if (!tcgrr_search_take_looks(search, *same + 1, *differs, true, wanted ? wanted : nothing, error)) {
            return false;
        }
    }
}

bool tcgrr_search_block(struct tcgrr_search *search, tcgrr_moment same, tcgrr_moment differs, const GArray *wanted,
                        tcgrr_moment *begin, tcgrr_moment *end, bool *found, GError **error)
{
    tcgrr_moment boundary;
    tcgrr_moment first;
    unsigned rest;

    *found = false;
    if (!narrow_to_block(search, wanted, &same, &differs, error) ||
        !tcgrr_replay_pair_boundary(search->pair, same, &boundary, error) ||
        !tcgrr_replay_pair_block(search->pair, same, &first, &rest, error)) {
        return false;
    }
    *begin = same;
    *end = differs;
    *found = boundary == same && first == same && differs > same && rest >= differs - same;
    return true;
}
