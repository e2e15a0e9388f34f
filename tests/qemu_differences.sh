#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 300
# extended: all
# Instructions that QEMU 7.2, 10.0 and 11.1 really execute differently (fixtures/README.md): two
# runs diverge at the branch on the wrong result, long after the instruction, and a list of QEMUs of
# different releases has its first bad one.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$work"

# differ GUEST NAME VERSION_A VERSION_B SYMBOL_A SYMBOL_B: recordings on both part here.
differ() {
    local version
    for version in "$3" "$4"; do
        guest "$1" "$version"
        record "$1-$version"
        equal "$1 on $version" "$(tail -n 1 "$1.console")" "$1: ok $(checksum_of "$1" "$version")"
    done
    run 1 "$tcgrr" diff --json --from guest_main "$1-$3.tcgrr" "$1-$4.tcgrr"
    equal "$1: kind" "$(json .divergence.kind)" "control flow"
    equal "$1: where $3 goes on" "$(json .divergence.a.symbol)" "$5"
    equal "$1: where $4 goes on" "$(json .divergence.b.symbol)" "$6"
    [ "$(json .compared)" -gt 300000 ] || fail "$1: parts after $(json .compared) instructions"
}

differ x86-fcomi fcomi 10.0 11.1 fcomi_branch+0x9 fcomi_branch+0x10
differ rv64-ctzw ctzw 7.2 11.1 ctzw_branch+0x10 ctzw_branch+0x4
differ a64-fcvtzs fcvtzs 7.2 11.1 fcvtzs_branch+0xc fcvtzs_branch+0x4

# build NAME QEMU [ARG...]: a QEMU with further arguments.
build() {
    printf '#!/bin/sh\nexec "%s" "$@" %s\n' "$2" "${*:3}" >"$1"
    chmod +x "$1"
}

# find GUEST TARGET REASON: recorded on 10.0, the first bad one of a list is 7.2, which reads the
# same rr files; those of 11.1 do not.
find_bad() {
    local good=$2-10.0 bad=$2-7.2
    guest "$1" 10.0
    record "$1"
    build "$good" "$(qemu "$2" 10.0)"
    build "$good-small-buffer" "$(qemu "$2" 10.0)" -accel tcg,tb-size=8
    build "$good-single" "$(qemu "$2" 10.0)" -accel tcg,one-insn-per-tb=on
    build "$bad" "$(qemu "$2" 7.2)"
    build "$bad-single" "$(qemu "$2" 7.2)" -singlestep
    build "$bad-small-buffer" "$(qemu "$2" 7.2)" -accel tcg,tb-size=8
    build "$2-11.1" "$(qemu "$2" 11.1)"
    run 1 "$tcgrr" bisect "$1.tcgrr" --json --builds "./$good" "./$2-11.1" "./$good-single" "./$good-small-buffer" "./$bad" \
        "./$bad-single" "./$2-11.1" "./$bad-small-buffer"
    equal "$1: first bad" "$(json .first_bad)" "./$bad"
    equal "$1: last good" "$(json .last_good)" "./$good-small-buffer"
    contains "$1: why it is bad" "$(json ".tested[] | select(.qemu == \"./$bad\") | .reason")" "$3"
    [ "$(json '[.tested[] | select(.diverged != null)] | length')" -le 4 ] || fail "$1: more replays than 4"
}

find_bad rv64-ctzw riscv64 "^control flow after 35[0-9]{4} instructions: at .*ctzw_branch.0x10, recorded .*ctzw_branch.0x4"
find_bad a64-fcvtzs aarch64 "^control flow after 30[0-9]{4} instructions: at .*fcvtzs_branch.0xc, recorded .*fcvtzs_branch.0x4"
find_bad rv64-vfcvt riscv64 "^aborted after 100[0-9]{3} instructions \(signal 6 .*Assertion"

# The search that found them finds them again, and nothing else.
# search GUEST TARGET DIFFERENCE...
search() {
    [ -f "$fixtures/$1.elf" ] || skip "$fixtures/$1.elf is missing; building the guests needs clang and lld"
    run 0 "$tests/../scripts/differential.sh" "$fixtures/$1.elf" "$(qemu "$2" 7.2)" "$(qemu "$2" 10.0)" "$(qemu "$2" 11.1)"
    equal "$1: what differs" "$(grep -v '^[0-9]: ' out | sed 's/  */ /g')" "$(printf '%s\n' "${@:3}")"
}
search rv64-differential riscv64 "ctzw a0, a1 general:abb"
search a64-differential aarch64 "fcvtzs h0, h1, #1 vectors:abb" "fcvtzs h0, h1, #16 vectors:abb" "fjcvtzs w0, d1 flags:abb"
run 0 "$tests/../scripts/differential.sh" --inputs "ctzw a0, a1" "$fixtures/rv64-differential.elf" "$(qemu riscv64 7.2)" "$(qemu riscv64 10.0)"
contains "ctzw: on 10.0" "$(grep -A 2 '^input .* 0000002000000000 ' out | tail -n 1)" "^2  *0000000000000020 "
