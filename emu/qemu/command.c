/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/command.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emu/qemu/command_options.h"
#include "emu/qemu/outputs.h"
#include "emu/qemu/unlogged.h"
#include "emu/rrlog/format.h"
#include "store/error.h"

#define SHIFT_MAX 10

/* A command while it is built. */
struct builder {
    const struct tcgrr_qemu *qemu;
    const struct tcgrr_command_options *options;
    struct tcgrr_command *command;
    size_t program; /* user mode: the program's word in the command, counted from the end, where the last one is 1 */
    const char *const *words;
    GArray *given;       /* struct tcgrr_option, in the user's order */
    GPtrArray *argv;     /* char* */
    GPtrArray *icount;   /* struct tcgrr_suboption: the user's -icount, all of them merged */
    GPtrArray *smp;      /* the same of -smp and of -machine's smp. */
    bool has_network;    /* the user has network options */
    unsigned filters;    /* filter-replay objects so far */
    unsigned named_nics; /* -nic options that got an id */
    GString *extra;      /* text to append to the current -nic */
};

static bool is(const struct tcgrr_option *option, const char *name)
{
    return strcmp(option->name, name) == 0;
}

static bool is_one_of(const struct tcgrr_option *option, const char *const *names)
{
    return g_strv_contains(names, option->name);
}

static const char *value_of(const struct tcgrr_option *option)
{
    return option->value ? option->value : "";
}

static bool is_machine(const struct tcgrr_option *option)
{
    return is(option, "machine") || is(option, "M");
}

static G_GNUC_PRINTF(2, 3) void note(struct builder *builder, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    g_ptr_array_add(builder->command->notes, g_strdup_vprintf(format, list));
    va_end(list);
}

/* Makes the last note the warning that even a brief report shows. */
static void warn_of_last(struct tcgrr_command *command)
{
    command->warning = g_ptr_array_index(command->notes, command->notes->len - 1);
}

static bool is_rr(const struct builder *builder)
{
    return builder->command->mode != TCGRR_RUN_PLAIN;
}

static G_GNUC_PRINTF(2, 3) void add(struct builder *builder, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    g_ptr_array_add(builder->argv, g_strdup_vprintf(format, list));
    va_end(list);
}

static void add_file(struct builder *builder, const char *path)
{
    GPtrArray *files = builder->command->guest_files;
    if (path && path[0] && !g_ptr_array_find_with_equal_func(files, path, g_str_equal, NULL)) {
        g_ptr_array_add(files, g_strdup(path));
    }
}

/*
 * Adds an image named as in QEMU's block layer: "file:" may precede the name; with any other protocol it is not a local
 * file.
 */
static void add_image(struct builder *builder, const char *name)
{
    if (name && g_str_has_prefix(name, "file:")) {
        name += strlen("file:");
    } else if (name && name[strcspn(name, "/:")] == ':') {
        return;
    }
    add_file(builder, name);
}

static void replace(char **slot, const char *value)
{
    g_free(*slot);
    *slot = g_strdup(value);
}

/* Collects the files that the guest consists of from all options that can name them. */
static void collect_files_of_keys(struct builder *builder, const struct tcgrr_option *option)
{
    static const char *const device[] = {"file", "kernel", "initrd", "romfile", NULL};
    static const char *const machine[] = {"kernel", "initrd", "dtb", "firmware", "shim", NULL};
    static const char *const file[] = {"file", NULL};
    const char *const *keys = is(option, "device")                           ? device
                              : is_machine(option)                           ? machine
                              : is(option, "fw_cfg") || is(option, "smbios") ? file
                                                                             : NULL;
    bool image = is(option, "drive") || is(option, "blockdev");
    if (!keys && !image) {
        return;
    }
    GPtrArray *inside = tcgrr_suboptions_parse(value_of(option), NULL);
    for (guint i = 0; i < inside->len; i++) {
        const struct tcgrr_suboption *suboption = inside->pdata[i];
        if (keys && g_strv_contains(keys, suboption->key)) {
            add_file(builder, suboption->value);
        }
        /* The "file" of -blockdev is the name of another node. */
        if (image && ((is(option, "drive") && strcmp(suboption->key, "file") == 0) ||
                      strcmp(suboption->key, "filename") == 0 || g_str_has_suffix(suboption->key, ".filename"))) {
            add_image(builder, suboption->value);
        }
    }
    if (is_machine(option) && tcgrr_suboptions_get(inside, "kernel")) {
        replace(&builder->command->kernel, tcgrr_suboptions_get(inside, "kernel"));
    }
    g_ptr_array_unref(inside);
}

