#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: 11.1
# A keyframe that is damaged, or of another moment, or that was taken of a run that went wrong,
# leads to no wrong answer: of fill, gdb, why and replay --at.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1

# The QEMU that records is a script; what else it passes on is in a file that no keyframe knows of.
guest a64-timer "$version"
real=${guest[0]}
guest[0]=$work/qemu
touch "$work/more"
# shellcheck disable=SC2016
printf '#!/bin/sh\nexec %s "$@" $(cat %s)\n' "$real" "$work/more" >"$work/qemu"
chmod +x "$work/qemu"
record good --level full
cp "$work/good.tcgrr" "$work/plain.tcgrr"
where="icount, kind, address, size, value, physical, device, part FROM mem"

# strip TRACE: leaves nothing but the inputs.
strip() {
    sqlite3 "$work/$1.tcgrr" "DELETE FROM chunk; DELETE FROM block; DELETE FROM block_text; DELETE FROM event; DELETE FROM checkpoint;
        DELETE FROM register; DELETE FROM sample; DELETE FROM mem_chunk; DELETE FROM device; DELETE FROM region;
        UPDATE run SET level = 'inputs', execs = 0, decided = NULL, assumed = 0, sample_step = 0, mem_from = NULL, mem_until = NULL"
}

# rows TRACE: what ran and what was accessed.
rows() {
    "$tcgrr" query "$work/$1.tcgrr" --format csv "SELECT icount, pc FROM insn WHERE icount % 37 = 0"
    "$tcgrr" query "$work/$1.tcgrr" --format csv "SELECT $where WHERE icount % 37 = 0"
    "$tcgrr" query "$work/$1.tcgrr" --format csv "SELECT * FROM checkpoint"
}
rows good >"$work/rows"

# filled TRACE OPTION...: it has what was recorded, and is sound.
filled() {
    run 0 "$tcgrr" fill --json --level full --window-size 300000 "${@:2}" "$work/$1.tcgrr"
    rows "$1" | cmp - "$work/rows" || fail "fill $1 $*: other rows than were recorded"
    verify "$1"
    [ ! -e "$work/$1.tcgrr.fill" ] || fail "fill $1: the folder of the windows is left"
}

# keyframes TRACE: their places.
keyframes() { find "$work/$1.tcgrr.keyframes" -mindepth 2 -name "[0-9]*" -printf '%f\n' 2>/dev/null | sort -n | xargs; }

# asks TRACE ICOUNT: what the commands that go there say of it.
asks() {
    "$tcgrr" why "$work/$1.tcgrr" --at "$2" --depth 2 x9 2>&1 | grep -v "tcgrr: "
    if command -v gdb-multiarch >/dev/null; then
        "$tcgrr" gdb "$work/$1.tcgrr" "$2" -- -batch -ex "info registers" -ex "x/64xg $words" 2>/dev/null | grep -v "^[_(a-z]*:"
    fi
    "$tcgrr" replay "$work/$1.tcgrr" --at "$2" --json | jq -c '[.diverged, .stopped_at, .qemu_icount, .compared > 0]'
}
words=$(address "$fixtures/a64-timer.elf" words)
asks plain 4500001 >"$work/asked"
[ "$(wc -l <"$work/asked")" -gt 3 ] || fail "only these answers: $(cat "$work/asked")"

# Some bytes of the guest's memory are others; all of it is that of another moment.
run 0 "$tcgrr" keyframes --json --every 1500000 "$work/good.tcgrr"
made=$(keyframes good)
read -r first second third <<<"$made"
[ -n "$third" ] || fail "too few keyframes: $made"
cp -r "$work/good.tcgrr.keyframes" "$work/kept"
for fault in bytes moment seal; do
    for trace in good stripped; do
        cp "$work/plain.tcgrr" "$work/$trace.tcgrr"
        rm -rf "$work/$trace.tcgrr.keyframes"
        cp -r "$work/kept" "$work/$trace.tcgrr.keyframes"
    done
    strip stripped
    for trace in good stripped; do
        folder=$(echo "$work/$trace".tcgrr.keyframes/*/)
        case $fault in
        bytes)
            size=$(stat -c %s "$folder/$third/state.qcow2")
            head -c 4096 /dev/urandom | dd of="$folder/$third/state.qcow2" bs=1 seek=$((size / 2)) conv=notrunc status=none
            ;;
        moment)
            rm -r "${folder:?}/$third"
            cp -r "$folder/$second" "$folder/$third"
            ;;
        seal) rm -f "$folder/$third/seal" ;;
        esac
    done
    asks good 4500001 | diff "$work/asked" - || fail "$fault: another answer"
    equal "$fault: keyframes after the answers" "$(keyframes good)" "$first $second"
    run 0 "$tcgrr" replay "$work/stripped.tcgrr" --at 4500001 --json
    equal "$fault: level inputs, keyframe" "$(json '[.keyframe, .qemu_icount] | join(" ")')" "$second 4500001"
    equal "$fault: level inputs, keyframes afterwards" "$(keyframes stripped)" "$first $second"
done
rm -rf "$work/stripped.tcgrr.keyframes"
cp -r "$work/kept" "$work/stripped.tcgrr.keyframes"
for state in "$work"/stripped.tcgrr.keyframes/*/"$second"/state.qcow2; do
    head -c 4096 /dev/urandom | dd of="$state" bs=1 seek=$(($(stat -c %s "$state") / 2)) conv=notrunc status=none
done
filled stripped
equal "keyframes after the fill" "$(keyframes stripped)" "$first $third"

# A run that goes wrong in memory alone, some time before it shows, leaves keyframes that are all of
# a piece: they are found out by the window before.
pc=$("$tcgrr" query "$work/plain.tcgrr" --format csv "SELECT printf('0x%x', pc) FROM insn WHERE icount = 1400000" | tail -n 1)
wrong() {
    cp "$work/plain.tcgrr" "$work/$1.tcgrr"
    strip "$1"
    echo "-plugin $TCGRR_BUILD/tests/libinject.so,at=1400000,pc=$pc,mem=$((words + 8 * 77)),bit=5,log=$work/flips" >"$work/more"
    run 0 "$tcgrr" keyframes --json --every 1500000 "$work/$1.tcgrr"
    [ -s "$work/flips" ] || fail "the bit was not flipped"
    : >"$work/more"
    [ -n "$(keyframes "$1")" ] || fail "no keyframes of the wrong run"
}
wrong beside
filled beside -j 2
equal "keyframes of the wrong run" "$(keyframes beside)" ""

# The jobs' files, collected: the command says that they cannot be right.
wrong jobs
"$tcgrr" fill --print-jobs --level full -j 2 --window-size 300000 "$work/jobs.tcgrr" >"$work/list"
[ "$(wc -l <"$work/list")" -gt 1 ] || fail "only $(wc -l <"$work/list") jobs"
xargs -P 2 -I {} sh -c '{}' <"$work/list" || fail "a job failed"
complains 3 "contradict each other in registers or memory .* keyframes --drop" \
    "$tcgrr" fill --collect "$work/jobs.tcgrr" "$work"/jobs.tcgrr.fill/*.tcgrr
