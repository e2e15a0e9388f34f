#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 7.2 10.0 11.1
# One guest recorded and replayed: short enough for builds with sanitizers.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

guest rv64-timer "$1"
record timer
icount=$(json .icount)
verify timer
run 0 "$tcgrr" replay --json "$work/timer.tcgrr"
equal diverged "$(json .diverged)" false
# QEMU may run on for a few instructions after the guest has shut down, in one run more than in the
# other.
equal compared "$(json ".compared + .surplus.recording")" "$icount"
