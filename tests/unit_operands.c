/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a step accessed, whatever pieces QEMU made of it, and the registers of targets whose stub describes none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "emu/qemu/gdb_features.h"
#include "emu/qemu/gdb_layout.h"
#include "replay/cause/accesses.h"

static void add(struct tcgrr_peek *peek, uint64_t address, uint8_t size, uint8_t flags, uint8_t first)
{
    struct tcgrr_peek_access *access = &peek->accesses[peek->count++];
    *access = (struct tcgrr_peek_access){.address = address, .physical = address + 0x100000, .size = size};
    access->flags = flags | TCGRR_PEEK_VALUE | TCGRR_PEEK_PHYSICAL;
    for (uint8_t i = 0; i < size; i++) {
        access->bytes[i] = (uint8_t)(first + i);
    }
}

static const struct tcgrr_touched *at(const GArray *touched, guint index)
{
    assert_true(index < touched->len);
    return &g_array_index(touched, struct tcgrr_touched, index);
}

/* One release reports a pair as two accesses, another as one; the order of two loads is nobody's business. */
static void test_pieces(void **state)
{
    struct tcgrr_peek *peek = g_new0(struct tcgrr_peek, 1);
    g_autoptr(GArray) touched = g_array_new(FALSE, TRUE, sizeof(struct tcgrr_touched));

    add(peek, 0x2008, 8, 0, 8);
    add(peek, 0x2000, 8, 0, 0);
    add(peek, 0x3000, 4, TCGRR_PEEK_STORE, 100);
    tcgrr_accesses_take(peek, touched);
    assert_int_equal(touched->len, 2);
    assert_true(at(touched, 0)->operand.load && at(touched, 0)->ram && !at(touched, 0)->blind);
    assert_int_equal(at(touched, 0)->operand.address, 0x2000);
    assert_int_equal(at(touched, 0)->physical, 0x102000);
    assert_int_equal(at(touched, 0)->size, 16);
    for (uint8_t i = 0; i < 16; i++) {
        assert_int_equal(at(touched, 0)->before[i], i);
    }
    assert_true(at(touched, 1)->operand.store && at(touched, 1)->blind);
    assert_int_equal(at(touched, 1)->after[3], 103);
    g_free(peek);
}

/* What is read and written in one step is told as both; of two stores to a byte the last one stays. */
static void test_both_ways(void **state)
{
    struct tcgrr_peek *peek = g_new0(struct tcgrr_peek, 1);
    g_autoptr(GArray) touched = g_array_new(FALSE, TRUE, sizeof(struct tcgrr_touched));

    add(peek, 0x2000, 4, 0, 1);
    add(peek, 0x2000, 4, TCGRR_PEEK_STORE, 50);
    add(peek, 0x2000, 4, TCGRR_PEEK_STORE, 60);
    add(peek, 0x9000, 4, TCGRR_PEEK_DEVICE, 0);
    tcgrr_accesses_take(peek, touched);
    assert_int_equal(touched->len, 3);
    assert_int_equal(at(touched, 0)->before[0], 1);
    assert_true(at(touched, 1)->mapped && !at(touched, 1)->ram); /* the device */
    assert_int_equal(at(touched, 2)->after[0], 60);
    g_free(peek);
}

/* No piece is longer than what is kept of one. */
static void test_long(void **state)
{
    struct tcgrr_peek *peek = g_new0(struct tcgrr_peek, 1);
    g_autoptr(GArray) touched = g_array_new(FALSE, TRUE, sizeof(struct tcgrr_touched));

    for (unsigned i = 0; i < 20; i++) {
        add(peek, 0x2000 + 8 * i, 8, TCGRR_PEEK_STORE, (uint8_t)i);
    }
    tcgrr_accesses_take(peek, touched);
    assert_int_equal(touched->len, 3);
    assert_int_equal(at(touched, 0)->size, TCGRR_PLACE_MAX);
    assert_int_equal(at(touched, 2)->operand.address, 0x2000 + 2 * TCGRR_PLACE_MAX);
    assert_int_equal(at(touched, 2)->size, 160 - 2 * TCGRR_PLACE_MAX);
    g_free(peek);
}

static void check_layout(const char *target, const char *name, unsigned number, unsigned bytes)
{
    g_autofree char *text = tcgrr_gdb_layout(target);
    struct tcgrr_register_layout *registers = tcgrr_register_layout_new(target);
    g_autoptr(GPtrArray) includes = g_ptr_array_new();
    unsigned next = 0;

    assert_non_null(text);
    assert_true(tcgrr_register_layout_parse(registers, text, strlen(text), &next, includes, NULL));
    const struct tcgrr_register *reg = tcgrr_register_layout_find(registers, name);
    assert_non_null(reg);
    assert_int_equal(reg->number, number);
    assert_int_equal(reg->bytes, bytes);
    tcgrr_register_layout_unref(registers);
}

/* As gdb counts them. */
static void test_layouts(void **state)
{
    check_layout("mips", "pc", 37, 4);
    check_layout("mips64el", "fcsr", 70, 8);
    check_layout("sparc", "npc", 69, 4);
    check_layout("sparc64", "f31", 63, 4);
    check_layout("sparc64", "f62", 79, 8);
    check_layout("sparc64", "pc", 80, 8);
    assert_null(tcgrr_gdb_layout("x86_64"));
}

/* What is loaded and stored is two accesses to one release and one operand to who knows only the instruction. */
static void test_split(void **state)
{
    g_autoptr(GArray) touched = g_array_new(FALSE, TRUE, sizeof(struct tcgrr_touched));
    const struct tcgrr_touched pushed = {.operand = {.address = 16, .size = 4, .store = true}};
    const struct tcgrr_touched both = {.operand = {.address = 32, .size = 4, .load = true, .store = true},
                                       .after = {7}};
    g_array_append_val(touched, both);
    g_array_append_val(touched, pushed);

    tcgrr_accesses_split(touched);
    assert_int_equal(touched->len, 3);
    static const struct {
        uint64_t address;
        bool store;
    } wanted[] = {{32, false}, {16, true}, {32, true}};
    for (guint i = 0; i < 3; i++) {
        const struct tcgrr_operand *operand = &g_array_index(touched, struct tcgrr_touched, i).operand;
        assert_int_equal(operand->address, wanted[i].address);
        assert_int_equal(operand->store, wanted[i].store);
        assert_int_equal(operand->load, !wanted[i].store);
    }
    assert_int_equal(g_array_index(touched, struct tcgrr_touched, 2).after[0], 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split), cmocka_unit_test(test_pieces),  cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_long),  cmocka_unit_test(test_layouts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