static void collect_files(struct builder *builder, const struct tcgrr_option *option)
{
    static const char *const files[] = {"kernel", "initrd", "dtb", "bios", "shim", "option-rom", "readconfig", NULL};
    static const char *const images[] = {"hda",   "hdb", "hdc",      "hdd",    "fda", "fdb",
                                         "cdrom", "sd",  "mtdblock", "pflash", "",    NULL};
    if (is_one_of(option, files)) {
        add_file(builder, option->value);
    } else if (is_one_of(option, images)) {
        add_image(builder, option->value);
    } else {
        collect_files_of_keys(builder, option);
    }
    if (is(option, "kernel") && option->value) {
        replace(&builder->command->kernel, option->value);
    }
}

/* `names` is one accelerator or several with colons between them. */
static bool check_accelerator(const struct tcgrr_option *option, const char *names, GError **error)
{
    char **each = g_strsplit(names, ":", -1);
    bool good = true;
    for (size_t i = 0; good && each[i]; i++) {
        good = strcmp(each[i], "tcg") == 0 || strcmp(each[i], "help") == 0 || strcmp(each[i], "?") == 0;
    }
    g_strfreev(each);
    return good || tcgrr_option_refuse(option, error, "only TCG can be recorded; leave it out or use tcg");
}

/* Refuses options that make recording impossible in any mode. */
static bool check_option(struct builder *builder, const struct tcgrr_option *option, GError **error)
{
    static const char *const accelerators[] = {"enable-kvm", "enable-hax", "xen-domid", "xen-attach", NULL};
    if (is_one_of(option, accelerators)) {
        return tcgrr_option_refuse(option, error, "only TCG can be recorded; leave it out");
    }
    if (is(option, "daemonize")) {
        return tcgrr_option_refuse(option, error,
                                   "tcgrr has to watch QEMU; leave it out and run tcgrr itself in the background");
    }
    if (!is(option, "accel") && !is_machine(option)) {
        return true;
    }
    GPtrArray *inside = tcgrr_suboptions_parse(value_of(option), is(option, "accel") ? "accel" : "type");
    const char *names = tcgrr_suboptions_get(inside, "accel");
    const char *thread = is(option, "accel") ? tcgrr_suboptions_get(inside, "thread") : NULL;
    bool good = !names || check_accelerator(option, names, error);
    if (good && thread && strcmp(thread, "multi") == 0) {
        good = tcgrr_option_refuse(option, error,
                                   "counting instructions needs one TCG thread; use thread=single or leave it out");
    }
    g_ptr_array_unref(inside);
    return good;
}

static void merge(GPtrArray *into, const char *value, const char *implied, const char *prefix)
{
    GPtrArray *inside = tcgrr_suboptions_parse(value, implied);
    for (guint i = 0; i < inside->len; i++) {
        const struct tcgrr_suboption *suboption = inside->pdata[i];
        if (g_str_has_prefix(suboption->key, prefix)) {
            tcgrr_suboptions_set(into, suboption->key + strlen(prefix), suboption->value);
        }
    }
    g_ptr_array_unref(inside);
}

static unsigned number_of(const GPtrArray *suboptions, const char *key)
{
    const char *text = tcgrr_suboptions_get(suboptions, key);
    guint64 number = 0;
    return text && g_ascii_string_to_unsigned(text, 10, 1, G_MAXUINT16, &number, NULL) ? (unsigned)number : 0;
}

/* The number of vCPUs as QEMU computes it: cpus=, else maxcpus=, else the product of the topology. Invalid values are
 * left for QEMU to refuse. */
