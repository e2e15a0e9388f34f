#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 7.2 10.2-src
# User mode: a recorded program is given the same again, whatever the host has to say by then.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

version=${1:-7.2}
qemu=$(qemu user-x86_64 "$version")
compiler=$(command -v gcc || command -v cc || command -v clang) || skip "no C compiler for the guest program"
[ "$(uname -m)" = x86_64 ] || skip "the guest program is built for x86_64"
exact=true # registers can be written, so that the host need not be asked
[ "$version" != 7.2 ] || exact=false

cat > "$work/given.c" <<'C'
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile int caught;
static void handler(int signal) { caught += signal; }
int main(int argc, char **argv)
{
    unsigned numbers[64], sum = 0;
    char text[64] = "";
    int fd = open(argv[1], O_RDWR | O_APPEND);
    char *mapped = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    if (fd < 0 || mapped == MAP_FAILED || read(fd, text, sizeof(text) - 1) < 1 || getrandom(numbers, sizeof(numbers), 0) < 1)
        return 2;
    for (unsigned i = 0; i < 64; i++)
        for (unsigned k = 0; k < numbers[i] % 64 + (unsigned)text[i % 8] + (unsigned)mapped[i % 8]; k++)
            sum += k ^ numbers[i];
    signal(SIGUSR1, handler);
    signal(SIGCHLD, handler);
    if (argc == 3) {
        for (pid_t pid = getpid(); pid > 1; pid = pid % 2 ? 3 * pid + 1 : pid / 2)
            sum += (unsigned)pid;
        raise(SIGUSR1);
        sigset_t set; /* so that it comes on a call's return */
        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        sigprocmask(SIG_BLOCK, &set, NULL);
        pid_t child = fork();
        if (child == 0)
            _exit(3);
        int status = 0;
        while (waitpid(child, &status, 0) != child)
            ;
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        sum += (unsigned)status;
        unlink(argv[2]);
    }
    dprintf(fd, "%u\n", sum);
    return caught ? 3 : 4;
}
C
"$compiler" -static -O1 -o "$work/given" "$work/given.c"

# What the run wrote to, and whatever else it changed, is another one by the time of the replay.
echo "12345678" >"$work/file"
run 0 "$tcgrr" record --json -o "$work/plain.tcgrr" -- "$qemu" "$work/given" "$work/file"
equal "exit" "$(json .exit)" "exit 4"
icount=$(json .icount)
verify plain
if $exact; then
    echo "something else" >"$work/file"
else
    echo "12345678" >"$work/file"
fi
cp "$work/file" "$work/file.before"
run 0 "$tcgrr" replay --json "$work/plain.tcgrr"
equal "diverged" "$(json .diverged)" false
equal "compared" "$(json .compared)" "$icount"
equal "calls that differ" "$(json .input_differences)" 0
inputs=$($exact && echo shared || echo own)
equal "inputs" "$(json .inputs)" "$inputs"
if $exact; then
    cmp -s "$work/file" "$work/file.before" || fail "the replay wrote to the file"
fi
equal "files that are left" "$(find "$work" -name '*.calls')" ""
run 0 "$tcgrr" replay --json "$work/plain.tcgrr" --at 5000
equal "stopped at" "$(json .stopped_at)" 5000
run 0 "$tcgrr" bisect-run --json "$work/plain.tcgrr" --qemu "$qemu"
equal "bisect-run: inputs" "$(json .inputs)" "$inputs"
run 0 "$tcgrr" bisect --json "$work/plain.tcgrr" --qemu "$qemu"
equal "bisect: inputs" "$(json .inputs)" "$inputs"
run 0 "$tcgrr" bisect --json "$work/plain.tcgrr" --builds "$qemu"
equal "bisect --builds: inputs" "$(json '.inputs, .tested[].inputs')" "$inputs"$'\n'"$inputs"
run 0 "$tcgrr" extract "$work/plain.tcgrr" "$work/extracted"
if $exact; then
    run 0 "$tcgrr" lockstep --json --a "$work/plain.tcgrr" --b "$qemu" -- "$work/given" "$work/file"
    equal "lockstep with the trace: compared" "$(json .compared)" "$icount"
