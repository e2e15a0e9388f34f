#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What finding a cause costs, and whether it is the right one: a boot of Linux is recorded, a QEMU
# that flips one bit at a random place replays it, and `tcgrr bisect` is to name that place. Time
# and processor time against one plain replay of the whole boot right before, memory and disk.
#
#   bench/cause.sh [BUILD] [PLACES] [SEED] [keyframes]      defaults: build, 24, 1. Needs scripts/fetch-qemus.sh to have run.
#
# With the word "keyframes" the trace gets keyframes first (`tcgrr keyframes`), so that the
# recording's QEMU need not replay from the run's beginning; the faulty one does in any case, once.
#
# Every second place is in memory. A bit is flipped in one of x0 to x30, or somewhere in the 256
# bytes above the stack pointer, at an instruction chosen at random from the whole boot. A bit that
# is overwritten before anything depends on it makes no divergence: it is reported as masked, and
# another place is chosen. Memory is the sum of what all processes have for themselves and the
# largest piece that they share, seen every 0.3 s in counters of Linux's that cost no time; tcgrr's
# own is its peak. The machine should have two idle cores.
# shellcheck source=bench/lib.sh
. "$(dirname "$0")/lib.sh"
places=${2:-24}
seed=${3:-1}
qemu=$qemus/bin/qemu-system-aarch64-11.1
trace=$folder/boot.tcgrr
export TMPDIR=$folder/tmp
mkdir "$TMPDIR"

seconds() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.2f", b - a }'; }

