/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/keyframes_folder.h"

#include "emu/qemu/machine_digest.h"
#include "emu/rrlog/rrlog.h"
#include "replay/player.h"
#include "replay/recorded.h"
#include "store/error.h"

#include <string.h>

/*
 * If the user does not give a distance: the first step, from which the speed of the run is determined; QEMU's processor
 * time for a step; how many times as long as the previous step one may be.
 */
#define FIRST_STEP  ((tcgrr_icount)1 << 25)
#define STEP_US     (150 * 1000)
#define STEP_MORE   4
#define HALF_US     (75 * 1000) /* what a fresh QEMU, which has translated nothing yet, may take to the middle of one */
#define HALF_MIN    2000000u    /* instructions */
#define DISK_MAX    5000000u    /* maximum duration of a disk request, in instructions */
#define MAX_PROVERS 4u          /* QEMUs at a time */

/* A keyframe while it is not known to be good. */
struct trial {
    tcgrr_icount icount;
    char *folder; /* where it is being made; NULL: it has been there before */
    char *state;  /* what the machine holds there */
    uint64_t bytes;
    bool taken; /* somebody proves it */
};

struct making {
    struct tcgrr_keyframes *keyframes;
    const struct tcgrr_keyframes_make *options;
    struct tcgrr_keyframes_made *made;
    struct tcgrr_rrlog *log;
    tcgrr_icount end;
    GPtrArray *trials; /* ascending */
    uint64_t bytes;    /* of all keyframes of the trace */
    GMutex lock;       /* while they are proved: of these two, `made`, `over` and `problem` */
    bool over;         /* none is to be proved any more */
    GError *problem;   /* why not */
    unsigned wider;    /* than wished they have become, for lack of room; a factor */
};

static void free_trial(gpointer data)
{
    struct trial *trial = data;
    if (trial->folder) {
        tcgrr_keyframes_remove(trial->folder, NULL);
    }
    g_free(trial->folder);
    g_free(trial->state);
    g_free(trial);
}

static struct tcgrr_player *start_player(const struct making *making, struct tcgrr_keyframe from, GError **error)
{
    const struct tcgrr_keyframes_options *options = tcgrr_keyframes_options(making->keyframes);
    struct tcgrr_player_options player = {
        .reader = options->reader,
        .qemu = options->qemu,
        .rr_file = options->rr_file,
        .words = options->words,
        .own = options->extra,
        .start = options->start,
        .from = from,
        .hang_ms = making->options->hang_ms,
        .stop = making->options->stop,
    };
    return tcgrr_player_start(&player, error);
}

/* Whether an interrupt or exception happens where `icount` instructions have run: then it is not known whether it has
 * happened already. */
static bool is_eventful(const struct tcgrr_rrlog *log, tcgrr_icount icount)
{
    guint next = tcgrr_rrlog_find(log, icount);
    return next < log->events->len && g_array_index(log->events, struct tcgrr_rrlog_event, next).icount == icount;
}

bool tcgrr_keyframes_can_be_taken_at(const struct tcgrr_rrlog *log, tcgrr_icount icount)
{
    guint next = 0;

    while (next < log->disk->len && g_array_index(log->disk, tcgrr_icount, next) < icount) {
        next++;
    }
    bool waits = next < log->disk->len && g_array_index(log->disk, tcgrr_icount, next) - icount < DISK_MAX;
    return !waits && !is_eventful(log, icount);
}

/*
 * The place for a keyframe at or after `wished`: during a disk request QEMU waits for its end before it saves, and in a
 * stopped replay the request never ends.
 */
static tcgrr_icount find_place(const struct tcgrr_rrlog *log, tcgrr_icount wished, guint *disk)
{
    tcgrr_icount place = wished;

    while (*disk < log->disk->len && g_array_index(log->disk, tcgrr_icount, *disk) < wished) {
        ++*disk;
    }
    if (*disk < log->disk->len && g_array_index(log->disk, tcgrr_icount, *disk) - wished < DISK_MAX) {
        place = g_array_index(log->disk, tcgrr_icount, *disk) + 1;
    }
    while (is_eventful(log, place)) {
        place++;
    }
    return place;
}

