/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/bundle.h"

#include <stdio.h>

#include <string.h>

#include "lockstep/run_source.h"
#include "replay/cause/bisect_internal.h"
#include "replay/cause/block_log.h"
#include "replay/recorded.h"
#include "store/error.h"
#include "store/isa/disasm.h"
#include "store/symbols.h"

#define WINDOW_BEFORE 200        /* instructions of the window before the cause */
#define WINDOW_AFTER  20         /* and after it */
#define LOG_AFTER     2000       /* instructions that run on after the cause, so that its block is not cut short */
#define TRACE_BYTES   (64 << 20) /* a larger trace is not copied */

struct bundle {
    struct tcgrr_bisect *bisect;
    const struct tcgrr_bundle_options *options;
    const struct tcgrr_cause *found;
    const char *target;
    struct tcgrr_qemu qemus[2];
    struct tcgrr_block_logs *logs; /* while they are written */
    bool copied;                   /* A's trace is in it */
    uint64_t block;
    uint64_t block_bytes;
};

static char *inside(const struct bundle *bundle, const char *name)
{
    return g_build_filename(bundle->bisect->options.folder->path, name, NULL);
}

/* A file that is written as a whole or not at all: the disk may be full. */
struct text {
    char *bytes;
    size_t size;
    FILE *file;
};

static void begin(struct text *text)
{
    *text = (struct text){0};
    text->file = open_memstream(&text->bytes, &text->size);
    g_assert(text->file); /* as GLib does where there is no memory */
}

/* Frees the text, too. */
static bool save(const struct bundle *bundle, const char *name, struct text *text, GError **error)
{
    g_autofree char *path = inside(bundle, name);
    fclose(text->file);
    bool good = g_file_set_contents(path, text->bytes, (gssize)text->size, error);
    free(text->bytes);
    return good;
}

/* ---- the trace around the cause ---- */

static void write_exec(FILE *file, const struct bundle *bundle, struct tcgrr_disasm *disasm,
                       const struct tcgrr_exec *exec)
{
    g_auto(GStrv) texts = tcgrr_disasm_block(disasm, exec->block);
    uint32_t offset = 0;

    for (uint32_t i = 0; i < exec->ran; offset += exec->block->lengths[i++]) {
        g_autofree char *symbol =
            tcgrr_symbols_name_at(bundle->bisect->symbols, exec->block->pc + offset, exec->icount + i);
        fprintf(file, "%" G_GUINT64_FORMAT ",0x%" G_GINT64_MODIFIER "x,", exec->icount + i, exec->block->pc + offset);
        for (uint8_t k = 0; k < exec->block->lengths[i]; k++) {
            fprintf(file, "%02x", exec->block->bytes[offset + k]);
        }
        fprintf(file, ",\"%s\",%s\n", texts[i], symbol ? symbol : "");
    }
}

static bool write_window(const struct bundle *bundle, int side, GError **error)
{
    struct tcgrr_reader *reader = bundle->bisect->readers[side];
    tcgrr_icount icount = bundle->found->icounts[side];
    struct tcgrr_run_source *stored = tcgrr_run_source_stored(reader, error);
    g_autofree char *name = g_strdup_printf("window-%c.csv", 'a' + side);
    struct tcgrr_stretch stretch;

    tcgrr_stretch_init(&stretch);
    bool good = stored && stored->ops->stretch(stored, icount > WINDOW_BEFORE ? icount - WINDOW_BEFORE : 0,
                                               icount + WINDOW_AFTER, &stretch, error);
    if (good) {
        struct tcgrr_disasm *disasm = tcgrr_disasm_new(bundle->target);
        const struct tcgrr_blocks *blocks = tcgrr_reader_blocks(reader, NULL);
        if (blocks) {
            tcgrr_disasm_survey(disasm, blocks, tcgrr_blocks_count(blocks));
        }
        struct text text;
        begin(&text);
        fprintf(text.file, "icount,pc,bytes,disasm,symbol\n");
        for (guint i = 0; i < stretch.execs->len; i++) {
            write_exec(text.file, bundle, disasm, &g_array_index(stretch.execs, struct tcgrr_exec, i));
        }
        tcgrr_disasm_free(disasm);
        good = save(bundle, name, &text, error);
    }
    tcgrr_stretch_clear(&stretch);
    if (stored) {
        stored->ops->free(stored);
    }
    return good;
}

