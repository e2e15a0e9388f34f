/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The facts are taken from Linux's headers (asm/unistd.h, and the structures that the calls fill). */
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
#define HEADED(at, bytes)                                                                                              \
    {                                                                                                                  \
        at, TCGRR_CALL_HEADED, 0, bytes                                                                                \
    }
#define PAGES(at, other)                                                                                               \
    {                                                                                                                  \
        at, TCGRR_CALL_PAGES, other, 0                                                                                 \
    }
#define MESSAGES(at)                                                                                                   \
    {                                                                                                                  \
        at, TCGRR_CALL_MESSAGES, 0, 0                                                                                  \
    }
#define BY_COMMAND(at, command)                                                                                        \
    {                                                                                                                  \
        at, TCGRR_CALL_COMMAND, command, 0                                                                             \
    }
#define HANDLE(at)                                                                                                     \
    {                                                                                                                  \
        at, TCGRR_CALL_HANDLE, 0, 8                                                                                    \
    }
#define BY_OPERATION(at)                                                                                               \
    {                                                                                                                  \
        at, TCGRR_CALL_FUTEX, 0, 4                                                                                     \
    }
#define NEW_PROCESS(at)                                                                                                \
    {                                                                                                                  \
        at, TCGRR_CALL_NEW_PROCESS, 0, 4                                                                               \
    }
