/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's rr log repaired and translated, made up event by event, whole and in pieces. */
#include "emu/rrlog/rrlog.h"
#include "store/error.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define V7_0  "7.0.0"
#define V7_1  "7.1.0"
#define V7_2  "7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)"
#define V10_0 "10.0.2"
#define V11_0 "11.0.1"
#define V11_1 "11.1.3"

/*
 * A log in words: iN instructions, t interrupt, x exception, h clock of the host, v virtual clock, qN shutdown with
 * cause N, cN checkpoint N, b bottom half, w character written, r random bytes, s a seed, k key, a samples, o samples
 * played, e end.
 */
static struct tcgrr_rr_event event_of(const struct tcgrr_rr_format *format, char letter, const uint8_t number[4])
{
    static const uint8_t zeros[32] = {0};
    static const uint8_t seed[4 + 4 + 32] = {[7] = 32};
    static const uint8_t random[] = {0, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3};
    const uint8_t low = number[3];

    switch (letter) {
    case 'i':
        return (struct tcgrr_rr_event){.kind = TCGRR_RR_INSTRUCTION, .body = number, .size = 4};
    case 't':
        return (struct tcgrr_rr_event){.kind = TCGRR_RR_INTERRUPT};
    case 'x':
        return (struct tcgrr_rr_event){.kind = TCGRR_RR_EXCEPTION};
    case 'h':
        return (struct tcgrr_rr_event){.kind = TCGRR_RR_CLOCK, .number = low, .body = zeros, .size = 8};
    case 'v':
        return (struct tcgrr_rr_event){.kind = TCGRR_RR_CLOCK, .number = 1, .body = zeros, .size = 8};
    case 'q':
        return (struct tcgrr_rr_event){.kind = TCGRR_RR_SHUTDOWN, .number = low, .body = zeros};
    case 'c':
        return (struct tcgrr_rr_event){.kind = TCGRR_RR_CHECKPOINT, .number = low, .body = zeros};
    case 'b':
        return (struct tcgrr_rr_event){.kind = TCGRR_RR_BOTTOM_HALF, .number = low, .body = zeros, .size = 8};
    case 'w':
        return (struct tcgrr_rr_event){.kind = TCGRR_RR_CHAR_WRITE, .number = low, .body = zeros, .size = 8};
    case 'r':
        return (struct tcgrr_rr_event){.kind = TCGRR_RR_RANDOM, .body = random, .size = sizeof(random)};
    case 's':
        return (struct tcgrr_rr_event){.kind = TCGRR_RR_RANDOM, .body = seed, .size = sizeof(seed)};
    case 'k':
        return (struct tcgrr_rr_event){
            .kind = TCGRR_RR_INPUT, .number = low, .body = zeros, .size = format->linux_keys ? 9 : 4 + 4 + 9};
    case 'a':
        return (struct tcgrr_rr_event){
            .kind = TCGRR_RR_AUDIO_IN, .number = low, .body = zeros, .size = format->counted_audio ? 8 : 16};
    case 'o':
        return (struct tcgrr_rr_event){.kind = TCGRR_RR_AUDIO_OUT, .number = low, .body = zeros, .size = 8};
    default:
        return (struct tcgrr_rr_event){.kind = TCGRR_RR_END};
    }
}

