/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/lead.h"

#include "emu/qemu/pin.h"
#include "emu/qemu/scratch.h"
#include "store/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* A flush is asked for after so many instructions, a quarter of what the leader may be ahead, or so much time when
 * there are fewer; at once if the follower waits. Each wakes up two threads. */
#define GRAIN    (16 * TCGRR_CHECKPOINT_STEP)
#define ASK_US   2000
#define WAIT_US  1000
/* A QEMU that has left the guest is gone by then, or is made to be. */
#define LEAVE_MS 10000
#define PIECE    65536

struct tcgrr_lead {
    char *folder;
    char *path;
    int fd; /* -1: QEMU has not made it yet */
    struct tcgrr_session *session;
    struct tcgrr_rr_stream *stream;
    struct tcgrr_rrlog *log; /* for the session's own counts */
    GByteArray *ready;       /* translated and not given on */
    GError *problem;         /* of a read that nobody could be told about */
    bool asking;
    uint32_t asked;
    tcgrr_icount asked_icount;
    gint64 asked_at;
    tcgrr_icount known;
    tcgrr_icount start; /* QEMU's own count, which the log has, when the session begins to count */
    bool ended;
};

struct tcgrr_lead *tcgrr_lead_new(GError **error)
{
    char *folder = tcgrr_scratch_folder("log", error);
    if (!folder) {
        return NULL;
    }
    struct tcgrr_lead *lead = g_new0(struct tcgrr_lead, 1);
    lead->folder = folder;
    lead->path = g_build_filename(folder, "rr", NULL);
    lead->fd = -1;
    lead->log = tcgrr_rrlog_new();
    lead->ready = g_byte_array_new();
    return lead;
}

void tcgrr_lead_free(struct tcgrr_lead *lead)
{
    if (!lead) {
        return;
    }
    if (lead->fd >= 0) {
        close(lead->fd);
    }
    g_unlink(lead->path);
    g_rmdir(lead->folder);
    g_free(lead->path);
    g_free(lead->folder);
    tcgrr_rr_stream_free(lead->stream);
    tcgrr_rrlog_free(lead->log);
    g_byte_array_unref(lead->ready);
    g_clear_error(&lead->problem);
    g_free(lead);
}

const char *tcgrr_lead_path(const struct tcgrr_lead *lead)
{
    return lead->path;
}

tcgrr_icount tcgrr_lead_since_start(const struct tcgrr_lead *lead, tcgrr_icount own)
{
    return own - MIN(own, lead->start);
}

static bool see(const struct tcgrr_rr_event *event, tcgrr_icount icount, void *data)
{
    struct tcgrr_lead *lead = data;
    return tcgrr_rrlog_seen(event, tcgrr_lead_since_start(lead, icount), lead->log);
}

/* Reads on to the file's end, which is not there yet before QEMU has made it. */
static bool read_on(struct tcgrr_lead *lead, GError **error)
{
    uint8_t bytes[PIECE];
    ssize_t got = 0;

    if (lead->fd < 0) {
        lead->fd = open(lead->path, O_RDONLY | O_CLOEXEC);
    }
    while (lead->fd >= 0 && (got = read(lead->fd, bytes, sizeof(bytes))) > 0) {
        if (!tcgrr_rr_stream_push(lead->stream, bytes, (size_t)got, lead->ready, error)) {
            return false;
        }
    }
    lead->log->total = tcgrr_lead_since_start(lead, tcgrr_rr_stream_state(lead->stream)->total);
    if (got < 0 || (lead->fd < 0 && errno != ENOENT)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot read QEMU's rr log: %s", g_strerror(errno));
        return false;
    }
    return true;
}

/* Waits until what QEMU has written by now can be read; a QEMU that is gone has nothing more to write. */
static void reach(tcgrr_icount icount, void *data)
{
    struct tcgrr_lead *lead = data;
    struct tcgrr_live *live = tcgrr_session_live(lead->session);
    struct tcgrr_process *process = tcgrr_session_process(lead->session);
    uint32_t asked = tcgrr_live_ask_flush(live);

    while (!tcgrr_live_flushed(live, asked) && !tcgrr_process_ended(process) && tcgrr_live_flush_error(live) == 0) {
        tcgrr_live_await_flush(live, asked, 1);
    }
    if (!lead->problem && tcgrr_session_check_log(lead->session, lead->path, false, &lead->problem) &&
        read_on(lead, &lead->problem)) {
        lead->log->reached = icount;
    }
}

