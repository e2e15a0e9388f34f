/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target for what another tcgrr says. The first byte chooses: a single message of any type, given to the function
 * that reads it; or a whole conversation, given to the comparing end or to the serving one as it would come over the
 * socket, whose own side is a made-up run. Whatever is said, executions that come out must be sound, and the end must
 * come.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lockstep/compare.h"
#include "lockstep/peer/remote.h"
#include "lockstep/peer/serve.h"
#include "lockstep/run_source_internal.h"
#include "store/digest.h"
#include "tests/stream.h"

#define INSNS (3 * TCGRR_CHECKPOINT_STEP / 2)
#define TURN  500

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- single messages ---- */

static void check_execs(const GArray *execs)
{
    for (guint i = 0; i < execs->len; i++) {
        const struct tcgrr_exec *exec = &g_array_index(execs, struct tcgrr_exec, i);
        if (!exec->block || exec->ran > exec->counted || exec->counted > exec->block->insns || exec->vcpu > 65535) {
            abort();
        }
    }
}

static void take_stretch(const struct tcgrr_message *message)
{
    struct tcgrr_part part = {1000, 1000 + TCGRR_CHECKPOINT_STEP};
    struct tcgrr_received_blocks heard;
    struct tcgrr_stretch stretch;
    struct tcgrr_sent_blocks told;

    tcgrr_received_blocks_init(&heard);
    tcgrr_stretch_init(&stretch);
    if (tcgrr_take_stretch(message, &part, &heard, &stretch, NULL)) {
        /* What was taken can be told on. */
        g_autoptr(GByteArray) payload = g_byte_array_new();
        check_execs(stretch.execs);
        tcgrr_sent_blocks_init(&told);
        tcgrr_put_stretch(payload, &stretch, &told);
        tcgrr_sent_blocks_clear(&told);
    }
    tcgrr_stretch_clear(&stretch);
    tcgrr_received_blocks_clear(&heard);
}

static void take_result(const struct tcgrr_message *message)
{
    struct tcgrr_comparison comparison;
    struct tcgrr_received_blocks heard;

    tcgrr_received_blocks_init(&heard);
    if (tcgrr_take_result(message, &heard, &comparison, NULL)) {
        if (comparison.diverged) {
            check_execs(comparison.common);
        }
        for (int i = 0; comparison.diverged && i < 2; i++) {
            const struct tcgrr_divergence_side *side = &comparison.sides[i];
            check_execs(side->history);
            if (side->there &&
                (side->insn >= side->exec.block->insns || side->pc != tcgrr_block_pc(side->exec.block, side->insn))) {
                abort();
            }
        }
        tcgrr_comparison_clear(&comparison);
    }
    tcgrr_received_blocks_clear(&heard);
}

static void take_positions(const struct tcgrr_message *message)
{
    struct tcgrr_position_plan plan = {1, 1000, 3000, 2000, 2000, 64, message->length % 2, 0x1000};
    struct tcgrr_positions positions = {.list = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_planned_position))};

    if (tcgrr_take_positions(message, &plan, &positions, NULL)) {
        for (guint i = 0; i < positions.list->len; i++) {
            const struct tcgrr_planned_position *planned =
                &g_array_index(positions.list, struct tcgrr_planned_position, i);
            tcgrr_icount begin = tcgrr_position_plan_begin(&plan, positions.first + i);
            if (planned->position.flow >= TCGRR_DIGEST_MODULUS ||
                (planned->found && (planned->first < begin || planned->first >= planned->position.icount))) {
                abort();
            }
        }
    }
    g_array_unref(positions.list);
}

/* What is taken of these is within its bounds. */
static void take_log_and_machine(const struct tcgrr_message *message)
{
    struct tcgrr_log_news news;
    struct tcgrr_machine machine = {.files = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_machine_file))};
    struct tcgrr_machine_answer answer = {.wanted = g_array_new(FALSE, FALSE, sizeof(uint32_t))};
    const uint8_t *bytes;
    size_t size;

    if (tcgrr_take_log(message, &news, NULL) && news.size > message->length) {
        abort();
    }
    if (tcgrr_take_machine(message, &machine, NULL)) {
        for (guint i = 0; i < machine.files->len; i++) {
            if (strchr(g_array_index(machine.files, struct tcgrr_machine_file, i).name, '/')) {
                abort();
            }
        }
    }
    if (tcgrr_take_answer(message, 7, &answer, NULL)) {
        for (guint i = 0; i < answer.wanted->len; i++) {
            if (g_array_index(answer.wanted, uint32_t, i) >= 7) {
                abort();
            }
        }
    }
    if (tcgrr_take_file(message, &bytes, &size, NULL) && size > message->length) {
        abort();
    }
    g_array_unref(machine.files);
    g_array_unref(answer.wanted);
}

static void take_small(const struct tcgrr_message *message)
{
    struct tcgrr_description description;
    struct tcgrr_epilogue epilogue = {.symbols = NULL};
    struct tcgrr_position_plan plan;
    struct tcgrr_part part = {0, 100};
    uint32_t serial, count;
    uint64_t pc;
    bool found;
    tcgrr_icount icount;
    GError *error = NULL;

    if (tcgrr_take_description(message, &description, NULL)) {
        tcgrr_description_check(&description, &description, NULL);
    }
    if (tcgrr_take_epilogue(message, &epilogue, NULL)) {
        g_free(tcgrr_symbols_name(epilogue.symbols, 0x1000));
        tcgrr_symbols_free(epilogue.symbols);
    }
    if (tcgrr_take_ask(message, &plan, NULL) && tcgrr_position_plan_begin(&plan, plan.count - 1) > UINT64_MAX / 2) {
        abort();
    }
    tcgrr_take_more(message, &serial, &count, NULL);
    tcgrr_take_found(message, &part, &found, &icount, NULL);
    tcgrr_take_find(message, &pc, &part, NULL);
    tcgrr_take_part(message, &part, NULL);
    tcgrr_take_failed(message, &error);
    g_clear_error(&error);
    take_log_and_machine(message);
}

