#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: 7.2 10.2-src
# User mode, --follow all: everything that a program forks is recorded, each process in a trace of
# its own.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

version=${1:-7.2}
qemu=$(qemu user-x86_64 "$version")
compiler=$(command -v gcc || command -v cc || command -v clang) || skip "no C compiler for the guest program"
[ "$(uname -m)" = x86_64 ] || skip "the guest program is built for x86_64"

# Three children: one that computes, one that forks another, from a thread, and one that executes
# itself twice.
cat > "$work/forks.c" <<'C'
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static int status;
static void *fork_in_thread(void *data)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(7);
    waitpid(pid, &status, 0);
    return NULL;
}
static int run_child(int i, char **argv)
{
    volatile unsigned sum = 0;
    pthread_t thread;
    for (unsigned k = 0; k < 1000; k++)
        sum += k;
    if (i == 1) {
        pthread_create(&thread, NULL, fork_in_thread, NULL);
        pthread_join(thread, NULL);
        return WEXITSTATUS(status);
    }
    if (i == 2)
        execl(argv[0], argv[0], "again", NULL);
    return i;
}
int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "again") == 0)
        execl(argv[0], argv[0], "last", NULL);
    if (argc > 1)
        raise(SIGSEGV);
    for (int i = 0; i < 3; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(run_child(i, argv));
        waitpid(pid, &status, 0);
        printf("%d\n", WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
        fflush(stdout);
    }
    return 0;
}
C
sed -i '1i #include <signal.h>' "$work/forks.c"
"$compiler" -static -pthread -O1 -o "$work/forks" "$work/forks.c"

record_forks() { run 0 "$tcgrr" record --json --follow all -o "$work/$1.tcgrr" -- "$qemu" "$work/forks"; }
process() { json ".processes[] | select(.name == \"$1\") | $2"; }

record_forks a
equal "what it printed" "$(grep -v '^qemu' "$work/err" | tr '\n' ' ')" "0 7 -11 "
equal "processes" "$(json '[.processes[].name] | join(" ")')" "0 1 2 2.1 3"
equal "complete" "$(json '[.processes[].complete] | all')" true
equal "the second one's exit" "$(process 2 .exit)" "exit 7"
equal "its child's exit" "$(process 2.1 .exit)" "exit 7"
contains "the third one's exit" "$(process 3 .exit)" "^signal 11"
equal "the third one's trace" "$(process 3 .trace)" a.3.tcgrr
for trace in a a.1 a.2 a.2.1 a.3; do verify "$trace"; done
run 0 "$tcgrr" query --format jsonl "$work/a.3.tcgrr" "SELECT count(*) AS n FROM event WHERE kind = 'exec'"
equal "programs that the third one executed" "$(json .n)" 2
run 0 "$tcgrr" query --format jsonl "$work/a.tcgrr" "SELECT icount FROM process WHERE name = '2.1'"
icount=$(json .icount)
run 0 "$tcgrr" info --json "$work/a.2.1.tcgrr"
equal "instructions of the second one's child" "$(json .icount)" "$icount"
equal "who it is" "$(json '.processes[0].name')" 2.1

# Every run names them alike, and a child that depends on nothing is the same in all.
record_forks b
run 0 "$tcgrr" diff --json "$work/a.1.tcgrr" "$work/b.1.tcgrr"
equal "diff: diverged" "$(json .diverged)" false
[ "$(json .compared)" -gt 3000 ] || fail "diff: only $(json .compared) instructions were compared"

run 0 "$tcgrr" replay --json "$work/a.tcgrr"
equal "replay: diverged" "$(json .diverged)" false
complains 3 "is of process 2.1, .* cannot be replayed" "$tcgrr" replay "$work/a.2.1.tcgrr"
complains 3 "is of process 2.1, .* cannot be replayed" "$tcgrr" lockstep --a "$work/a.2.1.tcgrr" --b "$qemu"
complains 3 "already exists|exists" "$tcgrr" record --follow all -o "$work/a.tcgrr" -- "$qemu" "$work/forks"

# Without all, children run unrecorded.
run 0 "$tcgrr" record --json -o "$work/c.tcgrr" -- "$qemu" "$work/forks"
equal "processes without --follow all" "$(json .processes)" null
[ ! -e "$work/c.1.tcgrr" ] || fail "a child was recorded without --follow all"

# A pipeline of the host's own programs.
if [ -x /bin/bash ] && [ -x /usr/bin/sort ]; then
    run 0 "$tcgrr" record --json --follow all -o "$work/p.tcgrr" -- "$qemu" /bin/bash -c 'printf "b\na\n" | /usr/bin/sort | /bin/cat'
    equal "processes of the pipeline" "$(json '[.processes[].name] | join(" ")')" "0 1 2 3"
    contains "the second program" "$(process 2 .program)" "/sort$"
    for trace in p p.1 p.2 p.3; do verify "$trace"; done
fi

# An unrecorded child of a program that awaits signals computes for as long as it likes, in code
# that was recorded before.
cat > "$work/long.c" <<'C'
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile unsigned sum;
static void handle(int number) {}
__attribute__((noinline)) static void compute(unsigned turns)
{
    for (unsigned i = 0; i < turns; i++)
        sum += i;
}
int main(void)
{
    int status = 0;
    signal(SIGINT, handle);
    compute(10);
    pid_t pid = fork();
    if (pid == 0) {
        compute(1000000);
        _exit(7);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
C
"$compiler" -static -O1 -o "$work/long" "$work/long.c"
run 0 timeout 60 "$tcgrr" record --json -o "$work/long.tcgrr" -- "$qemu" "$work/long" # the child might never end
equal "a child that computes for long: exit" "$(json .exit)" "exit 7"