static GByteArray *make(const char *release, const char *text)
{
    struct tcgrr_rr_release version;
    assert_true(tcgrr_rr_release_parse(release, &version));
    const struct tcgrr_rr_format *format = tcgrr_rr_format(&version, 0);
    GByteArray *bytes = g_byte_array_new();
    g_auto(GStrv) words = g_strsplit(text, " ", -1);

    tcgrr_rr_append(bytes, format->version, 4);
    tcgrr_rr_append(bytes, 0, 8);
    for (char **word = words; *word && **word; word++) {
        unsigned number = (unsigned)atoi(*word + 1);
        uint8_t count[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
        struct tcgrr_rr_event event = event_of(format, **word, count);
        assert_true(tcgrr_rr_encode(format, &event, bytes));
    }
    return bytes;
}

/* Of all streams that a test makes. */
static bool riscv_tree;
static bool tree_added;

/* What comes out of `bytes`, pushed `piece` bytes at a time; NULL if it is refused. */
static GByteArray *stream_through(const GByteArray *bytes, guint piece, const char *from, const char *to, bool pipe,
                                  struct tcgrr_rr_state *state, GError **error)
{
    struct tcgrr_rr_stream_options options = {
        .from = from, .to = to, .pipe = pipe, .riscv_tree = riscv_tree, .tree_added = tree_added};
    struct tcgrr_rr_stream *stream = tcgrr_rr_stream_new(&options, error);
    assert_non_null(stream);
    GByteArray *out = g_byte_array_new();
    bool good = true;

    for (guint at = 0; good && at < bytes->len; at += piece) {
        good = tcgrr_rr_stream_push(stream, bytes->data + at, MIN(piece, bytes->len - at), out, error);
    }
    if (good) {
        tcgrr_rr_stream_close(stream, out);
        *state = *tcgrr_rr_stream_state(stream);
    } else {
        g_clear_pointer(&out, g_byte_array_unref);
    }
    tcgrr_rr_stream_free(stream);
    return out;
}

/* `text` of release `from` has to come out as `expected` of release `to`, however it is cut into pieces. */
static struct tcgrr_rr_state becomes(const char *from, const char *text, const char *to, const char *expected)
{
    GByteArray *bytes = make(from, text);
    GByteArray *wanted = make(to, expected);
    struct tcgrr_rr_state state = {0};

    for (guint piece = 1; piece <= bytes->len; piece++) {
        GError *error = NULL;
        GByteArray *out = stream_through(bytes, piece, from, to, false, &state, &error);
        assert_null(error);
        assert_int_equal(out->len, wanted->len);
        assert_memory_equal(out->data, wanted->data, wanted->len);
        g_byte_array_unref(out);
    }
    g_byte_array_unref(bytes);
    g_byte_array_unref(wanted);
    return state;
}

static void moves_shutdown(void **data)
{
    struct tcgrr_rr_state state = becomes(V7_2, "c7 i100 x q6 i50 q4 e", V7_2, "c7 i100 x i50 q6 q4 e");
    assert_true(state.was_moved && state.guest_shutdown && state.complete && !state.translated);
    assert_int_equal(state.moved, 100);
    assert_int_equal(state.end, 150);
    assert_int_equal(state.total, 150);
    /* QEMU was told to quit in between. */
    becomes(V10_0, "c7 i100 x q6 q2 i6 q4 e", V10_0, "c7 i100 x i6 q6 q4 e");
    /* Nothing ran after the request. */
    state = becomes(V10_0, "c7 i100 x q6 c5 q4 e", V10_0, "c7 i100 x q6 q4 e");
    assert_false(state.was_moved);
    state = becomes(V10_0, "c7 i100 x q8 q4 e", V10_0, "c7 i100 x q8 q4 e");
    assert_int_equal(state.end, 100);
}

/* The seed that QEMU 7 draws though the device tree is given, and again when it resets (checkpoint 8). */
static void matches_the_seed_of_a_given_tree(void **data)
{
    GError *error = NULL;
    struct tcgrr_rr_state state;

    becomes(V7_2, "c7 h s c8 s i3 r q4 e", V10_0, "c7 h s c8 s i3 r q4 e");
    riscv_tree = true;
    assert_true(becomes(V7_2, "c7 h s c8 s i3 r q4 e", V10_0, "c7 h c8 s i3 r q4 e").dropped_seed);
    assert_true(becomes(V10_0, "c7 h c8 s i3 r q4 e", V7_2, "c7 h s c8 s i3 r q4 e").added_seed);
    state = becomes(V10_0, "c7 h c8 s i3 r q4 e", V11_1, "c7 h c8 s i3 r q4 e");
    assert_false(state.dropped_seed || state.added_seed);
    becomes(V7_2, "c7 h s c8 s i3 r q4 e", "7.2.9", "c7 h s c8 s i3 r q4 e");
    /* The guest would see it. */
    GByteArray *bytes = make(V7_2, "c7 h s c8 r i3 s q4 e");
    assert_null(stream_through(bytes, bytes->len, V7_2, V10_0, false, &state, &error));
    assert_non_null(strstr(error->message, "random seed"));
    g_error_free(error);
    g_byte_array_unref(bytes);
    /* The QEMU that recorded is given what it made itself: 10.0 does without a seed then, 7.2 does not. */
    tree_added = true;
    assert_true(becomes(V10_0, "c7 h s c8 s i3 r q4 e", V10_0, "c7 h c8 s i3 r q4 e").dropped_seed);
    becomes(V7_2, "c7 h s c8 s i3 r q4 e", V7_2, "c7 h s c8 s i3 r q4 e");
    tree_added = false;
    riscv_tree = false;
}

/* Checkpoint 2 is a reset's, and 1 what the vCPU writes meanwhile, with or without its clock. */
static void orders_a_reset(void **data)
{
    becomes(V7_2, "c7 i9 c0 v c2 r h c1 c1 i5 q4 e", V7_2, "c7 i9 c0 v c2 r h c1 c1 i5 q4 e");
    becomes(V10_0, "c7 i9 c0 v c2 c1 r c1 i5 q4 e", V11_1, "c7 i9 c0 v c2 r c1 c1 i5 q4 e");
    becomes(V10_0, "c7 i9 c2 c1 v r h c5 i5 q4 e", V10_0, "c7 i9 c2 r h c1 v c5 i5 q4 e");
    /* Again, at the next reset; elsewhere nothing is moved. */
    becomes(V10_0, "c7 c1 r i9 c2 c1 r i5 c1 r i5 c2 c1 r q4 e", V10_0, "c7 c1 r i9 c2 r c1 i5 c1 r i5 c2 r c1 q4 e");
    becomes(V10_0, "c7 i9 c2 c1", V10_0, "c7 i9 c2 c1 q4 e");
}

/* Checkpoint 1 is of no consequence between instructions if there was one before them, and stays next to other events.
 */
static void joins_stretches(void **data)
{
    becomes(V10_0, "c7 i9 c1 i10 c1 i10 c1 i5 t i4 q4 e", V10_0, "c7 i9 c1 i25 t i4 q4 e");
    becomes(V7_2, "c7 i9 c1 i10 c1 i10 c1 v i5 c1 i3 q4 e", V11_1, "c7 i9 c1 i20 c1 v i5 c1 i3 q4 e");
    becomes(V10_0, "c7 i9 c1 i4 c1 c5 i3 c0 i1 c1 i6 q4 e", V10_0, "c7 i9 c1 i4 c1 c5 i3 c0 i1 c1 i6 q4 e");
    becomes(V10_0, "c7 i9 c1 c1 i4 c1 c1 i3 c1 c1 t i6 q4 e", V10_0, "c7 i9 c1 i7 c1 c1 t i6 q4 e");
    /* Not before the machine has run, nor where it was reset since then. */
    becomes(V10_0, "c7 c1 i4 c1 i5 c1 i6 q4 e", V10_0, "c7 c1 i4 c1 i11 q4 e");
    becomes(V10_0, "c7 i9 c1 i8 c2 r c1 i7 c1 i5 q4 e", V10_0, "c7 i9 c1 i8 c2 r c1 i7 c1 i5 q4 e");
    /* A log that is cut off, or ends with a request. */
    becomes(V10_0, "c7 i9 c1 i8 c1", V10_0, "c7 i9 c1 i8 c1 q4 e");
    becomes(V11_1, "c7 i9 c1 i8 c1 i7 q6 i39 e", V11_1, "c7 i9 c1 i15 q6 q4 e");
    becomes(V7_2, "c7 i9 c1 i8 c1 q6 i7 c1 i9 q4 e", V7_2, "c7 i9 c1 i8 c1 i7 q6 q4 e");
}

static void leaves_the_tail_out(void **data)
{
    struct tcgrr_rr_state state =
        becomes(V11_1, "c7 i100 w i9 q6 i39 c5 v w i7 q2 q4 e", V11_1, "c7 i100 w i9 q6 q4 e");
    assert_true(state.guest_shutdown && state.complete && !state.was_moved);
    assert_int_equal(state.end, 109);
    assert_int_equal(state.total, 109 + 46);
    /* Where the vCPU is off at once, the request comes right after an exception: what follows is not moved there. */
    state = becomes(V11_1, "c7 i100 x q6 i8 q4 e", V11_1, "c7 i100 x q6 q4 e");
    assert_int_equal(state.end, 100);
    /* A build before 11.0 that writes it in order. */
    state = becomes("10.2.2", "c7 i100 w i9 q6 i39 q4 e", "10.2.2", "c7 i100 w i9 q6 q4 e");
    assert_int_equal(state.end, 109);
    state = becomes(V7_2, "c7 i100 x q6 i50 w i3 q4 e", V7_2, "c7 i100 x i50 q6 q4 e");
    assert_int_equal(state.total, 153);
}

static void ends_where_qemu_was_told_to(void **data)
{
    struct tcgrr_rr_state state = becomes(V10_0, "c7 i100 x q2 i50 w i5 q4 e", V10_0, "c7 i100 x i50 w i5 q4 e");
    assert_false(state.guest_shutdown);
    assert_int_equal(state.end, 155);
    state = becomes(V7_2, "c7 i100 q4 e", V7_2, "c7 i100 q4 e");
    assert_int_equal(state.end, 100);
}

static void translates(void **data)
{
    static const char *const releases[] = {V7_1, V7_2, V10_0, V11_0, V11_1};
    static const char body[] = "c7 h v r c8 i100 t c0 b w i7 x c6 i1 q4 e";

    for (size_t a = 0; a < G_N_ELEMENTS(releases); a++) {
        for (size_t b = 0; b < G_N_ELEMENTS(releases); b++) {
            struct tcgrr_rr_state state = becomes(releases[a], body, releases[b], body);
            assert_int_equal(state.translated, a != b);
            assert_int_equal(state.total, 108);
        }
    }
    /* The clock that one of them reads first. */
    assert_true(becomes(V7_2, "h c7 h i3 q4 e", V10_0, "c7 h i3 q4 e").dropped_clock);
    assert_false(becomes(V7_2, "h c7 h i3 q4 e", "7.2.9", "h c7 h i3 q4 e").dropped_clock);
    assert_false(becomes(V7_2, "h h c7 i3 q4 e", V11_1, "h h c7 i3 q4 e").dropped_clock);
    assert_false(becomes(V7_2, "h", V11_1, "h q4 e").dropped_clock);
    becomes(V7_2, "h c7 i100 x q6 i50 q4 e", V11_1, "c7 i100 x i50 q6 q4 e");
    becomes(V11_1, "c7 k w i8 q4 e", V11_1, "c7 k w i8 q4 e");
    becomes(V7_2, "c7 k w i8 q4 e", V10_0, "c7 k w i8 q4 e");
}

static void refused(const char *from, const char *text, const char *to, const char *words)
{
    GByteArray *bytes = make(from, text);
    struct tcgrr_rr_state state;
    GError *error = NULL;

    assert_null(stream_through(bytes, 3, from, to, false, &state, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_FAILED));
    assert_non_null(strstr(error->message, words));
    g_error_free(error);
    g_byte_array_unref(bytes);
}

static void refuses(void **data)
{
    refused(V10_0, "c7 i5 k i1 e", V11_1, "INPUT after 5 instructions");
    refused(V7_2, "c7 i5 o i1 e", V10_0, "AUDIO_OUT after 5");
    refused(V7_2, "c7 i5 a i1 e", V10_0, "number 26 after 5");
    refused(V7_0, "c7 i6 b i1 e", V7_2, "BH after 6");
    struct tcgrr_rr_stream_options options = {.from = V7_2, .to = "6.2.0"};
    GError *error = NULL;
    assert_null(tcgrr_rr_stream_new(&options, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_FAILED));
    g_clear_error(&error);
    becomes(V7_0, "c7 b k i5 q4 e", V7_0, "c7 b k i5 q4 e");
    /* What is not understood stays, in the same release. */
    struct tcgrr_rr_state state = becomes(V7_2, "c7 i5 a i1 e", V7_2, "c7 i5 a i1 e");
    assert_true(state.unknown);
    assert_int_equal(state.end, 5);
}

/* A QEMU whose version says nothing reads its own logs. */
static void of_an_unknown_release(void **data)
{
    GByteArray *bytes = make(V10_0, "h c7 i100 x q6 i50 q4 e");
    GByteArray *wanted = make(V10_0, "h c7 i100 x i50 q6 q4 e");
    struct tcgrr_rr_state state;
    GByteArray *out = stream_through(bytes, 7, "mine", "mine", false, &state, NULL);

    assert_int_equal(out->len, wanted->len);
    assert_memory_equal(out->data, wanted->data, wanted->len);
    assert_false(state.translated);
    g_byte_array_unref(bytes);
    g_byte_array_unref(wanted);
    g_byte_array_unref(out);
}

static void through_a_pipe(void **data)
{
    GByteArray *bytes = make(V7_2, "h c7 i5 q4 e");
    GByteArray *wanted = make(V11_1, "c7 i5 q4 e");
    struct tcgrr_rr_state state;
    GByteArray *out = NULL;

    memset(bytes->data, 0, 4); /* it is being written */
    out = stream_through(bytes, 1, V7_2, V11_1, true, &state, NULL);
    assert_int_equal(out->len, wanted->len - 8);
    assert_memory_equal(out->data, wanted->data, 4);
    assert_memory_equal(out->data + 4, wanted->data + 12, wanted->len - 12);
    g_byte_array_unref(bytes);
    g_byte_array_unref(wanted);
    g_byte_array_unref(out);
}

/* A log that is being written goes on as far as it certainly can: all but a request whose place is not known. */
static void gives_on_at_once(void **data)
{
    GByteArray *bytes = make(V10_0, "c7 i5 w x q6");
    struct tcgrr_rr_stream_options options = {.from = V10_0};
    struct tcgrr_rr_stream *stream = tcgrr_rr_stream_new(&options, NULL);
    GByteArray *out = g_byte_array_new();

    assert_true(tcgrr_rr_stream_push(stream, bytes->data, bytes->len, out, NULL));
    assert_int_equal(out->len, bytes->len - 1);
    tcgrr_rr_stream_free(stream);
    g_byte_array_unref(bytes);
    g_byte_array_unref(out);
}

/* QEMU ended inside an instruction: there is no end mark, and nothing of what ran since the last event. */
static void ends_with_what_ran_in_silence(void **data)
{
    GByteArray *bytes = make(V10_0, "c7 i5 w");
    GByteArray *wanted = make(V10_0, "c7 i5 w i4 i11 q4 e");
    struct tcgrr_rr_stream_options options = {.from = V10_0};
    struct tcgrr_rr_stream *stream = tcgrr_rr_stream_new(&options, NULL);
    GByteArray *out = g_byte_array_new();

    assert_true(tcgrr_rr_stream_push(stream, bytes->data, bytes->len, out, NULL));
    tcgrr_rr_stream_run(stream, 9, out);
    tcgrr_rr_stream_logged(stream, 20);
    tcgrr_rr_stream_close(stream, out);
    assert_int_equal(out->len, wanted->len);
    assert_memory_equal(out->data, wanted->data, wanted->len);
    assert_int_equal(tcgrr_rr_stream_state(stream)->end, 20);
    tcgrr_rr_stream_free(stream);
    g_byte_array_unref(bytes);
    g_byte_array_unref(wanted);
    g_byte_array_unref(out);
}

static char *write_log(const char *folder, const GByteArray *bytes)
{
    char *path = g_build_filename(folder, "made-up.rr", NULL);
    assert_true(g_file_set_contents(path, (const char *)bytes->data, bytes->len, NULL));
    return path;
}

/* Cut at any byte and not headed, it is closed where all is known that happened there. */
static void closes_what_was_cut(void **data)
{
    g_autofree char *folder = g_dir_make_tmp("tcgrr-rrlog-XXXXXX", NULL);
    g_autofree char *target = g_build_filename(folder, "new.rr", NULL);
    static const char *const closed[] = {"c7 h i5 w x q4 e", "c7 h i5 w x i6 t q4 e"};
    struct tcgrr_rrlog_known known = {0};
    GByteArray *whole = make(V10_0, "c7 h i5 w x i6 t i7 w");
    GByteArray *head = make(V10_0, "");
    GByteArray *start = make(V10_0, "c7 h i5 w x i6");
    tcgrr_icount before = 0;

    memset(whole->data, 0, 4);
    for (guint size = start->len; size <= whole->len; size++) {
        GByteArray *bytes = g_byte_array_new();
        struct tcgrr_rrlog_rewritten rewritten;
        g_autofree char *contents = NULL;
        gsize length = 0;
        bool found = false;

        g_byte_array_append(bytes, whole->data, size);
        g_autofree char *source = write_log(folder, bytes);
        assert_true(tcgrr_rrlog_rewrite(source, target, V10_0, NULL, &known, &rewritten, NULL));
        assert_true(g_file_get_contents(target, &contents, &length, NULL));
        for (size_t i = 0; i < G_N_ELEMENTS(closed); i++) {
            GByteArray *wanted = make(V10_0, closed[i]);
            found |= length == wanted->len && memcmp(contents, wanted->data, length) == 0;
            g_byte_array_unref(wanted);
        }
        assert_true(found);
        assert_true(rewritten.state.end >= before);
        before = rewritten.state.end;
        g_autoptr(GPtrArray) lines = tcgrr_rrlog_repairs(&rewritten);
        assert_int_equal(lines->len, 2);
        g_unlink(source);
        g_byte_array_unref(bytes);
    }
    assert_int_equal(before, 11);
    g_unlink(target);
    g_rmdir(folder);
    g_byte_array_unref(whole);
    g_byte_array_unref(head);
    g_byte_array_unref(start);
}

/* The log is known to have everything that happened in this many instructions. */
static void goes_on_in_silence(void **data)
{
    static const struct {
        tcgrr_icount logged;
        const char *expected;
    } rows[] = {{0, "c7 h i5 w x i6 t q4 e"},       {11, "c7 h i5 w x i6 t q4 e"},
                {12, "c7 h i5 w x i6 t i1 q4 e"},   {17, "c7 h i5 w x i6 t i6 q4 e"},
                {18, "c7 h i5 w x i6 t i7 w q4 e"}, {25, "c7 h i5 w x i6 t i7 w i7 q4 e"}};
    g_autofree char *folder = g_dir_make_tmp("tcgrr-rrlog-XXXXXX", NULL);
    g_autofree char *target = g_build_filename(folder, "new.rr", NULL);
    GByteArray *bytes = make(V10_0, "c7 h i5 w x i6 t i7 w");
    g_autofree char *source = write_log(folder, bytes);

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct tcgrr_rrlog_known known = {.logged = rows[i].logged};
        struct tcgrr_rrlog_rewritten rewritten;
        GByteArray *wanted = make(V10_0, rows[i].expected);
        g_autofree char *contents = NULL;
        gsize length = 0;

        assert_true(tcgrr_rrlog_rewrite(source, target, V10_0, NULL, &known, &rewritten, NULL));
        assert_true(g_file_get_contents(target, &contents, &length, NULL));
        assert_int_equal(length, wanted->len);
        assert_memory_equal(contents, wanted->data, length);
        assert_int_equal(rewritten.state.end, MAX(rows[i].logged, 11u));
        g_byte_array_unref(wanted);
    }
    g_unlink(source);
    g_unlink(target);
    g_rmdir(folder);
    g_byte_array_unref(bytes);
}

