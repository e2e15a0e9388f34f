# SPDX-License-Identifier: GPL-2.0-or-later
#: qemu -M virt -cpu rv64,v=true,zbkb=true,zbkc=true,zbkx=true,zknd=true,zkne=true,zknh=true,zksed=true,zksh=true -m 256 -bios none
#: llvm --triple=riscv64 --mattr=+m,+a,+f,+d,+c,+v,+zfh,+zba,+zbb,+zbc,+zbs,+zbkb,+zbkc,+zbkx,+zknd,+zkne,+zknh,+zksed,+zksh
#: byteorder little
#: word 8
#: length 4
#: load 0x80000000
#: results 0x84000000
#: state x 32 8 int
#: state f 32 8 float
#: state v 32 16 vec
#: state fcsr 1 8 0 0 0x20 0x40 0x60 0x80 0x1f
#: state type 1 8 0x18 0x10 0x8 0 0x11 0xf 0xd8 0xd0
#: state len 1 8 2 4 8 16 5 1 1 3
#: state vcsr 1 8 0 2 4 6 1
#: refuse \(|\bsp\b|\bt6\b|^(c\.)?(b|j|ret|call|tail|ecall|ebreak|unimp|mret|sret|wfi|csr|fence|sfence|hfence|hinval|sinval|pause|rdcycle|rdtime|rdinstret|auipc|mnret|uret|dret|wrs|c\.ebreak|c\.unimp|frcsr|fscsr|frrm|frflags|fsrm|fsflags|cbo)
    .option norelax
    .option norvc
_start:
    li      t0, 0x6600                  # FS, VS
    csrs    mstatus, t0
    li      t0, LOAD + 0x800
    csrw    mtvec, t0
    li      sp, RESULTS + 64
    li      t1, STUBS
    li      t2, INPUTS
again:
    li      t0, RESULTS
    sd      t1, 8(t0)
    sd      t2, 16(t0)
    mv      t6, t1
    ld      t3, type(t2)
    ld      t4, len(t2)
    vsetvl  zero, t4, t3
    addi    t3, t2, v
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    vl1re8.v v\n, (t3)
    addi    t3, t3, 16
    fld     f\n, f + 8 * \n(t2)
    .endr
    ld      t3, vcsr(t2)
    csrw    vcsr, t3
    ld      t3, fcsr(t2)
    csrw    fcsr, t3
    .irp n, 1,3,4,5,6,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,7
    ld      x\n, x + 8 * \n(t2)
    .endr
    jr      t6
save:
    .irp n, 1,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
    sd      x\n, x + 8 * \n(sp)
    .endr
    csrr    t3, fcsr
    sd      t3, fcsr(sp)
    csrr    t3, 0xc20                   # vl
    sd      t3, len(sp)
    csrr    t3, 0xc21                   # vtype
    sd      t3, type(sp)
    csrr    t3, vcsr
    sd      t3, vcsr(sp)
    csrw    vstart, zero
    addi    t3, sp, v
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    vs1r.v  v\n, (t3)
    addi    t3, t3, 16
    fsd     f\n, f + 8 * \n(sp)
    .endr
advance:
    csrw    vstart, zero
    li      t0, SIZE
    add     sp, sp, t0
    li      t0, RESULTS
    ld      t1, 8(t0)
    ld      t2, 16(t0)
    li      t3, SIZE
    add     t2, t2, t3
    li      t3, INPUTS_END
    bne     t2, t3, again
    li      t2, INPUTS
    addi    t1, t1, STUB
    li      t3, STUBS_END
    bne     t1, t3, again
    li      t1, 1
    sd      t1, (t0)
    li      t1, RESULTS + 64
    li      t2, RESULTS_END
walk:
    ld      t3, (t1)
    addi    t1, t1, 8
bits:
    andi    t4, t3, 1
    beqz    t4, even
    nop
even:
    srli    t3, t3, 1
    bnez    t3, bits
    bne     t1, t2, walk
end:
    j       end
    .org    0x800
trap:
    csrr    t3, mcause
    addi    t3, t3, 1
    li      t0, trap_code
    add     t0, t0, sp
    sd      t3, (t0)
    j       advance
    .macro  STUB_END
    j       save
    .endm
