/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/lockstep.h"

#include "cli/bisect.h"
#include "cli/browse/browse.h"
#include "emu/qemu/command.h"
#include "lockstep/doubts.h"
#include "replay/control.h"
#include "replay/drive.h"
#include "replay/guest_files.h"
#include "replay/replay.h"
#include "store/error.h"
#include "store/symbols.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct context {
    const struct cli_command *command;
    struct cli_compare_options comparing;
    struct tcgrr_lockstep_local_options options;
    struct tcgrr_lockstep_local pair;
    struct tcgrr_replay_result replay; /* A is a trace whose rr log drives B: in place of the pair */
    bool replays;
    struct tcgrr_symbols *symbols[2];
    char **words[2]; /* the arguments of each QEMU */
    const char *names[2];
    char *titles[2]; /* what the report calls them */
    char **symbol_files;
};

static void say_progress(tcgrr_icount icount, void *data)
{
    g_autofree char *text = cli_number(icount);
    cli_progress("%s instructions compared", text);
}

static void say_own_inputs(const char *why, void *data)
{
    cli_note("each side has inputs of its own, because one rr log cannot drive both from there: %s", why);
}

static void add_words(GPtrArray *words, char **from)
{
    for (char **word = from; word && *word; word++) {
        g_ptr_array_add(words, g_strdup(*word));
    }
}

/* The words for both, then those for one; where a single program runs these come before its name, because what follows
 * it is the program's. */
static char **join_words(const char *qemu, char **common, char **own)
{
    GPtrArray *words = g_ptr_array_new();
    int program = own ? tcgrr_command_program(qemu, (const char *const *)common) : -1;

    for (int i = 0; i < program; i++) {
        g_ptr_array_add(words, g_strdup(common[i]));
    }
    if (program >= 0) {
        add_words(words, own);
    }
    add_words(words, common + MAX(program, 0));
    if (program < 0) {
        add_words(words, own);
    }
    g_ptr_array_add(words, NULL);
    return (char **)g_ptr_array_free(words, FALSE);
}

bool cli_lockstep_is_trace(const char *arguments)
{
    return (strchr(arguments, '/') || g_str_has_suffix(arguments, ".tcgrr")) && cli_is_database(arguments);
}

/* A member is a QEMU, or a trace in place of the run that it holds. */
static bool name_member(struct context *context, int which, const char *arguments, char **common, char **own,
                        int *status)
{
    struct tcgrr_lockstep_member *member = &context->options.members[which];

    g_autofree char *base = g_path_get_basename(arguments);
    context->names[which] = arguments;
    context->titles[which] = g_strdup_printf("%c (%s)", 'A' + which, base);
    context->words[which] = join_words(arguments, common, own);
    if (cli_lockstep_is_trace(arguments)) {
        member->reader = cli_open_trace_at(arguments, TCGRR_LEVEL_FLOW, false, status);
        return member->reader != NULL;
    }
    member->qemu = arguments;
    member->arguments = (const char *const *)context->words[which];
    member->own = (const char *const *)own;
    context->options.common = (const char *const *)common;
    return true;
}

/* Of a program, with its interpreter and libraries, as far as it has run. */
static void add_program(struct tcgrr_symbols *symbols, const struct tcgrr_session *session)
{
    const char *kernel = tcgrr_session_command(session)->kernel;
    const struct tcgrr_live *live = tcgrr_session_live(session);
    g_autoptr(GArray) mapped = tcgrr_live_mapped(live);
    bool limited;

    if (kernel && mapped->len == 0) {
        tcgrr_symbols_add_program(symbols, kernel, tcgrr_live_start_code(live));
    }
    struct tcgrr_symbols *more = tcgrr_symbols_of_mappings(mapped, 0, NULL, &limited);
    tcgrr_symbols_join(symbols, more);
    tcgrr_symbols_free(more);
}

