/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/plugin/reserve.h"

#include <glib.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_MASK UINT64_C(4095)

struct range {
    uint64_t first, end;
};

static GArray *taken;        /* struct range, in no order */
static struct range allowed; /* only this range is reserved: QEMU finds room for itself below it */

/* Reserves the free range `hole` between two mappings, as far as it is in `wanted`. */
static void take(struct range hole, struct range wanted)
{
    hole.first = MAX(hole.first, wanted.first);
    hole.end = MIN(hole.end, wanted.end);
    if (hole.first >= hole.end) {
        return;
    }
    void *place = (void *)(uintptr_t)hole.first;
    void *got = mmap(place, hole.end - hole.first, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (got == place) {
        g_array_append_val(taken, hole);
    } else if (got != MAP_FAILED) { /* an old kernel that does not know the flag */
        munmap(got, hole.end - hole.first);
    }
}

/* The next mapping of the process. */
static bool next_mapping(FILE *maps, char **line, size_t *space, struct range *mapping, bool *stack)
{
    if (getline(line, space, maps) <= 0 || sscanf(*line, "%" SCNx64 "-%" SCNx64, &mapping->first, &mapping->end) != 2) {
        return false;
    }
    *stack = strstr(*line, "[stack]") != NULL;
    return true;
}

/* Reserves all ranges between mappings except those into which the stack may grow. */
static void take_holes(struct range wanted)
{
    FILE *maps = fopen("/proc/thread-self/maps", "re");
    GArray *holes = g_array_new(FALSE, FALSE, sizeof(struct range));
    struct range mapping, hole = {0};
    char *line = NULL;
    size_t space = 0;
    bool stack = false;

    while (maps && next_mapping(maps, &line, &space, &mapping, &stack) && hole.first < wanted.end) {
        hole.end = mapping.first;
        if (!stack && hole.first < hole.end && hole.end > wanted.first) {
            g_array_append_val(holes, hole);
        }
        hole.first = mapping.end;
    }
    for (guint i = 0; i < holes->len; i++) {
        take(g_array_index(holes, struct range, i), wanted);
    }
    g_array_free(holes, TRUE);
    free(line);
    if (maps) {
        fclose(maps);
    }
}

/* The upper quarter of the address space below the stack: libraries, and below them mappings without a requested
 * address. */
static struct range find_allowed(void)
{
    FILE *maps = fopen("/proc/thread-self/maps", "re");
    struct range mapping, found = {0};
    char *line = NULL;
    size_t space = 0;
    bool stack = false;

    while (maps && next_mapping(maps, &line, &space, &mapping, &stack) && !stack) {
        found.end = mapping.end;
    }
    free(line);
    if (maps) {
        fclose(maps);
    }
    found.first = (found.end - found.end / 4) & ~PAGE_MASK;
    return found;
}

void tcgrr_reserve_all(void)
{
    if (!taken) {
        taken = g_array_new(FALSE, FALSE, sizeof(struct range));
        allowed = find_allowed();
    }
    take_holes(allowed);
}

void tcgrr_reserve_release(uint64_t first, uint64_t bytes)
{
    struct range range = {first & ~PAGE_MASK, (first + bytes + PAGE_MASK) & ~PAGE_MASK};

    for (guint i = 0; taken && i < taken->len;) {
        struct range old = g_array_index(taken, struct range, i);
        struct range common = {MAX(old.first, range.first), MIN(old.end, range.end)};
        if (common.first >= common.end) {
            i++;
            continue;
        }
        munmap((void *)(uintptr_t)common.first, common.end - common.first);
        g_array_remove_index_fast(taken, i);
        struct range rest[] = {{old.first, common.first}, {common.end, old.end}};
        for (unsigned k = 0; k < G_N_ELEMENTS(rest); k++) {
            if (rest[k].first < rest[k].end) {
                g_array_append_val(taken, rest[k]);
            }
        }
    }
}

void tcgrr_reserve_again(uint64_t first, uint64_t bytes)
{
    struct range range = {first & ~PAGE_MASK, (first + bytes + PAGE_MASK) & ~PAGE_MASK};

    if (taken && taken->len > 0) {
        take_holes((struct range){MAX(range.first, allowed.first), MIN(range.end, allowed.end)});
    }
}
