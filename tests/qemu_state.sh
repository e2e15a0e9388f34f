#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: 10.0 11.1
# timeout: 240
# Recordings at level state: their replays have the same registers and stores at the same
# instructions, also where QEMU cuts the code in other blocks; a guest in which one word of data
# differs is found where it differs.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1

sql() { "$tcgrr" query "$work/$1.tcgrr" --format csv "$2" | tail -n 1; }

# replays NAME [ARGUMENT...]: nothing differs in any of the samples.
replays() {
    local name=$1
    shift
    run 0 "$tcgrr" replay --json "$work/$name.tcgrr" -- "$@"
    equal "$name $*: diverged" "$(json .diverged)" false
    equal "$name $*: samples compared" "$(json .samples)" "$(sql "$name" "SELECT sum(samples) FROM sample")"
    equal "$name $*: registers that differ from the start" "$(json '.initial_differences | length')" 0
}

# check NAME LEAST: at least so many samples.
check() {
    local name=$1
    guest "$name" "$version"
    record "$name" --level state
    verify "$name"
    equal "$name: level" "$(sql "$name" "SELECT level FROM run")" state
    samples=$(sql "$name" "SELECT sum(samples) FROM sample")
    [ "$samples" -ge "$2" ] || fail "$name: only $samples samples"
    equal "$name: rows of a register" "$(sql "$name" "SELECT count(*) FROM state WHERE register = 'pc'")" "$samples"
    equal "$name: samples where no execution begins" \
        "$(sql "$name" "SELECT count(*) FROM state WHERE register = 'pc' AND NOT EXISTS
            (SELECT 1 FROM exec WHERE exec.icount = state.icount AND exec.pc = state.value)")" 0
    replays "$name"
}

check rv64-timer 100
check rv64-pagefault 15
check rv64-mmio 5
check rv64-smc 2
check a64-timer 80
check a64-pagefault 30
check a64-mmio 5
check thumb-systick 80
check thumb-fault 2
check x86-fault 200
check x86-timer 200

# One instruction in each block.
for name in rv64-timer rv64-pagefault rv64-mmio a64-timer a64-pagefault a64-mmio thumb-systick thumb-fault; do
    replays "$name" -accel tcg,one-insn-per-tb=on
done

# changes NAME REGISTER: in the loop of float.c, a floating-point register has another value in each
# sample.
changes() {
    check "$1" 48
    local values
    values=$(sql "$1" "SELECT count(DISTINCT value) FROM state WHERE register = '$2'")
    [ "$values" -ge 49 ] || fail "$1: $2 has only $values different values"
}

changes rv64-float ft0
changes a64-float v0
changes x86-float xmm0

# A sample every so many branches, also before each block.
guest rv64-smc "$version"
record denser --level state --sample-step 64
replays denser
many=$(sql denser "SELECT sum(samples) FROM sample")
[ "$many" -gt 50 ] || fail "only $many samples, one each 64 branches"
record densest --level state --sample-step 1
verify densest
most=$(sql densest "SELECT count(*) FROM exec")
equal "samples before each block" "$(sql densest "SELECT sum(samples) FROM sample")" "$most"
run 0 "$tcgrr" replay --json "$work/densest.tcgrr"
# The two cut some blocks in different places.
(($(json .samples) > most * 9 / 10)) || fail "only $(json .samples) of $most samples before blocks were compared"

# parts NAME REGISTERS: 0.0625 becomes 0.5, which is loaded half-way through. Up to there all is the
# same; then the registers differ, and the flow only at the end.
parts() {
    local name=$1 registers=$2 elf=$work/$1.elf late from to
    copy_guest "$name" "$elf"
    guest "$name" "$version" "$elf"
    record "$name-late" --level state
    late=$(sql "$name-late" "SELECT min(icount) FROM insn WHERE pc = $(address "$elf" float_takes_late)")
    patch "$elf" "$(address "$elf" float_late)" 3fe0000000000000
    run 1 "$tcgrr" replay --json --timeout 10 "$work/$name-late.tcgrr"
    from=$(json .data_divergence.icount_from)
    to=$(json .data_divergence.icount_to)
    ((from <= late && late < to && to - from < 200000)) || fail "$name: data parts between $from and $to, not at $late"
    contains "$name: registers" "$(json '[.data_divergence.registers[].name] | sort | join(" ")')" "^($registers)$"
    equal "$name: stores" "$(json .data_divergence.stores_differ)" false
    equal "$name: kind" "$(json .divergence.kind)" "control flow"
    [ "$(json .divergence.icount)" -gt $((to + 500000)) ] || fail "$name: the flow diverges at $(json .divergence.icount)"
    # Where the flow does not come that far, the data is all there is.
    run 1 "$tcgrr" replay --json --timeout 10 --until $((to + 100000)) "$work/$name-late.tcgrr"
    equal "$name: kind up to there" "$(json .divergence.kind)" data
    equal "$name: icount of the data" "$(json .divergence.icount)" "$to"
    equal "$name: both sides are at the same instruction" "$(json .divergence.a.pc)" "$(json .divergence.b.pc)"
}

