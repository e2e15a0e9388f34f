#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 10.0
# extended: 7.2
# timeout: 120
# tcgrr why: a value is followed back along what the guest's source does with it, over 300,000
# instructions, to where it came from; devices and constants end it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1

# at SYMBOL: the icount of the first instruction of the symbol that runs.
at() { "$tcgrr" query "$work/$1.tcgrr" --format csv "SELECT min(icount) FROM insn WHERE symbol = '$2'" | tail -n 1; }

# why TRACE ICOUNT WHAT [OPTION...]: its JSON is the output of the last `run`.
why() { run 0 "$tcgrr" why "$work/$1.tcgrr" --at "$2" "$3" --json "${@:4}"; }

# What a register holds at the end of a long loop was stored before it, from a vector register that
# one instruction set.
guest a64-fcvtzs "$version"
record fcvtzs
branch=$(at fcvtzs fcvtzs_branch)
why fcvtzs "$branch" w6 --depth 4
equal "the steps" "$(json '[.steps[].symbol | sub("_unrelated.*"; "_unrelated")] | join(" ")')" \
    "fcvtzs_unrelated fcvtzs_unrelated fcvtzs_instruction+0x4 fcvtzs_instruction"
equal "newest first" "$(json '[.steps[].icount] == ([.steps[].icount] | sort | reverse)')" true
equal "what was asked about" "$(json '[.what, .value == .steps[0].value] | join(" ")')" "x6 true"
# shellcheck disable=SC2016
equal "each value is what its writer wrote" \
    "$(json '. as $all | [.steps[].read[] | select(.written_at != null) | . as $r | $all.steps[] | select(.icount == $r.written_at) |
        .value == $r.value] | all')" true
store=$(json '.steps[2].icount')
contains "the store" "$(json '.steps[2].disasm')" "^str "
equal "the store's place in the run" "$store" $(($(at fcvtzs fcvtzs_instruction) + 1))
mv "$work/out" "$work/by-icount"
why fcvtzs fcvtzs_branch W6 --depth 4
cmp "$work/out" "$work/by-icount" || fail "a symbol for the icount, and capital letters, make a difference"
contains "it ends" "$(json .ends)" "depth: the chain continues"
[ "$(json .replays)" -le 3 ] || fail "one replay for the registers, one for the store, one from there on, but it took $(json .replays)"

# The same asked of memory, and as a picture.
fixed=$(json '.steps[1].read[0].what | sub("memory "; "")')
why fcvtzs "$branch" "$fixed" --depth 1
equal "memory: its writer" "$(json '.steps[0].icount')" "$store"
run 0 "$tcgrr" why "$work/fcvtzs.tcgrr" --at "$branch" w6 --dot
contains "picture" "$(cat "$work/out")" "^digraph why"
contains "picture" "$(cat "$work/out")" "s0 -> asked"
run 0 "$tcgrr" why "$work/fcvtzs.tcgrr" --at "$branch" w6
contains "text" "$(cat "$work/out")" "fcvtzs_instruction\+0x4: str "

# A clock's value comes from a device, a constant from the instruction itself.
guest rv64-mmio "$version"
record mmio
read_at=$("$tcgrr" query "$work/mmio.tcgrr" --format csv \
    "SELECT min(icount) FROM insn WHERE symbol = 'read_devices+0xc'" | tail -n 1)
why mmio $((read_at + 1)) t0
equal "device: steps" "$(json '.steps | length')" 1
equal "device: disassembly" "$(json '.steps[0].disasm' | tr -s ' ')" "ld t0,0(a1)"
contains "device" "$(json .ends)" "^device: .*0x200bff8"
why mmio "$read_at" a2
contains "constant" "$(json .ends)" "^constant: "

# Where the rr log decides whether the last instruction before an exception ran, the replay that is
# searched for stores counts by it, too.
guest rv64-trap "$version"
record trap --until 300000
record accesses --until 300000 --level full
IFS=, read -r store address size < <("$tcgrr" query "$work/accesses.tcgrr" --format csv \
    "SELECT icount, printf('0x%x', address), size FROM mem WHERE kind = 'store' AND icount > 290000 AND device IS NULL ORDER BY icount DESC LIMIT 1" |
    tail -n 1 | tr -d '\r')
for trace in trap accesses; do
    why "$trace" $((store + 1)) "$address:$size" --depth 1
    equal "$trace: the last store" "$(json '.steps[0].icount')" "$store"
done

complains 2 "not a register that QEMU shows" "$tcgrr" why "$work/mmio.tcgrr" --at 100 nonsense
complains 2 "there is no memory" "$tcgrr" why "$work/mmio.tcgrr" --at 100 0x0:4
complains 3 "there is no icount" "$tcgrr" why "$work/mmio.tcgrr" --at 999999999999 a0
complains 2 "neither an icount" "$tcgrr" why "$work/mmio.tcgrr" --at nonsense a0
complains 2 "why takes" "$tcgrr" why "$work/mmio.tcgrr" a0
