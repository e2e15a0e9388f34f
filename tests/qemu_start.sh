#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 11.1
# extended: 7.2 10.0
# record --start-at: the run starts from a snapshot at exactly that place, counts from there, and
# replays here and in other releases.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1
other=10.0
[ "$version" != 10.0 ] || other=11.1

# An x86 guest starts at its first instruction, after the BIOS. Another release loads the
# snapshot.
guest x86-timer "$version"
guest=("${guest[@]/#pc/pc-i440fx-7.2}")
record x86 --start-at _start
icount=$(json .icount)
equal "x86: where" "$(json .pinned.start_at)" _start
[ "$(json .pinned.start_icount)" -gt 1000000 ] || fail "x86: the BIOS is not before the start: $(json .pinned)"
equal "x86: QEMU's count" "$(json '(.qemu_icount // .icount) - .tail')" "$icount"
equal "x86: the first instruction" "$("$tcgrr" query "$work/x86.tcgrr" --format csv "SELECT symbol FROM insn WHERE icount = 0" |
    tail -n 1)" _start
verify x86
rm -f "$work/x86-timer.console"
run 0 "$tcgrr" replay --json "$work/x86.tcgrr"
equal "x86: diverged" "$(json .diverged)" false
equal "x86: compared" "$(json .compared)" "$icount"
run 0 "$tcgrr" replay --json --qemu "$(qemu x86_64 "$other")" "$work/x86.tcgrr"
equal "x86 in $other: diverged" "$(json .diverged)" false
equal "x86 in $other: compared" "$(json .compared)" "$icount"
run 0 "$tcgrr" replay --json --at 123457 "$work/x86.tcgrr"
equal "x86: QEMU's count at 123457" "$(json .qemu_icount)" 123457

# At an icount, to the instruction; what is extracted runs by itself.
guest rv64-timer "$version"
record riscv --start-at 1000003
equal "riscv64: start" "$(json .pinned.start_icount)" 1000003
run 0 "$tcgrr" replay --json "$work/riscv.tcgrr"
equal "riscv64: diverged" "$(json .diverged)" false
run 0 "$tcgrr" extract "$work/riscv.tcgrr" "$work/files"
timeout 60 xargs -d '\n' -a "$work/files/command.txt" env >"$work/qemu" 2>&1 || fail "command.txt: $(cat "$work/qemu")"

# Never there; no such symbol; a disk that QEMU would write its snapshot to.
complains 3 "without reaching 0x12345678" "$tcgrr" record --start-at 0x12345678 -o "$work/no.tcgrr" -- "${guest[@]}"
complains 2 "no symbol nowhere" "$tcgrr" record --start-at nowhere -o "$work/no.tcgrr" -- "${guest[@]}"
truncate -s 1M "$work/disk"
complains 2 "snapshot of this disk" "$tcgrr" record --start-at _start -o "$work/no.tcgrr" -- "${guest[@]}" \
    -drive "file=$work/disk,format=raw,if=none,id=d0"
equal "the disk" "$(sha256sum <"$work/disk")" "$(head -c 1048576 /dev/zero | sha256sum)"
[ ! -e "$work/no.tcgrr" ] || fail "a trace is left of a run that never started"
