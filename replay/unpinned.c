/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/unpinned.h"

#include <stdlib.h>
#include <string.h>

#include "emu/qemu/device_tree.h"
#include "emu/qemu/folder.h"
#include "emu/qemu/pin.h"
#include "emu/qemu/scratch.h"
#include "replay/control.h"
#include "replay/recorded.h"
#include "store/error.h"

struct tcgrr_unpinned {
    struct tcgrr_reader *reader;
    struct tcgrr_pins pins;
};

void tcgrr_unpinned_free(struct tcgrr_unpinned *unpinned)
{
    if (unpinned) {
        tcgrr_reader_set_pinned(unpinned->reader, NULL);
        tcgrr_pins_clear(&unpinned->pins);
        g_free(unpinned);
    }
}

/* The device tree gets the seeds that the recorded guest had. */
static bool seed_tree(struct tcgrr_reader *reader, const char *tree, GError **error)
{
    g_autofree char *folder = tcgrr_scratch_folder("seeds", error);
    g_autofree char *log = folder ? g_build_filename(folder, "original.rr", NULL) : NULL;
    bool good = log && tcgrr_recorded_original_rr(reader, log, error);
    GByteArray *drawn = good ? tcgrr_rrlog_seeds(log, tcgrr_reader_run(reader)->qemu_version, error) : NULL;

    bool riscv = g_str_has_prefix(tcgrr_reader_run(reader)->target, "riscv");
    good = drawn && tcgrr_device_tree_seed(tree, drawn, error) && (riscv || tcgrr_device_tree_arm(tree, error));
    if (drawn) {
        g_byte_array_unref(drawn);
    }
    tcgrr_folder_remove(folder);
    return good;
}

static const char *find_tree(const struct tcgrr_pins *pins)
{
    for (guint i = 0; i < pins->files->len; i++) {
        const struct tcgrr_pin_file *file = pins->files->pdata[i];
        if (strcmp(file->name, TCGRR_PIN_DTB) == 0) {
            return file->content;
        }
    }
    return NULL;
}

/* Makes the reader give the command as it has to be for these pins. */
static void put_into_reader(struct tcgrr_unpinned *unpinned, const char *qemu)
{
    struct tcgrr_pins *pins = &unpinned->pins;
    g_auto(GStrv) words = tcgrr_pins_resolve((const char *const *)pins->words, pins->folder);
    char *command = tcgrr_pins_command(qemu, words);
    struct tcgrr_pinned pinned = {.command = command, .machine = pins->machine, .cpu = pins->cpu, .afterwards = true};

    tcgrr_reader_set_pinned(unpinned->reader, &pinned);
    free(command);
}

/* Pins the recorded machine as `qemu` makes it. */
static bool pin_machine(struct tcgrr_reader *reader, const struct tcgrr_qemu *qemu, char **words,
                        struct tcgrr_pins *pins)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    const char *directory = run->directory && g_file_test(run->directory, G_FILE_TEST_IS_DIR) ? run->directory : NULL;

    return words && tcgrr_pin(qemu, (const char *const *)words + 1, directory, pins, NULL);
}

/* The recorded machine as `qemu` makes it. NULL if it cannot be made; *no_tree: nor has it a device tree, which
 * machines of this kind have. */
static struct tcgrr_unpinned *pin_as(struct tcgrr_reader *reader, const struct tcgrr_qemu *qemu, bool *no_tree)
{
    g_auto(GStrv) words = tcgrr_recorded_words(reader, NULL, NULL);
    struct tcgrr_unpinned *unpinned = g_new0(struct tcgrr_unpinned, 1);
    bool has_tree = tcgrr_unpinned_has_generated_dtb(reader);

    unpinned->reader = reader;
    if (!pin_machine(reader, qemu, words, &unpinned->pins)) {
        g_free(unpinned);
        return NULL;
    }
    const char *tree = find_tree(&unpinned->pins);
    *no_tree = has_tree && !tree;
    if (has_tree && (!tree || !seed_tree(reader, tree, NULL))) {
        tcgrr_unpinned_free(unpinned);
        return NULL;
    }
    tcgrr_pins_unpin_clock(&unpinned->pins, (const char *const *)words + 1);
    put_into_reader(unpinned, qemu->path);
    return unpinned;
}

