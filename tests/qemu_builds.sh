#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 300
# extended: all
# The first bad one of a list of QEMUs, with some that cannot replay the trace; going on after an
# interruption; git bisect run. Wrapper scripts around the three QEMUs stand for the builds of as
# many commits.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

riscv10=$(qemu riscv64 10.0)
riscv7=$(qemu riscv64 7.2)
riscv11=$(qemu riscv64 11.1)
arm10=$(qemu aarch64 10.0)
cd "$work"
guest rv64-compute-short 10.0
record guest

# build NAME QEMU [ARG...]: a QEMU that behaves as this one does with these arguments.
build() {
    printf '#!/bin/sh\nexec "%s" "$@" %s\n' "$2" "${*:3}" >"$1"
    chmod +x "$1"
}

# strange NAME QEMU COMMANDS: one before which these are done.
strange() {
    printf '#!/bin/sh\n%s\nexec "%s" "$@"\n' "$3" "$2" >"$1"
    chmod +x "$1"
}

# changed ELF ROUNDS: the guest with another number of rounds in its data.
changed() {
    copy_guest rv64-compute-short "$1"
    patch "$1" "$(address "$1" compute_rounds)" "$2"
}

# Good ones. QEMU 7.2 takes the rr file of 10.0, where no device asks for random numbers meanwhile.
build good0 "$riscv10"
build good1 "$riscv10" -accel tcg,one-insn-per-tb=on
build good2 "$riscv10" -accel tcg,tb-size=32
build good3 "$riscv7"
build good4 "$riscv7" -singlestep
# Bad ones: other data, which part the runs late, early or at once; instructions that this processor
# does not have.
changed late.elf 00000000000aae58
changed early.elf 0000000000000008
build bad0 "$riscv10" -kernel "$work/late.elf"
build bad1 "$riscv7" -kernel "$work/early.elf"
build bad2 "$riscv10" -kernel "$work/early.elf" -accel tcg,tb-size=32
build bad3 "$riscv10" -cpu rv64,m=off
build bad4 "$riscv10" -kernel "$work/late.elf"
build good5 "$riscv11" # the rr log is translated for it
# Those that say nothing: one that refuses the rr file, no QEMU, no plugins, another target, nothing
# there.
# shellcheck disable=SC2016
strange other-log "$riscv10" 'case "$*" in *rr=replay*) echo "qemu-system-riscv64: invalid input log file version" >&2; exit 1 ;; esac'
build no-qemu /bin/false
# shellcheck disable=SC2016
strange no-plugins "$riscv10" 'case "$*" in *-plugin*) echo "$0: -plugin: invalid option" >&2; exit 1 ;; esac'
build other-target "$arm10"
mkdir empty-folder installed installed/bin
cp good0 installed/bin/qemu-system-riscv64

# ---- one QEMU ----

# judged STATUS PATTERN QEMU [ARG...]
judged() {
    run "$1" "$tcgrr" bisect-run guest.tcgrr --json --timeout 3 --qemu "$3" "${@:4}"
    contains "verdict on $3" "$(json .reason)" "$2"
    equal "diverged: $3" "$(json .diverged)" "$(case $1 in 0) echo false ;; 1) echo true ;; *) echo null ;; esac)"
}

for i in 0 1 2 3 4; do
    judged 0 "no divergence in" "./good$i"
done
judged 0 "no divergence in" installed
judged 1 "control flow after .*: at .*, recorded .*compute_round" ./bad0
judged 1 "control flow after .*: at .*, recorded .*compute_round" ./bad1
judged 1 "after" ./bad3
judged 1 "control flow" ./good0 -- -kernel "$work/early.elf"
# bad0 diverges near the end.
judged 0 "no divergence in 1000000 instructions" ./bad0 --until 1000000
judged 0 "no divergence in" ./bad0 --from guest_main --until compute_call
judged 1 "control flow after .*compute_round" ./bad0 --from compute_call
judged 125 "never" ./good0 --until 0x1234
complains 125 "no symbol of this name" "$tcgrr" bisect-run guest.tcgrr --qemu ./good0 --from nowhere
run 0 "$tcgrr" bisect guest.tcgrr --builds ./good0 ./bad0 --until 1000000
run 1 "$tcgrr" bisect guest.tcgrr --json --builds ./good0 ./bad0 --from 1000000
equal "first bad one from there on" "$(json .first_bad)" ./bad0
complains 2 "no symbol of this name" "$tcgrr" bisect guest.tcgrr --builds ./good0 --until nowhere
judged 0 "no divergence in" ./good5
judged 125 "invalid input log file version" ./other-log
judged 125 "is not a QEMU" ./no-qemu
judged 125 "plugin" ./no-plugins
judged 125 "QEMU for aarch64" ./other-target
judged 125 "no qemu-system-riscv64" empty-folder
judged 125 "no such file" nowhere

