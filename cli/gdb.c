/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/gdb_server.h"

#include "cli/compare_options.h"
#include "emu/qemu/folder.h"
#include "emu/qemu/gdb_features.h"
#include "emu/qemu/scratch.h"
#include "lockstep/peer/address.h"
#include "replay/files.h"
#include "replay/replay.h"
#include "store/error.h"
#include "store/inputs.h"
#include "store/symbols.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * gdb's names for the targets that it calls differently from QEMU, and whether it has to be given the name: the other
 * targets it recognises from the description that QEMU's stub sends.
 */
static const struct architecture {
    const char *target;
    const char *name;
    bool told;
} architectures[] = {
    {"alpha", "alpha", true},         {"hppa", "hppa1.0", true},
    {"m68k", "m68k", true},           {"microblazeel", "microblaze", false},
    {"mips", "mips", true},           {"mips64", "mips:isa64", true},
    {"mips64el", "mips:isa64", true}, {"mipsel", "mips", true},
    {"ppc", "powerpc:common", true},  {"ppc64", "powerpc:common64", true},
    {"riscv32", "riscv:rv32", false}, {"riscv64", "riscv:rv64", false},
    {"s390x", "s390:64-bit", true},   {"sh4", "sh4", true},
    {"sh4eb", "sh4", true},           {"sparc", "sparc", true},
    {"sparc64", "sparc:v9", true},    {"x86_64", "i386:x86-64", false},
    {"xtensaeb", "xtensa", false},
};

struct context {
    char *qemu; /* as the user wrote them; owned */
    char *debugger;
    int timeout;
    char **rest; /* arguments for gdb */
    const char *where;
    const volatile int *asked; /* the signal that asked us to end, or 0 */
    volatile int over;         /* gdb has ended, or we were asked to */
    GPid pid;
    int status; /* how gdb ended, as waitpid() has it */
    bool lost;  /* the machine could not be served any further, which was said */
};

/* ---- which gdb ---- */

static struct architecture architecture_of(const char *target)
{
    for (size_t i = 0; i < G_N_ELEMENTS(architectures); i++) {
        if (strcmp(architectures[i].target, target) == 0) {
            return architectures[i];
        }
    }
    return (struct architecture){target, target, false};
}

/* Whether the names of its architectures have that of the target, in whatever case. If it does not say: yes. */
static bool knows(const char *debugger, const char *target)
{
    static const char question[] = "set architecture ";
    const char *argv[] = {
        debugger, "-nx", "-q", "-batch", "-ex", "set max-completions unlimited", "-ex", "complete set architecture ",
        NULL};
    const char *name = architecture_of(target).name;
    g_autofree char *text = NULL;

    if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &text,
                      NULL, NULL, NULL)) {
        return true;
    }
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    bool told = false;
    bool found = false;
    for (char **line = lines; *line && !found; line++) {
        const char *known = g_str_has_prefix(*line, question) ? *line + strlen(question) : "auto";
        told = told || strcmp(known, "auto") != 0;
        found = g_ascii_strncasecmp(known, name, strlen(name)) == 0;
    }
    return found || !told;
}

/* A gdb for the target; NULL with error. Owned by the caller. The user's own choice is not questioned. */
static char *find_debugger(const char *named, const char *target, GError **error)
{
    char *many = g_find_program_in_path(named ? named : "gdb-multiarch");
    char *one = named || many ? NULL : g_find_program_in_path("gdb");
    char *debugger = many ? many : one;

    if (debugger && (named || knows(debugger, target))) {
        return debugger;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                named  ? "%s: no such program"
                : many ? "%s does not know %s; use --gdb to name a gdb that does"
                : one  ? "%s does not know %s; install gdb-multiarch, or use --gdb to name a gdb that does"
                       : "gdb was not found; install gdb-multiarch, or name a gdb with --gdb",
                named ? named : debugger, target);
    g_free(debugger);
    return NULL;
}

/* ---- what it is given ---- */

/* The user's own ELF file, if all symbols of the trace come from it, so that gdb can show source lines. NULL: there is
 * none. */
