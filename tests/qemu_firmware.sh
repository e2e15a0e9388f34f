#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: all
# Firmware that a machine loads by itself differs from release to release: a pinned recording carries it, and lockstep gives it to
# both. Where releases still start the guest differently, or give a PC's firmware other data, there is no verdict, and `bisect`
# names the device.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
quiet=(-display none -monitor none -serial null -nic none)

# loads TARGET FIRMWARE ARGUMENT...: from reset into the firmware, which is an ELF file.
loads() {
    local target=$1 firmware=$2 version
    shift 2
    guest=("$(qemu "$target" 7.2)" "$@" "${quiet[@]}")
    record "$target" --portable --until 2000000 --force
    contains "$target: files" "$(jq -r '.pinned.files[] | "\(.role) \(.name)"' "$work/out")" "^firmware $firmware$"
    for version in 10.0 11.1; do
        run 0 "$tcgrr" replay --json "$work/$target.tcgrr" --qemu "$(qemu "$target" "$version")"
        equal "$target in $version" "$(json '"\(.diverged) \(.compared)"')" "false 2000000"
    done
    run 0 "$tcgrr" lockstep --json --until 2000000 --a "$(qemu "$target" 7.2)" --b "$(qemu "$target" 11.1)" -- "$@" "${quiet[@]}"
    equal "$target: lockstep" "$(json '"\(.diverged) \(.compared)"')" "false 2000000"
}
loads sparc64 openbios-sparc64 -M sun4u
loads ppc openbios-ppc -M g3beige

# CPUs that 7.2 lists by other names than the one by which it takes them.
for target in "sparc SS-5" "sparc64 sun4u"; do
    guest=("$(qemu "${target% *}" 11.1)" -M "${target#* }" "${quiet[@]}")
    record newer --portable --until 1000000 --force
    run 0 "$tcgrr" replay "$work/newer.tcgrr" --qemu "$(qemu "${target% *}" 7.2)"
done

# An access that stops the machine does not retire, neither in the recording nor in its replay.
guest=("$(qemu ppc64 11.1)" -M powernv9 -m 1024 "${quiet[@]}")
record skiboot
for _ in 1 2; do
    run 0 "$tcgrr" replay --json "$work/skiboot.tcgrr"
    equal "skiboot" "$(json '.compared == .icount')" true
done

# QEMU 7.2 does not count the first block of an Alpha, whose own firmware is not at fault.
guest=("$(qemu alpha 7.2)" "${quiet[@]}")
record alpha --portable --until 100000
complains 3 "no verdict: QEMU 7.2.* and 11.1.* start the guest differently, one at 0x[0-9a-f]+ and one at 0x[0-9a-f]+" \
    "$tcgrr" replay "$work/alpha.tcgrr" --qemu "$(qemu alpha 11.1)"

# A PC: SeaBIOS compares what fw_cfg has.
guest=("$(qemu x86_64 7.2)" -M pc-i440fx-7.2 "${quiet[@]}")
record x86 --portable --until 1000000
complains 3 "no verdict: .* give a PC's firmware different data .*record --start-at" \
    "$tcgrr" replay "$work/x86.tcgrr" --qemu "$(qemu x86_64 10.0)"
run 125 "$tcgrr" bisect-run "$work/x86.tcgrr" --qemu "$(qemu x86_64 10.0)"
run 1 "$tcgrr" bisect --json --bundle "$work/bundle" "$work/x86.tcgrr" --qemu "$(qemu x86_64 10.0)"
equal "x86: cause" "$(json .cause.kind)" device
