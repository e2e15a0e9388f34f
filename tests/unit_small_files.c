/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small files and messages that other processes, or an older tcgrr, wrote: taken as they are meant, or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <jansson.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "emu/plugin/fork.h"
#include "emu/plugin/inputs_format.h"
#include "emu/qemu/calls_file.h"
#include "emu/qemu/forks.h"
#include "emu/qemu/probe_cache.h"
#include "emu/qemu/qcow2.h"
#include "emu/qemu/qemu.h"
#include "store/error.h"
#include "store/words.h"
#include "tests/check.h"

struct fixture {
    char *folder;
    char *path;
};

static int set_up(void **state)
{
    struct fixture *f = g_new0(struct fixture, 1);
    f->folder = g_dir_make_tmp("tcgrr-unit-small-XXXXXX", NULL);
    f->path = g_build_filename(f->folder, "file", NULL);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    g_unlink(f->path);
    assert_int_equal(g_rmdir(f->folder), 0);
    g_free(f->folder);
    g_free(f->path);
    g_free(f);
    return 0;
}

static void put(const struct fixture *f, const void *bytes, size_t size)
{
    assert_true(g_file_set_contents(f->path, bytes, (gssize)size, NULL));
}

/* ---- the environment that a program was given ---- */

static void test_environment(void **state)
{
    const struct fixture *f = *state;
    GError *error = NULL;

    g_setenv("TCGRR_UNIT_TEST", "a=b c", TRUE);
    check(tcgrr_calls_file_create(f->path, &error), error);
    g_auto(GStrv) environment = tcgrr_calls_file_environment(f->path, &error);
    check(environment != NULL, error);
    assert_true(g_strv_contains((const char *const *)environment, "TCGRR_UNIT_TEST=a=b c"));
}

static void check_no_environment(const struct fixture *f)
{
    GError *error = NULL;
    assert_null(tcgrr_calls_file_environment(f->path, &error));
    assert_int_equal(error->code, TCGRR_ERROR_DAMAGED);
    assert_non_null(strstr(error->message, "does not hold what the program was given"));
    g_error_free(error);
}

static void test_malformed_environment(void **state)
{
    const struct fixture *f = *state;
    struct tcgrr_inputs_record head = {.kind = TCGRR_INPUTS_START, .bytes = 0};

    g_unlink(f->path);
    check_no_environment(f);
    for (size_t cut = 0; cut < sizeof(head); cut += 3) {
        put(f, &head, cut);
        check_no_environment(f);
    }
    head.bytes = 1;
    put(f, &head, sizeof(head)); /* more than there is */
    check_no_environment(f);
    head.bytes = UINT32_MAX; /* more than there can be */
    put(f, &head, sizeof(head));
    check_no_environment(f);
    head = (struct tcgrr_inputs_record){.kind = TCGRR_INPUTS_END};
    put(f, &head, sizeof(head));
    check_no_environment(f);

    head = (struct tcgrr_inputs_record){.kind = TCGRR_INPUTS_START, .bytes = 0};
    put(f, &head, sizeof(head));
    g_auto(GStrv) none = tcgrr_calls_file_environment(f->path, NULL);
    assert_non_null(none);
    assert_null(none[0]);

    g_autoptr(GByteArray) bytes = g_byte_array_new(); /* the last entry has no end */
    head.bytes = 7;
    g_byte_array_append(bytes, (const guint8 *)&head, sizeof(head));
    g_byte_array_append(bytes, (const guint8 *)"A=1\0B=2", 7);
    put(f, bytes->data, bytes->len);
    g_auto(GStrv) two = tcgrr_calls_file_environment(f->path, NULL);
    assert_int_equal(g_strv_length(two), 2);
    assert_string_equal(two[1], "B=2");
}

/* ---- words of a command ---- */

static void test_words(void **state)
{
    static const char *const words[] = {"", "-kernel", "\xc3\xa4", "a\xff-", "\x01"};

    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        json_t *json = tcgrr_word_json(words[i]);
        assert_int_equal(json_is_object(json), i == 3);
        g_autofree char *back = tcgrr_word_of_json(json);
        assert_string_equal(back, words[i]);
        json_decref(json);
    }
}

