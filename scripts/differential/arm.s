@ SPDX-License-Identifier: GPL-2.0-or-later
@: qemu -M virt -cpu max -m 512
@: llvm --triple=armv8.6a --mattr=+neon,+crypto,+fullfp16,+fp16fml,+dotprod,+bf16,+i8mm,+crc,+hwdiv-arm
@: byteorder little
@: word 4
@: length 4
@: load 0x48000000
@: results 0x50000000
@: state r 16 4 int
@: state d 32 8 vec
@: state fpscr 1 4 0 0 0x400000 0x800000 0xc00000 0x1000000 0x2000000 0x80000
@: state cpsr 1 4 0 0xf0000000 0x20000000 0x400f0000 0x80050000
@: refuse \[|!|\b(sp|lr|pc|r13|r14|r15)\b|^(b[lx]?(eq|ne|hs|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le|j)?(\.w)?|blx|bkpt|ldm|stm|push|pop|svc|hvc|smc|cps|setend|setpan|wf|sev|yield|mcr|mrc|mrr|cdp|ldc|stc|msr|mrs|rfe|srs|eret|udf|dbg|hlt|dsb|dmb|isb|vmsr|vmrs|fstm|fldm|v?ldm|vst|vld|hint|csdb|esb|clrbhb|sb|ssbb|pssbb|tsb)\w*( |$)|\^
_start:
    mov     r0, #0xf00000
    mcr     p15, 0, r0, c1, c0, 2
    isb
    mov     r0, #0x40000000
    vmsr    fpexc, r0
    ldr     r0, =LOAD + 0x8000
    mcr     p15, 0, r0, c12, c0, 0
    ldr     sp, =RESULTS + 64
    ldr     r1, =STUBS
    ldr     r2, =INPUTS
again:
    ldr     r0, =RESULTS
    str     r1, [r0, #8]
    str     r2, [r0, #16]
    str     sp, [r0, #24]
    mov     lr, r1
    ldr     r3, [r2, #fpscr]
    vmsr    fpscr, r3
    add     r3, r2, #d
    vldmia  r3!, {d0-d15}
    vldmia  r3, {d16-d31}
    ldr     r3, [r2, #cpsr]
    msr     apsr_nzcvqg, r3
    add     r3, r2, #r
    ldm     r3, {r0-r12}
    bx      lr
save:
    stm     sp, {r0-r12}
    mrs     r3, cpsr
    str     r3, [sp, #cpsr]
    vmrs    r3, fpscr
    str     r3, [sp, #fpscr]
    add     r3, sp, #d
    vstmia  r3!, {d0-d15}
    vstmia  r3, {d16-d31}
advance:
    ldr     r0, =RESULTS
    ldr     sp, [r0, #24]
    add     sp, sp, #SIZE
    ldr     r1, [r0, #8]
    ldr     r2, [r0, #16]
    add     r2, r2, #SIZE
    ldr     r3, =INPUTS_END
    cmp     r2, r3
    bne     again
    ldr     r2, =INPUTS
    add     r1, r1, #STUB
    ldr     r3, =STUBS_END
    cmp     r1, r3
    bne     again
    mov     r1, #1
    str     r1, [r0]
    ldr     r1, =RESULTS + 64
    ldr     r2, =RESULTS_END
walk:
    ldr     r3, [r1], #4
bits:
    tst     r3, #1
    beq     even
    nop
even:
    lsrs    r3, r3, #1
    bne     bits
    cmp     r1, r2
    bne     walk
end:
    b       end
    .ltorg
    .org    0x8000
    .rept 8
    b       trap
    .endr
trap:
    cps     #0x13
    mov     r3, #1
    str     r3, [sp, #trap_code]
    b       advance
    .macro  STUB_END
    b       save
    .endm
