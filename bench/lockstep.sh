#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What comparing costs: two live QEMUs in lockstep against one of them alone (run alternately), two recorded runs that agree or part
# near their end, and the memory it takes.
#
#   bench/lockstep.sh [BUILD] [RUNS] [PATTERN]      defaults: build, 5, all. Needs scripts/fetch-qemus.sh to have run.
#
# PATTERN: only the measurements of live QEMUs whose titles match.
#
# The machine should have two idle cores.
set -euo pipefail

build=${1:-build}
runs=${2:-5}
pattern=${3:-}
qemus=${TCGRR_QEMUS:-${XDG_CACHE_HOME:-$HOME/.cache}/tcgrr/qemus}
folder=$(mktemp -d "${TMPDIR:-/tmp}/tcgrr-bench-XXXXXX")
trap 'rm -rf "$folder"' EXIT
tcgrr=$build/bin/tcgrr

# timed NAME STATUS COMMAND...: wall seconds and peak memory in KiB of the largest process, to NAME.times.
timed() {
    local name=$1 wanted=$2 status=0
    shift 2
    /usr/bin/time -q -a -o "$folder/$name.times" -f '%e %M' "$@" >"$folder/out" 2>"$folder/err" </dev/null || status=$?
    [ "$status" = "$wanted" ] || { cat "$folder/err" >&2; exit 1; }
}

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# both TITLE QEMU_A QEMU_B ARG...: A alone and the two in lockstep, in turn.
both() {
    local title=$1 key=${1//[ ,]/-} qemu=$2 other=$3
    shift 3
    [[ $title =~ $pattern ]] || return 0
    timed "$key.warm" 0 "$qemu" -icount shift=0 "$@"
    for _ in $(seq "$runs"); do
        timed "$key.alone" 0 "$qemu" -icount shift=0 "$@"
        timed "$key.pair" 0 "$tcgrr" lockstep --json --a "$qemu" --b "$other" -- "$@"
    done
    echo "== $title"
    paste "$folder/$key.alone.times" "$folder/$key.pair.times" |
        awk '{ printf "  run %d: alone %.2f s, two in lockstep %.2f s, ratio %.2f\n", NR, $1, $3, $3 / $1 }'
    printf '  time    median ratio %s\n' "$(paste "$folder/$key.alone.times" "$folder/$key.pair.times" |
        awk '{ printf "%.3f\n", $3 / $1 }' | median)"
    jq -r '"  result  diverged: \(.diverged), \(.compared) instructions compared, inputs \(.inputs), \(.shifted_events) shifted events"' "$folder/out"
    awk '$2 > most { most = $2 } END { printf "  memory  %d MiB at most\n", most / 1024 }' "$folder/$key.pair.times"
}

# compared TITLE STATUS A B: two traces.
compared() {
    for _ in $(seq "$runs"); do timed "diff$2" "$2" "$tcgrr" diff --json "$3" "$4"; done
    printf '== %s\n  time    median %s s of %s runs, memory %d MiB at most\n' "$1" "$(cut -d' ' -f1 "$folder/diff$2.times" | median)" \
        "$runs" "$(awk '$2 > most { most = $2 } END { print int(most / 1024) }' "$folder/diff$2.times")"
    jq -r '"  result  diverged: \(.diverged), \(.compared) instructions compared"' "$folder/out"
    rm "$folder/diff$2.times"
}

grep -m1 'model name' /proc/cpuinfo | sed 's/.*: /machine: /'
compute=(-M virt -bios none -display none -monitor none -serial null -nic none)
riscv=$qemus/bin/qemu-system-riscv64-10.0
both "compute loop, riscv64, QEMU 10.0" "$riscv" "$riscv" "${compute[@]}" -kernel "$build/fixtures/rv64-compute.elf"
both "timer, loads and stores, riscv64, QEMU 10.0" "$riscv" "$riscv" "${compute[@]}" -kernel "$build/fixtures/rv64-timer-long.elf"
linux=(-cpu cortex-a57 -m 512 -display none -monitor none -serial null -nic none -kernel "$qemus/guests/linux-arm64" -no-reboot
       -append "console=ttyAMA0 panic=-1 nokaslr")
both "boot of Linux, arm64, QEMU 10.0" "$qemus"/bin/qemu-system-aarch64-10.0{,} -M virt "${linux[@]}"
both "boot of Linux, arm64, QEMU 7.2 and 11.1" "$qemus"/bin/qemu-system-aarch64-{7.2,11.1} -M virt "${linux[@]}"
[ -z "$pattern" ] || exit 0
trace=$folder/a.tcgrr
"$tcgrr" record -o "$trace" -- "$riscv" "${compute[@]}" -kernel "$build/fixtures/rv64-compute.elf" >"$folder/out" 2>&1
sqlite3 "$trace" "SELECT printf('  blocks  %d M a second on each side; QEMU''s own lockstep plugin does 0.052 M (measured once, two such QEMUs)',
    execs / 1e6 / $(cut -d' ' -f1 "$folder/compute-loop--riscv64--QEMU-10.0.pair.times" | median)) FROM run;"

# The same guest with fewer rounds (a multiple of eight, which its branches depend on), so that it leaves the loop near the end.
cp "$build/fixtures/rv64-compute.elf" "$folder/fewer.elf"
rounds=$((16#$(readelf -sW "$folder/fewer.elf" | awk '$8 == "compute_rounds" { print $2 }')))
offset=$(readelf -lW "$folder/fewer.elf" | awk '$1 == "LOAD" { print $2, $3, $5 }' | while read -r file memory size; do
    if ((memory <= rounds && rounds < memory + size)); then echo $((rounds - memory + file)); fi
done)
count=$(od -An -t u8 -j "$offset" -N 8 "$folder/fewer.elf" | tr -d ' ')
fewer=$(printf '%016x' $(((count - count / 2000) / 8 * 8)))
printf '%b' "$(sed 's/../\\x&\n/g' <<<"$fewer" | tac | tr -d '\n')" |
    dd of="$folder/fewer.elf" bs=1 seek="$offset" conv=notrunc status=none
"$tcgrr" record -o "$folder/b.tcgrr" -- "$riscv" "${compute[@]}" -kernel "$folder/fewer.elf" >"$folder/out" 2>&1
compared "diff of compute loops, the last thousandth differs" 1 "$trace" "$folder/b.tcgrr"
rm -f "$folder"/[ab].tcgrr

"$tcgrr" record -o "$folder/a.tcgrr" -- "$qemus/bin/qemu-system-aarch64-10.0" -M virt "${linux[@]}" >"$folder/out" 2>&1
cp "$folder/a.tcgrr" "$folder/b.tcgrr"
compared "diff of boots of Linux that agree" 0 "$folder/a.tcgrr" "$folder/b.tcgrr"
