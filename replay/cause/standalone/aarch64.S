/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the code of RUN_CODE once at EL1, with the registers in `state` and `vectors` and the memory in `memory`, and
 * prints all of them as they are afterwards. For QEMU's "virt" machine.
 */
    .set    SERIAL, 0x09000000

    .text
    .globl  _start
_start:
    mov     x0, #(3 << 20 | 3 << 16) /* floating point and SVE do not trap */
    msr     cpacr_el1, x0
    /* One-gigabyte pages where they are: devices, then RAM, so that data need not be aligned. */
    adr     x0, tables
    mov     x1, #0x405
    str     x1, [x0]
    mov     x1, #0x40000000
    add     x1, x1, #0x701
    str     x1, [x0, #8]
    msr     ttbr0_el1, x0
    mov     x1, #0xff00 /* attribute 1 is normal memory, 0 a device */
    msr     mair_el1, x1
    movz    x1, #0x3519 /* addresses of 39 bits, inner shareable, write-back */
    movk    x1, #0x0080, lsl #16
    msr     tcr_el1, x1
    isb
    mrs     x1, sctlr_el1
    orr     x1, x1, #1
    bic     x1, x1, #2
    msr     sctlr_el1, x1
    isb
    ldr     x0, =memory
1:  ldp     x1, x2, [x0], #16
    cbz     x2, 3f
2:  ldrb    w3, [x0], #1
    strb    w3, [x1], #1
    subs    x2, x2, #1
    b.ne    2b
    add     x0, x0, #7
    and     x0, x0, #~7
    b       1b
3:  ldr     x0, =vectors
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    ldr     q\n, [x0, #16 * \n]
    .endr
    ldr     x30, =state
    ldr     x0, [x30, #248]
    mov     sp, x0
    ldr     x0, [x30, #256]
    msr     nzcv, x0
    ldr     x0, [x30, #264]
    msr     fpcr, x0
    ldr     x0, [x30, #272]
    msr     fpsr, x0
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
    ldr     x\n, [x30, #8 * \n]
    .endr
    b       code /* a translation block of its own */
    .ltorg

    .balign 64
code:
    RUN_CODE
    b       done

    .balign 64
done:
    msr     tpidr_el0, x30
    ldr     x30, =state
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29
    str     x\n, [x30, #8 * \n]
    .endr
    mrs     x0, tpidr_el0
    str     x0, [x30, #240]
    mov     x0, sp
    str     x0, [x30, #248]
    mrs     x0, nzcv
    str     x0, [x30, #256]
    mrs     x0, fpcr
    str     x0, [x30, #264]
    mrs     x0, fpsr
    str     x0, [x30, #272]
    ldr     x0, =vectors
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    str     q\n, [x0, #16 * \n]
    .endr
    ldr     x0, =stack_top
    mov     sp, x0
    mov     x20, #SERIAL
    ldr     x0, =names /* name, then address and bytes of the value, aligned to eight */
4:  ldrb    w1, [x0], #1
    cbz     w1, 8f
5:  str     w1, [x20]
    ldrb    w1, [x0], #1
    cbnz    w1, 5b
    mov     w1, #32
    str     w1, [x20]
    add     x0, x0, #7
    and     x0, x0, #~7
    ldp     x2, x3, [x0], #16
    add     x2, x2, x3
6:  ldrb    w4, [x2, #-1]!
    lsr     w1, w4, #4
    bl      put_digit
    and     w1, w4, #15
    bl      put_digit
    subs    x3, x3, #1
    b.ne    6b
    mov     w1, #10
    str     w1, [x20]
    b       4b
8:  movz    x0, #0x0008 /* PSCI: off */
    movk    x0, #0x8400, lsl #16
    hvc     #0
9:  wfi
    b       9b
put_digit:
    add     w1, w1, #48
    cmp     w1, #57
    b.ls    1f
    add     w1, w1, #39
1:  str     w1, [x20]
    ret
    .ltorg

    .balign 4096
tables:
    .skip   4096
    .skip   4096
stack_top:
