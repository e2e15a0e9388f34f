#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: 7.2 10.0 11.1
# The guest's console is the same as without tcgrr: with -nographic Ctrl-A and Ctrl-C do what they
# do in plain QEMU, and what QEMU would say about modules of another build is not passed on.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip "python3, which plays the terminal, is missing"
version=$1
guest a64-wfi "$version"
cd "$work"

# typed TRACE KEYS COMMAND...: records on a terminal, types KEYS once the guest has printed
# something, and prints what came. Each key waits for the echo of the one before, if there is one:
# under rr QEMU passes on what is typed later than it asks whether there is room, so that a guest on
# a busy machine loses characters that come together.
typed() {
    python3 - "$tcgrr" "$@" <<'PYTHON'
import os, pty, select, sys, time
tcgrr, trace, keys, command = sys.argv[1], sys.argv[2], sys.argv[3].split(","), sys.argv[4:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(tcgrr, [tcgrr, "record", "-o", trace, "--"] + command)
keys = [bytes(key, "ascii").decode("unicode_escape").encode() for key in keys]
text, ended, deadline = b"", False, time.monotonic() + 120
due, unechoed = 0, 0
while not ended and time.monotonic() < deadline:
    if select.select([terminal], [], [], 0.1)[0]:
        try:
            part = os.read(terminal, 4096)
        except OSError:
            part = b""
        text, ended = text + part, not part
    now = time.monotonic()
    if keys and b"Hit any key" in text and (now > due or len(text) > unechoed):
        os.write(terminal, keys[0][:1])
        keys[0], unechoed, due = keys[0][1:], len(text), now + 0.5
        if not keys[0]:
            keys.pop(0)
            unechoed, due = float("inf"), now + 1
sys.stdout.buffer.write(text)
if not ended:
    os.kill(pid, 15)
sys.exit(0 if ended else 1)
PYTHON
}

machine=("$(qemu aarch64 "$version")" -M virt -cpu cortex-a57 -nographic -bios "$TCGRR_QEMUS/guests/u-boot/qemu_arm64/u-boot.bin")
[ -f "${machine[-1]}" ] || skip "${machine[-1]} is missing; scripts/fetch-qemus.sh gets it"

# Ctrl-A c reaches the monitor, Ctrl-A x ends QEMU; Ctrl-C before it is the guest's and ends
# nothing.
typed keys.tcgrr '\x03,\x01c,info status\r,\x01x' "${machine[@]}" -icount shift=7 > screen || fail "QEMU did not end: $(tail -n 5 screen)"
contains "the terminal" "$(tr '\r' '\n' < screen)" "\(qemu\)"
contains "the terminal" "$(tr '\r' '\n' < screen)" "VM status: running"
contains "the terminal" "$(tr '\r' '\n' < screen)" "QEMU: Terminated"
run 0 "$tcgrr" verify keys.tcgrr

# What is typed is an input that a replay gets, or, where QEMU does not record it, a reason for no
# verdict.
typed_into() {
    local trace=$1 status=$2
    shift 2
    typed "$trace.tcgrr" '\r,echo typed\r,poweroff\r' "${machine[@]:0:5}" -display none -bios "${machine[-1]}" "$@" -icount shift=7 >screen ||
        fail "$*: QEMU did not end: $(tail -n 5 screen)"
    contains "$*: the terminal" "$(tr '\r' '\n' <screen)" "^typed"
    run "$status" "$tcgrr" replay "$trace.tcgrr"
}
typed_into stdio 0 -monitor none -serial stdio
typed_into chardev 0 -monitor none -chardev stdio,id=c -serial chardev:c
typed_into both "$([ "$version" = 7.2 ] && echo 3 || echo 0)" -serial mon:stdio
[ "$version" != 7.2 ] || contains "both: what replay says" "$(cat err)" "no verdict: .* typed into its console"
typed_into mux 3 -chardev stdio,id=c,mux=on -serial chardev:c -mon chardev=c
contains "mux: what record says" "$(cat screen)" "-serial chardev:c: QEMU does not record what the guest gets from there"
contains "mux: what replay says" "$(cat err)" "no verdict: .* through -serial chardev:c"
run 2 "$tcgrr" record -o shared.tcgrr -- "${machine[@]}" -virtfs "local,path=$work,mount_tag=t,security_model=none"
contains "virtfs" "$(cat err)" "no rr log"

# One object on standard output, whatever the guest prints there.
guest a64-timer "$version"
run 0 "$tcgrr" record --json -o timer.tcgrr -- "${guest[0]}" -M virt -cpu cortex-a57 -kernel "$fixtures/a64-timer.elf" -nographic
equal "objects on standard output" "$(jq -s length out)" 1
contains "standard error" "$(cat err)" "${rr_guests[a64-timer]}"
contains "what QEMU says of modules" "$(grep -c 'ui-' err || true)" "^0$"
