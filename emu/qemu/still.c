/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/still.h"

#include "store/error.h"

#define QMP_MS  60000
#define POLL_US 1000
#define LOOK_US (500 * 1000) /* how often a QEMU that runs is asked how far it is */
/* Of its own time without getting anywhere, and a replay has hung: it may say so at a slice's end only, and the
 * longest has 2^31 instructions. */
#define SPIN_US (10 * 1000 * 1000)

bool tcgrr_still_icount(struct tcgrr_still *still, tcgrr_icount *icount, GError **error)
{
    json_t *answer = tcgrr_qmp_execute(still->qmp, "query-replay", NULL, QMP_MS, error);
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

static bool is_running(struct tcgrr_still *still, bool *running, GError **error)
{
    json_t *answer = tcgrr_qmp_execute(still->qmp, "query-status", NULL, QMP_MS, error);
    *running = json_is_true(json_object_get(answer, "running"));
    json_decref(answer);
    return answer != NULL;
}

bool tcgrr_still_wait(struct tcgrr_still *still, GError **error)
{
    gint64 moved = g_get_monotonic_time();
    gint64 looked = moved;
    int64_t spent = tcgrr_process_spent(still->process);

    for (bool running = true; is_running(still, &running, error); g_usleep(POLL_US)) {
        gint64 now = g_get_monotonic_time();
        tcgrr_icount icount = still->seen;
        if (!running) {
            return true;
        }
        if ((still->stop && *still->stop) || (still->give_up && still->give_up(still->data))) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted");
            return false;
        }
        if (now - looked > LOOK_US) {
            looked = now;
            if (!tcgrr_still_icount(still, &icount, error)) {
                return false;
            }
        }
        if (icount != still->seen) {
            moved = now;
            still->seen = icount;
            spent = tcgrr_process_spent(still->process);
            if (still->progress) {
                still->progress(icount, still->data);
            }
        }
        if (now - moved > (gint64)still->hang_ms * 1000 || tcgrr_process_spent(still->process) - spent > SPIN_US) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_HUNG, "%s hangs after icount %" G_GUINT64_FORMAT, still->name,
                        still->seen);
            return false;
        }
    }
    return false;
}
