#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: 7.2 10.0 11.1
# A recording compared with its own replay has no differences, to its last instruction, and replays
# stop where they should.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1

check() {
    local name=$1 icount
    guest "$name" "$version"
    record "$name"
    icount=$(json .icount)
    run 0 "$tcgrr" replay --json "$work/$name.tcgrr"
    equal "$name: diverged" "$(json .diverged)" false
    # QEMU may run on for a few instructions after the guest has shut down, in one run more than in
    # the other.
    equal "$name: instructions compared" "$(json ".compared + .surplus.recording")" "$icount"
    [ "$(json .surplus.recording)" -lt 1000 ] || fail "$name: $(json .surplus.recording) instructions were not compared"
    equal "$name: shifted events" "$(json .shifted_events)" 0
    equal "$name: the replay's QEMU" "$(json .qemu_version)" "$(json .recorded_qemu_version)"
}

# QEMU stops exactly there. We have compared up to the block in which that is, because counts are
# known at blocks' ends.
check_stop() {
    local name=$1 icount=$2
    run 0 "$tcgrr" replay --json --at "$icount" "$work/$name.tcgrr"
    equal "$name: diverged up to $icount" "$(json .diverged)" false
    if (($(json .compared) > icount || $(json .compared) + 512 <= icount)); then
        fail "$name: compared up to $(json .compared), not $icount"
    fi
    equal "$name: QEMU's count at $icount" "$(json .qemu_icount)" "$icount"
}

for name in "${!rr_guests[@]}"; do
    check "$name"
done
# QEMU writes a checkpoint at each turn of a loop that waits; a replay does without nearly all of
# them.
run 0 "$tcgrr" extract "$work/x86-pause.tcgrr" "$work/pause"
original=$(stat -c %s "$work/pause/original.rr") given=$(stat -c %s "$work/pause/replay.rr")
((given * 100 < original)) || fail "x86-pause: $given of $original bytes of the rr log are given to a replay"
# What the host answers is in no log: no verdict, and none by lockstep.
guest a64-hostclock "$version"
guest+=(-semihosting)
record a64-hostclock
complains 3 "no verdict: .* asked the host for the time" "$tcgrr" replay "$work/a64-hostclock.tcgrr"
run 3 "$tcgrr" lockstep --json --a "${guest[0]}" --b "${guest[0]}" -- "${guest[@]:1}"
equal "the host's clock: lockstep" "$(json .diverged)" null
check_stop rv64-timer 1
check_stop rv64-timer 65536
check_stop rv64-timer 2345678
check_stop a64-pagefault 1500001
check_stop x86-timer 9000000
