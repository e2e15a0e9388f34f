#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# long: a matrix of machines that have little of their own for keyframes
# versions: 7.2 10.0 11.1
# timeout: 900
# Keyframes of each kind of machine, of one with much memory, and of a run that starts from a
# snapshot itself: a replay from one, and gdb, have the state that the recording had there.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1

# stands TRACE ICOUNT: from a keyframe.
stands() {
    run 0 "$tcgrr" replay --json --at "$2" "$work/$1.tcgrr"
    equal "$1: diverged" "$(json .diverged)" false
    [ "$(json .keyframe)" -gt 0 ] || fail "$1: not from a keyframe"
    command -v gdb-multiarch >/dev/null || return 0
    pc=$("$tcgrr" query "$work/$1.tcgrr" --format csv "SELECT printf('0x%x', pc) FROM insn WHERE icount = $2" | tail -n 1)
    "$tcgrr" gdb "$work/$1.tcgrr" "$2" -- -batch -ex "p/x \$pc" >"$work/out" 2>&1 || fail "gdb $1: $(tail -n 3 "$work/out")"
    contains "$1: gdb" "$(cat "$work/out")" "^.1 = $pc$"
}

# machine NAME EVERY ICOUNT [QEMU-ARG...]: of a fixture.
machine() {
    local name=$1 every=$2 icount=$3
    shift 3
    guest "$name" "$version"
    guest+=("$@")
    record "$name"
    run 0 "$tcgrr" keyframes --json --every "$every" "$work/$name.tcgrr"
    stands "$name" "$icount"
    rm -rf "$work/$name.tcgrr"*
}

machine x86-timer 4000000 13500001
machine x86-timer 4000000 13500001 -m 2048
machine a64-timer 1500000 4500001 -m 2048
machine thumb-systick 1000000 3500001
if [ "$version" = 11.1 ]; then
    machine rv64-timer 1500000 4500001
else # its timer is not in a snapshot
    guest rv64-timer "$version"
    record rv64-timer
    complains 3 "does not continue from a snapshot" "$tcgrr" keyframes --every 1500000 "$work/rv64-timer.tcgrr"
fi
guest a64-timer "$version"
record start --portable --start-at guest_main
run 0 "$tcgrr" keyframes --json --every 1500000 "$work/start.tcgrr"
stands start 4500001

# A place that took a while to reach has a keyframe before it the next time, and what the user
# allows is kept to.
guest_linux "$version"
record boot
run 0 "$tcgrr" keyframes --json --every 800000000 "$work/boot.tcgrr"
keyframes() { find "$work/boot.tcgrr.keyframes" -name "[0-9]*" -mindepth 2 -maxdepth 2 -printf '%f\n' | sort -n | xargs; }
made=$(keyframes)
run 0 "$tcgrr" replay --at 700000000 "$work/boot.tcgrr"
equal "keyframes after a replay to a place" "$(keyframes)" "699900000 $made"
run 0 "$tcgrr" replay --json --at 700000000 "$work/boot.tcgrr"
equal "where the next one starts" "$(json '[.keyframe, .qemu_icount] | join(" ")')" "699900000 700000000"
run 0 "$tcgrr" why --depth 1 --at 300000000 "$work/boot.tcgrr" x0
equal "keyframes after a visit" "$(keyframes)" "299900000 699900000 $made"
run 0 "$tcgrr" why --depth 1 --at 300000010 "$work/boot.tcgrr" x0
equal "keyframes after another visit" "$(keyframes)" "299900000 699900000 $made"
echo 1 >"$work/boot.tcgrr.keyframes/max-size"
run 0 "$tcgrr" why --depth 1 --at 200000000 "$work/boot.tcgrr" x0
equal "keyframes without room" "$(keyframes)" "299900000 699900000 $made"