static const char *find_program(const GArray *symbols)
{
    const char *file = NULL;

    for (guint i = 0; i < symbols->len; i++) {
        const struct tcgrr_symbol *symbol = &g_array_index(symbols, struct tcgrr_symbol, i);
        if (!symbol->file || (file && strcmp(file, symbol->file) != 0)) {
            return NULL;
        }
        file = symbol->file;
    }
    return file;
}

struct unchanged {
    const char *path;
    bool yes;
};

static void compare_digest(const char *path, uint64_t size, const char *xxh128, void *data)
{
    struct unchanged *unchanged = data;
    if (strcmp(path, unchanged->path) == 0) {
        uint64_t size_now;
        g_autofree char *now = tcgrr_content_digest(path, &size_now, NULL);
        unchanged->yes = g_strcmp0(now, xxh128) == 0;
    }
}

/* The file with symbols for gdb; NULL if there are none. Owned by the caller. */
static char *choose_symbols(struct tcgrr_reader *reader, struct tcgrr_symbols *symbols, const char *folder,
                            GError **error)
{
    struct unchanged unchanged = {.path = find_program(tcgrr_symbols_list(symbols))};
    char *path = g_build_filename(folder, "symbols.elf", NULL);
    bool written = false;

    if (unchanged.path) {
        tcgrr_reader_guest_files(reader, compare_digest, &unchanged, NULL);
    }
    if (unchanged.yes) {
        g_free(path);
        return g_strdup(unchanged.path);
    }
    if (!tcgrr_symbols_write(symbols, tcgrr_reader_run(reader)->target, path, &written, error) || !written) {
        g_clear_pointer(&path, g_free);
    }
    return path;
}

/* What a gdb has to be told of the machine, which it otherwise knows from the file. A kernel for x86_64 may be in a
 * file for i386. Owned by the caller. */
static char *describe_machine(const char *target, bool file)
{
    struct architecture architecture = architecture_of(target);

    if (file) {
        return g_strdup(strcmp(target, "x86_64") == 0 ? "set architecture i386:x86-64\n" : "");
    }
    if (!architecture.told) {
        return g_strdup("");
    }
    /* Otherwise gdb takes the addresses of a 64-bit MIPS for 32-bit ones, where there is no memory. */
    const char *abi = g_str_has_prefix(target, "mips64") ? "set mips abi n64\n" : "";
    return g_strdup_printf("set architecture %s\n%sset endian %s\n", architecture.name, abi,
                           tcgrr_target_is_big_endian(target) ? "big" : "little");
}

/* gdb reads a word with blanks in it in quotes. */
static bool write_script(const char *path, const char *symbols, const char *target, const char *socket, GError **error)
{
    g_autofree char *machine = describe_machine(target, symbols != NULL);
    g_autofree char *file = symbols ? g_strdup_printf("file \"%s\"\n%s", symbols, machine) : g_strdup(machine);
    g_autofree char *text = g_strdup_printf("set confirm off\n"
                                            "set remotetimeout 3600\n"
                                            "%s"
                                            "define icount\n"
                                            "monitor icount\n"
                                            "end\n"
                                            "document icount\n"
                                            "Print how many instructions of the run have been executed.\n"
                                            "end\n"
                                            "define goto\n"
                                            "monitor goto $arg0\n"
                                            "maintenance flush register-cache\n"
                                            "x/i $pc\n"
                                            "end\n"
                                            "document goto\n"
                                            "Go to an icount of the run, forwards or backwards.\n"
                                            "end\n"
                                            "display/i $pc\n"
                                            "target remote %s\n",
                                            file, socket);
    return g_file_set_contents(path, text, -1, error);
}

/* ---- running it ---- */

static void prepare_child(gpointer data)
{
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
}

static gpointer wait_for_end(gpointer data)
{
    struct context *context = data;

    for (bool asked_gdb = false; waitpid(context->pid, &context->status, WNOHANG) == 0; g_usleep(20 * 1000)) {
        if (*context->asked && !asked_gdb) {
            kill(context->pid, SIGTERM);
            asked_gdb = true;
        }
    }
    context->over = 1;
    return NULL;
}

