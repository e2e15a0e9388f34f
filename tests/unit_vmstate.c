/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Leaving out zero pages of a saved machine: in images that are put together here, as QEMU would write them. */
#include "emu/qemu/vmstate.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/check.h"

#define CLUSTER 65536u
enum { ZERO = 0x02, MEM_SIZE = 0x04, DATA = 0x08, EOS = 0x10, CONTINUE = 0x20 };
enum { START = 1, PART = 2, END = 3, COMMAND = 8, FOOTER = 0x7e, RAM = 2, OTHER = 7 };

/* ---- the stream ---- */

static void add8(GByteArray *to, uint8_t value)
{
    g_byte_array_append(to, &value, 1);
}

static void add32(GByteArray *to, uint32_t value)
{
    value = GUINT32_TO_BE(value);
    g_byte_array_append(to, (const guint8 *)&value, sizeof(value));
}

static void add64(GByteArray *to, uint64_t value)
{
    value = GUINT64_TO_BE(value);
    g_byte_array_append(to, (const guint8 *)&value, sizeof(value));
}

static void add_name(GByteArray *to, const char *name)
{
    add8(to, (uint8_t)strlen(name));
    g_byte_array_append(to, (const guint8 *)name, (guint)strlen(name));
}

static void add_section(GByteArray *to, uint8_t type, uint32_t section)
{
    add8(to, type);
    add32(to, section);
}

/* `block`: NULL if the record continues with the block of the one before; `fill`: of the page, 0 for a zero page. */
static void add_page(GByteArray *to, uint64_t page_bytes, const char *block, uint64_t address, uint8_t fill)
{
    add64(to, address | (fill ? DATA : ZERO) | (block ? 0 : CONTINUE));
    if (block) {
        add_name(to, block);
    }
    for (uint64_t i = 0; i < (fill ? page_bytes : 1); i++) {
        add8(to, fill);
    }
}

/* All up to the first page, of two blocks with 16 pages each. */
static GByteArray *begin_stream(uint64_t page_bytes)
{
    GByteArray *stream = g_byte_array_new();

    g_byte_array_append(stream, (const guint8 *)"QEVM", 4);
    add32(stream, 3);
    add8(stream, 7);
    add32(stream, 5);
    g_byte_array_append(stream, (const guint8 *)"board", 5);
    add_section(stream, START, RAM);
    add_name(stream, "ram");
    add32(stream, 0);
    add32(stream, 4);
    add64(stream, (32 * page_bytes) | MEM_SIZE);
    add_name(stream, "main");
    add64(stream, 16 * page_bytes);
    add_name(stream, "0:1/flash");
    add64(stream, 16 * page_bytes);
    add64(stream, EOS);
    add_section(stream, FOOTER, RAM);
    return stream;
}

static void end_stream(GByteArray *stream)
{
    add64(stream, EOS);
    add_section(stream, FOOTER, RAM);
    add_section(stream, END, RAM);
    add64(stream, EOS);
    add_section(stream, FOOTER, RAM);
    g_byte_array_append(stream, (const guint8 *)"devices", 7);
}

/* ---- the image ---- */

static void put32(uint8_t *at, uint32_t value)
{
    value = GUINT32_TO_BE(value);
    memcpy(at, &value, sizeof(value));
}

static void put64(uint8_t *at, uint64_t value)
{
    value = GUINT64_TO_BE(value);
    memcpy(at, &value, sizeof(value));
}

/* Clusters of the image: the header, the snapshot's entry, its L1 table, its L2 table, then those of the state, the
 * last one first. */
enum { HEADER_AT, SNAPSHOT_AT, L1_AT, L2_AT, STATE_AT };

