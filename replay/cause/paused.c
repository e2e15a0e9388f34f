/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/cause/paused.h"

#include "replay/cause/paused_program.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "emu/qemu/scratch.h"
#include "replay/files.h"
#include "replay/keyframes_folder.h"
#include "replay/keyframes_visit.h"
#include "replay/player.h"
#include "replay/recorded.h"
#include "store/error.h"

#define CONNECT_MS 60000
#define SLICE_MS   500
#define PAGE_BITS  12
#define RAM_PAGES  64
#define SPIN_US    600000 /* of QEMU's own time without executing an instruction, and it has hung */

struct tcgrr_rerun {
    struct tcgrr_rerun_options options;
    struct tcgrr_qemu probed;
    const struct tcgrr_qemu *qemu; /* that, or the one that was known */
    struct tcgrr_replay_files *files;
    struct tcgrr_keyframes_options of;
    struct tcgrr_keyframes *keyframes; /* NULL in user mode */
    bool is_user;
    struct tcgrr_rrlog *log;          /* with options.visits */
    const struct tcgrr_rerun *lender; /* NULL: none */
    tcgrr_icount borrow_until;
    char *folder;         /* for its own keyframes; NULL: none yet */
    GArray *left;         /* struct tcgrr_keyframe: those */
    bool distrust;        /* of all keyframes */
    tcgrr_icount trusted; /* of a keyframe that is known to be good; 0: there is none */
};

struct tcgrr_paused {
    struct tcgrr_rerun *rerun;
    struct tcgrr_paused_program *program; /* user mode: all that it is */
    struct tcgrr_player *player;
    struct tcgrr_gdb *gdb;
    bool from_keyframe;
    int peek_fd;             /* memory shared with the plugin; -1: accesses are not seen */
    struct tcgrr_peek *peek; /* NULL likewise */
    tcgrr_icount icount;
    uint64_t ram[RAM_PAGES]; /* by a page's number modulo RAM_PAGES: 1 + the number of the one last seen to be RAM */
};

/* ---- what starts it ---- */

static bool prepare(struct tcgrr_rerun *rerun, GError **error)
{
    struct tcgrr_reader *reader = rerun->options.reader;
    const struct tcgrr_run *run = tcgrr_reader_run(reader);
    bool user = g_strcmp0(run->mode, "user") == 0;
    if (!run->rr && !user) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s was recorded without rr and cannot be replayed",
                    tcgrr_reader_path(reader));
        return false;
    }
    const char *qemu = rerun->options.qemu ? rerun->options.qemu : run->qemu_path;
    rerun->qemu = rerun->options.known ? rerun->options.known : &rerun->probed;
    if (!rerun->options.known && !tcgrr_qemu_probe(qemu, rerun->options.plugin, &rerun->probed, error)) {
        return false;
    }
    if (user && !tcgrr_paused_program_check(rerun->qemu, error)) {
        return false;
    }
    rerun->is_user = user;
    rerun->files = tcgrr_replay_files_new(reader, rerun->qemu, rerun->options.extra, error);
    if (rerun->files && !user) {
        tcgrr_replay_files_keyframes(rerun->files, &rerun->of);
        rerun->keyframes = tcgrr_keyframes_open(&rerun->of);
    }
    if (rerun->files && rerun->options.visits && !user) {
        rerun->log = tcgrr_rrlog_load(rerun->of.rr_file, rerun->qemu->version, error);
        if (!rerun->log) {
            return false;
        }
        tcgrr_rrlog_rebase(rerun->log, tcgrr_recorded_start(reader));
    }
    return rerun->files != NULL;
}

static void clear_left(gpointer data)
{
    g_free((char *)((struct tcgrr_keyframe *)data)->folder);
}

struct tcgrr_rerun *tcgrr_rerun_new(const struct tcgrr_rerun_options *options, GError **error)
{
    struct tcgrr_rerun *rerun = g_new0(struct tcgrr_rerun, 1);
    rerun->options = *options;
    rerun->left = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_keyframe));
    g_array_set_clear_func(rerun->left, clear_left);
    if (!prepare(rerun, error)) {
        tcgrr_rerun_free(rerun);
        return NULL;
    }
    return rerun;
}

