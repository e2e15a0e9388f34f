/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each instruction that ran, a line each. */
#include "cli/report/registers.h"
#include "cli/report/report.h"

#include "cli/cli.h"
#include "store/error.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { IFILTER, AFILTER, REG, RDISAS, FROM, UNTIL };

static const struct report_option options[] = {
    {"ifilter", REPORT_LIST, "TEXT", "only instructions whose disassembly begins with TEXT", 0, 0, 0},
    {"afilter", REPORT_LIST, "ADDRESS", "only the instruction at this address (hexadecimal)", 0, 0, 0},
    {"reg", REPORT_LIST, "NAME", "also registers with this name (* and ? are wildcards), where the trace has samples",
     0, 0, 0},
    {"rdisas", REPORT_SWITCH, NULL, "only those registers that the instruction's disassembly mentions", 0, 0, 0},
    {"from", REPORT_NUMBER, "ICOUNT", "begin at this icount (0)", 0, 0, INT64_MAX},
    {"until", REPORT_NUMBER, "ICOUNT", "end before this icount (the end)", INT64_MAX, 0, INT64_MAX},
    REPORT_LINES,
    {0},
};

/* Blocks whose lines are kept ready. */
#define MAX_READY 8192

/* A block's instructions as they are printed after the vCPU; NULL: filtered out. */
struct ready {
    uint32_t insns;
    char *lines[];
};

struct log {
    struct report_job *job;
    GHashTable *ready;                  /* block → struct ready */
    uint8_t *silent;                    /* by block: 1 if none of its instructions is wanted */
    GArray *addresses;                  /* uint64_t: of afilter */
    struct report_registers *registers; /* NULL: none are asked for */
    char *line;    /* of the instruction that ran last, printed up to its end, to which registers may be added; NULL: it
                      was filtered out */
    bool accesses; /* they are shown */
    const struct tcgrr_access *access; /* the next ones of the execution */
    const struct tcgrr_access *end;
    int64_t chunk; /* whose samples are read; -1: none */
    GError *error; /* why an access could not be named */
    bool first;
    bool brackets; /* JSON: something was added */
};

/* ---- what is wanted ---- */

static bool parse_addresses(struct log *log, GError **error)
{
    const GPtrArray *given = log->job->values[AFILTER].texts;
    for (guint i = 0; i < given->len; i++) {
        const char *text = g_ptr_array_index(given, i);
        const char *digits = g_ascii_strncasecmp(text, "0x", 2) == 0 ? text + 2 : text;
        guint64 address;
        if (!g_ascii_string_to_unsigned(digits, 16, 0, UINT64_MAX, &address, NULL)) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "afilter takes an address in hexadecimal, not '%s'",
                        text);
            return false;
        }
        g_array_append_val(log->addresses, address);
    }
    return true;
}

static bool is_wanted(const struct log *log, uint64_t pc, const char *text)
{
    const GPtrArray *prefixes = log->job->values[IFILTER].texts;
    bool all = prefixes->len == 0 && log->addresses->len == 0;

    for (guint i = 0; i < prefixes->len && !all; i++) {
        all = g_str_has_prefix(text, g_ptr_array_index(prefixes, i));
    }
    for (guint i = 0; i < log->addresses->len && !all; i++) {
        all = g_array_index(log->addresses, uint64_t, i) == pc;
    }
    return all;
}

/* ---- lines ---- */

static void free_ready(gpointer data)
{
    struct ready *ready = data;
    for (uint32_t i = 0; i < ready->insns; i++) {
        g_free(ready->lines[i]);
    }
    g_free(ready);
}

static char *make_line(const struct log *log, const struct tcgrr_block *block, uint32_t insn, const char *text)
{
    uint64_t pc = tcgrr_block_pc(block, insn);
    uint32_t opcode = report_opcode(block, insn);
    if (!log->job->json) {
        g_autofree char *line = report_source_line_text(log->job, ", ", pc);
        return g_strdup_printf("0x%" G_GINT64_MODIFIER "x, 0x%x, \"%s\"%s", pc, opcode, text, line);
    }
    json_t *object = json_pack("{s:o, s:o, s:o}", "pc", cli_json_address(pc), "opcode", cli_json_address(opcode),
                               "disasm", report_text_json(g_strdup(text)));
    report_set_source_line(log->job, object, pc);
    g_autofree char *whole = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return g_strndup(whole + 1, strlen(whole) - 2); /* without its braces: others go before and after */
}