static bool start_debugger(struct context *context, const char *debugger, const char *script, GError **error)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    GError *problem = NULL;

    g_ptr_array_add(argv, (char *)debugger);
    g_ptr_array_add(argv, (char *)"-q");
    g_ptr_array_add(argv, (char *)"-x");
    g_ptr_array_add(argv, (char *)script);
    for (char **word = context->rest; *word; word++) {
        g_ptr_array_add(argv, *word);
    }
    g_ptr_array_add(argv, NULL);
    signal(SIGINT, SIG_IGN); /* what is typed is for gdb alone */
    if (!g_spawn_async(NULL, (char **)argv->pdata, NULL, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_CHILD_INHERITS_STDIN,
                       prepare_child, NULL, &context->pid, &problem)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot start gdb: %s", problem->message);
        g_error_free(problem);
        return false;
    }
    return true;
}

/* Serves gdb until it has ended. It may leave the run and come back. */
static void serve(struct context *context, struct tcgrr_gdb_server *server, struct tcgrr_listener *listener)
{
    GThread *waiter = g_thread_new("tcgrr-gdb", wait_for_end, context);
    GError *problem = NULL;

    while (!context->over && tcgrr_gdb_server_run(server, listener, &problem)) {
    }
    context->lost = problem && problem->code != TCGRR_ERROR_STOPPED;
    if (context->lost) { /* said at once, as gdb stays, without a machine */
        cli_say_error("%s", problem->message);
    }
    g_clear_error(&problem);
    g_thread_join(waiter);
}

static bool debug(struct context *context, struct tcgrr_reader *reader, struct tcgrr_symbols *symbols,
                  struct tcgrr_gdb_server *server, const char *folder, const char *debugger, GError **error)
{
    g_autofree char *socket = g_build_filename(folder, "gdb", NULL);
    g_autofree char *script = g_build_filename(folder, "script.gdb", NULL);
    struct tcgrr_address address = {.path = socket};
    struct tcgrr_listener *listener = tcgrr_listener_new(&address, NULL, error);
    g_autofree char *file = NULL;
    GError *problem = NULL;

    if (!listener) {
        return false;
    }
    file = choose_symbols(reader, symbols, folder, &problem);
    bool good = !problem && write_script(script, file, tcgrr_reader_run(reader)->target, socket, &problem) &&
                start_debugger(context, debugger, script, &problem);
    if (good) {
        serve(context, server, listener);
    }
    tcgrr_listener_free(listener);
    if (problem) {
        g_propagate_error(error, problem);
    }
    return good;
}

/* ---- the place ---- */

/* Goes to where the user said, without a word to the run's last instruction. */
static struct tcgrr_gdb_server *go(const struct cli_command *command, struct context *context,
                                   struct tcgrr_symbols *symbols, struct tcgrr_gdb_options *options, int *status)
{
    struct tcgrr_position where = {.kind = TCGRR_POSITION_ICOUNT, .value = TCGRR_GDB_LAST};
    GError *error = NULL;
    bool found = true;

    if (context->where && !cli_parse_where(context->where, symbols, &where)) {
        *status = cli_usage(command, "'%s' is neither an icount, nor a 0x address, nor a symbol of the trace",
                            context->where);
        return NULL;
    }
    bool counted = where.kind == TCGRR_POSITION_ICOUNT;
    options->at = counted ? where.value : 0;
    struct tcgrr_gdb_server *server = tcgrr_gdb_server_new(options, &error);
    if (server && !counted && tcgrr_gdb_server_find(server, where.value, &found, &error) && !found) {
        g_set_error(&error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "the run never executes %s", context->where);
    }
    if (error) {
        *status = cli_fail(error);
        *status = *context->asked ? cli_stopped_status(*context->asked) : *status;
        g_clear_pointer(&server, tcgrr_gdb_server_free);
    }
    return server;
}

static int debug_trace(const struct cli_command *command, struct context *context, struct tcgrr_reader *reader,
                       struct tcgrr_replay_files *files, const char *debugger)
{
    struct tcgrr_symbols *symbols = cli_trace_symbols(reader);
    struct tcgrr_gdb_options options = {.hang_ms = context->timeout * 1000, .stop = context->asked};
    GError *error = NULL;
    int status = CLI_OK;

