/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The screen: instructions on the left, or of two runs side by side; stack, events and registers on the right; a bar of
 * the whole run and a line of text at the bottom. */
#ifdef TCGRR_NCURSES
#include "cli/browse/view_internal.h"

#include "cli/cli.h"

#include <curses.h>
#include <string.h>

#define LEAST_LINES   8
#define LEAST_COLUMNS 40
#define LONGEST_LINE  250 /* letters of an answer */
#define ESCAPE        27
#define CONTROL_U     21

/* A part of the screen. */
struct pane {
    int top;
    int left;
    int lines;
    int columns;
};

/* Writes a line of a pane, cut to its width. Text of the guest's has no escapes in it; what is not printable shows as
 * a question mark. */
static void put(const struct pane *pane, int line, attr_t attributes, const char *text)
{
    if (line >= pane->lines || pane->columns < 1) {
        return;
    }
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    for (char *at = valid; *at; at = g_utf8_next_char(at)) {
        if (g_ascii_iscntrl(*at)) {
            *at = '?';
        }
    }
    *g_utf8_offset_to_pointer(valid, MIN(g_utf8_strlen(valid, -1), pane->columns)) = '\0';
    attrset(attributes);
    mvaddstr(pane->top + line, pane->left, valid);
    attrset(A_NORMAL);
}

static void title(const struct pane *pane, int line, const char *text)
{
    g_autofree char *full = g_strdup_printf("%-*s", pane->columns, text);
    put(pane, line, A_UNDERLINE, full);
}

/* ---- instructions ---- */

static const char *bookmark_at(const struct browse_run *run, tcgrr_icount icount)
{
    const GPtrArray *marks = browse_bookmarks(run);
    for (guint i = 0; i < marks->len; i++) {
        const struct browse_line *mark = g_ptr_array_index(marks, i);
        if (mark->icount == icount) {
            return mark->text;
        }
    }
    return NULL;
}

/* '|' and corners of ASCII mark a block. */
static char block_mark(const struct browse_row *row)
{
    return row->begins && row->ends ? '[' : row->begins ? '/' : row->ends ? '\\' : '|';
}

static void draw_row(const struct pane *pane, int line, const struct browse_run *run, const struct browse_row *row,
                     bool here, bool differs)
{
    g_autofree char *icount = cli_number(row->icount);
    g_autofree char *longest = cli_number(browse_run_length(run));
    g_autofree char *text = NULL;
    int width = (int)strlen(longest) + 1;
    attr_t attributes = here ? A_REVERSE : A_NORMAL;

    if (row->kind == BROWSE_EVENT) {
        text = g_strdup_printf("%*s ~ %s", width, icount, row->text);
        put(pane, line, A_BOLD | COLOR_PAIR(VIEW_EVENT), text);
        return;
    }
    const char *mark = row->kind == BROWSE_INSN ? bookmark_at(run, row->icount) : NULL;
    const char *place = (row->begins || here) && row->symbol ? row->symbol : "";
    text = g_strdup_printf("%*s %c%c0x%" G_GINT64_MODIFIER "x  %-*s %s%s%s%s", width,
                           row->kind == BROWSE_INSN ? icount : "", block_mark(row), differs ? '!' : ' ', row->pc,
                           pane->columns > 76 ? 36 : 26, row->text, mark ? "* " : "", mark ? mark : "",
                           mark ? "  " : "", place);
    if (row->kind == BROWSE_NOT_REACHED) {
        attributes |= A_DIM;
    }
    attributes |= differs ? COLOR_PAIR(VIEW_DIFFERS) : A_NORMAL;
    put(pane, line, attributes, text);
}

static bool is_insn(const GPtrArray *rows, int i)
{
    return i >= 0 && i < (int)rows->len && ((struct browse_row *)g_ptr_array_index(rows, i))->kind == BROWSE_INSN;
}

/* The rows around one run's place, and those of the other one to compare them with. */
static void draw_rows(const struct pane *pane, const struct browse_run *run, const GPtrArray *rows, guint here,
                      const GPtrArray *others, guint there)
{
    int first = (int)here - pane->lines / 3;
    for (int line = 0; line < pane->lines; line++) {
        int i = first + line;
        int other = (int)there + i - (int)here;
        if (i < 0 || i >= (int)rows->len) {
            continue;
        }
        const struct browse_row *row = g_ptr_array_index(rows, i);
        bool differs = others && is_insn(rows, i) && is_insn(others, other) &&
                       ((struct browse_row *)g_ptr_array_index(others, other))->pc != row->pc;
        draw_row(pane, line, run, row, i == (int)here, differs);
    }
}

