#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What a replay takes: QEMU alone with its own rr log and with the log that tcgrr gives it, and
# `tcgrr replay`, which compares every instruction. Run in turn.
#
#   bench/replay.sh [BUILD] [RUNS]      defaults: build, 3. Needs scripts/fetch-qemus.sh to have run.
#
# The machine should have two idle cores.
# shellcheck source=bench/lib.sh
. "$(dirname "$0")/lib.sh"
runs=${2:-3}

# compare NAME TITLE STATUS COMMAND...: a guest that ends QEMU with STATUS, but for a replay of
# QEMU's own log, which has the request to shut down before the instructions that make it.
compare() {
    local name=$1 title=$2 status=$3 trace=$folder/$1.tcgrr
    shift 3
    "$tcgrr" record --force -o "$trace" -- "$@" -icount shift=0 >/dev/null
    "$tcgrr" extract "$trace" "$folder/$name.logs" >/dev/null
    for _ in $(seq "$runs"); do
        run "$name.original" "$@" -icount "shift=0,rr=replay,rrfile=$folder/$name.logs/original.rr"
        wanted=$status run "$name.replay" "$@" -icount "shift=0,rr=replay,rrfile=$folder/$name.logs/replay.rr"
        run "$name.tcgrr" "$tcgrr" replay "$trace"
    done
    echo "== $title"
    printf '  rr log  %d bytes, given to a replay %d\n' \
        "$(stat -c %s "$folder/$name.logs/original.rr")" "$(stat -c %s "$folder/$name.logs/replay.rr")"
    printf '  seconds QEMU with its own log %s, with that of tcgrr %s, tcgrr replay %s\n' \
        "$(seconds "$name.original")" "$(seconds "$name.replay")" "$(seconds "$name.tcgrr")"
}

compare compute "compute loop, riscv64, QEMU 10.0" 0 "${riscv[@]}" "$build/fixtures/rv64-compute.elf"
compare boot "boot of Linux, arm64, QEMU 10.0" 0 "${boot[@]}"
compare pause "waiting with pause, x86, QEMU 10.0" 33 "$qemus/bin/qemu-system-x86_64-10.0" -M pc "${quiet[@]}" \
    -device isa-debug-exit,iobase=0xf4,iosize=0x04 -kernel "$build/fixtures/x86-pause.elf"
