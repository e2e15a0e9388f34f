/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each key does. */
#ifdef TCGRR_NCURSES
#include "cli/browse/view_internal.h"

#include <curses.h>
#include <jansson.h>
#include <string.h>

/* ---- after a move ---- */

/* The other run follows. */
static bool follow(struct view *view, GError **error)
{
    struct browse_run *other = view->options->runs[1 - view->active];
    g_clear_pointer(&view->frames, g_ptr_array_unref);
    if (!other) {
        return true;
    }
    tcgrr_icount icount = browse_run_place(view_run(view)).icount;
    return browse_go(other, browse_pair_other(view->options->pair, view->active, icount), error);
}

static bool moved(struct view *view, bool did, const char *none, GError **error)
{
    if (!did) {
        view_say(view, "%s", none);
    }
    return follow(view, error);
}

typedef bool mover(struct browse_run *run, enum browse_direction direction, bool *moved, GError **error);

static bool go(struct view *view, mover *to, enum browse_direction direction, const char *none, GError **error)
{
    bool did;
    return to(view_run(view), direction, &did, error) && moved(view, did, none, error);
}

/* ---- moves ---- */

static bool next_insn(struct view *view, GError **error)
{
    return go(view, browse_step, BROWSE_ON, "this is the last instruction", error);
}

static bool previous_insn(struct view *view, GError **error)
{
    return go(view, browse_step, BROWSE_BACK, "this is the first instruction", error);
}

static bool by_page(struct view *view, enum browse_direction direction, GError **error)
{
    tcgrr_icount icount = browse_run_place(view_run(view)).icount;
    tcgrr_icount page = (tcgrr_icount)MAX(LINES / 2, 1);
    icount = direction == BROWSE_ON ? icount + page : icount - MIN(icount, page);
    return browse_go(view_run(view), icount, error) && follow(view, error);
}

static bool next_page(struct view *view, GError **error)
{
    return by_page(view, BROWSE_ON, error);
}

static bool previous_page(struct view *view, GError **error)
{
    return by_page(view, BROWSE_BACK, error);
}

static bool first(struct view *view, GError **error)
{
    return browse_go(view_run(view), 0, error) && follow(view, error);
}

static bool last(struct view *view, GError **error)
{
    return browse_go(view_run(view), UINT64_MAX, error) && follow(view, error);
}

static bool same_pc(struct browse_run *run, enum browse_direction direction, bool *did, GError **error)
{
    return browse_pc(run, browse_run_place(run).pc, direction, did, error);
}

static bool next_same(struct view *view, GError **error)
{
    return go(view, same_pc, BROWSE_ON, "this instruction does not run again", error);
}

static bool previous_same(struct view *view, GError **error)
{
    return go(view, same_pc, BROWSE_BACK, "this instruction did not run before", error);
}

static bool next_block(struct view *view, GError **error)
{
    return go(view, browse_block, BROWSE_ON, "this block does not run again", error);
}

static bool previous_block(struct view *view, GError **error)
{
    return go(view, browse_block, BROWSE_BACK, "this block did not run before", error);
}

static bool next_event(struct view *view, GError **error)
{
    return go(view, browse_event, BROWSE_ON, "there are no more events", error);
}

static bool previous_event(struct view *view, GError **error)
{
    return go(view, browse_event, BROWSE_BACK, "there are no events before", error);
}

static bool go_to_caller(struct view *view, GError **error)
{
    bool did;
    return browse_caller(view_run(view), &did, error) && moved(view, did, "this function was not called", error);
}

/* ---- memory ---- */

static bool ask_address(struct view *view, GError **error)
{
    g_autofree char *text = view_ask("address: ");
    guint64 value = 0;
    if (!text || !*text) {
        return true;
    }
    const char *digits = g_str_has_prefix(text, "0x") ? text + 2 : text;
    view->has_address = g_ascii_string_to_unsigned(digits, 16, 0, UINT64_MAX, &value, NULL);
    view->address = value;
    view_say(view,
             view->has_address ? "a and A go to the accesses to 0x%" G_GINT64_MODIFIER "x" : "that is not an address",
             value);
    return true;
}

static bool access_of(struct view *view, enum browse_direction direction, GError **error)
{
    bool did;
    if (!browse_has_accesses(view_run(view))) {
        g_autofree char *command = browse_fill_command(view_run(view), TCGRR_LEVEL_FULL);
        view_say(view, "no memory accesses here; %s", command);
        return true;
    }
    if (!view->has_address && (!ask_address(view, error) || !view->has_address)) {
        return true;
    }
    return browse_access(view_run(view), view->address, direction, &did, error) &&
           moved(view, did, "there is no other access to it", error);
}

