/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/plugin/segments.h"

#include <glib.h>
#include <sys/mman.h>
#include <unistd.h>

struct segment {
    int64_t id;
    uint64_t bytes;
    int fd;
};

struct attached {
    uint64_t address;
    uint64_t bytes;
};

static GArray *segments; /* struct segment; never removed, because a removed segment persists where it is attached */
static GArray *places;   /* struct attached */

static struct segment *find(int64_t id, uint64_t bytes)
{
    for (guint i = 0; segments && i < segments->len; i++) {
        struct segment *segment = &g_array_index(segments, struct segment, i);
        if (segment->id == id && segment->bytes == bytes) {
            return segment;
        }
    }
    return NULL;
}

int tcgrr_segment_open(int64_t id, uint64_t bytes, bool empty)
{
    struct segment *old = find(id, bytes);
    int fd = old ? old->fd : memfd_create("tcgrr-segment", MFD_CLOEXEC);

    if (fd < 0 || (old && !empty)) {
        return fd;
    }
    if ((old && ftruncate(fd, 0) != 0) || ftruncate(fd, (off_t)bytes) != 0) {
        if (!old) {
            close(fd);
        }
        return -1;
    }
    if (!old) {
        segments = segments ? segments : g_array_new(FALSE, FALSE, sizeof(struct segment));
        struct segment segment = {id, bytes, fd};
        g_array_append_val(segments, segment);
    }
    return fd;
}

void tcgrr_segment_attached(uint64_t address, uint64_t bytes)
{
    struct attached attached = {address, bytes};

    tcgrr_segment_detached(address);
    places = places ? places : g_array_new(FALSE, FALSE, sizeof(struct attached));
    g_array_append_val(places, attached);
}

uint64_t tcgrr_segment_at(uint64_t address)
{
    for (guint i = 0; places && i < places->len; i++) {
        if (g_array_index(places, struct attached, i).address == address) {
            return g_array_index(places, struct attached, i).bytes;
        }
    }
    return 0;
}

void tcgrr_segment_detached(uint64_t address)
{
    for (guint i = 0; places && i < places->len; i++) {
        if (g_array_index(places, struct attached, i).address == address) {
            g_array_remove_index_fast(places, i--);
        }
    }
}
