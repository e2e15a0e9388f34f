#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 10.0
# extended: 7.2 11.1
# A recording that ends at a place: exactly there, at an icount, an address and a symbol; it
# replays, and stops where it ends.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

# ask TRACE SQL: the one value.
ask() { "$tcgrr" query --format jsonl "$work/$1.tcgrr" "$2" | jq -r 'to_entries[0].value'; }

# recorded_until WHERE ICOUNT: what the two have in common.
recorded_until() {
    record until --force --until "$1"
    equal "$1: icount" "$(json .icount)" "$2"
    equal "$1: complete, reached" "$(json '.complete, .reached')" "true
true"
    equal "$1: icount and tail" "$(json '.icount + .tail == .qemu_icount')" true
    verify until
    run 0 "$tcgrr" replay --json "$work/until.tcgrr"
    equal "$1: compared" "$(json .compared)" "$2"
    run 0 "$tcgrr" replay --json --at "$2" "$work/until.tcgrr"
    equal "$1: stopped at" "$(json .stopped_at)" "$2"
    equal "$1: instructions" "$(ask until "SELECT count(*) || ',' || max(icount) FROM insn")" \
        "$2,$(($2 - 1))"
    complains 3 "ends after $2" "$tcgrr" replay --at "$(($2 + 1))" "$work/until.tcgrr"
}

guest rv64-timer "$1"
record whole
verify whole
at=$(($(json .icount) / 3))
recorded_until "$at" "$at"
pc=$(ask whole "SELECT pc FROM insn WHERE icount > 1000 AND pc NOT IN (SELECT pc FROM insn WHERE icount <= 1000) LIMIT 1")
recorded_until "$(printf '0x%x' "$pc")" "$(ask whole "SELECT min(icount) FROM insn WHERE pc = $pc")"
symbol=$(ask whole "SELECT name FROM symbol JOIN block ON pc = address WHERE pc NOT IN (SELECT pc FROM insn WHERE icount < 10) LIMIT 1")
recorded_until "$symbol" "$(ask whole "SELECT min(icount) FROM insn WHERE pc = (SELECT address FROM symbol WHERE name = '$symbol')")"

# A place that the guest never comes to is no fault of the recording, and said; one that cannot be
# is refused.
record never --until 999999999999
equal "never: reached" "$(json .reached)" false
equal "never: tail" "$(json '.tail == null or .icount > 1000')" true
contains "never" "$(cat "$work/err")" "ended before it reached --until"
complains 2 "no symbol" "$tcgrr" record -o "$work/none.tcgrr" --until nowhere -- "${guest[@]}"
complains 2 "nothing would be recorded" "$tcgrr" record -o "$work/none.tcgrr" --until 0 -- "${guest[@]}"
