/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How fast a trace can be decoded and sought in: bench-trace TRACE. One core, one line per figure. */
#include "store/trace.h"

#include <stdio.h>
#include <stdlib.h>

#define SEEKS 200

static double seconds_since(gint64 start)
{
    return (double)(g_get_monotonic_time() - start) / 1e6;
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return left < right ? -1 : left > right;
}

static void decode_all(struct tcgrr_reader *reader, struct tcgrr_chunk *chunk)
{
    uint64_t execs = 0;
    bool found = true;
    gint64 start = g_get_monotonic_time();

    for (int64_t id = 0; tcgrr_reader_chunk(reader, id, chunk, &found, NULL) && found; id++) {
        execs += chunk->count;
    }
    printf("decode  %.0f M executions a second\n", (double)execs / seconds_since(start) / 1e6);
}

static void seek_about(struct tcgrr_reader *reader, struct tcgrr_chunk *chunk, tcgrr_icount end)
{
    double times[SEEKS];
    uint64_t state = 88172645463325252u; /* xorshift: the same places in every run */

    for (int i = 0; i < SEEKS; i++) {
        bool found = false;
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        gint64 start = g_get_monotonic_time();
        tcgrr_reader_seek(reader, state % end, chunk, &found, NULL);
        times[i] = seconds_since(start) * 1000;
    }
    qsort(times, SEEKS, sizeof(double), by_value);
    printf("seek    median %.2f ms, worst of %d %.2f ms\n", times[SEEKS / 2], SEEKS, times[SEEKS - 1]);
}

int main(int argc, char **argv)
{
    struct tcgrr_totals totals;
    GError *error = NULL;
    struct tcgrr_reader *reader = argc == 2 ? tcgrr_reader_open(argv[1], &error) : NULL;

    if (!reader || !tcgrr_reader_totals(reader, &totals, &error)) {
        fprintf(stderr, "bench-trace: %s\n", error ? error->message : "usage: bench-trace TRACE");
        return 2;
    }
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(TCGRR_CHUNK_EXECS);
    gint64 start = g_get_monotonic_time();
    tcgrr_reader_blocks(reader, NULL);
    printf("blocks  %.1f ms to load %" G_GUINT64_FORMAT "\n", seconds_since(start) * 1000, totals.blocks);
    decode_all(reader, chunk);
    if (totals.icount > 0) {
        seek_about(reader, chunk, totals.icount);
    }
    tcgrr_chunk_free(chunk);
    tcgrr_reader_free(reader);
    return 0;
}
