/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/standalone_internal.h"

#include "replay/cause/replay_pair_internal.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emu/qemu/process.h"
#include "store/error.h"
#include "store/isa/isa.h"

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

/* How a command came out. */
struct outcome {
    bool ended; /* by itself */
    int status; /* as of waitpid(); only then */
    char *said; /* its last line on standard error, "" if none; owned */
};

/* Runs a command to its end, or for so long. Its output goes to the file `output`. */
static bool run(const GPtrArray *argv, const char *output, struct patience patience, const volatile int *stop,
                struct outcome *outcome, GError **error)
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
    for (int waited = 0;
         !outcome->ended && waited < patience.ms && tcgrr_process_spent(process) < patience.us && !(stop && *stop);
         waited += SLICE_MS) {
        outcome->ended = tcgrr_process_wait(process, SLICE_MS);
    }
    tcgrr_process_stop(process, 0);
    outcome->status = tcgrr_process_status(process);
    g_autofree char *tail = tcgrr_process_stderr_tail(process);
    const char *line = strrchr(tail, '\n');
    outcome->said = g_strdup(line ? line + 1 : tail);
    tcgrr_process_free(process);
    if (stop && *stop) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted");
        return false;
    }
    return true;
}

/* *built is false if clang or the linker is missing or does not like it. */
static bool build(const struct tcgrr_standalone_options *options, const struct tcgrr_stage *stage, bool *built,
                  GError **error)
{
    static const char *const clang[] = {
        "clang", "-nostdlib", "-static", "-fuse-ld=lld", "-Wl,--build-id=none", "-Wl,-z,max-page-size=4096", NULL};
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_autofree char *source = g_build_filename(options->folder, "guest.S", NULL);
    g_autofree char *image = g_build_filename(options->folder, stage->file, NULL);
    g_autofree char *log = g_build_filename(options->folder, "guest.log", NULL);
    g_autofree char *found = g_find_program_in_path("clang");
    g_autofree char *linker = stage->linker ? g_find_program_in_path(stage->linker) : NULL;
    g_autofree char *by = linker ? g_strconcat("--ld-path=", linker, NULL) : NULL;
    const char *const last[] = {"-o", image, source, by, NULL};
    struct outcome outcome = {0};

    *built = false;
    if (!found) {
        return true;
    }
    add_words(argv, clang);
    add_words(argv, stage->compiler);
    add_words(argv, last);
    g_ptr_array_add(argv, NULL);
    bool good = run(argv, log, (struct patience){COMPILE_MS, INT64_MAX}, options->stop, &outcome, error);
    g_free(outcome.said);
    g_unlink(log);
    *built = good && outcome.ended && outcome.status == 0;
    return good;
}

/* Whether a kept option of this name is among `words`. */
static bool has_option(char **words, const char *name)
{
    return words && g_strv_contains((const char *const *)words, name);
}

/* The command without the QEMU, which precedes it. */
static void add_command(GPtrArray *argv, const struct tcgrr_standalone_options *options,
                        const struct tcgrr_stage *stage, int side, const char *image)
{
    static const char *const common[] = {"-display", "none", "-serial", "stdio",      "-monitor",
                                         "none",     "-nic", "none",    "-no-reboot", NULL};
    const char *const cpu[] = {"-cpu", stage->cpu, NULL};
    const char *const file[] = {stage->option, image, NULL};

    add_words(argv, stage->machine);
    add_words(argv, (const char *const *)options->kept[side]);
    if (stage->cpu && !has_option(options->kept[side], "-cpu")) {
        add_words(argv, cpu);
    }
    add_words(argv, common);
    add_words(argv, file);
}

char **tcgrr_standalone_keep(const char *target, char **words, const char *directory)
{
    bool x86 = strcmp(target, "x86_64") == 0 || strcmp(target, "i386") == 0;
    GPtrArray *kept = g_ptr_array_new();

    for (; *words && words[1]; words++) {
        const char *name = g_str_has_prefix(*words, "--") ? *words + 1 : *words;
        /* Where the guest's machine takes firmware at all. */
        bool path = strcmp(name, "-L") == 0 || (x86 && strcmp(name, "-bios") == 0);
        if (path || strcmp(name, "-cpu") == 0) {
            words++;
            g_autofree char *there = path ? g_canonicalize_filename(*words, directory) : NULL;
            bool relative = there && g_file_test(there, G_FILE_TEST_EXISTS);
            g_ptr_array_add(kept, g_strdup(name));
            g_ptr_array_add(kept, g_strdup(relative ? there : *words));
        }
    }
    g_ptr_array_add(kept, NULL);
    return (char **)g_ptr_array_free(kept, FALSE);
}

