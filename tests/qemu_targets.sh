#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 7.2 10.0 11.1
# timeout: 900
# long: two dozen targets, whose QEMUs only scripts/fetch-qemus.sh --all-targets gets
# Every target's loop (fixtures/targets.list) is counted like QEMU counts it, replays, and is stopped at exactly where it was asked.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1

qemu mips "$version" >/dev/null
mapfile -t targets < <(sed -nE 's/^([a-z0-9]+) *\|.*\| [0-9a-f ]+$/\1/p' "$tests/../fixtures/targets.list")
"$tests/../scripts/targets.sh" -s 0.3 -v "$version" "${targets[@]}" >"$work/table"
rows=$(tail -n +3 "$work/table")
[ "$(wc -l <<<"$rows")" -ge 10 ] || fail "too few targets: $rows"
while read -r row; do
    contains "${row%%|*}" "$row" '\| exact \([0-9]+\) \| 3 of 3 \| exact \| agrees \|$'
done <<<"$rows"
