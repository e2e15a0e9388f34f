#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 10.2-src
# extended: 7.2
# User mode: two runs of a program that asks for the time, for random bytes, for its process number
# and sorts what it got.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

version=${1:-7.2}
qemu=$(qemu user-x86_64 "$version")
compiler=$(command -v gcc || command -v cc || command -v clang) || skip "no C compiler for the guest program"
[ "$(uname -m)" = x86_64 ] || skip "the guest program is built for x86_64"

cat > "$work/inputs.c" <<'C'
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>
static int compare(const void *a, const void *b)
{
    return *(const unsigned *)a < *(const unsigned *)b ? -1 : *(const unsigned *)a > *(const unsigned *)b;
}
int main(int argc, char **argv)
{
    static unsigned numbers[8192];
    struct timespec now;
    struct timeval of_day;
    struct stat status;
    getrandom(numbers, 256, 0);
    int urandom = open("/dev/urandom", O_RDONLY);
    struct iovec pieces[2] = {{numbers + 64, 1024}, {numbers + 320, 2048}};
    if (urandom < 0 || readv(urandom, pieces, 2) != 3072)
        return 2;
    clock_gettime(CLOCK_REALTIME, &now);
    gettimeofday(&of_day, NULL);
    stat("/proc/self", &status);
    unsigned seed = numbers[3] ^ (unsigned)now.tv_nsec ^ (unsigned)of_day.tv_usec ^ (unsigned)status.st_mtime;
    for (unsigned i = 832; i < 8192; i++)
        numbers[i] = seed = seed * 1103515245u + 12345u;
    qsort(numbers, 8192, sizeof(*numbers), compare);
    if (argc > 1 && strcmp(argv[1], "pid") == 0)
        for (pid_t pid = getpid(); pid > 1; pid = pid % 2 ? 3 * pid + 1 : pid / 2)
            numbers[0] += (unsigned)pid;
    printf("%u %u\n", numbers[0], numbers[8191]);
    return 0;
}
C
"$compiler" -static -O1 -o "$work/inputs" "$work/inputs.c"

run 0 "$tcgrr" lockstep --json --a "$qemu" --b "$qemu" -- "$work/inputs"
equal "inputs" "$(json .inputs)" "$([ "$version" = 7.2 ] && echo own || echo shared)"
equal "diverged" "$(json .diverged)" false
[ "$(json .compared)" -gt 1000000 ] || fail "only $(json .compared) instructions were compared"

# Nothing is left of what was shared.
mkdir "$work/tmp"
run 0 env TMPDIR="$work/tmp" "$tcgrr" lockstep --json --a "$qemu" --b "$qemu" -- "$work/inputs"
equal "files that are left" "$(ls -A "$work/tmp")" ""

# The result itself can be given where registers can be written, and doctor says so.
equal "doctor: replay" "$("$tcgrr" doctor --json "$qemu" | jq '.qemus[0].replay')" "$([ "$version" = 7.2 ] && echo false || echo true)"
if [ "$version" != 7.2 ]; then
    run 0 "$tcgrr" lockstep --json --a "$qemu" --b "$qemu" -- "$work/inputs" pid
    equal "pid: diverged" "$(json .diverged)" false
fi

# Two recordings had inputs of their own: whether these are why they differ shows once both are
# given the same.
for i in 1 2; do
    run 0 "$tcgrr" record -o "$work/own$i.tcgrr" -- "$qemu" "$work/inputs"
done
run 3 "$tcgrr" diff --json "$work/own1.tcgrr" "$work/own2.tcgrr"
equal "two recordings: diverged" "$(json .diverged)" null
contains "two recordings: the reason" "$(json .error)" "with the same results of system calls both are the same there and beyond"
run 3 "$tcgrr" lockstep --json --a "$qemu" --b "$work/own2.tcgrr" -- "$work/inputs"
contains "a recording as B: the reason" "$(json .error)" "inputs of their own"
cat > "$work/other.c" <<'C'
#include <unistd.h>
static volatile unsigned sum;
int main(void)
{
    pid_t pid = getppid();
    for (int i = 0; i < (__builtin_cpu_supports("sse4.2") ? TURNS : 1); i++)
        sum += (unsigned)pid;
    return 0;
}
C
for turns in 3 4; do
    "$compiler" -static -O1 -DTURNS="$turns" -o "$work/other" "$work/other.c"
    run 0 "$tcgrr" record -o "$work/other$turns.tcgrr" -- "$qemu" -cpu max "$work/other"
