#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: 7.2 10.0 11.1
# Each guest's count is QEMU's own, to the instruction; its trace is sound and the guest did what it
# does without tcgrr.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1

# What QEMU counted: its own answer, or the sum in its rr log where it left before it could be
# asked.
expected_count() {
    local asked
    asked=$(jq .qemu_icount "$work/record.json")
    [ "$asked" != null ] || asked=$(rr_count "$1")
    echo "$asked"
}

check() {
    local name=$1
    guest "$name" "$version"
    record "$name"
    cp "$work/out" "$work/record.json"
    # What QEMU ran after the guest asked it to end is the tail.
    equal "$name: icount" "$(jq ".icount + (.tail // 0)" "$work/record.json")" "$(expected_count "$name")"
    equal "$name: complete" "$(jq .complete "$work/record.json")" true
    # Before 10.2 QEMU does not report interrupts and exceptions, so that some counts are inferred.
    # They must be right, too.
    [ "$version" != 11.1 ] || equal "$name: uncertain counts" "$(jq .assumed "$work/record.json")" 0
    equal "$name: console" "$(tail -n 1 "$work/$name.console")" "$name: ok $(checksum_of "$name" "$version")"
    verify "$name"
}

for name in "${!rr_guests[@]}"; do
    check "$name"
done
