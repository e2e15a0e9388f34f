# SPDX-License-Identifier: GPL-2.0-or-later
#: qemu -M none -cpu I6400 -m 256
#: llvm --triple=mips64 --mcpu=mips64r6 --mattr=+msa
#: byteorder big
#: word 8
#: length 4
#: load 0
#: pc 0xffffffff80001000
#: mapped 0xffffffff80000000
#: results 0x4000000
#: state r 32 8 int
#: state w 32 16 vec
#: state fcsr 1 8 0 1 2 3 0x1000000 0 0
#: state msacsr 1 8 0 1 2 3 0x1000000
#: refuse \(|\$(26|27|k0|k1|sp|gp)\b|^(b|j|cache|pref|synci?|syscall|break|sdbbp|eret|deret|wait|tlb|d?m[tf]c0|d?m[tf]hc0|m[tf]c2|d?mtc2|d?mfc2|di|ei|rdhwr|rdpgpr|wrpgpr|pause|ehb|t[gln]|teq|c[ft]cmsa|c[ft]c1|dvp|evp|lwpc|lwupc|ldpc|auipc|aluipc|addiupc|ginvi|ginvt|hypcall|sigrie|nal|bal|lwc2|swc2|ldc2|sdc2)
    .set    noat
    .set    noreorder
begin:
    .rept 0x100                         # every vector of exceptions
    b       trap
    nop
    nop
    nop
    .endr
_start:
    lui     $8, 0x3400                  # CU1, FR; KX, SX, UX
    ori     $8, $8, 0xe0
    mtc0    $8, $12
    ehb
    mfc0    $8, $16, 5
    lui     $9, 0x0800                  # Config5.MSAEn
    or      $8, $8, $9
    mtc0    $8, $16, 5
    ehb
    dli     $26, RESULTS + 64
    dli     $9, STUBS
    dli     $10, INPUTS
again:
    dli     $8, RESULTS
    sd      $9, 8($8)
    sd      $10, 16($8)
    move    $27, $9
    ld      $11, fcsr($10)
    ctc1    $11, $31
    ld      $11, msacsr($10)
    ctcmsa  $1, $11
    daddiu  $12, $10, w
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    ld.b    $w\n, 16 * \n($12)
    .endr
    .irp n, 1,2,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,28,29,30,31,10
    ld      $\n, r + 8 * \n($10)
    .endr
    jr      $27
    nop
save:
    .irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,28,29,30,31
    sd      $\n, r + 8 * \n($26)
    .endr
    cfc1    $8, $31
    sd      $8, fcsr($26)
    cfcmsa  $8, $1
    sd      $8, msacsr($26)
    daddiu  $12, $26, w
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    st.b    $w\n, 16 * \n($12)
    .endr
advance:
    daddiu  $26, $26, SIZE
    dli     $8, RESULTS
    ld      $9, 8($8)
    ld      $10, 16($8)
    daddiu  $10, $10, SIZE
    dli     $11, INPUTS_END
    bne     $10, $11, again
    nop
    dli     $10, INPUTS
    daddiu  $9, $9, STUB
    dli     $11, STUBS_END
    bne     $9, $11, again
    nop
    li      $9, 1
    sd      $9, 0($8)
    dli     $9, RESULTS + 64
    dli     $10, RESULTS_END
walk:
    ld      $11, 0($9)
    daddiu  $9, $9, 8
bits:
    andi    $12, $11, 1
    beqz    $12, even
    nop
    nop
even:
    dsrl    $11, $11, 1
    bnez    $11, bits
    nop
    bne     $9, $10, walk
    nop
end:
    b       end
    nop
trap:
    mfc0    $9, $13
    andi    $9, $9, 0x7c
    daddiu  $9, $9, 1
    sd      $9, trap_code($26)
    lui     $8, 0x3400
    ori     $8, $8, 0xe0
    mtc0    $8, $12                     # no longer EXL
    ehb
    b       advance
    nop
    .macro  STUB_END
    bc      save
    .endm
