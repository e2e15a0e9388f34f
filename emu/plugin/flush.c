/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/plugin/flush.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The interval of unrequested flushes: at most this much of a recording is lost when QEMU is killed. */
static const struct timespec at_least = {.tv_nsec = 500 * 1000 * 1000};

/* Waits until a flush other than number `done` is requested, or until the interval is over. */
static void wait_until_asked(struct tcgrr_wire_header *header, uint32_t done)
{
    syscall(SYS_futex, &header->flush_asked, FUTEX_WAIT, done, &at_least, NULL, 0);
}

/* Other errors may be those of other streams, which are handled by their users. */
static bool no_room(int problem)
{
    return problem == ENOSPC || problem == EDQUOT || problem == EFBIG || problem == EIO;
}

/*
 * The number is read before flushing, so that everything written before the request is then in the file. QEMU's stream
 * cannot be looked up by name, so all streams are flushed. This waits for threads that are using one, which never takes
 * long in a QEMU that records.
 */
static void *flush(void *data)
{
    struct tcgrr_wire_header *header = data;

    for (;;) {
        uint32_t asked = atomic_load_explicit(&header->flush_asked, memory_order_acquire);
        errno = 0;
        if (fflush(NULL) != 0 && no_room(errno)) {
            atomic_store_explicit(&header->flush_error, errno, memory_order_release);
        }
        if (atomic_load_explicit(&header->flush_error, memory_order_relaxed) == 0) {
            atomic_store_explicit(&header->flush_done, asked, memory_order_release);
        }
        syscall(SYS_futex, &header->flush_done, FUTEX_WAKE, 1, NULL, NULL, 0);
        wait_until_asked(header, asked);
    }
    return NULL;
}

bool tcgrr_flush_start(struct tcgrr_wire_header *header)
{
    sigset_t all, before;
    pthread_t thread;

    /* Signals are left to QEMU's own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool good = pthread_create(&thread, NULL, flush, header) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (good) {
        pthread_detach(thread);
    }
    return good;
}
