/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the code of RUN_CODE once, in 32 or 64 bits (WIDE), with the registers in `state` and `vectors` and the memory
 * in `memory`, and prints all of them as they are afterwards. QEMU's "pc" machine loads it by multiboot.
 */
    .if     WIDE
    .macro  FOR_EACH_REG do
    .irp    reg, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
    \do     \reg
    .endr
    .endm
    .macro  FOR_EACH_VECTOR do
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    \do     \n
    .endr
    .endm
    .else
    .macro  FOR_EACH_REG do
    .irp    reg, eax, ebx, ecx, edx, esi, edi, ebp
    \do     \reg
    .endr
    .endm
    .macro  FOR_EACH_VECTOR do
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7
    \do     \n
    .endr
    .endm
    .endif
    .set    SERIAL, 0x3f8
    .set    EXIT, 0xf4

    .text
image:
    .balign 4
header:
    .long   0x1badb002, 0x10000, -(0x1badb002 + 0x10000)
    .long   header, image, 0, 0, _start

    .code32
    .globl  _start
_start:
    cli
    cld
    movl    $stack_top, %esp
    lgdtl   gdt_pointer
    movl    %cr0, %eax
    andl    $~0x4, %eax /* x87 and SSE are there */
    orl     $0x2, %eax
    movl    %eax, %cr0
    movl    %cr4, %eax
    orl     $0x600, %eax
    movl    %eax, %cr4
    movl    $1, %eax
    cpuid
    andl    $0x0c000000, %ecx
    cmpl    $0x0c000000, %ecx /* XSAVE, which AVX needs */
    jne     1f
    movl    %cr4, %eax
    orl     $0x40000, %eax
    movl    %eax, %cr4
    movl    $0xd, %eax
    xorl    %ecx, %ecx
    cpuid
    andl    $7, %eax
    xorl    %edx, %edx
    xsetbv
1:
    .if     WIDE
    movl    $tables, %edi
    leal    4096 + 3(%edi), %eax
    movl    %eax, (%edi)
    movl    $4, %ecx
    leal    4096(%edi), %edx
    leal    8192 + 3(%edi), %eax
2:  movl    %eax, (%edx) /* four gigabytes */
    addl    $4096, %eax
    addl    $8, %edx
    loop    2b
    leal    8192(%edi), %edx
    movl    $2048, %ecx
    movl    $0x83, %eax
3:  movl    %eax, (%edx) /* of pages of 2 MiB */
    addl    $0x200000, %eax
    addl    $8, %edx
    loop    3b
    movl    %cr4, %eax
    orl     $0x20, %eax
    movl    %eax, %cr4
    movl    %edi, %cr3
    movl    $0xc0000080, %ecx
    rdmsr
    orl     $0x101, %eax /* long mode, syscall */
    wrmsr
    movl    %cr0, %eax
    orl     $0x80000000, %eax
    movl    %eax, %cr0
    .endif
    ljmpl   $8, $flat

    .if     WIDE
    .code64
    .endif
flat:
    movl    $16, %eax
    movl    %eax, %ds
    movl    %eax, %es
    movl    %eax, %ss
    movl    $memory, %ebx
    .if     WIDE
4:  movq    (%rbx), %rdi
    movq    8(%rbx), %rcx
    leaq    16(%rbx), %rsi
    testq   %rcx, %rcx
    jz      5f
    rep movsb
    leaq    7(%rsi), %rbx
    andq    $-8, %rbx
    jmp     4b
    .else
4:  movl    (%ebx), %edi
    movl    8(%ebx), %ecx
    leal    16(%ebx), %esi
    testl   %ecx, %ecx
    jz      5f
    rep movsb
    leal    7(%esi), %ebx
    andl    $-8, %ebx
    jmp     4b
    .endif
5:  fninit
    fldcw   state_fctrl
    ldmxcsr state_mxcsr
    .macro  LOAD_VECTOR n
    movdqu  vectors + 16 * \n, %xmm\n
    .endm
    FOR_EACH_VECTOR LOAD_VECTOR
    .if     WIDE
    pushq   state_eflags
    popfq
    .else
    pushl   state_eflags
    popfl
    .endif
    .macro  LOAD reg
    mov     state_\reg, %\reg
    .endm
    FOR_EACH_REG LOAD
    .if     WIDE
    mov     state_rsp, %rsp
    .else
    mov     state_esp, %esp
    .endif
    jmp     code /* a translation block of its own */

    .balign 64
code:
    RUN_CODE
    jmp     done

    .balign 64
done:
    .macro  SAVE reg
    mov     %\reg, state_\reg
    .endm
    FOR_EACH_REG SAVE
    .if     WIDE
    mov     %rsp, state_rsp
    movq    $stack_top, %rsp
    pushfq
    popq    state_eflags
    .else
    mov     %esp, state_esp
    movl    $stack_top, %esp
    pushfl
    popl    state_eflags
    .endif
    cld
    fnstcw  state_fctrl
    fnstsw  state_fstat
    stmxcsr state_mxcsr
    .macro  SAVE_VECTOR n
    movdqu  %xmm\n, vectors + 16 * \n
    .endm
    FOR_EACH_VECTOR SAVE_VECTOR
    movl    $names, %esi /* name, then address and bytes of the value */
6:  cmpb    $0, (%esi)
    je      9f
7:  lodsb
    testb   %al, %al
    jz      8f
    call    put
    jmp     7b
8:  movb    $32, %al
    call    put
    lodsl
    movl    %eax, %ebx
    lodsl
    call    put_value
    movb    $10, %al
    call    put
    jmp     6b
9:  movl    $EXIT, %edx
    xorl    %eax, %eax
    outb    %al, %dx
    hlt
    jmp     9b

/* The value of eax bytes at ebx, highest byte first. */
put_value:
    leal    -1(%ebx, %eax), %ebx
    movl    %eax, %ecx
1:  movb    (%ebx), %al
    shrb    $4, %al
    call    put_digit
    movb    (%ebx), %al
    andb    $15, %al
    call    put_digit
    decl    %ebx
    decl    %ecx
    jnz     1b
    ret
put_digit:
    addb    $48, %al
    cmpb    $57, %al
    jbe     put
    addb    $39, %al
put:
    movl    $SERIAL, %edx
    outb    %al, %dx
    ret

    .balign 8
gdt:
    .quad   0
    .if     WIDE
    .quad   0x00af9a000000ffff
    .else
    .quad   0x00cf9a000000ffff
    .endif
    .quad   0x00cf92000000ffff
gdt_pointer:
    .word   23
    .long   gdt

    .balign 4096
    .if     WIDE
tables:
    .skip   6 * 4096
    .endif
    .skip   4096
stack_top:
