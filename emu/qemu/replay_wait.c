/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/replay_wait.h"

#include "store/error.h"

#define QMP_MS  60000
#define POLL_US 1000
#define LOOK_US (500 * 1000) /* interval of querying a running QEMU's progress */
/* Processor time without progress after which a replay has hung. It must be long, because progress is visible only at
 * the end of a slice, and the longest has 2^31 instructions. */
#define SPIN_US (10 * 1000 * 1000)

bool tcgrr_replay_wait_icount(struct tcgrr_replay_wait *wait, tcgrr_icount *icount, GError **error)
{
    json_t *answer = tcgrr_qmp_execute(wait->qmp, "query-replay", NULL, QMP_MS, error);
    json_t *number = json_object_get(answer, "icount");
    bool good = json_is_integer(number) && json_integer_value(number) >= 0;

    if (good) {
        *icount = (tcgrr_icount)json_integer_value(number);
    } else if (answer) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "QEMU does not report the position of its replay");
    }
    json_decref(answer);
    return good;
}

static bool is_running(struct tcgrr_replay_wait *wait, bool *running, GError **error)
{
    json_t *answer = tcgrr_qmp_execute(wait->qmp, "query-status", NULL, QMP_MS, error);
    *running = json_is_true(json_object_get(answer, "running"));
    json_decref(answer);
    return answer != NULL;
}

bool tcgrr_replay_wait_stop(struct tcgrr_replay_wait *wait, GError **error)
{
    gint64 moved = g_get_monotonic_time();
    gint64 looked = moved;
    int64_t spent = tcgrr_process_spent(wait->process);

    for (bool running = true; is_running(wait, &running, error); g_usleep(POLL_US)) {
        gint64 now = g_get_monotonic_time();
        tcgrr_icount icount = wait->seen;
        if (!running) {
            return true;
        }
        if ((wait->stop && *wait->stop) || (wait->give_up && wait->give_up(wait->data))) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted");
            return false;
        }
        if (now - looked > LOOK_US) {
            looked = now;
            if (!tcgrr_replay_wait_icount(wait, &icount, error)) {
                return false;
            }
        }
        if (icount != wait->seen) {
            moved = now;
            wait->seen = icount;
            spent = tcgrr_process_spent(wait->process);
            if (wait->progress) {
                wait->progress(icount, wait->data);
            }
        }
        if (now - moved > (gint64)wait->hang_ms * 1000 || tcgrr_process_spent(wait->process) - spent > SPIN_US) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_HUNG, "%s hangs after icount %" G_GUINT64_FORMAT, wait->name,
                        wait->seen);
            return false;
        }
    }
    return false;
}
