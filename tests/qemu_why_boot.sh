#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 10.0
# extended: 7.2 11.1
# While SPARC's MMU is off, instructions come from the PROM and data do not: `why` follows the data.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1

guest=("$(qemu sparc "$version")" -M SS-5 -display none -serial null -monitor none -nic none)
record boot --level full --until 2700000
run 0 "$tcgrr" query "$work/boot.tcgrr" --format csv "SELECT icount, printf('0x%x', address), value FROM mem
    WHERE kind = 'store' AND size = 4 AND coalesce(physical, address) = address AND pc < 0x80000 ORDER BY icount DESC LIMIT 1"
IFS=, read -r icount address value < <(tail -n 1 "$work/out")
[ "${icount:-x}" != x ] || fail "nothing is stored in boot mode"
run 0 "$tcgrr" why "$work/boot.tcgrr" --at $((icount + 1)) "$address:4" --depth 1 --json
equal "what wrote $address" "$(json '.steps[0].icount')" "$icount"
# 7.2 reports no values.
[ -z "$value" ] || equal "what it wrote" "$(($(json '.steps[0].value')))" "$value"
