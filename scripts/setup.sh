#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# From a fresh clone to a first recording: installs what is missing (root needed only for that),
# puts further QEMUs and a Linux kernel beside the system's (scripts/fetch-qemus.sh), builds, then
# records a real guest and replays it.
#
#   scripts/setup.sh [BUILD-FOLDER]      default: build
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib-install.sh
. scripts/lib-install.sh

build=${1:-build}
exec </dev/null

# shellcheck disable=SC2086
install_packages $packages_build $packages_qemu
scripts/fetch-qemus.sh >/dev/null || say "no QEMU 10.0 and 11.1 and no Linux kernel: going on with the system's QEMU"
say "building in $build"
log=$(mktemp)
if ! { cmake -B "$build" -G Ninja -S . && ninja -C "$build"; } >"$log" 2>&1; then
    cat "$log" >&2
    die "the build failed"
fi
rm -f "$log"
build=$(cd "$build" && pwd)
tcgrr=$build/bin/tcgrr
qemus=${TCGRR_QEMUS:-${XDG_CACHE_HOME:-$HOME/.cache}/tcgrr/qemus}
kernel=$qemus/guests/linux-arm64
trace=$build/first.tcgrr
qemu="qemu-system-aarch64"
[ ! -x "$qemus/bin/$qemu-10.0" ] || qemu=$qemus/bin/$qemu-10.0
if [ -f "$kernel" ]; then
    name="a Linux boot for arm64"
    guest=("$qemu" -M virt -cpu cortex-a57 -m 512 -nic none -no-reboot -kernel "$kernel" -append "console=ttyAMA0 panic=-1")
else
    name="a small RISC-V guest"
    guest=(qemu-system-riscv64 -M virt -bios none -nic none -kernel "$build/fixtures/rv64-timer.elf")
fi
guest+=(-display none -monitor none -serial "file:$build/first.console")

say "recording $name"
"$tcgrr" record --force -o "$trace" -- "${guest[@]}"
say "replaying it and comparing every instruction"
"$tcgrr" replay "$trace"
cat >&2 <<TXT

tcgrr works here. Next:
  $tcgrr doctor                     which QEMUs are here and what each can record
  $tcgrr info -v $trace
  $tcgrr record -o my.tcgrr -- qemu-system-… your own QEMU command
  scripts/test.sh                   the tests
TXT
