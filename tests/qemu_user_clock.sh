#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: x86_64 aarch64 riscv64 x86_64-10.2-src aarch64-10.2-src riscv64-10.2-src
# User mode: a program whose way depends on a clock that an instruction reads. That is given again
# or, where it cannot be, there is no verdict, because even the QEMU that recorded the program does
# not repeat its run. What else differs is a divergence.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

target=${1:-x86_64}
version=7.2
[[ $target != *-* ]] || version=${target#*-}
target=${target%%-*}
qemu=$(qemu "user-$target" "$version")
compiler=$(command -v "$target-linux-gnu-gcc" || { [ "$target" = "$(uname -m)" ] && command -v gcc; }) ||
    skip "no $target-linux-gnu-gcc; the package is gcc-$target-linux-gnu"
blocks_of_one=$([ "$version" = 7.2 ] && echo -singlestep || echo -one-insn-per-tb)

cat > "$work/clock.c" <<'C'
#include <time.h>
/* In whatever way the instruction is followed by the next one. */
static unsigned long now(int i)
{
    unsigned long time;
#if defined(__x86_64__)
    __asm__ volatile("rdtsc\n\tshl $32, %%rdx\n\tor %%rdx, %%rax" : "=a"(time) : : "rdx");
#elif defined(__aarch64__)
    if (i % 3 == 0)
        __asm__ volatile("mrs %0, cntvct_el0" : "=r"(time));
    else if (i % 3 == 1)
        __asm__ volatile("mrs x28, s3_3_c14_c0_6\n\tb 1f\n1:\tmov %0, x28" : "=r"(time) : : "x28");
    else
        __asm__ volatile("mrs x0, cntvct_el0\n\tcbnz x0, 1f\n\tnop\n1:\tmov %0, x0" : "=r"(time) : : "x0");
#else
    if (i % 3 == 0)
        __asm__ volatile("rdtime %0" : "=r"(time));
    else if (i % 3 == 1)
        __asm__ volatile("rdcycle s11\n\tc.mv %0, s11" : "=r"(time) : : "s11");
    else
        __asm__ volatile("rdinstret a5\n\tbnez a5, 1f\n\tnop\n1:\tmv %0, a5" : "=r"(time) : : "a5");
#endif
    return time;
}
int main(int argc, char **argv)
{
    static volatile unsigned sum;
    struct timespec pause = {0, 1000000};
    for (int i = 0; i < 10; i++) {
        unsigned long turns = now(i) / 1024 % 1024;
        for (unsigned long k = 0; k < turns; k++)
            sum += CHANGE;
        nanosleep(&pause, 0);
    }
    return 0;
}
C
"$compiler" -static -O1 -DCHANGE=1 -o "$work/clock" "$work/clock.c" 2>"$work/err" ||
    skip "$compiler cannot make a static program: $(head -n 1 "$work/err")"

run 0 "$tcgrr" record -o "$work/clock.tcgrr" -- "$qemu" "$work/clock"
if [ "$version" = 7.2 ]; then
    complains 3 "no verdict" "$tcgrr" replay "$work/clock.tcgrr"
    complains 3 "no verdict" "$tcgrr" replay "$work/clock.tcgrr" --qemu "$qemu"
    complains 3 "no verdict" "$tcgrr" replay "$work/clock.tcgrr" -- "$blocks_of_one"
    run 125 "$tcgrr" bisect-run "$work/clock.tcgrr" --qemu "$qemu"
    run 3 "$tcgrr" bisect "$work/clock.tcgrr" --qemu "$qemu"
    run 3 "$tcgrr" lockstep --a "$qemu" --b "$qemu" -- "$work/clock"
    run 3 "$tcgrr" lockstep --a "$qemu" --b "$qemu" --b-arg "$blocks_of_one" -- "$work/clock"
    run 3 "$tcgrr" lockstep --a "$work/clock.tcgrr" --b "$qemu" -- "$work/clock"
    run 3 "$tcgrr" replay --json "$work/clock.tcgrr"
    equal "what --json says" "$(json .diverged)" null
else
    icount=$("$tcgrr" info "$work/clock.tcgrr" --json | jq .icount)
    for _ in 1 2; do
        run 0 "$tcgrr" replay --json "$work/clock.tcgrr"
        equal "verdict" "$(json .verdict)" "no divergence"
        equal "compared" "$(json .compared)" "$icount"
    done
    run 0 "$tcgrr" replay "$work/clock.tcgrr" -- "$blocks_of_one"
    run 0 "$tcgrr" bisect-run "$work/clock.tcgrr" --qemu "$qemu"
    run 0 "$tcgrr" lockstep --a "$qemu" --b "$qemu" -- "$work/clock"
    run 0 "$tcgrr" lockstep --a "$work/clock.tcgrr" --b "$qemu" --b-arg "$blocks_of_one" -- "$work/clock"
    run 0 "$tcgrr" lockstep --level state --a "$qemu" --b "$qemu" -- "$work/clock"
fi

# A signal may come between the instruction that reads the clock and the next one, and its handler
# reads it, too.
cat > "$work/timer.c" <<'C'
#include <signal.h>
#include <sys/time.h>
NOW
static volatile unsigned sum, caught;
static void work(unsigned long turns)
{
    while (turns-- > 0)
        sum++;
}
static void handler(int signal)
{
    work(now(0) / 1024 % 128);
    caught++;
}
int main(void)
{
    struct itimerval every = {{0, 500}, {0, 500}};
    signal(SIGALRM, handler);
    setitimer(ITIMER_REAL, &every, 0);
    while (caught < 100)
        work(now(0) / 1024 % 8);
    return 0;
}
C
sed -e "/^static unsigned long now/,/^}/!d" "$work/clock.c" >"$work/now.c"
sed -i -e "/^NOW/r $work/now.c" -e "/^NOW/d" "$work/timer.c"
"$compiler" -static -O1 -o "$work/timer" "$work/timer.c"
if [ "$version" != 7.2 ]; then
    run 0 "$tcgrr" record -o "$work/timer.tcgrr" -- "$qemu" "$work/timer"
    run 0 "$tcgrr" replay --json "$work/timer.tcgrr"
    equal "a clock and a timer: verdict" "$(json .verdict)" "no divergence"
fi

# A difference right after the clock was read shows in every second run only: the QEMU that recorded
# the program may well repeat that run.
cat > "$work/bit.c" <<'C'
NOW
int main(void)
{
    static volatile unsigned sum;
    int turns = now(0) / 1024 % 2 ? 2000 : 1;
    for (int i = 0; i < turns; i++)
        sum += (unsigned)i;
    return 0;
}
C
sed -i -e "/^NOW/r $work/now.c" -e "/^NOW/d" "$work/bit.c"
"$compiler" -static -O1 -o "$work/bit" "$work/bit.c"
run 0 "$tcgrr" record -o "$work/bit.tcgrr" -- "$qemu" "$work/bit"
diverged=0
for _ in 1 2 3 4 5 6; do
    status=0
    "$tcgrr" replay "$work/bit.tcgrr" --qemu "$qemu" >"$work/out" 2>"$work/err" || status=$?
    [ "$status" = 0 ] || { [ "$status" = 3 ] && [ "$version" = 7.2 ]; } || diverged=$status
done
equal "exit status of a replay that differs right after the clock was read" "$diverged" 0

# x86 programs also read the number of the processor on which QEMU runs.
cat > "$work/processor.c" <<'C'
int main(void)
{
    static volatile unsigned sum;
    unsigned low, high, number, again, upper;
    for (int i = 0; i < 20; i++) {
        __asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(number));
        __asm__ volatile(".byte 0xf3, 0x0f, 0xc7, 0xf8" : "=a"(again)); /* rdpid %rax */
        __asm__ volatile(".byte 0xf3, 0x41, 0x0f, 0xc7, 0xf9\n\tjmp 1f\n1:\tmov %%r9d, %0" : "=r"(upper) : : "r9");
        for (unsigned k = 0; k < 10 + 50 * (number + 2 * again + 4 * upper); k++)
            sum += low;
    }
    return 0;
}
C
if [ "$target" = x86_64 ] && [ "$version" != 7.2 ] && taskset -c 0 true && taskset -c 1 true; then
    "$compiler" -static -O1 -o "$work/processor" "$work/processor.c"
    for level in flow state; do
        run 0 taskset -c 1 "$tcgrr" record --level "$level" -o "$work/$level.tcgrr" -- "$qemu" -cpu max "$work/processor"
        run 0 taskset -c 0 "$tcgrr" replay --json "$work/$level.tcgrr"
        equal "the processor's number at level $level: verdict" "$(json .verdict)" "no divergence"
        run 0 taskset -c 0 "$tcgrr" lockstep --a "$work/$level.tcgrr" --b "$qemu" --b-arg -cpu --b-arg max -- "$work/processor"
    done
