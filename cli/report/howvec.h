/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Classes of instructions by target. */
#ifndef TCGRR_CLI_REPORT_HOWVEC_H
#define TCGRR_CLI_REPORT_HOWVEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum howvec_what { HOWVEC_TOGETHER, HOWVEC_SINGLY, HOWVEC_NOT };

/* The class of instructions whose first 32 bits, masked with `mask`, are `pattern`. The first matching class of a table
 * counts. */
struct howvec_class {
    const char *title;
    const char *name; /* for count= */
    uint32_t mask;
    uint32_t pattern;
    enum howvec_what what; /* unless count= says otherwise */
    uint32_t strict_mask;  /* with strict=on; 0: the same */
    uint32_t strict_pattern;
};

static inline bool howvec_fits(const struct howvec_class *row, uint32_t opcode, bool strict)
{
    return strict && row->strict_mask ? (opcode & row->strict_mask) == row->strict_pattern
                                      : (opcode & row->mask) == row->pattern;
}

/* The table for a target; NULL if its instructions cannot be classified by their bits. */
const struct howvec_class *howvec_table(const char *target, size_t *count);

#endif
