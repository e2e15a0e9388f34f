/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/player.h"

#include "emu/qemu/command_options.h"
#include "emu/qemu/folder.h"
#include "emu/qemu/machine_digest.h"
#include "emu/qemu/replay_wait.h"
#include "emu/qemu/scratch.h"
#include "replay/recorded.h"
#include "store/error.h"

#include <string.h>

#define QMP_MS 60000

struct tcgrr_player {
    struct tcgrr_player_options options;
    struct tcgrr_command command;
    struct tcgrr_process *process;
    struct tcgrr_qmp *qmp;
    char *folder;
    char *qmp_socket;
    char *qmp_config;
    char *gdb_socket;
    tcgrr_icount first; /* QEMU's own count where the run begins */
    struct tcgrr_ram_pages *written;
};

/* ---- starting ---- */

/* With a gdb stub QEMU would pass the guest's semihosting calls to gdb by default. */
static GPtrArray *keep_semihosting(char **words)
{
    GPtrArray *kept = g_ptr_array_new_with_free_func(g_free);

    for (; *words; words++) {
        bool config = g_str_has_suffix(*words, "-semihosting-config") && words[1];
        g_ptr_array_add(kept, g_strdup(*words));
        if (config) {
            words++;
            g_ptr_array_add(kept,
                            strstr(*words, "target=") ? g_strdup(*words) : g_strconcat(*words, ",target=native", NULL));
        } else if (strcmp(*words, "-semihosting") == 0 || strcmp(*words, "--semihosting") == 0) {
            g_ptr_array_add(kept, g_strdup("-semihosting-config"));
            g_ptr_array_add(kept, g_strdup("enable=on,target=native"));
        }
    }
    g_ptr_array_add(kept, NULL);
    return kept;
}

/* QEMU's working directory: the recording's, if that still exists; NULL: ours. */
static const char *directory_of(const struct tcgrr_player *player)
{
    const char *recorded = tcgrr_reader_run(player->options.reader)->directory;
    return recorded && g_file_test(recorded, G_FILE_TEST_IS_DIR) ? recorded : NULL;
}

static bool build_command(struct tcgrr_player *player, GError **error)
{
    const struct tcgrr_player_options *options = &player->options;
    g_autoptr(GPtrArray) words = keep_semihosting(options->words + 1);
    g_autofree char *socket = tcgrr_options_escape(player->gdb_socket);
    g_autofree char *gdb = g_strdup_printf("unix:%s,server=on,wait=off", socket);
    struct tcgrr_command_options command = {
        .mode = TCGRR_RUN_REPLAY,
        .icount = tcgrr_reader_run(options->reader)->icount_shift,
        .rr_file = options->rr_file,
        .qmp_config = player->qmp_config,
        .gdb = options->gdb ? gdb : NULL,
        .pause_at_end = true,
        .start_paused = true,
        .scratch = player->folder,
        .directory = directory_of(player),
        .own = options->own,
        .keyframe = options->from.folder,
        .keyframe_icount = options->from.icount,
        .start = options->start,
        .plugin = options->plugin,
        .plugin_arguments = options->plugin_arguments,
    };
    return tcgrr_command_build(options->qemu, (const char *const *)words->pdata, &command, &player->command, error);
}

static void explain_end(struct tcgrr_player *player, GError **error)
{
    if (player->process) {
        tcgrr_process_explain_end(player->process, player->options.qemu->path, error);
    }
}

static bool start(struct tcgrr_player *player, GError **error)
{
    const char *directory = directory_of(player);
    struct tcgrr_process_options process = {.output_fd = -1,
                                            .pass_fd = player->options.pass_fd,
                                            .quiet = true,
                                            .expendable = true,
                                            .own_group = player->options.own_group,
                                            .large_pages = true,
                                            .directory = directory};

    if (!tcgrr_qmp_configure(player->qmp_config, player->qmp_socket, error) || !build_command(player, error) ||
        !tcgrr_images_create(player->command.images, directory, error)) {
        return false;
    }
    player->process = tcgrr_process_start(player->command.argv, &process, error);
    player->qmp = player->process ? tcgrr_qmp_connect(player->qmp_socket, QMP_MS, error) : NULL;
    return player->qmp != NULL;
}

