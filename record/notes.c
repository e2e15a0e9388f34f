/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record/notes.h"

#include "emu/qemu/memory_map.h"

/* Stores what memory accesses need and is known only at the end. */
static bool store_memory_map(struct tcgrr_writer *writer, struct tcgrr_session *session, GError **error)
{
    const GPtrArray *maps = tcgrr_session_maps(session);

    for (guint i = 0; i < maps->len; i++) {
        const GArray *map = g_ptr_array_index(maps, i);
        for (guint k = 0; k < map->len; k++) {
            const struct tcgrr_region *region = &g_array_index(map, struct tcgrr_region, k);
            if (!tcgrr_writer_region(writer, region->first, region->last, region->kind, region->name, error)) {
                return false;
            }
        }
    }
    return true;
}

/* What of the memory accesses is not as it should be. */
static bool note_accesses(struct tcgrr_writer *writer, const struct tcgrr_session *session, const struct tcgrr_run *run,
                          GError **error)
{
    const struct tcgrr_live *live = tcgrr_session_live(session);
    uint64_t strays = tcgrr_live_strays(live);
    g_autofree char *lost = g_strdup_printf("%" G_GUINT64_FORMAT " memory accesses that QEMU reported belong to no"
                                            " instruction that ran and are left out",
                                            strays);

    if (strays > 0 && !tcgrr_writer_note(writer, lost, error)) {
        return false;
    }
    if (run->mem_from < 0 &&
        !tcgrr_writer_note(writer, "the run did not reach --full-from: there are no memory accesses", error)) {
        return false;
    }
    return run->api_version >= 4 ||
           tcgrr_writer_note(
               writer, "this QEMU does not give plugins the values of memory accesses; QEMU 9.2 and later do", error);
}

static bool note_dropped_events(struct tcgrr_writer *writer, const struct tcgrr_session *session, GError **error)
{
    uint64_t dropped = tcgrr_live_events_dropped(tcgrr_session_live(session));
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT " events are left out: the guest raised exceptions"
                                            " without executing an instruction between them",
                                            dropped);
    return dropped == 0 || tcgrr_writer_note(writer, text, error);
}

bool tcgrr_record_notes(struct tcgrr_writer *writer, struct tcgrr_session *session, const struct tcgrr_run *run,
                        GError **error)
{
    bool full = g_strcmp0(run->level, tcgrr_level_name(TCGRR_LEVEL_FULL)) == 0;
    return (!full || (store_memory_map(writer, session, error) && note_accesses(writer, session, run, error))) &&
           note_dropped_events(writer, session, error);
}
