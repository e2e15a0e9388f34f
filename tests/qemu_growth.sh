#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 7200
# long: runs of thousands of millions of instructions, in eight ways each
#
# Memory does not grow with the run: the most that tcgrr and each QEMU with the plugin hold in a
# recording, a replay and a lockstep is at most a twentieth, or 2 MB, more than the most in a run of
# a tenth of the length; a tenth has to be long enough to fill the buffers of a fixed size, some
# seconds. Two guests: one computes, the other reads the clock all the time and takes interrupts, so
# that it fills QEMU's log; it runs for a twentieth of the instructions.
#
#   tests/qemu_growth.sh [INSTRUCTIONS]     default: 10000000000; prints the two sizes of each
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

insns=${1:-10000000000}

# set_rounds GUEST COUNT: how often the guest goes round.
set_rounds() {
    case $1 in
        rv64-compute) patch "$work/$1.elf" "$(address "$work/$1.elf" compute_rounds)" "$(printf '%016x' "$2")" ;;
        rv64-clock) patch "$work/$1.elf" "$(address "$work/$1.elf" clock_rounds)" "$(printf '%08x' "$2")" ;;
    esac
    guest "$1" 10.0 "$work/$1.elf"
}

# insns_of GUEST ROUNDS: what it executes then.
insns_of() {
    set_rounds "$1" "$2"
    record short --force >/dev/null
    json .icount
}

# peaks PID: the most that tcgrr and the QEMUs below it have held so far, every so often until it
# has ended: "NAME KB".
peaks() {
    local pid name kb
    while [ -d "/proc/$1" ]; do
        for pid in "$1" $(pgrep -P "$1" -f -- "-kernel $work/" || true); do
            name=tcgrr
            [ "$pid" = "$1" ] || { grep -qa rr=record "/proc/$pid/cmdline" 2>/dev/null && name=A || name=B; }
            kb=$(awk '/^VmHWM:/ {print $2}' "/proc/$pid/status" 2>/dev/null) && [ -n "$kb" ] && echo "$name $kb"
        done
        sleep 0.05
    done
}

# way NAME COMMAND...: runs it and notes its sizes in $work/$size-NAME.
way() {
    local pid name=$1
    shift
    "$@" >"$work/out" 2>"$work/err" &
    pid=$!
    # shellcheck disable=SC2031
    peaks "$pid" >"$work/$size-$name"
    wait "$pid" || fail "$name: exit status $?: $(tail -n 2 "$work/err")"
}

# every_way: runs `guest` in each way.
every_way() {
    local both=(--json --a "${guest[0]}" --b "${guest[0]}") args=("${guest[@]:1}")
    way record "$tcgrr" record --json -o "$work/flow.tcgrr" --force -- "${guest[@]}"
    way replay "$tcgrr" replay --json "$work/flow.tcgrr"
    way lockstep "$tcgrr" lockstep "${both[@]}" -- "${args[@]}"
    way lockstep-from "$tcgrr" lockstep "${both[@]}" --from 100000 -- "${args[@]}"
    way record-state "$tcgrr" record --json --level state -o "$work/state.tcgrr" --force -- "${guest[@]}"
    way lockstep-state "$tcgrr" lockstep "${both[@]}" --level state -- "${args[@]}"
    way lockstep-state-from "$tcgrr" lockstep "${both[@]}" --level state --from 100000 -- "${args[@]}"
    way lockstep-own-inputs "$tcgrr" lockstep "${both[@]}" --own-inputs -- "${args[@]}"
}

peak() { awk -v name="$2" '$1 == name && $2 > most {most = $2} END {print most + 0}' "$1"; }

# judge GUEST: what the two runs held in each way.
judge() {
    local file way name small large
    for file in "$work"/whole-*; do
        way=${file##*/whole-}
        [ "$(peak "$file" tcgrr)" -gt 0 ] || fail "$1, $way: it ended before it could be looked at"
        for name in tcgrr A B; do
            small=$(peak "$work/tenth-$way" $name) large=$(peak "$file" $name)
            [ "$large" -gt 0 ] || continue
            echo "$1, $way: $name $small KB at most in a tenth of it, $large KB in the whole"
            [ "$large" -le $((small + small / 20)) ] || [ "$large" -le $((small + 2048)) ] ||
                fail "$1, $way: $name grew from $small to $large KB"
        done
    done
}

for name in rv64-compute rv64-clock; do
    source=$name
    [ "$name" = rv64-clock ] || source=rv64-compute-short
    copy_guest "$source" "$work/$name.elf"
    each=$((($(insns_of "$name" 4000) - $(insns_of "$name" 2000)) / 2000))
    [ "$name" = rv64-compute ] || insns=$((insns / 20))
    for size in tenth whole; do
        rounds=$((insns / each))
        [ "$size" = whole ] || rounds=$((rounds / 10))
        set_rounds "$name" "$rounds"
        every_way
    done
    judge "$name"
done
