/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/drive.h"

bool tcgrr_trace_drives(const struct tcgrr_lockstep_local_options *options, struct tcgrr_qemu *qemu, GError **error)
{
    const struct tcgrr_run *run = options->members[0].reader ? tcgrr_reader_run(options->members[0].reader) : NULL;

    if (!run || !options->members[1].qemu || options->own_inputs || !run->rr ||
        !tcgrr_qemu_probe(options->members[1].qemu, options->plugin, qemu, error)) {
        return false;
    }
    bool alike = tcgrr_state_same_qemu(run->qemu_version, run->qemu_build_id, qemu->version, qemu->build_id);
    return qemu->system && (alike || !options->starts_late || !*options->members[1].arguments);
}
