/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two ends of a connection: they introduce themselves or refuse each other, compare what they have, and no peer makes
 * the other wait for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lockstep/compare.h"
#include "lockstep/peer/fields.h"
#include "lockstep/peer/handshake.h"
#include "lockstep/peer/remote.h"
#include "lockstep/peer/serve.h"
#include "lockstep/run_source_internal.h"
#include "store/error.h"
#include "tests/stream.h"

#define STEP       TCGRR_CHECKPOINT_STEP
#define TIMEOUT_MS 5000
#define SHORT_MS   300
#define PATIENT_MS 60000 /* for an answer of a million events, which takes seconds on a slow machine */

static void make_pair(struct tcgrr_peer *peers[2], int timeout_ms)
{
    const struct tcgrr_peer_options options = {.timeout_ms = timeout_ms};
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    peers[0] = tcgrr_peer_new(fds[0], &options);
    peers[1] = tcgrr_peer_new(fds[1], &options);
}

/* ---- introducing ---- */

struct greeter {
    struct tcgrr_peer *peer;
    bool listening;
    struct tcgrr_token token;
    struct tcgrr_description ours;
    struct tcgrr_description theirs;
    bool good;
    GError *error;
};

static gpointer greet(gpointer data)
{
    struct greeter *greeter = data;
    bool known;
    greeter->good = tcgrr_handshake(greeter->peer, greeter->listening, &greeter->token, &greeter->ours,
                                    &greeter->theirs, &known, &greeter->error);
    return NULL;
}

static void init_greeters(struct greeter greeters[2])
{
    for (int i = 0; i < 2; i++) {
        greeters[i] = (struct greeter){.listening = i == 0};
        tcgrr_description_init(&greeters[i].ours);
        strcpy(greeters[i].ours.target, "riscv64");
        strcpy(greeters[i].ours.qemu, i == 0 ? "10.0.2" : "11.1.3");
    }
}

/* Lets the two meet; frees what they say last. Each has to complain of `words`; NULL: both are content. */
static void meet(struct greeter greeters[2], const char *words)
{
    struct tcgrr_peer *peers[2];

    make_pair(peers, TIMEOUT_MS);
    greeters[0].peer = peers[0];
    greeters[1].peer = peers[1];
    GThread *other = g_thread_new("other", greet, &greeters[1]);
    greet(&greeters[0]);
    g_thread_join(other);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(greeters[i].good, words == NULL);
        if (words) {
            assert_non_null(strstr(greeters[i].error->message, words));
        }
        g_clear_error(&greeters[i].error);
        tcgrr_peer_free(peers[i]);
    }
}

static void test_handshake(void **state)
{
    struct greeter greeters[2];

    init_greeters(greeters);
    meet(greeters, NULL);
    assert_string_equal(greeters[0].theirs.qemu, "11.1.3");
    assert_string_equal(greeters[1].theirs.qemu, "10.0.2");
}

static void test_refusals(void **state)
{
    struct greeter greeters[2];

    init_greeters(greeters);
    strcpy(greeters[1].ours.target, "aarch64");
    meet(greeters, "'aarch64'");
    init_greeters(greeters);
    greeters[0].ours.step = 4096;
    meet(greeters, "0x1000'");
    init_greeters(greeters);
    greeters[0].listening = false;
    meet(greeters, "both sides want to connect");
}

static struct tcgrr_token token_of(const char *text)
{
    return (struct tcgrr_token){(uint8_t *)text, strlen(text)};
}

static void test_tokens(void **state)
{
    struct greeter greeters[2];

    init_greeters(greeters);
    greeters[0].token = greeters[1].token = token_of("the same secret here");
    meet(greeters, NULL);
    init_greeters(greeters);
    greeters[0].token = token_of("the same secret here");
    greeters[1].token = token_of("the same secret herf");
    meet(greeters, "different tokens");
    for (int i = 0; i < 2; i++) {
        init_greeters(greeters);
        greeters[i].token = token_of("the same secret here");
        meet(greeters, "token-file");
    }
}

