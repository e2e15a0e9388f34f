#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 7.2
# extended: 10.0 11.1
# Disassembly where capstone does not know the target: it is QEMU's own, in the trace, in SQL, in
# reports and where runs diverge.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1

elf=$work/guest.elf
copy_guest rv64-smc "$elf"
guest rv64-smc "$version" "$elf"
record guest
verify guest
rows=$("$tcgrr" query "$work/guest.tcgrr" --format csv "SELECT count(*) FROM block_text" | tail -n 1)
[ "$rows" != 0 ] || skip "capstone knows RISC-V here, so QEMU is not asked"

# What the log of a QEMU has for each instruction, one a translation, of code that changes itself.
one_insn=(-accel "tcg,one-insn-per-tb=on")
[ "$version" != 7.2 ] || one_insn=(-singlestep)
timeout 100 "${guest[@]}" "${one_insn[@]}" -icount shift=0 -nic none -d exec,nochain,int,in_asm -D "$work/log" 2>/dev/null ||
    fail "QEMU does not run the guest"
awk -f "$tests/flow.awk" "$work/log" >"$work/flow"
"$tcgrr" report "$work/guest.tcgrr" execlog | sed -E 's/^0, 0x([0-9a-f]+), 0x[0-9a-f]+, "([^ "]+).*/\1 \2/' >"$work/execlog"
count=$(wc -l <"$work/execlog")
cmp -s "$work/execlog" <(head -n "$count" "$work/flow") ||
    fail "texts are not QEMU's: $(diff "$work/execlog" <(head -n "$count" "$work/flow") | head -n 5)"

# Single rows, each by itself, and the stock shell with the extension.
sql="SELECT disasm FROM insn WHERE icount = 40000"
text=$(sed -n 40001p "$work/flow" | cut -d' ' -f2)
contains "one row" "$("$tcgrr" query "$work/guest.tcgrr" --format csv "$sql")" "^\"?$text"
if command -v sqlite3 >/dev/null; then
    contains "in sqlite3" "$(sqlite3 -cmd ".load $TCGRR_BUILD/bin/libtcgrr_sqlite" "$work/guest.tcgrr" "$sql")" "^$text"
fi

# Where runs part: what was recorded, and what runs live. `slli t0, a0, 14` becomes a nop.
patch "$elf" $(($(address "$elf" _start) + 12)) 00000013
run 1 "$tcgrr" replay --json --timeout 10 "$work/guest.tcgrr"
equal "the recording's instruction" "$(json .divergence.a.disasm)" "slli t0,a0,14"
equal "the replay's instruction" "$(json .divergence.b.disasm)" "nop"
