#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Prints how many lines ran in tests, and each source that handles input of which less than 90 % ran.
#
#   scripts/coverage.sh FOLDER [FILE...]
#
# FOLDER is a build with -DTCGRR_COVERAGE=ON (and clang) whose tests ran with
# LLVM_PROFILE_FILE=FOLDER/profiles/%c%m.profraw, with FOLDER's full path. With FILEs (as in
# emu/live/live.c) it prints their lines that did not run instead. input-sources.txt beside this
# script lists what handles input. Exit status 1 if there is less than 90 %, or nothing was measured.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
least=90

die() {
    echo "coverage.sh: $*" >&2
    exit 1
}

[ $# -gt 0 ] || die "name the folder of a build with -DTCGRR_COVERAGE=ON"
folder=$(cd "$1" && pwd)
shift
[ -n "$(find "$folder/profiles" -name '*.profraw' -print -quit 2>/dev/null)" ] ||
    die "there are no profiles in $folder/profiles; run the tests with LLVM_PROFILE_FILE=$folder/profiles/%c%m.profraw"

# One that is damaged does not count.
llvm-profdata merge -sparse -failure-mode=all -o "$folder/all.profdata" "$folder"/profiles/*.profraw 2>/dev/null ||
    die "llvm-profdata cannot merge what is in $folder/profiles"
program=("$folder/bin/tcgrr" -object "$folder/bin/libtcgrr-plugin.so" -object "$folder/bin/libtcgrr_sqlite.so")
for test in "$folder"/tests/unit_*; do
    [ ! -f "$test" ] || [ ! -x "$test" ] || program+=(-object "$test")
done

cd "$root"
if [ $# -gt 0 ]; then
    llvm-cov show -instr-profile "$folder/all.profdata" "${program[@]}" "$@" 2>/dev/null | grep -E '^/|^ +[0-9]+\| +0\|'
    exit
fi

# PERCENT COVERED LINES FILE; a file in several programs counts with all that ran in any of them.
llvm-cov export -summary-only -instr-profile "$folder/all.profdata" "${program[@]}" 2>/dev/null |
    jq -r --arg root "$root/" '.data[0].files[] | select(.summary.lines.count > 0) |
        "\(.summary.lines.percent | floor) \(.summary.lines.covered) \(.summary.lines.count) \(
            .filename | ltrimstr($root) | sub("^[^/]*/[.][.]/"; ""))"' |
    sort -n >"$folder/lines"
inputs=$(grep -vE '^(#|$)' scripts/input-sources.txt | paste -sd '|')
grep -vE ' tests/' "$folder/lines" >"$folder/own-lines" || die "nothing was measured"
grep -E " ($inputs)\$" "$folder/own-lines" >"$folder/input-lines" || die "nothing that handles input was measured"

sum() { awk '{ran += $2; all += $3} END {printf "%d of %d lines, %.1f %%\n", ran, all, 100 * ran / all}' "$1"; }
echo "all sources:         $(sum "$folder/own-lines")"
echo "what handles input:  $(sum "$folder/input-lines") ($(wc -l <"$folder/input-lines") files)"
awk -v least=$least '$1 < least {printf "  %3d %%  %4d of %4d  %s\n", $1, $2, $3, $4; below++}
    END {printf "below %d %%: %d files\n", least, below; exit below > 0}' "$folder/input-lines"