fi

# Another program under the same name is another one.
"$compiler" -static -O1 -DCHANGE=2 -o "$work/clock" "$work/clock.c"
run 1 "$tcgrr" replay "$work/clock.tcgrr"
run 1 "$tcgrr" replay "$work/clock.tcgrr" --qemu "$qemu"
run 1 "$tcgrr" bisect-run "$work/clock.tcgrr" --qemu "$qemu"
run 1 "$tcgrr" lockstep --a "$work/clock.tcgrr" --b "$qemu" -- "$work/clock"

# So is one whose library is another one.
if [ "$target" = "$(uname -m)" ]; then
    echo "int next(int i) { return CHANGE; }" >"$work/next.c"
    printf '%s\n' "int next(int);" "int main(void) { int i = 0; while (i < 99) i = next(i); return 0; }" >"$work/uses.c"
    "$compiler" -shared -fPIC -O1 "-DCHANGE=i+1" -o "$work/libnext.so" "$work/next.c"
    "$compiler" -O1 -o "$work/uses" "$work/uses.c" "$work/libnext.so" "-Wl,-rpath,$work"
    run 0 "$tcgrr" record -o "$work/uses.tcgrr" -- "$qemu" "$work/uses"
    run 0 "$tcgrr" replay "$work/uses.tcgrr"
    "$compiler" -shared -fPIC -O1 "-DCHANGE=i+2" -o "$work/libnext.so" "$work/next.c"
    # Of what is mapped the newer QEMU gives the bytes again.
    run "$([ "$version" = 7.2 ] && echo 1 || echo 0)" "$tcgrr" replay "$work/uses.tcgrr"
    run "$([ "$version" = 7.2 ] && echo 1 || echo 0)" "$tcgrr" replay "$work/uses.tcgrr" --qemu "$qemu"
fi
