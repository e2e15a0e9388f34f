/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/qemu.h"

#include "store/isa/isa.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emu/qemu/command_options.h"
#include "emu/qemu/probe_cache.h"
#include "emu/qemu/process.h"
#include "store/error.h"

#define WAIT_MS      20000
#define GRACE_MS     500
#define ANSWER_MAX   65536
#define BUILD_ID_MAX 64
#define API_MAX      1000 /* what a QEMU may claim as its plugin API version */

/* What came out of one run of the QEMU binary. */
struct answer {
    char text[ANSWER_MAX]; /* what it wrote to the descriptor, NUL-terminated */
    char *errors;          /* what it wrote to standard error, owned */
    bool succeeded;        /* exit status 0 */
};

static int time_left(gint64 deadline)
{
    return (int)CLAMP((deadline - g_get_monotonic_time() + 999) / 1000, 0, WAIT_MS);
}

/* Reads until the end, the bound or the deadline. */
static void read_answer(int fd, gint64 deadline, struct answer *answer)
{
    size_t length = 0;
    while (length < ANSWER_MAX - 1) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        int left = time_left(deadline);
        int n = left > 0 ? poll(&ready, 1, left) : 0;
        if (n < 0 && errno == EINTR) {
            continue;
        }
        ssize_t got = n > 0 ? read(fd, answer->text + length, ANSWER_MAX - 1 - length) : 0;
        if (got <= 0) {
            break;
        }
        length += (size_t)got;
    }
    answer->text[length] = '\0';
}

/* Runs `argv` quietly. Its answer is read from `fds[0]`; `fds[1]`, the writing end, is closed. Clear answer->errors
 * with g_free. */
static bool run(char *const *argv, const struct tcgrr_process_options *options, int fds[2], struct answer *answer,
                GError **error)
{
    gint64 deadline = g_get_monotonic_time() + (gint64)WAIT_MS * 1000;
    *answer = (struct answer){0};
    struct tcgrr_process *process = tcgrr_process_start(argv, options, error);
    close(fds[1]);
    fds[1] = -1;
    if (!process) {
        return false;
    }
    read_answer(fds[0], deadline, answer);
    bool ended = tcgrr_process_wait(process, time_left(deadline));
    if (!ended) {
        tcgrr_process_stop(process, GRACE_MS);
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_HUNG, "%s does not answer within %d s; is it a QEMU?", argv[0],
                    WAIT_MS / 1000);
    }
    int status = tcgrr_process_status(process);
    if (ended && status >= 0 && WIFSIGNALED(status)) { /* Ctrl-C reaches it, too */
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s was ended by a signal (%s) before it could answer",
                    argv[0], g_strsignal(WTERMSIG(status)));
        ended = false;
    }
    answer->succeeded = status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    answer->errors = tcgrr_process_stderr_tail(process);
    tcgrr_process_free(process);
    return ended;
}

static bool open_pipe(int fds[2], GError **error)
{
    if (pipe2(fds, O_CLOEXEC) == 0) {
        return true;
    }
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot make a pipe: %s", g_strerror(errno));
    return false;
}

/* First line of `text`, without what is not printable. Owned by the caller. */
static char *first_line(const char *text)
{
    char *line = g_utf8_make_valid(text, (gssize)strcspn(text, "\r\n"));
    for (char *p = line; *p; p++) {
        if (g_ascii_iscntrl(*p)) {
            *p = ' ';
        }
    }
    return line;
}

/* Runs `argv` for what it writes. */
static bool read_output(char *const *argv, const char *directory, struct answer *answer, GError **error)
{
    int fds[2];
    *answer = (struct answer){0};
    if (!open_pipe(fds, error)) {
        return false;
    }
    struct tcgrr_process_options options = {.pass_fd = -1, .output_fd = fds[1], .quiet = true, .directory = directory};
    bool good = run(argv, &options, fds, answer, error);
    close(fds[0]);
    return good;
}

char *tcgrr_qemu_list(char *const *argv, const char *directory, GError **error)
{
    g_autofree char *file = tcgrr_probe_cache_text_file(argv, directory);
    char *kept = file ? tcgrr_probe_cache_load_text(file) : NULL;
    struct answer answer;

    if (kept) {
        return kept;
    }
    bool good = read_output(argv, directory, &answer, error);
    if (good && !answer.succeeded) {
        char *errors = first_line(answer.errors);
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s: %s", argv[0], errors);
        g_free(errors);
        good = false;
    }
    g_free(answer.errors);
    if (good && file) {
        tcgrr_probe_cache_store_text(file, answer.text);
    }
    return good ? g_strdup(answer.text) : NULL;
}

