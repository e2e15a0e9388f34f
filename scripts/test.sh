#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tests tcgrr: formatting, the unit tests, the tests against three real QEMUs, a minute of fuzzing.
# Installs what is missing, so that it runs on a bare Debian bookworm as root.
#
#   scripts/test.sh                enough to show that everything works here: style fuzz main
#   scripts/test.sh --all          every stage, the long tests among them, and longer fuzzing; takes hours
#   scripts/test.sh STAGE...       of  style fuzz main extended analyze clang address thread coverage long
#
# extended: the same on more versions of QEMU, and slower tests.
#
# TCGRR_JOBS: tests and compilers at a time (default: processors). TCGRR_FUZZ_EACH: seconds for each
# fuzz target (default: 6, with --all 600). The last line is "N passed, N failed, N skipped" over
# all tests; a stage that is no test counts as one if it fails.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib-install.sh
. scripts/lib-install.sh

jobs=${TCGRR_JOBS:-$(nproc)}
fuzz_each=${TCGRR_FUZZ_EACH:-6}
stages=("$@")
if [ $# = 0 ]; then
    stages=(style fuzz main)
elif [ "$*" = --all ]; then
    stages=(style analyze clang fuzz address thread coverage main extended long)
    fuzz_each=${TCGRR_FUZZ_EACH:-600}
fi
passed=0 failed=0 skipped=0
results=$(mktemp -d)
fetching=
clean_up() {
    # Its download may be over.
    [ -z "$fetching" ] || kill -- "-$fetching" 2>/dev/null || true
    rm -rf "$results"
}
trap clean_up EXIT
# Nothing asks anybody anything.
exec </dev/null

stage_failed() {
    say "FAILED: $*"
    failed=$((failed + 1))
}

# Downloads the QEMUs, in a process group of its own so that Ctrl-C ends all of it.
fetch_qemus() {
    set -m
    scripts/fetch-qemus.sh >"$results/qemus" &
    fetching=$!
    set +m
}

wait_for_qemus() {
    [ -n "$fetching" ] || return 0
    wait "$fetching" || { fetching=; die "the QEMUs to test with could not be fetched"; }
    fetching=
    TCGRR_QEMUS=$(<"$results/qemus")
}

stage_style() {
    # One process for all: starting clang-format takes longer than what it does to a file.
    find bench cli emu fixtures lockstep record replay store tests -name '*.[ch]' -print0 |
        xargs -0 clang-format --dry-run --Werror || stage_failed "clang-format -i, on what is named above"
    printf '%s\0' .ci/run scripts/*.sh tests/*.sh | xargs -0 -n 8 -P "$jobs" shellcheck -x || stage_failed "shellcheck"
}

# build FOLDER CMAKE_ARGUMENT...: all, or what $target names.
build() {
    local folder=$1
    shift
    cmake -B "$folder" -G Ninja -S . ${TCGRR_QEMUS:+"-DTCGRR_QEMUS=$TCGRR_QEMUS"} "$@" >"$results/build" &&
        ninja -C "$folder" -j "$jobs" "${target:-all}" >>"$results/build" && return 0
    grep -vE '^(-- |\[[0-9]+/[0-9]+\] (Building|Linking))' "$results/build" | tail -n 60 >&2
    stage_failed "building $folder"
    return 1
}

# Adds a CTest run's results to the sums. CTest calls a test whose program is missing "skipped";
# here it has failed.
count() {
    local tests failures skips
    tests=$(grep -c '<testcase ' "$1")
    failures=$(grep -cE '<failure|<skipped message="[^S]' "$1") || true
    skips=$(grep -c '<skipped message="SKIP_RETURN_CODE' "$1") || true
    passed=$((passed + tests - failures - skips))
    failed=$((failed + failures))
    skipped=$((skipped + skips))
    awk -F'"' '/<testcase /{name = $2} /^SKIP: |>SKIP: /{sub(/.*SKIP: /, ""); print "  skipped " name ": " $0}' "$1"
}

# run_tests FOLDER CTEST_ARGUMENT...
run_tests() {
    local folder=$1
    shift
    ctest --test-dir "$folder" -j "$jobs" --output-on-failure --output-junit "$results/junit.xml" "$@" ||
        say "FAILED: tests in $folder; again: ctest --test-dir $folder --rerun-failed --output-on-failure"
    count "$results/junit.xml"
}

# What clang-tidy and cppcheck find; .clang-tidy says what is looked for.
stage_analyze() {
    build build-analyze -DCMAKE_C_COMPILER=clang -DCMAKE_EXPORT_COMPILE_COMMANDS=ON || return 0
    run-clang-tidy -p build-analyze -quiet -j "$jobs" "$PWD/(cli|emu|lockstep|record|replay|store)/.*\.c$" \
        >"$results/tidy" 2>/dev/null || { grep -E '(warning|error): ' "$results/tidy" | sort -u >&2; stage_failed "clang-tidy"; }
    cppcheck -j "$jobs" --quiet --error-exitcode=1 --inline-suppr --std=c11 --library=gtk --suppressions-list=tests/cppcheck.txt \
        --enable=warning,portability -I . cli emu lockstep record replay store || stage_failed "cppcheck"
}

stage_clang() { build build-clang -DCMAKE_C_COMPILER=clang || true; }

stage_fuzz() {
    target=fuzz-targets build build-fuzz -DCMAKE_C_COMPILER=clang -DTCGRR_FUZZ=ON -DTCGRR_FUZZ_SECONDS="$fuzz_each" || return 0
    run_tests build-fuzz -L fuzz
}

stage_address() {
    build build-address -DTCGRR_SANITIZE=address,undefined || return 0
    run_tests build-address -R '^(unit_.*|qemu_smoke_10\.0)$'
}

stage_thread() {
    build build-thread -DTCGRR_SANITIZE=thread || return 0
    run_tests build-thread -R '^(unit_(live|live_sample|peer|qmp|process|builds|vcpus|reconverge|kinds)|qemu_smoke_10\.0)$'
}

stage_coverage() {
    build build-coverage -DCMAKE_C_COMPILER=clang -DTCGRR_COVERAGE=ON || return 0
    rm -rf build-coverage/profiles
    # Not qemu_user_end: a program sees the variable that the measured plugin sets in QEMU.
    LLVM_PROFILE_FILE=$PWD/build-coverage/profiles/%c%m.profraw \
        run_tests build-coverage -LE long -E '^qemu_user_end_'
    scripts/coverage.sh build-coverage || stage_failed "scripts/coverage.sh build-coverage"
}

stage_main() {
    build build || return 0
    run_tests build -LE 'long|extended'
}

stage_extended() {
    build build || return 0
    run_tests build -L extended
}

# What is too long for every day: whole boots in all directions, stress, builds from source.
stage_long() {
    build build || return 0
    run_tests build -L long
}

# shellcheck disable=SC2086
install_packages $packages_build $packages_qemu $packages_test
fetch_qemus
for stage in "${stages[@]}"; do
    declare -F "stage_$stage" >/dev/null || die "there is no stage '$stage'"
    began=$SECONDS
    # The download goes on during stages that need no QEMU.
    case $stage in style | fuzz) ;; *) wait_for_qemus ;; esac
    say "stage $stage"
    "stage_$stage"
    say "stage $stage took $((SECONDS - began)) s"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