static void draw_heading(const struct pane *pane, struct browse_run *run, bool active)
{
    struct browse_place place = browse_run_place(run);
    g_autofree char *icount = cli_number(place.icount);
    g_autofree char *length = cli_number(browse_run_length(run));
    g_autofree char *name = g_path_get_basename(browse_run_path(run));
    g_autofree char *text = g_strdup_printf(" %s  %s of %s (%.1f%%)  vCPU %u", name, icount, length,
                                            100.0 * (double)place.icount / (double)browse_run_length(run), place.vcpu);
    g_autofree char *full = g_strdup_printf("%-*s", pane->columns, text);
    put(pane, 0, active ? A_REVERSE : A_UNDERLINE, full);
}

/* ---- the right side ---- */

static int draw_stack(const struct pane *pane, const struct view *view, int line, int most)
{
    title(pane, line++, "Call stack");
    if (!view->frames) {
        put(pane, line++, A_DIM, "  …");
    }
    for (guint i = 0; view->frames && i < view->frames->len && (int)i < most; i++) {
        const struct browse_frame *frame = g_ptr_array_index(view->frames, i);
        g_autofree char *since = cli_number(frame->entered);
        g_autofree char *name =
            frame->symbol ? g_strdup(frame->symbol) : g_strdup_printf("0x%" G_GINT64_MODIFIER "x", frame->pc);
        g_autofree char *text = g_strdup_printf("  %-28s %s since %s%s%s", name, frame->kind, since,
                                                frame->line ? "  " : "", frame->line ? frame->line : "");
        put(pane, line++, A_NORMAL, text);
    }
    return line;
}

static int draw_lines(const struct pane *pane, GPtrArray *lines, guint here, int line, bool icounts)
{
    for (guint i = 0; lines && i < lines->len; i++) {
        const struct browse_line *entry = g_ptr_array_index(lines, i);
        g_autofree char *icount = cli_number(entry->icount);
        g_autofree char *text =
            icounts ? g_strdup_printf("  %15s %s", icount, entry->text) : g_strdup_printf("  %s", entry->text);
        put(pane, line++, i < here ? A_DIM : A_NORMAL, text);
    }
    return line;
}

static int draw_events(const struct pane *pane, struct browse_run *run, int line, guint count)
{
    guint here = 0;
    g_autoptr(GPtrArray) events = browse_events(run, count / 2, count - count / 2, &here, NULL);
    title(pane, line++, "Events");
    return draw_lines(pane, events, here, line, true);
}

static int draw_missing(const struct pane *pane, const struct browse_run *run, enum tcgrr_level level, int line)
{
    g_autofree char *command = browse_fill_command(run, level);
    put(pane, line++, A_DIM, "  not in this trace; to add them:");
    g_autofree char *text = g_strdup_printf("  %s", command);
    for (char *rest = text; *rest && line < pane->lines; rest += MIN(strlen(rest), (size_t)pane->columns)) {
        put(pane, line++, A_DIM, rest);
    }
    return line;
}

static int draw_memory(const struct pane *pane, struct browse_run *run, int line)
{
    title(pane, line++, "Memory accesses of this instruction");
    if (!browse_has_accesses(run)) {
        return draw_missing(pane, run, TCGRR_LEVEL_FULL, line);
    }
    g_autoptr(GPtrArray) accesses = browse_accesses(run, NULL);
    if (accesses && accesses->len == 0) {
        put(pane, line++, A_DIM, "  none");
    }
    return draw_lines(pane, accesses, 0, line, false);
}

static void draw_registers(const struct pane *pane, struct browse_run *run, int line)
{
    tcgrr_icount at = 0;
    g_autoptr(GPtrArray) registers = browse_has_registers(run) ? browse_registers(run, &at, NULL) : NULL;
    g_autofree char *when = cli_number(at);
    g_autofree char *heading =
        registers && registers->len ? g_strdup_printf("Registers, sampled at %s", when) : g_strdup("Registers");

    title(pane, line++, heading);
    if (!browse_has_registers(run)) {
        draw_missing(pane, run, TCGRR_LEVEL_STATE, line);
    } else if (registers && registers->len == 0) {
        put(pane, line, A_DIM, "  no sample before this point");
    } else {
        draw_lines(pane, registers, 0, line, false);
    }
}

static void draw_side(const struct pane *pane, const struct view *view)
{
    struct browse_run *run = view_run(view);
    int part = MAX(pane->lines / 4, 2);
    int line = draw_stack(pane, view, 0, part);
    line = draw_events(pane, run, line, (guint)part);
    line = draw_memory(pane, run, line);
    draw_registers(pane, run, line);
}

/* ---- the bar ---- */

