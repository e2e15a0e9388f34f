#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: all
# timeout: 240
#
# Kills tcgrr, its QEMUs, or both, at random moments: while they record, replay, run in lockstep on
# one machine, or over a socket. After each kill every trace has to open and verify, no process may
# be left, and no file in the temporary folder.
#
#   tests/qemu_stress.sh [KILLS] [SEED]     default: 12 1; prints what was counted
#
# TCGRR_BUILD, TCGRR_QEMUS: as for the tests.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

kills=${1:-12}
RANDOM=${2:-1}
echo "seed ${2:-1}"
export TMPDIR=$work/tmp
mkdir "$TMPDIR"
elf=$work/guest.elf
copy_guest rv64-compute "$elf"
patch "$elf" "$(address "$elf" compute_rounds)" 0000000001000000
unreadable=0 strays=0 files=0 verdicts=0
declare -A done_with

# One recording that is replayed again and again.
guest rv64-compute 10.0 "$elf"
record whole
[ "$failures" = 0 ] || exit 1
versions=(7.2 10.0 11.1)

# begin WHAT: starts it in a session of its own; `job` is its first process.
begin() {
    local qemu
    guest rv64-compute "${versions[RANDOM % 3]}" "$elf"
    qemu=${guest[0]}
    rm -f "$work"/killed.tcgrr* "$work/socket"
    case $1 in
    record) setsid "$tcgrr" record --json -o "$work/killed.tcgrr" -- "${guest[@]}" & ;;
    state) setsid "$tcgrr" record --json --level state -o "$work/killed.tcgrr" -- "$(qemu riscv64 10.0)" "${guest[@]:1}" & ;;
    replay) setsid "$tcgrr" replay --json "$work/whole.tcgrr" & ;;
    lockstep) setsid "$tcgrr" lockstep --json --a "$qemu" --b "$qemu" -- "${guest[@]:1}" & ;;
    peers)
        # shellcheck disable=SC2016
        setsid bash -c 'meet=("$1" lockstep --json --peer-timeout 5 --wait 5) at=unix:$2; shift 2
            "${meet[@]}" --listen "$at" "$@" & exec "${meet[@]}" --connect "$at" "$@"' \
            peers "$tcgrr" "$work/socket" "${guest[@]}" &
        ;;
    esac >"$work/out" 2>"$work/err"
    job=$!
    disown "$job" # bash would report each kill
}

# Processes of the job's session, by what they are.
members() { pgrep -s "$job" ${1:+-f -- "$1"} || true; }

# The processes end by themselves within 20 s; what does not is a stray.
settle() {
    local i
    for ((i = 0; i < 400; i++)); do
        [ -n "$(members)" ] || return 0
        sleep 0.05
    done
    strays=$((strays + $(members | wc -l)))
    echo "stray after $1 killed ($2): $(members | xargs ps -o args= -p | head -n 3)"
    members | xargs -r kill -9
}

check_files() {
    local i
    for ((i = 0; i < 100; i++)); do
        [ -n "$(ls -A "$TMPDIR")" ] || return 0
        sleep 0.02
    done
    files=$((files + $(find "$TMPDIR" -mindepth 1 | wc -l)))
    echo "left in the temporary folder after $1 killed ($2): $(ls "$TMPDIR")"
    rm -rf "${TMPDIR:?}"/*
}

check_trace() {
    [ -s "$work/killed.tcgrr" ] || return 0
    if ! "$tcgrr" verify "$work/killed.tcgrr" >"$work/verify" 2>&1; then
        unreadable=$((unreadable + 1))
        echo "unreadable after $1 killed ($2): $(cat "$work/verify")"
        cp "$work"/killed.tcgrr* "$work/kept.$unreadable" 2>/dev/null || true
    fi
}

whats=(record state replay lockstep peers)
victims=(tcgrr qemu both)
for ((kill = 0; kill < kills; kill++)); do
    what=${whats[RANDOM % 5]} victim=${victims[RANDOM % 3]}
    begin "$what"
    sleep "$((RANDOM % 2)).$((RANDOM % 100))"
    case $victim in
    tcgrr) targets=$(members "^$tcgrr" | head -n 1) ;;
    qemu) targets=$(members "$elf.*-plugin" | head -n 1) ;;
    both) targets=$(members) ;;
    esac
    # shellcheck disable=SC2086
    [ -z "$targets" ] || kill -9 $targets 2>/dev/null || true
    settle "$victim" "$what"
    # A QEMU that was killed is no divergence.
    if [ "$victim" = qemu ] && grep -q '"diverged": true' "$work/out"; then
        verdicts=$((verdicts + 1))
        echo "a verdict though a QEMU was killed ($what)"
    fi
    check_files "$victim" "$what"
    check_trace "$victim" "$what"
    done_with[$what/$victim]=$((${done_with[$what/$victim]:-0} + 1))
done
for key in "${!done_with[@]}"; do echo "  ${done_with[$key]} $key"; done | sort -k2
echo "$kills kills, $unreadable unreadable, $strays strays, $files files left, $verdicts false verdicts"
[ $((unreadable + strays + files + verdicts)) = 0 ] || failures=1
