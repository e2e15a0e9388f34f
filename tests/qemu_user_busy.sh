#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 10.2-src
# long: a thread has to compute for 20 s
# User mode: a thread that keeps another one waiting for too long ends what can be recorded, which
# is no difference of two runs.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

qemu=$(qemu user-x86_64 "${1:-10.2-src}")
compiler=$(command -v gcc || command -v cc || command -v clang) || skip "no C compiler for the guest program"
[ "$(uname -m)" = x86_64 ] || skip "the guest program is built for x86_64"
cat >"$work/busy.c" <<'C'
#include <pthread.h>
static void *compute(void *nothing)
{
    for (volatile unsigned long i = 0; i < 50000000000; i++) {
    }
    return nothing;
}
int main(void)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], 0, compute, 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], 0);
    return 0;
}
C
"$compiler" -static -pthread -O1 -o "$work/busy" "$work/busy.c"
complains 3 "no verdict: .* a thread of the program had computed for 20 s" "$tcgrr" lockstep --a "$qemu" --b "$qemu" -- "$work/busy"
