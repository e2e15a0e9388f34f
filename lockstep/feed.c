/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/feed.h"

#include "emu/qemu/scratch.h"
#include "emu/rrlog/rrlog.h"
#include "store/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* QEMU cannot seek in a pipe, so the bytes after the version, which it would skip, are not sent. */
#define VERSION_BYTES 4u
/* Maximum number of bytes that QEMU has not read yet; the leader does not run that far ahead. */
#define MAX_LEFT      (64u << 20)

struct tcgrr_feed {
    char *folder;
    char *path;
    int fd;
    GByteArray *left;
    size_t came; /* bytes of the head that came */
    bool over;
    struct tcgrr_rr_stream *stream; /* reads along, for the session's own counts */
    struct tcgrr_rrlog *log;
    tcgrr_icount start; /* QEMU's own count, which the log has, when the session begins to count */
};

struct tcgrr_feed *tcgrr_feed_new(GError **error)
{
    char *folder = tcgrr_scratch_folder("log", error);
    if (!folder) {
        return NULL;
    }
    struct tcgrr_feed *feed = g_new0(struct tcgrr_feed, 1);
    feed->folder = folder;
    feed->path = g_build_filename(folder, "rr", NULL);
    feed->fd = -1;
    feed->left = g_byte_array_new();
    feed->log = tcgrr_rrlog_new();
    /* Opened for reading and writing, so that opening does not block until QEMU opens the other end. */
    if (mkfifo(feed->path, 0600) != 0 || (feed->fd = open(feed->path, O_RDWR | O_NONBLOCK | O_CLOEXEC)) < 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot make a pipe for QEMU's rr log: %s",
                    g_strerror(errno));
        tcgrr_feed_free(feed);
        return NULL;
    }
    return feed;
}

void tcgrr_feed_free(struct tcgrr_feed *feed)
{
    if (!feed) {
        return;
    }
    if (feed->fd >= 0) {
        close(feed->fd);
    }
    g_unlink(feed->path);
    g_rmdir(feed->folder);
    g_free(feed->path);
    g_free(feed->folder);
    g_byte_array_unref(feed->left);
    tcgrr_rr_stream_free(feed->stream);
    tcgrr_rrlog_free(feed->log);
    g_free(feed);
}

const char *tcgrr_feed_path(const struct tcgrr_feed *feed)
{
    return feed->path;
}

/* Called before a count is decided: QEMU has read everything that led to it. */
static void reach(tcgrr_icount icount, bool open, void *data)
{
    struct tcgrr_feed *feed = data;
    feed->log->reached = icount;
}

static tcgrr_icount since_start(const struct tcgrr_feed *feed, tcgrr_icount own)
{
    return own - MIN(own, feed->start);
}

static bool see(const struct tcgrr_rr_event *event, tcgrr_icount icount, void *data)
{
    struct tcgrr_feed *feed = data;
    return tcgrr_rrlog_seen(event, since_start(feed, icount), feed->log);
}

bool tcgrr_feed_begin(struct tcgrr_feed *feed, struct tcgrr_session *session, GError **error)
{
    const struct tcgrr_rr_stream_options options = {
        .from = tcgrr_session_qemu(session)->version,
        .seen = see,
        .data = feed,
    };
    feed->start = tcgrr_session_own_icount(session, 0);
    feed->stream = tcgrr_rr_stream_new(&options, error);
    tcgrr_live_watch_log(tcgrr_session_live(session), feed->log, reach, feed);
    return feed->stream != NULL;
}

static bool write_some(struct tcgrr_feed *feed, GError **error)
{
    ssize_t taken = 0;
    guint done = 0;

    while (done < feed->left->len && (taken = write(feed->fd, feed->left->data + done, feed->left->len - done)) > 0) {
        done += (guint)taken;
    }
    if (taken < 0 && errno != EAGAIN) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot write QEMU's rr log: %s", g_strerror(errno));
        return false;
    }
    if (done > 0) {
        g_byte_array_remove_range(feed->left, 0, done);
    }
    int unread = 0; /* data in a pipe that QEMU has not opened yet is lost when we close it */
    if (feed->over && feed->left->len == 0 && ioctl(feed->fd, FIONREAD, &unread) == 0 && unread == 0) {
        close(feed->fd);
        feed->fd = -1;
    }
    return true;
}

bool tcgrr_feed_give(struct tcgrr_feed *feed, const uint8_t *bytes, size_t size, GError **error)
{
    g_autoptr(GByteArray) unused = g_byte_array_new();
    size_t at = 0;

    if (!tcgrr_rr_stream_push(feed->stream, bytes, size, unused, error)) {
        return false;
    }
    feed->log->total = since_start(feed, tcgrr_rr_stream_state(feed->stream)->total);
    for (; at < size && feed->came < TCGRR_RR_HEAD_BYTES; at++, feed->came++) {
        if (feed->came < VERSION_BYTES) {
            g_byte_array_append(feed->left, bytes + at, 1);
        }
    }
    if (size - at > MAX_LEFT - MIN(feed->left->len, MAX_LEFT)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED,
                    "there is more of the rr log than QEMU takes: %u bytes wait for it", feed->left->len);
        return false;
    }
    g_byte_array_append(feed->left, bytes + at, (guint)(size - at));
    return feed->fd < 0 || write_some(feed, error);
}

void tcgrr_feed_end(struct tcgrr_feed *feed)
{
    feed->over = true;
}
