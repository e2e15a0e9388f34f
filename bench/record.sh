#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What recording costs: time against the same QEMU command without tcgrr (run alternately), size per execution, decoding and seeking, memory.
#
#   bench/record.sh [BUILD] [RUNS]      defaults: build, 5. Needs scripts/fetch-qemus.sh to have run.
#
# The machine should have two idle cores: one runs the guest, the other tcgrr.
set -euo pipefail

build=${1:-build}
runs=${2:-5}
qemus=${TCGRR_QEMUS:-${XDG_CACHE_HOME:-$HOME/.cache}/tcgrr/qemus}
folder=$(mktemp -d "${TMPDIR:-/tmp}/tcgrr-bench-XXXXXX")
trap 'rm -rf "$folder"' EXIT
tcgrr=$build/bin/tcgrr

# run NAME COMMAND...: wall seconds and peak memory in KiB of the largest process, to NAME.times.
run() {
    local name=$1
    shift
    /usr/bin/time -a -o "$folder/$name.times" -f '%e %M' "$@" >"$folder/out" 2>"$folder/err" </dev/null ||
        { cat "$folder/err" >&2; exit 1; }
}

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# compare LEVEL TITLE COMMAND...: bare and recorded in turn.
compare() {
    local level=$1 title=$2 key=$1-${2%% *} trace
    shift 2
    trace=$folder/$key.tcgrr
    run "$key.warm" "$@"
    for _ in $(seq "$runs"); do
        run "$key.bare" "$@"
        run "$key.recorded" "$tcgrr" record --json --force --level "$level" -o "$trace" -- "$@"
        cp "$folder/out" "$folder/$key.json"
    done
    echo "== $title, level $level"
    paste "$folder/$key.bare.times" "$folder/$key.recorded.times" |
        awk '{ printf "  run %d: bare %.2f s, recorded %.2f s, ratio %.2f\n", NR, $1, $3, $3 / $1 }'
    printf '  time    median ratio %s\n' "$(paste "$folder/$key.bare.times" "$folder/$key.recorded.times" |
        awk '{ printf "%.3f\n", $3 / $1 }' | median)"
    sqlite3 "$trace" "SELECT printf('  size    %.4f bit an execution (chunks; %d executions), with partials and the rest %d KiB in all',
            8.0 * total(length(data)) / total(execs), total(execs), (SELECT page_count * page_size / 1024 FROM pragma_page_count, pragma_page_size))
        FROM chunk;
        SELECT printf('  tables  chunks %d KiB, partials and switches %d KiB, blocks %d KiB, checkpoints %d, events %d',
            (SELECT total(length(data)) FROM chunk) / 1024, (SELECT total(length(partials) + length(switches)) FROM chunk) / 1024,
            (SELECT total(length(lengths) + length(bytes) + 24) FROM block) / 1024, (SELECT count(*) FROM checkpoint), (SELECT count(*) FROM event));"
    sqlite3 "$trace" "SELECT printf('  state   %d samples, %d KiB: %.0f bytes a sample', total(samples), total(length(data)) / 1024,
            total(length(data)) / total(samples)) FROM sample HAVING count(*) > 0;"
    sqlite3 "$trace" "SELECT printf('  memory accesses: %d, %d KiB: %.2f bytes an access', total(accesses), total(length(data)) / 1024,
            total(length(data) + length(pages)) / total(accesses)) FROM mem_chunk HAVING count(*) > 0;"
    "$build/bench/bench-trace" "$trace" | sed 's/^/  /'
    jq -r '"  memory  tcgrr \(.peak_memory_bytes / 1048576 | floor) MiB at most"' "$folder/$key.json"
    printf '  memory  plugin: QEMU with it %d MiB, without %d MiB\n' \
        $(($(jq .qemu_peak_memory_bytes "$folder/$key.json") / 1048576)) \
        $(($(awk '{ print $2 }' "$folder/$key.bare.times" | median) / 1024))
}

grep -m1 'model name' /proc/cpuinfo | sed 's/.*: /machine: /'
compute=("$qemus/bin/qemu-system-riscv64-10.0" -M virt -bios none -display none -monitor none -serial null -nic none
    -icount shift=0 -kernel "$build/fixtures/rv64-compute.elf")
boot=("$qemus/bin/qemu-system-aarch64-10.0" -M virt -cpu cortex-a57 -m 512 -display none -monitor none -serial null
    -nic none -icount shift=0 -kernel "$qemus/guests/linux-arm64" -append "console=ttyAMA0 panic=-1" -no-reboot)
for level in flow state; do
    compare "$level" "compute loop, riscv64, QEMU 10.0" "${compute[@]}"
    compare "$level" "boot of Linux, arm64, QEMU 10.0" "${boot[@]}"
done
compare full "boot of Linux, arm64, QEMU 10.0" "${boot[@]}" # the loop accesses no memory
