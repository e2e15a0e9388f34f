/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Coverage in DynamoRIO's drcov format, version 2, which coverage viewers read: a table of modules, then for each
 * stretch of code that ran its offset in its module, its size and the module's number. Modules are the guest's ELF
 * files, where they are still there, and pieces of what lies outside of them.
 */
#include "cli/report/report.h"

#include "cli/cli.h"
#include "store/error.h"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <string.h>
#include <unistd.h>

enum { FILENAME };

static const struct report_option options[] = {
    {"filename", REPORT_TEXT, "PATH", "the file to write (file.drcov.trace)", 0, 0, 0},
    {0},
};

/* An offset has 32 bits. */
#define MAX_MODULE_BYTES (UINT64_C(1) << 32)
/* A size and a module's number have 16. */
#define MAX_PIECE        65535u
#define MAX_MODULES      65535u

struct module {
    uint64_t base;
    uint64_t end;
    uint64_t entry;
    char *path;
};

struct stretch {
    uint64_t pc;
    uint32_t size;
};

struct coverage {
    struct report_job *job;
    GArray *modules;   /* struct module */
    GArray *stretches; /* struct stretch, by address */
    uint64_t bytes;    /* of them */
    uint64_t pieces;   /* written */
};

/* ---- what ran ---- */

/* Instructions of a block that ran at least once: from the first on. */
static uint32_t most_ran(const struct report_profile *profile, uint32_t block, uint32_t insns, guint *next)
{
    uint64_t left = profile->execs[block];
    uint32_t most = 0;
    for (; *next < profile->partials->len; (*next)++) {
        const struct report_partial *partial = &g_array_index(profile->partials, struct report_partial, *next);
        if (partial->block != block) {
            break;
        }
        left -= partial->execs;
        most = partial->ran;
    }
    return left ? insns : most;
}

static int by_pc(const void *a, const void *b)
{
    const struct stretch *left = a;
    const struct stretch *right = b;
    return left->pc != right->pc ? (left->pc < right->pc ? -1 : 1)
                                 : (left->size > right->size) - (left->size < right->size);
}

/* What each block covered, the same once. */
static void collect(struct coverage *coverage, const struct report_profile *profile)
{
    const struct report_job *job = coverage->job;
    guint next = 0;
    guint kept = 0;

    for (uint32_t i = 0; i < job->block_count; i++) {
        const struct tcgrr_block *block = tcgrr_blocks_get(job->blocks, i);
        uint32_t ran = most_ran(profile, i, block->insns, &next);
        struct stretch stretch = {block->pc, report_offset(block, ran)};
        if (stretch.size > 0) {
            g_array_append_val(coverage->stretches, stretch);
        }
    }
    g_array_sort(coverage->stretches, by_pc);
    for (guint i = 0; i < coverage->stretches->len; i++) {
        struct stretch stretch = g_array_index(coverage->stretches, struct stretch, i);
        if (kept == 0 || by_pc(&g_array_index(coverage->stretches, struct stretch, kept - 1), &stretch) != 0) {
            g_array_index(coverage->stretches, struct stretch, kept++) = stretch;
        }
    }
    g_array_set_size(coverage->stretches, kept);
}

/* ---- modules ---- */

/* Where an ELF file is linked to be loaded. */
static bool read_elf(const char *path, struct module *module)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    Elf *elf = fd >= 0 ? elf_begin(fd, ELF_C_READ, NULL) : NULL;
    GElf_Ehdr header;
    size_t count = 0;

    module->base = UINT64_MAX;
    module->end = 0;
    if (elf && gelf_getehdr(elf, &header) && elf_getphdrnum(elf, &count) == 0) {
        module->entry = header.e_entry;
        for (size_t i = 0; i < count; i++) {
            GElf_Phdr segment;
            if (gelf_getphdr(elf, (int)i, &segment) && segment.p_type == PT_LOAD && segment.p_memsz > 0 &&
                segment.p_vaddr + segment.p_memsz > segment.p_vaddr) {
                module->base = MIN(module->base, segment.p_vaddr & ~UINT64_C(0xfff));
                module->end = MAX(module->end, segment.p_vaddr + segment.p_memsz);
            }
        }
    }
    elf_end(elf);
    if (fd >= 0) {
        close(fd);
    }
    return module->end > module->base && module->end - module->base <= MAX_MODULE_BYTES;
}

