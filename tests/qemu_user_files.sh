#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: 7.2 10.0 11.1
# What the user's files hold: replays and lockstep write to none of them, and there is no verdict if
# the guest itself wrote to its disk while it was recorded.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1

[ -f "$fixtures/x86-disk.img" ] || skip "$fixtures/x86-disk.img is missing; building the guests needs clang and lld"
disk=$work/disk.img
console=$work/console
# disk_guest OPTIONS: sets `guest` to one that counts on its disk, which is given with these
# options.
disk_guest() {
    cp "$fixtures/x86-disk.img" "$disk"
    guest=("$(qemu x86_64 "$version")" -M pc -device "isa-debug-exit,iobase=0xf4,iosize=0x04" -display none -monitor none
           -chardev "file,id=c,path=$console" -serial chardev:c -D "$work/log" -d guest_errors -pidfile "$work/pid"
           -drive "file=$disk,if=none,id=d0,$1" -drive "driver=blkreplay,if=none,image=d0,id=r0" -device "ide-hd,drive=r0")
}
files() { sha256sum "$disk" "$console" "$work/log"; }

for how in format=raw driver=raw; do
    disk_guest "$how"
    record "$how"
    contains "$how: what record says of the disk" "$(cat "$work/err")" "the guest wrote to $disk"
    cmp -s "$fixtures/x86-disk.img" "$disk" && fail "$how: the guest wrote nothing to its disk"
    # As if it had written to what it runs: a round less.
    offset=$(LC_ALL=C grep -obUaP '\xb9\x2c\x01' "$disk" | cut -d: -f1)
    printf '\x2b' | dd of="$disk" bs=1 seek=$((offset + 1)) conv=notrunc status=none
    echo "the recorded console" >"$console"
    before=$(files)
    complains 3 "no verdict: .*the guest wrote to $disk while" "$tcgrr" replay "$work/$how.tcgrr"
    equal "$how: files after a replay" "$(files)" "$before"
    complains 3 "the guest wrote to $disk while" "$tcgrr" keyframes "$work/$how.tcgrr"
    cp "$fixtures/x86-disk.img" "$disk"
    before=$(files)
    run 0 "$tcgrr" replay --json "$work/$how.tcgrr"
    equal "$how: diverged" "$(json .diverged)" false
    run 0 "$tcgrr" replay --json --at 9000001 "$work/$how.tcgrr" &
    "$tcgrr" replay --json --at 15000001 "$work/$how.tcgrr" >"$work/other" 2>&1 || fail "two replays at once: $(cat "$work/other")"
    wait $! || fail "two replays at once: the first failed"
    equal "$how: files after replays" "$(files)" "$before"
done

# Where QEMU cannot open it, its own words are reported.
"${guest[0]}" -M pc -display none -monitor none -serial none -S -drive "file=$disk,format=raw" 2>/dev/null &
holder=$!
sleep 2
complains 3 "ended \\(exit 1\\): .*lock" "$tcgrr" replay --at 9000001 "$work/driver=raw.tcgrr"
kill $holder
wait $holder || true

# Both sides start from the disk as it is.
disk_guest format=raw
cp "$disk" "$work/kept.img"
run 0 "$tcgrr" lockstep --json --a "${guest[0]}" --b "${guest[0]}" -- "${guest[@]:1}"
equal "lockstep: diverged" "$(json .diverged)" false
cmp -s "$disk" "$work/kept.img" || fail "lockstep wrote to the disk"

# Another kernel under the same name is another guest, and differs.
copy_guest rv64-compute-short "$work/kernel.elf"
guest rv64-compute-short "$version" "$work/kernel.elf"
record kernel
cp "$fixtures/rv64-timer.elf" "$work/kernel.elf"
run 1 "$tcgrr" replay "$work/kernel.tcgrr"
