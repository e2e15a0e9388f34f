#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: 7.2 10.0 11.1
# The reports about memory accesses, against QEMU's log of the same run with one instruction to a
# translation: which instructions access memory its own disassembly says, and which of them devices,
# the guest's source (fixtures/a64-mmio.c).
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1
one_insn=(-accel "tcg,one-insn-per-tb=on")
[ "$version" != 7.2 ] || one_insn=(-singlestep)

# report NAME [OPTION...]: its output.
report() { "$tcgrr" report "$work/mmio.tcgrr" "$@" 2>"$work/notes" || fail "report $*: $(cat "$work/notes")"; }

# mnemonics PATTERN: how often the log has an instruction that QEMU's disassembler gives such a
# name.
mnemonics() { awk -v pattern="^($1)\$" '$1 != "trap" && $2 ~ pattern { count++ } END { print count + 0 }' "$work/flow"; }

# A replaying QEMU can shut down a few instructions before the recorded one did.
guest a64-mmio "$version"
for attempt in 1 2 3 4 5; do
    record mmio --force --level full
    icount=$(json .icount)
    "$tcgrr" extract "$work/mmio.tcgrr" "$work/files.$attempt" >/dev/null
    timeout 100 "${guest[@]}" "${one_insn[@]}" -icount "shift=0,rr=replay,rrfile=$work/files.$attempt/replay.rr" -nic none \
        -d exec,nochain,int,in_asm -D "$work/log" 2>/dev/null || fail "QEMU does not replay it"
    awk -f "$tests/flow.awk" "$work/log" >"$work/flow"
    awk '$1 != "trap" { print $1 }' "$work/flow" >"$work/pcs"
    [ "$(wc -l <"$work/pcs")" != "$icount" ] || break
done
equal "instructions in QEMU's log" "$(wc -l <"$work/pcs")" "$icount"

# Each load and store is one access, but 7.2 makes two of a pair.
pairs=$(mnemonics 'ldp|stp')
[ "$version" = 7.2 ] || pairs=0
loads=$(($(mnemonics 'ld.*') + pairs / 2))
equal "mem" "$(report mem)" "mem accesses: $(($(mnemonics '(ld|st).*') + pairs))"
report mem --json >"$work/out"
equal "loads and stores" "$(json '.loads + .io_loads + .stores + .io_stores')" "$(($(mnemonics '(ld|st).*') + pairs))"
equal "stores to memory that are not pairs" "$(report mem track=w print-accesses=on | grep -c ',store,')" \
    "$(($(json '.stores + .io_stores')))"
[ "$(json '.loads + .io_loads')" -ge $((loads - pairs)) ] || fail "only $(json '.loads + .io_loads') loads"
equal "mem haddr" "$(report mem haddr=on | sed 's/.*: //' | tr '\n' ' ')" "$(json '"\(.loads + .stores) \(.io_loads + .io_stores) "')"
equal "lines of print-accesses" "$(report mem print-accesses=on | grep -c '^0x')" "$(json .mem_accesses)"
equal "print-accesses in JSON" "$(report mem print-accesses=on --json | jq '.accesses | length')" "$(json .mem_accesses)"
io=$(json '.io_loads + .io_stores')

# The lines of execlog have the same accesses.
report execlog >"$work/execlog"
equal "execlog's accesses" "$(grep -oE ', (load|store), 0x' "$work/execlog" | wc -l)" "$(json .mem_accesses)"
equal "instructions with accesses" "$(grep -cE '"(ld|st)[a-z]+ .*", (load|store), 0x' "$work/execlog")" "$(mnemonics '(ld|st).*')"
equal "instructions without" "$(grep -vE ', (load|store), 0x' "$work/execlog" | grep -cE '"(ld|st)')" 0
equal "execlog's accesses in JSON" "$(report execlog --json until=20000 | jq '[.insns[].accesses // [] | length] | add')" \
    "$(head -n 20000 "$work/execlog" | grep -oE ', (load|store), 0x' | wc -l)"

# Devices by the instruction: each access to one is an execution of it. read_devices reads the UART
# four times a turn.
report hwprofile source --json >"$work/out"
equal "accesses to devices" "$(json '[.devices[] | .reads + .writes] | add')" "$io"
json '.devices[].locations[] | "\(.pc[2:]) \(.reads + .writes)"' | sort >"$work/sources"
awk 'FNR == NR { wanted[$1]; next } $1 in wanted { count[$1]++ } END { for (pc in count) print pc, count[pc] }' "$work/sources" "$work/pcs" |
    sort >"$work/sources.wanted"
cmp -s "$work/sources" "$work/sources.wanted" || fail "hwprofile: $(diff "$work/sources" "$work/sources.wanted" | head -n 3)"
equal "the UART" "$(json '.devices[] | select(.device == "pl011") | [.locations[] | select((.symbol // "") | startswith("read_devices")) | .reads] | add')" 24000
equal "hwprofile's list" "$(report hwprofile | sed 1d | awk -F ', ' '{ sum += $4 + $6 } END { print sum }')" "$io"
equal "reads alone" "$(report hwprofile track=read | sed 1d | awk -F ', ' '{ sum += $4 } END { print sum, NF }')" \
    "$(json '[.devices[].reads] | add') 4"
