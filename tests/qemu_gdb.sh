#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: 7.2 10.0 11.1
# gdb on a recorded run: it begins at the place that was named, and goes forwards and backwards from
# there.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1
command -v gdb-multiarch >/dev/null || skip "gdb-multiarch is not installed"

# debug TRACE WHERE COMMAND...: what gdb says to these commands.
debug() {
    local trace=$work/$1.tcgrr where=$2 arguments=(-batch)
    shift 2
    for command in "$@"; do arguments+=(-ex "$command"); done
    "$tcgrr" gdb "$trace" "$where" -- "${arguments[@]}" >"$work/out" 2>&1 || fail "gdb $trace: $(tail -n 3 "$work/out")"
}

# stands WHAT ICOUNT...: the places that the last `debug` printed, in order.
stands() {
    local what=$1
    shift
    equal "$what" "$(grep -E '^[0-9]+$' "$work/out" | tr '\n' ' ')" "$* "
}

declare -A handlers=([a64-timer]=exception_handler [x86-timer]=interrupt_handler)
names=(x86-timer)
[ "$version" = 10.0 ] || names+=(a64-timer)
for name in "${names[@]}"; do
    guest "$name" "$version"
    record "$name"
    end=$(($(json .icount) - 1))
    debug "$name" 2000000 icount stepi icount reverse-stepi icount reverse-stepi icount "goto 3000001" icount
    stands "$name: steps" 2000000 2000001 2000000 1999999 3000001

    debug "$name" guest_main icount "p \$pc == (long)&guest_main" reverse-continue icount continue icount
    contains "$name: symbol" "$(cat "$work/out")" "^\\\$1 = 1$"
    equal "$name: ends of the run" "$(grep -c '^No more reverse-execution history' "$work/out")" 2
    main=$(grep -m 1 -E '^[0-9]+$' "$work/out")
    stands "$name: start and end" "$main" 0 "$end"

    # Backwards to where it came by: the handler is entered by an interrupt, at whose icount another
    # instruction was due.
    debug "$name" guest_main "break *${handlers[$name]}" continue icount continue icount continue icount \
        reverse-continue icount reverse-stepi "p \$pc == (long)&${handlers[$name]}" continue icount reverse-continue icount
    mapfile -t places < <(grep -E '^[0-9]+$' "$work/out")
    stands "$name: breakpoint" "${places[@]:0:3}" "${places[1]}" "${places[1]}" "${places[0]}"
    contains "$name: a step back out of the handler" "$(cat "$work/out")" "^\\\$1 = 0$"

    # Who wrote a value last: it is undone on the way back, and done again on the way there.
    counter=$(nm "$fixtures/$name.elf" | sed -n 's/ b interrupts$//p')
    debug "$name" "$end" "watch *(int *)0x$counter" reverse-continue icount reverse-continue icount continue icount
    contains "$name: undone" "$(tr '\n' ' ' <"$work/out")" "Old value = 250 New value = 249.*Old value = 249 New value = 248"
    mapfile -t places < <(grep -E '^[0-9]+$' "$work/out")
    stands "$name: watchpoint" "${places[@]:0:2}" $((places[1] + 1))
done

# Ctrl-C, which the terminal sends to all of its foreground, interrupts the guest and ends nothing.
setsid "$tcgrr" gdb "$work/x86-timer.tcgrr" 9000000 -- -batch -ex "stepi 100000000" -ex icount >"$work/out" 2>&1 &
for _ in $(seq 300); do
    if grep -q "^=> " "$work/out"; then break; fi
    sleep 0.1
done
session=$(pgrep -f "^$tcgrr gdb $work/x86-timer")
sleep 0.3
kill -INT -- "-$session"
wait "$!" || fail "after Ctrl-C: $(tail -n 3 "$work/out")"
contains "after Ctrl-C" "$(cat "$work/out")" "^[0-9]+$"
equal "QEMUs that are left" "$(pgrep -f "$fixtures/x86-timer.elf.*$work" | wc -l)" 0

