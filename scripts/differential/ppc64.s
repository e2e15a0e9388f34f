# SPDX-License-Identifier: GPL-2.0-or-later
#: qemu -M pseries -cpu power9 -m 512
#: llvm --triple=ppc64 --mcpu=pwr9 --ppc-asm-full-reg-names
#: byteorder big
#: word 8
#: length 4
#: image bios
#: load 0
#: results 0x4000000
#: state r 32 8 int
#: state vs 64 16 vec
#: state cr 1 8 0 0xffffffff 0x12345678 0x84218421
#: state xer 1 8 0 0x20000000 0xe0000000 0x80000000
#: state fpscr 1 8 0 1 2 3 4 0 1 2 3
#: refuse \(|\br1\b|^(b|l[bhwdfqmvx]|lswi|lswx|la |st|mt?msr|mfmsr|mtmsr|mfspr|mtspr|mftb|rfi|rfid|hrfid|rfscv|sc|scv|t[dw]|trap|tlb|slb|dcb|icb|icbi|sync|lwsync|ptesync|isync|eieio|wait|stop|nap|doze|sleep|rvwinkle|m[tf]sr|m[tf]ctr|mtlr|mflr|m[tf]dcr|msgs|msgc|msgsnd|attn|darn|cp_|copy|paste|tbegin|tend|tabort|tsr|treclaim|trechkpt|tcheck|mfbhrbe|clrbhrb|m[tf]pmr|m[tf]vrsave|m[tf]vscr|dss|dst|addpcis|lnia|subpcis|rmb|wrtee|mbar|psync|nop|xnop|dnh|mf|mt(asr|sprg|dec|srr|dar|dsisr|br|tb|sd|cf|dd|ic|dd|pid|amr|tcr|esr|dear|rtcu|rtcl|spefscr|ppr|dscr|tar|vrsave|ccr|dabr|sdr1|pvr|dbat|ibat|uamr|csrr|srr|xer\b))
    .org    0x100
    b       _start                      # the entry, and reset
    .rept 0x1fbf
    b       trap
    .endr
    .org    0x8000
_start:
    bl      enable
    lis     %r1, (RESULTS + 64) >> 16
    ori     %r1, %r1, (RESULTS + 64) & 0xffff
    lis     %r9, STUBS >> 16
    ori     %r9, %r9, STUBS & 0xffff
    lis     %r10, INPUTS >> 16
    ori     %r10, %r10, INPUTS & 0xffff
again:
    lis     %r8, RESULTS >> 16
    std     %r9, 8(%r8)
    std     %r10, 16(%r8)
    mtctr   %r9
    lfd     %f0, fpscr(%r10)
    mtfsf   255, %f0, 0, 0
    addi    %r11, %r10, vs
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60,61,62,63
    lxv     %vs\n, 16 * \n(%r11)
    .endr
    ld      %r11, cr(%r10)
    mtcr    %r11
    ld      %r11, xer(%r10)
    mtxer   %r11
    .irp n, 0,2,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,10
    ld      %r\n, r + 8 * \n(%r10)
    .endr
    bctr
save:
    .irp n, 0,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    std     %r\n, r + 8 * \n(%r1)
    .endr
    mfcr    %r8
    std     %r8, cr(%r1)
    mfxer   %r8
    std     %r8, xer(%r1)
    addi    %r11, %r1, vs
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60,61,62,63
    stxv    %vs\n, 16 * \n(%r11)
    .endr
    mffs    %f0
    stfd    %f0, fpscr(%r1)
advance:
    addi    %r1, %r1, SIZE
    lis     %r8, RESULTS >> 16
    ld      %r9, 8(%r8)
    ld      %r10, 16(%r8)
    addi    %r10, %r10, SIZE
    lis     %r11, INPUTS_END >> 16
    ori     %r11, %r11, INPUTS_END & 0xffff
    cmpd    %r10, %r11
    bne     again
    lis     %r10, INPUTS >> 16
    ori     %r10, %r10, INPUTS & 0xffff
    addi    %r9, %r9, STUB
    lis     %r11, STUBS_END >> 16
    ori     %r11, %r11, STUBS_END & 0xffff
    cmpd    %r9, %r11
    bne     again
    li      %r9, 1
    std     %r9, 0(%r8)
    lis     %r9, (RESULTS + 64) >> 16
    ori     %r9, %r9, (RESULTS + 64) & 0xffff
    lis     %r10, RESULTS_END >> 16
    ori     %r10, %r10, RESULTS_END & 0xffff
walk:
    ld      %r11, 0(%r9)
    addi    %r9, %r9, 8
bits:
    andi.   %r12, %r11, 1
    beq     even
    nop
even:
    srdi    %r11, %r11, 1
    cmpdi   %r11, 0
    bne     bits
    cmpd    %r9, %r10
    bne     walk
end:
    b       end
trap:
    li      %r9, 1
    std     %r9, trap_code(%r1)
    bl      enable
    b       advance
enable:
    li      %r9, 1
    sldi    %r9, %r9, 63                  # MSR: SF, HV; VEC, VSX, FP
    oris    %r9, %r9, 0x0280
    ori     %r9, %r9, 0x2000
    li      %r10, 1
    sldi    %r10, %r10, 60
    or      %r9, %r9, %r10
    mtmsrd  %r9
    isync
    blr
    .macro  STUB_END
    b       save
    .endm
