#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: all
# timeout: 240
# Two tcgrr, each with a QEMU of its own, over a socket: both report the same, and neither waits for
# ever for a peer that is gone, silent, or none.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

unix=unix:$work/socket
address=$unix

# listen OPTION... [WORD...]: side A with `listening`, or these words, in the background; returns
# when it waits. Sets `address`.
listen() {
    local i
    rm -f "$work/a.status" "$work/a.err"
    (
        status=0
        "$tcgrr" lockstep --json --wait 30 --listen "$address" "$@" >"$work/a.out" 2>"$work/a.err" || status=$?
        echo "$status" >"$work/a.status"
    ) &
    listener=$!
    for ((i = 0; i < 200; i++)); do
        ! grep -q "waiting for" "$work/a.err" 2>/dev/null || break
        [ ! -f "$work/a.status" ] || break
        sleep 0.05
    done
    address=$(sed -n 's/^tcgrr: waiting for the other side at //p' "$work/a.err")
}

# listened STATUS [PATTERN]: how the listening side ended, and what it complained of.
listened() {
    wait "$listener"
    equal "status of the listening side" "$(cat "$work/a.status")" "$1"
    if [ $# -gt 1 ]; then
        contains "what the listening side says" "$(grep '^tcgrr: ' "$work/a.err" | grep -v 'waiting for')" "$2"
        equal "lines that it complains with" "$(grep '^tcgrr: ' "$work/a.err" | grep -vc 'waiting for')" 1
    fi
    equal "socket file left behind" "$(find "$work" -name socket)" ""
}

connect() { run "$1" "$tcgrr" lockstep --json --connect "$address" "${@:2}"; }

# The report without what differs by nature: which side one is, and who sent how much.
same_reports() {
    equal "$1: the two reports" "$(jq -c 'del(.own, .traffic)' "$work/a.out")" "$(jq -c 'del(.own, .traffic)' "$work/out")"
}

# both STATUS WHAT NAME VERSION_A VERSION_B [OPTION...]: a fixture on two QEMUs, over each of these
# sockets.
sockets=("$unix" tcp:127.0.0.1:0)
both() {
    local where
    for where in "${sockets[@]}"; do
        address=$where
        guest "$3" "$4"
        listen "${@:6}" "${guest[@]}"
        guest "$3" "$5"
        connect "$1" "${@:6}" "${guest[@]}"
        listened "$1"
        same_reports "$2, $where"
    done
}

# ---- what must not differ does not ----
both 0 "compute" rv64-compute-short 10.0 11.1
equal "compute: diverged" "$(json .diverged)" false
[ "$(json .compared)" -ge 20000000 ] || fail "compute: only $(json .compared) instructions compared"
sockets=("$unix")
both 0 "page faults" a64-pagefault 10.0 7.2
[ "$(json .compared)" -ge 2900000 ] || fail "page faults: only $(json .compared) instructions compared"
both 0 "user mode" user-hello-aarch64 7.2 7.2
[ "$(json .compared)" -ge 800000 ] || fail "user mode: only $(json .compared) instructions compared"

# Of programs each makes its own system calls, so that a difference may be their inputs' doing.
if [ "$(uname -m)" = x86_64 ] && [ -x "$TCGRR_QEMUS/bin/qemu-x86_64-7.2" ] && [ -x /bin/bash ]; then
    # shellcheck disable=SC2016 # the guest's shell expands it
    guest=("$TCGRR_QEMUS/bin/qemu-x86_64-7.2" /bin/bash -c 'n=$RANDOM; while ((n > 1)); do ((n = n % 2 ? 3 * n + 1 : n / 2)); done')
    listen "${guest[@]}"
    connect 3 "${guest[@]}"
    listened 3 "no verdict: the runs had inputs of their own"
fi

# Interrupts come at the same instructions, because the connecting side's QEMU replays what the
# listening one's writes.
for versions in 7.2:11.1 11.1:7.2 10.0:10.0; do
    both 0 "timer, $versions" rv64-timer "${versions%:*}" "${versions#*:}"
    [ "$(json .compared)" -ge 5000000 ] || fail "timer: only $(json .compared) instructions compared"
    equal "timer, $versions: tolerated" "$(json '.shifted_events + .polling_loops + .transients')" 0
    expected=translated
    [ "$versions" != 10.0:10.0 ] || expected=shared
    equal "timer, $versions: inputs" "$(json .inputs)" "$expected"
done
# The machine is that of the side that leads, or the one that both have: its device tree goes over
# the connection.
for versions in 7.2:11.1 11.1:7.2; do
    both 0 "machine, $versions" a64-timer "${versions%:*}" "${versions#*:}"
    equal "machine, $versions: pinned" "$(json .pinned.machine)" virt-7.2
    equal "machine, $versions: inputs" "$(json .inputs)" translated
done
both 0 "timer, own inputs" rv64-timer 10.0 11.1 --own-inputs
equal "timer, own inputs: inputs" "$(json .inputs)" own

# A long run is not slowed down by its way over the socket, and that way is short: bytes for 65,536
# instructions.
guest rv64-compute 10.0
if [ -f "$fixtures/rv64-compute.elf" ]; then
    address=$unix
    listen "${guest[@]}"
    connect 0 "${guest[@]}"
    listened 0
    bytes=$(json '.traffic.received * 65536 / .compared | floor')
    [ "$bytes" -le 64 ] || fail "$bytes bytes were sent for each 65,536 instructions"
fi

# ---- what must differ is named where it is, on both ends ----
elf=$work/patched.elf
copy_guest rv64-compute-short "$elf"
place=$(($(address "$elf" _start) + 12))
patch "$elf" $place 00000013
address=$unix
guest rv64-compute-short 10.0
listen "${guest[@]}"
guest rv64-compute-short 10.0 "$elf"
connect 1 "${guest[@]}"
listened 1
same_reports patched
equal "patched: icount" "$(json .divergence.icount)" 9
equal "patched: pc" "$(json .divergence.a.pc)" "$(printf '0x%x' $place)"
equal "patched: bytes" "$(json .divergence.b.bytes)" 13000000
equal "patched: symbol" "$(json .divergence.b.symbol)" "_start+0xc"
both 1 "blsi" x86-blsi 7.2 10.0 --from _start
equal "blsi: A" "$(json .divergence.a.symbol)" "blsi_branch+0x10"
equal "blsi: B" "$(json .divergence.b.symbol)" "blsi_branch+0x9"
equal "blsi: compared" "$(json .compared)" 301021
both 0 "blsi up to the branch" x86-blsi 7.2 10.0 --from _start --until blsi_branch
# A PC's firmware is told other things in other releases: what differs there is no divergence of the
# guest's, here neither.
guest x86-timer 10.0
address=$unix
listen "${guest[@]}"
guest x86-timer 11.1
connect 3 "${guest[@]}"
listened 3 "give a PC's firmware different data"
contains "what the connecting side says" "$(cat "$work/err")" "give a PC's firmware different data"
# As text, too.
guest x86-blsi 7.2
address=$unix
"$tcgrr" lockstep --listen "$unix" --from _start --history 3 "${guest[@]}" >"$work/a.text" 2>/dev/null &
guest x86-blsi 10.0
run 1 "$tcgrr" lockstep --connect "$unix" --from _start --history 3 "${guest[@]}"
wait $! || true
contains "the report" "$(cat "$work/out")" "DIVERGED after 301,021 instructions in common: control flow"
equal "the two texts" "$(cat "$work/a.text")" "$(cat "$work/out")"

# ---- a stored run as one side, which nothing that happens to the other changes ----
guest rv64-compute-short 10.0
record stored
sum=$(sha256sum <"$work/stored.tcgrr")
address=$unix
listen "$work/stored.tcgrr"
guest rv64-compute-short 11.1
connect 0 -- "${guest[@]}"
listened 0
same_reports "a stored run and a live one"
address=$unix
listen "${guest[@]}"
connect 0 "$work/stored.tcgrr"
listened 0

# ---- refusals: both values, on both ends ----
address=$unix
listen "${guest[@]}"
guest a64-pagefault 10.0
connect 3 "${guest[@]}"
contains "another target" "$(cat "$work/err")" "'aarch64'.*'riscv64'"
listened 3 "'riscv64'.*'aarch64'"
guest rv64-compute-short 10.0
address=$unix
listen --from _start "${guest[@]}"
connect 3 --from guest_main "${guest[@]}"
contains "another place" "$(cat "$work/err")" "guest_main.*_start"
listened 3 "_start.*guest_main"

guest a64-timer 10.0
address=$unix
listen "${guest[@]}"
guest a64-timer 11.1
connect 3 "${guest[@]/cortex-a57/cortex-a53}"
contains "another CPU" "$(cat "$work/err")" "CPU cortex-a53 here, virt-10.0 with CPU cortex-a57 on the other side"
listened 3 "different machines"
guest rv64-compute-short 10.0

address=$unix
listen "${guest[@]}"
connect 3 --icount 2 "${guest[@]}"
contains "another icount shift" "$(cat "$work/err")" "icount shift here is '2', on the other side '0'"
listened 3 "icount shift here is '0'"

address=$unix
listen --strict "${guest[@]}"
connect 3 "${guest[@]}"
contains "another strictness" "$(cat "$work/err")" "until the end'.*until the end, strict'"
listened 3 "strict"

# ---- a QEMU that cannot start, which is only known when both have met ----
address=$unix
listen "${guest[@]}" -nonsense
connect 3 "${guest[@]}"
contains "the other QEMU" "$(cat "$work/err")" "^tcgrr: the other side gave up: .*did not start.*nonsense"
listened 3 "did not start.*nonsense"

# ---- tokens ----
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$work/token"
sed 's/^./x/' "$work/token" >"$work/other-token"
echo short >"$work/short-token"
address=tcp:0.0.0.0:0
complains 2 "give --token-file" "$tcgrr" lockstep --listen "$address" "${guest[@]}"
complains 2 "needs at least 16" "$tcgrr" lockstep --token-file "$work/short-token" --listen "$address" "${guest[@]}"
listen --token-file "$work/token" "${guest[@]}"
address=tcp:127.0.0.1:${address##*:}
connect 0 --token-file "$work/token" "${guest[@]}"
listened 0
address=tcp:127.0.0.1:0
listen --token-file "$work/token" "${guest[@]}"
# Somebody without the token does not end the waiting for the one who has it.
connect 3 --token-file "$work/other-token" "${guest[@]}"
contains "another token" "$(cat "$work/err")" "different tokens"
connect 3 "${guest[@]}"
contains "no token" "$(cat "$work/err")" "the other side asks for a token and this side has none"
connect 0 --token-file "$work/token" "${guest[@]}"
listened 0
contains "another token" "$(cat "$work/a.err")" "refused a connection: the two sides have different tokens; still waiting"
contains "no token" "$(cat "$work/a.err")" "refused a connection: this side asks for a token"

# ---- strangers: bytes that are no tcgrr's, silence, half a greeting, another version ----
# stranger STATUS PATTERN PRINTF-FORMAT: what somebody sends who then waits.
stranger() {
    local began=$SECONDS
    address=tcp:127.0.0.1:0
    listen --peer-timeout 2 "${guest[@]}"
    exec {socket}<>"/dev/tcp/127.0.0.1/${address##*:}"
    # shellcheck disable=SC2059
    printf "$3" >&"$socket"
    listened "$1" "$2"
    exec {socket}>&-
    [ $((SECONDS - began)) -le 10 ] || fail "it took $((SECONDS - began)) s to turn away: $2"
}
# refused PATTERN PRINTF-FORMAT: a stranger who sends this and goes; the other side is still waited
# for.
refused() {
    address=tcp:127.0.0.1:0
    listen --peer-timeout 2 "${guest[@]}"
    # shellcheck disable=SC2059
    printf "$2" >"/dev/tcp/127.0.0.1/${address##*:}"
    connect 0 "${guest[@]}"
    listened 0
    contains "a stranger" "$(cat "$work/a.err")" "refused a connection: .*$1"
}
refused "not tcgrr lockstep" "GET / HTTP/1.0\r\n\r\n"
refused "went away" ""
refused "went away" "tcgrr lockstep\n\0"
zeros=$(printf '\\0%.0s' $(seq 44))
stranger 3 "2 here, 9 on the other side" "tcgrr lockstep\n\0\011\0\0\0$zeros"
stranger 3 "has said nothing for 2 s" "tcgrr lockstep\n\0\002\0\0\0$zeros"
stranger 3 "malformed message" "tcgrr lockstep\n\0\002\0\0\0$zeros\377\377\377\377\377"
equal "guests that ran for a stranger" "$(pgrep -f "$work/" || true)" ""

# ---- a side that goes away half-way ----
copy_guest rv64-compute "$work/long.elf"
guest rv64-compute 10.0 "$work/long.elf"

# leave SIGNAL STATUS_A STATUS_B SIDE: while both run, this side gets the signal.
leave() {
    local i began pid status=0
    address=$unix
    listen --peer-timeout 5 "${guest[@]}"
    "$tcgrr" lockstep --json --peer-timeout 5 --connect "$address" "${guest[@]}" >"$work/out" 2>"$work/err" &
    connector=$!
    for ((i = 0; i < 100; i++)); do
        [ "$(pgrep -cf "^[^ ]*qemu-system.*$work/long.elf" || true)" -lt 2 ] || break
        sleep 0.05
    done
    sleep 0.3
    began=$SECONDS
    if [ "$4" = a ]; then
        pid=$(pgrep -f "^$tcgrr lockstep --json --wait.*--listen.*$work/long.elf")
    else
        pid=$connector
    fi
    kill -s "$1" "$pid"
    wait $connector || status=$?
    [ "$1" != STOP ] || kill -s CONT "$pid"
    equal "$1 to $4: status of the connecting side" "$status" "$3"
    listened "$2"
    [ $((SECONDS - began)) -le 15 ] || fail "$1 to $4: it took $((SECONDS - began)) s to end"
    equal "$1 to $4: QEMUs left behind" "$(pgrep -f "^[^ ]*qemu-system.*$work/long.elf" || true)" ""
}
leave KILL 137 3 a
contains "a killed side" "$(cat "$work/err")" "^tcgrr: the other side went away"
leave KILL 3 137 b
contains "a killed side" "$(cat "$work/a.err")" "^tcgrr: the other side went away"
leave INT 130 3 a
contains "an interrupted side" "$(cat "$work/err")" "^tcgrr: the other side gave up: its user interrupted it"
leave INT 3 130 b
contains "an interrupted side" "$(cat "$work/a.err")" "^tcgrr: the other side gave up: its user interrupted it"
leave STOP 3 3 a
contains "a side that stands still" "$(cat "$work/err")" "^tcgrr: the other side has said nothing for 5 s"

# A stored run whose other side is killed half-way.
address=$unix
listen --peer-timeout 5 "$work/stored.tcgrr"
"$tcgrr" lockstep --connect "$address" "${guest[@]}" -S >"$work/out" 2>"$work/err" &
connector=$!
sleep 1
kill -9 $connector
wait $connector || true
listened 3 "went away"
equal "the stored run" "$(sha256sum <"$work/stored.tcgrr")" "$sum"

# ---- what is wrong with the arguments, and sockets ----
complains 2 "only the flow is compared" "$tcgrr" lockstep --connect "$unix" --ignore-reg x "${guest[@]}"
complains 2 "give --token-file" "$tcgrr" lockstep --connect tcp:192.0.2.1:7007 "${guest[@]}"
complains 2 "--listen, the other --connect" "$tcgrr" lockstep --listen "$unix" --connect "$unix" "${guest[@]}"
complains 2 "is not an address" "$tcgrr" lockstep --listen "$work/socket" "${guest[@]}"
complains 2 "is not an address" "$tcgrr" lockstep --connect tcp:host:port "${guest[@]}"
complains 2 "at most 107 bytes" "$tcgrr" lockstep --listen "unix:/tmp/$(printf '%0120d' 0)" "${guest[@]}"
complains 2 "needs the QEMU command" "$tcgrr" lockstep --listen "$unix"
complains 2 "are for two sides here" "$tcgrr" lockstep --listen "$unix" --a x "${guest[@]}"
complains 3 "start the other side there with --listen" "$tcgrr" lockstep --wait 1 --connect "$unix" "${guest[@]}"
complains 3 "cannot find host" "$tcgrr" lockstep --connect tcp:no.such.host.invalid:7 "${guest[@]}"
complains 3 "no-such-qemu" "$tcgrr" lockstep --listen "$unix" no-such-qemu
run 3 "$tcgrr" lockstep --wait 1 --listen "$unix" "${guest[@]}"
contains "nobody comes" "$(cat "$work/err")" "^tcgrr: no other tcgrr connected to unix:$work/socket within 1 s"
equal "socket file left behind" "$(find "$work" -name socket)" ""
# A socket is its owner's alone; one that somebody left behind is no obstacle, a file of another
# kind and one in use are.
guest rv64-compute-short 10.0
address=$unix
listen "${guest[@]}"
equal "mode of the socket" "$(stat -c %a "$work/socket")" 600
complains 3 "Address already in use" "$tcgrr" lockstep --listen "$unix" "${guest[@]}"
kill -9 "$(pgrep -f "^$tcgrr lockstep --json --wait.*$work/socket")"
wait "$listener"
[ -S "$work/socket" ] || fail "the killed side left no socket: nothing tested"
listen "${guest[@]}"
connect 0 "${guest[@]}"
listened 0
echo precious >"$work/socket"
complains 3 "Address already in use" "$tcgrr" lockstep --listen "$unix" "${guest[@]}"
equal "a file in the socket's place" "$(cat "$work/socket")" precious
