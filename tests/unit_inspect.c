/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a QEMU is started with to be asked about a machine: nothing that reaches the user's display, files or network;
 * and what its socket for children says where it cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emu/qemu/forks.h"
#include "emu/qemu/inspect.h"
#include "store/error.h"
#include "tests/check.h"

#define OURS " -display none -monitor none -snapshot -S -qmp unix:"

struct fixture {
    char *folder;
    char *script; /* in place of QEMU: leaves its words in SCRIPT.words */
    char *words;
    struct tcgrr_qemu qemu;
};

static void put_script(const struct fixture *f, const char *end)
{
    g_autofree char *text = g_strdup_printf("#!/bin/sh\necho \"$*\" >\"$0.words\"\n%s\n", end);

    assert_true(g_file_set_contents(f->script, text, -1, NULL));
    assert_int_equal(g_chmod(f->script, 0700), 0);
}

static int set_up(void **state)
{
    struct fixture *f = g_new0(struct fixture, 1);
    const char *parent = getenv("TMPDIR"); /* not by GLib, which would remember it */
    f->folder = g_mkdtemp(g_strconcat(parent ? parent : "/tmp", "/tcgrr-unit-inspect-XXXXXX", NULL));
    assert_non_null(f->folder);
    f->script = g_build_filename(f->folder, "qemu", NULL);
    f->words = g_strconcat(f->script, ".words", NULL);
    f->qemu = (struct tcgrr_qemu){.path = f->script, .version = (char *)"10.0.2", .system = true};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    g_unlink(f->script);
    g_unlink(f->words);
    g_rmdir(f->folder);
    g_free(f->words);
    g_free(f->script);
    g_free(f->folder);
    g_free(f);
    return 0;
}

static char *words_of(const struct fixture *f)
{
    char *words = NULL;
    assert_true(g_file_get_contents(f->words, &words, NULL, NULL));
    return words;
}

static void test_words(void **state)
{
    static const struct {
        const char *given;
        const char *wanted; /* before ours */
    } rows[] = {
        {"-M virt", "-M virt -nic none"},
        {"-M virt -nographic -S -gdb tcp::1 -qmp stdio -monitor stdio -icount shift=1 -plugin x -D log -vnc :1",
         "-M virt -nic none"},
        {"-daemonize -pidfile f -d int -trace t -loadvm a -incoming b -snapshot -no-shutdown -s", "-nic none"},
        {"-chardev socket,id=c0,host=h,port=1,server=on -device virtconsole,chardev=c0",
         "-chardev null,id=c0 -device virtconsole,chardev=c0 -nic none"},
        {"-chardev file,id=a,,b,path=x", "-chardev null,id=a,,b -nic none"},
        {"-chardev stdio", "-chardev null -nic none"},
        {"-audiodev pa,id=a,server=h", "-audiodev none,id=a -nic none"},
        {"-netdev user,id=n0,hostfwd=tcp::1-:2 -device e1000,netdev=n0",
         "-netdev hubport,hubid=1,id=n0 -device e1000,netdev=n0"},
        {"-nic user,model=e1000,id=x,hostfwd=tcp::1-:2", "-nic hubport,hubid=1,id=x,model=e1000"},
        {"-nic tap", "-nic hubport,hubid=1"},
        {"-nic none", "-nic none"},
        {"-net nic,model=e1000 -net user,hostfwd=tcp::1-:2", "-net nic,model=e1000 -net none"},
        {"-net tap,ifname=t", "-net none"},
        {"-net none", "-net none"},
        {"-serial stdio -parallel file:x -debugcon tcp:h:1", "-serial null -parallel null -debugcon null -nic none"},
        {"-serial chardev:c0 -serial none", "-serial chardev:c0 -serial none -nic none"},
    };
    struct fixture *f = *state;

    put_script(f, "exit 1");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(GStrv) given = g_strsplit(rows[i].given, " ", -1);
        g_autofree char *wanted = g_strconcat(rows[i].wanted, OURS, NULL);
        assert_null(tcgrr_inspect_start(&f->qemu, (const char *const *)given, NULL, NULL));
        g_autofree char *words = words_of(f);
        if (!g_str_has_prefix(words, wanted)) {
            fail_msg("%s: %s", rows[i].given, words);
        }
        assert_non_null(strstr(words, "/qmp,server=on,wait=off\n"));
    }
}

static void test_failures(void **state)
{
    static const char *const none[] = {NULL};
    struct fixture *f = *state;
    GError *error = NULL;

    put_script(f, "echo 'qemu: no such machine' >&2; exit 1");
    assert_null(tcgrr_inspect_start(&f->qemu, none, NULL, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_FAILED));
    assert_non_null(strstr(error->message, "(QEMU 10.0.2) does not make this machine: qemu: no such machine"));
    g_clear_error(&error);
    put_script(f, "exit 0");
    assert_null(tcgrr_inspect_start(&f->qemu, none, NULL, &error));
    assert_true(g_str_has_suffix(error->message, "does not make this machine"));
    g_clear_error(&error);
    g_unlink(f->script);
    assert_null(tcgrr_inspect_start(&f->qemu, none, NULL, &error));
    assert_non_null(error);
    g_clear_error(&error);
    tcgrr_inspect_free(NULL);
}

/* The user's folders count, in their order. */
static void test_data_folders(void **state)
{
    static const char *const arguments[] = {"-L", "one", "-M", "virt", "-L", "two", NULL};
    struct fixture *f = *state;
    GError *error = NULL;

    put_script(f, "echo one; echo two; echo /usr/share/qemu");
    g_auto(GStrv) folders = tcgrr_data_folders(&f->qemu, arguments, NULL, &error);
    check(folders != NULL, error);
    g_autofree char *words = words_of(f);
    assert_string_equal(words, "-L one -L two -L help\n");
    assert_int_equal(g_strv_length(folders), 3);
    assert_string_equal(folders[2], "/usr/share/qemu");
    put_script(f, "exit 1");
    assert_null(tcgrr_data_folders(&f->qemu, arguments, NULL, &error));
    assert_non_null(error);
    g_clear_error(&error);
}

/* A folder whose name is too long for a socket's: in another process, because GLib asks for it only once. */
static void test_long_folder(void **state)
{
    struct fixture *f = *state;
    g_autofree char *name = g_strnfill(120, 'x');
    g_autofree char *folder = g_build_filename(f->folder, name, NULL);
    int status;

    assert_int_equal(g_mkdir(folder, 0700), 0);
    pid_t child = fork();
    if (child == 0) {
        GError *error = NULL;
        g_setenv("TMPDIR", folder, TRUE);
        struct tcgrr_forks *forks = tcgrr_forks_new(&error);
        bool good = !forks && error->code == TCGRR_ERROR_FAILED &&
                    strstr(error->message, "is too long for sockets in that folder; set TMPDIR");
        tcgrr_forks_free(NULL);
        _exit(good ? 0 : 1); /* the checker of leaks would find the locals of the parent here */
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    for (int i = 0; i < 1000 && g_rmdir(folder) != 0; i++) {
        g_usleep(10000); /* what was made in it goes after its process */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_long_folder, set_up, tear_down), /* before anything asks for TMPDIR */
        cmocka_unit_test_setup_teardown(test_words, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_data_folders, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
