#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Exports add up to what ran, and programs that are not ours read them.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

guest rv64-trap 10.0
record trap --level full
run 0 "$tcgrr" info --json "$work/trap.tcgrr"
icount=$(json .icount)
execs=$(json .execs)
exceptions=$(json .events.exception)

# export FORMAT: $work/out.FORMAT
export_as() { run 0 "$tcgrr" export "$work/trap.tcgrr" "$1" -o "$work/out.$1" "${@:2}"; }

export_as folded
equal "instructions in all stacks" "$(awk '{sum += $NF} END {printf "%d", sum}' "$work/out.folded")" "$icount"
contains "stacks" "$(cat "$work/out.folded")" '(^|;)guest_main;'
[ -z "$(awk 'NF != 2' "$work/out.folded")" ] || fail "a line has other than a stack and a number"

export_as csv
equal "lines" "$(wc -l < "$work/out.csv")" $((execs + 1))
equal "executions and instructions by SQLite" \
    "$(sqlite3 :memory: ".import --csv $work/out.csv t" "SELECT count(*), sum(ran) FROM t")" "$execs|$icount"
export_as csv --from 100 --until 200
equal "first and last icount of a part" "$(sqlite3 :memory: ".import --csv $work/out.csv t" \
    "SELECT min(CAST(icount AS INTEGER)) BETWEEN 80 AND 100, max(CAST(icount AS INTEGER)) < 200 FROM t")" "1|1"

export_as tenet
equal "lines of instructions" "$(wc -l < "$work/out.tenet")" "$icount"
accesses=$("$tcgrr" query "$work/trap.tcgrr" "SELECT count(*) FROM mem" --format csv | tail -n 1)
equal "accesses" "$(grep -oE 'm[rw]=0x[0-9a-f]+:[0-9a-f]+' "$work/out.tenet" | wc -l)" "$accesses"

export_as callgrind
if command -v callgrind_annotate >/dev/null; then
    callgrind_annotate "$work/out.callgrind" > "$work/annotated" 2>"$work/err"
    equal "what callgrind_annotate complains of" "$(cat "$work/err")" ""
    equal "the total by callgrind_annotate" "$(awk '/PROGRAM TOTALS/ {gsub(",", "", $1); print $1}' "$work/annotated")" "$icount"
fi

export_as perfetto --min 1
if command -v protoc >/dev/null; then
    protoc --decode_raw < "$work/out.perfetto" > "$work/decoded" || fail "protoc cannot decode it"
    begins=$(grep -c '^    9: 1$' "$work/decoded")
    equal "ends of functions" "$(grep -c '^    9: 2$' "$work/decoded")" "$begins"
    [ "$begins" -gt 10 ] || fail "there are only $begins functions"
    equal "exceptions" "$(awk '/10: / {name = $2} /9: 3$/ {instant = 1} /^}/ {if (instant && name) count[name]++; instant = 0; name = ""}
                               END {for (n in count) print count[n]}' "$work/decoded" | grep -cx "$exceptions")" 1
fi

export_as uftrace
if command -v uftrace >/dev/null; then
    uftrace report -d "$work/out.uftrace" -f total,self,call --format normal > "$work/uftrace" 2>"$work/err" || fail "uftrace: $(cat "$work/err")"
    contains "functions by uftrace" "$(cat "$work/uftrace")" ' guest_main$'
    handled=$(awk '$NF == "trap_entry_m" {print $(NF - 1)}' "$work/uftrace")
    equal "exceptions handled, by uftrace" "$handled" "$exceptions"
    uftrace dump -d "$work/out.uftrace" > "$work/dumped"
    equal "exits" "$(grep -c '\[exit ' "$work/dumped")" "$(grep -c '\[entry' "$work/dumped")"
fi
complains 2 "cannot create the folder" "$tcgrr" export "$work/trap.tcgrr" uftrace -o "$work/out.uftrace"
complains 2 "needs -o" "$tcgrr" export "$work/trap.tcgrr" uftrace

# Handlers return, also to where a branch was about to go when the interrupt came.
guest rv64-timer 10.0
record timer
run 0 "$tcgrr" export "$work/timer.tcgrr" folded -o "$work/out.folded"
contains "stacks" "$(cat "$work/out.folded")" ';trap_entry_m(;| )'
equal "stacks in which a handler did not return" "$(grep -c 'trap_entry_m;.*guest_main' "$work/out.folded" || true)" 0

# Lines: as often as the guest's source says, and the same that a plain count of each address gives.
guest a64-timer 10.0
record a64-timer
if "$tcgrr" export "$work/a64-timer.tcgrr" lcov -o "$work/out.lcov" 2>"$work/err"; then
    # count TEXT: of the line of a64-timer.c with this text.
    count() {
        local line
        line=$(grep -nF -m 1 -- "$1" "$tests/../fixtures/a64-timer.c" | cut -d: -f1)
        sed -n '/^SF:.*a64-timer.c$/,/^end_of_record/p' "$work/out.lcov" | sed -n "s/^DA:$line,//p"
    }
    equal "rounds" "$(count 'uint64_t *word = ')" 250000
    equal "interrupts" "$(count 'interrupts++')" 250
    equal "interrupts that set the next one" "$(count 'timer_next(PERIOD);')" 249
    equal "a line that did not run" "$(count 'guest_fail(NAME, "interrupt"')" 0
    contains "functions" "$(cat "$work/out.lcov")" '^FNDA:250,exception_handler$'
    # Reports show the same lines as other programs.
    if command -v llvm-symbolizer >/dev/null; then
        run 0 "$tcgrr" report "$work/a64-timer.tcgrr" hotblocks limit=0 lines=on --json
        json '.blocks[].pc' >"$work/addresses"
        llvm-symbolizer --obj="$fixtures/a64-timer.elf" --functions=none --no-inlines <"$work/addresses" |
            sed -n 's/:[0-9]*$//p' | sed 's/^.*:0$/?/' >"$work/lines"
        [ "$(grep -c 'a64-timer.c:' "$work/lines")" -ge 5 ] || fail "llvm-symbolizer knows only: $(cat "$work/lines")"
        equal "lines of blocks" "$(json '.blocks[] | .line // "?"')" "$(cat "$work/lines")"
        "$tcgrr" report "$work/a64-timer.tcgrr" hotblocks limit=0 lines=on | sed '1,2d; s/.*, //' >"$work/shown"
        cmp "$work/shown" "$work/lines" || fail "hotblocks shows other lines as text"
    fi
    if command -v genhtml >/dev/null; then
        genhtml -q "$work/out.lcov" -o "$work/coverage" >"$work/genhtml" 2>&1 || fail "genhtml: $(cat "$work/genhtml")"
    fi
else
    contains "why there are no lines" "$(cat "$work/err")" "built without libdw"
fi
complains 3 "line numbers" "$tcgrr" export "$work/timer.tcgrr" lcov

complains 2 "the formats are perfetto" "$tcgrr" export "$work/trap.tcgrr" nonsense
complains 2 "numbers of instructions" "$tcgrr" export "$work/trap.tcgrr" csv --from main
guest rv64-trap 10.0
record flow
complains 3 "level full" "$tcgrr" export "$work/flow.tcgrr" tenet
