#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 10.2-src
# extended: 7.2
# User mode: threads run in one order, which is recorded, so that a replay and the other side of
# lockstep have the same.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

version=${1:-7.2}
qemu=$(qemu user-x86_64 "$version")
compiler=$(command -v gcc || command -v cc || command -v clang) || skip "no C compiler for the guest program"
[ "$(uname -m)" = x86_64 ] || skip "the guest program is built for x86_64"

# What it computes depends on the order in which the threads come to the lock, and so does how long
# it runs.
cat > "$work/threads.c" <<'C'
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned order;
static void *work(void *data)
{
    unsigned number = (unsigned)(unsigned long)data;
    struct timespec pause = {0, 1000 * (number % 3)};
    for (int i = 0; i < 20; i++) {
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&lock);
        order = order * 31 + number;
        sched_yield();
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}
int main(void)
{
    pthread_t threads[3];
    volatile unsigned sum = 0;
    for (unsigned long i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, work, (void *)(i + 1));
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < order % 1000; i++)
        sum += i;
    printf("%u\n", order);
    return 0;
}
C
"$compiler" -static -pthread -O1 -o "$work/threads" "$work/threads.c"

run 0 "$tcgrr" record --json -o "$work/threads.tcgrr" -- "$qemu" "$work/threads"
equal "threads" "$(json .vcpus)" 4
equal "complete" "$(json .complete)" true
icount=$(json .icount)
verify threads
# compares COMMAND…: the exit status is 0 only if the comparison came to the end.
compares() {
    local status=0
    "$tcgrr" "$@" >"$work/out" 2>"$work/err" || status=$?
    equal "$1: exit status" "$status" "$(json 'if .rest_left_out then 3 else 0 end')"
}

for _ in 1 2 3; do
    compares replay --json "$work/threads.tcgrr"
    equal "replay: diverged" "$(json .diverged)" false
    # Where calls are made again, whether one that waits for a lock has to is up to the host.
    if [ "$version" != 7.2 ]; then
        equal "replay: compared" "$(json .compared)" "$icount"
        equal "replay: to the end" "$(json .rest_left_out)" false
    fi
done
compares lockstep --json --a "$qemu" --b "$qemu" -- "$work/threads"
equal "lockstep: diverged" "$(json .diverged)" false
[ "$(json .compared)" -gt 10000 ] || fail "lockstep: only $(json .compared) instructions were compared"

# The first thread ends before the others, which read memory and take signals after that.
cat > "$work/first.c" <<'C'
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile int caught, ended;
static void handler(int signal) { caught++; }
static void *work(void *data)
{
    struct timespec now, pause = {0, 5000000};
    volatile unsigned sum = 0;
    nanosleep(&pause, NULL);
    pthread_mutex_lock(&lock);
    clock_gettime(CLOCK_REALTIME, &now);
    for (long i = 0; i < now.tv_nsec % 1000; i++)
        sum += i;
    raise(SIGUSR1);
    if (++ended == 2) {
        printf("%d\n", caught);
        exit(0);
    }
    pthread_mutex_unlock(&lock);
    for (;;)
        pause.tv_sec++, nanosleep(&pause, NULL);
}
int main(void)
{
    pthread_t threads[2];
    signal(SIGUSR1, handler);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, work, NULL);
    syscall(SYS_exit, 0);
}
C
"$compiler" -static -pthread -O1 -o "$work/first" "$work/first.c"
run 0 timeout 60 "$tcgrr" record -o "$work/first.tcgrr" -- "$qemu" "$work/first"
equal "the first thread ends: output" "$(grep -cx 2 "$work/out")" 1
verify first
compares replay --json "$work/first.tcgrr"
equal "the first thread ends: diverged" "$(json .diverged)" false
if [ "$version" != 7.2 ]; then
    equal "the first thread ends: to the end" "$(json .rest_left_out)" false
fi
compares lockstep --json --a "$qemu" --b "$qemu" -- "$work/first"
equal "the first thread ends: lockstep" "$(json .diverged)" false

