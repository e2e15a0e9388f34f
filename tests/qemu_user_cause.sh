#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 600
# long: it needs a QEMU that was built from source with a fault put into it
# User mode: the cause of what TCG's optimizer does wrong is a block, found from samples of registers and stores. The faulty
# QEMU alone shows it, too, against itself with blocks of one instruction.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

bin=$TCGRR_QEMUS/bin
right=$bin/qemu-x86_64-10.2-src wrong=$bin/qemu-x86_64-10.2-folding-src
{ [ -x "$right" ] && [ -x "$wrong" ]; } ||
    skip "the two QEMUs are not there; scripts/build-qemus.sh 10.2 10.2-folding -- x86_64-linux-user builds them"
[ "$(uname -m)" = x86_64 ] || skip "the guest program is built for x86_64"
command -v gcc >/dev/null || skip "no C compiler for the guest program"

# The wrong value is carried along for long before it decides anything.
cat > "$work/shift.c" <<'C'
#include <stdlib.h>
__attribute__((noinline)) long shift(void)
{
    long x;
    __asm__ volatile("movabs $0xf123456789abcdef, %0; sar $36, %0" : "=r"(x));
    return x;
}
int main(void)
{
    volatile unsigned sum = 0;
    volatile long before = shift();
    for (unsigned i = 0; i < 100000; i++)
        sum += i;
    if (before != (long)0xf123456789abcdef >> 36)
        abort();
    return 0;
}
C
gcc -O1 -static -o "$work/shift" "$work/shift.c"

for level in flow state; do
    run 0 "$tcgrr" record --level $level -o "$work/$level.tcgrr" -- "$right" "$work/shift"
    run 0 "$tcgrr" bisect "$work/$level.tcgrr" --qemu "$right" --json
    equal "level $level, no fault: diverged" "$(json .diverged)" false
    run 1 "$tcgrr" bisect "$work/$level.tcgrr" --qemu "$wrong" --bundle "$work/$level" --json
    equal "level $level: kind" "$(json .cause.kind)" block
    equal "level $level: the block" "$(json .cause.symbol)" shift
    equal "level $level: rax" "$(json '.cause.registers[] | select(.name == "rax") | "\(.a) \(.b)"')" \
        "0xffffffffff123456 0xff123456789abcde"
    contains "level $level: README" "$(cat "$work/$level/README.md")" "shift"
done

run 1 "$tcgrr" lockstep --json --level state --a "$wrong" --b "$wrong" --b-arg -one-insn-per-tb -- "$work/shift"
equal "against itself: diverged" "$(json .diverged)" true
run 0 "$tcgrr" lockstep --json --level state --a "$right" --b "$right" --b-arg -one-insn-per-tb -- "$work/shift"
equal "the right one against itself: diverged" "$(json .diverged)" false