/* Where more is known of the request than the log says. */
static void takes_the_place_of_the_request(void **data)
{
    static const struct {
        tcgrr_icount asked_by;
        const char *expected;
        tcgrr_icount end;
    } rows[] = {{0, "c7 i100 x i50 q6 q4 e", 150},   {100, "c7 i100 x i50 q6 q4 e", 150},
                {101, "c7 i100 x i1 q6 q4 e", 101},  {149, "c7 i100 x i49 q6 q4 e", 149},
                {150, "c7 i100 x i50 q6 q4 e", 150}, {999, "c7 i100 x i50 q6 q4 e", 150}};
    GByteArray *bytes = make(V10_0, "c7 i100 x q6 i50 w i3 q4 e");

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct tcgrr_rr_stream_options options = {.from = V10_0, .asked_by = rows[i].asked_by};
        struct tcgrr_rr_stream *stream = tcgrr_rr_stream_new(&options, NULL);
        GByteArray *wanted = make(V10_0, rows[i].expected);
        GByteArray *out = g_byte_array_new();
        assert_true(tcgrr_rr_stream_push(stream, bytes->data, bytes->len, out, NULL));
        assert_int_equal(out->len, wanted->len);
        assert_memory_equal(out->data, wanted->data, wanted->len);
        assert_int_equal(tcgrr_rr_stream_state(stream)->end, rows[i].end);
        assert_int_equal(tcgrr_rr_stream_state(stream)->total, 153);
        tcgrr_rr_stream_free(stream);
        g_byte_array_unref(wanted);
        g_byte_array_unref(out);
    }
    g_byte_array_unref(bytes);
}