void tcgrr_rerun_free(struct tcgrr_rerun *rerun)
{
    if (!rerun) {
        return;
    }
    tcgrr_keyframes_free(rerun->keyframes);
    tcgrr_rrlog_free(rerun->log);
    g_array_unref(rerun->left);
    if (rerun->folder) {
        tcgrr_keyframes_remove(rerun->folder, NULL);
    }
    g_free(rerun->folder);
    tcgrr_replay_files_free(rerun->files);
    tcgrr_qemu_clear(&rerun->probed);
    g_free(rerun);
}

const struct tcgrr_qemu *tcgrr_rerun_qemu(const struct tcgrr_rerun *rerun)
{
    return rerun->qemu;
}

/* ---- where it starts ---- */

/* The last one up to `icount` that was left on the way. */
static struct tcgrr_keyframe left_before(const struct tcgrr_rerun *rerun, tcgrr_icount icount)
{
    struct tcgrr_keyframe found = {0};

    for (guint i = 0; i < rerun->left->len; i++) {
        const struct tcgrr_keyframe *left = &g_array_index(rerun->left, struct tcgrr_keyframe, i);
        if (left->icount <= icount && left->icount > found.icount) {
            found = *left;
        }
    }
    return found;
}

struct tcgrr_keyframe tcgrr_rerun_nearest(const struct tcgrr_rerun *rerun, tcgrr_icount near)
{
    struct tcgrr_keyframe best = {0};

    if (rerun->distrust || rerun->is_user) {
        return best;
    }
    const struct tcgrr_keyframe candidates[] = {
        tcgrr_keyframes_before(rerun->keyframes, near),
        left_before(rerun, near),
        rerun->options.given.icount <= near ? rerun->options.given : best,
        rerun->lender ? tcgrr_rerun_nearest(rerun->lender, MIN(near, rerun->borrow_until)) : best,
    };
    for (size_t i = 0; i < G_N_ELEMENTS(candidates); i++) {
        best = candidates[i].icount > best.icount ? candidates[i] : best;
    }
    return best;
}

void tcgrr_rerun_borrow(struct tcgrr_rerun *rerun, const struct tcgrr_rerun *lender, tcgrr_icount until)
{
    rerun->lender = lender;
    rerun->borrow_until = until;
}

void tcgrr_rerun_trust(struct tcgrr_rerun *rerun, tcgrr_icount icount)
{
    rerun->trusted = icount;
}

void tcgrr_rerun_distrust(struct tcgrr_rerun *rerun)
{
    rerun->distrust = true;
}

/* ---- a QEMU that is stopped ---- */

static bool ask_icount(struct tcgrr_paused *paused, tcgrr_icount *icount, GError **error)
{
    return tcgrr_player_icount(paused->player, icount, error);
}

/* QEMU 7.2 does not report x86's stores, and reports what interrupts push as accesses of the previous instruction. */
static bool reports_accesses(const struct tcgrr_rerun *rerun)
{
    const struct tcgrr_qemu *qemu = rerun->qemu;
    bool x86 = strcmp(qemu->target, "x86_64") == 0 || strcmp(qemu->target, "i386") == 0;
    return rerun->options.plugin && !qemu->plugin_error && (!x86 || qemu->api >= 2);
}

static bool share_memory(struct tcgrr_paused *paused, GError **error)
{
    paused->peek_fd = memfd_create("tcgrr-peek", 0);
    if (paused->peek_fd < 0 || ftruncate(paused->peek_fd, sizeof(*paused->peek)) != 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot make shared memory: %s", g_strerror(errno));
        return false;
    }
    void *shared = mmap(NULL, sizeof(*paused->peek), PROT_READ | PROT_WRITE, MAP_SHARED, paused->peek_fd, 0);
    paused->peek = shared != MAP_FAILED ? shared : NULL;
    if (!paused->peek) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot map shared memory: %s", g_strerror(errno));
    }
    return paused->peek != NULL;
}