/* ---- first pass: one replay, a trial at each step ---- */

/* Whether there is one already. The replay came from the beginning: one that says something else is wrong. */
static bool is_there(const struct making *making, const struct trial *trial)
{
    struct tcgrr_keyframe there = tcgrr_keyframes_before(making->keyframes, trial->icount);

    if (there.icount == trial->icount && !tcgrr_machine_digest_same(there.state, trial->state)) {
        tcgrr_keyframes_reject(making->keyframes, trial->icount);
        return false;
    }
    return there.icount == trial->icount;
}

/* Makes a trial of where the player is, number `index`; -1: the last. */
static bool take(struct making *making, struct tcgrr_player *player, tcgrr_icount icount, int index, GError **error)
{
    const char *folder = tcgrr_keyframes_own_folder(making->keyframes);
    struct trial *trial = g_new0(struct trial, 1);

    g_ptr_array_insert(making->trials, index, trial);
    trial->icount = icount;
    trial->state = tcgrr_player_digest(player, error);
    if (!trial->state || is_there(making, trial)) {
        return trial->state != NULL;
    }
    trial->folder = tcgrr_keyframes_begin(folder, error);
    if (!trial->folder || !tcgrr_player_save(player, trial->folder, error)) {
        return false;
    }
    trial->bytes = tcgrr_keyframes_bytes(trial->folder);
    making->bytes += trial->bytes;
    return true;
}

/* Every second one goes, so that the others have room. */
static void thin_out(struct making *making)
{
    for (guint i = making->trials->len; i > 0; i--) {
        const struct trial *trial = making->trials->pdata[i - 1];
        if (i % 2 == 1 && trial->folder) {
            making->bytes -= trial->bytes;
            g_ptr_array_remove_index(making->trials, i - 1);
        }
    }
    making->wider *= 2;
}

/* Not even one has room: there will be none. */
static bool has_room(struct making *making, GError **error)
{
    const struct trial *last = making->trials->pdata[making->trials->len - 1];
    uint64_t one = last->bytes;

    while (making->bytes > making->options->max_bytes && making->trials->len > 1) {
        thin_out(making);
    }
    if (making->bytes <= making->options->max_bytes) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                "a keyframe takes %" G_GUINT64_FORMAT " bytes, and the existing ones leave no room for it in the "
                "%" G_GUINT64_FORMAT " that are allowed: allow more (--max-size) or drop them (--drop)",
                one, making->options->max_bytes);
    return false;
}

/* The distance of the next one, after a step of `ran` instructions that took `us` of QEMU's time. */
static tcgrr_icount next_step(const struct making *making, tcgrr_icount ran, int64_t us)
{
    double step = (double)ran * STEP_US * making->wider / (double)MAX(us, 1);

    return making->options->every ? making->options->every * making->wider
                                  : MAX((tcgrr_icount)MIN(step, (double)ran * STEP_MORE), 1);
}

/* A QEMU that does not come back from saving: there are no further keyframes, and those before it are good. */
static bool is_stuck(const struct making *making, const GError *problem)
{
    const struct trial *last = making->trials->len > 0 ? making->trials->pdata[making->trials->len - 1] : NULL;
    return problem && problem->code == TCGRR_ERROR_HUNG && last && last->bytes == 0 && last->folder;
}