static bool next_access(struct view *view, GError **error)
{
    return access_of(view, BROWSE_ON, error);
}

static bool previous_access(struct view *view, GError **error)
{
    return access_of(view, BROWSE_BACK, error);
}

/* ---- places that are asked for ---- */

static bool go_to(struct view *view, GError **error)
{
    g_autofree char *text = view_ask("go to (icount, 12.5%, symbol, 0x address): ");
    bool did = true;
    return !text || !*text || (browse_find(view_run(view), text, &did, error) && follow(view, error));
}

static bool search_on(struct view *view, enum browse_direction direction, GError **error)
{
    bool did;
    if (!view->search) {
        view_say(view, "nothing to search for yet; press / first");
        return true;
    }
    return browse_search(view_run(view), view->search, direction, &did, error) &&
           moved(view, did, "no other instruction has this text", error);
}

static bool search(struct view *view, GError **error)
{
    char *text = view_ask("search instructions for: ");
    if (!text || !*text) {
        g_free(text);
        return true;
    }
    g_free(view->search);
    view->search = text;
    return search_on(view, BROWSE_ON, error);
}

static bool search_next(struct view *view, GError **error)
{
    return search_on(view, BROWSE_ON, error);
}

static bool search_previous(struct view *view, GError **error)
{
    return search_on(view, BROWSE_BACK, error);
}

/* ---- bookmarks ---- */

static bool bookmark(struct view *view, GError **error)
{
    g_autofree char *text = view_ask("bookmark's name (empty: remove it; Escape: leave it): ");
    if (!text) {
        return true;
    }
    if (!browse_bookmark(view_run(view), text, error)) {
        return false;
    }
    view_say(view, "%s", *text ? "the bookmark is in the trace now" : "no bookmark here");
    return true;
}

static bool to_bookmark(struct view *view, enum browse_direction direction, GError **error)
{
    const GPtrArray *marks = browse_bookmarks(view_run(view));
    tcgrr_icount icount = browse_run_place(view_run(view)).icount;
    const struct browse_line *to = NULL;

    for (guint i = 0; i < marks->len; i++) {
        const struct browse_line *mark = g_ptr_array_index(marks, i);
        if (direction == BROWSE_BACK ? mark->icount < icount : mark->icount > icount && !to) {
            to = mark;
        }
    }
    if (!to) {
        view_say(view, "no bookmark in this direction");
        return true;
    }
    view_say(view, "%s", to->text);
    return browse_go(view_run(view), to->icount, error) && follow(view, error);
}

static bool next_bookmark(struct view *view, GError **error)
{
    return to_bookmark(view, BROWSE_ON, error);
}

static bool previous_bookmark(struct view *view, GError **error)
{
    return to_bookmark(view, BROWSE_BACK, error);
}

/* ---- two runs ---- */

static bool difference(struct view *view, enum browse_direction direction, GError **error)
{
    if (!view->options->pair) {
        view_say(view, "this needs two traces: tcgrr browse TRACE_A TRACE_B");
        return true;
    }
    tcgrr_icount icount = browse_run_place(view_run(view)).icount;
    const struct browse_difference *to = browse_pair_next(view->options->pair, view->active, icount, direction);
    g_clear_pointer(&view->frames, g_ptr_array_unref);
    if (!to) {
        view_say(view, "no difference in this direction");
        return true;
    }
    view_say(view, "%s", to->kind);
    return browse_go(view->options->runs[0], to->icount[0], error) &&
           browse_go(view->options->runs[1], to->icount[1], error);
}

static bool next_difference(struct view *view, GError **error)
{
    return difference(view, BROWSE_ON, error);
}

static bool previous_difference(struct view *view, GError **error)
{
    return difference(view, BROWSE_BACK, error);
}

static bool other_run(struct view *view, GError **error)
{
    if (view->options->runs[1]) {
        view->active = 1 - view->active;
        g_clear_pointer(&view->frames, g_ptr_array_unref);
    }
    return true;
}

/* ---- other programs ---- */

static bool why(struct view *view, GError **error)
{
    g_autofree char *what = view_ask("where does it come from (a register, or 0xADDRESS:SIZE): ");
    g_autofree char *at = g_strdup_printf("%" G_GUINT64_FORMAT, browse_run_place(view_run(view)).icount);
    if (what && *what) {
        const char *words[] = {view->options->program, "why", browse_run_path(view_run(view)), "--at", at, what, NULL};
        view_run_program(view, words);
    }
    return true;
}

