#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: aarch64 riscv64 aarch64-10.2-src riscv64-10.2-src
# User-mode guests of other machines: recorded, replayed, compared, and with what they fork.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

target=${1:-aarch64}
version=7.2
[[ $target != *-* ]] || version=${target#*-}
target=${target%%-*}
qemu=$(qemu "user-$target" "$version")
compiler=$(command -v "$target-linux-gnu-gcc") || skip "no $target-linux-gnu-gcc; the package is gcc-$target-linux-gnu"

cat > "$work/guest.c" <<'C'
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
int main(void)
{
    volatile unsigned sum = 0;
    struct timespec now;
    int status;
    pid_t pid = fork();
    for (unsigned i = 0; i < 1000; i++)
        sum += i;
    if (pid == 0)
        _exit(5);
    waitpid(pid, &status, 0);
    clock_gettime(CLOCK_REALTIME, &now);
    printf("%d\n", WEXITSTATUS(status));
    return 0;
}
C
"$compiler" -static -O1 -o "$work/guest" "$work/guest.c" 2>"$work/err" ||
    skip "$compiler cannot make a static program: $(head -n 1 "$work/err")"
run 0 "$tcgrr" record --json --follow all -o "$work/a.tcgrr" -- "$qemu" "$work/guest"
equal "target" "$(json .target)" "$target"
equal "processes" "$(json '[.processes[] | "\(.name) \(.exit) \(.complete)"] | join(", ")')" "0 exit 0 true, 1 exit 5 true"
for trace in a a.1; do verify "$trace"; done
run 0 "$tcgrr" replay --json "$work/a.tcgrr"
equal "replay: diverged" "$(json .diverged)" false
run 0 "$tcgrr" lockstep --json --a "$qemu" --b "$qemu" --b-arg "$([ "$version" = 7.2 ] && echo -singlestep || echo -one-insn-per-tb)" -- "$work/guest"
equal "lockstep: diverged" "$(json .diverged)" false
[ "$(json .compared)" -gt 5000 ] || fail "lockstep: only $(json .compared) instructions were compared"

# Two signals at once, in handlers that are told no more than the number: on aarch64 they get no
# other argument. What they do depends on where their frames are.
cat > "$work/signals.c" <<'C'
#include <signal.h>
#include <unistd.h>
static volatile unsigned sum;
static void handler(int signal)
{
    int here;
    for (unsigned long i = 0; i < ((unsigned long)&here >> 4) % 512; i++)
        sum += (unsigned)signal;
}
int main(void)
{
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGUSR2);
    signal(SIGUSR1, handler);
    signal(SIGUSR2, handler);
    for (int k = 0; k < 3; k++) {
        sigprocmask(SIG_BLOCK, &blocked, NULL);
        kill(getpid(), SIGUSR1);
        kill(getpid(), SIGUSR2);
        sigprocmask(SIG_UNBLOCK, &blocked, NULL);
    }
    return 0;
}
C
"$compiler" -static -O1 -o "$work/signals" "$work/signals.c"
run 0 "$tcgrr" record -o "$work/signals.tcgrr" -- "$qemu" "$work/signals"
run 0 "$tcgrr" replay --json "$work/signals.tcgrr"
equal "signals: verdict" "$(json .verdict)" "no divergence"

# Where results can be given, registers and stores are the same, too.
for what in guest signals; do
    [ "$version" != 7.2 ] || break
    run 0 "$tcgrr" record --level state --sample-step 25 -o "$work/state.tcgrr" --force -- "$qemu" "$work/$what"
    for options in "" -one-insn-per-tb; do
        run 0 "$tcgrr" replay --json "$work/state.tcgrr" ${options:+-- "$options"}
        equal "$what at level state $options: verdict" "$(json .verdict)" "no divergence"
        [ "$(json .samples)" -gt 50 ] || fail "$what at level state: only $(json .samples) samples were compared"
    done
    run 0 "$tcgrr" lockstep --json --level state --a "$qemu" --b "$qemu" -- "$work/$what"
    equal "$what at level state, lockstep: diverged" "$(json .diverged)" false
done
run 0 "$tcgrr" lockstep --json --a "$qemu" --b "$qemu" -- "$work/signals"
equal "signals: lockstep" "$(json .diverged)" false