/* Ends the line of the last instruction. */
static void end_line(struct log *log)
{
    if (log->line) {
        fputs(!log->job->json ? "\n" : log->brackets ? "}}" : "}", stdout);
    }
    log->line = NULL;
    log->brackets = false;
}

static struct ready *get_ready(struct log *log, uint32_t number)
{
    struct ready *ready = g_hash_table_lookup(log->ready, GUINT_TO_POINTER(number));
    if (ready) {
        return ready;
    }
    const struct tcgrr_block *block = tcgrr_blocks_get(log->job->blocks, number);
    g_auto(GStrv) texts = report_disasm(log->job, block);
    bool any = false;

    ready = g_malloc(sizeof(*ready) + block->insns * sizeof(char *));
    ready->insns = block->insns;
    for (uint32_t i = 0; i < block->insns; i++) {
        bool wanted = is_wanted(log, tcgrr_block_pc(block, i), texts[i]);
        ready->lines[i] = wanted ? make_line(log, block, i, texts[i]) : NULL;
        any = any || wanted;
    }
    log->silent[number] = !any;
    if (g_hash_table_size(log->ready) >= MAX_READY) {
        end_line(log); /* which is one of them */
        g_hash_table_remove_all(log->ready);
    }
    g_hash_table_insert(log->ready, GUINT_TO_POINTER(number), ready);
    return ready;
}

static void add_register(const char *name, const char *value, void *data)
{
    struct log *log = data;
    if (log->job->json) {
        printf("%s\"%s\":\"%s\"", log->brackets ? "," : ",\"registers\":{", name, value);
        log->brackets = true;
    } else {
        printf(", %s -> %s", name, value);
    }
}

static void begin_line(struct log *log, const struct tcgrr_cursor *cursor, uint32_t insn, char *line)
{
    if (log->job->json) {
        printf("%s\n    {\"icount\":%" G_GUINT64_FORMAT ",\"vcpu\":%u,%s", log->first ? "" : ",", cursor->icount + insn,
               cursor->vcpu, line);
    } else {
        printf("%u, %s", cursor->vcpu, line);
    }
    log->line = line;
    log->first = false;
}

static void add_access(struct log *log, const struct tcgrr_access *access, bool first)
{
    const char *kind = access->flags & TCGRR_ACCESS_STORE ? "store" : "load";
    bool physical = access->flags & TCGRR_ACCESS_PHYSICAL;
    uint64_t address = physical ? access->physical : access->address;
    const char *device = tcgrr_reader_device(log->job->reader, access, log->error ? NULL : &log->error);
    const char *name = !(access->flags & TCGRR_ACCESS_DEVICE) ? "RAM" : device && *device ? device : "unknown";

    if (!log->job->json) {
        printf(", %s, 0x%08" G_GINT64_MODIFIER "x%s%s", kind, address, physical ? ", " : "", physical ? name : "");
        return;
    }
    json_t *entry = json_pack("{s:s, s:o, s:i}", "kind", kind, "address", cli_json_address(access->address), "size",
                              (int)access->size);
    if (physical) {
        json_object_set_new(entry, "physical", cli_json_address(address));
        json_object_set_new(entry, "device", report_text_json(g_strdup(name)));
    }
    char *text = json_dumps(entry, JSON_COMPACT);
    printf("%s%s", first ? ",\"accesses\":[" : ",", text);
    free(text);
    json_decref(entry);
}

/* Those of the instruction whose line was begun; those before it are passed over. */
static void add_accesses(struct log *log, uint32_t insn)
{
    bool any = false;

    for (; log->access < log->end && log->access->insn <= insn; log->access++) {
        if (log->access->insn == insn) {
            add_access(log, log->access, !any);
            any = true;
        }
    }
    if (any && log->job->json) {
        putchar(']');
    }
}

static void print_exec(struct log *log, struct tcgrr_exec_walk *walk)
{
    uint64_t from = log->job->values[FROM].number;
    uint64_t until = log->job->values[UNTIL].number;
    const struct ready *ready = get_ready(log, tcgrr_exec_walk_block(walk));
    guint count;

    log->access = tcgrr_exec_walk_accesses(walk, &count);
    log->end = log->access + count;
    for (uint32_t i = 0; i < walk->at.ran; i++) {
        end_line(log);
        if (ready->lines[i] && walk->at.icount + i >= from && walk->at.icount + i < until) {
            begin_line(log, &walk->at, i, ready->lines[i]);
            add_accesses(log, i);
        }
    }
}

