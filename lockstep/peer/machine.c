/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lockstep/peer/machine.h"

#include "store/error.h"
#include "store/inputs.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

#define SLICE_MS 20

/* ---- what our QEMU makes ---- */

struct pinning {
    const struct tcgrr_qemu *qemu;
    const char *const *arguments;
    struct tcgrr_pins *pins;
    GError *error;
    bool good;
    bool done;
};

static gpointer pin(gpointer data)
{
    struct pinning *pinning = data;
    pinning->good = tcgrr_pin(pinning->qemu, pinning->arguments, NULL, pinning->pins, &pinning->error);
    __atomic_store_n(&pinning->done, true, __ATOMIC_RELEASE);
    return NULL;
}

/* Starting a QEMU to ask it takes time, in which the peer hears from us. */
static bool pin_ours(struct tcgrr_agreed_machine *agreed, struct tcgrr_peer *peer, const struct tcgrr_qemu *qemu,
                     const char *const *arguments, GError **error)
{
    struct pinning pinning = {.qemu = qemu, .arguments = arguments, .pins = &agreed->pins};
    GThread *thread = g_thread_new("tcgrr-pin", pin, &pinning);
    bool good = true;

    while (good && !__atomic_load_n(&pinning.done, __ATOMIC_ACQUIRE)) {
        good = tcgrr_peer_stand_by(peer, SLICE_MS, error);
    }
    g_thread_join(thread);
    if (good && !pinning.good) {
        g_propagate_error(error, g_steal_pointer(&pinning.error));
    }
    g_clear_error(&pinning.error);
    return good && pinning.good;
}

/* Whether the file is QEMU's own rather than the user's. */
static bool is_machines(const struct tcgrr_pin_file *file)
{
    return strcmp(file->role, "firmware") == 0 || strcmp(file->role, "rom") == 0 ||
           strcmp(file->name, TCGRR_PIN_DTB) == 0;
}

static bool describe(const struct tcgrr_pins *pins, struct tcgrr_machine *machine, GError **error)
{
    bool versioned = g_regex_match_simple("-[0-9]+\\.[0-9]+$", pins->machine, 0, 0);

    g_strlcpy(machine->machine, versioned ? pins->machine : "", sizeof(machine->machine));
    g_strlcpy(machine->cpu, pins->cpu, sizeof(machine->cpu));
    g_strlcpy(machine->clock, pins->clock, sizeof(machine->clock));
    for (guint i = 0; versioned && i < pins->files->len; i++) {
        const struct tcgrr_pin_file *pinned = pins->files->pdata[i];
        struct tcgrr_machine_file file = {0};
        if (!is_machines(pinned)) {
            continue;
        }
        g_strlcpy(file.name, pinned->name, sizeof(file.name));
        g_strlcpy(file.role, pinned->role, sizeof(file.role));
        g_autofree char *digest = tcgrr_content_digest(pinned->content, &file.size, error);
        if (!digest) {
            return false;
        }
        if (file.size > TCGRR_MAX_MACHINE_FILE || machine->files->len == TCGRR_MAX_MACHINE_FILES) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                        "the other side does not take %s: it is too large, or one file too many", pinned->content);
            return false;
        }
        g_strlcpy(file.xxh128, digest, sizeof(file.xxh128));
        g_array_append_val(machine->files, file);
    }
    return true;
}

/* ---- the maker's side ---- */

static bool await(struct tcgrr_peer *peer, enum tcgrr_message_type type, struct tcgrr_message *message, GError **error)
{
    if (!tcgrr_peer_receive(peer, message, error)) {
        return false;
    }
    if (message->type == type) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED, "the other side sent a message out of turn (%s)",
                tcgrr_message_name(message->type));
    return false;
}

