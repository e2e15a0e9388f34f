/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record/portable.h"

#include <jansson.h>
#include <stdlib.h>

#include "store/error.h"

bool tcgrr_portable_open(const struct tcgrr_portable_options *options, struct tcgrr_portable *portable, GError **error)
{
    *portable = (struct tcgrr_portable){0};
    if (!tcgrr_qemu_probe(options->qemu, options->plugin, &portable->qemu, error)) {
        return false;
    }
    if (!portable->qemu.system) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                    "%s: user-mode QEMU has no machine to pin; leave --portable out", portable->qemu.path);
    } else if (tcgrr_pin(&portable->qemu, options->arguments, options->directory, &portable->pins, error)) {
        portable->arguments = tcgrr_pins_resolve((const char *const *)portable->pins.words, portable->pins.folder);
        return true;
    }
    tcgrr_portable_clear(portable);
    return false;
}

void tcgrr_portable_clear(struct tcgrr_portable *portable)
{
    tcgrr_qemu_clear(&portable->qemu);
    tcgrr_pins_clear(&portable->pins);
    g_strfreev(portable->arguments);
    *portable = (struct tcgrr_portable){0};
}

static char *words_json(const char *first, char **words)
{
    json_t *array = json_array();
    json_array_append_new(array, json_string_nocheck(first));
    for (; *words; words++) {
        json_array_append_new(array, json_string_nocheck(*words));
    }
    char *text = json_dumps(array, JSON_COMPACT);
    json_decref(array);
    return text;
}

bool tcgrr_portable_store(const struct tcgrr_portable *portable, const char *qemu, struct tcgrr_writer *writer,
                          GError **error)
{
    const struct tcgrr_pins *pins = &portable->pins;
    char *command = words_json(qemu, pins->words);
    struct tcgrr_pinned pinned = {.command = command, .machine = pins->machine, .cpu = pins->cpu};
    bool good = tcgrr_writer_pinned(writer, &pinned, error);
    free(command);
    for (guint i = 0; good && i < pins->files->len; i++) {
        const struct tcgrr_pin_file *file = pins->files->pdata[i];
        struct tcgrr_embedded input = {.name = file->name, .role = file->role, .path = file->path};
        good = tcgrr_writer_input(writer, &input, file->content, error);
    }
    for (guint i = 0; good && i < pins->notes->len; i++) {
        good = tcgrr_writer_note(writer, pins->notes->pdata[i], error);
    }
    for (guint i = 0; good && i < pins->warnings->len; i++) {
        good = tcgrr_writer_note(writer, pins->warnings->pdata[i], error);
    }
    return good;
}