# tree PID: it and all processes below it, to the array $tree.
tree() {
    local i file children
    tree=("$1")
    for ((i = 0; i < ${#tree[@]}; i++)); do
        for file in "/proc/${tree[i]}/task"/*/children; do
            { read -r -a children <"$file"; } 2>/dev/null || true
            tree+=("${children[@]}")
            children=()
        done
    done
}

# look: what the processes in $tree hold, in KiB: each one's own and the largest piece of shared
# memory to $sum, the most that tcgrr ever held to $own. Nothing is started for that.
look() {
    local pid key value name shared=0
    sum=0
    for pid in "${tree[@]}"; do
        name=
        while read -r key value _; do
            case $key in
                Name:) name=$value ;;
                VmHWM:) [ "$name" != tcgrr ] || own=$((value > own ? value : own)) ;;
                RssAnon:) sum=$((sum + value)) ;;
                RssShmem:) shared=$((value > shared ? value : shared)) ;;
            esac
        done 2>/dev/null <"/proc/$pid/status" || true
    done
    sum=$((sum + shared))
}

# watch PID: the most memory of the tree below PID and of PID alone, and the most disk, in KiB, to
# $folder/most, until it ends.
watch() {
    local all=0 own=0 disk=0 now sum turn=0 wait
    exec {wait}<> <(:)
    while [ -d "/proc/$1" ]; do
        tree "$1"
        look
        all=$((sum > all ? sum : all))
        if ((turn++ % 5 == 0)); then
            now=$({ du -sk "$TMPDIR" "$folder/cause" 2>/dev/null || true; } | awk '{ sum += $1 } END { print sum + 0 }')
            disk=$((now > disk ? now : disk))
            echo "$all $own $disk" >"$folder/most"
        fi
        read -r -t 0.3 -u "$wait" || true
    done
    echo "$all $own $disk" >"$folder/most"
}

# random BELOW
random() { echo $((((RANDOM << 45) ^ (RANDOM << 30) ^ (RANDOM << 15) ^ RANDOM) % $1)); }

# faulty ICOUNT PC WHAT: a QEMU with that fault, $folder/faulty.
faulty() {
    {
        echo "#!/bin/sh"
        echo "exec $qemu \"\$@\" -plugin $build/tests/libinject.so,at=$1,pc=$2,$3,log=$folder/flips"
    } >"$folder/faulty"
    chmod +x "$folder/faulty"
    rm -f "$folder/flips"
}

# place: one at random, to icount, pc, disasm and what.
place() {
    while :; do
        icount=$(random "$total")
        IFS=$'\t' read -r pc disasm < <("$tcgrr" query "$trace" --format json \
            "SELECT printf('0x%x', pc) AS pc, disasm FROM insn WHERE icount = $icount" | jq -r '.[] | [.pc, .disasm] | @tsv') && break
    done
    if [ "$((found % 2))" = 0 ]; then
        what="reg=x$(random 31),bit=$(random 64)"
    else
        what="reg=sp,mem=$((8 * $(random 32))),bit=$(random 64)"
    fi
}

# timed NAME COMMAND...: its seconds and its processor seconds, its children's included, to
# $folder/NAME.
timed() {
    /usr/bin/time -o "$folder/$1" -f '%e %U %S' "${@:2}"
}

# spent NAME: processor seconds.
spent() { awk '{ print $2 + $3 }' <(tail -n 1 "$folder/$1"); }

# attempt: finds the cause; false if the bit was masked.
attempt() {
    local start plain pid status=0 took all own disk
    timed plain "$tcgrr" replay --json "$trace" --qemu "$qemu" >"$folder/out" 2>&1
    plain=$(awk '{ print $1 }' "$folder/plain")
    start=$EPOCHREALTIME
    rm -rf "$folder/cause" "$folder/most"
    timed search "$tcgrr" bisect "$trace" --qemu "$folder/faulty" --bundle "$folder/cause" --json >"$folder/out" 2>"$folder/err" </dev/null &
    pid=$!
    watch "$pid" &
    wait "$pid" || status=$?
    took=$(seconds "$start")
    wait
    printf '  icount %d (%s), %s: ' "$icount" "$disasm" "$what"
    if [ "$status" = 0 ]; then
        [ -s "$folder/flips" ] || { echo "the bit was not flipped"; return 1; }
        printf 'masked (%s s)\n' "$took"
        masked=$((masked + 1))
        return 1
    fi
    read -r all own disk <"$folder/most"
    if [ "$status" != 1 ]; then
        echo "FAILED: $(grep -a '^tcgrr: ' "$folder/err" | tail -n 1)"
        echo "no" >>"$folder/right"
    else
        jq -r --argjson at "$icount" '"\(if .cause.icount == $at then "found" else "WRONG, \(.cause.icount)" end) (\(.cause.kind)), " +
            "parted by \(.divergence.kind // "data") \((.divergence.icount // 0) - $at) later"' "$folder/out"
        jq --argjson at "$icount" 'if .cause.icount == $at then "yes" else "no" end' "$folder/out" >>"$folder/right"
    fi
    echo "$took $(awk -v t="$took" -v p="$plain" 'BEGIN { printf "%.2f", t / p }') $all $own $disk $(awk -v t="$(spent search)" -v p="$(spent plain)" 'BEGIN { printf "%.2f", t / p }')" >>"$folder/figures"
    awk -v plain="$plain" '{ printf "    %s s, %s plain replays of " plain " s; memory %d MiB in all, %d MiB tcgrr; disk %d MiB", $1, $2, $3 / 1024, $4 / 1024, $5 / 1024; printf ", processor time %s plain replays", $6 }' \
        <(tail -n 1 "$folder/figures")
    printf '; passed %d times\n' "$(wc -l <"$folder/flips")"
}

"$tcgrr" record --json -o "$trace" -- "$qemu" "${boot[@]:1}" >"$folder/out" 2>"$folder/err" ||
    { cat "$folder/err" >&2; exit 1; }
total=$(jq .icount "$folder/out")
echo "== boot of Linux, arm64, QEMU 11.1: $total instructions; seed $seed"
if [ "${4:-}" = keyframes ]; then
    "$tcgrr" keyframes "$trace" | sed 's/.*: /  /; s/ in .*//'
fi
RANDOM=$seed
found=0
masked=0
while [ "$found" -lt "$places" ]; do
    place
    faulty "$icount" "$pc" "$what"
    if attempt; then found=$((found + 1)); fi
done
echo "== $found places, $masked masked ones beside"
printf '  right   %d of %d\n' "$(grep -c yes "$folder/right")" "$found"
awk '{ print $2 }' "$folder/figures" | sort -n |
    awk '{ v[NR] = $1 } END { printf "  time    median %.2f plain replays, at most %.2f\n", v[int((NR + 1) / 2)], v[NR] }'
awk '{ print $6 }' "$folder/figures" | sort -n |
    awk '{ v[NR] = $1 } END { printf "  processor time  median %.2f plain replays, at most %.2f\n", v[int((NR + 1) / 2)], v[NR] }'
awk '{ for (i = 3; i <= 5; i++) if ($i > most[i]) most[i] = $i }
    END { printf "  memory  %d MiB in all, %d MiB tcgrr, at most\n  disk    %d MiB at most\n", most[3] / 1024, most[4] / 1024, most[5] / 1024 }' \
    "$folder/figures"
