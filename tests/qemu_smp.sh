#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 10.0
# extended: 7.2 11.1
# Two vCPUs: QEMU's rr cannot record them, icount alone can; the trace distinguishes them.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

guest rv64-smp "$1"
run 0 "$tcgrr" record --json -o "$work/smp.tcgrr" -- "${guest[@]}"
contains "what is said at the start" "$(cat "$work/err")" "^tcgrr: recording without rr, .* -smp gives 2"
equal "complete" "$(json .complete)" true
equal "rr" "$(json .rr)" false
equal "vcpus" "$(json .vcpus)" 2
equal "vCPUs that began" "$(json .events.init)" 2
[ "$(json .icount)" -gt 100000 ] || fail "only $(json .icount) instructions"
equal "console" "$(cat "$work/rv64-smp.console")" "rv64-smp: ok db8068b74e40da2f"
equal "vCPUs with events" "$(sqlite3 "$work/smp.tcgrr" "SELECT group_concat(DISTINCT vcpu) FROM event WHERE kind <> 'flush'")" 0,1
verify smp
complains 3 "rr" "$tcgrr" replay "$work/smp.tcgrr"
