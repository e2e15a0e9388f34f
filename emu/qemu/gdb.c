/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/gdb.h"

#include <limits.h>
#include <string.h>

#include "emu/qemu/connect.h"
#include "emu/qemu/gdb_layout.h"
#include "emu/qemu/gdb_wire.h"
#include "store/error.h"

#define DOCUMENT_MAX   (1u << 20)
#define DOCUMENT_PIECE 0xf00 /* size of a piece of a description; older stubs send at most 4096 characters */
#define MEMORY_PIECE   1024
#define PIPELINE       64 /* requests that are sent before the first answer is read */

struct tcgrr_gdb {
    struct tcgrr_gdb_wire *wire;
    bool physical; /* whether the stub currently treats memory addresses as physical */
    struct tcgrr_register_layout *registers;
    guint first;     /* number of registers in the first description, to which "g" applies */
    GPtrArray *core; /* struct tcgrr_register *, by number */
};

static bool fail(GError **error, enum tcgrr_error_code code, const char *text)
{
    g_set_error(error, TCGRR_ERROR, code, "QEMU's gdb stub %s", text);
    return false;
}

static G_GNUC_PRINTF(2, 3) void ask(struct tcgrr_gdb *gdb, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    g_autofree char *text = g_strdup_vprintf(format, list);
    va_end(list);
    tcgrr_gdb_wire_put(gdb->wire, text);
}

/* Sends the request and receives its answer into the wire's `payload`. */
static bool answer(struct tcgrr_gdb *gdb, GError **error)
{
    return tcgrr_gdb_wire_answer(gdb->wire, error);
}

static bool read_document(struct tcgrr_gdb *gdb, const char *name, GString *text, GError **error)
{
    char more = 'm';
    while (more == 'm') {
        ask(gdb, "qXfer:features:read:%s:%zx,%x", name, text->len, DOCUMENT_PIECE);
        if (!answer(gdb, error)) {
            return false;
        }
        more = gdb->wire->payload->str[0];
        bool good = more == 'l' || (more == 'm' && gdb->wire->payload->len > 1);
        if (!good || text->len > DOCUMENT_MAX) {
            return fail(error, TCGRR_ERROR_DAMAGED, "does not describe its registers");
        }
        g_string_append_len(text, gdb->wire->payload->str + 1, (gssize)gdb->wire->payload->len - 1);
    }
    return true;
}

static bool read_description(struct tcgrr_gdb *gdb, const char *target, GError **error)
{
    g_autoptr(GPtrArray) documents = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GString) text = g_string_new(NULL);
    unsigned number = 0;
    g_autofree char *layout = tcgrr_gdb_layout(target);

    if (layout) {
        ask(gdb, "qXfer:features:read:target.xml:0,10");
        if (!answer(gdb, error)) {
            return false;
        }
    }
    if (layout && gdb->wire->payload->len == 0) {
        return tcgrr_register_layout_parse(gdb->registers, layout, strlen(layout), &number, documents, error);
    }
    g_ptr_array_add(documents, g_strdup("target.xml"));
    for (guint i = 0; i < documents->len; i++) {
        g_string_truncate(text, 0);
        if (!read_document(gdb, g_ptr_array_index(documents, i), text, error) ||
            !tcgrr_register_layout_parse(gdb->registers, text->str, text->len, &number, documents, error)) {
            return false;
        }
        gdb->first = gdb->first ? gdb->first : gdb->registers->list->len;
    }
    return gdb->registers->list->len > 0 || fail(error, TCGRR_ERROR_DAMAGED, "names no registers");
}

static gint by_number(gconstpointer a, gconstpointer b, gpointer data)
{
    const struct tcgrr_gdb *gdb = data;
    const struct tcgrr_register *left = *(struct tcgrr_register *const *)a;
    const struct tcgrr_register *right = *(struct tcgrr_register *const *)b;
    bool first = left->index < gdb->first;

    if (first != (right->index < gdb->first)) {
        return first ? -1 : 1;
    }
    return left->number < right->number ? -1 : left->number > right->number;
}

/*
 * Determines the core registers: as many of the first description as fit into the answer to "g", in which they follow
 * each other, and then those of the others whose numbers follow.
 */
static bool find_core(struct tcgrr_gdb *gdb, GError **error)
{
    const GPtrArray *list = gdb->registers->list;
    gsize text = 0;

    gdb->core = g_ptr_array_new();
    ask(gdb, "g");
    if (!answer(gdb, error)) {
        return false;
    }
    g_autoptr(GPtrArray) sorted = g_ptr_array_new();
    for (guint i = 0; i < list->len; i++) {
        g_ptr_array_add(sorted, g_ptr_array_index(list, i));
    }
    g_ptr_array_sort_with_data(sorted, by_number, gdb);
    for (guint i = 0; i < sorted->len; i++) {
        struct tcgrr_register *reg = g_ptr_array_index(sorted, i);
        text += 2 * (gsize)reg->bytes;
        if (text > gdb->wire->payload->len || (i >= gdb->first && reg->number != i)) {
            break;
        }
        reg->core = true;
        g_ptr_array_add(gdb->core, reg);
    }
    return true;
}

