/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record/family.h"

#include <stdlib.h>

#define ACCEPT_MS 50
#define LOOK_US   (5 * 1000)
#define LATE_US   (2 * G_USEC_PER_SEC) /* how long a child that was forked may take to ask */

struct member {
    struct tcgrr_family_child child;
    struct tcgrr_family *family;
    GThread *thread;
    gint ended; /* atomic */
};

struct tcgrr_family {
    struct tcgrr_forks *forks;
    void (*record)(struct tcgrr_family_child *child, void *data);
    void *data;
    GThread *acceptor;
    gint closing; /* atomic */
    volatile int stop;
    GMutex lock;
    GPtrArray *members; /* struct member; under `lock` until all threads have ended */
    uint32_t missing;
};

static void free_member(void *data)
{
    struct member *member = data;
    struct tcgrr_recorded_process *found = &member->child.found;

    g_free((char *)member->child.name);
    g_free((char *)found->program);
    g_free((char *)found->trace);
    g_free((char *)found->exit);
    g_clear_error(&member->child.error);
    g_free(member);
}

struct tcgrr_family *tcgrr_family_new(GError **error)
{
    struct tcgrr_forks *forks = tcgrr_forks_new(error);
    if (!forks) {
        return NULL;
    }
    struct tcgrr_family *family = g_new0(struct tcgrr_family, 1);
    family->forks = forks;
    g_mutex_init(&family->lock);
    family->members = g_ptr_array_new_with_free_func(free_member);
    return family;
}

/* Ends the accepting thread and those of all children. */
static void end_threads(struct tcgrr_family *family)
{
    g_atomic_int_set(&family->closing, 1);
    if (family->acceptor) {
        g_thread_join(family->acceptor);
        family->acceptor = NULL;
    }
    for (guint i = 0; i < family->members->len; i++) {
        struct member *member = family->members->pdata[i];
        if (member->thread) {
            g_thread_join(member->thread);
            member->thread = NULL;
        }
    }
}

void tcgrr_family_free(struct tcgrr_family *family)
{
    if (!family) {
        return;
    }
    end_threads(family);
    tcgrr_forks_free(family->forks);
    g_ptr_array_unref(family->members);
    g_mutex_clear(&family->lock);
    g_free(family);
}

const char *tcgrr_family_socket(const struct tcgrr_family *family)
{
    return tcgrr_forks_path(family->forks);
}

static gpointer record_member(gpointer data)
{
    struct member *member = data;

    member->family->record(&member->child, member->family->data);
    if (!member->child.answered) {
        tcgrr_fork_dismiss(&member->child.fork);
    }
    g_atomic_int_set(&member->ended, 1);
    return NULL;
}

/* False: the request is not from a child of a recorded process. */
static bool add_member(struct tcgrr_family *family, const struct tcgrr_fork *fork)
{
    g_mutex_lock(&family->lock);
    bool known = fork->parent <= family->members->len;
    if (known) {
        struct member *member = g_new0(struct member, 1);
        const struct member *parent = fork->parent > 0 ? family->members->pdata[fork->parent - 1] : NULL;
        member->family = family;
        member->child.fork = *fork;
        member->child.process = family->members->len + 1;
        member->child.name =
            parent ? g_strdup_printf("%s.%u", parent->child.name, fork->number) : g_strdup_printf("%u", fork->number);
        g_ptr_array_add(family->members, member);
        member->thread = g_thread_new("tcgrr-fork", record_member, member);
    }
    g_mutex_unlock(&family->lock);
    return known;
}

static gpointer accept_all(gpointer data)
{
    struct tcgrr_family *family = data;
    struct tcgrr_fork fork;

    while (!g_atomic_int_get(&family->closing)) {
        if (tcgrr_forks_accept(family->forks, ACCEPT_MS, &fork) && !add_member(family, &fork)) {
            tcgrr_fork_dismiss(&fork);
        }
    }
    return NULL;
}

void tcgrr_family_begin(struct tcgrr_family *family, void (*record)(struct tcgrr_family_child *child, void *data),
                        void *data)
{
    family->record = record;
    family->data = data;
    family->acceptor = g_thread_new("tcgrr-forks", accept_all, family);
}

const volatile int *tcgrr_family_stop(const struct tcgrr_family *family)
{
    return &family->stop;
}

/* How many are still recorded; and how many of those that were forked, as far as is known, have not asked. */
static uint32_t count_running(struct tcgrr_family *family, uint32_t forks)
{
    uint32_t running = 0;

    g_mutex_lock(&family->lock);
    for (guint i = 0; i < family->members->len; i++) {
        struct member *member = family->members->pdata[i];
        bool ended = g_atomic_int_get(&member->ended);
        running += !ended;
        forks += ended ? member->child.forks : 0;
    }
    family->missing = forks - MIN(forks, family->members->len);
    g_mutex_unlock(&family->lock);
    return running;
}

/* By the numbers that names are made of: 2, 2.1, 10. */
static gint compare_names(gconstpointer left, gconstpointer right)
{
    const char *a = (*(struct member *const *)left)->child.name;
    const char *b = (*(struct member *const *)right)->child.name;
    char *a_end, *b_end;

    for (;; a = a_end + 1, b = b_end + 1) {
        unsigned long x = strtoul(a, &a_end, 10), y = strtoul(b, &b_end, 10);
        if (x != y) {
            return x < y ? -1 : 1;
        }
        if (!*a_end || !*b_end) {
            return *b_end ? -1 : *a_end != 0;
        }
    }
}

void tcgrr_family_wait(struct tcgrr_family *family, uint32_t forks, const volatile int *stop)
{
    gint64 active = g_get_monotonic_time();

    for (;; g_usleep(LOOK_US)) {
        family->stop = *stop;
        gint64 now = g_get_monotonic_time();
        if (count_running(family, forks) > 0) {
            active = now;
        } else if (family->missing == 0 || family->stop || now - active > LATE_US) {
            break;
        }
    }
    end_threads(family);
    count_running(family, forks);
    g_ptr_array_sort(family->members, compare_names);
}

const GPtrArray *tcgrr_family_children(const struct tcgrr_family *family)
{
    return family->members; /* a member begins with its child */
}

uint32_t tcgrr_family_missing(const struct tcgrr_family *family)
{
    return family->missing;
}