# A recording with samples of the registers and stores: data that control flow does not depend on
# count, too.
guest rv64-ctzw 10.0
record data --level state --sample-step 10
copy_guest rv64-ctzw other-name.elf
patch other-name.elf "$(address other-name.elf ctzw_name)" 36767278 # "xrv6" instead of "rv64"
build other-data "$riscv10" -kernel "$work/other-name.elf"
run 0 "$tcgrr" bisect-run data.tcgrr --qemu ./good2
run 1 "$tcgrr" bisect-run data.tcgrr --qemu ./other-data
contains "other data" "$(cat out)" "^bad: .*: data after 35[0-9]* instructions, at .*guest_puts.*the same after .*: a1$"

# A run that takes long, so that there is time to end it.
guest rv64-compute 10.0
record long
# shellcheck disable=SC2016
strange killed "$riscv10" 'set -- "$@" -accel tcg,one-insn-per-tb=on; case "$*" in *rrfile=*) (sleep 1; kill -KILL $$) & esac'
# shellcheck disable=SC2016
strange interrupts "$riscv10" '(sleep 1; kill -INT $PPID) & set -- "$@" -accel tcg,one-insn-per-tb=on'
run 125 "$tcgrr" bisect-run long.tcgrr --qemu ./killed
contains "a QEMU that is killed" "$(cat out)" "^cannot tell: .*ended from outside tcgrr .signal 9"
run 130 "$tcgrr" bisect-run long.tcgrr --qemu ./interrupts
contains "Ctrl-C" "$(cat err)" "interrupted"
rm long.tcgrr

# What is wrong with the call or the trace says nothing about the QEMU, either.
head -c 20000 guest.tcgrr >damaged.tcgrr
for words in "" "guest.tcgrr" "--qemu ./good0" "guest.tcgrr --qemu" "guest.tcgrr --qemu ./good0 --no-such-option" \
    "guest.tcgrr guest.tcgrr --qemu ./good0" "guest.tcgrr --qemu ./good0 --timeout 0" "nowhere.tcgrr --qemu ./good0" \
    "damaged.tcgrr --qemu ./good0" "guest.tcgrr --qemu ./good0 -- -icount shift=3"; do
    # shellcheck disable=SC2086
    complains 125 "." "$tcgrr" bisect-run $words
done

# ---- a list ----

# search STATUS FIRST_BAD LAST_GOOD BUILD...: the answer is exact.
search() {
    run "$1" "$tcgrr" bisect guest.tcgrr --json --timeout 3 --builds "${@:4}"
    equal "first bad of ${*:4}" "$(json .first_bad)" "$2"
    equal "last good of ${*:4}" "$(json .last_good)" "$3"
    [ ! -e guest.tcgrr.bisect ] || fail "guest.tcgrr.bisect is left behind"
}

search 1 ./bad0 ./good4 ./good{0,1,2,3,4} ./bad{0,1,2,3,4}
[ "$(json '.tested | length')" -le 5 ] || fail "ten builds took $(json '.tested | length') replays"
equal "whether they diverged" "$(json '[.tested[] | .diverged] | unique | tostring')" "[false,true]"
search 1 ./bad0 null ./bad{0,1,2,3,4}
search 1 ./bad0 ./good0 ./good0 ./bad{0,1,2,3,4}
search 1 ./bad4 ./good4 ./good{0,1,2,3,4} ./bad4
search 0 null ./good4 ./good{0,1,2,3,4}
equal "replays without a bad build" "$(json '.tested | length')" 1
search 1 ./bad0 installed ./good0 installed ./bad0 ./bad1

# With some that cannot be tried, around the change and far from it.
search 1 ./bad0 ./good4 ./no-qemu ./good{0,1} ./other-log ./good{2,3,4} ./bad{0,1} ./no-plugins ./bad{2,4} ./other-target
equal "no answer on" "$(json '[.tested[] | select(.diverged == null) | .verdict] | unique | tostring')" '["skipped"]'
# range AMONG LAST_GOOD BUILD...: the answer is one of these.
range() {
    search 1 null "$2" "${@:3}"
    equal "first bad among, of ${*:3}" "$(json '.first_bad_among | join(" ")')" "$1"
}
range "./no-qemu ./bad0" null ./no-qemu ./bad0
range "nowhere ./other-log ./bad0" ./good3 ./good{0,1,2,3} nowhere ./other-log ./bad{0,1} ./no-plugins ./bad2
run 0 "$tcgrr" bisect guest.tcgrr --builds ./good0 ./good1 ./other-log
contains "the last one cannot be tried" "$(cat out)" "no bad build found; the last good one is ./good1"
complains 3 "none of these builds can replay" "$tcgrr" bisect guest.tcgrr --json --builds ./no-qemu ./other-log
run 1 "$tcgrr" bisect guest.tcgrr --builds ./good0 ./no-qemu ./bad0
contains "the answer as text" "$(cat out)" "one of these"
contains "the table" "$(cat out)" "^  ./no-qemu +skipped +/.*is not a QEMU"

