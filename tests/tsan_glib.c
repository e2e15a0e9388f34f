/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into programs built with ThreadSanitizer. GLib itself is not built with it and makes its locks of futexes,
 * so that the sanitizer would not see what they order and take everything that they guard for a race. This says it to
 * the sanitizer.
 */
#include <dlfcn.h>
#include <glib.h>

#define EXPORT __attribute__((visibility("default")))

/* From the sanitizer's runtime; not there in the other programs that a test starts. */
void __tsan_acquire(void *address) __attribute__((weak));
void __tsan_release(void *address) __attribute__((weak));

static void acquire(void *address)
{
    if (__tsan_acquire) {
        __tsan_acquire(address);
    }
}

static void release(void *address)
{
    if (__tsan_release) {
        __tsan_release(address);
    }
}

/* GLib's own function of this name. */
#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

EXPORT void(g_mutex_lock)(GMutex *mutex)
{
    NEXT(g_mutex_lock)(mutex);
    acquire(mutex);
}

EXPORT void(g_mutex_unlock)(GMutex *mutex)
{
    release(mutex);
    NEXT(g_mutex_unlock)(mutex);
}

EXPORT void(g_cond_wait)(GCond *cond, GMutex *mutex)
{
    release(mutex);
    NEXT(g_cond_wait)(cond, mutex);
    acquire(mutex);
}

EXPORT gboolean(g_cond_wait_until)(GCond *cond, GMutex *mutex, gint64 end_time)
{
    release(mutex);
    gboolean signalled = NEXT(g_cond_wait_until)(cond, mutex, end_time);
    acquire(mutex);
    return signalled;
}

EXPORT void(g_async_queue_push)(GAsyncQueue *queue, gpointer data)
{
    release(queue);
    NEXT(g_async_queue_push)(queue, data);
}

EXPORT gpointer(g_async_queue_pop)(GAsyncQueue *queue)
{
    gpointer data = NEXT(g_async_queue_pop)(queue);
    acquire(queue);
    return data;
}

EXPORT gpointer(g_async_queue_timeout_pop)(GAsyncQueue *queue, guint64 timeout)
{
    gpointer data = NEXT(g_async_queue_timeout_pop)(queue, timeout);
    acquire(queue);
    return data;
}
