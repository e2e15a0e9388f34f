#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tries every target of fixtures/targets.list on every QEMU that scripts/fetch-qemus.sh
# --all-targets put there, and prints the table of docs/targets.md: a line for each target and
# release.
#
#   scripts/targets.sh [-s SECONDS] [-v VERSION] [TARGET...]      default: all, 2 seconds of each guest
#
# count: tcgrr's against QEMU's own. replay: of three. at: one stops at half of it. lockstep: of the
# QEMU with itself.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=2
versions="7.2 10.0 11.1"
while getopts s:v: option; do
    case $option in
    s) seconds=$OPTARG ;;
    v) versions=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
tcgrr=${TCGRR_BUILD:-build}/bin/tcgrr
qemus=${TCGRR_QEMUS:-${XDG_CACHE_HOME:-$HOME/.cache}/tcgrr/qemus}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# assemble FILE AT PC ASSEMBLER OPTION...: the code of a guest in fixtures/targets/, in $work/code:
# bytes that lie at AT, or without that an ELF file that is run at PC. False if the assembler is
# missing.
assemble() {
    local file=fixtures/targets/$1 at=$2 pc=$3 assembler=$4 tools
    local format=("-Ttext=${at:-0}" -e 0 --oformat binary)
    shift 4
    [ -n "$at" ] || [ -z "$pc" ] || format=("-Ttext=$pc" -e "$pc")
    tools=${assembler%as}
    [ "$assembler" != llvm-mc ] || assembler=$(compgen -c llvm-mc | sort -V | tail -n 1)
    command -v "$assembler" >/dev/null || return 1
    if [ "$tools" = llvm-mc ]; then
        "$assembler" --filetype=obj "$@" -o "$work/code.o" "$file"
        "${assembler/mc/objcopy}" -O binary -j .text "$work/code.o" "$work/code"
    else
        "$assembler" "$@" -o "$work/code.o" "$file"
        "${tools}ld" "${format[@]}" -o "$work/code" "$work/code.o"
    fi
}

# Sets `guest` to the command of a line of the list; false if its assembler is missing.
guest() {
    local arguments=$1 at=$2 pc=$3 code=$4
    read -ra words <<<"${arguments//CODE/$work/code}"
    guest=("${words[@]}" -display none -monitor none -serial null)
    case $code in
    "") return 0 ;;
    *.s\ *)
        read -ra words <<<"$code"
        assemble "${words[0]}" "$at" "$pc" "${words[@]:1}" || return 1
        ;;
    *)
        # shellcheck disable=SC2059
        printf "$(sed 's/[0-9a-f][0-9a-f]/\\x&/g; s/ //g' <<<"$code")" >"$work/code"
        ;;
    esac
    [ -z "$at" ] || guest+=(-device "loader,file=$work/code,addr=$at,force-raw=on" -device "loader,addr=$pc,cpu-num=0")
}

# Lets COMMAND... run for a while from when the guest runs, then interrupts it.
for_a_while() {
    local pid
    "$@" >"$work/out" 2>"$work/err" </dev/null &
    pid=$!
    until [ "$(sqlite3 -readonly "$work/trace" 'SELECT count(*) FROM chunk' 2>/dev/null || echo 0)" -gt 0 ] ||
        ! kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
    sleep "$seconds"
    kill -INT "$pid" 2>/dev/null || true
    wait "$pid" || true
}

verdict() { jq -r 'if .diverged == false then "agrees" elif .diverged then "diverges" else "fails" end' "$1" 2>/dev/null || echo fails; }

replays() {
    local good=0 i
    for ((i = 0; i < 3; i++)); do
        timeout 600 "$tcgrr" replay --json "$work/trace" >"$work/replay" 2>/dev/null </dev/null || true
        [ "$(verdict "$work/replay")" != agrees ] || good=$((good + 1))
    done
    echo "$good of 3"
}

# try TARGET VERSION QEMU
try() {
    local icount qemu_icount assumed at lockstep until
    rm -f "$work"/trace*
    for_a_while "$tcgrr" record --json -o "$work/trace" -- "$3" "${guest[@]}"
    IFS=$'\t' read -r icount qemu_icount assumed < <(jq -r '[.icount, .qemu_icount - (.tail // 0), .assumed] | @tsv' "$work/out" 2>/dev/null) || true
    if [ -z "${icount:-}" ]; then
        echo "| $1 | $2 | not recorded: $(tail -n 1 "$work/err" | cut -c 1-90) | | | |"
        return
    fi
    until=$((icount / 2))
    at=$(timeout 600 "$tcgrr" replay --json --at "$until" "$work/trace" 2>/dev/null </dev/null | jq -r .stopped_at) || true
    [ "$at" = "$until" ] && at=exact || at=fails
    timeout 600 "$tcgrr" lockstep --json --until "$((until < 2000000 ? until : 2000000))" --a "$3" --b "$3" -- "${guest[@]}" \
        >"$work/lockstep" 2>/dev/null </dev/null || true
    lockstep=$(verdict "$work/lockstep")
    [ "$icount" = "$qemu_icount" ] && icount="exact ($icount)" || icount="$icount : $qemu_icount"
    [ "$assumed" = 0 ] || icount+=", $assumed assumed"
    echo "| $1 | $2 | $icount | $(replays) | $at | $lockstep |"
}

echo "| target | QEMU | count | replay agrees | --at | lockstep with itself |"
echo "|---|---|---|---|---|---|"
grep -v '^#\|^$' fixtures/targets.list | while IFS='|' read -r target arguments at pc code; do
    target=${target// /}
    [ $# = 0 ] || [[ " $* " == *" $target "* ]] || continue
    code=$(xargs <<<"$code")
    name=$target
    [[ $code != *.s\ * ]] || name="$target, timer and traps"
    if ! guest "$arguments" "${at// /}" "${pc// /}" "$code"; then
        echo "$name: left out: no $(cut -d ' ' -f 2 <<<"$code")" >&2
        continue
    fi
    for version in $versions; do
        qemu=$qemus/bin/qemu-system-$target-$version
        if [ -x "$qemu" ]; then try "$name" "$version" "$qemu"; fi
    done
done