# ---- interrupted, and gone on with ----

all=(./good{0,1,2,3,4} ./bad{0,1,2,3,4})
# A build that has tcgrr end by a signal when it is begun for the first time.
# shellcheck disable=SC2016
strange good4 "$riscv7" '[ -e interrupted ] || { : >interrupted; kill -$(cat signal) $PPID; sleep 1; }'
for signal in INT TERM KILL; do
    rm -f interrupted
    echo $signal >signal
    case $signal in INT) status=130 ;; TERM) status=143 ;; KILL) status=137 ;; esac
    { run $status "$tcgrr" bisect guest.tcgrr --json --timeout 3 --builds "${all[@]}"; } 2>/dev/null # bash says "Killed"
    [ -s guest.tcgrr.bisect ] || fail "nothing is kept after SIG$signal"
    known=$(jq '.tried | length' guest.tcgrr.bisect)
    [ "$known" -ge 1 ] || fail "SIG$signal: no replay is remembered"
    search 1 ./bad0 ./good4 "${all[@]}"
    equal "remembered after SIG$signal" "$(json '[.tested[] | select(.remembered)] | length')" "$known"
    [ "$(json '.tested | length')" -le 5 ] || fail "SIG$signal: ten builds took $(json '.tested | length') replays"
done

# interrupted_search [OPTION...]
interrupted_search() {
    rm -f interrupted
    echo INT >signal
    run 130 "$tcgrr" bisect guest.tcgrr --json --timeout 3 "$@" --builds "${all[@]}"
}
interrupted_search
touch ./bad4
search 1 ./bad0 ./good4 "${all[@]}"
equal "a build that has changed since is tried again" "$(json '.tested[] | select(.qemu == "./bad4") | .remembered')" false
interrupted_search
run 1 "$tcgrr" bisect guest.tcgrr --json --timeout 3 --fresh --builds "${all[@]}"
equal "remembered with --fresh" "$(json '[.tested[] | select(.remembered)] | length')" 0
interrupted_search
run 0 "$tcgrr" bisect guest.tcgrr --json --timeout 3 --builds ./good{0,1,2,3,4} -- -m 256
equal "remembered of other arguments" "$(json '[.tested[] | select(.remembered)] | length')" 0
interrupted_search
run 0 "$tcgrr" bisect guest.tcgrr --json --timeout 3 --until 1000000 --builds ./good{0,1,2,3,4}
equal "remembered of another part" "$(json '[.tested[] | select(.remembered)] | length')" 0
mkdir states
interrupted_search -o states
[ -s states/guest.tcgrr.bisect ] || fail "-o FOLDER keeps nothing there"
interrupted_search -o states/mine
[ -s states/mine ] || fail "-o FILE keeps nothing there"
echo "something else" >states/mine
complains 3 "states/mine was not written by a search" "$tcgrr" bisect guest.tcgrr -o states/mine --fresh --builds ./good0
equal "somebody else's file" "$(cat states/mine)" "something else"
complains 3 "cannot be kept" "$tcgrr" bisect guest.tcgrr -o nowhere/mine --builds ./good0
complains 3 "file is damaged|damaged|malformed|not a" "$tcgrr" bisect damaged.tcgrr --builds ./good0

# ---- git bisect run ----

mkdir repository
cd repository
git init -q -b main .
git config user.email nobody@example.org
git config user.name nobody
# One commit does not build, and two make a QEMU that does not start.
for source in ./good{0,1,2} ./no-qemu ./good3 "does not compile" ./good4 ./bad0 ./no-qemu ./bad{1,2}; do
    echo "$source" >source
    git add source
    git commit -q --allow-empty -m "use $source"
done
cat >../script <<'END'
#!/bin/sh
rm -f qemu-system-riscv64
[ "$(cat source)" != "does not compile" ] && cp "../$(cat source)" qemu-system-riscv64
END
echo "exec \"$tcgrr\" bisect-run ../guest.tcgrr --timeout 3 --qemu ." >>../script
chmod +x ../script
git bisect start main "$(git rev-list --max-parents=0 main)" >/dev/null 2>&1
git bisect run ../script >../out 2>&1 || fail "git bisect run failed: $(tail -n 3 ../out)"
contains "what it made of a commit that does not build" "$(cat ../out)" "^cannot tell: .*no qemu-system-riscv64"
contains "what git bisect found" "$(git show -s --format=%s refs/bisect/bad)" "^use ./bad0\$"
