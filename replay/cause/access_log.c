/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/access_log.h"

/* 128 MB. */
#define MOST (UINT32_C(1) << 22)

struct seen {
    tcgrr_icount icount;
    uint64_t address;
    uint64_t physical;
    uint8_t size;
    uint8_t flags;
};

struct tcgrr_access_log {
    tcgrr_icount from;
    tcgrr_icount until;
    GArray *seen; /* struct seen, by icount */
};

static bool stores_to(const struct seen *seen, const struct tcgrr_memory_range *range)
{
    bool physical = range->mapped && seen->flags & TCGRR_ACCESS_PHYSICAL;
    uint64_t begin = physical ? range->physical : range->address;
    uint64_t other = physical ? seen->physical : seen->address;
    return seen->flags & TCGRR_ACCESS_STORE && other < begin + range->size && begin < other + seen->size;
}

static struct seen seen_of(tcgrr_icount icount, const struct tcgrr_access *access)
{
    return (struct seen){icount, access->address, access->physical, access->size, access->flags};
}

bool tcgrr_access_stores_to(const struct tcgrr_access *access, const struct tcgrr_memory_range *range)
{
    struct seen seen = seen_of(0, access);
    return stores_to(&seen, range);
}

struct tcgrr_access_log *tcgrr_access_log_new(void)
{
    struct tcgrr_access_log *log = g_new0(struct tcgrr_access_log, 1);
    log->seen = g_array_new(FALSE, FALSE, sizeof(struct seen));
    return log;
}

void tcgrr_access_log_free(struct tcgrr_access_log *log)
{
    if (log) {
        g_array_unref(log->seen);
        g_free(log);
    }
}

void tcgrr_access_log_begin(struct tcgrr_access_log *log, tcgrr_icount from, tcgrr_icount until)
{
    g_array_set_size(log->seen, 0);
    log->from = from;
    log->until = until;
}

static const struct seen *seen_at(const struct tcgrr_access_log *log, guint i)
{
    return &g_array_index(log->seen, struct seen, i);
}

static void forget_half(struct tcgrr_access_log *log)
{
    guint keep = log->seen->len / 2;
    log->from = seen_at(log, keep - 1)->icount + 1; /* others of that instruction may be among those that are kept */
    g_array_remove_range(log->seen, 0, keep);
}

void tcgrr_access_log_add(struct tcgrr_access_log *log, tcgrr_icount icount, const struct tcgrr_access *access)
{
    struct seen seen = seen_of(icount, access);

    if (icount < log->from || icount >= log->until) {
        return;
    }
    if (log->seen->len == MOST) {
        forget_half(log);
    }
    g_array_append_val(log->seen, seen);
}

bool tcgrr_access_log_reaches(const struct tcgrr_access_log *log, tcgrr_icount before, tcgrr_icount *from)
{
    *from = log->from;
    return log->from < before && before <= log->until;
}

/* The first one at or after `icount`. */
static guint find(const struct tcgrr_access_log *log, tcgrr_icount icount)
{
    guint low = 0;
    guint high = log->seen->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;
        if (seen_at(log, middle)->icount < icount) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool tcgrr_access_log_last_store(const struct tcgrr_access_log *log, const struct tcgrr_memory_range *range,
                                 tcgrr_icount before, tcgrr_icount *icount)
{
    for (guint i = find(log, before); i > 0 && seen_at(log, i - 1)->icount >= log->from; i--) {
        if (stores_to(seen_at(log, i - 1), range)) {
            *icount = seen_at(log, i - 1)->icount;
            return true;
        }
    }
    return false;
}

void tcgrr_access_log_loads(const struct tcgrr_access_log *log, tcgrr_icount icount,
                            void (*found)(const struct tcgrr_memory_range *range, void *data), void *data)
{
    if (icount < log->from) {
        return;
    }
    for (guint i = find(log, icount); i < log->seen->len && seen_at(log, i)->icount == icount; i++) {
        const struct seen *seen = seen_at(log, i);
        struct tcgrr_memory_range range = {seen->address, seen->physical, (seen->flags & TCGRR_ACCESS_PHYSICAL) != 0,
                                           seen->size};
        if (!(seen->flags & TCGRR_ACCESS_STORE)) {
            found(&range, data);
        }
    }
}