static void test_malformed_words(void **state)
{
    static const char *const texts[] = {"5",
                                        "[]",
                                        "{}",
                                        "{\"bytes\": 5}",
                                        "{\"bytes\": \"6\"}",
                                        "{\"bytes\": \"6g\"}",
                                        "{\"bytes\": \"6100\"}",
                                        "{\"bytes\": \"61616\"}",
                                        "null"};

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        json_t *json = json_loads(texts[i], JSON_DECODE_ANY, NULL);
        assert_non_null(json);
        g_autofree char *word = tcgrr_word_of_json(json);
        if (word) {
            fail_msg("%s is taken for %s", texts[i], word);
        }
        json_decref(json);
    }
}

static void test_lines(void **state)
{
    const struct fixture *f = *state;
    char *const words[] = {(char *)"qemu", (char *)"-M", (char *)"virt", NULL};
    char *const wrong[] = {(char *)"qemu", (char *)"a\nb", NULL};
    g_autofree char *text = NULL;
    GError *error = NULL;

    check(tcgrr_words_write(f->path, words, &error), error);
    assert_false(tcgrr_words_write(f->path, wrong, &error));
    assert_non_null(strstr(error->message, "file has one argument a line, and this one has a line break: a\nb; the "));
    g_clear_error(&error);
    assert_true(g_file_get_contents(f->path, &text, NULL, NULL)); /* still the first ones */
    assert_string_equal(text, "qemu\n-M\nvirt\n");
}

/* ---- what a QEMU was found to be ---- */

static void test_probe_cache(void **state)
{
    const struct fixture *f = *state;
    struct tcgrr_qemu qemu = {.path = (char *)"/usr/bin/qemu",
                              .version = (char *)"10.0.2",
                              .banner = (char *)"QEMU",
                              .build_id = (char *)"ab",
                              .target = (char *)"riscv64",
                              .system = true,
                              .api_min = 1,
                              .api_cur = 4,
                              .api = 4,
                              .plugin_error = (char *)"none"};
    struct tcgrr_qemu found = {0};

    tcgrr_probe_cache_store(f->path, &qemu);
    assert_true(tcgrr_probe_cache_load(f->path, &found));
    assert_string_equal(found.version, "10.0.2");
    assert_string_equal(found.plugin_error, "none");
    assert_int_equal(found.api, 4);
    assert_true(found.system && !found.api_forced);
    tcgrr_qemu_clear(&found);
}

static void test_malformed_probe_cache(void **state)
{
    static const char *const texts[] = {
        "",
        "text",
        "[qemu]\nversion=1\nbanner=1\nbuild_id=1\ntarget=1\n",
        "[qemu]\ncomplete=true\nversion=1\nbanner=1\n",
        "[qemu]\ncomplete=true\nversion=1\nbanner=1\nbuild_id=1\ntarget=1\napi=-1\n",
        "[qemu]\ncomplete=true\nversion=1\nbanner=1\nbuild_id=1\ntarget=1\napi_cur=5000\n",
        "[qemu]\ncomplete=true\nversion=1\nbanner=1\nbuild_id=1\ntarget=1\napi_min=x\n"};
    const struct fixture *f = *state;
    struct tcgrr_qemu found = {0};

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        put(f, texts[i], strlen(texts[i]));
        if (tcgrr_probe_cache_load(f->path, &found)) {
            fail_msg("taken: %s", texts[i]);
        }
        assert_null(found.version); /* is probed anew */
    }
    g_unlink(f->path);
    assert_false(tcgrr_probe_cache_load(f->path, &found));
    assert_null(tcgrr_probe_cache_load_text(f->path));
}

