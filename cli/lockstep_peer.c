/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `tcgrr lockstep --listen` and `--connect`: one side here, the other with another tcgrr. */
#include "cli/lockstep.h"
#include "lockstep/peer/lockstep_remote.h"

#include <stdio.h>
#include <string.h>

struct context {
    struct tcgrr_lockstep_remote_options options;
    struct tcgrr_lockstep_remote remote;
    struct tcgrr_compare_options compare;
    struct tcgrr_symbols *symbols; /* of our side */
    char *text;                    /* the extent of the comparison, in the user's words */
};

static void say_waiting(const char *address, void *data)
{
    cli_note("waiting for the other side at %s", address);
}

static void say_refused(const char *why, void *data)
{
    cli_note("refused a connection: %s; still waiting", why);
}

static void say_progress(tcgrr_icount icount, void *data)
{
    g_autofree char *text = cli_number(icount);
    cli_progress("%s instructions on both sides", text);
}

static const char *text_or(const char *text, const char *otherwise)
{
    return *text ? text : otherwise;
}

static json_t *result_json(const struct context *context, const struct cli_places *places)
{
    const struct tcgrr_lockstep_remote *remote = &context->remote;
    json_t *object = json_object();

    for (int i = 0; i < 2; i++) {
        const struct tcgrr_epilogue *end = &remote->epilogues[i];
        json_object_set_new(object, i == 0 ? "a" : "b",
                            json_pack("{s:o, s:s, s:o, s:o}", "name", cli_json_text(remote->sides[i].source),
                                      "qemu_version", remote->sides[i].qemu, "exit",
                                      cli_json_text(text_or(end->exit, NULL)), "stderr",
                                      cli_json_text(*end->exit ? end->words : NULL)));
    }
    json_object_set_new(object, "own", json_string(remote->own == 0 ? "a" : "b"));
    json_object_set_new(object, "inputs", json_string(tcgrr_lockstep_inputs_name(remote->inputs)));
    if (remote->inputs == TCGRR_INPUTS_TRANSLATED) {
        cli_json_translation(object, remote->sides[0].qemu, remote->sides[1].qemu);
    }
    if (remote->machine.pinned) {
        cli_lockstep_json_pinned(object, &remote->machine.pins, remote->machine.maker);
    }
    json_object_set_new(object, "traffic",
                        json_pack("{s:I, s:I}", "sent", (json_int_t)remote->traffic.sent, "received",
                                  (json_int_t)remote->traffic.received));
    cli_json_comparison(object, &remote->comparison, places);
    return object;
}

static void print_text(const struct context *context, const struct cli_places *places)
{
    const struct tcgrr_lockstep_remote *remote = &context->remote;

    cli_print_comparison(&remote->comparison, places);
    cli_lockstep_print_inputs(remote->inputs);
    if (remote->machine.pinned) {
        cli_lockstep_print_pinned(&remote->machine.pins, remote->machine.maker);
    }
    for (int i = 0; i < 2; i++) {
        const struct tcgrr_epilogue *end = &remote->epilogues[i];
        printf("  %c: %s, QEMU %s: %s%s%s\n", 'A' + i, remote->sides[i].source, remote->sides[i].qemu,
               text_or(end->exit, "recorded"), *end->words ? ", saying: " : "", end->words);
    }
}

static int report(const struct context *context, const struct cli_compare_options *comparing)
{
    const struct tcgrr_lockstep_remote *remote = &context->remote;
    struct cli_places places = {.target = remote->sides[0].target};
    char *titles[2];

    for (int i = 0; i < 2; i++) {
        g_autofree char *base = g_path_get_basename(remote->sides[i].source);
        places.names[i] = titles[i] = g_strdup_printf("%c (%s)", 'A' + i, base);
        places.symbols[i] = i == remote->own ? context->symbols : remote->epilogues[i].symbols;
        places.blocks[i] = remote->received.blocks;
    }
    if (!comparing->json) {
        print_text(context, &places);
    }
    int status = cli_output_result(cli_compare_options_want_object(comparing) ? result_json(context, &places) : NULL,
                                   comparing->json, comparing->html, cli_comparison_status(&remote->comparison));
    for (int i = 0; i < 2; i++) {
        g_free(titles[i]);
    }
    return status;
}