bool tcgrr_lead_begin(struct tcgrr_lead *lead, struct tcgrr_session *session, const char *to, GError **error)
{
    const struct tcgrr_rr_stream_options options = {
        .from = tcgrr_session_qemu(session)->version,
        .to = to,
        .riscv_tree = g_str_has_prefix(tcgrr_session_qemu(session)->target, "riscv") &&
                      tcgrr_pin_has_tree((const char *const *)tcgrr_session_command(session)->argv + 1),
        .seen = see,
        .data = lead,
    };
    lead->start = tcgrr_session_own_icount(session, 0);
    lead->session = session;
    lead->stream = tcgrr_rr_stream_new(&options, error);
    tcgrr_live_watch_log(tcgrr_session_live(session), lead->log, reach, lead);
    return lead->stream != NULL;
}

static void ask(struct tcgrr_lead *lead, tcgrr_icount icount, bool urgent)
{
    gint64 now = g_get_monotonic_time();

    if (icount > lead->asked_icount &&
        (urgent || icount - lead->asked_icount >= GRAIN || now - lead->asked_at >= ASK_US)) {
        lead->asked = tcgrr_live_ask_flush(tcgrr_session_live(lead->session));
        lead->asked_icount = icount;
        lead->asked_at = now;
        lead->asking = true;
    }
}

/* Goes on to `icount`, up to which the log is known to have all events. */
static void run_to(struct tcgrr_lead *lead, tcgrr_icount icount)
{
    tcgrr_rr_stream_run(lead->stream, lead->start + icount, lead->ready);
    lead->known = icount;
}

/* QEMU ended by itself: its log has all events, even if it ended inside an instruction and put no end mark there. */
static bool left_by_itself(const struct tcgrr_lead *lead)
{
    struct tcgrr_process *process = tcgrr_session_process(lead->session);
    int status = tcgrr_process_ended(process) ? tcgrr_process_status(process) : -1;
    return status >= 0 && WIFEXITED(status);
}

/* QEMU has written its last when it is gone. It ran `icount` instructions. */
static bool finish(struct tcgrr_lead *lead, tcgrr_icount icount, GError **error)
{
    struct tcgrr_process *process = tcgrr_session_process(lead->session);

    if (!tcgrr_process_wait(process, LEAVE_MS)) {
        tcgrr_process_stop(process, 0);
    }
    if (!read_on(lead, error)) {
        return false;
    }
    bool cut = !tcgrr_rr_stream_state(lead->stream)->complete;
    if (!tcgrr_session_check_log(lead->session, lead->path, cut, error)) {
        return false;
    }
    if (left_by_itself(lead)) {
        tcgrr_rr_stream_logged(lead->stream, lead->start + icount);
    }
    tcgrr_rr_stream_close(lead->stream, lead->ready);
    lead->ended = true;
    return true;
}

bool tcgrr_lead_step(struct tcgrr_lead *lead, tcgrr_icount icount, bool over, bool urgent, GByteArray *out,
                     GError **error)
{
    struct tcgrr_live *live = tcgrr_session_live(lead->session);

    if (lead->problem) {
        g_propagate_error(error, g_steal_pointer(&lead->problem));
        return false;
    }
    if (!over && tcgrr_process_ended(tcgrr_session_process(lead->session))) {
        if (!read_on(lead, error)) {
            return false;
        }
        /* Its log is whole, even if its stream was not read to the end; else that says where it ends. */
        over = tcgrr_lead_state(lead)->complete || tcgrr_lead_state(lead)->unknown || !left_by_itself(lead);
        if (!over && !tcgrr_session_check_log(lead->session, lead->path, true, error)) {
            return false;
        }
        if (!over) {
            run_to(lead, icount);
            lead->asking = false;
        }
    }
    if (over ? !lead->ended && !finish(lead, icount, error)
             : !tcgrr_session_check_log(lead->session, lead->path, false, error)) {
        return false;
    }
    if (lead->asking && !over && tcgrr_live_flushed(live, lead->asked)) {
        lead->asking = false;
        if (!read_on(lead, error)) {
            return false;
        }
        run_to(lead, lead->asked_icount);
    }
    if (!lead->asking && !over) {
        ask(lead, icount, urgent);
    }
    g_byte_array_append(out, lead->ready->data, lead->ready->len);
    g_byte_array_set_size(lead->ready, 0);
    return true;
}

void tcgrr_lead_wait(struct tcgrr_lead *lead)
{
    if (lead->asking) {
        tcgrr_live_await_flush(tcgrr_session_live(lead->session), lead->asked, 1);
    } else {
        g_usleep(WAIT_US);
    }
}

tcgrr_icount tcgrr_lead_known(const struct tcgrr_lead *lead)
{
    return lead->ended || tcgrr_lead_state(lead)->guest_shutdown ? UINT64_MAX : lead->known;
}

const struct tcgrr_rr_state *tcgrr_lead_state(const struct tcgrr_lead *lead)
{
    return tcgrr_rr_stream_state(lead->stream);
}

bool tcgrr_lead_ended(const struct tcgrr_lead *lead)
{
    return lead->ended;
}
