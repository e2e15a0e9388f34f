#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Puts QEMU 10.0 (bookworm-backports) and 11.1 (trixie-backports) beside the system's own QEMU, and
# the guests the tests boot, all under one private folder. Needs no root and changes nothing outside
# that folder: apt runs with its own lists, status and cache, and the archives are only unpacked.
#
#   scripts/fetch-qemus.sh [--all-targets] [FOLDER]      default: $TCGRR_QEMUS, else ~/.cache/tcgrr/qemus
#
# Afterwards FOLDER/bin has one command for each, for example qemu-system-aarch64-10.0, and
# FOLDER/guests a Linux kernel for arm64 and u-boot. Prints FOLDER. A second run does nothing for
# what is already complete. With --all-targets every other system target of 7.2, 10.0 and 11.1 is
# put there, too: about 500 MB more to download, 1.5 GB unpacked.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib-install.sh
. scripts/lib-install.sh
# shellcheck source=scripts/lib-apt.sh
. scripts/lib-apt.sh

all_targets=
if [ "${1:-}" = --all-targets ]; then
    all_targets=yes
    shift
fi
folder=${1:-${TCGRR_QEMUS:-${XDG_CACHE_HOME:-$HOME/.cache}/tcgrr/qemus}}
mkdir -p "$folder/bin" "$folder/guests"
folder=$(cd "$folder" && pwd)
bin=$folder/bin
lib=usr/lib/x86_64-linux-gnu
packages=(qemu-system-arm qemu-system-misc qemu-system-x86 qemu-system-data seabios)
targets="aarch64 arm i386 riscv32 riscv64 x86_64"
# What the targets beyond those come in.
more_packages=(qemu-system-misc qemu-system-mips qemu-system-ppc qemu-system-sparc qemu-system-data seabios)

# fetch SUITE BASE PREFIX COMMAND...: runs apt-get's COMMAND, which downloads archives, and unpacks
# them in PREFIX.
fetch() {
    local suite=$1 base=$2 prefix=$3 root deb
    shift 3
    root=$folder/apt/$suite
    rm -rf "$prefix.part"
    mkdir -p "$prefix.part"
    private_lists "$root" deb "$suite" "$base"
    private_download "$root" "$suite" "$@"
    for deb in "$root"/cache/archives/*.deb; do dpkg -x "$deb" "$prefix.part"; done
    rm -rf "$root"
}

# prune PREFIX TARGET...: leaves these targets, and what they load.
prune() {
    local prefix=$1 name keep=()
    shift
    for name in "$@"; do
        [ -x "$prefix/usr/bin/qemu-system-$name" ] || die "no qemu-system-$name in what was unpacked in $prefix"
        keep+=(! -name "qemu-system-$name")
    done
    find "$prefix/usr/bin" -mindepth 1 "${keep[@]}" -delete
    rm -rf "${prefix:?}"/usr/{sbin,share/doc,share/man,share/locale,share/icons,share/perl,share/i18n} "${prefix:?}"/{bin,sbin,etc,var}
    find "$prefix/usr/share/qemu" -name 'edk2-*' -delete
}

# wrappers PREFIX SUFFIX LOADER TARGET...: commands in FOLDER/bin that start the unpacked QEMUs with
# their own data. With `loader` they run with the libraries beside them, of a newer system than this
# one.
wrappers() {
    local prefix=$1 suffix=$2 loader=$3 name start
    shift 3
    for name in "$@"; do
        start="\"$prefix/usr/bin/qemu-system-$name\""
        [ "$loader" != loader ] ||
            start="\"$prefix/$lib/ld-linux-x86-64.so.2\" --library-path \"$prefix/$lib:$prefix/$lib/pulseaudio\" $start"
        printf '#!/bin/sh\nexec env QEMU_MODULE_DIR="%s" %s -L "%s/usr/share/qemu" -L "%s/usr/share/seabios" "$@"\n' \
            "$prefix/$lib/qemu" "$start" "$prefix" "$prefix" > "$bin/.part"
        chmod +x "$bin/.part"
        mv "$bin/.part" "$bin/qemu-system-$name-$suffix"
    done
}

# qemu VERSION SUITE BASE LOADER? PACKAGE...
qemu() {
    local version=$1 suite=$2 base=$3 loader=$4 prefix=$folder/$1
    shift 4
    if [ ! -d "$prefix" ]; then
        say "QEMU $version from $suite"
        fetch "$suite" "$base" "$prefix" install --download-only "$@"
        # shellcheck disable=SC2086
        prune "$prefix.part" $targets
        mv "$prefix.part" "$prefix"
    fi
    # shellcheck disable=SC2086
    wrappers "$prefix" "$version" "$loader" $targets
}

# The system targets in PREFIX that are not among those always there.
more_targets() {
    local binary name
    for binary in "$1"/usr/bin/qemu-system-*; do
        name=${binary##*/qemu-system-}
        case " $targets x86_64-microvm " in *" $name "*) ;; *) echo "$name" ;; esac
    done
}

