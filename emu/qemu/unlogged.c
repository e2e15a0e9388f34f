/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/unlogged.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "emu/rrlog/format.h"

#define TICK_US 20000 /* the clock of files moves on at least once in it */

/* Character devices from which nothing ever comes. */
static bool is_silent(const char *backend)
{
    static const char *const silent[] = {"file", "null", "ringbuf", "memory", "testdev", NULL};
    return !backend || g_strv_contains(silent, backend);
}

/* The suboptions of -chardev ID; NULL: there is none. Owned by the caller. */
static GPtrArray *find_chardev(const GArray *options, const char *id)
{
    for (guint i = 0; i < options->len; i++) {
        const struct tcgrr_option *option = &g_array_index(options, struct tcgrr_option, i);
        if (strcmp(option->name, "chardev") != 0 || !option->value) {
            continue;
        }
        g_autoptr(GPtrArray) inside = tcgrr_suboptions_parse(option->value, "backend");
        if (g_strcmp0(tcgrr_suboptions_get(inside, "id"), id) == 0) {
            return g_steal_pointer(&inside);
        }
    }
    return NULL;
}

/* Whether input through -chardev ID is not logged, if a device uses it, or if -serial or the like does (`named`). */
static bool is_unlogged(const GArray *options, const char *id, bool named)
{
    g_autoptr(GPtrArray) chardev = find_chardev(options, id);
    const char *mux = chardev ? tcgrr_suboptions_get(chardev, "mux") : NULL;
    bool shared = mux && (strcmp(mux, "on") == 0 || strcmp(mux, "yes") == 0 || strcmp(mux, "true") == 0);

    return chardev && !is_silent(tcgrr_suboptions_get(chardev, "backend")) && (!named || shared);
}

static bool brings_input(const GArray *options, const struct tcgrr_option *option)
{
    static const char *const consoles[] = {"serial", "parallel", "debugcon", NULL};
    static const char *const prefix = "chardev:";

    if (g_strv_contains(consoles, option->name)) {
        return g_str_has_prefix(option->value, prefix) && is_unlogged(options, option->value + strlen(prefix), true);
    }
    if (strcmp(option->name, "device") == 0) {
        g_autoptr(GPtrArray) inside = tcgrr_suboptions_parse(option->value, "driver");
        const char *id = tcgrr_suboptions_get(inside, "chardev");
        return id && is_unlogged(options, id, false);
    }
    if (strcmp(option->name, "object") == 0) {
        g_autoptr(GPtrArray) inside = tcgrr_suboptions_parse(option->value, "qom-type");
        const char *type = tcgrr_suboptions_get(inside, "qom-type");
        return g_strcmp0(type, "rng-random") == 0 || g_strcmp0(type, "rng-egd") == 0;
    }
    return false;
}

char *tcgrr_unlogged_find(const GArray *options)
{
    for (guint i = 0; i < options->len; i++) {
        const struct tcgrr_option *option = &g_array_index(options, struct tcgrr_option, i);
        if (option->value && brings_input(options, option)) {
            return g_strdup_printf("-%s %s", option->name, option->value);
        }
    }
    return NULL;
}

/* The device that an option makes; NULL: none. Owned by the caller. */
static char *device_of(const struct tcgrr_option *option)
{
    if (option->value && strcmp(option->name, "device") == 0) {
        g_autoptr(GPtrArray) inside = tcgrr_suboptions_parse(option->value, "driver");
        return g_strdup(tcgrr_suboptions_get(inside, "driver"));
    }
    if (option->value && strcmp(option->name, "nic") == 0) {
        g_autoptr(GPtrArray) inside = tcgrr_suboptions_parse(option->value, "type");
        return g_strdup(tcgrr_suboptions_get(inside, "model"));
    }
    return NULL;
}

/* Devices whose main work QEMU defers to a time that it does not log: a bottom half or a timer of its main loop. */
static const struct {
    const char *begins; /* what the names of such devices begin with */
    unsigned major;     /* the release that logs it; 0: none */
    unsigned minor;
} put_off[] = {
    {"virtio-net", 9, 1}, /* hw/net/virtio-net.c has replay_bh_schedule_event() since then */
    {"nvme", 0, 0},       /* tried on 7.2, 10.0 and 11.1, with SeaBIOS, as are those that follow */
    {"usb-ehci", 0, 0},
    {"ich9-usb-ehci", 0, 0},
};

