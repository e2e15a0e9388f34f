/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/gdb_features.h"

#include <string.h>

#include "store/error.h"

#define REGISTERS_MAX 4096
#define INCLUDES_MAX  64
#define BYTES_MAX     256
#define FIELDS_MAX    64

struct parsing {
    struct tcgrr_register_layout *registers;
    unsigned *number;
    GPtrArray *includes;
    GHashTable *flags; /* char *, name of a type → GArray of struct tcgrr_register_field */
    GArray *open;      /* the type being described; NULL outside of one */
    bool system;       /* the feature being described is one of system registers */
};

bool tcgrr_target_is_big_endian(const char *target)
{
    static const char *const targets[] = {"aarch64_be", "armeb",   "hppa",    "m68k",     "microblaze", "mips",
                                          "mips64",     "mipsn32", "or1k",    "ppc",      "ppc64",      "s390x",
                                          "sh4eb",      "sparc",   "sparc64", "xtensaeb", NULL};
    return g_strv_contains(targets, target);
}

static void free_field(gpointer data)
{
    struct tcgrr_register_field *field = data;
    g_free(field->name);
}

static void free_register(gpointer data)
{
    struct tcgrr_register *reg = data;
    g_free(reg->name);
    g_free(reg->type);
    if (reg->fields) {
        g_array_unref(reg->fields);
    }
    g_free(reg);
}

struct tcgrr_register_layout *tcgrr_register_layout_new(const char *target)
{
    struct tcgrr_register_layout *registers = g_atomic_rc_box_new0(struct tcgrr_register_layout);
    registers->list = g_ptr_array_new_with_free_func(free_register);
    registers->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    registers->big_endian = tcgrr_target_is_big_endian(target);
    return registers;
}

static void clear_registers(gpointer data)
{
    struct tcgrr_register_layout *registers = data;
    g_hash_table_unref(registers->by_name);
    g_ptr_array_unref(registers->list);
}

struct tcgrr_register_layout *tcgrr_register_layout_ref(struct tcgrr_register_layout *registers)
{
    return g_atomic_rc_box_acquire(registers);
}

void tcgrr_register_layout_unref(struct tcgrr_register_layout *registers)
{
    if (registers) {
        g_atomic_rc_box_release_full(registers, clear_registers);
    }
}

static const char *attribute(const char **names, const char **values, const char *name)
{
    for (; *names; names++, values++) {
        if (strcmp(*names, name) == 0) {
            return *values;
        }
    }
    return NULL;
}

static bool number_of(const char **names, const char **values, const char *name, unsigned most, unsigned *number)
{
    const char *text = attribute(names, values, name);
    guint64 value;
    bool good = text && g_ascii_string_to_unsigned(text, 10, 0, most, &value, NULL);
    if (good) {
        *number = (unsigned)value;
    }
    return good;
}

static void refuse(GError **error, const char *text)
{
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "QEMU's description of its registers %s", text);
}

/* Whether the feature contains system registers: Arm's (QEMU's own, M profile), RISC-V's, PowerPC's, s390x's. */
static bool is_system(const char *feature)
{
    static const char *const parts[] = {".sys.", ".m-system", ".secext", ".csr", ".spr", ".s390.cr", ".s390.virt"};
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
        if (strstr(feature, parts[i])) {
            return true;
        }
    }
    return false;
}

static struct tcgrr_register *append(struct tcgrr_register_layout *registers, const char *name, const char *type,
                                     unsigned bytes)
{
    struct tcgrr_register *reg = g_new0(struct tcgrr_register, 1);

    reg->name = g_strdup(name);
    reg->type = g_strdup(type);
    reg->bytes = bytes;
    reg->index = registers->list->len;
    g_ptr_array_add(registers->list, reg);
    g_hash_table_insert(registers->by_name, reg->name, reg);
    return reg;
}

static void add_register(struct parsing *parsing, const char **names, const char **values, GError **error)
{
    struct tcgrr_register_layout *registers = parsing->registers;
    const char *name = attribute(names, values, "name");
    const char *type = attribute(names, values, "type");
    unsigned bits = 0;

    (void)number_of(names, values, "regnum", G_MAXINT, parsing->number);
    unsigned number = (*parsing->number)++;
    if (!name || !number_of(names, values, "bitsize", G_MAXINT, &bits)) {
        refuse(error, "has one without name or size");
    } else if (registers->list->len >= REGISTERS_MAX) {
        refuse(error, "has too many of them");
    } else if (bits > 0 && bits <= BYTES_MAX * 8 && !g_hash_table_contains(registers->by_name, name)) {
        struct tcgrr_register *reg = append(registers, name, type ? type : "", (bits + 7) / 8);
        reg->number = number;
        reg->system = parsing->system;
    }
}

/* Adds a field to a type of flags; a field without a name is ignored. */
static void add_field(struct parsing *parsing, const char **names, const char **values, GError **error)
{
    const char *name = attribute(names, values, "name");
    unsigned first;
    unsigned last;

    if (!parsing->open || !name || !*name || !number_of(names, values, "start", 63, &first)) {
        return;
    }
    if (!number_of(names, values, "end", 63, &last)) {
        last = first;
    }
    if (parsing->open->len >= FIELDS_MAX) {
        refuse(error, "has a type of too many fields");
    } else if (first <= last) {
        struct tcgrr_register_field field = {g_strdup(name), (uint8_t)first, (uint8_t)last};
        g_array_append_val(parsing->open, field);
    }
}

