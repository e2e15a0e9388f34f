#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 7.2
# extended: 10.0 11.1
# Replaying a guest that was changed after it was recorded must diverge, at the instruction that
# makes the difference.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1

# divergence WHAT ICOUNT PC_A PC_B: of the changed guest, which has to diverge there.
divergence() {
    run 1 "$tcgrr" replay --json --timeout 10 "$work/guest.tcgrr"
    equal "$1: diverged" "$(json .diverged)" true
    equal "$1: icount" "$(json .divergence.icount)" "$2"
    equal "$1: instructions compared" "$(json .compared)" "$2"
    equal "$1: pc of the recording" "$(json .divergence.a.pc)" "$(printf '0x%x' "$3")"
    equal "$1: pc of the replay" "$(json .divergence.b.pc)" "$(printf '0x%x' "$4")"
    equal "$1: kind" "$(json .divergence.kind)" "control flow"
}

# Instructions of the guest's rounds FIRST to LAST, by doing what it does (fixtures/rv64-compute.S).
instructions_of_rounds() {
    local state=$((0x243f6a8885a308d3)) round count=0
    for ((round = 1; round <= $2; round++)); do
        ((state ^= state << 13, state ^= state >> 7 & (1 << 57) - 1, state ^= state << 17)) || true
        ((round < $1)) || ((count += 28 + ((state & 3) != 0) + ((round - 1) % 8 == 0))) || true
    done
    echo $count
}

elf=$work/guest.elf
copy_guest rv64-compute-short "$elf"
guest rv64-compute-short "$version" "$elf"
record guest

# The fourth instruction of the entry, `slli t0, a0, 14`, becomes a nop. Before it: 6 of the
# machine's boot ROM, and 3.
slli=$(($(address "$elf" _start) + 12))
patch "$elf" $slli 00000013
divergence "another instruction" 9 $slli $slli
equal "another instruction: its name" "$(json .divergence.a.symbol)" "_start+0xc"
equal "another instruction: its bytes in the replay" "$(json .divergence.b.bytes)" 13000000
patch "$elf" $slli 00e51293
run 0 "$tcgrr" replay --json "$work/guest.tcgrr"

# Fewer rounds of the loop: the branch at its end does not go back where the recording did.
rounds=$(address "$elf" compute_rounds)
loop=$(address "$elf" compute_round)
behind=$(($(address "$elf" compute_next) + 20))
patch "$elf" "$rounds" 0000000000000008
run 1 "$tcgrr" replay --json "$work/guest.tcgrr"
eighth=$(json .divergence.icount)
patch "$elf" "$rounds" 0000000000002710
divergence "fewer rounds" $((eighth + $(instructions_of_rounds 9 10000))) "$loop" $behind
