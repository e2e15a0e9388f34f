#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 10.0 11.1
# long: boots Linux
# timeout: 600
# The flow of a boot, derived from keyframes by two replays at a time, is that of the recording.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

guest_linux "$1"
record a
cp "$work/a.tcgrr" "$work/b.tcgrr"
sqlite3 "$work/b.tcgrr" "DELETE FROM chunk; DELETE FROM block; DELETE FROM block_text; DELETE FROM event; DELETE FROM checkpoint;
    UPDATE run SET level = 'inputs', execs = 0, decided = NULL, assumed = 0"
run 0 "$tcgrr" keyframes --json --every 150000000 "$work/b.tcgrr"
keyframes=$(json .keyframes)
run 0 "$tcgrr" fill --level flow -j 2 "$work/b.tcgrr"
[ "$("$tcgrr" info --json "$work/b.tcgrr" | jq .keyframes)" = "$keyframes" ] || fail "the fill found keyframes to be wrong"
verify b
for sql in "SELECT * FROM checkpoint" "SELECT icount, vcpu, kind, source, from_pc, to_pc FROM event ORDER BY icount, id" \
    "SELECT icount, qemu_icount, tail, level, complete FROM run"; do
    for trace in a b; do
        "$tcgrr" query "$work/$trace.tcgrr" --format csv "$sql" >"$work/$trace.rows"
    done
    [ "$(wc -l <"$work/b.rows")" -gt 1 ] || fail "no rows for $sql"
    cmp "$work/a.rows" "$work/b.rows" || fail "the filled trace differs: $sql"
done
