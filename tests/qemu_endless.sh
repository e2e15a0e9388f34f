#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# long: records two QEMUs for a hundred million instructions and more, and searches in that
# timeout: 1200
# lockstep --bisect of a guest that never ends records it as far as the search needs.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

guest x86-blsi 7.2
other=$(qemu x86_64 10.0)
cd "$work"
# Without its device (the words from 5 to 6) the guest cannot leave QEMU.
run 1 timeout 1000 "$tcgrr" lockstep --json --bisect --a "${guest[0]}" --b "$other" -- "${guest[@]:1:4}" "${guest[@]:7}"
equal "kind of the cause" "$(json .cause.kind)" instruction
equal "cause" "$(json .cause.symbol)" blsi_instruction
