/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/pin.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "emu/qemu/command_options.h"
#include "emu/qemu/device_tree.h"
#include "emu/qemu/folder.h"
#include "emu/qemu/inspect.h"
#include "emu/qemu/scratch.h"
#include "store/error.h"
#include "store/words.h"

#define ELF_SEGMENT " ELF program header segment " /* hw/elf_ops of QEMU 7.0 to 11.1 */
#define FLASH_COPY  ".start"                       /* a copy of a flash image from before the guest wrote to it */

/* A command while it is pinned. */
struct pinning {
    const struct tcgrr_qemu *qemu;
    const char *const *arguments;
    const char *directory; /* absolute */
    struct tcgrr_pins *pins;
    GArray *given;    /* struct tcgrr_option */
    GPtrArray *words; /* char* */
    struct tcgrr_inspect *inspect;
    char **data_folders;
};

static G_GNUC_PRINTF(2, 3) void list(GPtrArray *lines, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_ptr_array_add(lines, g_strdup_vprintf(format, arguments));
    va_end(arguments);
}

static G_GNUC_PRINTF(2, 3) void add(struct pinning *pinning, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_ptr_array_add(pinning->words, g_strdup_vprintf(format, arguments));
    va_end(arguments);
}

static const struct tcgrr_option *find_option(const struct pinning *pinning, const char *name)
{
    const struct tcgrr_option *found = NULL;
    for (guint i = 0; i < pinning->given->len; i++) {
        const struct tcgrr_option *option = &g_array_index(pinning->given, struct tcgrr_option, i);
        found = strcmp(option->name, name) == 0 ? option : found;
    }
    return found;
}

static bool is_machine(const struct tcgrr_option *option)
{
    return strcmp(option->name, "machine") == 0 || strcmp(option->name, "M") == 0;
}

/* ---- files ---- */

static void free_file(gpointer data)
{
    struct tcgrr_pin_file *file = data;
    g_free(file->name);
    g_free(file->role);
    g_free(file->path);
    g_free(file->content);
    g_free(file);
}

static const struct tcgrr_pin_file *find_file(const struct tcgrr_pins *pins, const char *name)
{
    for (guint i = 0; i < pins->files->len; i++) {
        const struct tcgrr_pin_file *file = pins->files->pdata[i];
        if (strcmp(file->name, name) == 0) {
            return file;
        }
    }
    return NULL;
}

static const char *add_to_list(struct tcgrr_pins *pins, const char *name, const char *role, const char *path,
                               const char *content)
{
    struct tcgrr_pin_file *file = g_new(struct tcgrr_pin_file, 1);
    *file = (struct tcgrr_pin_file){g_strdup(name), g_strdup(role), g_strdup(path), g_strdup(content)};
    g_ptr_array_add(pins->files, file);
    return file->name;
}

void tcgrr_pins_add_made(struct tcgrr_pins *pins, const char *name, const char *role)
{
    g_autofree char *content = g_build_filename(pins->folder, name, NULL);
    add_to_list(pins, name, role, "", content);
}

/* A unique name for a file, without characters that have a meaning in QEMU's options. Owned by the caller. */
static char *choose_name(const struct tcgrr_pins *pins, const char *path)
{
    g_autofree char *base = g_path_get_basename(path);
    g_strdelimit(base, ",=:\n", '_');
    char *name = g_strdup(base);
    for (unsigned i = 2; find_file(pins, name) || g_str_has_suffix(name, FLASH_COPY); i++) {
        g_free(name);
        name = g_strdup_printf("%u-%s", i, g_str_has_suffix(base, FLASH_COPY) ? "image" : base);
    }
    return name;
}

/*
 * Creates a link to the file at `path` in the folder. Returns its name there, owned by the list; NULL with error. A
 * file that the guest may write to is copied instead.
 */
