/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which devices were accessed how often, and from where or at which of their registers. */
#include "cli/report/report.h"

#include "cli/cli.h"
#include "store/error.h"

#include <string.h>

enum { TRACK, SOURCE, PATTERN, MATCH };
enum { BOTH, READS, WRITES };

static const struct report_option options[] = {
    {"track", REPORT_CHOICE, "both|read|write", "which accesses count (both)", BOTH, 0, 0},
    {"source", REPORT_SWITCH, NULL, "break down by the instruction that made the access", 0, 0, 0},
    {"pattern", REPORT_SWITCH, NULL, "break down by offset in the device", 0, 0, 0},
    {"match", REPORT_LIST, "DEVICE", "only devices with this name, and a line for each access to them", 0, 0, 0},
    {0},
};

struct counts {
    uint64_t read_vcpus; /* as bits */
    uint64_t write_vcpus;
    uint64_t reads;
    uint64_t writes;
};

/* A place in a device, or an instruction. */
struct location {
    uint64_t key;
    struct counts counts;
};

struct device {
    char *name;
    uint64_t base; /* of its region, physical; 0: not known */
    struct counts counts;
    GHashTable *locations; /* struct location; the key is its key */
};

struct profile {
    struct report_job *job;
    GHashTable *devices; /* "base name" → struct device */
    GError *error;
};

static void free_device(gpointer data)
{
    struct device *device = data;
    g_free(device->name);
    g_hash_table_unref(device->locations);
    g_free(device);
}

static bool tracks(const struct report_job *job, bool store)
{
    return job->values[TRACK].number == BOTH || (job->values[TRACK].number == WRITES) == store;
}

static void add(struct counts *counts, bool store, tcgrr_vcpu vcpu)
{
    *(store ? &counts->write_vcpus : &counts->read_vcpus) |= UINT64_C(1) << MIN(vcpu, 63);
    *(store ? &counts->writes : &counts->reads) += 1;
}

static void print_counts(const struct report_job *job, const struct counts *counts)
{
    if (tracks(job, false)) {
        printf(", %" G_GINT64_MODIFIER "x, %" G_GUINT64_FORMAT, counts->read_vcpus, counts->reads);
    }
    if (tracks(job, true)) {
        printf(", %" G_GINT64_MODIFIER "x, %" G_GUINT64_FORMAT, counts->write_vcpus, counts->writes);
    }
    printf("\n");
}

static void print_device(const struct report_job *job, const struct device *device)
{
    printf("%s, 0x%" G_GINT64_MODIFIER "x", device->name, device->base);
    print_counts(job, &device->counts);
}

/* ---- counting ---- */

static bool is_wanted(const struct report_job *job, const char *name)
{
    const GPtrArray *matches = job->values[MATCH].texts;
    for (guint i = 0; i < matches->len; i++) {
        if (strcmp(g_ptr_array_index(matches, i), name) == 0) {
            return true;
        }
    }
    return matches->len == 0;
}

static struct device *get_device(struct profile *profile, const char *name, uint64_t base)
{
    g_autofree char *key = g_strdup_printf("%" G_GINT64_MODIFIER "x %s", base, name);
    struct device *device = g_hash_table_lookup(profile->devices, key);
    if (!device) {
        device = g_new0(struct device, 1);
        device->name = g_strdup(name);
        device->base = base;
        device->locations = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
        g_hash_table_insert(profile->devices, g_steal_pointer(&key), device);
    }
    return device;
}

static void count_location(struct device *device, uint64_t key, bool store, tcgrr_vcpu vcpu)
{
    struct location *location = g_hash_table_lookup(device->locations, &key);
    if (!location) {
        location = g_new0(struct location, 1);
        location->key = key;
        g_hash_table_insert(device->locations, &location->key, location);
    }
    add(&location->counts, store, vcpu);
}

static void count(const struct report_access *at, void *data)
{
    struct profile *profile = data;
    const struct tcgrr_access *access = at->access;
    bool store = access->flags & TCGRR_ACCESS_STORE;
    bool physical = access->flags & TCGRR_ACCESS_PHYSICAL;
    uint64_t base = 0;

    if (profile->error || !(access->flags & TCGRR_ACCESS_DEVICE) || !tracks(profile->job, store)) {
        return;
    }
    const char *name = tcgrr_reader_device(profile->job->reader, access, &profile->error);
    if (profile->error ||
        (physical && !tcgrr_reader_region(profile->job->reader, access->physical, &base, &profile->error))) {
        return;
    }
    name = name && *name ? name : "unknown";
    if (!is_wanted(profile->job, name)) {
        return;
    }
    struct device *device = get_device(profile, name, base);
    uint64_t offset = (physical ? access->physical : access->address) - base;
    if (profile->job->values[MATCH].texts->len > 0 && !profile->job->json) {
        printf("hwprofile: match @ offset%" G_GINT64_MODIFIER "x, previous hits\n", offset);
        print_device(profile->job, device);
    }
    add(&device->counts, store, at->vcpu);
    if (profile->job->values[SOURCE].number) {
        count_location(device, tcgrr_block_pc(at->block, access->insn), store, at->vcpu);
    } else if (profile->job->values[PATTERN].number) {
        count_location(device, offset, store, at->vcpu);
    }
}

