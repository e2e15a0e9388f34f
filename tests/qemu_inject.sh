#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: all
# timeout: 600
# One bit flipped at a chosen icount, in a register, a flag or memory (tests/inject.c): the cause is
# exactly there, however much later the flow diverges. Flipping needs plugin API 7, that is QEMU
# 11.1.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

export TMPDIR=$work/tmp
mkdir "$TMPDIR"

# recording NAME: of this fixture, once.
recording() {
    guest "$1" 11.1
    [ -f "$work/$1.tcgrr" ] || record "$1"
}

# nth NAME CONDITION N: icount and pc of the Nth instruction that meets an SQL condition.
nth() {
    "$tcgrr" query "$work/$1.tcgrr" --format csv \
        "SELECT icount, printf('0x%x', pc) FROM insn WHERE $2 LIMIT 1 OFFSET $3" | tail -n 1
}

# faulty NAME ICOUNT PC WHAT: a QEMU with that fault, $work/faulty.
faulty() {
    recording "$1"
    {
        echo "#!/bin/sh"
        echo "exec ${guest[0]} \"\$@\" -plugin $TCGRR_BUILD/tests/libinject.so,at=$2,pc=$3,$4"
    } >"$work/faulty"
    chmod +x "$work/faulty"
}

# found NAME ICOUNT WHAT LEAST: the cause is the instruction at this icount, LEAST instructions or
# more before the runs part.
found() {
    run 1 "$tcgrr" bisect "$work/$1.tcgrr" --qemu "$work/faulty" --json --force
    equal "$1, $3: icount of the cause" "$(json .cause.icount)" "$2"
    local later
    later=$(json '(.divergence.icount // 0) - (.cause.icount // 0)')
    [ "$later" -ge "$4" ] || fail "$1, $3: the runs part $later instructions later, wanted $4"
    equal "$1, $3: temporary files" "$(ls -A "$TMPDIR")" ""
}

# differs NAME: the only register that the cause makes differ is this one.
differs() { equal "registers" "$(json '[.cause.registers[].name] | join(" ")')" "$1"; }

# A loop's counter: the loop ends at another turn, 18 million instructions later.
recording rv64-compute-short
IFS=, read -r icount pc < <(nth rv64-compute-short "symbol = 'compute_fold'" 50000)
faulty rv64-compute-short "$icount" "$pc" "reg=fp,bit=10"
found rv64-compute-short "$icount" "loop counter" 10000000
differs fp
equal "one bit" "$(json '.cause.registers[0] | "\(.before) \(.a) \(.b)"' | tr ' ' '\n' | sort -u | wc -l)" 2

# A value that is mixed over and over, and branched on.
IFS=, read -r icount pc < <(nth rv64-compute-short "symbol = 'compute_call'" 200000)
faulty rv64-compute-short "$icount" "$pc" "reg=s1,bit=63"
found rv64-compute-short "$icount" "mixed value" 10
differs s1

# A value that no branch ever depends on: the data part, the flow does not.
faulty rv64-compute-short "$icount" "$pc" "reg=s2,bit=7"
found rv64-compute-short "$icount" "data only" 0
equal "data only: kind" "$(json .divergence.kind)" data

# A counter in memory that an interrupt handler counts up 100 times more before it ends something.
recording a64-timer
counter=$(address "$fixtures/a64-timer.elf" interrupts)
IFS=, read -r icount pc < <(nth a64-timer "icount >= 3000000 AND symbol LIKE 'guest_main+%'" 5)
faulty a64-timer "$icount" "$pc" "mem=$counter,bit=3"
found a64-timer "$icount" "counter in memory" 1000000

# A flag, right before a branch on it, in the middle of the loop.
IFS=, read -r icount pc < <(nth a64-timer "icount >= 2000000 AND disasm LIKE 'b.ne %'" 0)
faulty a64-timer "$icount" "$pc" "reg=cpsr,bit=30"
found a64-timer "$icount" "flag" 1

# The return address, which `ret` reads without naming it.
IFS=, read -r icount pc < <(nth a64-timer "icount >= 2000000 AND symbol = 'gic_acknowledge+0x4'" 0)
faulty a64-timer "$icount" "$pc" "reg=x30,bit=5"
found a64-timer "$icount" "return address" 2
differs x30

# A register that is only put away and taken back.
IFS=, read -r icount pc < <(nth a64-timer "icount >= 2000000 AND disasm LIKE 'stp x29, x30, %'" 0)
faulty a64-timer "$icount" "$pc" "reg=x29,bit=3"
found a64-timer "$icount" "frame pointer" 0
differs x29

# A loop's counter that the compiler keeps in memory: it is loaded, counted and stored again at each
# of many turns.
recording x86-timer
IFS=, read -r icount pc < <(nth x86-timer "icount >= 9000000 AND symbol LIKE 'guest_main+%' AND disasm LIKE 'mov dword ptr [ebp - 0x10], ebx'" 0)
faulty x86-timer "$icount" "$pc" "reg=rbx,bit=12"
found x86-timer "$icount" "counter" 1000000
differs rbx
equal "counter: memory" "$(json '.cause.memory | length')" 1

# The same on a target with other registers.
recording thumb-systick
IFS=, read -r icount pc < <(nth thumb-systick "icount >= 3000000 AND symbol LIKE 'guest_main+%' AND disasm LIKE 'cmp r5%'" 0)
faulty thumb-systick "$icount" "$pc" "reg=r6,bit=3"
found thumb-systick "$icount" "r6" 100000
differs r6

# Far in a longer run: B replays from the beginning only once, and starts once more to be asked for
# its registers, as does A, which then goes on and leaves a keyframe near the divergence. All else
# begins there, and none stays behind.
guest rv64-compute 11.1
printf '#!/bin/sh\necho "$*" >>"%s"\nexec "%s" "$@"\n' "$work/starts-of-a" "${guest[0]}" >"$work/noted"
chmod +x "$work/noted"
guest[0]=$work/noted
record rv64-compute --until 120000000
IFS=, read -r icount pc < <(nth rv64-compute "icount >= 100000000 AND symbol = 'compute_call'" 0)
faulty rv64-compute "$icount" "$pc" "reg=s1,bit=63"
sed -i "2i echo \"\$*\" >>$work/starts" "$work/faulty"
found rv64-compute "$icount" "far in" 10
differs s1
equal "starts at the beginning" "$(grep rr=replay "$work/starts" | grep -vc rrsnapshot)" 2
equal "starts at the beginning, of A" "$(grep rr=replay "$work/starts-of-a" | grep -vc rrsnapshot)" 1
equal "how often A was asked what it is, recording included" "$(grep -c "^-M none .*probe=" "$work/starts-of-a")" 2

# The same with keyframes beside the trace. To load one takes long where the machine has much
# memory, and is no replay that hangs.
run 0 "$tcgrr" keyframes "$work/rv64-compute.tcgrr" --every 40000000
rm "$work/starts"
cat >"$work/load" <<'END'
case "$*" in *rrsnapshot*)
    while read -r _ _ _ _ _ _ _ _ _ _ _ _ _ user system _ </proc/$$/stat && [ $((user + system)) -lt 200 ]; do :; done ;;
esac
END
sed -i "2r $work/load" "$work/faulty"
found rv64-compute "$icount" "from keyframes" 10
equal "starts at the beginning, with keyframes" "$(grep rr=replay "$work/starts" | grep -vc rrsnapshot)" 2
