/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "replay/keyframe_save.h"

#include "emu/qemu/images.h"
#include "emu/qemu/qcow2.h"
#include "emu/qemu/vmstate.h"
#include "store/error.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#define QMP_MS     60000
#define POLL_US    1000
#define COPY_BYTES (1u << 30)
#define NODE       "tcgrr-keyframe-new"

static json_t *execute(struct tcgrr_qmp *qmp, const char *command, json_t *arguments, GError **error)
{
    return tcgrr_qmp_execute(qmp, command, arguments, QMP_MS, error);
}

static bool tell(struct tcgrr_qmp *qmp, const char *command, json_t *arguments, GError **error)
{
    json_t *answer = execute(qmp, command, arguments, error);
    json_decref(answer);
    return answer != NULL;
}

/* Waits for a job of QEMU's and dismisses it. False with its error if it failed. */
static bool finish_job(struct tcgrr_qmp *qmp, const char *id, GError **error)
{
    for (;; g_usleep(POLL_US)) {
        json_t *jobs = execute(qmp, "query-jobs", NULL, error);
        json_t *job = json_array_get(jobs, 0);
        bool over = !jobs || !job || g_strcmp0(json_string_value(json_object_get(job, "status")), "concluded") == 0;
        const char *words = json_string_value(json_object_get(job, "error"));
        bool failed = !jobs || words;
        if (words) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "QEMU cannot save this machine: %s", words);
        }
        json_decref(jobs);
        if (over) {
            return tell(qmp, "job-dismiss", json_pack("{s:s}", "id", id), failed ? NULL : error) && !failed;
        }
    }
}

/* The nodes of which QEMU, when it loads a snapshot, wants that each has it: the writable ones of all drives. */
static json_t *find_nodes(struct tcgrr_qmp *qmp, GError **error)
{
    json_t *drives = execute(qmp, "query-block", NULL, error);
    json_t *nodes = drives ? json_array() : NULL;
    size_t i;
    json_t *drive;

    json_array_foreach(drives, i, drive)
    {
        json_t *inserted = json_object_get(drive, "inserted");
        json_t *node = json_object_get(inserted, "node-name");
        if (json_is_string(node) && !json_is_true(json_object_get(inserted, "ro"))) {
            json_array_append(nodes, node);
        }
    }
    json_decref(drives);
    return nodes;
}

/* Has QEMU save all into the node that was added for it, and into `nodes`. */
static bool save_state(struct tcgrr_qmp *qmp, json_t *nodes, tcgrr_icount icount, GError **error)
{
    g_autofree char *tag = tcgrr_keyframe_tag(icount);
    json_array_append_new(nodes, json_string(NODE));
    return tell(qmp, "snapshot-save",
                json_pack("{s:s, s:s, s:s, s:O}", "job-id", NODE, "tag", tag, "vmstate", NODE, "devices", nodes),
                error) &&
           finish_job(qmp, NODE, error);
}

static bool copy_file(const char *from, const char *to, GError **error)
{
    int source = open(from, O_RDONLY | O_CLOEXEC);
    int target = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    ssize_t copied = source < 0 || target < 0 ? -1 : 1;

    while (copied > 0) {
        copied = sendfile(target, source, NULL, COPY_BYTES);
    }
    if (copied < 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot copy %s to %s: %s", from, to, g_strerror(errno));
    }
    if (source >= 0) {
        close(source);
    }
    if (target >= 0) {
        close(target);
    }
    return copied == 0;
}

/* Saves what has been written to the images so far. */
static bool save_images(const GPtrArray *images, const char *folder, GError **error)
{
    for (guint i = 0; i < images->len; i++) {
        const struct tcgrr_image *image = images->pdata[i];
        g_autofree char *path = tcgrr_keyframe_image_path(folder, i);
        if (!copy_file(image->scratch, path, error)) {
            return false;
        }
    }
    return true;
}

bool tcgrr_keyframe_can_save(const struct tcgrr_command *command, const char *started)
{
    return !started || command->images->len == 1; /* the keyframe itself */
}

bool tcgrr_keyframe_save(const struct tcgrr_keyframe_machine *machine, tcgrr_icount icount, const char *folder,
                         GError **error)
{
    g_autofree char *state = g_build_filename(folder, TCGRR_KEYFRAME_STATE, NULL);
    const struct tcgrr_command *command = machine->command;
    struct tcgrr_qmp *qmp = machine->qmp;
    bool good = tcgrr_qcow2_create(state, TCGRR_QCOW2_NO_DISK, error) &&
                tell(qmp, "blockdev-add",
                     json_pack("{s:s, s:s, s:{s:b}, s:{s:s, s:s, s:s}}", "driver", "qcow2", "node-name", NODE, "cache",
                               "no-flush", 1, "file", "driver", "file", "filename", state, "aio", command->aio),
                     error);
    if (!good) {
        return false;
    }
    json_t *nodes = find_nodes(qmp, error);
    good = nodes && save_state(qmp, nodes, icount, error) &&
           (machine->started || save_images(command->images, folder, error));
    json_decref(nodes);
    return tell(qmp, "blockdev-del", json_pack("{s:s}", "node-name", NODE), good ? error : NULL) && good &&
           (!machine->written || tcgrr_vmstate_omit_zeros(state, machine->written, error));
}