static const char *place(struct pinning *pinning, const char *path, const char *user_path, const char *role,
                         GError **error)
{
    struct tcgrr_pins *pins = pinning->pins;
    bool flash = strcmp(role, "flash") == 0;
    for (guint i = 0; i < pins->files->len; i++) {
        const struct tcgrr_pin_file *file = pins->files->pdata[i];
        if (strcmp(file->content, path) == 0) {
            return file->name;
        }
    }
    g_autofree char *name = choose_name(pins, path);
    g_autofree char *link = g_build_filename(pins->folder, name, NULL);
    g_autofree char *copy = g_strconcat(link, FLASH_COPY, NULL);
    if (symlink(path, link) != 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot make %s: %s", link, g_strerror(errno));
        return NULL;
    }
    if (flash && !tcgrr_file_copy(path, copy, error)) {
        return NULL;
    }
    return add_to_list(pins, name, role, user_path, flash ? copy : path);
}

/* The regular file that QEMU opens for `name`: that path or, if `firmware`, one in QEMU's data folders. Owned by the
 * caller; NULL if there is none. */
static char *locate(const struct pinning *pinning, const char *name, bool firmware)
{
    char *path = g_canonicalize_filename(name, pinning->directory);
    for (char **folder = pinning->data_folders; firmware && *folder && !g_file_test(path, G_FILE_TEST_IS_REGULAR);
         folder++) {
        g_free(path);
        path = g_build_filename(*folder, name, NULL);
    }
    if (!g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
        g_free(path);
        return NULL;
    }
    g_autofree char *whole = path;
    return g_canonicalize_filename(whole, pinning->directory);
}

/*
 * Sets `*word` to the word for a file in the pinned command; NULL if there is no such file, so that the name is left to
 * QEMU. Owned by the caller.
 */
static bool embed(struct pinning *pinning, const char *name, const char *role, char **word, GError **error)
{
    bool firmware = strcmp(role, "firmware") == 0 || strcmp(role, "rom") == 0;
    g_autofree char *path = locate(pinning, name, firmware);
    *word = NULL;
    if (!path) {
        return true;
    }
    const char *placed = place(pinning, path, name, role, error);
    *word = placed ? g_strconcat(TCGRR_INPUTS_FOLDER "/", placed, NULL) : NULL;
    return placed != NULL;
}

/* ---- the user's words ---- */

/* Which keys of an option name files, and what these are. */
struct file_key {
    const char *option;
    const char *key; /* NULL: the whole value */
    const char *role;
};

static const struct file_key file_keys[] = {
    {"kernel", NULL, "kernel"},      {"initrd", NULL, "initrd"},        {"dtb", NULL, "device tree"},
    {"bios", NULL, "firmware"},      {"option-rom", NULL, "rom"},       {"shim", NULL, "kernel"},
    {"pflash", NULL, "flash"},       {"readconfig", NULL, "other"},     {"machine", "kernel", "kernel"},
    {"machine", "initrd", "initrd"}, {"machine", "dtb", "device tree"}, {"machine", "firmware", "firmware"},
    {"machine", "shim", "kernel"},   {"device", "file", "other"},       {"device", "kernel", "kernel"},
    {"device", "initrd", "initrd"},  {"device", "romfile", "rom"},      {"fw_cfg", "file", "other"},
    {"smbios", "file", "other"},
};

/* The key of an option's first word if that has none; NULL: it has no meaning. */
static const char *implied_key(const char *option)
{
    return strcmp(option, "machine") == 0  ? "type"
           : strcmp(option, "device") == 0 ? "driver"
           : strcmp(option, "fw_cfg") == 0 ? "name"
                                           : NULL;
}

/* -drive if=pflash,file=…: firmware, in any of its spellings. */
static bool pin_drive(struct pinning *pinning, GPtrArray *inside, bool *changed, GError **error)
{
    const char *file = tcgrr_suboptions_get(inside, "file");
    g_autofree char *word = NULL;
    if (g_strcmp0(tcgrr_suboptions_get(inside, "if"), "pflash") != 0 || !file) {
        return true;
    }
    if (!embed(pinning, file, "flash", &word, error)) {
        return false;
    }
    if (word) {
        tcgrr_suboptions_set(inside, "file", word);
        *changed = true;
    }
    return true;
}