/* The number of bytes in the stub's answer for a register of this number; 0: it refuses. */
static bool size_of(struct tcgrr_gdb *gdb, unsigned number, gsize *bytes, GError **error)
{
    ask(gdb, "p%x", number);
    if (!answer(gdb, error)) {
        return false;
    }
    *bytes = gdb->wire->payload->str[0] == 'E' ? 0 : gdb->wire->payload->len / 2;
    return true;
}

/*
 * For the PowerPC registers after the floating-point ones, QEMU 11.1 uses numbers that are one lower than described: it
 * answers with the neighbouring register, and the first of them cannot be read at all.
 */
static bool renumber_ppc(struct tcgrr_gdb *gdb, GError **error)
{
    const struct tcgrr_register *first = tcgrr_register_layout_find(gdb->registers, "vr0");
    const struct tcgrr_register *last = tcgrr_register_layout_find(gdb->registers, "vr31");
    gsize at = 0, before = 0;

    if (!first || !last || last->core) {
        return true;
    }
    if (!size_of(gdb, last->number, &at, error) || !size_of(gdb, last->number - 1, &before, error)) {
        return false;
    }
    if (at == last->bytes || before != last->bytes) {
        return true;
    }
    for (guint i = first->index; i < gdb->registers->list->len; i++) {
        struct tcgrr_register *reg = g_ptr_array_index(gdb->registers->list, i);
        reg->number = i == first->index ? UINT_MAX : reg->number - 1;
    }
    return true;
}

struct tcgrr_gdb *tcgrr_gdb_connect(const char *path, const char *target, int timeout_ms, GError **error)
{
    int fd = tcgrr_connect(path, tcgrr_deadline_after(timeout_ms), error);
    if (fd < 0) {
        return NULL;
    }
    struct tcgrr_gdb *gdb = g_new0(struct tcgrr_gdb, 1);
    gdb->wire = tcgrr_gdb_wire_new(fd, "QEMU's gdb stub");
    gdb->registers = tcgrr_register_layout_new(target);
    ask(gdb, "qSupported:multiprocess+;xmlRegisters=i386");
    if (!answer(gdb, error) || !read_description(gdb, target, error) || !find_core(gdb, error) ||
        !renumber_ppc(gdb, error)) {
        tcgrr_gdb_free(gdb);
        return NULL;
    }
    return gdb;
}

void tcgrr_gdb_free(struct tcgrr_gdb *gdb)
{
    if (!gdb) {
        return;
    }
    tcgrr_gdb_wire_free(gdb->wire);
    tcgrr_register_layout_unref(gdb->registers);
    g_clear_pointer(&gdb->core, g_ptr_array_unref);
    g_free(gdb);
}

struct tcgrr_register_layout *tcgrr_gdb_registers(const struct tcgrr_gdb *gdb)
{
    return gdb->registers;
}

/* Stores the value at `text` in the payload into the state. */
static void take_value(struct tcgrr_gdb *gdb, const struct tcgrr_register *reg, gsize text, uint8_t *state)
{
    gsize digits = 2 * (gsize)reg->bytes;
    state[reg->index] = gdb->wire->payload->len >= text + digits &&
                        tcgrr_gdb_packet_hex(gdb->wire->payload->str + text, reg->bytes, state + reg->offset);
    if (!state[reg->index]) {
        memset(state + reg->offset, 0, reg->bytes);
    }
}

static bool read_core(struct tcgrr_gdb *gdb, uint8_t *state, GError **error)
{
    gsize text = 0;

    ask(gdb, "g");
    if (!answer(gdb, error)) {
        return false;
    }
    for (guint i = 0; i < gdb->core->len; i++) {
        const struct tcgrr_register *reg = g_ptr_array_index(gdb->core, i);
        take_value(gdb, reg, text, state);
        text += 2 * (gsize)reg->bytes;
    }
    return true;
}

/* Reads registers one by one, but sends all requests before reading the first answer. */
static bool read_single(struct tcgrr_gdb *gdb, const GPtrArray *some, uint8_t *state, GError **error)
{
    for (guint i = 0; i < some->len; i++) {
        ask(gdb, "p%x", ((const struct tcgrr_register *)g_ptr_array_index(some, i))->number);
    }
    for (guint i = 0; i < some->len; i++) {
        const struct tcgrr_register *reg = g_ptr_array_index(some, i);
        if (!answer(gdb, error)) {
            return false;
        }
        if (gdb->wire->payload->len == 2 * (gsize)reg->bytes) {
            take_value(gdb, reg, 0, state);
        }
    }
    return true;
}