/* A token is never sent, and what proves it is another each time. */
static void test_token_is_not_sent(void **state)
{
    const char *secret = "the same secret here";
    uint8_t proofs[2][TCGRR_PROOF_BYTES];

    for (int i = 0; i < 2; i++) {
        struct tcgrr_peer *peers[2];
        struct greeter greeters[2];
        uint8_t hello[TCGRR_HELLO_BYTES];
        struct tcgrr_message message;
        make_pair(peers, TIMEOUT_MS);
        init_greeters(greeters);
        greeters[1].peer = peers[1];
        greeters[1].token = token_of(secret);
        GThread *other = g_thread_new("other", greet, &greeters[1]);
        assert_true(tcgrr_peer_read(peers[0], hello, sizeof(hello), hello, 0, NULL));
        assert_null(memmem(hello, sizeof(hello), secret, strlen(secret)));
        hello[20] ^= 1; /* what came, turned round: from a listener, with the same nonce */
        assert_true(tcgrr_peer_write(peers[0], hello, sizeof(hello), NULL));
        assert_true(tcgrr_peer_receive(peers[0], &message, NULL));
        assert_int_equal(message.type, TCGRR_MESSAGE_PROOF);
        assert_int_equal(message.length, TCGRR_PROOF_BYTES);
        memcpy(proofs[i], message.payload, message.length);
        /* The same proof sent back proves nothing. */
        g_autoptr(GByteArray) payload = g_byte_array_new();
        g_byte_array_append(payload, proofs[i], TCGRR_PROOF_BYTES);
        assert_true(tcgrr_peer_send(peers[0], TCGRR_MESSAGE_PROOF, payload, NULL));
        tcgrr_peer_finish(peers[0]);
        g_thread_join(other);
        assert_false(greeters[1].good);
        assert_non_null(strstr(greeters[1].error->message, "different tokens"));
        g_clear_error(&greeters[1].error);
        tcgrr_peer_free(peers[0]);
        tcgrr_peer_free(peers[1]);
    }
    assert_memory_not_equal(proofs[0], proofs[1], TCGRR_PROOF_BYTES);
}

static void test_token_file(void **state)
{
    g_autofree char *path = NULL;
    struct tcgrr_token token = {0};
    GError *error = NULL;
    int fd = g_file_open_tmp("tcgrr-token-XXXXXX", &path, NULL);

    assert_true(fd >= 0);
    close(fd);
    assert_true(g_file_set_contents(path, "0123456789abcde\n", -1, NULL));
    assert_false(tcgrr_token_read(path, &token, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_USAGE));
    g_clear_error(&error);
    assert_true(g_file_set_contents(path, "0123456789abcdef \r\n", -1, NULL));
    assert_true(tcgrr_token_read(path, &token, NULL));
    assert_int_equal(token.length, 16);
    tcgrr_token_clear(&token);
    unlink(path);
    assert_false(tcgrr_token_read(path, &token, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_USAGE));
    g_clear_error(&error);
}

/* ---- peers that are none ---- */

/* What a handshake comes to whose other end sends these bytes and then closes, or keeps silent. */
static void greet_bytes(const void *bytes, size_t length, bool closes, int code, const char *words)
{
    struct greeter greeters[2];
    int fds[2];
    const struct tcgrr_peer_options options = {.timeout_ms = SHORT_MS};

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    init_greeters(greeters);
    greeters[0].peer = tcgrr_peer_new(fds[0], &options);
    assert_int_equal(write(fds[1], bytes, length), length);
    if (closes) {
        assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
    }
    greet(&greeters[0]);
    assert_false(greeters[0].good);
    assert_int_equal(greeters[0].error->code, code);
    assert_non_null(strstr(greeters[0].error->message, words));
    g_clear_error(&greeters[0].error);
    tcgrr_peer_free(greeters[0].peer);
    close(fds[1]);
}

static void test_strangers(void **state)
{
    uint8_t hello[TCGRR_HELLO_BYTES] = "tcgrr lockstep\n";
    static const char http[] = "GET / HTTP/1.1\r\nHost: here\r\n\r\n";

    greet_bytes(http, strlen(http), false, TCGRR_ERROR_DAMAGED, "not tcgrr lockstep");
    greet_bytes("", 0, false, TCGRR_ERROR_HUNG, "has sent no greeting");
    greet_bytes("", 0, true, TCGRR_ERROR_FAILED, "went away");
    greet_bytes(hello, 30, false, TCGRR_ERROR_HUNG, "has sent no greeting");
    greet_bytes(hello, 30, true, TCGRR_ERROR_FAILED, "went away");
    hello[16] = TCGRR_PROTOCOL_VERSION + 1;
    greet_bytes(hello, sizeof(hello), false, TCGRR_ERROR_FAILED, "2 here, 3 on the other side");
    hello[16] = TCGRR_PROTOCOL_VERSION;
    greet_bytes(hello, sizeof(hello), false, TCGRR_ERROR_HUNG, "has said nothing");
    uint8_t more[TCGRR_HELLO_BYTES + 8] = {0};
    memcpy(more, hello, sizeof(hello));
    memset(more + sizeof(hello), 0xff, 8);
    greet_bytes(more, sizeof(more), false, TCGRR_ERROR_DAMAGED, "malformed message (type 255");
    /* Who has not shown who he is does not keep us waiting by saying that he lives. */
    memcpy(more + sizeof(hello), (uint8_t[]){TCGRR_MESSAGE_ALIVE, 1, 0, 0, 0, 5}, 6);
    greet_bytes(more, sizeof(hello) + 6, false, TCGRR_ERROR_DAMAGED, "out of turn (alive)");
}

/* ---- comparing ---- */

/* A run that is all there, but whose guest takes its time. */
struct made_up {
    struct tcgrr_run_source base; /* must be first */
    struct tcgrr_blocks *blocks;
    struct tcgrr_chunk *chunk;
    enum tcgrr_run_source_state end;
    tcgrr_icount furthest; /* that was asked for */
    unsigned waits;        /* so often it is not there yet */
    bool still;            /* it never gets there */
};