/* The block that the cause was executed in, as A recorded it. */
static bool find_block(struct bundle *bundle, GError **error)
{
    tcgrr_icount icount = bundle->found->icounts[0];
    struct tcgrr_run_source *stored = tcgrr_run_source_stored(bundle->bisect->readers[0], error);
    struct tcgrr_stretch stretch;

    bundle->block = bundle->found->pc;
    bundle->block_bytes = bundle->found->length;
    tcgrr_stretch_init(&stretch);
    bool good = stored && stored->ops->stretch(stored, icount, icount + 1, &stretch, error);
    if (good && stretch.execs->len > 0) {
        const struct tcgrr_block *block = g_array_index(stretch.execs, struct tcgrr_exec, 0).block;
        bundle->block = block->pc;
        bundle->block_bytes = block->size;
    }
    tcgrr_stretch_clear(&stretch);
    if (stored) {
        stored->ops->free(stored);
    }
    return good;
}

static bool is_user(const struct bundle *bundle)
{
    return g_strcmp0(tcgrr_reader_run(bundle->bisect->readers[0])->mode, "user") == 0;
}

/* ---- how both translate it ---- */

/* If a device or the initial state is the cause, translations of the block are irrelevant. */
static bool has_logs(const struct bundle *bundle)
{
    enum tcgrr_cause_kind kind = bundle->found->kind;
    return kind != TCGRR_CAUSE_DEVICE && kind != TCGRR_CAUSE_START && !is_user(bundle);
}

/* Where a side may begin, to translate the block at the cause. */
static struct tcgrr_keyframe find_keyframe(const struct bundle *bundle, int side)
{
    tcgrr_icount start = bundle->bisect->comparison->aligned[side];
    tcgrr_icount before = bundle->found->icounts[side] - MIN(bundle->found->icounts[side], start);
    return tcgrr_replay_pair_keyframe(bundle->bisect->pair, side, before > 0 ? before - 1 : 0);
}

/* They are being written in the background then. */
static bool start_logs(struct bundle *bundle, GError **error)
{
    const struct tcgrr_bisect *bisect = bundle->bisect;
    const struct tcgrr_comparison *comparison = bisect->comparison;
    g_autofree char *a = inside(bundle, "block-a.log");
    g_autofree char *b = inside(bundle, "block-b.log");
    struct tcgrr_block_log logs[2];

    if (!has_logs(bundle)) {
        return true;
    }
    for (int side = 0; side < 2; side++) {
        tcgrr_icount diverged_at = comparison->icount - comparison->aligned[0] + comparison->aligned[side];
        logs[side] = (struct tcgrr_block_log){
            .run = {.reader = bisect->readers[side],
                    .known = &bundle->qemus[side],
                    .extra = side == 1 ? bisect->extra : NULL,
                    .given = find_keyframe(bundle, side),
                    .hang_ms = bisect->options.hang_ms,
                    .stop = bisect->options.stop},
            .address = bundle->block,
            .size = bundle->block_bytes,
            .from = bundle->found->icounts[side],
            .until = MIN(bundle->found->icounts[side] + LOG_AFTER, diverged_at),
            .path = side == 0 ? a : b,
        };
    }
    tcgrr_bisect_say(bisect, g_strdup("both show how they translate the block"));
    bundle->logs = tcgrr_block_logs_start(logs, error);
    return bundle->logs != NULL;
}

/* ---- registers ---- */

static void write_value(FILE *file, const struct tcgrr_register_layout *registers, const struct tcgrr_stop *stop,
                        const char *name)
{
    const struct tcgrr_register *reg = tcgrr_register_layout_find(registers, name);
    g_autofree char *text = reg && stop && tcgrr_state_knows(stop->state, reg->index)
                                ? tcgrr_state_text(registers, stop->state, reg)
                                : NULL;
    fprintf(file, ",%s", text ? text : "");
}

static bool write_registers(const struct bundle *bundle, GError **error)
{
    const struct tcgrr_cause_scene *scene = &bundle->found->scene;
    const guint ends[] = {bundle->found->kind == TCGRR_CAUSE_BLOCK ? scene->first : scene->at, scene->at + 1};
    struct text text;

    begin(&text);
    FILE *file = text.file;
    fprintf(file, "register,before_a,before_b,after_a,after_b\n");
    for (guint i = 0; i < scene->registers[0]->list->len; i++) {
        const char *name = ((const struct tcgrr_register *)g_ptr_array_index(scene->registers[0]->list, i))->name;
        fprintf(file, "%s", name);
        for (guint k = 0; k < G_N_ELEMENTS(ends); k++) {
            for (int side = 0; side < 2; side++) {
                const GPtrArray *stops = scene->stops[side];
                write_value(file, scene->registers[side],
                            ends[k] < stops->len ? g_ptr_array_index(stops, ends[k]) : NULL, name);
            }
        }
        fprintf(file, "\n");
    }
    return save(bundle, "registers.csv", &text, error);
}

