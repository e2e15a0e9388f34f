#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: 7.2 10.0 11.1
# timeout: 240
# Where a run ends: at the guest's request to shut down, whatever the vCPU runs after it; at any
# place where a replay is told to stop; and, after a kill, where QEMU's rr log does.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1
cd "$work"

# of TRACE SQL: one number out of it.
of() { "$tcgrr" query "$1.tcgrr" "$2" --format csv | tail -n 1; }

# The guest asks by ACPI, or says that it panicked, and goes round in a circle, until QEMU stops it.
for turn in 1 2; do
    name=x86-panic
    [ $turn = 1 ] || name=x86-poweroff
    guest $name "$version"
    record "end$turn"
    icount=$(json .icount)
    equal "count with the tail" "$(json '.icount + .tail')" "$(json .qemu_icount)"
    equal "the last execution ends there" "$(of "end$turn" 'SELECT max(first_icount + insns) FROM chunk')" "$icount"
    equal "instructions" "$(of "end$turn" "SELECT count(*) FROM insn WHERE icount >= $((icount - 10))")" 10
    equal "events after it" "$(of "end$turn" "SELECT count(*) FROM event WHERE icount > $icount")" 0
    equal "checkpoints after it" "$(of "end$turn" "SELECT count(*) FROM checkpoint WHERE icount > $icount")" 0
    last=$(of "end$turn" "SELECT pc FROM insn WHERE icount = $((icount - 1))")
    equal "the last instruction" "$((last))" "$(($(address "$fixtures/$name.elf" poweroff_request)))"
    run 0 "$tcgrr" verify "end$turn.tcgrr"
    run 0 "$tcgrr" replay --json "end$turn.tcgrr"
    equal "compared" "$(json .compared)" "$icount"
done

# Stops are exact up to the end, and there is none beyond.
for at in 1 $((icount / 2)) $((icount - 1)) "$icount"; do
    run 0 "$tcgrr" replay --json --at "$at" end2.tcgrr
    equal "stopped at $at" "$(json .stopped_at)" "$at"
    equal "compared up to $at" "$(json .compared)" "$at"
done
complains 3 "ends after $icount instructions" "$tcgrr" replay --at $((icount + 1)) end2.tcgrr

# A PC cannot reset under rr, so that a reset ends the run: without BMI this guest faults until the
# processor gives up. Where the user insists on the reset, QEMU hangs, and the first Ctrl-C still
# ends it.
guest x86-blsi "$version"
guest=("${guest[@]/#max/qemu64}")
run 0 "$tcgrr" record --json -o reset.tcgrr -- "${guest[@]}"
equal "reset: complete" "$(json .complete)" true
contains "reset: what record says" "$(cat "$work/err")" "the guest reset the machine, which ended the run"
icount=$(json .icount)
run 0 "$tcgrr" replay --json reset.tcgrr
equal "reset: compared" "$(json .compared)" "$icount"
run 130 timeout --preserve-status -s INT -k 45 10 "$tcgrr" record -o hangs.tcgrr -- "${guest[@]}" -action reboot=reset

# Killed in the middle of a run in which nothing happens that QEMU would log.
elf=$work/endless.elf
copy_guest rv64-compute "$elf"
patch "$elf" "$(address "$elf" compute_rounds)" 0000001000000000
guest rv64-compute "$version" "$elf"
setsid "$tcgrr" record -o killed.tcgrr -- "${guest[@]}" >out 2>err &
recorder=$!
until [ "$(sqlite3 -readonly killed.tcgrr 'SELECT logged FROM run' 2>/dev/null || echo 0)" -gt 1000000 ]; do
    [ -d "/proc/$recorder" ] || { fail "recording ended: $(cat err)"; exit 1; }
    sleep 0.05
done
kill -9 "$(pgrep -P "$recorder" -f -- "-kernel $elf")"
wait "$recorder" || true
run 0 "$tcgrr" replay --json killed.tcgrr
equal "diverged" "$(json .diverged)" false
[ "$(json .compared)" -gt 1000000 ] || fail "only $(json .compared) instructions of the killed recording were replayed"
run 0 "$tcgrr" replay killed.tcgrr
contains "it says so" "$(cat out)" "the recording was cut short"
run 0 "$tcgrr" replay --json --at 1000000 killed.tcgrr
equal "stopped in a killed recording" "$(json .stopped_at)" 1000000