# more VERSION SUITE BASE LOADER PACKAGE...: the same for all other targets, in a folder of their
# own.
more() {
    local version=$1 suite=$2 base=$3 loader=$4 prefix=$folder/$1-more found
    shift 4
    if [ ! -d "$prefix" ]; then
        say "QEMU $version from $suite, all other targets"
        fetch "$suite" "$base" "$prefix" install --download-only "$@"
        mapfile -t found < <(more_targets "$prefix.part")
        prune "$prefix.part" "${found[@]}"
        mv "$prefix.part" "$prefix"
    fi
    mapfile -t found < <(more_targets "$prefix")
    wrappers "$prefix" "$version" "$loader" "${found[@]}"
}

# The system's own QEMU under names with its version, so that all three are called alike.
system_qemu() {
    local name binary version
    for name in $targets aarch64:user arm:user riscv64:user x86_64:user; do
        binary=/usr/bin/qemu-system-$name
        [ "${name%:user}" = "$name" ] || binary=/usr/bin/qemu-${name%:user}
        [ -x "$binary" ] || continue
        version=$("$binary" --version 2>/dev/null | sed -nE '1s/.*version ([0-9]+\.[0-9]+).*/\1/p') || continue
        [ -z "$version" ] || ln -sf "$binary" "$bin/${binary##*/}-$version"
    done
}

guests() {
    local prefix=$folder/guests kernel unpacked
    [ ! -f "$prefix/linux-arm64" ] || [ ! -f "$prefix/u-boot/qemu_arm64/u-boot.bin" ] || return 0
    say "a Linux kernel for arm64 (debian-installer-12-netboot-arm64) and u-boot"
    unpacked=$prefix/unpacked.part
    fetch bookworm bookworm "$prefix/unpacked" download debian-installer-12-netboot-arm64 u-boot-qemu
    kernel=$(find "$unpacked" -path '*arm64*' -type f -name linux | head -n 1)
    [ -n "$kernel" ] || die "the installer package has no arm64 kernel where it was expected"
    rm -rf "$prefix/u-boot"
    mkdir -p "$prefix/u-boot"
    cp -r "$unpacked"/usr/lib/u-boot/qemu_arm64 "$prefix/u-boot/"
    mv "$kernel" "$prefix/linux-arm64"
    rm -rf "$unpacked"
}

system_qemu
qemu 10.0 bookworm-backports bookworm direct "${packages[@]}"
qemu 11.1 trixie-backports trixie loader "${packages[@]}" qemu-system-riscv
if [ -n "$all_targets" ]; then
    more 7.2 bookworm bookworm direct "${more_packages[@]}"
    more 10.0 bookworm-backports bookworm direct "${more_packages[@]}"
    more 11.1 trixie-backports trixie loader "${more_packages[@]}" qemu-system-s390x
fi
guests
rmdir "$folder/apt" 2>/dev/null || true
echo "$folder"
