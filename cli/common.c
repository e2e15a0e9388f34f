/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/fill.h"
#include "cli/man.h"

#include "store/error.h"
#include "store/layers.h"
#include "store/symbols.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_NAME 40 /* letters of a word that is compared with names */

/* One process runs one command, so the state of its output is global. */
static struct {
    bool json;    /* --json was given */
    bool printed; /* standard output has its object */
    bool man;     /* --help is asked for as a manual page */
    char *error;  /* the last one that was said */
    char *command;
    json_t *keys;   /* go with the error */
    json_t *object; /* the command's own, which is printed when the command has ended */
} output;

char *cli_quote_words(const char *const *words)
{
    static const char plain[] = G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_=+,.:/@%";
    GString *line = g_string_new(NULL);

    for (; words && *words; words++) {
        bool safe = **words && (*words)[strspn(*words, plain)] == '\0';
        g_autofree char *quoted = safe ? g_strdup(*words) : g_shell_quote(*words);
        g_string_append_printf(line, "%s%s", line->len ? " " : "", quoted);
    }
    return g_string_free(line, FALSE);
}

const char *cli_command_line(void)
{
    return output.command ? output.command : "";
}

void cli_begin(int argc, char **argv)
{
    g_autofree char *arguments = cli_quote_words((const char *const *)argv + 1);

    output.command = g_strconcat("tcgrr ", arguments, NULL);
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        output.json = output.json || strcmp(argv[i], "--json") == 0;
    }
}

json_t *cli_json_error(int status)
{
    return json_pack("{s:o, s:i}", "text", cli_json_text(output.error ? output.error : "interrupted"), "exit", status);
}

/* Whether standard output failed. A closed pipe is no failure: its reader wants no more output. */
static bool output_is_lost(void)
{
    struct pollfd output_end = {.fd = STDOUT_FILENO, .events = POLLOUT};

    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return false;
    }
    return poll(&output_end, 1, 0) != 1 || !(output_end.revents & POLLERR);
}

int cli_check_output(int status)
{
    if (output_is_lost()) {
        cli_note("standard output could not take all of the result; is its disk full?");
        status = MAX(status, CLI_FAILED);
    }
    return status;
}

void cli_flush_json(void)
{
    if (output.object) {
        json_dumpf(output.object, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(output.object);
        output.object = NULL;
    }
    fflush(stdout);
}

void cli_finish_output(int status)
{
    bool failed = status != CLI_OK && status != CLI_DIVERGED;

    if (output.object && failed && output.error && !json_object_get(output.object, "error")) {
        json_object_set_new(output.object, "error", cli_json_error(status));
    } else if (output.json && !output.printed && status != CLI_OK) {
        json_t *object = json_pack("{s:o}", "error", cli_json_error(status));
        json_object_update(object, output.keys);
        cli_print_json(object);
    }
    cli_flush_json();
    json_decref(output.keys);
    output.keys = NULL;
    g_clear_pointer(&output.command, g_free);
    g_clear_pointer(&output.error, g_free);
}

void cli_help_is_man(void)
{
    output.man = true;
}

void cli_json_begun(void)
{
    output.printed = true;
}

/* Whether the terminal's last line is one of progress. */
static bool progress_shown;

void cli_progress_clear(void)
{
    if (progress_shown) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
        progress_shown = false;
    }
}

void cli_progress(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    fprintf(stderr, "\r\033[Ktcgrr: %s", text);
    fflush(stderr);
    progress_shown = true;
}

/* A message may contain what a QEMU or a guest printed, whose control characters are not for the terminal. */
static void replace_controls(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c; c++) {
        bool c1 = c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0; /* U+0080 to U+009F */
        if (c1 || *c == 0x7f || (*c < ' ' && *c != '\n' && *c != '\t')) {
            c[c1] = '?';
            *c = '?';
        }
    }
}

void cli_note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    replace_controls(text);
    cli_progress_clear();
    fprintf(stderr, "tcgrr: %s\n", text);
}

void cli_say_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_free(output.error);
    output.error = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    cli_note("%s", output.error);
}

/* The edit distance: the number of letters to insert, remove, replace or swap with the next one to turn `b` into `a`.
 * */
static size_t edits(const char *a, const char *b)
{
    size_t rows[3][MAX_NAME + 1];
    size_t length = strlen(b);

    if (length > MAX_NAME || strlen(a) > MAX_NAME) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= length; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; a[i - 1]; i++) {
        size_t *now = rows[i % 3];
        const size_t *before = rows[(i + 2) % 3];
        now[0] = i;
        for (size_t j = 1; j <= length; j++) {
            now[j] = MIN(MIN(before[j], now[j - 1]) + 1, before[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                now[j] = MIN(now[j], rows[(i + 1) % 3][j - 2] + 1);
            }
        }
    }
    return rows[strlen(a) % 3][length];
}

const char *cli_nearest(const char *word, const char *const *names)
{
    const char *best = NULL;
    size_t fewest = MAX(strlen(word) / 3, 1) + 1;

    for (; *names; names++) {
        size_t needed = edits(word, *names);
        bool begins = strlen(word) > 1 && g_str_has_prefix(*names, word);
        needed = begins ? 0 : needed;
        if (needed < fewest) {
            fewest = needed;
            best = *names;
        }
    }
    return best;
}

