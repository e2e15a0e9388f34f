#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
#   scripts/man-pages.sh FOLDER [EMULATOR] TCGRR
#
# Writes the manual pages of a tcgrr program, one for each command, into a folder. The build calls
# this.
set -euo pipefail
folder=$1
shift
mkdir -p "$folder"
# A program that prints and exits frees nothing, which a build with sanitizers would take for a
# failure.
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0
commands=$("$@" --help | awk '/^  [a-z]/ {print $1}')
for command in $commands; do
    "$@" help --man "$command" >"$folder/tcgrr-$command.1"
done
"$@" help --man >"$folder/tcgrr.1"
