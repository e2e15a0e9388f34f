/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/browse/view.h"

#include "store/error.h"

#ifndef TCGRR_NCURSES

bool browse_view_available(void)
{
    return false;
}

bool browse_view(const struct browse_view_options *options, GError **error)
{
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "this tcgrr was built without ncurses");
    return false;
}

char *browse_view_keys(void)
{
    return g_strdup("");
}

#else

#include "cli/browse/view_internal.h"

#include <errno.h>
#include <curses.h>
#include <locale.h>
#include <stdlib.h>

bool browse_view_available(void)
{
    return true;
}

char *browse_view_keys(void)
{
    GString *text = g_string_new("Keys:\n");
    for (const struct view_key *key = view_keys; key->name; key++) {
        g_string_append_printf(text, "  %-11s %s\n", key->name, key->text);
    }
    return g_string_free(text, FALSE);
}

void view_say(struct view *view, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_free(view->status);
    view->status = g_strdup_vprintf(format, arguments);
    va_end(arguments);
}

/* Waits for a key and uses the time to find out the call stack. */
static int next_key(struct view *view)
{
    GError *error = NULL;
    int key = ERR;

    timeout(0);
    while (!view->frames && (key = getch()) == ERR) {
        if (!browse_stack(view_run(view), &view->frames, &error)) {
            view_say(view, "%s", error->message);
            g_clear_error(&error);
            view->frames = g_ptr_array_new();
        }
    }
    if (key == ERR) {
        view_draw(view);
        timeout(-1);
        errno = 0;
        key = getch();
        /* The terminal is gone, but no SIGHUP arrived to end us. */
        view->quit = key == ERR && errno != EINTR;
    }
    return key;
}

static void press(struct view *view, int pressed)
{
    GError *error = NULL;
    const struct view_key *key = view_keys;

    g_clear_pointer(&view->status, g_free);
    if (view->help) {
        view->help = false;
        return;
    }
    while (key->name && key->key != pressed && (key->other == 0 || key->other != pressed)) {
        key++;
    }
    if (!key->name) {
        if (pressed != KEY_RESIZE) {
            view_say(view, "this key does nothing; ? lists all");
        }
    } else if (!key->act(view, &error)) {
        view_say(view, "%s", error->message);
        g_clear_error(&error);
    }
}

bool browse_view(const struct browse_view_options *options, GError **error)
{
    struct view view = {.options = options,
                        .status = g_strdup(options->message ? options->message : "? lists all keys")};

    setlocale(LC_CTYPE, "");
    setenv("ESCDELAY", "25", 0);
    SCREEN *screen = newterm(NULL, stdout, stdin);
    if (!screen) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "this terminal (TERM=%s) is not known to ncurses",
                    g_getenv("TERM") ? g_getenv("TERM") : "");
        g_free(view.status);
        return false;
    }
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    curs_set(0);
    const char *plain = getenv("NO_COLOR");
    if (has_colors() && !(plain && *plain) && start_color() == OK && use_default_colors() == OK) {
        init_pair(VIEW_DIFFERS, COLOR_RED, -1);
        init_pair(VIEW_EVENT, COLOR_CYAN, -1);
    }
    while (!view.quit) {
        view_draw(&view);
        int key = next_key(&view);
        if (key != ERR) {
            press(&view, key);
        }
    }
    endwin();
    delscreen(screen);
    g_free(view.status);
    g_free(view.search);
    g_clear_pointer(&view.frames, g_ptr_array_unref);
    browse_bar_free(view.bars[0]);
    browse_bar_free(view.bars[1]);
    return true;
}
#endif
