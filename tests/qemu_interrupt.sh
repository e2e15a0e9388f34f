#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: 7.2 10.0 11.1
# timeout: 240
# An interrupted command has no verdict: exit status 130 or 143, whatever the signal did to QEMU,
# and no word of divergence. A QEMU that somebody else ended has none either. Nothing that was not
# compared counts as the same.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1
elf=$work/guest.elf
copy_guest rv64-compute "$elf"
patch "$elf" "$(address "$elf" compute_rounds)" 0000000004000000 # runs for some seconds
guest rv64-compute "$version" "$elf"
record long
endless=$work/endless.elf
copy_guest rv64-compute "$endless"
patch "$endless" "$(address "$endless" compute_rounds)" 0000001000000000

# children PID: the QEMUs that a tcgrr has started with this guest.
children() { pgrep -P "$1" -f -- "$elf|$endless" || true; }

# started COMMAND...: runs it as a terminal does, in a process group of its own, until its QEMU has
# run for a moment.
started() {
    setsid "$@" >"$work/out" 2>"$work/err" &
    job=$!
    until [ -n "$(children $job)" ] || [ ! -d "/proc/$job" ]; do sleep 0.02; done
    sleep "$pause"
}

# ended WHAT STATUS: tcgrr ended like this, saying nothing of a verdict, and left no QEMU.
ended() {
    local status=0 qemus
    qemus=$(children $job)
    wait $job || status=$?
    equal "$1: exit status" "$status" "$2"
    ! grep -qiE 'diverge|no divergence' "$work/out" "$work/err" || fail "$1: $(cat "$work/out" "$work/err")"
    for qemu in $qemus; do [ ! -d "/proc/$qemu" ] || fail "$1: QEMU $qemu still runs"; done
}

trace=$work/long.tcgrr
both=(--a "${guest[0]}" --b "${guest[0]}")
common=(-- "${guest[@]:1}")
for pause in 0.05 0.6; do
    started "$tcgrr" replay "$trace"
    kill -INT -- -$job
    ended "replay, Ctrl-C after $pause" 130
    contains "replay, Ctrl-C after $pause" "$(cat "$work/err")" "interrupted"
    started "$tcgrr" bisect-run "$trace" --qemu "${guest[0]}"
    kill -INT -- -$job
    ended "bisect-run, Ctrl-C after $pause" 130
    started timeout -s TERM $pause "$tcgrr" replay --json "$trace"
    ended "replay, SIGTERM by timeout after $pause" 124
    started "$tcgrr" lockstep "${both[@]}" "${common[@]}"
    kill -TERM -- -$job
    ended "lockstep, SIGTERM after $pause" 143
done
pause=0.5
started "$tcgrr" bisect "$trace" --qemu "${guest[0]}" --bundle "$work/bundle"
kill -INT -- -$job
ended "bisect, Ctrl-C" 130

# A place that is never reached, in a guest that never ends: the first Ctrl-C ends it.
guest rv64-compute "$version" "$endless"
common=(-- "${guest[@]:1}")
started "$tcgrr" lockstep "${both[@]}" --from 0x1234 "${common[@]}"
kill -INT $job
ended "lockstep --from a place that is never reached" 130

# Somebody else ends QEMU.
for signal in KILL TERM; do
    started "$tcgrr" replay "$trace"
    kill -$signal "$(children $job | head -n 1)"
    ended "replay, QEMU got SIG$signal" 3
    contains "replay, QEMU got SIG$signal" "$(cat "$work/err")" "from outside"
    started "$tcgrr" lockstep "${both[@]}" "${common[@]}"
    kill -$signal "$(children $job | head -n 1)"
    ended "lockstep, a QEMU got SIG$signal" 3
done

# Killed, it leaves no QEMU.
started "$tcgrr" lockstep "${both[@]}" "${common[@]}"
qemus=$(children $job)
kill -KILL $job
wait $job || true
for qemu in $qemus; do
    for ((i = 0; i < 1000; i++)); do
        [ -d "/proc/$qemu" ] || break
        sleep 0.01
    done
    [ ! -d "/proc/$qemu" ] || { fail "lockstep was killed: QEMU $qemu still runs"; kill -KILL "$qemu"; }
done

# A guest that resets the machine again and again: if QEMU gives up the log of that, it is no
# divergence. lui t0, 0x100; lui t1, 7; addiw t1, t1, 0x777; sw t1, 0(t0); j .
patch "$endless" "$(address "$endless" _start)" a0010062a0237773031b631d001002b7
pause=2
started "$tcgrr" record -o "$work/resets.tcgrr" -- "${guest[@]}"
kill -TERM $job
ended "record, a guest that resets the machine" 143
for ((i = 0; i < 3; i++)); do
    status=0
    if ((i < 2)); then
        "$tcgrr" replay --json "$work/resets.tcgrr" >"$work/out" 2>"$work/err" || status=$?
    else
        timeout -s INT 20 "$tcgrr" lockstep --json "${both[@]}" -- "${guest[@]:1}" >"$work/out" 2>"$work/err" || status=$?
    fi
    case $status in
    0 | 124 | 130) ;;
    3) contains "a guest that resets the machine" "$(json .error.text)" "no verdict: .* QEMU gave up its rr log" ;;
    *) fail "a guest that resets the machine: exit status $status" ;;
    esac
done

# A typo compares nothing.
complains 3 "could not load|nonexistent" "$tcgrr" lockstep "${both[@]}" -- -M virt -bios none -display none -kernel "$work/nonexistent.elf"
complains 2 "must come after" "$tcgrr" replay "$trace" --from 100 --until 50
exit $((failures > 0))
