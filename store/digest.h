/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flow digest: a polynomial over per-instruction hashes modulo 2^61-1, so that H(xy) = H(x)·B^|y| + H(y). It says
 * nothing of how the instructions were cut into blocks. Values are below the modulus, except between steps
 * (tcgrr_digest_step). Part of the trace format.
 */
#ifndef TCGRR_STORE_DIGEST_H
#define TCGRR_STORE_DIGEST_H

#include <stdint.h>

#define TCGRR_DIGEST_MODULUS ((UINT64_C(1) << 61) - 1)
/* The base: an arbitrary number below the modulus without structure. */
#define TCGRR_DIGEST_BASE    UINT64_C(0x0b7e151628aed2a6)

static inline uint64_t tcgrr_digest_reduce(unsigned __int128 value)
{
    uint64_t folded = (uint64_t)(value & TCGRR_DIGEST_MODULUS) + (uint64_t)(value >> 61);
    return folded >= TCGRR_DIGEST_MODULUS ? folded - TCGRR_DIGEST_MODULUS : folded;
}

/* The digest of the instructions of `digest` followed by n instructions with digest `sum`; `power` is B^n. */
static inline uint64_t tcgrr_digest_append(uint64_t digest, uint64_t power, uint64_t sum)
{
    return tcgrr_digest_reduce((unsigned __int128)digest * power + sum);
}

/*
 * The digest of the last n instructions of those with digest `whole`; the ones before them have digest `head`, and
 * `power` is B^n.
 */
static inline uint64_t tcgrr_digest_behead(uint64_t whole, uint64_t power, uint64_t head)
{
    return tcgrr_digest_reduce((unsigned __int128)whole + TCGRR_DIGEST_MODULUS - tcgrr_digest_append(head, power, 0));
}

/*
 * The same for long loops: `shifted` is the power times 8, so that the upper half of the product is what lies above bit
 * 61, and the result is reduced only as far as the next step needs. tcgrr_digest_settle() gives the digest.
 */
static inline uint64_t tcgrr_digest_step(uint64_t digest, uint64_t shifted, uint64_t sum)
{
    unsigned __int128 product = (unsigned __int128)digest * shifted;
    uint64_t folded = (uint64_t)(product >> 64) + ((uint64_t)product >> 3) + sum;
    return (folded & TCGRR_DIGEST_MODULUS) + (folded >> 61);
}

static inline uint64_t tcgrr_digest_settle(uint64_t digest)
{
    return digest >= TCGRR_DIGEST_MODULUS ? digest - TCGRR_DIGEST_MODULUS : digest;
}

/* Hash of one instruction: its pc and bytes. */
uint64_t tcgrr_digest_insn(uint64_t pc, const uint8_t *bytes, uint32_t length);

/* B^n. */
uint64_t tcgrr_digest_power(uint64_t n);

#endif
