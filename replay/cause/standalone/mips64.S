/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the code of RUN_CODE once in kernel mode, with the registers in `state` and `vectors` and the memory in
 * `memory`, and prints all of them as they are afterwards. For QEMU's "malta" machine, with the serial port of the
 * board, which needs no bus. FULL says whether the floating-point registers have 64 bits each.
 */
    .set    noat
    .set    noreorder
    .set    LO, 32 * 8
    .set    HI, 33 * 8
    .set    FCSR, 34 * 8
    .set    BOARD, 0xbf000000

    .text
    .globl  _start
    .macro  LOAD register, label
    lui     \register, %hi(\label)
    daddiu  \register, \register, %lo(\label)
    .endm
    /* Goes to the label if the processor has HI and LO (before release 6). */
    .macro  IF_OLD label
    mfc0    $8, $16
    srl     $8, $8, 10
    andi    $8, $8, 7
    sltiu   $8, $8, 2
    bne     $8, $0, \label
    nop
    .endm

    .balign 4096
vectors_begin:
    .rept   0x80 /* any exception ends the code */
    b       done
    nop
    nop
    nop
    .endr
_start:
    mfc0    $8, $12
    lui     $9, 0x0040 /* BEV */
    nor     $9, $9, $0
    and     $8, $8, $9
    mtc0    $8, $12
    lui     $8, 0x2000 | FULL << 10 /* CU1, FR; KX, SX, UX */
    ori     $8, $8, 0xe0
    mtc0    $8, $12
    ssnop
    ssnop
    ssnop
    ssnop
    LOAD    $4, memory
1:  ld      $5, 0($4)
    ld      $6, 8($4)
    daddiu  $4, $4, 16
    beq     $6, $0, 3f
    nop
2:  lbu     $7, 0($4)
    sb      $7, 0($5)
    daddiu  $4, $4, 1
    daddiu  $6, $6, -1
    bne     $6, $0, 2b
    daddiu  $5, $5, 1
    daddiu  $4, $4, 7
    dsrl    $4, $4, 3
    b       1b
    dsll    $4, $4, 3
3:  LOAD    $4, vectors
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    .if     FULL
    ldc1    $f\n, 8 * \n($4)
    .else
    lwc1    $f\n, 8 * \n + 4($4)
    .endif
    .endr
    LOAD    $31, state
    ld      $8, FCSR($31)
    ctc1    $8, $31
    IF_OLD  4f
    b       5f
    nop
4:  ld      $8, LO($31)
    mtlo    $8
    ld      $8, HI($31)
    mthi    $8
5:
    .irp    n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
    ld      $\n, 8 * \n($31)
    .endr
    b       code /* a translation block of its own */
    ld      $31, 8 * 31($31)

    .balign 64
code:
    RUN_CODE
    b       done
    nop

    .balign 64
done:
    dmtc0   $31, $30 /* the address of an error, which there is none of */
    LOAD    $31, state
    .irp    n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
    sd      $\n, 8 * \n($31)
    .endr
    dmfc0   $8, $30
    sd      $8, 8 * 31($31)
    IF_OLD  4f
    b       5f
    nop
4:  mflo    $8
    sd      $8, LO($31)
    mfhi    $8
    sd      $8, HI($31)
5:  cfc1    $8, $31
    dsll    $8, $8, 32
    dsrl    $8, $8, 32
    sd      $8, FCSR($31)
    LOAD    $4, vectors
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    .if     FULL
    sdc1    $f\n, 8 * \n($4)
    .else
    swc1    $f\n, 8 * \n + 4($4)
    .endif
    .endr
    lui     $16, BOARD >> 16
    LOAD    $17, names /* name, then address and bytes of the value, aligned to eight */
6:  lbu     $18, 0($17)
    beq     $18, $0, 9f
    daddiu  $17, $17, 1
7:  sb      $18, 0x900($16)
    lbu     $18, 0($17)
    bne     $18, $0, 7b
    daddiu  $17, $17, 1
    daddiu  $18, $0, 32
    sb      $18, 0x900($16)
    daddiu  $17, $17, 7
    dsrl    $17, $17, 3
    dsll    $17, $17, 3
    ld      $19, 0($17)
    ld      $20, 8($17)
    daddiu  $17, $17, 16
8:  lbu     $21, 0($19)
    bal     put_digit
    dsrl    $18, $21, 4
    bal     put_digit
    andi    $18, $21, 15
    daddiu  $20, $20, -1
    bne     $20, $0, 8b
    daddiu  $19, $19, 1
    daddiu  $18, $0, 10
    b       6b
    sb      $18, 0x900($16)
9:  daddiu  $18, $0, 0x42 /* the board's reset, which ends QEMU */
    sw      $18, 0x500($16)
    b       9b
    nop
put_digit:
    daddiu  $18, $18, 48
    slti    $8, $18, 58
    bne     $8, $0, 1f
    nop
    daddiu  $18, $18, 39
1:  sb      $18, 0x900($16)
    jalr    $0, $31
    nop
