#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: 7.2 10.0 11.1
# timeout: 300
# record --level full: a guest's accesses are those that its source makes, each once; those of a
# device have its name; a replay makes the same; a window holds what a whole recording has there.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1

# ask TRACE SQL: its rows as CSV without the heading.
ask() { "$tcgrr" query "$work/$1.tcgrr" --format csv "$2" | tail -n +2; }

# full NAME [OPTION...]: records the fixture.
full() {
    guest "$1" "$version"
    record "$1" --force --level full "${@:2}"
}

# ---- what the guest's source says ----

full rv64-mem
cp "$work/out" "$work/rv64-mem.json"
verify rv64-mem
elf=$fixtures/rv64-mem.elf
buffer=$(address "$elf" memory_buffer)

# of OFFSET KIND PART: how many accesses, by how many instructions, of which size, and the sum of
# their values.
of() {
    ask rv64-mem "SELECT count(*), count(DISTINCT icount), min(size), max(size), coalesce(sum(value), '') FROM mem
        WHERE address = $buffer + $1 AND kind = '$2' AND part = $3 AND symbol LIKE 'memory_rounds%'"
}

# expect WHAT OFFSET KIND PART SIZE SUM [COUNT]
expect() {
    local sum=$6
    [ "$version" != 7.2 ] || sum='""' # it does not tell values
    equal "$1" "$(of "$2" "$3" "$4")" "${7:-1000},${7:-1000},$5,$5,$sum"
}

# Rounds count from 1000 down to 1. The sum of all, of their low bytes, and of what the atomics had
# and left in memory.
all=500500
bytes=$(seq 1 1000 | awk '{s += $1 % 256} END {print s}')
left=$(seq 1000 -1 1 | awk '{t += $1; s += t} END {print s}')
had=$(seq 1000 -1 1 | awk '{s += t; t += $1} END {print s}')
expect "sb" 0 store 0 1 "$bytes"
expect "lbu" 0 load 0 1 "$bytes"
expect "sh" 8 store 0 2 $all
expect "lhu" 8 load 0 2 $all
expect "sw" 16 store 0 4 $all
expect "lwu" 16 load 0 4 $all
expect "sd" 24 store 0 8 $all
expect "ld" 24 load 0 8 $all
expect "what amoadd loads" 64 load 0 8 "$had"
expect "what amoadd stores" 64 store 1 8 "$left"
expect "what lr and sc load" 72 load 0 8 $((2 * had)) 2000
expect "what sc stores" 72 store 1 8 "$left"
expect "sd across pages" 4094 store 0 8 $all
expect "lw across pages" 4094 load 0 4 $all
equal "accesses of the loop" "$(ask rv64-mem "SELECT count(*) FROM mem WHERE symbol LIKE 'memory_rounds%'")" 15000
equal "all accesses" "$(ask rv64-mem "SELECT count(*) FROM mem")" "$(jq .accesses "$work/rv64-mem.json")"
equal "memory has no device" \
    "$(ask rv64-mem "SELECT count(*) FROM mem WHERE device IS NOT NULL AND symbol LIKE 'memory_rounds%'")" 0
[ "$version" = 7.2 ] || equal "physical addresses" "$(ask rv64-mem "SELECT count(*) FROM mem WHERE physical IS NOT address")" 0
# The second byte of what sw stored in the third round.
equal "who last wrote a byte" "$(ask rv64-mem "SELECT symbol, coalesce(value, 998) FROM mem WHERE covers = $buffer + 17
    AND kind = 'store' AND icount < (SELECT min(icount) FROM insn WHERE symbol LIKE 'memory_rounds%') + 22 * 3
    ORDER BY icount DESC LIMIT 1")" "memory_rounds+0x10,998"

# ---- devices: once each, with their names ----

full rv64-mmio
verify rv64-mmio
# Every instruction that accesses a device is there once; what it says is where devices are on this
# machine.
equal "device accesses are there once" \
    "$(ask rv64-mmio "SELECT count(*) - count(DISTINCT icount) FROM mem WHERE device IS NOT NULL")" 0
equal "timer" "$(ask rv64-mmio "SELECT DISTINCT device FROM mem WHERE address BETWEEN 0x2004000 AND 0x200bfff")" \
    riscv.aclint.mtimer