static struct tcgrr_cursor start(const struct made_up *run)
{
    struct tcgrr_cursor cursor;
    tcgrr_cursor_begin(&cursor, run->chunk, run->blocks);
    return cursor;
}

static bool advance(struct tcgrr_run_source *side, tcgrr_icount from, tcgrr_icount to,
                    struct tcgrr_run_source_position *position, GError **error)
{
    struct made_up *run = (struct made_up *)side;
    tcgrr_icount end = run->chunk->end_icount;

    *position = (struct tcgrr_run_source_position){to <= end ? TCGRR_SOURCE_REACHED : run->end, MIN(to, end), 0};
    bool checkpoint = from == 0 && to <= end && to > 0 && to % STEP == 0;
    position->flow = checkpoint ? g_array_index(run->chunk->checkpoints, struct tcgrr_checkpoint, to / STEP - 1).flow
                                : tcgrr_run_source_digest(start(run), from, position->icount, 0);
    run->furthest = MAX(run->furthest, to);
    return true;
}

static bool stretch(struct tcgrr_run_source *side, tcgrr_icount from, tcgrr_icount to, struct tcgrr_stretch *found,
                    GError **error)
{
    struct made_up *run = (struct made_up *)side;

    g_array_set_size(found->execs, 0);
    g_array_set_size(found->events, 0);
    tcgrr_run_source_append_execs(start(run), from, to, found->execs);
    return true;
}

static bool find(struct tcgrr_run_source *side, uint64_t pc, tcgrr_icount from, tcgrr_icount to, tcgrr_icount *icount,
                 bool *found, GError **error)
{
    *found = tcgrr_run_source_find(start((struct made_up *)side), pc, from, to, icount);
    return true;
}

static bool approach(struct tcgrr_run_source *side, tcgrr_icount to, int wait_ms, bool *there, GError **error)
{
    struct made_up *run = (struct made_up *)side;

    run->waits += !run->still;
    *there = !run->still && run->waits % 3 == 0;
    if (!*there) {
        g_usleep(run->still ? wait_ms * 1000 : 200);
    }
    return true;
}

static void free_run(struct tcgrr_run_source *side)
{
    struct made_up *run = (struct made_up *)side;
    tcgrr_blocks_free(run->blocks);
    tcgrr_chunk_free(run->chunk);
    g_free(run);
}

static const struct tcgrr_run_source_ops patient_ops = {
    .advance = advance, .stretch = stretch, .find = find, .free = free_run, .approach = approach};
static const struct tcgrr_run_source_ops ready_ops = {
    .advance = advance, .stretch = stretch, .find = find, .free = free_run};

/* `insns` instructions of one guest, which goes elsewhere from number `astray` on. */
static struct made_up *make_run(guint insns, guint astray, uint64_t cut, enum tcgrr_run_source_state end)
{
    struct made_up *run = g_new0(struct made_up, 1);
    GArray *script = stream_script(1, insns);

    run->base.ops = cut % 2 ? &patient_ops : &ready_ops;
    run->end = end;
    for (guint i = astray; i < insns; i++) {
        g_array_index(script, uint64_t, i) += 0x40000000;
    }
    run->blocks = tcgrr_blocks_new();
    run->chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS);
    tcgrr_chunk_follow(run->chunk, NULL);
    assert_int_equal(stream_cut(script, 0, cut, 20, run->blocks, run->chunk), insns);
    g_array_unref(script);
    return run;
}

struct serving {
    struct tcgrr_peer *peer;
    struct tcgrr_run_source *side;
    struct tcgrr_received_blocks heard;
    struct tcgrr_comparison comparison;
    bool good;
    GError *error;
};

static gpointer serve(gpointer data)
{
    struct serving *serving = data;
    serving->good =
        tcgrr_serve(serving->peer, serving->side, false, &serving->heard, &serving->comparison, &serving->error);
    if (!serving->good) {
        tcgrr_peer_give_up(serving->peer, serving->error);
    }
    return NULL;
}

static void assert_same_execs(const GArray *left, const GArray *right)
{
    assert_int_equal(left->len, right->len);
    for (guint i = 0; i < left->len; i++) {
        const struct tcgrr_exec *a = &g_array_index(left, struct tcgrr_exec, i);
        const struct tcgrr_exec *b = &g_array_index(right, struct tcgrr_exec, i);
        assert_int_equal(a->block->hash, b->block->hash);
        assert_int_equal(a->ran, b->ran);
        assert_int_equal(a->icount, b->icount);
    }
}

