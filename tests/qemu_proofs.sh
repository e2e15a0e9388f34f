#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One rr log drives both, and so one changed instruction, one flipped bit, and one wrong value of a
# device diverge where they are: in lockstep on one machine, over a socket, and with a trace as side
# A. Aligning two runs would take the last for a loop that polls. Flipping needs plugin API 7, that
# is QEMU 11.1.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

guest rv64-clock 10.0
a=("${guest[@]}")
record stored
guest rv64-clock 11.1
b=("${guest[@]}")
place=$(address "$fixtures/rv64-clock.elf" wait_by_csr)

# by_socket STATUS QEMU ARG...: this as the connecting side.
by_socket() {
    local status=$1 listener result=0
    shift
    "$tcgrr" lockstep --json --listen "unix:$work/socket" "${a[@]}" >"$work/a.out" 2>"$work/a.err" &
    listener=$!
    run "$status" "$tcgrr" lockstep --json --wait 30 --connect "unix:$work/socket" "$@"
    wait "$listener" || result=$?
    equal "status of the listening side" "$result" "$status"
}

# diverges WHAT ICOUNT QEMU ARG...: against the whole guest, in each way; ICOUNT "": where the loop
# ends is another one in each run.
diverges() {
    local what=$1 icount=$2 way
    shift 2
    for way in local socket trace; do
        case $way in
        local) run 1 "$tcgrr" lockstep --json --a "${a[0]}" --b "$1" --a-arg -kernel --a-arg "$fixtures/rv64-clock.elf" -- "${@:2}" ;;
        socket) by_socket 1 "$@" ;;
        trace) run 1 "$tcgrr" lockstep --json --a "$work/stored.tcgrr" --b "$1" -- "${@:2}" ;;
        esac
        equal "$what, $way: inputs" "$(json .inputs)" translated
        equal "$what, $way: kind" "$(json .divergence.kind)" "control flow"
        [ -z "$icount" ] || equal "$what, $way: icount" "$(json .divergence.icount)" "$icount"
    done
}

# Nothing differs where nothing should.
by_socket 0 "${b[@]}"
run 0 "$tcgrr" lockstep --json --a "$work/stored.tcgrr" --b "${b[0]}" -- "${b[@]:1}"
equal "the whole guest" "$(json .compared)" "$("$tcgrr" info --json "$work/stored.tcgrr" | jq .icount)"

# The branch of the first loop that waits, at some turn: until then all runs are the same.
IFS=, read -r icount pc < <("$tcgrr" query "$work/stored.tcgrr" --format csv \
    "SELECT icount, printf('0x%x', pc) FROM insn WHERE pc = $((place + 10)) LIMIT 1 OFFSET 20" | tail -n 1)

# One instruction: the branch of the loop becomes a nop.
elf=$work/changed.elf
copy_guest rv64-clock "$elf"
patch "$elf" $((place + 10)) 00000013
first=$("$tcgrr" query "$work/stored.tcgrr" --format csv "SELECT min(icount) FROM insn WHERE pc = $((place + 10))" | tail -n 1)
guest rv64-clock 11.1 "$elf"
diverges "another instruction" "$first" "${guest[@]}"

# faulty REG BIT: a QEMU in which this bit is flipped right before that branch.
faulty() {
    {
        echo "#!/bin/sh"
        echo "exec ${b[0]} \"\$@\" -plugin $TCGRR_BUILD/tests/libinject.so,at=$icount,pc=$pc,reg=$1,bit=$2"
    } >"$work/faulty"
    chmod +x "$work/faulty"
}

# One bit of a value: the loop waits for another time.
faulty a0 40
diverges "one bit" "" "$work/faulty" "${b[@]:1}"
equal "one bit: B" "$(json .divergence.b.pc)" "$(printf '0x%x' $((place + 6)))"
last=$("$tcgrr" query "$work/stored.tcgrr" --format csv \
    "SELECT icount FROM insn WHERE icount > $icount AND pc NOT IN ($((place + 6)), $((place + 10))) LIMIT 1" | tail -n 1)
equal "one bit, trace: icount" "$(json .divergence.icount)" "$last"
# What the clock says: far later, so that the loop ends at once.
faulty a1 40
diverges "a device's value" $((icount + 1)) "$work/faulty" "${b[@]:1}"