struct tcgrr_player *tcgrr_player_start(const struct tcgrr_player_options *options, GError **error)
{
    struct tcgrr_player *player = g_new0(struct tcgrr_player, 1);
    GError *problem = NULL;

    player->options = *options;
    player->first = tcgrr_recorded_start(options->reader);
    player->folder = tcgrr_scratch_folder("player", &problem);
    if (player->folder) {
        player->qmp_socket = g_build_filename(player->folder, "qmp", NULL);
        player->qmp_config = g_build_filename(player->folder, "qmp.cfg", NULL);
        player->gdb_socket = g_build_filename(player->folder, "gdb", NULL);
    }
    if (!player->folder || !start(player, &problem)) {
        explain_end(player, &problem);
        g_propagate_error(error, problem);
        tcgrr_player_free(player);
        return NULL;
    }
    player->written = tcgrr_ram_pages_written(player->qmp, player->process);
    return player;
}

void tcgrr_player_free(struct tcgrr_player *player)
{
    if (!player) {
        return;
    }
    tcgrr_ram_pages_free(player->written);
    tcgrr_qmp_free(player->qmp);
    if (player->process) {
        tcgrr_process_stop(player->process, 0);
        tcgrr_process_free(player->process);
    }
    if (player->command.images) {
        tcgrr_images_remove(player->command.images);
    }
    tcgrr_command_clear(&player->command);
    tcgrr_folder_remove(player->folder);
    g_free(player->folder);
    g_free(player->qmp_socket);
    g_free(player->qmp_config);
    g_free(player->gdb_socket);
    g_free(player);
}

/* ---- moving ---- */

static json_t *execute(struct tcgrr_player *player, const char *command, json_t *arguments, GError **error)
{
    GError *problem = NULL;
    json_t *answer = tcgrr_qmp_execute(player->qmp, command, arguments, QMP_MS, &problem);

    if (!answer) {
        explain_end(player, &problem);
        g_propagate_error(error, problem);
    }
    return answer;
}

static bool tell(struct tcgrr_player *player, const char *command, json_t *arguments, GError **error)
{
    json_t *answer = execute(player, command, arguments, error);
    json_decref(answer);
    return answer != NULL;
}

static struct tcgrr_replay_wait wait_for(struct tcgrr_player *player)
{
    return (struct tcgrr_replay_wait){.qmp = player->qmp,
                                      .process = player->process,
                                      .name = player->options.qemu->path,
                                      .hang_ms = player->options.hang_ms,
                                      .stop = player->options.stop,
                                      .give_up = player->options.give_up,
                                      .data = player->options.data};
}

struct tcgrr_keyframe_machine tcgrr_player_machine(const struct tcgrr_player *player)
{
    return (struct tcgrr_keyframe_machine){.qmp = player->qmp,
                                           .process = player->process,
                                           .command = &player->command,
                                           .started = player->options.from.folder,
                                           .written = player->written};
}

struct tcgrr_ram_pages *tcgrr_player_take_written(struct tcgrr_player *player)
{
    return g_steal_pointer(&player->written);
}

bool tcgrr_player_icount(struct tcgrr_player *player, tcgrr_icount *icount, GError **error)
{
    struct tcgrr_replay_wait wait = wait_for(player);
    GError *problem = NULL;

    if (!tcgrr_replay_wait_icount(&wait, icount, &problem)) {
        explain_end(player, &problem);
        g_propagate_error(error, problem);
        return false;
    }
    *icount -= MIN(*icount, player->first);
    return true;
}

