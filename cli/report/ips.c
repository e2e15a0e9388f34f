/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How fast the guest ran while it was recorded. QEMU's plugin holds a guest to a speed; a trace knows the one it had.
 */
#include "cli/report/report.h"

#include "cli/cli.h"

static const struct report_option options[] = {
    {"ips", REPORT_WITHOUT, NULL, NULL, 0, 0, 0},
    {"ips_quantum", REPORT_WITHOUT, NULL, NULL, 0, 0, 0},
    {0},
};

static json_t *real_or_null(bool known, double value)
{
    return known ? json_real(value) : json_null();
}

static void print_json(struct report_job *job, const GArray *vcpus, uint64_t total)
{
    double seconds = job->run->duration_s;
    bool known = seconds > 0;
    json_t *list = json_array();

    for (guint i = 0; i < vcpus->len; i++) {
        uint64_t ran = g_array_index(vcpus, struct report_vcpu, i).ran;
        json_array_append_new(list, json_pack("{s:i, s:o, s:o}", "vcpu", (int)i, "insns", report_number_json(ran),
                                              "ips", real_or_null(known, (double)ran / seconds)));
    }
    report_print_json(job, json_pack("{s:o, s:o, s:o, s:o}", "insns", report_number_json(total), "duration_s",
                                     real_or_null(known, seconds), "ips", real_or_null(known, (double)total / seconds),
                                     "vcpus", list));
}

static void print_text(const struct report_job *job, const GArray *vcpus, uint64_t total)
{
    double seconds = job->run->duration_s;

    for (guint i = 0; i < vcpus->len; i++) {
        uint64_t ran = g_array_index(vcpus, struct report_vcpu, i).ran;
        if (ran) {
            printf("CPU%u: insns: %" G_GUINT64_FORMAT "\n", i, ran);
        }
    }
    printf("Total: insns: %" G_GUINT64_FORMAT, total);
    if (seconds > 0) {
        printf(", seconds: %.3f, insns per second: %.0f", seconds, (double)total / seconds);
    }
    putchar('\n');
}

static bool run(struct report_job *job, GError **error)
{
    struct report_profile profile;
    uint64_t total = 0;

    if (!report_profile_make(job, &profile, error)) {
        return false;
    }
    for (guint i = 0; i < profile.vcpus->len; i++) {
        total += g_array_index(profile.vcpus, struct report_vcpu, i).ran;
    }
    if (job->json) {
        print_json(job, profile.vcpus, total);
    } else {
        print_text(job, profile.vcpus, total);
    }
    report_profile_clear(&profile);
    if (!(job->run->duration_s > 0)) {
        cli_note("how long the recording took is not known: it was cut short");
    }
    return true;
}

const struct report report_ips = {
    "ips",
    "instructions per second while it was recorded, by vCPU",
    "The plugin slows a guest down to a given speed and prints nothing; here are the instructions that ran and the\n"
    "seconds that QEMU took for them, idle time and recording included.\n\n"
    "Examples:\n"
    "  tcgrr report boot.tcgrr ips\n",
    options,
    run,
    NULL,
    NULL,
};