static bool is_put_off(const char *device, const struct tcgrr_rr_release *release)
{
    for (size_t i = 0; i < G_N_ELEMENTS(put_off); i++) {
        if (g_str_has_prefix(device, put_off[i].begins)) {
            unsigned major = put_off[i].major, minor = put_off[i].minor;
            return major == 0 || release->major < major || (release->major == major && release->minor < minor);
        }
    }
    return false;
}

char *tcgrr_unlogged_work(const GArray *options, const char *version)
{
    struct tcgrr_rr_release release;

    if (!version || !tcgrr_rr_release_parse(version, &release)) {
        return NULL;
    }
    for (guint i = 0; i < options->len; i++) {
        const struct tcgrr_option *option = &g_array_index(options, struct tcgrr_option, i);
        g_autofree char *device = device_of(option);
        if (device && is_put_off(device, &release)) {
            return g_strdup_printf("-%s %s", option->name, option->value);
        }
    }
    return NULL;
}

/* Whether the device completes all of its work before the guest's instruction returns. */
static bool works_at_once(const char *device)
{
    static const char *const devices[] = {"isa-debug-exit", "loader", "guest-loader", "pvpanic", "pvpanic-pci", NULL};
    return g_strv_contains(devices, device);
}

bool tcgrr_unlogged_possible(const GArray *options)
{
    static const char *const give[] = {"drive", "nic", "netdev", "usb", "usbdevice", "pflash", NULL};

    for (guint i = 0; i < options->len; i++) {
        const struct tcgrr_option *option = &g_array_index(options, struct tcgrr_option, i);
        g_autofree char *device = device_of(option);
        bool none = g_strcmp0(option->value, "none") == 0; /* -nic none */
        if ((device && !works_at_once(device)) || (g_strv_contains(give, option->name) && !none)) {
            return true;
        }
    }
    return false;
}

bool tcgrr_unlogged_shares_files(const struct tcgrr_option *option)
{
    return strcmp(option->name, "virtfs") == 0 || strcmp(option->name, "fsdev") == 0 ||
           strcmp(option->name, "virtfs_synth") == 0;
}

static bool has_option(const GArray *options, const char *name, const char *prefix)
{
    for (guint i = 0; i < options->len; i++) {
        const struct tcgrr_option *option = &g_array_index(options, struct tcgrr_option, i);
        if (strcmp(option->name, name) == 0 && g_str_has_prefix(option->value ? option->value : "", prefix)) {
            return true;
        }
    }
    return false;
}

bool tcgrr_unlogged_console(const GArray *options, const char *version)
{
    struct tcgrr_rr_release release;

    if (tcgrr_rr_release_parse(version, &release) &&
        (release.major > 9 || (release.major == 9 && release.minor >= 2))) {
        return false;
    }
    /* -nographic has a console and a monitor on one terminal, unless the user has put either elsewhere. */
    bool shared = has_option(options, "nographic", "") && !has_option(options, "serial", "") &&
                  !has_option(options, "monitor", "") && !has_option(options, "mon", "") &&
                  !has_option(options, "qmp", "");
    return shared || has_option(options, "serial", "mon:");
}

/* Whether reading a pipe without a name sets its time: from Linux 6.15 on it does not. */
static bool pipes_keep_time(void)
{
    struct stat before, after;
    char byte = 0;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    bool known = fstat(ends[0], &before) == 0;
    g_usleep(TICK_US);
    known = known && write(ends[1], &byte, 1) == 1 && read(ends[0], &byte, 1) == 1 && fstat(ends[0], &after) == 0 &&
            (after.st_atim.tv_sec != before.st_atim.tv_sec || after.st_atim.tv_nsec != before.st_atim.tv_nsec);
    close(ends[0]);
    close(ends[1]);
    return known;
}

/* Of a pipe; reading it sets its time, or else what was read cannot be known. */
static bool was_read(const struct stat *status, gint64 began)
{
    struct statfs folder;
    gint64 last = (gint64)status->st_atim.tv_sec * G_USEC_PER_SEC + status->st_atim.tv_nsec / 1000;
    bool named = fstatfs(STDIN_FILENO, &folder) == 0 && folder.f_type != PIPEFS_MAGIC;

    return last >= began || (!named && !pipes_keep_time());
}

bool tcgrr_unlogged_typed(gint64 began)
{
    struct stat status;

    if (fstat(STDIN_FILENO, &status) != 0) {
        return false;
    }
    if (S_ISFIFO(status.st_mode)) {
        return was_read(&status, began);
    }
    return S_ISREG(status.st_mode) ? lseek(STDIN_FILENO, 0, SEEK_CUR) > 0
                                   : S_ISSOCK(status.st_mode) || isatty(STDIN_FILENO);
}
