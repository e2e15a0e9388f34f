| SPDX-License-Identifier: GPL-2.0-or-later
|: qemu -M none -cpu m68040 -m 256
|: gnu m68k-linux-gnu-
|: as -m68040
|: objdump -m m68k:68040
|: byteorder big
|: word 4
|: length 10
|: load 0
|: pc 0x400
|: results 0x4000000
|: state d 8 4 int
|: state a 6 4 int
|: state fp 8 12 ext
|: state fpcr 1 4 0 0x10 0x20 0x30 0x40 0x80 0
|: state fpsr 1 4 0 0x0f000000 0xf8 0
|: state ccr 1 4 0 0x1f 0x10 0x04 0x0b
|: refuse @|%(sp|fp)\b|[ ,]-?(0x)?[0-9a-f]+(,|$)|%(sr|usp|fpi)\b|\.short|^(movec|moves|rt[edsrm]|stop|reset|trap[^ ]*|illegal|bkpt|pflush|ptest|cinv|cpush|f?(nop|save|restore)|link|unlk|b[a-z]+s? |db|fb|fdb|jmp|jsr|pea|lea|move16|cas|callm|ftrap|lpstop)
    .long   STACK, _start
    .rept   254
    .long   trap
    .endr
_start:
    move.l  #STACK, %sp
    move.l  #RESULTS + 64, %a6
    move.l  #STUBS, %a0
    move.l  #INPUTS, %a1
again:
    move.l  %a0, RESULTS + 8
    move.l  %a1, RESULTS + 12
    move.l  %a0, -(%sp)                         | where the last rts goes
    fmovem.x (fp,%a1), %fp0-%fp7
    fmove.l (fpcr,%a1), %fpcr
    fmove.l (fpsr,%a1), %fpsr
    move.w  (ccr + 2,%a1), -(%sp)
    movem.l (d,%a1), %d0-%d7/%a0-%a5
    rtr
save:
    move.w  %ccr, -(%sp)
    movem.l %d0-%d7/%a0-%a5, (d,%a6)
    clr.l   %d0
    move.w  (%sp)+, %d0
    move.l  %d0, (ccr,%a6)
    fmove.l %fpsr, (fpsr,%a6)
    fmove.l %fpcr, (fpcr,%a6)
    fmove.l #0, %fpcr
    fmovem.x %fp0-%fp7, (fp,%a6)
advance:
    move.l  #STACK, %sp
    add.l   #SIZE, %a6
    move.l  RESULTS + 8, %a0
    move.l  RESULTS + 12, %a1
    add.l   #SIZE, %a1
    cmp.l   #INPUTS_END, %a1
    bne     again
    move.l  #INPUTS, %a1
    add.l   #STUB, %a0
    cmp.l   #STUBS_END, %a0
    bne     again
    move.l  #1, RESULTS
    move.l  #RESULTS + 64, %a0
walk:
    move.l  (%a0)+, %d0
bits:
    btst    #0, %d0
    beq     even
    nop
even:
    lsr.l   #1, %d0
    bne     bits
    cmp.l   #RESULTS_END, %a0
    bne     walk
end:
    bra     end
trap:
    clr.l   %d0
    move.w  6(%sp), %d0
    addq.l  #1, %d0
    move.l  %d0, (trap_code,%a6)
    fmove.l #0, %fpcr
    bra     advance
    .macro  STUB_END
    jmp     save
    .endm
