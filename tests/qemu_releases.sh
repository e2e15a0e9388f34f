#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 3000
# long: boots Linux and U-Boot in six directions between three releases
# docs/releases.md: what each release records, the two others replay to the end without a
# difference, and lockstep of each pair tolerates nothing. What 7.2 does wrong is found by each way
# to look for it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
versions=(7.2 10.0 11.1)
cd "$work"

# all_ways NAME TARGET ARGUMENT...: six directions, and lockstep of three pairs.
all_ways() {
    local name=$1 target=$2 a b icount pair
    shift 2
    for a in "${versions[@]}"; do
        guest=("$(qemu "$target" "$a")" "$@" -display none -monitor none -serial null)
        record "$name-$a" --portable
        icount=$(json .icount)
        equal "$name of $a: QEMU's count" "$(json '(.qemu_icount // .icount + .tail) - .tail')" "$icount"
        for b in "${versions[@]}"; do
            [ "$a" != "$b" ] || continue
            run 0 "$tcgrr" replay --json "$name-$a.tcgrr" --qemu "$(qemu "$target" "$b")"
            equal "$name of $a in $b" "$(json '"\(.diverged) \(.inputs) \(.compared)"')" "false translated $icount"
        done
        rm -f "$name-$a.tcgrr"
    done
    for pair in "7.2 10.0" "10.0 11.1" "11.1 7.2"; do
        read -r a b <<<"$pair"
        run 0 "$tcgrr" lockstep --json --a "$(qemu "$target" "$a")" --b "$(qemu "$target" "$b")" -- "$@" \
            -display none -monitor none -serial null
        equal "$name, lockstep of $a and $b" "$(json '"\(.diverged) \(.inputs) \(.shifted_events) \(.polling_loops) \(.transients)"')" \
            "false translated 0 0 0"
    done
}

all_ways timer riscv64 -M virt -bios none -kernel "$fixtures/rv64-timer.elf"
kernel=$TCGRR_QEMUS/guests/linux-arm64
if [ -f "$kernel" ]; then
    all_ways arm64 aarch64 -M virt-7.2 -cpu cortex-a57 -m 512 -no-reboot -kernel "$kernel" -append "console=ttyAMA0 panic=-1"
fi

# A fault of 7.2: newer releases run it right, from a start that all share.
guest x86-blsi 7.2
guest=("${guest[@]/#pc/pc-i440fx-7.2}")
guest=("${guest[@]/#max/Haswell}")
record blsi --start-at _start
for b in 10.0 11.1; do
    other=$(qemu x86_64 "$b")
    run 1 "$tcgrr" replay --json blsi.tcgrr --qemu "$other"
    equal "blsi in $b: last in common" "$(json '.divergence.common[0].symbol')" blsi_branch
    run 1 "$tcgrr" bisect-run blsi.tcgrr --qemu "$other"
    run 1 "$tcgrr" bisect --json --bundle "bundle-$b" blsi.tcgrr --qemu "$other"
    equal "blsi in $b: cause" "$(json '.cause | "\(.kind) \(.symbol)"')" "instruction blsi_instruction"
done