static void add_file(const char *name, uint64_t size, const char *digest, void *data)
{
    struct coverage *coverage = data;
    const char *directory = coverage->job->run->directory;
    g_autofree char *path =
        name ? g_canonicalize_filename(name, directory && *directory == '/' ? directory : NULL) : NULL;
    struct module module = {0};

    if (!path || !read_elf(path, &module)) {
        return;
    }
    for (guint i = 0; i < coverage->modules->len; i++) {
        const struct module *other = &g_array_index(coverage->modules, struct module, i);
        if (module.base < other->end && other->base < module.end) {
            return; /* a stretch belongs to one module */
        }
    }
    module.path = g_strdelimit(g_steal_pointer(&path), "\n\r", '?');
    g_array_append_val(coverage->modules, module);
}

static int find_module(const struct coverage *coverage, const struct stretch *stretch)
{
    for (guint i = coverage->modules->len; i > 0; i--) {
        const struct module *module = &g_array_index(coverage->modules, struct module, i - 1);
        if (stretch->pc >= module->base && stretch->pc - module->base + stretch->size <= module->end - module->base) {
            return (int)i - 1;
        }
    }
    return -1;
}

/* Gives what is in no module one of its own. Stretches come by address, so that a module can grow with them. */
static bool add_rest(struct coverage *coverage, GError **error)
{
    guint files = coverage->modules->len;
    for (guint i = 0; i < coverage->stretches->len; i++) {
        const struct stretch *stretch = &g_array_index(coverage->stretches, struct stretch, i);
        uint64_t end = stretch->pc + stretch->size;
        struct module *last = coverage->modules->len > files
                                  ? &g_array_index(coverage->modules, struct module, coverage->modules->len - 1)
                                  : NULL;
        if (find_module(coverage, stretch) >= 0 || end < stretch->pc) {
            continue;
        }
        if (last && end - last->base <= MAX_MODULE_BYTES / 4) {
            last->end = MAX(last->end, end);
            continue;
        }
        if (coverage->modules->len == MAX_MODULES) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "the code is spread over too many places for drcov");
            return false;
        }
        struct module module = {stretch->pc & ~UINT64_C(0xfff), end, 0, NULL};
        module.path = g_strdup_printf("[guest 0x%" G_GINT64_MODIFIER "x]", module.base);
        g_array_append_val(coverage->modules, module);
    }
    return true;
}

/* ---- the file ---- */

static void write_number(FILE *file, uint64_t number, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        fputc((int)(number >> (8 * i) & 0xff), file);
    }
}

/* Calls `write` on each piece of at most 65,535 bytes, in a module. Returns how many there are. */
static uint64_t each_piece(const struct coverage *coverage, FILE *file)
{
    uint64_t pieces = 0;
    for (guint i = 0; i < coverage->stretches->len; i++) {
        const struct stretch *stretch = &g_array_index(coverage->stretches, struct stretch, i);
        int number = find_module(coverage, stretch);
        for (uint32_t done = 0; number >= 0 && done < stretch->size; pieces++) {
            uint32_t size = MIN(stretch->size - done, MAX_PIECE);
            if (file) {
                uint64_t base = g_array_index(coverage->modules, struct module, number).base;
                write_number(file, stretch->pc + done - base, 4);
                write_number(file, size, 2);
                write_number(file, (uint64_t)number, 2);
            }
            done += size;
        }
    }
    return pieces;
}

static bool write_file(struct coverage *coverage, const char *path, GError **error)
{
    FILE *file = report_create(coverage->job, path, error);
    if (!file) {
        return false;
    }
    coverage->pieces = each_piece(coverage, NULL);
    fprintf(file,
            "DRCOV VERSION: 2\nDRCOV FLAVOR: drcov-64\nModule Table: version 2, count %u\n"
            "Columns: id, base, end, entry, path\n",
            coverage->modules->len);
    for (guint i = 0; i < coverage->modules->len; i++) {
        const struct module *module = &g_array_index(coverage->modules, struct module, i);
        fprintf(file, "%u, 0x%" G_GINT64_MODIFIER "x, 0x%" G_GINT64_MODIFIER "x, 0x%" G_GINT64_MODIFIER "x, %s\n", i,
                module->base, module->end, module->entry, module->path);
    }
    fprintf(file, "BB Table: %" G_GUINT64_FORMAT " bbs\n", coverage->pieces);
    each_piece(coverage, file);
    return report_close(file, path, error);
}