struct tcgrr_symbols *cli_lockstep_symbols(const struct tcgrr_session *session, struct tcgrr_reader *reader,
                                           char **files, int *status)
{
    struct tcgrr_symbols *symbols = session ? tcgrr_symbols_new() : cli_trace_symbols(reader);
    GError *error = NULL;
    bool good = true;

    if (session) {
        add_program(symbols, session);
    }
    for (; good && files && *files; files++) {
        good = tcgrr_symbols_add_file(symbols, *files, 0, &error);
    }
    if (!good) {
        *status = cli_fail(error);
        g_clear_pointer(&symbols, tcgrr_symbols_free);
    }
    return symbols;
}

static bool load_symbols(struct context *context, int which, int *status)
{
    struct tcgrr_reader *reader = context->options.members[which].reader;
    const struct tcgrr_session *session = reader ? NULL : tcgrr_lockstep_local_names(&context->pair, which);

    context->symbols[which] = cli_lockstep_symbols(session, reader, context->symbol_files, status);
    return context->symbols[which] != NULL;
}

void cli_lockstep_json_pinned(json_t *object, const struct tcgrr_pins *pins, int maker)
{
    json_object_set_new(
        object, "pinned",
        json_pack("{s:s, s:s, s:s}", "machine", pins->machine, "cpu", pins->cpu, "by", maker == 0 ? "a" : "b"));
}

void cli_lockstep_print_pinned(const struct tcgrr_pins *pins, int maker)
{
    printf("  machine: %s, CPU %s, pinned as %c makes it\n", pins->machine, pins->cpu, 'A' + maker);
}

/* The outcome, whether B ran at the same time as A or after it. */
struct outcome {
    const struct tcgrr_comparison *comparison;
    enum tcgrr_lockstep_inputs inputs;
    const char *versions[2];
    const char *exits[2]; /* NULL: a stored run */
    const char *words[2];
    bool cut; /* A is a recording that was cut short */
};

static struct outcome outcome_of(const struct context *context)
{
    const struct tcgrr_lockstep_local *pair = &context->pair;
    const struct tcgrr_replay_result *replay = &context->replay;
    const struct tcgrr_reader *a = context->options.members[0].reader;

    if (context->replays) {
        return (struct outcome){
            .comparison = &replay->comparison,
            .inputs = replay->inputs.own          ? TCGRR_INPUTS_OWN
                      : replay->inputs.translated ? TCGRR_INPUTS_TRANSLATED
                                                  : TCGRR_INPUTS_SHARED,
            .versions = {tcgrr_reader_run(a)->qemu_version, replay->qemu_version},
            .exits = {NULL, replay->exit},
            .words = {NULL, replay->stderr_tail},
            .cut = !tcgrr_reader_run(a)->complete,
        };
    }
    return (struct outcome){
        .comparison = &pair->comparison,
        .inputs = pair->inputs,
        .versions = {tcgrr_lockstep_local_version(pair, &context->options, 0),
                     tcgrr_lockstep_local_version(pair, &context->options, 1)},
        .exits = {pair->exits[0], pair->exits[1]},
        .words = {pair->words[0], pair->words[1]},
        .cut = a && !tcgrr_reader_run(a)->complete,
    };
}

static json_t *result_json(const struct context *context, const struct cli_places *places)
{
    const struct tcgrr_lockstep_local *pair = &context->pair;
    const struct outcome outcome = outcome_of(context);
    json_t *object = json_object();

    for (int i = 0; i < 2; i++) {
        json_object_set_new(object, i == 0 ? "a" : "b",
                            json_pack("{s:o, s:s, s:o, s:o}", "name", cli_json_text(context->names[i]), "qemu_version",
                                      outcome.versions[i], "exit", cli_json_text(outcome.exits[i]), "stderr",
                                      cli_json_text(outcome.words[i])));
    }
    json_object_set_new(object, "inputs", json_string(tcgrr_lockstep_inputs_name(outcome.inputs)));
    if (outcome.inputs == TCGRR_INPUTS_TRANSLATED) {
        cli_json_translation(object, outcome.versions[0], outcome.versions[1]);
    }
    if (pair->begin.folder) {
        json_object_set_new(object, "start",
                            json_pack("{s:I, s:s}", "qemu_icount", (json_int_t)pair->begin.icount, "by",
                                      pair->begin.maker == 0 ? "a" : "b"));
    }
    if (pair->machine.pinned) {
        cli_lockstep_json_pinned(object, &pair->machine.pins, pair->machine.maker);
    }
    cli_json_comparison(object, outcome.comparison, places);
    return object;
}

