#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Where QEMU does not report interrupts and exceptions, and the target's instructions are not known well enough to see
# them in the control flow, they are those of QEMU's rr log; and a fill has the same.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

qemu=$TCGRR_QEMUS/bin/qemu-system-microblaze-7.2
[ -x "$qemu" ] || qemu=$(command -v qemu-system-microblaze) || skip "qemu-system-microblaze is missing"
assembler=$(compgen -c llvm-mc- | sort -V | tail -n 1)
[ -n "$assembler" ] || skip "llvm-mc is missing"
"$assembler" --triple=powerpc --filetype=obj -o "$work/code.o" "$tests/../fixtures/targets/microblaze.s"
"${assembler/mc/objcopy}" -O binary -j .text "$work/code.o" "$work/code"
guest=("$qemu" -M petalogix-s3adsp1800
       -global microblaze-cpu.unaligned-exceptions=on -nic none -display none -monitor none
       -serial null -device "loader,file=$work/code,addr=0,force-raw=on" -device "loader,addr=0x1000,cpu-num=0")

# check TRACE: its events are the log's, up to its end, and led to their handlers.
check() {
    local icount
    run 0 "$tcgrr" extract "$work/$1.tcgrr" "$work/$1.extracted"
    icount=$("$tcgrr" info --json "$work/$1.tcgrr" | jq .icount)
    awk -v end="$icount" '/^[0-9]+ (INTERRUPT|EXCEPTION)$/ && $1 < end {print $1 "," $2}' \
        "$work/$1.extracted/replay.txt" >"$work/logged"
    "$tcgrr" query --format csv "$work/$1.tcgrr" \
        "SELECT icount, upper(kind), to_pc FROM event WHERE kind <> 'init' ORDER BY id" | tail -n +2 >"$work/events"
    cut -d , -f 1,2 "$work/events" | cmp "$work/logged" - || fail "$1: other events than in the log"
    equal "$1: handlers" "$(cut -d , -f 2,3 "$work/events" | sort -u | xargs)" "EXCEPTION,32 INTERRUPT,16"
    verify "$1"
}

record recorded --until 1000000
check recorded

# Level inputs, until it has run for a while.
"$tcgrr" record -o "$work/filled.tcgrr" --level inputs -- "${guest[@]}" >/dev/null 2>"$work/err" &
recorder=$!
until [ "$(stat -c %s "$work/filled.tcgrr.rr" 2>/dev/null || echo 0)" -gt 100000 ]; do
    [ -d "/proc/$recorder" ] || { fail "recording ended: $(cat "$work/err")"; break; }
    sleep 0.05
done
kill -INT "$recorder"
wait "$recorder" || true
run 0 "$tcgrr" fill --level flow "$work/filled.tcgrr"
check filled
