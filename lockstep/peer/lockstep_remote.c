/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/peer/lockstep_remote.h"

#include "lockstep/doubts.h"
#include "lockstep/peer/remote.h"
#include "lockstep/peer/serve.h"
#include "lockstep/shared_machine.h"
#include "store/error.h"

#include <string.h>

#define MAX_STRANGERS 1000 /* that are sent away */

/* `known`: what our QEMU is, if it was probed already; else NULL. */
static bool open_session(struct tcgrr_lockstep_remote *lockstep, const struct tcgrr_lockstep_remote_options *options,
                         const struct tcgrr_qemu *known, GError **error)
{
    const struct tcgrr_session_options session = {
        .qemu = options->member.qemu,
        .known = known,
        .arguments = lockstep->machine.words ? (const char *const *)lockstep->machine.words : options->member.arguments,
        .plugin = options->plugin,
        .mode = lockstep->leader ? TCGRR_RUN_RECORD
                : lockstep->feed ? TCGRR_RUN_REPLAY
                                 : TCGRR_RUN_PLAIN,
        .rr_file = lockstep->leader ? tcgrr_leader_path(lockstep->leader)
                   : lockstep->feed ? tcgrr_feed_path(lockstep->feed)
                                    : NULL,
        .level = TCGRR_LEVEL_FLOW,
        .icount = options->icount,
        .only_reads = true,
        .expendable = true,
        .quiet = options->member.quiet,
        .output_to_errors = options->member.output_to_errors,
    };
    lockstep->session = tcgrr_session_new(&session, error);
    return lockstep->session != NULL;
}

bool tcgrr_lockstep_remote_open(struct tcgrr_lockstep_remote *lockstep,
                                const struct tcgrr_lockstep_remote_options *options, GError **error)
{
    *lockstep = (struct tcgrr_lockstep_remote){.own = options->listens ? 0 : 1};
    tcgrr_received_blocks_init(&lockstep->received);
    return options->member.reader || open_session(lockstep, options, NULL, error);
}

/* ---- meeting ---- */

static void copy_text(char *to, size_t size, const char *text)
{
    g_strlcpy(to, text ? text : "", size);
}

static void describe(const struct tcgrr_lockstep_remote *lockstep, const struct tcgrr_lockstep_remote_options *options,
                     const struct tcgrr_compare_options *compare, const char *text, struct tcgrr_description *ours)
{
    struct tcgrr_reader *reader = options->member.reader;
    const struct tcgrr_run *run = reader ? tcgrr_reader_run(reader) : NULL;
    const struct tcgrr_qemu *qemu = lockstep->session ? tcgrr_session_qemu(lockstep->session) : NULL;

    tcgrr_description_init(ours);
    copy_text(ours->tool, sizeof(ours->tool), options->tool_version);
    copy_text(ours->level, sizeof(ours->level), "flow"); /* all that is compared, whatever a trace has besides */
    copy_text(ours->source, sizeof(ours->source), options->name);
    copy_text(ours->options, sizeof(ours->options), text);
    ours->from = compare->from[lockstep->own];
    ours->until = compare->until[lockstep->own];
    ours->cut = run && !run->complete;
    ours->patience_s = (uint32_t)(options->hang_ms / 1000);
    if (run) {
        copy_text(ours->target, sizeof(ours->target), run->target);
        copy_text(ours->mode, sizeof(ours->mode), run->mode);
        copy_text(ours->qemu, sizeof(ours->qemu), run->qemu_version);
    } else if (qemu) {
        copy_text(ours->target, sizeof(ours->target), qemu->target);
        copy_text(ours->mode, sizeof(ours->mode), qemu->system ? "system" : "user");
        copy_text(ours->qemu, sizeof(ours->qemu), qemu->version);
    }
    if (qemu) {
        const struct tcgrr_command *command = tcgrr_session_command(lockstep->session);
        copy_text(ours->build, sizeof(ours->build), qemu->build_id);
        copy_text(ours->icount, sizeof(ours->icount), command->icount_shift);
        ours->shares = qemu->system && command->vcpus <= 1 && !options->own_inputs;
    }
}