/* ---- conversations ---- */

struct made_up {
    struct tcgrr_run_source base; /* must be first */
    struct tcgrr_blocks *blocks;
    struct tcgrr_chunk *chunk;
};

static struct tcgrr_cursor start(const struct tcgrr_run_source *side)
{
    const struct made_up *run = (const struct made_up *)side;
    struct tcgrr_cursor cursor;
    tcgrr_cursor_begin(&cursor, run->chunk, run->blocks);
    return cursor;
}

static bool advance(struct tcgrr_run_source *side, tcgrr_icount from, tcgrr_icount to,
                    struct tcgrr_run_source_position *position, GError **error)
{
    tcgrr_icount end = ((struct made_up *)side)->chunk->end_icount;
    *position =
        (struct tcgrr_run_source_position){to <= end ? TCGRR_SOURCE_REACHED : TCGRR_SOURCE_ENDED, MIN(to, end), 0};
    position->flow = tcgrr_run_source_digest(start(side), from, position->icount, 0);
    return true;
}

static bool stretch(struct tcgrr_run_source *side, tcgrr_icount from, tcgrr_icount to, struct tcgrr_stretch *found,
                    GError **error)
{
    g_array_set_size(found->execs, 0);
    tcgrr_run_source_append_execs(start(side), from, to, found->execs);
    return true;
}

static bool find(struct tcgrr_run_source *side, uint64_t pc, tcgrr_icount from, tcgrr_icount to, tcgrr_icount *icount,
                 bool *found, GError **error)
{
    *found = tcgrr_run_source_find(start(side), pc, from, to, icount);
    return true;
}

static const struct tcgrr_run_source_ops ops = {.advance = advance, .stretch = stretch, .find = find};

/* The same run for all inputs: a long loop, so that not much has to be said of it. */
static struct tcgrr_run_source *own_side(void)
{
    static struct made_up run = {.base.ops = &ops};
    if (!run.blocks) {
        GArray *script = stream_script(1, TURN);
        while (script->len < INSNS) {
            uint64_t pc = g_array_index(script, uint64_t, script->len - TURN);
            g_array_append_val(script, pc);
        }
        run.blocks = tcgrr_blocks_new();
        run.chunk = tcgrr_chunk_new(INSNS);
        tcgrr_chunk_follow(run.chunk, NULL);
        stream_cut(script, 0, 2, 60, run.blocks, run.chunk);
        g_array_unref(script);
    }
    return &run.base;
}

static void compare(struct tcgrr_peer *peer)
{
    const struct tcgrr_compare_options options = {.history = 5};
    struct tcgrr_comparison comparison, result;
    struct tcgrr_received_blocks heard;
    struct tcgrr_run_source *remote = tcgrr_run_source_remote(peer);
    struct tcgrr_run_source *local = tcgrr_run_source_watchful(own_side(), remote);

    if (tcgrr_compare(remote, local, &options, &comparison, NULL)) {
        tcgrr_received_blocks_init(&heard);
        if (tcgrr_remote_conclude(remote, &comparison, &heard, &result, NULL)) {
            tcgrr_comparison_clear(&result);
        }
        tcgrr_received_blocks_clear(&heard);
    }
    tcgrr_comparison_clear(&comparison);
    local->ops->free(local);
    remote->ops->free(remote);
}

static void serve(struct tcgrr_peer *peer)
{
    struct tcgrr_comparison comparison = {0};
    struct tcgrr_received_blocks heard;

    tcgrr_received_blocks_init(&heard);
    tcgrr_serve(peer, own_side(), false, &heard, &comparison, NULL);
    tcgrr_comparison_clear(&comparison);
    tcgrr_received_blocks_clear(&heard);
}

/* The other end has said all it will, and listens to nothing; a socket takes what we say up to a point. */
static void converse(const uint8_t *data, size_t size, void (*end)(struct tcgrr_peer *peer))
{
    const struct tcgrr_peer_options options = {.timeout_ms = 1000};
    int fds[2];

    if (size > 65536 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        return;
    }
    if (send(fds[1], data, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size) {
        shutdown(fds[1], SHUT_WR);
        struct tcgrr_peer *peer = tcgrr_peer_new(fds[0], &options);
        end(peer);
        tcgrr_peer_free(peer);
    } else {
        close(fds[0]);
    }
    close(fds[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct tcgrr_message message = {data[0] % TCGRR_MESSAGE_TYPES, data + 1, size - 1};
    switch (data[0]) {
    case 'c':
        converse(data + 1, size - 1, compare);
        break;
    case 's':
        converse(data + 1, size - 1, serve);
        break;
    case TCGRR_MESSAGE_STRETCH:
        take_stretch(&message);
        break;
    case TCGRR_MESSAGE_RESULT:
        take_result(&message);
        break;
    case TCGRR_MESSAGE_POSITIONS:
        take_positions(&message);
        break;
    default:
        take_small(&message);
    }
    return 0;
}
