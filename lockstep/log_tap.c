/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/log_tap.h"

#include "emu/qemu/pin.h"
#include "emu/qemu/scratch.h"
#include "store/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* A flush is requested after this many instructions, a quarter of how far the leader may be ahead, or after this time
 * if there are fewer; at once if the follower waits. Each request wakes up two threads. */
#define GRAIN    (16 * TCGRR_CHECKPOINT_STEP)
#define ASK_US   2000
#define WAIT_US  1000
/* By then a QEMU whose guest has ended has exited, or is killed. */
#define LEAVE_MS 10000
#define PIECE    65536

struct tcgrr_log_tap {
    char *folder;
    char *path;
    int fd; /* -1: QEMU has not made it yet */
    struct tcgrr_session *session;
    struct tcgrr_rr_stream *stream;
    struct tcgrr_rrlog *log; /* for the session's own counts */
    GByteArray *ready;       /* translated and not given on */
    GError *problem;         /* error of a read whose caller could not report it */
    bool asking;
    uint32_t asked;
    tcgrr_icount asked_icount;
    gint64 asked_at;
    uint64_t covered; /* tcgrr_live_written_position() up to which the log is known to have all events */
    tcgrr_icount known;
    tcgrr_icount start; /* QEMU's own count, as in the log, at the session's start */
    bool ended;
};

struct tcgrr_log_tap *tcgrr_log_tap_new(GError **error)
{
    char *folder = tcgrr_scratch_folder("log", error);
    if (!folder) {
        return NULL;
    }
    struct tcgrr_log_tap *tap = g_new0(struct tcgrr_log_tap, 1);
    tap->folder = folder;
    tap->path = g_build_filename(folder, "rr", NULL);
    tap->fd = -1;
    tap->log = tcgrr_rrlog_new();
    tap->ready = g_byte_array_new();
    return tap;
}

void tcgrr_log_tap_free(struct tcgrr_log_tap *tap)
{
    if (!tap) {
        return;
    }
    if (tap->fd >= 0) {
        close(tap->fd);
    }
    g_unlink(tap->path);
    g_rmdir(tap->folder);
    g_free(tap->path);
    g_free(tap->folder);
    tcgrr_rr_stream_free(tap->stream);
    tcgrr_rrlog_free(tap->log);
    g_byte_array_unref(tap->ready);
    g_clear_error(&tap->problem);
    g_free(tap);
}

const char *tcgrr_log_tap_path(const struct tcgrr_log_tap *tap)
{
    return tap->path;
}

tcgrr_icount tcgrr_log_tap_since_start(const struct tcgrr_log_tap *tap, tcgrr_icount own)
{
    return own - MIN(own, tap->start);
}

static bool see(const struct tcgrr_rr_event *event, tcgrr_icount icount, void *data)
{
    struct tcgrr_log_tap *tap = data;
    return tcgrr_rrlog_seen(event, tcgrr_log_tap_since_start(tap, icount), tap->log);
}

/* Reads to the file's end; the file does not exist before QEMU has created it. */
static bool read_on(struct tcgrr_log_tap *tap, GError **error)
{
    uint8_t bytes[PIECE];
    ssize_t got = 0;

    if (tap->fd < 0) {
        tap->fd = open(tap->path, O_RDONLY | O_CLOEXEC);
    }
    while (tap->fd >= 0 && (got = read(tap->fd, bytes, sizeof(bytes))) > 0) {
        if (!tcgrr_rr_stream_push(tap->stream, bytes, (size_t)got, tap->ready, error)) {
            return false;
        }
    }
    tap->log->total = tcgrr_log_tap_since_start(tap, tcgrr_rr_stream_state(tap->stream)->total);
    if (got < 0 || (tap->fd < 0 && errno != ENOENT)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot read QEMU's rr log: %s", g_strerror(errno));
        return false;
    }
    return true;
}

/* Waits until everything that QEMU has written by now can be read, unless an earlier call already covered the requested
 * place. A QEMU that has ended has nothing more to write. */
static void reach(tcgrr_icount icount, bool open, void *data)
{
    struct tcgrr_log_tap *tap = data;
    struct tcgrr_live *live = tcgrr_session_live(tap->session);
    struct tcgrr_process *process = tcgrr_session_process(tap->session);

    if (!open && tcgrr_live_read_position(live) <= tap->covered) {
        tap->log->reached = icount;
        return;
    }
    uint64_t written = tcgrr_live_written_position(live);
    uint32_t asked = tcgrr_live_ask_flush(live);
    while (!tcgrr_live_flushed(live, asked) && !tcgrr_process_ended(process) && tcgrr_live_flush_error(live) == 0) {
        tcgrr_live_await_flush(live, asked, 1);
    }
    if (!tap->problem && tcgrr_session_check_log(tap->session, tap->path, false, &tap->problem) &&
        read_on(tap, &tap->problem)) {
        tap->log->reached = icount;
        tap->covered = written;
    }
}

