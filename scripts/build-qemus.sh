#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Builds QEMU from Debian's source packages, with plugins, beside the packaged ones of
# fetch-qemus.sh, for hunting regressions of code generation. Changes nothing outside its folder but
# what missing build dependencies install.
#
#   scripts/build-qemus.sh [TREE...] [-- TARGET...]
#
# TREE is a version, or a version and a fault of tests/faults that is put into it: 7.2, 10.0, 10.2,
# 7.2-folding, ... (default: 7.2 10.2 and 10.2-folding). TARGET is one of QEMU's (default:
# x86_64-linux-user x86_64-softmmu aarch64-linux-user aarch64-softmmu); what a tree already has
# stays. TCGRR_QEMUS: the folder (default ~/.cache/tcgrr/qemus), TCGRR_JOBS: compilers at a time.
# TCGRR_CONFIGURE: more of configure's options, such as --enable-debug or --enable-tcg-interpreter.
# Name the tree 10.2+NAME then: the source is that of 10.2, the build folder one of its own.
#
# Afterwards FOLDER/source/TREE is the source, FOLDER/build/TREE the uninstalled build and
# FOLDER/bin has qemu-x86_64-TREE-src and the like. Prints FOLDER.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/lib-install.sh
. scripts/lib-install.sh
# shellcheck source=scripts/lib-apt.sh
. scripts/lib-apt.sh

here=$PWD
folder=${TCGRR_QEMUS:-${XDG_CACHE_HOME:-$HOME/.cache}/tcgrr/qemus}
mkdir -p "$folder/bin" "$folder/source" "$folder/build"
folder=$(cd "$folder" && pwd)
trees=() targets=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    trees+=("$1")
    shift