/* The icount of the newest step in what `why --json` printed; false with what it says instead. */
static bool newest_step(const char *text, tcgrr_icount *icount, char **instead)
{
    json_t *object = json_loads(text ? text : "", 0, NULL);
    const json_t *step = json_array_get(json_object_get(object, "steps"), 0);
    const char *ends = json_string_value(json_object_get(object, "ends"));
    const char *problem = json_string_value(json_object_get(json_object_get(object, "error"), "text"));

    *icount = (tcgrr_icount)json_integer_value(json_object_get(step, "icount"));
    *instead = step ? NULL : g_strdup(problem ? problem : ends ? ends : "tcgrr why did not answer");
    json_decref(object);
    return step != NULL;
}

static bool to_writer(struct view *view, GError **error)
{
    g_autofree char *what = view_ask("go to what wrote (a register, or 0xADDRESS:SIZE): ");
    g_autofree char *at = g_strdup_printf("%" G_GUINT64_FORMAT, browse_run_place(view_run(view)).icount);
    const char *words[] = {view->options->program,
                           "why",
                           browse_run_path(view_run(view)),
                           "--at",
                           at,
                           "--depth",
                           "1",
                           "--json",
                           what,
                           NULL};
    g_autofree char *answer = NULL;
    g_autofree char *instead = NULL;
    tcgrr_icount icount;

    if (!what || !*what) {
        return true;
    }
    view_say(view, "looking for what wrote %s …", what);
    view_draw(view);
    view_say(view, "wrote %s before icount %s", what, at);
    if (!g_spawn_sync(NULL, (char **)words, NULL, G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &answer, NULL, NULL, error)) {
        return false;
    }
    if (!newest_step(answer, &icount, &instead)) {
        view_say(view, "%s", instead);
        return true;
    }
    return browse_go(view_run(view), icount, error) && follow(view, error);
}

static bool debugger(struct view *view, GError **error)
{
    g_autofree char *at = g_strdup_printf("%" G_GUINT64_FORMAT, browse_run_place(view_run(view)).icount);
    const char *words[] = {view->options->program, "gdb", browse_run_path(view_run(view)), at, NULL};
    view_run_program(view, words);
    return true;
}

static bool help(struct view *view, GError **error)
{
    view->help = true;
    return true;
}

static bool leave(struct view *view, GError **error)
{
    view->quit = true;
    return true;
}

const struct view_key view_keys[] = {
    {'j', KEY_DOWN, "j Down", "next instruction", next_insn},
    {'k', KEY_UP, "k Up", "previous instruction", previous_insn},
    {' ', KEY_NPAGE, "Space PgDn", "half a screen forwards", next_page},
    {'-', KEY_PPAGE, "- PgUp", "half a screen backwards", previous_page},
    {'<', KEY_HOME, "< Home", "the run's first instruction", first},
    {'>', KEY_END, "> End", "the run's last instruction", last},
    {'g', 0, "g", "go to an icount, 12.5%, a symbol or a 0x address (its next execution)", go_to},
    {'i', 0, "i", "next execution of this instruction", next_same},
    {'I', 0, "I", "previous execution of this instruction", previous_same},
    {'b', 0, "b", "next execution of this block", next_block},
    {'B', 0, "B", "previous execution of this block", previous_block},
    {'e', 0, "e", "next event: interrupt, exception, system call", next_event},
    {'E', 0, "E", "previous event", previous_event},
    {'u', 0, "u", "up: the call of this function, or what was interrupted", go_to_caller},
    {'m', 0, "m", "set the address for a and A", ask_address},
    {'a', 0, "a", "next access to the address (level full)", next_access},
    {'A', 0, "A", "previous access to the address", previous_access},
    {'/', 0, "/", "search forwards for text in the instructions that run", search},
    {'n', 0, "n", "search again", search_next},
    {'N', 0, "N", "search backwards", search_previous},
    {'M', 0, "M", "set a bookmark in the trace", bookmark},
    {'\'', 0, "'", "next bookmark", next_bookmark},
    {'"', 0, "\"", "previous bookmark", previous_bookmark},
    {'d', 0, "d", "two traces: next difference", next_difference},
    {'D', 0, "D", "two traces: previous difference", previous_difference},
    {'\t', 0, "Tab", "two traces: switch to the other one", other_run},
    {'w', 0, "w", "why: what wrote a register or memory (tcgrr why)", why},
    {'W', 0, "W", "go to the instruction that wrote a register or memory", to_writer},
    {'G', 0, "G", "open gdb here (tcgrr gdb)", debugger},
    {'?', 'h', "? h", "all keys", help},
    {'q', 0, "q", "leave", leave},
    {0},
};
#endif
