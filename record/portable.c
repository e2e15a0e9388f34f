/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record/portable.h"

#include <stdlib.h>
#include <string.h>

#include "emu/qemu/folder.h"
#include "emu/qemu/start.h"
#include "store/error.h"
#include "store/symbols.h"

/* The place where the run starts: an icount, an address, or the address of a symbol. */
static bool find_place(const struct tcgrr_portable_options *options, const struct tcgrr_pins *pins,
                       struct tcgrr_start_options *start, GError **error)
{
    const char *given = options->start_at;
    bool hex = g_str_has_prefix(given, "0x");
    start->is_address = true;
    if (g_ascii_string_to_unsigned(given + (hex ? 2 : 0), hex ? 16 : 10, 0, UINT64_MAX, &start->place, NULL)) {
        start->is_address = hex;
        return true;
    }
    struct tcgrr_symbols *symbols = tcgrr_symbols_new();
    bool good = true;
    for (const char *const *file = options->symbol_files; good && file && *file; file++) {
        good = tcgrr_symbols_add_elf(symbols, *file, true, error);
    }
    for (guint i = 0; good && i < pins->files->len; i++) {
        const struct tcgrr_pin_file *file = pins->files->pdata[i];
        good = strcmp(file->role, "kernel") != 0 || tcgrr_symbols_add_elf(symbols, file->content, false, error);
    }
    const struct tcgrr_symbol *symbol = good ? tcgrr_symbols_find(symbols, given) : NULL;
    if (symbol) {
        start->place = symbol->address;
    } else if (good) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                    "there is no symbol %s to start at; --symbols FILE adds those of an ELF file, a 0x address always "
                    "works",
                    given);
    }
    tcgrr_symbols_free(symbols);
    return symbol != NULL;
}

/* QEMU writes to the image that it loads a snapshot from, so the image to embed is a separate copy. */
static bool make_start(const struct tcgrr_portable_options *options, struct tcgrr_portable *portable, GError **error)
{
    struct tcgrr_pins *pins = &portable->pins;
    g_autofree char *kept = g_build_filename(pins->folder, TCGRR_START_FILE, NULL);
    struct tcgrr_start_options start = {
        .qemu = &portable->qemu,
        .arguments = (const char *const *)portable->arguments,
        .directory = options->directory,
        .plugin = options->plugin,
        .icount = options->icount,
        .path = kept,
        .stop = options->stop,
    };
    if (!find_place(options, pins, &start, error) || !tcgrr_start_make(&start, &portable->start_icount, error)) {
        return false;
    }
    tcgrr_pins_add_made(pins, TCGRR_START_FILE, "start");
    portable->start_at = g_strdup(options->start_at);
    portable->start = g_build_filename(pins->folder, "own-" TCGRR_START_FILE, NULL);
    return tcgrr_file_copy(kept, portable->start, error);
}

bool tcgrr_portable_open(const struct tcgrr_portable_options *options, struct tcgrr_portable *portable, GError **error)
{
    *portable = (struct tcgrr_portable){0};
    if (!tcgrr_qemu_probe(options->qemu, options->plugin, &portable->qemu, error)) {
        return false;
    }
    if (!portable->qemu.system) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                    "%s: user-mode QEMU has no machine to pin; leave --portable and --start-at out",
                    portable->qemu.path);
    } else if (tcgrr_pin(&portable->qemu, options->arguments, options->directory, &portable->pins, error)) {
        portable->arguments = tcgrr_pins_resolve((const char *const *)portable->pins.words, portable->pins.folder);
        if (!options->start_at || make_start(options, portable, error)) {
            return true;
        }
    }
    tcgrr_portable_clear(portable);
    return false;
}

void tcgrr_portable_clear(struct tcgrr_portable *portable)
{
    tcgrr_qemu_clear(&portable->qemu);
    tcgrr_pins_clear(&portable->pins);
    g_strfreev(portable->arguments);
    g_free(portable->start);
    g_free(portable->start_at);
    *portable = (struct tcgrr_portable){0};
}

bool tcgrr_portable_store(const struct tcgrr_portable *portable, const char *qemu, struct tcgrr_writer *writer,
                          GError **error)
{
    const struct tcgrr_pins *pins = &portable->pins;
    char *command = tcgrr_pins_command(qemu, pins->words);
    struct tcgrr_pinned pinned = {.command = command,
                                  .machine = pins->machine,
                                  .cpu = pins->cpu,
                                  .start_at = portable->start_at,
                                  .start_icount = portable->start_icount};
    bool good = tcgrr_writer_pinned(writer, &pinned, error);
    free(command);
    for (guint i = 0; good && i < pins->files->len; i++) {
        const struct tcgrr_pin_file *file = pins->files->pdata[i];
        struct tcgrr_embedded input = {.name = file->name, .role = file->role, .path = file->path};
        good = tcgrr_writer_input(writer, &input, file->content, error);
    }
    for (guint i = 0; good && i < pins->notes->len; i++) {
        good = tcgrr_writer_note(writer, pins->notes->pdata[i], error);
    }
    for (guint i = 0; good && i < pins->warnings->len; i++) {
        good = tcgrr_writer_note(writer, pins->warnings->pdata[i], error);
    }
    return good;
}
