# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by the qemu_*.sh tests. TCGRR_BUILD: the build to test (default: build beside this
# folder); TCGRR_QEMUS: where scripts/fetch-qemus.sh put the QEMUs. Each test works in a folder of
# its own, $work, that stays there if it fails.
set -euo pipefail

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib-elf.sh
. "$tests/../scripts/lib-elf.sh"
export HOME=${HOME:-/root}
export TCGRR_BUILD=${TCGRR_BUILD:-$(dirname "$tests")/build}
export TCGRR_QEMUS=${TCGRR_QEMUS:-${XDG_CACHE_HOME:-$HOME/.cache}/tcgrr/qemus}
tcgrr=$TCGRR_BUILD/bin/tcgrr
fixtures=$TCGRR_BUILD/fixtures
work=$(mktemp -d "${TMPDIR:-/tmp}/tcgrr-test.XXXXXX")
failures=0
# The guests that QEMU can record with rr: all bare-metal ones with a single vCPU, but the one that
# takes long. To each belongs the checksum on its console; the last four are wrong on some versions
# (checksum_of).
# shellcheck disable=SC2034
declare -A rr_guests=(
    [rv64-compute-short]=d694c3827a8c7e58 [rv64-timer]=1265c656e9502065 [rv64-mmio]=22ae1bfce071a461
    [rv64-trap]=843e639bb6ca5686 [rv64-pagefault]=b787d743c3177210 [rv64-wfi]=d6217ab1377690dd
    [rv64-reset]=ab4ae8aa66ae20e9 [a64-reset]=ab4ae8aa66ae20e9 [rv64-smc]=936f21ad952e52b7 [rv64-mem]=0000000013feb66c [a64-timer]=1265c656e9502065 [a64-pagefault]=d37792312d97f394
    [a64-user]=53d88e2bca87d7d1 [a64-mmio]=38c055f907b87999 [a64-wfi]=d6217ab1377690dd [a64-smc]=ec1089f9739e0621
    [x86-timer]=ff529556e11bd22d [x86-pause]=0026e76a33a88851 [x86-fault]=b70e60d0a6dbb706 [x86-mmio]=b8b84dd196f87a29
    [rv64-clock]=4a2620373cd184b5 [a64-clock]=4a2620373cd184b5 [x86-clock]=4a2620373cd184b5
    [x86-smc]=627ed8be9df99a7d [thumb-systick]=5bdacde49194f9a7
    [thumb-fault]=007a0cb5e55513ed [thumb-wfi]=d6217ab1377690dd [x86-blsi]=000000002fafaa01
    [rv64-ctzw]=1e56b72a6e9d7802 [a64-fcvtzs]=1b21c280cafa3002 [x86-fcomi]=0000000032ad7cc2
    [x86-crossing]=000000003af9aa97 [rv64-float]=3fcce9a7f5cc12bc [a64-float]=3fcce9a7f5cc12bc [x86-float]=3fcce9a7f5cc12bc)
test_command="TCGRR_BUILD=$TCGRR_BUILD TCGRR_QEMUS=$TCGRR_QEMUS $0 $*"
exec </dev/null

finish() {
    local status=$?
    [ "$failures" = 0 ] || [ "$status" != 0 ] || status=1
    if [ "$status" = 0 ] || [ "$status" = 77 ]; then
        rm -rf "$work"
    else
        echo "The files are in $work; run it again with"
        echo "  $test_command"
    fi
    exit "$status"
}
trap finish EXIT

# On standard error, because it may be called in a command substitution, whose status ends the test.
skip() { echo "SKIP: $*" >&2; exit 77; }

# Notes a failure and goes on, so that one run shows all that is wrong.
fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}

# equal WHAT FOUND WANTED
equal() { [ "$2" = "$3" ] || fail "$1: found '$2', wanted '$3'"; }

# contains WHAT TEXT PATTERN (an extended regular expression, for lines)
contains() { grep -qE -- "$3" <<<"$2" || fail "$1: '$3' is not in: $2"; }

# run STATUS COMMAND...: runs it with its output in $work/out and $work/err, and wants this exit
# status.
run() {
    local wanted=$1 status=0
    shift
    "$@" >"$work/out" 2>"$work/err" || status=$?
    [ "$status" = "$wanted" ] || fail "$*: exit status $status, wanted $wanted; it said: $(tail -n 3 "$work/err")"
}

# complains STATUS PATTERN COMMAND...: it fails like this with a single line of tcgrr's own on
# standard error. What QEMU itself says goes there too.
complains() {
    local wanted=$1 pattern=$2
    shift 2
    run "$wanted" "$@"
    equal "lines that '$*' complains with" "$(grep -c '^tcgrr: ' "$work/err")" 1
    contains "what '$*' complains of" "$(grep '^tcgrr: ' "$work/err" || true)" "$pattern"
}