/* ---- printing ---- */

static int by_hits(const void *a, const void *b)
{
    const struct device *left = *(struct device *const *)a;
    const struct device *right = *(struct device *const *)b;
    uint64_t hits[] = {left->counts.reads + left->counts.writes, right->counts.reads + right->counts.writes};
    return hits[0] != hits[1]          ? (hits[0] > hits[1] ? -1 : 1)
           : left->base != right->base ? (left->base < right->base ? -1 : 1)
                                       : strcmp(left->name, right->name);
}

static int by_key(const void *a, const void *b)
{
    const struct location *left = *(struct location *const *)a;
    const struct location *right = *(struct location *const *)b;
    return (left->key > right->key) - (left->key < right->key);
}

static json_t *counts_json(const struct counts *counts)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "read_vcpus", cli_json_address(counts->read_vcpus), "reads",
                     report_number_json(counts->reads), "write_vcpus", cli_json_address(counts->write_vcpus), "writes",
                     report_number_json(counts->writes));
}

static void print_locations(struct report_job *job, const struct device *device, json_t *list)
{
    bool pattern = job->values[PATTERN].number;
    g_autoptr(GPtrArray) locations = report_values_of(device->locations);

    g_ptr_array_sort(locations, by_key);
    for (guint i = 0; i < locations->len; i++) {
        const struct location *location = g_ptr_array_index(locations, i);
        if (!job->json) {
            printf("  %s:%08" G_GINT64_MODIFIER "x", pattern ? "off" : "pc", location->key);
            print_counts(job, &location->counts);
        }
        json_t *entry = counts_json(&location->counts);
        json_object_set_new(entry, pattern ? "offset" : "pc", cli_json_address(location->key));
        if (!pattern) {
            json_object_set_new(entry, "symbol", report_text_json(report_place(job, location->key)));
        }
        json_array_append_new(list, entry);
    }
}

static void print(struct report_job *job, GPtrArray *devices)
{
    bool detailed = job->values[SOURCE].number || job->values[PATTERN].number;
    json_t *list = json_array();

    g_ptr_array_sort(devices, by_hits);
    if (!job->json && !detailed) {
        printf("Device, Address%s%s\n", tracks(job, false) ? ", RCPUs, Reads" : "",
               tracks(job, true) ? ",  WCPUs, Writes" : "");
    }
    for (guint i = 0; i < devices->len; i++) {
        const struct device *device = g_ptr_array_index(devices, i);
        json_t *locations = json_array();
        if (!job->json && detailed) {
            printf("%s @ 0x%" G_GINT64_MODIFIER "x\n", device->name, device->base);
        } else if (!job->json) {
            print_device(job, device);
        }
        print_locations(job, device, locations);
        json_t *entry = counts_json(&device->counts);
        json_object_set_new(entry, "device", report_text_json(g_strdup(device->name)));
        json_object_set_new(entry, "base", cli_json_address(device->base));
        json_object_set_new(entry, "locations", locations);
        json_array_append_new(list, entry);
    }
    if (job->json) {
        report_print_json(job, json_pack("{s:O}", "devices", list));
    }
    json_decref(list);
}

static bool check(struct report_job *job, GError **error)
{
    if (job->values[SOURCE].number && job->values[PATTERN].number) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "source and pattern exclude each other");
        return false;
    }
    if (strcmp(job->run->mode, "user") == 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "%s is a user-mode trace; only system-mode traces have devices", tcgrr_reader_path(job->reader));
        return false;
    }
    return report_need(job, TCGRR_LEVEL_FULL, error);
}

/* Says that what match= names had no accesses: the name may be wrong. */
static void note_unmatched(const struct report_job *job, const GPtrArray *devices)
{
    const GPtrArray *matches = job->values[MATCH].texts;
    for (guint i = 0; i < matches->len; i++) {
        bool any = false;
        for (guint k = 0; k < devices->len; k++) {
            any |= strcmp(((const struct device *)g_ptr_array_index(devices, k))->name,
                          g_ptr_array_index(matches, i)) == 0;
        }
        if (!any) {
            cli_note("no device '%s' was accessed; without match= all are listed",
                     (const char *)g_ptr_array_index(matches, i));
        }
    }
}

static bool run(struct report_job *job, GError **error)
{
    struct profile profile = {.job = job};
    if (!check(job, error)) {
        return false;
    }
    profile.devices = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_device);
    bool good = report_each_access(job, count, &profile, error);
    if (good && profile.error) {
        g_propagate_error(error, profile.error);
        good = false;
    } else {
        g_clear_error(&profile.error);
    }
    if (good) {
        g_autoptr(GPtrArray) list = report_values_of(profile.devices);
        print(job, list);
        note_unmatched(job, list);
    }
    g_hash_table_unref(profile.devices);
    return good;
}

const struct report report_hwprofile = {
    "hwprofile",
    "how often each device was accessed",
    "Addresses are physical: where the device's part of the memory map begins. Needs a trace recorded at --level "
    "full.\n\n"
    "Examples:\n"
    "  tcgrr report full.tcgrr hwprofile\n"
    "  tcgrr report full.tcgrr hwprofile pattern track=read\n"
    "  tcgrr report full.tcgrr hwprofile source\n",
    options,
    run,
    NULL,
    NULL,
};