    tcgrr_replay_files_keyframes(files, &options.of);
    struct tcgrr_gdb_server *server = go(command, context, symbols, &options, &status);
    g_autofree char *folder = server ? tcgrr_scratch_folder("gdb", &error) : NULL;
    if (folder) {
        tcgrr_gdb_server_stop_at(server, &context->over);
        debug(context, reader, symbols, server, folder, debugger, &error);
        tcgrr_folder_remove(folder);
    }
    if (error) {
        status = cli_fail(error);
    } else if (context->lost) {
        status = CLI_FAILED;
    } else if (server && !*context->asked && (!WIFEXITED(context->status) || WEXITSTATUS(context->status) != 0)) {
        cli_say_error("gdb ended with %s %d", WIFEXITED(context->status) ? "exit" : "signal",
                      WIFEXITED(context->status) ? WEXITSTATUS(context->status) : WTERMSIG(context->status));
        status = CLI_FAILED;
    }
    tcgrr_gdb_server_free(server);
    tcgrr_symbols_free(symbols);
    return *context->asked ? cli_stopped_status(*context->asked) : status;
}

static int prepare(const struct cli_command *command, struct context *context, struct tcgrr_reader *reader)
{
    const char *recorded = tcgrr_reader_run(reader)->qemu_path;
    struct tcgrr_qemu qemu = {0};
    struct tcgrr_replay_files *files = NULL;
    GError *error = NULL;
    int status;

    g_autofree char *plugin = cli_plugin_path(&error);
    g_autofree char *debugger = plugin && tcgrr_replay_check(reader, &error)
                                    ? find_debugger(context->debugger, tcgrr_reader_run(reader)->target, &error)
                                    : NULL;
    if (debugger && tcgrr_qemu_probe(context->qemu ? context->qemu : recorded ? recorded : "", plugin, &qemu, &error)) {
        files = tcgrr_replay_files_new(reader, &qemu, NULL, &error);
    }
    status = files ? debug_trace(command, context, reader, files, debugger) : cli_fail(error);
    tcgrr_replay_files_free(files);
    tcgrr_qemu_clear(&qemu);
    return status;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct context context = {.timeout = 60};
    const GOptionEntry options[] = {
        {"qemu", 0, 0, G_OPTION_ARG_FILENAME, &context.qemu, "replay in this QEMU (default: the one that recorded)",
         "PATH"},
        {"gdb", 0, 0, G_OPTION_ARG_FILENAME, &context.debugger,
         "the gdb to start (default: gdb-multiarch, or gdb if it knows the target)", "PROGRAM"},
        {"timeout", 0, 0, G_OPTION_ARG_INT, &context.timeout,
         "seconds without progress after which the replay has hung (default 60)", "S"},
        {0},
    };
    int status = CLI_USAGE;

    context.rest = cli_split_rest(&argc, argv);
    if (cli_parse(command, options, false, &argc, &argv)) {
        if (argc != 2 && argc != 3) {
            cli_usage(command, "gdb takes a trace and optionally a place in its run");
        } else if (!cli_timeout_is_good(context.timeout)) {
            cli_usage(command, CLI_TIMEOUT_TAKES);
        } else {
            struct tcgrr_reader *reader = cli_open_trace(argv[1], &status);
            context.where = argv[2];
            context.asked = cli_catch_signals();
            status = reader ? prepare(command, &context, reader) : status;
            tcgrr_reader_free(reader);
        }
    }
    g_free(context.qemu);
    g_free(context.debugger);
    return status;
}

const struct cli_command cli_gdb = {
    "gdb",
    "TRACE [WHERE] [-- GDB_ARG…]",
    "Debug a recorded run with gdb, forwards and backwards",
    "WHERE is an icount, or a symbol or 0x address (its first execution); the default is the run's last instruction.\n"
    "reverse-stepi, reverse-continue and the like work; 'icount' prints the current position, 'goto ICOUNT' changes "
    "it.\n\n"
    "Examples:\n"
    "  tcgrr gdb boot.tcgrr\n"
    "  tcgrr gdb boot.tcgrr panic\n"
    "  tcgrr gdb boot.tcgrr 500000000 -- -batch -ex 'watch *(long *)0xffff800008a31c40' -ex reverse-continue -ex "
    "bt\n",
    run,
};
