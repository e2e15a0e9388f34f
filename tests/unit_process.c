/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting, watching and ending real children. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emu/qemu/process.h"
#include "store/error.h"

#define LONG_MS 10000

static struct tcgrr_process *start(const char *script, struct tcgrr_process_options options)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    GError *error = NULL;
    struct tcgrr_process *process = tcgrr_process_start((char *const *)argv, &options, &error);
    assert_null(error);
    assert_non_null(process);
    return process;
}

static struct tcgrr_process *start_quiet(const char *script)
{
    return start(script, (struct tcgrr_process_options){.pass_fd = -1, .output_fd = -1, .quiet = true});
}

static void expect_end(struct tcgrr_process *process, const char *expected)
{
    assert_true(tcgrr_process_wait(process, LONG_MS));
    assert_true(tcgrr_process_ended(process));
    char *end = tcgrr_process_describe_end(process);
    assert_string_equal(end, expected);
    g_free(end);
}

static void expect_tail(struct tcgrr_process *process, const char *expected)
{
    char *tail = tcgrr_process_stderr_tail(process);
    assert_string_equal(tail, expected);
    g_free(tail);
}

static void test_exit_status(void **state)
{
    struct tcgrr_process *process = start_quiet("echo first >&2; echo last >&2; exit 3");
    expect_end(process, "exit 3");
    expect_tail(process, "first\nlast");
    assert_int_equal(WEXITSTATUS(tcgrr_process_status(process)), 3);
    tcgrr_process_free(process);
    tcgrr_process_free(NULL);
}

static void test_signal(void **state)
{
    struct tcgrr_process *process = start_quiet("exec sleep 1000");
    assert_false(tcgrr_process_ended(process));
    assert_false(tcgrr_process_wait(process, 20));
    tcgrr_process_signal(process, SIGKILL);
    expect_end(process, "signal 9 (Killed)");
    tcgrr_process_signal(process, SIGKILL); /* too late: sent to nobody */
    tcgrr_process_free(process);
}

static void test_start_fails(void **state)
{
    static const char *const names[] = {"/nowhere/at-all", "tcgrr-no-such-command", "/"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        const char *argv[] = {names[i], NULL};
        const struct tcgrr_process_options options = {.pass_fd = -1};
        GError *error = NULL;
        assert_null(tcgrr_process_start((char *const *)argv, &options, &error));
        assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_FAILED));
        assert_non_null(strstr(error->message, names[i]));
        g_error_free(error);
    }
}

static void test_stop_stubborn(void **state)
{
    /* It ignores SIGTERM, and is stopped besides. */
    struct tcgrr_process *process = start_quiet("trap '' TERM; echo ready >&2; while :; do sleep 0.1; done");
    for (int i = 0; i < 500; i++) {
        char *tail = tcgrr_process_stderr_tail(process);
        bool ready = tail[0] != '\0';
        g_free(tail);
        if (ready) {
            break;
        }
        g_usleep(10000);
    }
    tcgrr_process_stop(process, 100);
    expect_end(process, "signal 9 (Killed)");
    tcgrr_process_free(process);

    process = start_quiet("kill -STOP $$; exit 0");
    g_usleep(100000);
    assert_false(tcgrr_process_ended(process));
    tcgrr_process_free(process);
}

static void test_tail_is_bounded(void **state)
{
    struct tcgrr_process *process =
        start_quiet("i=0; while [ $i -lt 5000 ]; do echo line-$i; i=$((i+1)); done >&2; printf 'end\\377' >&2");
    expect_end(process, "exit 0");
    char *tail = tcgrr_process_stderr_tail(process);
    assert_true(strlen(tail) <= 8192 + 2);
    assert_true(strlen(tail) > 8000);
    assert_true(g_str_has_prefix(tail, "line-"));
    assert_true(g_str_has_suffix(tail, "line-4999\nend\357\277\275"));
    assert_true(g_utf8_validate(tail, -1, NULL));
    g_free(tail);
    tcgrr_process_free(process);
}

/* Reads all that comes from a pipe until its end. */
static char *read_all(int fd)
{
    GString *text = g_string_new(NULL);
    char bytes[256];
    ssize_t n;
    while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
        g_string_append_len(text, bytes, n);
    }
    return g_string_free(text, FALSE);
}

static void test_descriptors(void **state)
{
    int passed[2];
    int output[2];
    assert_int_equal(pipe2(passed, O_CLOEXEC), 0);
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    char *script = g_strdup_printf("echo passed >&%d; echo output; cat; echo error >&2", passed[1]);
    struct tcgrr_process *process =
        start(script, (struct tcgrr_process_options){.pass_fd = passed[1], .output_fd = output[1], .quiet = true});
    close(passed[1]);
    close(output[1]);
    char *a = read_all(passed[0]);
    char *b = read_all(output[0]);
    assert_string_equal(a, "passed\n");
    assert_string_equal(b, "output\n");
    expect_end(process, "exit 0");
    expect_tail(process, "error");
    tcgrr_process_free(process);
    g_free(a);
    g_free(b);
    g_free(script);
    close(passed[0]);
    close(output[0]);
}

