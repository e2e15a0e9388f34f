/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/compare_options.h"

#include "lockstep/run_source.h"
#include "store/error.h"
#include "store/layers.h"
#include "store/symbols.h"

#include <string.h>

void cli_compare_options_clear(struct cli_compare_options *comparing)
{
    g_free(comparing->from);
    g_free(comparing->until);
    g_free(comparing->html);
    g_strfreev(comparing->ignored);
}

bool cli_compare_options_want_object(const struct cli_compare_options *comparing)
{
    return comparing->json || comparing->html;
}

int cli_compare_fail(const struct cli_compare_options *comparing, json_t *object, GError *error)
{
    json_t *text = cli_json_text(error->message);
    int status = cli_fail(error);

    if (object) {
        json_object_set_new(object, "error", json_pack("{s:O, s:i}", "text", text, "exit", status));
        cli_error_keys(json_incref(object));
        status = cli_output_result(object, false, comparing->html, status);
    }
    json_decref(text);
    return status;
}

bool cli_compare_options_start_late(const struct cli_compare_options *comparing)
{
    return comparing->from && strcmp(comparing->from, "0") != 0;
}

char *cli_plain_where(const char *text)
{
    uint64_t value;

    if (text && cli_parse_icount(text, &value)) {
        return g_strdup_printf("%" G_GUINT64_FORMAT, value);
    }
    return text && g_str_has_prefix(text, "0X") ? g_strconcat("0x", text + 2, NULL) : g_strdup(text);
}

bool cli_parse_where(const char *text, struct tcgrr_symbols *symbols, struct tcgrr_position *where)
{
    uint64_t value;
    guint64 pc;
    bool address = g_str_has_prefix(text, "0x") || g_str_has_prefix(text, "0X");

    if (address && g_ascii_string_to_unsigned(text + 2, 16, 0, UINT64_MAX, &pc, NULL)) {
        *where = (struct tcgrr_position){TCGRR_POSITION_PC, pc};
        return true;
    }
    if (cli_parse_icount(text, &value)) {
        *where = (struct tcgrr_position){TCGRR_POSITION_ICOUNT, value};
        return true;
    }
    const struct tcgrr_symbol *symbol = tcgrr_symbols_find(symbols, text);
    if (symbol) {
        *where = (struct tcgrr_position){TCGRR_POSITION_PC, symbol->address};
    }
    return symbol != NULL;
}

static int resolve(const struct cli_command *command, const char *option, const char *text,
                   struct tcgrr_symbols *const symbols[2], const bool later[2], struct tcgrr_position where[2])
{
    for (int i = 0; text && i < 2; i++) {
        bool found = !symbols[i] || cli_parse_where(text, symbols[i], &where[i]);
        const struct tcgrr_symbol *symbol = symbols[i] ? tcgrr_symbols_find(symbols[i], text) : NULL;
        if ((!found && later[i]) || (symbol && symbol->limited)) {
            where[i] = (struct tcgrr_position){TCGRR_POSITION_NAME, g_quark_from_string(text)};
        } else if (!found) {
            bool none = tcgrr_symbols_list(symbols[i])->len == 0;
            return cli_usage(command, "%s %s: %c has no symbol of this name%s", option, text, 'A' + i,
                             none ? ", nor any other ('tcgrr symbols TRACE FILE' adds those of an ELF file; a 0x "
                                    "address always works)"
                                  : " (symbols are the functions and code labels of its ELF files)");
        }
    }
    return CLI_OK;
}

int cli_compare_options_resolve(const struct cli_command *command, const struct cli_compare_options *comparing,
                                struct tcgrr_symbols *const symbols[2], struct tcgrr_compare_options *options)
{
    if (!cli_check_page(comparing->html)) {
        return CLI_FAILED;
    }
    if (comparing->history < 1 || comparing->history > 1000) {
        return cli_usage(command, "--history takes 1 to 1000");
    }
    options->history = (unsigned)comparing->history;
    options->state.ignored = (const char *const *)comparing->ignored;
    options->strict = options->strict || comparing->strict;
    int status = resolve(command, "--from", comparing->from, symbols, comparing->later, options->from);
    status = status != CLI_OK
                 ? status
                 : resolve(command, "--until", comparing->until, symbols, comparing->later, options->until);
    bool counts = options->from[0].kind == TCGRR_POSITION_ICOUNT && options->until[0].kind == TCGRR_POSITION_ICOUNT;
    if (status == CLI_OK && counts && options->until[0].value <= options->from[0].value) {
        return cli_usage(command, "--until %s must come after --from %s", comparing->until, comparing->from);
    }
    return status;
}

bool cli_find_pc(struct tcgrr_reader *reader, uint64_t pc, tcgrr_icount after, tcgrr_icount *icount, GError **error)
{
    const tcgrr_icount end = tcgrr_reader_run(reader)->icount;
    struct tcgrr_run_source *source = NULL;
    struct tcgrr_run_source_position position;
    bool found = false;
    bool good = tcgrr_reader_need_level(reader, TCGRR_LEVEL_FLOW, true, error) &&
                (source = tcgrr_run_source_stored(reader, error)) != NULL &&
                source->ops->advance(source, 0, end, &position, error) &&
                source->ops->find(source, pc, after, end, icount, &found, error);

    if (source) {
        source->ops->free(source);
    }
    if (good && !found) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "the run does not reach that point");
    }
    return good && found;
}
