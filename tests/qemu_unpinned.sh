#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: all
# A recording whose machine was not pinned, in another release, which makes another device tree: a
# fault of one release is found all the same, in each direction, and a guest that only sees another
# tree is nobody's fault.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

# faulty NAME TARGET A B PINNED: what A recorded, B does otherwise, which is its own doing. PINNED:
# B has A's machine.
faulty() {
    guest "$1" "$3"
    record "$1" --force
    run 1 "$tcgrr" replay --json "$work/$1.tcgrr" --qemu "$(qemu "$2" "$4")"
    equal "$1 of $3 in $4" "$(json '"\(.verdict) \(.unpinned) \(.pinned_afterwards)"')" "diverged false $5"
    contains "$1 of $3 in $4: place" "$(json '.divergence.a.symbol')" "^${1#*-}_branch"
    run 1 "$tcgrr" bisect-run "$work/$1.tcgrr" --qemu "$(qemu "$2" "$4")"
    run 1 "$tcgrr" bisect --json "$work/$1.tcgrr" --qemu "$(qemu "$2" "$4")"
    equal "$1 of $3 in $4: cause" "$(json '"\(.inputs) \(.cause.symbol)"')" "translated ${1#*-}_instruction"
}
faulty a64-fcvtzs aarch64 7.2 10.0 true
faulty a64-fcvtzs aarch64 10.0 7.2 false
faulty rv64-ctzw riscv64 10.0 7.2 true
faulty rv64-ctzw riscv64 7.2 11.1 true
run 1 "$tcgrr" bisect --json "$work/rv64-ctzw.tcgrr" --builds "$(qemu riscv64 7.2)" "$(qemu riscv64 10.0)"
equal "first bad build" "$(json .first_bad)" "$(qemu riscv64 10.0)"

# Firmware that each release has another build of.
guest=("$(qemu ppc 7.2)" -M g3beige -display none -monitor none -serial null -nic none)
record openbios --until 2000000
run 0 "$tcgrr" replay --json "$work/openbios.tcgrr" --qemu "$(qemu ppc 11.1)"
equal "openbios: pinned afterwards" "$(json '"\(.unpinned) \(.pinned_afterwards) \(.compared)"')" "false true 2000000"
run 0 "$tcgrr" bisect-run "$work/openbios.tcgrr" --qemu "$(qemu ppc 11.1)"

# A PC's firmware reads what each release makes for it: nobody's fault, either.
guest x86-blsi 7.2
record x86-blsi
run 125 "$tcgrr" bisect-run "$work/x86-blsi.tcgrr" --qemu "$(qemu x86_64 10.0)"
run 1 "$tcgrr" bisect --json "$work/x86-blsi.tcgrr" --qemu "$(qemu x86_64 10.0)"
equal "x86-blsi: cause, each run by itself" "$(json '"\(.inputs) \(.cause.symbol)"')" "own blsi_instruction"

# A kernel that reads the tree: it finds there what it found in the recording, to its end.
guest_linux 7.2
record linux
other=$(qemu aarch64 10.0)
run 0 "$tcgrr" replay --json "$work/linux.tcgrr" --qemu "$other"
equal "linux: pinned afterwards" "$(json '"\(.unpinned) \(.pinned_afterwards) \(.compared == .icount)"')" "false true true"
run 0 "$tcgrr" bisect --json "$work/linux.tcgrr" --until 2000000 --builds "$other" "$(qemu aarch64 11.1)"

run 0 "$tcgrr" bisect --json "$work/linux.tcgrr" --until 2000000 --qemu "$other"
equal "linux: inputs" "$(json '"\(.inputs) \(.compared)"')" "translated 2000000"

# 7.2 has no such machine as 10.0 made, and another tree. Up to where that is read the two agree.
guest_linux 10.0
record linux --force
other=$(qemu aarch64 7.2)
run 1 "$tcgrr" replay --json "$work/linux.tcgrr" --qemu "$other"
equal "linux: not pinned" "$(json '"\(.unpinned) \(.pinned_afterwards)"')" "true false"
place=$(json .compared)
((place > 100 && place < 1000000)) || fail "linux diverges after $place instructions"
run 1 "$tcgrr" replay "$work/linux.tcgrr" --qemu "$other"
contains "linux: advice" "$(cat "$work/out")" \
    "not pinned, and may be the difference; to record it pinned: tcgrr record --portable -o FILE -- .*'console=ttyAMA0 panic=-1'"
run 125 "$tcgrr" bisect-run --json "$work/linux.tcgrr" --qemu "$other"
equal "linux: diverged" "$(json .diverged)" null
contains "linux: reason" "$(json .reason)" "after $place instructions.*; the machine was not pinned"
run 0 "$tcgrr" bisect-run --json "$work/linux.tcgrr" --qemu "$other" --until $((place - 1))
complains 3 "none of these builds can replay" "$tcgrr" bisect --json "$work/linux.tcgrr" --builds "$other"
equal "linux: build" "$(json '.tested[0].verdict')" skipped

# With the QEMU gone that recorded, nobody can tell.
printf '#!/bin/sh\nexec "%s" "$@"\n' "$(qemu aarch64 10.0)" >"$work/recorder"
chmod +x "$work/recorder"
guest a64-fcvtzs 10.0
guest[0]=$work/recorder
record gone
run 1 "$tcgrr" bisect-run "$work/gone.tcgrr" --qemu "$(qemu aarch64 7.2)"
rm "$work/recorder"
run 125 "$tcgrr" bisect-run "$work/gone.tcgrr" --qemu "$(qemu aarch64 7.2)"
run 0 "$tcgrr" bisect-run "$work/gone.tcgrr" --qemu "$(qemu aarch64 11.1)"
