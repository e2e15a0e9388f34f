#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: 7.2 10.0 11.1
# What is derived by replaying has the same instructions, events and values as a recording; in
# windows, from keyframes, by several processes, and after having been killed.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1

# bare TRACE: leaves nothing in it but the inputs.
bare() {
    sqlite3 "$work/$1.tcgrr" "DELETE FROM chunk; DELETE FROM block; DELETE FROM block_text; DELETE FROM event; DELETE FROM checkpoint;
        DELETE FROM register; DELETE FROM sample; DELETE FROM mem_chunk; DELETE FROM device; DELETE FROM region;
        UPDATE run SET level = 'inputs', execs = 0, decided = NULL, assumed = 0, sample_step = 0, mem_from = NULL, mem_until = NULL"
}

# same A B SQL: the two traces answer alike, with some rows.
same() {
    "$tcgrr" query "$work/$1.tcgrr" --format csv "$3" >"$work/$1.rows"
    "$tcgrr" query "$work/$2.tcgrr" --format csv "$3" >"$work/$2.rows"
    [ "$(wc -l <"$work/$2.rows")" -gt 1 ] || fail "$2: no rows for $3"
    cmp "$work/$1.rows" "$work/$2.rows" || fail "$2 differs from $1: $3"
}

same_flow() {
    same "$1" "$2" "SELECT icount, vcpu, pc FROM insn WHERE icount % 101 < 3"
    same "$1" "$2" "SELECT icount, vcpu, kind, source, from_pc, to_pc FROM event ORDER BY icount, id"
    same "$1" "$2" "SELECT * FROM checkpoint"
    same "$1" "$2" "SELECT icount, qemu_icount, tail, level, complete, reports_discontinuities FROM run"
    verify "$2"
}

# Exceptions all the time; before API 6 they are inferred, and put right by the log.
guest x86-fault "$version"
record fault
cp "$work/fault.tcgrr" "$work/a.tcgrr"
bare a
run 0 "$tcgrr" fill --json --level flow "$work/a.tcgrr"
equal "layers, windows" "$(json '[(.layers | join(" ")), (.windows | length)] | join(" ")')" "inputs flow 0"
same_flow fault a
[ ! -e "$work/a.tcgrr.fill" ] || fail "the windows are still there"
run 0 "$tcgrr" replay --json "$work/a.tcgrr"
equal "compared" "$(json .compared)" "$("$tcgrr" info --json "$work/fault.tcgrr" | jq .icount)"

# Windows, one after the other and side by side, from keyframes where they can be.
guest a64-timer "$version"
level=full
record timer --level $level
cp "$work/timer.tcgrr" "$work/b.tcgrr"
bare b
run 0 "$tcgrr" fill --json --level flow --from 1000001 --until 1500003 "$work/b.tcgrr"
equal "window" "$(json '[.level, .windows.flow[][]] | join(" ")')" "inputs 1000001 1500003"
equal "its instructions" "$("$tcgrr" query "$work/b.tcgrr" --format csv "SELECT count(*) || ' ' || min(icount) FROM insn" | tail -n 1)" "500002 1000001"
verify b
# What is outside of the windows is no answer, in no part nor in some.
complains 3 "has level flow of instructions 1000001 to 1500002 only; make it: tcgrr fill .* --level flow --from 5 --until 8" \
    "$tcgrr" query "$work/b.tcgrr" "SELECT count(*) FROM insn WHERE icount BETWEEN 5 AND 7"
equal "rows outside of the windows" "$(cat "$work/out")" ""
complains 0 "note: rows are missing: .* --from 1500003 --until 1500005" \
    "$tcgrr" query "$work/b.tcgrr" "SELECT icount FROM insn WHERE icount BETWEEN 1500001 AND 1500004"
complains 0 "note: rows are missing: .* --from 0" "$tcgrr" query "$work/b.tcgrr" "SELECT count(*) FROM chunk"
run 0 "$tcgrr" query "$work/b.tcgrr" "SELECT icount FROM insn WHERE icount BETWEEN 1400001 AND 1400004"
equal "notes inside of a window" "$(cat "$work/err")" ""
complains 0 "only a part of the run: .* --from 0" "$tcgrr" report "$work/b.tcgrr" bb
run 0 "$tcgrr" query --fill --format csv "$work/b.tcgrr" "SELECT count(*) FROM insn WHERE icount BETWEEN 1600001 AND 1600004"
equal "rows that --fill made" "$(tail -n 1 "$work/out")" 4
equal "windows" "$("$tcgrr" info --json "$work/b.tcgrr" | jq -r '.windows.flow[][]' | xargs)" "1000001 1500003 1600001 1600005"
complains 3 "lacks level flow in parts of it; make it: tcgrr fill" "$tcgrr" diff "$work/b.tcgrr" "$work/timer.tcgrr"
run 0 "$tcgrr" keyframes --json --every 800000 "$work/b.tcgrr"
keyframes=$(json .keyframes)
run 0 "$tcgrr" fill --level full -j 2 --window-size 300000 --from 2000001 --until 3000003 "$work/b.tcgrr"
for wrong in 5 5:5 5:-1 0:99999999999999999999; do
    complains 2 "--window takes ICOUNT:ICOUNT, not '$wrong'" \
        "$tcgrr" fill --level full --window=$wrong -o "$work/window" "$work/b.tcgrr"