done
run 0 "$tcgrr" record -o "$work/plain.tcgrr" -- "$qemu" -cpu qemu64 "$work/other"
run 1 "$tcgrr" diff "$work/other3.tcgrr" "$work/other4.tcgrr" # another program
run 1 "$tcgrr" diff "$work/plain.tcgrr" "$work/other4.tcgrr" # another CPU
contains "another CPU: the auxiliary vector" "$(cat "$work/out")" "auxiliary vectors, .*: AT_HWCAP 0x[0-9a-f]+ and 0x[0-9a-f]+$"
run 1 "$tcgrr" lockstep --a "$qemu" --b "$qemu" --a-arg -cpu --a-arg qemu64 --b-arg -cpu --b-arg max -- "$work/other"
contains "another CPU, lockstep: the auxiliary vector" "$(cat "$work/out")" "auxiliary vectors, .*: AT_HWCAP 0x[0-9a-f]+ and"

# Releases start a program differently; what they give it says in what way.
older=$TCGRR_QEMUS/bin/qemu-x86_64-7.2
if [ "$version" != 7.2 ] && [ -x "$older" ]; then
    run 0 "$tcgrr" record -o "$work/older.tcgrr" -- "$older" "$work/inputs"
    complains 3 "no verdict: .*start it differently .auxiliary vector: AT_SYSINFO_EHDR .vDSO. 0x[0-9a-f]+ in B only, AT_RANDOM" \
        "$tcgrr" lockstep --a "$older" --b "$qemu" -- "$work/inputs"
    complains 3 "auxiliary vector: AT_SYSINFO_EHDR" "$tcgrr" replay --qemu "$qemu" "$work/older.tcgrr"
    # --from main is no help where the two put the program at different addresses.
    "$compiler" -fPIE -pie -O1 -o "$work/moved" "$work/inputs.c"
    complains 3 "AT_ENTRY 0x.* instructions are compared with their addresses: .*-static -no-pie" \
        "$tcgrr" lockstep --a "$older" --b "$qemu" -- "$work/moved"
    run 3 "$tcgrr" diff "$work/older.tcgrr" "$work/own1.tcgrr"
    contains "diff of two releases: the note" "$(cat "$work/out")" "auxiliary vectors, .*: AT_SYSINFO_EHDR"
    contains "diff of two releases: the reason" "$(cat "$work/err")" "could not be tried: .*auxiliary vector: AT_SYSINFO_EHDR"
fi

# Programs that went apart, one of which computes on for long: that they are not compared is no failure.
cat > "$work/apart.c" <<'C'
#include <unistd.h>
static volatile unsigned sum;
int main(void)
{
    unsigned turns = ((unsigned)getpid() * 2654435761u >> 20) * 1000;
    for (unsigned i = 0; i < turns; i++)
        sum += i;
    return 0;
}
C
"$compiler" -static -O1 -o "$work/apart" "$work/apart.c"
if [ "$version" = 7.2 ]; then
    for _ in 1 2 3; do
        status=0
        "$tcgrr" lockstep --json --a "$qemu" --b "$qemu" -- "$work/apart" >"$work/out" 2>"$work/err" || status=$?
        equal "programs that went apart: diverged" "$(json .diverged)" false
        equal "programs that went apart: exit status" "$status" "$([ "$(json .rest_left_out)" = true ] && echo 3 || echo 0)"
    done
fi

# Memory that was refused is refused again, and for the same reason: the file is not open in the
# replay.
cat > "$work/refused.c" <<'C'
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
int main(void)
{
    int folder = open("/", O_RDONLY), reasons[2];
    char *end = sbrk(0);
    void *memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, folder, 0);
    reasons[0] = memory == MAP_FAILED ? errno : 0;
    memory = sbrk(1L << 46);
    reasons[1] = memory == (void *)-1 ? errno : 0;
    printf("%d %d %d\n", reasons[0] == ENODEV, reasons[1] == ENOMEM, sbrk(0) == end);
    return 0;
}
C
"$compiler" -static -O1 -o "$work/refused" "$work/refused.c"
if [ "$version" != 7.2 ]; then
    run 0 "$tcgrr" record -o "$work/refused.tcgrr" -- "$qemu" "$work/refused"
    equal "memory that is refused" "$(grep -cx "1 1 1" "$work/out")" 1
    run 0 "$tcgrr" replay --json "$work/refused.tcgrr"
    equal "memory that is refused: diverged" "$(json .diverged)" false
    equal "memory that is refused: to the end" "$(json .rest_left_out)" false
fi

