#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Puts QEMU 10.0 (bookworm-backports) and 11.1 (trixie-backports) beside the system's own QEMU, and the guests
# the tests boot, all under one private folder. Needs no root and changes nothing outside that folder: apt runs
# with its own lists, status and cache, and the archives are only unpacked.
#
#   scripts/fetch-qemus.sh [FOLDER]      default: $TCGRR_QEMUS, else ~/.cache/tcgrr/qemus
#
# Afterwards FOLDER/bin has one command for each, for example qemu-system-aarch64-10.0, and FOLDER/guests
# a Linux kernel for arm64. A second run does nothing for what is already complete.
set -euo pipefail

folder=${1:-${TCGRR_QEMUS:-${XDG_CACHE_HOME:-$HOME/.cache}/tcgrr/qemus}}
bin=$folder/bin
mkdir -p "$bin" "$folder/guests"
folder=$(cd "$folder" && pwd)
bin=$folder/bin
lib=usr/lib/x86_64-linux-gnu
targets="qemu-system-arm qemu-system-misc qemu-system-x86"

die() { echo "fetch-qemus: $*" >&2; exit 1; }

# The mirror this machine already uses for Debian itself, in either of apt's two file formats.
debian_mirror() {
    find /etc/apt -maxdepth 2 \( -name '*.list' -o -name '*.sources' \) -exec cat {} + |
        sed -nE 's/^deb (\[[^]]*\] )?(http[^ ]*\/debian\/?) .*/\2/p; s/^URIs: *(http[^ ]*\/debian\/?)( .*)?$/\1/p' |
        sed -n 1p
}

# private_apt SUITE STATUS COMMAND...: apt with everything it reads and writes under FOLDER/apt/SUITE.
private_apt() {
    local suite=$1 status=$2 root=$folder/apt/$1
    shift 2
    apt-get -q -y \
        -o Dir::Etc::sourcelist="$root/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State="$root/state" -o Dir::State::Lists="$root/lists" -o Dir::State::status="$status" \
        -o Dir::Cache="$root/cache" -o Dir::Log="$root/log" -o APT::Sandbox::User="$(id -un)" \
        -o APT::Install-Recommends=false -o Debug::NoLocking=1 "$@"
}

# unpack SUITE BASE STATUS PREFIX PACKAGE...: download the packages (and what STATUS lacks) and unpack them in PREFIX.
unpack() {
    local suite=$1 base=$2 status=$3 prefix=$4 root=$folder/apt/$1 mirror
    shift 4
    mirror=$(debian_mirror)
    [ -n "$mirror" ] || die "no Debian mirror in this machine's apt sources"
    mkdir -p "$root/lists/partial" "$root/state" "$root/log" "$root/cache/archives/partial"
    : > "$root/empty-status"
    { echo "deb $mirror $base main"; [ "$suite" = "$base" ] || echo "deb $mirror $suite main"; } > "$root/sources.list"
    private_apt "$suite" "$status" update >"$root/update.log" 2>&1 ||
        die "apt could not read $suite from $mirror; see $root/update.log"
    private_apt "$suite" "$status" install --download-only -t "$suite" "$@" >"$root/install.log" 2>&1 ||
        die "apt could not download from $suite; see $root/install.log"
    rm -rf "$prefix" && mkdir -p "$prefix.part"
    for deb in "$root"/cache/archives/*.deb; do dpkg -x "$deb" "$prefix.part"; done
    mv "$prefix.part" "$prefix"
    rm -rf "$root"
}

# wrapper NAME PREFIX BINARY LOADER?: a command in FOLDER/bin that starts an unpacked QEMU with its own data.
wrapper() {
    local name=$1 prefix=$2 binary=$3 loader=$4 start
    if [ "$loader" = loader ]; then
        start="\"$prefix/$lib/ld-linux-x86-64.so.2\" --library-path \"$prefix/$lib:$prefix/$lib/pulseaudio\" \"$binary\""
    else
        start="\"$binary\""
    fi
    printf '#!/bin/sh\nexec env QEMU_MODULE_DIR="%s" %s -L "%s/usr/share/qemu" -L "%s/usr/share/seabios" "$@"\n' \
        "$prefix/$lib/qemu" "$start" "$prefix" "$prefix" > "$bin/$name"
    chmod +x "$bin/$name"
}

wrap_all() {
    local prefix=$1 suffix=$2 loader=$3 binary
    for binary in "$prefix"/usr/bin/qemu-system-*; do
        [ -f "$binary" ] && [ -x "$binary" ] || continue
        wrapper "$(basename "$binary")-$suffix" "$prefix" "$binary" "$loader"
    done
}

# The system's own QEMU under a name with its version, so that all three are called alike.
for binary in /usr/bin/qemu-system-* /usr/bin/qemu-aarch64 /usr/bin/qemu-arm /usr/bin/qemu-x86_64 /usr/bin/qemu-riscv64; do
    [ -x "$binary" ] || continue
    version=$("$binary" --version 2>/dev/null | sed -nE '1s/.*version ([0-9]+\.[0-9]+).*/\1/p') || continue
    [ -n "$version" ] && ln -sf "$binary" "$bin/$(basename "$binary")-$version"
done

if [ ! -d "$folder/10.0" ]; then
    echo "fetch-qemus: QEMU 10.0 from bookworm-backports" >&2
    # Against the system's package status: libraries that the installed QEMU already brought are not fetched again.
    # shellcheck disable=SC2086
    unpack bookworm-backports bookworm /var/lib/dpkg/status "$folder/10.0" \
        $targets qemu-system-data qemu-system-common ovmf- seabios
fi
wrap_all "$folder/10.0" 10.0 direct

if [ ! -d "$folder/11.1" ]; then
    echo "fetch-qemus: QEMU 11.1 from trixie-backports" >&2
    mkdir -p "$folder/apt/trixie-backports"
    : > "$folder/apt/trixie-backports/empty-status"
    # Against an empty status: every library comes along, because this QEMU wants a newer libc than bookworm's.
    # shellcheck disable=SC2086
    unpack trixie-backports trixie "$folder/apt/trixie-backports/empty-status" "$folder/11.1" \
        $targets qemu-system-riscv qemu-system-data seabios
fi
wrap_all "$folder/11.1" 11.1 loader

if [ ! -f "$folder/guests/linux-arm64" ]; then
    echo "fetch-qemus: a Linux kernel for arm64 (debian-installer-12-netboot-arm64)" >&2
    unpack bookworm bookworm /var/lib/dpkg/status "$folder/guests/unpacked" debian-installer-12-netboot-arm64 u-boot-qemu
    kernel=$(find "$folder/guests/unpacked" -path '*arm64*' -type f -name linux | head -n 1)
    [ -n "$kernel" ] || die "the installer package has no arm64 kernel where it was expected"
    cp "$kernel" "$folder/guests/linux-arm64.part"
    cp -r "$folder"/guests/unpacked/usr/lib/u-boot "$folder/guests/" 2>/dev/null || true
    rm -rf "$folder/guests/unpacked"
    mv "$folder/guests/linux-arm64.part" "$folder/guests/linux-arm64"
fi
echo "$folder"
