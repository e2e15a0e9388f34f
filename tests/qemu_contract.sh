#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: 7.2 10.0 11.1
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
object 125 '.error.exit, .error.text == .reason, .verdict, .diverged' $'125\ntrue\ncannot tell\nnull' \
    bisect-run --json a.tcgrr --qemu "$none"
object 125 '.error.exit, .error.text == .reason, .compared' $'125\ntrue\n0' bisect-run --json a.tcgrr --qemu "$qemu" --from 99999999999
object 0 'has("error"), .diverged' $'false\nfalse' bisect-run --json a.tcgrr --qemu "$qemu"
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

# The first icount and the last one; there is none after that.
last=$("$tcgrr" info --json a.tcgrr | jq .icount)
object 0 '.stopped_at, .compared, .qemu_icount, .diverged' $'0\n0\n0\nfalse' replay --json --at 0 a.tcgrr
object 0 '.stopped_at, .compared' "$last"$'\n'"$last" replay --json --at "$last" a.tcgrr
object 3 .error.exit 3 replay --json --at $((last + 1)) a.tcgrr
object 0 .from.a "$("$tcgrr" diff --json a.tcgrr a.tcgrr --from 0x80000000 | jq .from.a)" diff --json a.tcgrr a.tcgrr --from 0X80000000

# Standard input, output and errors may be closed.
run 0 bash -c '"$@" <&- 2>&-' bash "$tcgrr" record --json --force -o closed.tcgrr -- "${guest[@]}"
verify closed
run 0 bash -c '"$@" <&- 2>&-' bash "$tcgrr" lockstep --json --a "$qemu" --b "$qemu" -- "${guest[@]:1}"
run 3 bash -c '"$@" >&-' bash "$tcgrr" info a.tcgrr
contains "closed output" "$(cat err)" "standard output could not take"

# Arguments that are no UTF-8 are replayed as they were; command.txt says if it cannot hold one.
cp "$fixtures/rv64-mmio.elf" "$odd.elf"
guest rv64-mmio "$version" "$odd.elf"
record odd
object 0 .diverged false replay --json odd.tcgrr
object 0 '.command | any(. == "'"$shown.elf"'")' true info --json odd.tcgrr
run 0 "$tcgrr" extract odd.tcgrr odd.files
grep -qaxF "$work/$odd.elf" odd.files/command.txt || fail "command.txt has another kernel"
cp "$fixtures/rv64-mmio.elf" $'two\nlines.elf'
guest rv64-mmio "$version" $'two\nlines.elf'
record lines
complains 3 "one argument a line" "$tcgrr" extract lines.tcgrr lines.files
if [ ! -s lines.files/replay.rr ] || [ -e lines.files/command.txt ]; then fail "extract, a line break: $(ls lines.files)"; fi

# A folder for temporary files whose name has a comma, or is too long for sockets.
mkdir "a, b" && run 0 env TMPDIR="$work/a, b" "$tcgrr" why a.tcgrr --at 1000 sp
equal "temporary files" "$(ls -A "a, b")" ""
long=$work/$(printf 'x%.0s' {1..100})
mkdir "$long"
complains 3 "too long for sockets.*TMPDIR" env TMPDIR="$long" "$tcgrr" replay a.tcgrr

# What changes a trace changes the file that a link leads to.
ln -s b.tcgrr link.tcgrr
if [ "$version" != 7.2 ]; then
    run 0 "$tcgrr" fill link.tcgrr --level state
    equal "layers" "$("$tcgrr" info --json b.tcgrr | jq -c .layers)" '["inputs","flow","state"]'
fi
run 0 "$tcgrr" symbols link.tcgrr "$fixtures/rv64-trap.elf"
[ -L link.tcgrr ] || fail "the link is a file now"
verify b

# Words that name nothing.
: >no-program
complains 3 "not executable" "$tcgrr" record -o x.tcgrr -- ./no-program -M virt
run 125 "$tcgrr" bisect-run a.tcgrr --qemu ./no-program
contains "bisect-run, not executable" "$(cat out)" "not executable"
complains 2 "name of a file" "$tcgrr" record -o "" -- "${guest[@]}"
complains 2 "1 or more" "$tcgrr" keyframes a.tcgrr --every 0
complains 3 "no such trace" "$tcgrr" keyframes --drop "$none"

# Places are written the same way everywhere.
for place in 1K 1,000 1000; do
    object 0 .pinned.start_icount 1000 record --json --force -o start.tcgrr --start-at $place -- "${guest[@]}"
done
record start --force --start-at 0X80000000
equal "start at 0X80000000" "$(json '.pinned.start_at')" 0x80000000
object 0 .diverged false lockstep --json --bisect --from 1K --a "$qemu" --b "$qemu" -- "${guest[@]:1}"
# An address for gdb is looked at before anything is replayed.
complains 2 "not an address" "$tcgrr" replay a.tcgrr --at 500 --gdb nowhere
equal "what was replayed before that" "$(cat out)" ""

# What a trace lacks is no wrong usage, whoever asks.
record plain --no-rr
for command in replay "replay --at 500" "bisect --qemu $qemu" "bisect --builds $qemu" "why --at 1000 sp" "fill --level full" keyframes; do
    read -r name rest <<<"$command"
    # shellcheck disable=SC2086
    object 3 .error.exit 3 $name --json plain.tcgrr $rest
done
object 3 .error.exit 3 query --json --fill plain.tcgrr "SELECT * FROM mem"
record inputs --level inputs
object 3 .error.exit 3 symbols --json inputs.tcgrr --kaslr "$fixtures/rv64-mmio.elf"
contains "what symbols lacks" "$(json .error.text)" "tcgrr fill .*--level flow"

# What a QEMU prints is shown, but does not control the terminal.
printf '#!/bin/sh\nprintf "\\033]0;title\\007\\302\\233bad"\n' >"$work/paints"
chmod +x "$work/paints"
run 3 "$tcgrr" record -o "$work/paints.tcgrr" -- "$work/paints" -M virt
contains "shown" "$(cat "$work/err")" 'answers ".*title.*bad"'
! LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$work/err" || fail "control characters reach the terminal"