/* ---- the text ---- */

static void write_standalone(FILE *file, const struct bundle *bundle)
{
    const struct tcgrr_standalone *standalone = &bundle->bisect->standalone;

    fprintf(file, "\n"
                  "## A standalone guest that shows it\n");
    if (!standalone->reproduces) {
        fprintf(file, "There is none: %s.\n", standalone->reason);
        return;
    }
    fprintf(file,
            "`guest.S` and `guest.elf` set the recorded registers%s, run %s and then print all registers.\n`./run.sh "
            "QEMU` runs the guest. In the two QEMUs its output differs (< A, > B):\n\n```\n%s```\n",
            standalone->moved ? " (one of them moved, with the data it points to, to where the machine has RAM)" : "",
            !standalone->whole_block                   ? "the one instruction"
            : bundle->found->kind == TCGRR_CAUSE_BLOCK ? "the block as a whole"
                                                       : "the block up to the cause",
            standalone->difference);
}

static void write_files(FILE *file, const struct bundle *bundle)
{
    bool own = bundle->bisect->readers[0] != bundle->bisect->readers[1];

    fprintf(file, "\n## Files\n");
    fprintf(file, "- `finding.html`: the finding as a page for a browser\n- `finding.json`: the same for programs\n");
    if (has_logs(bundle)) {
        fprintf(file,
                "- `block-a.log`, `block-b.log`: how each QEMU translates the block at 0x%" G_GINT64_MODIFIER "x "
                "(`-d in_asm,op,op_opt,out_asm`); the last translation counts\n",
                bundle->block);
    }
    if (bundle->found->scene.registers[0]) {
        fprintf(file, "- `registers.csv`: all registers before and after it, in both QEMUs\n");
    }
    fprintf(file,
            "- `window-a.csv`%s: the instructions around it, as `tcgrr query TRACE \"SELECT icount, pc, bytes, disasm, "
            "symbol FROM insn WHERE icount >= N\"` prints them\n",
            own ? ", `window-b.csv`" : "");
    if (bundle->copied) {
        fprintf(file, "- `a.tcgrr`: the recording of A\n");
    }
    if (own) {
        fprintf(file, "- `b.tcgrr`: the recording of B\n");
    }
}

/* Writes the recorded command, as the user would type it. */
static void write_command(FILE *file, const struct bundle *bundle, int side, const char *title)
{
    static const char plain[] = G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-_=+,.:/@%";
    const char *const *extra = side == 1 ? bundle->bisect->extra : NULL;
    g_auto(GStrv) words = tcgrr_recorded_words(bundle->bisect->readers[side], extra, NULL);

    fprintf(file, "- %s: `", title);
    for (char **word = words; word && *word; word++) {
        bool safe = **word && (*word)[strspn(*word, plain)] == '\0';
        g_autofree char *quoted = safe ? g_strdup(*word) : g_shell_quote(*word);
        fprintf(file, "%s%s", word == words ? "" : " ", quoted);
    }
    fprintf(file, "`\n");
}

static bool write_readme(const struct bundle *bundle, GError **error)
{
    const struct tcgrr_bisect *bisect = bundle->bisect;
    const struct tcgrr_comparison *comparison = bisect->comparison;
    struct text text;

    begin(&text);
    FILE *file = text.file;
    fprintf(file, "# Two QEMUs disagree about one %s\n\n",
            bundle->found->kind == TCGRR_CAUSE_BLOCK ? "block" : "instruction");
    for (int side = 0; side < 2; side++) {
        fprintf(file, "- %c: %s (%s%s%s)\n", 'A' + side, bundle->qemus[side].banner, bundle->qemus[side].path,
                *bundle->qemus[side].build_id ? ", build id " : "", bundle->qemus[side].build_id);
    }
    write_command(file, bundle, 0, "command");
    if (bisect->readers[0] == bisect->readers[1]) {
        fprintf(file, "- B replays A's recording\n");
    } else {
        write_command(file, bundle, 1, "command of B");
    }
    fprintf(file, "- they diverge at icount %" G_GUINT64_FORMAT " of A: %s\n\n```\n", comparison->icount,
            tcgrr_divergence_name(comparison->kind));
    bundle->options->print(file, bundle->options->data);
    fprintf(file, "```\n");
    write_standalone(file, bundle);
    write_files(file, bundle);
    return save(bundle, "README.md", &text, error);
}

