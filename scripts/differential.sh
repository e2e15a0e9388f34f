#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Which instructions do these QEMUs execute differently?
#
#   scripts/differential.sh GUEST.elf QEMU...               a line for each: which results differ, and between which QEMUs
#   scripts/differential.sh --inputs INSTRUCTION GUEST.elf QEMU QEMU    inputs with which the two differ, and both results
#
# GUEST.elf is {x86,a64,rv64}-differential.elf of a build's fixtures/ (fixtures/differential.c). Flags that the manual leaves
# undefined after an instruction, and instructions that only one of the QEMUs has ("trap"), are no faults.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=scripts/lib-elf.sh
. "$here/lib-elf.sh"
usage() { sed -n 's/^# \{0,1\}//; 4,9p' "$0"; exit 2; }

only=""
if [ "${1:-}" = --inputs ]; then
    only=${2:-}
    shift 2 || usage
fi
if [ $# -lt 3 ] || [ ! -f "$1" ]; then usage; fi
elf=$1
shift
case $(basename "$elf") in
x86-*) machine=(-M pc -cpu max -device "isa-debug-exit,iobase=0xf4,iosize=0x04") ;;
a64-*) machine=(-M virt -cpu max) ;;
rv64-*) machine=(-M virt -bios none) ;;
*) usage ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# run NUMBER QEMU ELF: what it prints goes to a file. x86's end with status 33.
run() {
    timeout 300 "$2" "${machine[@]}" -kernel "$3" -display none -monitor none -serial "file:$work/out.$1" </dev/null \
        2>"$work/err.$1" || [ $? = 33 ] || { cat "$work/err.$1" >&2; }
    grep -q -- '-differential: ok ' "$work/out.$1" || { echo "$2 did not come to the end of $elf" >&2; exit 1; }
}

number=0
for qemu in "$@"; do
    number=$((number + 1))
    run $number "$qemu" "$elf"
    echo "$number: $qemu, $("$qemu" --version | sed -n '1s/.*version \([^ ]*\).*/\1/p')"
done

# Digests are the same for all with the same letter.
paste -d '\n' "$work"/out.* | awk -F ' [|] ' -v count=$number '
    NF > 1 {
        name = $1
        for (i = 2; i <= NF; i++) digest[(NR - 1) % count, i] = $i
        if (NR % count) next
        line = ""
        for (i = 2; i <= NF; i++) {
            letters = ""; split("", seen); kinds = 0
            for (n = 0; n < count; n++) {
                if (!(digest[n, i] in seen)) seen[digest[n, i]] = substr("abcdefgh", ++kinds, 1)
                letters = letters seen[digest[n, i]]
            }
            split($i, word, " ")
            if (kinds > 1) line = line "  " word[1] ":" letters
        }
        if (line != "") printf "%-60s%s\n", name, line
    }' >"$work/table"
if [ -z "$only" ]; then
    cat "$work/table"
    exit
fi

# The index of the test, for differential_only in the guest.
index=$(awk -F ' [|] ' -v name="$only" '$1 == name {print NR - 1; exit}' "$work/out.1")
[ -n "$index" ] || { echo "$elf has no test '$only'" >&2; exit 2; }
cp "$elf" "$work/$(basename "$elf")"
elf=$work/$(basename "$elf")
patch "$elf" "$(address "$elf" differential_only)" "$(printf '%08x' "$index")"
run 1 "$1" "$elf"
run 2 "$2" "$elf"
echo "State in words of 64 bits: 5 general, flags, control, trap, 12 of vectors, 8 of memory"
paste -d '\n' "$work/out.1" "$work/out.2" | awk -F ' :' '
    NF == 2 && NR % 2 {input = $1; result = $2}
    NF == 2 && NR % 2 == 0 && $2 != result && shown++ < 5 {print "\ninput " input "\n1     " result "\n2     " $2}'