static bool go_along(struct making *making, struct tcgrr_player *player, GError **error)
{
    tcgrr_icount step = making->options->every ? making->options->every : FIRST_STEP;
    int64_t spent = tcgrr_player_spent(player);
    guint disk = 0;

    for (tcgrr_icount at = find_place(making->log, step, &disk); at < making->end;
         at = find_place(making->log, at + step, &disk)) {
        GError *problem = NULL;
        if (!tcgrr_player_go(player, at, error)) {
            return false;
        }
        step = next_step(making, step, tcgrr_player_spent(player) - spent);
        if (making->options->progress) {
            making->options->progress(at, making->options->data);
        }
        bool taken = take(making, player, at, -1, &problem);
        if (is_stuck(making, problem)) {
            g_error_free(problem);
            g_ptr_array_remove_index(making->trials, making->trials->len - 1);
            return true;
        }
        if (!taken || !has_room(making, &problem)) {
            g_propagate_error(error, problem);
            return false;
        }
        spent = tcgrr_player_spent(player);
    }
    return true;
}

/* ---- second pass: a fresh QEMU from each, several at a time ---- */

/*
 * A trial that is being verified by running from it to the next one (NULL for the last). Neither is removed during
 * that.
 */
struct proof {
    struct making *making;
    struct trial *trial;
    const struct trial *next;
    tcgrr_icount to;
};

/* One more trial, after the one that is being proved, if there is room. */
static bool take_half(struct proof *proof, struct tcgrr_player *player, tcgrr_icount place, GError **error)
{
    struct making *making = proof->making;
    guint at;

    g_mutex_lock(&making->lock);
    uint64_t bytes = making->bytes + proof->trial->bytes + proof->trial->bytes / 8;
    bool good = bytes > making->options->max_bytes || !g_ptr_array_find(making->trials, proof->trial, &at) ||
                take(making, player, place, (int)at + 1, error);
    g_mutex_unlock(&making->lock);
    return good;
}

/* Goes halfway. If that takes long, adds a trial there, which is verified later. */
static bool split(struct proof *proof, struct tcgrr_player *player, GError **error)
{
    struct making *making = proof->making;
    int64_t spent = tcgrr_player_spent(player);
    tcgrr_icount half = (proof->to - proof->trial->icount) / 2;
    guint disk = 0;
    tcgrr_icount place = find_place(making->log, proof->trial->icount + half, &disk);

    if (making->options->every || making->wider > 1 || half < HALF_MIN || place >= proof->to ||
        !tcgrr_player_can_save(player)) {
        return true;
    }
    if (!tcgrr_player_go(player, place, error)) {
        return false;
    }
    return tcgrr_player_spent(player) - spent <= HALF_US || take_half(proof, player, place, error);
}

/* Whether a QEMU that starts from the trial reaches the next one (or a place a little further, if there is none) with
 * the same state. */
static bool proves(struct proof *proof, GError **error)
{
    const struct trial *trial = proof->trial, *next = proof->next;
    struct tcgrr_keyframe from = {.icount = trial->icount, .folder = trial->folder};
    struct tcgrr_player *player = start_player(proof->making, from, error);
    g_autofree char *there = player ? tcgrr_player_digest(player, error) : NULL;
    bool same = tcgrr_machine_digest_same(there, trial->state) && split(proof, player, error) &&
                tcgrr_player_go(player, proof->to, error);
    g_autofree char *then = same && next ? tcgrr_player_digest(player, error) : NULL;

    tcgrr_player_free(player);
    return same && (!next || tcgrr_machine_digest_same(then, next->state));
}

/* Takes the first trial that no thread is verifying yet. */
static bool begin_proof(struct making *making, struct proof *proof)
{
    bool found = false;

    g_mutex_lock(&making->lock);
    for (guint i = 0; i < making->trials->len && !making->over && !found; i++) {
        struct trial *trial = making->trials->pdata[i];
        const struct trial *next = i + 1 < making->trials->len ? making->trials->pdata[i + 1] : NULL;
        found = trial->folder && !trial->taken;
        if (found) {
            trial->taken = true;
            *proof = (struct proof){making, trial, next, 0};
            proof->to = next ? next->icount : making->end - (making->end - trial->icount) / 4;
        }
    }
    g_mutex_unlock(&making->lock);
    return found;
}