void cli_lockstep_print_inputs(enum tcgrr_lockstep_inputs inputs)
{
    if (inputs != TCGRR_INPUTS_OWN) {
        printf("  inputs: B followed A's rr log%s\n",
               inputs == TCGRR_INPUTS_TRANSLATED ? ", translated for its release" : "");
    }
}

static void print_text(const struct context *context, const struct cli_places *places)
{
    const struct tcgrr_lockstep_local *pair = &context->pair;
    const struct outcome outcome = outcome_of(context);

    cli_print_comparison(outcome.comparison, places);
    if (pair->calls && !pair->log && outcome.inputs == TCGRR_INPUTS_SHARED) {
        printf("  inputs: B got the results of A's system calls\n");
    } else {
        cli_lockstep_print_inputs(outcome.inputs);
    }
    if (outcome.cut && !outcome.comparison->diverged) {
        printf("  A was cut short: that is as far as %s\n",
               outcome.inputs == TCGRR_INPUTS_OWN ? "it goes" : "QEMU had logged its inputs");
    }
    if (pair->begin.folder) {
        g_autofree char *count = cli_number(pair->begin.icount);
        printf("  start: a snapshot that %c made there, after %s instructions; icounts count from it\n",
               'A' + pair->begin.maker, count);
    }
    if (pair->machine.pinned) {
        cli_lockstep_print_pinned(&pair->machine.pins, pair->machine.maker);
    }
    for (int i = 0; i < 2; i++) {
        const char *words = outcome.words[i] ? outcome.words[i] : "";
        printf("  %c: %s, QEMU %s%s%s%s%s\n", 'A' + i, context->names[i], outcome.versions[i],
               outcome.exits[i] ? ": " : ", recorded", outcome.exits[i] ? outcome.exits[i] : "",
               *words ? ", saying: " : "", words);
    }
}

static int finish(struct context *context, bool good, GError *error)
{
    const struct cli_compare_options *comparing = &context->comparing;
    const struct tcgrr_comparison *comparison = outcome_of(context).comparison;
    bool place = good ? comparison->diverged : comparison->undecided && error->code != TCGRR_ERROR_STOPPED;

    cli_progress_clear();
    if (!good && !place) {
        return cli_fail(error);
    }
    struct cli_places places = {
        .target = tcgrr_lockstep_local_target(&context->pair, &context->options, 0),
    };
    for (int i = 0; i < 2; i++) {
        places.names[i] = context->titles[i];
        places.symbols[i] = context->symbols[i];
        places.blocks[i] = !place ? NULL
                           : context->replays && i == 1
                               ? tcgrr_live_blocks(tcgrr_session_live(context->replay.session))
                               : tcgrr_lockstep_local_blocks(&context->pair, &context->options, i);
    }
    json_t *object = cli_compare_options_want_object(comparing) ? result_json(context, &places) : NULL;
    if (!good) {
        return cli_compare_fail(comparing, object, error);
    }
    if (!comparing->json) {
        print_text(context, &places);
    }
    return cli_output_result(object, comparing->json, comparing->html, cli_comparison_status(comparison));
}