/* `near`: earlier places will not be needed. */
static struct tcgrr_paused *start_from(struct tcgrr_rerun *rerun, struct tcgrr_keyframe from, tcgrr_icount near,
                                       bool accesses, GError **error)
{
    struct tcgrr_player_options options = {
        .reader = rerun->options.reader,
        .qemu = rerun->qemu,
        .rr_file = rerun->of.rr_file,
        .words = rerun->of.words,
        .own = rerun->of.extra,
        .start = rerun->of.start,
        .from = from,
        .gdb = true,
        .hang_ms = rerun->options.hang_ms,
        .stop = rerun->options.stop,
    };
    struct tcgrr_paused *paused = g_new0(struct tcgrr_paused, 1);
    GError *problem = NULL;

    paused->rerun = rerun;
    paused->from_keyframe = from.folder && from.icount != rerun->trusted;
    paused->peek_fd = -1;
    if (accesses && reports_accesses(rerun) && !share_memory(paused, error)) {
        tcgrr_paused_free(paused);
        return NULL;
    }
    g_autofree char *peek = g_strdup_printf("peek=%d", paused->peek_fd);
    if (paused->peek) {
        options.plugin = rerun->options.plugin;
        options.plugin_arguments = peek;
        options.pass_fd = paused->peek_fd;
    }
    paused->player = tcgrr_player_start(&options, &problem);
    bool good = paused->player &&
                (!rerun->log || tcgrr_keyframes_approach(rerun->keyframes, paused->player, rerun->log, near, &problem));
    paused->gdb =
        good ? tcgrr_gdb_connect(tcgrr_player_gdb(paused->player), rerun->qemu->target, CONNECT_MS, &problem) : NULL;
    if (!paused->gdb || !ask_icount(paused, &paused->icount, &problem)) {
        if (paused->player) {
            tcgrr_player_explain(paused->player, &problem);
        }
        g_propagate_error(error, problem);
        g_clear_pointer(&paused, tcgrr_paused_free);
    }
    return paused;
}

static struct tcgrr_paused *start_program(struct tcgrr_rerun *rerun, GError **error)
{
    struct tcgrr_paused_program_options options = {
        .files = rerun->files,
        .qemu = rerun->qemu,
        .plugin = rerun->options.plugin,
        .hang_ms = rerun->options.hang_ms,
        .stop = rerun->options.stop,
    };
    struct tcgrr_paused_program *program = tcgrr_paused_program_start(&options, error);
    struct tcgrr_paused *paused = program ? g_new0(struct tcgrr_paused, 1) : NULL;

    if (paused) {
        paused->rerun = rerun;
        paused->program = program;
        paused->peek_fd = -1;
    }
    return paused;
}

struct tcgrr_paused *tcgrr_paused_start(struct tcgrr_rerun *rerun, tcgrr_icount near, bool accesses, GError **error)
{
    if (rerun->is_user) {
        return start_program(rerun, error);
    }
    struct tcgrr_keyframe keyframe = tcgrr_rerun_nearest(rerun, near);
    GError *problem = NULL;
    struct tcgrr_paused *paused = start_from(rerun, keyframe, near, accesses, &problem);

    if (!paused && keyframe.folder && problem->code != TCGRR_ERROR_STOPPED) { /* it may be the keyframe's fault */
        g_clear_error(&problem);
        paused = start_from(rerun, (struct tcgrr_keyframe){0}, near, accesses, &problem);
        if (paused &&
            rerun->log) { /* if there are no visits, it may be another build, which may have caused the failure */
            tcgrr_keyframes_reject(rerun->keyframes, keyframe.icount);
        }
    }
    if (problem) {
        g_propagate_error(error, problem);
    }
    return paused;
}

