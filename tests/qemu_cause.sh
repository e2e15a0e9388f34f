#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: all
# timeout: 400
# The cause of a real difference between two stock QEMUs: 7.2 computes the carry flag of x86's blsi
# wrongly, and the guest branches on it 300,000 instructions later.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

export TMPDIR=$work/tmp
mkdir "$TMPDIR"

# left_nothing WHAT: no temporary file stays behind, nor any process that works in them.
left_nothing() {
    equal "$1: temporary files" "$(ls -A "$TMPDIR")" ""
    equal "$1: processes left" "$(pgrep -af "$TMPDIR" || true)" ""
}

# cause A B [OPTION...]: of the difference between a recording in version A and version B.
cause() {
    local a=$1 b=$2
    shift 2
    run 1 "$tcgrr" bisect "$work/blsi-$a.tcgrr" --qemu "$(qemu x86_64 "$b")" --json --force "$@"
    equal "$a, $b: diverged" "$(json .diverged)" true
    equal "$a, $b: kind" "$(json .cause.kind)" instruction
    equal "$a, $b: symbol" "$(json .cause.symbol)" blsi_instruction
    equal "$a, $b: bytes" "$(json .cause.bytes)" c4e268f3d8
    contains "$a, $b: disassembly" "$(json .cause.disasm)" "^blsi"
    equal "$a, $b: registers" "$(json '[.cause.registers[].name] | join(" ")')" eflags
    equal "$a, $b: carry flag" "$(json '.cause.registers[0].flags[] | select(.name == "CF") | "\(.a) \(.b)"')" "$flags"
    equal "$a, $b: memory" "$(json '.cause.memory | length')" 0
    local later
    later=$(json '.divergence.icount - .cause.icount')
    [ "$later" -ge 100000 ] || fail "$a, $b: only $later instructions from the cause to the divergence"
    equal "$a, $b: the chain" "$(json '[.cause.chain[].symbol] | join(" ")')" \
        "blsi_instruction blsi_instruction+0x5 blsi_branch blsi_branch+0x7"
    equal "$a, $b: what passed it on" "$(json '[.cause.chain[].takes] | join(";")')" \
        ";eflags (CF);memory $(address "$fixtures/x86-blsi.elf" blsi_carry) (1 byte);eflags (ZF)"
    left_nothing "$a, $b"
}

guest x86-blsi 7.2
record blsi-7.2
guest x86-blsi 10.0
record blsi-10.0

# Firmware of two releases differs: what counts is found from the guest's own start on, by itself or
# as it is told.
flags="0 1"
cause 7.2 10.0
cause 7.2 10.0 --from guest_main
flags="1 0"
cause 10.0 7.2 --bundle "$work/other"

# The folder is a bug report: both translations of the block, all registers, the trace around it,
# and a guest that shows the difference by itself, in QEMUs that are told nothing else.
equal "bundle" "$(json .cause.bundle)" "$work/other"
for file in README.md finding.html finding.json registers.csv window-a.csv window-b.csv block-a.log block-b.log a.tcgrr b.tcgrr guest.S; do
    [ -s "$work/other/$file" ] || fail "the bundle has no $file"
done
contains "window" "$(cat "$work/other/window-b.csv")" "blsi edx, eax"
contains "README" "$(cat "$work/other/README.md")" "^- A: QEMU emulator version 10.0"
contains "README" "$(cat "$work/other/README.md")" "^- B: QEMU emulator version 7.2"
for side in a b; do
    contains "block-$side.log" "$(cat "$work/other/block-$side.log")" "^OP after optimization"
    contains "block-$side.log" "$(cat "$work/other/block-$side.log")" "^OUT: "
done
equal "finding.json" "$(jq -r .cause.symbol "$work/other/finding.json")" blsi_instruction
equal "guest" "$(json .cause.standalone.reproduces)" true
for version in 7.2 10.0 11.1; do
    "$work/other/run.sh" "$(qemu x86_64 "$version")" >"$work/guest.$version" 2>/dev/null || true
done
contains "guest in 7.2" "$(cat "$work/guest.7.2")" "^eflags 00000002$"
contains "guest in 10.0" "$(cat "$work/guest.10.0")" "^eflags 00000003$"
equal "guest in 11.1" "$(cat "$work/guest.11.1")" "$(cat "$work/guest.10.0")"
equal "what else differs in the guest" "$(diff "$work/guest.7.2" "$work/guest.10.0" | grep -c '^[<>]')" 2
verify other/b