/* B replays A's inputs from the trace. */
static int follow_trace(struct context *context, const struct tcgrr_qemu *qemu)
{
    const struct tcgrr_lockstep_member *b = &context->options.members[1];
    struct tcgrr_reader *reader = context->options.members[0].reader;
    bool recorded = !*context->options.common; /* without arguments, uses the recorded ones, pinned as in the trace */
    struct tcgrr_replay_options options = {
        .qemu = b->qemu,
        .plugin = context->options.plugin,
        .at = UINT64_MAX,
        .extra = recorded ? b->own : NULL,
        .arguments = recorded ? NULL : b->arguments,
        .flow = context->options.level < TCGRR_LEVEL_STATE,
        .known = {NULL, qemu},
        .hang_ms = context->options.hang_ms,
        .quiet = b->quiet,
        .stop = context->options.stop,
        .progress = context->options.progress,
        .data = context,
    };
    GError *error = NULL;

    context->replays = true;
    context->symbols[0] = cli_trace_symbols(reader);
    context->symbols[1] = cli_trace_symbols(reader);
    int status = cli_compare_options_resolve(context->command, &context->comparing, context->symbols, &options.compare);
    if (status != CLI_OK) {
        return status;
    }
    bool good = tcgrr_replay(reader, &options, &context->replay, &error);
    return finish(context, good, error);
}

/* A position-independent program has no addresses before it begins: a symbol is a place in its code. */
static void place_symbol(const struct context *context, int which, const char *text, struct tcgrr_position *where)
{
    const struct tcgrr_session *session = context->pair.sessions[which];
    const char *program =
        session && !tcgrr_session_qemu(session)->system ? tcgrr_session_command(session)->kernel : NULL;
    uint64_t lowest;

    if (where->kind == TCGRR_POSITION_PC && g_ascii_strncasecmp(text, "0x", 2) != 0 && program &&
        tcgrr_symbols_can_move(program, &lowest)) {
        *where = (struct tcgrr_position){TCGRR_POSITION_CODE, where->value - lowest};
    }
}

/* Once more for programs that are loaded where they are not linked: since they ran, their addresses are known. */
static int reload_symbols(struct context *context)
{
    int status = CLI_OK;

    for (int i = 0; i < 2 && status == CLI_OK; i++) {
        const struct tcgrr_session *session = context->pair.sessions[i];
        if (!session || tcgrr_session_qemu(session)->system) {
            continue;
        }
        g_clear_pointer(&context->symbols[i], tcgrr_symbols_free);
        load_symbols(context, i, &status);
    }
    return status;
}

static int open_pair(struct context *context)
{
    GError *error = NULL;
    int status = CLI_OK;

    if (!tcgrr_lockstep_local_open(&context->pair, &context->options, &error)) {
        return cli_fail(error);
    }
    for (guint i = 0; context->pair.machine.pinned && i < context->pair.machine.pins.warnings->len; i++) {
        cli_note("%s", (const char *)context->pair.machine.pins.warnings->pdata[i]);
    }
    if (!load_symbols(context, 0, &status) || !load_symbols(context, 1, &status)) {
        return status;
    }
    struct tcgrr_compare_options *compare = &context->options.compare;
    for (int i = 0; i < 2; i++) {
        const struct tcgrr_session *session = context->pair.sessions[i];
        context->comparing.later[i] = session && !tcgrr_session_qemu(session)->system &&
                                      tcgrr_session_command(session)->kernel &&
                                      tcgrr_symbols_is_dynamic(tcgrr_session_command(session)->kernel);
    }
    status = cli_compare_options_resolve(context->command, &context->comparing, context->symbols, compare);
    for (int i = 0; i < 2 && status == CLI_OK; i++) {
        place_symbol(context, i, context->comparing.from, &compare->from[i]);
        place_symbol(context, i, context->comparing.until, &compare->until[i]);
    }
    return status;
}

static void close_pair(struct context *context)
{
    tcgrr_lockstep_local_clear(&context->pair);
    for (int i = 0; i < 2; i++) {
        g_clear_pointer(&context->symbols[i], tcgrr_symbols_free);
    }
}

