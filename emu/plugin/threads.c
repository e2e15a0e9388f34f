/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/plugin/threads.h"

#include "emu/plugin/inputs.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define NOBODY      UINT_MAX
#define MAX_THREADS 65536
#define LOOK_NS     (200 * 1000)
#define PATIENCE_S  20
#define ORDER_S     1 /* if calls are made again, the next turn may depend on a call that cannot return */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_key_t end; /* its destructor runs when a thread ends */
    unsigned runs;     /* the thread that does */
    unsigned ran;      /* the last one that did */
    unsigned count;    /* of threads made */
    unsigned started;  /* of them */
    int32_t *tids;     /* by number */
    time_t idle;       /* since when nobody does */
    bool all;          /* may run */
    bool several;
} threads = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static _Thread_local unsigned own = NOBODY;

static time_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

static void run_nobody(void)
{
    pthread_mutex_lock(&threads.lock);
    if (threads.runs == own) {
        threads.runs = NOBODY;
        threads.idle = now();
        pthread_cond_broadcast(&threads.changed);
    }
    pthread_mutex_unlock(&threads.lock);
}

static void ended(void *number)
{
    run_nobody();
}

void tcgrr_threads_init(void)
{
    pthread_key_create(&threads.end, ended);
    pthread_setspecific(threads.end, &threads); /* the first thread may end before others */
    threads.tids = calloc(MAX_THREADS, sizeof(*threads.tids));
    threads.tids[0] = (int32_t)gettid();
    threads.count = threads.started = 1;
    own = 0;
}

void tcgrr_threads_restart(bool recorded)
{
    pthread_mutex_init(&threads.lock, NULL);
    pthread_cond_init(&threads.changed, NULL);
    pthread_setspecific(threads.end, &threads);
    threads.runs = threads.ran = own = 0;
    threads.tids[0] = (int32_t)gettid();
    threads.count = threads.started = 1;
    threads.several = false;
    threads.all = !recorded;
}

bool tcgrr_threads_several(void)
{
    return threads.several;
}

unsigned tcgrr_threads_current(void)
{
    return own == NOBODY ? 0 : own;
}

static void wait_a_little(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += LOOK_NS;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&threads.changed, &threads.lock, &until);
}

/* With the lock held: the number that this thread's creator has assigned to it, once it has. */
static unsigned find_number(int32_t tid)
{
    for (unsigned i = threads.count; i > 0; i--) { /* the host may reuse a thread's number */
        if (threads.tids[i - 1] == tid) {
            return i - 1;
        }
    }
    return NOBODY;
}

/* The lock is held. */
static bool may_run(void)
{
    return threads.runs == NOBODY && (!tcgrr_plugin.inputs || tcgrr_inputs_next_thread_is(own));
}

/* With the lock held: another thread has computed for long. It may be waiting for this one, and then both have to run
 * freely. */
static void lose_patience(time_t since)
{
    if (now() - since > PATIENCE_S && threads.runs != NOBODY) {
        atomic_store_explicit(&tcgrr_plugin.threads, true, memory_order_relaxed);
    }
}

void tcgrr_threads_enter(unsigned vcpu)
{
    time_t since = now();
    bool late = false;

    pthread_mutex_lock(&threads.lock);
    while (!threads.all && threads.runs != own && !may_run() && !late) {
        wait_a_little();
        lose_patience(since);
        late = threads.runs == NOBODY && now() - threads.idle > ORDER_S && tcgrr_inputs_may_leave_order();
    }
    bool mine = !threads.all;
    bool other = threads.ran != own;
    if (mine) {
        threads.runs = threads.ran = own;
    }
    pthread_mutex_unlock(&threads.lock);
    if (mine && other) {
        tcgrr_plugin_switch_thread(vcpu);
    }
    if (mine && late) {
        tcgrr_inputs_leave_order();
    }
}

void tcgrr_threads_start(unsigned vcpu)
{
    pthread_mutex_lock(&threads.lock);
    while (!threads.all && (own = find_number((int32_t)gettid())) == NOBODY) {
        wait_a_little();
    }
    pthread_mutex_unlock(&threads.lock);
    if (own != NOBODY) {
        pthread_setspecific(threads.end, &threads);
        tcgrr_threads_enter(vcpu);
        threads.started++; /* by the one that runs */
    }
}

bool tcgrr_threads_is_new(void)
{
    return own == NOBODY && !threads.all && threads.count > 0;
}

bool tcgrr_threads_runs(void)
{
    return threads.runs == own;
}

void tcgrr_threads_on_create(int32_t tid, unsigned vcpu)
{
    pthread_mutex_lock(&threads.lock);
    threads.several = true;
    if (threads.count < MAX_THREADS) {
        threads.tids[threads.count++] = tid;
    }
    threads.runs = NOBODY;
    threads.idle = now();
    pthread_cond_broadcast(&threads.changed);
    while (!threads.all && threads.started < threads.count) {
        wait_a_little();
    }
    pthread_mutex_unlock(&threads.lock);
    tcgrr_threads_enter(vcpu);
}

void tcgrr_threads_leave(void)
{
    if (threads.several) {
        run_nobody();
    }
}

void tcgrr_threads_release_all(void)
{
    pthread_mutex_lock(&threads.lock);
    threads.all = true;
    pthread_cond_broadcast(&threads.changed);
    pthread_mutex_unlock(&threads.lock);
}
