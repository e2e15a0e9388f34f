/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into tcgrr, makes one of its calls fail that read, write or make a file, as a disk that breaks would:
 *
 *   TCGRR_FAIL_CALL=N     the Nth of them, from 1 on
 *   TCGRR_FAIL_ERRNO=N    with this error; EIO by default
 *   TCGRR_FAIL_LOG=FILE   "N NAME" is written there when it has failed; else, at the end, how many there were
 *
 * Other programs that tcgrr starts are left alone, and so are a terminal's and the profiles of a measured build.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static struct {
    long wanted;
    int error;
    const char *log;
    bool on;
    bool failed;
    atomic_long calls;
} fault;

static void note(long call, const char *name)
{
    char line[64];
    int length = snprintf(line, sizeof(line), "%ld %s\n", call, name);
    long fd = fault.log ? syscall(SYS_openat, AT_FDCWD, fault.log, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;

    if (fd >= 0) {
        syscall(SYS_write, fd, line, length);
        syscall(SYS_close, fd);
    }
}

/* Whether this call is the one to fail; then errno is set. */
static bool fails(const char *name)
{
    long call;

    if (!fault.on) {
        return false;
    }
    call = atomic_fetch_add(&fault.calls, 1) + 1;
    if (call != fault.wanted) {
        return false;
    }
    fault.failed = true;
    note(call, name);
    errno = fault.error;
    return true;
}

__attribute__((constructor)) static void begin(void)
{
    const char *wanted = getenv("TCGRR_FAIL_CALL");
    const char *error = getenv("TCGRR_FAIL_ERRNO");

    fault.on = wanted && strcmp(program_invocation_short_name, "tcgrr") == 0;
    fault.wanted = wanted ? strtol(wanted, NULL, 10) : 0;
    fault.error = error ? (int)strtol(error, NULL, 10) : EIO;
    fault.log = getenv("TCGRR_FAIL_LOG");
}

__attribute__((destructor)) static void end(void)
{
    if (fault.on && !fault.failed) {
        note(atomic_load(&fault.calls), "calls");
    }
    fault.on = false;
}

static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    return found ? found : (abort(), NULL);
}

/* The function's own name, and its type for what comes next. */
#define ORIGINAL(name) ((__typeof__(name) *)next(#name))

EXPORT ssize_t read(int fd, void *bytes, size_t size)
{
    return fails("read") ? -1 : ORIGINAL(read)(fd, bytes, size);
}

EXPORT ssize_t pread(int fd, void *bytes, size_t size, off_t offset)
{
    return fails("pread") ? -1 : ORIGINAL(pread)(fd, bytes, size, offset);
}

EXPORT ssize_t pread64(int fd, void *bytes, size_t size, off64_t offset)
{
    return fails("pread64") ? -1 : ORIGINAL(pread64)(fd, bytes, size, offset);
}

EXPORT ssize_t write(int fd, const void *bytes, size_t size)
{
    return fails("write") ? -1 : ORIGINAL(write)(fd, bytes, size);
}

EXPORT ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    return fails("pwrite") ? -1 : ORIGINAL(pwrite)(fd, bytes, size, offset);
}

EXPORT ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
    return fails("pwrite64") ? -1 : ORIGINAL(pwrite64)(fd, bytes, size, offset);
}

static mode_t mode_of(int flags, va_list list)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;
}

EXPORT int open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = mode_of(flags, list);
    va_end(list);
    return fails("open") ? -1 : ORIGINAL(open)(path, flags, mode);
}

EXPORT int open64(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = mode_of(flags, list);
    va_end(list);
    return fails("open64") ? -1 : ORIGINAL(open64)(path, flags, mode);
}

EXPORT FILE *fopen(const char *path, const char *mode)
{
    return fails("fopen") ? NULL : ORIGINAL(fopen)(path, mode);
}

EXPORT FILE *fopen64(const char *path, const char *mode)
{
    return fails("fopen64") ? NULL : ORIGINAL(fopen64)(path, mode);
}

EXPORT int ftruncate(int fd, off_t size)
{
    return fails("ftruncate") ? -1 : ORIGINAL(ftruncate)(fd, size);
}

EXPORT int ftruncate64(int fd, off64_t size)
{
    return fails("ftruncate64") ? -1 : ORIGINAL(ftruncate64)(fd, size);
}

EXPORT int fsync(int fd)
{
    return fails("fsync") ? -1 : ORIGINAL(fsync)(fd);
}

EXPORT int fdatasync(int fd)
{
    return fails("fdatasync") ? -1 : ORIGINAL(fdatasync)(fd);
}

EXPORT int rename(const char *from, const char *to)
{
    return fails("rename") ? -1 : ORIGINAL(rename)(from, to);
}

EXPORT int mkdir(const char *path, mode_t mode)
{
    return fails("mkdir") ? -1 : ORIGINAL(mkdir)(path, mode);
}

EXPORT void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    return fd >= 0 && fails("mmap") ? MAP_FAILED : ORIGINAL(mmap)(address, size, protection, flags, fd, offset);
}

EXPORT void *mmap64(void *address, size_t size, int protection, int flags, int fd, off64_t offset)
{
    return fd >= 0 && fails("mmap64") ? MAP_FAILED : ORIGINAL(mmap64)(address, size, protection, flags, fd, offset);
}
