/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The facts are those of Linux' headers (asm/unistd.h, and the structures that the calls fill). */
#include "emu/plugin/calls.h"

#include <string.h>

#define FIXED(at, bytes)                                                                                               \
    {                                                                                                                  \
        at, TCGRR_CALL_FIXED, 0, bytes                                                                                 \
    }
#define RESULT(at, bytes)                                                                                              \
    {                                                                                                                  \
        at, TCGRR_CALL_RESULT, 0, bytes                                                                                \
    }
#define ARGUMENT(at, other, bytes)                                                                                     \
    {                                                                                                                  \
        at, TCGRR_CALL_ARGUMENT, other, bytes                                                                          \
    }
#define BITS(at, other)                                                                                                \
    {                                                                                                                  \
        at, TCGRR_CALL_BITS, other, 0                                                                                  \
    }
#define LENGTH(at, other)                                                                                              \
    {                                                                                                                  \
        at, TCGRR_CALL_LENGTH, other, 0                                                                                \
    }
#define VECTOR(at, other)                                                                                              \
    {                                                                                                                  \
        at, TCGRR_CALL_VECTOR, other, 0                                                                                \
    }
#define MESSAGE(at)                                                                                                    \
    {                                                                                                                  \
        at, TCGRR_CALL_MESSAGE, 0, 0                                                                                   \
    }
#define IOCTL(at)                                                                                                      \
    {                                                                                                                  \
        at, TCGRR_CALL_IOCTL, 0, 0                                                                                     \
    }
#define PRCTL(at)                                                                                                      \
    {                                                                                                                  \
        at, TCGRR_CALL_PRCTL, 0, 0                                                                                     \
    }