#define CALL(name, x86, generic, ...) OF_KIND(name, x86, generic, TCGRR_CALL_PLAIN, __VA_ARGS__)
#define MADE(name, x86, generic, ...) OF_KIND(name, x86, generic, TCGRR_CALL_MADE, __VA_ARGS__)
#define QUIET(name, x86, generic)     BARE(name, x86, generic, PLAIN)
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
    CALL("nanosleep", 35, 101, FIXED(1, 16)), /* where it is interrupted */
    CALL("clock_nanosleep", 230, 115, FIXED(3, 16)),
    CALL("fcntl", 72, 25, BY_COMMAND(2, 1)),
    CALL("futex", 202, 98, BY_OPERATION(0), BY_OPERATION(4)),
    CALL("recvmmsg", 299, 243, MESSAGES(1), FIXED(4, 16)),
    CALL("sendmmsg", 307, 269, RESULT(1, 64)),
    CALL("mincore", 27, 232, PAGES(2, 1)),
    CALL("sched_getattr", 315, 275, ARGUMENT(1, 2, 1)),
    CALL("sched_setattr", 314, 274, FIXED(1, 4)),
    CALL("process_vm_readv", 310, 270, VECTOR(1, 2)),
    CALL("process_vm_writev", 311, 271, VECTOR(3, 4)), /* it may be the program's own memory */
    CALL("vmsplice", 278, 75, VECTOR(1, 2)),
    CALL("get_robust_list", 274, 100, FIXED(1, 8), FIXED(2, 8)),
    CALL("get_mempolicy", 239, 236, FIXED(0, 4), BITS(1, 2)),
    CALL("move_pages", 279, 239, ARGUMENT(4, 1, 4)),
    CALL("name_to_handle_at", 303, 264, HANDLE(2), FIXED(3, 4)),
    CALL("syslog", 103, 116, RESULT(1, 1)),
    CALL("cachestat", 451, 451, FIXED(2, 40)),
    CALL("riscv_hwprobe", -1, 258, ARGUMENT(0, 1, 16)), /* the other machines of these numbers have no call 258 */
    CALL("semctl", 66, 191, BY_COMMAND(3, 2)),
    CALL("shmctl", 31, 195, BY_COMMAND(2, 1)),
    CALL("msgctl", 71, 187, BY_COMMAND(2, 1)),
    CALL("msgrcv", 70, 188, HEADED(1, 8)),
    CALL("mq_getsetattr", 245, 185, FIXED(2, 64)),
    MADE("prctl", 157, 167, BY_COMMAND(1, 0)),
    BARE("fork", 57, -1, FORKS),
    BARE("vfork", 58, -1, FORKS),
    OF_KIND("clone", 56, 220, TCGRR_CALL_FORKS, NEW_PROCESS(2)),
    BARE("mmap", 9, 222, MAPS),
    BARE("brk", 12, 214, MAPS),
    BARE("mremap", 25, 216, MAPS),
    BARE("shmat", 30, 196, MAPS),
    BARE("shmdt", 67, 197, MADE),
    BARE("munmap", 11, 215, MADE),
    BARE("mprotect", 10, 226, MADE),
    BARE("madvise", 28, 233, MADE),
    BARE("arch_prctl", 158, -1, MADE),
    BARE("set_tid_address", 218, 96, MADE),
    BARE("set_robust_list", 273, 99, MADE),
    BARE("rseq", 334, 293, MADE),
    BARE("modify_ldt", 154, -1, MADE),
    BARE("personality", 135, 92, MADE),
    BARE("riscv_flush_icache", -1, 259, MADE),
    BARE("rt_sigreturn", 15, 139, RESUMES),
    BARE("exit", 60, 93, ENDS),
    BARE("exit_group", 231, 94, ENDS),
    BARE("execve", 59, 221, ENDS),
    BARE("execveat", 322, 281, ENDS),
    /* They write nothing. */
    QUIET("write", 1, 64),
    QUIET("open", 2, -1),
    QUIET("close", 3, 57),
    QUIET("lseek", 8, 62),
    QUIET("pwrite64", 18, 68),
    QUIET("writev", 20, 66),
    QUIET("access", 21, -1),
    QUIET("sched_yield", 24, 124),
    QUIET("msync", 26, 227),
    QUIET("shmget", 29, 194),
    QUIET("dup", 32, 23),
    QUIET("dup2", 33, -1),
    QUIET("pause", 34, -1),
    QUIET("alarm", 37, -1),
    QUIET("getpid", 39, 172),
    QUIET("socket", 41, 198),
    QUIET("connect", 42, 203),
    QUIET("sendto", 44, 206),
    QUIET("sendmsg", 46, 211),
    QUIET("shutdown", 48, 210),
    QUIET("bind", 49, 200),
    QUIET("listen", 50, 201),
    QUIET("setsockopt", 54, 208),
    QUIET("semget", 64, 190),
    QUIET("semop", 65, 193),
    QUIET("semtimedop", 220, 192),
    QUIET("msgget", 68, 186),
    QUIET("msgsnd", 69, 189),
    QUIET("flock", 73, 32),
    QUIET("fsync", 74, 82),
    QUIET("fdatasync", 75, 83),
    QUIET("truncate", 76, 45),
    QUIET("ftruncate", 77, 46),
    QUIET("chdir", 80, 49),
    QUIET("fchdir", 81, 50),
    QUIET("rename", 82, -1),
    QUIET("mkdir", 83, -1),
    QUIET("rmdir", 84, -1),
    QUIET("creat", 85, -1),
    QUIET("link", 86, -1),
    QUIET("unlink", 87, -1),
    QUIET("symlink", 88, -1),
    QUIET("chmod", 90, -1),
    QUIET("fchmod", 91, 52),
    QUIET("chown", 92, -1),
    QUIET("fchown", 93, 55),
    QUIET("lchown", 94, -1),
    QUIET("umask", 95, 166),
    QUIET("getuid", 102, 174),
    QUIET("getgid", 104, 176),
    QUIET("setuid", 105, 146),
    QUIET("setgid", 106, 144),
    QUIET("geteuid", 107, 175),
    QUIET("getegid", 108, 177),
    QUIET("setpgid", 109, 154),
    QUIET("getppid", 110, 173),
    QUIET("getpgrp", 111, -1),
    QUIET("setsid", 112, 157),
    QUIET("setreuid", 113, 145),
    QUIET("setregid", 114, 143),
    QUIET("setgroups", 116, 159),
    QUIET("setresuid", 117, 147),
    QUIET("setresgid", 119, 149),
    QUIET("getpgid", 121, 155),
    QUIET("setfsuid", 122, 151),
    QUIET("setfsgid", 123, 152),
    QUIET("getsid", 124, 156),
    QUIET("capset", 126, 91),
    QUIET("rt_sigsuspend", 130, 133),
    QUIET("utime", 132, -1),
    QUIET("mknod", 133, -1),
    QUIET("getpriority", 140, 141),
    QUIET("setpriority", 141, 140),
    QUIET("sched_setparam", 142, 118),
    QUIET("sched_setscheduler", 144, 119),
    QUIET("sched_getscheduler", 145, 120),
    QUIET("sched_get_priority_max", 146, 125),
    QUIET("sched_get_priority_min", 147, 126),
    QUIET("mlock", 149, 228),
    QUIET("munlock", 150, 229),
    QUIET("mlockall", 151, 230),
    QUIET("munlockall", 152, 231),
    QUIET("vhangup", 153, 58),
    QUIET("pivot_root", 155, 41),
    QUIET("setrlimit", 160, -1),
    QUIET("chroot", 161, 51),
    QUIET("sync", 162, 81),
    QUIET("acct", 163, 89),
    QUIET("settimeofday", 164, 170),
    QUIET("mount", 165, 40),
    QUIET("umount2", 166, 39),
    QUIET("swapon", 167, 224),
    QUIET("swapoff", 168, 225),
    QUIET("reboot", 169, 142),
    QUIET("sethostname", 170, 161),
    QUIET("setdomainname", 171, 162),
    QUIET("gettid", 186, 178),
    QUIET("readahead", 187, 213),
    QUIET("setxattr", 188, 5),
    QUIET("lsetxattr", 189, 6),
    QUIET("fsetxattr", 190, 7),
    QUIET("removexattr", 197, 14),
    QUIET("lremovexattr", 198, 15),
    QUIET("fremovexattr", 199, 16),
    QUIET("sched_setaffinity", 203, 122),
    QUIET("epoll_create", 213, -1),
    QUIET("restart_syscall", 219, 128),
    QUIET("fadvise64", 221, 223),
    QUIET("timer_getoverrun", 225, 109),
    QUIET("timer_delete", 226, 111),
    QUIET("clock_settime", 227, 112),
    QUIET("epoll_ctl", 233, 21),
    QUIET("utimes", 235, -1),
    QUIET("mbind", 237, 235),
    QUIET("set_mempolicy", 238, 237),
    QUIET("mq_open", 240, 180),
    QUIET("mq_unlink", 241, 181),
    QUIET("mq_timedsend", 242, 182),
    QUIET("mq_notify", 244, 184),
    QUIET("add_key", 248, 217),
    QUIET("request_key", 249, 218),
    QUIET("ioprio_set", 251, 30),
    QUIET("ioprio_get", 252, 31),
    QUIET("inotify_init", 253, -1),
    QUIET("inotify_add_watch", 254, 27),
    QUIET("inotify_rm_watch", 255, 28),
    QUIET("openat", 257, 56),
    QUIET("mkdirat", 258, 34),
    QUIET("mknodat", 259, 33),
    QUIET("fchownat", 260, 54),
    QUIET("futimesat", 261, -1),
    QUIET("unlinkat", 263, 35),
    QUIET("renameat", 264, -1),
    QUIET("linkat", 265, 37),
    QUIET("symlinkat", 266, 36),
    QUIET("fchmodat", 268, 53),
    QUIET("faccessat", 269, 48),
    QUIET("unshare", 272, 97),
    QUIET("tee", 276, 77),
    QUIET("sync_file_range", 277, 84),
    QUIET("utimensat", 280, 88),
    QUIET("signalfd", 282, -1),
    QUIET("timerfd_create", 283, 85),
    QUIET("eventfd", 284, -1),
    QUIET("fallocate", 285, 47),
    QUIET("signalfd4", 289, 74),
    QUIET("eventfd2", 290, 19),
    QUIET("epoll_create1", 291, 20),
    QUIET("dup3", 292, 24),
    QUIET("inotify_init1", 294, 26),
    QUIET("pwritev", 296, 70),
    QUIET("fanotify_init", 300, 262),
    QUIET("fanotify_mark", 301, 263),
    QUIET("open_by_handle_at", 304, 265),
    QUIET("syncfs", 306, 267),
    QUIET("setns", 308, 268),
    QUIET("kcmp", 312, 272),
    QUIET("renameat2", 316, 276),
    QUIET("seccomp", 317, 277),
    QUIET("memfd_create", 319, 279),
    QUIET("membarrier", 324, 283),
    QUIET("mlock2", 325, 284),
    QUIET("pwritev2", 328, 287),
    QUIET("pidfd_send_signal", 424, 424),
    QUIET("open_tree", 428, 428),
    QUIET("move_mount", 429, 429),
    QUIET("pidfd_open", 434, 434),
    QUIET("close_range", 436, 436),
    QUIET("openat2", 437, 437),
    QUIET("pidfd_getfd", 438, 438),
    QUIET("faccessat2", 439, 439),
    QUIET("fchmodat2", 452, 452),
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

