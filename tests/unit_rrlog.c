/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's rr log: every kind of event, logs cut off at each byte, and what is concluded from one. */
#include "emu/rrlog/rrlog.h"
#include "store/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glib/gstdio.h>
#include <string.h>

#define OLD 0xe0200cu
#define NEW 0xe0200eu
#define END 39

static void put(GByteArray *bytes, uint64_t value, unsigned size)
{
    while (size-- > 0) {
        uint8_t byte = size < sizeof(value) ? (uint8_t)(value >> (8 * size)) : 0;
        g_byte_array_append(bytes, &byte, 1);
    }
}

static GByteArray *begin(uint32_t version)
{
    GByteArray *bytes = g_byte_array_new();
    put(bytes, version, 4);
    put(bytes, 0, 8);
    return bytes;
}

static void run(GByteArray *bytes, uint32_t instructions)
{
    put(bytes, 0, 1);
    put(bytes, instructions, 4);
}

static void put_array(GByteArray *bytes, uint32_t size)
{
    put(bytes, size, 4);
    for (uint32_t i = 0; i < size; i++) {
        put(bytes, 0xff, 1);
    }
}

/* Events of every kind that is understood, each after one instruction; returns how many instructions that makes. */
static uint32_t put_all_kinds(GByteArray *bytes)
{
    static const uint8_t sizes[END] = {
        [3] = 8, [4] = 8, [8] = 8, [22] = 8, [24] = 4, [25] = 8, [28] = 8, [29] = 8, [27] = 4, [7] = 1, [9] = 5};
    uint32_t count = 0;

    for (unsigned kind = 1; kind < END; kind++) {
        if (kind == 5 || kind == 26) {
            continue;
        }
        run(bytes, 1);
        count++;
        put(bytes, kind, 1);
        put(bytes, 0xeeeeeeeeeeeeeeee, sizes[kind]);
        if (kind == 7 || kind == 9 || kind == 23 || kind == 27) {
            put_array(bytes, kind);
        }
    }
    return count;
}

static struct tcgrr_rrlog *parse(const GByteArray *bytes)
{
    GError *error = NULL;
    struct tcgrr_rrlog *log = tcgrr_rrlog_parse(bytes->data, bytes->len, NULL, &error);
    assert_null(error);
    assert_non_null(log);
    return log;
}

static const struct tcgrr_rrlog_event *event_of(const struct tcgrr_rrlog *log, guint index)
{
    return &g_array_index(log->events, struct tcgrr_rrlog_event, index);
}

static void all_kinds(void **state)
{
    static const uint32_t versions[] = {OLD, NEW};
    for (size_t i = 0; i < G_N_ELEMENTS(versions); i++) {
        GByteArray *bytes = begin(versions[i]);
        uint32_t count = put_all_kinds(bytes);
        put(bytes, END, 1);
        struct tcgrr_rrlog *log = parse(bytes);
        assert_true(log->complete);
        assert_int_equal(log->version, versions[i]);
        assert_int_equal(log->total, count);
        assert_int_equal(log->end, bytes->len);
        assert_int_equal(log->events->len, 2);
        assert_int_equal(event_of(log, 0)->icount, 1);
        assert_int_equal(event_of(log, 0)->kind, TCGRR_RRLOG_INTERRUPT);
        assert_int_equal(event_of(log, 1)->icount, 2);
        assert_int_equal(event_of(log, 1)->kind, TCGRR_RRLOG_EXCEPTION);
        tcgrr_rrlog_free(log);
        g_byte_array_unref(bytes);
    }
}

static void put_input(GByteArray *bytes, uint32_t version)
{
    static const uint8_t sizes[] = {0, 5, 12, 12, 32};
    for (unsigned type = 0; type < G_N_ELEMENTS(sizes); type++) {
        for (unsigned key = 0; key < (type || version == NEW ? 1u : 2u); key++) {
            put(bytes, 5, 1);
            put(bytes, type, 4);
            if (type == 0 && version != NEW) {
                put(bytes, key, 4);
            }
            put(bytes, 0, type ? sizes[type] : key || version == NEW ? 5 : 9);
        }
    }
}