/* Saves the machine where it is. */
static void leave_here(struct tcgrr_rerun *rerun, struct tcgrr_paused *paused, GError **error)
{
    struct tcgrr_keyframe left = {.icount = paused->icount};

    if (!rerun->folder) {
        rerun->folder = tcgrr_scratch_folder("keyframes", error);
    }
    char *folder = rerun->folder ? tcgrr_keyframes_begin(rerun->folder, error) : NULL;
    if (!folder || !tcgrr_player_save(paused->player, folder, error)) {
        g_free(folder);
        return;
    }
    left.folder = folder;
    g_array_append_val(rerun->left, left);
}

/* `standing`, or one that is started because there is none or a keyframe is closer. */
static struct tcgrr_paused *start_for(struct tcgrr_rerun *rerun, struct tcgrr_paused *standing, tcgrr_icount icount,
                                      GError **error)
{
    if (standing && standing->icount <= icount && tcgrr_rerun_nearest(rerun, icount).icount <= standing->icount) {
        return standing;
    }
    tcgrr_paused_free(standing);
    return tcgrr_paused_start(rerun, icount, false, error);
}

/* Nothing is saved at a place with an event from outside the guest. */
static void leave_at(struct tcgrr_rerun *rerun, struct tcgrr_paused *paused, tcgrr_icount place, GError **error)
{
    struct tcgrr_rrlog *log = tcgrr_rrlog_load(rerun->of.rr_file, rerun->qemu->version, error);

    if (!log) {
        return;
    }
    tcgrr_rrlog_rebase(log, tcgrr_recorded_start(rerun->options.reader));
    if (tcgrr_keyframes_can_be_taken_at(log, place) && tcgrr_paused_go(paused, place, error)) {
        leave_here(rerun, paused, error);
    }
    tcgrr_rrlog_free(log);
}

bool tcgrr_rerun_leave_keyframe(struct tcgrr_rerun *rerun, struct tcgrr_paused *standing, tcgrr_icount place,
                                GError **error)
{
    GError *problem = NULL;

    if (!tcgrr_keyframes_complete(rerun->qemu)) {
        tcgrr_paused_free(standing);
        return true;
    }
    struct tcgrr_paused *paused = start_for(rerun, standing, place, &problem);
    if (paused) {
        leave_at(rerun, paused, place, &problem);
    }
    tcgrr_paused_free(paused);
    if (problem && problem->code == TCGRR_ERROR_STOPPED) {
        g_propagate_error(error, problem);
        return false;
    }
    g_clear_error(&problem); /* whatever it is, what starts next says so */
    return true;
}

struct tcgrr_ram_pages *tcgrr_paused_take_written(struct tcgrr_paused *paused)
{
    return paused->player ? tcgrr_player_take_written(paused->player) : NULL;
}

bool tcgrr_paused_doubtful(const struct tcgrr_paused *paused)
{
    return paused->from_keyframe;
}

void tcgrr_paused_free(struct tcgrr_paused *paused)
{
    if (paused) {
        tcgrr_paused_program_free(paused->program);
        tcgrr_gdb_free(paused->gdb);
        tcgrr_player_free(paused->player);
        if (paused->peek) {
            munmap(paused->peek, sizeof(*paused->peek));
        }
        if (paused->peek_fd >= 0) {
            close(paused->peek_fd);
        }
        g_free(paused);
    }
}

tcgrr_icount tcgrr_paused_icount(const struct tcgrr_paused *paused)
{
    return paused->program ? tcgrr_paused_program_icount(paused->program) : paused->icount;
}

/*
 * Waits for QEMU to stop, as long as it makes progress. In a long run progress may be visible only at the end; but a
 * single step that takes long has hung.
 */