static char *write_image(const GByteArray *stream)
{
    char *path = NULL;
    size_t clusters = stream->len / CLUSTER + 1;
    g_autofree uint8_t *image = g_malloc0((STATE_AT + clusters) * CLUSTER);

    put32(image, 0x514649fb);
    put32(image + 4, 3);
    put32(image + 20, 16);
    put64(image + 24, CLUSTER); /* the disk's size: the state begins where the second entry of L1 does */
    put32(image + 60, 1);
    put64(image + 64, SNAPSHOT_AT * CLUSTER);
    uint8_t *snapshot = image + SNAPSHOT_AT * CLUSTER;
    put64(snapshot, L1_AT * CLUSTER);
    put32(snapshot + 8, 2);
    put32(snapshot + 36, 16);
    put64(snapshot + 40, stream->len);
    put64(image + L1_AT * CLUSTER + 8, L2_AT * CLUSTER | UINT64_C(1) << 63);
    for (size_t i = 0; i < clusters; i++) {
        size_t place = STATE_AT + clusters - 1 - i, bytes = MIN(stream->len - i * CLUSTER, CLUSTER);
        put64(image + L2_AT * CLUSTER + 8 * i, place * CLUSTER | UINT64_C(1) << 63);
        memcpy(image + place * CLUSTER, stream->data + i * CLUSTER, bytes);
    }
    int fd = g_file_open_tmp("tcgrr-vmstate-XXXXXX", &path, NULL);
    assert_true(fd >= 0);
    close(fd);
    assert_true(g_file_set_contents(path, (const char *)image, (gssize)((STATE_AT + clusters) * CLUSTER), NULL));
    return path;
}

/* The stream that the image has now. */
static GByteArray *read_image(const char *path)
{
    g_autofree char *image = NULL;
    gsize size;
    uint64_t bytes, place;
    GByteArray *stream = g_byte_array_new();

    assert_true(g_file_get_contents(path, &image, &size, NULL));
    memcpy(&bytes, image + SNAPSHOT_AT * CLUSTER + 40, sizeof(bytes));
    for (uint64_t at = 0; at < GUINT64_FROM_BE(bytes); at += CLUSTER) {
        memcpy(&place, image + L2_AT * CLUSTER + 8 * (at / CLUSTER), sizeof(place));
        place = GUINT64_FROM_BE(place) & ~(UINT64_C(1) << 63);
        g_byte_array_append(stream, (const guint8 *)image + place,
                            (guint)MIN(GUINT64_FROM_BE(bytes) - at, (uint64_t)CLUSTER));
    }
    return stream;
}

/* Rewrites an image of `stream`; returns what it has then, and frees the stream. */
static GByteArray *omit(GByteArray *stream, const struct tcgrr_ram_pages *written)
{
    g_autofree char *path = write_image(stream);
    GError *error = NULL;

    check(tcgrr_vmstate_omit_zeros(path, written, &error), error);
    GByteArray *left = read_image(path);
    g_unlink(path);
    g_byte_array_unref(stream);
    return left;
}

static void expect(GByteArray *found, GByteArray *wanted)
{
    assert_int_equal(found->len, wanted->len);
    assert_memory_equal(found->data, wanted->data, wanted->len);
    g_byte_array_unref(found);
    g_byte_array_unref(wanted);
}

/* Of the machine that is to load it: pages of 4 KiB. */
static struct tcgrr_ram_pages *new_written(uint64_t page_bytes)
{
    struct tcgrr_ram_pages *written = tcgrr_ram_pages_new(4096);
    tcgrr_ram_pages_add_block(written, "main", 16 * page_bytes);
    tcgrr_ram_pages_add_block(written, "0:1/flash", 16 * page_bytes);
    return written;
}

/* ---- tests ---- */

static void test_zero_pages_go_where_nothing_was_written(void **state)
{
    struct tcgrr_ram_pages *written = new_written(4096);
    GByteArray *stream = begin_stream(4096), *wanted = begin_stream(4096);

    (void)state;
    tcgrr_ram_pages_add(written, "main", 0x3000, 0x3001);
    tcgrr_ram_pages_add(written, "0:1/flash", 0x5fff, 0x6001);
    add_section(stream, PART, RAM);
    add_section(wanted, PART, RAM);
    add_page(stream, 4096, "main", 0, 0); /* goes, and the next one has to name the block */
    add_page(stream, 4096, NULL, 0x1000, 0x11);
    add_page(wanted, 4096, "main", 0x1000, 0x11);
    add_page(stream, 4096, NULL, 0x2000, 0);
    add_page(stream, 4096, NULL, 0x3000, 0); /* was written before: has to be cleared */
    add_page(wanted, 4096, NULL, 0x3000, 0);
    add_page(stream, 4096, "0:1/flash", 0x4000, 0); /* the block does not change in what is left */
    add_page(stream, 4096, "main", 0x4000, 0x22);
    add_page(wanted, 4096, NULL, 0x4000, 0x22);
    add_page(stream, 4096, "0:1/flash", 0x5000, 0);
    add_page(wanted, 4096, "0:1/flash", 0x5000, 0);
    add_page(stream, 4096, NULL, 0x6000, 0);
    add_page(wanted, 4096, NULL, 0x6000, 0);
    add_page(stream, 4096, NULL, 0x7000, 0);
    end_stream(stream);
    end_stream(wanted);
    expect(omit(stream, written), wanted);
    tcgrr_ram_pages_free(written);
}