static void input_events(void **state)
{
    static const uint32_t versions[] = {OLD, NEW};
    for (size_t i = 0; i < G_N_ELEMENTS(versions); i++) {
        GByteArray *bytes = begin(versions[i]);
        run(bytes, 7);
        put_input(bytes, versions[i]);
        run(bytes, 8);
        put(bytes, END, 1);
        struct tcgrr_rrlog *log = parse(bytes);
        assert_true(log->complete);
        assert_int_equal(log->total, 15);
        tcgrr_rrlog_free(log);
        g_byte_array_unref(bytes);
    }
}

static void cut_at_every_byte(void **state)
{
    GByteArray *bytes = begin(OLD);
    put_all_kinds(bytes);
    put_input(bytes, OLD);
    put(bytes, END, 1);
    tcgrr_icount before = 0;

    for (guint size = 0; size < bytes->len; size++) {
        uint8_t *copy = g_memdup2(bytes->data, size); /* of just this size, for the sanitizer */
        GError *error = NULL;
        struct tcgrr_rrlog *log = tcgrr_rrlog_parse(copy, size, NULL, &error);
        if (size < 12) {
            assert_null(log);
            assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_FAILED));
            g_clear_error(&error);
        } else {
            assert_non_null(log);
            assert_false(log->complete);
            assert_true(log->end <= size);
            assert_true(log->total >= before);
            before = log->total;
        }
        tcgrr_rrlog_free(log);
        g_free(copy);
    }
    g_byte_array_unref(bytes);
}

static void unknown(void **state)
{
    static const uint32_t versions[] = {0, 0xe02009, 0xe0200f, 0xffffffff};
    static const uint8_t kinds[] = {26, 40, 41, 128, 255};
    GError *error = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(versions); i++) {
        GByteArray *bytes = begin(versions[i]);
        put(bytes, END, 1);
        assert_null(tcgrr_rrlog_parse(bytes->data, bytes->len, NULL, &error));
        assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_FAILED));
        g_clear_error(&error);
        g_byte_array_unref(bytes);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        GByteArray *bytes = begin(OLD);
        run(bytes, 3);
        put(bytes, TCGRR_RRLOG_EXCEPTION, 1);
        put(bytes, kinds[i], 1);
        put(bytes, 0, 64);
        struct tcgrr_rrlog *log = parse(bytes);
        assert_false(log->complete);
        assert_int_equal(log->total, 3);
        assert_int_equal(log->events->len, 1);
        assert_int_equal(log->end, 12 + 5 + 1);
        tcgrr_rrlog_free(log);
        g_byte_array_unref(bytes);
    }
    assert_null(tcgrr_rrlog_load("/nonexistent/replay.rr", NULL, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_FAILED));
    g_clear_error(&error);
}

static void array_beyond_the_end(void **state)
{
    GByteArray *bytes = begin(OLD);
    put(bytes, 23, 1);
    put(bytes, 0xffffffff, 4);
    put(bytes, 0, 16);
    struct tcgrr_rrlog *log = parse(bytes);
    assert_false(log->complete);
    assert_int_equal(log->end, 12);
    tcgrr_rrlog_free(log);
    g_byte_array_unref(bytes);
}

static void finds(void **state)
{
    GByteArray *bytes = begin(OLD);
    for (unsigned i = 0; i < 3; i++) {
        run(bytes, 10);
        put(bytes, TCGRR_RRLOG_INTERRUPT, 1);
        put(bytes, TCGRR_RRLOG_EXCEPTION, 1);
    }
    struct tcgrr_rrlog *log = parse(bytes);
    assert_int_equal(tcgrr_rrlog_find(log, 0), 0);
    assert_int_equal(tcgrr_rrlog_find(log, 10), 0);
    assert_int_equal(tcgrr_rrlog_find(log, 11), 2);
    assert_int_equal(tcgrr_rrlog_find(log, 30), 4);
    assert_int_equal(tcgrr_rrlog_find(log, 31), 6);
    assert_int_equal(tcgrr_rrlog_find(log, UINT64_MAX), 6);
    tcgrr_rrlog_free(log);
    g_byte_array_unref(bytes);
}

