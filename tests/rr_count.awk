# SPDX-License-Identifier: GPL-2.0-or-later
# Instructions in a QEMU rr log, the sum of its instruction events: od -An -v -tu1 -w1 replay.rr |
# awk -f tests/rr_count.awk `wanted` says what the bytes at hand are for. The event numbers are
# those of QEMU 7.2 to 11.1; input and network events do not occur in the tests' guests.
function expect(what, bytes) { wanted = what; left = bytes; value = 0 }

function expect_rest_of(event) {
    if (event == 0) expect("instructions", 4)
    else if (event ~ /^(3|4|8|22|28|29)$/) expect("number", 8)
    else if (event == 7) expect("channel", 1)
    else if (event == 23) expect("size", 4)
    else if (event == 24) expect("code", 4)
    else if (event == 27) expect("result", 4)
    else if (event ~ /^(1|2|6)$/ || event >= 10 && event <= 21 || event >= 30) expect("event", 1)
    else { print "rr log: event " event " is not known" > "/dev/stderr"; exit 1 }
}

BEGIN { expect("header", 12) }

{ value = value * 256 + $1; left-- }
left > 0 { next }

wanted == "event" { expect_rest_of($1); next }
wanted == "instructions" { total += value }
wanted == "channel" || wanted == "result" { expect("size", 4); next }
wanted == "size" && value > 0 { expect("data", value); next }
{ expect("event", 1) }

END { printf "%d\n", total }
