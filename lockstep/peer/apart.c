/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/peer/apart.h"

#include "lockstep/peer/remote.h"
#include "lockstep/peer/serve.h"
#include "store/error.h"

#include <string.h>

#define MAX_STRANGERS 1000 /* that are sent away */

bool tcgrr_apart_open(struct tcgrr_apart *apart, const struct tcgrr_apart_options *options, GError **error)
{
    const struct tcgrr_session_options session = {
        .qemu = options->member.qemu,
        .arguments = options->member.arguments,
        .plugin = options->plugin,
        .mode = TCGRR_RUN_PLAIN,
        .icount = options->icount,
        .quiet = options->member.quiet,
    };
    *apart = (struct tcgrr_apart){.own = options->listens ? 0 : 1};
    tcgrr_heard_init(&apart->heard);
    if (!options->member.reader) {
        apart->session = tcgrr_session_new(&session, error);
        return apart->session != NULL;
    }
    return true;
}

/* ---- meeting ---- */

static void copy_text(char *to, size_t size, const char *text)
{
    g_strlcpy(to, text ? text : "", size);
}

static void describe(const struct tcgrr_apart *apart, const struct tcgrr_apart_options *options,
                     const struct tcgrr_compare_options *compare, const char *text, struct tcgrr_description *ours)
{
    struct tcgrr_reader *reader = options->member.reader;
    const struct tcgrr_run *run = reader ? tcgrr_reader_run(reader) : NULL;
    const struct tcgrr_qemu *qemu = apart->session ? tcgrr_session_qemu(apart->session) : NULL;

    tcgrr_description_init(ours);
    copy_text(ours->tool, sizeof(ours->tool), options->tool_version);
    copy_text(ours->target, sizeof(ours->target), run ? run->target : qemu->target);
    copy_text(ours->mode, sizeof(ours->mode), run ? run->mode : qemu->system ? "system" : "user");
    copy_text(ours->level, sizeof(ours->level), "flow"); /* all that is compared, whatever a trace has besides */
    copy_text(ours->source, sizeof(ours->source), options->name);
    copy_text(ours->qemu, sizeof(ours->qemu), run ? run->qemu_version : qemu->version);
    copy_text(ours->options, sizeof(ours->options), text);
    ours->from = compare->from[apart->own];
    ours->until = compare->until[apart->own];
    ours->cut = run && !run->complete;
    ours->patience_s = (uint32_t)(options->hang_ms / 1000);
}

/* Whoever can reach us from outside has to show that he is meant. */
static bool check_token(const struct tcgrr_apart_options *options, GError **error)
{
    bool local;

    if (!tcgrr_address_local(&options->address, &local, error)) {
        return false;
    }
    if (!local && !options->token.bytes) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                    "%s is not only for this machine, so both sides need a token; give --token-file FILE",
                    options->address.host);
        return false;
    }
    return true;
}

/* `*known`: see tcgrr_handshake(). */
static bool introduce(struct tcgrr_apart *apart, const struct tcgrr_apart_options *options, int fd, bool *known,
                      GError **error)
{
    struct tcgrr_peer_options peer = {
        .timeout_ms = options->timeout_ms,
        .stop = options->stop,
        .progress = options->progress,
        .data = options->data,
    };
    struct tcgrr_description *ours = &apart->sides[apart->own];
    struct tcgrr_description *theirs = &apart->sides[!apart->own];

    apart->peer = tcgrr_peer_new(fd, &peer);
    if (!tcgrr_handshake(apart->peer, options->listens, &options->token, ours, theirs, known, error)) {
        return false;
    }
    tcgrr_peer_be_patient(apart->peer, options->timeout_ms + (int)MAX(ours->patience_s, theirs->patience_s) * 1000);
    return true;
}