static void begin_element(GMarkupParseContext *context, const char *element, const char **names, const char **values,
                          gpointer data, GError **error)
{
    struct parsing *parsing = data;

    if (strcmp(element, "reg") == 0) {
        add_register(parsing, names, values, error);
    } else if (strcmp(element, "feature") == 0) {
        const char *name = attribute(names, values, "name");
        parsing->system = name && is_system(name);
    } else if (strcmp(element, "field") == 0) {
        add_field(parsing, names, values, error);
    } else if (strcmp(element, "flags") == 0 && attribute(names, values, "id")) {
        parsing->open = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_register_field));
        g_array_set_clear_func(parsing->open, free_field);
        g_hash_table_replace(parsing->flags, g_strdup(attribute(names, values, "id")), parsing->open);
    } else if (strcmp(element, "xi:include") == 0 && attribute(names, values, "href")) {
        if (parsing->includes->len >= INCLUDES_MAX) {
            refuse(error, "includes too many files");
        } else {
            g_ptr_array_add(parsing->includes, g_strdup(attribute(names, values, "href")));
        }
    }
}

static void end_element(GMarkupParseContext *context, const char *element, gpointer data, GError **error)
{
    struct parsing *parsing = data;
    if (strcmp(element, "flags") == 0) {
        parsing->open = NULL;
    }
}

/* Assigns each register its offset in a state. */
static void place(struct tcgrr_register_layout *registers)
{
    unsigned offset = registers->list->len;

    for (guint i = 0; i < registers->list->len; i++) {
        struct tcgrr_register *reg = g_ptr_array_index(registers->list, i);
        reg->offset = offset;
        offset += reg->bytes;
    }
    registers->state_bytes = offset;
}

/* Assigns the flags of its type to each register from `first` on, and offsets to all. */
static void settle(struct parsing *parsing, guint first)
{
    GPtrArray *list = parsing->registers->list;

    for (guint i = first; i < list->len; i++) {
        struct tcgrr_register *reg = g_ptr_array_index(list, i);
        GArray *fields = g_hash_table_lookup(parsing->flags, reg->type);
        if (fields && fields->len > 0) {
            reg->fields = g_array_ref(fields);
        }
    }
    place(parsing->registers);
}

bool tcgrr_register_layout_add(struct tcgrr_register_layout *registers, const char *name, const char *feature,
                               unsigned bytes)
{
    if (registers->list->len >= REGISTERS_MAX || bytes == 0 || bytes > BYTES_MAX ||
        g_hash_table_contains(registers->by_name, name)) {
        return false;
    }
    struct tcgrr_register *reg = append(registers, name, "", bytes);
    reg->number = reg->index;
    reg->core = true;
    reg->system = is_system(feature);
    place(registers);
    return true;
}

bool tcgrr_register_layout_parse(struct tcgrr_register_layout *registers, const char *text, gsize length,
                                 unsigned *number, GPtrArray *includes, GError **error)
{
    static const GMarkupParser parser = {begin_element, end_element, NULL, NULL, NULL};
    struct parsing parsing = {registers, number, includes, NULL, NULL, false};
    GError *problem = NULL;
    guint first = registers->list->len;

    parsing.flags = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
    GMarkupParseContext *context = g_markup_parse_context_new(&parser, 0, &parsing, NULL);
    bool good = g_markup_parse_context_parse(context, text, (gssize)length, &problem) &&
                g_markup_parse_context_end_parse(context, &problem);
    g_markup_parse_context_free(context);
    settle(&parsing, first);
    g_hash_table_unref(parsing.flags);
    if (!good && problem->domain != TCGRR_ERROR) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "QEMU's description of its registers cannot be read: %s",
                    problem->message);
        g_error_free(problem);
    } else if (!good) {
        g_propagate_error(error, problem);
    }
    return good;
}

const struct tcgrr_register *tcgrr_register_layout_find(const struct tcgrr_register_layout *registers, const char *name)
{
    return g_hash_table_lookup(registers->by_name, name);
}

/* The value's byte number `index`, 0 being the lowest. */
static uint8_t byte_of(const struct tcgrr_register_layout *registers, const uint8_t *state,
                       const struct tcgrr_register *reg, unsigned index)
{
    return state[reg->offset + (registers->big_endian ? reg->bytes - 1 - index : index)];
}

uint64_t tcgrr_state_number(const struct tcgrr_register_layout *registers, const uint8_t *state,
                            const struct tcgrr_register *reg)
{
    uint64_t number = 0;
    for (unsigned i = MIN(reg->bytes, 8u); i > 0; i--) {
        number = number << 8 | byte_of(registers, state, reg, i - 1);
    }
    return number;
}

char *tcgrr_state_text(const struct tcgrr_register_layout *registers, const uint8_t *state,
                       const struct tcgrr_register *reg)
{
    GString *text = g_string_new("0x");
    for (unsigned i = reg->bytes; i > 0; i--) {
        g_string_append_printf(text, "%02x", byte_of(registers, state, reg, i - 1));
    }
    return g_string_free(text, FALSE);
}