# checksum_of NAME VERSION: what the guest prints there, right or wrong.
checksum_of() {
    case $1-$2 in
    x86-blsi-7.2) echo 00000000242c485b ;;
    rv64-ctzw-7.2) echo 0d80b01fe08d3ddc ;;
    a64-fcvtzs-7.2) echo 710099417ed8d23d ;;
    x86-fcomi-7.2 | x86-fcomi-10.0) echo 00000000b1a000fe ;;
    *) echo "${rr_guests[$1]}" ;;
    esac
}

# json FILTER: of what the last `run` printed.
json() { jq -r "$1" "$work/out"; }

# The QEMU for a target ("riscv64", or "user-aarch64") in a version.
qemu() {
    local name=qemu-system-$1-$2
    [[ $1 != user-* ]] || name=qemu-${1#user-}-$2
    [ -x "$TCGRR_QEMUS/bin/$name" ] || skip "$name is missing; scripts/fetch-qemus.sh gets it"
    echo "$TCGRR_QEMUS/bin/$name"
}

# guest NAME VERSION [ELF]: sets `guest` to the command that runs a fixture (fixtures/README.md), or
# that version of it, with its console in a file.
guest() {
    local name=$1 version=$2 elf=${3:-$fixtures/$1.elf}
    [ -f "$elf" ] || skip "$elf is missing; building the guests needs clang and lld"
    case $name in
    rv64-smp*) guest=("$(qemu riscv64 "$version")" -M virt -bios none -smp 2) ;;
    rv64-vfcvt) guest=("$(qemu riscv64 "$version")" -M virt -bios none -cpu "rv64,v=true") ;;
    rv64-*) guest=("$(qemu riscv64 "$version")" -M virt -bios none) ;;
    a64-fcvtzs) guest=("$(qemu aarch64 "$version")" -M virt -cpu neoverse-n1) ;;
    a64-*) guest=("$(qemu aarch64 "$version")" -M virt -cpu cortex-a57) ;;
    thumb-*)
        guest=("$(qemu arm "$version")" -M mps2-an385 -cpu cortex-m3 -semihosting-config "enable=on,target=native")
        ;;
    x86-panic) guest=("$(qemu x86_64 "$version")" -M pc -device pvpanic) ;;
    x86-blsi) guest=("$(qemu x86_64 "$version")" -M pc -cpu max -device "isa-debug-exit,iobase=0xf4,iosize=0x04") ;;
    x86-*) guest=("$(qemu x86_64 "$version")" -M pc -device "isa-debug-exit,iobase=0xf4,iosize=0x04") ;;
    user-hello-*)
        guest=("$(qemu "user-${name#user-hello-}" "$version")" "$elf")
        return
        ;;
    esac
    guest+=(-kernel "$elf" -display none -monitor none -serial "file:$work/$name.console")
}

# copy_guest NAME ELF: a copy of a fixture, to change.
copy_guest() {
    [ -f "$fixtures/$1.elf" ] || skip "$fixtures/$1.elf is missing; building the guests needs clang and lld"
    cp "$fixtures/$1.elf" "$2"
}

# Sets `guest` to a boot of Linux that ends by itself.
guest_linux() {
    local kernel=$TCGRR_QEMUS/guests/linux-arm64
    [ -f "$kernel" ] || skip "$kernel is missing; scripts/fetch-qemus.sh gets it"
    guest=("$(qemu aarch64 "$1")" -M virt -cpu cortex-a57 -m 512 -nic none -no-reboot -kernel "$kernel"
           -append "console=ttyAMA0 panic=-1" -display none -monitor none -serial "file:$work/linux.console")
}

# record TRACE [OPTION...]: records `guest` in $work/TRACE.tcgrr, with tcgrr's JSON as the last
# `run`'s output.
record() {
    local trace=$work/$1.tcgrr
    shift
    run 0 "$tcgrr" record --json -o "$trace" "$@" -- "${guest[@]}"
}

# verify TRACE: it is sound.
verify() {
    "$tcgrr" verify "$work/$1.tcgrr" >"$work/verify" 2>&1 || fail "verify $1: $(cat "$work/verify")"
}

# QEMU's count by its rr log, for guests that end QEMU before it can be asked.
rr_count() {
    "$tcgrr" extract "$work/$1.tcgrr" "$work/$1.files" >/dev/null
    od -An -v -tu1 -w1 "$work/$1.files/replay.rr" | awk -f "$tests/rr_count.awk"
}
