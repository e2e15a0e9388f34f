/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/peer/address.h"

#include "store/error.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG  16  /* strangers do not keep the other side from the queue */
#define SLICE_MS 100 /* interval of checking whether the user interrupts, and whether there is a listener now */

/* ---- parsing ---- */

static bool malformed(const char *text, GError **error)
{
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                "'%s' is not an address; use unix:PATH or tcp:HOST:PORT (an IPv6 address in brackets)", text);
    return false;
}

static bool parse_unix(const char *text, struct tcgrr_address *address, GError **error)
{
    const char *path = text + strlen("unix:");
    const struct sockaddr_un *un = NULL;

    if (*path == '\0') {
        return malformed(text, error);
    }
    if (strlen(path) >= sizeof(un->sun_path)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                    "the path of a Unix socket has at most %zu bytes, '%s' has %zu; use a shorter one",
                    sizeof(un->sun_path) - 1, path, strlen(path));
        return false;
    }
    address->path = g_strdup(path);
    return true;
}

static bool parse_tcp(const char *text, struct tcgrr_address *address, GError **error)
{
    const char *rest = text + strlen("tcp:");
    const char *colon = strrchr(rest, ':');
    const char *port = colon ? colon + 1 : rest;
    g_autofree char *host = colon ? g_strndup(rest, (gsize)(colon - rest)) : g_strdup("");
    gsize length = strlen(host);
    guint64 number;

    if (!g_ascii_string_to_unsigned(port, 10, 0, 65535, &number, NULL)) {
        return malformed(text, error);
    }
    if (length > 2 && host[0] == '[' && host[length - 1] == ']') {
        address->host = g_strndup(host + 1, length - 2);
    } else if (strpbrk(host, ":[]")) {
        return malformed(text, error);
    } else {
        address->host = length > 0 ? g_steal_pointer(&host) : g_strdup("localhost");
    }
    address->port = g_strdup(port);
    return true;
}

bool tcgrr_address_parse(const char *text, struct tcgrr_address *address, GError **error)
{
    *address = (struct tcgrr_address){0};
    if (g_str_has_prefix(text, "unix:")) {
        return parse_unix(text, address, error);
    }
    return g_str_has_prefix(text, "tcp:") ? parse_tcp(text, address, error) : malformed(text, error);
}

void tcgrr_address_clear(struct tcgrr_address *address)
{
    g_clear_pointer(&address->path, g_free);
    g_clear_pointer(&address->host, g_free);
    g_clear_pointer(&address->port, g_free);
}

static char *address_text(const struct tcgrr_address *address)
{
    if (address->path) {
        return g_strconcat("unix:", address->path, NULL);
    }
    bool six = strchr(address->host, ':') != NULL;
    return g_strdup_printf("tcp:%s%s%s:%s", six ? "[" : "", address->host, six ? "]" : "", address->port);
}

/* ---- system addresses ---- */

/* A lookup in a separate thread: name servers may take half a minute, and a lookup cannot be interrupted.
 * Reference-counted (g_atomic_rc_box_acquire()); after an interruption the thread has the last reference. */
struct lookup {
    char *host, *port;
    struct addrinfo hints;
    GMutex mutex; /* of what follows */
    GCond over;
    bool done;
    int status; /* getaddrinfo()'s */
    struct addrinfo *list;
};

static void clear_lookup(gpointer data)
{
    struct lookup *lookup = data;

    if (lookup->list) {
        freeaddrinfo(lookup->list);
    }
    g_mutex_clear(&lookup->mutex);
    g_cond_clear(&lookup->over);
    g_free(lookup->host);
    g_free(lookup->port);
}