/* Withdraws a divergence of programs, at least one of which is a recording, if a control does not confirm it. */
static bool recheck_recorded(struct context *context, GError **error)
{
    const struct tcgrr_lockstep_local_options *options = &context->options;
    struct tcgrr_comparison *found = &context->pair.comparison;
    struct tcgrr_replay_options control = {
        .plugin = options->plugin, .hang_ms = options->hang_ms, .stop = options->stop};
    bool unchanged = true;

    for (int i = 0; i < 2 && found->diverged; i++) {
        struct tcgrr_reader *reader = options->members[i].reader;
        if (reader && strcmp(tcgrr_reader_run(reader)->mode, "user") != 0) {
            return true;
        }
        unchanged = unchanged && (!reader || tcgrr_guest_files_same(reader));
    }
    if (!found->diverged || !unchanged) {
        return true;
    }
    if (!context->pair.calls) {
        return !(options->members[0].reader || options->members[1].reader) ||
               tcgrr_compare_withdraw_over_calls(found, error);
    }
    return !options->members[0].reader || (tcgrr_doubts_check_clock(found, error) &&
                                           tcgrr_control_judge(options->members[0].reader, &control, found, error));
}

static int lockstep(struct context *context)
{
    GError *error = NULL;
    int status = open_pair(context);

    if (status != CLI_OK) {
        return status;
    }
    bool good = tcgrr_lockstep_local_run(&context->pair, &context->options, &error);
    if (!good && tcgrr_lockstep_local_can_decide(&context->pair, &context->options)) {
        g_autofree char *place = cli_number(context->pair.comparison.icount);
        cli_note("at icount %s the two differ, which inputs of their own may explain: both run once more, on "
                 "one rr log",
                 place);
        g_clear_error(&error);
        close_pair(context);
        context->options.own_inputs = false;
        status = open_pair(context);
        if (status != CLI_OK) {
            return status;
        }
        good = tcgrr_lockstep_local_run(&context->pair, &context->options, &error);
    }
    good = good && recheck_recorded(context, &error);
    status = good ? reload_symbols(context) : CLI_OK;
    if (status != CLI_OK) {
        return status;
    }
    return finish(context, good, error);
}

static void clear(struct context *context)
{
    tcgrr_replay_result_clear(&context->replay);
    close_pair(context);
    for (int i = 0; i < 2; i++) {
        tcgrr_reader_free(context->options.members[i].reader);
        g_strfreev(context->words[i]);
        g_free(context->titles[i]);
    }
    cli_compare_options_clear(&context->comparing);
    g_strfreev(context->symbol_files);
}

static int run_pair(struct context *context, const char *const arguments[2], char **const own[2], char **common)
{
    GError *error = NULL;
    int status = CLI_OK;
    g_autofree char *plugin = cli_plugin_path(&error);

    if (!plugin) {
        return cli_fail(error);
    }
    context->options.plugin = plugin;
    context->options.stop = cli_catch_signals();
    if (name_member(context, 0, arguments[0], common, own[0], &status) &&
        name_member(context, 1, arguments[1], common, own[1], &status)) {
        const struct tcgrr_reader *a = context->options.members[0].reader;
        struct tcgrr_qemu qemu = {0};
        context->options.compare.tolerate_cut_a = a && !tcgrr_reader_run(a)->complete;
        status = tcgrr_trace_drives(&context->options, &qemu, &error) ? follow_trace(context, &qemu)
                 : error                                              ? cli_fail(error)
                                                                      : lockstep(context);
        tcgrr_qemu_clear(&qemu);
    }
    clear(context);
    return status;
}

/* Whether the command's own options name another tcgrr; the words of a QEMU may follow them then without "--". */
static bool names_peer(char **argv)
{
    while (*++argv && strcmp(*argv, "--") != 0) {
        if (g_str_has_prefix(*argv, "--listen") || g_str_has_prefix(*argv, "--connect")) {
            return true;
        }
    }
    return false;
}

static int run_peer(struct context *context, struct cli_lockstep_peer *arguments, bool pair, char **words)
{
    int status;

    if (pair || (arguments->listen && arguments->connect)) {
        status = cli_usage(context->command, pair ? "--a and --b are for two sides here, --listen and --connect for one"
                                                  : "one side gives --listen, the other --connect");
    } else if (!words[0]) {
        status = cli_usage(context->command, "lockstep needs the QEMU command, or the trace, of this side");
    } else if (arguments->peer_timeout < 1 || arguments->peer_timeout > 3600 || arguments->wait < 0 ||
               arguments->wait > CLI_TIMEOUT_MAX) {
        status = cli_usage(context->command, "--peer-timeout takes 1 to 3600 seconds, --wait to 86400");
    } else {
        arguments->comparing = &context->comparing;
        arguments->symbol_files = context->symbol_files;
        status = cli_lockstep_with_peer(context->command, arguments, words);
    }
    g_free(arguments->listen);
    g_free(arguments->connect);
    g_free(arguments->token_file);
    clear(context);
    return status;
}

