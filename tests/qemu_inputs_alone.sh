#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: 7.2 10.0 11.1
# Level inputs: QEMU's rr log and nothing else, which replays, stops anywhere and says what it
# lacks.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1

# lacks LEVEL COMMAND...: it fails and says which command makes the level.
lacks() {
    local level=$1
    shift
    complains 3 "lacks level $level; make it: tcgrr fill .* --level $level" "$tcgrr" "$@"
}

guest a64-pagefault "$version"
record a --level inputs
equal "level" "$(json .level)" inputs
equal "layers" "$(json '.layers | join(" ")')" inputs
equal "execs and blocks" "$(json '[.execs, .blocks] | join(" ")')" " "
equal "complete" "$(json .complete)" true
icount=$(json .icount)
equal "QEMU's own count" "$(json '.qemu_icount - .tail')" "$icount"
[ "$icount" -gt 1000000 ] || fail "only $icount instructions"
verify a
record flow
# The guest does the same each time; only on 11.1 QEMU reports its events.
equal "instructions" "$icount" "$(json .icount)"
if [ "$version" = 11.1 ]; then
    sql="SELECT kind, icount, from_pc, to_pc FROM event ORDER BY icount, kind"
    run 0 "$tcgrr" query "$work/flow.tcgrr" "$sql" --format csv
    mv "$work/out" "$work/wanted"
    run 0 "$tcgrr" query "$work/a.tcgrr" "$sql" --format csv
    [ "$(wc -l <"$work/out")" -gt 30000 ] || fail "only $(wc -l <"$work/out") events"
    cmp "$work/out" "$work/wanted" || fail "the events differ"
fi

run 0 "$tcgrr" replay --json "$work/a.tcgrr"
equal "diverged, compared" "$(json '[.diverged, .compared] | join(" ")')" "false 0"
run 0 "$tcgrr" replay "$work/a.tcgrr"
contains "what it says" "$(cat "$work/out")" "no instructions were compared"
run 0 "$tcgrr" replay --json --at 1234567 "$work/a.tcgrr"
equal "stopped at" "$(json '[.stopped_at, .qemu_icount] | join(" ")')" "1234567 1234567"
run 3 "$tcgrr" replay --json --at $((icount + 1)) "$work/a.tcgrr"
run 0 "$tcgrr" extract "$work/a.tcgrr" "$work/a.files"
xargs -d '\n' -a "$work/a.files/command.txt" sh -c '"$@"' sh >/dev/null 2>&1 || fail "what extract writes does not run"

lacks flow diff "$work/a.tcgrr" "$work/flow.tcgrr"
lacks flow diff "$work/flow.tcgrr" "$work/a.tcgrr"
lacks flow bisect "$work/a.tcgrr" --qemu "${guest[0]}"
lacks flow bisect --builds "$work/a.tcgrr" "${guest[0]}"
lacks flow report "$work/a.tcgrr" bb
lacks flow query "$work/a.tcgrr" "SELECT count(*) FROM insn"
lacks flow query "$work/a.tcgrr" "SELECT count(*) FROM block"
lacks state query "$work/flow.tcgrr" "SELECT count(*) FROM state"
lacks full query "$work/flow.tcgrr" "SELECT count(*) FROM mem"
lacks full report "$work/flow.tcgrr" mem
complains 2 "rr takes one vCPU" "$tcgrr" record --level inputs -o "$work/smp.tcgrr" -- "${guest[@]}" -smp 2
complains 2 "no-rr" "$tcgrr" record --level inputs --no-rr -o "$work/no.tcgrr" -- "${guest[@]}"

# Inputs that QEMU does not follow: those of another guest.
copy_guest a64-pagefault "$work/kernel.elf"
guest a64-pagefault "$version" "$work/kernel.elf"
record c --level inputs
copy_guest a64-timer "$work/kernel.elf"
run 1 "$tcgrr" replay --json --timeout 5 "$work/c.tcgrr"
equal "diverged" "$(json .diverged)" true

# --fill makes what is lacking.
cp "$work/a.tcgrr" "$work/b.tcgrr"
run 0 "$tcgrr" query --fill --format csv "$work/b.tcgrr" "SELECT count(*) FROM insn"
equal "instructions after --fill" "$(tail -n 1 "$work/out")" "$icount"
run 0 "$tcgrr" diff --json "$work/b.tcgrr" "$work/flow.tcgrr"
cp "$work/a.tcgrr" "$work/b.tcgrr"
run 0 "$tcgrr" diff --fill --json "$work/b.tcgrr" "$work/flow.tcgrr"
equal "compared after --fill" "$(json .compared)" "$icount"
run 0 "$tcgrr" report --fill "$work/b.tcgrr" mem
[ -s "$work/out" ] || fail "a report with --fill is empty"

# Interrupted, a fill says so and leaves the trace as it was.
cp "$work/a.tcgrr" "$work/b.tcgrr"
"$tcgrr" fill --json --level full "$work/b.tcgrr" >"$work/out" 2>"$work/err" &
filler=$!
until [ -e "$work/b.tcgrr.fill" ] || ! kill -0 $filler 2>/dev/null; do sleep 0.01; done
kill -INT $filler
status=0
wait $filler || status=$?
equal "status of an interrupted fill" "$status" 130
equal "what it says" "$(json '[.complete, .level] | join(" ")')" "false inputs"
cmp "$work/a.tcgrr" "$work/b.tcgrr" || fail "an interrupted fill changed the trace"
