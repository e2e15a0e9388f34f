#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 10.0
# extended: 7.2 11.1
# A real trace queried with SQL: what the guest's source says it does is what the tables show, from
# tcgrr and from the stock sqlite3 shell alike, and nothing can be written.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1
extension=$TCGRR_BUILD/bin/libtcgrr_sqlite

# ask TRACE SQL [OPTION...]: its rows as CSV without the heading.
ask() {
    local trace=$work/$1.tcgrr sql=$2
    shift 2
    "$tcgrr" query "$trace" --format csv "$@" "$sql" | tail -n +2
}

# lines TRACE SQL, shell TRACE SQL: a JSON object a row, by tcgrr and by sqlite3.
lines() { "$tcgrr" query "$work/$1.tcgrr" --format jsonl "$2" | jq -c .; }
shell() { sqlite3 -json -cmd ".load $extension" "$work/$1.tcgrr" "$2" | jq -c '.[]'; }

guest rv64-compute-short "$version"
record compute --symbols "$fixtures/rv64-compute-short.elf"
icount=$(json .icount)
execs=$(json .execs)
elf=$fixtures/rv64-compute-short.elf
start=$(address "$elf" compute_round)

equal "executions" "$(ask compute "SELECT count(*), sum(counted), max(seq) + 1 FROM exec")" "$execs,$icount,$execs"
ran=$(ask compute "SELECT sum(ran) FROM exec") # QEMU may count the instruction that ends it, which did not get to its end
equal "executions by chunks" "$(ask compute "SELECT execs, icount FROM exec_count")" "$execs,$icount"
equal "instructions" "$(ask compute "SELECT count(*), max(icount) + 1 FROM insn")" "$ran,$ran"
equal "executions of compute_round" "$(ask compute "SELECT count(*) FROM insn WHERE pc = $start")" \
    "$(ask compute "SELECT count(*) FROM insn WHERE +pc = $start")"
equal "the loop is the hottest function" \
    "$(ask compute "SELECT function FROM hot_function ORDER BY ran DESC LIMIT 1")" compute_round
equal "the functions' instructions add up" "$(ask compute "SELECT sum(ran) FROM hot_function")" "$ran"
equal "edges" "$(ask compute "SELECT sum(execs) + 1 FROM edge")" "$execs"
equal "history" "$(ask compute "SELECT group_concat(seq) FROM history($((icount / 2)), 3)")" \
    "$(ask compute "SELECT group_concat(seq) FROM (SELECT seq FROM exec WHERE icount < $((icount / 2)) ORDER BY seq DESC LIMIT 3)")"
contains "call stack" "$(ask compute "SELECT kind || ' ' || function FROM callstack($((icount / 2)))")" \
    "^call compute_call"

# Each turn of the loop goes through its first block: the guest's count of rounds, by three ways to
# count.
head=$(ask compute "SELECT block FROM hot_block WHERE symbol LIKE 'compute_round%' ORDER BY execs DESC LIMIT 1")
equal "executions of the loop" "$(ask compute "SELECT count(*) FROM exec WHERE block = $head")" \
    "$(ask compute "SELECT execs FROM hot_block WHERE block = $head")"
equal "executions of the loop by group" "$(ask compute "SELECT count(*) FROM exec GROUP BY block HAVING block = $head")" \
    "$(ask compute "SELECT sum(execs) FROM chunk_block WHERE block = $head")"

# What the tables are, without a terminal.
contains "columns are described" "$("$tcgrr" query "$work/compute.tcgrr" ".schema mem")" "memory accesses of instructions"
contains "tables are listed" "$(echo .tables | "$tcgrr" query "$work/compute.tcgrr")" exec_count

# The timer's interrupts, one each 20,000 instructions.
guest rv64-timer "$version"
record timer --symbols "$fixtures/rv64-timer.elf"
equal "interrupts" "$(ask timer "SELECT sum(events) >= 250 FROM event_count WHERE kind = 'interrupt'")" 1
equal "interrupts enter the handler" \
    "$(ask timer "SELECT count(*) FROM event JOIN exec USING (seq) WHERE kind = 'interrupt' AND exec.pc <> event.to_pc")" 0