bool tcgrr_gdb_read_state(struct tcgrr_gdb *gdb, const bool *wanted, uint8_t *state, GError **error)
{
    memset(state, 0, gdb->registers->list->len);
    return (gdb->core->len == 0 || read_core(gdb, state, error)) && tcgrr_gdb_read_more(gdb, wanted, state, error);
}

bool tcgrr_gdb_read_more(struct tcgrr_gdb *gdb, const bool *wanted, uint8_t *state, GError **error)
{
    const GPtrArray *list = gdb->registers->list;
    g_autoptr(GPtrArray) some = g_ptr_array_new();
    bool good = true;

    for (guint i = 0; good && i < list->len; i++) {
        const struct tcgrr_register *reg = g_ptr_array_index(list, i);
        if (!state[i] && (!wanted || wanted[i])) {
            g_ptr_array_add(some, (gpointer)reg);
        }
        if (some->len == PIPELINE) {
            good = read_single(gdb, some, state, error);
            g_ptr_array_set_size(some, 0);
        }
    }
    return good && read_single(gdb, some, state, error);
}

static bool choose_addresses(struct tcgrr_gdb *gdb, bool physical, GError **error)
{
    if (gdb->physical == physical) {
        return true;
    }
    ask(gdb, "Qqemu.PhyMemMode:%d", physical);
    if (!answer(gdb, error)) {
        return false;
    }
    if (strcmp(gdb->wire->payload->str, "OK") != 0) {
        return fail(error, TCGRR_ERROR_FAILED, "cannot read memory by physical addresses");
    }
    gdb->physical = physical;
    return true;
}

bool tcgrr_gdb_read_memory(struct tcgrr_gdb *gdb, bool physical, uint64_t address, size_t size, uint8_t *bytes,
                           bool *found, GError **error)
{
    *found = true;
    if (!choose_addresses(gdb, physical, error)) {
        return false;
    }
    for (size_t at = 0; at < size && *found; at += MEMORY_PIECE) {
        size_t piece = MIN(size - at, (size_t)MEMORY_PIECE);
        ask(gdb, "m%" G_GINT64_MODIFIER "x,%zx", address + at, piece);
        if (!answer(gdb, error)) {
            return false;
        }
        *found =
            gdb->wire->payload->len == 2 * piece && tcgrr_gdb_packet_hex(gdb->wire->payload->str, piece, bytes + at);
    }
    return true;
}

bool tcgrr_gdb_break(struct tcgrr_gdb *gdb, uint64_t address, GError **error)
{
    ask(gdb, "Z1,%" G_GINT64_MODIFIER "x,1", address);
    if (!answer(gdb, error)) {
        return false;
    }
    return strcmp(gdb->wire->payload->str, "OK") == 0 || fail(error, TCGRR_ERROR_FAILED, "sets no breakpoint");
}

bool tcgrr_gdb_step_with_interrupts(struct tcgrr_gdb *gdb, GError **error)
{
    ask(gdb, "Qqemu.sstep=0x1");
    if (!answer(gdb, error)) {
        return false;
    }
    return strcmp(gdb->wire->payload->str, "OK") == 0 ||
           fail(error, TCGRR_ERROR_FAILED, "does not let interrupts come during steps");
}

bool tcgrr_gdb_continue(struct tcgrr_gdb *gdb, GError **error)
{
    ask(gdb, "c");
    return tcgrr_gdb_wire_flush(gdb->wire, error);
}

bool tcgrr_gdb_step(struct tcgrr_gdb *gdb, GError **error)
{
    ask(gdb, "s");
    return tcgrr_gdb_wire_flush(gdb->wire, error);
}

bool tcgrr_gdb_wait(struct tcgrr_gdb *gdb, int timeout_ms, bool *stopped, GError **error)
{
    gint64 deadline = tcgrr_deadline_after(timeout_ms);
    *stopped = false;
    for (;;) {
        bool found;
        if (!tcgrr_gdb_wire_receive(gdb->wire, deadline, &found, error)) {
            return false;
        }
        if (!found) {
            return true;
        }
        if (!tcgrr_gdb_wire_expand(gdb->wire, error)) {
            return false;
        }
        /* A guest may print without end. */
        bool late = tcgrr_time_left(deadline) == 0;
        switch (gdb->wire->payload->str[0]) {
        case 'T':
        case 'S':
            *stopped = true;
            return true;
        case 'W':
        case 'X':
            return fail(error, TCGRR_ERROR_FAILED, "says that QEMU has ended");
        case 'F':
            return fail(error, TCGRR_ERROR_FAILED,
                        "gets the guest's semihosting calls; record it with -semihosting-config "
                        "enable=on,target=native");
        default: /* output of the guest */
            if (late) {
                return true;
            }
            break;
        }
    }
}
