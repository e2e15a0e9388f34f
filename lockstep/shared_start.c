/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/shared_start.h"

#include "emu/qemu/folder.h"
#include "emu/qemu/scratch.h"

/* Whether an option affects how QEMU works, but not the machine or guest. */
static bool is_about_qemu(const char *word)
{
    static const char *const options[] = {"accel", "d", "D", "dfilter", "name", "singlestep", "one-insn-per-tb", NULL};
    word += g_str_has_prefix(word, "--") ? 2 : 1;
    return g_strv_contains(options, word);
}

bool tcgrr_shared_start_suits(const char *const *own)
{
    for (; own && *own; own++) {
        if (**own == '-' && !is_about_qemu(*own)) {
            return false;
        }
    }
    return true;
}

static bool make_by(struct tcgrr_shared_start *start, const struct tcgrr_shared_start_options *options, int maker,
                    GError **error)
{
    struct tcgrr_start_options make = {
        .qemu = options->qemus[maker],
        .arguments = options->words[maker],
        .plugin = options->plugin,
        .icount = options->icount,
        .is_address = options->place.kind == TCGRR_POSITION_PC,
        .place = options->place.value,
        .path = start->images[maker],
        .stop = options->stop,
    };
    if (!tcgrr_start_make(&make, &start->icount, error) ||
        !tcgrr_file_copy(start->images[maker], start->images[!maker], error)) {
        return false;
    }
    struct tcgrr_start_options check = make;
    check.qemu = options->qemus[!maker];
    check.arguments = options->words[!maker];
    check.path = start->images[!maker];
    start->maker = maker;
    return tcgrr_start_check(&check, error);
}

bool tcgrr_shared_start_make(struct tcgrr_shared_start *start, const struct tcgrr_shared_start_options *options,
                             GError **error)
{
    GError *problem = NULL;

    start->folder = tcgrr_scratch_folder("start", error);
    if (!start->folder) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        start->images[i] = g_strdup_printf("%s/%c.qcow2", start->folder, 'a' + i);
    }
    if (make_by(start, options, 0, &problem)) {
        return true;
    }
    bool made = start->icount > 0; /* it was B that refused */
    if (made && make_by(start, options, 1, NULL)) {
        g_error_free(problem);
        return true;
    }
    g_propagate_error(error, problem);
    tcgrr_shared_start_clear(start);
    return false;
}

void tcgrr_shared_start_clear(struct tcgrr_shared_start *start)
{
    tcgrr_folder_remove(start->folder);
    g_free(start->folder);
    g_free(start->images[0]);
    g_free(start->images[1]);
    *start = (struct tcgrr_shared_start){0};
}
