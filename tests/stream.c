/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/stream.h"

#include "store/digest.h"

#include <string.h>

#define PLACES 300

uint32_t stream_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

static uint8_t length_at(uint64_t pc)
{
    return pc % 6 == 0 ? 2 : 4;
}

static void bytes_at(uint64_t pc, uint8_t bytes[4])
{
    uint32_t word = (uint32_t)(pc * 2654435761u);
    memcpy(bytes, &word, sizeof(word));
}

GArray *stream_script(uint64_t seed, guint length)
{
    GArray *script = g_array_sized_new(FALSE, FALSE, sizeof(uint64_t), length);

    while (script->len < length) {
        uint64_t start = 0x80000000u + 0x1000u * (stream_random(&seed) % PLACES);
        uint32_t turns = 1 + stream_random(&seed) % 8;
        uint32_t insns = 1 + stream_random(&seed) % 40;
        for (; turns > 0; turns--) {
            uint64_t pc = start;
            for (uint32_t i = 0; i < insns && script->len < length; i++) {
                g_array_append_val(script, pc);
                pc += length_at(pc);
            }
        }
    }
    return script;
}

uint32_t stream_block(struct tcgrr_blocks *blocks, uint64_t pc, uint32_t insns)
{
    uint8_t lengths[TCGRR_MAX_INSNS];
    uint8_t bytes[4 * TCGRR_MAX_INSNS];
    uint32_t size = 0;

    for (uint32_t i = 0; i < insns; i++) {
        uint8_t word[4];
        lengths[i] = length_at(pc + size);
        bytes_at(pc + size, word);
        memcpy(bytes + size, word, lengths[i]);
        size += lengths[i];
    }
    return tcgrr_blocks_add(blocks, pc, insns, lengths, size, bytes, NULL);
}

void stream_append(struct tcgrr_chunk *chunk, const struct tcgrr_blocks *blocks, uint32_t block, uint32_t ran,
                   uint32_t counted)
{
    if (ran < tcgrr_blocks_get(blocks, block)->insns) {
        struct tcgrr_partial partial = {.index = chunk->count, .ran = ran, .counted = counted};
        g_array_append_val(chunk->partials, partial);
    }
    chunk->blocks[chunk->count++] = block;
    chunk->end_blocks = tcgrr_blocks_count(blocks);
}

/* How many instructions of the script stand one after the other from number `at` on, up to `most`. */
static uint32_t straight(const GArray *script, guint at, uint32_t most)
{
    uint32_t count = 1;
    while (count < most && at + count < script->len) {
        uint64_t pc = g_array_index(script, uint64_t, at + count - 1);
        if (g_array_index(script, uint64_t, at + count) != pc + length_at(pc)) {
            break;
        }
        count++;
    }
    return count;
}

guint stream_cut(const GArray *script, guint at, uint64_t seed, uint32_t most, struct tcgrr_blocks *blocks,
                 struct tcgrr_chunk *chunk)
{
    while (at < script->len && chunk->count < chunk->capacity) {
        uint32_t wanted = 1 + stream_random(&seed) % most;
        uint32_t ran = straight(script, at, wanted);
        bool left_early = stream_random(&seed) % 8 == 0;
        uint32_t block = stream_block(blocks, g_array_index(script, uint64_t, at), left_early ? ran + 3 : ran);
        stream_append(chunk, blocks, block, ran, ran);
        at += ran;
    }
    tcgrr_chunk_compute(chunk, blocks);
    return at;
}

uint64_t stream_digest(const GArray *script, guint count)
{
    uint64_t digest = 0;
    for (guint i = 0; i < count; i++) {
        uint64_t pc = g_array_index(script, uint64_t, i);
        uint8_t bytes[4];
        bytes_at(pc, bytes);
        digest = tcgrr_digest_append(digest, TCGRR_DIGEST_BASE, tcgrr_digest_insn(pc, bytes, length_at(pc)));
    }
    return digest;
}

/* What the instruction at `pc` accesses the `turn`-th time it runs, if anything. */
static bool access_at(uint64_t pc, uint32_t turn, uint64_t *state, struct tcgrr_access *access)
{
    uint64_t place = pc / 2;
    unsigned kind = place % 11;

    if (kind > 7) {
        return false;
    }
    *access = (struct tcgrr_access){
        .size = (uint8_t)(1u << place % 5),
        .flags = (place % 3 ? 0 : TCGRR_ACCESS_STORE) | TCGRR_ACCESS_VALUE | TCGRR_ACCESS_PHYSICAL,
        .address = kind < 3    ? 0xffff000000000000u + pc * 4 + turn * 8u            /* a stream */
                   : kind < 6  ? 0x4000 + stream_random(state) % 64 * 8              /* a stack */
                   : kind == 6 ? (uint64_t)stream_random(state) << 32 | turn % 4096u /* anywhere */
                               : 0x9000000u + place % 8,                             /* a device */
        .value = {kind < 6 ? turn / 3 : (uint64_t)stream_random(state) << 31, stream_random(state)},
    };
    access->physical = access->address - 0x1000 * (turn / 1000 % 3);
    if (kind == 7) {
        access->flags |= TCGRR_ACCESS_DEVICE;
        access->device = 1 + place % 3;
    } else if (kind == 6 && turn % 7 == 0) {
        access->flags &= (uint8_t) ~(TCGRR_ACCESS_VALUE | TCGRR_ACCESS_PHYSICAL);
        access->physical = 0;
    }
    access->value[0] &= access->size < 8 ? (UINT64_C(1) << 8 * access->size) - 1 : UINT64_MAX;
    access->value[1] = access->size == 16 ? access->value[1] : 0;
    if (!(access->flags & TCGRR_ACCESS_VALUE)) {
        access->value[0] = access->value[1] = 0;
    }
    return true;
}

void stream_accesses(struct tcgrr_chunk *chunk, const struct tcgrr_blocks *blocks, uint64_t seed, bool unretired)
{
    struct tcgrr_cursor at;

    g_array_set_size(chunk->accesses, 0);
    for (bool more = tcgrr_cursor_begin(&at, chunk, blocks); more; more = tcgrr_cursor_next(&at)) {
        for (uint32_t insn = 0; insn < (unretired ? at.block->insns : at.ran); insn++) {
            uint64_t pc = tcgrr_block_pc(at.block, insn);
            struct tcgrr_access access;
            for (unsigned part = 0; part <= pc % 37 / 36; part++) {
                if (access_at(pc + part, at.index, &seed, &access)) {
                    access.exec = at.index;
                    access.insn = (uint16_t)insn;
                    g_array_append_val(chunk->accesses, access);
                }
            }
        }
    }
}
