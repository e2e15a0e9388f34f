# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced: looking into guests' ELF files, and changing them.

# address ELF SYMBOL: as 0x….
address() { printf '0x%x\n' "0x$(readelf -sW "$1" | awk -v name="$2" '$8 == name {print $2}')"; }

# patch ELF ADDRESS BYTES: writes bytes, in hexadecimal and lowest address last, over what is loaded
# there.
patch() {
    local offset bytes=$3 text=""
    offset=$(readelf -lW "$1" | awk '$1 == "LOAD" {print $2, $3, $5}' | while read -r file memory size; do
        if ((memory <= $2 && $2 < memory + size)); then echo $(($2 - memory + file)); fi
    done)
    while [ -n "$bytes" ]; do
        text+="\\x${bytes: -2}"
        bytes=${bytes:0:-2}
    done
    printf '%b' "$text" | dd of="$1" bs=1 seek="$offset" conv=notrunc status=none
}
