/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the code of RUN_CODE once in supervisor state, with the registers in `state` and `vectors` and the memory in
 * `memory`, and prints all of them as they are afterwards. For QEMU's "s390-ccw-virtio" machine, whose console is its
 * service processor.
 */
    .set    FPC, 16 * 8
    .set    CC, 17 * 8 /* as of ipm */

    .text
    .globl  _start
_start:
    larl    %r3, control
    lctlg   %c0, %c0, 0(%r3)
    lghi    %r2, 0
    larl    %r3, psw
    larl    %r4, done
    stg     %r4, 8(%r3)
    mvc     0x1d0(16, %r2), 0(%r3) /* an exception ends the code */
    larl    %r1, memory
1:  lg      %r2, 0(%r1)
    lg      %r3, 8(%r1)
    aghi    %r1, 16
    ltgr    %r3, %r3
    jz      3f
2:  ic      %r4, 0(%r1)
    stc     %r4, 0(%r2)
    aghi    %r1, 1
    aghi    %r2, 1
    brctg   %r3, 2b
    aghi    %r1, 7
    nill    %r1, 0xfff8
    j       1b
3:  larl    %r1, vectors
    vlm     %v0, %v15, 0(%r1)
    vlm     %v16, %v31, 256(%r1)
    larl    %r1, state
    lfpc    FPC + 4(%r1)
    l       %r2, CC + 4(%r1)
    spm     %r2
    lg      %r0, 0(%r1)
    lmg     %r2, %r15, 16(%r1)
    lg      %r1, 8(%r1)
    j       code /* a translation block of its own */

    .balign 64
code:
    RUN_CODE
    j       done

    .balign 64
done:
    stmg    %r0, %r15, 0x1200(%r0) /* in the prefix area, which takes no register to reach */
    larl    %r1, state
    ipm     %r2
    st      %r2, CC + 4(%r1)
    stfpc   FPC + 4(%r1)
    lghi    %r2, 0x1200
    mvc     0(128, %r1), 0(%r2)
    larl    %r2, vectors
    vstm    %v0, %v15, 0(%r2)
    vstm    %v16, %v31, 256(%r2)
    lgfi    %r2, 0x00780005 /* which kinds of events there will be */
    larl    %r3, mask
    .insn   rre, 0xb2200000, %r2, %r3
    larl    %r1, names /* name, then address and bytes of the value, aligned to eight */
4:  larl    %r5, text
    llgc    %r4, 0(%r1)
    aghi    %r1, 1
    ltgr    %r4, %r4
    jz      8f
5:  stc     %r4, 0(%r5)
    aghi    %r5, 1
    llgc    %r4, 0(%r1)
    aghi    %r1, 1
    ltgr    %r4, %r4
    jnz     5b
    mvi     0(%r5), 0x20
    aghi    %r5, 1
    aghi    %r1, 7
    nill    %r1, 0xfff8
    lg      %r6, 0(%r1)
    lg      %r7, 8(%r1)
    aghi    %r1, 16
6:  llgc    %r8, 0(%r6)
    aghi    %r6, 1
    srlg    %r4, %r8, 4
    brasl   %r14, put_digit
    nill    %r8, 15
    lgr     %r4, %r8
    brasl   %r14, put_digit
    brctg   %r7, 6b
    mvi     0(%r5), 10
    aghi    %r5, 1
    larl    %r3, line
    sgr     %r5, %r3
    sth     %r5, 0(%r3)
    aghi    %r5, -8
    sth     %r5, 8(%r3)
    lgfi    %r2, 0x00760005 /* an event: a line for the console */
    .insn   rre, 0xb2200000, %r2, %r3
    j       4b
8:  larl    %r1, off
    lpswe   0(%r1)
put_digit:
    aghi    %r4, 48
    cghi    %r4, 57
    jle     9f
    aghi    %r4, 39
9:  stc     %r4, 0(%r5)
    aghi    %r5, 1
    br      %r14

    .data
    .balign 4096
mask:
    .short  28
    .skip   8
    .short  4
    .long   0, 0x40, 0, 0 /* sent: text */
    .balign 8
line:
    .skip   8  /* its length, and nothing else */
    .short  0  /* the event's length */
    .byte   0x1a, 0
    .short  0
text:
    .skip   1024
    .balign 8
control:
    .quad   0x60000 /* floating point and vectors do not trap */
psw:
    .quad   0x0000000180000000, 0
off:
    .quad   0x0002000180000000, 0xfff /* waiting for nothing, where QEMU ends */