static bool pin_suboptions(struct pinning *pinning, const char *option, GPtrArray *inside, bool *changed,
                           GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(file_keys); i++) {
        const struct file_key *key = &file_keys[i];
        const char *file = key->key && strcmp(key->option, option) == 0 ? tcgrr_suboptions_get(inside, key->key) : NULL;
        g_autofree char *word = NULL;
        if (file && *file && !embed(pinning, file, key->role, &word, error)) {
            return false;
        }
        if (word) {
            tcgrr_suboptions_set(inside, key->key, word);
            *changed = true;
        }
    }
    if (strcmp(option, "machine") == 0 && tcgrr_suboptions_get(inside, "type")) {
        tcgrr_suboptions_set(inside, "type", pinning->pins->machine);
        *changed = true;
    }
    return strcmp(option, "drive") != 0 || pin_drive(pinning, inside, changed, error);
}

/* Sets `*value` to an option's pinned value; NULL: unchanged. Owned by the caller. */
static bool pin_value(struct pinning *pinning, const struct tcgrr_option *option, char **value, GError **error)
{
    const char *name = is_machine(option) ? "machine" : option->name;
    *value = NULL;
    if (!option->value) {
        return true;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(file_keys); i++) {
        if (!file_keys[i].key && strcmp(file_keys[i].option, name) == 0) {
            return embed(pinning, option->value, file_keys[i].role, value, error);
        }
    }
    if (strcmp(name, "drive") != 0 && !implied_key(name) && strcmp(name, "smbios") != 0) {
        return true;
    }
    g_autoptr(GPtrArray) inside = tcgrr_suboptions_parse(option->value, implied_key(name));
    bool changed = false;
    bool good = pin_suboptions(pinning, name, inside, &changed, error);
    if (good && changed) {
        *value = tcgrr_suboptions_format(inside);
    }
    return good;
}

/* The value of -rtc with a base and a clock that do not depend on the host. Owned by the caller. */
static char *pin_clock(const char *given)
{
    g_autoptr(GPtrArray) inside = tcgrr_suboptions_parse(given ? given : "", NULL);
    const char *base = tcgrr_suboptions_get(inside, "base");
    if (!base || !g_ascii_isdigit(*base)) {
        bool local = g_strcmp0(base, "localtime") == 0;
        g_autoptr(GDateTime) now = local ? g_date_time_new_now_local() : g_date_time_new_now_utc();
        g_autofree char *text = g_date_time_format(now, "%Y-%m-%dT%H:%M:%S");
        tcgrr_suboptions_set(inside, "base", text);
    }
    if (!tcgrr_suboptions_get(inside, "clock")) {
        tcgrr_suboptions_set(inside, "clock", "vm");
    }
    return tcgrr_suboptions_format(inside);
}

static bool add_given(struct pinning *pinning, GError **error)
{
    for (guint i = 0; i < pinning->given->len; i++) {
        const struct tcgrr_option *option = &g_array_index(pinning->given, struct tcgrr_option, i);
        g_autofree char *value = NULL;
        if (strcmp(option->name, "rtc") == 0) {
            value = pin_clock(option->value);
            g_free(pinning->pins->clock);
            pinning->pins->clock = g_strdup(value);
        } else if (!pin_value(pinning, option, &value, error)) {
            return false;
        }
        for (size_t word = 0; word < option->words; word++) {
            bool last = word + 1 == option->words;
            add(pinning, "%s", value && last ? value : pinning->arguments[option->first + word]);
        }
    }
    return true;
}

/* ---- what QEMU says ---- */

/* "cortex-a15-arm-cpu" is the type of the model cortex-a15. Owned by the caller. */
static char *model_of_type(const char *type)
{
    g_autofree char *text = g_str_has_suffix(type, "-cpu") ? g_strndup(type, strlen(type) - strlen("-cpu")) : NULL;
    char *dash = text ? strrchr(text, '-') : NULL;
    return dash ? g_strndup(text, (gsize)(dash - text)) : g_strdup(type);
}

static char *ask_cpu(struct pinning *pinning, GError **error)
{
    json_t *answer = tcgrr_inspect_qmp(pinning->inspect, "query-cpus-fast", NULL, error);
    const char *path = json_string_value(json_object_get(json_array_get(answer, 0), "qom-path"));
    g_autofree char *type = path ? tcgrr_inspect_type(pinning->inspect, path, error) : NULL;
    json_decref(answer);
    return type ? model_of_type(type) : answer && !path ? g_strdup("") : NULL;
}

