/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/keyframes_visit.h"

#include "emu/qemu/machine_digest.h"
#include "replay/keyframes_folder.h"

#define LONG_US (250 * 1000)                /* of QEMU's time on the way: more than saving takes */
#define LEAD_IN ((tcgrr_icount)100000)      /* so far before a place, because people look at what led to it */
#define LEAST   ((tcgrr_icount)4 * 1000000) /* is replayed in no time */

/* The last place up to `icount` that may have a keyframe; 0: there is none near. */
static tcgrr_icount find_place(const struct tcgrr_rrlog *log, tcgrr_icount icount)
{
    for (tcgrr_icount place = icount; place > 0 && icount - place < LEAD_IN; place--) {
        if (tcgrr_keyframes_is_place(log, place)) {
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

/*
 * Whether a fresh QEMU that starts from what was saved where `player` stands holds the same, and comes to `to` with the
 * same as the player, which goes there, too.
 */
static bool proves(struct tcgrr_player *player, struct tcgrr_keyframe saved, tcgrr_icount to)
{
    struct tcgrr_player *fresh = tcgrr_player_again(player, saved, NULL);
    g_autofree char *start = fresh ? tcgrr_player_digest(fresh, NULL) : NULL;
    bool good = tcgrr_machine_digest_same(start, saved.state) && tcgrr_player_go(fresh, to, NULL) &&
                tcgrr_player_go(player, to, NULL);
    g_autofree char *theirs = good ? tcgrr_player_digest(fresh, NULL) : NULL;
    g_autofree char *ours = good ? tcgrr_player_digest(player, NULL) : NULL;

    tcgrr_player_free(fresh);
    return tcgrr_machine_digest_same(theirs, ours);
}

/* Failing to is no reason to fail: it would only have been a help. The player stands at `icount` and may go to `to`. */
static void leave(struct tcgrr_keyframes *keyframes, struct tcgrr_player *player, tcgrr_icount icount, tcgrr_icount to)
{
    const char *folder = tcgrr_keyframes_own_folder(keyframes);
    g_autofree char *made = tcgrr_keyframes_begin(folder, NULL);
    g_autofree char *state = made ? tcgrr_player_digest(player, NULL) : NULL;
    struct tcgrr_keyframe saved = {.icount = icount, .folder = made, .state = state};

    if (made && (!state || !tcgrr_player_save(player, made, NULL) || !proves(player, saved, to) ||
                 !tcgrr_keyframes_keep(made, folder, icount, state, NULL))) {
        tcgrr_keyframes_remove(made, NULL);
    }
    tcgrr_keyframes_look(keyframes);
}

bool tcgrr_keyframes_approach(struct tcgrr_keyframes *keyframes, struct tcgrr_player *player,
                              const struct tcgrr_rrlog *log, tcgrr_icount icount, GError **error)
{
    tcgrr_icount place = find_place(log, icount - MIN(icount, LEAD_IN));
    int64_t spent = tcgrr_player_spent(player);
    tcgrr_icount stands;

    if (tcgrr_keyframes_list(keyframes)->len == 0) {
        return true;
    }
    if (!tcgrr_player_icount(player, &stands, error)) {
        return false;
    }
    if (place < stands + LEAST) {
        return true;
    }
    if (!tcgrr_player_go(player, place, error)) {
        return false;
    }
    if (tcgrr_player_spent(player) - spent > LONG_US && tcgrr_player_can_save(player) && has_room(keyframes)) {
        tcgrr_icount to = find_place(log, icount - (icount - place) / 2);
        leave(keyframes, player, place, MAX(place, to));
    }
    return true;
}
