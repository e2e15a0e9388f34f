#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 7.2
# extended: 10.0 11.1
# 16-bit x86 code is recorded at its address, which is not what eip says: the firmware's, in
# segments that begin at a page, too.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

guest x86-timer "$1"
record bios
count() { "$tcgrr" query "$work/bios.tcgrr" --format csv "SELECT count(*) FROM block WHERE pc $1" | tail -n 1; }
equal "blocks in what the firmware keeps for vectors and its data" "$(count '< 0x7000')" 0
[ "$(count 'BETWEEN 0xf0000 AND 0xfffff')" -gt 100 ] || fail "the firmware's code is not where it is: $(count 'BETWEEN 0xf0000 AND 0xfffff') blocks"
