#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 10.2-src
# User mode: what system calls write is given again, and so are signals, whether they interrupt a
# call or not; where that is not known, there is no verdict.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

version=${1:-10.2-src}
qemu=$(qemu user-x86_64 "$version")
compiler=$(command -v gcc || command -v cc || command -v clang) || skip "no C compiler for the guest program"
[ "$(uname -m)" = x86_64 ] || skip "the guest program is built for x86_64"

# How long it runs depends on everything that it is given.
cat > "$work/outputs.c" <<'C'
#define _GNU_SOURCE
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <poll.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
static volatile unsigned long sum;
static volatile int caught;
static char text[4096];
static void handler(int signal) { caught += signal; }
static void use(unsigned value)
{
    for (unsigned i = 0; i < value % 3000; i++)
        sum += i;
}
static void handle(int signal, int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(signal, &action, NULL);
}
static void locks(const char *path)
{
    int ready[2], over[2], file = open(path, O_RDWR | O_CREAT, 0600);
    struct flock lock = {F_WRLCK, SEEK_SET, 0, 10 + getpid() % 7};
    if (pipe(ready) || pipe(over))
        exit(9);
    if (fork() == 0) {
        fcntl(file, F_SETLK, &lock);
        close(over[1]);
        if (write(ready[1], "x", 1) == 1)
            _exit(read(over[0], text, 1) != 0);
    }
    use(read(ready[0], text, 1));
    struct flock found = {F_WRLCK, SEEK_SET, 0, 0};
    fcntl(file, F_GETLK, &found);
    use(found.l_pid + found.l_len);
    close(over[1]);
    wait(NULL);
}
static void sleeps(void)
{
    struct itimerval timer = {.it_value = {0, 30000}};
    struct timespec length = {5, 0}, left;
    handle(SIGALRM, 0);
    setitimer(ITIMER_REAL, &timer, NULL);
    use(nanosleep(&length, &left) + left.tv_nsec / 1000);
    setitimer(ITIMER_REAL, &timer, NULL);
    use(clock_nanosleep(CLOCK_MONOTONIC, 0, &length, &left) + left.tv_nsec / 1000);
}
static void messages(void)
{
    int ends[2], queue = msgget(IPC_PRIVATE, 0600);
    struct iovec piece = {text + 100, 100};
    struct mmsghdr several = {.msg_hdr = {.msg_iov = &piece, .msg_iovlen = 1}};
    struct { long type; char text[16]; } message = {1, ""};
    struct msqid_ds about;
    socketpair(AF_UNIX, SOCK_DGRAM, 0, ends);
    use(send(ends[0], text, sprintf(text, "%d", getpid()), 0));
    recvmmsg(ends[1], &several, 1, 0, NULL);
    use(several.msg_len * 100 + text[102]);
    sprintf(message.text, "%d", getpid());
    msgsnd(queue, &message, 16, 0);
    memset(&message, 0, sizeof(message));
    msgrcv(queue, &message, 16, 0, 0);
    msgctl(queue, IPC_STAT, &about);
    msgctl(queue, IPC_RMID, NULL);
    use(atoi(message.text) + about.msg_stime);
}
static void semaphores(void)
{
    unsigned short values[3] = {0};
    int set = semget(IPC_PRIVATE, 3, 0600);
    struct semid_ds about;
    semctl(set, 1, SETVAL, getpid() % 1000);
    semctl(set, 0, GETALL, values);
    semctl(set, 0, IPC_STAT, &about);
    semctl(set, 0, IPC_RMID);
    use(values[1] + about.sem_ctime);
}
static void segments(void)
{
    int id = shmget(IPC_PRIVATE, 3 * 4096 + 100, IPC_CREAT | 0600);
    char *memory = shmat(id, NULL, 0), *again = shmat(id, NULL, SHM_RDONLY);
    sprintf(memory, "%d", getpid());
    use(atoi(again));
    shmdt(memory);
    char *elsewhere = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memory = shmat(id, elsewhere + 100, SHM_RND | SHM_REMAP);
    use(atoi(memory) + (memory == elsewhere));
    memory[5000] = 7;
    use(again[5000] * 10);
    shmdt(memory);
    use(shmdt(memory) != 0);
    shmdt(again);
    memory = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(memory, 16384);
    memory = shmat(id, NULL, 0); /* it has what it had */
    use(atoi(memory) + memory[5000]);
    shmctl(id, IPC_RMID, NULL);
    memory[3 * 4096 + 4000] = 1;
    id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
    again = shmat(id, NULL, 0);
    use(again[0] + 1);
    shmctl(id, IPC_RMID, NULL);
}
static volatile unsigned long interrupted;
static void look(int signal, siginfo_t *info, void *context)
{
    const greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    interrupted = (unsigned long)(registers[REG_RDI] + registers[REG_RSI] + registers[REG_RDX] + registers[REG_R10] +
                                  registers[REG_RAX]);
}
static void contexts(void)
{
    struct sigaction action = {.sa_sigaction = look, .sa_flags = SA_SIGINFO};
    struct itimerval timer = {.it_value = {0, 20000}};
    struct timespec length = {5, 0};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    kill(getpid(), SIGUSR1);
    use(interrupted);
    setitimer(ITIMER_REAL, &timer, NULL);
    nanosleep(&length, NULL);
    use(interrupted);
}
static void others(void)
{
    struct ifreq interface = {.ifr_name = "lo"};
    struct ifconf list = {.ifc_len = sizeof(text), .ifc_buf = text};
    struct { unsigned size, policy; unsigned long flags; int nice; unsigned priority; unsigned long times[3]; } sched;
    struct { unsigned bytes; int type; char handle[128]; } handle = {.bytes = 128};
    struct iovec to = {text, 16}, from = {text + 100, 16};
    int mount = 0, socket_ = socket(AF_INET, SOCK_DGRAM, 0);
    unsigned char pages[4];
    char *memory = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memory[0] = 1;
    mincore(memory, 16384, pages);
    use(pages[0] * 100 + pages[1]);
    ioctl(socket_, SIOCGIFFLAGS, &interface);
    ioctl(socket_, SIOCGIFCONF, &list);
    use(interface.ifr_flags + list.ifc_len + text[0]);
    use(syscall(SYS_sched_getattr, 0, &sched, sizeof(sched), 0) + sched.size);
    use(syscall(SYS_name_to_handle_at, AT_FDCWD, "/", &handle, &mount, 0) + mount + handle.handle[0] + 1);
    sprintf(text + 100, "%d", getpid());
    process_vm_readv(getpid(), &to, 1, &from, 1, 0);
    use(atoi(text));
}
/* A child sends a signal while the program waits in different ways. */
static void waits(int way, int flags)
{
    sigset_t blocked, all;
    int ends[2], result = 0, status, set = epoll_create1(0);
    struct pollfd poll_ = {.events = POLLIN};
    struct timespec long_ = {5, 0};
    struct epoll_event event = {.events = EPOLLIN};
    fd_set files;
    pid_t parent = getpid();
    handle(SIGUSR1, flags);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(way > 0 ? SIG_BLOCK : SIG_UNBLOCK, &blocked, &all);
    if (pipe(ends))
        exit(9);
    if (fork() == 0) {
        usleep(20000);
        kill(parent, SIGUSR1);
        usleep(20000);
        _exit(write(ends[1], "abc", 3) != 3);
    }
    poll_.fd = ends[0];
    FD_ZERO(&files);
    FD_SET(ends[0], &files);
    epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event);
    switch (way) {
    case 0: result = read(ends[0], text, 3); break;
    case 1: result = sigsuspend(&all); break;
    case 2: result = ppoll(&poll_, 1, &long_, &all); break;
    case 3: result = pselect(ends[0] + 1, &files, NULL, NULL, &long_, &all); break;
    case 4: result = epoll_pwait(set, &event, 1, 5000, &all); break;
    }
    use(100 * caught + result + 1);
    waitpid(-1, &status, 0);
    use(status);
    sigprocmask(SIG_SETMASK, &all, NULL);
}
int main(int argc, char **argv)
{
    int number = getpid();
    if (strcmp(argv[1], "outputs") == 0) {
        locks(argv[2]);
        sleeps();
        messages();
        semaphores();
        segments();
        contexts();
        others();
    } else if (strcmp(argv[1], "signals") == 0) {
        waits(0, SA_RESTART);
        waits(0, 0);
        for (int way = 1; way < 5; way++)
            waits(way, 0);
    } else if (strcmp(argv[1], "timer") == 0) { /* they come while it computes */
        struct itimerval timer = {{0, 2000}, {0, 2000}};
        handle(SIGALRM, 0);
        setitimer(ITIMER_REAL, &timer, NULL);
        while (caught < 20 * SIGALRM)
            use(caught + 7);
        timer.it_value.tv_usec = timer.it_interval.tv_usec = 0;
        setitimer(ITIMER_REAL, &timer, NULL);
    } else if (strcmp(argv[1], "file") == 0) { /* what is written to it shows in memory */
        int file = memfd_create("x", 0);
        int *memory = ftruncate(file, 4096) == 0 ? mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : NULL;
        use(pwrite(file, &number, sizeof(number), 0));
        use(memory[0] % 1000 + 100);
    } else if (strcmp(argv[1], "child") == 0) {
        int *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (fork() == 0) {
            memory[0] = 1;
            _exit(0);
        }
        wait(NULL);
        use(memory[0] * 1000);
    } else { /* a file that is too large to keep */
        const char *memory = mmap(NULL, 80 << 20, PROT_READ, MAP_PRIVATE, open(argv[2], O_RDONLY), 0);
        use(memory[70 << 20]);
    }
    printf("%lu %d\n", sum, caught);
    return 0;
}
C
"$compiler" -O1 -o "$work/outputs" "$work/outputs.c"

