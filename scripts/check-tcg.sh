#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# QEMU's own tests of user mode (tests/tcg) as guests: each is recorded, replayed, and run in
# lockstep against the same QEMU with blocks of one instruction. Prints a table in Markdown. The
# programs are compiled from the sources that scripts/build-qemus.sh gets; none of them is kept.
#
#   scripts/check-tcg.sh [VERSION [QEMU...]]
#
# VERSION: whose tests (default 10.2). QEMU: binaries or names in TCGRR_QEMUS/bin (default
# qemu-x86_64-10.2-src qemu-x86_64-7.2). TCGRR_BUILD: the build of tcgrr (default build). Exits with
# 1 if something diverged from itself.
set -euo pipefail
cd "$(dirname "$0")/.."

tcgrr=${TCGRR_BUILD:-build}/bin/tcgrr
folder=${TCGRR_QEMUS:-${XDG_CACHE_HOME:-$HOME/.cache}/tcgrr/qemus}
version=${1:-10.2}
shift || true
[ $# -gt 0 ] || set -- qemu-x86_64-10.2-src qemu-x86_64-7.2
sources=$folder/source/$version/tests/tcg
[ -d "$sources" ] || { echo "check-tcg.sh: $sources is not there; scripts/build-qemus.sh $version gets it" >&2; exit 3; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

# verdict COMMAND...: what tcgrr says of it, in a word or two.
verdict() {
    local status=0 compared apart
    timeout 60 "$tcgrr" "$1" --json "${@:2}" >"$work/out" 2>"$work/err" </dev/null || status=$?
    compared=$(jq -r '.compared // empty' "$work/out" 2>/dev/null || true)
    apart=$(jq -r 'if .input_places > 0 then (if .rest_left_out then "; the rest" else "; \(.not_compared.a)" end) + " left out after inputs" else "" end' "$work/out" 2>/dev/null || true)
    case $status$apart in
    0* | "3; the rest"*) echo "same, $compared$apart" ;;
    124*) echo "no end in 60 s" ;;
    1 | "1;"*) echo "**diverged** after $compared" ;;
    *) echo "no verdict: $(jq -r '.error.text // empty' "$work/out" 2>/dev/null | sed 's/^no verdict: //' | cut -c1-90)" ;;
    esac
}

# compile SOURCE: makes $work/program; false if the host's compiler cannot.
compile() {
    gcc -O1 -static -pthread -fno-strict-aliasing -w -I "${1%/*}" -I "$sources/multiarch/libs" -I "$sources/multiarch" \
        -o "$work/program" "$1" -lm 2>/dev/null
}

echo "Tests of QEMU $version, $(date +%F), $("$tcgrr" --version)"
echo
echo "| QEMU | test | recorded instructions | replay | lockstep, one instruction a block |"
echo "|---|---|---|---|---|"
for qemu in "$@"; do
    binary=$qemu
    [ -x "$binary" ] || binary=$folder/bin/$qemu
    single=-one-insn-per-tb
    "$binary" --help 2>&1 | grep -q one-insn-per-tb || single=-singlestep
    for source in "$sources"/multiarch/*.c "$sources"/multiarch/linux/*.c "$sources"/x86_64/*.c; do
        [ -f "$source" ] || continue
        compile "$source" || continue
        name=${source#"$sources"/}
        if ! timeout 60 "$tcgrr" record --force --json -o "$work/a.tcgrr" -- "$binary" "$work/program" >"$work/out" 2>/dev/null \
            </dev/null; then
            echo "| $qemu | ${name%.c} | $(jq -r '.icount // "none"' "$work/out" 2>/dev/null), INCOMPLETE | | |"
            continue
        fi
        icount=$(jq -r .icount "$work/out")
        replay=$(verdict replay "$work/a.tcgrr")
        lockstep=$(verdict lockstep --a "$binary" --b "$binary" "--b-arg=$single" -- "$work/program")
        [[ $replay$lockstep != *diverged* ]] || bad=1
        echo "| $qemu | ${name%.c} | $icount | $replay | $lockstep |"
    done
done
exit $bad