parts rv64-float "fflags fcsr ft0 ft3 ft4|fcsr fflags ft0 ft3 ft4|ft0 ft3 ft4"
parts a64-float "v0 v3 v4"
parts x86-float "xmm0 xmm3"

# The same, told to be allowed.
run 1 "$tcgrr" replay --json --timeout 10 --ignore-reg "xmm*" "$work/x86-float-late.tcgrr"
equal "registers that may differ" "$(json .data_divergence)" null

# Two live QEMUs: the other version has the same registers, with the same data; and with another
# word of it not.
other=10.0
[ "$version" = 10.0 ] && other=11.1
words=(-M virt -cpu cortex-a57 -display none -monitor none -serial null)
sides=(--level state --a "$(qemu aarch64 "$version")" --b "$(qemu aarch64 "$other")")
run 0 "$tcgrr" lockstep --json "${sides[@]}" -- "${words[@]}" -kernel "$fixtures/a64-float.elf"
equal "lockstep of both versions: samples" "$(json .samples)" 49
equal "lockstep of both versions: data" "$(json .data_divergence)" null
run 1 "$tcgrr" lockstep --json "${sides[@]}" --a-arg -kernel --a-arg "$fixtures/a64-float.elf" --b-arg -kernel \
    --b-arg "$work/a64-float.elf" -- "${words[@]}"
late=$(sql a64-float-late "SELECT min(icount) FROM insn WHERE pc = $(address "$fixtures/a64-float.elf" float_takes_late)")
from=$(json .data_divergence.icount_from)
to=$(json .data_divergence.icount_to)
((from <= late && late < to)) || fail "lockstep: data parts between $from and $to, not at $late"
equal "lockstep: kind" "$(json .divergence.kind)" "control flow"

# Where the BIOS of the two does not do the same, branches count from where comparing starts. A flag
# that 10.0 has wrong goes to memory at once, so that only the stores tell, 300,000 instructions
# before the branch on it.
words=(-M pc -cpu max -device "isa-debug-exit,iobase=0xf4,iosize=0x04" -display none -monitor none -serial null)
sides=(--level state --from _start --a "$(qemu x86_64 "$version")" --b "$(qemu x86_64 "$other")")
run 0 "$tcgrr" lockstep --json "${sides[@]}" -- "${words[@]}" -kernel "$fixtures/x86-float.elf"
equal "lockstep from _start on: samples" "$(json .samples)" 49
equal "lockstep from _start on: data" "$(json .data_divergence)" null
run 1 "$tcgrr" lockstep --json "${sides[@]}" -- "${words[@]}" -kernel "$fixtures/x86-fcomi.elf"
((0 < $(json '.stores_parted.icount_to - .from.a') && $(json '.divergence.icount - .stores_parted.icount_to') > 150000)) ||
    fail "x86-fcomi: the stores diverge at $(json .stores_parted), the flow at $(json .divergence.icount)"
# The same from recordings.
for each in "$version" "$other"; do
    guest x86-float "$each"
    record "from-$each" --level state --sample-from _start
done
replays "from-$version"
run 0 "$tcgrr" diff --json --from _start "$work/from-$version.tcgrr" "$work/from-$other.tcgrr"
equal "diff from _start on: samples" "$(json .samples)" 49
complains 2 "no symbol nowhere" "$tcgrr" record --level state --sample-from nowhere -o "$work/x.tcgrr" -- "${guest[@]}"
complains 2 "level takes flow or state" "$tcgrr" lockstep --level full "${sides[@]:2}" -- "${words[@]}"