/* Whether the RISC-V model has no vendor: it then reports a number of QEMU's own to the guest, in 7.2 its version;
 * other models refuse to change theirs. */
static bool has_own_number(const struct pinning *pinning)
{
    const char *cpu = pinning->pins->cpu;
    return g_str_has_prefix(pinning->qemu->target, "riscv") &&
           (g_str_has_prefix(cpu, "rv32") || g_str_has_prefix(cpu, "rv64") || g_str_has_prefix(cpu, "max"));
}

/* Adds the processor's identification that the guest sees to the model, unless the user specified it. */
static void name_processor(struct pinning *pinning)
{
    static const char *const names[] = {"marchid", "mimpid"};
    struct tcgrr_pins *pins = pinning->pins;
    json_t *cpus = tcgrr_inspect_qmp(pinning->inspect, "query-cpus-fast", NULL, NULL);
    const char *path = json_string_value(json_object_get(json_array_get(cpus, 0), "qom-path"));

    for (size_t i = 0; path && i < G_N_ELEMENTS(names); i++) {
        json_t *number = strstr(pins->cpu, names[i])
                             ? NULL
                             : tcgrr_inspect_qmp(pinning->inspect, "qom-get",
                                                 json_pack("{s:s, s:s}", "path", path, "property", names[i]), NULL);
        if (json_is_integer(number)) {
            char *given =
                g_strdup_printf("%s,%s=%" JSON_INTEGER_FORMAT, pins->cpu, names[i], json_integer_value(number));
            g_free(pins->cpu);
            pins->cpu = given;
        }
        json_decref(number);
    }
    json_decref(cpus);
}

static bool ask_machine(struct pinning *pinning, GError **error)
{
    struct tcgrr_pins *pins = pinning->pins;
    const struct tcgrr_option *cpu = find_option(pinning, "cpu");
    g_autofree char *type = tcgrr_inspect_type(pinning->inspect, "/machine", error);
    if (!type) {
        return false;
    }
    size_t tail = g_str_has_suffix(type, "-machine") ? strlen("-machine") : 0;
    pins->machine = g_strndup(type, strlen(type) - tail);
    pins->cpu = cpu && cpu->value ? g_strdup(cpu->value) : ask_cpu(pinning, error);
    if (!pins->cpu) {
        return false;
    }
    if (has_own_number(pinning)) {
        name_processor(pinning);
    }
    if (cpu && (g_str_has_prefix(pins->cpu, "max") || g_str_has_prefix(pins->cpu, "host"))) {
        list(pins->warnings,
             "-cpu %s has different features in each release of QEMU; for a run that others replay, name a model (-cpu "
             "help)",
             pins->cpu);
    }
    return true;
}

bool tcgrr_pin_takes_dtb(const char *target)
{
    return g_str_has_prefix(target, "arm") || g_str_has_prefix(target, "aarch64") || g_str_has_prefix(target, "riscv");
}

bool tcgrr_pin_has_dtb(const char *const *arguments)
{
    g_autoptr(GArray) given = tcgrr_options_scan_system(arguments);
    for (guint i = 0; i < given->len; i++) {
        const struct tcgrr_option *option = &g_array_index(given, struct tcgrr_option, i);
        g_autoptr(GPtrArray) inside =
            is_machine(option) && option->value ? tcgrr_suboptions_parse(option->value, "type") : NULL;
        if (strcmp(option->name, "dtb") == 0 || (inside && tcgrr_suboptions_get(inside, "dtb"))) {
            return true;
        }
    }
    return false;
}

