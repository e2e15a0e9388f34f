/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "emu/qemu/command_options.h"

/* The names of drives that `-device …,drive=NAME` attaches. Names are owned by the set. */
static GHashTable *find_attached(const GArray *options)
{
    GHashTable *attached = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < options->len; i++) {
        const struct tcgrr_option *option = &g_array_index(options, struct tcgrr_option, i);
        if (strcmp(option->name, "device") != 0 || !option->value) {
            continue;
        }
        GPtrArray *inside = tcgrr_suboptions_parse(option->value, "driver");
        const char *drive = tcgrr_suboptions_get(inside, "drive");
        if (drive) {
            g_hash_table_add(attached, g_strdup(drive));
        }
        g_ptr_array_unref(inside);
    }
    return attached;
}

static bool has_suffix(const struct tcgrr_suboption *suboption, const char *key)
{
    size_t length = strlen(suboption->key);
    size_t end = strlen(key);
    return length >= end && strcmp(suboption->key + length - end, key) == 0 &&
           (length == end || suboption->key[length - end - 1] == '.');
}

/* Whether the block device has a medium (an empty CD drive has none), and whether it goes through blkreplay. */
static void look_inside(const GPtrArray *inside, bool *source, bool *replayed)
{
    *source = false;
    *replayed = false;
    for (guint i = 0; i < inside->len; i++) {
        const struct tcgrr_suboption *suboption = inside->pdata[i];
        bool driver = has_suffix(suboption, "driver");
        *source |= driver || has_suffix(suboption, "file") || has_suffix(suboption, "filename");
        *replayed |= driver && strcmp(suboption->value, "blkreplay") == 0;
    }
}

/* The device that QEMU creates for such an option, if that does not depend on the machine. */
static const char *device_for(const char *target, const char *name, const char *interface, const char *media)
{
    bool pc = strcmp(target, "x86_64") == 0 || strcmp(target, "i386") == 0;

    if (g_strcmp0(interface, "virtio") == 0) {
        return "virtio-blk";
    }
    if (!pc || (interface && strcmp(interface, "ide") != 0)) {
        return "DEVICE";
    }
    if (strcmp(name, "cdrom") == 0 || g_strcmp0(media, "cdrom") == 0) {
        return "ide-cd";
    }
    return g_str_has_prefix(name, "fd") ? "floppy" : "ide-hd";
}

static bool refuse_disk(const struct tcgrr_option *option, const char *file, const char *device, GError **error)
{
    g_autofree char *escaped = tcgrr_options_escape(file ? file : "FILE");

    tcgrr_option_refuse(option, error,
                        "this disk would not replay; use -drive file=%s,if=none,snapshot=on,id=d0 "
                        "-drive driver=blkreplay,if=none,image=d0,id=r0 -device %s,drive=r0 instead, or --no-rr",
                        escaped, device);
    return false;
}

static bool check_drive(const struct tcgrr_option *option, const char *target, GHashTable *attached, GError **error)
{
    bool drive = strcmp(option->name, "drive") == 0;
    GPtrArray *inside = tcgrr_suboptions_parse(option->value, drive ? NULL : "driver");
    const char *name = tcgrr_suboptions_get(inside, drive ? "id" : "node-name");
    const char *interface = drive ? tcgrr_suboptions_get(inside, "if") : "none";
    bool source;
    bool replayed;
    look_inside(inside, &source, &replayed);

    /* -drive without if= goes to the machine's usual place; with if=none it waits for a -device. */
    bool flash = g_strcmp0(interface, "pflash") == 0;
    bool used = g_strcmp0(interface, "none") != 0 || (name && g_hash_table_contains(attached, name));
    bool good = flash || !used || !source || replayed;
    if (!good) {
        const char *device =
            device_for(target, drive ? "drive" : "blockdev", interface, tcgrr_suboptions_get(inside, "media"));
        refuse_disk(option, tcgrr_suboptions_get(inside, drive ? "file" : "filename"), device, error);
    }
    g_ptr_array_unref(inside);
    return good;
}

bool tcgrr_options_check_disks(const GArray *options, const char *target, GError **error)
{
    static const char *const plain[] = {"hda", "hdb", "hdc", "hdd", "fda", "fdb", "cdrom", "sd", "mtdblock", "", NULL};
    GHashTable *attached = find_attached(options);
    bool good = true;
    for (guint i = 0; good && i < options->len; i++) {
        const struct tcgrr_option *option = &g_array_index(options, struct tcgrr_option, i);
        if (!option->value) {
            continue;
        }
        if (g_strv_contains(plain, option->name)) {
            good = refuse_disk(option, option->value, device_for(target, option->name, NULL, NULL), error);
        } else if (strcmp(option->name, "drive") == 0 || strcmp(option->name, "blockdev") == 0) {
            good = check_drive(option, target, attached, error);
        }
    }
    g_hash_table_unref(attached);
    return good;
}
