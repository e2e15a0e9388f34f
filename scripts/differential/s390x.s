# SPDX-License-Identifier: GPL-2.0-or-later
#: qemu -M s390-ccw-virtio -cpu max -m 256
#: llvm --triple=s390x --mcpu=z15
#: byteorder big
#: word 8
#: length 6
#: image kernel
#: load 0
#: results 0x4000000
#: state r 16 8 int
#: state v 32 16 vec
#: state fpc 1 8 0 0 0x1 0x2 0x3 0x7 0x10 0x20 0x30
#: state cc 1 8 0 0x10000000 0x20000000 0x30000000
#: refuse [(]|^(?!([acms][lgs]*[hf]i|l[gl]*[hf]i|(ll|[inox])i[lh][lhf]|tm[lh][lh]) )\S+ %\S+, -?\d+$|^(?!(s[lr][al]g?k?|rllg?|al?g?hs?ik) )[^v]\S* %\S+, %\S+, -?\d+$|^v(l|lm|ll\w*|le[bhfg]|lr\w*|lbb|lvg\w*|lrep\w*|lbr\w*|ler\w*|st\w*|ge\w*|sc\w*) |%r1[45]|\.\+|^(b|j|bras|brc|brx|c[lg]*[rig]*[jb]($|[^a-z])|c.?.?.?[jb][a-z]+ |lpsw|svc|ss|st[nocsi]|stnsm|stosm|sac|ptlb|sckpf|sck|spx|spka|ipk|epsw|esea|lra|lct|stct|pt|pc|pr|bakr|bsm|bassm|basr|balr|ex|mc|diag|sam|tend|tbegin|tabort|etnd|ppa|niai|xsch|hsch|csch|rsch|rchp|sal|schm|stap|palb|ipte|idte|esst|esta|ereg|ereggg?|cpya|ear|sar|lam|tpi|sigp|servc|servl|sie|iske|sske|rrbe|rrbm|pfmf|essa|pgin|pgout|ptff|kimd|klmd|kmac|km|kma|pcc|prno|kdsa|cksm|clcl|mvcl|mvcle|clcle|cu\d|cuse|cut|cuu|tr|mvst|clst|srst|srstu|mvpg|lptea|ecpga|ecctr|epctr|lcctl|lpctl|lsctl|qctri|qsi|scctr|spctr|lpp|cmpsc|dfltcc|sortl|lasp|irbm|trace|trap|mvpg|lura|lurag|stura|stck|ecag|iac|testx|iptew|csp|cspg|crdte|msta|sfpc|efpc|srnm|lfas|sfasr|lfpc|stfpc|stidp|spm)
    .long   0x00080000, 0x80010000      # the PSW to start with
    .org    0x10000
_start:
    lgrl    %r1, cr0value
    lghi    %r2, 0
    larl    %r3, cr0value
    lctlg   %c0, %c0, 0(%r3)
    larl    %r3, newpsw
    larl    %r4, trap
    stg     %r4, 8(%r3)
    mvc     0x1d0(16, %r2), 0(%r3)      # the new PSW of program interruptions
    larl    %r3, mypsw
    larl    %r4, go
    stg     %r4, 8(%r3)
    lpswe   0(%r3)
    .balign 8
cr0value:
    .quad   0x60000                     # AFP registers, vectors
newpsw:
    .quad   0x0000000180000000, 0
mypsw:
    .quad   0x0000000180000000, 0
go:
    llilf   %r15, RESULTS + 64
    llilf   %r1, STUBS
    llilf   %r2, INPUTS
again:
    llilf   %r3, RESULTS
    stg     %r1, 8(%r3)
    stg     %r2, 16(%r3)
    lgr     %r14, %r1
    lfpc    fpc + 4(%r2)
    vlm     %v0, %v15, v(%r2)
    vlm     %v16, %v31, v + 256(%r2)
    l       %r3, cc + 4(%r2)
    spm     %r3
    lg      %r0, r(%r2)
    lg      %r1, r + 8(%r2)
    lmg     %r3, %r13, r + 24(%r2)
    lg      %r2, r + 16(%r2)
    br      %r14
save:
    stmg    %r0, %r13, r(%r15)
    ipm     %r3
    st      %r3, cc + 4(%r15)
    stfpc   fpc + 4(%r15)
    vstm    %v0, %v15, v(%r15)
    vstm    %v16, %v31, v + 256(%r15)
advance:
    agfi    %r15, SIZE
    llilf   %r3, RESULTS
    lg      %r1, 8(%r3)
    lg      %r2, 16(%r3)
    agfi    %r2, SIZE
    llilf   %r4, INPUTS_END
    cgr     %r2, %r4
    jne     again
    llilf   %r2, INPUTS
    agfi    %r1, STUB
    llilf   %r4, STUBS_END
    cgr     %r1, %r4
    jne     again
    mvi     0(%r3), 1
    llilf   %r1, RESULTS + 64
    llilf   %r2, RESULTS_END
walk:
    lg      %r3, 0(%r1)
    aghi    %r1, 8
bits:
    tmll    %r3, 1
    je      even
    lr      %r5, %r5
even:
    srlg    %r3, %r3, 1
    ltgr    %r3, %r3
    jne     bits
    cgr     %r1, %r2
    jne     walk
end:
    j       end
trap:
    lghi    %r2, 0
    llgh    %r3, 0x8e(%r2)
    aghi    %r3, 1
    stg     %r3, trap_code(%r15)
    j       advance
    .macro  STUB_END
    jg      save
    .endm
