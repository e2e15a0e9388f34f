/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/probe_cache.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <xxhash.h>

#define FORMAT     "tcgrr-probe-2" /* changes whenever the meaning of the cached data changes */
#define SCRIPT_MAX 4096
#define YOUNG_S    2 /* a file that was changed this recently could change again without a newer timestamp */
#define GROUP      "qemu"
#define API_MAX    1000 /* a larger number is none of a QEMU */

/* Adds a file's attributes that change with its content to the digest. False if it does not exist or is too young. */
static bool digest_file(XXH3_state_t *state, const char *path)
{
    struct stat status;

    if (stat(path, &status) != 0 || time(NULL) - MAX(status.st_mtime, status.st_ctime) < YOUNG_S) {
        return false;
    }
    int64_t values[] = {(int64_t)status.st_dev, (int64_t)status.st_ino, status.st_size,        status.st_mtim.tv_sec,
                        status.st_mtim.tv_nsec, status.st_ctim.tv_sec,  status.st_ctim.tv_nsec};
    XXH3_64bits_update(state, path, strlen(path) + 1);
    XXH3_64bits_update(state, values, sizeof(values));
    return true;
}

/* The first bytes of a file; *size: how many. */
static bool read_beginning(const char *path, char *bytes, size_t room, size_t *size)
{
    FILE *file = fopen(path, "rbe");
    *size = file ? fread(bytes, 1, room, file) : 0;
    if (file) {
        fclose(file);
    }
    return file != NULL;
}

static bool is_elf(const char *path)
{
    char bytes[4];
    size_t size;
    return read_beginning(path, bytes, sizeof(bytes), &size) && size == 4 && memcmp(bytes, "\177ELF", 4) == 0;
}

/* The only line of a script that is not a comment; NULL: there are several, or none. */
static char *only_line(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    const char *only = NULL;

    for (char **line = lines; *line; line++) {
        const char *begin = g_strchug(*line);
        if (*begin && *begin != '#' && only) {
            return NULL;
        }
        only = *begin && *begin != '#' ? begin : only;
    }
    return g_strdup(only);
}

/* Whether the words of such a line only start a program, which they name with its full path. */
static bool only_starts(char **words)
{
    if (!*words || strcmp(*words++, "exec") != 0) {
        return false;
    }
    if (*words && strcmp(*words, "env") == 0) {
        for (words++; *words && strchr(*words, '='); words++) {
        }
    }
    return *words && g_path_is_absolute(*words) && g_file_test(*words, G_FILE_TEST_IS_REGULAR);
}

/*
 * Adds a script that starts the QEMU to the digest, with all files that it names. A script that computes anything could
 * start a different file each time.
 */
static bool digest_script(XXH3_state_t *state, const char *path)
{
    char text[SCRIPT_MAX + 1];
    size_t size;

    if (!read_beginning(path, text, SCRIPT_MAX, &size) || size == SCRIPT_MAX || memchr(text, '\0', size)) {
        return false;
    }
    text[size] = '\0';
    g_autofree char *line = only_line(text);
    g_auto(GStrv) words = NULL;
    if (!line || !g_shell_parse_argv(line, NULL, &words, NULL) || strpbrk(line, ";&|<>()`\\") || !only_starts(words)) {
        return false;
    }
    for (char **word = words; *word; word++) {
        bool file = g_path_is_absolute(*word) && g_file_test(*word, G_FILE_TEST_IS_REGULAR);
        if ((strchr(*word, '$') && strcmp(*word, "$@") != 0) ||
            (file && !(is_elf(*word) && digest_file(state, *word)))) {
            return false;
        }
    }
    return true;
}

static void digest_text(XXH3_state_t *state, const char *text)
{
    XXH3_64bits_update(state, text ? text : "", text ? strlen(text) + 1 : 1);
}

/* The QEMU at `path`, with what else decides on its libraries and modules. */
static bool digest_qemu(XXH3_state_t *state, const char *path)
{
    static const char *const variables[] = {"LD_LIBRARY_PATH", "LD_PRELOAD", "QEMU_MODULE_DIR"};

    XXH3_64bits_reset(state);
    XXH3_64bits_update(state, FORMAT, sizeof(FORMAT));
    for (size_t i = 0; i < G_N_ELEMENTS(variables); i++) {
        digest_text(state, g_getenv(variables[i]));
    }
    return digest_file(state, path) && (is_elf(path) || digest_script(state, path));
}

/* Gives the state back. */
static char *file_of(XXH3_state_t *state, const char *suffix)
{
    XXH64_hash_t digest = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    g_autofree char *name = g_strdup_printf("%016" G_GINT64_MODIFIER "x%s", (guint64)digest, suffix);
    return g_build_filename(g_get_user_cache_dir(), "tcgrr", "probes", name, NULL);
}