# What an instruction reads of the host's clock is an input, too, in whatever way it is followed by
# the next one.
cat > "$work/clock.c" <<'C'
static unsigned long low, sum;
int main(void)
{
    for (int i = 0; i < 20; i++) {
        if (i % 2)
            __asm__ volatile("rdtsc\n1: mov %%rax, %0" : "=r"(low) : : "rax", "rdx");
        else
            __asm__ volatile("rdtscp\njmp 1f\n1: mov %%rax, %0" : "=r"(low) : : "rax", "rcx", "rdx");
        for (unsigned long k = 0; k < low % 1000; k++)
            sum += low;
    }
    return (int)(sum & 1);
}
C
"$compiler" -static -O1 -o "$work/clock" "$work/clock.c"
if [ "$version" != 7.2 ]; then
    run 0 "$tcgrr" record --json -o "$work/clock.tcgrr" -- "$qemu" "$work/clock"
    clock=$(json .icount)
    for _ in 1 2; do
        run 0 "$tcgrr" replay --json "$work/clock.tcgrr"
        equal "a clock: verdict" "$(json .verdict)" "no divergence"
        equal "a clock: compared" "$(json .compared)" "$clock"
    done
    run 0 "$tcgrr" lockstep --json --a "$qemu" --b "$qemu" -- "$work/clock"
    equal "a clock: lockstep" "$(json .diverged)" false
    run 0 "$tcgrr" lockstep --json --level state --a "$qemu" --b "$qemu" -- "$work/clock"
    equal "a clock: lockstep at level state" "$(json .diverged)" false
fi

# Registers and stores are the same, too: ls maps a shared file, from where on QEMU translates for
# several threads.
if [ "$version" != 7.2 ]; then
    run 0 "$tcgrr" lockstep --json --level state --a "$qemu" --b "$qemu" -- "$(command -v ls)" /
    equal "ls at level state: diverged" "$(json .diverged)" false
    [ "$(json .samples)" -gt 5 ] || fail "ls at level state: only $(json .samples) samples were compared"
    # The dynamic loader reads the clock, which the replay that searches for stores has to give, too.
    run 0 "$tcgrr" record --json -o "$work/ls.tcgrr" -- "$qemu" "$(command -v ls)" /
    run 0 "$tcgrr" why "$work/ls.tcgrr" --at $(($(json .icount) - 100)) rsp --depth 2
    run 0 "$tcgrr" record --level state -o "$work/state.tcgrr" -- "$qemu" "$(command -v ls)" -l /
    run 0 "$tcgrr" replay --json "$work/state.tcgrr"
    equal "ls at level state, replayed: diverged" "$(json .diverged)" false
    [ "$(json .samples)" -gt 5 ] || fail "ls at level state, replayed: only $(json .samples) samples were compared"
fi

# What 7.2 records cannot be given to another one, which puts the program's stack elsewhere: it is
# compared from a place on. The newer one has a vDSO besides, which a program that asks for the time
# sees.
old=$TCGRR_QEMUS/bin/qemu-x86_64-7.2
if [ "$version" != 7.2 ] && [ -x "$old" ]; then
    printf '%s\n' '#include <stdio.h>' 'int main(int c, char **v) {' 'unsigned s = 0;' \
        'for (int i = 0; i < 20000; i++) s += i * c;' 'return printf("%u\n", s) < 0; }' >"$work/static.c"
    "$compiler" -static -O1 -o "$work/static" "$work/static.c"
    run 0 "$tcgrr" lockstep --json --from main --a "$old" --b "$qemu" -- "$work/static"
    equal "7.2 against $version, from main: inputs" "$(json .inputs)" own
    [ "$(json .compared)" -gt 10000 ] || fail "7.2 against $version, from main: only $(json .compared) instructions"
    run 0 "$tcgrr" record -o "$work/old.tcgrr" -- "$old" "$work/static"
    run 0 "$tcgrr" replay --json --qemu "$qemu" --from main "$work/old.tcgrr"
    [ "$(json .compared)" -gt 10000 ] || fail "7.2's replayed in $version, from main: only $(json .compared) instructions"
    "$compiler" -static -O1 -o "$work/vdso" "$work/inputs.c"
    run 1 "$tcgrr" lockstep --json --from main --a "$old" --b "$qemu" -- "$work/vdso"
    contains "a vDSO in one of them: note" "$(json .divergence.note)" "vDSO"
fi

# signals PROGRAM: what becomes of signals that come at other places in each run. They are given
# again or, where they cannot be, there is no verdict.
signals() {
    "$compiler" -static -O1 -o "$work/$1" "$work/$1.c"
    run 0 "$tcgrr" record -o "$work/$1.tcgrr" -- "$qemu" "$work/$1"
    if [ "$version" = 7.2 ]; then
        complains 3 "no verdict" "$tcgrr" replay "$work/$1.tcgrr"
    else
        run 0 "$tcgrr" replay --json "$work/$1.tcgrr"
        equal "$1: verdict" "$(json .verdict)" "no divergence"
    fi
}