static void test_long_states_cross_clusters(void **state)
{
    struct tcgrr_ram_pages *written = new_written(16384);
    GByteArray *stream = begin_stream(16384), *wanted = begin_stream(16384);

    (void)state;
    for (unsigned part = 0; part < 3; part++) {
        add_section(stream, PART, RAM);
        add_section(wanted, PART, RAM);
        for (uint64_t i = 0; i < 16; i++) {
            const char *name = part % 2 ? "main" : "0:1/flash";
            uint8_t fill = i % 3 == part ? 0 : (uint8_t)(1 + i);
            bool first = part % 3 == 0 ? i == 1 : i == 0;
            add_page(stream, 16384, i == 0 ? name : NULL, i * 16384, fill);
            if (fill) {
                add_page(wanted, 16384, first ? name : NULL, i * 16384, fill);
            }
        }
        add64(stream, EOS);
        add_section(stream, FOOTER, RAM);
        add64(wanted, EOS);
        add_section(wanted, FOOTER, RAM);
    }
    add_section(stream, PART, RAM);
    add_section(wanted, PART, RAM);
    end_stream(stream);
    end_stream(wanted);
    expect(omit(stream, written), wanted);
    tcgrr_ram_pages_free(written);
}

/* Machines with other state that is saved in parts (s390x, pseries), and a command, as 10.0 sends it. */
static void test_other_sections_are_passed_over(void **state)
{
    struct tcgrr_ram_pages *written = new_written(8192);
    GByteArray *streams[] = {begin_stream(8192), begin_stream(8192)};

    (void)state;
    for (int i = 0; i < 2; i++) {
        add_section(streams[i], START, OTHER);
        add_name(streams[i], "keys");
        add64(streams[i], UINT64_C(0x7e7e000000077e00));
        add_section(streams[i], FOOTER, OTHER);
        add_section(streams[i], COMMAND, 0x000b0002);
        add8(streams[i], FOOTER);
        add8(streams[i], END);
        add_section(streams[i], PART, RAM);
        if (i == 0) {
            add_page(streams[i], 8192, "main", 0x2000, 0);
        }
        add_page(streams[i], 8192, i == 0 ? NULL : "main", 0x4000, 0x33);
        end_stream(streams[i]);
    }
    expect(omit(streams[0], written), streams[1]);
    tcgrr_ram_pages_free(written);
}

/* A page that the host's pages only touch counts as written. */
static void test_pages_of_other_sizes(void **state)
{
    struct tcgrr_ram_pages *written = new_written(1024);
    GByteArray *stream = begin_stream(1024), *wanted = begin_stream(1024);

    (void)state;
    tcgrr_ram_pages_add(written, "main", 0x1000, 0x1400);
    add_section(stream, PART, RAM);
    add_section(wanted, PART, RAM);
    for (uint64_t address = 0; address < 0x4000; address += 1024) {
        bool kept = address >= 0x1000 && address < 0x2000;
        add_page(stream, 1024, address == 0 ? "main" : NULL, address, 0);
        if (kept) {
            add_page(wanted, 1024, address == 0x1000 ? "main" : NULL, address, 0);
        }
    }
    end_stream(stream);
    end_stream(wanted);
    expect(omit(stream, written), wanted);
    tcgrr_ram_pages_free(written);
}

/* `spoil`: 0 to 4. */
static GByteArray *make_strange(int spoil)
{
    GByteArray *stream = begin_stream(4096);

    add_section(stream, PART, RAM);
    add_page(stream, 4096, spoil == 0 ? NULL : spoil == 1 ? "other" : "main", spoil == 2 ? 0x10000 : 0, 0);
    add64(stream, spoil == 3 ? 0x1000 | 0x100 | CONTINUE : 0x1000 | ZERO | CONTINUE);
    add8(stream, spoil == 4);
    end_stream(stream);
    return stream;
}