static void assert_same_comparison(const struct tcgrr_comparison *left, const struct tcgrr_comparison *right)
{
    assert_int_equal(left->diverged, right->diverged);
    assert_int_equal(left->compared, right->compared);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(left->start[i], right->start[i]);
        assert_int_equal(left->surplus[i], right->surplus[i]);
        assert_int_equal(left->ends[i], right->ends[i]);
    }
    if (!left->diverged) {
        return;
    }
    assert_int_equal(left->kind, right->kind);
    assert_int_equal(left->icount, right->icount);
    assert_same_execs(left->common, right->common);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(left->sides[i].there, right->sides[i].there);
        assert_int_equal(left->sides[i].pc, right->sides[i].pc);
        assert_int_equal(left->sides[i].icount, right->sides[i].icount);
        assert_same_execs(left->sides[i].history, right->sides[i].history);
    }
}

/* Compares the two over a connection; returns what came over it at our end. The result must be what comparing them
 * without one gives. */
static struct tcgrr_peer_traffic compare(struct made_up *a, struct made_up *b,
                                         const struct tcgrr_compare_options *options)
{
    struct tcgrr_peer *peers[2];
    struct tcgrr_comparison found, here, directly;
    struct tcgrr_received_blocks heard;
    GError *error = NULL;

    make_pair(peers, TIMEOUT_MS);
    struct serving serving = {.peer = peers[0], .side = &a->base};
    tcgrr_received_blocks_init(&serving.heard);
    tcgrr_peer_be_patient(peers[0], TIMEOUT_MS);
    tcgrr_peer_be_patient(peers[1], TIMEOUT_MS);
    GThread *server = g_thread_new("server", serve, &serving);
    struct tcgrr_run_source *remote = tcgrr_run_source_remote(peers[1]);
    struct tcgrr_run_source *local = tcgrr_run_source_watchful(&b->base, remote);
    tcgrr_received_blocks_init(&heard);
    if (!tcgrr_compare(remote, local, options, &found, &error) ||
        !tcgrr_remote_conclude(remote, &found, &heard, &here, &error)) {
        fail_msg("%s", error->message);
    }
    g_thread_join(server);
    if (!serving.good) {
        fail_msg("%s", serving.error->message);
    }
    /* Neither ran further ahead than may be. */
    assert_true(a->furthest <= here.compared + here.start[0] + TCGRR_PROTOCOL_AHEAD + 2 * STEP);
    assert_true(tcgrr_compare(&a->base, &b->base, options, &directly, NULL));
    assert_same_comparison(&found, &directly);
    assert_same_comparison(&here, &directly);
    assert_same_comparison(&serving.comparison, &directly);
    struct tcgrr_peer_traffic traffic = tcgrr_peer_traffic(peers[1]);
    tcgrr_comparison_clear(&found);
    tcgrr_comparison_clear(&here);
    tcgrr_received_blocks_clear(&heard);
    tcgrr_comparison_clear(&directly);
    tcgrr_comparison_clear(&serving.comparison);
    tcgrr_received_blocks_clear(&serving.heard);
    local->ops->free(local);
    remote->ops->free(remote);
    free_run(&a->base);
    free_run(&b->base);
    tcgrr_peer_free(peers[0]);
    tcgrr_peer_free(peers[1]);
    return traffic;
}

#define NEVER G_MAXUINT

static void test_comparing(void **state)
{
    const struct tcgrr_compare_options options = {.history = 5};
    static const guint places[] = {0, 1, STEP - 1, STEP, STEP + 1, 5 * STEP + 77, 6 * STEP - 1};

    for (uint64_t cut = 2; cut < 6; cut++) {
        compare(make_run(6 * STEP, NEVER, cut, TCGRR_SOURCE_ENDED),
                make_run(6 * STEP, NEVER, cut / 2, TCGRR_SOURCE_ENDED), &options);
    }
    for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
        compare(make_run(6 * STEP, i % 2 ? places[i] : NEVER, 2 + i, TCGRR_SOURCE_ENDED),
                make_run(6 * STEP, i % 2 ? NEVER : places[i], 3 + i / 2, TCGRR_SOURCE_ENDED), &options);
        compare(make_run(places[i], NEVER, 3, TCGRR_SOURCE_CUT), make_run(6 * STEP, NEVER, 2, TCGRR_SOURCE_ENDED),
                &options);
        compare(make_run(6 * STEP, NEVER, 3, TCGRR_SOURCE_ENDED), make_run(places[i], NEVER, 3, TCGRR_SOURCE_HUNG),
                &options);
    }
    compare(make_run(3 * STEP + 5, NEVER, 3, TCGRR_SOURCE_ENDED), make_run(3 * STEP, NEVER, 2, TCGRR_SOURCE_SHUTDOWN),
            &options);
}

