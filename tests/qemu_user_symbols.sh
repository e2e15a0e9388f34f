#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 7.2 10.2-src
# User-mode programs: names in the interpreter and in libraries, also where one takes another one's
# place.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

version=${1:-7.2}
qemu=$(qemu user-x86_64 "$version")
compiler=$(command -v gcc || command -v cc || command -v clang) || skip "no C compiler for the guest programs"
[ "$(uname -m)" = x86_64 ] || skip "the guest programs are built for x86_64"

# ask TRACE SQL: its only answer.
ask() { "$tcgrr" query "$work/$1.tcgrr" --format csv "$2" | tail -n 1; }

# called TRACE FUNCTION: how often it began, by its name.
called() { ask "$1" "SELECT count(*) AS n FROM insn WHERE symbol = '$2'"; }

# Two files of code that needs no linking, mapped one after the other at the same address, and a
# library without its symbols.
for name in one two; do
    echo "int call_$name(int x) { return x * 3 + 1; }" > "$work/$name.c"
    "$compiler" -O1 -fPIC -shared -s -o "$work/$name.so" "$work/$name.c"
done
echo 'static int hidden(int x) { return x * 3; } int (*volatile way)(int) = hidden; int call_library(int x) { return way(x) + 1; }' \
    > "$work/library.c"
"$compiler" -O1 -fPIC -shared -o "$work/full.so" "$work/library.c"
strip -o "$work/library.so" "$work/full.so"
cat > "$work/names.c" <<'C'
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
int call_library(int);
static int call(const char *path, const char *offset)
{
    char *place = (char *)0x70000000;
    int fd = open(path, O_RDONLY);
    mmap(place, 1 << 16, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0);
    int (*function)(int) = (int (*)(int))(place + strtoul(offset, NULL, 0));
    int result = function(1);
    munmap(place, 1 << 16);
    close(fd);
    return result;
}
int first_program(char **argv) { return call(argv[1], argv[3]) + call(argv[2], argv[3]) + call(argv[1], argv[3]); }
int main(int argc, char **argv)
{
    int sum = first_program(argv) + call_library(2);
    void *volatile memory = malloc(100);
    free(memory);
    if (argc > 4)
        execv(argv[4], argv + 4);
    return sum == 19 ? 0 : 1;
}
C
sed 's/first_program/second_program/g; s/argc > 4/0/' "$work/names.c" > "$work/other.c"
for name in names other; do
    "$compiler" -O1 -fPIE -pie -fno-inline -o "$work/$name" "$work/$name.c" "$work/library.so" -Wl,-rpath,"$work"
done
place=0x$(nm -D "$work/one.so" | awk '$3 == "call_one" { print $1 }')
program=("$work/names" "$work/one.so" "$work/two.so" "$place")

run 0 "$tcgrr" record --json -o "$work/names.tcgrr" -- "$qemu" "${program[@]}"
equal "names: exit" "$(json .exit)" "exit 0"
equal "the first file's function" "$(called names call_one)" 2
equal "the second one's, at the same address" "$(called names call_two)" 1
equal "at any time the address has no name" \
    "$(ask names "SELECT symbolize(address) IS NULL AS n FROM symbol WHERE name = 'call_two'")" 1
[ "$(called names malloc)" -gt 0 ] || fail "no call of malloc has its name"
[ "$(called names free)" -gt 0 ] || fail "no call of free has its name"
equal "what has no symbol is called by its file and its address there" \
    "$(called names "library.so+0x$(nm "$work/full.so" | awk '$3 == "hidden" { sub("^0*", "", $1); print $1 }')")" 1
equal "every instruction has a name" "$(ask names "SELECT count(*) AS n FROM insn WHERE symbol IS NULL")" 0
verify names

# A comparison can begin in a library, which is somewhere else on each side before it is known
# where.
run 0 "$tcgrr" replay --json --from call_two "$work/names.tcgrr"
equal "replay from a library's function: diverged" "$(json .diverged)" false
run 0 "$tcgrr" lockstep --json --from call_two --a "$qemu" --b "$qemu" -- "${program[@]}"
equal "lockstep from a library's function: diverged" "$(json .diverged)" false
from=$(ask names "SELECT icount FROM insn WHERE symbol = 'call_two'")
equal "lockstep from a library's function: compared" "$(json .compared)" $(($(ask names "SELECT icount FROM exec_count") - from))
run 3 "$tcgrr" lockstep --from call_three --a "$qemu" --b "$qemu" -- "${program[@]}"
contains "a function that is not there" "$(cat "$work/err")" "no symbol call_three was found in side A, neither"

# Another program takes the first one's place.
"$tcgrr" record -o "$work/executed.tcgrr" -- "$qemu" "${program[@]}" "$work/other" "${program[@]:1}" >"$work/out" 2>"$work/err" || true
equal "the first program" "$(called executed first_program)" 1
equal "the one that it executes" "$(called executed second_program)" 1
equal "what both mapped" "$(called executed call_one)" 4
equal "their libraries" "$(called executed call_library)" 2
at=$(ask executed "SELECT icount FROM event WHERE kind = 'exec'")
[ "$(ask executed "SELECT icount FROM insn WHERE symbol = 'first_program'")" -lt "$at" ] || fail "the first program runs after the second"
[ "$(ask executed "SELECT icount FROM insn WHERE symbol = 'second_program'")" -gt "$at" ] || fail "the second program runs before the first"
verify executed
