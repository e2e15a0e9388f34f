#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 240
# One recording drives every release: a trace of each, pinned, replays in both others without a
# difference, a changed guest differs in all of them, and what extract writes replays in QEMU alone.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
versions=(7.2 10.0 11.1)
cd "$work"

copy_guest rv64-timer changed.elf
patch changed.elf "$(address changed.elf guest_ok)" 00000013 # a nop for the first instruction of the last function

for a in "${versions[@]}"; do
    guest rv64-timer "$a"
    record "of-$a" --portable
    icount=$(json .icount)
    for b in "${versions[@]}"; do
        run 0 "$tcgrr" replay --json "of-$a.tcgrr" --qemu "$(qemu riscv64 "$b")"
        equal "$a in $b: diverged" "$(json .diverged)" false
        equal "$a in $b: compared" "$(json .compared)" "$icount"
        equal "$a in $b: inputs" "$(json .inputs)" "$([ "$a" = "$b" ] && echo shared || echo translated)"
    done
done

trace=of-7.2.tcgrr
run 0 "$tcgrr" bisect --json "$trace" --builds "$(qemu riscv64 10.0)" "$(qemu riscv64 11.1)"
equal "builds: last good" "$(json .last_good)" "$(qemu riscv64 11.1)"
equal "builds: inputs" "$(json '[.inputs, .tested[].inputs] | unique | join(",")')" translated
for b in 10.0 11.1; do
    run 0 "$tcgrr" bisect-run "$trace" --qemu "$(qemu riscv64 "$b")"
    run 1 "$tcgrr" replay --json "$trace" --qemu "$(qemu riscv64 "$b")" -- -kernel "$work/changed.elf"
    equal "changed guest in $b: where" "$(json .divergence.a.symbol)" guest_ok
    run 1 "$tcgrr" bisect-run "$trace" --qemu "$(qemu riscv64 "$b")" -- -kernel "$work/changed.elf"
    run 0 "$tcgrr" replay --json --at 2345678 "$trace" --qemu "$(qemu riscv64 "$b")"
    equal "stopped in $b" "$(json .stopped_at)" 2345678
    equal "QEMU's own count there in $b" "$(json .qemu_icount)" 2345678
done

# A guest that waits is counted otherwise from 11.0 on: old ones follow new ones, and the other way
# round is refused.
guest rv64-wfi 10.0
record waits
complains 3 "QEMU 11.1.* cannot replay waits.tcgrr: the guest waits .* icount [0-9]+; record with the newer" \
    "$tcgrr" replay "waits.tcgrr" --qemu "$(qemu riscv64 11.1)"
run 125 "$tcgrr" bisect-run "waits.tcgrr" --qemu "$(qemu riscv64 11.1)"
complains 3 "cannot follow QEMU 10.0.*the newer one as A" \
    "$tcgrr" lockstep --a "${guest[0]}" --b "$(qemu riscv64 11.1)" -- "${guest[@]:1}"
run 0 "$tcgrr" lockstep --json --a "$(qemu riscv64 11.1)" --b "${guest[0]}" -- "${guest[@]:1}"
equal "waits in lockstep: inputs" "$(json .inputs)" translated

run 0 "$tcgrr" extract of-10.0.tcgrr files
contains "events" "$(tail -n 1 files/replay.txt)" '^[0-9]+ END$'
contains "the guest's request in its place" "$(tail -n 3 files/replay.txt | head -n 1)" 'SHUTDOWN guest-shutdown'
[ -s files/original.rr ] || fail "QEMU's own rr file was not extracted"
run 0 timeout 60 xargs -d '\n' -a files/command.txt env
run 0 "$tcgrr" info -v of-10.0.tcgrr
contains "repairs" "$(cat out)" '^  rr log +moved SHUTDOWN'