# What goes on after the recording's end is not of the run.
record short --until 3000003
equal "the run's end is not the log's" "$(json '.tail > 0')" true
run 0 "$tcgrr" keyframes --json --every 1000000 "$work/short.tcgrr"
equal "keyframes up to the end" "$(json .keyframes)" 3
debug short 2999990 icount continue icount reverse-stepi icount stepi stepi icount
stands "end of the recording" 2999990 3000002 3000001 3000002
contains "end of the recording" "$(cat "$work/out")" "^No more reverse-execution history"
"$tcgrr" gdb "$work/short.tcgrr" -- -batch -ex icount >"$work/out" 2>&1
stands "without a place" 3000002
complains 3 "ends after 3000003 instructions; there is nothing left to run" "$tcgrr" gdb "$work/short.tcgrr" 3000003
run 0 "$tcgrr" replay --json --at 0 "$work/short.tcgrr"
equal "the run's first icount" "$(json '[.stopped_at, .compared, .qemu_icount] | join(" ")')" "0 0 0"

# Machines that gdb does not recognise by what QEMU's stub says of itself, with no file to read.
firmware() {
    local name=$TCGRR_QEMUS/bin/qemu-system-$1-$version pc
    [ -x "$name" ] || return 0
    guest=("$name" "${@:2}" -display none -monitor none -serial null)
    record "$1" --until 3000
    pc=$("$tcgrr" query "$work/$1.tcgrr" --format jsonl "SELECT printf('%x', pc) AS pc FROM insn WHERE icount = 1500" | jq -r .pc)
    # shellcheck disable=SC2016
    debug "$1" 1500 'printf "at %lx\n", (long) $pc' stepi reverse-stepi icount
    contains "$1: pc" "$(cat "$work/out")" "^at (ffffffff)?$pc$"
    stands "$1: there and back" 1500
}
firmware ppc -M g3beige
firmware ppc64 -M mac99
firmware s390x -M s390-ccw-virtio
firmware sparc64 -M sun4u
head -c 65536 /dev/zero >"$work/nops" # no firmware is packaged for it
firmware mips64el -M malta -bios "$work/nops"
[ "$version" = 7.2 ] || firmware hppa -M B160L
# A list of symbols, whose last one ends nowhere.
firmware sparc -M SS-5
if [ -f "$work/sparc.tcgrr" ]; then
    echo "0000000000000004 T label" >"$work/symbols"
    run 0 "$tcgrr" symbols "$work/sparc.tcgrr" "$work/symbols"
    debug sparc 1500 icount "info symbol \$pc"
    stands "a label without an end" 1500
    contains "a label without an end" "$(cat "$work/out")" "^label"
fi

complains 3 "no such program" "$tcgrr" gdb --gdb no-such-gdb "$work/x86-timer.tcgrr"
complains 3 "there is nothing left to run" "$tcgrr" gdb "$work/x86-timer.tcgrr" 99999999999
complains 2 "neither an icount" "$tcgrr" gdb "$work/x86-timer.tcgrr" no_such_symbol
complains 3 "never executes" "$tcgrr" gdb "$work/x86-timer.tcgrr" 0x1234

# A gdb of the user's own, at a socket.
"$tcgrr" replay --json --at 3000000 --gdb "unix:$work/socket" "$work/x86-timer.tcgrr" >"$work/replayed" 2>"$work/err" &
for _ in $(seq 600); do
    if [ -S "$work/socket" ]; then break; fi
    sleep 0.1
done
gdb-multiarch -nx -q -batch -ex "set architecture i386:x86-64" -ex "target remote $work/socket" -ex "monitor icount" \
    -ex reverse-stepi -ex "monitor icount" -ex detach >"$work/out" 2>&1
stands "at a socket" 3000000 2999999
gdb-multiarch -nx -q -batch -ex "set architecture i386:x86-64" -ex "target remote $work/socket" -ex kill >"$work/out" 2>&1
wait "$!" || fail "replay --gdb: $(tail -n 3 "$work/err")"
equal "replay --gdb" "$(jq .stopped_at "$work/replayed")" 3000000