static unsigned count_vcpus(const GPtrArray *smp)
{
    static const char *const levels[] = {"drawers",  "books",   "sockets", "dies",
                                         "clusters", "modules", "cores",   "threads"};
    unsigned long product = 1;
    for (size_t i = 0; i < G_N_ELEMENTS(levels) && product <= G_MAXUINT16; i++) {
        product *= MAX(number_of(smp, levels[i]), 1u);
    }
    unsigned cpus = number_of(smp, "cpus");
    unsigned maximum = number_of(smp, "maxcpus");
    return cpus > 0 ? cpus : maximum > 0 ? maximum : (unsigned)MIN(product, G_MAXUINT16);
}

/* The first pass over all options: refuses some, and collects what later steps need. */
static bool survey(struct builder *builder, GError **error)
{
    static const char *const network[] = {"nic", "net", "netdev", NULL};
    for (guint i = 0; i < builder->given->len; i++) {
        const struct tcgrr_option *option = &g_array_index(builder->given, struct tcgrr_option, i);
        if (!check_option(builder, option, error)) {
            return false;
        }
        collect_files(builder, option);
        if (is(option, "smp")) {
            merge(builder->smp, value_of(option), "cpus", "");
        } else if (is_machine(option)) {
            merge(builder->smp, value_of(option), "type", "smp.");
        } else if (is(option, "icount")) {
            merge(builder->icount, value_of(option), "shift", "");
        }
        builder->has_network |= is_one_of(option, network);
    }
    builder->command->vcpus = count_vcpus(builder->smp);
    return true;
}

static bool choose_mode(struct builder *builder, GError **error)
{
    struct tcgrr_command *command = builder->command;
    if (command->vcpus > 1 && command->mode == TCGRR_RUN_REPLAY) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "-smp: QEMU cannot replay %u vCPUs; use -smp 1",
                    command->vcpus);
        return false;
    }
    if (command->vcpus > 1 && command->mode == TCGRR_RUN_RECORD) {
        command->mode = TCGRR_RUN_PLAIN;
        note(builder,
             "recording without rr, so that it cannot be replayed: QEMU's record/replay takes one vCPU and -smp gives "
             "%u",
             command->vcpus);
        warn_of_last(command);
    }
    return true;
}

static bool is_shift(const char *shift)
{
    guint64 number;
    return strcmp(shift, "auto") == 0 || g_ascii_string_to_unsigned(shift, 10, 0, SHIFT_MAX, &number, NULL);
}

static bool same_shift(const char *a, const char *b)
{
    guint64 x;
    guint64 y;
    if (g_ascii_string_to_unsigned(a, 10, 0, SHIFT_MAX, &x, NULL) &&
        g_ascii_string_to_unsigned(b, 10, 0, SHIFT_MAX, &y, NULL)) {
        return x == y;
    }
    return strcmp(a, b) == 0;
}

static bool refuse_icount(const char *key, const char *value, GError **error, const char *remedy)
{
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "-icount %s=%s: %s", key, value, remedy);
    return false;
}

/* Merges the user's -icount with ours. */
static bool merge_icount(struct builder *builder, GError **error)
{
    const char *theirs = tcgrr_suboptions_get(builder->icount, "shift");
    const char *ours = builder->options->icount;
    if (ours && !is_shift(ours)) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "icount shift %s: use 0 to %d or auto", ours, SHIFT_MAX);
        return false;
    }
    if (ours && theirs && !same_shift(ours, theirs)) {
        char *remedy = g_strdup_printf("--icount asks for shift %s; give only one of them", ours);
        refuse_icount("shift", theirs, error, remedy);
        g_free(remedy);
        return false;
    }
    if (builder->options->mode != TCGRR_RUN_PLAIN) {
        static const char *const added[] = {"rr", "rrfile"};
        for (size_t i = 0; i < G_N_ELEMENTS(added); i++) {
            const char *value = tcgrr_suboptions_get(builder->icount, added[i]);
            if (value) {
                return refuse_icount(added[i], value, error,
                                     "tcgrr adds rr= and rrfile= itself; leave them out, or use --no-rr");
            }
        }
    }
    const char *sleep = tcgrr_suboptions_get(builder->icount, "sleep");
    if (sleep && strcmp(sleep, "on") != 0 && is_rr(builder)) {
        return refuse_icount("sleep", sleep, error, "not known to replay exactly; leave sleep= out, or use --no-rr");
    }
    const char *shift = ours ? ours : theirs ? theirs : "0";
    replace(&builder->command->icount_shift, shift);
    tcgrr_suboptions_set(builder->icount, "shift", builder->command->icount_shift);
    return true;
}