/* The QEMU that recorded, if it is still there. */
static bool probe_recorder(const struct tcgrr_run *run, const char *plugin, struct tcgrr_qemu *qemu)
{
    return run->qemu_path && tcgrr_qemu_probe(run->qemu_path, plugin, qemu, NULL) &&
           tcgrr_state_same_qemu(run->qemu_version, run->qemu_build_id, qemu->version, qemu->build_id);
}

static tcgrr_icount place_of(const struct tcgrr_replay_result *result)
{
    return MAX(result->comparison.icount, result->comparison.data.to[0]);
}

/* Whether the QEMU that recorded does the same with the machine as now pinned, up to beyond `place`. */
static bool recorder_agrees(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options, tcgrr_icount place)
{
    struct tcgrr_replay_result result = {0};
    bool agrees = tcgrr_control_replay(reader, options, place + 1, &result, NULL) && !result.comparison.diverged &&
                  result.comparison.compared >= place;
    tcgrr_replay_result_clear(&result);
    return agrees;
}

/* With the machine as the QEMU that recorded makes it. */
static bool replay_pinned(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                          const struct tcgrr_qemu *recorder, struct tcgrr_replay_result *result, bool *no_tree)
{
    struct tcgrr_replay_result again = {0};
    struct tcgrr_unpinned *pins = pin_as(reader, recorder, no_tree);
    bool good = pins && tcgrr_replay_as_given(reader, options, &again, NULL) &&
                (!again.comparison.diverged || recorder_agrees(reader, options, place_of(&again)));

    if (good) {
        again.pins = pins;
        tcgrr_replay_result_clear(result);
        *result = again;
    } else {
        tcgrr_replay_result_clear(&again);
        tcgrr_unpinned_free(pins);
    }
    return good;
}

/* Whether the machine that the other QEMU gave the guest is not the reason. If recorder->path is NULL, the recorder no
 * longer exists. */
static bool is_its_own(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                       const struct tcgrr_qemu *recorder, const struct tcgrr_replay_result *result, bool *no_tree)
{
    struct tcgrr_unpinned *pins = pin_as(reader, tcgrr_session_qemu(result->session), no_tree);
    bool own = pins && recorder->path && recorder_agrees(reader, options, place_of(result));

    tcgrr_unpinned_free(pins);
    return own;
}

static bool is_firmware(const struct tcgrr_pin_file *file)
{
    return strcmp(file->role, "firmware") == 0 || strcmp(file->role, "rom") == 0;
}

static bool same_content(const char *a, const char *b)
{
    GMappedFile *files[] = {g_mapped_file_new(a, FALSE, NULL), g_mapped_file_new(b, FALSE, NULL)};
    bool same = files[0] && files[1] && g_mapped_file_get_length(files[0]) == g_mapped_file_get_length(files[1]) &&
                (g_mapped_file_get_length(files[0]) == 0 ||
                 memcmp(g_mapped_file_get_contents(files[0]), g_mapped_file_get_contents(files[1]),
                        g_mapped_file_get_length(files[0])) == 0);

    for (int i = 0; i < 2; i++) {
        g_clear_pointer(&files[i], g_mapped_file_unref);
    }
    return same;
}