int64_t tcgrr_calls_clone(const char *target)
{
    static const struct {
        const char *prefix; /* of the names of targets */
        int16_t number;
    } numbers[] = {{"arm", 120},      {"i386", 120},  {"s390x", 120},   {"ppc", 120},        {"m68k", 120},
                   {"sh4", 120},      {"hppa", 120},  {"cris", 120},    {"microblaze", 120}, {"mips64", 5055},
                   {"mipsn32", 6055}, {"mips", 4120}, {"sparc", 217},   {"alpha", 312},      {"xtensa", 116},
                   {"riscv32", 220},  {"or1k", 220},  {"hexagon", 220}, {"nios2", 220}};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        if (strncmp(target, numbers[i].prefix, strlen(numbers[i].prefix)) == 0) {
            return numbers[i].number;
        }
    }
    return -1;
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
    case 0x5402: /* TCSETS and its like */
    case 0x5403:
    case 0x5404:
    case 0x5409: /* TCSBRK */
    case 0x540a: /* TCXONC */
    case 0x540b: /* TCFLSH */
    case 0x540e: /* TIOCSCTTY */
    case 0x5410: /* TIOCSPGRP */
    case 0x5414: /* TIOCSWINSZ */
    case 0x5421: /* FIONBIO */
    case 0x5450: /* FIONCLEX */
    case 0x5451: /* FIOCLEX */
    case 0x5452: /* FIOASYNC */
        return 0;
    case 0x540f: /* TIOCGPGRP */
    case 0x5411: /* TIOCOUTQ */
    case 0x541b: /* FIONREAD */
    case 0x5429: /* TIOCGSID */
        return 4;
    case 0x8912: /* SIOCGIFCONF */
        return 16;
    default: /* newer requests encode their direction and size */
        if (request >> 30 & 3) {
            return request >> 30 & 2 ? request >> 16 & 0x3fff : 0;
        }
        return (request & 0xff00) == 0x8900 ? 40 : TCGRR_CALL_ANY; /* struct ifreq */
    }
}

