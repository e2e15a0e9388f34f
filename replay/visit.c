/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/visit.h"

#include "emu/qemu/machine_digest.h"
#include "replay/keyframe_save.h"
#include "replay/keyframes_visit.h"
#include "replay/recorded.h"

struct tcgrr_replay_visit {
    struct tcgrr_keyframes_options of;
    struct tcgrr_qemu qemu;
    struct tcgrr_keyframes *keyframes;
    struct tcgrr_keyframe start;
    tcgrr_icount at;
    tcgrr_icount place; /* where a keyframe may be left; 0: nowhere */
    int hang_ms;
    const volatile int *stop;
    struct tcgrr_session *session;
    int64_t spent;                   /* of QEMU's time when it began */
    struct tcgrr_ram_pages *written; /* before the guest ran; NULL: not known */
    struct tcgrr_keyframe_draft draft;
};

/* Where a keyframe may be left on the way; 0: nowhere. */
static tcgrr_icount find_place(const struct tcgrr_replay_visit *visit)
{
    const struct tcgrr_keyframes_options *of = &visit->of;
    bool some = tcgrr_keyframes_list(visit->keyframes)->len > 0;
    struct tcgrr_rrlog *log = some ? tcgrr_rrlog_load(of->rr_file, of->qemu->version, NULL) : NULL;
    tcgrr_icount place = 0;

    if (log) {
        tcgrr_rrlog_rebase(log, tcgrr_recorded_start(of->reader));
        place = tcgrr_keyframes_choose_place(visit->keyframes, log, visit->start.icount, visit->at);
        tcgrr_rrlog_free(log);
    }
    return place;
}

struct tcgrr_replay_visit *tcgrr_replay_visit_new(const struct tcgrr_keyframes_options *of, tcgrr_icount at,
                                                  int hang_ms, const volatile int *stop)
{
    struct tcgrr_replay_visit *visit = g_new0(struct tcgrr_replay_visit, 1);

    tcgrr_qemu_copy(&visit->qemu, of->qemu);
    visit->of = *of;
    visit->of.qemu = &visit->qemu;
    visit->of.rr_file = g_strdup(of->rr_file);
    visit->of.words = g_strdupv(of->words);
    visit->of.start = g_strdup(of->start);
    visit->keyframes = tcgrr_keyframes_open(&visit->of);
    visit->at = at;
    visit->hang_ms = hang_ms;
    visit->stop = stop;
    /* Before it: QEMU does not stop where it already is. */
    visit->start = tcgrr_keyframes_before(visit->keyframes, at > 0 ? at - 1 : 0);
    visit->place = at > visit->start.icount + TCGRR_VISIT_MIN ? find_place(visit) : 0;
    return visit;
}

void tcgrr_replay_visit_free(struct tcgrr_replay_visit *visit)
{
    if (visit) {
        if (visit->draft.folder) { /* it did not arrive */
            tcgrr_keyframe_draft_end(visit->keyframes, &visit->draft, NULL, 0, NULL);
        }
        tcgrr_ram_pages_free(visit->written);
        tcgrr_keyframes_free(visit->keyframes);
        g_free((char *)visit->of.rr_file);
        g_strfreev(visit->of.words);
        g_free((char *)visit->of.start);
        tcgrr_qemu_clear(&visit->qemu);
        g_free(visit);
    }
}

void tcgrr_replay_visit_reject(struct tcgrr_replay_visit *visit)
{
    if (visit->start.folder) {
        tcgrr_keyframes_reject(visit->keyframes, visit->start.icount);
    }
}

struct tcgrr_keyframe tcgrr_replay_visit_start(struct tcgrr_replay_visit *visit)
{
    return visit->start;
}

tcgrr_icount tcgrr_replay_visit_begin(struct tcgrr_replay_visit *visit, struct tcgrr_session *session)
{
    visit->session = session;
    visit->spent = tcgrr_process_spent(tcgrr_session_process(session));
    if (!tcgrr_keyframe_can_save(tcgrr_session_command(session), visit->start.folder)) {
        visit->place = 0;
    }
    struct tcgrr_qmp *qmp = visit->place > 0 ? tcgrr_session_qmp(session, NULL) : NULL;
    visit->written = qmp ? tcgrr_ram_pages_written(qmp, tcgrr_session_process(session)) : NULL;
    return visit->place > 0 ? visit->place : visit->at;
}

void tcgrr_replay_visit_leave(struct tcgrr_replay_visit *visit)
{
    struct tcgrr_session *session = visit->session;
    struct tcgrr_process *process = tcgrr_session_process(session);
    struct tcgrr_qmp *qmp = tcgrr_session_qmp(session, NULL);
    bool there = tcgrr_session_ask_icount(session) == (int64_t)visit->place;

    if (there && qmp && tcgrr_keyframes_is_worthwhile(visit->keyframes, tcgrr_process_spent(process) - visit->spent)) {
        struct tcgrr_keyframe_machine machine = {.qmp = qmp,
                                                 .process = process,
                                                 .command = tcgrr_session_command(session),
                                                 .started = visit->start.folder,
                                                 .written = visit->written};
        tcgrr_keyframe_draft(visit->keyframes, &machine, visit->place, &visit->draft);
    }
}

void tcgrr_replay_visit_arrive(struct tcgrr_replay_visit *visit)
{
    struct tcgrr_session *session = visit->session;
    struct tcgrr_qmp *qmp = visit->draft.folder ? tcgrr_session_qmp(session, NULL) : NULL;

    if (!qmp) {
        return;
    }
    struct tcgrr_player_options options = {
        .reader = visit->of.reader,
        .qemu = visit->of.qemu,
        .rr_file = visit->of.rr_file,
        .words = visit->of.words,
        .own = visit->of.extra,
        .start = visit->of.start,
        .from = {.icount = visit->draft.icount, .folder = visit->draft.folder},
        .hang_ms = visit->hang_ms,
        .stop = visit->stop,
    };
    g_autofree char *state = tcgrr_machine_digest(qmp, tcgrr_session_process(session), NULL);
    struct tcgrr_player *fresh = state ? tcgrr_player_start(&options, NULL) : NULL;
    tcgrr_keyframe_draft_end(visit->keyframes, &visit->draft, fresh, visit->at, state);
}