done
[ $# = 0 ] || { shift && targets=("$@"); }
[ ${#trees[@]} -gt 0 ] || trees=(7.2 10.2 10.2-folding)
[ ${#targets[@]} -gt 0 ] || targets=(x86_64-linux-user x86_64-softmmu aarch64-linux-user aarch64-softmmu)

# What a version's source package is called, by suite. Newer ones than 10.2.2 are listed in sid, but
# their archives are not there.
package_of() {
    case $1 in
    7.2) echo bookworm qemu ;;
    10.0) echo trixie qemu ;;
    10.2) echo sid "qemu=1:10.2.2+ds-1" ;;
    *) die "$1: known are 7.2, 10.0 and 10.2" ;;
    esac
}

# fetch_source VERSION: Debian's source with its patches applied in FOLDER/source/VERSION.
fetch_source() {
    local version=$1 suite package root description
    [ ! -d "$folder/source/$version" ] || return 0
    read -r suite package <<<"$(package_of "$version")"
    say "the source of QEMU $version from $suite"
    root=$folder/apt/source-$version
    private_lists "$root" deb-src "$suite"
    private_download "$root" "$suite" source --download-only "$package"
    description=("$root"/cache/archives/*.dsc)
    rm -rf "$folder/source/$version.part"
    dpkg-source --no-check -x "${description[0]}" "$folder/source/$version.part" >"$root/unpack.log" 2>&1 ||
        die "the source of QEMU $version could not be unpacked; see $root/unpack.log"
    mv "$folder/source/$version.part" "$folder/source/$version"
    rm -rf "$root"
}

# fault_source TREE VERSION FAULT: the version's source with the fault's patch, the one of this
# version if there is one.
fault_source() {
    local tree=$1 version=$2 fault=$3 patch=$here/tests/faults/$3-$2.patch
    [ -f "$patch" ] || patch=$here/tests/faults/$fault.patch
    [ -f "$patch" ] || die "tests/faults has no $fault for $version"
    [ ! -d "$folder/source/$tree" ] || return 0
    rm -rf "$folder/source/$tree.part"
    cp -a "$folder/source/$version" "$folder/source/$tree.part"
    patch -d "$folder/source/$tree.part" -p1 --no-backup-if-mismatch -s < "$patch" || die "$patch does not fit QEMU $version"
    mv "$folder/source/$tree.part" "$folder/source/$tree"
}

# QEMU from 10.0 on wants a newer Meson than bookworm's: backports' is unpacked, not installed.
fetch_meson() {
    local root=$folder/apt/meson
    [ ! -d "$folder/build/meson" ] || return 0
    private_lists "$root" deb bookworm-backports
    private_download "$root" bookworm-backports download meson
    rm -rf "$folder/build/meson.part"
    dpkg -x "$root"/cache/archives/meson_*.deb "$folder/build/meson.part"
    mv "$folder/build/meson.part" "$folder/build/meson"
    rm -rf "$root"
}

# roms TREE VERSION: Debian's source has none; an uninstalled QEMU finds the packaged ones in its
# bundle.
roms() {
    local data=$folder/build/$1/qemu-bundle/usr/local/share/qemu share=/usr/share rom
    [ "$2" = 7.2 ] || share=$folder/10.0/usr/share
    mkdir -p "$data"
    for rom in "$share"/qemu/* "$share"/seabios/*; do
        [ ! -f "$rom" ] || [ -e "$data/${rom##*/}" ] || ln -sf "$rom" "$data/"
    done
}

# configure_tree TREE VERSION TARGET...
configure_tree() {
    local tree=$1 version=$2 build=$folder/build/$1 meson=$folder/build/meson/usr/lib/python3/dist-packages packages options=()
    shift 2
    options=(--cc="$compiler" --target-list="$(IFS=,; echo "$*")" --without-default-features --enable-tcg --enable-plugins
        --disable-install-blobs --disable-docs --disable-tools --disable-guest-agent --disable-werror)
    [[ $* != *softmmu* ]] || options+=(--enable-fdt=system)
    if [ "$version" = 7.2 ]; then
        options+=(--with-git-submodules=ignore)
    else
        options+=(--disable-download)
        fetch_meson
    fi
    mkdir -p "$build"
    # shellcheck disable=SC2086
    (cd "$build" && PYTHONPATH=$meson "$folder/source/${tree%%+*}/configure" "${options[@]}" ${TCGRR_CONFIGURE-}) \
        >"$build/tcgrr-configure.log" 2>&1 || die "configure failed; see $build/tcgrr-configure.log"
    # The build calls Meson again, also when somebody types ninja there.
    for packages in "$build"/pyvenv/lib/python3*/site-packages; do
        [ ! -d "$packages" ] || echo "$meson" > "$packages/meson.pth"
    done
}

build_tree() {
    local tree=$1 source=${1%%+*} version=${1%%[-+]*} build=$folder/build/$1 has=() want=() target binary binaries=()
    shift
    fetch_source "$version"
    [ "$source" = "$version" ] || fault_source "$source" "$version" "${source#*-}"
    [ ! -f "$build/tcgrr-targets" ] || mapfile -t has < "$build/tcgrr-targets"
    mapfile -t want < <(printf '%s\n' "${has[@]}" "$@" | sed '/^$/d' | sort -u)
    for target in "${want[@]}"; do binaries+=("$(binary_of "$target")"); done
    if [ "${want[*]}" != "${has[*]}" ]; then
        say "building QEMU $tree for ${want[*]}"
        configure_tree "$tree" "$version" "${want[@]}"
        nice ninja -C "$build" -j "${TCGRR_JOBS:-$(nproc)}" "${binaries[@]}" >"$build/tcgrr-build.log" 2>&1 ||
            die "the build failed; see $build/tcgrr-build.log"
        roms "$tree" "$version"
        printf '%s\n' "${want[@]}" > "$build/tcgrr-targets"
    fi
    for binary in "${binaries[@]}"; do ln -sf "$build/$binary" "$folder/bin/$binary-$tree-src"; done
}

# binary_of TARGET: x86_64-softmmu makes qemu-system-x86_64, x86_64-linux-user qemu-x86_64.
binary_of() {
    case $1 in
    *-softmmu) echo "qemu-system-${1%-softmmu}" ;;
    *) echo "qemu-${1%-linux-user}" ;;
    esac
}

install_packages build-essential dpkg-dev ninja-build meson pkg-config python3 python3-venv python3-setuptools libglib2.0-dev \
    libfdt-dev libpixman-1-dev zlib1g-dev patch
compiler=gcc
! command -v ccache >/dev/null || compiler="ccache gcc"
export CCACHE_BASEDIR=$folder CCACHE_NOHASHDIR=1
for tree in "${trees[@]}"; do build_tree "$tree" "${targets[@]}"; done
rmdir "$folder/apt" 2>/dev/null || true
echo "$folder"