/* The size that a command writes; commands that are not listed write nothing. */
static const struct {
    const char *call;
    uint32_t command;
    uint32_t size;
} commands[] = {
    {"prctl", 2, 4},                       /* PR_GET_PDEATHSIG */
    {"prctl", 5, 4},                       /* PR_GET_UNALIGN */
    {"prctl", 9, 4},                       /* PR_GET_FPEMU */
    {"prctl", 11, 4},                      /* PR_GET_FPEXC */
    {"prctl", 16, 16},                     /* PR_GET_NAME */
    {"prctl", 25, 4},                      /* PR_GET_TSC */
    {"prctl", 37, 4},                      /* PR_GET_CHILD_SUBREAPER */
    {"prctl", 40, 8},                      /* PR_GET_TID_ADDRESS */
    {"fcntl", 5, 32},                      /* F_GETLK */
    {"fcntl", 36, 32},                     /* F_OFD_GETLK */
    {"fcntl", 16, 8},                      /* F_GETOWN_EX */
    {"fcntl", 1035, 8},                    /* F_GET_RW_HINT */
    {"fcntl", 1037, 8},                    /* F_GET_FILE_RW_HINT */
    {"semctl", 2, 104},                    /* IPC_STAT */
    {"semctl", 18, 104},                   /* SEM_STAT */
    {"semctl", 20, 104},                   /* SEM_STAT_ANY */
    {"semctl", 3, 40},                     /* IPC_INFO */
    {"semctl", 19, 40},                    /* SEM_INFO */
    {"semctl", 13, TCGRR_CALL_SEMAPHORES}, /* GETALL */
    {"shmctl", 2, 112},                    /* IPC_STAT */
    {"shmctl", 13, 112},                   /* SHM_STAT */
    {"shmctl", 15, 112},                   /* SHM_STAT_ANY */
    {"shmctl", 3, 72},                     /* IPC_INFO */
    {"shmctl", 14, 48},                    /* SHM_INFO */
    {"msgctl", 2, 120},                    /* IPC_STAT */
    {"msgctl", 11, 120},                   /* MSG_STAT */
    {"msgctl", 13, 120},                   /* MSG_STAT_ANY */
    {"msgctl", 3, 32},                     /* IPC_INFO */
    {"msgctl", 12, 32},                    /* MSG_INFO */
};
#define NEW_STRUCTURES 0x100u /* IPC_64, which has no effect on machines without the old structures */

uint32_t tcgrr_call_command_size(const char *call, uint64_t command)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
        if (commands[i].command == ((uint32_t)command & ~NEW_STRUCTURES) && strcmp(commands[i].call, call) == 0) {
            return commands[i].size;
        }
    }
    return 0;
}

bool tcgrr_call_futex_writes(uint64_t operation, unsigned argument)
{
    switch (operation & 0x7f) {
    case 5:  /* FUTEX_WAKE_OP */
    case 11: /* FUTEX_WAIT_REQUEUE_PI */
    case 12: /* FUTEX_CMP_REQUEUE_PI */
        return argument == 4;
    case 6:  /* FUTEX_LOCK_PI */
    case 7:  /* FUTEX_UNLOCK_PI */
    case 8:  /* FUTEX_TRYLOCK_PI */
    case 13: /* FUTEX_LOCK_PI2 */
        return argument == 0;
    default:
        return false;
    }
}