bool tcgrr_log_tap_begin(struct tcgrr_log_tap *tap, struct tcgrr_session *session, const char *to, GError **error)
{
    const struct tcgrr_rr_stream_options options = {
        .from = tcgrr_session_qemu(session)->version,
        .to = to,
        .riscv_tree = g_str_has_prefix(tcgrr_session_qemu(session)->target, "riscv") &&
                      tcgrr_pin_has_dtb((const char *const *)tcgrr_session_command(session)->argv + 1),
        .seen = see,
        .data = tap,
    };
    tap->start = tcgrr_session_own_icount(session, 0);
    tap->session = session;
    tap->stream = tcgrr_rr_stream_new(&options, error);
    tcgrr_live_watch_log(tcgrr_session_live(session), tap->log, reach, tap);
    return tap->stream != NULL;
}

static void ask(struct tcgrr_log_tap *tap, tcgrr_icount icount, bool urgent)
{
    gint64 now = g_get_monotonic_time();

    if (icount > tap->asked_icount &&
        (urgent || icount - tap->asked_icount >= GRAIN || now - tap->asked_at >= ASK_US)) {
        tap->asked = tcgrr_live_ask_flush(tcgrr_session_live(tap->session));
        tap->asked_icount = icount;
        tap->asked_at = now;
        tap->asking = true;
    }
}

/* Advances to `icount`, up to which the log is known to have all events. */
static void run_to(struct tcgrr_log_tap *tap, tcgrr_icount icount)
{
    tcgrr_rr_stream_run(tap->stream, tap->start + icount, tap->ready);
    tap->known = icount;
}

/* QEMU ended by itself: its log has all events, even if it ended inside an instruction and put no end mark there. */
static bool left_by_itself(const struct tcgrr_log_tap *tap)
{
    struct tcgrr_process *process = tcgrr_session_process(tap->session);
    int status = tcgrr_process_ended(process) ? tcgrr_process_status(process) : -1;
    return status >= 0 && WIFEXITED(status);
}

/* Handles the end of QEMU, which ran `icount` instructions: its log is final. */
static bool finish(struct tcgrr_log_tap *tap, tcgrr_icount icount, GError **error)
{
    struct tcgrr_process *process = tcgrr_session_process(tap->session);

    if (!tcgrr_process_wait(process, LEAVE_MS)) {
        tcgrr_process_stop(process, 0);
    }
    if (!read_on(tap, error)) {
        return false;
    }
    bool cut = !tcgrr_rr_stream_state(tap->stream)->complete;
    if (!tcgrr_session_check_log(tap->session, tap->path, cut, error)) {
        return false;
    }
    if (left_by_itself(tap)) {
        tcgrr_rr_stream_logged(tap->stream, tap->start + icount);
    }
    tcgrr_rr_stream_close(tap->stream, tap->ready);
    tap->ended = true;
    return true;
}

bool tcgrr_log_tap_step(struct tcgrr_log_tap *tap, tcgrr_icount icount, bool over, bool urgent, GByteArray *out,
                        GError **error)
{
    struct tcgrr_live *live = tcgrr_session_live(tap->session);

    if (tap->problem) {
        g_propagate_error(error, g_steal_pointer(&tap->problem));
        return false;
    }
    if (!over && tcgrr_process_ended(tcgrr_session_process(tap->session))) {
        if (!read_on(tap, error)) {
            return false;
        }
        /* Its log is complete, even if its stream was not read to the end; otherwise the stream shows where it ends. */
        over = tcgrr_log_tap_state(tap)->complete || tcgrr_log_tap_state(tap)->unknown || !left_by_itself(tap);
        if (!over && !tcgrr_session_check_log(tap->session, tap->path, true, error)) {
            return false;
        }
        if (!over) {
            run_to(tap, icount);
            tap->asking = false;
        }
    }
    if (over ? !tap->ended && !finish(tap, icount, error)
             : !tcgrr_session_check_log(tap->session, tap->path, false, error)) {
        return false;
    }
    if (tap->asking && !over && tcgrr_live_flushed(live, tap->asked)) {
        tap->asking = false;
        if (!read_on(tap, error)) {
            return false;
        }
        run_to(tap, tap->asked_icount);
    }
    if (!tap->asking && !over) {
        ask(tap, icount, urgent);
    }
    g_byte_array_append(out, tap->ready->data, tap->ready->len);
    g_byte_array_set_size(tap->ready, 0);
    return true;
}

void tcgrr_log_tap_wait(struct tcgrr_log_tap *tap)
{
    if (tap->asking) {
        tcgrr_live_await_flush(tcgrr_session_live(tap->session), tap->asked, 1);
    } else {
        g_usleep(WAIT_US);
    }
}

tcgrr_icount tcgrr_log_tap_known(const struct tcgrr_log_tap *tap)
{
    return tap->ended || tcgrr_log_tap_state(tap)->guest_shutdown ? UINT64_MAX : tap->known;
}

const struct tcgrr_rr_state *tcgrr_log_tap_state(const struct tcgrr_log_tap *tap)
{
    return tcgrr_rr_stream_state(tap->stream);
}

bool tcgrr_log_tap_ended(const struct tcgrr_log_tap *tap)
{
    return tap->ended;
}