static void draw_bar(const struct pane *pane, struct view *view)
{
    static const char *const levels[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const plain[] = {" ", ".", ".", ":", ":", "+", "+", "#", "#"};
    struct browse_run *run = view_run(view);
    struct browse_bar **bar = &view->bars[view->active];
    guint width = (guint)pane->columns;
    const GArray *keyframes = view->active == 0 ? view->options->keyframes : NULL;

    if (!*bar || (*bar)->width != width) {
        browse_bar_free(*bar);
        *bar = browse_bar_new(run, width, NULL);
    }
    if (!*bar) {
        return;
    }
    GString *code = g_string_new(NULL);
    GString *marks = g_string_new(NULL);
    for (guint i = 0; i < width; i++) {
        g_string_append(code, (MB_CUR_MAX > 1 ? levels : plain)[(*bar)->code[i]]);
        g_string_append_c(marks, (*bar)->events[i] > 9 ? '*' : (*bar)->events[i] ? ',' : ' ');
    }
    for (guint i = 0; keyframes && i < keyframes->len; i++) {
        marks->str[browse_bar_column(run, width, g_array_index(keyframes, tcgrr_icount, i))] = 'K';
    }
    marks->str[browse_bar_column(run, width, browse_run_place(run).icount)] = '^';
    put(pane, 0, A_NORMAL, code->str);
    put(pane, 1, A_NORMAL, marks->str);
    g_string_free(code, TRUE);
    g_string_free(marks, TRUE);
}

/* ---- all of it ---- */

static void draw_runs(struct view *view, int lines, int width)
{
    GPtrArray *rows[2] = {NULL, NULL};
    guint here[2] = {0, 0};
    int count = view->options->runs[1] ? 2 : 1;

    for (int i = 0; i < count; i++) {
        GError *error = NULL;
        rows[i] = browse_rows(view->options->runs[i], (guint)lines, (guint)lines, &here[i], &error);
        if (!rows[i]) {
            view_say(view, "%s", error->message);
            g_clear_error(&error);
        }
    }
    for (int i = 0; i < count; i++) {
        struct pane pane = {0, i * (width + 1), lines, width};
        draw_heading(&pane, view->options->runs[i], i == view->active);
        pane.top++;
        pane.lines--;
        if (rows[i]) {
            draw_rows(&pane, view->options->runs[i], rows[i], here[i], count == 2 ? rows[1 - i] : NULL, here[1 - i]);
        }
    }
    for (int i = 0; i < count; i++) {
        g_clear_pointer(&rows[i], g_ptr_array_unref);
    }
}

static void draw_help(void)
{
    g_autofree char *text = browse_view_keys();
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    int count = (int)g_strv_length(lines);
    int columns = count > LINES - 1 ? 2 : 1;
    for (int i = 0; i < count; i++) {
        int height = (count + columns - 1) / columns;
        struct pane pane = {0, i / height * (COLS / columns), LINES, COLS / columns - 1};
        put(&pane, i % height, A_NORMAL, lines[i]);
    }
}

void view_draw(struct view *view)
{
    bool two = view->options->runs[1] != NULL;
    int left = two ? (COLS - 1) / 2 : COLS > 100 ? COLS * 6 / 10 : COLS;
    int lines = LINES - 3;

    erase();
    if (view->help) {
        draw_help();
    } else if (LINES < LEAST_LINES || COLS < LEAST_COLUMNS) {
        mvaddstr(0, 0, "too small");
    } else {
        struct pane side = {0, left + 1, lines, COLS - left - 1};
        struct pane bar = {lines, 0, 2, COLS};
        struct pane status = {LINES - 1, 0, 1, COLS};
        draw_runs(view, lines, left);
        if (!two && side.columns > 20) {
            draw_side(&side, view);
        }
        draw_bar(&bar, view);
        g_autofree char *source = view->status ? NULL : browse_source(view_run(view));
        put(&status, 0, A_BOLD, view->status ? view->status : source ? source : "? lists all keys");
    }
    refresh();
}

char *view_ask(const char *question)
{
    GString *line = g_string_new(NULL);
    int key = ERR;

    curs_set(1);
    timeout(-1);
    while (key != '\n' && key != '\r' && key != KEY_ENTER && key != ESCAPE) {
        move(LINES - 1, 0);
        clrtoeol();
        printw("%s%s", question, line->str);
        key = getch();
        if (key == KEY_BACKSPACE || key == 127 || key == '\b') {
            const char *before = g_utf8_find_prev_char(line->str, line->str + line->len);
            g_string_truncate(line, before ? (gsize)(before - line->str) : 0);
        } else if (key == CONTROL_U) {
            g_string_truncate(line, 0);
        } else if (key >= ' ' && key < 256 && line->len < LONGEST_LINE) {
            g_string_append_c(line, (char)key);
        } else if (key == ERR) { /* a signal, or no terminal any more */
            key = ESCAPE;
        }
    }
    curs_set(0);
    return g_string_free(line, key == ESCAPE);
}

void view_run_program(struct view *view, const char *const *words)
{
    GError *error = NULL;

    def_prog_mode();
    endwin();
    if (!g_spawn_sync(NULL, (char **)words, NULL, G_SPAWN_CHILD_INHERITS_STDIN, NULL, NULL, NULL, NULL, NULL, &error)) {
        cli_note("%s", error->message);
        g_clear_error(&error);
    }
    printf("\nPress Enter to go back. ");
    fflush(stdout);
    for (int key = getchar(); key != '\n' && key != EOF; key = getchar()) {
    }
    reset_prog_mode();
    clearok(stdscr, TRUE);
}
#endif
