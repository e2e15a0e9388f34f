/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/why_internal.h"

#include <string.h>

void tcgrr_slice_say(struct tcgrr_slice *slice, const char *text, tcgrr_icount icount)
{
    slice->why->replays++;
    if (slice->options->progress) {
        g_autofree char *line = g_strdup_printf("%s at icount %" G_GUINT64_FORMAT, text, icount);
        slice->options->progress(line, slice->options->data);
    }
}

const struct tcgrr_register *tcgrr_slice_register(const struct tcgrr_slice *slice, unsigned index)
{
    return g_ptr_array_index(tcgrr_replay_pair_registers(slice->pair, 0)->list, index);
}

/* A value in memory as a number, in the target's order of bytes. */
static char *memory_text(const struct tcgrr_slice *slice, const uint8_t *bytes, uint16_t size)
{
    bool big = tcgrr_replay_pair_registers(slice->pair, 0)->big_endian;
    GString *text = g_string_new("0x");
    for (uint16_t i = 0; i < size; i++) {
        g_string_append_printf(text, "%02x", bytes[big ? i : size - 1 - i]);
    }
    return g_string_free(text, FALSE);
}

char *tcgrr_slice_use_name(const struct tcgrr_slice *slice, const struct tcgrr_slice_use *use)
{
    return use->memory ? g_strdup_printf("memory 0x%" G_GINT64_MODIFIER "x:%u", use->range.address, use->range.size)
                       : g_strdup(tcgrr_slice_register(slice, use->index)->name);
}

/* Wide registers are mostly empty: leading zeros beyond 64 bits are left out. Takes `text` over. */
static char *shorten(char *text)
{
    size_t digits = strlen(text) - 2;
    size_t zeros = strspn(text + 2, "0");
    size_t drop = digits > 16 ? MIN(zeros, digits - 16) : 0;
    char *shorter = g_strconcat("0x", text + 2 + drop, NULL);
    g_free(text);
    return shorter;
}

struct tcgrr_why_value tcgrr_slice_value(const struct tcgrr_slice *slice, const struct tcgrr_slice_use *use,
                                         const uint8_t *state)
{
    struct tcgrr_why_value value = {.name = tcgrr_slice_use_name(slice, use), .writer = -1};
    if (use->memory) {
        value.value = memory_text(slice, use->bytes, use->range.size);
    } else if (tcgrr_state_knows(state, use->index)) {
        value.value = shorten(tcgrr_state_text(tcgrr_replay_pair_registers(slice->pair, 0), state,
                                               tcgrr_slice_register(slice, use->index)));
    }
    return value;
}

void tcgrr_slice_add_end(struct tcgrr_slice *slice, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    g_autofree char *text = g_strdup_vprintf(format, list);
    va_end(list);
    for (guint i = 0; i < slice->why->ends->len; i++) {
        if (strcmp(g_ptr_array_index(slice->why->ends, i), text) == 0) {
            return;
        }
    }
    g_ptr_array_add(slice->why->ends, g_steal_pointer(&text));
}