static gpointer look_up_there(gpointer data)
{
    struct lookup *lookup = data;
    struct addrinfo *list = NULL;
    int status = getaddrinfo(lookup->host, lookup->port, &lookup->hints, &list);

    g_mutex_lock(&lookup->mutex);
    lookup->done = true;
    lookup->status = status;
    lookup->list = list;
    g_cond_signal(&lookup->over);
    g_mutex_unlock(&lookup->mutex);
    g_atomic_rc_box_release_full(lookup, clear_lookup);
    return NULL;
}

/* The result of getaddrinfo() for a name; EAI_INTR: the user interrupted before there was one. */
static int look_up_name(const struct tcgrr_address *address, const struct addrinfo *hints, struct addrinfo **list,
                        const volatile int *stop)
{
    struct lookup *lookup = g_atomic_rc_box_new0(struct lookup);

    lookup->host = g_strdup(address->host);
    lookup->port = g_strdup(address->port);
    lookup->hints = *hints;
    lookup->status = EAI_INTR;
    g_mutex_init(&lookup->mutex);
    g_cond_init(&lookup->over);
    g_thread_unref(g_thread_new("tcgrr-lookup", look_up_there, g_atomic_rc_box_acquire(lookup)));
    g_mutex_lock(&lookup->mutex);
    while (!lookup->done && !(stop && *stop)) {
        g_cond_wait_until(&lookup->over, &lookup->mutex, g_get_monotonic_time() + SLICE_MS * 1000);
    }
    *list = g_steal_pointer(&lookup->list);
    int status = lookup->status;
    g_mutex_unlock(&lookup->mutex);
    g_atomic_rc_box_release_full(lookup, clear_lookup);
    return status;
}

static struct addrinfo *look_up(const struct tcgrr_address *address, const volatile int *stop, GError **error)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *list = NULL;
    int status = getaddrinfo(address->host, address->port, &hints, &list);

    if (status == EAI_NONAME) {
        hints.ai_flags = 0;
        status = look_up_name(address, &hints, &list, stop);
    }
    if (status == EAI_INTR) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted");
    } else if (status != 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot find host '%s': %s", address->host,
                    gai_strerror(status));
    }
    return status == 0 ? list : NULL;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

bool tcgrr_address_is_local(const struct tcgrr_address *address, bool *local, const volatile int *stop, GError **error)
{
    *local = true;
    if (address->path) {
        return true;
    }
    struct addrinfo *list = look_up(address, stop, error);
    for (const struct addrinfo *one = list; one; one = one->ai_next) {
        *local = *local && is_loopback(one->ai_addr);
    }
    if (list) {
        freeaddrinfo(list);
    }
    return list != NULL;
}

static struct sockaddr_un unix_address(const struct tcgrr_address *address)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    g_strlcpy(un.sun_path, address->path, sizeof(un.sun_path)); /* parse_unix() saw to its length */
    return un;
}

/* Waits for the socket in slices, at most until `deadline`. *ready: it is. */
static bool wait_for(int fd, short events, gint64 deadline, const volatile int *stop, bool *ready, GError **error)
{
    for (*ready = false; !*ready;) {
        gint64 left = (deadline - g_get_monotonic_time()) / 1000;
        struct pollfd poll_fd = {.fd = fd, .events = events};
        if (stop && *stop) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted");
            return false;
        }
        if (left <= 0) {
            return true;
        }
        *ready = poll(&poll_fd, 1, (int)MIN(left, SLICE_MS)) > 0;
    }
    return true;
}

/* ---- listening ---- */

struct tcgrr_listener {
    int fd;
    char *path; /* of the socket file that we made; NULL: none */
    char *text;
};

static bool cannot_listen(const struct tcgrr_address *address, GError **error)
{
    g_autofree char *text = address_text(address);
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot listen at %s: %s", text, g_strerror(errno));
    return false;
}