/* Prints what is wrong with an option, and which one was probably meant. */
static void refuse_option(const struct cli_command *command, const GOptionEntry *options, const char *message)
{
    const char *unknown = strstr(message, " --");
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    const char *meant = NULL;

    for (; options->long_name; options++) {
        g_ptr_array_add(names, (gpointer)options->long_name);
    }
    g_ptr_array_add(names, NULL);
    if (unknown && g_str_has_prefix(message, "Unknown option")) {
        g_autofree char *word = g_strndup(unknown + 3, strcspn(unknown + 3, "= "));
        meant = cli_nearest(word, (const char *const *)names->pdata);
    }
    if (meant) {
        cli_usage(command, "%s; did you mean --%s?", message, meant);
    } else {
        cli_usage(command, "%s", message);
    }
}

bool cli_parse(const struct cli_command *command, const GOptionEntry *options, bool stop_at_word, int *argc,
               char ***argv)
{
    GError *error = NULL;
    g_autoptr(GOptionContext) context = g_option_context_new(command->synopsis);
    g_autofree char *program = g_strdup_printf("tcgrr %s", command->name);

    if (output.man) {
        cli_man_command(command, options);
        exit(CLI_OK);
    }
    g_set_prgname(program);
    g_option_context_set_summary(context, command->summary);
    g_option_context_set_description(context, command->examples);
    g_option_context_set_strict_posix(context, stop_at_word);
    g_option_context_add_main_entries(context, options, NULL);
    for (int i = 1; i < *argc && strcmp((*argv)[i], "--") != 0; i++) {
        if (strcmp((*argv)[i], "--help") == 0) {
            cli_page();
        }
    }
    if (!g_option_context_parse(context, argc, argv, &error)) {
        refuse_option(command, options, error->message);
        g_error_free(error);
        return false;
    }
    if (*argc > 1 && strcmp((*argv)[1], "--") == 0) {
        (*argv)[1] = (*argv)[0];
        (*argv)++;
        (*argc)--;
    }
    return true;
}

char **cli_split_rest(int *argc, char **argv)
{
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            argv[i] = NULL;
            *argc = i;
            return argv + i + 1;
        }
    }
    return argv + *argc;
}

int cli_usage(const struct cli_command *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    cli_say_error("%s; see tcgrr %s --help", text, command->name);
    return CLI_USAGE;
}

/* A signal handler can reach nothing else. */
static volatile int caught_signal;

static void catch (int number)
{
    static const char text[] = "\ntcgrr: stopping QEMU cleanly; press Ctrl-C again to kill it\n";
    if (caught_signal == 0 && write(STDERR_FILENO, text, sizeof(text) - 1) < 0) {
        /* nobody to tell */
    }
    caught_signal = caught_signal ? number + CLI_ASKED_AGAIN : number;
}

const volatile int *cli_catch_signals(void)
{
    struct sigaction action = {.sa_handler = catch, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    return &caught_signal;
}

int cli_stopped_status(int number)
{
    return 128 + number % CLI_ASKED_AGAIN;
}

bool cli_comparable(const struct tcgrr_run *const runs[2], const char *const paths[2], GError **error)
{
    const struct tcgrr_run *a = runs[0], *b = runs[1];

    if (strcmp(a->target, b->target) == 0 && strcmp(a->mode, b->mode) == 0) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "%s is %s %s mode, %s is %s %s mode", paths[0], a->target,
                a->mode, paths[1], b->target, b->mode);
    return false;
}

int cli_fail(GError *error)
{
    int status = error->domain == TCGRR_ERROR && error->code == TCGRR_ERROR_USAGE ? CLI_USAGE : CLI_FAILED;
    bool interrupted = caught_signal != 0 && !g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED);
    if (caught_signal) { /* a terminal sends it to QEMU, too, so that anything may have failed */
        status = cli_stopped_status(caught_signal);
    }
    cli_say_error("%s%s", interrupted ? "interrupted; " : "", error->message);
    g_error_free(error);
    return status;
}

char *cli_plugin_path(GError **error)
{
    static const char *const places[] = {"libtcgrr-plugin.so", "../" TCGRR_LIBDIR "/tcgrr/libtcgrr-plugin.so"};
    const char *given = g_getenv("TCGRR_PLUGIN");
    if (given && *given && !g_file_test(given, G_FILE_TEST_EXISTS)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "TCGRR_PLUGIN names %s, which does not exist; unset it or give the path of libtcgrr-plugin.so",
                    given);
        return NULL;
    }
    if (given && *given) {
        return g_strdup(given);
    }
    g_autofree char *self = g_file_read_link("/proc/self/exe", error);
    if (!self) {
        return NULL;
    }
    g_autofree char *folder = g_path_get_dirname(self);
    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        g_autofree char *path = g_build_filename(folder, places[i], NULL);
        if (g_file_test(path, G_FILE_TEST_EXISTS)) {
            return g_canonicalize_filename(path, NULL);
        }
    }
    g_set_error(
        error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
        "libtcgrr-plugin.so is neither next to %s nor in its lib folder; install tcgrr again or set TCGRR_PLUGIN",
        self);
    return NULL;
}

