#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: all
# timeout: 400
# The cause of each real difference between stock QEMUs that a fixture has (fixtures/README.md):
# lockstep --bisect names its instruction and what that did on both sides, and the guest made of it
# shows the same. x86-blsi is in qemu_cause.sh.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

export TMPDIR=$work/tmp
mkdir "$TMPDIR"

# cause NAME TARGET A B: of the difference between two versions. `guest` is set.
cause() {
    local name=$1 target=$2 a=$3 b=$4 symbol=${1#*-}
    guest "$name" "$a"
    run 1 "$tcgrr" lockstep --json --bisect --bundle "$work/$name" --a "${guest[0]}" --b "$(qemu "$target" "$b")" -- "${guest[@]:1}"
    equal "$name: kind" "$(json .cause.kind)" instruction
    equal "$name: instruction" "$(json .cause.symbol)" "${symbol}_instruction"
    equal "$name: first of the chain" "$(json .cause.chain[0].symbol)" "${symbol}_instruction"
    equal "$name: last of the chain" "$(json .cause.chain[-1].symbol | sed 's/+.*//')" "${symbol}_branch"
    equal "$name: memory" "$(json '.cause.memory | length')" 0
    equal "$name: the guest shows it" "$(json .cause.standalone.reproduces)" true
    [ "$(json '.divergence.icount - .cause.icount')" -ge 200000 ] || fail "$name: the divergence is too close to the cause"
    equal "$name: temporary files" "$(ls -A "$TMPDIR")" ""
}

# registers NAME WANTED: name, value before, of A and of B of each that the cause makes differ.
registers() {
    equal "$1: registers" "$(json '[.cause.registers[] | "\(.name) \(.before) \(.a) \(.b)"] | join(";")')" "$2"
}

# Overflow, sign and auxiliary carry stay in 10.0, and are cleared in 11.1.
cause x86-fcomi x86_64 10.0 11.1
registers x86-fcomi "eflags 0x00000896 0x00000893 0x00000003"
equal "x86-fcomi: flags" "$(json '[.cause.registers[0].flags[] | "\(.name) \(.before) \(.a) \(.b)"] | sort | join(";")')" \
    "AF 1 1 0;OF 1 1 0;SF 1 1 0"

# Half precision, which capstone 4 does not know.
cause a64-fcvtzs aarch64 7.2 11.1
registers a64-fcvtzs "v0 0x00000000000000000000000000000000 0x000000000000000000000000fffffb00 0x0000000000000000000000000000fb00"

cause rv64-ctzw riscv64 7.2 10.0
registers rv64-ctzw "a4 0x5182a22000000000 0x0000000000000025 0x0000000000000020"

# 7.2 aborts while it translates the instruction: its own recording cannot be replayed, but it
# replays that of 10.0 up to there.
guest rv64-vfcvt 10.0
record vfcvt
run 1 "$tcgrr" bisect "$work/vfcvt.tcgrr" --qemu "$(qemu riscv64 7.2)" --json
equal "rv64-vfcvt: divergence" "$(json .divergence.kind)" aborted
equal "rv64-vfcvt: kind" "$(json .cause.kind)" instruction
equal "rv64-vfcvt: instruction" "$(json .cause.symbol)" vfcvt_instruction
equal "rv64-vfcvt: bytes" "$(json .cause.bytes)" 5794834a
contains "rv64-vfcvt: what QEMU said" "$(json .cause.explanation)" "B does not get past it .*Assertion"
for file in README.md registers.csv window-a.csv block-a.log; do
    [ -s "$work/vfcvt-cause/$file" ] || fail "rv64-vfcvt: the bundle has no $file"
done
[ ! -e "$work/vfcvt-cause/b.tcgrr" ] || fail "rv64-vfcvt: a recording was left that cannot be replayed"
equal "rv64-vfcvt: temporary files" "$(ls -A "$TMPDIR")" ""