/* From and until places of each side's own, found as the runs go. */
static void test_places(void **state)
{
    GArray *script = stream_script(1, 6 * STEP);
    uint64_t pc = g_array_index(script, uint64_t, 2 * STEP + 100);
    struct tcgrr_compare_options options = {
        .history = 5,
        .from = {{TCGRR_POSITION_PC, pc}, {TCGRR_POSITION_PC, pc}},
    };

    compare(make_run(6 * STEP, NEVER, 2, TCGRR_SOURCE_ENDED), make_run(6 * STEP, 5 * STEP, 3, TCGRR_SOURCE_ENDED),
            &options);
    options.until[0] = options.until[1] = (struct tcgrr_position){TCGRR_POSITION_PC, pc};
    compare(make_run(6 * STEP, NEVER, 3, TCGRR_SOURCE_ENDED), make_run(6 * STEP, 5 * STEP, 2, TCGRR_SOURCE_ENDED),
            &options);
    options.from[0] = options.from[1] = (struct tcgrr_position){TCGRR_POSITION_ICOUNT, 1000};
    options.until[0] = options.until[1] = (struct tcgrr_position){TCGRR_POSITION_ICOUNT, 4 * STEP};
    compare(make_run(6 * STEP, NEVER, 3, TCGRR_SOURCE_ENDED), make_run(6 * STEP, 5 * STEP, 2, TCGRR_SOURCE_ENDED),
            &options);
    g_array_unref(script);
}

/* While the runs agree, few bytes go over the connection; and the comparing end hardly says anything. */
static void test_traffic(void **state)
{
    enum { STEPS = 90 };
    struct made_up *run = make_run(STEPS * STEP, NEVER, 2, TCGRR_SOURCE_ENDED);
    struct tcgrr_run_source_position position;
    struct tcgrr_peer *peers[2];
    GError *error = NULL;
    GError *enough = g_error_new(TCGRR_ERROR, TCGRR_ERROR_STOPPED, "enough");

    make_pair(peers, TIMEOUT_MS);
    struct serving serving = {.peer = peers[0], .side = &run->base};
    GThread *server = g_thread_new("server", serve, &serving);
    struct tcgrr_run_source *remote = tcgrr_run_source_remote(peers[1]);
    for (guint i = 1; i <= STEPS; i++) {
        if (!remote->ops->advance(remote, 0, i * STEP, &position, &error)) {
            fail_msg("%s", error->message);
        }
        assert_int_equal(position.state, TCGRR_SOURCE_REACHED);
        assert_int_equal(position.flow, g_array_index(run->chunk->checkpoints, struct tcgrr_checkpoint, i - 1).flow);
    }
    struct tcgrr_peer_traffic traffic = tcgrr_peer_traffic(peers[1]);
    /* 8 for the digest; the rest is shared by what goes along with it. */
    assert_in_range(traffic.received / STEPS, 8, 14);
    assert_in_range(traffic.sent / STEPS, 0, 2);
    tcgrr_peer_give_up(peers[1], enough);
    g_thread_join(server);
    g_error_free(serving.error);
    g_error_free(enough);
    remote->ops->free(remote);
    tcgrr_peer_free(peers[0]);
    tcgrr_peer_free(peers[1]);
    free_run(&run->base);
}

/* ---- peers that stop working ---- */

/* Compares while something happens to the serving end, and wants this error. */
static void expect_failure(struct tcgrr_peer *peer, struct tcgrr_run_source *local, int code, const char *words)
{
    const struct tcgrr_compare_options options = {.history = 5};
    struct tcgrr_comparison comparison;
    GError *error = NULL;
    struct tcgrr_run_source *remote = tcgrr_run_source_remote(peer);
    struct tcgrr_run_source *beside = tcgrr_run_source_watchful(local, remote);

    assert_false(tcgrr_compare(remote, beside, &options, &comparison, &error));
    if (!strstr(error->message, words)) {
        fail_msg("'%s' instead of '%s'", error->message, words);
    }
    assert_int_equal(error->code, code);
    g_error_free(error);
    tcgrr_comparison_clear(&comparison);
    beside->ops->free(beside);
    remote->ops->free(remote);
}

struct actor {
    int fd;
    void (*act)(int fd);
};

static gpointer act(gpointer data)
{
    struct actor *actor = data;
    actor->act(actor->fd);
    return NULL;
}

static void send_bytes(int fd, const void *bytes, size_t length)
{
    assert_int_equal(send(fd, bytes, length, MSG_NOSIGNAL), length);
}

static void go_away(int fd)
{
    g_usleep(50000);
    shutdown(fd, SHUT_RDWR);
}

static void say_nothing(int fd)
{
    g_usleep(G_USEC_PER_SEC);
}

/* Lives, but never answers. */
static void only_live(int fd)
{
    static const uint8_t alive[] = {TCGRR_MESSAGE_ALIVE, 1, 0, 0, 0, 5};
    while (send(fd, alive, sizeof(alive), MSG_NOSIGNAL) > 0) {
        g_usleep(50000);
    }
}

/* A message of which hardly anything comes, a byte at a time. */
static void drip(int fd)
{
    static const uint8_t head[] = {TCGRR_MESSAGE_POSITIONS, 0, 16, 0, 0};
    send_bytes(fd, head, sizeof(head));
    while (send(fd, "", 1, MSG_NOSIGNAL) > 0) {
        g_usleep(50000);
    }
}

