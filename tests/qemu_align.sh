#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: 7.2 10.0 11.1
# timeout: 600
# Runs recorded without rr, whose interrupts come at different instructions and whose polling loops
# run more or fewer iterations, do not diverge, also between versions; what is tolerated is counted
# and listed. A guest that was changed diverges where it was.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1
declare -A next=([7.2]=10.0 [10.0]=11.1 [11.1]=7.2)
shifted=0
loops=0

# plain TRACE NAME VERSION [ELF]: records without rr.
plain() {
    guest "$2" "$3" "${4:-$fixtures/$2.elf}"
    record "$1" --no-rr
}

# Two traces of a guest agree from its start on; with --strict, only where nothing had to be
# tolerated.
agree() {
    local what=$1 a=$work/$2.tcgrr b=$work/$3.tcgrr tolerated
    run 0 "$tcgrr" diff --json --from _start "$a" "$b"
    equal "$what: diverged" "$(json .diverged)" false
    [ "$(json .compared)" -gt "$4" ] || fail "$what: only $(json .compared) instructions compared"
    tolerated=$(json '.shifted_events + .polling_loops + .transients')
    equal "$what: places listed" "$(json '.tolerated | length')" $((tolerated < 256 ? tolerated : 256))
    equal "$what: places without a reason" \
        "$(json '[.tolerated[] | select(.kind != "shifted event" and .reasons == [])] | length')" 0
    shifted=$((shifted + $(json .shifted_events)))
    loops=$((loops + $(json .polling_loops)))
    if ((tolerated > 0)); then
        json '.tolerated[0] | "\(.icount_a) \(.icount_b)"' >"$work/first"
        run 1 "$tcgrr" diff --json --strict --from _start "$a" "$b"
        [ "$(json .divergence.icount)" -le "$(cut -d ' ' -f 1 "$work/first")" ] ||
            fail "$what: strictly, it diverges at $(json .divergence.icount), behind $(cat "$work/first")"
        equal "$what: strictly, shifted events" "$(json .shifted_events)" 0
    fi
}

while read -r name instructions; do
    plain "$name" "$name" "$version"
    plain "$name-again" "$name" "$version"
    plain "$name-other" "$name" "${next[$version]}"
    agree "$name, $version" "$name" "$name-again" "$instructions"
    agree "$name, $version and ${next[$version]}" "$name" "$name-other" "$instructions"
done <<END
rv64-timer 5000000
a64-timer 5000000
thumb-systick 5000000
x86-timer 6000000
rv64-mmio 480000
a64-mmio 370000
x86-mmio 1000000
rv64-wfi 5000
rv64-clock 2000000
a64-clock 2000000
x86-clock 2000000
END
[ "$shifted" -gt 100 ] || fail "only $shifted shifted events in all"
[ "$loops" -gt 10 ] || fail "only $loops polling loops in all"

# A whole PC, firmware included, which polls clocks.
run 0 "$tcgrr" diff --json "$work/x86-timer.tcgrr" "$work/x86-timer-again.tcgrr"
[ "$(json .compared)" -gt 14000000 ] || fail "the PC: only $(json .compared) instructions compared"

# A number in a guest's data makes it leave a loop of rounds early, each of which waits for a clock
# and is interrupted: it has to diverge in the round where it is left, and not before. One log for
# both shows that it is not a matter of inputs.
rounds() {
    "$tcgrr" query --format csv "$work/$1.tcgrr" "SELECT count(*) FROM insn WHERE pc = $2 AND icount < $3" | tail -n 1
}
for name in rv64-clock a64-clock x86-clock; do
    elf=$work/$name.elf
    copy_guest "$name" "$elf"
    patch "$elf" "$(address "$elf" clock_rounds)" 00000065
    plain "$name-fewer" "$name" "$version" "$elf"
    run 1 "$tcgrr" diff --json --from _start "$work/$name.tcgrr" "$work/$name-fewer.tcgrr"
    equal "$name, fewer rounds: kind" "$(json .divergence.kind)" "control flow"
    contains "$name, fewer rounds: where" "$(json .divergence.b.symbol)" '^guest_main\+'
    a=$(json .divergence.icount)
    b=$(json .divergence.b.icount)
    # The first instruction of a round is where the other run goes on.
    loop=$(($(json .divergence.a.pc)))
    equal "$name, fewer rounds: rounds of A" "$(rounds "$name" $loop "$a")" 101
    equal "$name, fewer rounds: rounds of B" "$(rounds "$name-fewer" $loop "$b")" 101
done

# Interrupts that come up to a million instructions later on one side.
guest rv64-timer-long "$version"
for trace in long long-again; do record "$trace" --no-rr --until 70000000; done
run 0 "$tcgrr" diff --json --until 60000000 "$work/long.tcgrr" "$work/long-again.tcgrr"
equal "interrupts far apart: diverged" "$(json .diverged)" false
run 0 "$tcgrr" lockstep --json --own-inputs --until 60000000 --a "${guest[0]}" --b "${guest[0]}" -- "${guest[@]:1}"
equal "interrupts far apart, live: diverged" "$(json .diverged)" false
equal "interrupts far apart, live: inputs" "$(json .inputs)" own

# Two processors, whose interrupts decide when they take turns. QEMU 7.2 reports which of them runs
# what, newer ones do not. That they take turns elsewhere is no divergence, and may be no agreement.
plain smp rv64-smp-timer "$version"
plain smp-again rv64-smp-timer "$version"
status=0
"$tcgrr" diff --json "$work/smp.tcgrr" "$work/smp-again.tcgrr" >"$work/out" 2>"$work/err" || status=$?
if [ $status = 3 ]; then
    contains "two processors" "$(json .error.text)" "^no verdict: .* several vCPUs took turns"
    equal "two processors: verdict" "$(json .diverged)" null
    [ "$(json .divergence.icount)" -ge "$(json .compared)" ] || fail "two processors: no place"
    [ "$(json .divergence.icount_b)" -gt 0 ] || fail "two processors: no place in B"
else
    equal "two processors: status" $status 0
    [ "$(json .compared)" -gt 2000000 ] || fail "two processors: only $(json .compared) instructions compared"
fi