void cli_print_json(json_t *object)
{
    cli_json_begun();
    cli_flush_json();
    output.object = object;
}

int cli_output_result(json_t *object, bool json, const char *html, int status)
{
    GError *error = NULL;

    if (html && !cli_write_page(html, object, &error)) {
        status = cli_fail(error);
    }
    if (json) {
        cli_print_json(json_incref(object));
    }
    json_decref(object);
    return status;
}

bool cli_is_database(const char *path)
{
    static const char magic[] = "SQLite format 3";
    char start[sizeof(magic)] = "";
    FILE *file = g_file_test(path, G_FILE_TEST_IS_REGULAR) ? fopen(path, "rbe") : NULL;
    bool found =
        file && fread(start, 1, sizeof(start), file) == sizeof(start) && memcmp(start, magic, sizeof(start)) == 0;

    if (file) {
        fclose(file);
    }
    return found;
}

bool cli_check_page(const char *html)
{
    g_autofree char *folder = html ? g_path_get_dirname(html) : NULL;
    bool good = !html || (g_file_test(html, G_FILE_TEST_EXISTS) ? access(html, W_OK) : access(folder, W_OK)) == 0;

    if (html && good && (g_file_test(html, G_FILE_TEST_IS_DIR) || cli_is_database(html))) {
        cli_say_error("--html: %s is a %s; name another file for the page", html,
                      g_file_test(html, G_FILE_TEST_IS_DIR) ? "folder" : "trace");
        return false;
    }
    if (!good) {
        cli_say_error("--html: cannot write %s: %s", html, g_strerror(errno));
    }
    return good;
}

void cli_error_keys(json_t *object)
{
    json_decref(output.keys);
    output.keys = object;
}

json_t *cli_json_text(const char *text)
{
    g_autofree char *valid = text ? g_utf8_make_valid(text, -1) : NULL;
    return valid ? json_string(valid) : json_null();
}

json_t *cli_json_address(uint64_t address)
{
    return json_sprintf("0x%llx", (unsigned long long)address);
}

void cli_json_translation(json_t *object, const char *from, const char *to)
{
    json_object_set_new(object, "translation", json_pack("{s:s, s:s}", "from", from, "to", to));
}

/* The newest trace in the current folder; NULL if there is none. Owned by the caller. */
static char *newest_trace(void)
{
    GDir *folder = g_dir_open(".", 0, NULL);
    char *newest = NULL;
    struct timespec latest = {0};
    const char *name;

    while (folder && (name = g_dir_read_name(folder))) {
        struct stat status;
        if (!g_str_has_suffix(name, ".tcgrr") || stat(name, &status) != 0 || !S_ISREG(status.st_mode)) {
            continue;
        }
        if (!newest || status.st_mtim.tv_sec > latest.tv_sec ||
            (status.st_mtim.tv_sec == latest.tv_sec && status.st_mtim.tv_nsec > latest.tv_nsec)) {
            g_free(newest);
            newest = g_strdup(name);
            latest = status.st_mtim;
        }
    }
    if (folder) {
        g_dir_close(folder);
    }
    return newest;
}

char *cli_one_trace(const struct cli_command *command, int argc, char **argv)
{
    char *trace = argc == 2 ? g_strdup(argv[1]) : argc == 1 ? newest_trace() : NULL;

    if (!trace) {
        cli_usage(command, "%s takes one trace%s", command->name,
                  argc == 1 ? ", and there is none in the current folder" : "");
    } else if (argc == 1) {
        cli_note("using %s, the newest trace in the current folder", trace);
    }
    return trace;
}

struct tcgrr_reader *cli_open_trace(const char *path, int *status)
{
    GError *error = NULL;
    struct tcgrr_reader *reader = tcgrr_reader_open(path, &error);
    if (!reader) {
        *status = cli_fail(error);
    }
    return reader;
}

struct tcgrr_reader *cli_open_trace_at(const char *path, enum tcgrr_level level, bool fill, int *status)
{
    struct tcgrr_reader *reader = cli_open_trace(path, status);
    GError *error = NULL;

    while (reader && !tcgrr_reader_need_level(reader, level, true, &error)) {
        g_clear_pointer(&reader, tcgrr_reader_free);
        if (cli_fill_lack(path, fill, g_steal_pointer(&error), status)) {
            reader = cli_open_trace(path, status);
            fill = false; /* it is there now */
        }
    }
    return reader;
}

struct tcgrr_symbols *cli_trace_symbols(struct tcgrr_reader *reader)
{
    struct tcgrr_symbols *symbols = tcgrr_symbols_new();
    g_autoptr(GError) error = NULL;

    if (!tcgrr_symbols_add_trace(symbols, reader, &error)) {
        cli_note("names of functions are missing: %s", error->message);
    }
    return symbols;
}
