/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/state.h"

#include <string.h>

/*
 * Registers that runs may differ in though they do the same, as patterns (* and ?), for targets whose names begin so.
 * Recordings and their replays were found to agree in all the others, the counters and timers among them.
 */
static const struct {
    const char *target;
    const char *name;
    bool own_inputs; /* only where what happens outside the guest is not the same */
} ignored[] = {
    {"", "pc", false}, /* compared as the flow */
    {"aarch64", "ELR_*", true},
    {"aarch64", "SPSR_*", true},
    {"aarch64", "CNT*_CTL*", true},
    {"aarch64", "CNT*_CVAL*", true},
    {"aarch64", "PMCCNTR*", true},
    {"aarch64", "PMEVCNTR*", true},
    {"arm", "ELR_*", true},
    {"arm", "*SPSR*", true},
    {"arm", "CNT*_CTL*", true},
    {"arm", "CNT*_CVAL*", true},
    {"arm", "PMCCNTR*", true},
    {"arm", "PMEVCNTR*", true},
    {"riscv", "?epc", true},
    {"riscv", "vsepc", true},
    {"riscv", "?ip", true},
    {"riscv", "hvip", true},
    {"riscv", "vsip", true},
    {"riscv", "*top*i", true},
    {"riscv", "*timecmp*", true},
    {"riscv", "htimedelta*", true},
};

bool tcgrr_state_ignores(const char *target, const char *name, bool own_inputs, const char *const *more)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ignored); i++) {
        if (g_str_has_prefix(target, ignored[i].target) && (own_inputs || !ignored[i].own_inputs) &&
            g_pattern_match_simple(ignored[i].name, name)) {
            return true;
        }
    }
    for (; more && *more; more++) {
        if (g_pattern_match_simple(*more, name)) {
            return true;
        }
    }
    return false;
}

bool tcgrr_state_same_qemu(const char *version_a, const char *build_a, const char *version_b, const char *build_b)
{
    return g_strcmp0(version_a, version_b) == 0 && g_strcmp0(build_a ? build_a : "", build_b ? build_b : "") == 0;
}

/* A register that both sides have. */
struct pair {
    const char *name;
    uint32_t size;
    uint32_t a; /* where it is in the image */
    uint32_t b;
    bool aside;
};

struct tcgrr_state_comparer {
    GArray *pairs; /* struct pair */
};

struct tcgrr_state_comparer *tcgrr_state_comparer_new(const struct tcgrr_register_table *a,
                                                      const struct tcgrr_register_table *b, const char *target,
                                                      bool own_inputs, const char *const *more)
{
    struct tcgrr_state_comparer *comparer = g_new0(struct tcgrr_state_comparer, 1);

    comparer->pairs = g_array_new(FALSE, FALSE, sizeof(struct pair));
    for (uint32_t i = 0; i < tcgrr_register_table_count(a); i++) {
        const struct tcgrr_state_register *left = tcgrr_register_table_get(a, i);
        const struct tcgrr_state_register *right = tcgrr_register_table_find(b, left->name);
        if (right && right->size == left->size && !tcgrr_state_ignores(target, left->name, own_inputs, more)) {
            struct pair pair = {.name = left->name, .size = left->size, .a = left->offset, .b = right->offset};
            g_array_append_val(comparer->pairs, pair);
        }
    }
    return comparer;
}

void tcgrr_state_comparer_free(struct tcgrr_state_comparer *comparer)
{
    if (comparer) {
        g_array_unref(comparer->pairs);
        g_free(comparer);
    }
}

uint32_t tcgrr_state_comparer_registers(const struct tcgrr_state_comparer *comparer)
{
    return comparer->pairs->len;
}

static bool same(const struct pair *pair, const uint8_t *a, const uint8_t *b)
{
    return memcmp(a + pair->a, b + pair->b, pair->size) == 0;
}

bool tcgrr_state_comparer_same(struct tcgrr_state_comparer *comparer, const uint8_t *a, const uint8_t *b)
{
    bool all = true;
    for (guint i = 0; i < comparer->pairs->len; i++) {
        struct pair *pair = &g_array_index(comparer->pairs, struct pair, i);
        bool agree = same(pair, a, b);
        all = all && (agree || pair->aside);
        pair->aside = pair->aside && !agree;
    }
    return all;
}

static void clear_difference(gpointer data)
{
    struct tcgrr_register_difference *difference = data;
    g_free(difference->name);
    g_free(difference->a);
    g_free(difference->b);
}

GArray *tcgrr_state_comparer_differences(const struct tcgrr_state_comparer *comparer, const uint8_t *a,
                                         const uint8_t *b)
{
    GArray *differences = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_register_difference));

    g_array_set_clear_func(differences, clear_difference);
    for (guint i = 0; i < comparer->pairs->len; i++) {
        const struct pair *pair = &g_array_index(comparer->pairs, struct pair, i);
        if (!pair->aside && !same(pair, a, b)) {
            struct tcgrr_register_difference difference = {
                .name = g_strdup(pair->name),
                .size = pair->size,
                .a = g_memdup2(a + pair->a, pair->size),
                .b = g_memdup2(b + pair->b, pair->size),
            };
            g_array_append_val(differences, difference);
        }
    }
    return differences;
}

GArray *tcgrr_state_comparer_set_aside(struct tcgrr_state_comparer *comparer, const uint8_t *a, const uint8_t *b)
{
    GArray *differences = tcgrr_state_comparer_differences(comparer, a, b);
    for (guint i = 0; i < comparer->pairs->len; i++) {
        struct pair *pair = &g_array_index(comparer->pairs, struct pair, i);
        pair->aside = !same(pair, a, b);
    }
    return differences;
}

char *tcgrr_register_text(const uint8_t *value, uint32_t size)
{
    GString *text = g_string_new("0x");
    for (uint32_t i = size; i > 0; i--) {
        g_string_append_printf(text, "%02x", value[i - 1]);
    }
    return g_string_free(text, FALSE);
}
