/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/calls_file.h"

#include "emu/plugin/inputs_format.h"
#include "store/error.h"

#include <stdio.h>
#include <string.h>

#define MAX_BYTES (8u << 20) /* Linux takes less */

bool tcgrr_calls_file_create(const char *path, GError **error)
{
    struct tcgrr_inputs_record head = {.kind = TCGRR_INPUTS_START};
    g_auto(GStrv) environment = g_get_environ();
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    g_byte_array_append(bytes, (const guint8 *)&head, sizeof(head));
    for (char **entry = environment; *entry; entry++) {
        g_byte_array_append(bytes, (const guint8 *)*entry, (guint)strlen(*entry) + 1);
    }
    head.bytes = bytes->len - (guint)sizeof(head);
    memcpy(bytes->data, &head, sizeof(head));
    return g_file_set_contents(path, (const char *)bytes->data, bytes->len, error);
}

char **tcgrr_calls_file_environment(const char *path, GError **error)
{
    struct tcgrr_inputs_record head = {0};
    g_autoptr(GPtrArray) environment = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *bytes = NULL;
    FILE *file = fopen(path, "rbe");
    bool good =
        file && fread(&head, sizeof(head), 1, file) == 1 && head.kind == TCGRR_INPUTS_START && head.bytes <= MAX_BYTES;

    if (good) {
        bytes = g_malloc0((gsize)head.bytes + 1);
        good = head.bytes == 0 || fread(bytes, head.bytes, 1, file) == 1;
    }
    if (file) {
        fclose(file);
    }
    if (!good) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "%s does not hold what the program was given", path);
        return NULL;
    }
    for (const char *entry = bytes; entry < bytes + head.bytes; entry += strlen(entry) + 1) {
        g_ptr_array_add(environment, g_strdup(entry));
    }
    g_ptr_array_add(environment, NULL);
    return (char **)g_ptr_array_steal(environment, NULL);
}
