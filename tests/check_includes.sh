#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Checks that no file includes a header of a room above its own (docs/architecture.md). A room is a folder; each line names one
# and the rooms whose headers its files may include. Rooms of one line with the same first word may include each other only as
# their own line says.
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

rules='
store/isa       store
store/codec     store
store/sql       store store/codec store/isa
store           store/codec store/isa
emu/plugin      store/isa
emu/rrlog       store
emu/live        store store/codec store/isa emu/rrlog emu/plugin
emu/qemu        store store/isa emu/rrlog emu/plugin emu/live
record          store store/codec store/isa emu/rrlog emu/live emu/qemu
lockstep/align  store store/isa lockstep
lockstep/peer   store store/codec emu/qemu emu/rrlog lockstep
lockstep        store store/isa emu/rrlog emu/live emu/qemu lockstep/align
replay/cause    store store/isa emu/rrlog emu/qemu record lockstep replay
replay          store store/isa emu/rrlog emu/live emu/qemu record lockstep lockstep/peer replay/cause
cli/report      store store/isa store/sql cli
cli/browse      store store/isa store/sql cli
cli/export      store store/isa store/sql cli cli/report
cli             store store/isa store/sql emu/rrlog emu/live emu/qemu record lockstep lockstep/peer replay replay/cause cli/report cli/export cli/browse
'
find store emu record lockstep replay cli -name '*.[ch]' | sort | while read -r file; do
    sed -n 's/^#include "\(.*\)\/[^/]*"$/\1/p' "$file" | sort -u | while read -r room; do echo "${file%/*} $room $file"; done
done | awk -v rules="$rules" '
    BEGIN {
        count = split(rules, lines, "\n")
        for (i = 1; i <= count; i++) {
            words = split(lines[i], word, " ")
            if (words) known[word[1]] = 1
            for (n = 1; n <= words; n++) allowed[word[1], word[n]] = 1
        }
    }
    !($1 in known) {print $3 ": the room " $1 " is not in the list of tests/check_includes.sh"; bad = 1; next}
    !(($1, $2) in allowed) {print $3 " includes a header of " $2 ", which is not below " $1; bad = 1}
    END {exit bad}'
