/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts of instructions by QEMU's own disassembler: from the ring into blocks, into a trace and out of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "emu/live/live.h"
#include "emu/plugin/ring.h"
#include "store/isa/disasm.h"
#include "store/error.h"
#include "store/texts.h"
#include "store/trace.h"
#include "tests/stream.h"

/* A machine that no capstone knows. */
#define TARGET     "nomachine"
#define RING_BYTES (128u << 10)

/* ---- blocks ---- */

static void test_text_has_a_line_each(void **state)
{
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();
    uint32_t three = stream_block(blocks, 0x1000, 3);
    g_autofree char *long_line = g_strnfill(500, 'x');
    g_autofree char *text = g_strdup_printf("add\t\x1b[31m\n%s\nret", long_line);

    assert_false(tcgrr_blocks_set_text(blocks, three, "one\ntwo"));
    assert_false(tcgrr_blocks_set_text(blocks, three, "one\ntwo\nthree\n"));
    assert_null(tcgrr_blocks_get(blocks, three)->text);
    assert_true(tcgrr_blocks_set_text(blocks, three, text));

    g_auto(GStrv) lines = g_strsplit(tcgrr_blocks_get(blocks, three)->text, "\n", -1);
    assert_string_equal(lines[0], "add??[31m");
    assert_int_equal(strlen(lines[1]), TCGRR_MAX_INSN_TEXT);
    assert_string_equal(lines[2], "ret");
    tcgrr_blocks_free(blocks);
}

static void test_disassembly_takes_them(void **state)
{
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();
    uint32_t two = stream_block(blocks, 0x1000, 2);
    struct tcgrr_disasm *unknown = tcgrr_disasm_new(TARGET);
    struct tcgrr_disasm *known = tcgrr_disasm_new("aarch64");

    assert_false(tcgrr_disasm_knows(TARGET));
    assert_true(tcgrr_disasm_knows("aarch64"));
    assert_true(tcgrr_blocks_set_text(blocks, two, "\nfoo r1"));
    g_auto(GStrv) texts = tcgrr_disasm_block(unknown, tcgrr_blocks_get(blocks, two));
    assert_true(g_str_has_prefix(texts[0], ".byte 0x"));
    assert_string_equal(texts[1], "foo r1");
    assert_null(texts[2]);
    g_auto(GStrv) others = tcgrr_disasm_block(known, tcgrr_blocks_get(blocks, two));
    assert_string_not_equal(others[1], "foo r1");
    tcgrr_disasm_free(unknown);
    tcgrr_disasm_free(known);
    tcgrr_blocks_free(blocks);
}

/* ---- rows ---- */

#define MANY 1000u

/* Blocks of which only some have texts. */
static struct tcgrr_blocks *make_blocks(bool texts)
{
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t insns = 1 + i % 5;
        assert_int_equal(stream_block(blocks, 0x10000 + 64 * i, insns), i);
        g_autoptr(GString) text = g_string_new(NULL);
        for (uint32_t insn = 0; insn < insns; insn++) {
            g_string_append_printf(text, "%sinsn %u of %u", insn ? "\n" : "", insn, i);
        }
        if (texts && i % 3 && (i < 300 || i >= 700)) {
            assert_true(tcgrr_blocks_set_text(blocks, i, text->str));
        }
    }
    return blocks;
}

static void check_same(const struct tcgrr_blocks *left, const struct tcgrr_blocks *right)
{
    for (uint32_t i = 0; i < MANY; i++) {
        if (g_strcmp0(tcgrr_blocks_get(left, i)->text, tcgrr_blocks_get(right, i)->text) != 0) {
            fail_msg("block %u has another text", i);
        }
    }
}

static void test_rows_bring_them_back(void **state)
{
    struct tcgrr_blocks *blocks = make_blocks(true);
    struct tcgrr_blocks *read = make_blocks(false);
    GByteArray *scratch = g_byte_array_new();
    GByteArray *row = g_byte_array_new();
    unsigned empty = 0;
    uint32_t count;

    for (uint32_t first = 0; first < MANY; first += count) {
        count = tcgrr_texts_encode(blocks, first, MANY, scratch, row);
        assert_in_range(count, 1, TCGRR_TEXTS_BLOCKS);
        empty += row->len == 0;
        assert_true(row->len == 0 || tcgrr_texts_decode(row->data, row->len, first, count, scratch, read));
    }
    assert_int_equal(empty, 0); /* 400 without texts do not fill a row that begins elsewhere */
    check_same(blocks, read);
    assert_int_equal(tcgrr_texts_encode(blocks, 310, 320, scratch, row), 10);
    assert_int_equal(row->len, 0);
    g_byte_array_unref(scratch);
    g_byte_array_unref(row);
    tcgrr_blocks_free(blocks);
    tcgrr_blocks_free(read);
}

