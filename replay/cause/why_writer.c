/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/why_internal.h"

#include "replay/cause/last_writer.h"

static bool stores_to(const struct tcgrr_stop *stop, const struct tcgrr_memory_range *range)
{
    for (guint i = 0; i < stop->touched->len; i++) {
        const struct tcgrr_touched *touched = &g_array_index(stop->touched, struct tcgrr_touched, i);
        if (touched->operand.store && touched->ram && touched->physical < range->physical + range->size &&
            range->physical < touched->physical + touched->size) {
            return true;
        }
    }
    return false;
}

/* The last store before `before` in a stretch that was stepped through, if it reaches up to there. */
static bool store_in_stretch(const GPtrArray *stops, struct tcgrr_slice_use *use, tcgrr_icount before)
{
    guint at = 0;

    while (at < stops->len && tcgrr_slice_stop_at(stops, at)->moment < before) {
        at++;
    }
    for (; at < stops->len && at > 0; at--) {
        const struct tcgrr_stop *stop = tcgrr_slice_stop_at(stops, at - 1);
        if (tcgrr_slice_stop_at(stops, at)->moment > stop->moment && stores_to(stop, &use->range)) {
            use->writer = stop->moment;
            use->known = true;
            return true;
        }
    }
    return false;
}

static bool store_in_stops(const struct tcgrr_slice *slice, struct tcgrr_slice_use *use, tcgrr_icount before)
{
    bool found = false;
    for (guint i = 0; i < slice->stretches->len && !found; i++) {
        found = store_in_stretch(g_ptr_array_index(slice->stretches, i), use, before);
    }
    return found;
}

/* If QEMU does not report stores: finds the last one that changed the content, by reading memory at many places. */
static bool find_change(struct tcgrr_slice *slice, struct tcgrr_slice_use *use, struct tcgrr_last_writer *last,
                        GError **error)
{
    struct tcgrr_segment segment = {.watch = {slice->watched, slice->nowhere}};
    bool found;

    tcgrr_slice_say(slice, "looking for the last change before it is read", use->before);
    if (!tcgrr_last_change(slice->pair, &use->range, use->bytes, use->before, &segment.from, &segment.to, &found,
                           error)) {
        return false;
    }
    *last = (struct tcgrr_last_writer){
        .kind = TCGRR_LAST_WRITER_NONE,
        .reason = "it was the same each time that it was read (this QEMU does not report stores, "
                  "and a store of the same value shows no change)"};
    if (!found) {
        return true;
    }
    tcgrr_slice_say(slice, "stepping", segment.to);
    segment.more = 1;
    g_ptr_array_set_size(slice->stretches, 0);
    if (!tcgrr_replay_pair_walk_alone(slice->pair, &segment, 1, error)) {
        return false;
    }
    g_ptr_array_add(slice->stretches, segment.stops[0]);
    if (store_in_stops(slice, use, segment.to)) {
        *last = (struct tcgrr_last_writer){TCGRR_LAST_WRITER_FOUND, use->writer, NULL};
    } else {
        *last = (struct tcgrr_last_writer){TCGRR_LAST_WRITER_UNKNOWN, 0,
                                           "it changed where no instruction is known to store there"};
    }
    return true;
}

/* Sets use->writer; *over: it cannot be found, and the reason was added. */
bool tcgrr_slice_find_writer(struct tcgrr_slice *slice, struct tcgrr_slice_use *use, bool *over, GError **error)
{
    const struct tcgrr_why_options *options = slice->options;
    struct tcgrr_last_writer last = {.kind = TCGRR_LAST_WRITER_NONE};
    g_autofree char *name = tcgrr_slice_use_name(slice, use);

    *over = false;
    if (use->memory && store_in_stops(slice, use, use->before)) {
        return true;
    }
    if (use->memory) {
        struct tcgrr_last_store_options how = {options->reader, tcgrr_replay_pair_qemu(slice->pair, 0), options->plugin,
                                               options->stop, slice->log};
        tcgrr_icount from, seen;
        if (!tcgrr_access_log_reaches(slice->log, use->before, &from) ||
            !tcgrr_access_log_last_store(slice->log, &use->range, use->before, &seen)) {
            tcgrr_slice_say(slice, "looking for the last store before it is read", use->before);
        }
        if (!tcgrr_last_store_writer(&how, &use->range, use->before, &last, error) ||
            (last.kind == TCGRR_LAST_WRITER_UNREPORTED && !find_change(slice, use, &last, error))) {
            return false;
        }
    } else if (!tcgrr_last_register_writer(slice->pair, options->reader, use->index, slice->state, 0, use->before,
                                           &last, error)) {
        return false;
    }
    use->known = last.kind == TCGRR_LAST_WRITER_FOUND;
    use->writer = last.icount;
    *over = !use->known;
    bool by_linux = use->memory && g_strcmp0(tcgrr_reader_run(options->reader)->mode, "user") == 0;
    if (last.kind == TCGRR_LAST_WRITER_NONE && by_linux && !last.reason) {
        tcgrr_slice_add_end(
            slice,
            "start or input: %s: no instruction has written it since the run began: the program started with it, "
            "or a system call mapped or wrote it",
            name);
    } else if (last.kind == TCGRR_LAST_WRITER_NONE) {
        tcgrr_slice_add_end(slice, "start: %s: %s", name,
                            last.reason ? last.reason : "nothing has written it since the run began");
    } else if (last.kind == TCGRR_LAST_WRITER_UNKNOWN) {
        tcgrr_slice_add_end(slice, "unknown: what wrote %s before icount %" G_GUINT64_FORMAT " is not known: %s", name,
                            use->before, last.reason);
    }
    return true;
}