/* Whether a socket file is stale: no process listens at it. Preserves errno. */
static bool is_abandoned(const struct sockaddr_un *un)
{
    int before = errno;
    struct stat status;
    if (lstat(un->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode)) {
        return false;
    }
    /* Of another type, so that an existing listener is not disturbed: that gives a different error. */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool refused = fd >= 0 && connect(fd, (const struct sockaddr *)un, sizeof(*un)) != 0 && errno == ECONNREFUSED;
    if (fd >= 0) {
        close(fd);
    }
    errno = before;
    return refused;
}

static bool listen_unix(struct tcgrr_listener *listener, const struct tcgrr_address *address, GError **error)
{
    struct sockaddr_un un = unix_address(address);

    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* The file gets the socket's mode, so that there is no moment in which others could connect. */
    if (listener->fd < 0 || fchmod(listener->fd, 0600) != 0) {
        return cannot_listen(address, error);
    }
    int status = bind(listener->fd, (struct sockaddr *)&un, sizeof(un));
    if (status != 0 && errno == EADDRINUSE && is_abandoned(&un)) {
        g_unlink(un.sun_path);
        status = bind(listener->fd, (struct sockaddr *)&un, sizeof(un));
    }
    if (status != 0) {
        return cannot_listen(address, error);
    }
    listener->path = g_strdup(un.sun_path);
    return listen(listener->fd, BACKLOG) == 0 || cannot_listen(address, error);
}

static bool listen_at(struct tcgrr_listener *listener, const struct addrinfo *one)
{
    int on = 1;

    listener->fd = socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, one->ai_protocol);
    if (listener->fd < 0) {
        return false;
    }
    setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener->fd, one->ai_addr, one->ai_addrlen) == 0 && listen(listener->fd, BACKLOG) == 0) {
        return true;
    }
    int reason = errno;
    close(listener->fd);
    listener->fd = -1;
    errno = reason;
    return false;
}

static bool listen_tcp(struct tcgrr_listener *listener, const struct tcgrr_address *address, const volatile int *stop,
                       GError **error)
{
    struct addrinfo *list = look_up(address, stop, error);
    bool good = false;

    if (!list) {
        return false;
    }
    for (const struct addrinfo *one = list; one && !good; one = one->ai_next) {
        good = listen_at(listener, one);
    }
    int reason = errno;
    freeaddrinfo(list);
    errno = reason;
    return good || cannot_listen(address, error);
}

/* Port 0 has become a real one. */
static char *bound_text(const struct tcgrr_listener *listener, const struct tcgrr_address *address)
{
    struct sockaddr_storage bound;
    socklen_t length = sizeof(bound);
    char port[NI_MAXSERV];
    struct tcgrr_address real = *address;

    if (!address->path && getsockname(listener->fd, (struct sockaddr *)&bound, &length) == 0 &&
        getnameinfo((struct sockaddr *)&bound, length, NULL, 0, port, sizeof(port), NI_NUMERICSERV) == 0) {
        real.port = port;
    }
    return address_text(&real);
}

struct tcgrr_listener *tcgrr_listener_new(const struct tcgrr_address *address, const volatile int *stop, GError **error)
{
    struct tcgrr_listener *listener = g_new0(struct tcgrr_listener, 1);

    listener->fd = -1;
    if (address->path ? !listen_unix(listener, address, error) : !listen_tcp(listener, address, stop, error)) {
        tcgrr_listener_free(listener);
        return NULL;
    }
    listener->text = bound_text(listener, address);
    return listener;
}

const char *tcgrr_listener_text(const struct tcgrr_listener *listener)
{
    return listener->text;
}

/* Whether the error is due to the connecting process, which may have gone again, rather than to our socket. */
static bool is_his_failure(int reason)
{
    static const int reasons[] = {EAGAIN,      EINTR,     ECONNABORTED, EPROTO,       EPERM,      ENETDOWN,
                                  ENOPROTOOPT, EHOSTDOWN, ENONET,       EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH};
    for (size_t i = 0; i < G_N_ELEMENTS(reasons); i++) {
        if (reason == reasons[i]) {
            return true;
        }
    }
    return false;
}