fi
if [ "${1%-src}" = 7.2 ]; then
    complains 3 "takes x86_64, aarch64 or riscv64 and QEMU 10.1 or later" "$tcgrr" why "$work/plain.tcgrr" --at 1000 rax
else
    run 0 "$tcgrr" why "$work/plain.tcgrr" --at 1000 rax --json
    contains "why ends somewhere" "$(json .ends)" "^(constant|start|input|depth|clock|unknown)"
fi
complains 3 "user-mode recording: gdb" "$tcgrr" gdb "$work/plain.tcgrr" 1000
complains 3 "user-mode recording: keyframes" "$tcgrr" keyframes "$work/plain.tcgrr"
complains 3 "user-mode recording: levels cannot be derived" "$tcgrr" fill "$work/plain.tcgrr" --level full

# Another call than the recorded one is a divergence at which both are reported.
cat > "$work/calls.c" <<'C'
#include <sys/syscall.h>
#include <unistd.h>
volatile long number = NUMBER;
int main(void) { return syscall(number) < 0; }
C
"$compiler" -static -O1 -DNUMBER=SYS_getppid -o "$work/calls" "$work/calls.c"
run 0 "$tcgrr" record --json -o "$work/calls.tcgrr" -- "$qemu" "$work/calls"
"$compiler" -static -O1 -DNUMBER=SYS_getuid -o "$work/calls" "$work/calls.c"
run 1 "$tcgrr" replay --json "$work/calls.tcgrr"
equal "kind" "$(json .divergence.kind)" "system call"
equal "the recorded call" "$(json .divergence.calls.a.number)" 110
equal "the other call" "$(json .divergence.calls.b.number)" 102

# What another result of a call leads to is given or, where it cannot be, no divergence: the two are
# compared again from where they meet. Where they do not, it says that the rest was not compared.
cat > "$work/differs.c" <<'C'
#include <unistd.h>
static volatile unsigned sum;
static void work(unsigned turns) { for (unsigned i = 0; i < turns; i++) sum += i; }
int main(int argc, char **argv)
{
    work(BEFORE);
    work(access(argv[1], F_OK) == 0 ? TURNS : 10);
    getuid();
    work(10000);
    return 0;
}
C
"$compiler" -static -O1 -DBEFORE=0 -DTURNS=500 -o "$work/differs" "$work/differs.c"
"$compiler" -static -O1 -DBEFORE=500000 -DTURNS=500 -o "$work/late" "$work/differs.c"
"$compiler" -static -O1 -DBEFORE=0 -DTURNS=200000 -o "$work/far" "$work/differs.c"
for program in differs late far; do
    run 0 "$tcgrr" record --json -o "$work/$program.tcgrr" -- "$qemu" "$work/$program" "$work/comes"
done
: >"$work/comes"
icount=$("$tcgrr" info "$work/differs.tcgrr" --json | jq .icount)
run 0 "$tcgrr" replay --json "$work/differs.tcgrr"
equal "differs: diverged" "$(json .diverged)" false
if $exact; then
    equal "differs: compared" "$(json .compared)" "$icount"
    equal "differs: verdict" "$(json .verdict)" "no divergence"
    run 0 "$tcgrr" replay "$work/far.tcgrr"
else
    equal "differs: places" "$(json .input_places)" 1
    equal "differs: all is told" "$(json '.compared + .not_compared.a')" "$icount"
    contains "differs: verdict" "$(json .verdict)" "^no divergence, except for"
    [ "$(json .compared)" -gt 30000 ] || fail "after the runs met again nothing was compared: $(json .compared)"
    run 0 "$tcgrr" replay --json "$work/late.tcgrr" # the beginning is not at hand any more
    equal "late: places" "$(json .input_places)" 1
    run 3 "$tcgrr" replay --json "$work/far.tcgrr"
    equal "far: what is left out" "$(json .rest_left_out)" true
    contains "far: verdict" "$(json .verdict)" "^not compared to the end"
    run 3 "$tcgrr" replay "$work/far.tcgrr"
    contains "far: what is said" "$(cat "$work/out")" "^Not compared to the end: the same for"
    equal "far: no agreement" "$(grep -c "no divergence" "$work/out")" 0
    run 125 "$tcgrr" bisect-run "$work/differs.tcgrr" --qemu "$qemu"
    run 125 "$tcgrr" bisect-run "$work/far.tcgrr" --qemu "$qemu"
