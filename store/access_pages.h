/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which pages of 4 KiB a chunk's memory accesses go to: mem_chunk.pages. With it chunks are skipped without decoding.
 */
#ifndef TCGRR_STORE_ACCESS_PAGES_H
#define TCGRR_STORE_ACCESS_PAGES_H

#include "store/model.h"

#include <glib.h>

#define TCGRR_PAGE_SHIFT 12

enum tcgrr_page_use_flag {
    TCGRR_PAGE_USE_LOADED = 1 << 0,
    TCGRR_PAGE_USE_STORED = 1 << 1,
    TCGRR_PAGE_USE_PHYSICAL = 1 << 2, /* `physical` is known */
};

struct tcgrr_page_use {
    uint64_t page;     /* virtual address >> TCGRR_PAGE_SHIFT */
    uint64_t physical; /* the same of the physical address, 0 where it is not known */
    uint8_t flags;
};

/* A set that is filled access by access. */
struct tcgrr_page_set {
    GArray *uses;    /* struct tcgrr_page_use */
    uint32_t *slots; /* index + 1 of a use by hash; 0: free */
    uint32_t mask;
};

void tcgrr_page_set_init(struct tcgrr_page_set *set);
void tcgrr_page_set_clear(struct tcgrr_page_set *set);
void tcgrr_page_set_free(struct tcgrr_page_set *set);
/*
 * Adds the page of the access's first byte and, if it is another one, of its last, whose physical address then counts
 * as unknown.
 */
void tcgrr_page_set_add(struct tcgrr_page_set *set, const struct tcgrr_access *access);
/* Ascending by page, then physical page. The set can only be cleared after it. */
const GArray *tcgrr_page_set_sort(struct tcgrr_page_set *set);

/* Replaces `out` by the stored form of sorted uses; `scratch` holds anything. */
void tcgrr_pages_encode(const GArray *uses, GByteArray *scratch, GByteArray *out);
/* Replaces `uses` by what `blob` holds, which is untrusted: false if it is not well-formed or damaged. */
bool tcgrr_pages_decode(const void *blob, size_t size, GByteArray *scratch, GArray *uses);

#endif
