#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: 10.0
# The terminal browser on a terminal of tmux: what the screen shows and what keys do. Where each
# move ends is in unit_browse.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1

run 2 "$tcgrr" browse "$work/none.tcgrr" </dev/null
contains "without a terminal" "$(cat "$work/err")" "terminal"
command -v tmux >/dev/null || skip "tmux is missing"
[[ $("$tcgrr" browse --help) == *Keys:* ]] || skip "tcgrr was built without ncurses"

export LC_ALL=C.UTF-8
# Each server has a socket of its own: the next one would meet one that is still about to leave.
server=0
tmux() { command tmux -f /dev/null -S "$work/tmux.$server" "$@"; }
trap 'tmux kill-server 2>/dev/null || true' EXIT

# open WORD...: the command in a terminal of its own.
open() {
    tmux kill-server 2>/dev/null || true
    server=$((server + 1))
    tmux new-session -d -x 140 -y 40 "$(printf '%q ' "$@") 2>$work/browse.err; echo left \$?; exec sleep 1000"
}
screen() { tmux capture-pane -p; }

# shows WHAT PATTERN: the screen comes to show it.
shows() {
    local i
    for ((i = 0; i < 300; i++)); do
        ! screen | grep -Eq -- "$2" || return 0
        sleep 0.1
    done
    screen >&2
    fail "$1: the screen does not show '$2'"
}
press() { tmux send-keys "$@"; }

guest a64-timer "$version"
record a64-timer --level full
trace=$work/a64-timer.tcgrr
event=$("$tcgrr" query "$trace" "SELECT min(icount) FROM event WHERE kind = 'interrupt'" --format csv | tail -n 1)
grouped() { printf "%'d" "$1" | sed ':a; s/\B[0-9]\{3\}\>/,&/; ta'; }

open "$tcgrr" browse "$trace"
shows "the beginning" "a64-timer.tcgrr  0 of .*vCPU 0"
shows "the stack" "start since 0"
shows "symbols" "_start"
press e
shows "the next event" "a64-timer.tcgrr  $(grouped "$event") of"
shows "the event" "$(grouped "$event") ~ interrupt at"
shows "the stack in a handler" "interrupt since $(grouped "$event")"
press u
shows "what was interrupted" "a64-timer.tcgrr  $(grouped $((event - 1))) of"
press g; press -l "50%"; press Enter
shows "half-way" "\(50.0%\)"
press g; press -l "nonsense"; press Enter
shows "what is wrong" "'nonsense' is not an icount"
press M; press -l "look here"; press Enter
shows "the bookmark" "\* look here"
press '<'
shows "the beginning again" "a64-timer.tcgrr  0 of"
press "'"
shows "the bookmark's place" "\(50.0%\)"
press M; press Escape
shows "the bookmark after Escape" "\* look here"
writer=$("$tcgrr" why "$trace" --at guest_main sp --depth 1 --json | jq '.steps[0].icount')
press g; press -l "guest_main"; press Enter
press W; press -l "sp"; press Enter
shows "what wrote sp" "a64-timer.tcgrr  $(grouped "$writer") of"
shows "what it is" "wrote sp before icount"
press g; press -l "guest_main"; press Enter
shows "the source line" "^[^ ]*a64-timer.c:[0-9]+"
press '?'
shows "the keys" "previous execution of this block"
press q; press q
shows "the end" "left 0"
equal "what it said" "$(cat "$work/browse.err")" ""
verify a64-timer
run 0 "$tcgrr" replay --json "$trace"

# Two runs, which differ from an instruction on whose result depends on the version.
guest a64-fcvtzs 7.2
record a
guest a64-fcvtzs 10.0
record b
run 1 "$tcgrr" diff --json --from _start "$work/a.tcgrr" "$work/b.tcgrr"
at=$(json .divergence.icount)
open "$tcgrr" diff --browse --from _start "$work/a.tcgrr" "$work/b.tcgrr"
shows "the divergence" "the runs diverge here"
shows "both places" "a.tcgrr  $(grouped "$at") of .*b.tcgrr  $(grouped "$at") of"
shows "the difference" "!0x"
press k
shows "both a step before" "a.tcgrr  $(grouped $((at - 1))) of .*b.tcgrr  $(grouped $((at - 1))) of"
press d
shows "the next difference" "a.tcgrr  $(grouped "$at") of .*b.tcgrr  $(grouped "$at") of"
press q
shows "the exit status of diff" "left 1"

# A QEMU with a fault of its own, which only replays what A recorded: both sides are shown, too.
# Faults need plugin API 7.
guest rv64-compute-short 11.1
record c
IFS=, read -r at pc < <("$tcgrr" query "$work/c.tcgrr" --format csv \
    "SELECT icount, printf('0x%x', pc) FROM insn WHERE symbol = 'compute_call' LIMIT 1 OFFSET 2000" | tail -n 1)
cat >"$work/faulty" <<FAULTY
#!/bin/sh
exec ${guest[0]} "\$@" -plugin $TCGRR_BUILD/tests/libinject.so,at=$at,pc=$pc,reg=s1,bit=63
FAULTY
chmod +x "$work/faulty"
open "$tcgrr" bisect "$work/c.tcgrr" --qemu "$work/faulty" --bundle "$work/faulty.report" --browse
shows "the divergence in a replay" "the runs diverge here"
press d
shows "both sides of a replay" '^ *[0-9,]+ .!0x[0-9a-f]+ .*compute_.* [0-9,]+ .!0x[0-9a-f]+ .*compute_'
press q
shows "the exit status of bisect" "left 1"
[ ! -e "$work/faulty.report/b-replayed.tcgrr" ] || fail "the trace that was only looked at is left"

# What cannot be looked at is said.
guest rv64-mem "$version"
record other --level inputs
open "$tcgrr" browse "$work/other.tcgrr"
shows "without instructions" "left 3"
contains "without instructions" "$(cat "$work/browse.err")" "lacks level flow; make it: tcgrr fill"
run 0 "$tcgrr" fill "$work/other.tcgrr" --level flow --from 5000 --until 6000
open "$tcgrr" browse "$work/other.tcgrr"
shows "a window" "other.tcgrr  5,000 of"
record other --force
open "$tcgrr" browse "$trace" "$work/other.tcgrr"
shows "runs of two targets" "left 2"
contains "runs of two targets" "$(cat "$work/browse.err")" "a64-timer.tcgrr is aarch64 system mode, .* is riscv64"

# A terminal that goes away ends it, even where the signal that says so is ignored.
python3 - "$tcgrr" browse "$trace" <<'PYTHON' || fail "it stays when its terminal is gone"
import os, pty, signal, sys, time
pid, terminal = pty.fork()
if pid == 0:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.environ["TERM"] = "xterm"
    os.execv(sys.argv[1], sys.argv[1:])
os.read(terminal, 1)
os.close(terminal)
for _ in range(1000):
    if os.waitpid(pid, os.WNOHANG)[0]:
        sys.exit(0)
    time.sleep(0.02)
os.kill(pid, signal.SIGKILL)
sys.exit(1)
PYTHON
