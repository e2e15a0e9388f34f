#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# In clean Debians: the build with the packages that are documented, installation, packages, the
# cross build for arm64.
# timeout: 3600
# long: installs three Debians and builds in each of them
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" = 0 ] || skip "chroot needs root"
command -v debootstrap >/dev/null || skip "no debootstrap"
TMPDIR=$work "$(dirname "$0")/../scripts/check-package.sh" || fail "see above"