#define CALL(name, x86, generic, ...) OF_KIND(name, x86, generic, TCGRR_CALL_PLAIN, __VA_ARGS__)
#define MADE(name, x86, generic, ...) OF_KIND(name, x86, generic, TCGRR_CALL_MADE, __VA_ARGS__)
#define BARE(name, x86, generic, kind)                                                                                 \
    {                                                                                                                  \
        name, x86, generic, TCGRR_CALL_##kind, 0,                                                                      \
        {                                                                                                              \
            {                                                                                                          \
                0                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }
#define OF_KIND(name, x86, generic, kind, ...)                                                                         \
    {                                                                                                                  \
        name, x86, generic, kind, 0,                                                                                   \
        {                                                                                                              \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

/* struct stat. */
#define STAT_X86     144
#define STAT_GENERIC 128

static const struct tcgrr_call calls[] = {
    CALL("read", 0, 63, RESULT(1, 1)),
    CALL("pread64", 17, 67, RESULT(1, 1)),
    CALL("readv", 19, 65, VECTOR(1, 2)),
    CALL("preadv", 295, 69, VECTOR(1, 2)),
    CALL("preadv2", 327, 286, VECTOR(1, 2)),
    CALL("stat", 4, -1, FIXED(1, STAT_X86)),
    CALL("fstat", 5, -1, FIXED(1, STAT_X86)),
    CALL("fstat", -1, 80, FIXED(1, STAT_GENERIC)),
    CALL("lstat", 6, -1, FIXED(1, STAT_X86)),
    CALL("newfstatat", 262, -1, FIXED(2, STAT_X86)),
    CALL("newfstatat", -1, 79, FIXED(2, STAT_GENERIC)),
    CALL("statx", 332, 291, FIXED(4, 256)),
    CALL("statfs", 137, 43, FIXED(1, 120)),
    CALL("fstatfs", 138, 44, FIXED(1, 120)),
    CALL("poll", 7, -1, ARGUMENT(0, 1, 8)),
    CALL("ppoll", 271, 73, ARGUMENT(0, 1, 8), FIXED(2, 16)),
    CALL("select", 23, -1, BITS(1, 0), BITS(2, 0), BITS(3, 0), FIXED(4, 16)),
    CALL("pselect6", 270, 72, BITS(1, 0), BITS(2, 0), BITS(3, 0), FIXED(4, 16)),
    CALL("ioctl", 16, 29, IOCTL(2)),
    CALL("pipe", 22, -1, FIXED(0, 8)),
    CALL("pipe2", 293, 59, FIXED(0, 8)),
    CALL("socketpair", 53, 199, FIXED(3, 8)),
    CALL("accept", 43, 202, LENGTH(1, 2)),
    CALL("accept4", 288, 242, LENGTH(1, 2)),
    CALL("getsockname", 51, 204, LENGTH(1, 2)),
    CALL("getpeername", 52, 205, LENGTH(1, 2)),
    CALL("recvfrom", 45, 207, RESULT(1, 1), LENGTH(4, 5)),
    CALL("recvmsg", 47, 212, MESSAGE(1)),
    CALL("getsockopt", 55, 209, LENGTH(3, 4)),
    CALL("getitimer", 36, 102, FIXED(1, 32)),
    CALL("setitimer", 38, 103, FIXED(2, 32)),
    CALL("wait4", 61, 260, FIXED(1, 4), FIXED(3, 144)),
    CALL("waitid", 247, 95, FIXED(2, 128), FIXED(4, 144)),
    CALL("uname", 63, 160, FIXED(0, 390)),
    CALL("getcwd", 79, 17, RESULT(0, 1)),
    CALL("readlink", 89, -1, RESULT(1, 1)),
    CALL("readlinkat", 267, 78, RESULT(2, 1)),
    CALL("gettimeofday", 96, 169, FIXED(0, 16), FIXED(1, 8)),
    CALL("getrlimit", 97, 163, FIXED(1, 16)),
    CALL("prlimit64", 302, 261, FIXED(3, 16)),
    CALL("getrusage", 98, 165, FIXED(1, 144)),
    CALL("sysinfo", 99, 179, FIXED(0, 112)),
    CALL("times", 100, 153, FIXED(0, 32)),
    CALL("getgroups", 115, 158, RESULT(1, 4)),
    CALL("getresuid", 118, 148, FIXED(0, 4), FIXED(1, 4), FIXED(2, 4)),
    CALL("getresgid", 120, 150, FIXED(0, 4), FIXED(1, 4), FIXED(2, 4)),
    MADE("rt_sigaction", 13, -1, FIXED(2, 32)),
    MADE("rt_sigaction", -1, 134, FIXED(2, 24)),
    MADE("rt_sigprocmask", 14, 135, FIXED(2, 8)),
    CALL("rt_sigpending", 127, 136, FIXED(0, 8)),
    CALL("rt_sigtimedwait", 128, 137, FIXED(1, 128)),
    MADE("sigaltstack", 131, 132, FIXED(1, 24)),
    CALL("time", 201, -1, FIXED(0, 8)),
    CALL("sched_getparam", 143, 121, FIXED(1, 4)),
    CALL("sched_getaffinity", 204, 123, RESULT(2, 1)),
    CALL("sched_rr_get_interval", 148, 127, FIXED(1, 16)),
    CALL("epoll_wait", 232, -1, RESULT(1, 12)), /* packed on x86_64 alone */
    CALL("epoll_pwait", 281, -1, RESULT(1, 12)),
    CALL("epoll_pwait", -1, 22, RESULT(1, 16)),
    CALL("epoll_pwait2", 441, -1, RESULT(1, 12)),
    CALL("epoll_pwait2", -1, 441, RESULT(1, 16)),
    CALL("clock_gettime", 228, 113, FIXED(1, 16)),
    CALL("clock_getres", 229, 114, FIXED(1, 16)),
    CALL("clock_adjtime", 305, 266, FIXED(1, 208)),
    CALL("adjtimex", 159, 171, FIXED(0, 208)),
    CALL("timer_create", 222, 107, FIXED(2, 4)),
    CALL("timer_gettime", 224, 108, FIXED(1, 32)),
    CALL("timer_settime", 223, 110, FIXED(3, 32)),
    CALL("timerfd_gettime", 287, 87, FIXED(1, 32)),
    CALL("timerfd_settime", 286, 86, FIXED(3, 32)),
    CALL("getdents", 78, -1, RESULT(1, 1)),
    CALL("getdents64", 217, 61, RESULT(1, 1)),
    CALL("getxattr", 191, 8, RESULT(2, 1)),
    CALL("lgetxattr", 192, 9, RESULT(2, 1)),
    CALL("fgetxattr", 193, 10, RESULT(2, 1)),
    CALL("listxattr", 194, 11, RESULT(1, 1)),
    CALL("llistxattr", 195, 12, RESULT(1, 1)),
    CALL("flistxattr", 196, 13, RESULT(1, 1)),
    CALL("getcpu", 309, 168, FIXED(0, 4), FIXED(1, 4)),
    CALL("getrandom", 318, 278, RESULT(0, 1)),
    CALL("capget", 125, 90, FIXED(1, 24)),
    CALL("sendfile", 40, 71, FIXED(2, 8)),
    CALL("splice", 275, 76, FIXED(1, 8), FIXED(3, 8)),
    CALL("copy_file_range", 326, 285, FIXED(1, 8), FIXED(3, 8)),
    CALL("mq_timedreceive", 243, 183, RESULT(1, 1), FIXED(3, 4)),
    MADE("prctl", 157, 167, PRCTL(1)),
    BARE("fork", 57, -1, FORKS),
    BARE("vfork", 58, -1, FORKS),
    BARE("clone", 56, 220, FORKS),
    BARE("mmap", 9, 222, MAPS),
    BARE("brk", 12, 214, MAPS),
    BARE("mremap", 25, 216, MAPS),
    BARE("shmat", 30, 196, MAPS),
    BARE("munmap", 11, 215, MADE),
    BARE("mprotect", 10, 226, MADE),
    BARE("madvise", 28, 233, MADE),
    BARE("arch_prctl", 158, -1, MADE),
    BARE("set_tid_address", 218, 96, MADE),
    BARE("set_robust_list", 273, 99, MADE),
    BARE("rseq", 334, 293, MADE),
    BARE("personality", 135, 92, MADE),
    BARE("riscv_flush_icache", -1, 259, MADE),
    BARE("rt_sigreturn", 15, 139, RESUMES),
    BARE("exit", 60, 93, ENDS),
    BARE("exit_group", 231, 94, ENDS),
    BARE("execve", 59, 221, ENDS),
    BARE("execveat", 322, 281, ENDS),
    {"kill", 62, 129, TCGRR_CALL_SIGNALS, 1, {{0}}},
    {"tkill", 200, 130, TCGRR_CALL_SIGNALS, 1, {{0}}},
    {"tgkill", 234, 131, TCGRR_CALL_SIGNALS, 2, {{0}}},
    {"rt_sigqueueinfo", 129, 138, TCGRR_CALL_SIGNALS, 1, {{0}}},
    {"rt_tgsigqueueinfo", 297, 240, TCGRR_CALL_SIGNALS, 2, {{0}}},
};

enum tcgrr_call_numbers tcgrr_calls_of_target(const char *target)
{
    if (strcmp(target, "x86_64") == 0) {
        return TCGRR_CALLS_X86_64;
    }
    static const char *const generic[] = {"aarch64", "riscv64", "loongarch64"};
    for (size_t i = 0; i < sizeof(generic) / sizeof(*generic); i++) {
        if (strcmp(target, generic[i]) == 0) {
            return TCGRR_CALLS_GENERIC;
        }
    }
    return TCGRR_CALLS_UNKNOWN;
}

const struct tcgrr_call *tcgrr_call_find(enum tcgrr_call_numbers numbers, int64_t number)
{
    for (size_t i = 0; number >= 0 && numbers != TCGRR_CALLS_UNKNOWN && i < sizeof(calls) / sizeof(*calls); i++) {
        if ((numbers == TCGRR_CALLS_X86_64 ? calls[i].x86_64 : calls[i].generic) == number) {
            return &calls[i];
        }
    }
    return NULL;
}

size_t tcgrr_call_ioctl_size(uint64_t request)
{
    switch (request & 0xffffffff) {
    case 0x5401: /* TCGETS */
        return 36;
    case 0x5413: /* TIOCGWINSZ */
        return 8;
    case 0x540f: /* TIOCGPGRP */
    case 0x5411: /* TIOCOUTQ */
    case 0x541b: /* FIONREAD */
    case 0x5429: /* TIOCGSID */
        return 4;
    default: /* newer requests say in which direction they go, and how much */
        return request >> 30 & 2 ? request >> 16 & 0x3fff : 0;
    }
}

size_t tcgrr_call_prctl_size(uint64_t option)
{
    switch (option) {
    case 16: /* PR_GET_NAME */
        return 16;
    case 2:  /* PR_GET_PDEATHSIG */
    case 5:  /* PR_GET_UNALIGN */
    case 9:  /* PR_GET_FPEMU */
    case 11: /* PR_GET_FPEXC */
    case 25: /* PR_GET_TSC */
    case 37: /* PR_GET_CHILD_SUBREAPER */
        return 4;
    case 40: /* PR_GET_TID_ADDRESS */
        return 8;
    default:
        return 0;
    }
}
