#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: aarch64 riscv64
# User-mode guests of other machines: recorded, replayed, compared, and with what they fork.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

target=${1:-aarch64}
qemu=$(qemu "user-$target" 7.2)
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
run 0 "$tcgrr" lockstep --json --a "$qemu" --b "$qemu" --b-arg -singlestep -- "$work/guest"
equal "lockstep: diverged" "$(json .diverged)" false
[ "$(json .compared)" -gt 5000 ] || fail "lockstep: only $(json .compared) instructions were compared"
