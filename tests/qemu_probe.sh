#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a QEMU answers is kept until a file that says so changes.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
elf=$(readlink -f "$(qemu riscv64 7.2)")
export XDG_CACHE_HOME=$work/cache

# version QEMU: what tcgrr takes its version to be.
version() { "$tcgrr" doctor --json "$1" | jq -r '.qemus[0].version'; }
# kept: how many answers there are.
kept() { find "$work/cache/tcgrr/probes" -type f ! -name "*.text" 2>/dev/null | wc -l; }

printf '#!/bin/sh\nexec "%s" "$@"\n' "$elf" >"$work/starts"
# shellcheck disable=SC2016
printf '#!/bin/sh\nqemu=%s\nexec $qemu "$@"\n' "$elf" >"$work/computes"
printf '#!/bin/sh\ncd %s\nexec ./%s "$@"\n' "${elf%/*}" "${elf##*/}" >"$work/goes"
chmod +x "$work/starts" "$work/computes" "$work/goes"
true_version=$(version "$work/starts")
equal "kept of a script that is young" "$(kept)" 0
sleep 3 # what has just been changed could be changed again without looking newer
for script in computes goes; do
    equal "$script" "$(version "$work/$script")" "$true_version"
    equal "kept of a script that $script" "$(kept)" 0
done
equal "starts" "$(version "$work/starts")" "$true_version"
equal "kept of a script that starts a QEMU" "$(kept)" 1
sed -i 's/^version=.*/version=99.9.9/' "$work"/cache/tcgrr/probes/*
equal "kept answer" "$(version "$work/starts")" 99.9.9
printf '#!/bin/sh\nexec "%s" "$@" \n' "$elf" >"$work/starts"
equal "after a change" "$(version "$work/starts")" "$true_version"

# So is what it lists: its machines, here to say which one two QEMUs have in common.
aarch64=$(readlink -f "$(qemu aarch64 7.2)")
other=$(qemu aarch64 10.0)
# common: what doctor recommends.
common() { "$tcgrr" doctor --json --pair "$other" "$work/lists" -- -M virt | jq -r '.differences[] | select(.what == "machine").remedy'; }
printf '#!/bin/sh\nexec "%s" "$@"\n' "$aarch64" >"$work/lists"
chmod +x "$work/lists"
sleep 3
contains "in common" "$(common)" "virt-7.2, "
grep -l "^virt-7.1 " "$work"/cache/tcgrr/probes/*.text | xargs sed -i "s/^virt-7.1 /virt-10.0 /"
contains "in common, by the kept list" "$(common)" "virt-10.0, "
printf '#!/bin/sh\nexec "%s" "$@" \n' "$aarch64" >"$work/lists"
contains "in common, after a change" "$(common)" "virt-7.2, "

# A QEMU that somebody ended has not answered, whatever that looks like.
# shellcheck disable=SC2016
printf '#!/bin/sh\nkill -INT $$\n' >"$work/ends"
chmod +x "$work/ends"
complains 3 "ends was ended by a signal" "$tcgrr" record -o "$work/ends.tcgrr" -- "$work/ends" -M virt