/* Pins the device tree that QEMU generated for the guest, if there is one. */
static bool pin_device_tree(struct pinning *pinning, GError **error)
{
    g_autofree char *path = g_build_filename(pinning->pins->folder, TCGRR_PIN_DTB, NULL);
    if (!tcgrr_pin_takes_dtb(pinning->qemu->target) || tcgrr_pin_has_dtb(pinning->arguments)) {
        return true;
    }
    json_t *answer = tcgrr_inspect_qmp(pinning->inspect, "dumpdtb", json_pack("{s:s}", "filename", path), NULL);
    json_decref(answer);
    if (!answer || !g_file_test(path, G_FILE_TEST_EXISTS)) {
        list(pinning->pins->notes, "this machine has no device tree of QEMU's");
        return true;
    }
    if (!tcgrr_device_tree_pack(path, error)) {
        return false;
    }
    tcgrr_pins_add_made(pinning->pins, TCGRR_PIN_DTB, "device tree");
    add(pinning, "-dtb");
    add(pinning, TCGRR_INPUTS_FOLDER "/" TCGRR_PIN_DTB);
    list(pinning->pins->notes, "pinned the device tree that QEMU %s makes: added -dtb", pinning->qemu->version);
    return true;
}

/* Places a ROM from QEMU's own folders, under its own name; *placed: there is such a ROM. */
static bool place_rom(struct pinning *pinning, const char *name, const char *role, bool *placed, GError **error)
{
    *placed = false;
    for (char **folder = pinning->data_folders; *folder; folder++) {
        bool within = g_str_has_prefix(name, *folder) && name[strlen(*folder)] == '/';
        const char *inside = within ? name + strlen(*folder) + 1 : name;
        g_autofree char *path = g_build_filename(*folder, inside, NULL);
        if (*inside && !strchr(inside, '/') && g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
            g_autofree char *whole = g_canonicalize_filename(path, pinning->directory);
            *placed = true;
            return place(pinning, whole, whole, role, error) != NULL;
        }
    }
    return true;
}

/* The file's name in a line of "info roms", as a part of the line: QEMU adds text for what it loads from an ELF file.
 * NULL: there is none. */
static const char *loaded_file(char *line)
{
    char *name = strstr(line, "name=\"");
    if (!name) {
        return NULL;
    }
    name += strlen("name=\"");
    name[strcspn(name, "\"\r")] = '\0';
    char *segment = strstr(name, ELF_SEGMENT);
    if (segment) {
        *segment = '\0';
    }
    return name;
}

/* Pins the ROMs that are loaded into memory: "addr=… name="bios-256k.bin"", "fw=genroms/linuxboot_dma.bin … name="…"".
 * */
static bool pin_loaded_roms(struct pinning *pinning, GError **error)
{
    g_autofree char *text = tcgrr_inspect_hmp(pinning->inspect, "info roms", error);
    g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
    bool has_bios = find_option(pinning, "bios") != NULL;
    for (char **line = lines; *line; line++) {
        const char *name = loaded_file(*line);
        bool firmware = g_str_has_prefix(*line, "addr=");
        bool placed;
        if (!name) {
            continue;
        }
        if (!place_rom(pinning, name, firmware ? "firmware" : "rom", &placed, error)) {
            return false;
        }
        if (placed && firmware && !has_bios) {
            g_autofree char *base = g_path_get_basename(name);
            has_bios = true;
            add(pinning, "-bios");
            add(pinning, TCGRR_INPUTS_FOLDER "/%s", base);
            list(pinning->pins->notes, "pinned the firmware: added -bios %s", base);
        }
    }
    return text != NULL;
}

/* Whether the user added a device of this type. */
static bool has_device(const struct pinning *pinning, const char *type)
{
    bool found = false;
    for (guint i = 0; !found && i < pinning->given->len; i++) {
        const struct tcgrr_option *option = &g_array_index(pinning->given, struct tcgrr_option, i);
        if (strcmp(option->name, "device") == 0 && option->value) {
            g_autoptr(GPtrArray) inside = tcgrr_suboptions_parse(option->value, "driver");
            found = g_strcmp0(tcgrr_suboptions_get(inside, "driver"), type) == 0;
        }
    }
    return found;
}

/*
 * A -global for a display adapter removes the default adapter, unless -vga requests it. Returns the word for -vga; NULL
 * if the device is not a default adapter, or the user chose it.
 */