# A signal interrupts a call that a thread waits in while others run, and the call is made again.
cat > "$work/again.c" <<'C'
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
static int ends[2];
static volatile int caught;
static void handler(int signal) { caught++; }
static void *work(void *data)
{
    char byte;
    for (int i = 0; i < 3; i++)
        if (read(ends[0], &byte, 1) != 1)
            caught += 100;
    return NULL;
}
int main(void)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    pthread_t thread;
    sigaction(SIGUSR1, &action, NULL);
    if (pipe(ends) != 0 || pthread_create(&thread, NULL, work, NULL) != 0)
        return 1;
    for (int i = 0; i < 3; i++) {
        usleep(20000);
        pthread_kill(thread, SIGUSR1);
        usleep(20000);
        if (write(ends[1], "x", 1) != 1)
            return 2;
    }
    pthread_join(thread, NULL);
    printf("%d\n", caught);
    return 0;
}
C
"$compiler" -static -pthread -O1 -o "$work/again" "$work/again.c"
run 0 timeout 60 "$tcgrr" record -o "$work/again.tcgrr" -- "$qemu" "$work/again"
equal "a call made again: output" "$(grep -cx 3 "$work/out")" 1
compares replay --json "$work/again.tcgrr"
equal "a call made again: diverged" "$(json .diverged)" false
if [ "$version" != 7.2 ]; then
    equal "a call made again: to the end" "$(json .rest_left_out)" false
fi

