#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: 7.2 10.0 11.1
# Each report against an independent count: QEMU's own log of the same run, replayed with one
# instruction to a translation, and what the guest's source says it does.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1
one_insn=(-accel "tcg,one-insn-per-tb=on")
[ "$version" != 7.2 ] || one_insn=(-singlestep)

# report TRACE NAME [OPTION...]: its output.
report() {
    local trace=$work/$1.tcgrr
    shift
    "$tcgrr" report "$trace" "$@" 2>"$work/notes" || fail "report $*: $(cat "$work/notes")"
}

# run_logged NAME [OPTION...]: runs `guest` with one instruction to a translation. What ran goes to
# $work/NAME.flow, the instructions' addresses alone to $work/NAME.pcs.
run_logged() {
    local name=$1
    shift
    timeout 100 "${guest[@]}" "${one_insn[@]}" "$@" -nic none -d exec,nochain,int,in_asm -D "$work/$name.log" 2>/dev/null ||
        fail "QEMU does not run $name"
    awk -f "$tests/flow.awk" "$work/$name.log" >"$work/$name.flow"
    awk '$1 != "trap" { print $1 }' "$work/$name.flow" >"$work/$name.pcs"
}

# mnemonics NAME PATTERN: how often the log has an instruction that QEMU's disassembler gives such a
# name.
mnemonics() { awk -v pattern="^($2)\$" '$1 != "trap" && $2 ~ pattern { count++ } END { print count + 0 }' "$work/$1.flow"; }

# class TRACE NAME [OPTION...]: hits of howvec's class.
class() {
    local trace=$1 name=$2
    shift 2
    report "$trace" howvec --json "$@" | jq --arg name "$name" '.classes[] | select(.name == $name) | .hits'
}

# A replaying QEMU can shut down a few instructions before the recorded one did.
guest a64-mmio "$version"
for attempt in 1 2 3 4 5; do
    record mmio --force
    icount=$(json .icount)
    interrupts=$(json .events.interrupt)
    "$tcgrr" extract "$work/mmio.tcgrr" "$work/files.$attempt" >/dev/null
    run_logged mmio -icount "shift=0,rr=replay,rrfile=$work/files.$attempt/replay.rr"
    [ "$(wc -l <"$work/mmio.pcs")" != "$icount" ] || break
done
handler=$(address "$fixtures/a64-mmio.elf" vectors)
handler=$(printf '%x' $((handler + 0x280)))

equal "instructions in QEMU's log" "$(wc -l <"$work/mmio.pcs")" "$icount"
report mmio execlog | awk -F '[ ,x]+' '{ print $3 }' | cmp -s - "$work/mmio.pcs" || fail "execlog is not QEMU's log"
equal "bb" "$(report mmio bb | tail -n 1 | sed "s/.*insns: //")" "$icount"
equal "insn" "$(report mmio insn)" "cpu 0 insns: $icount
total insns: $icount"
equal "insn match" "$(report mmio insn match=eret | sed -n 's/^Match: eret, hits //p')" "$(mnemonics mmio eret)"
equal "insn trace" "$(report mmio insn match=eret trace=on | grep -c 'since last match')" "$(mnemonics mmio eret)"
equal "insn sizes" "$(report mmio insn sizes=on)" "len 4 bytes: $icount insns"

# A part, filtered; the second of two filters adds to the first.
equal "execlog from until" "$(report mmio execlog from=1000 until=1010 | awk -F '[ ,x]+' '{ print $3 }')" \
    "$(sed -n 1001,1010p "$work/mmio.pcs")"
equal "execlog ifilter" "$(report mmio execlog ifilter=eret | wc -l)" "$(mnemonics mmio eret)"
equal "execlog afilter" "$(report mmio execlog ifilter=eret "afilter=0X$handler" | wc -l)" \
    "$(($(mnemonics mmio eret) + $(grep -cx "$handler" "$work/mmio.pcs")))"
for wrong in -1 " 1" 0x 0xg 10000000000000000; do
    complains 2 "afilter takes an address in hexadecimal, not '$wrong'" "$tcgrr" report "$work/mmio.tcgrr" execlog "afilter=$wrong"
done
equal "execlog JSON" "$(report mmio execlog --json from=5 until=7 | jq -c '.insns | map([.icount, .pc[2:]])')" \
    "[[5,\"$(sed -n 6p "$work/mmio.pcs")\"],[6,\"$(sed -n 7p "$work/mmio.pcs")\"]]"

