/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of a comparison's report that is about the data. */
#include "cli/compare_options.h"

#include <stdio.h>

#define MAX_SHOWN 24 /* registers in the text */

static json_t *registers_json(const GArray *registers)
{
    json_t *list = json_array();
    for (guint i = 0; i < registers->len; i++) {
        const struct tcgrr_register_difference *differs =
            &g_array_index(registers, struct tcgrr_register_difference, i);
        g_autofree char *a = tcgrr_register_text(differs->a, differs->size);
        g_autofree char *b = tcgrr_register_text(differs->b, differs->size);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", differs->name, "a", a, "b", b));
    }
    return list;
}

void cli_json_data(json_t *object, const struct tcgrr_data_divergence *data)
{
    json_object_set_new(object, "samples", json_integer((json_int_t)data->samples));
    if (data->initial && data->initial->len > 0) {
        json_object_set_new(object, "initial_differences", registers_json(data->initial));
    }
    if (data->stores_parted) {
        json_object_set_new(object, "stores_parted",
                            json_pack("{s:I, s:I}", "icount_from", (json_int_t)data->stores_from[0], "icount_to",
                                      (json_int_t)data->stores_to[0]));
    }
    if (data->found) {
        json_object_set_new(object, "data_divergence",
                            json_pack("{s:I, s:I, s:o, s:b}", "icount_from", (json_int_t)data->from[0], "icount_to",
                                      (json_int_t)data->to[0], "registers", registers_json(data->registers),
                                      "stores_differ", data->stores_differ));
    }
}

static void print_registers(const GArray *registers, const struct cli_places *places)
{
    for (guint i = 0; i < registers->len && i < MAX_SHOWN; i++) {
        const struct tcgrr_register_difference *differs =
            &g_array_index(registers, struct tcgrr_register_difference, i);
        g_autofree char *a = tcgrr_register_text(differs->a, differs->size);
        g_autofree char *b = tcgrr_register_text(differs->b, differs->size);
        printf("  %-12s %s: %s\n  %-12s %s: %s\n", differs->name, places->names[0], a, "", places->names[1], b);
    }
    if (registers->len > MAX_SHOWN) {
        printf("  and %u more\n", registers->len - MAX_SHOWN);
    }
}

void cli_print_data(const struct tcgrr_data_divergence *data, const struct cli_places *places)
{
    if (data->samples > 0) {
        g_autofree char *samples = cli_number(data->samples);
        printf("  compared %u registers%s in %s samples\n", data->registers_compared,
               data->stores || data->stores_parted ? " and the digest of all stores" : "", samples);
    }
    if (data->initial && data->initial->len > 0) {
        printf("  these differed from the start and were left out until they agreed:\n");
        print_registers(data->initial, places);
    }
    if (data->stores_parted) {
        g_autofree char *from = cli_number(data->stores_from[0]);
        g_autofree char *to = cli_number(data->stores_to[0]);
        printf("  the stores, as these two QEMUs report them, diverged between icount %s and %s\n", from, to);
    }
    if (!data->found) {
        return;
    }
    g_autofree char *from = cli_number(data->from[0]);
    g_autofree char *to = cli_number(data->to[0]);
    const char *stores = !data->stores_differ       ? ""
                         : data->registers->len > 0 ? "; the stores up to there differ, too"
                                                    : "; the stores up to there differ, but no register does";
    printf("The data diverged between icount %s and %s%s%s:\n", from, to, stores,
           data->shifted ? "; this may follow from a difference that was tolerated before" : "");
    print_registers(data->registers, places);
}