static bool write_finding(const struct bundle *bundle, GError **error)
{
    g_autofree char *path = inside(bundle, "finding.json");
    json_t *object = json_pack("{s:s, s:s}", "a", bundle->qemus[0].banner, "b", bundle->qemus[1].banner);
    bundle->options->describe(object, bundle->options->data);
    g_autofree char *page = inside(bundle, "finding.html");
    char *text = json_dumps(object, JSON_INDENT(2));
    bool good = g_file_set_contents(path, text, -1, error) && bundle->options->draw(page, object, error);
    free(text);
    json_decref(object);
    return good;
}

/* ---- all of it ---- */

static bool probe(struct bundle *bundle, GError **error)
{
    const struct tcgrr_bisect *bisect = bundle->bisect;
    for (int side = 0; side < 2; side++) {
        const char *given = tcgrr_bisect_qemu(bisect, side);
        const char *path = given ? given : tcgrr_reader_run(bisect->readers[side])->qemu_path;
        const struct tcgrr_qemu *known =
            bisect->pair ? tcgrr_replay_pair_qemu(bisect->pair, side) : bisect->known[side];
        if (known) {
            tcgrr_qemu_copy(&bundle->qemus[side], known);
        } else if (!tcgrr_qemu_probe(path, bisect->options.plugin, &bundle->qemus[side], error)) {
            return false;
        }
    }
    return true;
}

/* Where A was recorded for this, its recording is in the folder already. */
static bool copy_trace(struct bundle *bundle, GError **error)
{
    const struct tcgrr_bisect *bisect = bundle->bisect;
    g_autofree char *path = inside(bundle, "a.tcgrr");
    g_autofree char *bytes = NULL;
    gsize size = 0;
    struct tcgrr_totals totals;

    if (!bisect->options.reader) {
        bundle->copied = true;
        return true;
    }
    if (!tcgrr_reader_totals(bisect->readers[0], &totals, error)) {
        return false;
    }
    bundle->copied = totals.bytes <= TRACE_BYTES;
    return !bundle->copied || (g_file_get_contents(bisect->paths[0], &bytes, &size, error) &&
                               g_file_set_contents(path, bytes, (gssize)size, error));
}

static bool make_standalone(struct bundle *bundle, GError **error)
{
    struct tcgrr_bisect *bisect = bundle->bisect;
    struct tcgrr_standalone_options options = {
        .cause = bundle->found,
        .folder = bisect->options.folder->path,
        .target = bundle->target,
        .qemus = {bundle->qemus[0].path, bundle->qemus[1].path},
        .stop = bisect->options.stop,
    };
    if (is_user(bundle)) {
        bisect->standalone.reason = g_strdup("in user mode the program itself is the guest");
        return true;
    }
    tcgrr_bisect_say(bisect, g_strdup("trying a guest of its own"));
    for (int side = 0; side < 2; side++) {
        g_auto(GStrv) words = tcgrr_recorded_words(bisect->readers[side], side == 1 ? bisect->extra : NULL, NULL);
        options.kept[side] =
            words ? tcgrr_standalone_keep(bundle->target, words, tcgrr_reader_run(bisect->readers[side])->directory)
                  : g_new0(char *, 1);
    }
    bool good = tcgrr_standalone_make(&options, &bisect->standalone, error);
    g_strfreev(options.kept[0]);
    g_strfreev(options.kept[1]);
    return good;
}

bool tcgrr_bundle_fill(struct tcgrr_bisect *bisect, const struct tcgrr_bundle_options *options, GError **error)
{
    struct bundle bundle = {.bisect = bisect,
                            .options = options,
                            .found = &bisect->cause,
                            .target = tcgrr_reader_run(bisect->readers[0])->target};

    bool good = probe(&bundle, error) && find_block(&bundle, error) && start_logs(&bundle, error) &&
                write_window(&bundle, 0, error) &&
                (bisect->readers[0] == bisect->readers[1] || write_window(&bundle, 1, error)) &&
                (!bundle.found->scene.registers[0] || write_registers(&bundle, error)) && copy_trace(&bundle, error);
    good = good && make_standalone(&bundle, error);
    good = tcgrr_block_logs_finish(bundle.logs, good ? error : NULL) && good;
    /* The README comes last: where it is, all is there. */
    good = good && write_finding(&bundle, error) && write_readme(&bundle, error);
    tcgrr_qemu_clear(&bundle.qemus[0]);
    tcgrr_qemu_clear(&bundle.qemus[1]);
    return good;
}