/* The user's options that only this command has. */
struct arguments {
    char *members[2];
    char **own_words[2]; /* NULL: none */
    char *icount;
    char *bundle;
    char *level;
    gboolean bisect, browse, force, console, progress, own_inputs;
    gint timeout;
};

static void arguments_clear(struct arguments *arguments)
{
    for (int i = 0; i < 2; i++) {
        g_free(arguments->members[i]);
        g_strfreev(arguments->own_words[i]);
    }
    g_free(arguments->icount);
    g_free(arguments->bundle);
    g_free(arguments->level);
}

/* Whether a QEMU that is given the words of `first` and then those of `then` is as if it had been given those of `then`
 * alone: of these options the last one holds. */
static bool overrides(char *const *first, char *const *then)
{
    static const char *const last[] = {"-kernel", "-initrd", "-append", "-dtb", "-bios", "-cpu", "-m", NULL};

    for (; first && *first; first += 2) {
        if (!first[1] || !g_strv_contains(last, *first) || !then ||
            !g_strv_contains((const char *const *)then, *first)) {
            return false;
        }
    }
    return true;
}

static int bisect(struct context *context, const struct arguments *arguments, char **common)
{
    bool none = !arguments->own_words[0] && !arguments->own_words[1];
    /* A program's own words end those of QEMU. */
    bool follows = none || (!tcgrr_qemu_is_user(arguments->members[0]) &&
                            overrides(arguments->own_words[0], arguments->own_words[1]));
    char **words[2];
    int status;

    for (int i = 0; i < 2; i++) {
        if (cli_lockstep_is_trace(arguments->members[i])) {
            return cli_usage(context->command, "%s is a trace; use tcgrr bisect to find the cause",
                             arguments->members[i]);
        }
    }
    for (int i = 0; i < 2; i++) {
        words[i] = join_words(arguments->members[i], common, arguments->own_words[i]);
    }
    struct cli_bisect_pair pair = {
        .command = context->command,
        .comparing = &context->comparing,
        .qemus = {arguments->members[0], arguments->members[1]},
        .words = {(const char *const *)words[0], follows ? NULL : (const char *const *)words[1]},
        .extra = follows ? (const char *const *)arguments->own_words[1] : NULL,
        .icount = arguments->icount,
        .bundle = arguments->bundle,
        .force = arguments->force,
        .symbol_files = context->symbol_files,
        .hang_ms = arguments->timeout * 1000,
        .browse = arguments->browse,
        .progress = arguments->progress,
    };
    status = cli_bisect_pair(&pair);
    g_strfreev(words[0]);
    g_strfreev(words[1]);
    return status;
}