/* "QEMU emulator version 10.0.2 (Debian …)" or "qemu-aarch64 version 7.2.22 (…)". */
static bool read_version(struct tcgrr_qemu *qemu, GError **error)
{
    struct answer answer;
    char *argv[] = {qemu->path, (char *)"--version", NULL};
    bool good = read_output(argv, NULL, &answer, error);
    if (good) {
        static const char system[] = "QEMU emulator version ";
        qemu->banner = first_line(answer.text);
        qemu->system = g_str_has_prefix(qemu->banner, system);
        const char *version = strstr(qemu->banner, " version ");
        if (version && (qemu->system || g_str_has_prefix(qemu->banner, "qemu-"))) {
            version += strlen(" version ");
            qemu->version = g_strndup(version, strcspn(version, " ("));
        }
        if (!qemu->version || !g_ascii_isdigit(qemu->version[0])) {
            char *errors = first_line(answer.errors);
            g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s is not a QEMU: --version answers \"%s\"",
                        qemu->path, qemu->banner[0] ? qemu->banner : errors);
            g_free(errors);
            good = false;
        }
    }
    g_free(answer.errors);
    return good;
}

/* One `key=number` of the plugin's line; -1 if it is not there. */
static int number_in(const char *line, const char *key)
{
    const char *found = strstr(line, key);
    if (!found || (found != line && found[-1] != ' ')) {
        return -1;
    }
    char *end;
    long number = strtol(found + strlen(key), &end, 10);
    return end == found + strlen(key) || number < 0 || number > API_MAX ? -1 : (int)number;
}

/* "target=aarch64 min=2 cur=4 api=4 system=1 discon=0 io_uring=1", written by the plugin in probe mode. */
static bool parse_probe(const char *line, struct tcgrr_qemu *qemu)
{
    static const char target[] = "target=";
    int minimum = number_in(line, "min=");
    int current = number_in(line, "cur=");
    int api = number_in(line, "api=");
    int discon = number_in(line, "discon=");
    if (!g_str_has_prefix(line, target) || minimum < 0 || current < minimum || api < 1 || discon < 0) {
        return false;
    }
    const char *name = line + strlen(target);
    size_t length = strcspn(name, " \n");
    for (size_t i = 0; i < length; i++) {
        if (!g_ascii_isalnum(name[i]) && name[i] != '_' && name[i] != '-') {
            return false;
        }
    }
    g_free(qemu->target);
    qemu->target = g_strndup(name, length);
    qemu->api_min = minimum;
    qemu->api_cur = current;
    qemu->api = api;
    qemu->reports_discontinuities = discon > 0;
    qemu->has_io_uring = number_in(line, "io_uring=") > 0;
    return length > 0;
}

static char *plugin_word(const struct tcgrr_qemu *qemu, const char *plugin, int fd)
{
    char *escaped = tcgrr_options_escape(plugin);
    char *word = qemu->api_forced ? g_strdup_printf("%s,probe=%d,api=%d", escaped, fd, qemu->api)
                                  : g_strdup_printf("%s,probe=%d", escaped, fd);
    g_free(escaped);
    return word;
}

/* Runs QEMU with the plugin in probe mode. */
static bool ask_plugin(const struct tcgrr_qemu *qemu, const char *plugin, struct answer *answer, GError **error)
{
    int fds[2];
    *answer = (struct answer){0};
    if (!open_pipe(fds, error)) {
        return false;
    }
    char *word = plugin_word(qemu, plugin, fds[1]);
    const char *system[] = {qemu->path, "-M", "none", "-display", "none", "-nodefaults", "-plugin", word, NULL};
    const char *user[] = {qemu->path, "-plugin", word, "/bin/true", NULL};
    struct tcgrr_process_options options = {.pass_fd = fds[1], .quiet = true};
    bool good = run((char *const *)(qemu->system ? system : user), &options, fds, answer, error);
    close(fds[0]);
    g_free(word);
    return good;
}