/* A log with `here` events at 100, `after` at 101 and its end at 102. */
static struct tcgrr_rrlog *log_around_100(unsigned here, unsigned behind)
{
    GByteArray *bytes = begin(OLD);
    run(bytes, 100);
    for (unsigned i = 0; i < here; i++) {
        put(bytes, TCGRR_RRLOG_EXCEPTION, 1);
    }
    run(bytes, 1);
    for (unsigned i = 0; i < behind; i++) {
        put(bytes, TCGRR_RRLOG_INTERRUPT, 1);
    }
    run(bytes, 1);
    put(bytes, END, 1);
    struct tcgrr_rrlog *log = parse(bytes);
    g_byte_array_unref(bytes);
    return log;
}

static void decides(void **state)
{
    static const struct {
        unsigned here, behind, events;
        bool left, inside, hidden;
        bool retired;
    } rows[] = {
        {0, 1, 0, true, true, false, true},   /* an interrupt after it */
        {1, 0, 0, true, true, false, false},  /* an exception at it */
        {1, 1, 0, true, true, false, false},  /* one at it, then one at the handler's second instruction */
        {0, 0, 0, false, true, false, true},  /* nothing happened */
        {1, 0, 0, true, false, false, false}, /* the block's only instruction */
        {1, 1, 1, true, false, false, true},  /* entered by the first event, left by the second */
        {2, 0, 1, true, false, false, false}, /* entered and left at the same place */
        {1, 0, 1, false, false, false, true}, /* entered by an event, left by itself */
        {2, 1, 1, true, false, false, false}, /* likewise, and the handler is interrupted */
        {1, 1, 0, true, false, true, true},   /* entered by an event that went unnoticed */
        {1, 0, 0, true, false, true, false},  /* only the exception at it explains where it went */
        {1, 0, 0, false, false, true, false}, /* went where nothing is known to lead: as a fault does */
        {1, 1, 0, false, false, true, true},  /* a trap after it explains where it went */
        {2, 0, 0, false, false, true, false}, /* at most one goes unnoticed */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct tcgrr_rrlog *log = log_around_100(rows[i].here, rows[i].behind);
        struct tcgrr_rrlog_asked asked = {0};
        struct tcgrr_uncertain_retire doubt = {.retired = !rows[i].retired,
                                               .left = rows[i].left,
                                               .inside = rows[i].inside,
                                               .hidden = rows[i].hidden,
                                               .events = rows[i].events};
        bool retired = doubt.retired;
        assert_true(tcgrr_rrlog_decide(log, &asked, &doubt, 100, &retired));
        if (retired != rows[i].retired) {
            fail_msg("row %zu", i);
        }
        tcgrr_rrlog_free(log);
    }
}

/* One exception, which either led to the block or left it: handlers' addresses decide. */
static void decides_by_handlers(void **state)
{
    struct tcgrr_rrlog *log = log_around_100(1, 0);
    struct tcgrr_uncertain_retire doubt = {.retired = 1, .hidden = 1, .entered = 1};
    struct tcgrr_rrlog_asked asked = {0};
    bool retired = false;

    assert_true(tcgrr_rrlog_decide(log, &asked, &doubt, 100, &retired));
    assert_true(retired);
    doubt.entered = 0;
    doubt.branch = 1; /* the first time that it comes to a handler which begins with a branch */
    assert_true(tcgrr_rrlog_decide(log, &asked, &doubt, 100, &retired));
    assert_true(retired);
    doubt.to_entry = 1;
    assert_true(tcgrr_rrlog_decide(log, &asked, &doubt, 100, &retired));
    assert_false(retired);
    tcgrr_rrlog_free(log);
}

