# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by setup.sh and test.sh: which Debian packages building, using and testing tcgrr need, and
# how they are installed.

# Compiler, build tools, libraries; clang and lld compile the test guests for every target.
# shellcheck disable=SC2034
packages_build="gcc libc6-dev binutils cmake ninja-build pkg-config libglib2.0-dev libsqlite3-dev libzstd-dev libxxhash-dev
libcapstone-dev libncurses-dev libelf-dev libdw-dev libfdt-dev libjansson-dev libcmocka-dev clang lld g++ llvm-19-dev"
# The system's own QEMU; scripts/fetch-qemus.sh puts two more beside it, which use the libraries of
# this one.
# shellcheck disable=SC2034
packages_qemu="qemu-system-arm qemu-system-misc qemu-system-x86 qemu-user"
# What the test scripts call, and the analyzers. A browser, which tests/qemu_page.sh takes if there
# is one, would be half as much to download as all the rest.
# shellcheck disable=SC2034
packages_test="tmux lcov jq sqlite3 procps python3 gdb-multiarch protobuf-compiler strace faketime valgrind man-db fish
libclang-rt-dev clang-format shellcheck clang-tidy cppcheck llvm binutils-s390x-linux-gnu"

# The messages of the script that sources this.
say() { echo "${0##*/}: $*" >&2; }
die() { say "$*"; exit 1; }

# A program without a home still has a place for what is downloaded.
export HOME=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}

# missing_packages PACKAGE...: those of them that are not installed.
missing_packages() {
    local package
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

# install_packages PACKAGE...: installs what is missing; touches nothing, and needs no root, if
# nothing is.
install_packages() {
    local missing as_root=()
    command -v dpkg-query >/dev/null || { say "no Debian package system here: taking it that $* are there"; return 0; }
    missing=$(missing_packages "$@" | tr '\n' ' ')
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || die "these packages are missing; as root: apt-get install $missing"
        as_root=(sudo)
    fi
    as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y)
    say "installing $missing"
    # shellcheck disable=SC2086
    if ! { "${as_root[@]}" update && "${as_root[@]}" install --no-install-recommends $missing; } </dev/null >/dev/null; then
        die "apt-get could not install $missing"
    fi
}