char *tcgrr_probe_cache_file(const char *path, const char *plugin)
{
    XXH3_state_t *state = XXH3_createState();
    bool good = digest_qemu(state, path) && digest_file(state, plugin);
    char *file = file_of(state, "");

    if (!good) {
        g_clear_pointer(&file, g_free);
    }
    return file;
}

char *tcgrr_probe_cache_text_file(char *const *argv, const char *directory)
{
    XXH3_state_t *state = XXH3_createState();
    g_autofree char *ours = directory ? NULL : g_get_current_dir();
    bool good = digest_qemu(state, argv[0]);

    digest_text(state, directory ? directory : ours);
    for (char *const *word = argv + 1; *word; word++) {
        digest_text(state, *word);
    }
    char *file = file_of(state, ".text");
    if (!good) {
        g_clear_pointer(&file, g_free);
    }
    return file;
}

char *tcgrr_probe_cache_load_text(const char *file)
{
    char *text = NULL;
    g_file_get_contents(file, &text, NULL, NULL);
    return text;
}

void tcgrr_probe_cache_store_text(const char *file, const char *text)
{
    g_autofree char *folder = g_path_get_dirname(file);
    if (g_mkdir_with_parents(folder, 0700) == 0) {
        g_file_set_contents(file, text, -1, NULL);
    }
}

/* A version of the plugin API; -1: there is none. */
static int load_api(GKeyFile *kept, const char *name)
{
    GError *problem = NULL;
    int api = g_key_file_get_integer(kept, GROUP, name, &problem);
    bool good = !problem && api >= 0 && api <= API_MAX;

    g_clear_error(&problem);
    return good ? api : -1;
}

bool tcgrr_probe_cache_load(const char *file, struct tcgrr_qemu *qemu)
{
    g_autoptr(GKeyFile) kept = g_key_file_new();

    if (!g_key_file_load_from_file(kept, file, G_KEY_FILE_NONE, NULL) ||
        !g_key_file_has_key(kept, GROUP, "complete", NULL)) {
        return false;
    }
    qemu->version = g_key_file_get_string(kept, GROUP, "version", NULL);
    qemu->banner = g_key_file_get_string(kept, GROUP, "banner", NULL);
    qemu->build_id = g_key_file_get_string(kept, GROUP, "build_id", NULL);
    qemu->target = g_key_file_get_string(kept, GROUP, "target", NULL);
    qemu->plugin_error = g_key_file_get_string(kept, GROUP, "plugin_error", NULL);
    qemu->system = g_key_file_get_boolean(kept, GROUP, "system", NULL);
    qemu->api_min = load_api(kept, "api_min");
    qemu->api_cur = load_api(kept, "api_cur");
    qemu->api = load_api(kept, "api");
    qemu->api_forced = g_key_file_get_boolean(kept, GROUP, "api_forced", NULL);
    qemu->reports_discontinuities = g_key_file_get_boolean(kept, GROUP, "discontinuities", NULL);
    qemu->has_io_uring = g_key_file_get_boolean(kept, GROUP, "io_uring", NULL);
    if (qemu->version && qemu->banner && qemu->build_id && qemu->target && qemu->api_min >= 0 && qemu->api_cur >= 0 &&
        qemu->api >= 0) {
        return true;
    }
    tcgrr_qemu_clear(qemu);
    return false;
}

void tcgrr_probe_cache_store(const char *file, const struct tcgrr_qemu *qemu)
{
    g_autoptr(GKeyFile) kept = g_key_file_new();
    g_autofree char *folder = g_path_get_dirname(file);

    g_key_file_set_string(kept, GROUP, "path", qemu->path); /* for people */
    g_key_file_set_string(kept, GROUP, "version", qemu->version);
    g_key_file_set_string(kept, GROUP, "banner", qemu->banner);
    g_key_file_set_string(kept, GROUP, "build_id", qemu->build_id);
    g_key_file_set_string(kept, GROUP, "target", qemu->target);
    if (qemu->plugin_error) {
        g_key_file_set_string(kept, GROUP, "plugin_error", qemu->plugin_error);
    }
    g_key_file_set_boolean(kept, GROUP, "system", qemu->system);
    g_key_file_set_integer(kept, GROUP, "api_min", qemu->api_min);
    g_key_file_set_integer(kept, GROUP, "api_cur", qemu->api_cur);
    g_key_file_set_integer(kept, GROUP, "api", qemu->api);
    g_key_file_set_boolean(kept, GROUP, "api_forced", qemu->api_forced);
    g_key_file_set_boolean(kept, GROUP, "discontinuities", qemu->reports_discontinuities);
    g_key_file_set_boolean(kept, GROUP, "io_uring", qemu->has_io_uring);
    g_key_file_set_boolean(kept, GROUP, "complete", TRUE);
    if (g_mkdir_with_parents(folder, 0700) == 0) {
        g_key_file_save_to_file(kept, file, NULL);
    }
}
