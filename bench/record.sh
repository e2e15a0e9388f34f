#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What recording costs: time against the same QEMU with rr=record and without tcgrr (run
# alternately), size per execution, decoding and seeking, memory.
#
#   bench/record.sh [BUILD] [RUNS] [LEVEL...]      defaults: build, 5, flow state full. Needs scripts/fetch-qemus.sh to have run.
#
# The machine should have two idle cores: one runs the guest, the other tcgrr.
# shellcheck source=bench/lib.sh
. "$(dirname "$0")/lib.sh"
runs=${2:-5}
levels=("${@:3}")
[ ${#levels[@]} -gt 0 ] || levels=(flow state full)

# compare LEVEL TITLE COMMAND...: bare and recorded in turn.
compare() {
    local level=$1 title=$2 key=$1-${2%% *} trace bare=(-icount "shift=0,rr=record,rrfile=$folder/bare.rr")
    shift 2
    trace=$folder/$key.tcgrr
    run "$key.warm" "$@" "${bare[@]}"
    for _ in $(seq "$runs"); do
        run "$key.bare" "$@" "${bare[@]}"
        run "$key.recorded" "$tcgrr" record --json --force --level "$level" -o "$trace" -- "$@" -icount shift=0
        cp "$folder/out" "$folder/$key.json"
    done
    echo "== $title, level $level"
    ratios "$key.bare" "$key.recorded"
    sqlite3 "$trace" "SELECT printf('  size    %.4f bits per execution (chunks; %d executions), with partials and the rest %d KiB in all',
            8.0 * total(length(data)) / total(execs), total(execs), (SELECT page_count * page_size / 1024 FROM pragma_page_count, pragma_page_size))
        FROM chunk;
        SELECT printf('  tables  chunks %d KiB, partials and switches %d KiB, blocks %d KiB, checkpoints %d, events %d',
            (SELECT total(length(data)) FROM chunk) / 1024, (SELECT total(length(partials) + length(switches)) FROM chunk) / 1024,
            (SELECT total(length(lengths) + length(bytes) + 24) FROM block) / 1024, (SELECT count(*) FROM checkpoint), (SELECT count(*) FROM event));"
    sqlite3 "$trace" "SELECT printf('  state   %d samples, %d KiB: %.0f bytes per sample', total(samples), total(length(data)) / 1024,
            total(length(data)) / total(samples)) FROM sample HAVING count(*) > 0;"
    sqlite3 "$trace" "SELECT printf('  memory accesses: %d, %d KiB: %.2f bytes per access', total(accesses), total(length(data)) / 1024,
            total(length(data) + length(pages)) / total(accesses)) FROM mem_chunk HAVING count(*) > 0;"
    "$build/bench/bench-trace" "$trace" | sed 's/^/  /'
    jq -r '"  memory  tcgrr \(.peak_memory_bytes / 1048576 | floor) MiB at most"' "$folder/$key.json"
    printf '  memory  plugin: QEMU with it %d MiB, without %d MiB\n' \
        $(($(jq .qemu_peak_memory_bytes "$folder/$key.json") / 1048576)) \
        "$(memory "$key.bare")"
}

for level in "${levels[@]}"; do
    if [ "$level" != full ]; then # the loop accesses no memory
        compare "$level" "compute loop, riscv64, QEMU 10.0" "${riscv[@]}" "$build/fixtures/rv64-compute.elf"
        compare "$level" "program with memory, calls and a timer, riscv64, QEMU 10.0" "${riscv[@]}" "$build/fixtures/rv64-program.elf"
    fi
    compare "$level" "boot of Linux, arm64, QEMU 10.0" "${boot[@]}"
done