# Each command lands before the instruction.
mapfile -t commands < <(json '.cause.commands[]')
equal "commands" "${#commands[@]}" 2
for line in "${commands[@]}"; do
    line=${line/#tcgrr/$tcgrr}
    run 0 bash -c "${line% --gdb :1234}"
    contains "landing" "$(cat "$work/out")" "no divergence up to here"
done

# The text says the same.
run 1 "$tcgrr" bisect "$work/blsi-7.2.tcgrr" --qemu "$(qemu x86_64 10.0)" --from _start
contains "text: a new folder each time" "$(cat "$work/out")" "all of it is in $work/blsi-7.2-cause-3"
contains "text: cause" "$(cat "$work/out")" "^CAUSE \(instruction\) at icount"
contains "text: instruction" "$(cat "$work/out")" "blsi_instruction: blsi edx, eax \(c4e268f3d8\)"
contains "text: flag" "$(cat "$work/out")" "^ *CF +before 0, A 0, B 1$"

# No difference, no cause: the same QEMU replays the recording.
run 0 "$tcgrr" bisect "$work/blsi-10.0.tcgrr" --qemu "$(qemu x86_64 10.0)" --json --bundle "$work/none"
equal "same QEMU: diverged" "$(json .diverged)" false
equal "same QEMU: cause" "$(json .cause)" null
[ ! -e "$work/none" ] || fail "a folder was made for nothing"
guest rv64-trap 7.2
record trap
run 0 "$tcgrr" bisect "$work/trap.tcgrr" --qemu "$(qemu riscv64 10.0)" --json --from guest_main --until trap_entry_m
equal "other QEMU: diverged" "$(json .diverged)" false
[ ! -e "$work/trap-cause" ] || fail "a folder was left for nothing"

# B starts six instructions later in the code, so one log would interrupt it elsewhere: that is no
# divergence, and each run gets inputs of its own.
guest rv64-timer 10.0
record timer
printf '#!/bin/sh\nexec "%s" "$@" -device "loader,addr=%s,cpu-num=0"\n' "${guest[0]}" \
    "$(address "$fixtures/rv64-timer.elf" _start)" >"$work/early"
chmod +x "$work/early"
complains 3 "no verdict: .* reached the place .* \(6 and 0\), so the recorded interrupts" \
    "$tcgrr" replay "$work/timer.tcgrr" --qemu "$work/early" --from _start
run 125 "$tcgrr" bisect-run "$work/timer.tcgrr" --qemu "$work/early" --from _start
run 0 "$tcgrr" bisect --json "$work/timer.tcgrr" --qemu "$work/early" --from _start
equal "starts elsewhere: inputs" "$(json .inputs)" own

# The same without any interrupt: where they differ after that place is a divergence.
guest rv64-ctzw 7.2
record elsewhere
printf '#!/bin/sh\nexec "%s" "$@" -device "loader,addr=%s,cpu-num=0"\n' "$(qemu riscv64 10.0)" \
    "$(address "$fixtures/rv64-ctzw.elf" _start)" >"$work/early"
run 1 "$tcgrr" replay --json "$work/elsewhere.tcgrr" --qemu "$work/early" --from _start
contains "starts elsewhere, without interrupts" "$(json .divergence.a.symbol)" "^ctzw_branch"

# Only B traps, for ever. The search replays as far as that, not to where comparing is to end.
guest rv64-ctzw 10.0
run 1 "$tcgrr" lockstep --bisect --json --bundle "$work/only-b" --until 200000 --a "${guest[0]}" --b "${guest[0]}" \
    --b-arg -cpu --b-arg rv64,zbb=false -- "${guest[@]:1}"
equal "only B traps: kind" "$(json .divergence.kind)" hung
equal "only B traps: cause" "$(json .cause.symbol)" ctzw_instruction

# Nothing is overwritten unasked.
complains 2 "already exists" "$tcgrr" bisect "$work/blsi-7.2.tcgrr" --qemu "$(qemu x86_64 10.0)" --bundle "$work/other"
complains 2 "exclude each other" "$tcgrr" bisect "$work/blsi-7.2.tcgrr" --qemu "$(qemu x86_64 10.0)" --builds "$(qemu x86_64 10.0)"
# What cannot be replayed has no cause.
guest x86-blsi 10.0
record plain --no-rr
complains 3 "recorded without rr" "$tcgrr" bisect "$work/plain.tcgrr" --qemu "$(qemu x86_64 7.2)"
complains 3 "no-such-qemu" "$tcgrr" bisect "$work/blsi-7.2.tcgrr" --qemu "$work/no-such-qemu"
[ ! -e "$work/blsi-7.2-cause-4" ] || fail "a folder was left of a search that did not start"
left_nothing "refusals"

# Interrupted in the middle of it.
"$tcgrr" bisect "$work/blsi-7.2.tcgrr" --qemu "$(qemu x86_64 10.0)" >"$work/out" 2>"$work/err" &
sleep 2
kill -TERM $!
status=0
wait $! || status=$?
equal "interrupted: exit status" "$status" 143
left_nothing "interrupted"
