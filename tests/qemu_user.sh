#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# User-mode QEMU: exact counts without icount, system calls as events, threads and processes.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

# events TRACE SQL-CONDITION: how many there are.
events() { sqlite3 "$work/$1.tcgrr" "SELECT count(*) FROM event WHERE $2"; }

# hello ARCH WRITE GETPID MMAP EXIT_GROUP: the numbers of its system calls.
hello() {
    local name=user-hello-$1
    guest "$name" 7.2
    "$tcgrr" record --json -o "$work/$name.tcgrr" -- "${guest[@]}" >"$work/out" 2>"$work/err" || fail "$name: exit status $?"
    contains "$name: console" "$(cat "$work/err")" "^$name: ok fd527fef49f2d944"
    run 0 "$tcgrr" info --json "$work/$name.tcgrr"
    equal "$name: mode" "$(json .mode)" user
    equal "$name: complete" "$(json .complete)" true
    equal "$name: exit" "$(json .exit)" "exit 7"
    equal "$name: rr" "$(json .rr)" false
    equal "$name: uncertain counts" "$(json .assumed)" 0
    verify "$name"
    # The program's own counting of its work is not there to compare with, but it is the same every
    # time.
    first=$(json .icount)
    run 7 "${guest[@]}" # as without tcgrr
    "$tcgrr" record --json --force -o "$work/$name.tcgrr" -- "${guest[@]}" >/dev/null 2>&1
    run 0 "$tcgrr" info --json "$work/$name.tcgrr"
    equal "$name: icount the second time" "$(json .icount)" "$first"
    equal "$name: getpid" "$(events "$name" "kind = 'syscall' AND number = $3")" 1
    equal "$name: mmap's size" \
        "$(sqlite3 "$work/$name.tcgrr" "SELECT arguments ->> 1 FROM event WHERE kind = 'syscall' AND number = $4")" 0x8000
    equal "$name: getpid's result" "$(events "$name" "kind = 'syscall_return' AND number = $3 AND result > 0")" 1
    equal "$name: first write's result" "$(sqlite3 "$work/$name.tcgrr" \
        "SELECT result FROM event WHERE kind = 'syscall_return' AND number = $2 ORDER BY id LIMIT 1")" $((${#name} + 8))
    equal "$name: the status it exits with" \
        "$(sqlite3 "$work/$name.tcgrr" "SELECT arguments ->> 0 FROM event WHERE kind = 'syscall' AND number = $5")" 0x7
}

hello aarch64 64 172 222 94
hello riscv64 64 172 222 94
hello x86_64 1 39 9 231
hello arm 4 20 192 248

compiler=$(command -v gcc || command -v cc || command -v clang) || skip "no C compiler for programs with threads and forks"
[ "$(uname -m)" = x86_64 ] || skip "programs with threads and forks are built for x86_64"
qemu=$(qemu user-x86_64 7.2)

cat > "$work/threads.c" <<'C'
#include <pthread.h>
#include <stdio.h>
static void *work(void *data) { puts("thread"); return data; }
int main(void)
{
    pthread_t thread;
    puts("before");
    pthread_create(&thread, NULL, work, NULL);
    pthread_join(thread, NULL);
    puts("after");
    return 0;
}
C
"$compiler" -static -pthread -O1 -o "$work/threads" "$work/threads.c"
run 0 "$tcgrr" record --json -o "$work/threads.tcgrr" -- "$qemu" "$work/threads"
equal "threads: the program's own output" "$(grep -cE '^(before|thread|after)$' "$work/err")" 3
equal "threads: complete" "$(json .complete)" true
equal "threads: how many" "$(json .vcpus)" 2
equal "threads: all of them ran" "$("$tcgrr" query "$work/threads.tcgrr" --format csv \
    "SELECT count(DISTINCT vcpu) AS n FROM exec" | tail -n 1)" 2
verify threads

cat > "$work/fork.c" <<'C'
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    volatile unsigned long sum = 0;
    int status = 0;
    pid_t child = argc > 1 ? fork() : -1;
    if (child == 0) {
        for (unsigned long i = 0; i < 10000000; i++)
            sum += i;
        _exit(3);
    }
    if (child > 0)
        waitpid(child, &status, 0);
    return status == 3 << 8 ? 5 : 4;
}
C
"$compiler" -static -O1 -o "$work/fork" "$work/fork.c"
"$tcgrr" record --json -o "$work/fork.tcgrr" -- "$qemu" "$work/fork" child >"$work/out" 2>"$work/err" || fail "fork: exit status $?"
equal "fork: exit" "$(json .exit)" "exit 5"
equal "fork: complete" "$(json .complete)" true
[ "$(json .icount)" -lt 5000000 ] || fail "fork: $(json .icount) instructions: the child's are among them"
equal "fork: the parent waits" "$(events fork "kind = 'syscall_return' AND number = 61 AND result > 0")" 1
verify fork

# A position-independent program: symbols are where its code is, not where it was linked.
for kind in -pie -static-pie; do
    "$compiler" -O1 -fPIE $kind -o "$work/moved" "$work/fork.c"
    "$tcgrr" record --force -o "$work/moved.tcgrr" -- "$qemu" "$work/moved" >"$work/out" 2>"$work/err" ||
        fail "moved: exit status $?"
    linked=$((0x$(nm "$work/moved" | awk '$3 == "main" { print $1 }')))
    at=$(sqlite3 "$work/moved.tcgrr" "SELECT address FROM symbol WHERE name = 'main'")
    [ "$at" != "$linked" ] || fail "$kind: main is where it was linked"
    equal "$kind: main begins once" "$("$tcgrr" query "$work/moved.tcgrr" --format csv \
        "SELECT count(*) AS n FROM insn WHERE pc = $at AND symbol = 'main'" | tail -n 1)" 1
    run 0 "$tcgrr" record --json --level full --full-from main -o "$work/full.tcgrr" --force -- "$qemu" "$work/moved"
    equal "$kind: accesses are kept from main on" "$(sqlite3 "$work/full.tcgrr" "SELECT mem_from FROM run")" \
        "$("$tcgrr" query "$work/full.tcgrr" --format csv "SELECT icount FROM insn WHERE symbol = 'main'" | tail -n 1)"
    [ "$("$tcgrr" query "$work/full.tcgrr" --format csv "SELECT count(*) FROM mem" | tail -n 1)" -gt 0 ] ||
        fail "$kind: no access from main on"
    run 0 "$tcgrr" replay --json --from main "$work/moved.tcgrr"
    equal "$kind: diverged" "$(json .diverged)" false
    [ "$(json .compared)" -gt 0 ] || fail "$kind: nothing was compared from main on"
    from=$("$tcgrr" query "$work/moved.tcgrr" --format csv "SELECT icount FROM insn WHERE pc = $at" | tail -n 1)
    run 0 "$tcgrr" lockstep --from main --a "$qemu" --b "$qemu" -- "$work/moved"
    contains "$kind: lockstep begins with main" "$(tr -d , < "$work/out")" "from icount $from of A .* and $from of B"
done

# A stripped one has the functions that it exports.
"$compiler" -O1 -fPIE -pie -rdynamic -s -o "$work/stripped" "$work/fork.c"
"$tcgrr" record -o "$work/stripped.tcgrr" -- "$qemu" "$work/stripped" >"$work/out" 2>"$work/err" || fail "stripped: exit status $?"
run 0 "$tcgrr" replay --json --from main "$work/stripped.tcgrr"
equal "stripped: diverged" "$(json .diverged)" false
