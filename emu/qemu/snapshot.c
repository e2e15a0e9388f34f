/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/snapshot.h"

#include <string.h>

/* The smallest image with room for nothing but snapshots: four clusters of header, refcount table, refcount block, L1
 * table. */
#define CLUSTER_BITS 16
#define CLUSTER      (1u << CLUSTER_BITS)
enum { HEADER_AT, REFCOUNT_TABLE_AT, REFCOUNT_BLOCK_AT, L1_AT, CLUSTERS };

static void put32(guint8 *at, guint32 value)
{
    value = GUINT32_TO_BE(value);
    memcpy(at, &value, sizeof(value));
}

static void put64(guint8 *at, guint64 value)
{
    value = GUINT64_TO_BE(value);
    memcpy(at, &value, sizeof(value));
}

bool tcgrr_snapshot_create(const char *path, GError **error)
{
    g_autofree guint8 *image = g_malloc0(CLUSTERS * CLUSTER);

    put32(image, 0x514649fb); /* "QFI\xfb" */
    put32(image + 4, 3);      /* version */
    put32(image + 20, CLUSTER_BITS);
    put64(image + 24, CLUSTER); /* size of the disk */
    put32(image + 36, 1);       /* entries in the L1 table */
    put64(image + 40, L1_AT * CLUSTER);
    put64(image + 48, REFCOUNT_TABLE_AT * CLUSTER);
    put32(image + 56, 1);    /* clusters of refcount table */
    put32(image + 96, 4);    /* refcounts of 2^4 bits */
    put32(image + 100, 104); /* bytes of header */
    put64(image + REFCOUNT_TABLE_AT * CLUSTER, REFCOUNT_BLOCK_AT * CLUSTER);
    for (int i = 0; i < CLUSTERS; i++) {
        image[REFCOUNT_BLOCK_AT * CLUSTER + 2 * i + 1] = 1;
    }
    return g_file_set_contents(path, (const char *)image, CLUSTERS * CLUSTER, error);
}