static bool send_file(struct tcgrr_peer *peer, const char *path, uint64_t size, GError **error)
{
    g_autofree char *bytes = NULL;
    gsize length = 0;

    if (!g_file_get_contents(path, &bytes, &length, error)) {
        return false;
    }
    if (length != size) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s changed while it was read", path);
        return false;
    }
    for (gsize done = 0; done < length; done += MIN(length - done, TCGRR_MAX_FILE_PIECE)) {
        g_autoptr(GByteArray) payload = g_byte_array_new();
        tcgrr_put_file(payload, (const uint8_t *)bytes + done, MIN(length - done, TCGRR_MAX_FILE_PIECE));
        if (!tcgrr_peer_send(peer, TCGRR_MESSAGE_FILE, payload, error)) {
            return false;
        }
    }
    return true;
}

/* Sends our machine, and the files that the other side lacks. *has_it: whether it accepts that machine, and if not,
 * why. */
static bool offer(struct tcgrr_agreed_machine *agreed, struct tcgrr_peer *peer, const struct tcgrr_machine *machine,
                  struct tcgrr_machine_answer *answer, GError **error)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct tcgrr_message message;

    tcgrr_put_machine(payload, machine);
    if (!tcgrr_peer_send(peer, TCGRR_MESSAGE_MACHINE, payload, error) ||
        !await(peer, TCGRR_MESSAGE_ANSWER, &message, error) ||
        !tcgrr_take_answer(&message, machine->files->len, answer, error)) {
        return false;
    }
    for (guint i = 0; i < answer->wanted->len; i++) {
        guint wanted = g_array_index(answer->wanted, uint32_t, i);
        const struct tcgrr_machine_file *file = &g_array_index(machine->files, struct tcgrr_machine_file, wanted);
        g_autofree char *path = g_build_filename(agreed->pins.folder, file->name, NULL);
        if (!send_file(peer, path, file->size, error)) {
            return false;
        }
    }
    return true;
}

/* ---- the other one's ---- */

/* The files that are not under their names in our folder with the same content. */
static void find_wanted(const struct tcgrr_agreed_machine *agreed, const struct tcgrr_machine *machine, GArray *wanted)
{
    for (uint32_t i = 0; i < machine->files->len; i++) {
        const struct tcgrr_machine_file *file = &g_array_index(machine->files, struct tcgrr_machine_file, i);
        g_autofree char *path = g_build_filename(agreed->pins.folder, file->name, NULL);
        uint64_t size = 0;
        g_autofree char *digest = tcgrr_content_digest(path, &size, NULL);
        if (size > 0 || file->size > 0) {
            bool same = digest && size == file->size && strcmp(digest, file->xxh128) == 0;
            if (!same) {
                g_array_append_val(wanted, i);
            }
        }
    }
}

/* A file of the user's that has the name of one of the other side's is what our command line means. */
static bool is_users(const struct tcgrr_pins *pins, const char *name)
{
    for (guint i = 0; i < pins->files->len; i++) {
        const struct tcgrr_pin_file *file = pins->files->pdata[i];
        if (strcmp(file->name, name) == 0) {
            return !is_machines(file);
        }
    }
    return false;
}

static bool receive_file(struct tcgrr_peer *peer, const char *path, const struct tcgrr_machine_file *file,
                         GError **error)
{
    g_autoptr(GByteArray) content = g_byte_array_new();
    struct tcgrr_message message;
    const uint8_t *bytes;
    size_t size;

    while (content->len < file->size) {
        if (!await(peer, TCGRR_MESSAGE_FILE, &message, error) || !tcgrr_take_file(&message, &bytes, &size, error)) {
            return false;
        }
        g_byte_array_append(content, bytes, (guint)size);
    }
    uint64_t written = 0;
    g_unlink(path); /* a link to ours */
    g_autofree char *digest = g_file_set_contents(path, (const char *)content->data, (gssize)content->len, error)
                                  ? tcgrr_content_digest(path, &written, error)
                                  : NULL;
    if (!digest) {
        return false;
    }
    if (written != file->size || strcmp(digest, file->xxh128) != 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_DAMAGED,
                    "the other side sent other content for %s than it announced", file->name);
        return false;
    }
    return true;
}