for what in outputs signals; do
    run 0 "$tcgrr" record --json -o "$work/$what.tcgrr" -- "$qemu" "$work/outputs" "$what" "$work/file"
    equal "$what: exit" "$(json .exit)" "exit 0"
    icount=$(json .icount)
    run 0 "$tcgrr" replay --json "$work/$what.tcgrr"
    equal "$what: verdict" "$(json .verdict)" "no divergence"
    equal "$what: compared" "$(json .compared)" "$icount"
    run 0 "$tcgrr" lockstep --json --level state --a "$qemu" --b "$qemu" --b-arg -one-insn-per-tb -- \
        "$work/outputs" "$what" "$work/file"
    equal "$what, lockstep: diverged" "$(json .diverged)" false
    equal "$what, lockstep: calls that differ" "$(json .input_differences)" 0
done

# A signal that came while the program computed comes at the same place again, also where blocks are
# shorter.
run 0 "$tcgrr" record --json -o "$work/timer.tcgrr" -- "$qemu" "$work/outputs" timer
[ "$(json .events.signal)" -ge 20 ] || fail "timer: signals: $(json .events.signal), wanted 20 or more"
icount=$(json .icount)
for options in "" -one-insn-per-tb; do
    run 0 "$tcgrr" replay --json "$work/timer.tcgrr" ${options:+-- "$options"}
    equal "timer $options: verdict" "$(json .verdict)" "no divergence"
    equal "timer $options: compared" "$(json .compared)" "$icount"
done

run 0 "$tcgrr" lockstep --json --a "$qemu" --b "$qemu" --b-arg -one-insn-per-tb -- "$work/outputs" timer
equal "timer, lockstep: diverged" "$(json .diverged)" false
equal "timer, lockstep: calls that differ" "$(json .input_differences)" 0

# They differ, and nobody can say that the QEMUs are the reason.
head -c $((80 << 20)) /dev/zero | tr '\0' x >"$work/large"
declare -A reasons=(
    [file]="system call 9: .*shares memory"
    [child]="system call (56|57): .*shares memory"
    [large]="system call 9: .*more than 64 MiB"
)
for what in "${!reasons[@]}"; do
    run 0 "$tcgrr" record -o "$work/$what.tcgrr" -- "$qemu" "$work/outputs" "$what" "$work/large"
    complains 3 "no verdict: the same for .*${reasons[$what]}" "$tcgrr" replay "$work/$what.tcgrr"
    run 125 "$tcgrr" bisect-run "$work/$what.tcgrr" --qemu "$qemu"
done
