/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the code of RUN_CODE once in machine mode, with the registers in `state` and `vectors` and the memory in
 * `memory`, and prints all of them as they are afterwards. For QEMU's "virt" machine without firmware, which begins at
 * 0x80000000.
 */
    .set    SERIAL, 0x10000000
    .set    FINISHER, 0x100000
    .option norvc

    /* Writable, unlike .text: lld would put both into one segment, and the 64 MiB between them into the file. */
    .section .boot, "awx", @progbits
    .globl  _start
_start:
    la      t0, main
    jr      t0

    .text
main:
    li      t0, 0x6600 /* floating point and vectors are there */
    csrs    mstatus, t0
    la      a0, memory
1:  ld      a1, 0(a0)
    ld      a2, 8(a0)
    addi    a0, a0, 16
    beqz    a2, 3f
2:  lbu     a3, 0(a0)
    sb      a3, 0(a1)
    addi    a0, a0, 1
    addi    a1, a1, 1
    addi    a2, a2, -1
    bnez    a2, 2b
    addi    a0, a0, 7
    andi    a0, a0, -8
    j       1b
3:  la      a0, vectors
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    fld     f\n, (8 * \n)(a0)
    .endr
    la      x31, state
    ld      x1, 0(x31)
    csrw    fcsr, x1
    .irp    n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    ld      x\n, (8 * \n)(x31)
    .endr
    j       code /* a translation block of its own */

    .balign 64
code:
    RUN_CODE
    j       done

    .balign 64
done:
    csrw    mscratch, x31
    la      x31, state
    .irp    n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
    sd      x\n, (8 * \n)(x31)
    .endr
    csrr    x1, mscratch
    sd      x1, 248(x31)
    csrr    x1, fcsr
    sd      x1, 0(x31)
    la      a0, vectors
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    fsd     f\n, (8 * \n)(a0)
    .endr
    la      a0, names /* name, then address and bytes of the value, aligned to eight */
    li      a5, SERIAL
4:  lbu     a1, 0(a0)
    beqz    a1, 8f
5:  sb      a1, 0(a5)
    addi    a0, a0, 1
    lbu     a1, 0(a0)
    bnez    a1, 5b
    li      a1, 32
    sb      a1, 0(a5)
    addi    a0, a0, 8
    andi    a0, a0, -8
    ld      a2, 0(a0)
    ld      a3, 8(a0)
    addi    a0, a0, 16
    add     a2, a2, a3
6:  addi    a2, a2, -1
    lbu     a4, 0(a2)
    srli    a1, a4, 4
    jal     t0, put_digit
    andi    a1, a4, 15
    jal     t0, put_digit
    addi    a3, a3, -1
    bnez    a3, 6b
    li      a1, 10
    sb      a1, 0(a5)
    j       4b
8:  li      a0, FINISHER
    li      a1, 0x5555
    sw      a1, 0(a0)
9:  wfi
    j       9b
put_digit:
    addi    a1, a1, 48
    li      t1, 58
    bltu    a1, t1, 1f
    addi    a1, a1, 39
1:  sb      a1, 0(a5)
    jr      t0
