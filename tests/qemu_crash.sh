#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 10.0
# extended: 7.2 11.1
# timeout: 240
# Whenever QEMU, tcgrr or both are killed, what was recorded until then stays readable and nothing
# keeps running; and a recording that the user stops has all up to there.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
elf=$work/guest.elf
copy_guest rv64-compute "$elf"
patch "$elf" "$(address "$elf" compute_rounds)" 0000001000000000 # it does not end by itself
guest rv64-compute "$1" "$elf"
trace=$work/killed.tcgrr

# Starts a recording; `recorder` and `emulator` are the two processes.
start() {
    rm -f "$trace"*
    setsid "$tcgrr" record --json -o "$trace" -- "${guest[@]}" >"$work/out" 2>"$work/err" &
    recorder=$!
    for ((i = 0; i < 500; i++)); do
        # Before QEMU tcgrr has other children, which ask it what it can.
        emulator=$(pgrep -P "$recorder" -f -- "-kernel $elf" || true)
        # A child is QEMU only after the trace is there; before, it can be tcgrr itself about to
        # start something. So can one of two.
        [[ ! $emulator =~ ^[0-9]+$ ]] || [ ! -s "$trace" ] || return 0
        sleep 0.02
    done
    fail "QEMU did not start: $(cat "$work/err")"
    exit 1
}

# ended STATUS WHAT: tcgrr ends like this, in time, and so does QEMU.
ended() {
    local status=0
    wait "$recorder" 2>/dev/null || status=$?
    equal "$2: exit status" "$status" "$1"
    for ((i = 0; i < 600; i++)); do
        [ -d "/proc/$emulator" ] || return 0
        sleep 0.05
    done
    fail "$2: QEMU still runs after 30 s: $(tr '\0' ' ' <"/proc/$emulator/cmdline")"
    kill -9 "$emulator"
}

check_trace() {
    run 0 "$tcgrr" info --json "$trace"
    equal "$1: complete" "$(json .complete)" "$2"
    [ "$(json .icount)" -gt 0 ] || fail "$1: nothing was recorded"
    verify killed
}

# Everything up to there is in it, but the run has not ended: "complete" is about that.
stopped() {
    equal "$1: record says complete" "$(json .complete)" false
    check_trace "$1" false
    contains "$1: info" "$("$tcgrr" info "$trace")" "interrupted; everything up to there is here"
    equal "$1: sealed" "$(sqlite3 -readonly "$trace" "SELECT complete FROM run")" 1
}

# Part of a second, another one at each call; TCGRR_SEED repeats a run.
RANDOM=${TCGRR_SEED:-1}
random_pause() { sleep "0.$((RANDOM % 10))"; }

# Until the first instructions are stored, however slow the machine is; what is stored is at most a
# second old.
recorded() {
    until [ "$(sqlite3 -readonly "$trace" 'SELECT coalesce(sum(insns), 0) FROM chunk' 2>/dev/null || echo 0)" -gt 0 ]; do
        [ -d "/proc/$recorder" ] || { fail "recording ended: $(cat "$work/err")"; exit 1; }
        sleep 0.02
    done
}

start
recorded
random_pause
kill -9 "$emulator"
ended 3 "QEMU killed"
contains "QEMU killed" "$(cat "$work/err")" "^tcgrr: QEMU died"
check_trace "QEMU killed" false

start
recorded
random_pause
kill -9 "$recorder"
ended 137 "tcgrr killed"
check_trace "tcgrr killed" false

start
recorded
random_pause
kill -9 "$recorder" "$emulator"
ended 137 "both killed"
check_trace "both killed" false

# Before anything was stored there is still a trace, an empty one.
start
kill -9 "$recorder"
ended 137 "tcgrr killed at once"
run 0 "$tcgrr" info --json "$trace"
verify killed

# From the moment at which the trace has its name it is one.
for ((i = 0; i < 10; i++)); do
    rm -f "$trace"*
    setsid "$tcgrr" record -o "$trace" -- "${guest[@]}" >/dev/null 2>&1 &
    recorder=$!
    until [ -e "$trace" ] || [ ! -d "/proc/$recorder" ]; do :; done
    kill -9 -- "-$recorder"
    wait "$recorder" 2>/dev/null || true
    verify killed
done

# SIGINT from a terminal goes to the whole group, from elsewhere to tcgrr alone.
start
recorded
kill -INT -- "-$recorder"
ended 130 "Ctrl-C"
stopped "Ctrl-C"
start
recorded
kill -INT "$recorder"
ended 130 "SIGINT"
stopped "SIGINT"
start
recorded
kill -TERM "$recorder"
ended 143 "SIGTERM"
stopped "SIGTERM"
