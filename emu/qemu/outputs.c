/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/outputs.h"

#include <string.h>

#define NOWHERE "/dev/null"

/* An option in which a suboption names a file. */
struct output {
    const char *option;
    const char *implied; /* the suboption for a first word without a key */
    const char *backend; /* only if the backend is this one; NULL: any */
    const char *file;
};

static const struct output outputs[] = {
    {"chardev", "backend", "file", "path"},
    {"chardev", "backend", NULL, "logfile"},
    {"object", "qom-type", "filter-dump", "file"},
    {"audiodev", "driver", "wav", "path"},
    {"trace", "enable", NULL, "file"},
};

/* For options whose whole value is a file's name, or a character device. */
static char *discard_whole(const struct tcgrr_option *option)
{
    static const char *const consoles[] = {"serial", "parallel", "debugcon", "monitor", "qmp", "qmp-pretty", NULL};

    if (strcmp(option->name, "D") == 0) {
        return g_strdup(NOWHERE);
    }
    return g_strv_contains(consoles, option->name) && g_str_has_prefix(option->value, "file:")
               ? g_strdup("file:" NOWHERE)
               : NULL;
}

char *tcgrr_outputs_discard(const struct tcgrr_option *option)
{
    g_autoptr(GPtrArray) inside = NULL;
    bool changed = false;

    if (!option->value) {
        return NULL;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(outputs); i++) {
        const struct output *output = &outputs[i];
        if (strcmp(option->name, output->option) != 0) {
            continue;
        }
        if (!inside) {
            inside = tcgrr_suboptions_parse(option->value, output->implied);
        }
        bool fits = !output->backend || g_strcmp0(tcgrr_suboptions_get(inside, output->implied), output->backend) == 0;
        if (fits && tcgrr_suboptions_get(inside, output->file)) {
            tcgrr_suboptions_set(inside, output->file, NOWHERE);
            changed = true;
        }
    }
    return changed ? tcgrr_suboptions_format(inside) : discard_whole(option);
}
