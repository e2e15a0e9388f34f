/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/vmstate.h"

#include "store/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* qcow2 */
#define MAGIC       0x514649fbu /* "QFI\xfb" */
#define OFFSET_MASK UINT64_C(0x00fffffffffffe00)
#define COMPRESSED  (UINT64_C(1) << 62)
enum { HEADER_BYTES = 72, SNAPSHOT_BYTES = 40, CLUSTER_BITS_MIN = 9, CLUSTER_BITS_MAX = 21, L1_MAX = 1 << 22 };

/* The stream: what a section begins with, and flags in a page's address. */
enum { SECTION_START = 1, SECTION_PART = 2, SECTION_END = 3, COMMAND = 8, SECTION_FOOTER = 0x7e };
enum { PAGE_ZERO = 0x02, PAGE_MEM_SIZE = 0x04, PAGE_DATA = 0x08, PAGE_EOS = 0x10, PAGE_CONTINUE = 0x20 };
#define PAGE_FLAGS   UINT64_C(0x3ff) /* the smallest page has 1,024 bytes */
#define HEAD_BYTES   4096u           /* the RAM's section begins within this many bytes */
#define NAME_MAX_LEN 255
#define BLOCKS_MAX   1024u
#define RAM_MAX      (UINT64_C(1) << 42) /* bytes */

/* ---- the state's bytes, through the image's tables ---- */

struct image {
    int fd;
    uint64_t cluster; /* bytes */
    uint64_t *places; /* of the state's clusters in the file */
    uint64_t bytes;   /* of the state */
    uint64_t sizes;   /* where the file has the state's size, in 8 bytes */
    uint8_t *buffer;  /* one cluster */
    uint64_t held;    /* its number, UINT64_MAX: none */
};

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return GUINT32_FROM_BE(value);
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return GUINT64_FROM_BE(value);
}

static void put64(uint8_t *at, uint64_t value)
{
    value = GUINT64_TO_BE(value);
    memcpy(at, &value, sizeof(value));
}

static bool read_file(int fd, uint64_t at, void *bytes, size_t size)
{
    return at <= INT64_MAX - size && pread(fd, bytes, size, (off_t)at) == (ssize_t)size;
}

/* Looks up where each cluster of the state is: from `first`, an index of the L1 table, on. */
static bool find_clusters(struct image *image, uint64_t l1_at, uint32_t l1_entries, uint64_t first)
{
    uint64_t each = image->cluster / sizeof(uint64_t), count = (image->bytes + image->cluster - 1) / image->cluster;
    g_autofree uint8_t *table = g_malloc(image->cluster);

    if (first + (count + each - 1) / each > l1_entries) {
        return false;
    }
    image->places = g_new0(uint64_t, count);
    for (uint64_t i = 0; i < count; i++) {
        uint8_t entry[8];
        if (i % each == 0 && (!read_file(image->fd, l1_at + (first + i / each) * 8, entry, 8) ||
                              !read_file(image->fd, get64(entry) & OFFSET_MASK, table, image->cluster))) {
            return false;
        }
        uint64_t place = get64(table + i % each * 8);
        image->places[i] = place & OFFSET_MASK;
        if (image->places[i] == 0 || (place & COMPRESSED)) {
            return false;
        }
    }
    return true;
}

/* The one snapshot of an image with a state. */
static bool find_state(struct image *image)
{
    uint8_t header[HEADER_BYTES], snapshot[SNAPSHOT_BYTES + 8];

    if (!read_file(image->fd, 0, header, sizeof(header)) || get32(header) != MAGIC || get32(header + 60) != 1 ||
        !read_file(image->fd, get64(header + 64), snapshot, sizeof(snapshot))) {
        return false;
    }
    uint32_t bits = get32(header + 20), l1_entries = get32(snapshot + 8);
    if (bits < CLUSTER_BITS_MIN || bits > CLUSTER_BITS_MAX || l1_entries > L1_MAX || get32(snapshot + 36) < 8) {
        return false;
    }
    image->cluster = UINT64_C(1) << bits;
    image->bytes = get64(snapshot + SNAPSHOT_BYTES);
    image->sizes = get64(header + 64) + SNAPSHOT_BYTES;
    /* The state comes after the disk, where an entry of the L1 table begins. */
    uint64_t span = image->cluster * (image->cluster / 8), disk = get64(header + 24);
    uint64_t first = disk / span + (disk % span > 0);
    off_t size = lseek(image->fd, 0, SEEK_END);
    return image->bytes > 0 && size > 0 && image->bytes <= (uint64_t)size && /* nothing is compressed */
           find_clusters(image, get64(snapshot), l1_entries, first);
}