/* Whoever can connect may come before the other side does, a port scanner, say: strangers are sent away. */
static bool receive_other(struct tcgrr_apart *apart, const struct tcgrr_apart_options *options,
                          struct tcgrr_listener *listener, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + (gint64)options->wait_ms * 1000;

    for (unsigned strangers = 0;; strangers++) {
        int left_ms = (int)((MAX(0, deadline - g_get_monotonic_time()) + 999) / 1000);
        int fd = tcgrr_listener_accept(listener, left_ms, options->stop, error);
        GError *problem = NULL;
        bool known = false;
        if (fd < 0 || introduce(apart, options, fd, &known, &problem)) {
            return fd >= 0;
        }
        if (known || strangers == MAX_STRANGERS || g_error_matches(problem, TCGRR_ERROR, TCGRR_ERROR_STOPPED)) {
            g_propagate_error(error, problem);
            return false;
        }
        if (options->refused) {
            options->refused(problem->message, options->data);
        }
        g_error_free(problem);
        g_clear_pointer(&apart->peer, tcgrr_peer_free);
    }
}

/* Connects to the other side and introduces both. */
static bool meet(struct tcgrr_apart *apart, const struct tcgrr_apart_options *options, GError **error)
{
    if (!options->listens) {
        bool known;
        int fd = tcgrr_address_connect(&options->address, options->wait_ms, options->stop, error);
        return fd >= 0 && introduce(apart, options, fd, &known, error);
    }
    struct tcgrr_listener *listener = tcgrr_listener_new(&options->address, error);
    if (!listener) {
        return false;
    }
    if (options->waiting) {
        options->waiting(tcgrr_listener_text(listener), options->data);
    }
    bool good = receive_other(apart, options, listener, error);
    tcgrr_listener_free(listener);
    return good;
}

/* ---- running ---- */

static void pass_on(tcgrr_icount icount, void *data)
{
    tcgrr_peer_tell_icount(data, icount);
}

static bool start(struct tcgrr_apart *apart, const struct tcgrr_apart_options *options, GError **error)
{
    struct tcgrr_side_live_options live = {
        .hang_ms = options->hang_ms,
        .stop = options->stop,
        .progress = pass_on,
        .ahead = options->listens ? TCGRR_PROTOCOL_AHEAD : 0,
        .data = apart->peer,
    };
    if (options->member.reader) {
        apart->side = tcgrr_side_stored(options->member.reader, error);
    } else if (tcgrr_session_start(apart->session, error)) {
        apart->side = tcgrr_side_live(apart->session, &live);
    }
    return apart->side != NULL;
}

static bool compare_here(struct tcgrr_apart *apart, const struct tcgrr_compare_options *told, GError **error)
{
    struct tcgrr_compare_options compare = *told;
    struct tcgrr_comparison found;

    for (int i = 0; i < 2; i++) {
        compare.from[i] = apart->sides[i].from;
        compare.until[i] = apart->sides[i].until;
    }
    compare.tolerate_cut_a = apart->sides[0].cut;
    compare.isa = tcgrr_isa_of_target(apart->sides[0].target);
    apart->remote = tcgrr_side_remote(apart->peer);
    apart->beside = tcgrr_side_watchful(apart->side, apart->remote);
    bool good = tcgrr_compare(apart->remote, apart->beside, &compare, &found, error) &&
                tcgrr_remote_conclude(apart->remote, &found, &apart->heard, &apart->comparison, error);
    tcgrr_comparison_clear(&found);
    return good;
}

/* ---- the report ---- */

static void add_place(struct tcgrr_symbols *to, struct tcgrr_symbols *from, uint64_t pc)
{
    const struct tcgrr_symbol *symbol = tcgrr_symbols_at(from, pc);
    const struct tcgrr_symbol *there = symbol ? tcgrr_symbols_at(to, symbol->address) : NULL;
    if (symbol && (!there || there->address != symbol->address)) {
        tcgrr_symbols_add(to, symbol);
    }
}

static void add_places(struct tcgrr_symbols *to, struct tcgrr_symbols *from, const GArray *execs)
{
    for (guint i = 0; execs && i < execs->len; i++) {
        add_place(to, from, g_array_index(execs, struct tcgrr_exec, i).block->pc);
    }
}

/* Those of our symbols that the report needs. */
static struct tcgrr_symbols *choose_symbols(const struct tcgrr_apart *apart, struct tcgrr_symbols *ours)
{
    const struct tcgrr_divergence_side *side = &apart->comparison.sides[apart->own];
    struct tcgrr_symbols *chosen = tcgrr_symbols_new();