int tcgrr_listener_accept(struct tcgrr_listener *listener, int wait_ms, const volatile int *stop, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + (gint64)wait_ms * 1000;
    bool ready;

    int fd = -1;
    do {
        if (!wait_for(listener->fd, POLLIN, deadline, stop, &ready, error)) {
            return -1;
        }
        fd = ready ? accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC) : -1;
    } while (ready && fd < 0 && is_his_failure(errno));
    if (!ready) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_HUNG, "no other tcgrr connected to %s within %g s", listener->text,
                    wait_ms / 1000.0);
    } else if (fd < 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot accept a connection at %s: %s", listener->text,
                    g_strerror(errno));
    }
    return fd;
}

void tcgrr_listener_free(struct tcgrr_listener *listener)
{
    if (!listener) {
        return;
    }
    if (listener->fd >= 0) {
        close(listener->fd);
    }
    if (listener->path) {
        g_unlink(listener->path);
    }
    g_free(listener->path);
    g_free(listener->text);
    g_free(listener);
}

/* ---- connecting ---- */

/* The socket; or -1 with errno, or with an error that ends all trying. */
static int connect_one(int family, const struct sockaddr *to, socklen_t length, gint64 deadline,
                       const volatile int *stop, GError **error)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int status = fd < 0 ? -1 : connect(fd, to, length);

    if (fd >= 0 && status != 0 && errno == EINPROGRESS) {
        bool ready = false;
        int reason = ETIMEDOUT;
        socklen_t size = sizeof(reason);
        if (wait_for(fd, POLLOUT, deadline, stop, &ready, error) && ready) {
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &size);
        }
        status = reason ? -1 : 0;
        errno = reason;
    }
    if (status != 0 && fd >= 0) {
        int reason = errno;
        close(fd);
        errno = reason;
    }
    return status == 0 ? fd : -1;
}

static int connect_any(const struct tcgrr_address *address, const struct addrinfo *list, gint64 deadline,
                       const volatile int *stop, GError **error)
{
    int fd = -1;

    if (address->path) {
        struct sockaddr_un un = unix_address(address);
        return connect_one(AF_UNIX, (struct sockaddr *)&un, sizeof(un), deadline, stop, error);
    }
    GError *problem = NULL;
    for (; list && fd < 0 && !problem; list = list->ai_next) {
        fd = connect_one(list->ai_family, list->ai_addr, list->ai_addrlen, deadline, stop, &problem);
    }
    if (problem) {
        g_propagate_error(error, problem);
    }
    return fd;
}

/* Whether it may help to try again a little later. */
static bool not_there_yet(int reason)
{
    return reason == ECONNREFUSED || reason == ENOENT || reason == EAGAIN;
}

int tcgrr_address_connect(const struct tcgrr_address *address, int wait_ms, const volatile int *stop, GError **error)
{
    gint64 deadline = g_get_monotonic_time() + (gint64)wait_ms * 1000;
    struct addrinfo *list = address->path ? NULL : look_up(address, stop, error);
    GError *problem = NULL;
    int fd = -1;

    if (!address->path && !list) {
        return -1;
    }
    for (;;) {
        fd = connect_any(address, list, deadline, stop, &problem);
        int reason = errno;
        bool ready;
        if (fd < 0 && !problem && !(not_there_yet(reason) && g_get_monotonic_time() < deadline)) {
            g_autofree char *text = address_text(address);
            g_set_error(&problem, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot connect to %s: %s; %s", text,
                        g_strerror(reason), "start the other side there with --listen");
        }
        if (fd >= 0 || problem || !wait_for(-1, 0, g_get_monotonic_time() + SLICE_MS * 1000, stop, &ready, &problem)) {
            break;
        }
    }
    if (list) {
        freeaddrinfo(list);
    }
    if (problem) {
        g_propagate_error(error, problem);
    }
    return fd;
}