static const char *default_display(const struct pinning *pinning, const char *type)
{
    static const char *const displays[][2] = {{"VGA", "std"},
                                              {"cirrus-vga", "cirrus"},
                                              {"qxl-vga", "qxl"},
                                              {"vmware-svga", "vmware"},
                                              {"virtio-vga", "virtio"}};
    for (size_t i = 0; i < G_N_ELEMENTS(displays); i++) {
        if (strcmp(displays[i][0], type) == 0) {
            return find_option(pinning, "vga") || has_device(pinning, type) ? NULL : displays[i][1];
        }
    }
    return NULL;
}

static bool pin_device_rom(struct pinning *pinning, const char *type, const char *name, GError **error)
{
    bool placed = false;
    if (!place_rom(pinning, name, "rom", &placed, error)) {
        return false;
    }
    if (!placed) {
        return true;
    }
    const char *display = default_display(pinning, type);
    if (display) {
        add(pinning, "-vga");
        add(pinning, "%s", display);
    }
    add(pinning, "-global");
    add(pinning, "driver=%s,property=romfile,value=" TCGRR_INPUTS_FOLDER "/%s", type, name);
    list(pinning->pins->notes, "pinned the ROM %s of %s", name, type);
    return true;
}

/* Pins the ROMs of devices, from "info qtree": a device's line is "dev: TYPE, id …", followed by its properties. */
static bool pin_device_roms(struct pinning *pinning, GError **error)
{
    g_autofree char *text = tcgrr_inspect_hmp(pinning->inspect, "info qtree", error);
    g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
    g_autofree char *type = g_strdup("");
    for (char **line = lines; *line; line++) {
        const char *word = g_strstrip(*line);
        if (g_str_has_prefix(word, "dev: ")) {
            word += strlen("dev: ");
            g_free(type);
            type = g_strndup(word, strcspn(word, ","));
        } else if (g_str_has_prefix(word, "romfile = \"")) {
            word += strlen("romfile = \"");
            g_autofree char *name = g_strndup(word, strcspn(word, "\""));
            if (*name && !pin_device_rom(pinning, type, name, error)) {
                return false;
            }
        }
    }
    return text != NULL;
}

/* ---- all of it ---- */

static bool check_words(const struct pinning *pinning, GError **error)
{
    for (const char *const *word = pinning->arguments; *word; word++) {
        if (strstr(*word, TCGRR_INPUTS_FOLDER)) {
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_USAGE, "%s: %s has a meaning of its own here", *word,
                        TCGRR_INPUTS_FOLDER);
            return false;
        }
    }
    return true;
}

static void add_defaults(struct pinning *pinning)
{
    bool machine = false;
    for (guint i = 0; i < pinning->given->len; i++) {
        const struct tcgrr_option *option = &g_array_index(pinning->given, struct tcgrr_option, i);
        g_autoptr(GPtrArray) inside =
            is_machine(option) && option->value ? tcgrr_suboptions_parse(option->value, "type") : NULL;
        machine = machine || (inside && tcgrr_suboptions_get(inside, "type"));
    }
    if (!machine) {
        add(pinning, "-M");
        add(pinning, "%s", pinning->pins->machine);
    }
    const struct tcgrr_option *cpu = find_option(pinning, "cpu");
    if (*pinning->pins->cpu && (!cpu || g_strcmp0(cpu->value, pinning->pins->cpu) != 0)) { /* QEMU takes the last */
        add(pinning, "-cpu");
        add(pinning, "%s", pinning->pins->cpu);
    }
    if (!find_option(pinning, "nic") && !find_option(pinning, "netdev") && !find_option(pinning, "net")) {
        add(pinning, "-nic");
        add(pinning, "none");
        list(pinning->pins->notes, "added -nic none: a network card would need -netdev under record/replay");
    }
    if (!find_option(pinning, "rtc")) {
        pinning->pins->clock = pin_clock(NULL);
        add(pinning, "-rtc");
        add(pinning, "%s", pinning->pins->clock);
    }
    list(pinning->pins->notes, "pinned the machine: -M %s -cpu %s", pinning->pins->machine, pinning->pins->cpu);
}