    if (apart->own == 0) {
        add_places(chosen, ours, apart->comparison.common);
        for (guint i = 0; i < apart->comparison.places->len; i++) {
            add_place(chosen, ours, g_array_index(apart->comparison.places, struct tcgrr_tolerated, i).pc);
        }
    }
    add_places(chosen, ours, side->history);
    for (guint i = 0; side->events && i < side->events->len; i++) {
        add_place(chosen, ours, g_array_index(side->events, struct tcgrr_event, i).to_pc);
    }
    if (side->there) {
        add_place(chosen, ours, side->pc);
    }
    return chosen;
}

/* Each side tells how its QEMU ended and its names of places. */
static bool exchange_epilogues(struct tcgrr_apart *apart, GError **error)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct tcgrr_message message;

    tcgrr_put_epilogue(payload, &apart->epilogues[apart->own]);
    if (!tcgrr_peer_send(apart->peer, TCGRR_MESSAGE_EPILOGUE, payload, error)) {
        return false;
    }
    do {
        if (!tcgrr_peer_receive(apart->peer, &message, error)) {
            return false;
        }
    } while (message.type == TCGRR_MESSAGE_POSITIONS); /* still on their way */
    if (message.type != TCGRR_MESSAGE_EPILOGUE) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "the other side sent a message out of turn (%s)",
                    tcgrr_message_name(message.type));
        return false;
    }
    return tcgrr_take_epilogue(&message, &apart->epilogues[!apart->own], error);
}

/* The result stands even if the other side is gone by now. */
static void conclude(struct tcgrr_apart *apart, struct tcgrr_symbols *symbols)
{
    struct tcgrr_epilogue *ours = &apart->epilogues[apart->own];
    g_autofree char *exit = NULL;
    g_autofree char *words = NULL;

    if (apart->session) {
        tcgrr_pair_conclude(apart->session, apart->comparison.ends[apart->own], &exit, &words);
    }
    copy_text(ours->exit, sizeof(ours->exit), exit);
    copy_text(ours->words, sizeof(ours->words), words);
    ours->symbols = choose_symbols(apart, symbols);
    if (exchange_epilogues(apart, &apart->unheard)) {
        tcgrr_peer_finish(apart->peer);
    }
    apart->traffic = tcgrr_peer_traffic(apart->peer);
}

static bool run(struct tcgrr_apart *apart, const struct tcgrr_apart_options *options,
                const struct tcgrr_compare_options *compare, struct tcgrr_symbols *symbols, GError **error)
{
    bool good = start(apart, options, error) &&
                (options->listens ? tcgrr_serve(apart->peer, apart->side, &apart->heard, &apart->comparison, error)
                                  : compare_here(apart, compare, error));
    if (good) {
        conclude(apart, symbols);
    }
    return good;
}

bool tcgrr_apart_run(struct tcgrr_apart *apart, const struct tcgrr_apart_options *options,
                     const struct tcgrr_compare_options *compare, const char *text, struct tcgrr_symbols *symbols,
                     GError **error)
{
    GError *problem = NULL;

    describe(apart, options, compare, text, &apart->sides[apart->own]);
    if (!check_token(options, error) || !meet(apart, options, error)) {
        return false;
    }
    if (run(apart, options, compare, symbols, &problem)) {
        return true;
    }
    tcgrr_peer_give_up(apart->peer, problem);
    g_propagate_error(error, problem);
    return false;
}

void tcgrr_apart_clear(struct tcgrr_apart *apart)
{
    g_clear_error(&apart->unheard);
    tcgrr_comparison_clear(&apart->comparison);
    struct tcgrr_side *sides[] = {apart->beside, apart->remote, apart->side};
    for (size_t i = 0; i < G_N_ELEMENTS(sides); i++) {
        if (sides[i]) {
            sides[i]->ops->free(sides[i]);
        }
    }
    tcgrr_peer_free(apart->peer);
    tcgrr_session_free(apart->session);
    tcgrr_heard_clear(&apart->heard);
    tcgrr_symbols_free(apart->epilogues[0].symbols);
    tcgrr_symbols_free(apart->epilogues[1].symbols);
}
