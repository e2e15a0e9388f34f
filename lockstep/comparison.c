/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/comparison.h"

#include "store/error.h"

const char *tcgrr_divergence_name(enum tcgrr_divergence_kind kind)
{
    static const char *const names[] = {"control flow", "ended", "aborted", "hung", "data", "system call"};
    return names[kind];
}

const char *tcgrr_tolerated_name(enum tcgrr_tolerated_kind kind)
{
    static const char *const names[] = {"shifted event", "polling loop", "transient"};
    return names[kind];
}

const char *tcgrr_reason_name(int i)
{
    static const char *const names[] = {"reads a clock or waits",       "accesses a device",
                                        "an interrupt came into it",    "in the handler of a shifted interrupt",
                                        "the other run ends before it", "the count at the interrupt is not certain",
                                        "vCPUs took turns there"};
    return i < (int)G_N_ELEMENTS(names) ? names[i] : NULL;
}

static void clear_data(struct tcgrr_data_divergence *data)
{
    g_clear_pointer(&data->initial, g_array_unref);
    g_clear_pointer(&data->registers, g_array_unref);
    if (data->place) {
        tcgrr_comparison_clear(data->place);
        g_clear_pointer(&data->place, g_free);
    }
}

void tcgrr_comparison_clear(struct tcgrr_comparison *comparison)
{
    g_clear_pointer(&comparison->common, g_array_unref);
    g_clear_pointer(&comparison->places, g_array_unref);
    g_clear_pointer(&comparison->note, g_free);
    g_clear_pointer(&comparison->undecided, g_free);
    for (int i = 0; i < 2; i++) {
        g_clear_pointer(&comparison->sides[i].history, g_array_unref);
        g_clear_pointer(&comparison->sides[i].events, g_array_unref);
    }
    clear_data(&comparison->data);
}

bool tcgrr_comparison_withdraw(struct tcgrr_comparison *comparison, const char *why, GError **error, const char *format,
                               ...)
{
    va_list list;

    comparison->diverged = false;
    g_free(comparison->undecided);
    comparison->undecided = g_strdup(why);
    va_start(list, format);
    g_propagate_error(error, g_error_new_valist(TCGRR_ERROR, TCGRR_ERROR_FAILED, format, list));
    va_end(list);
    return false;
}
