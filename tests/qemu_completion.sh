#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What bash proposes for the words of a command, and the trace that is taken where none is named.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=scripts/completion/tcgrr
. "$tests/../scripts/completion/tcgrr"

guest rv64-wfi 10.0
record guest
cd "$work"
PATH=${tcgrr%/*}:$PATH

# proposes PATTERN WORD...: the last word is the one that is typed.
proposes() {
    COMP_WORDS=("${@:2}")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    compopt() { :; }
    _tcgrr
    contains "proposals for '${*:2}'" "$(printf '%s\n' "${COMPREPLY[@]}")" "$1"
}
proposes '^record$' tcgrr rec
proposes '^lockstep$' tcgrr help lock
proposes '^--until$' tcgrr replay guest.tcgrr --un
proposes '^guest.tcgrr$' tcgrr info gu
proposes '^hotblocks$' tcgrr report guest.tcgrr hot
proposes '^perfetto$' tcgrr export guest.tcgrr per
proposes '^guest_main$' tcgrr replay guest.tcgrr --until guest_

# Without a trace: the newest one here, and it is said which.
run 0 tcgrr info
contains "which trace was taken" "$(cat err)" "guest.tcgrr.*newest"
cp guest.tcgrr newer.tcgrr
touch -d '1 hour ago' guest.tcgrr
run 0 tcgrr verify
contains "what was verified" "$(cat out)" "^newer.tcgrr: good"
mkdir empty
cd empty
complains 2 "none in the current folder" tcgrr info