/* The guest in one of the QEMUs. */
struct performance {
    const struct tcgrr_standalone_options *options;
    const struct tcgrr_stage *stage;
    int side;
    char *output; /* what it printed */
    struct outcome outcome;
    GError *error;
};

static gpointer run_guest(gpointer data)
{
    struct performance *performance = data;
    const struct tcgrr_standalone_options *options = performance->options;
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_autofree char *image = g_build_filename(options->folder, performance->stage->file, NULL);
    g_autofree char *name = g_strdup_printf("guest-%c.txt", 'a' + performance->side);
    g_autofree char *path = g_build_filename(options->folder, name, NULL);

    g_ptr_array_add(argv, (gpointer)options->qemus[performance->side]);
    add_command(argv, options, performance->stage, performance->side, image);
    g_ptr_array_add(argv, NULL);
    bool good =
        run(argv, path, (struct patience){RUN_MS, RUN_US}, options->stop, &performance->outcome, &performance->error) &&
        g_file_get_contents(path, &performance->output, NULL, &performance->error);
    return GINT_TO_POINTER(good);
}

/* Why the output is meaningless: QEMU failed before the guest printed anything. An abort is different, because the
 * instruction itself may cause it. NULL: it is meaningful; else owned by the caller. */
static char *why_void(const struct performance *performance)
{
    const struct outcome *outcome = &performance->outcome;
    bool refused = outcome->ended && WIFEXITED(outcome->status) && WEXITSTATUS(outcome->status) != 0;

    return !refused || *performance->output
               ? NULL
               : g_strdup_printf("%c did not run it: %s", 'A' + performance->side,
                                 *outcome->said ? outcome->said : "it ended without saying why");
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

    add_command(argv, options, stage, 0, stage->file);
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

/* Judges the two performances. If the guest reaches its end in neither QEMU, it ran out of control, and there is no
 * result. */
static void judge(const struct performance both[2], struct tcgrr_standalone *standalone)
{
    standalone->reason = why_void(&both[0]);
    standalone->reason = standalone->reason ? standalone->reason : why_void(&both[1]);
    if (standalone->reason) {
        return;
    }
    if (!both[0].outcome.ended && !both[1].outcome.ended) {
        standalone->reason = g_strdup("it did not reach its end in either QEMU");
        return;
    }
    standalone->difference = compare_outputs((char *const[]){both[0].output, both[1].output});
    standalone->reproduces = standalone->difference != NULL;
    if (!standalone->reproduces) {
        standalone->reason = g_strdup(*both[0].output ? "what it printed was the same in both QEMUs"
                                                      : "it printed nothing in either QEMU");
    }
}

/* Runs the guest in both. */
static bool perform(const struct tcgrr_standalone_options *options, const struct tcgrr_stage *stage,
                    struct tcgrr_standalone *standalone, GError **error)
{
    struct performance both[] = {{.options = options, .stage = stage, .side = 0},
                                 {.options = options, .stage = stage, .side = 1}};
    bool good = tcgrr_both_sides(run_guest, &both[0], &both[1]);

    if (!good) {
        tcgrr_propagate_first(error, both[0].error, both[1].error);
    } else {
        judge(both, standalone);
    }
    for (int side = 0; side < 2; side++) {
        g_free(both[side].output);
        g_free(both[side].outcome.said);
    }
    return good;
}

/* One variant of the guest. */
struct variant {
    guint first; /* numbers of the stops whose instructions it runs */
    guint last;
    bool move; /* data that the machine has no memory for is moved */
};

static bool try(const struct tcgrr_standalone_options *options, const struct tcgrr_stage *stage,
                const struct variant *variant, struct tcgrr_standalone *standalone, GError **error)
{
    g_autofree char *source = tcgrr_standalone_source(stage, &options->cause->scene, variant->first, variant->last,
                                                      variant->move, &standalone->moved);
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
        standalone->reason = g_strdup_printf("it could not be built: that takes clang and %s%s",
                                             stage->linker ? stage->linker : "lld", stage->linker ? " or lld 18" : "");
        return true;
    }
    standalone->whole_block = variant->first != variant->last;
    return perform(options, stage, standalone, error);
}