/* Once one is not good, the others, of the same QEMU and machine, are not tried. `problem`, which is taken over: why
 * it could not be proved; NULL: it was, or the machine did not come there as it did. */
static void end_proof(struct proof *proof, bool good, GError *problem)
{
    struct making *making = proof->making;
    const char *folder = tcgrr_keyframes_own_folder(making->keyframes);
    struct trial *trial = proof->trial;
    GError *fatal = NULL;

    g_mutex_lock(&making->lock);
    if (problem && problem->code == TCGRR_ERROR_STOPPED) {
        fatal = g_steal_pointer(&problem);
    } else if (!good && !making->made->refused) {
        making->made->refused = g_strdup(problem ? problem->message : "registers or memory are not the same");
    } else if (good && tcgrr_keyframes_keep(trial->folder, folder, trial->icount, trial->state, &fatal)) {
        g_clear_pointer(&trial->folder, g_free);
        making->made->made++;
    }
    making->over = making->over || !good || fatal;
    if (!making->problem) {
        making->problem = g_steal_pointer(&fatal);
    }
    g_mutex_unlock(&making->lock);
    g_clear_error(&fatal);
    g_clear_error(&problem);
}

static gpointer prove_some(gpointer data)
{
    struct proof proof;

    while (begin_proof(data, &proof)) {
        GError *problem = NULL;
        bool good = proves(&proof, &problem);
        end_proof(&proof, good, problem);
    }
    return NULL;
}

/* A trial that is added when the other threads have found nothing left is verified by the thread that added it. */
static bool prove(struct making *making, GError **error)
{
    GThread *helpers[MAX_PROVERS - 1];
    guint count = MIN(MAX_PROVERS, g_get_num_processors()) - 1;

    for (guint i = 0; i < count; i++) {
        helpers[i] = g_thread_new("tcgrr-prove", prove_some, making);
    }
    prove_some(making);
    for (guint i = 0; i < count; i++) {
        g_thread_join(helpers[i]);
    }
    if (making->problem) {
        g_propagate_error(error, g_steal_pointer(&making->problem));
        return false;
    }
    return true;
}

static bool make(struct making *making, GError **error)
{
    struct tcgrr_player *player = start_player(making, (struct tcgrr_keyframe){0}, error);
    bool good = player && go_along(making, player, error);

    tcgrr_player_free(player);
    return good && prove(making, error);
}

bool tcgrr_keyframes_make(struct tcgrr_keyframes *keyframes, const struct tcgrr_keyframes_make *options,
                          struct tcgrr_keyframes_made *made, GError **error)
{
    const struct tcgrr_keyframes_options *of = tcgrr_keyframes_options(keyframes);
    struct tcgrr_keyframes_sum sum;
    struct making making = {.keyframes = keyframes, .options = options, .made = made, .wider = 1};

    *made = (struct tcgrr_keyframes_made){0};
    if (!tcgrr_keyframes_own_folder(keyframes)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "it cannot be determined what keyframes of %s belong to (QEMU, log, command, disks)",
                    tcgrr_reader_path(of->reader));
        return false;
    }
    bool ends_early;
    making.log = tcgrr_recorded_log(of->reader, of->rr_file, of->qemu->version, &ends_early, error);
    if (!making.log) {
        return false;
    }
    tcgrr_keyframes_sum(tcgrr_reader_path(of->reader), &sum);
    making.bytes = sum.bytes;
    making.end = making.log->run_end;
    making.trials = g_ptr_array_new_with_free_func(free_trial);
    tcgrr_keyframes_set_max_bytes(tcgrr_reader_path(of->reader), options->max_bytes);
    bool good = make(&making, error);
    g_ptr_array_unref(making.trials);
    tcgrr_rrlog_free(making.log);
    tcgrr_keyframes_tidy(tcgrr_reader_path(of->reader), tcgrr_keyframes_own_folder(keyframes));
    tcgrr_keyframes_look(keyframes);
    return good;
}