static int finish(struct context *context, bool good, GError *error, const struct cli_compare_options *comparing)
{
    cli_progress_clear();
    if (!good) {
        return cli_fail(error);
    }
    if (context->remote.unheard) {
        cli_note("the other side may not have received the result: %s", context->remote.unheard->message);
    }
    return report(context, comparing);
}

static int compare(struct context *context, const struct cli_command *command, const struct cli_lockstep_peer *given)
{
    struct tcgrr_symbols *symbols[2] = {NULL, NULL};
    const struct cli_compare_options *comparing = given->comparing;
    GError *error = NULL;
    int status = CLI_OK;

    if (!tcgrr_lockstep_remote_open(&context->remote, &context->options, &error)) {
        return cli_fail(error);
    }
    context->symbols =
        cli_lockstep_symbols(context->remote.session, context->options.member.reader, given->symbol_files, &status);
    if (!context->symbols) {
        return status;
    }
    symbols[context->remote.own] = context->symbols;
    status = cli_compare_options_resolve(command, comparing, symbols, &context->compare);
    if (status != CLI_OK) {
        return status;
    }
    int own = context->remote.own;
    if (context->compare.from[own].kind == TCGRR_POSITION_NAME ||
        context->compare.until[own].kind == TCGRR_POSITION_NAME) {
        return cli_usage(command, "with another tcgrr, a symbol of a program that moves during the run cannot be used; "
                                  "give a 0x address or an icount");
    }
    context->text =
        g_strdup_printf("from %s until %s%s", comparing->from ? comparing->from : "the start",
                        comparing->until ? comparing->until : "the end", comparing->strict ? ", strict" : "");
    bool good = tcgrr_lockstep_remote_run(&context->remote, &context->options, &context->compare, context->text,
                                          context->symbols, &error);
    return finish(context, good, error, comparing);
}

static void clear(struct context *context)
{
    tcgrr_lockstep_remote_clear(&context->remote);
    tcgrr_reader_free(context->options.member.reader);
    tcgrr_address_clear(&context->options.address);
    tcgrr_token_clear(&context->options.token);
    tcgrr_symbols_free(context->symbols);
    g_free(context->text);
}

/* Our side: a QEMU, or a trace in place of the run that it holds. */
static bool name_member(struct context *context, char **words, int *status)
{
    struct tcgrr_lockstep_member *member = &context->options.member;

    context->options.name = words[0];
    if (cli_lockstep_is_trace(words[0])) {
        member->reader = cli_open_trace_at(words[0], TCGRR_LEVEL_FLOW, false, status);
        return member->reader != NULL;
    }
    member->qemu = words[0];
    member->arguments = (const char *const *)words + 1;
    return true;
}

/* The other side may be started after ours: long after, if it is the one that connects. */
#define LISTEN_WAIT_S  3600
#define CONNECT_WAIT_S 10

static bool fill_options(struct context *context, const struct cli_lockstep_peer *given, GError **error)
{
    int wait = given->wait ? given->wait : given->listen ? LISTEN_WAIT_S : CONNECT_WAIT_S;

    context->options = (struct tcgrr_lockstep_remote_options){
        .member = {.quiet = !given->console, .output_to_errors = given->comparing->json},
        .icount = given->icount,
        .own_inputs = given->own_inputs,
        .hang_ms = given->timeout * 1000,
        .listens = given->listen != NULL,
        .timeout_ms = given->peer_timeout * 1000,
        .wait_ms = wait * 1000,
        .tool_version = TCGRR_VERSION,
        .stop = cli_catch_signals(),
        .waiting = say_waiting,
        .refused = say_refused,
        .progress = given->progress ? say_progress : NULL,
        .data = context,
    };
    return tcgrr_address_parse(given->listen ? given->listen : given->connect, &context->options.address, error) &&
           (!given->token_file || tcgrr_token_read(given->token_file, &context->options.token, error));
}

int cli_lockstep_with_peer(const struct cli_command *command, const struct cli_lockstep_peer *given, char **words)
{
    struct context context = {0};
    GError *error = NULL;
    int status = CLI_OK;
    g_autofree char *plugin = cli_plugin_path(&error);

    if (!plugin || !fill_options(&context, given, &error)) {
        status = cli_fail(error);
    } else {
        context.options.plugin = plugin;
        if (name_member(&context, words, &status)) {
            status = compare(&context, command, given);
        }
    }
    clear(&context);
    return status;
}