static void test_directory_and_environment(void **state)
{
    const char *environment[] = {"PATH=/usr/bin:/bin", "TCGRR_TEST=yes", NULL};
    struct tcgrr_process *process =
        start("pwd >&2; echo $TCGRR_TEST >&2",
              (struct tcgrr_process_options){
                  .pass_fd = -1, .quiet = true, .directory = "/", .environment = (char *const *)environment});
    expect_end(process, "exit 0");
    expect_tail(process, "/\nyes");
    tcgrr_process_free(process);
}

/* Runs `body` in a process of its own whose standard error is a pipe, and returns what it wrote there. */
static char *errors_of(void (*body)(void))
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[1], STDERR_FILENO);
        close(fds[0]);
        close(fds[1]);
        body();
        _exit(0);
    }
    close(fds[1]);
    char *text = read_all(fds[0]);
    close(fds[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    return text;
}

static void run_loud(void)
{
    /* QEMU makes the terminal non-blocking, and then more text comes than fits. */
    (void)fcntl(STDERR_FILENO, F_SETFL, fcntl(STDERR_FILENO, F_GETFL) | O_NONBLOCK);
    struct tcgrr_process *process =
        start("head -c 300000 /dev/zero | tr '\\0' x >&2", (struct tcgrr_process_options){.pass_fd = -1});
    if (!tcgrr_process_wait(process, LONG_MS)) {
        _exit(1);
    }
    tcgrr_process_free(process);
}

static void test_errors_are_passed_on(void **state)
{
    char *text = errors_of(run_loud);
    assert_int_equal(strlen(text), 300000);
    g_free(text);
}

static void test_grandchild_holds_stderr(void **state)
{
    struct tcgrr_process *process = start_quiet("sleep 1000 & echo $! >&2; exit 0");
    expect_end(process, "exit 0");
    char *tail = tcgrr_process_stderr_tail(process);
    long sleeper = strtol(tail, NULL, 10);
    assert_true(sleeper > 1);
    /* Ending did not wait for it. */
    assert_int_equal(kill((pid_t)sleeper, SIGKILL), 0);
    g_free(tail);
    tcgrr_process_free(process);
}

static gpointer start_in_thread(gpointer data)
{
    return start_quiet("exec sleep 1000");
}

static void test_outlives_the_starting_thread(void **state)
{
    struct tcgrr_process *process = g_thread_join(g_thread_new("starter", start_in_thread, NULL));
    g_usleep(200000);
    assert_false(tcgrr_process_ended(process));
    tcgrr_process_stop(process, LONG_MS);
    expect_end(process, "signal 15 (Terminated)");
    tcgrr_process_free(process);
}

/* The child must not inherit that signals are blocked here: it would never see SIGTERM. */
static void test_signal_mask(void **state)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    struct tcgrr_process *process = start_quiet("exec sleep 1000");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    tcgrr_process_signal(process, SIGTERM);
    expect_end(process, "signal 15 (Terminated)");
    tcgrr_process_free(process);
}

/* A process starts a child, says its number, and is killed without any chance to clean up. */
static void test_death_of_the_parent(void **state)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    /* Orphans come to us, so that the end of the grandchild can be waited for. */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
        skip(); /* QEMU's user mode does not know it */
    }
    pid_t helper = fork();
    if (helper == 0) {
        char *script = g_strdup_printf("echo $$ >&%d; exec sleep 1000", fds[1]);
        if (start(script, (struct tcgrr_process_options){.pass_fd = fds[1], .quiet = true})) {
            pause();
        }
        _exit(1);
    }
    char said[16] = "";
    assert_true(read(fds[0], said, sizeof(said) - 1) > 0);
    int child = atoi(said);
    assert_true(child > 0);
    assert_int_equal(kill(child, 0), 0);
    kill(helper, SIGKILL);
    assert_int_equal(waitpid(helper, NULL, 0), helper);

    int status = 0;
    pid_t reaped = 0;
    for (int i = 0; i < 500 && reaped == 0; i++) {
        reaped = waitpid(child, &status, WNOHANG);
        g_usleep(10000);
    }
    if (reaped == 0) {
        kill(child, SIGKILL);
    }
    assert_int_equal(reaped, child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
    close(fds[0]);
    close(fds[1]);
}

static gpointer wait_for_it(gpointer data)
{
    return GINT_TO_POINTER(tcgrr_process_wait(data, LONG_MS));
}

static void test_many_at_once(void **state)
{
    struct tcgrr_process *processes[20];
    GThread *threads[G_N_ELEMENTS(processes)];
    for (size_t i = 0; i < G_N_ELEMENTS(processes); i++) {
        processes[i] = start_quiet("exit 7");
        threads[i] = g_thread_new("wait", wait_for_it, processes[i]);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(processes); i++) {
        assert_true(GPOINTER_TO_INT(g_thread_join(threads[i])));
        expect_end(processes[i], "exit 7");
        tcgrr_process_free(processes[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_status),
        cmocka_unit_test(test_signal),
        cmocka_unit_test(test_start_fails),
        cmocka_unit_test(test_stop_stubborn),
        cmocka_unit_test(test_tail_is_bounded),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_directory_and_environment),
        cmocka_unit_test(test_errors_are_passed_on),
        cmocka_unit_test(test_grandchild_holds_stderr),
        cmocka_unit_test(test_outlives_the_starting_thread),
        cmocka_unit_test(test_signal_mask),
        cmocka_unit_test(test_death_of_the_parent),
        cmocka_unit_test(test_many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
