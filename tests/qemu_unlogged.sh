#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: 7.2 10.0 11.1
# What QEMU does not record is no divergence: devices that work at times that are in no log, and
# whatever else keeps a QEMU from repeating its own run.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1

# The firmware reads from a disk that answers whenever QEMU's main loop comes to it.
truncate -s 1M "$work/disk"
# shellcheck disable=SC2054
pc=("$(qemu x86_64 "$version")" -M pc -display none -monitor none -serial null
    -drive "file=$work/disk,format=raw,if=none,snapshot=on,id=d0" -drive driver=blkreplay,if=none,image=d0,id=r0)
run 0 "$tcgrr" record --json --until 6000000 -o "$work/nvme.tcgrr" -- "${pc[@]}" -device nvme,drive=r0,serial=s -icount shift=0
contains "record warns" "$(cat "$work/err")" "nvme,drive=r0.*: QEMU .* does some of this device's work"
status=0
"$tcgrr" replay --timeout 5 "$work/nvme.tcgrr" >"$work/out" 2>"$work/err" || status=$?
case $status in
0) ;; # by luck
3) contains "what replay says" "$(cat "$work/err")" "no verdict: .* some of the work of -device nvme" ;;
*) fail "replay: exit status $status" ;;
esac

# A QEMU that runs something else when it replays, whatever the reason: here another program.
copy_guest rv64-timer "$work/timer.elf"
copy_guest rv64-timer "$work/other.elf"
patch "$work/other.elf" $(($(address "$work/other.elf" _start) + 12)) 00000013
guest rv64-timer "$version" "$work/timer.elf"
cat >"$work/fickle" <<SH
#!/bin/bash
[[ " \$* " != *rr=replay* ]] || set -- "\${@/*timer.elf/$work/other.elf}"
exec ${guest[0]} "\$@"
SH
chmod +x "$work/fickle"
run 0 "$tcgrr" record --json -o "$work/timer.tcgrr" -- "$work/fickle" "${guest[@]:1}"
run 3 "$tcgrr" replay --json "$work/timer.tcgrr"
contains "its own replay" "$(cat "$work/err")" "no verdict: .* does not repeat its own run"
equal "where" "$(json .divergence.a.symbol)" "_start+0xc"
equal "verdict" "$(json .verdict)" "no verdict"
# Where the guest has changed, or another QEMU is asked for, that is what differs.
run 1 "$tcgrr" replay --json "$work/timer.tcgrr" --qemu "$work/fickle"
# Another QEMU that runs another program. With a device, the one that recorded is asked whether it
# repeats its own run.
sed 's/^\[\[.* || //' "$work/fickle" >"$work/bad"
chmod +x "$work/bad"
guest+=(-device virtio-serial-device)
run 0 "$tcgrr" record --json -o "$work/fickle.tcgrr" -- "$work/fickle" "${guest[@]:1}"
record device
run 3 "$tcgrr" replay --json "$work/fickle.tcgrr" --qemu "$work/bad"
contains "the control" "$(cat "$work/err")" "no verdict: .* does not repeat its own run either"
run 1 "$tcgrr" replay --json "$work/device.tcgrr" --qemu "$work/bad"
equal "where the other one differs" "$(json .divergence.a.symbol)" "_start+0xc"
# The same in lockstep, where A is asked whether it repeats its own run.
run 3 "$tcgrr" lockstep --json --a "$work/fickle" --b "$work/bad" -- "${guest[@]:1}"
contains "the control in lockstep" "$(cat "$work/err")" "no verdict: .* A does not repeat its own run either"
run 1 "$tcgrr" lockstep --json --a "${guest[0]}" --b "$work/bad" -- "${guest[@]:1}"
equal "where B differs in lockstep" "$(json .divergence.a.symbol)" "_start+0xc"
cp "$work/other.elf" "$work/timer.elf"
run 1 "$tcgrr" replay --json "$work/timer.tcgrr"