cat > "$work/timer.c" <<'C'
#include <signal.h>
#include <sys/time.h>
static volatile int signals;
static void count(int signal)
{
    signals++;
}
int main(void)
{
    struct itimerval every = {{0, 500}, {0, 500}};
    signal(SIGALRM, count);
    setitimer(ITIMER_REAL, &every, 0);
    while (signals < 20)
        ;
    return 0;
}
C
signals timer

# The first of them after a jump whose target is computed, where no code shows that nothing but a
# signal leads to the handler.
cat > "$work/jumps.c" <<'C'
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>
static void end(int signal)
{
    _exit(0);
}
int main(void)
{
    struct itimerval once = {{0, 0}, {0, 20000}};
    signal(SIGALRM, end);
    setitimer(ITIMER_REAL, &once, 0);
    __asm__ volatile("lea 1f(%%rip), %%rax\n1: jmp *%%rax" ::: "rax");
    return 0;
}
C
signals jumps

# Several signals come at once: the frames of their handlers are on each other, and what a handler
# does depends on where its own is.
cat > "$work/several.c" <<'C'
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
static volatile unsigned order, sum;
static void handler(int signal)
{
    int here;
    order = order * 7 + (unsigned)signal;
    for (unsigned long i = 0; i < ((unsigned long)&here >> 4) % 512; i++)
        sum += order;
}
int main(int argc, char **argv)
{
    static const int signals[] = {SIGUSR1, SIGUSR2, SIGHUP, SIGTERM};
    sigset_t blocked, before;
    sigemptyset(&blocked);
    for (int i = 0; i < 4; i++) {
        struct sigaction action = {.sa_handler = handler};
        sigaddset(&blocked, signals[i]);
        sigaction(signals[i], &action, NULL);
    }
    for (int k = 0; k < 3; k++) {
        sigprocmask(SIG_BLOCK, &blocked, &before);
        for (int i = 0; i < 4; i++)
            kill(getpid(), signals[(i + k) % 4]);
        if (k == 1)
            sigsuspend(&before);
        sigprocmask(SIG_SETMASK, &before, NULL);
        kill(getpid(), SIGUSR1);
    }
    return order % 7 == SIGUSR1 % 7 ? 0 : 1;
}
C
"$compiler" -static -O1 -o "$work/several" "$work/several.c"
run 0 "$tcgrr" record -o "$work/several.tcgrr" -- "$qemu" "$work/several"
run 0 "$tcgrr" replay --json "$work/several.tcgrr"
equal "several signals: verdict" "$(json .verdict)" "no divergence"
run 0 "$tcgrr" lockstep --json --a "$qemu" --b "$qemu" -- "$work/several"
equal "several signals: lockstep" "$(json .diverged)" false

# Real-time signals: QEMU gives them other numbers on the host. They come while the program
# computes, several at once with the same one twice, and because a call lets one through.
cat > "$work/realtime.c" <<'C'
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
static volatile unsigned order, sum, caught;
static void handler(int signal, siginfo_t *info, void *context)
{
    int here;
    order = order * 7 + (unsigned)signal + (unsigned)info->si_value.sival_int;
    caught++;
    for (unsigned long i = 0; i < ((unsigned long)&here >> 4) % 512 + order % 16; i++)
        sum += order;
}
int main(int argc, char **argv)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    struct itimerspec every = {{0, 2000000}, {0, 2000000}};
    const union sigval value = {.sival_int = getpid() % 100};
    sigset_t blocked, before;
    timer_t timer;
    sigemptyset(&blocked);
    for (int i = 0; i < 3; i++) {
        sigaddset(&blocked, SIGRTMIN + i);
        sigaction(SIGRTMIN + i, &action, NULL);
    }
    sigprocmask(SIG_BLOCK, &blocked, &before);
    sigqueue(getpid(), SIGRTMIN + 2, value);
    sigqueue(getpid(), SIGRTMIN, value);
    sigqueue(getpid(), SIGRTMIN, value);
    sigprocmask(SIG_SETMASK, &before, NULL);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    sigqueue(getpid(), SIGRTMIN + 1, value);
    sigsuspend(&before);
    sigprocmask(SIG_SETMASK, &before, NULL);
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    timer_settime(timer, 0, &every, NULL);
    while (caught < 8)
        sum++;
    timer_delete(timer);
    return 0;
}
C
[ "$version" = 7.2 ] || signals realtime
