/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long the terminal browser takes from a key to what it shows: bench-browse TRACE [MOVES]. Moves of all kinds from
 * random places; prints the median and the worst of each in milliseconds of processor time, which other processes do
 * not change much, and the memory taken. */
#include "cli/browse/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define ROWS 60

enum { GO, STEP, SAME, BLOCK, EVENT, SEARCH, KINDS };
static const char *const names[] = {"go to an icount", "next instruction", "same instruction",
                                    "same block",      "next event",       "search on"};

static int ascending(const void *a, const void *b)
{
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0) - (difference < 0);
}

static double processor_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1000 + (double)now.tv_nsec / 1e6;
}

static bool act(struct browse_run *run, int kind, tcgrr_icount icount, GError **error)
{
    enum browse_direction direction = icount % 2 ? BROWSE_ON : BROWSE_BACK;
    bool moved;

    switch (kind) {
    case GO:
        return browse_go(run, icount, error);
    case STEP:
        return browse_step(run, direction, &moved, error);
    case SAME:
        return browse_pc(run, browse_run_place(run).pc, direction, &moved, error);
    case BLOCK:
        return browse_block(run, direction, &moved, error);
    case EVENT:
        return browse_event(run, direction, &moved, error);
    default:
        return browse_search(run, "mrs", direction, &moved, error);
    }
}

/* The move and everything that the screen shows but the stack, which follows when it is known. */
static bool move_and_show(struct browse_run *run, int kind, tcgrr_icount icount, GError **error)
{
    guint here;
    if (!act(run, kind, icount, error)) {
        return false;
    }
    g_autoptr(GPtrArray) rows = browse_rows(run, ROWS, ROWS, &here, error);
    g_autoptr(GPtrArray) events = rows ? browse_events(run, 5, 5, &here, error) : NULL;
    return events != NULL;
}

int main(int argc, char **argv)
{
    guint moves = argc > 2 ? (guint)atoi(argv[2]) : 100;
    g_autoptr(GRand) random = g_rand_new_with_seed(1);
    g_autofree double *times = g_new(double, moves);
    struct rusage usage;
    GError *error = NULL;
    struct browse_run *run = argc > 1 ? browse_run_open(argv[1], &error) : NULL;
    bool good = run != NULL;

    for (int kind = 0; good && kind < KINDS; kind++) {
        good = move_and_show(run, kind, 0, &error); /* what is loaded once */
        for (guint i = 0; good && i < moves; i++) {
            tcgrr_icount icount = (tcgrr_icount)(g_rand_double(random) * (double)browse_run_length(run));
            good = kind == GO || browse_go(run, icount, &error);
            double start = processor_ms();
            good = good && move_and_show(run, kind, icount, &error);
            times[i] = processor_ms() - start;
        }
        qsort(times, moves, sizeof(*times), ascending);
        printf("%-18s median %6.1f ms  worst %6.1f ms\n", names[kind], times[moves / 2], times[moves - 1]);
    }
    if (!good) {
        fprintf(stderr, "bench-browse: %s\n", error ? error->message : "it takes a trace");
        return 1;
    }
    browse_run_free(run);
    getrusage(RUSAGE_SELF, &usage);
    printf("memory             %ld MiB\n", usage.ru_maxrss / 1024);
    return 0;
}
