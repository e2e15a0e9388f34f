# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Sourced by the benchmarks with their arguments: BUILD, its default `build`; sets $build, $qemus,
# $tcgrr and $folder, which is removed at the end. Prints what machine this is.
set -euo pipefail

build=$(realpath "${1:-build}")
qemus=${TCGRR_QEMUS:-${XDG_CACHE_HOME:-$HOME/.cache}/tcgrr/qemus}
folder=$(mktemp -d "${TMPDIR:-/tmp}/tcgrr-bench-XXXXXX")
trap 'rm -rf "$folder"' EXIT
# shellcheck disable=SC2034
tcgrr=$build/bin/tcgrr
grep -m1 'model name' /proc/cpuinfo | sed 's/.*: /machine: /'

# What several benchmarks run: guests without a console, on QEMU 10.0.
quiet=(-display none -monitor none -serial null -nic none)
# shellcheck disable=SC2034
riscv=("$qemus/bin/qemu-system-riscv64-10.0" -M virt -bios none "${quiet[@]}" -kernel)
# shellcheck disable=SC2034
boot=("$qemus/bin/qemu-system-aarch64-10.0" -M virt -cpu cortex-a57 -m 512 "${quiet[@]}" -kernel "$qemus/guests/linux-arm64"
    -append "console=ttyAMA0 panic=-1" -no-reboot)

# run NAME COMMAND...: adds to NAME.times: wall seconds, processor seconds of it and its children
# (user, system), peak memory in KiB of the largest process. It has to end with status $wanted (0).
run() {
    local name=$1 status=0
    shift
    /usr/bin/time -q -a -o "$folder/$name.times" -f '%e %U %S %M' "$@" >"$folder/out" 2>"$folder/err" </dev/null || status=$?
    [ "$status" = "${wanted:-0}" ] || { cat "$folder/err" >&2; exit 1; }
}

# median: of the numbers in the input.
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# seconds NAME: the median of its wall seconds.
seconds() { cut -d' ' -f1 "$folder/$1.times" | median; }

# memory NAME: its most, in MiB.
memory() { awk '$4 > most { most = $4 } END { print int(most / 1024) }' "$folder/$1.times"; }

# ratios A B: the medians of B's wall seconds to A's of the same turn, and of their processor
# seconds.
ratios() {
    local both
    both=$(paste "$folder/$1.times" "$folder/$2.times")
    printf '  time    median ratio %s, of processor time %s\n' \
        "$(awk '{ printf "%.3f\n", $5 / $1 }' <<<"$both" | median)" \
        "$(awk '{ printf "%.3f\n", ($6 + $7) / ($2 + $3) }' <<<"$both" | median)"
}