/* Two sides on this machine. */
static int run_here(struct context *context, struct arguments *arguments, int argc, char **argv, char **common)
{
    if (argc != 1) {
        return cli_usage(context->command, "unexpected argument '%s'; QEMU arguments go after --", argv[1]);
    }
    if (!arguments->members[0] || !arguments->members[1]) {
        return cli_usage(context->command, "lockstep needs both --a and --b, or --listen or --connect");
    }
    enum tcgrr_level level = TCGRR_LEVEL_FLOW;
    if (arguments->level && (!tcgrr_level_of(arguments->level, &level) || level > TCGRR_LEVEL_STATE)) {
        return cli_usage(context->command, "--level takes flow or state, not '%s'", arguments->level);
    }
    arguments->bisect = arguments->bisect || arguments->browse; /* which makes the recordings to look at */
    if (!arguments->bisect && (arguments->bundle || arguments->force)) {
        return cli_usage(context->command, "--bundle and --force go with --bisect, which looks for the cause");
    }
    int unfit = arguments->browse ? cli_browse_check(context->command) : CLI_OK;
    if (unfit != CLI_OK) {
        return unfit;
    }
    if (arguments->bisect) {
        int status = bisect(context, arguments, common);
        clear(context);
        return status;
    }
    context->options = (struct tcgrr_lockstep_local_options){
        .members = {{.quiet = !arguments->console, .output_to_errors = context->comparing.json}, {.quiet = true}},
        .own_inputs = arguments->own_inputs,
        .starts_late = cli_compare_options_start_late(&context->comparing),
        .level = level,
        .icount = arguments->icount,
        .hang_ms = arguments->timeout * 1000,
        .progress = arguments->progress ? say_progress : NULL,
        .own_because = say_own_inputs,
        .data = context,
    };
    return run_pair(context, (const char *const[]){arguments->members[0], arguments->members[1]}, arguments->own_words,
                    common);
}

/* This machine has one side; the other is a peer's. */
static int run_remote(struct context *context, struct arguments *arguments, struct cli_lockstep_peer *peer,
                      char **words)
{
    if (arguments->bisect || arguments->level) {
        return cli_usage(context->command, "%s needs both sides here", arguments->bisect ? "--bisect" : "--level");
    }
    if (context->comparing.ignored) {
        return cli_usage(context->command,
                         "--ignore-reg needs both sides here: with another tcgrr only the flow is compared");
    }
    peer->icount = arguments->icount;
    peer->own_inputs = arguments->own_inputs;
    peer->timeout = arguments->timeout;
    peer->console = arguments->console;
    peer->progress = arguments->progress;
    return run_peer(context, peer, arguments->members[0] || arguments->members[1], words);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct arguments arguments = {.timeout = 60};
    struct context context = {.command = command, .comparing = CLI_COMPARE_OPTIONS_INIT};
    struct cli_lockstep_peer peer = {.peer_timeout = 30};
    const GOptionEntry entries[] = {
        {"a", 0, 0, G_OPTION_ARG_FILENAME, &arguments.members[0], "one side: a QEMU, or a trace", "QEMU"},
        {"b", 0, 0, G_OPTION_ARG_FILENAME, &arguments.members[1], "the other side", "QEMU"},
        {"a-arg", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &arguments.own_words[0], "an argument for A alone (repeatable)",
         "ARG"},
        {"b-arg", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &arguments.own_words[1], "an argument for B alone (repeatable)",
         "ARG"},
        CLI_LOCKSTEP_PEER_OPTIONS(peer),
        CLI_COMPARE_OPTION_ROWS(context.comparing),
        CLI_STRICT_OPTION_ROW(context.comparing),
        {"bisect", 0, 0, G_OPTION_ARG_NONE, &arguments.bisect,
         "go on to the first instruction whose effect differs (tcgrr bisect --qemu --help)", NULL},
        {"bundle", 0, 0, G_OPTION_ARG_FILENAME, &arguments.bundle,
         "with --bisect: folder for everything a bug report needs (default: a new one, lockstep-cause)", "DIR"},
        {"force", 0, 0, G_OPTION_ARG_NONE, &arguments.force, "with --bisect: use the folder even if it exists", NULL},
        {"browse", 0, 0, G_OPTION_ARG_NONE, &arguments.browse,
         "go on as --bisect does, then look at both runs in the terminal (tcgrr browse)", NULL},
        {"level", 0, 0, G_OPTION_ARG_STRING, &arguments.level,
         "what to compare: flow (the default), or state, which adds registers and stores at samples along the run",
         "LEVEL"},
        {"own-inputs", 0, 0, G_OPTION_ARG_NONE, &arguments.own_inputs,
         "give each side inputs of its own, and align the two (default: B follows A's rr log)", NULL},
        {"icount", 0, 0, G_OPTION_ARG_STRING, &arguments.icount, "QEMU's -icount shift (default 0; system mode)",
         "SHIFT"},
        {"symbols", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &context.symbol_files,
         "an additional file with symbols: ELF, System.map, kallsyms, nm (repeatable)", "FILE"},
        {"timeout", 0, 0, G_OPTION_ARG_INT, &arguments.timeout,
         "seconds without progress after which a side has hung (default 60)", "S"},
        {"console", 0, 0, G_OPTION_ARG_NONE, &arguments.console,
         "show the console of A's guest (with --json on standard error)", NULL},
        {"progress", 0, 0, G_OPTION_ARG_NONE, &arguments.progress,
         "show progress even if standard error is not a terminal", NULL},
        {0},
    };
    bool remote = names_peer(argv);
    char **common = remote ? NULL : cli_split_rest(&argc, argv);
    int status = CLI_USAGE;

    if (cli_parse(command, entries, remote, &argc, &argv)) {
        arguments.progress = arguments.progress || isatty(STDERR_FILENO);
        status = !cli_timeout_is_good(arguments.timeout) ? cli_usage(command, CLI_TIMEOUT_TAKES)
                 : remote                                ? run_remote(&context, &arguments, &peer, argv + 1)
                                                         : run_here(&context, &arguments, argc, argv, common);
    }
    arguments_clear(&arguments);
    return status;
}