static void close_image(struct image *image)
{
    if (image->fd >= 0) {
        close(image->fd);
    }
    g_free(image->places);
    g_free(image->buffer);
}

static bool open_image(struct image *image, const char *path, int mode)
{
    *image = (struct image){.fd = open(path, mode | O_CLOEXEC), .held = UINT64_MAX};
    if (image->fd < 0 || !find_state(image)) {
        close_image(image);
        return false;
    }
    image->buffer = g_malloc(image->cluster);
    return true;
}

/* False at the state's end. */
static bool read_state(struct image *image, uint64_t at, void *bytes, size_t size)
{
    uint8_t *to = bytes;

    if (at > image->bytes || size > image->bytes - at) {
        return false;
    }
    while (size > 0) {
        uint64_t number = at / image->cluster, offset = at % image->cluster;
        size_t part = MIN(size, image->cluster - offset);
        if (image->held != number && !read_file(image->fd, image->places[number], image->buffer, image->cluster)) {
            return false;
        }
        image->held = number;
        memcpy(to, image->buffer + offset, part);
        to += part;
        at += part;
        size -= part;
    }
    return true;
}

/* ---- the stream ---- */

/* Reads the sections of the RAM. What is found is passed on in order, all bytes exactly once. */
struct walk {
    struct image *image;
    uint64_t at;
    uint32_t section; /* the RAM's number */
    uint64_t page_bytes;
    struct tcgrr_ram_pages *ram;  /* its blocks, as they are found */
    char block[NAME_MAX_LEN + 1]; /* the one that the record before was about */
    /* Bytes other than pages, up to `to`. May be NULL. */
    bool (*rest)(struct walk *walk, uint64_t from, uint64_t to);
    /* A page of `walk->block`; its content is at `from`, to `walk->at`: one byte if it is `zero`. */
    bool (*page)(struct walk *walk, uint64_t address, bool zero, uint64_t from);
    void *data;
};

static bool take(struct walk *walk, void *bytes, size_t size)
{
    bool good = read_state(walk->image, walk->at, bytes, size);
    walk->at += size;
    return good;
}

static bool take_name(struct walk *walk, char *name)
{
    uint8_t length;
    if (!take(walk, &length, 1) || !take(walk, name, length)) {
        return false;
    }
    name[length] = '\0';
    return strlen(name) == length;
}

static bool pass_on(struct walk *walk, uint64_t from)
{
    return !walk->rest || walk->rest(walk, from, walk->at);
}

/* The list of all blocks, `bytes` together. */
static bool take_blocks(struct walk *walk, uint64_t bytes)
{
    if (bytes > RAM_MAX || tcgrr_ram_pages_count_blocks(walk->ram) > 0) {
        return false;
    }
    while (bytes > 0) {
        char name[NAME_MAX_LEN + 1];
        uint8_t text[8];
        uint64_t size = take_name(walk, name) && take(walk, text, sizeof(text)) ? get64(text) : 0;
        if (size == 0 || size > bytes || size % walk->page_bytes != 0 ||
            tcgrr_ram_pages_block_bytes(walk->ram, name) > 0 || tcgrr_ram_pages_count_blocks(walk->ram) == BLOCKS_MAX) {
            return false;
        }
        tcgrr_ram_pages_add_block(walk->ram, name, size);
        bytes -= size;
    }
    return true;
}

static bool take_page(struct walk *walk, uint64_t head)
{
    bool zero = head & PAGE_ZERO;
    uint64_t address = head & ~PAGE_FLAGS;
    uint8_t byte = 0;

    if (!(head & PAGE_CONTINUE) && !take_name(walk, walk->block)) {
        return false;
    }
    uint64_t from = walk->at;
    if (address >= tcgrr_ram_pages_block_bytes(walk->ram, walk->block) || address % walk->page_bytes != 0 ||
        (zero && (!take(walk, &byte, 1) || byte != 0))) {
        return false;
    }
    walk->at += zero ? 0 : walk->page_bytes;
    return walk->at <= walk->image->bytes && walk->page(walk, address, zero, from);
}

/* The records of one section, to its end. */
static bool take_records(struct walk *walk)
{
    uint8_t head[8];

    for (;;) {
        uint64_t from = walk->at;
        if (!take(walk, head, sizeof(head))) {
            return false;
        }
        uint64_t flags = get64(head) & PAGE_FLAGS;
        if (flags == PAGE_EOS) {
            return pass_on(walk, from);
        }
        bool blocks = flags == PAGE_MEM_SIZE;
        bool page = (flags & ~(uint64_t)PAGE_CONTINUE) == PAGE_ZERO || (flags & ~(uint64_t)PAGE_CONTINUE) == PAGE_DATA;
        if (blocks ? !take_blocks(walk, get64(head) & ~PAGE_FLAGS) || !pass_on(walk, from)
                   : !page || !take_page(walk, get64(head))) {
            return false;
        }
    }
}

