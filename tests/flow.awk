# SPDX-License-Identifier: GPL-2.0-or-later
# What a QEMU ran, from its own log of -d exec,nochain,int,in_asm with one instruction to a
# translation: address and mnemonic of each instruction that retired, one a line, and "trap KIND
# ADDRESS" where it took an exception. The log has an instruction when it begins; it did not run if
# QEMU then says so, or if the instruction raised an exception other than by executing one (a system
# call).
function put() {
    if (have)
        print pc, name[pc]
    have = 0
}
/^0x[0-9a-f]+: / {
    sub(/^0x0*/, "", $1)
    sub(/:$/, "", $1)
    coming[$1] = $3 # said before what ran last is known to have retired
    next
}
/^Trace / {
    put()
    split($4, part, "/")
    pc = part[2]
    sub(/^0+/, "", pc)
    if (pc in coming)
        name[pc] = coming[pc]
    have = 1
}
/^Stopped execution of TB chain|^cpu_io_recompile/ { have = 0 }
/^Taking exception/ {
    kind = $3
    if (kind !~ /^(2|5|11|13|16)$/) # aarch64: SVC, IRQ, HVC, SMC, semihosting
        have = 0
    put()
}
/^\.\.\.with ELR/ {
    address = $3
    sub(/^0x0*/, "", address)
    print "trap " kind " " address
}
END { put() }