static bool wait_still(struct tcgrr_paused *paused, bool step, GError **error)
{
    const struct tcgrr_rerun_options *options = &paused->rerun->options;
    gint64 moved = g_get_monotonic_time();
    gint64 spent = tcgrr_player_spent(paused->player);
    tcgrr_icount seen = paused->icount;
    bool stopped = false;

    while (!stopped) {
        tcgrr_icount now = seen;
        if (options->stop && *options->stop) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_STOPPED, "interrupted");
            return false;
        }
        if (!tcgrr_gdb_wait(paused->gdb, SLICE_MS, &stopped, error) || (!stopped && !ask_icount(paused, &now, error))) {
            return false;
        }
        if (now != seen) {
            seen = now;
            moved = g_get_monotonic_time();
        } else if (!stopped && (g_get_monotonic_time() - moved > (gint64)options->hang_ms * 1000 ||
                                (step && tcgrr_player_spent(paused->player) - spent > SPIN_US))) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_HUNG, "%s hangs after icount %" G_GUINT64_FORMAT,
                        paused->rerun->qemu->path, seen);
            return false;
        }
    }
    return ask_icount(paused, &paused->icount, error);
}

static bool run_to(struct tcgrr_paused *paused, tcgrr_icount icount, GError **error)
{
    if (!tcgrr_player_break(paused->player, icount, error) || !tcgrr_gdb_continue(paused->gdb, error) ||
        !wait_still(paused, false, error)) {
        return false;
    }
    if (paused->icount != icount) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "%s should have stopped at icount %" G_GUINT64_FORMAT " but is at %" G_GUINT64_FORMAT,
                    paused->rerun->qemu->path, icount, paused->icount);
        return false;
    }
    return true;
}

bool tcgrr_paused_go(struct tcgrr_paused *paused, tcgrr_icount icount, GError **error)
{
    GError *problem = NULL;

    if (paused->program) {
        return tcgrr_paused_program_go(paused->program, icount, error);
    }
    if (icount == paused->icount || run_to(paused, icount, &problem)) {
        return true;
    }
    if (problem->code == TCGRR_ERROR_FAILED) {
        tcgrr_player_explain(paused->player, &problem);
    }
    g_propagate_error(error, problem);
    return false;
}

bool tcgrr_paused_step(struct tcgrr_paused *paused, GError **error)
{
    GError *problem = NULL;

    if (paused->program) {
        return tcgrr_paused_program_step(paused->program, error);
    }
    if (paused->peek) {
        paused->peek->count = paused->peek->lost = 0;
        __atomic_store_n(&paused->peek->on, 1, __ATOMIC_RELEASE);
    }
    if (tcgrr_gdb_step(paused->gdb, &problem) && wait_still(paused, true, &problem)) {
        return true;
    }
    if (problem->code == TCGRR_ERROR_FAILED) {
        tcgrr_player_explain(paused->player, &problem);
    }
    g_propagate_error(error, problem);
    return false;
}

const struct tcgrr_peek *tcgrr_paused_accesses(const struct tcgrr_paused *paused)
{
    return paused->program ? tcgrr_paused_program_accesses(paused->program) : paused->peek;
}

struct tcgrr_register_layout *tcgrr_paused_registers(const struct tcgrr_paused *paused)
{
    return paused->program ? tcgrr_paused_program_registers(paused->program) : tcgrr_gdb_registers(paused->gdb);
}

bool tcgrr_paused_read_state(struct tcgrr_paused *paused, const bool *wanted, uint8_t *state, GError **error)
{
    if (paused->program) {
        tcgrr_paused_program_read_state(paused->program, state);
        return true;
    }
    return tcgrr_gdb_read_state(paused->gdb, wanted, state, error);
}

bool tcgrr_paused_read_more(struct tcgrr_paused *paused, const bool *wanted, uint8_t *state, GError **error)
{
    if (paused->program) {
        tcgrr_paused_program_read_state(paused->program, state);
        return true;
    }
    return tcgrr_gdb_read_more(paused->gdb, wanted, state, error);
}

/* What QEMU's own monitor says to `format`; owned by the caller. */
static G_GNUC_PRINTF(3, 4) char *monitor(struct tcgrr_paused *paused, GError **error, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    g_autofree char *line = g_strdup_vprintf(format, list);
    va_end(list);
    return tcgrr_player_monitor(paused->player, line, error);
}

