#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# extended: 7.2 10.0
# Firmware of machines whose instruction set tcgrr does not know: it sets no timer, so QEMU answers
# nothing for long, and what it raises is known from QEMU's log alone. Replays stop where they are
# told to, and what is derived, in one window or two, is what was recorded.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

# filled TARGET UNTIL ARGUMENT...
filled() {
    local target=$1 until=$2 jobs columns="icount, pc, kind, address, size, physical, device"
    shift 2
    guest=("$(qemu "$target" "$version")" "$@" -display none -monitor none -serial null -nic none)
    record "$target" --level full --until "$until"
    run 0 "$tcgrr" replay --json --at $((until / 2)) "$work/$target.tcgrr"
    equal "$target: stopped" "$(json .stopped_at)" $((until / 2))
    for jobs in 1 2; do
        cp "$work/$target.tcgrr" "$work/b.tcgrr"
        sqlite3 "$work/b.tcgrr" "DELETE FROM mem_chunk; DELETE FROM device; DELETE FROM region;
            UPDATE run SET level = 'flow', mem_from = NULL, mem_until = NULL"
        run 0 "$tcgrr" fill --level full -j $jobs --window-size 100000 "$work/b.tcgrr"
        verify b
        for sql in "SELECT $columns FROM mem ORDER BY icount, part" \
            "SELECT icount, vcpu, kind, source, from_pc, to_pc FROM event WHERE kind <> 'flush' ORDER BY icount, id"; do
            "$tcgrr" query "$work/$target.tcgrr" --format csv "$sql" >"$work/a.rows"
            "$tcgrr" query "$work/b.tcgrr" --format csv "$sql" >"$work/b.rows"
            cmp "$work/a.rows" "$work/b.rows" || fail "$target: derived with -j $jobs it differs: $sql"
        done
    done
}

version=$1
filled sparc64 2000000 -M sun4u
filled sparc 4000000 -M SS-5
filled ppc 4000000 -M g3beige