static bool decodes(const char *plain, size_t size, uint32_t count)
{
    struct tcgrr_blocks *blocks = tcgrr_blocks_new();
    GByteArray *scratch = g_byte_array_new();
    uint8_t packed[4096];
    stream_block(blocks, 0x1000, 1);
    stream_block(blocks, 0x2000, 2);
    size_t length = ZSTD_compress(packed, sizeof(packed), plain, size, 1);
    bool good = tcgrr_texts_decode(packed, length, 0, count, scratch, blocks);
    g_byte_array_unref(scratch);
    tcgrr_blocks_free(blocks);
    return good;
}

static void test_malformed_rows_are_refused(void **state)
{
    assert_true(decodes("a\0b\nc", 6, 2));
    assert_true(decodes("a\0b\nc\0x", 8, 3)); /* of a block that is not known yet */
    assert_false(decodes("a\0b\nc", 5, 2));
    assert_false(decodes("a\0b\nc", 6, 1));
    assert_false(decodes("a\0b\nc", 6, 3));
    assert_false(decodes("a\nb\0", 5, 2));
    assert_false(decodes("", 0, 0));

    struct tcgrr_blocks *blocks = tcgrr_blocks_new();
    GByteArray *scratch = g_byte_array_new();
    assert_false(tcgrr_texts_decode("garbage", 7, 0, 1, scratch, blocks));
    assert_false(tcgrr_texts_decode(NULL, 0, 0, 1, scratch, blocks));
    g_byte_array_unref(scratch);
    tcgrr_blocks_free(blocks);
}

/* ---- the trace ---- */

static const struct tcgrr_run plain_run = {
    .tool_version = "1",
    .started = "2024-01-02T03:04:05Z",
    .host = "host",
    .directory = "/",
    .command = "[\"qemu\"]",
    .original_command = "[\"qemu\"]",
    .qemu_path = "/usr/bin/qemu",
    .qemu_version = "10.0.2",
    .qemu_banner = "QEMU",
    .qemu_build_id = "abc",
    .target = TARGET,
    .mode = "system",
    .api_version = 4,
    .icount_shift = "0",
    .vcpus = 1,
    .level = "flow",
    .qemu_icount = -1,
};

static void write_trace(const char *path, const struct tcgrr_blocks *blocks)
{
    struct tcgrr_writer *writer = tcgrr_writer_create(path, true, &plain_run, NULL);
    struct tcgrr_chunk *chunk = tcgrr_chunk_new(MANY);
    assert_non_null(writer);
    for (uint32_t half = 0; half < 2; half++) { /* two chunks: each brings the texts of its blocks */
        tcgrr_chunk_follow(chunk, half ? chunk : NULL);
        for (uint32_t i = 0; i < MANY / 2; i++) {
            uint32_t number = half * MANY / 2 + i;
            stream_append(chunk, blocks, number, tcgrr_blocks_get(blocks, number)->insns,
                          tcgrr_blocks_get(blocks, number)->insns);
        }
        tcgrr_chunk_compute(chunk, blocks);
        chunk->end_blocks = (half + 1) * MANY / 2;
        assert_true(tcgrr_writer_chunk(writer, chunk, blocks, NULL));
    }
    assert_true(tcgrr_writer_run(writer, &plain_run, NULL));
    assert_true(tcgrr_writer_commit(writer, NULL));
    tcgrr_writer_free(writer);
    tcgrr_chunk_free(chunk);
}

static void count_problem(const char *text, void *data)
{
    assert_non_null(strstr(text, "text"));
}

static uint64_t problems_of(const char *path)
{
    struct tcgrr_reader *reader = tcgrr_reader_open(path, NULL);
    uint64_t problems = 0;
    assert_true(tcgrr_reader_verify(reader, count_problem, NULL, &problems, NULL));
    tcgrr_reader_free(reader);
    return problems;
}

