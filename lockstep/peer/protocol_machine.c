/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages about the machine that both sides share. */
#include "lockstep/peer/protocol_internal.h"

void tcgrr_put_machine(GByteArray *to, const struct tcgrr_machine *machine)
{
    tcgrr_put_text(to, machine->machine);
    tcgrr_put_text(to, machine->cpu);
    tcgrr_put_text(to, machine->clock);
    tcgrr_put_number(to, machine->files->len);
    for (guint i = 0; i < machine->files->len; i++) {
        const struct tcgrr_machine_file *file = &g_array_index(machine->files, struct tcgrr_machine_file, i);
        tcgrr_put_text(to, file->name);
        tcgrr_put_text(to, file->role);
        tcgrr_put_text(to, file->xxh128);
        tcgrr_put_number(to, file->size);
    }
}

/* Whether a name denotes a file directly in the folder. */
static bool is_plain_name(const char *name)
{
    return *name && *name != '.' && !strchr(name, '/') && !strpbrk(name, ",=:?");
}

bool tcgrr_take_machine(const struct tcgrr_message *message, struct tcgrr_machine *machine, GError **error)
{
    struct tcgrr_fields in = tcgrr_message_fields(message);

    tcgrr_take_text(&in, machine->machine, sizeof(machine->machine));
    tcgrr_take_text(&in, machine->cpu, sizeof(machine->cpu));
    tcgrr_take_text(&in, machine->clock, sizeof(machine->clock));
    uint64_t count = tcgrr_take_number(&in, TCGRR_MAX_MACHINE_FILES);
    for (uint64_t i = 0; i < count && !in.bad; i++) {
        struct tcgrr_machine_file file;
        tcgrr_take_text(&in, file.name, sizeof(file.name));
        tcgrr_take_text(&in, file.role, sizeof(file.role));
        tcgrr_take_text(&in, file.xxh128, sizeof(file.xxh128));
        file.size = tcgrr_take_number(&in, TCGRR_MAX_MACHINE_FILE);
        in.bad = in.bad || !is_plain_name(file.name);
        g_array_append_val(machine->files, file);
    }
    return tcgrr_message_taken(&in, message, error);
}

void tcgrr_put_answer(GByteArray *to, const struct tcgrr_machine_answer *answer)
{
    tcgrr_put_number(to, answer->has_it);
    tcgrr_put_text(to, answer->why);
    tcgrr_put_number(to, answer->wanted->len);
    for (guint i = 0; i < answer->wanted->len; i++) {
        tcgrr_put_number(to, g_array_index(answer->wanted, uint32_t, i));
    }
}

bool tcgrr_take_answer(const struct tcgrr_message *message, guint files, struct tcgrr_machine_answer *answer,
                       GError **error)
{
    struct tcgrr_fields in = tcgrr_message_fields(message);
    uint32_t least = 0;

    answer->has_it = tcgrr_take_number(&in, 1);
    tcgrr_take_text(&in, answer->why, sizeof(answer->why));
    uint64_t count = tcgrr_take_number(&in, files);
    for (uint64_t i = 0; i < count && !in.bad; i++) {
        uint32_t index = (uint32_t)tcgrr_take_number(&in, files - 1);
        in.bad = in.bad || index < least;
        least = index + 1;
        g_array_append_val(answer->wanted, index);
    }
    return tcgrr_message_taken(&in, message, error);
}

void tcgrr_put_file(GByteArray *to, const uint8_t *bytes, size_t size)
{
    tcgrr_put_number(to, size);
    g_byte_array_append(to, bytes, (guint)size);
}

bool tcgrr_take_file(const struct tcgrr_message *message, const uint8_t **bytes, size_t *size, GError **error)
{
    struct tcgrr_fields in = tcgrr_message_fields(message);

    *size = (size_t)tcgrr_take_number(&in, TCGRR_MAX_FILE_PIECE);
    *bytes = tcgrr_take_bytes(&in, *size);
    in.bad = in.bad || *size == 0;
    return tcgrr_message_taken(&in, message, error);
}
