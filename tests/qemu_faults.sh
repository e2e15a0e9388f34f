#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 600
# extended: all
#
# What the machine does to a run: disks of random sizes that fill up, either process stopped for a
# while, a disk of 2 MB/s, and a clock that jumps. No trace is unreadable after it, nothing is left
# in the temporary folder, no process stays, no equal runs are reported as diverged, and what fails
# says why in one line.
#
#   tests/qemu_faults.sh [DISKS] [SEED] [STOPPED]     default: 10 1 1; STOPPED: seconds for which a process is stopped
#
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

disks=${1:-10}
RANDOM=${2:-1}
stopped=${3:-1}
echo "seed ${2:-1}"
export TMPDIR=$work/tmp
mkdir "$TMPDIR" "$work/disk"
elf=$work/guest.elf
copy_guest rv64-clock "$elf" # it reads the clock and takes interrupts
guest rv64-clock 10.0 "$elf"
record whole
[ "$failures" = 0 ] || exit 1

# What no run may leave, whatever happened to it. WHAT names the run.
check_left() {
    local what=$1 i trace
    for ((i = 0; i < 100; i++)); do
        [ -n "$(pgrep -f -- "-kernel $elf" || true)$(ls -A "$TMPDIR")" ] || break
        sleep 0.05
    done
    equal "$what: processes left" "$(pgrep -af -- "-kernel $elf" || true)" ""
    equal "$what: files left" "$(ls -A "$TMPDIR")" ""
    for trace in "$work/disk"/*.tcgrr; do
        [ -s "$trace" ] || continue
        "$tcgrr" verify "$trace" >"$work/verify" 2>&1 || fail "$what: unreadable: $(cat "$work/verify")"
    done
}

# A disk of KB for the trace (trace), for what is temporary (tmp), or for both.
on_disk() {
    local kb=$1 where=$2 command=$3 status=0 said
    mount -t tmpfs -o size="${kb}k" tmpfs "$work/disk"
    rm -rf "$work/disk"/*
    local trace=$work/made.tcgrr tmp=$work/tmp
    [ "$where" = tmp ] || trace=$work/disk/made.tcgrr
    [ "$where" = trace ] || tmp=$work/disk/tmp
    mkdir -p "$tmp"
    rm -rf "$work/made.tcgrr"*
    # A trace that is filled has to be there before; where the disk is too small for that, there is
    # nothing to try.
    if [ "$command" = fill ] && ! cp "$work/whole.tcgrr" "$trace" 2>/dev/null; then
        umount "$work/disk"
        return 0
    fi
    case $command in
    inputs | flow | state | full) TMPDIR=$tmp "$tcgrr" record --json --level "$command" -o "$trace" -- "${guest[@]}" ;;
    fill) TMPDIR=$tmp "$tcgrr" fill --json --level full "$trace" ;;
    replay) TMPDIR=$tmp "$tcgrr" replay --json "$work/whole.tcgrr" ;;
    lockstep) TMPDIR=$tmp "$tcgrr" lockstep --json --a "${guest[0]}" --b "${guest[0]}" -- "${guest[@]:1}" ;;
    esac >"$work/out" 2>"$work/err" || status=$?
    local what="$command, $kb KB for $where"
    said=$(grep -c '^tcgrr: ' "$work/err" || true)
    case $status in
    0) finished=$((finished + 1)) ;;
    3)
        full=$((full + 1))
        [ "$said" = 1 ] || fail "$what: $said lines: $(cat "$work/err")"
        grep -qiE '^tcgrr: .*(disk|space)' "$work/err" || fail "$what: no word of the disk: $(cat "$work/err")"
        ;;
    *) fail "$what: exit status $status: $(cat "$work/err")" ;;
    esac
    [ "$tmp" = "$TMPDIR" ] || { equal "$what: files left" "$(ls -A "$tmp")" ""; rm -rf "$tmp"; }
    check_left "$what"
    umount "$work/disk"
}

stops=0
commands=(inputs flow state full fill replay lockstep)
wheres=(trace tmp both)
finished=0 full=0
if mount -t tmpfs -o size=64k tmpfs "$work/disk" 2>/dev/null; then
    umount "$work/disk"
    trap 'status=$?; set +e; umount "$work/disk" 2>/dev/null; (exit $status); finish' EXIT
    for ((disk = 0; disk < disks; disk++)); do
        # Most sizes are below what a run needs; from 4 KB to 4 MB, the small ones as often as the
        # large ones.
        kb=$((4 << RANDOM % 10))
        on_disk $((kb + RANDOM % kb)) "${wheres[RANDOM % 3]}" "${commands[RANDOM % 7]}"
    done
    echo "$disks disks: $full full, $finished large enough"
else
    echo "no disks were tried: mounting one takes root"
fi

# stop WHO COMMAND...: runs it and stops one of its processes for a while: tcgrr, or the first or
# last QEMU.
stop() {
    local who=$1 job pid qemus status=0
    shift
    setsid "$@" >"$work/out" 2>"$work/err" &
    job=$!
    for ((i = 0; i < 500; i++)); do
        qemus=$(pgrep -s "$job" -f -- "-kernel $elf.*-plugin" || true)
        [ -z "$qemus" ] || break
        sleep 0.02
    done
    case $who in
    tcgrr) pid=$job ;;
    first) pid=$(head -n 1 <<<"$qemus") ;;
    last) pid=$(tail -n 1 <<<"$qemus") ;;
    esac
    sleep "0.$((RANDOM % 10))"
    if kill -STOP "$pid" 2>/dev/null; then
        sleep "$stopped"
        kill -CONT "$pid"
        stops=$((stops + 1))
    fi
    wait "$job" || status=$?
    equal "$who stopped in '${*:2:2}': exit status" "$status: $(grep '^tcgrr: ' "$work/err" | head -n 1)" "0: "
    equal "$who stopped in '${*:2:2}': diverged" "$(jq -r '.diverged // false' "$work/out")" false
    check_left "$who stopped"
}

patch "$elf" "$(address "$elf" clock_rounds)" "$(printf '%08x' 40000)" # long enough that a stop falls into it
record whole --force
for who in tcgrr first; do
    stop "$who" "$tcgrr" record --json --force -o "$work/made.tcgrr" -- "${guest[@]}"
    stop "$who" "$tcgrr" replay --json "$work/whole.tcgrr"
done
for who in tcgrr first last; do
    stop "$who" "$tcgrr" lockstep --json --a "${guest[0]}" --b "${guest[0]}" -- "${guest[@]:1}"
done

# A run that tcgrr COMMAND... records or compares has to come to its end, and to agree with itself.
same() {
    local what=$1
    shift
    "$@" >"$work/out" 2>"$work/err" || fail "$what: exit status $?: $(grep '^tcgrr: ' "$work/err")"
    equal "$what: diverged" "$(json '.diverged // false')" false
    check_left "$what"
}

# slow COMMAND...: each page that SQLite writes takes 2 ms, as on a disk of 2 MB/s.
slow() { strace -f --seccomp-bpf -qq -o /dev/null -e trace=pwrite64 -e inject=pwrite64:delay_exit=2000 "$@"; }
if slow true 2>/dev/null; then
    same "slow disk, record" slow "$tcgrr" record --json --level full --force -o "$work/made.tcgrr" -- "${guest[@]}"
    equal "slow disk: complete" "$(json .complete)" true
    same "slow disk, replay" slow "$tcgrr" replay --json "$work/made.tcgrr"
    same "slow disk, lockstep" slow "$tcgrr" lockstep --json --a "${guest[0]}" --b "${guest[0]}" -- "${guest[@]:1}"
else
    echo "no slow disk was tried: it takes strace, and the right to trace"
fi

# The wall clock of tcgrr and its QEMUs goes an hour forth and back, ten times a second.
jump_clock() {
    while :; do
        for offset in +1h -1h +0; do
            echo "$offset" >"$work/clock.new"
            mv "$work/clock.new" "$work/clock"
            sleep 0.1
        done
    done
}
faketime=$(find /usr/lib -name 'libfaketimeMT.so.1' 2>/dev/null | head -n 1)
if [ -n "$faketime" ]; then
    echo +0 >"$work/clock"
    jump_clock &
    jumping=$!
    jumps=(env LD_PRELOAD="$faketime" FAKETIME_TIMESTAMP_FILE="$work/clock" FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1)
    same "jumping clock, record" "${jumps[@]}" "$tcgrr" record --json --force -o "$work/made.tcgrr" -- "${guest[@]}"
    equal "jumping clock: complete" "$(json .complete)" true
    same "jumping clock, replay" "${jumps[@]}" "$tcgrr" replay --json "$work/made.tcgrr"
    same "jumping clock, lockstep" "${jumps[@]}" "$tcgrr" lockstep --json --a "${guest[0]}" --b "${guest[0]}" -- "${guest[@]:1}"
    kill "$jumping"
    wait "$jumping" 2>/dev/null || true
else
    echo "no jumping clock was tried: it takes libfaketime"
fi
echo "$stops processes stopped for $stopped s, $failures failures"
