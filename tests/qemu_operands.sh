#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 7.2 10.0 11.1
# timeout: 900
# long: QEMUs of more targets, which only scripts/fetch-qemus.sh --all-targets gets
# What an instruction reads and writes on targets that tcgrr has no tables for: a value is followed
# back through registers and memory, and on QEMU 11.1, which lets a plugin flip a bit, the
# instruction before which it was flipped is the cause.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1

objcopy=$(compgen -c llvm-objcopy | sort | head -n 1)
{ [ -n "$objcopy" ] && command -v clang >/dev/null; } || skip "clang and llvm-objcopy build the guest"
[ -f "$TCGRR_BUILD/bin/libtcgrr-llvm.so" ] || skip "tcgrr was built without LLVM"

# recorded NAME QEMU CLANG-TARGET DATA "FLAGS" AT PC "QEMU'S ARGUMENTS": records fixtures/mix.c for
# it as $work/NAME.tcgrr.
recorded() {
    local name=$1 data=$4 at=$6 pc=$7
    name_of_qemu=$(qemu "$2" "$version")
    read -ra flags <<<"$5"
    read -ra words <<<"$8"
    clang --target="$3" -fintegrated-as "${flags[@]}" -DDATA="$data" -O1 -ffreestanding -fomit-frame-pointer -fno-jump-tables \
        -fno-asynchronous-unwind-tables -c "$tests/../fixtures/mix.c" -o "$work/$name.o"
    "$objcopy" -O binary -j .text "$work/$name.o" "$work/$name.code"
    # s390x takes an image that begins with where to start.
    { printf '\x00\x08\x00\x00\x80\x01\x00\x00'; head -c 65528 /dev/zero; cat "$work/$name.code"; } >"$work/$name.image"
    guest=("$name_of_qemu" "${words[@]//IMAGE/$work/$name.image}" -display none -monitor none -serial null)
    [ -z "$at" ] || guest+=(-device "loader,file=$work/$name.code,addr=$at,force-raw=on" -device "loader,addr=$pc,cpu-num=0")
    record "$name" --until 60000
    equal "$name: count" "$(json .icount)" 60000
}

# place NAME CONDITION: icount and pc of the first instruction after 40,000 that meets an SQL
# condition.
place() {
    "$tcgrr" query "$work/$1.tcgrr" --format csv \
        "SELECT icount, printf('0x%x', pc) FROM insn WHERE icount > 40000 AND ($2) LIMIT 1" | tail -n 1
}

# comes_from NAME CONDITION REGISTER: before the branch that CONDITION finds, REGISTER came from
# memory, which a store wrote.
comes_from() {
    local icount
    IFS=, read -r icount _ < <(place "$1" "$2")
    run 0 "$tcgrr" why "$work/$1.tcgrr" --at "$icount" "$3" --depth 4 --json
    contains "$1: what was written" "$(json '[.steps[].wrote] | join(" ")')" "memory "
    equal "$1: each value is what its writer wrote" "$(json '[.steps[1:][].icount] == ([.steps[1:][].icount] | sort | reverse)')" true
    equal "$1: nothing unknown" "$(json '[.ends | if type == "array" then .[] else . end | select(startswith("unknown"))] | length')" 0
}

# is_cause NAME CONDITION WHAT BIT REGISTER KIND: a bit of WHAT flipped before the instruction that
# CONDITION finds is found.
is_cause() {
    local name=$1 icount pc
    [ "$version" = 11.1 ] || return 0
    IFS=, read -r icount pc < <(place "$name" "$2")
    {
        echo "#!/bin/sh"
        echo "exec ${guest[0]} \"\$@\" -plugin $TCGRR_BUILD/tests/libinject.so,at=$icount,pc=$pc,$3,bit=$4"
    } >"$work/faulty"
    chmod +x "$work/faulty"
    run 1 "$tcgrr" bisect "$work/$name.tcgrr" --qemu "$work/faulty" --json --force
    equal "$name, $3: icount of the cause" "$(json .cause.icount)" "$icount"
    equal "$name, $3: kind" "$(json .cause.kind)" "$6"
    [ -z "$5" ] || contains "$name, $3: registers" "$(json '[.cause.registers[].name] | join(" ")')" "(^| )$5( |$)"
}

recorded ppc64 ppc64 powerpc64-linux-gnu 0x8000 "-mcpu=g5 -DFLOAT" 0x1000 0x1000 "-M mac99 -m 64"
comes_from ppc64 "disasm LIKE 'bne %'" cr
is_cause ppc64 "disasm LIKE 'stwx %'" reg=r7 50 r7 instruction

recorded s390x s390x s390x-linux-gnu 0x20000 "-march=z14 -DFLOAT" "" "" "-M s390-ccw-virtio -m 64 -kernel IMAGE"
comes_from s390x "disasm LIKE 'tmll %'" r4
is_cause s390x "disasm LIKE 'st %r2%'" reg=r2 50 r2 instruction
is_cause s390x "disasm LIKE 'wfmadb %'" reg=f2 5 f2 instruction

# The branch is decided one instruction before it is taken.
recorded mips mips mips-linux-gnu 0x80008000 "-mcpu=mips32r2 -fPIC" 0x1000 0x80001000 "-M none -m 16 -cpu 24Kc"
comes_from mips "disasm LIKE 'beqz %'" r1
is_cause mips "disasm LIKE 'sll a0,%'" mem=0x8000808a 2 "" device

recorded sparc sparc sparc-linux-gnu 0x8000 "-mcpu=v8" 0x1000 0x1000 "-M none -m 16 -cpu TI-SuperSparc-II"
comes_from sparc "disasm LIKE 'cmp %'" g2
is_cause sparc "disasm LIKE 'xor %'" reg=g2 18 g2 instruction

recorded sparc64 sparc64 sparcv9-linux-gnu 0x8000 "-mcpu=v9" 0x1000 0x1000 "-M none -m 16 -cpu TI-UltraSparc-IIi"
comes_from sparc64 "disasm LIKE 'cmp %'" g2
is_cause sparc64 "disasm LIKE 'xor %'" reg=g2 50 "" instruction