/* Passes over a command: its number and the length of its data, in two bytes each. */
static bool skip_command(struct walk *walk)
{
    uint64_t from = walk->at;
    uint8_t head[5];

    if (!take(walk, head, sizeof(head))) {
        return false;
    }
    walk->at += (uint64_t)head[3] << 8 | head[4];
    return walk->at <= walk->image->bytes && pass_on(walk, from);
}

/* Whether a section or command that precedes the RAM's last section can begin with this byte. */
static bool is_next(uint8_t type)
{
    return (type >= SECTION_START && type <= SECTION_END) || type == COMMAND;
}

/* Passes over a section that is not the RAM's, to its footer and the section after it. */
static bool skip_section(struct walk *walk, uint8_t type, uint32_t section)
{
    uint8_t wanted[5] = {SECTION_FOOTER}, found[6];
    uint64_t from = walk->at;

    if (type < SECTION_START || type > SECTION_END) {
        return false;
    }
    section = GUINT32_TO_BE(section);
    memcpy(wanted + 1, &section, sizeof(section));
    for (walk->at += 5; read_state(walk->image, walk->at, found, sizeof(found)); walk->at++) {
        if (memcmp(found, wanted, sizeof(wanted)) == 0 && is_next(found[5])) {
            walk->at += sizeof(wanted);
            return pass_on(walk, from);
        }
    }
    return false;
}

/* The first section of the RAM, whose number this sets. What precedes it has no length of its own. */
static bool find_ram(struct walk *walk)
{
    static const uint8_t ram[] = {3, 'r', 'a', 'm', 0, 0, 0, 0};
    uint8_t head[HEAD_BYTES];
    size_t size = MIN(sizeof(head), walk->image->bytes);

    if (!read_state(walk->image, 0, head, size)) {
        return false;
    }
    for (size_t i = 5; i + sizeof(ram) + 4 < size; i++) {
        if (head[i - 5] == SECTION_START && memcmp(head + i, ram, sizeof(ram)) == 0) {
            walk->section = get32(head + i - 4);
            walk->at = i + sizeof(ram) + 4; /* the version */
            return pass_on(walk, 0);
        }
    }
    return false;
}

/* All sections of the RAM, to the last; then the rest. False if there is anything else, or nothing. */
static bool walk_all(struct walk *walk)
{
    bool good = find_ram(walk) && take_records(walk), last = false;

    while (good && !last) {
        uint64_t from = walk->at;
        uint8_t head[5];
        good = read_state(walk->image, from, head, sizeof(head));
        uint32_t section = good ? get32(head + 1) : 0;
        bool own = section == walk->section;
        if (good && own && head[0] == SECTION_FOOTER) {
            walk->at += sizeof(head);
            good = pass_on(walk, from);
        } else if (good && own && (head[0] == SECTION_PART || head[0] == SECTION_END)) {
            walk->at += sizeof(head);
            last = head[0] == SECTION_END;
            good = pass_on(walk, from) && take_records(walk);
        } else if (good && head[0] == COMMAND) {
            good = skip_command(walk);
        } else {
            good = good && skip_section(walk, head[0], section);
        }
    }
    uint64_t from = walk->at;
    walk->at = walk->image->bytes;
    return good && tcgrr_ram_pages_count_blocks(walk->ram) > 0 && pass_on(walk, from);
}

/* ---- the two uses ---- */

static bool note_page(struct walk *walk, uint64_t address, bool zero, uint64_t from)
{
    tcgrr_ram_pages_add(walk->ram, walk->block, address, address + walk->page_bytes);
    return true;
}

/* All pages that the state lists; NULL if it is not understood. The stream does not always have the size of a page,
 * but only the right one leads to its end. Sets *page_bytes to it. */
static struct tcgrr_ram_pages *read_pages(struct image *image, uint64_t *page_bytes)
{
    static const uint64_t sizes[] = {4096, 8192, 1024, 2048, 16384, 65536};

    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        struct walk walk = {.image = image, .page_bytes = sizes[i], .page = note_page};
        walk.ram = tcgrr_ram_pages_new(sizes[i]);
        if (walk_all(&walk)) {
            *page_bytes = sizes[i];
            return walk.ram;
        }
        tcgrr_ram_pages_free(walk.ram);
    }
    return NULL;
}

