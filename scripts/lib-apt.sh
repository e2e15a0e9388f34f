# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced, after lib-install.sh, by the scripts that download Debian packages without installing
# them: apt-get with lists, status and cache of its own, so that it needs no root and leaves the
# system's alone.

# The mirror this machine already uses for Debian itself, in either of apt's two file formats.
debian_mirror() {
    find /etc/apt -maxdepth 2 \( -name '*.list' -o -name '*.sources' \) -exec cat {} + |
        sed -nE 's/^deb (\[[^]]*\] )?(https?[^ ]*\/debian\/?) .*/\2/p; s/^URIs: *(https?[^ ]*\/debian\/?)( .*)?$/\1/p' |
        sed -n 1p
}

# private_apt ROOT SUITE COMMAND...: apt-get with everything it reads and writes under ROOT, which
# knows of no installed package.
private_apt() {
    local root=$1 suite=$2
    shift 2
    apt-get -q -y -t "$suite" \
        -o Dir::Etc::sourcelist="$root/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State="$root/state" -o Dir::State::Lists="$root/lists" -o Dir::State::status="$root/status" \
        -o Dir::Cache="$root/cache" -o Dir::Log="$root/log" -o APT::Sandbox::User="$(id -un)" \
        -o APT::Install-Recommends=false -o Debug::NoLocking=1 "$@" </dev/null
}

# private_lists ROOT deb|deb-src SUITE...: recreates ROOT, with the lists of these suites.
private_lists() {
    local root=$1 kind=$2 mirror suite
    shift 2
    mirror=$(debian_mirror)
    [ -n "$mirror" ] || die "no Debian mirror in this machine's apt sources"
    rm -rf "$root"
    mkdir -p "$root/lists/partial" "$root/state" "$root/log" "$root/cache/archives/partial"
    : > "$root/status"
    for suite in "$@"; do echo "$kind $mirror $suite main"; done | sort -u > "$root/sources.list"
    private_apt "$root" "$1" update >"$root/update.log" 2>&1 ||
        die "apt could not read $1 from $mirror; see $root/update.log"
}

# private_download ROOT SUITE COMMAND...: apt-get's COMMAND, which leaves what it downloads in
# ROOT/cache/archives.
private_download() {
    local root=$1 suite=$2
    shift 2
    (cd "$root/cache/archives" && private_apt "$root" "$suite" "$@") >"$root/download.log" 2>&1 ||
        die "apt could not download from $suite; see $root/download.log"
}
