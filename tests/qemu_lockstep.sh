#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: all
# Two live QEMUs side by side: what must not differ does not, what must is named where it is, and a
# side that ends, is killed or cannot start is reported as such.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

# pair NAME A B: sets `arguments` to the fixture's, `a` and `b` to the QEMUs.
pair() {
    guest "$1" "$2"
    a=${guest[0]}
    arguments=("${guest[@]:1}")
    guest "$1" "$3"
    b=${guest[0]}
}

lockstep() { run "$1" "$tcgrr" lockstep --json --a "$a" --b "$b" "${@:2}" -- "${arguments[@]}"; }

# same WHAT INSTRUCTIONS OPTION...: they agree in so many at least.
same() {
    lockstep 0 "${@:3}"
    equal "$1: diverged" "$(json .diverged)" false
    [ "$(json .compared)" -ge "$2" ] || fail "$1: only $(json .compared) instructions compared"
}

# Guests without interrupts run alike on all versions, however they are cut into blocks.
for version in 7.2 11.1; do
    pair rv64-compute-short 10.0 $version
    same "compute, 10.0 and $version" 20000000
    pair a64-pagefault 10.0 $version
    same "page faults, 10.0 and $version" 2900000
done
pair a64-pagefault 10.0 10.0
same "one instruction per block" 2900000 --b-arg -accel --b-arg tcg,one-insn-per-tb=on
pair user-hello-aarch64 7.2 7.2
arguments=("$fixtures/user-hello-aarch64.elf")
same "user mode" 800000
equal "user mode: inputs" "$(json .inputs)" own
# With interrupts: B follows A's rr log, so that they come at the same instructions; and what clocks
# and devices say is the same.
for each in rv64-timer:11.1:7.2 rv64-wfi:11.1:10.0 rv64-clock:7.2:10.0 a64-timer:7.2:11.1; do
    IFS=: read -r name first second <<< "$each"
    pair "$name" "$first" "$second"
    same "$each" 6000
    equal "$each: inputs" "$(json .inputs)" translated
    equal "$each: tolerated" "$(json '.shifted_events + .polling_loops + .transients')" 0
done
equal "a64-timer: the machine" "$(json '.pinned | .machine + " " + .by')" "virt-7.2 a"
# The same machine, whichever side is the older one.
pair a64-timer 11.1 7.2
same "a64-timer, the older one as B" 5000000
equal "a64-timer, the older one as B: the machine" "$(json '.pinned | .machine + " " + .by')" "virt-7.2 b"
complains 3 "has no machine virt-11.1" "$tcgrr" lockstep --a "$a" --b "$b" -- -M virt-11.1 "${arguments[@]:2}"
run 0 "$tcgrr" lockstep --a "$a" --b "$b" --until 1000 -- -M virt -cpu max "${arguments[@]:4}"
contains "-cpu max" "$(cat "$work/err")" "-cpu max has different features"
pair rv64-timer 10.0 10.0
same "rv64-timer with itself" 5000000 --b-arg -accel --b-arg tcg,one-insn-per-tb=on
equal "rv64-timer with itself: inputs" "$(json .inputs)" shared
same "without one log" 5000000 --own-inputs
equal "without one log: inputs" "$(json .inputs)" own
# Nor does a search among them find anything, or leave a folder.
(cd "$work" && same "rv64-timer with itself, searched" 5000000 --bisect --b-arg -accel --b-arg tcg,one-insn-per-tb=on &&
    equal "rv64-timer with itself, searched: inputs" "$(json .inputs)" shared && exit $failures) || failures=$((failures + 1))
[ ! -e "$work/lockstep-cause" ] || fail "lockstep-cause was left"
# A guest that rewrites code ahead of itself without the barriers that arm64 asks for: what it runs
# then does depend on the blocks.
pair a64-smc 10.0 10.0
lockstep 1 --b-arg -accel --b-arg tcg,one-insn-per-tb=on
equal "rewritten code: A" "$(json '.divergence.a | .symbol + " " + .disasm')" "smc_ahead+0x18 add x0, x0, x3"
equal "rewritten code: B" "$(json '.divergence.b | .symbol + " " + .disasm')" "smc_ahead+0x18 add x0, x3, x0"

