/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/memory_map.h"

#include <stdbool.h>
#include <string.h>

#define MAX_REGIONS 4096
#define VIEW        "FlatView #"

static void clear_region(gpointer data)
{
    struct tcgrr_region *region = data;
    g_free(region->kind);
    g_free(region->name);
}

/* "  0000000010000000-0000000010000007 (prio 0, i/o): serial @0000000000000000", where the last part may be missing. */
static bool parse_line(const char *line, struct tcgrr_region *region)
{
    char *at;
    const char *kind;
    const char *name;

    region->first = g_ascii_strtoull(g_strchug((char *)line), &at, 16);
    if (at == line || *at != '-') {
        return false;
    }
    region->last = g_ascii_strtoull(at + 1, &at, 16);
    kind = strstr(at, ", ");
    name = strstr(at, "): ");
    if (!g_str_has_prefix(at, " (prio ") || !kind || !name || kind > name || region->last < region->first) {
        return false;
    }
    const char *end = strstr(name, " @");
    kind += strlen(", ");
    region->kind = g_strndup(kind, (gsize)(name - kind));
    name += strlen("): ");
    region->name = end ? g_strndup(name, (gsize)(end - name)) : g_strdup(name);
    return true;
}

/* The start of the view of an address space; NULL if there is none. */
static char *find_view(char *text, const char *space)
{
    char *place = strstr(text, space);
    char *view = NULL;

    for (char *at = strstr(text, VIEW); at && place && at < place; at = strstr(at + 1, VIEW)) {
        view = at;
    }
    return view;
}

GArray *tcgrr_memory_map_parse(const char *text)
{
    GArray *map = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_region));
    g_autofree char *copy = g_strdup(text);
    char *view = find_view(copy, "AS \"cpu-memory-0\"");

    g_array_set_clear_func(map, clear_region);
    view = view ? view : find_view(copy, "AS \"memory\"");
    if (!view) {
        return map;
    }
    char *end = strstr(view + 1, VIEW);
    if (end) {
        *end = '\0';
    }
    g_auto(GStrv) lines = g_strsplit_set(view, "\r\n", -1);
    for (char **line = lines; *line && map->len < MAX_REGIONS; line++) {
        struct tcgrr_region region;
        if (parse_line(*line, &region)) {
            g_array_append_val(map, region);
        }
    }
    return map;
}