/* The snapshot in which the run begins; NULL: it begins with the machine's reset. */
static char *beginning_tag(const struct builder *builder)
{
    const struct tcgrr_command_options *options = builder->options;

    if (options->scratch && options->keyframe) {
        return tcgrr_keyframe_tag(options->keyframe_icount);
    }
    return options->start ? g_strdup(TCGRR_START_TAG) : NULL;
}

/* A replay loads its snapshot by rrsnapshot=: where that is missing, QEMU saves one of its own as soon as a debugger
 * attaches, which takes as long as loading one. */
static void add_icount(struct builder *builder)
{
    g_autofree char *tag = beginning_tag(builder);

    if (is_rr(builder)) {
        bool record = builder->command->mode == TCGRR_RUN_RECORD;
        tcgrr_suboptions_set(builder->icount, "rr", record ? "record" : "replay");
        tcgrr_suboptions_set(builder->icount, "rrfile",
                             builder->options->rr_file ? builder->options->rr_file : "replay.bin");
        if (!record && tag) {
            tcgrr_suboptions_set(builder->icount, "rrsnapshot", tag);
        }
    }
    char *text = tcgrr_suboptions_format(builder->icount);
    note(builder, "added -icount %s: counts instructions%s", text,
         is_rr(builder) ? " and makes the run repeatable" : "");
    add(builder, "-icount");
    add(builder, "%s", text);
    g_free(text);
}

/* Adds a filter-replay to the network backend `netdev`, unless the user has one. */
static void add_filter(struct builder *builder, const char *netdev)
{
    for (guint i = 0; i < builder->given->len; i++) {
        const struct tcgrr_option *option = &g_array_index(builder->given, struct tcgrr_option, i);
        if (!is(option, "object")) {
            continue;
        }
        GPtrArray *inside = tcgrr_suboptions_parse(value_of(option), "qom-type");
        bool there = g_strcmp0(tcgrr_suboptions_get(inside, "qom-type"), "filter-replay") == 0 &&
                     g_strcmp0(tcgrr_suboptions_get(inside, "netdev"), netdev) == 0;
        g_ptr_array_unref(inside);
        if (there) {
            return;
        }
    }
    char *escaped = tcgrr_options_escape(netdev);
    add(builder, "-object");
    add(builder, "filter-replay,id=tcgrr-rr%u,netdev=%s", builder->filters++, escaped);
    note(builder, "added -object filter-replay for %s: what comes from the network is recorded", netdev);
    g_free(escaped);
}

/* Adapts the user's network options for rr. Sets builder->extra to the text to append to a -nic. */
static bool adapt_network(struct builder *builder, const struct tcgrr_option *option, GError **error)
{
    if (is(option, "net")) {
        return strcmp(value_of(option), "none") == 0 ||
               tcgrr_option_refuse(option, error,
                                   "QEMU cannot record a network given by -net; use -netdev TYPE,id=n0 -device "
                                   "NIC,netdev=n0, or --no-rr");
    }
    GPtrArray *inside = tcgrr_suboptions_parse(value_of(option), "type");
    const char *id = tcgrr_suboptions_get(inside, "id");
    const char *type = tcgrr_suboptions_get(inside, "type");
    bool good = true;
    if (is(option, "netdev")) {
        good = id != NULL || tcgrr_option_refuse(option, error, "it has no id=; give it one");
        if (good) {
            add_filter(builder, id);
        }
    } else if (g_strcmp0(type, "none") != 0) {
        char *made = id ? NULL : g_strdup_printf("tcgrr-nic%u", builder->named_nics++);
        if (made) {
            g_string_printf(builder->extra, ",id=%s", made);
            note(builder, "gave -nic %s an id, for its filter-replay", value_of(option));
        }
        add_filter(builder, id ? id : made);
        g_free(made);
    }
    g_ptr_array_unref(inside);
    return good;
}

static bool has_option(const struct builder *builder, const char *name, const char *value)
{
    for (guint i = 0; i < builder->given->len; i++) {
        const struct tcgrr_option *option = &g_array_index(builder->given, struct tcgrr_option, i);
        if (is(option, name) && (!value || strcmp(value_of(option), value) == 0)) {
            return true;
        }
    }
    return false;
}

