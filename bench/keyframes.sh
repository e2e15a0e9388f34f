#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What keyframes cost and what they give: a boot of Linux is recorded; then random places are
# reached from the run's beginning and from keyframes, in turn.
#
#   bench/keyframes.sh [BUILD] [PLACES] [SEED]      defaults: build, 12, 1. Needs scripts/fetch-qemus.sh to have run.
#
# Times are from the command to its end: `tcgrr replay --at`, which also compares the run from the
# keyframe on; `tcgrr gdb`, with gdb asking for one register; `tcgrr why` for one step and for ten.
# The cost of a keyframe is how much longer it takes to make all of them than to make one, each
# saved, loaded in a fresh QEMU and compared with the next. The machine should have two idle cores.
# shellcheck source=bench/lib.sh
. "$(dirname "$0")/lib.sh"
places=${2:-12}
RANDOM=${3:-1}
trace=$folder/boot.tcgrr

# timed COMMAND...: how many seconds it takes, to `seconds`.
timed() {
    local start=$EPOCHREALTIME
    "$@" >"$folder/out" 2>"$folder/err" || { cat "$folder/err" >&2; exit 1; }
    seconds=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.2f", b - a }')
}

# summary FILE: median and worst of the numbers in it.
summary() { sort -n "$1" | awk '{ v[NR] = $1 } END { printf "median %.2f s, worst %.2f s", v[int((NR + 1) / 2)], v[NR] }'; }

# from WHERE: each command's time at the place, added to a file of its own.
measure() {
    local from=$1 icount=$2
    timed "$tcgrr" replay "$trace" --at "$icount"
    echo "$seconds" >>"$folder/replay-$from"
    timed "$tcgrr" gdb "$trace" "$icount" -- -batch -ex "info registers pc"
    echo "$seconds" >>"$folder/gdb-$from"
    timed "$tcgrr" why "$trace" --at "$icount" --depth 1 x0
    echo "$seconds" >>"$folder/why-$from"
    timed "$tcgrr" why "$trace" --at "$icount" x0
    echo "$seconds" >>"$folder/why10-$from"
}

timed "$tcgrr" record -o "$trace" -- "${boot[@]}"
total=$("$tcgrr" info --json "$trace" | jq .icount)
timed "$tcgrr" replay "$trace"
echo "the run: $total instructions, replayed and compared in $seconds s"

timed "$tcgrr" keyframes "$trace" --every $((total * 9 / 10)) --json
one=$seconds
bytes=$(jq .bytes "$folder/out")
"$tcgrr" keyframes "$trace" --drop >/dev/null
timed "$tcgrr" keyframes "$trace" --json
count=$(jq .keyframes "$folder/out")
awk -v all="$seconds" -v one="$one" -v count="$count" -v sum="$(jq .bytes "$folder/out")" -v first="$bytes" 'BEGIN {
    printf "keyframes: %d in %.1f s; each costs %.2f s and %.1f MB (the last one alone %.1f MB)\n", count, all,
        (all - one) / (count - 1), sum / count / 1e6, first / 1e6 }'

mv "$trace.keyframes" "$folder/aside"
for _ in $(seq "$places"); do
    icount=$((((RANDOM << 30) ^ (RANDOM << 15) ^ RANDOM) % total))
    measure beginning "$icount"
    mv "$folder/aside" "$trace.keyframes"
    measure keyframe "$icount"
    mv "$trace.keyframes" "$folder/aside"
done
echo "at $places random places:"
for what in replay gdb why why10; do
    echo "  $what: from the beginning $(summary "$folder/$what-beginning"); from keyframes $(summary "$folder/$what-keyframe")"
done
