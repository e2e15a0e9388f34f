#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Exit statuses, and that one line says what is wrong: the user's arguments, a QEMU that is not
# there or does not start, files that are no traces.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

guest rv64-timer 10.0
riscv=${guest[0]}
cd "$work"

# refused PATTERN ARG...: the command line is wrong.
refused() { complains 2 "$1" "$tcgrr" "${@:2}"; }
# fails PATTERN ARG...: it cannot be done.
fails() { complains 3 "$1" "$tcgrr" "${@:2}"; }
# unfit PATTERN QEMU-ARG...: the guest's command with these arguments cannot be recorded.
unfit() { refused "$1" record -o x.tcgrr -- "${guest[@]}" "${@:2}"; }

# Help, and words that are no commands or options.
run 0 "$tcgrr" --help
commands=$(awk '/^  [a-z]/ {print $1}' "$work/out")
for command in doctor record replay bisect bisect-run info verify extract; do
    contains "the list of commands" "$commands" "^$command\$"
done
for command in $commands; do
    run 0 "$tcgrr" "$command" --help
    contains "$command --help" "$(cat "$work/out")" "tcgrr $command"
    # git would take any other status for an answer.
    status=$([ "$command" = bisect-run ] && echo 125 || echo 2)
    complains "$status" "see tcgrr $command --help" "$tcgrr" "$command" --no-such-option
done
run 0 "$tcgrr" --version
run 2 "$tcgrr"
refused "no command 'recrod'; did you mean 'record'" recrod
refused "no command 'x'; see tcgrr --help" x

refused "did you mean --history" replay --histroy 5 x.tcgrr
run 0 "$tcgrr" help record
contains "help record" "$(cat "$work/out")" "tcgrr record"
run 0 "$tcgrr" version

# With --json an error is an object, too, and the only thing on standard output.
json_error() {
    run "$1" "$tcgrr" "${@:3}" --json
    equal "exit in the error of ${*:3}" "$(json .error.exit)" "$1"
    contains "text of the error of ${*:3}" "$(json .error.text)" "$2"
}
for command in info verify replay "bisect --qemu x" extract; do
    # shellcheck disable=SC2046,SC2086
    json_error $([ "$command" = extract ] && echo "2 folder" || echo "3 nowhere") $command nowhere.tcgrr
done
json_error 2 "no-such-option" lockstep --no-such-option
json_error 3 "no-such-qemu" lockstep --a no-such-qemu --b "$riscv"
run 3 "$tcgrr" record --json -o x.tcgrr -- no-such-qemu
contains "text of the error of record" "$(json .error.text)" "no-such-qemu"

# What each command takes.
refused "needs the QEMU command" record
refused "needs the QEMU command" record -o x.tcgrr --
refused "takes inputs, flow, state or full" record --level nonsense -- "${guest[@]}"
refused "need --level state" record --sample-step 5 -- "${guest[@]}"
refused "takes 1 or more" record --level state --sample-step -5 -- "${guest[@]}"
refused "add --level full" record --level state --full-from main -- "${guest[@]}"
refused "no symbol of this name" record --level full --full-until no-such-symbol -- "${guest[@]}"
refused "must come after" record --level full --full-from 1000 --full-until 1000 -- "${guest[@]}"
refused "icount" record --icount nonsense -- "${guest[@]}"
refused "takes one trace" replay
refused "takes one trace" info
refused "takes one trace" info a b
refused "takes one trace" verify
refused "takes a trace and a folder" extract a
refused "takes a number of instructions" replay --at main x.tcgrr
refused "needs --at" replay --gdb :1234 x.tcgrr
refused "a trace and --builds" bisect x.tcgrr
refused "exclude each other" bisect x.tcgrr --builds x --qemu x
refused "at least one QEMU" bisect x.tcgrr --builds
refused "a trace and --builds" bisect x.tcgrr --json
refused "the files that its jobs made" fill --collect x.tcgrr
refused "timeout" bisect x.tcgrr --builds "$riscv" --timeout 0
refused "no-such-option" bisect x.tcgrr --builds "$riscv" --no-such-option

# A guest's command that tcgrr would have to change behind the user's back.
unfit "only TCG" -enable-kvm
unfit "only TCG" -accel kvm
unfit "one TCG thread" -accel "tcg,thread=multi"
unfit "watch QEMU" -daemonize
unfit "icount.*rr" -icount "shift=0,rr=record,rrfile=y"
unfit "icount.*sleep" -icount "shift=0,sleep=off"
unfit "blkreplay" -drive "file=disk.img,format=raw,if=virtio"
unfit "blkreplay" -hda disk.img
unfit "net" -net user
refused "icount" record -o x.tcgrr --icount 3 -- "${guest[@]}" -icount shift=5

# QEMUs that cannot.
fails "no-such-qemu" record -o x.tcgrr -- no-such-qemu -M virt
fails "/etc/passwd" record -o x.tcgrr -- /etc/passwd
fails "is not QEMU|no QEMU|not.* QEMU" record -o x.tcgrr -- /bin/true
fails "unsupported machine type" record -o x.tcgrr -- "$riscv" -M no-such-machine
fails "nowhere.elf" record -o x.tcgrr -- "$riscv" -M virt -bios none -kernel nowhere.elf -display none -monitor none
fails "no-such-qemu" doctor no-such-qemu
fails "does not give plugins its registers.*QEMU 9.0 and later" record --level state -o x.tcgrr -- \
    "$(qemu riscv64 7.2)" -M virt -bios none -kernel "$fixtures/rv64-timer.elf"