static void remove_files(const char *folder)
{
    static const char *const names[] = {"guest.S", "guest.elf", "guest.bin", "guest.log", "guest-a.txt", "guest-b.txt"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(folder, names[i], NULL);
        g_unlink(path);
    }
}

static const struct tcgrr_stop *stop_of(const struct tcgrr_cause_scene *scene, guint stop)
{
    return stop < scene->stops[0]->len ? g_ptr_array_index(scene->stops[0], stop) : NULL;
}

/* Whether the instruction at this stop goes to another place, or may. */
static bool goes_away(const struct tcgrr_standalone_options *options, const struct tcgrr_stop *at,
                      const struct tcgrr_stop *next)
{
    struct tcgrr_insn_class class;

    tcgrr_isa_classify(tcgrr_isa_of_target(options->target), at->address, at->bytes, &at->length, 1, &class);
    return class.flow != TCGRR_FLOW_NEXT || (next && next->address != at->address + at->length);
}

/* Why there can be no such guest; NULL: there may be one. */
static const char *unfit(const struct tcgrr_standalone_options *options)
{
    static const char *const away = "the instruction jumps to a place where such a guest has no code";
    const struct tcgrr_cause *cause = options->cause;
    const struct tcgrr_cause_scene *scene = &cause->scene;

    if (!scene->registers[0] || (cause->kind != TCGRR_CAUSE_INSTRUCTION && cause->kind != TCGRR_CAUSE_BLOCK)) {
        return "the cause is not an instruction's result";
    }
    if (cause->kind == TCGRR_CAUSE_BLOCK) {
        return scene->at == scene->first ? "a block of one instruction has nothing to translate together" : NULL;
    }
    for (guint i = 0; i < cause->registers->len; i++) {
        const struct tcgrr_cause_register *reg = g_ptr_array_index(cause->registers, i);
        if (tcgrr_register_kind(reg->name) == TCGRR_REGISTER_PC) {
            return away;
        }
    }
    const struct tcgrr_stop *next = stop_of(scene, scene->at + 1);
    if (next && next->address != cause->pc + cause->length) {
        return away;
    }
    return cause->length == 0 ? "its bytes are not known" : NULL;
}

/* The variants that may show it, best first; returns how many. */
static unsigned choose_variants(const struct tcgrr_standalone_options *options, struct variant variants[2])
{
    const struct tcgrr_cause_scene *scene = &options->cause->scene;
    unsigned count = 0;

    if (options->cause->kind == TCGRR_CAUSE_BLOCK) {
        /* The guest's own jump ends its block where that of the block would leave it. */
        bool away = goes_away(options, stop_of(scene, scene->at), stop_of(scene, scene->at + 1));
        guint last = scene->at - away;
        variants[count++] = (struct variant){scene->first, last, false};
        variants[count++] = (struct variant){scene->first, last, true};
        return count;
    }
    if (scene->first != scene->at) {
        variants[count++] = (struct variant){scene->first, scene->at, false};
    }
    variants[count++] = (struct variant){scene->at, scene->at, true};
    return count;
}

bool tcgrr_standalone_make(const struct tcgrr_standalone_options *options, struct tcgrr_standalone *standalone,
                           GError **error)
{
    const char *reason = unfit(options);
    struct variant variants[2];
    bool good = true;

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
    unsigned count = choose_variants(options, variants);
    for (unsigned i = 0; i < count && good && !standalone->reproduces; i++) {
        good = try(options, stage, &variants[i], standalone, error);
    }
    if (!good || !standalone->reproduces) {
        remove_files(options->folder);
    }
    return good && (!standalone->reproduces || write_script(options, stage, error));
}
