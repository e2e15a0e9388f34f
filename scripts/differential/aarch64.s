// SPDX-License-Identifier: GPL-2.0-or-later
//: qemu -M virt -cpu max -m 512
//: llvm --triple=aarch64 --mattr=+v9.4a,+sve2,+sve2-aes,+sve2-sha3,+sve2-sm4,+sve2-bitperm,+f32mm,+f64mm,+bf16,+i8mm,+fullfp16,+fp16fml,+sha3,+sm4,+aes,+jsconv,+complxnum,+mops,+rand
//: byteorder little
//: word 8
//: length 4
//: load 0x48000000
//: results 0x50000000
//: state x 30 8 int
//: state z 32 32 vec
//: state p 16 4 pred
//: state nzcv 1 8 0 0x20000000 0xf0000000 0x40000000
//: state fpcr 1 8 0 0 0 0x400000 0x800000 0xc00000 0x1000000 0x80000 0x2000000
//: state fpsr 1 8 0 0x8000000
//: refuse \[|\bsp\b|\bwsp\b|x30|w30|^(b|bl|br|blr|ret|cb|tb|bc|b\.|ml?rs|msr|mrs|sys|tl|dc|ic|at|eret|h[vl]|smc|svc|hlt|brk|dcps|wf|yield|sm|bra|blra|reta|ereta|dgh|tcommit|tcancel|tstart|ttest|cpy|set[mpefg]|pac|aut|xpac|bti|irg|gmi|udf|rmif$)
_start:
    mov     x0, #0x330000           // CPACR_EL1: FPEN, ZEN
    msr     cpacr_el1, x0
    isb
    mov     x0, #1                  // vectors of 256 bits
    msr     zcr_el1, x0
    adr     x0, vectors
    msr     vbar_el1, x0
    ldr     x0, =RESULTS + 64
    mov     sp, x0
    adr     x1, stubs
    ldr     x2, =INPUTS
again:
    ldr     x0, =RESULTS
    str     x1, [x0, #8]
    str     x2, [x0, #16]
    mov     x30, x1
    ldr     x3, [x2, #nzcv]
    msr     nzcv, x3
    ldr     x3, [x2, #fpcr]
    msr     fpcr, x3
    ldr     x3, [x2, #fpsr]
    msr     fpsr, x3
    add     x3, x2, #z
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    ldr     z\n, [x3, #\n, mul vl]
    .endr
    add     x3, x2, #p
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    ldr     p\n, [x3, #\n, mul vl]
    .endr
    .irp n, 0,1,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,2
    ldr     x\n, [x2, #x + 8 * \n]
    .endr
    br      x30
save:
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29
    str     x\n, [sp, #x + 8 * \n]
    .endr
    mrs     x3, nzcv
    str     x3, [sp, #nzcv]
    mrs     x3, fpcr
    str     x3, [sp, #fpcr]
    mrs     x3, fpsr
    str     x3, [sp, #fpsr]
    mov     x3, sp
    add     x4, x3, #z
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    str     z\n, [x4, #\n, mul vl]
    .endr
    add     x4, x3, #p
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    str     p\n, [x4, #\n, mul vl]
    .endr
advance:
    add     sp, sp, #SIZE
    ldr     x0, =RESULTS
    ldr     x1, [x0, #8]
    ldr     x2, [x0, #16]
    add     x2, x2, #SIZE
    ldr     x3, =INPUTS_END
    cmp     x2, x3
    b.ne    again
    ldr     x2, =INPUTS
    add     x1, x1, #STUB
    ldr     x3, =STUBS_END
    cmp     x1, x3
    b.ne    again
    mov     x1, #1
    str     x1, [x0]
    ldr     x1, =RESULTS + 64
    ldr     x2, =RESULTS_END
walk:
    ldr     x3, [x1], #8
bits:
    tbz     x3, #0, even
    nop
even:
    lsr     x3, x3, #1
    cbnz    x3, bits
    cmp     x1, x2
    b.ne    walk
end:
    b       end
trap:
    mrs     x3, esr_el1
    lsr     x3, x3, #26
    add     x3, x3, #1
    str     x3, [sp, #trap_code]
    b       advance
    .balign 2048
vectors:
    .rept 16
    b       trap
    .balign 128
    .endr
    .ltorg
    .macro  STUB_END
    b       save
    .endm
