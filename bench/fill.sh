#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What level inputs costs against the same QEMU with rr=record and without tcgrr (run alternately), and how long filling takes with
# one and two replays at a time, with keyframes.
#
#   bench/fill.sh [BUILD] [RUNS]      defaults: build, 5. Needs scripts/fetch-qemus.sh to have run.
set -euo pipefail

build=${1:-build}
runs=${2:-5}
qemus=${TCGRR_QEMUS:-${XDG_CACHE_HOME:-$HOME/.cache}/tcgrr/qemus}
folder=$(mktemp -d "${TMPDIR:-/tmp}/tcgrr-bench-XXXXXX")
trap 'rm -rf "$folder"' EXIT
tcgrr=$build/bin/tcgrr

# run NAME COMMAND...: wall and processor seconds of it and its children, to NAME.times.
run() {
    local name=$1
    shift
    /usr/bin/time -a -o "$folder/$name.times" -f '%e %U %S' "$@" >"$folder/out" 2>"$folder/err" </dev/null ||
        { cat "$folder/err" >&2; exit 1; }
}

# ratio A B: the median of B's wall seconds to A's, and of their processor seconds.
ratio() {
    local column
    for column in wall processor; do
        paste "$folder/$1.times" "$folder/$2.times" | awk -v column=$column '
            { print column == "wall" ? $4 / $1 : ($5 + $6) / ($2 + $3) }' | sort -n |
            awk -v column=$column '{ v[NR] = $1 } END { printf "  %-10s median ratio %.3f\n", column, v[int((NR + 1) / 2)] }'
    done
}

seconds() { sort -n "$folder/$1.times" | awk '{ v[NR] = $1 } END { printf "%.2f", v[int((NR + 1) / 2)] }'; }

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
    ratio "$key.bare" "$key.inputs"
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

grep -m1 'model name' /proc/cpuinfo | sed 's/.*: /machine: /'
compare "boot of Linux, arm64, QEMU 10.0" "$qemus/bin/qemu-system-aarch64-10.0" -M virt -cpu cortex-a57 -m 512 -display none \
    -monitor none -serial null -nic none -kernel "$qemus/guests/linux-arm64" -append "console=ttyAMA0 panic=-1" -no-reboot
compare "compute loop, riscv64, QEMU 10.0" "$qemus/bin/qemu-system-riscv64-10.0" -M virt -bios none -display none -monitor none \
    -serial null -nic none -kernel "$build/fixtures/rv64-compute.elf"
