/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/qcow2.h"

#include "store/error.h"

#include <stdio.h>
#include <string.h>

/* The smallest image: four clusters of header, refcount table, refcount block, L1 table. */
#define CLUSTER_BITS 16
#define CLUSTER      (1u << CLUSTER_BITS)
#define SECTOR       512u
#define L1_SPAN      ((guint64)CLUSTER * (CLUSTER / 8)) /* what one entry of the L1 table stands for */
#define MAGIC        0x514649fbu                        /* "QFI\xfb" */
#define BACKING_MAX  1023u                              /* bytes of a backing file's name */
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

bool tcgrr_qcow2_create(const char *path, guint64 size, GError **error)
{
    if (size > TCGRR_QCOW2_MAX) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s: an image of %" G_GUINT64_FORMAT " bytes is too large",
                    path, size);
        return false;
    }
    g_autofree guint8 *image = g_malloc0(CLUSTERS * CLUSTER);

    put32(image, MAGIC);
    put32(image + 4, 3); /* version */
    put32(image + 20, CLUSTER_BITS);
    put64(image + 24, (size + SECTOR - 1) / SECTOR * SECTOR);
    put32(image + 36, (guint32)((size + L1_SPAN - 1) / L1_SPAN)); /* entries in the L1 table */
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

bool tcgrr_qcow2_is(const char *path)
{
    FILE *file = fopen(path, "rbe");
    guint32 magic = 0;
    bool is = file && fread(&magic, sizeof(magic), 1, file) == 1 && GUINT32_FROM_BE(magic) == MAGIC;

    if (file) {
        fclose(file);
    }
    return is;
}

static guint64 get(const guint8 *at, unsigned bytes)
{
    guint64 value = 0;
    for (unsigned i = 0; i < bytes; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

char *tcgrr_qcow2_backing(const char *path)
{
    FILE *file = fopen(path, "rbe");
    guint8 header[20];
    char name[BACKING_MAX + 1] = {0};

    bool is = file && fread(header, sizeof(header), 1, file) == 1 && get(header, 4) == MAGIC;
    guint64 at = is ? get(header + 8, 8) : 0;
    guint64 size = is ? get(header + 16, 4) : 0;
    bool has = at > 0 && at < CLUSTER * 32 && size > 0 && size <= BACKING_MAX && fseek(file, (long)at, SEEK_SET) == 0 &&
               fread(name, (size_t)size, 1, file) == 1;
    if (file) {
        fclose(file);
    }
    return has ? g_strdup(name) : NULL;
}
