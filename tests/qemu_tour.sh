#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The main commands once, on short guests, so that the default tests show in seconds that they work
# on this machine. Each has tests of its own, most of them in the extended set.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

guest rv64-compute-short 11.1
record good
trace=$work/good.tcgrr
icount=$(json .icount)
verify good
run 0 "$tcgrr" replay --json "$trace" --at 1000000
equal "compared up to the place" "$(json .compared)" 1000000
run 0 "$tcgrr" keyframes --json "$trace" --every $((icount / 3))
[ "$(json .keyframes)" -gt 0 ] || fail "no keyframe was made"
for report in hotblocks howvec insn; do
    run 0 "$tcgrr" report "$trace" "$report" --json
done
run 0 "$tcgrr" report "$trace" html -o "$work/page.html"
run 0 "$tcgrr" export "$trace" folded -o "$work/folded"

guest rv64-mem 7.2
record mem
run 0 "$tcgrr" fill --level full "$work/mem.tcgrr"
equal "accesses of all sizes" "$("$tcgrr" query "$work/mem.tcgrr" --format csv "SELECT count(DISTINCT size) FROM mem" | tail -n 1)" 4

# The instruction that wrote a register is the one that gdb stands after.
run 0 "$tcgrr" why --json --depth 1 "$trace" --at 5000000 s1
wrote=$(json '.steps[0].icount')
value=$(json .value)
if [ -n "$(type -P gdb-multiarch)" ]; then
    run 0 "$tcgrr" gdb "$trace" $((wrote + 1)) -- -batch -ex "printf \"s1 is 0x%016lx\\n\", \$s1"
    contains "gdb at icount $((wrote + 1))" "$(cat "$work/out")" "s1 is $value"
else
    echo "without gdb-multiarch, tcgrr gdb was not tried"
fi

# Another release, and a build that flips a bit.
guest rv64-timer 10.0
run 0 "$tcgrr" lockstep --json --a "${guest[0]}" --b "${guest[0]/%10.0/11.1}" -- "${guest[@]:1}"
equal "10.0 against 11.1" "$(json '"\(.diverged) \(.inputs)"')" "false translated"
guest rv64-compute-short 11.1
IFS=, read -r icount pc < <("$tcgrr" query "$trace" --format csv \
    "SELECT icount, printf('0x%x', pc) FROM insn WHERE symbol = 'compute_call' LIMIT 1 OFFSET 200000" | tail -n 1)
printf '#!/bin/sh\nexec %s "$@" -plugin %s,at=%s,pc=%s,reg=s1,bit=63\n' \
    "${guest[0]}" "$TCGRR_BUILD/tests/libinject.so" "$icount" "$pc" >"$work/faulty"
chmod +x "$work/faulty"
run 1 "$tcgrr" bisect "$trace" --qemu "$work/faulty" --json --bundle "$work/bundle"
equal "icount of the cause" "$(json .cause.icount)" "$icount"
[ -s "$work/bundle/README.md" ] || fail "the bundle lacks its text: $(ls "$work/bundle")"
