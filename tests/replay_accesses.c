/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * replay-accesses TRACE PLUGIN: replays a trace of level full and compares every memory access of the replay with that
 * of the recording: icount, instruction, address, size, value, physical address, device. Prints how many there were, or
 * the first that differs. Exit status 0, 1, 3.
 */
#include "emu/qemu/session.h"
#include "replay/recorded.h"
#include "store/trace.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

struct recording {
    struct tcgrr_reader *reader;
    const struct tcgrr_blocks *blocks;
    struct tcgrr_chunk *chunk;
    int64_t next; /* chunk */
    struct tcgrr_cursor at;
    bool more; /* executions in the chunk */
    guint access;
};

/* An access with what it says of itself. */
struct place {
    tcgrr_icount icount;
    uint64_t pc;
    struct tcgrr_access access;
};

/* The next access by executions `at` of a chunk; false at its end. */
static bool next_in_chunk(const struct tcgrr_chunk *chunk, struct tcgrr_cursor *at, bool *more, guint *index,
                          struct place *place)
{
    if (*index == chunk->accesses->len) {
        return false;
    }
    place->access = g_array_index(chunk->accesses, struct tcgrr_access, (*index)++);
    while (*more && at->index < place->access.exec) {
        *more = tcgrr_cursor_next(at);
    }
    place->icount = at->icount + place->access.insn;
    place->pc = tcgrr_block_pc(at->block, place->access.insn);
    return true;
}

static bool next_recorded(struct recording *recording, struct place *place, GError **error)
{
    bool found = true;
    while (!next_in_chunk(recording->chunk, &recording->at, &recording->more, &recording->access, place)) {
        if (!tcgrr_reader_chunk(recording->reader, recording->next, recording->chunk, &found, error) || !found ||
            !tcgrr_reader_accesses(recording->reader, recording->next, recording->chunk, error)) {
            return false;
        }
        recording->next++;
        recording->more = tcgrr_cursor_begin(&recording->at, recording->chunk, recording->blocks);
        recording->access = 0;
    }
    return true;
}

static bool same(const struct place *a, const struct place *b)
{
    return a->icount == b->icount && a->pc == b->pc && a->access.size == b->access.size &&
           a->access.flags == b->access.flags && a->access.device == b->access.device &&
           a->access.address == b->access.address && a->access.physical == b->access.physical &&
           a->access.value[0] == b->access.value[0] && a->access.value[1] == b->access.value[1];
}

static void print(const char *who, const struct place *place)
{
    printf("%s: icount %" G_GUINT64_FORMAT " pc 0x%" G_GINT64_MODIFIER
           "x flags %x size %u address 0x%" G_GINT64_MODIFIER "x value 0x%" G_GINT64_MODIFIER "x device %u\n",
           who, place->icount, place->pc, place->access.flags, place->access.size, place->access.address,
           place->access.value[0], place->access.device);
}

/* Compares what is in the chunk; adds to *count. */
static bool compare(struct recording *recording, const struct tcgrr_chunk *chunk, const struct tcgrr_blocks *blocks,
                    uint64_t *count, GError **error)
{
    struct tcgrr_cursor at;
    bool more = tcgrr_cursor_begin(&at, chunk, blocks);
    struct place ours;
    struct place theirs;

    for (guint index = 0; next_in_chunk(chunk, &at, &more, &index, &ours); ++*count) {
        if (!next_recorded(recording, &theirs, error)) {
            print("only replayed", &ours);
            return false;
        }
        if (!same(&ours, &theirs)) {
            print("recorded", &theirs);
            print("replayed", &ours);
            return false;
        }
    }
    return true;
}

static int run(struct tcgrr_session *session, struct recording *recording, GError **error)
{
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(1 << 16);
    struct tcgrr_live *live = tcgrr_session_live(session);
    enum tcgrr_live_end end = TCGRR_LIVE_RUNS;
    struct place theirs;
    uint64_t count = 0;
    bool good = true;

    tcgrr_chunk_follow(chunk, NULL);
    while (good && end == TCGRR_LIVE_RUNS) {
        good = tcgrr_session_next(session, chunk, 100, &end, error) &&
               compare(recording, chunk, tcgrr_live_blocks(live), &count, error);
        tcgrr_chunk_follow(chunk, chunk);
    }
    tcgrr_chunk_free(chunk);
    g_free(tcgrr_session_end(session));
    if (good && next_recorded(recording, &theirs, error)) {
        print("only recorded", &theirs);
        good = false;
    }
    if (good) {
        printf("%" G_GUINT64_FORMAT " accesses are the same, %" G_GUINT64_FORMAT " strays\n", count,
               tcgrr_live_strays(live));
    }
    return good ? 0 : 1;
}

static struct tcgrr_session *start(struct tcgrr_reader *reader, const char *plugin, const char *rr_file, char **words,
                                   GError **error)
{
    const struct tcgrr_run *recorded = tcgrr_reader_run(reader);
    struct tcgrr_session_options options = {
        .qemu = recorded->qemu_path,
        .arguments = (const char *const *)words + 1,
        .plugin = plugin,
        .mode = TCGRR_RUN_REPLAY,
        .level = TCGRR_LEVEL_FULL,
        .window = {.from = (uint64_t)recorded->mem_from,
                   .until = recorded->mem_until < 0 ? UINT64_MAX : (uint64_t)recorded->mem_until},
        .icount = recorded->icount_shift,
        .rr_file = rr_file,
        .directory = recorded->directory,
        .quiet = true,
    };
    struct tcgrr_session *session = tcgrr_session_new(&options, error);
    if (session && recorded->decided >= 0) {
        tcgrr_live_set_log(tcgrr_session_live(session), tcgrr_rrlog_load(rr_file, NULL, NULL));
    }
    if (session && !tcgrr_session_start(session, error)) {
        tcgrr_session_free(session);
        session = NULL;
    }
    return session;
}

int main(int argc, char **argv)
{
    GError *error = NULL;
    int status = 3;
    struct tcgrr_rrlog_rewritten rewritten;
    struct recording recording = {.reader = argc == 3 ? tcgrr_reader_open(argv[1], &error) : NULL};
    g_autofree char *rr_file = g_strconcat(argc == 3 ? argv[1] : "", ".replaying", NULL);
    g_auto(GStrv) words = recording.reader ? tcgrr_recorded_words(recording.reader, NULL, &error) : NULL;

    if (words && tcgrr_recorded_rr(recording.reader, rr_file, NULL, NULL, &rewritten, &error)) {
        struct tcgrr_session *session = start(recording.reader, argv[2], rr_file, words, &error);
        recording.blocks = tcgrr_reader_blocks(recording.reader, &error);
        recording.chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS);
        tcgrr_chunk_follow(recording.chunk, NULL);
        status = session && recording.blocks ? run(session, &recording, &error) : 3;
        tcgrr_session_free(session);
        tcgrr_chunk_free(recording.chunk);
        g_unlink(rr_file);
    }
    if (error) {
        fprintf(stderr, "%s\n", error->message);
        g_error_free(error);
        status = 3;
    }
    tcgrr_reader_free(recording.reader);
    return status;
}
