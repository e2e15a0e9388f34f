/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target for images with a machine's state. The first byte says whether the rest is a whole image, or the stream
 * of one, whose tables are put before it so that the fuzzer need not find them.
 */
#include "emu/qemu/vmstate.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CLUSTER  512u
#define MAX_SIZE 32768u /* the L2 tables of the image below reach further */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
    }
}

/* An image with clusters of 512 bytes: header, snapshot's entry, L1 table, L2 table, the state. */
static void write_image(int fd, const uint8_t *stream, size_t size)
{
    static uint8_t tables[4 * CLUSTER];

    memset(tables, 0, sizeof(tables));
    put(tables, 0x514649fb, 4);
    put(tables + 4, 3, 4);
    put(tables + 20, 9, 4);
    put(tables + 60, 1, 4);
    put(tables + 64, CLUSTER, 8);
    put(tables + CLUSTER, UINT64_C(2) * CLUSTER, 8);
    put(tables + CLUSTER + 8, 1, 4);
    put(tables + CLUSTER + 36, 16, 4);
    put(tables + CLUSTER + 40, size, 8);
    put(tables + UINT64_C(2) * CLUSTER, UINT64_C(3) * CLUSTER, 8);
    for (unsigned i = 0; i < CLUSTER / 8; i++) {
        put(tables + UINT64_C(3) * CLUSTER + UINT64_C(8) * i, (UINT64_C(4) + i) * CLUSTER, 8);
    }
    if (pwrite(fd, tables, sizeof(tables), 0) != sizeof(tables) ||
        pwrite(fd, stream, size, sizeof(tables)) != (ssize_t)size ||
        ftruncate(fd, (off_t)((4 + CLUSTER / 8) * CLUSTER)) != 0) {
        abort();
    }
}

/* What is left still has all pages that the machine has written. */
static void check(const char *path, struct tcgrr_ram_pages *written)
{
    bool covers = tcgrr_vmstate_covers(path, written);

    if (!tcgrr_vmstate_omit_zeros(path, written, NULL) || tcgrr_vmstate_covers(path, written) != covers) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > MAX_SIZE) {
        return 0;
    }
    int fd = memfd_create("tcgrr-fuzz", 0);
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
    struct tcgrr_ram_pages *written = tcgrr_ram_pages_new(4096);

    tcgrr_ram_pages_add_block(written, "main", 0x10000);
    tcgrr_ram_pages_add(written, "main", 0x1000, 0x3000);
    if (data[0] % 4 == 0) { /* its tables may lead to clusters twice: no more can be said of it */
        if (write(fd, data + 1, size - 1) != (ssize_t)size - 1) {
            abort();
        }
        tcgrr_vmstate_omit_zeros(path, written, NULL);
        tcgrr_vmstate_covers(path, NULL);
    } else {
        write_image(fd, data + 1, size - 1);
        check(path, written);
    }
    tcgrr_ram_pages_free(written);
    close(fd);
    return 0;
}
