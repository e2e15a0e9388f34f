#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 10.0
# extended: 7.2 11.1
# A guest that neither waits nor sets a timer has slices of 2^31 instructions, in which QEMU hears
# nothing. Recording it ends in order all the same, before the first slice does, and what was
# recorded replays.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1

# interrupted TRACE QEMU: its guest, "j ." where the machine starts, is recorded and interrupted.
interrupted() {
    local trace=$work/$1.tcgrr recorder status=0
    "$tcgrr" record --json -o "$trace" -- "$2" -M virt -bios none -display none -monitor none -serial null \
        -device loader,addr=0x80000000,data=0x6f,data-len=4 >"$work/record.json" 2>"$work/record.err" &
    recorder=$!
    until [ -s "$trace.rr" ] || ! kill -0 "$recorder"; do sleep 0.05; done
    sleep 0.3
    kill -INT "$recorder"
    wait "$recorder" || status=$?
    equal "$1: exit status" "$status" 130
    equal "$1: complete" "$(jq .complete "$work/record.json")" false
    equal "$1: all is there" "$(sqlite3 -readonly "$trace" "SELECT complete FROM run")" 1
    equal "$1: counted like QEMU" "$(jq .icount "$work/record.json")" "$(jq .qemu_icount "$work/record.json")"
    [ "$(jq .icount "$work/record.json")" -lt 2000000000 ] ||
        fail "$1: it ran to its slice's end: $(jq .icount "$work/record.json") instructions"
}

interrupted spin "$(qemu riscv64 "$version")"
run 0 "$tcgrr" replay --json "$work/spin.tcgrr"
equal "diverged" "$(json .diverged)" false

# To end a slice the plugin is reset, and is then without callbacks for a moment, the one for QEMU's
# exit among them.
printf '#!/bin/sh\nexport LD_PRELOAD=%q\nexec %q "$@"\n' "$TCGRR_BUILD/tests/libslow-reset.so" "$(qemu riscv64 "$version")" \
    >"$work/slow-reset"
chmod +x "$work/slow-reset"
# Which moment QEMU leaves in is luck: unless the plugin sees to it, one in three is not complete.
for try in 1 2 3 4 5 6 7 8; do interrupted "reset-$try" "$work/slow-reset"; done
