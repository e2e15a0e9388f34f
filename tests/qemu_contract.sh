#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 10.0
# extended: 7.2 11.1
# What scripts rely on: --json prints one object, whatever happens and whatever the files are called;
# what went wrong is its key "error"; numbers out of range are refused.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
version=$1
cd "$work"
guest rv64-mmio "$version"
qemu=${guest[0]}
record a
none=$work/none

# object STATUS FILTER WANTED ARG...: one JSON object and nothing else, in which the filter gives this.
object() {
    local status=$1 filter=$2 wanted=$3
    shift 3
    run "$status" "$tcgrr" "$@"
    equal "objects that '$*' prints" "$(jq -s length "$work/out" 2>&1)" 1
    equal "$filter of '$*'" "$(json "$filter")" "$wanted"
}

# An object that cannot say everything says why.
printf '#!/bin/sh\nexit 0\n' >no-qemu
chmod +x no-qemu
object 3 '.error.exit, (.qemus | length)' $'3\n0' doctor --json ./no-qemu
object 3 '.error.exit, (.qemus | length)' $'3\n1' doctor --json "$none" "$qemu"
object 3 '.error.exit, .last_good' $'3\nnull' bisect --json a.tcgrr --builds "$none"
cp a.tcgrr damaged.tcgrr
printf XXXX | dd of=damaged.tcgrr bs=1 seek=70000 conv=notrunc 2>/dev/null
object 3 '.error.exit, .good' $'3\nfalse' verify --json damaged.tcgrr

# What is no object without --json is one with it.
object 0 .file page.html report --json a.tcgrr html -o page.html
object 2 .error.exit 2 report --json a.tcgrr html
cp a.tcgrr b.tcgrr
object 0 '.jobs | length' 1 fill --json b.tcgrr --level full --until 1000 --print-jobs
job=$(json '.jobs[0]')
run 0 sh -c "$job --json"
equal "window" "$(json '.window | join(" ")')" "0 1000"
[ -s "$(json .file)" ] || fail "$(json .file) is not there"

# Names that are no UTF-8.
odd=$'odd\xff'
cp a.tcgrr "$odd.tcgrr"
ln -s "$qemu" "$odd"
shown=$'odd\xef\xbf\xbd'
for command in info verify replay "report bb" "keyframes --drop" "symbols $fixtures/rv64-mmio.elf" "query VALUES(1)"; do
    read -r name rest <<<"$command"
    # shellcheck disable=SC2086
    run 0 "$tcgrr" $name --json "$odd.tcgrr" $rest
    equal "objects of $command" "$(jq -s length "$work/out" 2>&1)" 1
    [ "$name" = query ] || equal "trace of $command" "$(json .trace)" "$shown.tcgrr"
done
object 0 '.files[0]' "$shown.files/replay.rr" extract --json a.tcgrr "$odd.files"
object 0 '.qemus[0].qemu' "$work/$shown" doctor --json "./$odd"
object 0 .qemu "./$shown" bisect-run --json a.tcgrr --qemu "./$odd"
object 0 .b.name "./$shown" lockstep --json --a "$qemu" --b "./$odd" -- "${guest[@]:1}"

# The result is not written over a trace.
before=$(sha256sum a.tcgrr)
complains 3 "is a trace" "$tcgrr" replay a.tcgrr --html a.tcgrr
complains 3 "is a folder" "$tcgrr" replay a.tcgrr --html "$work"
equal "the trace" "$(sha256sum a.tcgrr)" "$before"
# What could not be written is not there.
for format in tenet parquet; do
    "$tcgrr" export a.tcgrr $format -o left 2>/dev/null || [ ! -e left ] || fail "$format: an export that failed leaves its file"
done

# Seconds that do not fit.
for command in "replay a.tcgrr" "bisect a.tcgrr --qemu $qemu" "bisect a.tcgrr --builds $qemu" "fill b.tcgrr --level full" \
    "keyframes a.tcgrr" "lockstep --a $qemu --b $qemu"; do
    for seconds in 0 3000000; do
        # shellcheck disable=SC2086
        complains 2 "--timeout takes 1 to 86400" "$tcgrr" $command --timeout $seconds
    done
done
