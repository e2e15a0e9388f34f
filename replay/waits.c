/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/waits.h"

#include "emu/live/retire.h"
#include "store/error.h"

/* The first instruction of the chunk that was counted and did not run; UINT64_MAX: none. */
static tcgrr_icount overcounted_in(const struct tcgrr_chunk *chunk, const struct tcgrr_blocks *blocks)
{
    struct tcgrr_cursor cursor;

    for (bool there = chunk->partials->len > 0 && tcgrr_cursor_begin(&cursor, chunk, blocks); there;
         there = tcgrr_cursor_next(&cursor)) {
        if (cursor.counted > cursor.ran) {
            return cursor.icount + cursor.ran;
        }
    }
    return UINT64_MAX;
}

static bool find_overcounted(struct tcgrr_reader *reader, tcgrr_icount *icount, GError **error)
{
    const struct tcgrr_blocks *blocks = tcgrr_reader_blocks(reader, error);
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS);
    bool good = blocks != NULL;
    bool found = true;

    *icount = UINT64_MAX;
    for (int64_t id = 0; good && found && *icount == UINT64_MAX; id++) {
        good = tcgrr_reader_chunk(reader, id, chunk, &found, error);
        *icount = good && found ? overcounted_in(chunk, blocks) : UINT64_MAX;
    }
    tcgrr_chunk_free(chunk);
    return good;
}

bool tcgrr_waits_check(struct tcgrr_reader *reader, const char *to, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    tcgrr_icount icount;

    if (tcgrr_retire_same_wait_count(run->target, run->qemu_version, to)) {
        return true;
    }
    if (!find_overcounted(reader, &icount, error)) {
        return false;
    }
    if (icount == UINT64_MAX) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                "QEMU %s cannot replay %s: the guest waits (wfi), and QEMU %s counts instructions after that which it "
                "did not run, the first at icount %" G_GUINT64_FORMAT
                "; record with the newer QEMU, which older ones replay",
                to, tcgrr_reader_path(reader), run->qemu_version, icount);
    return false;
}