static bool receive_files(struct tcgrr_agreed_machine *agreed, struct tcgrr_peer *peer,
                          const struct tcgrr_machine *machine, const GArray *wanted, GError **error)
{
    for (guint i = 0; i < wanted->len; i++) {
        const struct tcgrr_machine_file *file =
            &g_array_index(machine->files, struct tcgrr_machine_file, g_array_index(wanted, uint32_t, i));
        g_autofree char *path = g_build_filename(agreed->pins.folder, file->name, NULL);
        if (is_users(&agreed->pins, file->name)) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED,
                        "%s is a file of this side's user, and one of QEMU's on the other side: rename it", file->name);
            return false;
        }
        if (!receive_file(peer, path, file, error)) {
            return false;
        }
    }
    return true;
}

/* Receives the other side's machine, and adopts it if our QEMU has it. */
static bool follow(struct tcgrr_agreed_machine *agreed, struct tcgrr_peer *peer, const struct tcgrr_qemu *qemu,
                   struct tcgrr_machine *machine, struct tcgrr_machine_answer *answer, GError **error)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    struct tcgrr_message message;
    GError *problem = NULL;

    if (!await(peer, TCGRR_MESSAGE_MACHINE, &message, error) || !tcgrr_take_machine(&message, machine, error)) {
        return false;
    }
    bool versioned = *machine->machine != '\0';
    answer->has_it = !versioned || tcgrr_pin_check(qemu, machine->machine, machine->cpu, &problem);
    if (!answer->has_it) {
        g_strlcpy(answer->why, problem->message, sizeof(answer->why));
        g_error_free(problem);
    } else if (versioned && !tcgrr_pins_adopt(&agreed->pins, machine->machine, machine->cpu, machine->clock, error)) {
        return false;
    } else {
        find_wanted(agreed, machine, answer->wanted);
    }
    tcgrr_put_answer(payload, answer);
    return tcgrr_peer_send(peer, TCGRR_MESSAGE_ANSWER, payload, error) &&
           receive_files(agreed, peer, machine, answer->wanted, error);
}

/* ---- both ---- */

/* The listening side's machine is tried first. */
static bool exchange(struct tcgrr_agreed_machine *agreed, struct tcgrr_peer *peer, bool listens,
                     const struct tcgrr_qemu *qemu, struct tcgrr_machine machines[2],
                     struct tcgrr_machine_answer answers[2], GError **error)
{
    if (!describe(&agreed->pins, &machines[!listens], error)) {
        return false;
    }
    for (agreed->maker = 0; agreed->maker < 2; agreed->maker++) {
        int maker = agreed->maker;
        bool ours = (maker == 0) == listens;
        struct tcgrr_machine_answer *answer = &answers[maker];
        if (ours ? !offer(agreed, peer, &machines[maker], answer, error)
                 : !follow(agreed, peer, qemu, &machines[maker], answer, error)) {
            return false;
        }
        if (answer->has_it) {
            agreed->pinned = *machines[maker].machine != '\0';
            return true;
        }
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s", answers[0].why);
    return false;
}

bool tcgrr_agreed_machine_agree(struct tcgrr_agreed_machine *agreed, struct tcgrr_peer *peer, bool listens,
                                const struct tcgrr_qemu *qemu, const char *const *arguments, GError **error)
{
    struct tcgrr_machine machines[2] = {0};
    struct tcgrr_machine_answer answers[2] = {0};

    for (int i = 0; i < 2; i++) {
        machines[i].files = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_machine_file));
        answers[i].wanted = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    }
    bool good = pin_ours(agreed, peer, qemu, arguments, error) &&
                exchange(agreed, peer, listens, qemu, machines, answers, error);
    if (good && agreed->pinned) {
        agreed->words = tcgrr_pins_resolve((const char *const *)agreed->pins.words, agreed->pins.folder);
    }
    for (int i = 0; i < 2; i++) {
        g_array_unref(machines[i].files);
        g_array_unref(answers[i].wanted);
    }
    return good;
}

void tcgrr_agreed_machine_clear(struct tcgrr_agreed_machine *agreed)
{
    if (agreed->pins.folder) {
        tcgrr_pins_clear(&agreed->pins);
    }
    g_strfreev(agreed->words);
    *agreed = (struct tcgrr_agreed_machine){0};
}
