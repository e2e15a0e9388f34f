/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/plugin/follow.h"

#include "emu/plugin/inputs_internal.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARENAS      "MALLOC_ARENA_MAX" /* emu/qemu/command.h */
#define MAX_STRING  (128u << 10)       /* Linux' own limits */
#define MAX_STRINGS (1u << 16)
#define SCRIPT_LINE 256
#define SCRIPTS     4 /* maximum depth of scripts whose interpreters are scripts */

/* The program to execute. Lists are NULL-terminated; strings are owned. */
struct image {
    char *path;
    GPtrArray *arguments;
    GPtrArray *environment;
};

/* ---- out of the guest ---- */

/* NULL: it cannot be read. */
static char *read_string(const struct tcgrr_inputs *inputs, uint64_t address)
{
    g_autoptr(GString) text = g_string_new(NULL);
    char bytes[256];

    while (text->len < MAX_STRING) {
        size_t size = sizeof(bytes) - (address & (sizeof(bytes) - 1));
        if (!tcgrr_inputs_read_memory(inputs, address, bytes, size)) {
            return NULL;
        }
        size_t length = strnlen(bytes, size);
        g_string_append_len(text, bytes, (gssize)length);
        if (length < size) {
            return g_strdup(text->str);
        }
        address += size;
    }
    return NULL;
}

static GPtrArray *read_strings(const struct tcgrr_inputs *inputs, uint64_t address)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
    uint64_t pointer = 1;

    for (; address != 0 && list->len < MAX_STRINGS; address += sizeof(pointer)) {
        bool there = tcgrr_inputs_read_memory(inputs, address, &pointer, sizeof(pointer));
        char *text = there && pointer != 0 ? read_string(inputs, pointer) : NULL;
        if (!text) {
            address = there && pointer == 0 ? address : 0;
            break;
        }
        g_ptr_array_add(list, text);
    }
    if (address == 0) {
        g_ptr_array_unref(list);
        return NULL;
    }
    return list;
}

/* ---- what it is ---- */

static ssize_t read_head(const char *path, char *bytes, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, bytes, size) : -1;
    if (fd >= 0) {
        close(fd);
    }
    return got;
}

/* Whether both are programs for the same machine. */
static bool same_machine(const char *path, const char *other)
{
    Elf64_Ehdr a = {0}, b = {0}; /* this part is the same for 32-bit files */

    return read_head(path, (char *)&a, sizeof(a)) > (ssize_t)offsetof(Elf64_Ehdr, e_version) &&
           read_head(other, (char *)&b, sizeof(b)) > (ssize_t)offsetof(Elf64_Ehdr, e_version) &&
           memcmp(a.e_ident, ELFMAG, SELFMAG) == 0 && a.e_ident[EI_CLASS] == b.e_ident[EI_CLASS] &&
           a.e_ident[EI_DATA] == b.e_ident[EI_DATA] && a.e_machine == b.e_machine;
}

/* If it is a script, replaces it by its interpreter, as Linux does. False: it names none. */
static bool resolve_script(struct image *image)
{
    char line[SCRIPT_LINE + 1] = {0};

    for (int i = 0; i < SCRIPTS; i++) {
        ssize_t got = read_head(image->path, line, SCRIPT_LINE);
        if (got < 2 || line[0] != '#' || line[1] != '!') {
            return true;
        }
        line[got] = '\0';
        line[strcspn(line, "\n")] = '\0';
        char *interpreter = g_strstrip(line + 2);
        char *rest = interpreter + strcspn(interpreter, " \t");
        bool has_rest = *rest != '\0';
        *rest = '\0';
        rest = has_rest ? g_strstrip(rest + 1) : rest;
        if (!*interpreter) {
            return false;
        }
        if (image->arguments->len > 0) {
            g_ptr_array_remove_index(image->arguments, 0);
        }
        g_ptr_array_insert(image->arguments, 0, g_strdup(image->path));
        if (*rest) {
            g_ptr_array_insert(image->arguments, 0, g_strdup(rest));
        }
        g_ptr_array_insert(image->arguments, 0, g_strdup(interpreter));
        g_free(image->path);
        image->path = g_strdup(interpreter);
    }
    return true;
}