/* A call of the host, which goes on with the next instruction: that one is a branch, and went where it leads. */
static void decides_behind_calls_of_the_host(void **state)
{
    struct tcgrr_uncertain_retire doubt = {.follows = 1, .branch = 1};
    for (unsigned exceptions = 1; exceptions <= 2; exceptions++) {
        struct tcgrr_rrlog *log = log_around_100(exceptions, 0);
        struct tcgrr_rrlog_asked asked = {0};
        bool retired = false;
        assert_true(tcgrr_rrlog_decide(log, &asked, &doubt, 100, &retired));
        assert_int_equal(retired, exceptions == 1);
        tcgrr_rrlog_free(log);
    }
    doubt.branch = 0;
    struct tcgrr_rrlog *log = log_around_100(1, 0);
    struct tcgrr_rrlog_asked asked = {0};
    bool retired = true;
    assert_true(tcgrr_rrlog_decide(log, &asked, &doubt, 100, &retired));
    assert_false(retired);
    tcgrr_rrlog_free(log);
}

/* Two doubtful blocks of one instruction at the same place, entered and left by one event each. */
static void remembers(void **state)
{
    struct tcgrr_rrlog *log = log_around_100(3, 0);
    struct tcgrr_rrlog_asked asked = {0};
    struct tcgrr_uncertain_retire doubt = {.retired = 1, .left = 1, .events = 1};
    bool retired = true;

    assert_true(tcgrr_rrlog_decide(log, &asked, &doubt, 100, &retired));
    assert_false(retired);
    assert_true(tcgrr_rrlog_decide(log, &asked, &doubt, 100, &retired));
    assert_false(retired);
    doubt.left = 0; /* entered by the third, and left by none */
    assert_true(tcgrr_rrlog_decide(log, &asked, &doubt, 100, &retired));
    assert_true(retired);
    tcgrr_rrlog_free(log);
}

static void says_nothing_behind_its_end(void **state)
{
    GByteArray *bytes = begin(OLD);
    run(bytes, 100);
    put(bytes, TCGRR_RRLOG_EXCEPTION, 1);
    run(bytes, 1);
    struct tcgrr_rrlog *log = parse(bytes);
    struct tcgrr_rrlog_asked asked = {0};
    struct tcgrr_uncertain_retire doubt = {.retired = 1, .left = 1, .inside = 1};
    bool retired = true;

    assert_true(tcgrr_rrlog_decide(log, &asked, &doubt, 99, &retired));
    assert_true(retired);
    for (tcgrr_icount place = 100; place < 104; place++) {
        assert_false(tcgrr_rrlog_decide(log, &asked, &doubt, place, &retired));
        assert_true(retired);
    }
    tcgrr_rrlog_free(log);
    g_byte_array_unref(bytes);
}

/* A log in a file of a folder of its own, and the name of another file there. */
struct files {
    char *folder;
    char *log;
    char *text;
};

static struct files write_files(const GByteArray *bytes)
{
    struct files files = {.folder = g_dir_make_tmp("tcgrr-unit-rrlog-XXXXXX", NULL)};
    files.log = g_build_filename(files.folder, "log", NULL);
    files.text = g_build_filename(files.folder, "text", NULL);
    assert_true(g_file_set_contents(files.log, (const char *)bytes->data, bytes->len, NULL));
    return files;
}

static void remove_files(struct files *files)
{
    g_unlink(files->log);
    g_unlink(files->text);
    assert_int_equal(g_rmdir(files->folder), 0);
    g_free(files->log);
    g_free(files->text);
    g_free(files->folder);
}

static char *dump(const struct files *files)
{
    char *text = NULL;
    GError *error = NULL;

    assert_true(tcgrr_rrlog_dump(files->log, files->text, NULL, &error));
    assert_null(error);
    assert_true(g_file_get_contents(files->text, &text, NULL, NULL));
    return text;
}

