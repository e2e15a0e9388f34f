/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions as LLVM knows them, where libtcgrr-llvm.so (store/isa/llvm/module.h) was built and is installed. Without
 * it nothing is known, which is no error. A decoder is one thread's at a time; several are independent of each other.
 */
#ifndef TCGRR_STORE_ISA_LLVM_H
#define TCGRR_STORE_ISA_LLVM_H

#include "store/isa/llvm/module.h"

struct tcgrr_llvm;

/*
 * `code` is QEMU's name of a target or, where one target runs several kinds of code, "arm" for A32, "thumb",
 * "thumb_m" (M profile), "x86_64", "i386", "x86_16" and "ppc64le". NULL if there is no LLVM here or it does not know
 * that. Owned by the caller.
 */
struct tcgrr_llvm *tcgrr_llvm_new(const char *code);
/* NULL is allowed. */
void tcgrr_llvm_free(struct tcgrr_llvm *llvm);

/* Decodes the instruction of exactly `length` bytes; see struct tcgrr_llvm_module. False if LLVM does not know it. */
bool tcgrr_llvm_decode(struct tcgrr_llvm *llvm, uint64_t pc, const uint8_t *bytes, size_t length,
                       struct tcgrr_llvm_insn *insn, tcgrr_llvm_take take, void *data);

#endif
