/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions by class; of classes that are asked for, each instruction by itself. */
#include "cli/report/howvec.h"

#include "cli/report/report.h"

#include "cli/cli.h"
#include "store/error.h"

#include <string.h>

enum { COUNT, VERBOSE, LIMIT, STRICT };

static const struct report_option options[] = {
    {"count", REPORT_LIST, "CLASS", "count this class's instructions individually; !CLASS: not at all", 0, 0, 0},
    {"verbose", REPORT_SWITCH, NULL, "also classes of which none ran", 0, 0, 0},
    {"limit", REPORT_NUMBER, "N", "number of individual instructions to print; 0: all (50)", 50, 0, UINT32_MAX},
    {"strict", REPORT_SWITCH, NULL, "aarch64: classes that match their titles, where the plugin mixes some up", 0, 0,
     0},
    {"inline", REPORT_WITHOUT, NULL, NULL, 0, 0, 0},
    {0},
};

struct class
{
    const char *title;
    const char *name;
    enum howvec_what what;
    uint64_t count;
};

/* An instruction by its bytes. */
struct single {
    const struct class *class;
    const struct tcgrr_block *block; /* one that has it */
    uint32_t insn;
    uint64_t count;
};

struct howvec {
    struct report_job *job;
    const struct howvec_class *table; /* NULL: by capstone's kinds */
    size_t rows;
    GArray *classes;     /* struct class */
    guint *class_of_row; /* by row of the table, or by kind: index in `classes` */
    GHashTable *singles; /* GBytes → struct single */
    uint64_t counted;    /* instructions of all classes that are counted */
};

/* ---- classes ---- */

/* Rows with the same name are one class. */
static guint add_class(GArray *classes, const char *name, const char *title, enum howvec_what what)
{
    for (guint i = 0; i < classes->len; i++) {
        if (strcmp(g_array_index(classes, struct class, i).name, name) == 0) {
            return i;
        }
    }
    struct class class = {title, name, what, 0};
    g_array_append_val(classes, class);
    return classes->len - 1;
}

#define KIND_ROW(id, name, title) {name, title},
static const struct {
    const char *name;
    const char *title;
} kinds[] = {TCGRR_INSN_KINDS(KIND_ROW)};

static void make_classes(struct howvec *howvec, const char *target)
{
    struct tcgrr_disasm *disasm = tcgrr_disasm_new(target);

    howvec->table = howvec_table(target, &howvec->rows);
    howvec->classes = g_array_new(FALSE, FALSE, sizeof(struct class));
    howvec->class_of_row = g_new0(guint, MAX(howvec->rows, TCGRR_INSN_KIND_COUNT));
    for (guint i = 0; i < howvec->rows; i++) {
        const struct howvec_class *row = &howvec->table[i];
        howvec->class_of_row[i] = add_class(howvec->classes, row->name, row->title, row->what);
    }
    for (guint i = 0; !howvec->table && i < TCGRR_INSN_KIND_COUNT; i++) {
        if (i == TCGRR_INSN_UNKNOWN || tcgrr_disasm_has_kind(disasm, i)) {
            enum howvec_what what = i == TCGRR_INSN_UNKNOWN ? HOWVEC_SINGLY : HOWVEC_TOGETHER;
            howvec->class_of_row[i] = add_class(howvec->classes, kinds[i].name, kinds[i].title, what);
        }
    }
    tcgrr_disasm_free(disasm);
}

static void free_classes(struct howvec *howvec)
{
    g_array_unref(howvec->classes);
    g_free(howvec->class_of_row);
}

