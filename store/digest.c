/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/digest.h"

#include <xxhash.h>

uint64_t tcgrr_digest_insn(uint64_t pc, const uint8_t *bytes, uint32_t length)
{
    return XXH3_64bits_withSeed(bytes, length, pc) % TCGRR_DIGEST_MODULUS;
}

uint64_t tcgrr_digest_power(uint64_t n)
{
    uint64_t power = 1;
    uint64_t square = TCGRR_DIGEST_BASE;
    for (; n; n >>= 1) {
        if (n & 1) {
            power = tcgrr_digest_append(power, square, 0);
        }
        square = tcgrr_digest_append(square, square, 0);
    }
    return power;
}
