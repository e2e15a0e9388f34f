/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the code of RUN_CODE once in 64-bit mode, with the registers in `state` and `vectors` and the memory in
 * `memory`, and prints all of them as they are afterwards. It is the firmware of QEMU's "pseries" machine, and prints
 * and ends by calls of its hypervisor.
 */
    .set    CR, 32 * 8
    .set    LR, 33 * 8
    .set    CTR, 34 * 8
    .set    XER, 35 * 8
    .set    FPSCR, 36 * 8

    .text
    .globl  _start
_start:
    .skip   0x100 /* the machine begins at the vector of a reset */
    b       begin
    .rept   0x1fbf
    b       done /* any other exception ends the code */
    .endr

    .balign 4096
    .macro  LOAD register, label
    lis     \register, \label@h
    ori     \register, \register, \label@l
    .endm

begin:
    mfmsr   %r9
    oris    %r9, %r9, 0x0280 /* vectors, VSX and floating point do not trap */
    ori     %r9, %r9, 0x2000
    mtmsrd  %r9
    isync
    LOAD    %r3, memory
1:  ld      %r4, 0(%r3)
    ld      %r5, 8(%r3)
    addi    %r3, %r3, 16
    cmpdi   %r5, 0
    beq     3f
2:  lbz     %r6, 0(%r3)
    stb     %r6, 0(%r4)
    addi    %r3, %r3, 1
    addi    %r4, %r4, 1
    addi    %r5, %r5, -1
    cmpdi   %r5, 0
    bne     2b
    addi    %r3, %r3, 7
    clrrdi  %r3, %r3, 3
    b       1b
3:  LOAD    %r3, vectors
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60,61,62,63
    li      %r4, 16 * \n
    lxvd2x  %vs\n, %r3, %r4
    .endr
    LOAD    %r31, state
    stfd    %f0, 40 * 8(%r31)
    lfd     %f0, FPSCR(%r31)
    mtfsf   255, %f0, 0, 0
    lfd     %f0, 0(%r3)
    li      %r4, 0
    lxvd2x  %vs0, %r3, %r4
    ld      %r4, CR(%r31)
    mtcr    %r4
    ld      %r4, LR(%r31)
    mtlr    %r4
    ld      %r4, CTR(%r31)
    mtctr   %r4
    ld      %r4, XER(%r31)
    mtxer   %r4
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    ld      %r\n, 8 * \n(%r31)
    .endr
    b       code /* a translation block of its own */

    .balign 64
code:
    RUN_CODE
    b       done

    .balign 64
done:
    mtsprg  0, %r31
    LOAD    %r31, state
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
    std     %r\n, 8 * \n(%r31)
    .endr
    mfsprg  %r3, 0
    std     %r3, 31 * 8(%r31)
    mfcr    %r3
    std     %r3, CR(%r31)
    mflr    %r3
    std     %r3, LR(%r31)
    mfctr   %r3
    std     %r3, CTR(%r31)
    mfxer   %r3
    std     %r3, XER(%r31)
    LOAD    %r3, vectors
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60,61,62,63
    li      %r4, 16 * \n
    stxvd2x %vs\n, %r3, %r4
    .endr
    mffs    %f0
    stfd    %f0, FPSCR(%r31)
    LOAD    %r14, names /* name, then address and bytes of the value, aligned to eight */
4:  lbz     %r15, 0(%r14)
    addi    %r14, %r14, 1
    cmpdi   %r15, 0
    beq     8f
5:  bl      put
    lbz     %r15, 0(%r14)
    addi    %r14, %r14, 1
    cmpdi   %r15, 0
    bne     5b
    li      %r15, 32
    bl      put
    addi    %r14, %r14, 7
    clrrdi  %r14, %r14, 3
    ld      %r16, 0(%r14)
    ld      %r17, 8(%r14)
    addi    %r14, %r14, 16
6:  lbz     %r18, 0(%r16)
    addi    %r16, %r16, 1
    srdi    %r15, %r18, 4
    bl      put_digit
    clrldi  %r15, %r18, 60
    bl      put_digit
    addi    %r17, %r17, -1
    cmpdi   %r17, 0
    bne     6b
    li      %r15, 10
    bl      put
    b       4b
8:  lis     %r3, 0 /* the call of the platform's firmware: off */
    ori     %r3, %r3, 0xf000
    LOAD    %r4, off
    sc      1
9:  b       9b
put_digit:
    addi    %r15, %r15, 48
    cmpdi   %r15, 57
    ble     put
    addi    %r15, %r15, 39
put:
    li      %r3, 0x58 /* put one byte on the terminal */
    lis     %r4, 0x7100
    li      %r5, 1
    sldi    %r6, %r15, 56
    li      %r7, 0
    sc      1
    cmpdi   %r3, 0
    bne     put
    blr

    .balign 8
off:
    .long   0x2003, 2, 1, 0, 0, 0