static void talk_rubbish(int fd)
{
    uint8_t bytes[300];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 37 + 11);
    }
    send_bytes(fd, bytes, sizeof(bytes));
}

static void claim_too_much(int fd)
{
    static const uint8_t head[] = {TCGRR_MESSAGE_STRETCH, 0xff, 0xff, 0xff, 0xff};
    send_bytes(fd, head, sizeof(head));
}

static void answer_unasked(int fd)
{
    static const uint8_t found[] = {TCGRR_MESSAGE_FOUND, 2, 0, 0, 0, 0, 0};
    send_bytes(fd, found, sizeof(found));
}

static void give_up(int fd)
{
    static const uint8_t failed[] = {TCGRR_MESSAGE_FAILED, 4, 0, 0, 0, 3, 'w', 'h', 'y'};
    send_bytes(fd, failed, sizeof(failed));
}

/* The timeout is short only where it is what ends the case: a busy machine may take long over anything else. */
static const struct {
    void (*act)(int fd);
    int timeout_ms;
    int code;
    const char *words; /* where we ask */
} cases[] = {
    {go_away, TIMEOUT_MS, TCGRR_ERROR_FAILED, "went away"},
    {say_nothing, SHORT_MS, TCGRR_ERROR_HUNG, "has said nothing"},
    {only_live, TIMEOUT_MS, TCGRR_ERROR_HUNG, "has made no progress"},
    {drip, 4 * SHORT_MS, TCGRR_ERROR_HUNG, "has not finished a message"},
    {talk_rubbish, TIMEOUT_MS, TCGRR_ERROR_DAMAGED, "malformed"},
    {claim_too_much, TIMEOUT_MS, TCGRR_ERROR_DAMAGED, "malformed"},
    {answer_unasked, TIMEOUT_MS, TCGRR_ERROR_DAMAGED, "out of turn (found)"},
    {give_up, TIMEOUT_MS, TCGRR_ERROR_FAILED, "the other side gave up: why"},
};

static void test_bad_servers(void **state)
{
    for (size_t i = 0; i < 2 * G_N_ELEMENTS(cases); i++) {
        const struct tcgrr_peer_options options = {.timeout_ms = cases[i / 2].timeout_ms};
        struct made_up *local = make_run(3 * STEP, NEVER, 3, TCGRR_SOURCE_ENDED);
        size_t which = i / 2;
        int fds[2];
        /* Our own guest may stand still meanwhile: then it is only noticed that the other side is gone. */
        local->still = i % 2 && cases[which].act != only_live;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        struct actor actor = {fds[1], cases[which].act};
        struct tcgrr_peer *peer = tcgrr_peer_new(fds[0], &options);
        tcgrr_peer_be_patient(peer, cases[which].act == only_live ? 3 * SHORT_MS : TIMEOUT_MS);
        GThread *thread = g_thread_new("actor", act, &actor);
        expect_failure(peer, &local->base, cases[which].code, cases[which].words);
        tcgrr_peer_free(peer);
        g_thread_join(thread);
        close(fds[1]);
        free_run(&local->base);
    }
}

/* The same at the serving end, which is asked by nobody or by a stranger. */
static void test_bad_clients(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const struct tcgrr_peer_options options = {.timeout_ms = cases[i].timeout_ms};
        int fds[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        struct actor actor = {fds[1], cases[i].act};
        struct serving serving = {.peer = tcgrr_peer_new(fds[0], &options)};
        struct made_up *run = make_run(3 * STEP, NEVER, 3, TCGRR_SOURCE_ENDED);
        serving.side = &run->base;
        tcgrr_received_blocks_init(&serving.heard);
        tcgrr_peer_be_patient(serving.peer, cases[i].act == only_live ? 3 * SHORT_MS : TIMEOUT_MS);
        GThread *thread = g_thread_new("actor", act, &actor);
        serve(&serving);
        assert_false(serving.good);
        assert_int_equal(serving.error->code, cases[i].code);
        g_error_free(serving.error);
        tcgrr_peer_free(serving.peer);
        g_thread_join(thread);
        close(fds[1]);
        tcgrr_received_blocks_clear(&serving.heard);
        free_run(&run->base);
    }
}

/* ---- a serving end whose guest fails, and whose peer asks for nonsense ---- */

static bool fails(GError **error)
{
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "the guest is broken");
    return false;
}

static bool broken_advance(struct tcgrr_run_source *side, tcgrr_icount from, tcgrr_icount to,
                           struct tcgrr_run_source_position *position, GError **error)
{
    return fails(error);
}

static bool broken_stretch(struct tcgrr_run_source *side, tcgrr_icount from, tcgrr_icount to,
                           struct tcgrr_stretch *found, GError **error)
{
    return fails(error);
}

static bool broken_find(struct tcgrr_run_source *side, uint64_t pc, tcgrr_icount from, tcgrr_icount to,
                        tcgrr_icount *icount, bool *found, GError **error)
{
    return fails(error);
}

static bool broken_approach(struct tcgrr_run_source *side, tcgrr_icount to, int wait_ms, bool *there, GError **error)
{
    return fails(error);
}

/* More than any answer may have. */
static bool endless_stretch(struct tcgrr_run_source *side, tcgrr_icount from, tcgrr_icount to,
                            struct tcgrr_stretch *found, GError **error)
{
    struct tcgrr_event event = {.icount = from};

    for (uint32_t i = 0; i < 1u << 20; i++) {
        g_array_append_val(found->events, event);
    }
    return true;
}

static const struct tcgrr_run_source_ops broken_ops[] = {
    {.advance = broken_advance, .stretch = stretch, .find = find, .free = free_run},
    {.advance = advance, .stretch = broken_stretch, .find = find, .free = free_run},
    {.advance = advance, .stretch = stretch, .find = broken_find, .free = free_run},
    {.advance = advance, .stretch = stretch, .find = find, .free = free_run, .approach = broken_approach},
    {.advance = advance, .stretch = endless_stretch, .find = find, .free = free_run},
};

enum { BREAKS_ADVANCE, BREAKS_STRETCH, BREAKS_FIND, BREAKS_APPROACH, STRETCHES };

static const struct tcgrr_position_plan watching = {1, 0, STEP, 0, STEP, 1, true, 0x1234};
static const struct tcgrr_part beginning = {0, STEP};

static void ask_positions(GByteArray *payload)
{
    tcgrr_put_ask(payload, &watching);
}

static void ask_stretch(GByteArray *payload)
{
    tcgrr_put_part(payload, &beginning);
}

static void ask_find(GByteArray *payload)
{
    tcgrr_put_find(payload, 0x1234, &beginning);
}

static void ask_nonsense(GByteArray *payload)
{
    static const uint8_t byte = 0x80; /* of a number that goes on */
    g_byte_array_append(payload, &byte, 1);
}

static void test_failing_server(void **state)
{
    static const struct {
        const struct tcgrr_run_source_ops *ops;
        enum tcgrr_message_type type;
        void (*ask)(GByteArray *payload);
        int code;
        const char *words;
    } asked[] = {
        {&broken_ops[BREAKS_ADVANCE], TCGRR_MESSAGE_ASK, ask_positions, TCGRR_ERROR_FAILED, "the guest is broken"},
        {&broken_ops[BREAKS_FIND], TCGRR_MESSAGE_ASK, ask_positions, TCGRR_ERROR_FAILED, "the guest is broken"},
        {&broken_ops[BREAKS_APPROACH], TCGRR_MESSAGE_ASK, ask_positions, TCGRR_ERROR_FAILED, "the guest is broken"},
        {&broken_ops[BREAKS_APPROACH], TCGRR_MESSAGE_STRETCH_ASK, ask_stretch, TCGRR_ERROR_FAILED, "is broken"},
        {&broken_ops[BREAKS_STRETCH], TCGRR_MESSAGE_STRETCH_ASK, ask_stretch, TCGRR_ERROR_FAILED, "is broken"},
        {&broken_ops[STRETCHES], TCGRR_MESSAGE_STRETCH_ASK, ask_stretch, TCGRR_ERROR_FAILED, "fits in a message"},
        {&broken_ops[BREAKS_FIND], TCGRR_MESSAGE_FIND_ASK, ask_find, TCGRR_ERROR_FAILED, "the guest is broken"},
        {&ready_ops, TCGRR_MESSAGE_ASK, ask_nonsense, TCGRR_ERROR_DAMAGED, "malformed message"},
        {&ready_ops, TCGRR_MESSAGE_MORE, ask_nonsense, TCGRR_ERROR_DAMAGED, "malformed message"},
        {&ready_ops, TCGRR_MESSAGE_STRETCH_ASK, ask_nonsense, TCGRR_ERROR_DAMAGED, "malformed message"},
        {&ready_ops, TCGRR_MESSAGE_FIND_ASK, ask_nonsense, TCGRR_ERROR_DAMAGED, "malformed message"},
        {&ready_ops, TCGRR_MESSAGE_RESULT, ask_nonsense, TCGRR_ERROR_DAMAGED, "malformed message"},
        {&ready_ops, TCGRR_MESSAGE_POSITIONS, ask_nonsense, TCGRR_ERROR_DAMAGED, "out of turn"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(asked); i++) {
        struct tcgrr_peer *peers[2];
        struct made_up *run = make_run(3 * STEP, NEVER, 2, TCGRR_SOURCE_ENDED);
        g_autoptr(GByteArray) payload = g_byte_array_new();
        struct tcgrr_message message;
        GError *error = NULL;

        make_pair(peers, PATIENT_MS);
        struct serving serving = {.peer = peers[0], .side = &run->base};
        run->base.ops = asked[i].ops;
        tcgrr_received_blocks_init(&serving.heard);
        GThread *server = g_thread_new("server", serve, &serving);
        asked[i].ask(payload);
        assert_true(tcgrr_peer_send(peers[1], asked[i].type, payload, NULL));
        while (tcgrr_peer_receive(peers[1], &message, &error)) {
        }
        assert_non_null(strstr(error->message, asked[i].words)); /* it was told */
        g_clear_error(&error);
        tcgrr_peer_finish(peers[1]);
        g_thread_join(server);
        assert_false(serving.good);
        if (serving.error->code != asked[i].code || !strstr(serving.error->message, asked[i].words)) {
            fail_msg("%zu: %d '%s'", i, serving.error->code, serving.error->message);
        }
        g_clear_error(&serving.error);
        tcgrr_received_blocks_clear(&serving.heard);
        tcgrr_peer_free(peers[0]);
        tcgrr_peer_free(peers[1]);
        free_run(&run->base);
    }
}

/* A guest that stands still for longer than the timeout is no silent peer: it lives, and its side will say so. */
static void test_standing_still(void **state)
{
    struct tcgrr_peer *peers[2];
    struct tcgrr_message message;
    bool got;
    struct made_up *run = make_run(STEP, NEVER, 3, TCGRR_SOURCE_ENDED);
    GError *error = NULL;

    make_pair(peers, 10 * SHORT_MS);
    struct serving serving = {.peer = peers[0], .side = &run->base};
    run->still = true;
    tcgrr_received_blocks_init(&serving.heard);
    tcgrr_peer_be_patient(peers[0], TIMEOUT_MS);
    tcgrr_peer_be_patient(peers[1], TIMEOUT_MS);
    GThread *server = g_thread_new("server", serve, &serving);
    g_autoptr(GByteArray) ask = g_byte_array_new();
    tcgrr_put_ask(ask, &(struct tcgrr_position_plan){1, 0, STEP, 0, STEP, 1, false, 0});
    assert_true(tcgrr_peer_send(peers[1], TCGRR_MESSAGE_ASK, ask, NULL));
    assert_true(tcgrr_peer_poll(peers[1], 12 * SHORT_MS, &message, &got, &error));
    assert_false(got);
    g_set_error(&error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted");
    tcgrr_peer_give_up(peers[1], error);
    g_thread_join(server);
    assert_non_null(strstr(serving.error->message, "its user interrupted it"));
    g_error_free(serving.error);
    g_error_free(error);
    tcgrr_received_blocks_clear(&serving.heard);
    tcgrr_peer_free(peers[0]);
    tcgrr_peer_free(peers[1]);
    free_run(&run->base);
}

/* Says that it lives, again and again. */
static void flood(int fd)
{
    static const uint8_t alive[] = {TCGRR_MESSAGE_ALIVE, 1, 0, 0, 0, 5};
    uint8_t bytes[sizeof(alive) * 1000];

    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = alive[i % sizeof(alive)];
    }
    while (send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL) == (ssize_t)sizeof(bytes)) {
    }
}

