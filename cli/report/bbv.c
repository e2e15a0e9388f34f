/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Basic block vectors for SimPoint: a line for each interval and vCPU, in which each block, known by its address, has
 * the number of instructions that ran in it. An interval ends with the block that completes it; what that block runs
 * over counts towards the next one's length.
 */
#include "cli/report/report.h"

#include "cli/cli.h"
#include "store/error.h"

#include <string.h>

enum { INTERVAL, OUTFILE };

static const struct report_option options[] = {
    {"interval", REPORT_NUMBER, "N", "instructions of an interval (100000000)", 100000000, 1, INT64_MAX},
    {"outfile", REPORT_TEXT, "PATH", "write to PATH.N.bb, N being the vCPU (the trace's name without .tcgrr)", 0, 0, 0},
    {0},
};

struct vcpu {
    FILE *file;
    char *path;
    uint64_t *counts;   /* by block index: instructions in this interval */
    GArray *touched;    /* uint32_t: indices with a count */
    uint64_t length;    /* of this interval so far */
    uint64_t intervals; /* written */
};

struct vectors {
    struct report_job *job;
    uint32_t *indices; /* by block number: the same for all at one address */
    uint32_t count;    /* of indices */
    GPtrArray *vcpus;  /* struct vcpu; NULL: none of that number */
    char *outfile;
};

static int ascending(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static void write_interval(struct vcpu *vcpu)
{
    if (vcpu->touched->len > 1) {
        qsort(vcpu->touched->data, vcpu->touched->len, sizeof(uint32_t), ascending);
    }
    fputc('T', vcpu->file);
    for (guint i = 0; i < vcpu->touched->len; i++) {
        uint32_t index = g_array_index(vcpu->touched, uint32_t, i);
        fprintf(vcpu->file, ":%u:%" G_GUINT64_FORMAT " ", index, vcpu->counts[index]);
        vcpu->counts[index] = 0;
    }
    fputc('\n', vcpu->file);
    g_array_set_size(vcpu->touched, 0);
    vcpu->intervals++;
}

static struct vcpu *get_vcpu(struct vectors *vectors, tcgrr_vcpu number, GError **error)
{
    if (number >= 65536) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "the trace is damaged: it names vCPU %u", number);
        return NULL;
    }
    if (number >= vectors->vcpus->len) {
        g_ptr_array_set_size(vectors->vcpus, (gint)number + 1);
    }
    struct vcpu *vcpu = g_ptr_array_index(vectors->vcpus, number);
    if (vcpu) {
        return vcpu;
    }
    g_autofree char *path = g_strdup_printf("%s.%u.bb", vectors->outfile, number);
    FILE *file = report_create(vectors->job, path, error);
    if (!file) {
        return NULL;
    }
    vcpu = g_new0(struct vcpu, 1);
    vcpu->file = file;
    vcpu->path = g_steal_pointer(&path);
    vcpu->counts = g_new0(uint64_t, MAX(vectors->count, 1));
    vcpu->touched = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    g_ptr_array_index(vectors->vcpus, number) = vcpu;
    return vcpu;
}

static bool free_vcpu(struct vcpu *vcpu, GError **error)
{
    bool good = !vcpu || report_close(vcpu->file, vcpu->path, error);
    if (vcpu) {
        g_free(vcpu->path);
        g_free(vcpu->counts);
        g_array_unref(vcpu->touched);
        g_free(vcpu);
    }
    return good;
}

static bool count_all(struct vectors *vectors, GError **error)
{
    uint64_t interval = vectors->job->values[INTERVAL].number;
    struct vcpu *vcpu = NULL;
    tcgrr_vcpu number = 0;
    struct tcgrr_exec_walk walk;
    bool good = report_walk_begin(vectors->job, &walk, NULL, error);

    for (; good && !walk.end; good = tcgrr_exec_walk_next(&walk, error)) {
        if (!vcpu || walk.at.vcpu != number) {
            number = walk.at.vcpu;
            vcpu = get_vcpu(vectors, number, error);
            if (!vcpu) {
                good = false;
                break;
            }
        }
        uint32_t index = vectors->indices[tcgrr_exec_walk_block(&walk)];
        if (vcpu->counts[index] == 0 && walk.at.ran > 0) {
            g_array_append_val(vcpu->touched, index);
        }
        vcpu->counts[index] += walk.at.ran;
        vcpu->length += walk.at.ran;
        if (vcpu->length >= interval) {
            write_interval(vcpu);
            vcpu->length -= interval;
        }
    }
    report_walk_end(&walk);
    return good;
}