static bool is_executable(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* ---- the command ---- */

static GPtrArray *own_command(void)
{
    GPtrArray *words = g_ptr_array_new_with_free_func(g_free);
    FILE *file = fopen("/proc/self/cmdline", "re");
    char *word = NULL;
    size_t space = 0;

    while (file && getdelim(&word, &space, '\0', file) > 0) {
        g_ptr_array_add(words, g_strdup(word));
    }
    free(word);
    if (file) {
        fclose(file);
    }
    return words;
}

/* The program's index among QEMU's words; 0: not known. */
static guint find_program(const struct tcgrr_follow *follow, const GPtrArray *own)
{
    return follow->program > 0 && (guint)follow->program < own->len ? own->len - (guint)follow->program : 0;
}

/* Changes the plugin's word for the plugin that takes over: there the ring is descriptor `fd`, and the program is word
 * `program` from the end. A forked child has its own file of inputs. */
static char *plugin_word(const char *word, int fd, guint program)
{
    static const char *const ways[] = {"inputs=", "given=", "followed="};
    const struct tcgrr_inputs *inputs = tcgrr_plugin.inputs;
    g_auto(GStrv) parts = g_strsplit(word, ",", -1);
    g_auto(GStrv) path = g_strsplit(inputs->path, ",", -1);
    g_autofree char *escaped = g_strjoinv(",,", path);
    GString *text = g_string_new(NULL);

    for (char **part = parts; *part; part++) {
        bool ours = g_str_has_prefix(*part, "fd=") || g_str_has_prefix(*part, "at=") ||
                    g_str_has_prefix(*part, "program=") || strcmp(*part, "again=on") == 0;
        bool names_inputs = g_str_has_prefix(*part, ways[inputs->mode]);
        if (!ours) {
            g_string_append_printf(text, "%s%s", text->len > 0 ? "," : "", names_inputs ? ways[inputs->mode] : *part);
        }
        if (names_inputs) {
            g_string_append(text, escaped);
            while (part[1] && !*part[1] && part[2]) { /* a doubled comma in the path */
                part += 2;
            }
        }
    }
    g_string_append_printf(text, ",fd=%d,program=%u,again=on,at=%" G_GUINT64_FORMAT, fd, program, inputs->at);
    return g_string_free(text, FALSE);
}

/* QEMU's own words, without those that apply only to the first program. */
static GPtrArray *build_command(const struct tcgrr_follow *follow, const struct image *image, int fd)
{
    g_autoptr(GPtrArray) own = own_command();
    GPtrArray *words = g_ptr_array_new_with_free_func(g_free);
    guint plugin = 0;

    for (guint i = 0; i < find_program(follow, own); i++) {
        const char *word = own->pdata[i], *value = i + 1 < own->len ? own->pdata[i + 1] : "";
        bool unsets = strcmp(word, "-U") == 0;
        if (strcmp(word, "-0") == 0 || strcmp(word, "-E") == 0 || (unsets && strcmp(value, ARENAS) != 0)) {
            i++;
        } else if (strcmp(word, "-plugin") == 0 && strstr(value, ",fd=")) {
            g_ptr_array_add(words, g_strdup(word));
            plugin = words->len;
            g_ptr_array_add(words, g_strdup(value));
            i++;
        } else {
            g_ptr_array_add(words, g_strdup(word));
        }
    }
    for (guint i = 0; i < image->environment->len; i++) {
        if (g_str_has_prefix(image->environment->pdata[i], ARENAS "=")) { /* the program's own one */
            g_ptr_array_add(words, g_strdup("-E"));
            g_ptr_array_add(words, g_strdup(image->environment->pdata[i]));
        }
    }
    g_ptr_array_add(words, g_strdup("-0"));
    g_ptr_array_add(words, g_strdup(image->arguments->len > 0 ? image->arguments->pdata[0] : image->path));
    char *given = words->pdata[plugin];
    words->pdata[plugin] = plugin_word(given, fd, MAX(image->arguments->len, 1));
    g_free(given);
    g_ptr_array_add(words, g_strdup(image->path));
    for (guint i = 1; i < image->arguments->len; i++) {
        g_ptr_array_add(words, g_strdup(image->arguments->pdata[i]));
    }
    g_ptr_array_add(words, NULL);
    return words;
}

/* The variables that QEMU itself needs, followed by the program's. */
static GPtrArray *build_environment(const struct image *image)
{
    GPtrArray *words = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; i < image->environment->len; i++) {
        if (!g_str_has_prefix(image->environment->pdata[i], ARENAS "=")) {
            g_ptr_array_add(words, g_strdup(image->environment->pdata[i]));
        }
    }
    g_ptr_array_add(words, g_strdup(ARENAS "=1"));
    g_ptr_array_add(words, NULL);
    return words;
}

/* Opens the ring's memory, which belongs to tcgrr, for the next program. -1 on failure. */
static int open_ring(void)
{
    const struct tcgrr_wire_header *header = tcgrr_plugin.ring.header;
    char path[64];
    snprintf(path, sizeof(path), "/proc/%u/fd/%u", header->consumer_pid, header->consumer_fd);
    return open(path, O_RDWR);
}

static void start(const struct tcgrr_follow *follow, const struct image *image)
{
    int fd = open_ring();
    if (fd < 0) {
        return;
    }
    g_autoptr(GPtrArray) words = build_command(follow, image, fd);
    g_autoptr(GPtrArray) environment = build_environment(image);
    tcgrr_plugin_hand_over();
    g_strlcpy(tcgrr_plugin.ring.header->program, image->path, TCGRR_WIRE_PROGRAM);
    execve("/proc/self/exe", (char **)words->pdata, (char **)environment->pdata);
    tcgrr_plugin_leave(); /* nothing else could continue this run */
}

static bool read_image(struct image *image, const uint64_t arguments[8])
{
    const struct tcgrr_inputs *inputs = tcgrr_plugin.inputs;

    image->path = read_string(inputs, arguments[0]);
    image->arguments = read_strings(inputs, arguments[1]);
    image->environment = read_strings(inputs, arguments[2]);
    return image->path && image->arguments && image->environment;
}

bool tcgrr_follow_exec(const struct tcgrr_follow *follow, bool ends, const uint64_t arguments[8])
{
    g_autoptr(GPtrArray) own = own_command();
    guint at = find_program(follow, own);
    const char *program = at > 0 ? own->pdata[at] : "";
    struct image image = {0};
    bool gone = false;

    if (read_image(&image, arguments)) {
        if (strcmp(image.path, "/proc/self/exe") == 0) {
            g_free(image.path);
            image.path = g_strdup(program);
        }
        gone = is_executable(image.path) && resolve_script(&image) && is_executable(image.path);
        if (gone && !follow->none && !ends && same_machine(image.path, program)) {
            start(follow, &image);
        }
    }
    g_free(image.path);
    g_clear_pointer(&image.arguments, g_ptr_array_unref);
    g_clear_pointer(&image.environment, g_ptr_array_unref);
    return gone;
}
