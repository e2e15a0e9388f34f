! SPDX-License-Identifier: GPL-2.0-or-later
!: qemu -M sun4u -m 256
!: llvm --triple=sparcv9 --mattr=+vis,+vis2
!: byteorder big
!: word 8
!: length 4
!: fixed c0000000 80000000
!: nop 01000000
!: load 0
!: pc 0x8000
!: results 0x4000000
!: state r 32 8 int
!: state d 32 8 float
!: state fsr 1 8 0 0x40000000 0x80000000 0xc0000000 0x3ff
!: state ccr 1 8 0 0xff 0x11 0x48 0x22
!: state gsr 1 8 0 0x18 0x5 0x1234567800000093
!: state y 1 8 0 0xffffffff 0x12345678
!: refuse movr\w*[an] |\[|%g[67]|^(b|f?b[a-z]*|call|jmp|jmpl|ret|retl|rett|return|save|restore|saved|restored|done|retry|t[a-z]*$|t(a|n|ne|e|g|le|ge|l|gu|leu|cc|cs|pos|neg|vc|vs) |flush|flushw|rd|rdpr|rdhpr|wr|wrpr|wrhpr|membar|prefetch|stbar|sir|illtrap|unimp|c?bcond|c[wx]b|cas|ld|st|swap|shutdown|siam|allclean|otherw|normalw|invalw|impdep|nop)\b
    .rept 0x400
    wrpr    %g0, 0x14, %pstate
    ba      trap
    nop
    .balign 32
    .endr
_start:
    wrpr    %g0, 0, %tl
    wrpr    %g0, 0x14, %pstate          ! PRIV, PEF
    wrpr    %g0, 0, %tba
    wr      %g0, 4, %fprs
    set     RESULTS + 64, %g7
    set     STUBS, %o1
    set     INPUTS, %o2
again:
    set     RESULTS, %o3
    stx     %o1, [%o3 + 8]
    stx     %o2, [%o3 + 16]
    mov     %o1, %g6
    ldx     [%o2 + fsr], %fsr
    .irp n, 0,2,4,6,8,10,12,14,16,18,20,22,24,26,28,30,32,34,36,38,40,42,44,46,48,50,52,54,56,58,60,62
    ldd     [%o2 + d + 4 * \n], %f\n
    .endr
    ldx     [%o2 + ccr], %o3
    wr      %o3, 0, %ccr
    ldx     [%o2 + gsr], %o3
    wr      %o3, 0, %asr19
    ldx     [%o2 + y], %o3
    wr      %o3, 0, %y
    .irp n, 1,2,3,4,5
    ldx     [%o2 + r + 8 * \n], %g\n
    .endr
    .irp n, 0,1,2,3,4,5,6,7
    ldx     [%o2 + r + 128 + 8 * \n], %l\n
    ldx     [%o2 + r + 192 + 8 * \n], %i\n
    .endr
    .irp n, 0,1,3,4,5,6,7,2
    ldx     [%o2 + r + 64 + 8 * \n], %o\n
    .endr
    jmp     %g6
    nop
save:
    .irp n, 1,2,3,4,5
    stx     %g\n, [%g7 + r + 8 * \n]
    .endr
    .irp n, 0,1,2,3,4,5,6,7
    stx     %o\n, [%g7 + r + 64 + 8 * \n]
    stx     %l\n, [%g7 + r + 128 + 8 * \n]
    stx     %i\n, [%g7 + r + 192 + 8 * \n]
    .endr
    stx     %fsr, [%g7 + fsr]
    rd      %ccr, %o3
    stx     %o3, [%g7 + ccr]
    rd      %asr19, %o3
    stx     %o3, [%g7 + gsr]
    rd      %y, %o3
    stx     %o3, [%g7 + y]
    .irp n, 0,2,4,6,8,10,12,14,16,18,20,22,24,26,28,30,32,34,36,38,40,42,44,46,48,50,52,54,56,58,60,62
    std     %f\n, [%g7 + d + 4 * \n]
    .endr
advance:
    add     %g7, SIZE, %g7
    set     RESULTS, %o3
    ldx     [%o3 + 8], %o1
    ldx     [%o3 + 16], %o2
    add     %o2, SIZE, %o2
    set     INPUTS_END, %o4
    cmp     %o2, %o4
    bne     again
    nop
    set     INPUTS, %o2
    add     %o1, STUB, %o1
    set     STUBS_END, %o4
    cmp     %o1, %o4
    bne     again
    nop
    mov     1, %o1
    stx     %o1, [%o3]
    set     RESULTS + 64, %o1
    set     RESULTS_END, %o2
walk:
    ldx     [%o1], %o3
    add     %o1, 8, %o1
bits:
    andcc   %o3, 1, %g0
    be      even
    nop
    nop
even:
    srlx    %o3, 1, %o3
    brnz    %o3, bits
    nop
    cmp     %o1, %o2
    bne     walk
    nop
end:
    ba      end
    nop
trap:
    rdpr    %tt, %o3
    add     %o3, 1, %o3
    wrpr    %g0, 0, %tl
    stx     %o3, [%g7 + trap_code]
    wr      %g0, 4, %fprs
    ba      advance
    nop
    .macro  STUB_END
    ba      save
    nop
    .endm
