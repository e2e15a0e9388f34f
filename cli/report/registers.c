/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/report/registers.h"

#include "store/error.h"

#include <string.h>

struct shown {
    char *name; /* in small letters */
    uint32_t offset;
    uint32_t size;
    uint8_t *value; /* as it was shown last; NULL: never */
};

struct report_registers {
    struct report_job *job;
    GArray *list; /* struct shown */
    struct tcgrr_samples *samples;
    struct tcgrr_sample_cursor cursor;
    bool more; /* the cursor is on a sample */
    bool open; /* the cursor is to be ended */
};

static bool add_matching(struct report_registers *registers, const char *pattern,
                         const struct tcgrr_register_table *table)
{
    bool any = false;
    for (uint32_t i = 0; i < tcgrr_register_table_count(table); i++) {
        const struct tcgrr_state_register *reg = tcgrr_register_table_get(table, i);
        g_autofree char *small = g_ascii_strdown(reg->name, -1);
        bool known = false;
        if (!g_pattern_match_simple(pattern, reg->name) && !g_pattern_match_simple(pattern, small)) {
            continue;
        }
        for (guint at = 0; at < registers->list->len; at++) {
            known = known || g_array_index(registers->list, struct shown, at).offset == reg->offset;
        }
        if (!known) {
            struct shown shown = {.name = g_steal_pointer(&small), .offset = reg->offset, .size = reg->size};
            g_array_append_val(registers->list, shown);
        }
        any = true;
    }
    return any;
}

struct report_registers *report_registers_new(struct report_job *job, const GPtrArray *patterns, GError **error)
{
    if (!report_need(job, TCGRR_LEVEL_STATE, error)) {
        return NULL;
    }
    const struct tcgrr_register_table *table = tcgrr_reader_registers(job->reader, error);
    if (!table) {
        return NULL;
    }
    struct report_registers *registers = g_new0(struct report_registers, 1);
    registers->job = job;
    registers->list = g_array_new(FALSE, FALSE, sizeof(struct shown));
    registers->samples = tcgrr_samples_new();
    for (guint i = 0; i < patterns->len; i++) {
        const char *pattern = g_ptr_array_index(patterns, i);
        if (!add_matching(registers, pattern, table)) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                        "no register of %s matches '%s'; its names: tcgrr query %s \"SELECT name FROM register\"",
                        job->run->target, pattern, tcgrr_reader_path(job->reader));
            report_registers_free(registers);
            return NULL;
        }
    }
    return registers;
}

void report_registers_free(struct report_registers *registers)
{
    if (!registers) {
        return;
    }
    if (registers->open) {
        tcgrr_sample_end(&registers->cursor);
    }
    for (guint i = 0; i < registers->list->len; i++) {
        g_free(g_array_index(registers->list, struct shown, i).name);
        g_free(g_array_index(registers->list, struct shown, i).value);
    }
    g_array_unref(registers->list);
    tcgrr_samples_free(registers->samples);
    g_free(registers);
}

bool report_registers_begin(struct report_registers *registers, int64_t id, GError **error)
{
    int64_t found;
    if (registers->open) {
        tcgrr_sample_end(&registers->cursor);
    }
    registers->open = false;
    if (!tcgrr_reader_samples_of(registers->job->reader, id, registers->samples, &found, error)) {
        return false;
    }
    registers->more = tcgrr_sample_begin(&registers->cursor, registers->samples);
    registers->open = true;
    return true;
}

bool report_registers_at(struct report_registers *registers, uint32_t exec)
{
    while (registers->more && registers->cursor.sample->exec < exec) {
        registers->more = tcgrr_sample_next(&registers->cursor);
    }
    return registers->more && registers->cursor.sample->exec == exec;
}

/* The plugin takes all values for little-endian ones. */
static char *hexadecimal(const uint8_t *value, uint32_t size)
{
    GString *text = g_string_new("0x");
    for (uint32_t i = size; i > 0; i--) {
        g_string_append_printf(text, "%02x", value[i - 1]);
    }
    return g_string_free(text, FALSE);
}

/* As a word of its own. */
static bool mentions(const char *text, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = strstr(text, name); at; at = strstr(at + 1, name)) {
        if ((at == text || !g_ascii_isalnum(at[-1])) && !g_ascii_isalnum(at[length])) {
            return true;
        }
    }
    return false;
}

void report_registers_changes(struct report_registers *registers, const char *text,
                              void (*show)(const char *name, const char *value, void *data), void *data)
{
    for (guint i = 0; i < registers->list->len; i++) {
        struct shown *shown = &g_array_index(registers->list, struct shown, i);
        const uint8_t *value = registers->cursor.image + shown->offset;
        bool same = shown->value && memcmp(shown->value, value, shown->size) == 0;
        if (same || (text && !mentions(text, shown->name))) {
            continue;
        }
        g_autofree char *number = hexadecimal(value, shown->size);
        show(shown->name, number, data);
        if (!shown->value) {
            shown->value = g_malloc(shown->size);
        }
        memcpy(shown->value, value, shown->size);
    }
}