if [ "$version" != 7.2 ]; then # which does not tell where in a device an access went
    contains "the UART's place" "$(report hwprofile)" "^pl011, 0x9000000, 1, $(json '.devices[] | select(.device == "pl011") | .reads'), 1, [0-9]+$"
    equal "its flag register" "$(report hwprofile pattern | awk '/^pl011/ { here = 1; next } / @ / { here = 0 } here && /off:00000018/ { print $3 }' | tr -d ,)" \
        "$(json '.devices[] | select(.device == "pl011") | .reads')"
fi
equal "matches" "$(report hwprofile match=pl011 | grep -c '^hwprofile: match @ offset')" \
    "$(json '.devices[] | select(.device == "pl011") | .reads + .writes')"

# Pages.
report hotpages --json limit=0 >"$work/out"
equal "accesses to all pages" "$(json '[.pages[] | .reads + .writes] | add')" "$(report mem --json | jq .mem_accesses)"
equal "accesses to pages of devices" "$(report hotpages io=on | sed 1d | awk -F ', ' '{ sum += $3 + $5 } END { print sum }')" "$io"
equal "pages by address" "$(report hotpages sortby=address limit=0 | sed 1d | cut -d, -f1 | sort -c -r && echo sorted)" sorted
equal "one large page" "$(report hotpages pagesize=4611686018427387904 --json | jq -c '.pages | map(.address)')" '["0x0"]'
complains 2 "power of two" "$tcgrr" report "$work/mmio.tcgrr" hotpages pagesize=5000

# A data cache of 1 KiB, simulated here from the addresses that execlog printed; devices are not in
# it.
report cache dcachesize=1024 dblksize=32 dassoc=2 evict=fifo limit=0 --json >"$work/out"
addresses='(load|store), 0x[0-9a-f]+, RAM'
[ "$version" != 7.2 ] || addresses='(load|store), 0x0*40[0-9a-f]{6}' # without physical addresses nothing is said of RAM
grep -oE "$addresses" "$work/execlog" | awk '{ sub(/^0x/, "", $2); sub(/,$/, "", $2); print $2 }' >"$work/addresses"
misses=$(awk '
    function number(hex,  i, value) { for (i = 1; i <= length(hex); i++) value = value * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1; return value }
    {
        if (!($1 in line)) line[$1] = int(number($1) / 32)
        tag = line[$1]
        set = tag % 16
        if (there[tag]) next
        misses++
        slot = set " " next_slot[set]++ % 2
        if (slot in held) delete there[held[slot]]
        held[slot] = tag
        there[tag] = 1
    }
    END { print misses }' "$work/addresses")
equal "data accesses" "$(json '.cores[0].data.accesses')" "$(wc -l <"$work/addresses")"
equal "data misses" "$(json '.cores[0].data.misses')" "$misses"
equal "data misses by instruction" "$(json '[.data_misses[].misses] | add')" "$misses"
report cache l2=on limit=0 --json >"$work/out"
equal "accesses of the second cache" "$(json '.cores[0].l2.accesses')" "$(json '.cores[0].data.misses + .cores[0].insns.misses')"
equal "misses of the second cache" "$(json '[.l2_misses[].misses] | add')" "$(json '.cores[0].l2.misses')"

# Of a part of the run.
complains 2 "source and pattern" "$tcgrr" report "$work/mmio.tcgrr" hwprofile source pattern
complains 2 "until must be greater than from" "$tcgrr" report "$work/mmio.tcgrr" execlog from=5 until=5
contains "a device that nobody accessed" "$("$tcgrr" report "$work/mmio.tcgrr" hwprofile match=nosuch 2>&1)" "no device .nosuch. was accessed"
guest a64-mmio "$version"
record part --level full --full-from 100000 --full-until 200000
run 0 "$tcgrr" report "$work/part.tcgrr" mem
contains "the part" "$(cat "$work/err")" "^tcgrr: only a part of the run: .* has level full of instructions 100000 to 199999 only; make it: tcgrr fill "
equal "accesses in it" "$(cat "$work/out")" "mem accesses: $(sed -n 100001,200000p "$work/execlog" | grep -oE ', (load|store), 0x' | wc -l)"

# User mode knows no devices.
[ "$version" = 7.2 ] || exit 0
guest user-hello-aarch64 "$version"
run 0 "$tcgrr" record --json --level full -o "$work/hello.tcgrr" -- "${guest[@]}"
complains 3 "only system-mode traces have devices" "$tcgrr" report "$work/hello.tcgrr" hwprofile
run 0 "$tcgrr" report "$work/hello.tcgrr" hotpages --json
[ "$(json '[.pages[].reads] | add')" -gt 1000 ] || fail "user mode has no accesses"
