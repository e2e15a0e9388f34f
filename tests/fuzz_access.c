/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target for stored memory accesses. The first byte selects: decode the rest, after two bytes of how many there
 * are, as accesses of a made-up chunk; take it for accesses that have to survive a round trip; or take it for the pages
 * that accesses go to, before zstd, which would only hide them. Streams of accesses need no zstd.
 */
#include "store/codec/codec_access.h"
#include "store/error.h"
#include "tests/stream.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

#define BLOCKS       16u
#define EXECS        600u
#define RECORD_BYTES 8 /* of the input, for an access */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tcgrr_access_codec *codec;
static struct tcgrr_blocks *blocks;
static struct tcgrr_page_set pages;
static struct tcgrr_chunk *chunk; /* the accesses in question */
static struct tcgrr_chunk *again; /* the same executions */
static GByteArray *bytes;
static GByteArray *scratch;
static GArray *uses;

static void prepare(void)
{
    uint64_t random = 1;

    codec = tcgrr_access_codec_new();
    blocks = tcgrr_blocks_new();
    tcgrr_page_set_init(&pages);
    chunk = tcgrr_chunk_new(EXECS);
    again = tcgrr_chunk_new(EXECS);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        stream_block(blocks, 0x1000 * (i + 1), i + 1);
    }
    for (uint32_t i = 0; i < EXECS; i++) {
        chunk->blocks[i] = again->blocks[i] = stream_random(&random) % (i < EXECS / 2 ? 3 : BLOCKS);
    }
    chunk->count = again->count = EXECS;
    bytes = g_byte_array_new();
    scratch = g_byte_array_new();
    uses = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_page_use));
}

static void demand(bool good)
{
    if (!good) {
        abort();
    }
}

static const struct tcgrr_access *access_of(const struct tcgrr_chunk *of, guint index)
{
    return &g_array_index(of->accesses, struct tcgrr_access, index);
}

static bool decode(struct tcgrr_chunk *to, const uint8_t *data, size_t size, uint64_t count)
{
    g_autofree uint8_t *exact = g_memdup2(data, size); /* of just this size, for the sanitizer */
    GError *error = NULL;
    bool good = tcgrr_access_decode(codec, exact, size, count, to, blocks, &error);

    demand(good ? to->accesses->len == count && !error
                : to->accesses->len == 0 && g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED));
    g_clear_error(&error);
    return good;
}

/* ---- pages ---- */

static bool same_uses(const GArray *a, const GArray *b)
{
    for (guint i = 0; i < MIN(a->len, b->len); i++) {
        const struct tcgrr_page_use *left = &g_array_index(a, struct tcgrr_page_use, i);
        const struct tcgrr_page_use *right = &g_array_index(b, struct tcgrr_page_use, i);
        if (left->page != right->page || left->physical != right->physical || left->flags != right->flags) {
            return false;
        }
    }
    return a->len == b->len;
}

static bool is_noted(uint64_t page, const struct tcgrr_access *access, bool first)
{
    uint8_t flag = access->flags & TCGRR_ACCESS_STORE ? TCGRR_PAGE_USE_STORED : TCGRR_PAGE_USE_LOADED;
    bool physical = first && (access->flags & TCGRR_ACCESS_PHYSICAL);

    for (guint i = 0; i < uses->len; i++) {
        const struct tcgrr_page_use *use = &g_array_index(uses, struct tcgrr_page_use, i);
        if (use->page == page && (use->flags & flag) &&
            (!physical ||
             ((use->flags & TCGRR_PAGE_USE_PHYSICAL) && use->physical == access->physical >> TCGRR_PAGE_SHIFT))) {
            return true;
        }
    }
    return false;
}

/* A chunk is not decoded for a page that it does not note, so all must be noted. */
static void check_pages(void)
{
    tcgrr_pages_encode(tcgrr_page_set_sort(&pages), scratch, bytes);
    demand(tcgrr_pages_decode(bytes->data, bytes->len, scratch, uses));
    demand(same_uses(uses, pages.uses));
    for (guint i = 0; i < chunk->accesses->len; i += 1 + chunk->accesses->len / 256) { /* many would take long */
        const struct tcgrr_access *access = access_of(chunk, i);
        demand(is_noted(access->address >> TCGRR_PAGE_SHIFT, access, true));
        demand(is_noted((access->address + access->size - 1) >> TCGRR_PAGE_SHIFT, access, false) ||
               (access->address & 0xfff) + access->size <= 0x1000);
    }
}

