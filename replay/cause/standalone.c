/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/standalone_internal.h"
#include "replay/cause/twins_internal.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "emu/qemu/process.h"
#include "store/error.h"

#define COMPILE_MS 60000
#define RUN_MS     15000
#define RUN_US     2000000 /* of QEMU's own time: the guest takes some milliseconds, and x86's BIOS less than a second */
#define SLICE_MS   50

void tcgrr_standalone_clear(struct tcgrr_standalone *standalone)
{
    g_free(standalone->reason);
    g_free(standalone->difference);
    *standalone = (struct tcgrr_standalone){0};
}

static void add_words(GPtrArray *argv, const char *const *words)
{
    for (; *words; words++) {
        g_ptr_array_add(argv, (gpointer)*words);
    }
}

/* How long a command may take, and how much of the processor. */
struct patience {
    int ms;
    int64_t us;
};

/* Runs a command to its end, or for so long. *ended: it did, with a status; its output goes to the file `output`. */
static bool run(const GPtrArray *argv, const char *output, struct patience patience, const volatile int *stop,
                bool *ended, int *status, GError **error)
{
    int fd = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    struct tcgrr_process_options options = {.pass_fd = -1, .output_fd = fd, .quiet = true};
    if (fd < 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot write %s", output);
        return false;
    }
    struct tcgrr_process *process = tcgrr_process_start((char *const *)argv->pdata, &options, error);
    close(fd);
    if (!process) {
        return false;
    }
    *ended = false;
    for (int waited = 0;
         !*ended && waited < patience.ms && tcgrr_process_spent(process) < patience.us && !(stop && *stop);
         waited += SLICE_MS) {
        *ended = tcgrr_process_wait(process, SLICE_MS);
    }
    tcgrr_process_stop(process, 0);
    *status = tcgrr_process_status(process);
    tcgrr_process_free(process);
    if (stop && *stop) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted");
        return false;
    }
    return true;
}

/* *built is false if clang or lld are not there or do not like it. */
static bool build(const struct tcgrr_standalone_options *options, const struct tcgrr_stage *stage, bool *built,
                  GError **error)
{
    static const char *const clang[] = {
        "clang", "-nostdlib", "-static", "-fuse-ld=lld", "-Wl,--build-id=none", "-Wl,-z,max-page-size=4096", NULL};
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_autofree char *source = g_build_filename(options->folder, "guest.S", NULL);
    g_autofree char *elf = g_build_filename(options->folder, "guest.elf", NULL);
    g_autofree char *log = g_build_filename(options->folder, "guest.log", NULL);
    const char *const last[] = {"-o", elf, source, NULL};
    g_autofree char *found = g_find_program_in_path("clang");
    bool ended = false;
    int status = -1;

    *built = false;
    if (!found) {
        return true;
    }
    add_words(argv, clang);
    add_words(argv, stage->compiler);
    add_words(argv, last);
    g_ptr_array_add(argv, NULL);
    if (!run(argv, log, (struct patience){COMPILE_MS, INT64_MAX}, options->stop, &ended, &status, error)) {
        return false;
    }
    g_unlink(log);
    *built = ended && status == 0;
    return true;
}

/* The command without the QEMU, which stands before it. */
static void add_command(GPtrArray *argv, const struct tcgrr_standalone_options *options,
                        const struct tcgrr_stage *stage, const char *elf)
{
    static const char *const common[] = {"-display", "none", "-serial", "stdio",      "-monitor",
                                         "none",     "-nic", "none",    "-no-reboot", NULL};
    const char *const cpu[] = {"-cpu", options->cpu, NULL};
    const char *const kernel[] = {"-kernel", elf, NULL};

    add_words(argv, stage->machine);
    if (options->cpu) {
        add_words(argv, cpu);
    } else if (strcmp(options->target, "aarch64") == 0) {
        static const char *const any[] = {"-cpu", "max", NULL};
        add_words(argv, any);
    }
    add_words(argv, common);
    add_words(argv, kernel);
}

/* The guest in one of the QEMUs. */
struct performance {
    const struct tcgrr_standalone_options *options;
    const struct tcgrr_stage *stage;
    int side;
    char *output; /* what it printed */
    bool ended;   /* by itself */
    GError *error;
};

static gpointer run_guest(gpointer data)
{
    struct performance *performance = data;
    const struct tcgrr_standalone_options *options = performance->options;
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_autofree char *elf = g_build_filename(options->folder, "guest.elf", NULL);
    g_autofree char *name = g_strdup_printf("guest-%c.txt", 'a' + performance->side);
    g_autofree char *path = g_build_filename(options->folder, name, NULL);
    int status;

    g_ptr_array_add(argv, (gpointer)options->qemus[performance->side]);
    add_command(argv, options, performance->stage, elf);
    g_ptr_array_add(argv, NULL);
    bool good = run(argv, path, (struct patience){RUN_MS, RUN_US}, options->stop, &performance->ended, &status,
                    &performance->error) &&
                g_file_get_contents(path, &performance->output, NULL, &performance->error);
    return GINT_TO_POINTER(good);
}