/* Whether an option `name` of the user's has a value with this text in it. */
static bool has_value(const struct builder *builder, const char *name, const char *text)
{
    for (guint i = 0; i < builder->given->len; i++) {
        const struct tcgrr_option *option = &g_array_index(builder->given, struct tcgrr_option, i);
        if (is(option, name) && strstr(value_of(option), text)) {
            return true;
        }
    }
    return false;
}

/* Replaces the files that a disk may write to. Returns whether the option was for a disk with such files. */
static bool cover_images(struct builder *builder, const struct tcgrr_option *option)
{
    const struct tcgrr_command_options *options = builder->options;
    bool flash = is(option, "pflash");

    if (!options->scratch || !(flash || is(option, "drive") || is(option, "blockdev"))) {
        return false;
    }
    g_autofree char *value = flash ? tcgrr_options_escape(value_of(option)) : NULL;
    g_autofree char *drive = flash ? g_strconcat("if=pflash,file=", value, NULL) : g_strdup(value_of(option));
    bool blockdev = is(option, "blockdev");
    g_autoptr(GPtrArray) inside = tcgrr_suboptions_parse(drive, blockdev ? "driver" : NULL);
    if (!tcgrr_images_cover(inside, blockdev, options->directory, options->scratch, options->keyframe,
                            builder->command->images)) {
        return false;
    }
    g_autofree char *text = tcgrr_suboptions_format(inside);
    add(builder, blockdev ? "-blockdev" : "-drive");
    add(builder, "%s", text);
    note(builder, "left the image of -%s %s unchanged: writes to it go to a scratch file", option->name,
         value_of(option));
    return true;
}

/* Starts from the snapshot in `image`, unless add_icount() did it. */
static void add_loading(struct builder *builder, const char *image, const char *tag)
{
    if (builder->command->mode != TCGRR_RUN_REPLAY) {
        add(builder, "-loadvm");
        add(builder, "%s", tag);
    }
    note(builder, "the run starts from the snapshot %s in %s", tag, image);
}

/* Starts from the state in the image at `path`, which is not modified. QEMU takes the machine's state from the first
 * drive that can hold one. */
static void add_state(struct builder *builder, const char *path, const char *tag)
{
    g_ptr_array_insert(builder->argv, 1, g_strdup("-drive"));
    g_ptr_array_insert(
        builder->argv, 2,
        tcgrr_images_state(path, builder->command->aio, builder->options->scratch, builder->command->images));
    add_loading(builder, path, tag);
}

/* Adds the keyframe to start from or, if our scratch files are used, the snapshot from which the run starts. */
static void add_beginning(struct builder *builder)
{
    const struct tcgrr_command_options *options = builder->options;

    if (options->scratch && options->keyframe) {
        g_autofree char *state = g_build_filename(options->keyframe, TCGRR_KEYFRAME_STATE, NULL);
        g_autofree char *tag = beginning_tag(builder);
        add_state(builder, state, tag);
    } else if (options->scratch && options->start) {
        add_state(builder, options->start, TCGRR_START_TAG);
    }
}

/* Adds an option unchanged, or with its output redirected to /dev/null. */
static void add_option(struct builder *builder, const struct tcgrr_option *option)
{
    const struct tcgrr_command_options *options = builder->options;
    size_t own = options->own ? g_strv_length((char **)options->own) : 0;
    bool repeats = options->mode == TCGRR_RUN_REPLAY && option->first + own < g_strv_length((char **)builder->words);
    g_autofree char *discarded = repeats ? tcgrr_outputs_discard(option) : NULL;

    if (repeats && is(option, "pidfile")) {
        note(builder, "left out -pidfile %s: it belongs to the QEMU that was recorded", value_of(option));
        return;
    }
    if (discarded) {
        note(builder, "changed -%s %s to %s: the file has what the recorded guest wrote", option->name,
             value_of(option), discarded);
        add(builder, "-%s", option->name);
        add(builder, "%s", discarded);
        return;
    }
    for (size_t word = option->first; word < option->first + option->words; word++) {
        bool last = word + 1 == option->first + option->words;
        add(builder, "%s%s", builder->words[word], last ? builder->extra->str : "");
    }
}

