#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 10.0 11.1
# A device that firmware places, and that shares its page with others, has its name in a recording
# that is ended from outside, and in what is derived, for the whole run or a window.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

# named TRACE: SeaBIOS reads the 256 bytes of the display's EDID byte by byte.
named() {
    verify "$1"
    run 0 "$tcgrr" query "$work/$1.tcgrr" --format csv \
        "SELECT device, count(*) FROM mem WHERE icount < 2000000 AND physical >= 0xfebf0000 AND physical < 0xfebf0400 GROUP BY 1"
    equal "$1" "$(tail -n +2 "$work/out")" "edid,256"
}

guest=("$(qemu x86_64 "$1")" -M pc -display none -monitor none -serial null -nic none)
record full --level full --until 2100000
record flow --until 2100000
for end in 2100000 2050000; do
    cp "$work/flow.tcgrr" "$work/$end.tcgrr"
    run 0 "$tcgrr" fill --level full --until "$end" "$work/$end.tcgrr"
    named "$end"
done
named full
