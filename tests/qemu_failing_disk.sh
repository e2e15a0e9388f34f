#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: 10.0
#
# Whichever of a command's calls to the operating system fails (tests/fail_call.c), the command
# either does what it does otherwise or says in one line that it could not, with exit status 3; it
# never gives another answer, crashes or hangs. What `record` leaves then is a trace that can be
# read, or nothing.
#
#   tests/qemu_failing_disk.sh VERSION [CALLS]     CALLS: of each command, so many are tried, evenly spread (default: 8)
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

version=$1
calls=${2:-8}
preload=$TCGRR_BUILD/tests/libfail-call.so
export TCGRR_FAIL_LOG=$work/failed

# with_fault N COMMAND...: its Nth call fails; 0: none. Sets status.
with_fault() {
    local number=$1
    shift
    status=0
    TCGRR_FAIL_CALL=$number LD_PRELOAD=$preload timeout 60 "$@" >"$work/out" 2>"$work/err" || status=$?
}

# places N: numbers up to N, evenly spread.
places() { awk -v n="$1" -v most="$calls" 'BEGIN { for (i = 0; i < most && i < n; i++) print int(1 + i * n / (most < n ? most : n)) }'; }

# each WHAT STATUS COMMAND...: the command, which ends with that status, once as it is, then with
# faults. `before` and `after`, if they are functions, run around each.
each() {
    local what=$1 wanted=$2 number all
    shift 2
    what_failed=$what
    rm -f "$TCGRR_FAIL_LOG"
    before
    with_fault 0 "$@"
    [ "$status" = "$wanted" ] || { fail "$what: exit status $status: $(tail -n 1 "$work/err")"; return; }
    all=$(awk '$2 == "calls" { print $1 }' "$TCGRR_FAIL_LOG")
    [ "${all:-0}" -gt 0 ] || { fail "$what: no call could fail"; return; }
    answer >"$work/answer"
    status_here=$status
    after
    for number in $(places "$all"); do
        before
        with_fault "$number" "$@"
        status_here=$status
        what_failed="$what, call $number of $all ($(tail -n 1 "$TCGRR_FAIL_LOG"))"
        case $status in
        "$wanted")
            answer | cmp -s - "$work/answer" || grep -q '^tcgrr: names of functions are missing' "$work/err" ||
                fail "$what_failed: another answer: $(answer | tail -n 1), wanted $(tail -n 1 "$work/answer")"
            ;;
        2 | 3) grep -q '^tcgrr: ' "$work/err" || fail "$what_failed: exit status $status and no reason" ;;
        *) fail "$what_failed: exit status $status: $(tail -n 2 "$work/err")" ;;
        esac
        after
    done
    echo "$what: $all calls"
}

answer() { cat "$work/out"; }
before() { :; }
after() { :; }

guest rv64-mem "$version"
record a --level full
record b --level full
trace=$work/a.tcgrr

each info 0 "$tcgrr" info "$trace"
each "info --json" 0 "$tcgrr" info --json "$trace"
# What is done to QEMU's log is shown, or why that cannot be.
answer() { grep -v '^  rr log  ' "$work/out"; }
each "info -v" 0 "$tcgrr" info -v "$trace"
answer() { cat "$work/out"; }
each verify 0 "$tcgrr" verify "$trace"
each query 0 "$tcgrr" query "$trace" "SELECT count(*), sum(address), sum(value) FROM mem"
each "query of instructions" 0 "$tcgrr" query "$trace" "SELECT icount, disasm FROM insn LIMIT 50 OFFSET 3000"
each "callstack" 0 "$tcgrr" query "$trace" "SELECT * FROM callstack(20000)"
each "query of states" 0 "$tcgrr" query "$trace" "SELECT * FROM state LIMIT 3"
each "report bb" 0 "$tcgrr" report "$trace" hotblocks
each "report mem" 0 "$tcgrr" report "$trace" mem
each diff 0 "$tcgrr" diff "$trace" "$work/b.tcgrr"
each "export folded" 0 "$tcgrr" export "$trace" folded

# A device stays what it is, and what it does not take is not done.
if ! mknod "$work/null" c 1 3 || ! mknod "$work/full" c 1 7; then # takes root
    rm -f "$work/null"
    mkfifo "$work/null"
