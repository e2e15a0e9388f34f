#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 600
# long: it needs a QEMU that was built from source with a fault put into it
# User mode: the instruction that TCG's optimizer does wrong is found, and where values come from,
# in a program that is paused in the middle of translations. The faulty QEMU alone shows the fault,
# too, against itself with blocks of one instruction.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

bin=$TCGRR_QEMUS/bin
right=$bin/qemu-x86_64-10.2-src wrong=$bin/qemu-x86_64-10.2-folding-src
{ [ -x "$right" ] && [ -x "$wrong" ]; } ||
    skip "the two QEMUs are missing; scripts/build-qemus.sh 10.2 10.2-folding -- x86_64-linux-user builds them"
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
    equal "level $level: kind" "$(json .cause.kind)" instruction
    equal "level $level: the instruction" "$(json .cause.disasm)" "sar rax, 0x24"
    equal "level $level: rax" "$(json '.cause.registers[] | "\(.name) \(.before) \(.a) \(.b)"')" \
        "rax 0xf123456789abcdef 0xffffffffff123456 0xff123456789abcde"
    equal "level $level: it led to" "$(json '.cause.chain[-1].disasm' | cut -c1-3)" jne
    contains "level $level: README" "$(cat "$work/$level/README.md")" "sar rax"
    equal "level $level: scratch" "$(find "$TMPDIR" -name 'tcgrr-*' -newer "$work/shift" ! -path "$work*" | wc -l)" 0
done

# ---- where values come from ----

shift_at=$(json .cause.icount)
run 0 "$tcgrr" why "$work/flow.tcgrr" --at $((shift_at + 1)) rax --json
equal "why: the steps" "$(json '[.steps[].disasm] | join("; ")')" "sar rax, 0x24; movabs rax, 0xf123456789abcdef"
equal "why: how it ends" "$(json .ends | cut -d: -f1)" constant
stack=$("$tcgrr" query "$work/flow.tcgrr" --format json \
    "SELECT icount FROM insn WHERE symbol LIKE 'main%' AND disasm LIKE 'mov qword ptr [rsp]%' LIMIT 1" | jq '.[0].icount')
run 0 "$tcgrr" why "$work/flow.tcgrr" --at $((stack + 300)) rsp --json
contains "why: the stack pointer" "$(json '.steps[0].disasm')" "^ret"
contains "why: what the return reads" "$(json '.steps[0].read[].what' | tr '\n' ' ')" "memory 0x[0-9a-f]+:8"
contains "why: who wrote that" "$(json '.steps[1].disasm')" "^call"

# A dynamic program, whose libraries are mapped where QEMU's own memory might be: it is walked to
# its end, and what Linux wrote is not taken for what the program did.
cat > "$work/reads.c" <<'C'
#include <fcntl.h>
#include <unistd.h>
static char text[64];
volatile int sum;
int main(int argc, char **argv)
{
    int fd = open(argv[1], O_RDONLY);
    if (read(fd, text, sizeof(text)) < 1)
        return 2;
    sum = text[1];
    return 0;
}
C
gcc -O1 -no-pie -o "$work/reads" "$work/reads.c"
run 0 "$tcgrr" record -o "$work/reads.tcgrr" -- "$right" "$work/reads" "$work/reads.c"
last=$("$tcgrr" info "$work/reads.tcgrr" --json | jq .icount)
address=$(printf '0x%x' $((0x$(nm "$work/reads" | awk '$3 == "text" {print $1}') + 1)))
loads=$("$tcgrr" query "$work/reads.tcgrr" --format json "SELECT icount FROM insn WHERE symbol LIKE 'main%' AND disasm LIKE 'movsx%'" |
    jq '.[0].icount')
run 0 "$tcgrr" why "$work/reads.tcgrr" --at $((loads + 1)) rax --json
contains "why: what a call read" "$(json .ends)" "^start or input: memory $address:1: .* a system call"
run 0 "$tcgrr" why "$work/reads.tcgrr" --at $((last - 100)) rsp --json --depth 2

run 1 "$tcgrr" lockstep --json --level state --a "$wrong" --b "$wrong" --b-arg -one-insn-per-tb -- "$work/shift"
equal "against itself: diverged" "$(json .diverged)" true
run 0 "$tcgrr" lockstep --json --level state --a "$right" --b "$right" --b-arg -one-insn-per-tb -- "$work/shift"
equal "the right one against itself: diverged" "$(json .diverged)" false
