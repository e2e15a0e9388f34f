/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/builds_state.h"

#include "store/error.h"

#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

/* Raise when a key changes its meaning; a file of another version is refused. */
#define STATE_VERSION 1
/* A state file is small; a larger file is something else. */
#define STATE_BYTES   (16u << 20)

/* Texts from the operating system and QEMU need not be UTF-8. */
static json_t *text_json(const char *text)
{
    g_autofree char *valid = text ? g_utf8_make_valid(text, -1) : NULL;
    return valid ? json_string(valid) : json_null();
}

/* What distinguishes this trace from others, wherever it is. */
static json_t *trace_identity(struct tcgrr_reader *reader, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    struct tcgrr_totals totals;
    if (!tcgrr_reader_totals(reader, &totals, error)) {
        return NULL;
    }
    return json_pack("{s:o, s:I, s:o}", "started", text_json(run->started), "icount", (json_int_t)totals.icount, "flow",
                     json_sprintf("%016llx", (unsigned long long)totals.flow));
}

static json_t *words(const char *const *list)
{
    json_t *array = json_array();
    for (; list && *list; list++) {
        json_array_append_new(array, text_json(*list));
    }
    return array;
}

/* Identifies this binary, as opposed to one that was built later at the same path; NULL if it does not exist. */
static json_t *binary_identity(const char *binary)
{
    struct stat status;
    if (!binary || stat(binary, &status) != 0) {
        return NULL;
    }
    return json_pack("{s:I, s:o}", "bytes", (json_int_t)status.st_size, "changed",
                     json_sprintf("%lld.%09ld", (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec));
}

/* What of the runs is compared. */
static json_t *compared_range(const struct tcgrr_compare_options *compare)
{
    return json_pack("{s:i, s:o, s:i, s:o, s:o}", "from_kind", (int)compare->from[0].kind, "from",
                     json_sprintf("%" G_GUINT64_FORMAT, compare->from[0].value), "until_kind",
                     (int)compare->until[0].kind, "until", json_sprintf("%" G_GUINT64_FORMAT, compare->until[0].value),
                     "ignored", words(compare->state.ignored));
}

/* What all trials of a file have in common. */
static json_t *search_identity(struct tcgrr_reader *reader, const struct tcgrr_builds_options *options, GError **error)
{
    json_t *trace = trace_identity(reader, error);
    return trace ? json_pack("{s:i, s:o, s:o, s:o}", "version", STATE_VERSION, "trace", trace, "arguments",
                             words(options->replay.extra), "extent", compared_range(&options->replay.compare))
                 : NULL;
}

static json_t *trial_json(const struct tcgrr_trial *trial, const char *build)
{
    const struct tcgrr_verdict *verdict = &trial->verdict;
    json_t *object =
        json_pack("{s:o, s:s, s:I, s:b, s:b, s:o, s:o, s:o}", "build", text_json(build), "verdict",
                  tcgrr_verdict_name(verdict->kind), "compared", (json_int_t)verdict->compared, "own_inputs",
                  verdict->own_inputs, "translated", verdict->translated, "binary", text_json(verdict->binary),
                  "reason", text_json(verdict->reason), "qemu_version", text_json(verdict->version));
    json_object_set_new(object, "identity", binary_identity(verdict->binary));
    return object;
}

bool tcgrr_builds_store(struct tcgrr_reader *reader, const struct tcgrr_builds_options *options, const GArray *trials,
                        GError **error)
{
    json_t *object = search_identity(reader, options, error);
    if (!object) {
        return false;
    }
    json_t *list = json_array();
    for (guint i = 0; i < trials->len; i++) {
        const struct tcgrr_trial *trial = &g_array_index(trials, struct tcgrr_trial, i);
        if (trial->verdict.binary) { /* a QEMU that is not there needs no remembering */
            json_array_append_new(list, trial_json(trial, options->builds[trial->build]));
        }
    }
    json_object_set_new(object, "tried", list);
    g_autofree char *text = json_dumps(object, JSON_INDENT(2));
    json_decref(object);
    if (!g_file_set_contents(options->state_file, text, -1, error)) {
        g_prefix_error(error, "what was found cannot be kept (-o FILE keeps it elsewhere): ");
        return false;
    }
    return true;
}

static bool is_string(const json_t *object, const char *key)
{
    return json_is_string(json_object_get(object, key));
}

/* The verdict that a name stands for; -1 if none. */
static int verdict_of(const char *name)
{
    for (int kind = TCGRR_VERDICT_GOOD; kind <= TCGRR_VERDICT_SKIPPED; kind++) {
        if (strcmp(name, tcgrr_verdict_name((enum tcgrr_verdict_kind)kind)) == 0) {
            return kind;
        }
    }
    return -1;
}

/* Whether `entry` is whole; `*kind` is its verdict. */
static bool check_entry(const json_t *entry, int *kind)
{
    if (!is_string(entry, "build") || !is_string(entry, "verdict") || !is_string(entry, "binary") ||
        !is_string(entry, "reason") || !json_is_integer(json_object_get(entry, "compared")) ||
        json_integer_value(json_object_get(entry, "compared")) < 0) {
        return false;
    }
    *kind = verdict_of(json_string_value(json_object_get(entry, "verdict")));
    return *kind >= 0;
}

/* The same build in the list, with the same QEMU in it as then? */
static bool matches(struct tcgrr_reader *reader, const char *build, const json_t *entry)
{
    g_autofree char *binary = tcgrr_verdict_binary(reader, build, NULL);
    json_t *identity = binary_identity(binary);
    bool same = identity && strcmp(build, json_string_value(json_object_get(entry, "build"))) == 0 &&
                strcmp(binary, json_string_value(json_object_get(entry, "binary"))) == 0 &&
                json_equal(identity, json_object_get(entry, "identity"));
    json_decref(identity);
    return same;
}

static bool is_tried(const GArray *trials, int build)
{
    for (guint i = 0; i < trials->len; i++) {
        if (g_array_index(trials, struct tcgrr_trial, i).build == build) {
            return true;
        }
    }
    return false;
}

static void remember(struct tcgrr_reader *reader, const struct tcgrr_builds_options *options, const json_t *entry,
                     int kind, GArray *trials)
{
    for (int i = 0; options->builds[i]; i++) {
        if (is_tried(trials, i) || !matches(reader, options->builds[i], entry)) {
            continue;
        }
        struct tcgrr_trial trial = {
            .build = i,
            .remembered = true,
            .verdict = {.kind = (enum tcgrr_verdict_kind)kind,
                        .binary = g_strdup(json_string_value(json_object_get(entry, "binary"))),
                        .version = g_strdup(json_string_value(json_object_get(entry, "qemu_version"))),
                        .reason = g_strdup(json_string_value(json_object_get(entry, "reason"))),
                        .own_inputs = json_is_true(json_object_get(entry, "own_inputs")),
                        .translated = json_is_true(json_object_get(entry, "translated")),
                        .compared = (tcgrr_icount)json_integer_value(json_object_get(entry, "compared"))},
        };
        g_array_append_val(trials, trial);
        return;
    }
}

/* The file's object; an empty one if there is no file; NULL with error. */
static json_t *read_file(const char *path, GError **error)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return json_object();
    }
    g_autofree char *text = NULL;
    gsize length = 0;
    if (S_ISREG(status.st_mode) && status.st_size <= STATE_BYTES && !g_file_get_contents(path, &text, &length, error)) {
        return NULL;
    }
    json_t *object = text ? json_loadb(text, length, 0, NULL) : NULL;
    if (!json_is_integer(json_object_get(object, "version")) ||
        json_integer_value(json_object_get(object, "version")) != STATE_VERSION ||
        !json_is_array(json_object_get(object, "tried"))) {
        json_decref(object);
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED,
                    "%s was not written by a search among builds; remove it or name another file with -o", path);
        return NULL;
    }
    return object;
}

bool tcgrr_builds_load(struct tcgrr_reader *reader, const struct tcgrr_builds_options *options, GArray *trials,
                       GError **error)
{
    json_t *wanted = search_identity(reader, options, error);
    json_t *object = wanted ? read_file(options->state_file, error) : NULL;
    bool good = object != NULL;
    bool same = good && !options->fresh &&
                json_equal(json_object_get(object, "trace"), json_object_get(wanted, "trace")) &&
                json_equal(json_object_get(object, "arguments"), json_object_get(wanted, "arguments")) &&
                json_equal(json_object_get(object, "extent"), json_object_get(wanted, "extent"));
    size_t i;
    json_t *entry;

    json_array_foreach(same ? json_object_get(object, "tried") : NULL, i, entry)
    {
        int kind;
        if (check_entry(entry, &kind)) {
            remember(reader, options, entry, kind, trials);
        }
    }
    json_decref(object);
    json_decref(wanted);
    return good;
}
