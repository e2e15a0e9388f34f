/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/keyframes_visit.h"

#include "emu/qemu/machine_digest.h"
#include "replay/keyframes_folder.h"

/* QEMU's processor time above which a keyframe is left: between keyframes of the usual distance it is less, even on a
 * busy machine. Leaving one takes about a second. */
#define LONG_US (400 * 1000)
#define LEAD_IN ((tcgrr_icount)100000) /* distance before a place, because users examine what led to it */

/* The last place up to `icount` that may have a keyframe; 0: there is none near. */
static tcgrr_icount find_place(const struct tcgrr_rrlog *log, tcgrr_icount icount)
{
    for (tcgrr_icount place = icount; place > 0 && icount - place < LEAD_IN; place--) {
        if (tcgrr_keyframes_can_be_taken_at(log, place)) {
            return place;
        }
    }
    return 0;
}

static bool has_room(struct tcgrr_keyframes *keyframes)
{
    const char *trace = tcgrr_reader_path(tcgrr_keyframes_options(keyframes)->reader);
    struct tcgrr_keyframes_sum sum;

    tcgrr_keyframes_sum(trace, &sum);
    return sum.count > 0 && sum.bytes + sum.bytes / sum.count <= tcgrr_keyframes_max_bytes(trace);
}

tcgrr_icount tcgrr_keyframes_choose_place(const struct tcgrr_keyframes *keyframes, const struct tcgrr_rrlog *log,
                                          tcgrr_icount stands, tcgrr_icount icount)
{
    tcgrr_icount place = find_place(log, icount - MIN(icount, LEAD_IN));

    return tcgrr_keyframes_list(keyframes)->len > 0 && place >= stands + TCGRR_VISIT_MIN ? place : 0;
}

bool tcgrr_keyframes_is_worthwhile(struct tcgrr_keyframes *keyframes, int64_t spent)
{
    return spent > LONG_US && has_room(keyframes);
}

static void clear_draft(struct tcgrr_keyframe_draft *draft)
{
    g_clear_pointer(&draft->folder, g_free);
    g_clear_pointer(&draft->state, g_free);
}

void tcgrr_keyframe_draft(struct tcgrr_keyframes *keyframes, const struct tcgrr_keyframe_machine *machine,
                          tcgrr_icount icount, struct tcgrr_keyframe_draft *draft)
{
    draft->icount = icount;
    draft->folder = tcgrr_keyframes_begin(tcgrr_keyframes_own_folder(keyframes), NULL);
    draft->state = draft->folder ? tcgrr_machine_digest(machine->qmp, machine->process, NULL) : NULL;
    if (draft->folder && (!draft->state || !tcgrr_keyframe_save(machine, icount, draft->folder, NULL))) {
        tcgrr_keyframes_remove(draft->folder, NULL);
        clear_draft(draft);
    }
}

void tcgrr_keyframe_draft_end(struct tcgrr_keyframes *keyframes, struct tcgrr_keyframe_draft *draft,
                              struct tcgrr_player *fresh, tcgrr_icount to, const char *state)
{
    g_autofree char *start = fresh ? tcgrr_player_digest(fresh, NULL) : NULL;
    bool good = tcgrr_machine_digest_same(start, draft->state) && tcgrr_player_go(fresh, to, NULL);
    g_autofree char *end = good ? tcgrr_player_digest(fresh, NULL) : NULL;

    tcgrr_player_free(fresh);
    good =
        tcgrr_machine_digest_same(end, state) &&
        tcgrr_keyframes_keep(draft->folder, tcgrr_keyframes_own_folder(keyframes), draft->icount, draft->state, NULL);
    if (draft->folder && !good) {
        tcgrr_keyframes_remove(draft->folder, NULL);
    }
    clear_draft(draft);
    tcgrr_keyframes_look(keyframes);
}

/* Leaves a keyframe. Failing to do so is not an error. The player is at `icount` and may go to `to`. */
static bool leave(struct tcgrr_keyframes *keyframes, struct tcgrr_player *player, tcgrr_icount icount, tcgrr_icount to,
                  GError **error)
{
    struct tcgrr_keyframe_machine machine = tcgrr_player_machine(player);
    struct tcgrr_keyframe_draft draft = {0};

    tcgrr_keyframe_draft(keyframes, &machine, icount, &draft);
    if (!draft.folder) {
        return true;
    }
    struct tcgrr_player *fresh = tcgrr_player_again(player, (struct tcgrr_keyframe){icount, draft.folder, NULL}, NULL);
    bool good = tcgrr_player_go(player, to, error);
    g_autofree char *state = good ? tcgrr_player_digest(player, NULL) : NULL;
    tcgrr_keyframe_draft_end(keyframes, &draft, fresh, to, state);
    return good;
}

bool tcgrr_keyframes_approach(struct tcgrr_keyframes *keyframes, struct tcgrr_player *player,
                              const struct tcgrr_rrlog *log, tcgrr_icount icount, GError **error)
{
    int64_t spent = tcgrr_player_spent(player);
    tcgrr_icount stands;

    if (tcgrr_keyframes_list(keyframes)->len == 0) {
        return true;
    }
    if (!tcgrr_player_icount(player, &stands, error)) {
        return false;
    }
    tcgrr_icount place = tcgrr_keyframes_choose_place(keyframes, log, stands, icount);
    if (place == 0) {
        return true;
    }
    if (!tcgrr_player_go(player, place, error)) {
        return false;
    }
    if (!tcgrr_player_can_save(player) ||
        !tcgrr_keyframes_is_worthwhile(keyframes, tcgrr_player_spent(player) - spent)) {
        return true;
    }
    tcgrr_icount to = find_place(log, icount - (icount - place) / 2);
    return leave(keyframes, player, place, MAX(place, to), error);
}