static void dumps(void **state)
{
    static const struct {
        uint8_t kind; /* 0: the log is cut off there */
        const char *end;
    } cases[] = {{END, "\n"}, {200, "\nnot understood after byte "}, {0, "\ncut off after byte "}};

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GByteArray) bytes = begin(OLD);
        put_all_kinds(bytes);
        put(bytes, cases[i].kind, 1);
        struct files files = write_files(bytes);
        g_autofree char *text = dump(&files);
        char *last = g_strrstr(text, cases[i].end);
        assert_non_null(last);
        assert_true(strlen(last) < 50);
        assert_int_equal(i == 0, !strstr(text, " after byte "));
        remove_files(&files);
    }
}

static void dump_fails(void **state)
{
    g_autoptr(GByteArray) bytes = begin(OLD);
    put(bytes, END, 1);
    struct files files = write_files(bytes);
    const char *const cases[][3] = {
        {files.folder, files.text, NULL}, /* opens, but cannot be read */
        {"/nonexistent/log", files.text, NULL},
        {files.log, files.folder, NULL},
        {files.log, "/dev/full", NULL},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        GError *error = NULL;
        if (tcgrr_rrlog_dump(cases[i][0], cases[i][1], cases[i][2], &error)) {
            fail_msg("%s to %s: no error", cases[i][0], cases[i][1]);
        }
        assert_non_null(strstr(error->message, "cannot write "));
        g_error_free(error);
    }
    remove_files(&files);
}

/* Those that QEMU draws before the first instruction. */
static void seeds(void **state)
{
    g_autoptr(GByteArray) bytes = begin(OLD);
    GError *error = NULL;

    for (int before = 1; before >= 0; before--) {
        put(bytes, 27, 1); /* random bytes: QEMU's result, and how many */
        put(bytes, 0, 4);
        put(bytes, 3, 4);
        put(bytes, 0x010203, 3);
        if (before) {
            run(bytes, 5);
        }
    }
    put(bytes, END, 1);
    struct files files = write_files(bytes);
    g_autoptr(GByteArray) drawn = tcgrr_rrlog_seeds(files.log, NULL, &error);
    assert_null(error);
    assert_int_equal(drawn->len, 3);
    assert_memory_equal(drawn->data, "\1\2\3", 3);
    assert_null(tcgrr_rrlog_seeds(files.text, NULL, &error));
    assert_int_equal(error->domain, TCGRR_ERROR);
    g_clear_error(&error);
    remove_files(&files);
}

/* Counts of a run that began elsewhere. */
static void rebases(void **state)
{
    g_autoptr(GByteArray) bytes = begin(OLD);
    put_all_kinds(bytes);
    put(bytes, END, 1);
    struct tcgrr_rrlog *log = parse(bytes);
    tcgrr_icount last = event_of(log, log->events->len - 1)->icount;

    tcgrr_rrlog_rebase(log, 2);
    assert_int_equal(event_of(log, log->events->len - 1)->icount, last - 2);
    assert_int_equal(event_of(log, 0)->icount, 0); /* never below */
    tcgrr_rrlog_rebase(log, UINT64_MAX);
    assert_int_equal(event_of(log, log->events->len - 1)->icount, 0);
    tcgrr_rrlog_free(log);
}