/* Completes the line before with the registers that are known before the walk's current execution. */
static bool add_registers(struct log *log, const struct tcgrr_exec_walk *walk, GError **error)
{
    if (walk->chunk->id != log->chunk) {
        log->chunk = walk->chunk->id;
        if (!report_registers_begin(log->registers, log->chunk, error)) {
            return false;
        }
    }
    if (log->line && report_registers_at(log->registers, walk->at.index)) {
        report_registers_changes(log->registers, log->job->values[RDISAS].number ? log->line : NULL, add_register, log);
    }
    return true;
}

/* Goes one execution past the last one that is asked for: there the last line's registers are known. */
static bool print_execs(struct log *log, GError **error)
{
    struct report_job *job = log->job;
    struct tcgrr_exec_range range = report_range(job->values[FROM].number, UINT64_MAX);
    struct tcgrr_exec_walk walk;

    range.with_accesses = log->accesses;
    log->chunk = -1;
    bool good = report_walk_begin(job, &walk, &range, error);
    for (; good && !walk.end; good = good && tcgrr_exec_walk_next(&walk, error)) {
        good = !log->registers || add_registers(log, &walk, error);
        if (!good || walk.at.icount >= job->values[UNTIL].number || ferror(stdout)) {
            break;
        }
        if (walk.at.ran > 0 && !log->silent[tcgrr_exec_walk_block(&walk)]) {
            print_exec(log, &walk);
        } else if (walk.at.ran > 0) {
            end_line(log);
        }
        if (log->error) {
            g_propagate_error(error, g_steal_pointer(&log->error));
            good = false;
        }
    }
    report_walk_end(&walk);
    return good;
}

/* Without memory accesses there are none to print, which is said. */
static bool check_level(struct log *log, GError **error)
{
    GError *reason = NULL;
    log->accesses = report_need(log->job, TCGRR_LEVEL_FULL, &reason);
    if (!log->accesses && log->job->fill) {
        g_propagate_error(error, reason);
        return false;
    }
    if (!log->accesses) {
        cli_note("no memory accesses: the trace was recorded without them (fill --level full)");
        g_error_free(reason);
    }
    return true;
}

static bool print_all(struct log *log, GError **error)
{
    struct report_job *job = log->job;
    job->progress = job->progress && !isatty(STDOUT_FILENO);
    if (!check_level(log, error)) {
        return false;
    }
    log->ready = g_hash_table_new_full(NULL, NULL, NULL, free_ready);
    log->silent = g_new0(uint8_t, MAX(job->block_count, 1));
    if (job->json) {
        report_begin_json(job, "insns");
    }
    bool good = print_execs(log, error);
    end_line(log);
    if (job->json) {
        printf("%s]\n}\n", log->first ? "" : "\n  ");
    }
    g_hash_table_unref(log->ready);
    g_free(log->silent);
    return good;
}

static bool run(struct report_job *job, GError **error)
{
    struct log log = {.job = job, .first = true, .addresses = g_array_new(FALSE, FALSE, sizeof(uint64_t))};
    bool good = parse_addresses(&log, error);

    if (good && job->values[UNTIL].number <= job->values[FROM].number) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "until must be greater than from");
        good = false;
    } else if (good && job->values[REG].texts->len > 0) {
        log.registers = report_registers_new(job, job->values[REG].texts, error);
        good = log.registers != NULL;
    } else if (good && job->values[RDISAS].number) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "rdisas needs reg=NAME");
        good = false;
    }
    good = good && print_all(&log, error);
    report_registers_free(log.registers);
    g_array_unref(log.addresses);
    return good;
}

const struct report report_execlog = {
    "execlog",
    "each instruction that ran, one on a line",
    "vCPU, address, opcode, disassembly[, load or store, address, device]…[, register -> value]…\n"
    "Instructions that did not complete are left out; the plugin prints them. A whole boot of Linux has about\n"
    "900 million lines: select a part with from= and until=, which starts there at once. Memory accesses need\n"
    "a trace recorded at --level full. Registers are shown where the trace has a sample of them (--level\n"
    "state), in the line of the instruction before it, if they have changed since they were last shown.\n\n"
    "Examples:\n"
    "  tcgrr report boot.tcgrr execlog from=5000000 until=5000100\n"
    "  tcgrr report boot.tcgrr execlog ifilter=msr ifilter=eret\n"
    "  tcgrr report boot.tcgrr execlog afilter=0xffff800008010000\n"
    "  tcgrr report boot.tcgrr execlog reg=sp reg=x2? until=1000000\n",
    options,
    run,
    NULL,
    NULL,
};