static bool apply_count(struct howvec *howvec, const char *choice, GError **error)
{
    const char *name = *choice == '!' ? choice + 1 : choice;
    GString *names = g_string_new(NULL);
    bool found = false;

    for (guint i = 0; !found && i < howvec->classes->len; i++) {
        struct class *class = &g_array_index(howvec->classes, struct class, i);
        found = strcmp(class->name, name) == 0;
        class->what = !found ? class->what : *choice == '!' ? HOWVEC_NOT : HOWVEC_SINGLY;
        g_string_append_printf(names, "%s%s", i ? ", " : "", class->name);
    }
    if (!found) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "howvec has no class '%s' for %s; it has %s", name,
                    howvec->job->run->target, names->str);
    }
    g_string_free(names, TRUE);
    return found;
}

static void explain(const struct tcgrr_run *run)
{
    struct howvec howvec = {0};
    make_classes(&howvec, run->target);
    printf("\nClasses for %s, as count= takes them:\n", run->target);
    for (guint i = 0; i < howvec.classes->len; i++) {
        const struct class *class = &g_array_index(howvec.classes, struct class, i);
        printf("  %-8s %s\n", class->name, class->title);
    }
    free_classes(&howvec);
}

/* ---- counting ---- */

static guint row_of(const struct howvec *howvec, uint32_t opcode)
{
    guint row = 0;
    while (!howvec_fits(&howvec->table[row], opcode, howvec->job->values[STRICT].number != 0)) {
        row++; /* the last one fits all */
    }
    return row;
}

static void count_single(struct howvec *howvec, const struct class *class, const struct tcgrr_block *block,
                         uint32_t insn, uint64_t count)
{
    GBytes *key = g_bytes_new_static(block->bytes + report_offset(block, insn), block->lengths[insn]);
    struct single *single = g_hash_table_lookup(howvec->singles, key);
    if (!single) {
        single = g_new0(struct single, 1);
        single->class = class;
        single->block = block;
        single->insn = insn;
        g_hash_table_insert(howvec->singles, g_bytes_ref(key), single);
    }
    single->count += count;
    g_bytes_unref(key);
}

static void count_block(struct howvec *howvec, const struct tcgrr_block *block, const uint64_t *counts)
{
    uint8_t kinds_of[TCGRR_MAX_INSNS];

    if (!howvec->table) {
        tcgrr_disasm_kinds(howvec->job->disasm, block, kinds_of);
    }
    for (uint32_t i = 0; i < block->insns; i++) {
        guint row = howvec->table ? row_of(howvec, report_opcode(block, i)) : kinds_of[i];
        struct class *class = &g_array_index(howvec->classes, struct class, howvec->class_of_row[row]);
        if (counts[i] == 0 || class->what == HOWVEC_NOT) {
            continue;
        }
        class->count += counts[i];
        howvec->counted += counts[i];
        if (class->what == HOWVEC_SINGLY) {
            count_single(howvec, class, block, i, counts[i]);
        }
    }
}

static bool count_all(struct howvec *howvec, GError **error)
{
    struct report_job *job = howvec->job;
    struct report_profile profile;
    if (!report_profile_make(job, &profile, error)) {
        return false;
    }
    g_autofree uint64_t *counts = g_new(uint64_t, TCGRR_MAX_INSNS);
    tcgrr_disasm_survey(job->disasm, job->blocks, job->block_count);
    for (uint32_t i = 0; i < job->block_count; i++) {
        if (profile.execs[i] > 0) {
            report_profile_insns(job, &profile, i, counts);
            count_block(howvec, tcgrr_blocks_get(job->blocks, i), counts);
        }
    }
    report_profile_clear(&profile);
    return true;
}

/* ---- printing ---- */

static int by_count(const void *a, const void *b)
{
    const struct single *left = *(struct single *const *)a;
    const struct single *right = *(struct single *const *)b;
    uint64_t codes[] = {report_opcode(left->block, left->insn), report_opcode(right->block, right->insn)};
    return left->count != right->count ? (left->count > right->count ? -1 : 1)
           : codes[0] != codes[1]      ? (codes[0] < codes[1] ? -1 : 1)
                                       : (left->block->pc > right->block->pc) - (left->block->pc < right->block->pc);
}

