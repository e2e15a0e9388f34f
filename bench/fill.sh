#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What level inputs costs against the same QEMU with rr=record and without tcgrr (run alternately),
# and how long filling takes with one and two replays at a time, with keyframes.
#
#   bench/fill.sh [BUILD] [RUNS]      defaults: build, 5. Needs scripts/fetch-qemus.sh to have run.
# shellcheck source=bench/lib.sh
. "$(dirname "$0")/lib.sh"
runs=${2:-5}

# compare TITLE COMMAND...
compare() {
    local title=$1 key=${1%% *} level jobs
    shift
    run "$key.warm" "$@" -icount "shift=0,rr=record,rrfile=$folder/bare.rr"
    for _ in $(seq "$runs"); do
        run "$key.bare" "$@" -icount "shift=0,rr=record,rrfile=$folder/bare.rr"
        run "$key.inputs" "$tcgrr" record --json --force --level inputs -o "$folder/$key.tcgrr" -- "$@"
    done
    echo "== $title: level inputs against rr=record"
    ratios "$key.bare" "$key.inputs"
    "$tcgrr" keyframes "$folder/$key.tcgrr" >/dev/null
    for level in flow full; do
        for _ in $(seq $(((runs + 1) / 2))); do
            for jobs in 1 2; do
                cp "$folder/$key.tcgrr" "$folder/filled.tcgrr"
                rm -rf "$folder/filled.tcgrr.keyframes"
                cp -r "$folder/$key.tcgrr.keyframes" "$folder/filled.tcgrr.keyframes"
                run "$key.$level.$jobs" "$tcgrr" fill --level $level -j $jobs "$folder/filled.tcgrr"
            done
        done
        echo "  fill       level $level: $(seconds "$key.$level.1") s with -j 1, $(seconds "$key.$level.2") s with -j 2; the run itself $(seconds "$key.bare") s"
    done
}

compare "boot of Linux, arm64, QEMU 10.0" "${boot[@]}"
compare "compute loop, riscv64, QEMU 10.0" "${riscv[@]}" "$build/fixtures/rv64-compute.elf"
compare "program with memory, calls and a timer, riscv64, QEMU 10.0" "${riscv[@]}" "$build/fixtures/rv64-program.elf"
