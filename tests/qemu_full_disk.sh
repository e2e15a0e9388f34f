#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: all
# What consists of several files, on a disk that is full: it is there as a whole, or what would say
# that it is complete is missing.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

mkdir "$work/disk"
mount -t tmpfs -o size=8k tmpfs "$work/disk" 2>/dev/null || skip "mounting a small disk takes root"
trap 'umount "$work/disk"; finish' EXIT

guest rv64-ctzw 7.2
record ctzw
sizes=
for size in 8k 160k 8m; do
    umount "$work/disk"
    mount -t tmpfs -o "size=$size" tmpfs "$work/disk"
    status=0
    "$tcgrr" bisect "$work/ctzw.tcgrr" --qemu "$(qemu riscv64 10.0)" --bundle "$work/disk/bundle" >"$work/out" 2>"$work/err" || status=$?
    contains "bundle on $size: the finding is reported" "$(cat "$work/out")" "CAUSE"
    if [ "$status" = 1 ]; then
        [ -s "$work/disk/bundle/README.md" ] || fail "bundle on $size: it has no README.md"
    else
        equal "bundle on $size: status" "$status" 3
        equal "bundle on $size: errors" "$(wc -l <"$work/err")" 1
        contains "bundle on $size: error" "$(cat "$work/err")" "disk/bundle is not complete: .*No space left on device"
        [ ! -e "$work/disk/bundle/README.md" ] || fail "bundle on $size: it looks complete"
    fi
    sizes+="$status "
done
contains "bundles on small disks" "$sizes" "^3 .*1 $"

umount "$work/disk"
mount -t tmpfs -o size=8k tmpfs "$work/disk"
head -c 4096 /dev/zero >"$work/disk/other"
complains 3 "No space left on device" "$tcgrr" extract "$work/ctzw.tcgrr" "$work/disk/files"
[ ! -e "$work/disk/files" ] || fail "extract left $(ls "$work/disk/files")"
