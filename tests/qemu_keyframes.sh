#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: 7.2 10.0 11.1
# A replay that starts from a keyframe stops in the same state as one from the beginning; keyframes
# that do not fit are not used; what belongs to the user is never written.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1

# stand_at TRACE ICOUNT KEYFRAME [OPTION...]: the replay starts from the keyframe and stops there.
stand_at() {
    local trace=$work/$1.tcgrr icount=$2 keyframe=$3
    shift 3
    run 0 "$tcgrr" replay --json --at "$icount" "$trace" "$@"
    equal "$trace at $icount: diverged" "$(json .diverged)" false
    equal "$trace: QEMU's count at $icount" "$(json .qemu_icount)" "$icount"
    equal "$trace at $icount: keyframe" "$(json .keyframe)" "$keyframe"
}

# state_bytes IMAGE: how much of it QEMU reads when it loads the machine's state.
state_bytes() {
    local entry
    entry=$(od -An -t u8 --endian=big -j 64 -N 8 "$1" | tr -d ' ')
    od -An -t u8 --endian=big -j $((entry + 40)) -N 8 "$1" | tr -d ' '
}

guest a64-timer "$version"
record a
# By a name that is the trace's only here: QEMU runs in the folder in which it was recorded.
here=$PWD
cd "$work"
run 0 "$tcgrr" keyframes --json --every 2000000 a.tcgrr
cd "$here"
equal "keyframes" "$(json .keyframes)" 2
first=$(json '.icounts[0]')
second=$(json '.icounts[1]')
if ((first < 2000000 || first > 2000002 || second < 4000000 || second > 4000004)); then
    fail "keyframes are at $first and $second"
fi
run 0 "$tcgrr" info --json "$work/a.tcgrr"
equal "info: keyframes" "$(json .keyframes)" 2
# The guest has 128 MB, and the machine as much flash: 65,536 pages, whose list alone takes 590 KB.
for image in "$work"/a.tcgrr.keyframes/*/*/state.qcow2; do
    bytes=$(state_bytes "$image")
    echo "$image: $bytes bytes"
    [ "$version" = 7.2 ] || [ "$bytes" -lt 400000 ] || fail "$image has the pages that are zero: $bytes bytes"
done
stand_at a 1234567 0
stand_at a "$first" 0
stand_at a $((first + 1)) "$first"
stand_at a 3999999 "$first"
stand_at a 4500001 "$second"
verify a

# Further arguments are another command, and another log is another run: their keyframes are their
# own.
stand_at a 3999999 0 -- -name other
cp "$work/a.tcgrr" "$work/b.tcgrr"
stand_at b 3999999 0
record c
cp -r "$work/a.tcgrr.keyframes" "$work/c.tcgrr.keyframes"
stand_at c 3999999 0
record c --force
[ ! -e "$work/c.tcgrr.keyframes" ] || fail "keyframes of the trace that was replaced are still there"

# The guest's kernel is another file now: QEMU would begin with other memory.
cp "$fixtures/a64-timer.elf" "$work/own.elf"
guest a64-timer "$version" "$work/own.elf"
record e
run 0 "$tcgrr" keyframes --json --every 2000000 "$work/e.tcgrr"
stand_at e 3999999 "$(json '.icounts[0]')"
touch -d "1 minute" "$work/own.elf"
stand_at e 3999999 0

# A value's origin is the same from keyframes as from the beginning, also if one of them is damaged.
why() { "$tcgrr" why "$work/$1.tcgrr" --at 4500001 --depth 3 "$2" 2>&1 || fail "why: it failed"; }
cp "$work/a.tcgrr" "$work/plain.tcgrr"
for what in x9 x30 sp; do why plain $what >"$work/why-$what"; done
for what in x9 x30; do equal "why $what" "$(why a $what)" "$(cat "$work/why-$what")"; done

# One that is damaged is no reason for a wrong answer.
truncate -s 100000 "$work"/a.tcgrr.keyframes/*/"$second"/state.qcow2
stand_at a 4500001 "$first"
equal "why sp" "$(why a sp)" "$(cat "$work/why-sp")"
run 0 "$tcgrr" keyframes --drop "$work/a.tcgrr"
[ ! -e "$work/a.tcgrr.keyframes" ] || fail "the keyframes are still there"
complains 3 "more \\(--max-size\\)" "$tcgrr" keyframes --every 2000000 --max-size 100K "$work/a.tcgrr"
[ ! -e "$work/a.tcgrr.keyframes" ] || fail "the folder is there without a keyframe"
run 0 "$tcgrr" keyframes --json --every 500000 --max-size 4M "$work/a.tcgrr"
[ "$(json .bytes)" -le 4194304 ] || fail "keyframes take $(json .bytes) bytes"
[ "$(json .keyframes)" -ge 2 ] || fail "only $(json .keyframes) keyframes were made in 4 MB"

# A disk that the guest writes to, given to QEMU as one that may be written: replays leave it alone.
[ -f "$fixtures/x86-disk.img" ] || skip "$fixtures/x86-disk.img is missing; building the guests needs clang and lld"
cp "$fixtures/x86-disk.img" "$work/disk.img"
guest=("$(qemu x86_64 "$version")" -M pc -device "isa-debug-exit,iobase=0xf4,iosize=0x04" -display none -monitor none
       -serial null -drive "file=$work/disk.img,format=raw,if=none,snapshot=on,id=d0"
       -drive "driver=blkreplay,if=none,image=d0,id=r0" -device "ide-hd,drive=r0")
record d
inputs=$(sha256sum "$work/disk.img" "$work/d.tcgrr")
run 0 "$tcgrr" keyframes --json --every 6000000 "$work/d.tcgrr"
middle=$(json '.icounts[1]')
stand_at d 15000001 "$middle"
stand_at d 15000001 "$middle" # and again: nothing was written to the keyframe
equal "the user's files" "$(sha256sum "$work/disk.img" "$work/d.tcgrr")" "$inputs"
cp "$fixtures/x86-disk.img" "$work/disk.img" # another file, for all that is known
stand_at d 15000001 0

# The same disk as the backing file of a qcow2 image, which names it relative to its own folder.
# be BYTES VALUE: a big-endian number.
be() { printf '%b' "$(printf "%0$(($1 * 2))x" "$2" | sed 's/../\\x&/g')"; }
mkdir "$work/images"
cp "$fixtures/x86-disk.img" "$work/images/base.img"
size=$(stat -c %s "$work/images/base.img")
{
    be 4 0x514649fb; be 4 2; be 8 72; be 4 8; be 4 16; be 8 "$size"; be 4 0; be 4 1; be 8 0x30000; be 8 0x10000
    be 4 1; be 4 0; be 8 0; printf base.img; head -c $((65536 - 80)) /dev/zero
    be 8 0x20000; head -c 65528 /dev/zero
    be 8 0x1000100010001; head -c $((2 * 65536 - 8)) /dev/zero
} >"$work/images/top.qcow2"
guest=("${guest[@]/#file=*/file=images/top.qcow2,if=none,snapshot=on,id=d0}")
cd "$work"
record q
cd /
run 0 "$tcgrr" keyframes --json --every 6000000 "$work/q.tcgrr"
middle=$(json '.icounts[1]')
run 0 "$tcgrr" replay "$work/q.tcgrr"
stand_at q 15000001 "$middle"
