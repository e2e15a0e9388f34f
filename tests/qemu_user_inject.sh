#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 10.2-src aarch64-10.2-src riscv64-10.2-src
# User mode: one bit flipped right before a chosen instruction, in a register (tests/inject.c): the
# cause is that instruction, wherever in its block it is and however much later the flow diverges.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

version=${1:-10.2-src}
target=x86_64
[[ $version != a* && $version != r* ]] || target=${version%%-*}
qemu=$(qemu "user-$target" "${version#"$target"-}")
own=$(command -v gcc || command -v cc || command -v clang) || skip "no C compiler"
[ "$(uname -m)" = x86_64 ] || [ "$target" != x86_64 ] || skip "the guest program is built for x86_64"
compiler=$own
[ "$target" = x86_64 ] || compiler=$(command -v "$target-linux-gnu-gcc") || skip "the package gcc-$target-linux-gnu is missing"

cat > "$work/mix.c" <<'C'
static unsigned long state = 88172645463325252ul, table[64];
__attribute__((noinline)) static unsigned long next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}
__attribute__((noinline)) static unsigned long walk(unsigned n)
{
    unsigned long sum = 0;
    for (unsigned i = 0; i < n; i++) {
        unsigned long x = next();
        table[x % 64] += x ^ sum;
        sum = sum * 31 + table[(x >> 8) % 64];
        if (sum & 1)
            sum += i;
        else
            sum ^= table[i % 64];
    }
    return sum;
}
__attribute__((noinline)) static int quiet(unsigned n)
{
    volatile unsigned sum = 0;
    for (unsigned i = 0; i < n; i++)
        sum += i & 3;
    return sum & 1;
}
int main(void) { return (int)(walk(2000) & 1) + quiet(20000); }
C
"$compiler" -O1 -static -o "$work/mix" "$work/mix.c" 2>"$work/err" ||
    skip "$compiler cannot make a static program: $(head -n 1 "$work/err")"

# A shell script would change the program's environment.
cat > "$work/faulty.c" <<'C'
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    char **words = calloc((size_t)argc + 3, sizeof(*words));
    words[0] = QEMU;
    words[1] = "-plugin";
    words[2] = PLUGIN;
    memcpy(words + 3, argv + 1, (size_t)argc * sizeof(*words));
    execv(QEMU, words);
    return 127;
}
C
# faulty NAME WHAT: a QEMU with that fault, $work/NAME. The plugin is loaded in the QEMU that
# records, too, because it moves what the host has in memory.
faulty() {
    "$own" -w -o "$work/$1" "$work/faulty.c" -DQEMU="\"$qemu\"" -DPLUGIN="\"$TCGRR_BUILD/tests/libinject.so,$2\""
}
sql() { "$tcgrr" query "$work/mix.tcgrr" --format json "$1" | jq -r '.[0] | map(.) | join(" ")'; }

declare -A any=([x86_64]=rax [aarch64]=x9 [riscv64]=t0)
faulty right "nth=999999999,pc=0x1,reg=${any[$target]},bit=0"
run 0 "$tcgrr" record --json -o "$work/mix.tcgrr" -- "$work/right" "$work/mix"

# flip WHERE N WHAT NAME: before the Nth instruction that meets an SQL condition; NAME is what then
# differs.
flip() {
    local icount pc nth
    read -r icount pc < <(sql "SELECT icount, printf('0x%x', pc) FROM insn WHERE $1 LIMIT 1 OFFSET $2")
    nth=$(sql "SELECT count(*) FROM insn WHERE pc = $((pc)) AND icount <= $icount")
    faulty wrong "nth=$nth,pc=$pc,$3"
    run 1 "$tcgrr" bisect "$work/mix.tcgrr" --qemu "$work/wrong" --json --force --bundle "$work/bundle"
    equal "$1, $3: kind" "$(json .cause.kind)" instruction
    equal "$1, $3: icount" "$(json .cause.icount)" "$icount"
    equal "$1, $3: what differs" "$(json '[.cause.registers[].name] | join(" ")')" "$4"
}
case $target in
aarch64)
    flip "symbol LIKE 'quiet%' AND disasm LIKE 'cmp%'" 5000 reg=x0,bit=5 x0
    flip "symbol LIKE 'next%' AND disasm LIKE 'eor%'" 600 reg=x0,bit=3 x0
    flip "symbol LIKE 'walk%' AND disasm LIKE 'eor%'" 900 reg=x19,bit=5 x19
    exit
    ;;
riscv64)
    flip "symbol LIKE 'next%' AND disasm LIKE 'xor%'" 600 reg=a5,bit=3 "a4 a5"
    flip "symbol LIKE 'walk%' AND disasm LIKE 'xor%'" 900 reg=s3,bit=5 s3
    exit
    ;;
esac
flip "symbol LIKE 'quiet%' AND disasm LIKE 'cmp%'" 5000 reg=rsi,bit=5 rsi
flip "symbol LIKE 'next%' AND disasm LIKE 'xor%'" 900 reg=rbx,bit=3 rbx
flip "symbol LIKE 'walk%' AND disasm LIKE 'j%'" 700 reg=r14,bit=60 r14

# In the block at whose end the flow parts, if the compiler made what this needs.
[ "$(sql "SELECT count(*) FROM insn WHERE symbol LIKE 'walk%' AND disasm = 'test al, 1'")" -lt 1000 ] ||
    flip "symbol LIKE 'walk%' AND disasm = 'test al, 1'" 700 reg=rax,bit=0 rax
