/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where two tcgrr meet: addresses, and sockets that are each their owner's alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lockstep/peer/address.h"
#include "store/error.h"

/* In place of the system's: name servers that do not answer for a name like this. */
int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **list)
{
    static __typeof__(getaddrinfo) *original;

    if (g_str_has_suffix(host, ".silent") && !(hints->ai_flags & AI_NUMERICHOST)) {
        g_usleep(60 * G_USEC_PER_SEC);
        return EAI_AGAIN;
    }
    if (!original) {
        *(void **)&original = dlsym(RTLD_NEXT, "getaddrinfo");
    }
    return original(host, port, hints, list);
}

static void test_good_addresses(void **state)
{
    static const struct {
        const char *text, *host, *port;
        bool local;
    } good[] = {
        {"tcp:127.0.0.1:7007", "127.0.0.1", "7007", true}, {"tcp:localhost:0", "localhost", "0", true},
        {"tcp::7007", "localhost", "7007", true},          {"tcp:7007", "localhost", "7007", true},
        {"tcp:[::1]:7007", "::1", "7007", true},           {"tcp:127.9.9.9:1", "127.9.9.9", "1", true},
        {"tcp:0.0.0.0:7007", "0.0.0.0", "7007", false},    {"tcp:192.0.2.1:7007", "192.0.2.1", "7007", false},
        {"tcp:[::]:65535", "::", "65535", false},          {"tcp:[2001:db8::1]:1", "2001:db8::1", "1", false},
    };
    struct tcgrr_address address;
    bool local;

    for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
        assert_true(tcgrr_address_parse(good[i].text, &address, NULL));
        assert_string_equal(address.host, good[i].host);
        assert_string_equal(address.port, good[i].port);
        assert_true(tcgrr_address_is_local(&address, &local, NULL, NULL));
        assert_int_equal(local, good[i].local);
        tcgrr_address_clear(&address);
    }
    assert_true(tcgrr_address_parse("unix:/tmp/a:b", &address, NULL));
    assert_string_equal(address.path, "/tmp/a:b");
    assert_true(tcgrr_address_is_local(&address, &local, NULL, NULL));
    assert_true(local);
    tcgrr_address_clear(&address);
}

static void test_bad_addresses(void **state)
{
    static const char *const bad[] = {"",           "/tmp/socket",    "unix:",        "tcp:",          "tcp:host:",
                                      "tcp:host:x", "tcp:host:70000", "tcp:::1:7007", "tcp:[::1:7007", "udp:host:1",
                                      "tcp:host:-1"};
    struct tcgrr_address address;
    GError *error = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        assert_false(tcgrr_address_parse(bad[i], &address, &error));
        assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_USAGE));
        g_clear_error(&error);
    }
}

/* Somebody who listens, and somebody who comes; a byte gets from one to the other. */
static void meet(const char *text)
{
    struct tcgrr_address address;
    GError *error = NULL;
    char byte = 'x';

    assert_true(tcgrr_address_parse(text, &address, NULL));
    struct tcgrr_listener *listener = tcgrr_listener_new(&address, NULL, &error);
    if (!listener) {
        fail_msg("%s", error->message);
    }
    tcgrr_address_clear(&address);
    assert_true(tcgrr_address_parse(tcgrr_listener_text(listener), &address, NULL));
    int out = tcgrr_address_connect(&address, 1000, NULL, NULL);
    int in = tcgrr_listener_accept(listener, 1000, NULL, NULL);
    assert_true(out >= 0 && in >= 0);
    assert_int_equal(write(out, &byte, 1), 1);
    byte = 0;
    assert_int_equal(read(in, &byte, 1), 1);
    assert_int_equal(byte, 'x');
    close(out);
    close(in);
    tcgrr_listener_free(listener);
    tcgrr_address_clear(&address);
}

static void test_tcp(void **state)
{
    meet("tcp:127.0.0.1:0");
    meet("tcp:localhost:0");
}

static void test_unix(void **state)
{
    g_autofree char *folder = g_dir_make_tmp("tcgrr-unit-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "socket", NULL);
    g_autofree char *text = g_strconcat("unix:", path, NULL);
    struct tcgrr_address address;
    struct stat status;
    GError *error = NULL;

    meet(text);
    assert_int_equal(access(path, F_OK), -1);
    assert_true(tcgrr_address_parse(text, &address, NULL));
    mode_t mask = umask(0);
    struct tcgrr_listener *listener = tcgrr_listener_new(&address, NULL, NULL);
    umask(mask);
    assert_non_null(listener);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    /* Somebody else is refused, and does not disturb him. */
    assert_null(tcgrr_listener_new(&address, NULL, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_FAILED));
    g_clear_error(&error);
    assert_int_equal(tcgrr_listener_accept(listener, 10, NULL, &error), -1);
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_HUNG));
    g_clear_error(&error);
    tcgrr_listener_free(listener);
    tcgrr_address_clear(&address);
    assert_int_equal(g_rmdir(folder), 0);
}

static void test_waits_end(void **state)
{
    static volatile int stop;
    struct tcgrr_address address;
    GError *error = NULL;

    assert_true(tcgrr_address_parse("unix:/nowhere/to/be/found", &address, NULL));
    assert_int_equal(tcgrr_address_connect(&address, 250, &stop, &error), -1);
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_FAILED));
    g_clear_error(&error);
    stop = 1;
    assert_int_equal(tcgrr_address_connect(&address, 60000, &stop, &error), -1);
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED));
    g_clear_error(&error);
    tcgrr_address_clear(&address);
    assert_true(tcgrr_address_parse("tcp:127.0.0.1:0", &address, NULL));
    struct tcgrr_listener *listener = tcgrr_listener_new(&address, NULL, NULL);
    assert_int_equal(tcgrr_listener_accept(listener, 60000, &stop, &error), -1);
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED));
    g_clear_error(&error);
    tcgrr_listener_free(listener);
    tcgrr_address_clear(&address);
}

static gpointer interrupt(gpointer data)
{
    volatile int *stop = data;
    g_usleep(200000);
    *stop = 1;
    return NULL;
}

/* Looking a name up ends with the user's wish to stop, whatever the name servers do. */
static void test_silent_name_server(void **state)
{
    struct tcgrr_address address;

    assert_true(tcgrr_address_parse("tcp:name.silent:7007", &address, NULL));
    for (int i = 0; i < 3; i++) {
        static volatile int stop;
        GError *error = NULL;
        bool local;
        stop = 0;
        GThread *user = g_thread_new("user", interrupt, (gpointer)&stop);
        bool good = i == 0   ? tcgrr_address_is_local(&address, &local, &stop, &error)
                    : i == 1 ? tcgrr_listener_new(&address, &stop, &error) != NULL
                             : tcgrr_address_connect(&address, 60000, &stop, &error) >= 0;
        assert_false(good);
        assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED));
        g_error_free(error);
        g_thread_join(user);
    }
    tcgrr_address_clear(&address);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_addresses),
        cmocka_unit_test(test_bad_addresses),
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_unix),
        cmocka_unit_test(test_waits_end),
        cmocka_unit_test(test_silent_name_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
