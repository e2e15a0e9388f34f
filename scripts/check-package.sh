#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What a packager does, in clean installations of Debian bookworm: builds with nothing but the
# packages that lib-install.sh lists for it, installs and uninstalls, makes Debian packages, checks
# them, and uses them on a Debian that has never seen a compiler. Then it builds with the least that
# a build needs, and cross-compiles for arm64, where the unit tests run under QEMU. Only what git
# has committed is built.
#
#   scripts/check-package.sh [package|least|arm64]...     default: all; needs root, debootstrap, and some gigabytes in $TMPDIR
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib-install.sh
. scripts/lib-install.sh
# shellcheck source=scripts/lib-apt.sh
. scripts/lib-apt.sh

[ "$(id -u)" = 0 ] || die "chroot needs root"
command -v debootstrap >/dev/null || die "debootstrap is missing; apt-get install debootstrap"
# What is mounted below goes away with this process.
[ -n "${TCGRR_UNSHARED:-}" ] || exec env TCGRR_UNSHARED=1 unshare --mount -- "scripts/${0##*/}" "$@"

work=$(mktemp -d)
trap 'find "$work" -mindepth 2 -maxdepth 2 -name proc -exec umount {} \; 2>/dev/null; rm -rf --one-file-system "$work"' EXIT

# inside ROOT COMMAND: a shell's command in that installation, where the checkout is in /src; prints
# what it said if it fails.
inside() {
    chroot "$work/$1" env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        bash -ec "cd /src; $2" </dev/null >"$work/log" 2>&1 || { tail -n 60 "$work/log" >&2; die "failed: $2"; }
}

# clean ROOT: a Debian with its essential packages.
clean() {
    [ -d "$work/debian" ] || debootstrap --variant=minbase bookworm "$work/debian" "$(debian_mirror)" >"$work/log" 2>&1 ||
        { tail "$work/log" >&2; die "debootstrap failed"; }
    cp -a "$work/debian" "$work/$1"
    mkdir "$work/$1/src"
    mount -t proc proc "$work/$1/proc"
    echo "127.0.0.1 localhost" >"$work/$1/etc/hosts"
}

# with_source ROOT PACKAGE...: a clean Debian with these packages and the checkout.
with_source() {
    local root=$1
    shift
    clean "$root"
    git archive HEAD | tar -x -C "$work/$root/src"
    inside "$root" "apt-get install -qq --no-install-recommends $*"
}

check_package() {
    say "building with the packages of packages_build"
    # shellcheck disable=SC2086
    with_source build $packages_build
    inside build "cmake -B build -G Ninja -S . && ninja -C build"
    say "installing, uninstalling"
    inside build "touch /before; cmake --install build; tcgrr version; tcgrr help record; ninja -C build uninstall
        [ -z \"\$(find /usr -type f -newer /before ! -name ld.so.cache)\" ]"
    say "making packages"
    inside build "apt-get install -qq --no-install-recommends lintian; cd build; cpack"
    inside build "[ -z \"\$(lintian --allow-root build/*.deb | tee /dev/stderr)\" ]"

    say "using the packages"
    clean use
    cp "$work"/build/src/build/*.deb "$work/build/src/build/fixtures/rv64-wfi.elf" "$work/use/src"
    inside use "apt-get install -qq --no-install-recommends ./tcgrr_*.deb; dpkg -s libllvm19 && exit 1; tcgrr version"
    inside use "tcgrr doctor && exit 1; [ \$? = 3 ]"
    inside use "apt-get install -qq --no-install-recommends qemu-system-misc; tcgrr doctor
        tcgrr record -o guest.tcgrr -- qemu-system-riscv64 -M virt -bios none -display none -kernel rv64-wfi.elf
        tcgrr replay guest.tcgrr; tcgrr verify guest.tcgrr"
    inside use "apt-get install -qq --no-install-recommends ./tcgrr-llvm_*.deb; tcgrr version
        apt-get purge -qq tcgrr tcgrr-llvm; [ -z \"\$(find /usr /etc -name '*tcgrr*')\" ]"
}

check_least() {
    local package least=""
    for package in $packages_build; do
        case $package in
        libncurses-dev | libdw-dev | libcmocka-dev | clang | lld | g++ | llvm-*) ;; # optional, or for tests
        *) least="$least $package" ;;
        esac
    done
    say "building with$least"
    with_source least "$least"
    inside least "cmake -B build -G Ninja -S . -DBUILD_TESTING=OFF && ninja -C build && build/bin/tcgrr version"
}

check_arm64() {
    local package libraries=""
    for package in $packages_build; do
        case $package in lib*-dev) libraries="$libraries $package:arm64" ;; esac
    done
    say "cross-compiling for arm64"
    clean arm64
    inside arm64 "dpkg --add-architecture arm64; apt-get update -qq"
    git archive HEAD | tar -x -C "$work/arm64/src"
    inside arm64 "apt-get install -qq --no-install-recommends cmake ninja-build pkg-config qemu-user gcc-aarch64-linux-gnu $libraries"
    inside arm64 "cmake -B build -G Ninja -S . --toolchain scripts/arm64.cmake && ninja -C build"
    say "running its unit tests under QEMU"
    inside arm64 "ctest --test-dir build -L unit -j $(nproc) --output-on-failure"
    tail -n 3 "$work/log"
}

[ $# -gt 0 ] || set -- package least arm64
for part in "$@"; do
    case $part in
    package | least | arm64) "check_$part" ;;
    *) die "no such part: $part" ;;
    esac
done
say "all of it works"