/* Copies the user's words, without those that ours replace. */
static bool add_given(struct builder *builder, GError **error)
{
    for (guint i = 0; i < builder->given->len; i++) {
        const struct tcgrr_option *option = &g_array_index(builder->given, struct tcgrr_option, i);
        g_string_truncate(builder->extra, 0);
        if (is(option, "icount") || (builder->options->scratch && is(option, "snapshot")) ||
            (builder->options->keyframe && is(option, "loadvm")) || cover_images(builder, option)) {
            continue;
        }
        if (builder->options->gdb && (is(option, "gdb") || is(option, "s"))) {
            note(builder, "left out -%s: replaced by -gdb %s", option->name, builder->options->gdb);
            continue;
        }
        bool network = is(option, "nic") || is(option, "net") || is(option, "netdev");
        if (network && is_rr(builder) && !adapt_network(builder, option, error)) {
            return false;
        }
        add_option(builder, option);
    }
    return true;
}

static void add_plugin(struct builder *builder)
{
    const struct tcgrr_command_options *options = builder->options;
    if (!options->plugin) {
        return;
    }
    char *path = tcgrr_options_escape(options->plugin);
    bool arguments = options->plugin_arguments && options->plugin_arguments[0];
    GString *word = g_string_new(path);
    if (arguments) {
        g_string_append_printf(word, ",%s", options->plugin_arguments);
    }
    if (builder->program > 0) {
        g_string_append_printf(word, ",program=%zu", builder->program);
    }
    if (builder->qemu->api_forced) {
        g_string_append_printf(word, ",api=%d", builder->qemu->api);
    }
    add(builder, "-plugin");
    add(builder, "%s", word->str);
    g_string_free(word, TRUE);
    note(builder, "added -plugin %s: watches what QEMU executes", options->plugin);
    g_free(path);
}

/*
 * Whether a reset by the guest would hang: under rr QEMU's main thread waits in it for the vCPU to run work queued by
 * the APIC's "vapic", while the vCPU waits for the lock that the main thread holds (seen in 7.2, 10.0 and 11.1). Not if
 * the user specified QEMU's action on reset, or disabled vapic.
 */
static bool reset_hangs(const struct builder *builder)
{
    bool x86 = strcmp(builder->qemu->target, "x86_64") == 0 || strcmp(builder->qemu->target, "i386") == 0;
    return x86 && is_rr(builder) && !has_option(builder, "no-reboot", NULL) &&
           !has_value(builder, "action", "reboot=") && !has_value(builder, "global", "vapic");
}

/*
 * Pauses QEMU, rather than ending it, when the guest shuts down; -action exists since QEMU 6.0. A panic has to end the
 * run, as without tcgrr: QEMU's default, "shutdown", would only pause the machine if a shutdown does; "exit-failure",
 * since 7.1, is otherwise the same.
 */
static void add_pause(struct builder *builder)
{
    struct tcgrr_rr_release release = {.major = 10};
    if (!builder->options->pause_at_end || has_option(builder, "no-shutdown", NULL)) {
        return;
    }
    if (builder->qemu->version) {
        tcgrr_rr_release_parse(builder->qemu->version, &release);
    }
    bool knows_panic = release.major > 7 || (release.major == 7 && release.minor >= 1);
    bool hangs = reset_hangs(builder);
    g_autofree char *action = g_strconcat(
        "shutdown=pause", knows_panic && !has_value(builder, "action", "panic=") ? ",panic=exit-failure" : "",
        hangs ? ",reboot=shutdown" : "", NULL);
    if (release.major < 6) {
        add(builder, "-no-shutdown");
        note(builder, "added -no-shutdown: QEMU is asked for its own count at the end");
        return;
    }
    add(builder, "-action");
    add(builder, "%s", action);
    note(builder, "added -action %s: QEMU is asked for its own count at the end%s", action,
         hangs ? ", and a reset of the guest is one, because QEMU hangs when a PC resets under rr" : "");
}