# QEMU's own threads need stacks. Whether one is free again is a race, which a replay without the
# sleep mostly loses: the next stack must not be where the program is to get its memory.
cat > "$work/stacks.c" <<'C'
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
static void *work(void *data)
{
    return data;
}
int main(void)
{
    pthread_t thread;
    for (int round = 0; round < 40; round++) {
        pthread_create(&thread, NULL, work, NULL);
        pthread_join(thread, NULL);
        usleep(5000);
        char *memory = mmap(NULL, 300000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        *memory = 1;
        if (round % 4 == 0)
            munmap(memory, 300000);
        else if (round % 4 == 1)
            memory = mremap(memory, 300000, 800000, MREMAP_MAYMOVE);
    }
    return 0;
}
C
"$compiler" -pthread -O1 -o "$work/stacks" "$work/stacks.c"
run 0 timeout 60 "$tcgrr" record -o "$work/stacks.tcgrr" -- "$qemu" "$work/stacks"
for _ in 1 2 3; do
    compares replay --json "$work/stacks.tcgrr"
    equal "stacks: diverged" "$(json .diverged)" false
    [ "$version" = 7.2 ] || equal "stacks: to the end" "$(json .rest_left_out)" false
done
compares lockstep --json --a "$qemu" --b "$qemu" -- "$work/stacks"
equal "stacks: lockstep: diverged" "$(json .diverged)" false
[ "$version" = 7.2 ] || equal "stacks: lockstep: to the end" "$(json .rest_left_out)" false

# The C library cancels a thread by a real-time signal of its own. In QEMU 7.2 the program dies of
# that without tcgrr, too.
if [ "$version" != 7.2 ]; then
    cat > "$work/cancel.c" <<'C'
#include <pthread.h>
#include <unistd.h>
static void *wait_for_ever(void *data)
{
    for (;;)
        pause();
}
int main(void)
{
    pthread_t thread;
    void *result;
    pthread_create(&thread, NULL, wait_for_ever, NULL);
    usleep(10000);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    return result == PTHREAD_CANCELED ? 0 : 1;
}
C
    "$compiler" -pthread -O1 -o "$work/cancel" "$work/cancel.c"
    run 0 timeout 60 "$tcgrr" record --json -o "$work/cancel.tcgrr" -- "$qemu" "$work/cancel"
    equal "a thread that is cancelled: exit" "$(json .exit)" "exit 0"
    run 0 "$tcgrr" replay --json "$work/cancel.tcgrr"
    equal "a thread that is cancelled: diverged" "$(json .diverged)" false
    equal "a thread that is cancelled: to the end" "$(json .rest_left_out)" false
fi

# A thread waits for a signal that is blocked otherwise, while another one sends it.
if [ "$version" != 7.2 ]; then
    cat > "$work/waits.c" <<'C'
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
static volatile int caught;
static void handle(int signal) { caught += signal; }
static void *send(void *nothing)
{
    for (int i = 0; i < 4; i++) {
        usleep(3000);
        kill(getpid(), SIGUSR2);
        for (int k = caught; caught == k;)
            usleep(500);
    }
    return NULL;
}
int main(void)
{
    sigset_t blocked, none;
    pthread_t thread;
    struct timespec long_time = {5, 0}, short_time = {0, 1000000};
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    signal(SIGUSR2, handle);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    pthread_create(&thread, NULL, send, NULL);
    for (int i = 0; i < 4; i++) {
        ppoll(NULL, 0, &short_time, &blocked);
        if (i % 2)
            sigsuspend(&none);
        else
            ppoll(NULL, 0, &long_time, &none);
    }
    pthread_join(thread, NULL);
    printf("%d\n", caught);
    return 0;
}
C
    "$compiler" -pthread -O1 -o "$work/waits" "$work/waits.c"
    run 0 timeout 60 "$tcgrr" record --json -o "$work/waits.tcgrr" -- "$qemu" "$work/waits"
    run 0 timeout 60 "$tcgrr" replay --json "$work/waits.tcgrr"
    equal "a signal that is waited for: verdict" "$(json .verdict)" "no divergence"
    run 0 timeout 60 "$tcgrr" lockstep --json --a "$qemu" --b "$qemu" --b-arg -one-insn-per-tb -- "$work/waits"
    equal "a signal that is waited for, lockstep: diverged" "$(json .diverged)" false
fi

# On a target whose calls tcgrr does not know. The first thread waits for what the second one writes.
other=$TCGRR_QEMUS/bin/qemu-arm-7.2
if [ "$version" = 7.2 ] && [ -x "$other" ] && command -v clang ld.lld >/dev/null; then
    cat > "$work/arm.S" <<'S'
    .syntax unified
    .globl _start
_start:
    ldr r0, =0x50f00 @ a thread: CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM
    ldr r1, =stack_end
    mov r2, #0
    mov r3, #0
    mov r4, #0
    ldr r5, =written
    mov r7, #120 @ clone
    svc #0
    cmp r0, #0
    beq 2f
1:  mov r7, #158 @ sched_yield
    svc #0
    ldr r1, [r5]
    cmp r1, #0
    beq 1b
    mov r0, #3
    mov r7, #248 @ exit_group
    svc #0
2:  mov r1, #1
    str r1, [r5]
    mov r7, #1 @ exit
    svc #0
    .bss
    .balign 4096
written: .space 4096
    .space 4096
stack_end:
S
    clang --target=armv7-linux-gnueabi -nostdlib -static -fuse-ld=lld -o "$work/arm" "$work/arm.S"
    run 0 timeout 60 "$tcgrr" record --json -o "$work/arm.tcgrr" -- "$other" "$work/arm"
    equal "a thread on another target: exit" "$(json .exit)" "exit 3"
    equal "a thread on another target: threads" \
        "$("$tcgrr" query "$work/arm.tcgrr" --format csv "SELECT count(DISTINCT vcpu) FROM exec" | tail -n 1)" 2
    run 0 timeout 60 "$tcgrr" replay --json "$work/arm.tcgrr"
    equal "a thread on another target: diverged" "$(json .diverged)" false
fi

# Memory that QEMU itself has given up lies between the program's, and is not for its next stack
# either.
python=$(command -v /usr/bin/python3 || true)
if [ "$version" != 7.2 ] && [ -n "$python" ]; then
    run 0 timeout 60 "$tcgrr" record --json -o "$work/python.tcgrr" -- "$qemu" "$python" -c \
        'import hashlib, threading; t = [threading.Thread(target=lambda: hashlib.sha256(b"x" * 3000)) for _ in range(4)]
[x.start() for x in t]; [x.join() for x in t]'
    run 0 "$tcgrr" replay --json "$work/python.tcgrr"
    equal "python: verdict" "$(json .verdict)" "no divergence"
fi