pair rv64-timer 7.2 10.0
# With --json the console of a guest that writes to standard output goes to standard error.
run 0 "$tcgrr" lockstep --json --console --a "$a" --b "$b" -- -M virt -bios none -kernel "$fixtures/rv64-timer.elf" -display none \
    -monitor none -serial stdio
equal "console and JSON: objects" "$(jq -c .diverged "$work/out")" false
contains "console and JSON" "$(cat "$work/err")" "rv64-timer: ok"
# Machines without versions have the same device tree.
lockstep 0 --until 1000
equal "rv64-timer: the machine" "$(json '.pinned | .machine + " " + .by')" "virt a"
# A PC's firmware is told other things in other releases.
pair x86-blsi 7.2 10.0
run 3 "$tcgrr" lockstep --a "$a" --b "$b" -- "${arguments[@]}"
contains "a PC from reset on" "$(cat "$work/err")" "^tcgrr: no verdict: from reset on .* --from WHERE"
run 3 "$tcgrr" lockstep --json --a "$a" --b "$b" -- "${arguments[@]}"
equal "a PC from reset on: verdict" "$(json '.diverged, .error.exit' | tr '\n' ' ')" "null 3 "
equal "a PC from reset on: place" "$(json '.divergence | .icount == .a.icount')" true

# A real fault: 7.2 sets the carry flag of blsi wrongly; the branch on it comes 300,000 instructions
# later.
pair x86-blsi 7.2 10.0
lockstep 1 --from _start
equal "blsi: kind" "$(json .divergence.kind)" "control flow"
equal "blsi: A" "$(json .divergence.a.symbol)" "blsi_branch+0x10"
equal "blsi: B" "$(json .divergence.b.symbol)" "blsi_branch+0x9"
equal "blsi: common" "$(json '.divergence.common[0].symbol')" "blsi_branch"
equal "blsi: compared" "$(json .compared)" 301021
equal "blsi: history" "$(json '.divergence.history_a | length')" 10
equal "blsi: inputs" "$(json .inputs)" translated
equal "blsi: start" "$(json .start.by)" a
equal "blsi: tolerated" "$(json '.shifted_events + .polling_loops + .transients')" 0
same "blsi, up to the branch" 300000 --from _start --until blsi_branch
same "blsi, 10.0 with itself" 300000 --from _start --b "$b" --a "$b"
# An older release refuses the snapshot of a newer one, and makes it then.
pair x86-blsi 11.1 7.2
lockstep 1 --from _start
equal "blsi, B the older one: compared" "$(json .compared)" 301021
pair x86-blsi 7.2 10.0
lockstep 3 --from 0x12345
contains "a place that is nowhere" "$(cat "$work/err")" "the guest ended without reaching 0x12345"
# A guest that only one of them has would be lost in a snapshot.
lockstep 1 --from _start --b-arg -kernel --b-arg "$fixtures/x86-blsi.elf"
equal "blsi, a kernel of its own: inputs" "$(json .inputs)" own
contains "blsi, a kernel of its own" "$(cat "$work/err")" "inputs of its own, because .*different guests"
run 1 "$tcgrr" lockstep --a "$a" --b "$b" --from _start --history 3 -- "${arguments[@]}"
contains "the report" "$(cat "$work/out")" "DIVERGED after 301,021 instructions in common: control flow"
contains "the report" "$(cat "$work/out")" "> 0x[0-9a-f]* .* call "
equal "colours when nobody sees them" "$(grep -c $'\033' "$work/out" || true)" 0

# From there to the instruction that is to blame, without a trace before.
lockstep 1 --bisect --bundle "$work/cause"
equal "blsi: cause" "$(json .cause.symbol)" blsi_instruction
equal "blsi: divergence" "$(json .divergence.a.symbol)" "blsi_branch+0x10"
equal "blsi: inputs of the search" "$(json .inputs)" translated
for name in a.tcgrr README.md; do [ -f "$work/cause/$name" ] || fail "$name is not in the folder"; done
complains 2 "already exists" "$tcgrr" lockstep --bisect --bundle "$work/cause" --a "$a" --b "$b" -- "${arguments[@]}"
complains 2 "go with --bisect" "$tcgrr" lockstep --bundle "$work/x" --a "$a" --b "$b" -- "${arguments[@]}"

