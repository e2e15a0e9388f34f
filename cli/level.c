/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/level.h"

#include "cli/compare_options.h"
#include "emu/qemu/qemu.h"
#include "store/symbols.h"

#include <unistd.h>

void cli_level_clear(struct cli_level *asked)
{
    g_free(asked->level);
    g_free(asked->from);
    g_free(asked->until);
    g_free(asked->end);
    g_free(asked->sample_from);
}

static bool load_symbols(struct tcgrr_symbols *symbols, const struct tcgrr_record_options *options, GError **error)
{
    const char *const *file = options->symbol_files;
    const char *const *word = options->arguments;

    for (; file && *file; file++) {
        if (!tcgrr_symbols_add_file(symbols, *file, 0, error)) {
            return false;
        }
    }
    for (; *word; word++) {
        if (access(*word, R_OK) == 0 && !tcgrr_symbols_add_elf(symbols, *word, false, error)) {
            return false;
        }
    }
    return true;
}

/* One end of the window: an icount or the address of an instruction. */
static int resolve(const struct cli_command *command, const char *option, const char *text,
                   struct tcgrr_symbols *symbols, tcgrr_icount *icount, bool *has_pc, uint64_t *pc)
{
    struct tcgrr_position where = {TCGRR_POSITION_NONE, 0};

    if (text && !cli_parse_where(text, symbols, &where)) {
        return cli_usage(
            command,
            "%s %s: there is no symbol of this name (--symbols FILE adds those of an ELF file; a 0x address"
            " always works)",
            option, text);
    }
    if (where.kind == TCGRR_POSITION_ICOUNT) {
        *icount = where.value;
    }
    *has_pc = where.kind == TCGRR_POSITION_PC;
    *pc = where.value;
    return CLI_OK;
}

/* A symbol of a position-independent program in user mode is a place in its code until QEMU has put it somewhere. */
static bool is_in_code(const struct tcgrr_record_options *options, struct tcgrr_symbols *symbols, const char *text,
                       uint64_t *pc)
{
    bool user = text && tcgrr_qemu_is_user(options->qemu);
    const struct tcgrr_symbol *symbol = user ? tcgrr_symbols_find(symbols, text) : NULL;
    uint64_t lowest;

    if (!symbol || !tcgrr_symbols_can_move(symbol->file, &lowest)) {
        return false;
    }
    *pc -= lowest;
    return true;
}

static int resolve_window(const struct cli_command *command, const struct cli_level *asked,
                          struct tcgrr_record_options *options)
{
    struct tcgrr_window *window = &options->window;
    struct tcgrr_symbols *symbols = tcgrr_symbols_new();
    GError *error = NULL;
    int status = load_symbols(symbols, options, &error) ? CLI_OK : cli_fail(error);

    if (status == CLI_OK) {
        status = resolve(command, "--full-from", asked->from, symbols, &window->from, &window->has_from_pc,
                         &window->from_pc);
    }
    if (status == CLI_OK) {
        status = resolve(command, "--full-until", asked->until, symbols, &window->until, &window->has_until_pc,
                         &window->until_pc);
    }
    window->from_in_code = status == CLI_OK && is_in_code(options, symbols, asked->from, &window->from_pc);
    window->until_in_code = status == CLI_OK && is_in_code(options, symbols, asked->until, &window->until_pc);
    tcgrr_symbols_free(symbols);
    if (status == CLI_OK && !window->has_from_pc && !window->has_until_pc && window->until <= window->from) {
        return cli_usage(command, "--full-until must come after --full-from");
    }
    return status;
}

static int resolve_end(const struct cli_command *command, const char *text, struct tcgrr_record_options *options)
{
    struct tcgrr_until *until = &options->until;
    struct tcgrr_symbols *symbols = tcgrr_symbols_new();
    GError *error = NULL;
    int status = load_symbols(symbols, options, &error) ? CLI_OK : cli_fail(error);

    if (status == CLI_OK) {
        status = resolve(command, "--until", text, symbols, &until->icount, &until->has_pc, &until->pc);
    }
    tcgrr_symbols_free(symbols);
    until->wanted = true;
    if (status == CLI_OK && !until->has_pc && until->icount == 0) {
        return cli_usage(command, "--until 0: nothing would be recorded");
    }
    if (status == CLI_OK && (tcgrr_qemu_is_user(options->qemu) || options->level == TCGRR_LEVEL_INPUTS)) {
        return cli_usage(command, "--until needs qemu-system-* and level flow or more");
    }
    return status;
}

int cli_level_resolve(const struct cli_command *command, const struct cli_level *asked,
                      struct tcgrr_record_options *options)
{
    options->level = TCGRR_LEVEL_FLOW;
    options->window = (struct tcgrr_window){.until = UINT64_MAX};
    if (asked->level && !tcgrr_level_of(asked->level, &options->level)) {
        return cli_usage(command, "--level takes inputs, flow, state or full, not '%s'", asked->level);
    }
    bool sampling = asked->sample_step > 0 || asked->sample_from;
    if (asked->sample_step < 0 || (sampling && options->level < TCGRR_LEVEL_STATE)) {
        return cli_usage(command, asked->sample_step < 0 ? "--sample-step takes 1 or more"
                                                         : "--sample-step and --sample-from need --level state");
    }
    options->sample_step = (uint32_t)asked->sample_step;
    options->sample_from = asked->sample_from;
    int status = asked->end ? resolve_end(command, asked->end, options) : CLI_OK;
    if (status != CLI_OK || (!asked->from && !asked->until)) {
        return status;
    }
    if (options->level != TCGRR_LEVEL_FULL) {
        return cli_usage(command, "--full-from and --full-until say which memory accesses to record: add --level full");
    }
    return resolve_window(command, asked, options);
}
