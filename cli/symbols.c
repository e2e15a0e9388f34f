/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/cli.h"

#include "store/amend.h"
#include "store/error.h"
#include "store/layers.h"
#include "store/symbols.h"

#include <stdio.h>

struct addition {
    struct tcgrr_symbols *symbols;
    bool replace;
};

static bool store(sqlite3 *db, void *data, GError **error)
{
    const struct addition *addition = data;
    const GArray *list = tcgrr_symbols_list(addition->symbols);
    sqlite3_stmt *insert = NULL;
    bool good = !addition->replace || tcgrr_amend_execute(db, "DELETE FROM symbol", "remove the symbols", error);

    /* Existing symbols of the same file are identical. */
    good =
        good &&
        sqlite3_prepare_v2(
            db,
            "INSERT INTO symbol(address, size, name, file) SELECT ?1, ?2, ?3, ?4 WHERE NOT EXISTS (SELECT 1 FROM symbol"
            " WHERE address = ?1 AND size = ?2 AND name = ?3 AND file = ?4)",
            -1, &insert, NULL) == SQLITE_OK;
    for (guint i = 0; good && i < list->len; i++) {
        const struct tcgrr_symbol *symbol = &g_array_index(list, struct tcgrr_symbol, i);
        sqlite3_bind_int64(insert, 1, (sqlite3_int64)symbol->address);
        sqlite3_bind_int64(insert, 2, (sqlite3_int64)symbol->size);
        sqlite3_bind_text(insert, 3, symbol->name, -1, SQLITE_STATIC);
        sqlite3_bind_text(insert, 4, symbol->file, -1, SQLITE_STATIC);
        good = sqlite3_step(insert) == SQLITE_DONE;
        sqlite3_reset(insert);
    }
    if (!good && error && !*error) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot store the symbols: %s", sqlite3_errmsg(db));
    }
    sqlite3_finalize(insert);
    return good;
}

/* How much higher the files' code ran: as the user says, or as the first ELF file and the trace show. */
static bool choose_offset(struct tcgrr_reader *reader, char **files, bool moved, uint64_t *offset, GError **error)
{
    const char *elf = NULL;

    for (; moved && *files && !elf; files++) {
        elf = tcgrr_symbols_is_elf(*files) ? *files : NULL;
    }
    if (!moved) {
        return true;
    }
    if (!elf) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                    "--kaslr compares code: in addition to lists of symbols it needs the ELF file that ran");
        return false;
    }
    const struct tcgrr_blocks *blocks =
        tcgrr_reader_need_level(reader, TCGRR_LEVEL_FLOW, true, error) ? tcgrr_reader_blocks(reader, error) : NULL;
    return blocks && tcgrr_symbols_find_offset(elf, blocks, tcgrr_blocks_count(blocks), offset, error);
}

/* Of the blocks that ran, how many have a name. */
static uint32_t count_named(struct tcgrr_reader *reader, struct tcgrr_symbols *symbols, uint32_t *all)
{
    const struct tcgrr_blocks *blocks = tcgrr_reader_blocks(reader, NULL);
    uint32_t named = 0;

    *all = blocks ? tcgrr_blocks_count(blocks) : 0;
    for (uint32_t i = 0; i < *all; i++) {
        named += tcgrr_symbols_at(symbols, tcgrr_blocks_get(blocks, i)->pc) != NULL;
    }
    return named;
}

static void say(struct tcgrr_reader *reader, struct tcgrr_symbols *symbols, uint64_t offset, bool json)
{
    guint added = tcgrr_symbols_list(symbols)->len;
    uint32_t all;
    uint32_t named = count_named(reader, symbols, &all);

    if (json) {
        cli_print_json(json_pack("{s:o, s:i, s:o, s:I, s:I}", "trace", cli_json_text(tcgrr_reader_path(reader)),
                                 "symbols", (int)added, "offset", cli_json_address(offset), "blocks", (json_int_t)all,
                                 "named", (json_int_t)named));
        return;
    }
    g_autofree char *count = cli_number(added);
    g_autofree char *of = cli_number(all);
    g_autofree char *with = cli_number(named);
    printf("%s: %s symbols", tcgrr_reader_path(reader), count);
    if (offset) {
        printf(", 0x%" G_GINT64_MODIFIER "x higher than they were linked", offset);
    }
    printf("; they name %s of %s blocks\n", with, of);
}

static int attach(struct tcgrr_reader *reader, char **files, bool moved, uint64_t offset, struct addition *addition,
                  bool json)
{
    GError *error = NULL;
    bool good = choose_offset(reader, files, moved, &offset, &error);

    for (; good && *files; files++) {
        good = tcgrr_symbols_add_file(addition->symbols, *files, offset, &error);
    }
    good = good && tcgrr_amend(tcgrr_reader_path(reader), store, addition, &error);
    if (!good) {
        return cli_fail(error);
    }
    say(reader, addition->symbols, offset, json);
    return CLI_OK;
}

static bool parse_offset(const char *text, uint64_t *offset)
{
    bool minus = text[0] == '-';
    text += minus;
    bool hex = g_str_has_prefix(text, "0x");
    guint64 value;
    bool good = g_ascii_string_to_unsigned(text + (hex ? 2 : 0), hex ? 16 : 10, 0, UINT64_MAX, &value, NULL);
    *offset = minus ? 0 - value : value;
    return good;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    g_autofree char *given = NULL;
    gboolean json = FALSE, moved = FALSE, replace = FALSE;
    const GOptionEntry options[] = {
        {"offset", 0, 0, G_OPTION_ARG_STRING, &given, "how much higher the code ran than its addresses in the files",
         "N"},
        {"kaslr", 0, 0, G_OPTION_ARG_NONE, &moved, "find that offset by comparing an ELF file's code with what ran",
         NULL},
        {"replace", 0, 0, G_OPTION_ARG_NONE, &replace, "first remove the symbols that the trace already has", NULL},
        {"json", 0, 0, G_OPTION_ARG_NONE, &json, "print one JSON object", NULL},
        {0},
    };
    uint64_t offset = 0;
    if (!cli_parse(command, options, false, &argc, &argv)) {
        return CLI_USAGE;
    }
    if (argc < 3) {
        return cli_usage(command, "symbols takes a trace and at least one file");
    }
    if (given && (moved || !parse_offset(given, &offset))) {
        return cli_usage(command,
                         moved ? "--offset and --kaslr exclude each other"
                               : "--offset takes a number, decimal or 0x…, not '%s'",
                         given);
    }
    int status = CLI_OK;
    struct tcgrr_reader *reader = cli_open_trace(argv[1], &status);
    if (reader) {
        struct addition addition = {tcgrr_symbols_new(), replace};
        status = attach(reader, argv + 2, moved, offset, &addition, json);
        tcgrr_symbols_free(addition.symbols);
        tcgrr_reader_free(reader);
    }
    return status;
}

const struct cli_command cli_symbols = {
    "symbols",
    "TRACE FILE…",
    "Add symbols to a trace: ELF files, System.map, /proc/kallsyms, nm",
    "They are stored in the trace, for everything that names addresses. A label without a size extends to the next\n"
    "symbol, as in gdb's 'info symbol'.\n\n"
    "Examples:\n"
    "  tcgrr symbols boot.tcgrr vmlinux --kaslr\n"
    "  tcgrr symbols boot.tcgrr System.map\n"
    "  tcgrr symbols virt.tcgrr fw_dynamic.elf --offset 0x80000000\n",
    run,
};
