#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: all
# What an installation puts where: a program that records by itself, manual pages, completion, the
# SQLite extension; and that it can be removed.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

guest rv64-wfi 10.0
prefix=$work/prefix
# What somebody installed from this build has to stay removable.
manifest=$TCGRR_BUILD/install_manifest.txt
[ ! -e "$manifest" ] || cp -p "$manifest" "$work/manifest"
run 0 cmake --install "$TCGRR_BUILD" --prefix "$prefix"
tcgrr=$prefix/bin/tcgrr
record guest

# Manual pages: one for each command, with each of its options.
man=$prefix/share/man/man1
[ -s "$man/tcgrr.1" ] || fail "there is no tcgrr.1"
for command in $("$tcgrr" --help | awk '/^  [a-z]/ {print $1}'); do
    equal "options in the page of $command" "$(sed -n '/^\\fB/{s/^\\fB//; s/\\fR.*//; s/\\-/-/g; /--/p}' "$man/tcgrr-$command.1")" \
        "$("$tcgrr" "$command" --help | sed '1,/^Application/d' | grep -oE '^  (-[a-zA-Z], )?--[a-z-]+' | sed 's/^  //')"
done
if command -v man >/dev/null; then
    equal "what man complains of" "$(LC_ALL=C.UTF-8 man --warnings -l "$man"/*.1 2>&1 >"$work/shown")" ""
    contains "help" "$(LC_ALL=C.UTF-8 MANWIDTH=80 man -l "$man/tcgrr-record.1")" '^ +-o, --output=TRACE$'
fi
complains 2 "no command" "$tcgrr" help --man nonsense

# The extension, as docs/sql.md says.
sql="SELECT count(*) > 0 FROM exec"
pc=$(dirname "$(find "$prefix" -name libtcgrr_sqlite.pc)")
extension=$(PKG_CONFIG_PATH=$pc pkg-config --variable=extension libtcgrr_sqlite)
equal "by path" "$(sqlite3 -cmd ".load $extension" "$work/guest.tcgrr" "$sql")" 1
equal "by name" "$(LD_LIBRARY_PATH=$pc/.. sqlite3 -cmd ".load libtcgrr_sqlite" "$work/guest.tcgrr" "$sql")" 1

# zsh does by way of what bash has.
if command -v zsh >/dev/null; then
    contains "zsh" "$(zsh -fc "fpath=($prefix/share/zsh/vendor-completions \$fpath); autoload -Uz compinit && compinit -u -D
        autoload +X _tcgrr && echo \${_comps[tcgrr]}" 2>&1)" '^_tcgrr$'
fi

# fish proposes what bash does.
if command -v fish >/dev/null; then
    cd "$work"
    # proposes PATTERN LINE
    proposes() {
        HOME=$work PATH=$prefix/bin:$PATH fish --no-config -c "source '$prefix/share/fish/vendor_completions.d/tcgrr.fish'
            complete -C '$2'" >"$work/out" 2>"$work/err" || fail "fish failed: $(cat "$work/err")"
        contains "proposals for '$2'" "$(cat "$work/out")" "$1"
        equal "what fish complains of at '$2'" "$(cat "$work/err")" ""
    }
    proposes '^record	Run a QEMU command' 'tcgrr rec'
    proposes '^lockstep	' 'tcgrr help lock'
    proposes '^--until	' 'tcgrr replay guest.tcgrr --un'
    proposes '^guest.tcgrr$' 'tcgrr info gu'
    proposes '^hotblocks$' 'tcgrr report guest.tcgrr hot'
    proposes '^perfetto$' 'tcgrr export guest.tcgrr per'
    proposes '^guest_main$' 'tcgrr replay guest.tcgrr --until guest_'
    proposes '^guest.tcgrr$' 'tcgrr record -- qemu-system-riscv64 gu'
fi

run 0 cmake --build "$TCGRR_BUILD" --target uninstall
equal "what is left" "$(find "$prefix" -type f)" ""

# The Debian packages, unpacked anywhere: tcgrr records, needs no LLVM, and lintian has nothing to
# say.
if command -v dpkg-shlibdeps >/dev/null; then
    run 0 cpack --config "$TCGRR_BUILD/CPackConfig.cmake" -B "$work/deb"
    deb=$(echo "$work"/deb/tcgrr_*.deb)
    dpkg-deb -x "$deb" "$work/root"
    run 0 "$work/root/usr/bin/tcgrr" record -o "$work/by-deb.tcgrr" -- "${guest[@]}"
    contains "what it depends on" "$(dpkg-deb -f "$deb" Depends)" 'libglib2.0-0.*libsqlite3-0'
    equal "LLVM that it depends on" "$(dpkg-deb -f "$deb" Depends | grep -i llvm)" ""
    if command -v lintian >/dev/null; then
        equal "lintian" "$(lintian --allow-root "$work"/deb/*.deb 2>&1)" ""
    fi
fi

[ ! -e "$work/manifest" ] || cp -p "$work/manifest" "$manifest"
