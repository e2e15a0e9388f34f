#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 10.0
# extended: 7.2 11.1
# U-Boot, which waits at its prompt until the user ends it: the recording is complete up to there
# and replays. With icount's shift being 0 QEMU would not look at signals for a minute, because the
# prompt sets no timer; hence 7.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

firmware=$TCGRR_QEMUS/guests/u-boot/qemu_arm64/u-boot.bin
[ -f "$firmware" ] || skip "$firmware is missing; scripts/fetch-qemus.sh gets it"
qemu=$(qemu aarch64 "$1")
"$tcgrr" record --json --icount 7 -o "$work/uboot.tcgrr" -- "$qemu" -M virt -cpu cortex-a57 -nic none -bios "$firmware" \
    -display none -monitor none -serial "file:$work/console" >"$work/out" 2>"$work/err" &
recorder=$!
for ((i = 0; i < 300; i++)); do
    if grep -q "Hit any key" "$work/console" 2>/dev/null; then break; fi
    sleep 0.1
done
contains "console" "$(cat "$work/console")" "U-Boot 20"
kill -INT $recorder
status=0
wait $recorder || status=$?
equal "exit status" $status 130
icount=$(json .icount)
equal "complete" "$(json .complete)" false
[ "$icount" -gt 1000000 ] || fail "only $icount instructions"
equal "icount" "$icount" "$(rr_count uboot)"
verify uboot
run 0 "$tcgrr" replay --json "$work/uboot.tcgrr"
equal "diverged" "$(json .diverged)" false
equal "compared" "$(json ".compared + .surplus.recording")" "$icount"