/* Numbers the addresses in the order in which they were first translated. */
static void number_addresses(struct vectors *vectors)
{
    const struct report_job *job = vectors->job;
    g_autoptr(GHashTable) known = g_hash_table_new(g_int64_hash, g_int64_equal);

    vectors->indices = g_new(uint32_t, MAX(job->block_count, 1));
    for (uint32_t i = 0; i < job->block_count; i++) {
        const struct tcgrr_block *block = tcgrr_blocks_get(job->blocks, i);
        gpointer found;
        if (g_hash_table_lookup_extended(known, &block->pc, NULL, &found)) {
            vectors->indices[i] = GPOINTER_TO_UINT(found);
        } else {
            vectors->indices[i] = vectors->count++;
            g_hash_table_insert(known, (gpointer)&block->pc, GUINT_TO_POINTER(vectors->indices[i]));
        }
    }
}

static char *default_outfile(const char *trace)
{
    char *name = g_path_get_basename(trace);
    if (g_str_has_suffix(name, ".tcgrr")) {
        name[strlen(name) - strlen(".tcgrr")] = '\0';
    }
    return name;
}

static void print_result(struct vectors *vectors)
{
    json_t *list = json_array();
    for (guint i = 0; i < vectors->vcpus->len; i++) {
        const struct vcpu *vcpu = g_ptr_array_index(vectors->vcpus, i);
        if (!vcpu) {
            continue;
        }
        if (!vectors->job->json) {
            printf("%s: %" G_GUINT64_FORMAT " intervals; %" G_GUINT64_FORMAT
                   " instructions at the end do not fill another one\n",
                   vcpu->path, vcpu->intervals, vcpu->length);
        }
        json_array_append_new(list, json_pack("{s:i, s:o, s:o, s:o}", "vcpu", (int)i, "file", cli_json_text(vcpu->path),
                                              "intervals", report_number_json(vcpu->intervals), "rest",
                                              report_number_json(vcpu->length)));
    }
    if (vectors->job->json) {
        report_print_json(vectors->job,
                          json_pack("{s:o, s:O}", "interval", report_number_json(vectors->job->values[INTERVAL].number),
                                    "files", list));
    }
    json_decref(list);
}

static bool run(struct report_job *job, GError **error)
{
    struct vectors vectors = {.job = job, .vcpus = g_ptr_array_new()};
    bool good = true;

    vectors.outfile = job->values[OUTFILE].text ? g_strdup(job->values[OUTFILE].text)
                                                : default_outfile(tcgrr_reader_path(job->reader));
    number_addresses(&vectors);
    for (uint32_t i = 0; good && i < CLAMP(job->run->vcpus, 1, 65536); i++) {
        good = get_vcpu(&vectors, i, error) != NULL;
    }
    good = good && count_all(&vectors, error);
    if (good) {
        print_result(&vectors);
    }
    for (guint i = 0; i < vectors.vcpus->len; i++) {
        good = free_vcpu(g_ptr_array_index(vectors.vcpus, i), good ? error : NULL) && good;
    }
    g_ptr_array_unref(vectors.vcpus);
    g_free(vectors.indices);
    g_free(vectors.outfile);
    return good;
}

const struct report report_bbv = {
    "bbv",
    "basic block vectors for SimPoint, into files",
    "One line for each interval: T, then :BLOCK:INSTRUCTIONS for each block that ran in it. Blocks are numbered by "
    "their\n"
    "addresses in the order in which these were first translated. What runs after the last whole interval is left "
    "out.\n\n"
    "Examples:\n"
    "  tcgrr report boot.tcgrr bbv interval=1000000 outfile=boot\n",
    options,
    run,
    NULL,
    NULL,
};