# Against a stored run.
guest rv64-compute-short 10.0
record stored
a=$work/stored.tcgrr
b=$(qemu riscv64 11.1)
arguments=("${guest[@]:1}")
same "a stored run and a live one" 20000000

# One side gets another guest: a nop in place of an instruction, at a known icount; and one that
# does fewer rounds, so that it is through first.
elf=$work/patched.elf
copy_guest rv64-compute-short "$elf"
place=$(($(address "$elf" _start) + 12))
patch "$elf" $place 00000013
pair rv64-compute-short 10.0 10.0
lockstep 1 --b-arg -kernel --b-arg "$elf"
equal "patched: icount" "$(json .divergence.icount)" 9
equal "patched: pc" "$(json .divergence.b.pc)" "$(printf '0x%x' $place)"
equal "patched: bytes" "$(json .divergence.b.bytes)" 13000000

# A side that aborts half-way, and one that stands still. The guest does not end by itself.
pair rv64-compute 10.0 10.0
cp "$fixtures/rv64-compute.elf" "$elf"
patch "$elf" "$(address "$elf" compute_rounds)" 0000001000000000
(
    for _ in $(seq 600); do
        victim=$(pgrep -f "^[^ ]*qemu.*$elf.*-name victim" | head -n 1) && sleep 1 && kill -ABRT "$victim" && break
        sleep 0.1
    done
) &
lockstep 1 --a-arg -kernel --a-arg "$elf" --b-arg -kernel --b-arg "$elf" --b-arg -name --b-arg victim
wait
equal "aborts: kind" "$(json .divergence.kind)" aborted
equal "aborts: B" "$(json .divergence.b)" null
contains "aborts: how" "$(json .b.exit)" "signal 6"
lockstep 1 --timeout 2 --b-arg -S
equal "stands still: kind" "$(json .divergence.kind)" hung
equal "stands still: B" "$(json .divergence.b)" null

# A side that has diverged and then waits for what A's log does not have: no need to wait for a minute
# as for one that hangs. B masks its interrupts and halts.
pair rv64-timer-long 10.0 10.0
copy_guest rv64-timer-long "$elf"
place=$(address "$elf" trap_handler)
patch "$elf" "$place" 30401073                  # csrw mie, zero
patch "$elf" $((place + 4)) 10500073            # wfi
patch "$elf" $((place + 8)) ffdff06f            # j .-4
run 1 timeout 40 "$tcgrr" lockstep --json --a "$a" --b "$b" --b-arg -kernel --b-arg "$elf" -- "${arguments[@]}"
equal "halts: pc" "$(json .divergence.b.pc)" "$(printf '0x%x' "$place")"

# What is wrong with the arguments, and what cannot be.
pair rv64-compute-short 10.0 10.0
complains 2 "needs both --a and --b" "$tcgrr" lockstep --a "$a" -- "${arguments[@]}"
complains 2 "go after --" "$tcgrr" lockstep --a "$a" --b "$b" virt
complains 2 "has no symbol of this name" "$tcgrr" lockstep --a "$a" --b "$b" --from nowhere -- "${arguments[@]}"
complains 2 "aarch64" "$tcgrr" lockstep --a "$a" --b "$(qemu aarch64 10.0)" -- "${arguments[@]}"
complains 3 "never executed pc 0x12345678" "$tcgrr" lockstep --a "$a" --b "$b" --from 0x12345678 -- "${arguments[@]}"
complains 3 "did not start" "$tcgrr" lockstep --a "$a" --b "$b" --b-arg -nonsense -- "${arguments[@]}"
# Also where A, with inputs of its own, has run nothing so far: nothing is read from B before A has
# come on.
complains 3 "ended without running an instruction .*nosuch" "$tcgrr" lockstep --own-inputs --timeout 600 --a "$a" --b "$b" \
    --a-arg -S --b-arg -device --b-arg nosuch -- "${arguments[@]}"
complains 3 "no-such-qemu" "$tcgrr" lockstep --a no-such-qemu --b "$b" -- "${arguments[@]}"
equal "QEMUs left behind" "$(pgrep -f "$work" || true)" ""