equal "handler's symbol" "$(ask timer "SELECT DISTINCT symbolize(to_pc) FROM event WHERE kind = 'interrupt'")" trap_entry_m
at=$(ask timer "SELECT icount + 5 FROM event WHERE kind = 'interrupt' ORDER BY icount LIMIT 1")
contains "call stack within an interrupt" "$(ask timer "SELECT kind || ' ' || function FROM callstack($at)")" \
    "^interrupt trap_entry_m"

# Two traces in one question.
equal "blocks of both" \
    "$(ask timer "SELECT count(*) > 0 FROM block JOIN b.block AS other USING (hash)" --attach "b=$work/compute.tcgrr")" 1
equal "executions of the other" "$(ask timer "SELECT count(*) FROM exec('b')" --attach "b=$work/compute.tcgrr")" "$execs"

# Nothing is written, whatever is tried, and the trace is the same after it.
before=$(sha256sum <"$work/timer.tcgrr")
for sql in "DELETE FROM chunk" "CREATE TABLE t(x)" "ATTACH '$work/new' AS n" "PRAGMA journal_mode=WAL" "VACUUM INTO '$work/new'" \
    "CREATE TEMP TABLE t(x)" "SELECT load_extension('$extension')" "PRAGMA writable_schema=1" "UPDATE sqlite_master SET sql=''"; do
    complains 2 "not authorized|authorization denied|may not be modified" "$tcgrr" query "$work/timer.tcgrr" "$sql"
done
equal "the trace" "$(sha256sum <"$work/timer.tcgrr")" "$before"
[ ! -e "$work/new" ] || fail "a file was written"
complains 2 'syntax error' "$tcgrr" query "$work/timer.tcgrr" "SELEC 1"
complains 2 'no such table: nope' "$tcgrr" query "$work/timer.tcgrr" "SELECT * FROM nope"
complains 2 'unknown format' "$tcgrr" query "$work/timer.tcgrr" --format xml "SELECT 1"
# What was not recorded is no answer of no rows.
complains 3 'lacks level full; make it: tcgrr fill .* --level full' "$tcgrr" query "$work/timer.tcgrr" "SELECT count(*) FROM mem"
complains 3 'lacks level state; make it: tcgrr fill .* --level state' "$tcgrr" query "$work/timer.tcgrr" "SELECT count(*) FROM state"
complains 3 'cannot open' "$tcgrr" query "$work/nowhere.tcgrr" "SELECT 1"
complains 3 "is a directory, not a trace" "$tcgrr" query "$work" "SELECT 1"
mkfifo "$work/pipe"
complains 3 "not a trace" "$tcgrr" query "$work/pipe" "SELECT 1"
complains 2 'NAME=TRACE' "$tcgrr" query "$work/timer.tcgrr" --attach "$work/compute.tcgrr" "SELECT 1"
run 0 "$tcgrr" query "$work/timer.tcgrr" --format json "SELECT icount, pc, bytes, disasm FROM insn LIMIT 3"
equal "JSON" "$(json 'map(.icount) | join(",")')" "0,1,2"
run 0 "$tcgrr" query "$work/timer.tcgrr" --format jsonl "SELECT NULL AS a, 'x\"y' AS b, 1.5 AS c"
equal "JSON lines" "$(jq -c . "$work/out")" '{"a":null,"b":"x\"y","c":1.5}'
# --json is one object, however many statements there are and whatever becomes of them.
run 0 "$tcgrr" query --json "$work/timer.tcgrr" "SELECT 1 AS a, NULL AS b; SELECT 2 AS c"
equal "--json" "$(jq -c . "$work/out")" '{"rows":[{"a":1,"b":null},{"c":2}]}'
run 0 "$tcgrr" query --json "$work/timer.tcgrr" "SELECT 1 AS a WHERE 0"
equal "--json without rows" "$(jq -c . "$work/out")" '{"rows":[]}'
run 2 "$tcgrr" query --json "$work/timer.tcgrr" "SELECT 1 AS a; SELECT nowhere"
equal "--json, an error after rows" "$(jq -c '[.rows, .error.exit]' "$work/out")" '[[{"a":1}],2]'
run 2 "$tcgrr" query --json "$work/timer.tcgrr" "SELECT nowhere"
equal "--json, an error alone" "$(jq -c '[.rows, .error.exit]' "$work/out")" '[null,2]'
complains 2 "goes with SQL" "$tcgrr" query --json "$work/timer.tcgrr" .tables
equal "SQL from standard input" "$(echo "SELECT 1; SELECT 2" | "$tcgrr" query "$work/timer.tcgrr" --format jsonl | wc -l)" 2

