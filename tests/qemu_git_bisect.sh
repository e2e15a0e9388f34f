#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# versions: user system
# timeout: 7200
# long: it builds QEMU from source, about five times, with ccache
# git bisect run with the script of docs/bisect.md finds the one of eight commits that breaks an
# instruction, in user mode and in system mode, and skips one that does not build.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

mode=${1:-user}
version=7.2
source=$TCGRR_QEMUS/source/$version
[ "$(uname -m)" = x86_64 ] || skip "the guest program is built for x86_64"
[ -d "$source" ] || skip "there is no source of QEMU $version; scripts/build-qemus.sh $version gets it"
for tool in git ccache ninja gcc pkg-config; do command -v "$tool" >/dev/null || skip "$tool is missing"; done
case $mode in
user) target=x86_64-linux-user binary=qemu-x86_64 ;;
system)
    target=x86_64-softmmu binary=qemu-system-x86_64
    [ -f "$fixtures/x86-optimizer.elf" ] || skip "building the guests needs clang and lld"
    [ -d /usr/share/seabios ] || skip "the package seabios is not installed"
    ;;
esac
# The least that runs; --with-git-submodules because Debian's source has no submodules.
options="--without-default-features --enable-tcg --enable-plugins --disable-install-blobs --disable-docs --disable-tools"
options+=" --disable-guest-agent --disable-werror --with-git-submodules=ignore"
[ "$mode" = user ] || options+=" --enable-fdt=system"
export CCACHE_BASEDIR=$work CCACHE_NOHASHDIR=1
export PATH=$TCGRR_BUILD/bin:$PATH

# ---- the repository: eight commits, of which the fourth does not build and the sixth is wrong ----

repository=$work/qemu
step=$work/step
cp -a --reflink=auto "$source" "$repository"
cd "$repository"
git init -q -b main
git config gc.auto 0
printf '/build-*\n' >> .git/info/exclude
export GIT_AUTHOR_NAME=test GIT_AUTHOR_EMAIL=test@localhost GIT_COMMITTER_NAME=test GIT_COMMITTER_EMAIL=test@localhost
commit() { git add -A -f . ":!build-*" && git commit -q -m "$1" && git tag "$2"; }
remark() { printf '/* %s */\n' "$1" >> tcg/optimize.c; }
commit "as it was" one
remark "a remark"
commit "a remark" two
printf '/* a remark */\n' >> softmmu/vl.c
commit "elsewhere" three
printf '#error "this commit does not build"\n' >> tcg/optimize.c
commit "does not build" four
git show three:tcg/optimize.c > tcg/optimize.c
commit "builds again" five
command patch -p1 -s < "$tests/faults/folding.patch"
commit "fold shifts" six
remark "another remark"
commit "another remark" seven
remark "the last remark"
commit "the last remark" eight

# ---- the script, as it is documented ----

# shellcheck disable=SC2016
sed -n '/^#!\/bin\/sh$/,/^```$/{/^```$/!p}' "$tests/../docs/bisect.md" |
    sed -E "s|^target=.*|target=$target binary=$binary|; s|^options=.*|options=\"$options\"|; s|^trace=.*|trace=$work/good.tcgrr|" > "$step"
chmod +x "$step"
contains "the documented script" "$(cat "$step")" "^exec tcgrr bisect-run"

git checkout -q one
mkdir build-good
# shellcheck disable=SC2086
(cd build-good && ../configure --target-list="$target" $options --cc="ccache cc" && ninja "$binary") > "$work/build.log" 2>&1 ||
    fail "the good commit does not build: $(tail -n 3 "$work/build.log")"
if [ "$mode" = user ]; then
    cat > "$work/shift.c" <<'C'
#include <stdlib.h>
int main(void)
{
    long x;
    __asm__("movabs $0xf123456789abcdef, %0; sar $36, %0" : "=r"(x));
    if (x != (long)0xf123456789abcdef >> 36)
        abort();
    return 0;
}
C
    gcc -O1 -static -o "$work/shift" "$work/shift.c"
    guest=("build-good/$binary" "$work/shift")
else
    guest=("build-good/$binary" -L /usr/share/seabios -L /usr/share/qemu -M pc -device "isa-debug-exit,iobase=0xf4,iosize=0x04"
           -kernel "$fixtures/x86-optimizer.elf" -display none -monitor none -serial "file:$work/console" -nic none)
fi
run 0 "$tcgrr" record -o "$work/good.tcgrr" -- "${guest[@]}"
run 0 "$tcgrr" replay "$work/good.tcgrr"

git bisect start eight one > "$work/git.log" 2>&1
git bisect run "$step" >> "$work/git.log" 2>&1 || fail "git bisect run: $(tail -n 3 "$work/git.log")"
contains "what git found" "$(cat "$work/git.log")" "^$(git rev-parse six) is the first bad commit"
contains "the commit that does not build" "$(git bisect log)" "^git bisect skip $(git rev-parse four)"
