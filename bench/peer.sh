#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What lockstep with another tcgrr costs: two live QEMUs, each with a tcgrr of its own, over a Unix
# socket and over one with a latency of 0.5 ms and 5 ms each way; against both under one tcgrr, and
# one QEMU alone. Run in turn.
#
#   bench/peer.sh [BUILD] [RUNS]      defaults: build, 5. Needs scripts/fetch-qemus.sh to have run.
#
# All four processes share this machine; on two machines each tcgrr would have a core that another
# QEMU uses here.
# shellcheck source=bench/lib.sh
. "$(dirname "$0")/lib.sh"
runs=${2:-5}

# two_sides NAME MICROSECONDS QEMU ARG...: both sides; through a relay if there are any.
two_sides() {
    local name=$1 delay=$2 to=unix:$folder/a pids=()
    shift 2
    "$tcgrr" lockstep --json --listen "unix:$folder/a" "$@" >"$folder/a.out" 2>"$folder/a.err" </dev/null &
    pids+=($!)
    if [ "$delay" -gt 0 ]; then
        to=unix:$folder/relay
        "$build/bench/bench-relay" "$to" "unix:$folder/a" "$delay" &
        pids+=($!)
    fi
    run "$name" "$tcgrr" lockstep --json --connect "$to" "$@"
    cp "$folder/out" "$folder/$name.json"
    wait "${pids[@]}"
}

# line NAME TITLE
line() {
    awk -v t="$(seconds "$1")" -v near="$(seconds near)" -v title="$2" \
        'BEGIN { printf "  %-34s %5.2f s, %.2f times that over a socket without delay\n", title, t, t / near }'
}

# all TITLE QEMU ARG...; or all TITLE TRACE
all() {
    local title=$1
    shift
    rm -f "$folder"/*.times
    for _ in $(seq "$runs"); do
        if [ $# -gt 1 ]; then
            run alone "$1" -icount shift=0 "${@:2}"
            run pair "$tcgrr" lockstep --json --a "$1" --b "$1" -- "${@:2}"
        fi
        two_sides near 0 "$@"
        two_sides far 500 "$@"
        two_sides farther 5000 "$@"
    done
    echo "== $title (median of $runs)"
    if [ $# -gt 1 ]; then
        line alone "one QEMU alone, without tcgrr"
        line pair "two under one tcgrr"
    fi
    line near "two tcgrr, Unix socket"
    line far "two tcgrr, 1 ms there and back"
    line farther "two tcgrr, 10 ms there and back"
    jq -r '"  \(.compared) instructions, diverged: \(.diverged), shifted events: \(.shifted_events)",
        "  bytes for each 65,536 instructions: \(100 * .traffic.received * 65536 / .compared | round / 100) from the listening side, \(100 * .traffic.sent * 65536 / .compared | round / 100) from the connecting one"' \
        "$folder/near.json"
}

all "compute loop, riscv64, QEMU 10.0" "${riscv[@]}" "$build/fixtures/rv64-compute.elf"
all "timer interrupts that shift, riscv64, QEMU 10.0" "${riscv[@]}" "$build/fixtures/rv64-timer.elf"
"$tcgrr" record -o "$folder/boot.tcgrr" -- "${boot[@]}" >"$folder/out" 2>&1
all "a recorded boot of Linux on both sides, arm64" "$folder/boot.tcgrr"
