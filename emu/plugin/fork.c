/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/plugin/fork.h"

#include "emu/plugin/access.h"
#include "emu/plugin/inputs.h"
#include "emu/plugin/mapped.h"
#include "emu/plugin/sample.h"
#include "emu/plugin/threads.h"

#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct {
    struct sockaddr_un address; /* constant after tcgrr_fork_init(); an empty path: children are not recorded */
    uint32_t number;            /* number of the child that is being forked */
    bool returns;               /* set in the child until fork() has returned there */
    struct tcgrr_inputs *inputs;
    struct tcgrr_wire_header parent; /* the child's copy of it */
} state;

static _Thread_local bool forks; /* set until fork() has returned in this thread */

static void about_to_fork(void)
{
    forks = true;
    state.number = ++tcgrr_plugin.ring.header->forks;
}

static void forked(void)
{
    struct tcgrr_plugin *plugin = &tcgrr_plugin;

    memcpy(&state.parent, plugin->ring.header, sizeof(state.parent));
    state.inputs = plugin->inputs;
    state.returns = !plugin->silent && *state.address.sun_path;
    tcgrr_ring_disown(&plugin->ring);
    tcgrr_threads_restart(false);
    plugin->inputs = NULL; /* the parent's */
    plugin->signal_at = UINT64_MAX;
    plugin->silent = true;
}

void tcgrr_fork_init(const char *socket)
{
    state.address.sun_family = AF_UNIX;
    if (socket && strlen(socket) < sizeof(state.address.sun_path)) {
        g_strlcpy(state.address.sun_path, socket, sizeof(state.address.sun_path));
    }
    pthread_atfork(about_to_fork, NULL, forked);
}

/* Receives the ring's descriptor; -1: there is none. */
static int receive(int connection, struct tcgrr_fork_answer *answer)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec data = {.iov_base = answer, .iov_len = sizeof(*answer)};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control};
    int fd = -1;

    message.msg_controllen = sizeof(control);
    ssize_t got = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
    if (got > 0 && CMSG_FIRSTHDR(&message) && CMSG_FIRSTHDR(&message)->cmsg_type == SCM_RIGHTS) {
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
    }
    return got == sizeof(*answer) ? fd : -1;
}

static int ask_for_ring(struct tcgrr_fork_answer *answer)
{
    struct tcgrr_fork_request request = {.parent = state.parent.process, .number = state.number};
    int connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    int fd = -1;

    if (connection >= 0 && connect(connection, (struct sockaddr *)&state.address, sizeof(state.address)) == 0 &&
        send(connection, &request, sizeof(request), MSG_NOSIGNAL) == sizeof(request)) {
        fd = receive(connection, answer);
    }
    if (connection >= 0) {
        close(connection);
    }
    return fd;
}

/* Resets everything that counts from the run's start or has been sent to tcgrr already. */
static void start_again(struct tcgrr_plugin *plugin)
{
    struct tcgrr_wire_header *header = plugin->ring.header;

    memcpy(header->target, state.parent.target, sizeof(header->target));
    memcpy(header->program, state.parent.program, sizeof(header->program));
    header->api = state.parent.api;
    header->api_min = state.parent.api_min;
    header->api_cur = state.parent.api_cur;
    header->vcpus = 1;
    header->features = state.parent.features;
    plugin->plain_mark = &header->mark;
    plugin->mark = NULL;
    plugin->vcpu = UINT_MAX;
    plugin->open = NULL;
    plugin->silent = false;
    tcgrr_sampling_restart(plugin);
    tcgrr_mapped_restart();
    if (plugin->accesses) {
        struct tcgrr_access_window window = plugin->accesses->window;
        munmap(plugin->accesses, sizeof(*plugin->accesses));
        plugin->silent = !tcgrr_access_init(plugin, &window);
    }
}

void tcgrr_fork_made(int64_t result)
{
    tcgrr_plugin.ring.header->forks_failed += forks && result < 0;
    forks = false;
}

bool tcgrr_fork_returned(unsigned vcpu)
{
    struct tcgrr_plugin *plugin = &tcgrr_plugin;
    static struct tcgrr_fork_answer answer;

    if (!state.returns) {
        return false;
    }
    state.returns = forks = false;
    struct tcgrr_ring ring;
    int fd = ask_for_ring(&answer);
    if (fd < 0 || tcgrr_ring_attach(&ring, fd, false) != NULL) {
        return false;
    }
    ring.as_written = plugin->ring.as_written;
    plugin->ring = ring; /* the old ring stays mapped, because translations use its mark until they are discarded */
    answer.inputs[sizeof(answer.inputs) - 1] = '\0';
    start_again(plugin);
    tcgrr_threads_restart(true);
    plugin->inputs = state.inputs;
    atomic_store_explicit(&plugin->ring.header->state, TCGRR_WIRE_RUNNING, memory_order_release);
    tcgrr_plugin_event(TCGRR_WIRE_INIT, vcpu, NULL, 0);
    if (plugin->inputs) {
        tcgrr_inputs_restart(answer.inputs, vcpu);
    }
    /* Callbacks are registered again once all translations are discarded. */
    if (plugin->api.reset_7) {
        plugin->api.reset_7(plugin->id, plugin->reset, NULL);
    } else {
        plugin->api.reset(plugin->id, plugin->reset);
    }
    return true;
}