# Blocks: read_devices is called 6,000 times and nothing goes into its first instruction but calls.
start=$(address "$fixtures/a64-mmio.elf" read_devices)
equal "hotblocks" "$(report mmio hotblocks limit=0 --json | jq "[.blocks[] | select(.pc == \"$start\") | .ecount] | add")" \
    "$(grep -cx "${start#0x}" "$work/mmio.pcs")"
equal "what all blocks ran" "$(report mmio hotblocks limit=0 --json | jq '[.blocks[].ran] | add')" "$icount"
equal "hotblocks' limit" "$(report mmio hotblocks limit=3 | wc -l)" 5
contains "hotblocks' columns" "$(report mmio hotblocks | sed -n 2,3p | tr '\n' ' ')" \
    '^pc, tcount, icount, ecount 0x[0-9a-f]{16}, [0-9]+, [0-9]+, [0-9]+ $'

# What help prints as SQL gives the same rows.
sql_of() { "$tcgrr" report "$work/mmio.tcgrr" "$1" help | sed '1,/^The same rows from/d'; }
equal "hotblocks as SQL" "$("$tcgrr" query --format json "$work/mmio.tcgrr" "$(sql_of hotblocks)" | jq -c 'map([.tcount, .ecount, .ran])')" \
    "$(report mmio hotblocks limit=0 --json | jq -c '.blocks | map([.tcount, .ecount, .ran])')"
equal "traps as SQL" "$("$tcgrr" query --format json "$work/mmio.tcgrr" "$(sql_of traps)" | jq -c 'map([.kind, .hits, .first_icount])')" \
    "$(report mmio traps limit=0 --json | jq -c '.places | map([.kind, .hits, .first_icount])')"

# Classes by QEMU's own disassembly.
equal "howvec: registers" "$(($(class mmio sreg) + $(class mmio psta)))" "$(mnemonics mmio 'mrs|msr')"
equal "howvec: pairs" "$(class mmio ldstp strict=on)" "$(mnemonics mmio 'stp|ldp')"
equal "howvec: conditional branches" "$(class mmio cndb)" "$(mnemonics mmio 'b\\..*')"
equal "howvec: branches" "$(class mmio bimm)" "$(mnemonics mmio 'b|bl')"
equal "howvec: branches to registers" "$(class mmio breg)" "$(mnemonics mmio 'br|blr|ret|eret')"
equal "howvec: all" "$(report mmio howvec --json count=nop count=udef | jq '[.classes[].hits] | add')" "$icount"
equal "howvec: one by one" "$(report mmio howvec --json count=breg limit=0 | jq '[.individual[].hits] | add')" \
    "$(mnemonics mmio 'br|blr|ret|eret')"
contains "howvec: not counted" "$(report mmio howvec 'count=!bimm')" '^Class:   Branch \(imm\) +.not counted$'

# Interrupts: as many as QEMU says it took, and where it says so.
equal "traps" "$(report mmio traps | sed -n 2p | tr -d ' ' | cut -d, -f1-3)" "0,$interrupts,0"
equal "interrupts in QEMU's log" "$(grep -c '^trap 5 ' "$work/mmio.flow")" "$interrupts"
report mmio traps limit=0 --json | jq -r '.places[] | select(.kind == "interrupt") | [.from_pc // "0xunknown", .hits] | "\(.[0][2:]) \(.[1])"' |
    sort >"$work/traps"
awk '/^trap 5/ { count[$3]++ } END { for (pc in count) print pc, count[pc] }' "$work/mmio.flow" | sort >"$work/traps.wanted"
unknown=$(awk '$1 == "unknown" { print $2 }' "$work/traps")
if [ "$version" = 11.1 ]; then
    cmp -s "$work/traps" "$work/traps.wanted" || fail "traps' places: $(diff "$work/traps" "$work/traps.wanted" | head -n 3)"
fi

# Branches: from each instruction that was followed by another one than the next. What ran behind an
# interrupt goes on where it returned to. Where QEMU does not tell where an interrupt hit behind an
# instruction that can go anywhere, a branch is missing.
awk -v handler="$handler" '
    function number(hex,  i, value) { for (i = 1; i <= length(hex); i++) value = value * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1; return value }
    $1 == "trap" { taken = before; next }
    {
        from = before
        if ($1 == handler && taken != "") { before = $1; from = "" }
        else if (text == "eret") { edge[before " " $1]++; from = taken; taken = "" }
        if (from != "" && number($1) != number(from) + 4) edge[from " " $1]++
        before = $1
        text = $2
    }
    END { for (pair in edge) print pair, edge[pair] }' "$work/mmio.flow" | sort >"$work/edges.wanted"
report mmio cflow limit=0 --json | jq -r '.nodes[] | .pc as $from | .destinations[] | "\($from[2:]) \(.pc[2:]) \(.count)"' |
    sort >"$work/edges"
if [ "$version" = 11.1 ]; then
    cmp -s "$work/edges" "$work/edges.wanted" || fail "cflow: $(diff "$work/edges" "$work/edges.wanted" | head -n 3)"
fi
missing=$(($(awk '{ sum += $3 } END { print sum }' "$work/edges.wanted") - $(awk '{ sum += $3 } END { print sum }' "$work/edges")))
((missing >= 0 && missing <= ${unknown:-0})) || fail "cflow: $missing branches are missing, $unknown places are not known"
contains "cflow" "$(report mmio cflow sort=exceptions limit=1 | sed -n 2p)" '^  addr: 0x[0-9a-f]+ [a-z_]+: (ret|eret|b\.).* \(branch\)$'

# Vectors with an interval for each block: they say which addresses ran in which order.
report mmio bbv interval=1 "outfile=$work/vectors" >"$work/out"
contains "bbv" "$(cat "$work/out")" "^$work/vectors.0.bb: [0-9]+ intervals"
awk '
    FNR == NR { pc[FNR] = $1; next }
    !/^T:[0-9]+:[0-9]+ $/ { print "malformed: " $0; exit }
    {
        split($0, part, ":")
        if (!(part[2] in place)) place[part[2]] = pc[done + 1]
        if (place[part[2]] != pc[done + 1]) { print "block " part[2] " at " place[part[2]] " and " pc[done + 1]; exit }
        done += part[3]
    }
    END { print done }' "$work/mmio.pcs" "$work/vectors.0.bb" >"$work/out"
equal "bbv's blocks" "$(cat "$work/out")" "$icount"
report mmio bbv interval=10000 "outfile=$work/vectors" --json >"$work/out"
equal "bbv's intervals" "$(json '.files[0].intervals')" "$(wc -l <"$work/vectors.0.bb")"
equal "bbv's intervals and rest" "$(($(json '.files[0].intervals * 10000 + .files[0].rest')))" "$icount"

# Coverage, read as a viewer does: the stretches of code are those that ran, no byte more.
report mmio drcov "filename=$work/mmio.drcov" >/dev/null
base=$(sed -n '5s/^0, 0x\([0-9a-f]*\), .*a64-mmio.elf$/\1/p' "$work/mmio.drcov")
equal "drcov's header" "$(head -n 4 "$work/mmio.drcov" | tr '\n' '|')" \
    "DRCOV VERSION: 2|DRCOV FLAVOR: drcov-64|Module Table: version 2, count 1|Columns: id, base, end, entry, path|"
header=$(head -n 6 "$work/mmio.drcov" | wc -c)
count=$(sed -n '6s/^BB Table: \([0-9]*\) bbs$/\1/p' "$work/mmio.drcov")
equal "drcov's entries" "$(($(wc -c <"$work/mmio.drcov") - header))" "$((count * 8))"
tail -c "+$((header + 1))" "$work/mmio.drcov" | od -An -v -tu1 -w8 | awk -v base="$((16#$base))" '
    { start = base + $1 + 256 * ($2 + 256 * ($3 + 256 * $4)); for (i = 0; i < $5 + 256 * $6; i += 4) printf "%x\n", start + i }' |
    sort -u >"$work/covered"
sort -u "$work/mmio.pcs" | cmp -s - "$work/covered" || fail "drcov covers something else than what ran"

# An instruction cache of 2 KiB, simulated here from QEMU's log.
misses() {
    awk -v lru="$1" '
        function number(hex,  i, value) { for (i = 1; i <= length(hex); i++) value = value * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1; return value }
        {
            if (!($1 in line)) line[$1] = int(number($1) / 32)
            tag = line[$1]
            set = tag % 16
            if (where[tag]) {
                if (lru) stamp[tag] = NR
                next
            }
            misses++
            if (filled[set] < 4) { filled[set]++; slot = set " " filled[set] }
            else {
                slot = ""
                for (i = 1; i <= 4; i++) if (slot == "" || stamp[held[set " " i]] < stamp[held[slot]]) slot = set " " i
                delete where[held[slot]]
            }
            held[slot] = tag; where[tag] = 1; stamp[tag] = NR
        }
        END { print misses }' "$work/mmio.pcs"
}
for policy in lru fifo; do
    report mmio cache icachesize=2048 iblksize=32 iassoc=4 "evict=$policy" limit=0 --json >"$work/out"
    equal "fetches" "$(json '.cores[0].insns.accesses')" "$icount"
    equal "misses, $policy" "$(json '.cores[0].insns.misses')" "$(misses "$([ $policy != lru ] || echo 1)")"
    equal "misses by instruction, $policy" "$(json '[.fetch_misses[].misses] | add')" "$(json '.cores[0].insns.misses')"
done
contains "cache" "$(report mmio cache | sed -n 2p)" "^0 +0 +0 +0\.0000%  $icount +[0-9]+ +0\.[0-9]{4}%$"

# RISC-V by its own classes, on code that changes itself. Without interrupts each run is the same.
guest rv64-smc "$version"
record rv
run_logged rv -icount shift=0
count=$(report rv bb | tail -n 1 | sed "s/.*insns: //")
more=$(($(wc -l <"$work/rv.pcs") - count)) # an instruction that began when the guest had switched the machine off
((more == 0 || more == 1)) || fail "RISC-V: $count instructions, and $more more in QEMU's log"
report rv execlog | awk -F '[ ,x]+' '{ print $3 }' | cmp -s - <(head -n "$count" "$work/rv.pcs") || fail "RISC-V: execlog is not QEMU's log"
equal "RISC-V: conditional branches" "$(($(class rv cndb) + $(class rv ccndb)))" \
    "$(mnemonics rv 'b(eq|ne|lt|ge|ltu|geu|eqz|nez|gez|lez|gtz|ltz|gt|le|gtu|leu)')"
equal "RISC-V: loads" "$(($(class rv ld) + $(class rv cld)))" "$(mnemonics rv 'l[bhwd]u?')"
equal "RISC-V: stores" "$(($(class rv st) + $(class rv cst)))" "$(mnemonics rv 's[bhwd]')"
equal "RISC-V: fences" "$(class rv fence)" "$(mnemonics rv 'fence.*')"

guest a64-pagefault "$version"
record fault
"$tcgrr" extract "$work/fault.tcgrr" "$work/fault.files" >/dev/null
timeout 100 "${guest[@]}" -icount "shift=0,rr=replay,rrfile=$work/fault.files/replay.rr" -nic none -d int -D "$work/fault.log" \
    2>/dev/null || fail "QEMU does not replay the page faults"
# Of a system call the log has the instruction to return to; the last exception, 11, switches the
# machine off.
awk '/^Taking exception/ { kind = $3 } /^\.\.\.with ELR/ { sub(/^0x0*/, "", $3); if (kind != 2 && kind != 11) print $3 }' "$work/fault.log" |
    sort | uniq -c | awk '{ print $2, $1 }' >"$work/faults.wanted"
calls=$(grep -c '^Taking exception 2 ' "$work/fault.log")
report fault cflow sort=early limit=0 --json >"$work/out"
equal "system calls" "$(json '[.nodes[] | select(.disasm // "" | startswith("svc")) | .early_exits] | add')" "$calls"
json '.nodes[] | select(.early_exits > 0) | select(.disasm // "" | startswith("svc") | not) | "\(.pc[2:]) \(.early_exits)"' |
    sort >"$work/faults"
if [ "$version" = 11.1 ]; then # others have a fault of fetching at the branch to there
    cmp -s "$work/faults" "$work/faults.wanted" || fail "cflow's early exits: $(diff "$work/faults" "$work/faults.wanted" | head -n 5)"
fi
equal "faults" "$(awk '{ sum += $2 } END { print sum }' "$work/faults")" "$(awk '{ sum += $2 } END { print sum }' "$work/faults.wanted")"
equal "traps of page faults" "$(report fault traps | sed -n 2p | tr -d ' ' | cut -d, -f3)" \
    "$(($(grep -c '^Taking exception' "$work/fault.log") - 1))"

# Registers where they were sampled: the program counter is where the run went on.
complains 3 "lacks level state; make it: tcgrr fill .* --level state" "$tcgrr" report "$work/mmio.tcgrr" execlog reg=pc
if [ "$version" != 7.2 ]; then
    guest a64-mmio "$version"
    record state --level state
    samples=$("$tcgrr" query "$work/state.tcgrr" --format csv "SELECT count(DISTINCT icount) FROM state WHERE icount > 0" | tail -n 1)
    report state execlog 'reg=p?' >"$work/execlog"
    equal "execlog's registers" "$(grep -c 'pc -> ' "$work/execlog")" "$samples"
    wrong=$(awk -F '[ ,]+' 'wanted { if (substr($2, 3) != wanted) print $2, wanted; wanted = "" } / pc -> / { wanted = $NF; sub(/^0x0*/, "", wanted) }' "$work/execlog")
    equal "where execlog's pc leads to" "$wrong" ""
    equal "execlog's registers in JSON" \
        "$(report state execlog reg=pc reg=sp --json | jq '[.insns[] | select(.registers.pc)] | length')" "$samples"
    equal "registers that the text mentions" \
        "$(report state execlog 'reg=x*' rdisas=on | sed -n 's/.*"[a-z.]* \(.*\)", \(x[0-9]*\) -> .*/\2 \1/p' | awk 'index($0, $1 ",") == 0 && substr($0, length($1) + 1) !~ $1')" ""
    complains 2 "no register of aarch64 matches 'nope'" "$tcgrr" report "$work/state.tcgrr" execlog reg=nope
fi
complains 2 "rdisas needs reg" "$tcgrr" report "$work/mmio.tcgrr" execlog rdisas=on

# What is asked wrongly is said.
complains 2 "there is no report 'nope'" "$tcgrr" report "$work/mmio.tcgrr" nope
complains 2 "hotblocks has no option 'foo'; it has limit, lines, inline" "$tcgrr" report "$work/mmio.tcgrr" hotblocks foo=1
complains 2 "limit takes a number from 0 to" "$tcgrr" report "$work/mmio.tcgrr" hotblocks limit=many
complains 2 "limit is given twice" "$tcgrr" report "$work/mmio.tcgrr" hotblocks limit=1 limit=2
complains 2 "evict takes one of lru|fifo|rand" "$tcgrr" report "$work/mmio.tcgrr" cache evict=none
complains 2 "number of sets, must be a power of two" "$tcgrr" report "$work/mmio.tcgrr" cache icachesize=24576
complains 2 "has no class 'zzz' for aarch64; it has udef, " "$tcgrr" report "$work/mmio.tcgrr" howvec count=zzz
complains 2 "is the trace itself" "$tcgrr" report "$work/mmio.tcgrr" drcov "filename=$work/mmio.tcgrr"
complains 3 "lacks level full; make it: tcgrr fill .* --level full" \
    "$tcgrr" report "$work/mmio.tcgrr" cache dcachesize=1024
complains 3 "is a system-mode trace" "$tcgrr" report "$work/mmio.tcgrr" syscall
complains 3 "cannot open" "$tcgrr" report "$work/nowhere.tcgrr" bb
run 0 "$tcgrr" report "$work/mmio.tcgrr" hotblocks inline=on
contains "what changes nothing is said" "$(cat "$work/err")" '^tcgrr: inline changes nothing'
run 0 "$tcgrr" report "$work/mmio.tcgrr"
for name in $("$tcgrr" report --json "$work/mmio.tcgrr" | jq -r '.reports[].name'); do
    contains "the list" "$(cat "$work/out")" "^  $name +[a-z]"
    contains "help of $name" "$("$tcgrr" report "$work/mmio.tcgrr" "$name" help)" "^Usage: tcgrr report TRACE $name"
done
contains "howvec's classes" "$("$tcgrr" report "$work/mmio.tcgrr" howvec --help)" '^  sreg +System Reg$'

# User mode: the guest writes twice, asks for its number, maps memory and leaves.
[ "$version" = 7.2 ] || exit 0
guest user-hello-aarch64 "$version"
run 0 "$tcgrr" record --json -o "$work/hello.tcgrr" -- "${guest[@]}"
equal "syscall" "$(report hello syscall | tail -n +2 | sort -n | awk '{ print $1, $2, $3 }' | tr '\n' '|')" "64 2 0|94 1 0|172 1 0|222 1 0|"
contains "syscall print" "$(report hello syscall print=on)" '^syscall #64 returned -> [0-9]+$'
complains 2 "does not hold what system calls wrote" "$tcgrr" report "$work/hello.tcgrr" syscall log_writes=on
