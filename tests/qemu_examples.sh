#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: all
# timeout: 400
# The commands of README and of the tutorial print what these say, numbers aside.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

for version in 7.2 10.0 11.1; do
    qemu aarch64 $version >/dev/null
    qemu x86_64 $version >/dev/null
done
guest a64-race 10.0
guest_linux 10.0
export LC_ALL=C.UTF-8 PATH=$TCGRR_BUILD/bin:$TCGRR_QEMUS/bin:$PATH
for document in README.md docs/tutorial.md; do
    folder=$work/$(basename "$document" .md)
    mkdir "$folder"
    ln -s "$fixtures"/*.elf "$TCGRR_QEMUS/guests/linux-arm64" "$folder"
    cp "$tests/../$document" "$folder/document.md"
    # What capstone does not know shows as bytes.
    [ -f "$TCGRR_BUILD/bin/libtcgrr-llvm.so" ] || sed -i 's/fcvtzs h0, h1, #0x8 (/.4byte 0x5f18fc20 (/' "$folder/document.md"
    (cd "$folder" && python3 "$tests/check_examples.py" document.md) > "$work/out" 2>&1 ||
        fail "$document: $(cat "$work/out")"
done