/* QEMU loads a snapshot from all images that can have one, so only one may have snapshots. */
static void add_snapshots(struct builder *builder)
{
    const struct tcgrr_command_options *options = builder->options;
    const char *image = options->start ? options->start : options->snapshot;
    if (!image || (options->scratch && options->start)) {
        return;
    }
    char *path = tcgrr_options_escape(image);
    add(builder, "-drive");
    add(builder, "file=%s,format=qcow2,if=none,id=tcgrr-snapshot", path);
    g_free(path);
    if (options->start) {
        add_loading(builder, image, TCGRR_START_TAG);
    } else {
        note(builder, "added a drive for snapshots that no device uses");
    }
}

static void add_ours(struct builder *builder)
{
    const struct tcgrr_command_options *options = builder->options;
    add_icount(builder);
    if (is_rr(builder) && !builder->has_network) {
        add(builder, "-nic");
        add(builder, "none");
        note(builder, "added -nic none: a network card would need -netdev under record/replay");
    }
    add_plugin(builder);
    add_pause(builder);
    /* Not with -qmp, -mon or -chardev: each of them removes QEMU's default monitor, and with -nographic the handling of
     * Ctrl-A and Ctrl-C. */
    if (options->qmp_config) {
        add(builder, "-readconfig");
        add(builder, "%s", options->qmp_config);
        note(builder, "added -readconfig %s: a QMP monitor for tcgrr", options->qmp_config);
    }
    if (options->gdb) {
        add(builder, "-gdb");
        add(builder, "%s", options->gdb);
    }
    add_snapshots(builder);
    if (options->start_paused && !has_option(builder, "S", NULL)) {
        add(builder, "-S");
    }
    add_beginning(builder);
}

/* Adds notes about inputs that a recording, or its replay, lacks. */
static bool check_inputs(struct builder *builder, GError **error)
{
    g_autofree char *unlogged = tcgrr_unlogged_find(builder->given);

    for (guint i = 0; i < builder->given->len; i++) {
        const struct tcgrr_option *option = &g_array_index(builder->given, struct tcgrr_option, i);
        if (tcgrr_unlogged_shares_files(option)) {
            return tcgrr_option_refuse(option, error,
                                       "what the guest reads from the host's files is in no rr log, and a replay would "
                                       "write to them again; give it a disk instead, or --no-rr");
        }
    }
    if (unlogged && builder->command->mode == TCGRR_RUN_RECORD) {
        note(builder,
             "%s: QEMU does not record what the guest gets from there; if it gets anything, a replay differs, and "
             "there is no verdict (consoles: -serial mon:stdio; random numbers: -object rng-builtin)",
             unlogged);
        warn_of_last(builder->command);
    }
    g_autofree char *work = tcgrr_unlogged_work(builder->given, builder->qemu->version);
    if (work && !unlogged && builder->command->mode == TCGRR_RUN_RECORD) {
        note(builder,
             "%s: QEMU %s does some of this device's work at times that it does not record; if the guest uses it, a "
             "replay may differ, and then there is no verdict",
             work, builder->qemu->version);
        warn_of_last(builder->command);
    }
    return true;
}

static bool build_system(struct builder *builder, GError **error)
{
    builder->given = tcgrr_options_scan_system(builder->words);
    if (!survey(builder, error) || !choose_mode(builder, error) || !merge_icount(builder, error)) {
        return false;
    }
    if (is_rr(builder) &&
        (!tcgrr_options_check_disks(builder->given, builder->qemu->target, error) || !check_inputs(builder, error))) {
        return false;
    }
    if (!add_given(builder, error)) {
        return false;
    }
    add_ours(builder);
    return true;
}

static bool user_has(const struct builder *builder, size_t program, const char *option)
{
    for (size_t i = 0; i < program; i++) {
        if (strcmp(builder->words[i], option) == 0) {
            return true;
        }
    }
    return false;
}

static bool needs_seed(const struct builder *builder, size_t program)
{
    return !user_has(builder, program, "-seed") && !g_getenv("QEMU_RAND_SEED");
}

/*
 * Makes each run of a program start in the same way: -seed determines AT_RANDOM's bytes. The process itself is started
 * without address-space randomization, and with one malloc arena: otherwise QEMU's threads would map further arenas in
 * an unpredictable order, which would move the program's libraries. The variable for that is hidden from the program.
 */
