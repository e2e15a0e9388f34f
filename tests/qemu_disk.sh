#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Where the trace cannot be written: nothing of the user's is lost, and what fitted stays readable.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

guest rv64-compute-short 10.0
mkdir "$work/folder"
echo precious > "$work/file.tcgrr"
complains 3 "file.tcgrr exists; .*--force" "$tcgrr" record -o "$work/file.tcgrr" -- "${guest[@]}"
equal "the file that was there" "$(cat "$work/file.tcgrr")" precious
complains 2 "$work/folder" "$tcgrr" record -o "$work/folder" -- "${guest[@]}"
complains 2 "$work/folder" "$tcgrr" record --force -o "$work/folder" -- "${guest[@]}"
[ -d "$work/folder" ] || fail "the folder is gone"
complains 3 "No such file or directory" "$tcgrr" record -o "$work/nowhere/x.tcgrr" -- "${guest[@]}"
complains 3 "cannot create /proc/x.tcgrr" "$tcgrr" record -o /proc/x.tcgrr -- "${guest[@]}"
run 0 "$tcgrr" record --json --force -o "$work/file.tcgrr" -- "${guest[@]}"
# A QEMU that does not come up leaves what was to be replaced.
before=$(sha256sum <"$work/file.tcgrr")
complains 3 "did not start" "$tcgrr" record --force -o "$work/file.tcgrr" -- "${guest[@]}" -nonsense
equal "the trace that was not replaced" "$(sha256sum <"$work/file.tcgrr")" "$before"
verify file

mkdir "$work/disk"
mount -t tmpfs -o size=4m tmpfs "$work/disk" 2>/dev/null || skip "mounting a small disk takes root"
trap 'umount "$work/disk"; finish' EXIT
elf=$work/guest.elf
copy_guest rv64-compute "$elf"
patch "$elf" "$(address "$elf" compute_rounds)" 0000001000000000 # it does not end by itself
guest rv64-compute 10.0 "$elf"
complains 3 "free some space|disk" "$tcgrr" record -o "$work/disk/full.tcgrr" -- "${guest[@]}"
mv "$work/disk"/full.tcgrr* "$work"
run 0 "$tcgrr" info --json "$work/full.tcgrr"
equal "full disk: complete" "$(json .complete)" false
[ "$(json .icount)" -gt 1000000 ] || fail "full disk: only $(json .icount) instructions are there"
verify full