# 7.2 does not tell physical addresses, by which the name of what shares a page is found.
serial=serial
[ "$version" != 7.2 ] || serial='""'
equal "UART" "$(ask rv64-mmio "SELECT DISTINCT device FROM mem WHERE address BETWEEN 0x10000000 AND 0x10000007")" "$serial"
[ "$version" = 7.2 ] || equal "the line on the console" "$(ask rv64-mmio "SELECT char(value) FROM mem WHERE device = 'serial'
    AND kind = 'store' ORDER BY icount" | tr -d '\n"')" "$(tr -d '\n' <"$work/rv64-mmio.console")"

full a64-mmio
equal "aarch64's devices" "$(ask a64-mmio "SELECT DISTINCT device FROM mem WHERE device IS NOT NULL ORDER BY 1" | tr '\n' ' ')" \
    "gic_cpu gic_dist pl011 "
equal "aarch64: device accesses are there once" \
    "$(ask a64-mmio "SELECT count(*) - count(DISTINCT icount) FROM mem WHERE device IS NOT NULL")" 0
polls=$(ask a64-mmio "SELECT count(*) FROM insn WHERE pc IN (SELECT DISTINCT pc FROM mem WHERE device = 'pl011')")
equal "each instruction that polls is there" "$(ask a64-mmio "SELECT count(*) FROM mem WHERE device = 'pl011'")" "$polls"

if [ "$version" = 7.2 ]; then
    guest x86-mmio 7.2
    complains 3 "at level full: on x86" "$tcgrr" record --level full -o "$work/no.tcgrr" -- "${guest[@]}"
else
    full x86-mmio
    for device in apic-msi hpet vga-lowmem; do
        equal "x86: $device" "$(ask x86-mmio "SELECT count(*) > 0 FROM mem WHERE device = '$device'")" 1
    done
    equal "x86: devices without a name" "$(ask x86-mmio "SELECT count(*) FROM mem WHERE device = ''")" 0
fi

# ---- a replay makes the same accesses ----

for name in rv64-mem rv64-mmio a64-pagefault x86-fault thumb-systick; do
    [ "$version/$name" != 7.2/x86-fault ] || continue
    full "$name"
    run_status=0
    "$TCGRR_BUILD/tests/replay-accesses" "$work/$name.tcgrr" "$TCGRR_BUILD/bin/libtcgrr-plugin.so" >"$work/same" 2>&1 || run_status=$?
    # What ran after the shutdown, before QEMU stopped, a replay of 10.0 leaves out.
    grep -qE "accesses are the same, 0 strays|only recorded" "$work/same" || fail "$name, replayed: $(tail -n 3 "$work/same")"
    [ "$run_status" = 0 ] || [ "$version" = 10.0 ] || fail "$name, replayed: exit status $run_status"
done

# ---- windows ----

columns="icount, pc, seq, kind, address, size, value, physical, part"
full a64-pagefault
cp "$work/a64-pagefault.tcgrr" "$work/whole.tcgrr"

# window FROM UNTIL OPTION...: what these options record is what the whole has from icount FROM up
# to UNTIL.
window() {
    local from=$1 until=$2
    full a64-pagefault "${@:3}"
    verify a64-pagefault
    equal "window ${*:3}" "$(ask a64-pagefault "SELECT mem_from, mem_until FROM run")" "$from,$until"
    ask whole "SELECT $columns FROM mem WHERE icount >= $from AND icount < ${until:-1 << 60}" >"$work/wanted"
    ask a64-pagefault "SELECT $columns FROM mem" >"$work/found"
    cmp "$work/wanted" "$work/found" || fail "accesses in the window ${*:3}"
}

first=$(ask whole "SELECT icount FROM insn WHERE pc = $(address "$fixtures/a64-pagefault.elf" touch) LIMIT 1")
second=$(ask whole "SELECT icount FROM insn WHERE pc = $(address "$fixtures/a64-pagefault.elf" touch) LIMIT 1 OFFSET 1")
window 1000003 1200000 --full-from 1000003 --full-until 1200000
window 2000000 '' --full-from 2000000
window 0 65537 --full-until 65537
window "$first" "$second" --full-from touch --full-until touch
window 2000 "$(ask whole "SELECT icount FROM insn WHERE pc = $(address "$fixtures/a64-pagefault.elf" touch) AND icount > 2000 LIMIT 1")" \
    --full-from 2000 --full-until "$(address "$fixtures/a64-pagefault.elf" touch)"