/* The version that QEMU asks for when it refuses the plugin's; 0 if that is not what it says. */
static int wanted_api(const char *errors)
{
    static const char *const texts[] = {"supports only a minimum version of ", "supports only up to version "};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        const char *found = strstr(errors, texts[i]);
        if (found) {
            return (int)CLAMP(strtol(found + strlen(texts[i]), NULL, 10), 0, API_MAX);
        }
    }
    return 0;
}

/* Why the plugin cannot be loaded, from QEMU's messages: the last line about plugins, else the last line. Owned by the
 * caller. */
static char *explain(const struct answer *answer)
{
    char **lines = g_strsplit(answer->errors, "\n", -1);
    const char *reason = "";
    for (size_t i = 0; lines[i]; i++) {
        bool about = strstr(lines[i], "plugin");
        reason = about || !strstr(reason, "plugin") ? lines[i] : reason;
    }
    char *line = first_line(reason);
    g_strfreev(lines);
    if (strstr(answer->errors, "invalid option") || strstr(answer->errors, "unrecognized option") ||
        strstr(answer->errors, "unknown option")) {
        g_free(line);
        return g_strdup("built without plugin support (no -plugin option)");
    }
    if (line[0] == '\0') {
        g_free(line);
        return g_strdup("it loads the plugin but the plugin does not report");
    }
    return line;
}

/* A probe that runs at the same time as --version, because starting a QEMU takes longer than everything else. */
struct early_probe {
    struct tcgrr_qemu qemu; /* its path, and whether its name looks like a system emulator's */
    const char *plugin;
    struct answer answer;
    bool good;
    GError *error;
};

static gpointer run_early_probe(gpointer data)
{
    struct early_probe *early = data;
    early->good = ask_plugin(&early->qemu, early->plugin, &early->answer, &early->error);
    return NULL;
}

/* Takes the early probe's answer if its guess was right; otherwise probes again. */
static bool take_early_answer(struct tcgrr_qemu *qemu, struct early_probe *early, struct answer *answer, GError **error)
{
    *answer = early->answer;
    early->answer.errors = NULL;
    if (early->qemu.system == qemu->system) {
        if (early->error) {
            g_propagate_error(error, g_steal_pointer(&early->error));
        }
        return early->good;
    }
    g_free(answer->errors);
    return ask_plugin(qemu, early->plugin, answer, error);
}

static bool probe_plugin(struct tcgrr_qemu *qemu, struct early_probe *early, GError **error)
{
    const char *plugin = early->plugin;
    struct answer answer;
    if (!take_early_answer(qemu, early, &answer, error)) {
        g_free(answer.errors);
        return false;
    }
    bool good = parse_probe(answer.text, qemu);
    int wanted = good ? 0 : wanted_api(answer.errors);
    if (wanted > 0) {
        qemu->api = wanted;
        qemu->api_forced = true;
        g_free(answer.errors);
        if (!ask_plugin(qemu, plugin, &answer, error)) {
            g_free(answer.errors);
            return false;
        }
        good = parse_probe(answer.text, qemu);
    }
    if (!good) {
        qemu->api = qemu->api_min = qemu->api_cur = 0;
        qemu->api_forced = false;
        qemu->plugin_error = explain(&answer);
    }
    g_free(answer.errors);
    return true;
}

/* The GNU build id in one segment or section of notes, as hex; NULL if it is not there. */
static char *find_build_id(Elf_Data *data)
{
    size_t offset = 0;
    GElf_Nhdr note;
    size_t name;
    size_t content;
    while (data && (offset = gelf_getnote(data, offset, &note, &name, &content)) > 0) {
        if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != sizeof("GNU") || note.n_descsz > BUILD_ID_MAX ||
            memcmp((const char *)data->d_buf + name, "GNU", sizeof("GNU")) != 0) {
            continue;
        }
        GString *hex = g_string_new(NULL);
        for (size_t i = 0; i < note.n_descsz; i++) {
            g_string_append_printf(hex, "%02x", ((const unsigned char *)data->d_buf)[content + i]);
        }
        return g_string_free(hex, FALSE);
    }
    return NULL;
}

