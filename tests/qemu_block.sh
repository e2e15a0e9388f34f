#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 600
# long: it needs QEMUs that were built from source, with faults put into them
# The cause of what only TCG's optimizer does wrong, over several instructions: single-stepped,
# which makes blocks of one instruction, both QEMUs do the same. bisect names the block, and the
# guest made of it shows the difference by itself.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

bin=$TCGRR_QEMUS/bin
right=$bin/qemu-system-x86_64-7.2-src

# block FAULT SYMBOL INSNS REGISTER A B: the cause of the difference between the QEMU without the
# fault and the one with it.
block() {
    local fault=$1 symbol=$2 insns=$3
    run 1 "$tcgrr" bisect "$work/optimizer.tcgrr" --qemu "$bin/qemu-system-x86_64-7.2-$fault-src" --json
    equal "$fault: kind" "$(json .cause.kind)" block
    equal "$fault: the block" "$(json .cause.symbol)" "$symbol"
    equal "$fault: its instructions" "$(json .cause.insns)" "$insns"
    equal "$fault: $4" "$(json ".cause.registers[] | select(.name == \"$4\") | \"\(.a) \(.b)\"")" "$5 $6"
    equal "$fault: memory" "$(json '.cause.memory | length')" 1
    equal "$fault: the guest shows it" "$(json '.cause.standalone | "\(.reproduces) \(.whole_block)"')" "true true"
    contains "$fault: README" "$(cat "$(json .cause.bundle)/README.md")" "the block as a whole"
}

for tree in 7.2 7.2-zero-bits 7.2-folding; do
    [ -x "$bin/qemu-system-x86_64-$tree-src" ] ||
        skip "there is no QEMU $tree built from source; scripts/build-qemus.sh 7.2 7.2-zero-bits 7.2-folding -- x86_64-softmmu makes it"
done
guest x86-optimizer 7.2
guest[0]=$right
record optimizer
run 0 "$tcgrr" bisect "$work/optimizer.tcgrr" --qemu "$right" --json
equal "no fault" "$(json .diverged)" false
block zero-bits optimizer_mask 6 rcx 0x000000000000007f 0x00000000000000ff
block folding optimizer_shift 5 rdx 0xfffffffffff02468 0xfff02468acf13579