static void take_pages(const uint8_t *data, size_t size)
{
    g_byte_array_set_size(bytes, (guint)ZSTD_compressBound(size));
    g_byte_array_set_size(bytes, (guint)ZSTD_compress(bytes->data, bytes->len, data, size, 1));
    guint64 digest = GUINT64_TO_LE(XXH3_64bits(bytes->data, bytes->len));
    g_byte_array_append(bytes, (const guint8 *)&digest, sizeof(digest));
    if (!tcgrr_pages_decode(bytes->data, bytes->len, scratch, uses)) {
        return;
    }
    g_autoptr(GArray) first = g_array_copy(uses);
    tcgrr_pages_encode(first, scratch, bytes);
    demand(tcgrr_pages_decode(bytes->data, bytes->len, scratch, uses));
    demand(same_uses(uses, first));
}

/* ---- accesses ---- */

static bool same(const struct tcgrr_access *a, const struct tcgrr_access *b)
{
    return a->exec == b->exec && a->insn == b->insn && a->size == b->size && a->flags == b->flags &&
           a->device == b->device && a->address == b->address && a->physical == b->physical &&
           a->value[0] == b->value[0] && a->value[1] == b->value[1];
}

/* What the chunk has must be what its executions can do, and come back from its encoding. */
static void check(void)
{
    for (guint i = 0; i < chunk->accesses->len; i++) {
        const struct tcgrr_access *access = access_of(chunk, i);
        const struct tcgrr_access *before = i ? access_of(chunk, i - 1) : access;
        demand(access->exec < EXECS && access->insn < tcgrr_blocks_get(blocks, chunk->blocks[access->exec])->insns);
        demand(access->exec > before->exec || (access->exec == before->exec && access->insn >= before->insn));
        demand(access->size == 16 || (access->value[1] == 0 && (access->size == 8 || access->size == 4 ||
                                                                access->size == 2 || access->size == 1)));
        demand(access->size >= 8 || access->value[0] >> 8 * access->size == 0);
    }
    g_byte_array_set_size(bytes, 0);
    tcgrr_access_encode(codec, chunk, &pages, bytes);
    demand(decode(again, bytes->data, bytes->len, chunk->accesses->len));
    for (guint i = 0; i < chunk->accesses->len; i++) {
        demand(same(access_of(chunk, i), access_of(again, i)));
    }
    check_pages();
}

/* An access of eight bytes: steps in time, kind, where, and what. Small numbers make what is likely. */
static void append(struct tcgrr_access *access, const uint8_t *record)
{
    static const uint64_t masks[] = {0xff, 0xffff, 0xffffffff, UINT64_MAX, UINT64_MAX};
    unsigned shift = record[1] % 5;

    access->insn = (uint16_t)(access->insn + (record[0] >> 4));
    if ((record[0] & 0xf) || access->insn >= tcgrr_blocks_get(blocks, chunk->blocks[access->exec])->insns) {
        access->exec += MAX(record[0] & 0xf, 1);
        access->insn = 0;
    }
    access->size = (uint8_t)(1u << shift);
    access->flags = (record[1] >> 4) & 0xf;
    access->address += (uint64_t)(int8_t)record[2] << (record[3] & 63);
    access->physical = access->flags & TCGRR_ACCESS_PHYSICAL ? access->address + ((uint64_t)record[4] << 12) : 0;
    access->device = record[5];
    access->value[0] = access->value[1] = 0;
    if (access->flags & TCGRR_ACCESS_VALUE) {
        access->value[0] = (record[6] * (record[7] & 0x80 ? 0x0102030405060708u : 1u) + record[7]) & masks[shift];
        access->value[1] = shift == 4 ? record[6] : 0;
    }
    if (access->exec < EXECS) {
        g_array_append_val(chunk->accesses, *access);
    }
}

static void round_trip(const uint8_t *data, size_t size)
{
    struct tcgrr_access access = {0};

    g_array_set_size(chunk->accesses, 0);
    for (; size >= RECORD_BYTES && access.exec < EXECS; data += RECORD_BYTES, size -= RECORD_BYTES) {
        append(&access, data);
    }
    check();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!codec) {
        prepare();
    }
    if (size < 3) {
        return 0;
    }
    switch (data[0] % 3) {
    case 0:
        if (decode(chunk, data + 3, size - 3, data[1] | data[2] << 8)) {
            check();
        }
        break;
    case 1:
        round_trip(data + 1, size - 1);
        break;
    default:
        take_pages(data + 1, size - 1);
        break;
    }
    return 0;
}