static void print_classes(const struct howvec *howvec, json_t *list)
{
    static const char *const whats[] = {"class", "individually", "not"};
    struct report_job *job = howvec->job;

    if (!job->json) {
        printf("Instruction Classes:\n");
    }
    for (guint i = 0; i < howvec->classes->len; i++) {
        const struct class *class = &g_array_index(howvec->classes, struct class, i);
        g_autofree char *title = g_strstrip(g_strdup(class->title));
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "class", title, "name", class->name, "counted",
                                              whats[class->what], "hits", report_number_json(class->count)));
        if (job->json) {
            continue;
        }
        if (class->what == HOWVEC_SINGLY) {
            printf("Class: %-24s\tcounted individually\n", class->title);
        } else if (class->what == HOWVEC_NOT) {
            printf("Class: %-24s\tnot counted\n", class->title);
        } else if (class->count || job->values[VERBOSE].number) {
            printf("Class: %-24s\t(%" G_GUINT64_FORMAT " hits)\n", class->title, class->count);
        }
    }
}

static void print_single(struct report_job *job, const struct single *single, json_t *list)
{
    g_auto(GStrv) texts = report_disasm(job, single->block);
    uint32_t opcode = report_opcode(single->block, single->insn);
    const char *text = texts[single->insn];

    if (!job->json) {
        printf("Instr: %-24s\t(%" G_GUINT64_FORMAT " hits)\t(op=0x%08x/%s)\n", text, single->count, opcode,
               single->class->title);
    }
    json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:s}", "disasm", report_text_json(g_strdup(text)), "opcode",
                                          cli_json_address(opcode), "hits", report_number_json(single->count), "class",
                                          single->class->name));
}

static void print_singles(const struct howvec *howvec, json_t *list)
{
    struct report_job *job = howvec->job;
    uint64_t limit = job->values[LIMIT].number ? job->values[LIMIT].number : UINT64_MAX;
    GPtrArray *singles = report_values_of(howvec->singles);

    g_ptr_array_sort(singles, by_count);
    if (singles->len > 0 && !job->json) {
        printf("Individual Instructions:\n");
    }
    for (guint i = 0; i < singles->len && i < limit; i++) {
        print_single(job, g_ptr_array_index(singles, i), list);
    }
    g_ptr_array_unref(singles);
}

static bool run(struct report_job *job, GError **error)
{
    struct howvec howvec = {.job = job};
    bool good = true;

    make_classes(&howvec, job->run->target);
    if (job->values[STRICT].number && strcmp(job->run->target, "aarch64") != 0) {
        cli_note("strict changes nothing for %s", job->run->target);
    }
    howvec.singles = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, g_free);
    for (guint i = 0; good && i < job->values[COUNT].texts->len; i++) {
        good = apply_count(&howvec, g_ptr_array_index(job->values[COUNT].texts, i), error);
    }
    good = good && count_all(&howvec, error);
    if (good) {
        json_t *classes = json_array();
        json_t *singles = json_array();
        print_classes(&howvec, classes);
        print_singles(&howvec, singles);
        if (job->json) {
            report_print_json(job, json_pack("{s:o, s:O, s:O}", "counted", report_number_json(howvec.counted),
                                             "classes", classes, "individual", singles));
        }
        json_decref(classes);
        json_decref(singles);
    }
    g_hash_table_unref(howvec.singles);
    free_classes(&howvec);
    return good;
}

const struct report report_howvec = {
    "howvec",
    "how many instructions of each class ran",
    "The classes of aarch64 are the plugin's, mistakes and all (strict=on corrects them); those of RISC-V follow its\n"
    "opcodes; those of x86 and arm are capstone's groups. On other targets the classes are LLVM's; without it,\n"
    "instructions are counted individually.\n\n"
    "Examples:\n"
    "  tcgrr report boot.tcgrr howvec\n"
    "  tcgrr report boot.tcgrr howvec count=sreg count=!hint\n",
    options,
    run,
    explain,
    NULL,
};
