#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 10.0
# timeout: 120
# extended: 7.2 11.1
# A block that is left early right before QEMU flushes its code cache is counted correctly.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
guest rv64-flush "$1"
guest+=(-accel "tcg,tb-size=1")
record flush
equal "icount" "$(json .icount)" "$(json '.qemu_icount - (.tail // 0)')"
equal "complete" "$(json .complete)" true
[ "$(json '.events.flush // 0')" -ge 3 ] || fail "only $(json '.events.flush // 0') flushes"
contains "console" "$(tail -n 1 "$work/rv64-flush.console")" '^rv64-flush: ok'
verify flush
run 0 "$tcgrr" replay --json "$work/flush.tcgrr"
equal "replay diverges" "$(json .diverged)" false
equal "blocks that are said to have run past the load that faults" \
    "$("$tcgrr" query "$work/flush.tcgrr" --format csv "SELECT count(*) FROM insn WHERE symbol LIKE 'flush_steps%' AND disasm LIKE 'j %'" | tail -n 1)" 0