static bool pin(struct pinning *pinning, GError **error)
{
    struct tcgrr_pins *pins = pinning->pins;
    pins->folder = check_words(pinning, error) ? tcgrr_scratch_folder(TCGRR_SCRATCH_INPUTS, error) : NULL;
    if (!pins->folder) {
        return false;
    }
    pinning->data_folders = tcgrr_data_folders(pinning->qemu, pinning->arguments, pinning->directory, error);
    pinning->inspect = pinning->data_folders
                           ? tcgrr_inspect_start(pinning->qemu, pinning->arguments, pinning->directory, error)
                           : NULL;
    if (!pinning->inspect || !ask_machine(pinning, error)) {
        return false;
    }
    /* First, because QEMU uses the first -L folder that has a file. */
    add(pinning, "-L");
    add(pinning, TCGRR_INPUTS_FOLDER);
    if (!pin_loaded_roms(pinning, error) || !pin_device_roms(pinning, error) || !add_given(pinning, error)) {
        return false;
    }
    pins->given_end = pinning->words->len;
    add_defaults(pinning);
    return pin_device_tree(pinning, error);
}

bool tcgrr_pin(const struct tcgrr_qemu *qemu, const char *const *arguments, const char *directory,
               struct tcgrr_pins *pins, GError **error)
{
    g_autofree char *current = g_get_current_dir();
    struct pinning pinning = {
        .qemu = qemu,
        .arguments = arguments,
        .directory = directory ? directory : current,
        .pins = pins,
        .given = tcgrr_options_scan_system(arguments),
        .words = g_ptr_array_new(),
    };
    *pins = (struct tcgrr_pins){
        .files = g_ptr_array_new_with_free_func(free_file),
        .notes = g_ptr_array_new_with_free_func(g_free),
        .warnings = g_ptr_array_new_with_free_func(g_free),
    };
    bool good = pin(&pinning, error);
    g_ptr_array_add(pinning.words, NULL);
    pins->words = (char **)g_ptr_array_free(pinning.words, FALSE);
    tcgrr_inspect_free(pinning.inspect);
    g_strfreev(pinning.data_folders);
    g_array_unref(pinning.given);
    if (!good) {
        tcgrr_pins_clear(pins);
    }
    return good;
}

void tcgrr_pins_clear(struct tcgrr_pins *pins)
{
    tcgrr_folder_remove(pins->folder);
    g_strfreev(pins->words);
    g_free(pins->machine);
    g_free(pins->cpu);
    g_free(pins->clock);
    g_free(pins->folder);
    g_clear_pointer(&pins->files, g_ptr_array_unref);
    g_clear_pointer(&pins->notes, g_ptr_array_unref);
    g_clear_pointer(&pins->warnings, g_ptr_array_unref);
    *pins = (struct tcgrr_pins){0};
}

const char *tcgrr_pins_user_path(const struct tcgrr_pins *pins, const char *path)
{
    size_t length = pins->folder ? strlen(pins->folder) : 0;
    if (!length || strncmp(path, pins->folder, length) != 0 || path[length] != '/') {
        return NULL;
    }
    const struct tcgrr_pin_file *file = find_file(pins, path + length + 1);
    return file ? file->path : NULL;
}

char **tcgrr_pins_resolve(const char *const *words, const char *folder)
{
    g_autofree char *escaped = tcgrr_options_escape(folder);
    GPtrArray *resolved = g_ptr_array_new();
    for (; *words; words++) {
        /* In a value that is only a name, commas are not doubled. */
        bool alone = g_str_has_prefix(*words, TCGRR_INPUTS_FOLDER);
        g_auto(GStrv) pieces = g_strsplit(*words, TCGRR_INPUTS_FOLDER, -1);
        g_ptr_array_add(resolved, g_strjoinv(alone ? folder : escaped, pieces));
    }
    g_ptr_array_add(resolved, NULL);
    return (char **)g_ptr_array_free(resolved, FALSE);
}

char *tcgrr_pins_command(const char *qemu, char **words)
{
    json_t *array = json_array();
    json_array_append_new(array, tcgrr_word_json(qemu));
    for (; *words; words++) {
        json_array_append_new(array, tcgrr_word_json(*words));
    }
    char *text = json_dumps(array, JSON_COMPACT);
    json_decref(array);
    return text;
}
