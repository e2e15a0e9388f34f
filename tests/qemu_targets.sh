#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 7.2 10.0 11.1
# timeout: 1800
# long: two dozen targets, whose QEMUs only scripts/fetch-qemus.sh --all-targets gets
# Every target's guests (fixtures/targets.list) are counted as QEMU counts them, replay, and stop
# exactly where they should.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1

qemu mips "$version" >/dev/null
mapfile -t targets < <(sed -nE 's/^([a-z0-9]+) *\|.*\| ([0-9a-f ]+|[a-z0-9]+\.s .*)$/\1/p' "$tests/../fixtures/targets.list" | sort -u)
"$tests/../scripts/targets.sh" -s 0.3 -v "$version" "${targets[@]}" >"$work/table"
rows=$(tail -n +3 "$work/table")
[ "$(wc -l <<<"$rows")" -ge 10 ] || fail "too few guests: $rows"
while read -r row; do
    # QEMU 7.2 aborts at these guests' first access to a timer.
    [ "$version" != 7.2 ] || [[ $row != "| avr, timer"* && $row != "| hppa, timer"* ]] || continue
    contains "$row" "$row" '\| exact \([0-9]+\) \| 3 of 3 \| exact \| agrees \|$'
done <<<"$rows"
! command -v llvm-mc >/dev/null || contains "guests with traps" "$rows" '^\| s390x, timer and traps \|'

# OpenBIOS returns from functions whose register windows have to be filled: the return traps, and a
# replay runs it alone.
guest=("$(qemu sparc64 "$version")" -M sun4u -nic none -display none -monitor none -serial null)
record windows --until 6000000
run 0 "$tcgrr" replay --json "$work/windows.tcgrr"
equal "register windows" "$(json .compared)" 6000000

# A loop that ends by semihosting: QEMU leaves from inside the instruction (simcall) and writes no
# end into its rr log.
printf '\x42\xa7\xd0\x42\xc4\xff\x56\x94\xff\x22\xa0\x01\x32\xa0\x03\x00\x51\x00' >"$work/code"
guest=("$(qemu xtensa "$version")" -M none -m 16 -cpu dc232b -display none -monitor none -serial null
       -semihosting-config "enable=on,target=native" -device "loader,file=$work/code,addr=0x1000,force-raw=on"
       -device "loader,addr=0xd0001000,cpu-num=0")
record semihosting
equal "instructions" "$(json .icount)" 4004
equal "assumed" "$(json .assumed)" 0
run 0 "$tcgrr" replay --json "$work/semihosting.tcgrr"
equal "replayed" "$(json .compared)" 4004
run 0 "$tcgrr" lockstep --json --a "${guest[0]}" --b "${guest[0]}" -- "${guest[@]:1}"
equal "compared in lockstep" "$(json .compared)" 4004