# Ctrl-C ends a query at once.
status=0
timeout --preserve-status -s INT 1 "$tcgrr" query "$work/timer.tcgrr" \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n" >"$work/out" 2>&1 || status=$?
equal "exit status after Ctrl-C" "$status" 130

# The stock shell sees the same.
command -v sqlite3 >/dev/null || skip "there is no sqlite3"
for sql in "SELECT * FROM exec WHERE icount BETWEEN 1000 AND 1100" "SELECT icount, pc, hex(bytes), disasm FROM insn WHERE seq < 40" \
    "SELECT * FROM hot_function ORDER BY ran DESC" "SELECT * FROM history(5000, 5)" "SELECT * FROM callstack(5000)" \
    "SELECT pc, disasm, symbol FROM disassemble(3)" "SELECT * FROM hot_edge ORDER BY execs DESC, from_block LIMIT 5" \
    "SELECT kind, icount, symbolize(to_pc), addr(to_pc) FROM event LIMIT 3"; do
    rows=$(lines timer "$sql")
    equal "sqlite3: $sql" "$(shell timer "$sql")" "$rows"
    [ -n "$rows" ] || fail "$sql: no rows"
done

# Functions, lines and registers.
guest a64-timer 10.0
record lines --level state
icount=$("$tcgrr" info --json "$work/lines.tcgrr" | jq .icount)
equal "own instructions of all functions, and those from the start on" \
    "$(ask lines "SELECT sum(own) || ' ' || max(inclusive) FROM function")" "$icount $icount"
equal "calls of a function, with what it ran" \
    "$(ask lines "SELECT calls || ' ' || (own = inclusive) FROM function WHERE function = 'timer_next'")" "250 1"
equal "no function runs more by itself than with what it calls" "$(ask lines "SELECT count(*) FROM function WHERE own > inclusive")" 0
equal "what the interrupts were" \
    "$(ask lines "SELECT DISTINCT vector_name(to_pc) FROM event WHERE kind = 'interrupt'")" '"irq, same level, SP_ELx"'
equal "registers at a place are the last sample's" "$(ask lines "SELECT count(*) FROM registers(1000000) AS r
    WHERE r.value IS NOT (SELECT value FROM state WHERE register = r.register AND icount <= 1000000 ORDER BY icount DESC LIMIT 1)")" 0
[ "$(ask lines "SELECT count(*) FROM registers(1000000) WHERE icount <= 1000000")" -gt 30 ] || fail "there are no registers"
equal "the key of code that moved" "$(ask lines "SELECT count(DISTINCT code_key(pc + i * 2097152, bytes)) || ' ' ||
    (code_key(pc, bytes) = code_key(pc + 4, bytes)) AS keys FROM block, (SELECT 0 AS i UNION SELECT 7) WHERE id = 0")" "1 0"
if [ -n "$(ask lines "SELECT line_of(pc) FROM block LIMIT 1")" ]; then # built with libdw
    contains "a line" "$(ask lines "SELECT line FROM history(1000000, 1)")" 'guest.h:[0-9]+$'
    equal "an inlined function" "$(ask lines "SELECT inlined_at(pc) FROM insn WHERE symbol LIKE 'guest_main%' AND inlined_at(pc) IS NOT NULL LIMIT 1")" \
        guest_random
    equal "a frame's line" "$(ask lines "SELECT line = line_of(pc) FROM callstack(1000000) LIMIT 1")" 1
fi