const struct cli_command cli_lockstep = {
    "lockstep",
    "--a QEMU --b QEMU [-- ARG…] | --listen ADDR QEMU ARG… | --connect ADDR QEMU ARG…",
    "Run two QEMUs side by side and name the first instruction at which they diverge",
    "Both run the same arguments, and their instructions are compared while they run. Their versions may differ: B\n"
    "follows A's rr log while A writes it, so both have the same inputs and every difference is a divergence. Two\n"
    "releases get the same machine, with device tree and firmware, as with record --portable.\n"
    "With --from, two builds start from a snapshot that A makes there, so the comparison leaves the firmware out. In\n"
    "user mode B gets the results of A's system calls. With --own-inputs, and with several vCPUs, each side has "
    "inputs\n"
    "of its own: an interrupt that comes a few instructions earlier on one side, or a polling loop that runs a few "
    "more\n"
    "times, is then listed but is not a divergence, except with --strict.\n\n"
    "With --bisect A is recorded into a folder, B replays that, and both are followed back to the first instruction "
    "whose\neffect differs.\n\n"
    "The two sides can also run on two machines: one person starts their side with --listen, the other "
    "theirs with\n"
    "--connect, and both get the same report. The connecting side is B and follows the listening side's rr log. ADDR "
    "is\n"
    "unix:PATH or tcp:HOST:PORT; an address that other machines can reach needs --token-file on both sides. Nothing "
    "is\n"
    "encrypted or signed: across networks that you do not control, use ssh -L. --from, --until and --strict must be "
    "the\n"
    "same on both sides; the connecting side chooses --history.\n\n"
    "Examples:\n"
    "  tcgrr lockstep --a qemu-system-riscv64 --b ./build/qemu-system-riscv64 -- -M virt -bios none -kernel guest.elf\n"
    "  tcgrr lockstep --a qemu-system-x86_64 --b qemu-system-x86_64 --b-arg -accel --b-arg tcg,one-insn-per-tb=on \\\n"
    "    --from _start -- -M pc -kernel guest.elf -display none\n"
    "  tcgrr lockstep --a good.tcgrr --b ./build/qemu-system-riscv64 -- -M virt -bios none -kernel guest.elf\n"
    "  tcgrr lockstep --bisect --a qemu-system-x86_64-7.2 --b qemu-system-x86_64-10.0 -- -M pc -cpu max -kernel "
    "guest.elf\n"
    "  tcgrr lockstep --listen tcp:0.0.0.0:7007 --token-file secret qemu-system-riscv64 -M virt -bios none -kernel "
    "g.elf\n"
    "  tcgrr lockstep --connect tcp:alice:7007 --token-file secret ./qemu-system-riscv64 -M virt -bios none -kernel "
    "g.elf\n",
    run,
};
