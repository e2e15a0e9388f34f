#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 7.2 10.2-src
# User-mode programs: how they end, what they see of tcgrr, which arguments are whose.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

version=${1:-7.2}
qemu=$(qemu user-x86_64 "$version")
compiler=$(command -v gcc || command -v cc || command -v clang) || skip "no C compiler for the guest programs"
[ "$(uname -m)" = x86_64 ] || skip "the guest programs are built for x86_64"

cat > "$work/program.c" <<'C'
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
extern char **environ;
static volatile int *nowhere;
static void handler(int number) { (void)number; }
int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "segv") == 0)
        *nowhere = 1;
    if (strcmp(what, "abort") == 0)
        abort();
    if (strcmp(what, "term") == 0)
        raise(SIGTERM);
    if (strcmp(what, "kill") == 0)
        raise(SIGKILL);
    if (strcmp(what, "environment") == 0)
        for (char **each = environ; *each; each++)
            puts(*each);
    if (strcmp(what, "arguments") == 0)
        for (int i = 1; i < argc; i++)
            puts(argv[i]);
    if (strcmp(what, "handler") == 0) {
        signal(SIGUSR1, handler);
        for (int i = 0; i < 20; i++)
            raise(SIGUSR1);
    }
    return 0;
}
C
"$compiler" -static -O1 -o "$work/program" "$work/program.c"

# The option that makes blocks of one instruction.
single=-one-insn-per-tb
[ "$version" != 7.2 ] || single=-singlestep

# dies WORD EXIT: the program's own signal is its end; the trace is whole, its counts do not depend
# on the blocks.
dies() {
    local first
    run 0 "$tcgrr" record --json -o "$work/$1.tcgrr" -- "$qemu" "$work/program" "$1"
    equal "$1: complete" "$(json .complete)" true
    contains "$1: exit" "$(json .exit)" "$2"
    first=$(json .icount)
    verify "$1"
    run 0 "$tcgrr" lockstep --json --a "$qemu" --b "$qemu" --b-arg "$single" -- "$work/program" "$1"
    equal "$1: compared with blocks of one instruction" "$(json .compared)" "$first"
}
dies segv "signal 11"
dies abort "signal 6"
dies term "signal 15"
run 0 "$tcgrr" query "$work/segv.tcgrr" --format csv "SELECT symbol FROM insn ORDER BY icount DESC LIMIT 1"
contains "segv: the last instruction that retired" "$(tail -n 1 "$work/out")" "^main"

# What comes from outside is not the program's own end.
run 3 "$tcgrr" record --json -o "$work/kill.tcgrr" -- "$qemu" "$work/program" kill
equal "kill: complete" "$(json .complete)" false

# A signal that comes while the program computes ends it at a place that no replay comes to again by
# itself: up to there it is the same, and there is nothing to say of what follows. x86's vsyscalls
# are made by no instruction.
cat > "$work/alarm.c" <<'C'
#include <unistd.h>
int main(int argc, char **argv)
{
    long now = argc > 1 ? ((long (*)(long *))0xffffffffff600400)(0) : 1;
    if (argc > 1)
        return now < 1;
    for (alarm(1);;)
        ;
}
C
"$compiler" -O1 -static -o "$work/alarm" "$work/alarm.c"
run 0 "$tcgrr" record --json -o "$work/alarm.tcgrr" -- "$qemu" "$work/alarm"
equal "alarm: exit" "$(json .exit | cut -d' ' -f1,2)" "signal 14"
icount=$(json .icount)
if [ "$version" != 7.2 ]; then # there the replayed program sets its own alarm, which may come earlier
    run 0 "$tcgrr" replay --json "$work/alarm.tcgrr"
    equal "alarm: compared" "$(json .compared)" "$icount"
    run 0 "$tcgrr" replay "$work/alarm.tcgrr"
    contains "alarm: what is said" "$(cat "$work/out")" "a signal from outside ended the program"
    run 0 "$tcgrr" bisect --json "$work/alarm.tcgrr" --qemu "$qemu"
    equal "alarm: compared twice" "$(json .compared)" "$icount"
fi
run 0 "$tcgrr" record --json -o "$work/vsyscall.tcgrr" -- "$qemu" "$work/alarm" vsyscall
equal "vsyscall: complete" "$(json .complete)" true
if [ "$version" != 7.2 ]; then
    complains 3 "^tcgrr: no verdict" "$tcgrr" replay "$work/vsyscall.tcgrr"
    complains 3 "^tcgrr: no verdict" "$tcgrr" bisect "$work/vsyscall.tcgrr" --qemu "$qemu"
fi

# Nothing of tcgrr is in what the program sees.
run 0 env -i PATH="$PATH" ONE=1 "$tcgrr" record -o "$work/environment.tcgrr" -- "$qemu" "$work/program" environment
equal "environment" "$(grep -vE '^(PATH|ONE)=|^[a-z ]|: complete' "$work/out" || true)" ""
run 0 "$tcgrr" lockstep --console --a "$qemu" --b "$qemu" --b-arg "$single" -- "$work/program" arguments of the program
equal "the program's arguments" "$(sed -n 1,4p "$work/out" | tr '\n' ' ')" "arguments of the program "

# A script that starts QEMU can give it another environment, which is an input of the program.
printf '#!/bin/sh\nADDED=1 exec "%s" "$@"\n' "$(command -v "$qemu")" >"$work/qemu-x86_64"
chmod +x "$work/qemu-x86_64"
complains 3 "^tcgrr: no verdict: .* different environments" "$tcgrr" lockstep --a "$qemu" --b "$work/qemu-x86_64" -- "$work/program"
run 0 "$tcgrr" lockstep --a "$work/qemu-x86_64" --b "$work/qemu-x86_64" -- "$work/program"

# A trace is named after the program.
(cd "$work" && "$tcgrr" record -- "$qemu" "$work/program" >/dev/null 2>&1)
[ -f "$work/program.tcgrr" ] || fail "the trace of a program is not named after it"

# A QEMU that does not start is no result.
# QEMU itself says nothing.
echo data >"$work/data"
printf '#!/bin/sh -e\necho\n' >"$work/script"
complains 3 "script is a script, .* as in: $qemu /bin/sh -e $work/script" "$tcgrr" record -- "$qemu" "$work/script"
complains 3 "script is a script" "$tcgrr" lockstep --a "$qemu" --b "$qemu" -- "$work/script"
complains 3 "data is not a program" "$tcgrr" record -- "$qemu" "$work/data"
complains 3 "cannot open .*/nothing: No such file" "$tcgrr" record -- "$qemu" "$work/nothing"
complains 3 "ended without running an instruction .*(exit 1|No such file)" "$tcgrr" lockstep --a "$qemu" --b "$qemu" -- "$work/nothing"

# Nothing is claimed that user mode does not report.
run 0 "$tcgrr" doctor --json "$qemu"
equal "discontinuities" "$(json '.qemus[0].events')" inferred
equal "advice" "$(json '.qemus[0].advice')" null
