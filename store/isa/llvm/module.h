/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What libtcgrr-llvm.so gives: instructions as LLVM's MC layer knows them. It is a module of its own, in C++ because
 * LLVM describes operands in no other language, and is loaded only when it is needed: LLVM takes long to load, and
 * tcgrr works without it.
 */
#ifndef TCGRR_STORE_ISA_LLVM_MODULE_H
#define TCGRR_STORE_ISA_LLVM_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    TCGRR_LLVM_READS = 1,
    TCGRR_LLVM_WRITES = 2,
    TCGRR_LLVM_ADDRESS = 4, /* read to make up an address only */
};

/* Properties of an instruction. */
enum {
    TCGRR_LLVM_LOADS = 1u << 0,
    TCGRR_LLVM_STORES = 1u << 1,
    TCGRR_LLVM_CALL = 1u << 2,
    TCGRR_LLVM_RETURN = 1u << 3,
    TCGRR_LLVM_BRANCH = 1u << 4,
    TCGRR_LLVM_CONDITIONAL = 1u << 5,
    TCGRR_LLVM_EFFECTS = 1u << 6, /* it does or reads something that its operands do not show */
};

struct tcgrr_llvm_insn {
    const char *name;    /* LLVM's own, "ADD8"; valid as long as the decoder */
    uint32_t properties; /* TCGRR_LLVM_LOADS and following */
    char text[128];
};

/*
 * Called with the name, LLVM's own, of each register that an instruction accesses. Whether there is such a register;
 * if not, those that it is a part of are tried, then those that are parts of it. `last`: none of them is left.
 */
typedef bool (*tcgrr_llvm_take)(const char *name, unsigned access, bool last, void *data);

struct tcgrr_llvm_decoder;

/* Every extension of the instruction set at once, of which none gives an instruction another meaning. */
#define TCGRR_LLVM_ALL_FEATURES "all"

/* Bumped with any change here. */
#define TCGRR_LLVM_MODULE_VERSION 1

/* The one symbol that the module exports: `tcgrr_llvm_module`. */
struct tcgrr_llvm_module {
    int version;
    /* NULL if this LLVM does not know the target. `cpu` may be "", and `features` "" or TCGRR_LLVM_ALL_FEATURES. */
    struct tcgrr_llvm_decoder *(*open)(const char *triple, const char *cpu, const char *features);
    void (*close)(struct tcgrr_llvm_decoder *decoder);
    /* False if it knows no instruction of exactly this length. `take` may be NULL. One thread at a time. */
    bool (*decode)(struct tcgrr_llvm_decoder *decoder, uint64_t pc, const uint8_t *bytes, size_t length,
                   struct tcgrr_llvm_insn *insn, tcgrr_llvm_take take, void *data);
};

#ifdef __cplusplus
}
#endif

#endif
