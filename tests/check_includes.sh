#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Checks that no file includes a header of a folder above its own (docs/architecture.md). Each line
# names a folder and the folders whose headers its files may include. Folders of one line with the
# same first word may include each other only as their own line says.
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

rules='
store/isa       store store/isa/llvm
store/isa/llvm
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
replay/cause    store store/isa store/isa/llvm emu/rrlog emu/plugin emu/qemu record lockstep replay
replay          store store/isa emu/rrlog emu/live emu/qemu record lockstep lockstep/peer replay/cause
cli/report      store store/isa store/sql cli
cli/browse      store store/isa store/sql cli
cli/export      store store/isa store/sql cli cli/report
cli             store store/isa store/sql emu/rrlog emu/live emu/qemu record lockstep lockstep/peer replay replay/cause cli/report cli/export cli/browse
'
# Each line: FILE INCLUDED, both as paths from here.
includes=$(grep -r --include='*.[ch]' '^#include "' store emu record lockstep replay cli | sed 's/:#include "\(.*\)"$/ \1/' | sort)

awk -v rules="$rules" '
    BEGIN {
        count = split(rules, lines, "\n")
        for (i = 1; i <= count; i++) {
            words = split(lines[i], word, " ")
            if (words) known[word[1]] = 1
            for (n = 1; n <= words; n++) allowed[word[1], word[n]] = 1
        }
    }
    function folder(file) {
        sub("/[^/]*$", "", file)
        return file
    }
    {from = folder($1); to = folder($2)}
    $2 !~ "/" {next}
    !(from in known) {print $1 ": the folder " from " is not in the list of tests/check_includes.sh"; bad = 1; next}
    !((from, to) in allowed) {print $1 " includes a header of " to ", which is not below " from; bad = 1}
    END {exit bad}' <<<"$includes"

# Modules, a .c and its .h and their _internal.h, must not include each other in a circle; each line
# here is one module, too.
together='
lockstep/align/align lockstep/align/reconverge
lockstep/lockstep_local lockstep/lockstep_control
replay/keyframes     replay/keyframes_folder replay/player
replay/replay        replay/stop replay/inputs_alone replay/unpinned replay/control
replay/builds        replay/builds_state
replay/gdb           replay/gdb_server
store/reader         store/inputs
emu/qemu/qemu        emu/qemu/probe_cache
cli/fill             cli/fill_jobs
'
loops=$(sed -n 's/\.[ch] \(.*\)\.h$/ \1/p' <<<"$includes" | awk -v together="$together" '
    function module(name) {
        sub(/_internal$/, "", name)
        return name in first ? first[name] : name
    }
    BEGIN {
        count = split(together, lines, "\n")
        for (i = 1; i <= count; i++) {
            words = split(lines[i], word, " ")
            for (n = 2; n <= words; n++) first[word[n]] = word[1]
        }
    }
    module($1) != module($2) {print module($1), module($2)}' | tsort 2>&1 >/dev/null | sed 's/^tsort: //') || true
[ -z "$loops" ] || { echo "these include each other in a circle:"; echo "$loops"; exit 1; }
