#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# How long questions to a trace take, each with a process of its own: a boot of Linux, recorded at
# level full first.
#
#   bench/query.sh [BUILD] [RUNS] [TRACE]      defaults: build, 5, a trace that it records (scripts/fetch-qemus.sh must have run).
# shellcheck source=bench/lib.sh
. "$(dirname "$0")/lib.sh"
runs=${2:-5}
trace=${3:-}

if [ -z "$trace" ]; then
    trace=$folder/boot.tcgrr
    run record "$tcgrr" record --level full -o "$trace" -- "${boot[@]}" -icount shift=0
fi

ask() { "$tcgrr" query --format csv "$trace" "$1" | tail -n +2; }

# measure TITLE LIMIT-MS COMMAND...: median milliseconds.
measure() {
    local title=$1 limit=$2 begin
    shift 2
    for _ in $(seq "$runs"); do
        begin=$(date +%s%N)
        "$@" >/dev/null </dev/null
        echo $((($(date +%s%N) - begin) / 1000000))
    done | sort -n | awk -v title="$title" -v limit="$limit" '
        { v[NR] = $1 }
        END { printf "  %-58s %6d ms%s\n", title, v[int((NR + 1) / 2)], limit ? sprintf("  (asked for: %d)", limit) : "" }'
}

question() { measure "$1" "$2" "$tcgrr" query --format csv "$trace" "$3"; }

read -r execs icount < <(ask "SELECT execs || ' ' || icount FROM exec_count")
accesses=$(ask "SELECT total(accesses) FROM mem_chunk")
middle=$((icount / 2))
stored=$(ask "SELECT addr(address) FROM mem WHERE kind = 'store' AND icount >= $middle LIMIT 1")
once=$(ask "SELECT addr(address) FROM mem WHERE kind = 'store' AND icount >= $((icount / 1000)) LIMIT 1")
echo "trace: $execs executions, $icount instructions, ${accesses%.0} memory accesses, $(du -m "$trace" | cut -f1) MiB"

question "number of executions, from exec_count" 50 "SELECT execs FROM exec_count"
question "number of executions, row by row" 0 "SELECT count(*) FROM exec"
question "executions by block" 4000 "SELECT block, count(*) FROM exec GROUP BY block"
question "executions and instructions by block" 4000 "SELECT block, count(*), sum(ran) FROM exec GROUP BY block"
question "executions and instructions by block, from hot_block" 4000 "SELECT block, execs, ran FROM hot_block"
question "function that ran most" 0 "SELECT function, ran FROM hot_function ORDER BY ran DESC LIMIT 1"
question "the execution at an icount" 20 "SELECT * FROM exec WHERE icount <= $middle ORDER BY icount DESC LIMIT 1"
question "the instruction at an icount" 20 "SELECT * FROM insn WHERE icount = $middle"
question "the 1,000 instructions before an icount, disassembled" 100 \
    "SELECT icount, addr(pc), disasm FROM insn WHERE icount < $middle ORDER BY icount DESC LIMIT 1000"
question "interrupts by place" 0 "SELECT from_pc, to_pc, count(*) FROM event WHERE kind = 'interrupt' GROUP BY 1, 2 ORDER BY 3 DESC"
question "who wrote an address last" 0 \
    "SELECT * FROM mem WHERE covers = $stored AND kind = 'store' ORDER BY icount DESC LIMIT 1"
question "who wrote an address last that was seldom written" 0 \
    "SELECT * FROM mem WHERE covers = $once AND kind = 'store' ORDER BY icount DESC LIMIT 1"
question "who wrote an address last that nobody wrote" 0 \
    "SELECT * FROM mem WHERE covers = 0x1234567 AND kind = 'store' ORDER BY icount DESC LIMIT 1"
question "number of memory accesses, row by row" 0 "SELECT count(*) FROM mem"
for report in bb hotblocks howvec cflow hotpages mem cache; do
    measure "report $report" 0 "$tcgrr" report "$trace" "$report"
done