/* What QEMU's monitor reports for the vCPU's address. */
static bool ask_translation(struct tcgrr_paused *paused, uint64_t address, uint64_t *physical, bool *mapped,
                            GError **error)
{
    g_autofree char *text = monitor(paused, error, "gva2gpa 0x%" G_GINT64_MODIFIER "x", address);

    *mapped = text && g_str_has_prefix(text, "gpa: ");
    *physical = *mapped ? g_ascii_strtoull(text + strlen("gpa: "), NULL, 0) : 0;
    return text != NULL;
}

/*
 * Whether that is where instructions would be fetched, and data are not translated: with SPARC's MMU off, in boot mode,
 * the former is the PROM, where all addresses that agree in their low 19 bits are the same place.
 */
static bool is_in_boot_mode(struct tcgrr_paused *paused, bool *boot, GError **error)
{
    static const uint64_t addresses[] = {0, 0x80000, 0x7ff80000};
    uint64_t first = 0;

    *boot = strcmp(paused->rerun->qemu->target, "sparc") == 0;
    for (size_t i = 0; *boot && i < G_N_ELEMENTS(addresses); i++) {
        uint64_t physical;
        bool mapped;
        if (!ask_translation(paused, addresses[i], &physical, &mapped, error)) {
            return false;
        }
        first = i == 0 ? physical : first;
        *boot = mapped && physical == first;
    }
    return true;
}

bool tcgrr_paused_translate(struct tcgrr_paused *paused, uint64_t address, uint64_t *physical, bool *mapped,
                            GError **error)
{
    bool boot;

    if (paused->program) { /* a program has no other addresses */
        uint8_t byte;
        *physical = address;
        tcgrr_paused_program_read_memory(paused->program, address, 1, &byte, mapped);
        return true;
    }
    if (!is_in_boot_mode(paused, &boot, error)) {
        return false;
    }
    if (boot) {
        *physical = address;
        *mapped = true;
        return true;
    }
    return ask_translation(paused, address, physical, mapped, error);
}

/* gpa2hva reports whether RAM or ROM is there, without accessing it. The answer is cached, because RAM is seldom
 * unmapped and asking takes long. */
static bool is_ram(struct tcgrr_paused *paused, uint64_t physical, bool *ram, GError **error)
{
    uint64_t page = physical >> PAGE_BITS;
    uint64_t *seen = &paused->ram[page % RAM_PAGES];

    *ram = *seen == page + 1;
    if (*ram) {
        return true;
    }
    g_autofree char *text = monitor(paused, error, "gpa2hva 0x%" G_GINT64_MODIFIER "x", physical);
    if (text) {
        *ram = g_ascii_strncasecmp(text, "host virtual address", strlen("host virtual address")) == 0;
        *seen = *ram ? page + 1 : *seen;
    }
    return text != NULL;
}

bool tcgrr_paused_read_memory(struct tcgrr_paused *paused, uint64_t physical, size_t size, uint8_t *bytes, bool *ram,
                              GError **error)
{
    bool last = false;
    if (paused->program) {
        tcgrr_paused_program_read_memory(paused->program, physical, size, bytes, ram);
        return true;
    }
    if (!is_ram(paused, physical, ram, error) || !is_ram(paused, physical + size - 1, &last, error)) {
        return false;
    }
    *ram = *ram && last;
    return !*ram || tcgrr_gdb_read_memory(paused->gdb, true, physical, size, bytes, ram, error);
}

bool tcgrr_paused_read_code(struct tcgrr_paused *paused, uint64_t address, size_t size, uint8_t *bytes, bool *there,
                            GError **error)
{
    uint8_t read[256];

    if (paused->program) {
        tcgrr_paused_program_read_memory(paused->program, address, size, bytes, there);
        return true;
    }
    if (!tcgrr_gdb_read_memory(paused->gdb, false, address, size, read, there, error)) {
        return false;
    }
    if (*there) {
        memcpy(bytes, read, size);
    }
    return true;
}
