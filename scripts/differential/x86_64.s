# SPDX-License-Identifier: GPL-2.0-or-later
#: qemu -M pc -cpu max -m 128
#: llvm --triple=x86_64
#: byteorder little
#: word 8
#: length 12
#: image bios
#: load 0xffc00000
#: results 0x2000000
#: state r 16 8 int
#: state y 16 32 vec
#: state fpu 1 128 x87
#: state mxcsr 1 8 0x1f80 0x1f80 0x3f80 0x5f80 0x7f80 0x9fc0 0x1fc0 0x9f80
#: state flags 1 8 2 0x8d7 0x3 0x843 0x96
#: refuse %r(1[6-9]|2\d|3[01])|^v?maskmov|^(stos|scas|cmps|movs|lods|ins|outs)[bwlq]$|^cmpxchg(8|16)b|\(|^\S*\s+-?\d+$|, -?\d+$|^[a-z]+ -?0x|zmm|%k[0-7]|[xy]mm(1[6-9]|2\d|3\d)|%(cr|dr|cs|ds|es|fs|gs|ss|tr|st\(8)|%[er]?(sp|ip)\b|%spl|%r(sp|ip)|^(j|call|ret|lret|iret|push|pop|enter|leave|in[sbwl]?\b|out|hlt|cli|sti|std|cld|int|into|ud|sys|wr|rd|xget|xset|xsave|xrst|fx|vmx|vm[clprsf]|inv|clts|lmsw|smsw|lidt|lgdt|sidt|sgdt|lldt|sldt|ltr|str|lar|lsl|ver|mov[sl]?[bwlq]? .*%(cr|dr)|cpuid|rsm|mwait|monitor|clac|stac|swapgs|loop|xbegin|xend|xabort|xtest|lods|stos|movs[bwlq]? %?\S*\(|scas|cmps[bwlq]? \S*\(|rep|lock|xlat|data|addr|cs|ds|es|fs|gs|ss|notrack|pause|wait|fnsave|fnstenv|fldenv|frstor|getsec|skinit|encl|pconfig|umwait|tpause|umonitor|hreset|senduipi|uiret|testui|clui|stui|serialize|pvalidate|psmash|rmp|clgi|stgi|vmgexit|seam|tdcall|endbr|incssp|saves|setss|clrss|rstors|ptwrite|rex|xacquire|xrelease|mcommit|wbinvd|wbnoinvd)
    .code64
begin:
    jmp     _start
    .balign 16
    .rept 32                            # the entries of exceptions
    push    $1
    jmp     trap
    .balign 16
    .endr
_start:
    mov     $STACK, %rsp
    movq    $RESULTS + 64, RESULTS + 24
    movabs  $STUBS, %rax
    movabs  $INPUTS, %rbx
again:
    mov     %rax, RESULTS + 8
    mov     %rbx, RESULTS + 16
    frstor  fpu(%rbx)
    ldmxcsr mxcsr(%rbx)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    vmovups y + 32 * \n(%rbx), %ymm\n
    .endr
    .irp n, 8,9,10,11,12,13,14,15
    mov     r + 8 * \n(%rbx), %r\n
    .endr
    mov     r + 0(%rbx), %rax
    mov     r + 8(%rbx), %rcx
    mov     r + 16(%rbx), %rdx
    mov     r + 40(%rbx), %rbp
    mov     r + 48(%rbx), %rsi
    mov     r + 56(%rbx), %rdi
    push    flags(%rbx)
    mov     r + 24(%rbx), %rbx
    popfq
    jmp     *RESULTS + 8
save:
    mov     $STACK, %rsp
    pushfq
    push    %rbx
    mov     RESULTS + 24, %rbx
    mov     %rax, r(%rbx)
    mov     %rcx, r + 8(%rbx)
    mov     %rdx, r + 16(%rbx)
    pop     %rax
    mov     %rax, r + 24(%rbx)
    mov     %rbp, r + 40(%rbx)
    mov     %rsi, r + 48(%rbx)
    mov     %rdi, r + 56(%rbx)
    .irp n, 8,9,10,11,12,13,14,15
    mov     %r\n, r + 8 * \n(%rbx)
    .endr
    pop     %rax
    mov     %rax, flags(%rbx)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    vmovups %ymm\n, y + 32 * \n(%rbx)
    .endr
    stmxcsr mxcsr(%rbx)
    fnsave  fpu(%rbx)
    xor     %eax, %eax
    mov     %rax, fpu + 12(%rbx)        # where the last x87 instruction and its operand were
    mov     %rax, fpu + 20(%rbx)
advance:
    cld
    addq    $SIZE, RESULTS + 24
    mov     RESULTS + 8, %rax
    mov     RESULTS + 16, %rbx
    add     $SIZE, %rbx
    movabs  $INPUTS_END, %rcx
    cmp     %rcx, %rbx
    jne     again
    movabs  $INPUTS, %rbx
    add     $STUB, %rax
    movabs  $STUBS_END, %rcx
    cmp     %rcx, %rax
    jne     again
    movq    $1, RESULTS
    mov     $RESULTS + 64, %rbx
walk:
    mov     (%rbx), %rax
    add     $8, %rbx
bits:
    shr     %rax
    jnc     even
    nop
even:
    test    %rax, %rax
    jnz     bits
    cmp     $RESULTS_END, %rbx
    jne     walk
end:
    jmp     end
trap:
    fninit
    mov     RESULTS + 24, %rbx
    movq    $1, trap_code(%rbx)
    mov     $STACK, %rsp
    jmp     advance
    .macro  STUB_END
    jmp     save
    .endm

    # The last 16 KB below 4 GB: page tables, IDT, GDT, and from real mode into long mode.
    .section .reset, "ax"
    .quad   0xffffd023
    .org    0x1000
    .quad   0x000000e3, 0x400000e3, 0x800000e3, 0xc00000e3
    .org    0x2000
idt:
    .set    gate, 0
    .rept 32
    .word   (LOAD + 16 + 16 * gate) & 0xffff, 8
    .word   0x8e00, (LOAD + 16 + 16 * gate) >> 16
    .quad   0
    .set    gate, gate + 1
    .endr
idt_at:
    .word   32 * 16 - 1
    .quad   0xffffe000
gdt:
    .quad   0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff
gdt_at:
    .word   31
    .long   0xffffe000 + gdt - idt
    .org    0x2800
    .code32
enter32:
    mov     $16, %ax
    mov     %ax, %ds
    mov     %ax, %es
    mov     %ax, %ss
    mov     $0x406a0, %eax              # PAE, PGE, OSFXSR, OSXMMEXCPT, OSXSAVE
    mov     %eax, %cr4
    mov     $0xffffc000, %eax
    mov     %eax, %cr3
    mov     $0xc0000080, %ecx
    mov     $0x100, %eax                # LME
    xor     %edx, %edx
    wrmsr
    mov     $0x80000023, %eax           # PG, NE, MP, PE
    mov     %eax, %cr0
    ljmp    $8, $0xffffe900
    .org    0x2900
    .code64
    xor     %ecx, %ecx
    xor     %edx, %edx
    mov     $7, %eax
    xsetbv
    mov     $0xffffe000 + idt_at - idt, %eax
    lidt    (%rax)
    mov     $LOAD, %eax
    jmp     *%rax
    .org    0x3000
    .code16
enter16:
    cli
    mov     $0xe000 + gdt_at - idt, %bx
    lgdtl   %cs:(%bx)
    mov     $1, %ax
    lmsw    %ax
    ljmpl   $24, $0xffffe800
    .org    0x3ff0
    jmp     enter16
    .org    0x4000
    .text
    .code64