static void test_what_is_not_understood_stays(void **state)
{
    struct tcgrr_ram_pages *written = new_written(4096);

    (void)state;
    for (int spoil = 0; spoil < 5; spoil++) {
        expect(omit(make_strange(spoil), written), make_strange(spoil));
    }
    for (guint cut = 1; cut < 60; cut++) { /* before the last section of the RAM is complete */
        GByteArray *streams[] = {make_strange(5), make_strange(5)};
        for (int i = 0; i < 2; i++) {
            g_byte_array_set_size(streams[i], streams[i]->len - 20 - cut);
        }
        expect(omit(streams[0], written), streams[1]);
    }
    tcgrr_ram_pages_free(written);
}

static void test_images_that_are_none(void **state)
{
    struct tcgrr_ram_pages *written = new_written(4096);
    GByteArray *stream = make_strange(5);
    g_autofree char *path = write_image(stream);
    g_autofree char *image = NULL;
    gsize size;

    (void)state;
    assert_true(g_file_get_contents(path, &image, &size, NULL));
    /* The places and sizes in the header, the snapshot's entry and the tables. */
    const size_t places[] = {20,
                             60,
                             64,
                             SNAPSHOT_AT * CLUSTER,
                             SNAPSHOT_AT * CLUSTER + 8,
                             SNAPSHOT_AT * CLUSTER + 40,
                             L1_AT * CLUSTER + 8,
                             L2_AT * CLUSTER};
    for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
        g_autofree char *spoilt = g_memdup2(image, size);
        memset(spoilt + places[i], 0x7f, 4);
        assert_true(g_file_set_contents(path, spoilt, (gssize)size, NULL));
        assert_true(tcgrr_vmstate_omit_zeros(path, written, NULL));
        assert_false(tcgrr_vmstate_covers(path, written));
        g_autofree char *after = NULL;
        assert_true(g_file_get_contents(path, &after, NULL, NULL));
        assert_memory_equal(after, spoilt, size);
    }
    assert_false(tcgrr_vmstate_covers("/nonexistent", NULL));
    g_unlink(path);
    g_byte_array_unref(stream);
    tcgrr_ram_pages_free(written);
}

static void test_a_machine_that_wrote_more_is_not_covered(void **state)
{
    struct tcgrr_ram_pages *written = new_written(4096), *other = new_written(4096);
    GByteArray *stream = begin_stream(4096);

    (void)state;
    add_section(stream, PART, RAM);
    for (int block = 0; block < 2; block++) {
        for (uint64_t address = 0; address < 0x10000; address += 0x1000) {
            add_page(stream, 4096, address > 0 ? NULL : block == 0 ? "main" : "0:1/flash", address, address == 0x1000);
        }
    }
    end_stream(stream);
    g_autofree char *path = write_image(stream);
    assert_true(tcgrr_vmstate_covers(path, NULL));
    tcgrr_ram_pages_add(written, "main", 0x3000, 0x5000);
    tcgrr_ram_pages_add(other, "main", 0x1000, 0x4000);
    assert_true(tcgrr_vmstate_omit_zeros(path, written, NULL));
    assert_false(tcgrr_vmstate_covers(path, NULL));
    assert_true(tcgrr_vmstate_covers(path, written));
    assert_false(tcgrr_vmstate_covers(path, other)); /* 0x2000 */
    tcgrr_ram_pages_add_block(written, "more", 0x1000);
    assert_false(tcgrr_vmstate_covers(path, written));
    g_unlink(path);
    g_byte_array_unref(stream);
    tcgrr_ram_pages_free(written);
    tcgrr_ram_pages_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zero_pages_go_where_nothing_was_written),
        cmocka_unit_test(test_long_states_cross_clusters),
        cmocka_unit_test(test_other_sections_are_passed_over),
        cmocka_unit_test(test_pages_of_other_sizes),
        cmocka_unit_test(test_what_is_not_understood_stays),
        cmocka_unit_test(test_images_that_are_none),
        cmocka_unit_test(test_a_machine_that_wrote_more_is_not_covered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
