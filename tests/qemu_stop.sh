#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 10.0
# extended: 7.2 11.1
# A guest that neither waits nor sets a timer has slices of 2^31 instructions, in which QEMU hears nothing. Recording it ends
# in order all the same, before the first slice does, and what was recorded replays.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1

# "j ." where the machine starts.
"$tcgrr" record --json -o "$work/spin.tcgrr" -- "$(qemu riscv64 "$version")" -M virt -bios none -display none -monitor none \
    -serial null -device loader,addr=0x80000000,data=0x6f,data-len=4 >"$work/record.json" 2>"$work/record.err" &
recorder=$!
until [ -s "$work/spin.tcgrr.rr" ] || ! kill -0 "$recorder"; do sleep 0.05; done
sleep 0.3
kill -INT "$recorder"
status=0
wait "$recorder" || status=$?
equal "exit status" "$status" 130
equal "complete" "$(jq .complete "$work/record.json")" true
equal "counted like QEMU" "$(jq .icount "$work/record.json")" "$(jq .qemu_icount "$work/record.json")"
[ "$(jq .icount "$work/record.json")" -lt 2000000000 ] ||
    fail "it ran to its slice's end: $(jq .icount "$work/record.json") instructions"
run 0 "$tcgrr" replay --json "$work/spin.tcgrr"
equal "diverged" "$(json .diverged)" false
