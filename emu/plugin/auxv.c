/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/plugin/auxv.h"

#include "emu/plugin/inputs_internal.h"

#include <byteswap.h>
#include <string.h>

#define ACCESSES  256 /* that are looked at */
#define BLOCKS    64  /* whose accesses are */
#define PAGE      4096u
#define PAGES     16 /* from an access on; the pointers to arguments and environment are in between */
#define PAIRS     64
#define HEAD      7 /* the words, with values in between, by which it is recognised */
#define AT_PHDR_  3
#define AT_PHENT_ 4
#define AT_PHNUM_ 5
#define AT_PAGE_  6

/* The layout of a program's words in memory. */
struct words {
    uint8_t bytes; /* of each */
    bool swapped;
};

static unsigned blocks, accesses; /* so far */
static bool done;

void tcgrr_auxv_leave_out(void)
{
    done = true;
}

static uint64_t word_at(const uint8_t *bytes, size_t index, struct words words)
{
    uint32_t narrow;
    uint64_t wide;

    if (words.bytes == sizeof(narrow)) {
        memcpy(&narrow, bytes + index * sizeof(narrow), sizeof(narrow));
        return words.swapped ? bswap_32(narrow) : narrow;
    }
    memcpy(&wide, bytes + index * sizeof(wide), sizeof(wide));
    return words.swapped ? bswap_64(wide) : wide;
}

/* QEMU's vector begins with the program headers' address, size and number, and the page size. */
static bool begins(const uint8_t *bytes, struct words words)
{
    uint64_t header = words.bytes == 8 ? 56 : 32;
    return word_at(bytes, 0, words) == AT_PHDR_ && word_at(bytes, 2, words) == AT_PHENT_ &&
           word_at(bytes, 3, words) == header && word_at(bytes, 4, words) == AT_PHNUM_ &&
           word_at(bytes, 6, words) == AT_PAGE_;
}

static void tell(const struct tcgrr_inputs *inputs, unsigned vcpu, uint64_t address, struct words words)
{
    uint8_t pair[2 * sizeof(uint64_t)];

    for (unsigned i = 0; i < PAIRS; i++, address += 2u * words.bytes) {
        if (!tcgrr_inputs_read_memory(inputs, address, pair, 2u * words.bytes) || word_at(pair, 0, words) == 0) {
            return;
        }
        uint64_t values[] = {word_at(pair, 0, words), word_at(pair, 1, words)};
        tcgrr_plugin_event(TCGRR_WIRE_AUXV, vcpu, values, 2);
    }
}

/* Searches from `address` on, which is aligned to words. */
static bool find(const struct tcgrr_inputs *inputs, unsigned vcpu, uint64_t address)
{
    static const struct words all[] = {{8, false}, {4, false}, {8, true}, {4, true}};
    static uint8_t bytes[PAGE + HEAD * sizeof(uint64_t)];

    for (unsigned i = 0; i < PAGES; i++) {
        uint32_t size = PAGE - address % PAGE;
        /* The head may extend into the next page, which need not be mapped. */
        memset(bytes + size, 0, HEAD * sizeof(uint64_t));
        if (!tcgrr_inputs_read_memory(inputs, address, bytes, size + HEAD * sizeof(uint64_t)) &&
            !tcgrr_inputs_read_memory(inputs, address, bytes, size)) {
            return false;
        }
        for (uint32_t at = 0; at < size; at += 4) {
            for (size_t k = 0; k < G_N_ELEMENTS(all); k++) {
                if (begins(bytes + at, all[k])) {
                    tell(inputs, vcpu, address + at, all[k]);
                    return true;
                }
            }
        }
        address += size;
    }
    return false;
}

static void on_access(unsigned vcpu, uint32_t info, uint64_t address, void *nothing)
{
    const struct tcgrr_inputs *inputs = tcgrr_plugin.inputs;

    if (done || tcgrr_plugin.silent || !inputs) {
        return;
    }
    done = find(inputs, vcpu, address & ~UINT64_C(7)) || ++accesses == ACCESSES;
}

void tcgrr_auxv_instrument(struct tcgrr_plugin *plugin, struct qemu_plugin_tb *tb)
{
    size_t count = plugin->api.tb_n_insns(tb);

    if (done || !plugin->inputs || blocks++ == BLOCKS) {
        done = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        plugin->api.register_mem(plugin->api.tb_get_insn(tb, i), on_access, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW,
                                 NULL);
    }
}
