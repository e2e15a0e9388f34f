/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/refine_samples.h"

/* Maximum number of samples, because a run may have very many branches between two samples. */
#define SAMPLES_MAX 65536

static uint64_t step_of(const struct tcgrr_run *run)
{
    return run->sample_step > 0 ? run->sample_step : TCGRR_SAMPLE_STEP;
}

bool tcgrr_replay_refine_samples(struct tcgrr_reader *reader, const struct tcgrr_replay_options *options,
                                 const struct tcgrr_replay_result *replay, bool by_stores,
                                 struct tcgrr_replay_result *closer, bool *known, GError **error)
{
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    const struct tcgrr_data_divergence *data = &replay->comparison.data;
    struct tcgrr_replay_options again = *options;
    uint64_t step = step_of(run);
    bool stores = by_stores && data->stores_parted;
    uint64_t first = stores ? data->stores_number : data->same_number;
    uint64_t last = data->found && !stores ? data->to_number : first + 1;

    *known = false;
    if (data->samples == 0 || (run->has_sample_from && !options->begin.folder) || !replay->comparison.diverged) {
        return true;
    }
    again.known[0] = replay->original ? tcgrr_session_qemu(replay->original) : NULL;
    again.known[1] = tcgrr_session_qemu(replay->session);
    again.closer.from = first * step;
    again.closer.to = MIN(last * step, again.closer.from + SAMPLES_MAX);
    again.enough = stores ? data->stores_to[0] + 1 : data->found ? data->to[0] + 1 : replay->comparison.icount;
    if (!tcgrr_replay(reader, &again, closer, error)) {
        return false;
    }
    *known = closer->comparison.data.samples > 0;
    return true;
}