/* Each repair is said in words of its own, and what was not repaired is not said. */
static void says_what_was_repaired(void **state)
{
    static const struct {
        struct tcgrr_rrlog_rewritten done;
        const char *text;
    } rows[] = {
        {{.state = {.complete = true, .total = 7, .end = 7}}, NULL},
        {{.state = {.complete = true, .translated = true, .version = 0xe0200e}}, "translated into format 0xe0200e"},
        {{.state = {.complete = true, .dropped_clock = true}}, "left out the clock that QEMU read before it started"},
        {{.state = {.complete = true, .dropped_seed = true}}, "left out the seed that QEMU draws"},
        {{.state = {.complete = true, .added_seed = true}}, "added the seed that QEMU draws"},
        {{.state = {.complete = true, .was_moved = true, .moved = 5, .end = 9, .total = 9}},
         "moved SHUTDOWN from 5 to 9 instructions"},
        {{.state = {.guest_shutdown = true, .total = 9, .end = 5}},
         "left out 4 instructions after the guest's request"},
        {{.state = {.total = 5, .end = 5}}, "closed after 5 instructions, where it was cut short"},
        {{.state = {.complete = true}, .left_out = 3}, "left out 3 bytes at its end"},
        {{.state = {.unknown = true, .read = 77}}, "left unchanged from byte 77 on"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GPtrArray) lines = tcgrr_rrlog_repairs(&rows[i].done);
        assert_int_equal(lines->len, rows[i].text != NULL);
        if (rows[i].text && !g_str_has_prefix(g_ptr_array_index(lines, 0), rows[i].text)) {
            fail_msg("%s", (char *)g_ptr_array_index(lines, 0));
        }
    }
}

static void refuses_to_rewrite(const char *source, const char *target, const char *from, const char *text)
{
    struct tcgrr_rrlog_known known = {0};
    struct tcgrr_rrlog_rewritten rewritten;
    GError *error = NULL;

    assert_false(tcgrr_rrlog_rewrite(source, target, from, NULL, &known, &rewritten, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_FAILED));
    if (!strstr(error->message, text)) {
        fail_msg("'%s' instead of '%s'", error->message, text);
    }
    g_error_free(error);
}

/* Files that cannot be read or written, and logs in which nothing is. */
static void rewrites_nothing(void **state)
{
    g_autofree char *folder = g_dir_make_tmp("tcgrr-rrlog-XXXXXX", NULL);
    g_autofree char *source = g_build_filename(folder, "log.rr", NULL);
    g_autofree char *target = g_build_filename(folder, "new.rr", NULL);
    g_autofree char *nowhere = g_build_filename(folder, "none", "new.rr", NULL);
    g_autoptr(GByteArray) bytes = begin(OLD);
    GError *error = NULL;

    refuses_to_rewrite(source, target, "10.0.2", "No such file");
    assert_null(tcgrr_rrlog_seeds(source, "10.0.2", &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_FAILED));
    g_clear_error(&error);
    assert_true(g_file_set_contents(source, "", 0, NULL));
    refuses_to_rewrite(source, target, "10.0.2", "killed before there was an instruction");
    assert_true(g_file_set_contents(source, (const char *)bytes->data, bytes->len, NULL));
    refuses_to_rewrite(source, target, "10.0.2", "killed before there was an instruction");
    run(bytes, 5);
    put(bytes, END, 1);
    assert_true(g_file_set_contents(source, (const char *)bytes->data, bytes->len, NULL));
    refuses_to_rewrite(source, nowhere, "10.0.2", "cannot write");
    refuses_to_rewrite(source, "/dev/full", "10.0.2", "cannot write /dev/full");
    memset(bytes->data, 0x55, 4); /* of a format that does not exist */
    assert_true(g_file_set_contents(source, (const char *)bytes->data, bytes->len, NULL));
    refuses_to_rewrite(source, target, "10.0.2", "0x55555555");
    assert_null(tcgrr_rrlog_seeds(source, "10.0.2", &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_FAILED));
    g_clear_error(&error);
    g_unlink(target);
    g_unlink(source);
    g_rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_kinds),
        cmocka_unit_test(input_events),
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(unknown),
        cmocka_unit_test(array_beyond_the_end),
        cmocka_unit_test(finds),
        cmocka_unit_test(decides),
        cmocka_unit_test(decides_by_handlers),
        cmocka_unit_test(decides_behind_calls_of_the_host),
        cmocka_unit_test(remembers),
        cmocka_unit_test(says_nothing_behind_its_end),
        cmocka_unit_test(dumps),
        cmocka_unit_test(dump_fails),
        cmocka_unit_test(seeds),
        cmocka_unit_test(rebases),
        cmocka_unit_test(says_what_was_repaired),
        cmocka_unit_test(rewrites_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
