#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 3600
# long: six runs of thousands of millions of instructions
#
# Memory does not grow with the run: what tcgrr and QEMU with the plugin hold at the end of a recording, a replay and a lockstep is
# within a twentieth of what they held before, or within 2 MB. "Before" is up to a tenth of the run, or up to half of a run so short
# that buffers of a fixed size are still filling at its tenth.
#
#   tests/qemu_growth.sh [INSTRUCTIONS]     default: 3000000000; prints the two sizes of each
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

insns=${1:-3000000000}
part=10
[ "$insns" -ge 20000000000 ] || part=2
elf=$work/guest.elf
copy_guest rv64-clock "$elf"

# rounds COUNT: how often the guest goes round. It reads the clock and takes interrupts.
rounds() { patch "$elf" "$(address "$elf" clock_rounds)" "$(printf '%08x' "$1")"; }

# resident PID: KB of it alone.
resident() { awk '/^VmRSS:/ {print $2}' "/proc/$1/status" 2>/dev/null; }

# sample PID: the sizes of tcgrr and of the QEMUs below it, every so often until it has ended, a line each: "NAME KB".
sample() {
    local pid name
    while [ -d "/proc/$1" ]; do
        for pid in "$1" $(pgrep -P "$1" -f -- "-kernel $elf" || true); do
            name=tcgrr
            [ "$pid" = "$1" ] || { grep -qa rr=record "/proc/$pid/cmdline" 2>/dev/null && name=A || name=B; }
            kb=$(resident "$pid") && [ -n "$kb" ] && echo "$name $kb"
        done
        sleep 0.1
    done
}

# grows WHAT FILE NAME: compares the largest size of the first part to that of the last fifth.
grows() {
    local sizes early late
    sizes=$(awk -v name="$3" '$1 == name {print $2}' "$2")
    local count
    count=$(wc -l <<<"$sizes")
    [ "$count" -ge 10 ] || return 0
    early=$(head -n $((count / part + 1)) <<<"$sizes" | sort -n | tail -n 1)
    late=$(tail -n $((count / 5)) <<<"$sizes" | sort -n | tail -n 1)
    echo "$1: $3 $early KB up to 1/$part of it, $late KB at the end, $count looks"
    looks=$((looks + 1))
    [ "$late" -le $((early + early / 20)) ] || [ "$late" -le $((early + 2048)) ] || fail "$1: $3 grew from $early to $late KB"
}

# watch WHAT COMMAND...: runs it and judges its sizes.
watch() {
    local what=$1 name looks=0
    shift
    "$@" >"$work/out" 2>"$work/err" &
    local pid=$!
    sample "$pid" >"$work/sizes"
    wait "$pid" || fail "$what: exit status $?: $(tail -n 2 "$work/err")"
    for name in tcgrr A B; do grows "$what" "$work/sizes" "$name"; done
    [ "$looks" -gt 0 ] || fail "$what: it ended before it could be looked at"
}

rounds 100
guest rv64-clock 10.0 "$elf"
record short
each=$(($(json .icount) / 100))
rounds $((insns / each))
guest rv64-clock 10.0 "$elf"
watch "record flow" "$tcgrr" record --json -o "$work/long.tcgrr" -- "${guest[@]}"
watch "replay" "$tcgrr" replay --json "$work/long.tcgrr"
watch "lockstep" "$tcgrr" lockstep --json --a "${guest[0]}" --b "${guest[0]}" -- "${guest[@]:1}"
watch "lockstep --from" "$tcgrr" lockstep --json --from 100000 --a "${guest[0]}" --b "${guest[0]}" -- "${guest[@]:1}"
watch "record state" "$tcgrr" record --json --level state -o "$work/state.tcgrr" -- "${guest[@]}"
watch "lockstep, own inputs" "$tcgrr" lockstep --json --own-inputs --a "${guest[0]}" --b "${guest[0]}" -- "${guest[@]:1}"