/* Who takes nothing any more and talks on and on is gone all the same. */
static void test_deaf(void **state)
{
    const struct tcgrr_peer_options options = {.timeout_ms = TIMEOUT_MS};
    g_autoptr(GByteArray) payload = g_byte_array_new();
    GError *error = NULL;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    struct actor actor = {fds[1], flood};
    struct tcgrr_peer *peer = tcgrr_peer_new(fds[0], &options);
    tcgrr_peer_be_patient(peer, TIMEOUT_MS);
    assert_int_equal(shutdown(fds[1], SHUT_RD), 0);
    GThread *thread = g_thread_new("actor", act, &actor);
    g_usleep(SHORT_MS * 1000); /* it has begun */
    tcgrr_put_more(payload, 1, 1);
    assert_false(tcgrr_peer_send(peer, TCGRR_MESSAGE_MORE, payload, &error));
    assert_non_null(strstr(error->message, "went away"));
    g_error_free(error);
    tcgrr_peer_free(peer);
    g_thread_join(thread);
    close(fds[1]);
}

/* The user's wish to stop ends every wait. */
static void test_stop(void **state)
{
    static volatile int stop = 2;
    const struct tcgrr_peer_options options = {.timeout_ms = TIMEOUT_MS, .stop = &stop};
    struct tcgrr_message message;
    GError *error = NULL;
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    struct tcgrr_peer *peer = tcgrr_peer_new(fds[0], &options);
    assert_false(tcgrr_peer_receive(peer, &message, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED));
    g_error_free(error);
    tcgrr_peer_free(peer);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshake),      cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_tokens),         cmocka_unit_test(test_token_is_not_sent),
        cmocka_unit_test(test_token_file),     cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_comparing),      cmocka_unit_test(test_places),
        cmocka_unit_test(test_traffic),        cmocka_unit_test(test_bad_servers),
        cmocka_unit_test(test_bad_clients),    cmocka_unit_test(test_standing_still),
        cmocka_unit_test(test_failing_server), cmocka_unit_test(test_deaf),
        cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