/* The build id of an ELF file, "" for anything else. Owned by the caller. */
static char *read_build_id(const char *path)
{
    char *id = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    Elf *elf = fd >= 0 && elf_version(EV_CURRENT) != EV_NONE ? elf_begin(fd, ELF_C_READ, NULL) : NULL;
    size_t count = 0;
    if (elf && elf_kind(elf) == ELF_K_ELF && elf_getphdrnum(elf, &count) == 0) {
        for (size_t i = 0; !id && i < count; i++) {
            GElf_Phdr header;
            if (gelf_getphdr(elf, (int)i, &header) && header.p_type == PT_NOTE) {
                /* The alignment says how the notes are padded. */
                Elf_Type type = header.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR;
                id = find_build_id(elf_getdata_rawchunk(elf, (int64_t)header.p_offset, header.p_filesz, type));
            }
        }
    }
    elf_end(elf);
    if (fd >= 0) {
        close(fd);
    }
    return id ? id : g_strdup("");
}

/* Asks the QEMU at qemu->path. */
static bool ask(struct tcgrr_qemu *qemu, const char *plugin, GError **error)
{
    qemu->target = g_strdup("");
    qemu->build_id = read_build_id(qemu->path);
    struct early_probe early = {
        .qemu = {.path = qemu->path, .system = strstr(strrchr(qemu->path, '/') + 1, "qemu-system") != NULL},
        .plugin = plugin,
    };
    GThread *thread = g_thread_new("tcgrr-probe", run_early_probe, &early);
    bool good = read_version(qemu, error);
    g_thread_join(thread);
    good = good && probe_plugin(qemu, &early, error);
    g_free(early.answer.errors);
    g_clear_error(&early.error);
    return good;
}

bool tcgrr_qemu_probe(const char *name, const char *plugin, struct tcgrr_qemu *qemu, GError **error)
{
    *qemu = (struct tcgrr_qemu){0};
    g_autofree char *found = g_find_program_in_path(name);
    if (!found) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s: %s; give a QEMU on PATH or its path", name,
                    !g_file_test(name, G_FILE_TEST_EXISTS)      ? "no such command"
                    : g_file_test(name, G_FILE_TEST_IS_REGULAR) ? "neither a program nor a trace, or not executable"
                                                                : "neither a program nor a trace");
        return false;
    }
    g_autofree char *path = g_canonicalize_filename(found, NULL);
    g_autofree char *whole = g_canonicalize_filename(plugin, NULL);
    g_autofree char *kept = tcgrr_probe_cache_file(path, whole);
    bool known = kept && tcgrr_probe_cache_load(kept, qemu);

    qemu->path = g_steal_pointer(&path);
    if (known) {
        return true;
    }
    if (!ask(qemu, whole, error)) {
        tcgrr_qemu_clear(qemu);
        return false;
    }
    if (kept && qemu->api > 0) { /* why it is 0 may pass */
        tcgrr_probe_cache_store(kept, qemu);
    }
    return true;
}

bool tcgrr_qemu_is_user(const char *name)
{
    struct tcgrr_qemu qemu = {0};
    g_autofree char *base = g_path_get_basename(name);

    if (strstr(base, "qemu-system") || !(qemu.path = g_find_program_in_path(name))) {
        return false;
    }
    bool user = read_version(&qemu, NULL) && !qemu.system;
    tcgrr_qemu_clear(&qemu);
    return user;
}

void tcgrr_qemu_clear(struct tcgrr_qemu *qemu)
{
    g_free(qemu->path);
    g_free(qemu->version);
    g_free(qemu->banner);
    g_free(qemu->build_id);
    g_free(qemu->target);
    g_free(qemu->plugin_error);
    *qemu = (struct tcgrr_qemu){0};
}

/* Whether io_uring can be used: containers often forbid it. Tries at least as many entries as QEMU uses, because their
 * memory is limited. */
static bool kernel_has_io_uring(void)
{
    enum { ENTRIES = 1024 };
    struct io_uring_params parameters = {0};
    long fd = syscall(SYS_io_uring_setup, ENTRIES, &parameters);

    if (fd >= 0) {
        close((int)fd);
    }
    return fd >= 0;
}

const char *tcgrr_qemu_aio(const struct tcgrr_qemu *qemu)
{
    return qemu->has_io_uring && kernel_has_io_uring() ? "io_uring" : "threads";
}

void tcgrr_qemu_copy(struct tcgrr_qemu *copy, const struct tcgrr_qemu *qemu)
{
    *copy = *qemu;
    copy->path = g_strdup(qemu->path);
    copy->version = g_strdup(qemu->version);
    copy->banner = g_strdup(qemu->banner);
    copy->build_id = g_strdup(qemu->build_id);
    copy->target = g_strdup(qemu->target);
    copy->plugin_error = g_strdup(qemu->plugin_error);
}