static void says_where_the_run_ends(void **data)
{
    GByteArray *bytes = make(V10_0, "c7 i100 x q6 i50 w i3 q4 e");
    struct tcgrr_rrlog *log = tcgrr_rrlog_parse(bytes->data, bytes->len, V10_0, NULL);

    assert_true(log->guest_shutdown && log->complete);
    assert_int_equal(log->total, 153);
    assert_int_equal(log->run_end, 150);
    assert_int_equal(log->asked_after, 100);
    tcgrr_rrlog_free(log);
    g_byte_array_unref(bytes);
}

static void dumps(void **data)
{
    g_autofree char *folder = g_dir_make_tmp("tcgrr-rrlog-XXXXXX", NULL);
    g_autofree char *target = g_build_filename(folder, "log.txt", NULL);
    g_autofree char *text = NULL;
    GByteArray *bytes = make(V7_2, "h c7 i100 r t q6 i5 q4 e");
    g_autofree char *source = write_log(folder, bytes);

    assert_true(tcgrr_rrlog_dump(source, target, V7_2, NULL));
    assert_true(g_file_get_contents(target, &text, NULL, NULL));
    assert_string_equal(text, "0 CLOCK host 0\n0 CHECKPOINT init\n100 INSTRUCTION +100\n"
                              "100 RANDOM 0000000000000003010203\n100 INTERRUPT\n100 SHUTDOWN guest-shutdown\n"
                              "105 INSTRUCTION +5\n105 SHUTDOWN host-signal\n105 END\n");
    g_unlink(source);
    g_unlink(target);
    g_rmdir(folder);
    g_byte_array_unref(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_shutdown),
        cmocka_unit_test(matches_the_seed_of_a_given_tree),
        cmocka_unit_test(orders_a_reset),
        cmocka_unit_test(joins_stretches),
        cmocka_unit_test(leaves_the_tail_out),
        cmocka_unit_test(ends_where_qemu_was_told_to),
        cmocka_unit_test(translates),
        cmocka_unit_test(refuses),
        cmocka_unit_test(of_an_unknown_release),
        cmocka_unit_test(through_a_pipe),
        cmocka_unit_test(gives_on_at_once),
        cmocka_unit_test(ends_with_what_ran_in_silence),
        cmocka_unit_test(closes_what_was_cut),
        cmocka_unit_test(takes_the_place_of_the_request),
        cmocka_unit_test(goes_on_in_silence),
        cmocka_unit_test(says_where_the_run_ends),
        cmocka_unit_test(dumps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