done
verify b
same_window="icount, kind, address, size, value, physical, device, part FROM mem WHERE icount >= 2000001 AND icount < 3000003"
same timer b "SELECT $same_window"

# A fill that is killed leaves the trace as it was, and goes on from there.
cp "$work/b.tcgrr" "$work/before.tcgrr"
"$tcgrr" fill --print-jobs --level $level -j 2 --window-size 300000 "$work/b.tcgrr" >"$work/jobs"
[ "$(wc -l <"$work/jobs")" -gt 3 ] || fail "only $(wc -l <"$work/jobs") jobs"
head -n 1 "$work/jobs" | sh || fail "a job failed"
first=$(find "$work/b.tcgrr.fill" -name '*.tcgrr' -printf '%i %f\n')
"$tcgrr" fill --level $level -j 2 --window-size 300000 "$work/b.tcgrr" >"$work/killed" 2>&1 &
filler=$!
until [ "$(find "$work/b.tcgrr.fill" -name '*.tcgrr' | wc -l)" -gt 1 ] || ! kill -0 $filler 2>/dev/null; do sleep 0.01; done
kill -KILL $filler || true
wait $filler || true
cmp "$work/b.tcgrr" "$work/before.tcgrr" || fail "a killed fill changed the trace"
find "$work/b.tcgrr.fill" -name '*.tcgrr' -printf '%i %f\n' | grep -qxF "$first" || fail "a window that was there is gone"
run 0 "$tcgrr" fill --json --level $level -j 2 --window-size 300000 "$work/b.tcgrr"
equal "level" "$(json .level)" $level
[ "$("$tcgrr" info --json "$work/b.tcgrr" | jq .keyframes)" = "$keyframes" ] || fail "a fill found keyframes to be wrong"
same_flow timer b
same timer b "SELECT icount, kind, address, size, value, physical, device, part FROM mem"
[ "$version" = 7.2 ] || same timer b "SELECT icount, register, value, stores FROM state"
run 0 "$tcgrr" fill --json --level $level "$work/b.tcgrr" # there is nothing left to do

# Jobs for a scheduler, in any order; what is of another run is refused.
cp "$work/timer.tcgrr" "$work/c.tcgrr"
bare c
"$tcgrr" fill --print-jobs --level full -j 3 --window-size 300000 "$work/c.tcgrr" >"$work/jobs"
equal "jobs" "$(wc -l <"$work/jobs")" 3
tac "$work/jobs" | xargs -P 2 -I {} sh -c '{}' || fail "a job failed"
complains 2 "is not a window of" "$tcgrr" fill --collect "$work/a.tcgrr" "$work"/c.tcgrr.fill/*.tcgrr
complains 2 "is not a window of" "$tcgrr" fill --collect "$work/c.tcgrr" "$work/timer.tcgrr"
run 0 "$tcgrr" fill --json --collect "$work/c.tcgrr" "$work"/c.tcgrr.fill/*.tcgrr
same_flow timer c
same timer c "SELECT icount, kind, address, size, value, physical, device, part FROM mem"

# A fill beside a job that is at work leaves alone what that writes, and removes what a killed one
# left.
cp "$work/timer.tcgrr" "$work/e.tcgrr"
bare e
cat >"$work/slow" <<END
#!/bin/sh
case "\$*" in *rr=replay*) until [ -e $work/go ]; do sleep 0.05; done ;; esac
exec ${guest[0]} "\$@"
END
chmod +x "$work/slow"
"$tcgrr" fill --print-jobs --level full -j 3 --window-size 300000 --qemu "$work/slow" "$work/e.tcgrr" | tail -n 1 >"$work/job"
parts() { find "$work/e.tcgrr.fill" -name "*.part" 2>/dev/null; }
sh "$work/job" 2>"$work/job.err" &
job=$!
until [ -n "$(parts)" ] || ! kill -0 $job 2>/dev/null; do sleep 0.01; done
written=$(parts)
[ -n "$written" ] || fail "a job writes no part"
touch "$work/e.tcgrr.fill/full-0-300000.tcgrr.1.part"
run 0 "$tcgrr" fill --level flow --from 5 --until 1005 "$work/e.tcgrr"
equal "parts of a job at work, and of none" "$(parts)" "$written"
touch "$work/go"
wait $job || fail "a job beside a fill failed: $(cat "$work/job.err")"
run 0 "$tcgrr" fill --level full -j 3 --window-size 300000 "$work/e.tcgrr"
same_flow timer e
[ ! -e "$work/e.tcgrr.fill" ] || fail "the folder of the windows is left"

# Several fills at once: what one adds is not lost to another, nor is the folder removed under it.
cp "$work/timer.tcgrr" "$work/d.tcgrr"
bare d
"$tcgrr" fill --level flow --from 1000001 --until 1500003 "$work/d.tcgrr" >"$work/first" 2>&1 &
first=$!
"$tcgrr" fill --level full -j 8 --window-size 300000 "$work/d.tcgrr" >"$work/second" 2>&1 &
second=$!
run 0 "$tcgrr" fill --json --level full --window-size 300000 "$work/d.tcgrr"
wait $first || fail "a fill beside another failed: $(cat "$work/first")"
wait $second || fail "a fill beside another failed: $(cat "$work/second")"
same_flow timer d
[ ! -e "$work/d.tcgrr.fill" ] || fail "the folder of the windows is left"