/* ---- the report ---- */

static uint64_t count_bytes(const GArray *stretches)
{
    uint64_t bytes = 0;
    uint64_t reached = 0;
    for (guint i = 0; i < stretches->len; i++) { /* by address, so that they overlap with what is before them only */
        const struct stretch *stretch = &g_array_index(stretches, struct stretch, i);
        uint64_t end = stretch->pc + stretch->size;
        uint64_t start = MAX(stretch->pc, reached);
        bytes += end > start ? end - start : 0;
        reached = MAX(reached, end);
    }
    return bytes;
}

static void print_result(const struct coverage *coverage, const char *path)
{
    json_t *modules = json_array();
    if (!coverage->job->json) {
        printf("%s: %" G_GUINT64_FORMAT " blocks, %" G_GUINT64_FORMAT " bytes of code that ran, in %u module%s\n", path,
               coverage->pieces, coverage->bytes, coverage->modules->len, coverage->modules->len == 1 ? "" : "s");
    }
    for (guint i = 0; i < coverage->modules->len; i++) {
        const struct module *module = &g_array_index(coverage->modules, struct module, i);
        if (!coverage->job->json) {
            printf("  %u, 0x%" G_GINT64_MODIFIER "x, 0x%" G_GINT64_MODIFIER "x, %s\n", i, module->base, module->end,
                   module->path);
        }
        json_array_append_new(modules,
                              json_pack("{s:o, s:o, s:o, s:o}", "base", cli_json_address(module->base), "end",
                                        cli_json_address(module->end), "entry", cli_json_address(module->entry), "path",
                                        report_text_json(g_strdup(module->path))));
    }
    if (coverage->job->json) {
        report_print_json(coverage->job, json_pack("{s:o, s:o, s:o, s:O}", "file", cli_json_text(path), "blocks",
                                                   report_number_json(coverage->pieces), "bytes",
                                                   report_number_json(coverage->bytes), "modules", modules));
    }
    json_decref(modules);
}

static bool run(struct report_job *job, GError **error)
{
    const char *path = job->values[FILENAME].text ? job->values[FILENAME].text : "file.drcov.trace";
    struct coverage coverage = {.job = job};
    struct report_profile profile;

    if (!report_profile_make(job, &profile, error)) {
        return false;
    }
    elf_version(EV_CURRENT);
    coverage.modules = g_array_new(FALSE, FALSE, sizeof(struct module));
    coverage.stretches = g_array_new(FALSE, FALSE, sizeof(struct stretch));
    collect(&coverage, &profile);
    coverage.bytes = count_bytes(coverage.stretches);
    bool good = tcgrr_reader_guest_files(job->reader, add_file, &coverage, error) && add_rest(&coverage, error) &&
                write_file(&coverage, path, error);
    if (good) {
        print_result(&coverage, path);
    }
    for (guint i = 0; i < coverage.modules->len; i++) {
        g_free(g_array_index(coverage.modules, struct module, i).path);
    }
    g_array_unref(coverage.modules);
    g_array_unref(coverage.stretches);
    report_profile_clear(&profile);
    return good;
}

const struct report report_drcov = {
    "drcov",
    "coverage for viewers such as Lighthouse, into a file",
    "Offsets are from the start of the guest's ELF files (-kernel and others, if they are still where they were), "
    "which\n"
    "are the modules; code outside of them belongs to modules called [guest 0x…]. Of a block that never ran to its "
    "end\n"
    "only the instructions that ran are covered.\n\n"
    "Examples:\n"
    "  tcgrr report boot.tcgrr drcov filename=boot.drcov\n",
    options,
    run,
    NULL,
    NULL,
};