static void pin_start(struct builder *builder, size_t program)
{
    if (!builder->options->plugin) {
        return;
    }
    if (needs_seed(builder, program)) {
        add(builder, "-seed");
        add(builder, "1");
        note(builder, "added -seed 1: each run gets the same AT_RANDOM");
    }
    if (!g_getenv(TCGRR_COMMAND_ARENAS)) {
        add(builder, "-U");
        add(builder, TCGRR_COMMAND_ARENAS);
        note(builder,
             "added -U " TCGRR_COMMAND_ARENAS ": that is for QEMU itself, so that each run has the same addresses");
    }
}

/* QEMU's user mode stops reading options at the program, so ours come first. */
static bool build_user(struct builder *builder, GError **error)
{
    const struct tcgrr_command_options *options = builder->options;
    struct tcgrr_command *command = builder->command;
    const char *wrong = options->mode == TCGRR_RUN_REPLAY ? "rr log"
                        : options->icount                 ? "icount shift"
                        : options->gdb                    ? "place for gdb to stop at"
                                                          : NULL;
    if (wrong) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE,
                    "%s: user-mode QEMU has no icount, so no %s; use qemu-system-*", builder->qemu->path, wrong);
        return false;
    }
    size_t program = tcgrr_options_find_program(builder->words);
    if (!builder->words[program]) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "%s: no program given; name it after QEMU's options",
                    builder->qemu->path);
        return false;
    }
    if (command->mode == TCGRR_RUN_RECORD) {
        command->mode = TCGRR_RUN_PLAIN;
        note(builder, "recording without rr: user-mode QEMU has neither icount nor record/replay");
    }
    replace(&command->icount_shift, "");
    replace(&command->kernel, builder->words[program]);
    add_file(builder, builder->words[program]);
    command->vcpus = 1;
    builder->program = g_strv_length((char **)builder->words) - program;
    add_plugin(builder);
    pin_start(builder, program);
    for (size_t i = 0; builder->words[i]; i++) {
        add(builder, "%s", builder->words[i]);
    }
    return true;
}

bool tcgrr_command_build(const struct tcgrr_qemu *qemu, const char *const *arguments,
                         const struct tcgrr_command_options *options, struct tcgrr_command *command, GError **error)
{
    *command = (struct tcgrr_command){.mode = options->mode};
    command->notes = g_ptr_array_new_with_free_func(g_free);
    command->guest_files = g_ptr_array_new_with_free_func(g_free);
    command->aio = tcgrr_qemu_aio(qemu);
    command->images = tcgrr_images_new();
    if (options->plugin && qemu->plugin_error) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s cannot be recorded: %s", qemu->path,
                    qemu->plugin_error);
        tcgrr_command_clear(command);
        return false;
    }
    struct builder builder = {
        .qemu = qemu,
        .options = options,
        .command = command,
        .words = arguments,
        .argv = g_ptr_array_new_with_free_func(g_free),
        .icount = tcgrr_suboptions_parse("", NULL),
        .smp = tcgrr_suboptions_parse("", NULL),
        .extra = g_string_new(NULL),
    };
    add(&builder, "%s", qemu->path);
    bool good = qemu->system ? build_system(&builder, error) : build_user(&builder, error);
    if (builder.given) {
        g_array_unref(builder.given);
    }
    g_ptr_array_unref(builder.icount);
    g_ptr_array_unref(builder.smp);
    g_string_free(builder.extra, TRUE);
    if (!good) {
        g_ptr_array_unref(builder.argv);
        tcgrr_command_clear(command);
        return false;
    }
    g_ptr_array_add(builder.argv, NULL);
    command->argv = (char **)g_ptr_array_free(builder.argv, FALSE);
    return true;
}

int tcgrr_command_program(const char *qemu, const char *const *arguments)
{
    size_t at = tcgrr_options_find_program(arguments);
    return arguments[at] && tcgrr_qemu_is_user(qemu) ? (int)at : -1;
}

void tcgrr_command_clear(struct tcgrr_command *command)
{
    g_strfreev(command->argv);
    g_free(command->icount_shift);
    g_free(command->kernel);
    if (command->notes) {
        g_ptr_array_unref(command->notes);
    }
    if (command->guest_files) {
        g_ptr_array_unref(command->guest_files);
    }
    if (command->images) {
        g_ptr_array_unref(command->images);
    }
    *command = (struct tcgrr_command){0};
}