/* Whether the firmware that one of them loads by itself is in `other`, too. */
static bool has_firmware_of(const struct tcgrr_pins *pins, const struct tcgrr_pins *other)
{
    for (guint i = 0; i < pins->files->len; i++) {
        const struct tcgrr_pin_file *file = pins->files->pdata[i];
        bool found = !is_firmware(file);
        for (guint j = 0; !found && j < other->files->len; j++) {
            const struct tcgrr_pin_file *its = other->files->pdata[j];
            found = is_firmware(its) && strcmp(file->name, its->name) == 0 && same_content(file->content, its->content);
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

/* Whether the two load the same firmware; also if that cannot be known. */
static bool same_firmware(struct tcgrr_reader *reader, const struct tcgrr_qemu *const qemus[2])
{
    g_auto(GStrv) words = tcgrr_recorded_words(reader, NULL, NULL);
    struct tcgrr_pins pins[2] = {0};
    bool known = pin_machine(reader, qemus[0], words, &pins[0]) && pin_machine(reader, qemus[1], words, &pins[1]);
    bool same = !known || (has_firmware_of(&pins[0], &pins[1]) && has_firmware_of(&pins[1], &pins[0]));

    for (int i = 0; i < 2; i++) {
        if (pins[i].folder) {
            tcgrr_pins_clear(&pins[i]);
        }
    }
    return same;
}

/* Whether the machine could have been pinned and was not. */
static bool was_not_pinned(struct tcgrr_reader *reader)
{
    const struct tcgrr_pinned *pinned = NULL;

    return tcgrr_reader_run(reader)->rr && tcgrr_reader_pinned(reader, &pinned, NULL) && !pinned;
}

bool tcgrr_unpinned_has_generated_dtb(struct tcgrr_reader *reader)
{
    g_auto(GStrv) words = tcgrr_recorded_words(reader, NULL, NULL);

    return words && was_not_pinned(reader) && tcgrr_pin_takes_dtb(tcgrr_reader_run(reader)->target) &&
           !tcgrr_pin_has_dtb((const char *const *)words + 1);
}

static bool applies(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                    const struct tcgrr_replay_result *result)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    const struct tcgrr_qemu *qemu = result->session ? tcgrr_session_qemu(result->session) : NULL;

    return result->comparison.diverged && qemu && qemu->system && !options->arguments && was_not_pinned(reader) &&
           !tcgrr_state_same_qemu(run->qemu_version, run->qemu_build_id, qemu->version, qemu->build_id);
}

/* Where the machine has a device tree, that is different in each release. */
static bool settle_tree(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                        const struct tcgrr_qemu *recorder, struct tcgrr_replay_result *result)
{
    bool no_tree = false;

    return (recorder->path && replay_pinned(reader, options, recorder, result, &no_tree)) || no_tree ||
           is_its_own(reader, options, recorder, result, &no_tree) || no_tree;
}

/* Other machines: two builds may have different firmware, which can be checked if the QEMU that recorded still exists.
 * */
static bool settle_firmware(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                            const struct tcgrr_qemu *recorder, struct tcgrr_replay_result *result)
{
    const struct tcgrr_qemu *const qemus[] = {recorder, tcgrr_session_qemu(result->session)};
    bool no_tree;

    return !recorder->path || same_firmware(reader, qemus) ||
           replay_pinned(reader, options, recorder, result, &no_tree);
}

bool tcgrr_unpinned_settle(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                           struct tcgrr_replay_result *result, GError **error)
{
    struct tcgrr_qemu recorder = {0};

    if (!applies(reader, options, result)) {
        return true;
    }
    if (!probe_recorder(tcgrr_reader_run(reader), options->plugin, &recorder)) {
        tcgrr_qemu_clear(&recorder);
    }
    bool settled = tcgrr_unpinned_has_generated_dtb(reader) ? settle_tree(reader, options, &recorder, result)
                                                            : settle_firmware(reader, options, &recorder, result);
    tcgrr_qemu_clear(&recorder);
    result->unpinned = !settled;
    if (!settled && options->stop && *options->stop) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted while looking for what the guest was given");
        return false;
    }
    return true;
}

char *tcgrr_unpinned_advice(struct tcgrr_reader *reader)
{
    g_autoptr(GString) text =
        g_string_new("the machine was not pinned, and may be the difference; to record it pinned: "
                     "tcgrr record --portable -o FILE --");
    g_auto(GStrv) words = tcgrr_recorded_words(reader, NULL, NULL);

    for (char **word = words; word && *word; word++) {
        bool plain = g_regex_match_simple("^[A-Za-z0-9_./,:=+@%-]+$", *word, 0, 0);
        g_autofree char *quoted = plain ? g_strdup(*word) : g_shell_quote(*word);
        g_string_append_printf(text, " %s", quoted);
    }
    return g_strdup(text->str);
}
