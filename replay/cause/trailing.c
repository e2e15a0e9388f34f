/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/trailing.h"

#include <stdatomic.h>

/* How far behind B: further than the first keyframe is to be before the place where B diverges. */
#define DISTANCE 8000000u
/* Each step takes a moment, because QEMU is stopped and asked; a long one delays the end. */
#define STEP_MIN 4000000u
#define STEP_MAX 32000000u
#define POLL_US  5000

struct tcgrr_trailing {
    struct tcgrr_rerun_options options;
    char *path;
    struct tcgrr_reader *reader;
    struct tcgrr_rerun *rerun;
    struct tcgrr_paused *paused; /* NULL: it stands nowhere */
    GThread *thread;             /* NULL: it has ended */
    _Atomic tcgrr_icount other;  /* where B is */
    atomic_bool over;
};

/* Where A is to go next; where it is already: nowhere yet. */
static tcgrr_icount next_stop(struct tcgrr_trailing *trailing)
{
    tcgrr_icount at = tcgrr_paused_icount(trailing->paused);
    tcgrr_icount other = atomic_load(&trailing->other);

    return other < at + DISTANCE + STEP_MIN ? at : MIN(other - DISTANCE, at + STEP_MAX);
}

static gpointer follow(gpointer data)
{
    struct tcgrr_trailing *trailing = data;

    trailing->reader = tcgrr_reader_open(trailing->path, NULL);
    trailing->options.reader = trailing->reader;
    trailing->rerun = trailing->reader ? tcgrr_rerun_new(&trailing->options, NULL) : NULL;
    trailing->paused = trailing->rerun ? tcgrr_paused_start(trailing->rerun, 0, false, NULL) : NULL;
    while (trailing->paused && !atomic_load(&trailing->over)) {
        tcgrr_icount stop = next_stop(trailing);
        if (stop == tcgrr_paused_icount(trailing->paused)) {
            g_usleep(POLL_US);
        } else if (!tcgrr_paused_go(trailing->paused, stop, NULL)) {
            g_clear_pointer(&trailing->paused, tcgrr_paused_free);
        }
    }
    return NULL;
}

struct tcgrr_trailing *tcgrr_trailing_new(const struct tcgrr_rerun_options *options)
{
    struct tcgrr_trailing *trailing = g_new0(struct tcgrr_trailing, 1);

    trailing->options = *options;
    trailing->path = g_strdup(tcgrr_reader_path(options->reader));
    trailing->thread = g_thread_new("tcgrr-trailing", follow, trailing);
    return trailing;
}

void tcgrr_trailing_follow(struct tcgrr_trailing *trailing, tcgrr_icount icount)
{
    atomic_store(&trailing->other, icount);
}

static void end(struct tcgrr_trailing *trailing)
{
    if (trailing->thread) {
        atomic_store(&trailing->over, true);
        g_thread_join(g_steal_pointer(&trailing->thread));
    }
}

struct tcgrr_paused *tcgrr_trailing_take(struct tcgrr_trailing *trailing, struct tcgrr_rerun **rerun)
{
    end(trailing);
    if (trailing->paused) {
        *rerun = g_steal_pointer(&trailing->rerun);
    }
    return g_steal_pointer(&trailing->paused);
}

void tcgrr_trailing_free(struct tcgrr_trailing *trailing)
{
    if (trailing) {
        end(trailing);
        tcgrr_paused_free(trailing->paused);
        tcgrr_rerun_free(trailing->rerun);
        tcgrr_reader_free(trailing->reader);
        g_free(trailing->path);
        g_free(trailing);
    }
}
