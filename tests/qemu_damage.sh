#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: 11.1
# timeout: 900
# A trace is input like any other: with each table gone, and each column of each table set to values
# of the wrong kind, every command ends in order with a status of its own and a line that says why,
# and verify never calls the trace sound.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=${1:-11.1}

guest rv64-timer "$version"
record good --portable --level full --until 200000
"$tcgrr" verify "$work/good.tcgrr" >/dev/null || fail "verify of the recording"
bad=$work/bad.tcgrr
tries=0

sql() { sqlite3 "$work/good.tcgrr" "$1"; }

# ends_in_order WHAT COMMAND...: not by a signal, and not with an error that nobody explains.
ends_in_order() {
    local what=$1 status=0
    shift
    timeout 60 "$@" >"$work/out" 2>"$work/err" || status=$?
    [ "$status" -le 3 ] || fail "$what: $2 ended with status $status: $(tail -n 1 "$work/err")"
    [ "$status" -le 1 ] || [ "$(grep -c '^tcgrr: ' "$work/err")" -ge 1 ] || fail "$what: $2 does not say why it failed"
    last=$status
}

# try SQL: does it to a copy of the trace.
try() {
    cp "$work/good.tcgrr" "$bad"
    sqlite3 "$bad" "$1" 2>/dev/null || return 0
    ! cmp -s "$bad" "$work/good.tcgrr" || return 0
    tries=$((tries + 1))
    ends_in_order "$1" "$tcgrr" verify "$bad"
    [ "$last" != 0 ] || fail "$1: verify calls it sound"
    ends_in_order "$1" "$tcgrr" info -v "$bad"
    ends_in_order "$1" "$tcgrr" query "$bad" "SELECT count(*), max(icount) FROM exec"
    ends_in_order "$1" "$tcgrr" report "$bad" hotblocks
    rm -rf "$work/files"
    ends_in_order "$1" "$tcgrr" extract "$bad" "$work/files"
}

for table in $(sql "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"); do
    try "DROP TABLE \"$table\""
    [ "$(sql "SELECT count(*) FROM \"$table\"")" -gt 0 ] || continue
    try "DELETE FROM \"$table\""
    for column in $(sql "SELECT name FROM pragma_table_info('$table')"); do
        for value in NULL -1 "'text'" "zeroblob(100000)"; do
            try "UPDATE \"$table\" SET \"$column\" = $value"
        done
    done
done
echo "$tries damaged traces"
[ "$tries" -gt 200 ] || fail "only $tries traces could be damaged"
