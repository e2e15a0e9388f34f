/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blocks and instructions of each vCPU. */
#include "cli/cli.h"
#include "cli/report/report.h"

enum { IDLE };

static const struct report_option options[] = {
    {"idle", REPORT_SWITCH, NULL, "also print the counts so far each time a vCPU goes idle", 0, 0, 0},
    {"inline", REPORT_WITHOUT, NULL, NULL, 0, 0, 0},
    {0},
};

struct idling {
    struct report_job *job;
    GArray *vcpus; /* struct report_vcpu */
    GArray *events;
    json_t *list;
    uint64_t count;
};

static void print_counts(const struct report_vcpu *counts, const char *before, tcgrr_vcpu vcpu)
{
    printf("%sCPU%u: bb's: %" G_GUINT64_FORMAT ", insns: %" G_GUINT64_FORMAT "\n", before, vcpu, counts->execs,
           counts->ran);
}

static json_t *counts_json(const struct report_vcpu *counts, tcgrr_vcpu vcpu)
{
    return json_pack("{s:o, s:o, s:o}", "vcpu", report_number_json(vcpu), "bbs", report_number_json(counts->execs),
                     "insns", report_number_json(counts->ran));
}

static bool say_idle(struct idling *idling, const struct tcgrr_event *event, GError **error)
{
    const struct report_vcpu *counts = report_vcpu(idling->vcpus, event->vcpu, error);
    if (!counts) {
        return false;
    }
    idling->count++;
    if (idling->list) {
        json_t *entry = counts_json(counts, event->vcpu);
        json_object_set_new(entry, "icount", report_number_json(event->icount));
        json_array_append_new(idling->list, entry);
    } else if (counts->execs) {
        print_counts(counts, "Idling ", event->vcpu);
    }
    return true;
}

/* Handles the events right after the walk's current execution; *next is the first unhandled one. */
static bool say_idles(struct idling *idling, const struct tcgrr_exec_walk *walk, guint *next, GError **error)
{
    for (; *next < idling->events->len; (*next)++) {
        const struct tcgrr_event *event = &g_array_index(idling->events, struct tcgrr_event, *next);
        if ((int64_t)event->seq > tcgrr_exec_walk_seq(walk) + 1) {
            break;
        }
        if (event->kind == TCGRR_EVENT_IDLE && !say_idle(idling, event, error)) {
            return false;
        }
    }
    return true;
}

static bool count_up(struct idling *idling, GError **error)
{
    struct tcgrr_exec_walk walk;
    guint next = 0;
    bool good = report_walk_begin(idling->job, &walk, NULL, error);

    for (; good && !walk.end; good = good && tcgrr_exec_walk_next(&walk, error)) {
        struct report_vcpu *counts = report_vcpu(idling->vcpus, walk.at.vcpu, error);
        if (walk.at.index == 0) {
            next = 0;
            good = report_chunk_events(idling->job, walk.at.chunk, idling->events, error);
        }
        good = good && counts;
        if (good) {
            counts->execs++;
            counts->ran += walk.at.ran;
            good = say_idles(idling, &walk, &next, error);
        }
    }
    report_walk_end(&walk);
    return good;
}

static bool print_idles(struct report_job *job, json_t *list, GError **error)
{
    struct idling idling = {.job = job, .list = list};
    idling.vcpus = g_array_new(FALSE, TRUE, sizeof(struct report_vcpu));
    idling.events = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_event));
    bool good = count_up(&idling, error);
    g_array_unref(idling.vcpus);
    g_array_unref(idling.events);
    if (good && idling.count == 0) {
        cli_note("no vCPU was seen to go idle; QEMU reports that only where each vCPU has its own thread");
    }
    return good;
}

static bool run(struct report_job *job, GError **error)
{
    struct report_profile profile;
    bool idle = job->values[IDLE].number != 0;
    json_t *idles = job->json && idle ? json_array() : NULL;

    if ((idle && !print_idles(job, idles, error)) || !report_profile_make(job, &profile, error)) {
        json_decref(idles);
        return false;
    }
    struct report_vcpu total = {0};
    json_t *list = json_array();
    for (guint i = 0; i < profile.vcpus->len; i++) {
        const struct report_vcpu *counts = &g_array_index(profile.vcpus, struct report_vcpu, i);
        total.execs += counts->execs;
        total.ran += counts->ran;
        json_array_append_new(list, counts_json(counts, i));
        if (!job->json && counts->execs) {
            print_counts(counts, "", i);
        }
    }
    if (job->json) {
        json_t *object = json_pack("{s:o, s:o, s:o}", "bbs", report_number_json(total.execs), "insns",
                                   report_number_json(total.ran), "vcpus", json_incref(list));
        if (idles) {
            json_object_set(object, "idle", idles);
        }
        report_print_json(job, object);
    } else {
        printf("Total: bb's: %" G_GUINT64_FORMAT ", insns: %" G_GUINT64_FORMAT "\n", total.execs, total.ran);
    }
    json_decref(list);
    json_decref(idles);
    report_profile_clear(&profile);
    return true;
}

const struct report report_bb = {
    "bb",
    "blocks and instructions that ran, by vCPU",
    "Counts only instructions that completed; the plugin counts each block as if all of it had run.\n\n"
    "Examples:\n"
    "  tcgrr report boot.tcgrr bb\n",
    options,
    run,
    NULL,
    NULL,
};