/* Whether a command's name is a QEMU's: qemu-system-* or, in user mode, qemu-<target>. */
static bool is_qemu_name(const char *name)
{
    static const char targets[] =
        " aarch64 aarch64_be alpha amd64 arm arm64 armeb armel armhf cris hexagon hppa i386 loong64"
        " loongarch64 m68k microblaze microblazeel mips mips64 mips64el mipsel mipsn32 mipsn32el nios2"
        " or1k powerpc ppc ppc64 ppc64el ppc64le riscv32 riscv64 s390x sh4 sh4eb sparc sparc32plus"
        " sparc64 x86_64 xtensa xtensaeb ";
    if (g_str_has_prefix(name, "qemu-system-")) {
        return name[strlen("qemu-system-")] != '\0';
    }
    if (!g_str_has_prefix(name, "qemu-")) {
        return false;
    }
    /* A suffix distinguishes builds: qemu-arm-static, qemu-arm-7.2. */
    const char *rest = name + strlen("qemu-");
    char *target = g_strdup_printf(" %.*s ", (int)strcspn(rest, "- "), rest);
    bool known = strstr(targets, target);
    g_free(target);
    return known;
}

static gint compare_paths(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Adds the QEMUs of one folder whose file (device and inode) was not `seen` yet, in alphabetical order. */
static void find_in_folder(const char *folder, GHashTable *seen, GPtrArray *found)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        if (is_qemu_name(name)) {
            g_ptr_array_add(names, g_build_filename(folder, name, NULL));
        }
    }
    if (dir) {
        g_dir_close(dir);
    }
    g_ptr_array_sort(names, compare_paths);
    for (guint i = 0; i < names->len; i++) {
        const char *path = names->pdata[i];
        struct stat status;
        if (stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0 &&
            g_hash_table_add(seen, g_strdup_printf("%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino))) {
            g_ptr_array_add(found, g_strdup(path));
        }
    }
    g_ptr_array_unref(names);
}

char **tcgrr_qemu_find_all(void)
{
    GPtrArray *found = g_ptr_array_new();
    GHashTable *seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    const char *path = g_getenv("PATH");
    char **folders = g_strsplit(path ? path : "", ":", -1);
    for (size_t i = 0; folders[i]; i++) {
        if (folders[i][0]) {
            find_in_folder(folders[i], seen, found);
        }
    }
    find_in_folder("/usr/bin", seen, found);
    g_strfreev(folders);
    g_hash_table_unref(seen);
    g_ptr_array_sort(found, compare_paths);
    g_ptr_array_add(found, NULL);
    return (char **)g_ptr_array_free(found, FALSE);
}

bool tcgrr_qemu_gives_results(const char *target, int recorded, int api)
{
    static const char *const targets[] = {"x86_64", "aarch64", "riscv64",
                                          NULL}; /* emu/plugin/inputs.c, inputs_clock.c */
    return recorded >= 2 && api >= 5 && g_strv_contains(targets, target);
}

bool tcgrr_qemu_gives_data(const char *target, int api)
{
    return tcgrr_qemu_gives_results(target, api, api);
}

const char *tcgrr_qemu_lacks(const struct tcgrr_qemu *qemu, enum tcgrr_level level)
{
    if (qemu->api == 0) {
        return "it cannot load plugins";
    }
    if (level == TCGRR_LEVEL_STATE && qemu->api < 2) {
        return "it does not give plugins its registers; QEMU 9.0 and later do";
    }
    if (level == TCGRR_LEVEL_FULL && qemu->api < 2 && qemu->system &&
        tcgrr_isa_of_target(qemu->target) == TCGRR_ISA_X86) {
        return "on x86 it reports what an interrupt pushes as accesses of the previous instruction; QEMU 9.0 and later "
               "do not";
    }
    if (level == TCGRR_LEVEL_STATE && tcgrr_isa_of_target(qemu->target) == TCGRR_ISA_UNKNOWN) {
        return "samples are taken after branches, which tcgrr knows only for aarch64, arm, riscv32, riscv64, i386 and "
               "x86_64";
    }
    return NULL;
}