/* A peer that can reach us from outside has to prove that it is the right one. */
static bool check_token(const struct tcgrr_lockstep_remote_options *options, GError **error)
{
    bool local;

    if (!tcgrr_address_is_local(&options->address, &local, options->stop, error)) {
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
static bool introduce(struct tcgrr_lockstep_remote *lockstep, const struct tcgrr_lockstep_remote_options *options,
                      int fd, bool *known, GError **error)
{
    struct tcgrr_peer_options peer = {
        .timeout_ms = options->timeout_ms,
        .stop = options->stop,
        .progress = options->progress,
        .data = options->data,
    };
    struct tcgrr_description *ours = &lockstep->sides[lockstep->own];
    struct tcgrr_description *theirs = &lockstep->sides[!lockstep->own];

    lockstep->peer = tcgrr_peer_new(fd, &peer);
    if (!tcgrr_handshake(lockstep->peer, options->listens, &options->token, ours, theirs, known, error)) {
        return false;
    }
    tcgrr_peer_be_patient(lockstep->peer, options->timeout_ms + (int)MAX(ours->patience_s, theirs->patience_s) * 1000);
    return true;
}

/* Others, such as a port scanner, may connect before the other side does: strangers are refused. */
static bool receive_other(struct tcgrr_lockstep_remote *lockstep, const struct tcgrr_lockstep_remote_options *options,
                          struct tcgrr_listener *listener, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + (gint64)options->wait_ms * 1000;

    for (unsigned strangers = 0;; strangers++) {
        int left_ms = (int)((MAX(0, deadline - g_get_monotonic_time()) + 999) / 1000);
        int fd = tcgrr_listener_accept(listener, left_ms, options->stop, error);
        GError *problem = NULL;
        bool known = false;
        if (fd < 0 || introduce(lockstep, options, fd, &known, &problem)) {
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
        g_clear_pointer(&lockstep->peer, tcgrr_peer_free);
    }
}

/* Connects to the other side and introduces both. */
static bool meet(struct tcgrr_lockstep_remote *lockstep, const struct tcgrr_lockstep_remote_options *options,
                 GError **error)
{
    if (!options->listens) {
        bool known;
        int fd = tcgrr_address_connect(&options->address, options->wait_ms, options->stop, error);
        return fd >= 0 && introduce(lockstep, options, fd, &known, error);
    }
    struct tcgrr_listener *listener = tcgrr_listener_new(&options->address, options->stop, error);
    if (!listener) {
        return false;
    }
    if (options->waiting) {
        options->waiting(tcgrr_listener_text(listener), options->data);
    }
    bool good = receive_other(lockstep, options, listener, error);
    tcgrr_listener_free(listener);
    return good;
}

/* ---- one log for both ---- */

static bool make_log(struct tcgrr_lockstep_remote *lockstep, GError **error)
{
    const struct tcgrr_leader_options options = {.give = tcgrr_serve_log, .data = lockstep->peer};

    if (lockstep->own == 0) {
        lockstep->leader = tcgrr_leader_new(&options, error);
    } else {
        lockstep->feed = tcgrr_feed_new(error);
    }
    return lockstep->leader || lockstep->feed;
}

/* Releases make different machines of the same words. */
static bool agree_on_machine(struct tcgrr_lockstep_remote *lockstep,
                             const struct tcgrr_lockstep_remote_options *options, const struct tcgrr_qemu *qemu,
                             GError **error)
{
    const struct tcgrr_description *sides = lockstep->sides;

    return tcgrr_state_same_qemu(sides[0].qemu, sides[0].build, sides[1].qemu, sides[1].build) ||
           tcgrr_agreed_machine_agree(&lockstep->machine, lockstep->peer, options->listens, qemu,
                                      options->member.arguments, error);
}

/* Opens our QEMU again: the listening side's records, the other one follows. */
static bool share_log(struct tcgrr_lockstep_remote *lockstep, const struct tcgrr_lockstep_remote_options *options,
                      GError **error)
{
    struct tcgrr_qemu known;

    if (!make_log(lockstep, error)) {
        return false;
    }
    tcgrr_qemu_copy(&known, tcgrr_session_qemu(lockstep->session));
    g_clear_pointer(&lockstep->session, tcgrr_session_free);
    bool agreed = agree_on_machine(lockstep, options, &known, error);
    bool good =
        agreed && open_session(lockstep, options, &known, error) &&
        (lockstep->leader ? tcgrr_leader_begin(lockstep->leader, lockstep->session, lockstep->sides[1].qemu, error)
                          : tcgrr_feed_begin(lockstep->feed, lockstep->session, error));
    tcgrr_qemu_clear(&known);
    if (agreed && !good) {
        g_prefix_error(error, "one rr log cannot drive both (--own-inputs does without): ");
    }
    return good;
}

/* ---- running ---- */

static void pass_on(tcgrr_icount icount, void *data)
{
    tcgrr_peer_report_progress(data, icount);
}

static bool start(struct tcgrr_lockstep_remote *lockstep, const struct tcgrr_lockstep_remote_options *options,
                  GError **error)
{
    struct tcgrr_run_source_live_options live = {
        .fails_at_threads = true,
        .hang_ms = options->hang_ms,
        .stop = options->stop,
        .progress = pass_on,
        .ahead = options->listens ? TCGRR_PROTOCOL_AHEAD : 0,
        .replays = lockstep->feed,
        .data = lockstep->peer,
    };
    if (lockstep->leader) {
        live.log = tcgrr_leader_log(lockstep->leader);
        live.ahead += TCGRR_PROTOCOL_LOG_AHEAD;
    } else if (lockstep->feed) {
        live.log = tcgrr_run_source_remote_log(lockstep->remote);
    }
    if (options->member.reader) {
        lockstep->side = tcgrr_run_source_stored(options->member.reader, error);
    } else if (tcgrr_session_start(lockstep->session, error)) {
        lockstep->side = tcgrr_run_source_live(lockstep->session, &live);
    }
    return lockstep->side != NULL;
}

/* System calls are not transferred: each program makes its own. So only different code shows that a program differs. */
static bool withdraw_over_calls(const struct tcgrr_lockstep_remote *lockstep, struct tcgrr_comparison *found,
                                GError **error)
{
    const struct tcgrr_divergence_side *sides = found->sides;
    bool other_code = sides[0].there && sides[1].there && sides[0].pc == sides[1].pc;

    return strcmp(lockstep->sides[0].mode, "system") == 0 || other_code ||
           tcgrr_compare_withdraw_over_calls(found, error);
}

static bool compare_here(struct tcgrr_lockstep_remote *lockstep, const struct tcgrr_compare_options *asked,
                         GError **error)
{
    struct tcgrr_compare_options compare = *asked;
    struct tcgrr_comparison found;

    for (int i = 0; i < 2; i++) {
        compare.from[i] = lockstep->sides[i].from;
        compare.until[i] = lockstep->sides[i].until;
    }
    compare.tolerate_cut_a = lockstep->sides[0].cut;
    compare.isa = tcgrr_isa_of_target(lockstep->sides[0].target);
    compare.own_inputs = strcmp(lockstep->sides[0].mode, "system") == 0;
    if (lockstep->feed) {
        compare.strict = true;
        compare.asked_after = tcgrr_run_source_remote_asked_after(lockstep->remote);
    }
    lockstep->beside = tcgrr_run_source_watchful(lockstep->side, lockstep->remote);
    bool good = tcgrr_compare(lockstep->remote, lockstep->beside, &compare, &found, error) &&
                withdraw_over_calls(lockstep, &found, error) &&
                tcgrr_remote_conclude(lockstep->remote, &found, &lockstep->received, &lockstep->comparison, error);
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
static struct tcgrr_symbols *report_symbols(const struct tcgrr_lockstep_remote *lockstep, struct tcgrr_symbols *ours)
{
    const struct tcgrr_divergence_side *side = &lockstep->comparison.sides[lockstep->own];
    struct tcgrr_symbols *chosen = tcgrr_symbols_new();

    if (lockstep->own == 0) {
        add_places(chosen, ours, lockstep->comparison.common);
        for (guint i = 0; i < lockstep->comparison.places->len; i++) {
            add_place(chosen, ours, g_array_index(lockstep->comparison.places, struct tcgrr_tolerated, i).pc);
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

/* Each side reports how its QEMU ended and its names of places. */
static bool exchange_epilogues(struct tcgrr_lockstep_remote *lockstep, GError **error)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct tcgrr_message message;

    tcgrr_put_epilogue(payload, &lockstep->epilogues[lockstep->own]);
    if (!tcgrr_peer_send(lockstep->peer, TCGRR_MESSAGE_EPILOGUE, payload, error)) {
        return false;
    }
    do {
        if (!tcgrr_peer_receive(lockstep->peer, &message, error)) {
            return false;
        }
    } while (message.type == TCGRR_MESSAGE_POSITIONS || message.type == TCGRR_MESSAGE_LOG); /* still on their way */
    if (message.type != TCGRR_MESSAGE_EPILOGUE) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "the other side sent a message out of turn (%s)",
                    tcgrr_message_name(message.type));
        return false;
    }
    return tcgrr_take_epilogue(&message, &lockstep->epilogues[!lockstep->own], error);
}

/* The result is valid even if the other side has gone by now. */
static void conclude(struct tcgrr_lockstep_remote *lockstep, struct tcgrr_symbols *symbols)
{
    struct tcgrr_epilogue *ours = &lockstep->epilogues[lockstep->own];
    g_autofree char *exit = NULL;
    g_autofree char *words = NULL;

    if (lockstep->session) {
        tcgrr_lockstep_local_conclude(lockstep->session, lockstep->comparison.ends[lockstep->own], &exit, &words);
    }
    copy_text(ours->exit, sizeof(ours->exit), exit);
    copy_text(ours->words, sizeof(ours->words), words);
    ours->symbols = report_symbols(lockstep, symbols);
    if (exchange_epilogues(lockstep, &lockstep->unheard)) {
        tcgrr_peer_finish(lockstep->peer);
    }
    lockstep->traffic = tcgrr_peer_traffic(lockstep->peer);
}

static enum tcgrr_lockstep_inputs inputs_of(const struct tcgrr_lockstep_remote *lockstep)
{
    if (!lockstep->leader && !lockstep->feed) {
        return TCGRR_INPUTS_OWN;
    }
    bool translated = lockstep->leader ? tcgrr_leader_translated(lockstep->leader)
                                       : tcgrr_run_source_remote_translated(lockstep->remote);
    return translated ? TCGRR_INPUTS_TRANSLATED : TCGRR_INPUTS_SHARED;
}

/* Withdraws a divergence of two sides on one log that something other than the guest may have caused. */
static bool check_shared(struct tcgrr_lockstep_remote *lockstep, GError **error)
{
    const struct tcgrr_description *a = &lockstep->sides[0], *b = &lockstep->sides[1];

    const char *versions[] = {a->qemu, b->qemu};

    return tcgrr_lockstep_check_machines(&lockstep->comparison, a->target, versions, "--from", error) &&
           tcgrr_lockstep_check_log(&lockstep->comparison, lockstep->epilogues[1].words,
                                    tcgrr_state_same_qemu(a->qemu, a->build, b->qemu, b->build), error);
}

static bool check_doubts(struct tcgrr_lockstep_remote *lockstep, GError **error)
{
    const char *versions[] = {lockstep->sides[0].qemu, lockstep->sides[1].qemu};
    struct tcgrr_doubts_run run = {
        .target = lockstep->sides[0].target,
        .versions = versions,
        .words = (const char *const *)tcgrr_session_command(lockstep->session)->argv,
        .blocks = tcgrr_live_blocks(tcgrr_session_live(lockstep->session)),
        .translated = lockstep->inputs == TCGRR_INPUTS_TRANSLATED,
        .system = tcgrr_session_qemu(lockstep->session)->system,
    };
    return tcgrr_doubts_check(&lockstep->comparison, &run, error);
}

static bool run(struct tcgrr_lockstep_remote *lockstep, const struct tcgrr_lockstep_remote_options *options,
                const struct tcgrr_compare_options *compare, struct tcgrr_symbols *symbols, GError **error)
{
    if (tcgrr_description_shared(&lockstep->sides[0], &lockstep->sides[1]) && !share_log(lockstep, options, error)) {
        return false;
    }
    if (!options->listens) {
        lockstep->remote = tcgrr_run_source_remote(lockstep->peer);
        tcgrr_run_source_remote_feed(lockstep->remote, lockstep->feed);
    }
    bool good = start(lockstep, options, error) &&
                (options->listens ? tcgrr_serve(lockstep->peer, lockstep->side, lockstep->leader, &lockstep->received,
                                                &lockstep->comparison, error)
                                  : compare_here(lockstep, compare, error));
    if (good) {
        lockstep->inputs = inputs_of(lockstep);
        conclude(lockstep, symbols);
    }
    return good && (lockstep->inputs == TCGRR_INPUTS_OWN || check_shared(lockstep, error)) &&
           (!lockstep->session || check_doubts(lockstep, error));
}

bool tcgrr_lockstep_remote_run(struct tcgrr_lockstep_remote *lockstep,
                               const struct tcgrr_lockstep_remote_options *options,
                               const struct tcgrr_compare_options *compare, const char *text,
                               struct tcgrr_symbols *symbols, GError **error)
{
    GError *problem = NULL;

    describe(lockstep, options, compare, text, &lockstep->sides[lockstep->own]);
    if (!check_token(options, error) || !meet(lockstep, options, error)) {
        return false;
    }
    if (run(lockstep, options, compare, symbols, &problem)) {
        return true;
    }
    tcgrr_peer_give_up(lockstep->peer, problem);
    g_propagate_error(error, problem);
    return false;
}

void tcgrr_lockstep_remote_clear(struct tcgrr_lockstep_remote *lockstep)
{
    g_clear_error(&lockstep->unheard);
    tcgrr_comparison_clear(&lockstep->comparison);
    struct tcgrr_run_source *sides[] = {lockstep->beside, lockstep->remote, lockstep->side};
    for (size_t i = 0; i < G_N_ELEMENTS(sides); i++) {
        if (sides[i]) {
            sides[i]->ops->free(sides[i]);
        }
    }
    tcgrr_peer_free(lockstep->peer);
    tcgrr_session_free(lockstep->session);
    tcgrr_leader_free(lockstep->leader);
    tcgrr_feed_free(lockstep->feed);
    tcgrr_agreed_machine_clear(&lockstep->machine);
    tcgrr_received_blocks_clear(&lockstep->received);
    tcgrr_symbols_free(lockstep->epilogues[0].symbols);
    tcgrr_symbols_free(lockstep->epilogues[1].symbols);
}
