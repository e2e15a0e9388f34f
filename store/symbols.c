/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/symbols.h"

#include "store/trace.h"

#include <string.h>

struct tcgrr_symbols {
    GArray *list;  /* struct tcgrr_symbol */
    GArray *reach; /* uint64_t: how far those up to this one reach at most; as long as the list, once it is sorted */
    GStringChunk *texts;
    bool sorted;
};

struct tcgrr_symbols *tcgrr_symbols_new(void)
{
    struct tcgrr_symbols *symbols = g_new0(struct tcgrr_symbols, 1);
    symbols->list = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_symbol));
    symbols->reach = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    symbols->texts = g_string_chunk_new(4096);
    symbols->sorted = true;
    return symbols;
}

void tcgrr_symbols_free(struct tcgrr_symbols *symbols)
{
    if (symbols) {
        g_array_unref(symbols->list);
        g_array_unref(symbols->reach);
        g_string_chunk_free(symbols->texts);
        g_free(symbols);
    }
}

void tcgrr_symbols_add(struct tcgrr_symbols *symbols, const struct tcgrr_symbol *symbol)
{
    struct tcgrr_symbol copy = {
        .address = symbol->address,
        .size = symbol->size,
        .name = g_string_chunk_insert_const(symbols->texts, symbol->name ? symbol->name : ""),
        .file = g_string_chunk_insert_const(symbols->texts, symbol->file ? symbol->file : ""),
        .limited = symbol->limited,
        .since = symbol->since,
        .until = symbol->until,
    };
    guint count = symbols->list->len;
    g_array_set_size(symbols->reach, 0);
    symbols->sorted =
        symbols->sorted &&
        (count == 0 || g_array_index(symbols->list, struct tcgrr_symbol, count - 1).address <= symbol->address);
    g_array_append_val(symbols->list, copy);
}

void tcgrr_symbols_join(struct tcgrr_symbols *symbols, struct tcgrr_symbols *from)
{
    const GArray *list = tcgrr_symbols_list(from);
    for (guint i = 0; i < list->len; i++) {
        tcgrr_symbols_add(symbols, &g_array_index(list, struct tcgrr_symbol, i));
    }
}

static gint by_address(gconstpointer a, gconstpointer b)
{
    const struct tcgrr_symbol *left = a;
    const struct tcgrr_symbol *right = b;
    if (left->address != right->address) {
        return left->address < right->address ? -1 : 1;
    }
    return left->size < right->size ? -1 : left->size > right->size;
}

static void add_found(const struct tcgrr_symbol *symbol, void *symbols)
{
    tcgrr_symbols_add(symbols, symbol);
}

bool tcgrr_symbols_add_trace(struct tcgrr_symbols *symbols, struct tcgrr_reader *reader, GError **error)
{
    return tcgrr_reader_symbols(reader, add_found, symbols, error);
}

const GArray *tcgrr_symbols_list(struct tcgrr_symbols *symbols)
{
    if (!symbols->sorted) {
        g_array_set_size(symbols->reach, 0);
        g_array_sort(symbols->list, by_address);
        symbols->sorted = true;
    }
    return symbols->list;
}

static void extend_reach(struct tcgrr_symbols *symbols)
{
    uint64_t most = 0;

    g_array_set_size(symbols->reach, symbols->list->len);
    for (guint i = 0; i < symbols->list->len; i++) {
        const struct tcgrr_symbol *symbol = &g_array_index(symbols->list, struct tcgrr_symbol, i);
        uint64_t end = symbol->address + symbol->size;
        most = MAX(most, end >= symbol->address ? end : UINT64_MAX);
        g_array_index(symbols->reach, uint64_t, i) = most;
    }
}

/* The number of the first one that begins after `pc`. */
static guint first_after(const GArray *list, uint64_t pc)
{
    guint low = 0;
    guint high = list->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;
        if (g_array_index(list, struct tcgrr_symbol, middle).address <= pc) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* `icount`: UINT64_MAX at any time. */
static const struct tcgrr_symbol *find_at(struct tcgrr_symbols *symbols, uint64_t pc, uint64_t icount)
{
    const GArray *list = tcgrr_symbols_list(symbols);

    if (symbols->reach->len != list->len) {
        extend_reach(symbols);
    }
    for (guint i = first_after(list, pc); i-- > 0 && g_array_index(symbols->reach, uint64_t, i) > pc;) {
        const struct tcgrr_symbol *symbol = &g_array_index(list, struct tcgrr_symbol, i);
        if (pc - symbol->address >= symbol->size) {
            continue;
        }
        if (!symbol->limited || (icount >= symbol->since && icount < symbol->until)) {
            return symbol;
        }
        if (icount == UINT64_MAX) {
            return NULL;
        }
    }
    return NULL;
}

const struct tcgrr_symbol *tcgrr_symbols_at(struct tcgrr_symbols *symbols, uint64_t pc)
{
    return find_at(symbols, pc, UINT64_MAX);
}

static char *name_in(const struct tcgrr_symbol *symbol, uint64_t pc)
{
    if (!symbol) {
        return NULL;
    }
    return pc > symbol->address ? g_strdup_printf("%s+0x%" G_GINT64_MODIFIER "x", symbol->name, pc - symbol->address)
                                : g_strdup(symbol->name);
}

char *tcgrr_symbols_name(struct tcgrr_symbols *symbols, uint64_t pc)
{
    return name_in(tcgrr_symbols_at(symbols, pc), pc);
}

char *tcgrr_symbols_name_at(struct tcgrr_symbols *symbols, uint64_t pc, uint64_t icount)
{
    return name_in(find_at(symbols, pc, MIN(icount, UINT64_MAX - 1)), pc);
}

const struct tcgrr_symbol *tcgrr_symbols_find(struct tcgrr_symbols *symbols, const char *name)
{
    for (guint i = 0; i < symbols->list->len; i++) {
        const struct tcgrr_symbol *symbol = &g_array_index(symbols->list, struct tcgrr_symbol, i);
        if (strcmp(symbol->name, name) == 0) {
            return symbol;
        }
    }
    return NULL;
}
