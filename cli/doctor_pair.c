/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor --pair: what two QEMUs would give a guest differently for one command line, and what makes it the same. */
#include "cli/doctor.h"

#include <stdio.h>
#include <string.h>

#include "emu/qemu/device_tree.h"
#include "emu/qemu/pin.h"

#define PORTABLE "record --portable"

/* One of the two QEMUs, with the machine that it would make. */
struct member {
    struct tcgrr_qemu qemu;
    struct tcgrr_pins pins;
};

static void add(json_t *list, const char *what, const char *a, const char *b, const char *remedy)
{
    json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o}", "what", what, "a", cli_json_text(a), "b",
                                          cli_json_text(b), "remedy", cli_json_text(remedy)));
}

static bool open_member(struct member *member, const char *name, char **arguments, const char *plugin, GError **error)
{
    return tcgrr_qemu_probe(name, plugin, &member->qemu, error) &&
           tcgrr_pin(&member->qemu, (const char *const *)arguments, NULL, &member->pins, error);
}

static void clear_member(struct member *member)
{
    tcgrr_pins_clear(&member->pins);
    tcgrr_qemu_clear(&member->qemu);
}

static const struct tcgrr_pin_file *find(const struct member *member, const char *name)
{
    for (guint i = 0; i < member->pins.files->len; i++) {
        const struct tcgrr_pin_file *file = member->pins.files->pdata[i];
        if (strcmp(file->name, name) == 0) {
            return file;
        }
    }
    return NULL;
}

/* The machine and the CPU; whether the other one has what A makes from the command. */
static void compare_machine(struct member members[2], json_t *list)
{
    const struct tcgrr_pins *a = &members[0].pins;
    const struct tcgrr_pins *b = &members[1].pins;
    for (int i = 0; i < 2 && strcmp(a->machine, b->machine) != 0; i++) {
        GError *error = NULL;
        bool has = tcgrr_pin_check(&members[!i].qemu, members[i].pins.machine, "", &error);
        g_autofree char *remedy =
            has ? g_strdup_printf("-M %s, which both have", members[i].pins.machine) : g_strdup(error->message);
        g_clear_error(&error);
        if (has || i == 1) {
            add(list, "machine", a->machine, b->machine, remedy);
            break;
        }
    }
    if (strcmp(a->cpu, b->cpu) != 0) {
        add(list, "CPU", a->cpu, b->cpu, "name one with -cpu, or " PORTABLE);
    } else if (g_str_has_prefix(a->cpu, "max") || g_str_has_prefix(a->cpu, "host")) {
        add(list, "CPU features", a->cpu, b->cpu, "name a model instead, with -cpu");
    }
}

static void compare_tree(struct member members[2], json_t *list)
{
    const struct tcgrr_pin_file *a = find(&members[0], TCGRR_PIN_DTB);
    const struct tcgrr_pin_file *b = find(&members[1], TCGRR_PIN_DTB);
    bool same = false;
    bool seeds = false;
    if (!a || !b) {
        return;
    }
    if (tcgrr_device_tree_compare(a->content, b->content, &same, &seeds, NULL) && !same) {
        uint64_t size[2] = {0};
        g_autofree char *digest_a = tcgrr_content_digest(a->content, &size[0], NULL);
        g_autofree char *digest_b = tcgrr_content_digest(b->content, &size[1], NULL);
        g_autofree char *text_a = g_strdup_printf("%" G_GUINT64_FORMAT " bytes, xxh128 %s", size[0], digest_a);
        g_autofree char *text_b = g_strdup_printf("%" G_GUINT64_FORMAT " bytes, xxh128 %s", size[1], digest_b);
        add(list, "device tree", text_a, text_b, PORTABLE ", or -dtb with one of the two");
    }
    if (seeds) {
        add(list, "random seeds", "in the device tree", "different in each run", PORTABLE " (or -dtb)");
    }
}

static void compare_roms(struct member members[2], json_t *list)
{
    for (guint i = 0; i < members[0].pins.files->len; i++) {
        const struct tcgrr_pin_file *a = members[0].pins.files->pdata[i];
        const struct tcgrr_pin_file *b = find(&members[1], a->name);
        uint64_t size;
        if (!b || (strcmp(a->role, "rom") != 0 && strcmp(a->role, "firmware") != 0)) {
            continue;
        }
        g_autofree char *digest_a = tcgrr_content_digest(a->content, &size, NULL);
        g_autofree char *digest_b = tcgrr_content_digest(b->content, &size, NULL);
        if (g_strcmp0(digest_a, digest_b) != 0) {
            add(list, a->name, a->content, b->content, PORTABLE ", or record --start-at a place after the firmware");
        }
    }
}

/* What no file shows: a PC's firmware reads what QEMU makes for it. */
static void compare_tables(struct member members[2], json_t *list)
{
    bool pc = g_str_has_prefix(members[0].pins.machine, "pc-");
    if (pc && strcmp(members[0].qemu.version, members[1].qemu.version) != 0) {
        add(list, "ACPI, SMBIOS, fw_cfg", members[0].qemu.version, members[1].qemu.version,
            "record --start-at a place after the firmware");
    }
}

static void print_list(char *const names[2], json_t *list)
{
    size_t i;
    json_t *row;
    printf("A %s\nB %s\n", names[0], names[1]);
    json_array_foreach(list, i, row)
    {
        printf("%s\n  A: %s\n  B: %s\n  to remove the difference: %s\n",
               json_string_value(json_object_get(row, "what")), json_string_value(json_object_get(row, "a")),
               json_string_value(json_object_get(row, "b")), json_string_value(json_object_get(row, "remedy")));
    }
    if (json_array_size(list) == 0) {
        printf("they give the guest the same machine\n");
    }
}

int cli_doctor_pair(char *const names[2], char **arguments, const char *plugin, bool json)
{
    struct member members[2] = {0};
    GError *error = NULL;
    int status = CLI_OK;
    if (!open_member(&members[0], names[0], arguments, plugin, &error) ||
        !open_member(&members[1], names[1], arguments, plugin, &error)) {
        status = cli_fail(error);
    } else {
        json_t *list = json_array();
        compare_machine(members, list);
        compare_tree(members, list);
        compare_roms(members, list);
        compare_tables(members, list);
        if (json) {
            cli_print_json(json_pack("{s:o, s:o, s:b, s:o}", "a", cli_json_text(members[0].qemu.path), "b",
                                     cli_json_text(members[1].qemu.path), "same", json_array_size(list) == 0,
                                     "differences", list));
        } else {
            print_list(names, list);
            json_decref(list);
        }
    }
    clear_member(&members[0]);
    clear_member(&members[1]);
    return status;
}