/* Lines that differ; NULL if none does. Owned by the caller. */
static char *compare_outputs(char *const outputs[2])
{
    g_auto(GStrv) a = g_strsplit(outputs[0], "\n", -1);
    g_auto(GStrv) b = g_strsplit(outputs[1], "\n", -1);
    guint count[] = {g_strv_length(a), g_strv_length(b)};
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < MAX(count[0], count[1]); i++) {
        const char *left = i < count[0] ? a[i] : "";
        const char *right = i < count[1] ? b[i] : "";
        if (strcmp(left, right) != 0) {
            g_string_append_printf(text, "< %s\n> %s\n", left, right);
        }
    }
    return g_string_free(text, text->len == 0);
}

/* The command line to see it again, as a script. */
static bool write_script(const struct tcgrr_standalone_options *options, const struct tcgrr_stage *stage,
                         GError **error)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_autofree char *path = g_build_filename(options->folder, "run.sh", NULL);
    GString *text = g_string_new("#!/bin/sh\n# Runs the guest in the QEMU that is named: ./run.sh qemu-system-");

    add_command(argv, options, stage, "guest.elf");
    g_string_append_printf(text, "%s\ncd \"$(dirname \"$0\")\" || exit 1\nexec \"${1:-qemu-system-%s}\"",
                           options->target, options->target);
    for (guint i = 0; i < argv->len; i++) {
        g_autofree char *word = g_shell_quote(g_ptr_array_index(argv, i));
        g_string_append_printf(text, " %s", word);
    }
    g_string_append(text, "\n");
    bool good = g_file_set_contents_full(path, text->str, (gssize)text->len, G_FILE_SET_CONTENTS_NONE, 0777, error);
    g_string_free(text, TRUE);
    return good;
}

/* Runs the guest in both. One that comes to its end in neither has run away: what it printed means nothing. */
static bool perform(const struct tcgrr_standalone_options *options, const struct tcgrr_stage *stage,
                    struct tcgrr_standalone *standalone, GError **error)
{
    struct performance both[] = {{.options = options, .stage = stage, .side = 0},
                                 {.options = options, .stage = stage, .side = 1}};
    bool good = tcgrr_both_sides(run_guest, &both[0], &both[1]);

    if (!good) {
        tcgrr_propagate_first(error, both[0].error, both[1].error);
    } else if (both[0].ended || both[1].ended) {
        standalone->difference = compare_outputs((char *const[]){both[0].output, both[1].output});
        standalone->reproduces = standalone->difference != NULL;
        standalone->reason = standalone->reproduces ? NULL : g_strdup("what it printed was the same in both QEMUs");
    } else {
        standalone->reason = g_strdup("it did not come to its end in either QEMU");
    }
    g_free(both[0].output);
    g_free(both[1].output);
    return good;
}

/* One form of the guest: the block or the instruction alone. */
static bool try(const struct tcgrr_standalone_options *options, const struct tcgrr_stage *stage, guint first, bool move,
                struct tcgrr_standalone *standalone, GError **error)
{
    g_autofree char *source = tcgrr_standalone_source(stage, &options->cause->scene, first, move, &standalone->moved);
    g_autofree char *path = g_build_filename(options->folder, "guest.S", NULL);
    bool built = false;

    if (!source) {
        return true;
    }
    if (!g_file_set_contents(path, source, -1, error) || !build(options, stage, &built, error)) {
        return false;
    }
    g_clear_pointer(&standalone->reason, g_free);
    if (!built) {
        standalone->reason = g_strdup("it could not be built: that takes clang and lld");
        return true;
    }
    standalone->whole_block = first != options->cause->scene.at;
    return perform(options, stage, standalone, error);
}

static void remove_files(const char *folder)
{
    static const char *const names[] = {"guest.S", "guest.elf", "guest.log", "guest-a.txt", "guest-b.txt"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(folder, names[i], NULL);
        g_unlink(path);
    }
}

static const char *unfit(const struct tcgrr_cause *cause)
{
    if (!cause->scene.registers[0] || cause->kind != TCGRR_CAUSE_INSTRUCTION) {
        return "the cause is not an instruction's result";
    }
    for (guint i = 0; i < cause->registers->len; i++) {
        if (tcgrr_is_pc(((const struct tcgrr_cause_register *)g_ptr_array_index(cause->registers, i))->name)) {
            return "the instruction goes to another place, where such a guest has nothing";
        }
    }
    const struct tcgrr_cause_scene *scene = &cause->scene;
    const struct tcgrr_stop *next =
        scene->at + 1 < scene->stops[0]->len ? g_ptr_array_index(scene->stops[0], scene->at + 1) : NULL;
    if (next && next->address != cause->pc + cause->length) {
        return "the instruction goes to another place, where such a guest has nothing";
    }
    return cause->length == 0 ? "its bytes are not known" : NULL;
}

bool tcgrr_standalone_make(const struct tcgrr_standalone_options *options, struct tcgrr_standalone *standalone,
                           GError **error)
{
    const struct tcgrr_cause_scene *scene = &options->cause->scene;
    const char *reason = unfit(options->cause);

    *standalone = (struct tcgrr_standalone){0};
    if (reason) {
        standalone->reason = g_strdup(reason);
        return true;
    }
    const struct tcgrr_stage *stage = tcgrr_stage_find(options, &standalone->reason);
    if (!stage) {
        return true;
    }
    standalone->reason = g_strdup("it needs memory where the machine has none");
    bool good = scene->first == scene->at || try(options, stage, scene->first, false, standalone, error);
    good = good && (standalone->reproduces || try(options, stage, scene->at, true, standalone, error));
    if (!good || !standalone->reproduces) {
        remove_files(options->folder);
    }
    return good && (!standalone->reproduces || write_script(options, stage, error));
}
