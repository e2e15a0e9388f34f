/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which pages were accessed most: physical ones, or with io virtual ones of devices. */
#include "cli/report/report.h"

#include "cli/cli.h"
#include "store/error.h"

enum { SORTBY, IO, PAGESIZE, LIMIT };
enum { BY_SUM, BY_READS, BY_WRITES, BY_ADDRESS };

static const struct report_option options[] = {
    {"sortby", REPORT_CHOICE, "sum|reads|writes|address", "sort the list by this, in descending order (sum)", BY_SUM, 0,
     0},
    {"io", REPORT_SWITCH, NULL, "count accesses to devices only", 0, 0, 0},
    {"pagesize", REPORT_NUMBER, "N", "bytes of a page (4096)", 4096, 1, UINT64_C(1) << 62},
    {"limit", REPORT_NUMBER, "N", "number of pages to print; 0: all (50)", 50, 0, UINT32_MAX},
    {0},
};

struct page {
    uint64_t address;
    uint64_t read_vcpus; /* as bits */
    uint64_t write_vcpus;
    uint64_t reads;
    uint64_t writes;
};

struct pages {
    struct report_job *job;
    GHashTable *by_address; /* struct page, the key is its address */
    struct page *last;      /* the one accessed last, most often the next one, too */
};

static void count(const struct report_access *at, void *data)
{
    struct pages *pages = data;
    const struct tcgrr_access *access = at->access;
    bool device = access->flags & TCGRR_ACCESS_DEVICE;
    uint64_t mask = ~(pages->job->values[PAGESIZE].number - 1);
    bool physical = !device && access->flags & TCGRR_ACCESS_PHYSICAL;
    uint64_t address = (physical ? access->physical : access->address) & mask;

    if (pages->job->values[IO].number && !device) {
        return;
    }
    if (!pages->last || pages->last->address != address) {
        pages->last = g_hash_table_lookup(pages->by_address, &address);
        if (!pages->last) {
            pages->last = g_new0(struct page, 1);
            pages->last->address = address;
            g_hash_table_insert(pages->by_address, &pages->last->address, pages->last);
        }
    }
    if (access->flags & TCGRR_ACCESS_STORE) {
        pages->last->writes++;
        pages->last->write_vcpus |= UINT64_C(1) << MIN(at->vcpu, 63);
    } else {
        pages->last->reads++;
        pages->last->read_vcpus |= UINT64_C(1) << MIN(at->vcpu, 63);
    }
}

static uint64_t rank(const struct page *page, uint64_t sort)
{
    return sort == BY_READS     ? page->reads
           : sort == BY_WRITES  ? page->writes
           : sort == BY_ADDRESS ? page->address
                                : page->reads + page->writes;
}

static gint by_rank(gconstpointer a, gconstpointer b, gpointer data)
{
    const struct page *left = *(struct page *const *)a;
    const struct page *right = *(struct page *const *)b;
    uint64_t ranks[] = {rank(left, *(uint64_t *)data), rank(right, *(uint64_t *)data)};
    return ranks[0] != ranks[1] ? (ranks[0] > ranks[1] ? -1 : 1)
                                : (left->address > right->address) - (left->address < right->address);
}

static void print(struct report_job *job, GPtrArray *pages)
{
    uint64_t sort = job->values[SORTBY].number;
    uint64_t limit = job->values[LIMIT].number ? job->values[LIMIT].number : UINT64_MAX;
    json_t *list = json_array();

    g_ptr_array_sort_with_data(pages, by_rank, &sort);
    if (!job->json) {
        printf("Addr, RCPUs, Reads, WCPUs, Writes\n");
    }
    for (guint i = 0; i < pages->len && i < limit; i++) {
        const struct page *page = g_ptr_array_index(pages, i);
        if (!job->json) {
            printf("0x%016" G_GINT64_MODIFIER "x, 0x%04" G_GINT64_MODIFIER "x, %" G_GUINT64_FORMAT
                   ", 0x%04" G_GINT64_MODIFIER "x, %" G_GUINT64_FORMAT "\n",
                   page->address, page->read_vcpus, page->reads, page->write_vcpus, page->writes);
        }
        json_array_append_new(
            list, json_pack("{s:o, s:o, s:o, s:o, s:o}", "address", cli_json_address(page->address), "read_vcpus",
                            cli_json_address(page->read_vcpus), "reads", report_number_json(page->reads), "write_vcpus",
                            cli_json_address(page->write_vcpus), "writes", report_number_json(page->writes)));
    }
    if (job->json) {
        report_print_json(job, json_pack("{s:i, s:O}", "collected", (int)pages->len, "pages", list));
    }
    json_decref(list);
}

static bool run(struct report_job *job, GError **error)
{
    uint64_t size = job->values[PAGESIZE].number;
    if ((size & (size - 1)) != 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "pagesize takes a power of two");
        return false;
    }
    struct pages pages = {.job = job, .by_address = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free)};
    bool good = report_need(job, TCGRR_LEVEL_FULL, error) && report_each_access(job, count, &pages, error);
    if (good) {
        g_autoptr(GPtrArray) list = report_values_of(pages.by_address);
        print(job, list);
    }
    g_hash_table_unref(pages.by_address);
    return good;
}

const struct report report_hotpages = {
    "hotpages",
    "the pages that were accessed most",
    "RAM pages are physical, device pages virtual. Needs a trace recorded at --level full.\n\n"
    "Examples:\n"
    "  tcgrr report full.tcgrr hotpages sortby=writes limit=10\n"
    "  tcgrr report full.tcgrr hotpages io=on\n",
    options,
    run,
    NULL,
    NULL,
};