bool tcgrr_vmstate_covers(const char *path, const struct tcgrr_ram_pages *written)
{
    struct image image;
    uint64_t page_bytes;

    if (!open_image(&image, path, O_RDONLY)) {
        return false;
    }
    struct tcgrr_ram_pages *listed = read_pages(&image, &page_bytes);
    bool covers = listed && tcgrr_ram_pages_cover(listed, written);
    tcgrr_ram_pages_free(listed);
    close_image(&image);
    return covers;
}

/* Writing to the state's own beginning while it is read further on. */
struct rewrite {
    const struct tcgrr_ram_pages *written;
    uint64_t to;                  /* how much has been rewritten, some of it only in the buffer */
    uint8_t *buffer;              /* the cluster of `to` */
    char block[NAME_MAX_LEN + 1]; /* as in struct walk, of what was rewritten */
};

static bool flush(const struct image *image, const struct rewrite *rewrite)
{
    uint64_t number = rewrite->to > 0 ? (rewrite->to - 1) / image->cluster : 0;
    return pwrite(image->fd, rewrite->buffer, image->cluster, (off_t)image->places[number]) == (ssize_t)image->cluster;
}

static bool append(struct walk *walk, const void *bytes, size_t size)
{
    const struct image *image = walk->image;
    struct rewrite *rewrite = walk->data;

    for (const uint8_t *from = bytes; size > 0;) {
        uint64_t offset = rewrite->to % image->cluster;
        size_t part = MIN(size, image->cluster - offset);
        memcpy(rewrite->buffer + offset, from, part);
        from += part;
        size -= part;
        rewrite->to += part;
        if (rewrite->to % image->cluster == 0 && !flush(image, rewrite)) {
            return false;
        }
    }
    return true;
}

/* What is still to be read is never overwritten, because what is written is never longer. */
static bool copy_rest(struct walk *walk, uint64_t from, uint64_t to)
{
    uint8_t bytes[4096];
    bool good = true;

    for (; good && from < to; from += MIN(sizeof(bytes), to - from)) {
        size_t part = MIN(sizeof(bytes), to - from);
        good = read_state(walk->image, from, bytes, part) && append(walk, bytes, part);
    }
    return good;
}

/* A record without a block's name is about the block of the record before. */
static bool copy_page(struct walk *walk, uint64_t address, bool zero, uint64_t from)
{
    struct rewrite *rewrite = walk->data;
    uint64_t bytes = tcgrr_ram_pages_block_bytes(walk->ram, walk->block);
    bool known = tcgrr_ram_pages_block_bytes(rewrite->written, walk->block) == bytes;

    if (zero && known && !tcgrr_ram_pages_has(rewrite->written, walk->block, address, address + walk->page_bytes)) {
        return true;
    }
    bool same = strcmp(rewrite->block, walk->block) == 0;
    uint8_t head[8], length = (uint8_t)strlen(walk->block);
    put64(head, address | (zero ? PAGE_ZERO : PAGE_DATA) | (same ? PAGE_CONTINUE : 0));
    if (!append(walk, head, sizeof(head)) ||
        (!same && (!append(walk, &length, 1) || !append(walk, walk->block, length)))) {
        return false;
    }
    g_strlcpy(rewrite->block, walk->block, sizeof(rewrite->block));
    return copy_rest(walk, from, walk->at);
}

/* The state has been understood. */
static bool rewrite_state(struct image *image, uint64_t page_bytes, const struct tcgrr_ram_pages *written)
{
    struct rewrite rewrite = {.written = written, .buffer = g_malloc0(image->cluster)};
    struct walk walk = {.image = image,
                        .page_bytes = page_bytes,
                        .ram = tcgrr_ram_pages_new(page_bytes),
                        .rest = copy_rest,
                        .page = copy_page,
                        .data = &rewrite};
    uint8_t size[8];

    image->held = UINT64_MAX;
    bool good = walk_all(&walk) && flush(image, &rewrite);
    put64(size, rewrite.to);
    good = good && pwrite(image->fd, size, sizeof(size), (off_t)image->sizes) == sizeof(size);
    g_free(rewrite.buffer);
    tcgrr_ram_pages_free(walk.ram);
    return good;
}

bool tcgrr_vmstate_omit_zeros(const char *path, const struct tcgrr_ram_pages *written, GError **error)
{
    struct image image;
    uint64_t page_bytes;
    bool good = true;

    if (!open_image(&image, path, O_RDWR)) {
        return true;
    }
    struct tcgrr_ram_pages *listed = read_pages(&image, &page_bytes);
    if (listed && !rewrite_state(&image, page_bytes, written)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot rewrite %s: %s", path, g_strerror(errno));
        good = false;
    }
    tcgrr_ram_pages_free(listed);
    close_image(&image);
    return good;
}