static void execute(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void test_traces_keep_them(void **state)
{
    g_autofree char *folder = g_dir_make_tmp("tcgrr-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "t.tcgrr", NULL);
    struct tcgrr_blocks *blocks = make_blocks(true);

    write_trace(path, blocks);
    struct tcgrr_reader *reader = tcgrr_reader_open(path, NULL);
    const struct tcgrr_blocks *read = tcgrr_reader_blocks(reader, NULL);
    assert_non_null(read);
    check_same(blocks, read);
    tcgrr_reader_free(reader);
    assert_int_equal(problems_of(path), 0);

    execute(path, "UPDATE block_text SET first = first + 1 WHERE first = 0");
    assert_true(problems_of(path) > 0);
    execute(path,
            "UPDATE block_text SET first = 0 WHERE first = 1; UPDATE block_text SET data = x'00' WHERE first = 0");
    assert_true(problems_of(path) > 0);
    execute(path, "DELETE FROM block_text");
    assert_int_equal(problems_of(path), 0);

    g_unlink(path);
    g_autofree char *log = g_strconcat(path, "-wal", NULL);
    g_autofree char *index = g_strconcat(path, "-shm", NULL);
    g_unlink(log);
    g_unlink(index);
    assert_int_equal(g_rmdir(folder), 0);
    tcgrr_blocks_free(blocks);
}

/* ---- the ring ---- */

struct fixture {
    struct tcgrr_live *live;
    struct tcgrr_ring ring;
    struct tcgrr_chunk *chunk;
};

static void open_ring(struct fixture *f)
{
    f->live = tcgrr_live_new(RING_BYTES, NULL);
    assert_non_null(f->live);
    assert_null(tcgrr_ring_attach(&f->ring, dup(tcgrr_live_fd(f->live)), false));
    f->chunk = tcgrr_chunk_new(100);
    tcgrr_chunk_follow(f->chunk, NULL);
    strcpy(f->ring.header->target, "riscv64");
    f->ring.header->api = 7;
    f->ring.header->system = 1;
    f->ring.header->vcpus = 1;
    atomic_store_explicit(&f->ring.header->state, TCGRR_WIRE_RUNNING, memory_order_release);
}

static void close_ring(struct fixture *f)
{
    tcgrr_live_free(f->live);
    tcgrr_chunk_free(f->chunk);
    tcgrr_ring_close(&f->ring);
}

static void push_text(struct tcgrr_ring *ring, const char *bytes, uint32_t size)
{
    uint32_t words = (size + 3) / 4;
    uint32_t *space = tcgrr_ring_space(ring);
    space[0] = tcgrr_wire_word(TCGRR_WIRE_TEXT, words);
    space[words] = 0;
    memcpy(space + 1, bytes, size);
    tcgrr_ring_publish(ring, 1 + words);
}

/* auipc t0, 0 and a compressed mv a0, sp */
static void push_define(struct tcgrr_ring *ring, uint32_t number, uint64_t pc)
{
    static const uint8_t content[] = {4, 2, 0x97, 0x02, 0x00, 0x00, 0x0a, 0x85};
    struct tcgrr_wire_define define = {number, 2, (uint32_t)pc, (uint32_t)(pc >> 32), 6};
    uint32_t words = (sizeof(define) + sizeof(content)) / 4;
    uint32_t *space = tcgrr_ring_space(ring);
    space[0] = tcgrr_wire_word(TCGRR_WIRE_DEFINE, words);
    memcpy(space + 1, &define, sizeof(define));
    memcpy((uint8_t *)(space + 1) + sizeof(define), content, sizeof(content));
    tcgrr_ring_publish(ring, 1 + words);
}

static bool read_all(struct fixture *f, GError **error)
{
    enum tcgrr_live_end end = TCGRR_LIVE_RUNS;
    tcgrr_live_gone(f->live);
    while (end == TCGRR_LIVE_RUNS) {
        if (!tcgrr_live_next(f->live, f->chunk, 1000, &end, error)) {
            return false;
        }
    }
    return true;
}

static void test_the_ring_brings_them(void **state)
{
    static const char texts[] = "00000297          auipc           t0,0                    # 0x1000\0"
                                "850a              mv              a0,sp                   ";
    struct fixture f;
    open_ring(&f);
    push_text(&f.ring, texts, sizeof(texts));
    push_define(&f.ring, 0, 0x1000);
    push_define(&f.ring, 1, 0x2000); /* QEMU said nothing of this one */
    uint32_t *space = tcgrr_ring_space(&f.ring);
    space[0] = tcgrr_wire_word(TCGRR_WIRE_ALIAS, 0);
    memcpy(space + 1, &(uint32_t[]){0, 0x3000, 0}, 12);
    tcgrr_ring_publish(&f.ring, 4);
    tcgrr_ring_push(&f.ring, 0);
    tcgrr_ring_push(&f.ring, 1);
    tcgrr_ring_push(&f.ring, 2);
    assert_true(read_all(&f, NULL));

    const struct tcgrr_blocks *blocks = tcgrr_live_blocks(f.live);
    assert_int_equal(tcgrr_blocks_count(blocks), 3);
    assert_string_equal(tcgrr_blocks_get(blocks, 0)->text, "auipc t0,0 # 0x1000\nmv a0,sp");
    assert_null(tcgrr_blocks_get(blocks, 1)->text);
    assert_string_equal(tcgrr_blocks_get(blocks, 2)->text, "auipc t0,0\nmv a0,sp");
    close_ring(&f);
}

static void test_too_few_texts_are_refused(void **state)
{
    GError *error = NULL;
    struct fixture f;
    open_ring(&f);
    push_text(&f.ring, "abc", 4); /* one, where the block has two instructions */
    push_define(&f.ring, 0, 0x1000);
    tcgrr_ring_push(&f.ring, 0);
    assert_false(read_all(&f, &error));
    assert_true(g_error_matches(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED));
    g_error_free(error);
    close_ring(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_has_a_line_each),      cmocka_unit_test(test_disassembly_takes_them),
        cmocka_unit_test(test_rows_bring_them_back),      cmocka_unit_test(test_malformed_rows_are_refused),
        cmocka_unit_test(test_traces_keep_them),          cmocka_unit_test(test_the_ring_brings_them),
        cmocka_unit_test(test_too_few_texts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
