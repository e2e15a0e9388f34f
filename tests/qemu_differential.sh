#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 600
# long: runs a hundred QEMUs, and needs llvm
# scripts/differential.py finds instructions that QEMUs of two releases execute differently, and
# only those; tcgrr names them.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
command -v llvm-mc >/dev/null || skip "llvm-mc is not installed"
search=$tests/../scripts/differential.py

# finds TARGET A B LINES DIFFERENT ALIKE...: DIFFERENT is listed and named by tcgrr, what follows is
# not listed.
finds() {
    local target=$1 a b text
    a=$(qemu "$target" "$2")
    b=$(qemu "$target" "$3")
    local wanted=$4
    shift 4
    local options=()
    for text in "$@"; do options+=(--insn "$text"); done
    run 0 "$search" --tcgrr "$tcgrr" --confirm 1 "${options[@]}" "$target" "$a" "$b"
    contains "$target" "$(cat "$work/out")" "^ab  $wanted .*tcgrr: named$shown"
    equal "$target: lines" "$(grep -c '^ab ' "$work/out")" 1
    contains "$target: summary" "$(cat "$work/out")" "^$target: $# instructions, 1 differ, 0 only trap .*named 1 of 1"
}

shown=
finds x86_64 7.2 10.0 'blsi %eax,%edx' 'blsi %eax,%edx' 'add %eax,%edx' 'sqrtps %xmm1,%xmm2'
finds x86_64 10.0 11.1 'addsubps %xmm2,%xmm1  mxcsr:' 'addsubps %xmm2,%xmm1' 'paddd %xmm2,%xmm1'
# shellcheck disable=SC2016
finds x86_64 7.2 10.0 'rcrb \$9,%bh' 'rcrb $9,%bh' 'rcrb $8,%bh'
finds aarch64 7.2 10.0 'umlal v0.4s, v1.4h, v2.4h' 'umlal v0.4s, v1.4h, v2.4h' 'add x0, x1, x2' 'fdiv v0.2d, v1.2d, v2.2d'
finds riscv64 7.2 10.0 'ctzw a0,a1' 'ctzw a0,a1' 'clzw a0,a1' 'vadd.vv v1,v2,v3'
if command -v s390x-linux-gnu-ld >/dev/null; then
    shown=', its guest shows it'
else
    echo "guests for s390x are not run: no s390x-linux-gnu-ld"
fi
finds s390x 7.2 10.0 'mdebr %f1,%f2' 'mdebr %f1,%f2' 'ar %r0,%r1'
finds s390x 7.2 10.0 'vfmasb %v1,%v2,%v3,%v4' 'vfmasb %v1,%v2,%v3,%v4' 'va %v1,%v2,%v3,0'
shown=', its guest shows it'
finds ppc64 10.0 11.1 'fnmadds 1,2,3,4' 'fnmadds 1,2,3,4' 'add 3,4,5' 'fmadd 1,2,3,4'
finds ppc64 10.0 11.1 'xsnmsubqp 3,4,5' 'xsnmsubqp 3,4,5' 'xsaddqp 3,4,5'

shown=
finds sparc64 7.2 10.0 'fmul8x16 %f0, ?%f2, ?%f4' 'fmul8x16 %f0,%f2,%f4' 'add %g1,%g2,%g3' 'fmuld %f0,%f2,%f4'
# A fault of 10.0's optimizer, in a block of five instructions.
finds arm 7.2 10.0 'movs r4,#42; moveq r4,#42; vdup.32 q1,r4; mov r4,#0 ' 'movs r4,#42; moveq r4,#42; vdup.32 q1,r4; mov r4,#0' 'add r0,r1,r2'
if command -v m68k-linux-gnu-as >/dev/null; then
    finds m68k 7.2 10.0 'fdiv.x %fp1,%fp0' 'fdiv.x %fp1,%fp0' 'add.l %d0,%d1' 'fmove.x %fp1,%fp2'
fi

# A search: the same QEMU twice has no difference, and the same seed finds the same instructions.
run 0 "$search" --rounds 1 riscv64 "$(qemu riscv64 10.0)" "$(qemu riscv64 10.0)"
contains "search" "$(cat "$work/out")" "^riscv64: [0-9]{3,} instructions, 0 differ, 0 only trap"
first=$(cat "$work/out")
run 0 "$search" --rounds 1 riscv64 "$(qemu riscv64 10.0)" "$(qemu riscv64 10.0)"
equal "search again" "$(cat "$work/out")" "$first"
