#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Names: those of assembler code as gdb has them, and those that a trace is given after the fact.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

# names TRACE: every instruction of its blocks, with its name.
names() {
    "$tcgrr" query "$work/$1.tcgrr" "SELECT DISTINCT addr(d.pc), symbolize(d.pc)
        FROM block, disassemble(block.id) AS d ORDER BY 1" --format csv |
        tr -d '"\r' | tail -n +2
}

# gdb_names ELF: the same as gdb says it, for the addresses on standard input.
gdb_names() {
    sed 's/\(0x[0-9a-f]*\),.*/info symbol \1/' > "$work/gdb"
    gdb-multiarch -nx -q -batch -x "$work/gdb" "$1" 2>/dev/null |
        sed -E 's/ in section .*//; s/No symbol matches.*//; s/ \+ ([0-9]+)$/ \1/' |
        awk 'NF == 2 {printf "%s+0x%x\n", $1, $2; next} {print $1}'
}

for name in rv64-timer a64-timer thumb-wfi; do
    guest $name 10.0
    record $name
    names $name > "$work/names"
    [ "$(grep -c ',.' "$work/names")" -gt 20 ] || fail "$name: there are hardly any names"
    if command -v gdb-multiarch >/dev/null; then
        gdb_names "$fixtures/$name.elf" < "$work/names" > "$work/by-gdb"
        cut -d, -f2 "$work/names" | diff - "$work/by-gdb" >/dev/null || fail "$name: gdb calls addresses something else"
    fi
done

# Without its symbols, and given them afterwards in each way.
guest rv64-timer 10.0
copy_guest rv64-timer "$work/moved.elf"
nm=$(command -v llvm-nm nm | head -n 1)
objcopy=$(command -v llvm-objcopy llvm-objcopy-{14,15,16,19} objcopy | head -n 1) || true
{ [ -n "$nm" ] && [ -n "$objcopy" ]; } || skip "neither llvm-nm and llvm-objcopy nor binutils are there"
"$objcopy" --strip-all "$fixtures/rv64-timer.elf" "$work/rv64-timer.elf"
guest rv64-timer 10.0 "$work/rv64-timer.elf"
names rv64-timer > "$work/wanted"
record bare
equal "names of a stripped guest" "$(names bare | grep -c ',.' || true)" 0
cp "$work/bare.tcgrr" "$work/by-list.tcgrr"
cp "$work/bare.tcgrr" "$work/by-offset.tcgrr"

run 0 "$tcgrr" symbols "$work/bare.tcgrr" "$fixtures/rv64-timer.elf" --kaslr --json
equal "the offset of a file that did not move" "$(json .offset)" 0x0
contains "blocks with a name" "$(json .named)" '^[1-9]'
names bare | diff - "$work/wanted" >/dev/null || fail "names that were added differ from those recorded"
verify bare
run 0 "$tcgrr" replay "$work/bare.tcgrr" --until guest_main
run 0 "$tcgrr" symbols "$work/bare.tcgrr" "$fixtures/rv64-timer.elf"
equal "symbols after adding them twice" \
    "$("$tcgrr" query "$work/bare.tcgrr" "SELECT count(*) FROM symbol" --format csv | tail -n 1)" \
    "$("$tcgrr" query "$work/rv64-timer.tcgrr" "SELECT count(*) FROM symbol" --format csv | tail -n 1)"

"$nm" "$fixtures/rv64-timer.elf" > "$work/System.map"
run 0 "$tcgrr" symbols "$work/by-list.tcgrr" "$work/System.map"
equal "_start by a list" "$(names by-list | grep ',_start$')" "$(grep ',_start$' "$work/wanted")"
verify by-list

# The same code, linked 0x10000 lower than it ran.
while read -r address letter name; do
    printf '%016x %s %s\n' $((16#$address - 65536)) "$letter" "$name"
done < "$work/System.map" > "$work/lower.map"
run 0 "$tcgrr" symbols "$work/by-offset.tcgrr" "$work/lower.map" --offset 0x10000
equal "_start by a list that is lower" "$(names by-offset | grep ',_start$')" "$(grep ',_start$' "$work/wanted")"

# What cannot be.
complains 2 "neither an ELF file nor a list" "$tcgrr" symbols "$work/bare.tcgrr" "$0"
complains 3 "No such file" "$tcgrr" symbols "$work/bare.tcgrr" "$work/nowhere"
complains 2 "needs the ELF file" "$tcgrr" symbols "$work/bare.tcgrr" "$work/System.map" --kaslr
complains 3 "cannot find where" "$tcgrr" symbols "$work/bare.tcgrr" "$fixtures/a64-timer.elf" --kaslr
printf '%016x T start_kernel\n' 0 > "$work/hidden"
complains 2 "read /proc/kallsyms as root" "$tcgrr" symbols "$work/bare.tcgrr" "$work/hidden"
verify bare