refused "one vCPU.*has 2" record --level state --no-rr -o x.tcgrr -- "$riscv" -M virt -smp 2 -bios none \
    -kernel "$fixtures/rv64-smp.elf"
run 0 "$tcgrr" doctor "$(qemu riscv64 7.2)" "$riscv"
contains "doctor on 7.2" "$(cat "$work/out")" '^  qemu-system-riscv64[^ ]* +7\.2[^ ]* +1  inferred  -      yes   yes$'
contains "doctor on 10.0" "$(cat "$work/out")" '^  qemu-system-riscv64[^ ]* +10\.0[^ ]* +4  inferred  yes    yes   yes$'
equal "what an 80-column screen has no room for" "$(grep -E '.{81}' "$work/out" || true)" ""
run 0 "$tcgrr" doctor --json "$(qemu riscv64 7.2)" "$riscv"
equal "levels of 7.2" "$(json '.qemus[0].levels | join(" ")')" "flow full"
equal "levels of 10.0" "$(json '.qemus[1].levels | join(" ")')" "flow state full"
[ -z "$(ls x.tcgrr* 2>/dev/null)" ] || fail "files are left behind: $(ls x.tcgrr*)"

# Files that are no traces.
echo "not a trace" > text
: > empty
sqlite3 other.db "CREATE TABLE t(a); PRAGMA user_version = 1"
for command in info verify replay; do
    fails "No such file" $command nowhere.tcgrr
    fails "text" $command text
    fails "empty" $command empty
    fails "other.db" $command other.db
    fails "$work" $command "$work"
done
fails "nowhere" extract nowhere.tcgrr folder
fails "neither a program nor a trace" lockstep --a "$riscv" --b ./text -- -M virt
# Of a guest that is held before its first instruction nothing can be said.
fails "first instruction; does -S" lockstep --timeout 1 --a "$riscv" --b "$riscv" -- "${guest[@]:1}" -S
newer=${riscv%-*}-11.1
[ ! -x "$newer" ] || fails "first instruction: while it sets up the machine" lockstep --timeout 1 --a "$riscv" --b "$newer" --b-arg -S -- "${guest[@]:1}"
TCGRR_PLUGIN=$work/no-plugin fails "TCGRR_PLUGIN" doctor
fails "TYPO" record --symbols TYPO -o x.tcgrr -- "${guest[@]}"
refused "a folder" record --force -o "$work" -- "${guest[@]}"
[ -z "$(ls x.tcgrr* 2>/dev/null)" ] || fail "files are left behind: $(ls x.tcgrr*)"

# A sound trace that cannot do it.
record timer
fails "no-such-qemu" replay --qemu no-such-qemu timer.tcgrr
fails "." extract timer.tcgrr /proc/nowhere
run 0 "$tcgrr" record --json --no-rr -o plain.tcgrr -- "${guest[@]}"
fails "rr" replay plain.tcgrr
fails "rr" bisect plain.tcgrr --builds "$riscv"
complains 125 "rr" "$tcgrr" bisect-run plain.tcgrr --qemu "$riscv"
fails "is a QEMU for aarch64" replay --qemu "$(qemu aarch64 10.0)" timer.tcgrr
fails "rr" replay --at 5 plain.tcgrr
mkdir taken
: > taken/file
refused "not empty" extract timer.tcgrr taken
run 0 "$tcgrr" extract timer.tcgrr taken --force
refused "the SQL is empty" query timer.tcgrr " "
refused "takes a block" query timer.tcgrr "SELECT * FROM disassemble"
refused "did you mean 'hotblocks'" report timer.tcgrr hotblock
refused "no symbol of this name" diff --from nowhere plain.tcgrr timer.tcgrr

# Long output on a terminal goes through a pager, the end of the command waits for it, and its
# status is the command's.
python3 - "$tcgrr" <<'PYTHON' || fail "the pager"
import os, pty, sys
def ran(pager, *words):
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm", TCGRR_PAGER=pager)
        os.execv(sys.argv[1], ("tcgrr",) + words)
    text = b""
    try:
        while part := os.read(terminal, 4096):
            text += part
    except OSError:
        pass
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), text.decode()
for words, status in ((("query", "timer.tcgrr", "SELECT kind FROM event"), 0), (("report", "timer.tcgrr", "hotblocks"), 0),
                      (("record", "--help"), 0), (("query", "timer.tcgrr", "SELECT nothing"), 2)):
    got, text = ran("sleep 0.2; sed 's/^/paged: /'", *words)
    assert got == status and ("paged: " in text) == (status == 0), (words, got, text)
    got, text = ran("", *words)
    assert got == status and "paged: " not in text, (words, got, text)
PYTHON

# Reading needs nothing but the file, and its name can be anything.
mv timer.tcgrr "a trace; with 'odd' name.tcgrr"
run 0 "$tcgrr" info "a trace; with 'odd' name.tcgrr"
run 0 "$tcgrr" verify "a trace; with 'odd' name.tcgrr"
