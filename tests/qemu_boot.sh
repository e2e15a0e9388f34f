#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 10.0
# extended: 7.2 11.1
# timeout: 240
# A whole Linux boot, up to its panic for want of a disk: counted as QEMU counts, sound, and
# replayed without a difference.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

guest_linux "$1"
record linux
icount=$(json .icount)
equal "icount" "$icount" "$(json .qemu_icount)"
equal "complete" "$(json .complete)" true
[ "$icount" -gt 500000000 ] || fail "only $icount instructions"
contains "console" "$(cat "$work/linux.console")" "Kernel panic - not syncing: VFS"
verify linux
run 0 "$tcgrr" replay --json "$work/linux.tcgrr"
equal "diverged" "$(json .diverged)" false
equal "compared" "$(json ".compared + .surplus.recording")" "$icount"
equal "QEMU's count in the replay" "$(json .qemu_icount)" "$(json ".compared + .surplus.replay")"