fi

if $exact; then
    # Signals, children and files that are gone: nothing of it happens again.
    echo "12345678" >"$work/file"
    : >"$work/goes"
    run 0 "$tcgrr" record --json -o "$work/all.tcgrr" -- "$qemu" "$work/given" "$work/file" "$work/goes"
    equal "signals" "$(json .events.signal)" 2
    icount=$(json .icount)
    rm "$work/file"
    : >"$work/goes"
    run 0 "$tcgrr" replay --json "$work/all.tcgrr"
    equal "all: diverged" "$(json .diverged)" false
    equal "all: compared" "$(json .compared)" "$icount"
    [ -e "$work/goes" ] || fail "the replay removed a file"
    [ ! -e "$work/file" ] || fail "the replay made a file"
fi

# A program that executes another one goes on in the same run; a script is executed by what it
# names.
printf '#!%s %s\n' "$work/given" "$work/file" >"$work/script"
cat > "$work/exec.c" <<'C'
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    char *none[] = {NULL};
    char *words[] = {"renamed", argv[2], NULL}, *variables[] = {"A=b", "MALLOC_ARENA_MAX=7", NULL};
    if (execve("/nonexistent", words, none) == 0)
        return 9;
    execve(argv[1], words, variables);
    return 8;
}
C
"$compiler" -static -O1 -o "$work/exec" "$work/exec.c"
echo "12345678" >"$work/file"
chmod +x "$work/script"
for what in given script; do
    run 0 "$tcgrr" record --json -o "$work/exec-$what.tcgrr" -- "$qemu" "$work/exec" "$work/$what" "$work/file"
    equal "exec $what: exit" "$(json .exit)" "exit 4"
    equal "exec $what: complete" "$(json .complete)" true
    equal "exec $what: executed" "$(json .events.exec)" 1
    icount=$(json .icount)
    verify "exec-$what"
    echo "12345678" >"$work/file"
    run 0 "$tcgrr" replay --json "$work/exec-$what.tcgrr"
    equal "exec $what: compared" "$(json .compared)" "$icount"
    echo "12345678" >"$work/file"
done
# QEMU behind a script that has options of its own.
printf '#!/bin/sh\nexec "%s" -cpu max "$@"\n' "$(command -v "$qemu")" >"$work/qemu-x86_64"
chmod +x "$work/qemu-x86_64"
run 0 "$tcgrr" record --json -o "$work/wrapped.tcgrr" -- "$work/qemu-x86_64" "$work/exec" "$work/given" "$work/file"
equal "a script in QEMU's place: exit" "$(json .exit)" "exit 4"
equal "a script in QEMU's place: executed" "$(json .events.exec)" 1
icount=$(json .icount)
echo "12345678" >"$work/file"
run 0 "$tcgrr" replay --json "$work/wrapped.tcgrr"
equal "a script in QEMU's place: compared" "$(json .compared)" "$icount"
echo "12345678" >"$work/file"
run 0 "$tcgrr" record --json --follow none -o "$work/none.tcgrr" -- "$qemu" "$work/exec" "$work/given" "$work/file"
equal "follow none: exit" "$(json .exit)" "exit 4"
equal "follow none: complete" "$(json .complete)" true
equal "follow none: executed" "$(json .events.exec)" null
icount=$(json .icount)
run 0 "$tcgrr" replay --json "$work/none.tcgrr"
equal "follow none: compared" "$(json .compared)" "$icount"
