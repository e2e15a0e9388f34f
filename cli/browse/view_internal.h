/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCGRR_CLI_BROWSE_VIEW_INTERNAL_H
#define TCGRR_CLI_BROWSE_VIEW_INTERNAL_H

#include "cli/browse/view.h"

struct view {
    const struct browse_view_options *options;
    int active; /* the run that keys move */
    char *status;
    char *search;
    uint64_t address; /* that "next access" is about */
    bool has_address;
    bool help;
    bool quit;
    struct browse_bar *bars[2];
    GPtrArray *frames; /* the active run's stack; NULL: not known yet */
};

static inline struct browse_run *view_run(const struct view *view)
{
    return view->options->runs[view->active];
}

/* ---- keys (view_keys.c) ---- */

struct view_key {
    int key;
    int other; /* another key for the same; 0: none */
    const char *name;
    const char *text;
    bool (*act)(struct view *view, GError **error);
};
/* Ends with a row whose name is NULL. */
extern const struct view_key view_keys[];

/* Shows a short text at the bottom; printf-like. */
void view_say(struct view *view, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* ---- drawing (view_draw.c) ---- */

/* Colour pairs; a terminal without colours shows them like other text. */
enum { VIEW_DIFFERS = 1, VIEW_EVENT };

void view_draw(struct view *view);
/* Asks for a line at the bottom; NULL if the user pressed Escape. Owned by the caller. */
char *view_ask(const char *question);
/* Gives the screen to another program until it ends and the user presses a key. */
void view_run_program(struct view *view, const char *const *words);

#endif