fi 2>/dev/null
complains 2 "not a regular file" "$tcgrr" record -o "$work/null" --force -- "${guest[@]}"
if [ -c "$work/full" ]; then
    complains 3 "cannot write" "$tcgrr" export "$trace" folded -o "$work/full"
    complains 3 "cannot write|No space" "$tcgrr" diff "$trace" "$work/b.tcgrr" --html "$work/full"
    [ -c "$work/full" ] || fail "a device was removed or replaced by a file"
fi
for command in info verify "query SELECT_1" "report hotblocks" "diff"; do
    # shellcheck disable=SC2206
    words=($command)
    [ "${words[0]}" != diff ] || words[1]=$work/b.tcgrr
    status=0
    "$tcgrr" "${words[0]}" "$trace" ${words[1]:+"${words[1]//_/ }"} >/dev/full 2>"$work/err" || status=$?
    equal "exit status of $command without room for its result" "$status" 3
    contains "what $command says then" "$(cat "$work/err")" "^tcgrr: standard output could not take all"
done

# What was extracted is what counts.
before() { rm -rf "$work/files"; }
answer() { (cd "$work/files" && find . -type f -print0 | sort -z | xargs -0 sha256sum); }
each extract 0 "$tcgrr" extract "$trace" "$work/files"

before() { rm -f "$work"/c.tcgrr*; }
answer() { jq -c '[.icount, .execs, .complete, .exit]' "$work/out"; }
after() {
    [ ! -e "$work/c.tcgrr" ] || "$tcgrr" info "$work/c.tcgrr" >/dev/null 2>"$work/err" ||
        fail "$what_failed: what it left cannot be read: $(tail -n 1 "$work/err")"
}
each record 0 "$tcgrr" record --json -o "$work/c.tcgrr" -- "${guest[@]}"

before() { :; }
after() { :; }
answer() { jq -c '[.diverged, .compared]' "$work/out"; }
each replay 0 "$tcgrr" replay --json "$trace"

# What changes a trace leaves it sound, as it was or as it was to be.
sound() { "$tcgrr" verify "$1" >"$work/verify" 2>&1 || fail "$what_failed: $(tail -n 2 "$work/verify")"; }
before() { cp "$trace" "$work/d.tcgrr"; }
after() { sound "$work/d.tcgrr"; }
answer() { "$tcgrr" query "$work/d.tcgrr" "SELECT count(*), sum(address) FROM symbol" 2>&1; }
each symbols 0 "$tcgrr" symbols "$work/d.tcgrr" "$fixtures/rv64-mem.elf" --offset 0x1000

record i --level inputs
before() { rm -rf "$work"/d.tcgrr*; cp "$work/i.tcgrr" "$work/d.tcgrr"; }
answer() { "$tcgrr" query "$work/d.tcgrr" "SELECT count(*), sum(pc) FROM exec" 2>&1; }
each fill 0 "$tcgrr" fill "$work/d.tcgrr" --level flow

before() { :; }
after() { :; }
answer() { jq -c '[.diverged, .compared]' "$work/out"; }
each lockstep 0 "$tcgrr" lockstep --json --a "${guest[0]}" --b "${guest[0]}" -- "${guest[@]:1}"

# Over a socket the other side ends, too: a listener goes on to wait for another try, a side whose
# peer is gone says so.
other=
before() {
    rm -f "$work/socket"
    "$tcgrr" lockstep --json --listen "unix:$work/socket" -- "${guest[@]}" >"$work/listen.out" 2>"$work/listen.err" &
    other=$!
    until [ -S "$work/socket" ] || ! kill -0 "$other" 2>/dev/null; do sleep 0.02; done
}
after() {
    local status=0
    [ "$status_here" = 0 ] || kill -INT "$other" 2>/dev/null || true
    wait "$other" || status=$?
    [ "$status_here" != 0 ] || [ "$status" = 0 ] || fail "$what_failed: this side agrees, the other ended with $status"
    [ "$status_here" = 0 ] || [ "$status" != 0 ] || fail "$what_failed: this side failed, and the other agrees"
}
each "lockstep --connect" 0 "$tcgrr" lockstep --json --connect "unix:$work/socket" -- "${guest[@]}"