/* A script that does more than start a QEMU may start another one each time, so that nothing of it can be kept. */
static void test_scripts(void **state)
{
    static const struct {
        const char *text;
        bool kept;
    } scripts[] = {
        {"#!/bin/sh\nexec /bin/true \"$@\"\n", true},
        {"#!/bin/sh\n# why\nexec env A=1 /bin/true \"$@\"\n", true},
        {"#!/bin/sh\nexec /nonexistent/qemu \"$@\"\n", false},
        {"#!/bin/sh\nexec true \"$@\"\n", false},
        {"#!/bin/sh\nexec /bin/true $HOME\n", false},
        {"#!/bin/sh\nexec /bin/true; exec /bin/false\n", false},
        {"#!/bin/sh\nexec /bin/true \"\n", false},
        {"#!/bin/sh\n/bin/true\n", false},
        {"#!/bin/sh\nexec /bin/true\nexec /bin/true\n", false},
        {"#!/bin/sh\n", false},
        {"#!/bin/sh\nexec env\n", false},
    };
    const struct fixture *f = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(scripts); i++) {
        g_autofree char *path = g_strdup_printf("%s.%zu", f->path, i);
        char *const argv[] = {path, NULL};
        assert_true(g_file_set_contents(path, scripts[i].text, -1, NULL));
        g_autofree char *young = tcgrr_probe_cache_text_file(argv, NULL);
        assert_null(young); /* could change again without a newer timestamp */
    }
    g_usleep(3 * G_USEC_PER_SEC);
    for (size_t i = 0; i < G_N_ELEMENTS(scripts); i++) {
        g_autofree char *path = g_strdup_printf("%s.%zu", f->path, i);
        char *const argv[] = {path, (char *)"-M", (char *)"help", NULL};
        g_autofree char *kept = tcgrr_probe_cache_text_file(argv, NULL);
        if ((kept != NULL) != scripts[i].kept) {
            fail_msg("%s: %s", kept ? "kept" : "not kept", scripts[i].text);
        }
        g_unlink(path);
    }
}

/* ---- children of a recorded program ---- */

static int connect_to(const struct tcgrr_forks *forks)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    assert_true(g_strlcpy(address.sun_path, tcgrr_forks_path(forks), sizeof(address.sun_path)) <
                sizeof(address.sun_path));
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void test_forks(void **state)
{
    struct tcgrr_fork_request request = {.parent = 3, .number = 7};
    struct tcgrr_fork_answer answer;
    struct tcgrr_fork child;
    GError *error = NULL;
    struct tcgrr_forks *forks = tcgrr_forks_new(&error);

    check(forks != NULL, error);
    assert_false(tcgrr_forks_accept(forks, 0, &child));
    int silent = connect_to(forks);
    close(silent);
    assert_false(tcgrr_forks_accept(forks, 1000, &child));
    int brief = connect_to(forks);
    assert_int_equal(send(brief, &request, sizeof(request) - 1, 0), sizeof(request) - 1);
    assert_false(tcgrr_forks_accept(forks, 1000, &child));
    assert_int_equal(recv(brief, &answer, sizeof(answer), 0), 0); /* is told by the end of the connection */
    close(brief);

    int good = connect_to(forks);
    assert_int_equal(send(good, &request, sizeof(request), 0), sizeof(request));
    assert_true(tcgrr_forks_accept(forks, 1000, &child));
    assert_int_equal(child.parent, 3);
    assert_int_equal(child.number, 7);
    assert_int_equal(child.pid, getpid());
    tcgrr_fork_welcome(&child, STDIN_FILENO, "/inputs");
    assert_int_equal(recv(good, &answer, sizeof(answer), 0), sizeof(answer));
    assert_string_equal(answer.inputs, "/inputs");
    close(good);

    int dismissed = connect_to(forks);
    assert_int_equal(send(dismissed, &request, sizeof(request), 0), sizeof(request));
    assert_true(tcgrr_forks_accept(forks, 1000, &child));
    tcgrr_fork_dismiss(&child);
    assert_int_equal(recv(dismissed, &answer, sizeof(answer), 0), 0);
    close(dismissed);
    tcgrr_forks_free(forks);
}

/* ---- disk images ---- */

static void test_qcow2(void **state)
{
    const struct fixture *f = *state;
    GError *error = NULL;

    assert_false(tcgrr_qcow2_create(f->path, TCGRR_QCOW2_MAX + 1, &error));
    assert_non_null(strstr(error->message, "is too large"));
    g_clear_error(&error);
    check(tcgrr_qcow2_create(f->path, 1 << 20, &error), error);
    assert_true(tcgrr_qcow2_is(f->path));
    put(f, "QFI", 3);
    assert_false(tcgrr_qcow2_is(f->path));
    put(f, "raw!", 4);
    assert_false(tcgrr_qcow2_is(f->path));
    assert_false(tcgrr_qcow2_is("/nonexistent/image"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_malformed_environment),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_malformed_words),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_probe_cache),
        cmocka_unit_test(test_malformed_probe_cache),
        cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_forks),
        cmocka_unit_test(test_qcow2),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
