#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What comparing costs: two live QEMUs in lockstep against one of them alone (run alternately), two
# recorded runs that agree or diverge near their end, and the memory it takes.
#
#   bench/lockstep.sh [BUILD] [RUNS] [PATTERN]      defaults: build, 5, all. Needs scripts/fetch-qemus.sh to have run.
#
# PATTERN: only the measurements of live QEMUs whose titles match.
#
# The machine should have two idle cores.
# shellcheck source=bench/lib.sh
. "$(dirname "$0")/lib.sh"
runs=${2:-5}
pattern=${3:-}

# both TITLE QEMU_A QEMU_B ARG...: A alone and the two in lockstep, in turn.
both() {
    local title=$1 key=${1//[ ,]/-} qemu=$2 other=$3
    shift 3
    [[ $title =~ $pattern ]] || return 0
    run "$key.warm" "$qemu" -icount shift=0 "$@"
    for _ in $(seq "$runs"); do
        run "$key.alone" "$qemu" -icount shift=0 "$@"
        run "$key.pair" "$tcgrr" lockstep --json --a "$qemu" --b "$other" -- "$@"
    done
    echo "== $title"
    ratios "$key.alone" "$key.pair"
    jq -r '"  result  diverged: \(.diverged), \(.compared) instructions compared, inputs \(.inputs), \(.shifted_events) shifted events"' "$folder/out"
    printf '  memory  %d MiB at most\n' "$(memory "$key.pair")"
}

# compared TITLE STATUS A B: two traces.
compared() {
    for _ in $(seq "$runs"); do wanted=$2 run "diff$2" "$tcgrr" diff --json "$3" "$4"; done
    printf '== %s\n  time    median %s s of %s runs, memory %d MiB at most\n' "$1" "$(seconds "diff$2")" "$runs" "$(memory "diff$2")"
    jq -r '"  result  diverged: \(.diverged), \(.compared) instructions compared"' "$folder/out"
    rm "$folder/diff$2.times"
}

both "compute loop, riscv64, QEMU 10.0" "${riscv[0]}" "${riscv[@]}" "$build/fixtures/rv64-compute.elf"
both "program with memory, calls and a timer, riscv64, QEMU 10.0" "${riscv[0]}" "${riscv[@]}" "$build/fixtures/rv64-program.elf"
both "timer, loads and stores, riscv64, QEMU 10.0" "${riscv[0]}" "${riscv[@]}" "$build/fixtures/rv64-timer-long.elf"
linux=("${boot[@]:1}")
linux[-2]+=" nokaslr"
both "boot of Linux, arm64, QEMU 10.0" "${boot[0]}" "${boot[0]}" "${linux[@]}"
both "boot of Linux, arm64, QEMU 7.2 and 11.1" "$qemus"/bin/qemu-system-aarch64-{7.2,11.1} "${linux[@]}"
[ -z "$pattern" ] || exit 0
trace=$folder/a.tcgrr
"$tcgrr" record -o "$trace" -- "${riscv[@]}" "$build/fixtures/rv64-compute.elf" >"$folder/out" 2>&1
sqlite3 "$trace" "SELECT printf('  blocks  %d M a second on each side; QEMU''s own lockstep plugin does 0.052 M (measured once, two such QEMUs)',
    execs / 1e6 / $(seconds compute-loop--riscv64--QEMU-10.0.pair)) FROM run;"

# The same guest with fewer rounds (a multiple of eight, which its branches depend on), so that it
# leaves the loop near the end.
cp "$build/fixtures/rv64-compute.elf" "$folder/fewer.elf"
rounds=$((16#$(readelf -sW "$folder/fewer.elf" | awk '$8 == "compute_rounds" { print $2 }')))
offset=$(readelf -lW "$folder/fewer.elf" | awk '$1 == "LOAD" { print $2, $3, $5 }' | while read -r file memory size; do
    if ((memory <= rounds && rounds < memory + size)); then echo $((rounds - memory + file)); fi
done)
count=$(od -An -t u8 -j "$offset" -N 8 "$folder/fewer.elf" | tr -d ' ')
fewer=$(printf '%016x' $(((count - count / 2000) / 8 * 8)))
# shellcheck disable=SC2001
printf '%b' "$(sed 's/../\\x&\n/g' <<<"$fewer" | tac | tr -d '\n')" |
    dd of="$folder/fewer.elf" bs=1 seek="$offset" conv=notrunc status=none
"$tcgrr" record -o "$folder/b.tcgrr" -- "${riscv[@]}" "$folder/fewer.elf" >"$folder/out" 2>&1
compared "diff of compute loops, the last thousandth differs" 1 "$trace" "$folder/b.tcgrr"
rm -f "$folder"/[ab].tcgrr

"$tcgrr" record -o "$folder/a.tcgrr" -- "${boot[0]}" "${linux[@]}" >"$folder/out" 2>&1
cp "$folder/a.tcgrr" "$folder/b.tcgrr"
compared "diff of boots of Linux that agree" 0 "$folder/a.tcgrr" "$folder/b.tcgrr"