bool tcgrr_player_break(struct tcgrr_player *player, tcgrr_icount icount, GError **error)
{
    return tell(player, "replay-break", json_pack("{s:I}", "icount", (json_int_t)(player->first + icount)), error);
}

const char *tcgrr_player_gdb(const struct tcgrr_player *player)
{
    return player->gdb_socket;
}

bool tcgrr_player_at_end(struct tcgrr_player *player, bool *at_end, GError **error)
{
    json_t *answer = execute(player, "query-status", NULL, error);
    *at_end = g_strcmp0(json_string_value(json_object_get(answer, "status")), "shutdown") == 0;
    json_decref(answer);
    return answer != NULL;
}

/* Waits for QEMU to stop, as long as it gets anywhere. */
static bool wait_still(struct tcgrr_player *player, GError **error)
{
    struct tcgrr_replay_wait wait = wait_for(player);
    GError *problem = NULL;

    if (!tcgrr_replay_wait_stop(&wait, &problem)) {
        if (problem->code == TCGRR_ERROR_FAILED) {
            explain_end(player, &problem);
        }
        g_propagate_error(error, problem);
        return false;
    }
    return true;
}

bool tcgrr_player_go(struct tcgrr_player *player, tcgrr_icount icount, GError **error)
{
    tcgrr_icount stands;

    if (!tcgrr_player_icount(player, &stands, error)) {
        return false;
    }
    if (stands == icount) {
        return true;
    }
    if (!tcgrr_player_break(player, icount, error) || !tell(player, "cont", NULL, error) ||
        !wait_still(player, error) || !tcgrr_player_icount(player, &stands, error)) {
        return false;
    }
    if (stands != icount) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                    "%s should have stopped at icount %" G_GUINT64_FORMAT " but is at %" G_GUINT64_FORMAT,
                    player->options.qemu->path, icount, stands);
    }
    return stands == icount;
}

int64_t tcgrr_player_spent(const struct tcgrr_player *player)
{
    return tcgrr_process_spent(player->process);
}

char *tcgrr_player_monitor(struct tcgrr_player *player, const char *command, GError **error)
{
    json_t *answer = execute(player, "human-monitor-command", json_pack("{s:s}", "command-line", command), error);
    char *text = answer ? g_strdup(json_is_string(answer) ? json_string_value(answer) : "") : NULL;
    json_decref(answer);
    return text;
}

char *tcgrr_player_digest(struct tcgrr_player *player, GError **error)
{
    GError *problem = NULL;
    char *digest = tcgrr_machine_digest(player->qmp, player->process, &problem);

    if (!digest) {
        explain_end(player, &problem);
        g_propagate_error(error, problem);
    }
    return digest;
}

struct tcgrr_player *tcgrr_player_again(const struct tcgrr_player *player, struct tcgrr_keyframe from, GError **error)
{
    struct tcgrr_player_options options = player->options;

    options.from = from;
    options.gdb = false;
    options.plugin = options.plugin_arguments = NULL;
    options.pass_fd = -1;
    return tcgrr_player_start(&options, error);
}

void tcgrr_player_explain(struct tcgrr_player *player, GError **error)
{
    explain_end(player, error);
}

/* ---- keyframes ---- */

bool tcgrr_player_can_save(const struct tcgrr_player *player)
{
    return tcgrr_keyframe_can_save(&player->command, player->options.from.folder);
}

bool tcgrr_player_save(struct tcgrr_player *player, const char *folder, GError **error)
{
    GError *problem = NULL;
    tcgrr_icount icount;

    if (!tcgrr_player_icount(player, &icount, error)) {
        return false;
    }
    struct tcgrr_keyframe_machine machine = tcgrr_player_machine(player);
    if (!tcgrr_keyframe_save(&machine, icount, folder, &problem)) {
        explain_end(player, &problem);
        g_propagate_error(error, problem);
        return false;
    }
    return true;
}
