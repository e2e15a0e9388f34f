/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/qemu/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "emu/qemu/scratch.h"
#include "store/error.h"

#define INPUTS_FD       200 /* QEMU's descriptor of the folder that contains files of the command */
#define INPUTS_PATH     "/proc/self/fd/" G_STRINGIFY(INPUTS_FD)
#define LARGE_PAGES     "glibc.malloc.hugetlb=1"
#define TAIL_SIZE       8192
#define LINE_SIZE       512
#define REAP_POLL_MS    10   /* how often to look for the end where the kernel has no pidfd */
#define DRAIN_READS     4096 /* bound on what is read after the end, because a grandchild may write forever */
#define EXPLAIN_MS      200
#define FORWARD_WAIT_MS 1000 /* how long our own standard error may block before text is dropped */

/* Terminal settings from before the start; QEMU changes them for -nographic and cannot restore them when it is killed.
 */
struct terminal {
    bool saved;
    struct termios settings;
    int flags; /* O_NONBLOCK belongs to the open terminal, which our shell shares */
};

struct tcgrr_process {
    GMutex lock;
    GCond changed; /* `started` or `ended` became true */
    GThread *watcher;
    pid_t pid;
    int pidfd;
    int errors; /* read end of the child's standard error, non-blocking; -1 after its end */
    int wakeup; /* eventfd: the watcher must finish */
    bool quiet;
    bool other; /* not our child: it keeps running afterwards */
    int output; /* read end of the child's stdout; -1: not read by us */
    struct terminal terminal;

    /* Below: under `lock`. */
    bool started; /* or starting failed: pid is then 0 and start_error is set */
    GError *start_error;
    bool ended;
    int status;
    size_t written; /* bytes of standard error so far; tail[] is a ring */
    char tail[TAIL_SIZE];
    char line[LINE_SIZE]; /* the beginning of a line of standard error that may be noise */
    size_t held;          /* bytes of it */
    bool in_noise;        /* the previous line was the first line of the noise */
    bool inside;          /* the next byte is in the middle of a line that was passed on */
};

/* What the watcher thread needs to start the child; lives in tcgrr_process_start() until `started`. */
struct start {
    struct tcgrr_process *process;
    char *const *argv;
    const struct tcgrr_process_options *options;
    pid_t parent;
};

static void terminal_save(struct terminal *terminal)
{
    if (tcgetattr(STDIN_FILENO, &terminal->settings) < 0) {
        return;
    }
    terminal->flags = fcntl(STDIN_FILENO, F_GETFL);
    terminal->saved = terminal->flags >= 0;
}

static bool same_settings(const struct termios *a, const struct termios *b)
{
    return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_cflag == b->c_cflag &&
           a->c_lflag == b->c_lflag && memcmp(a->c_cc, b->c_cc, sizeof(a->c_cc)) == 0;
}

static void terminal_restore(const struct terminal *terminal)
{
    if (!terminal->saved || tcgetpgrp(STDIN_FILENO) != getpgrp()) {
        return;
    }
    struct termios now;
    if (tcgetattr(STDIN_FILENO, &now) == 0 && !same_settings(&now, &terminal->settings)) {
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal->settings);
    }
    if (fcntl(STDIN_FILENO, F_GETFL) != terminal->flags) {
        (void)fcntl(STDIN_FILENO, F_SETFL, terminal->flags);
    }
}

/* Runs in the child between fork and exec: only async-signal-safe calls. */
static void prepare_child(gpointer data)
{
    const struct start *start = data;
    sigset_t none;
    sigemptyset(&none);
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
    if (start->options->own_group) {
        setpgid(0, 0);
    }
    if (start->options->pinned) {
        personality(ADDR_NO_RANDOMIZE);
    }
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    /* The parent may have died before prctl() took effect, in which case the signal would never be sent. */
    if (prctl(PR_SET_PDEATHSIG, start->options->expendable ? SIGKILL : SIGTERM) < 0 || getppid() != start->parent) {
        _exit(127);
    }
}

static void keep_tail(struct tcgrr_process *process, const char *text, size_t length)
{
    g_mutex_lock(&process->lock);
    for (size_t i = 0; i < length; i++) {
        process->tail[process->written++ % TAIL_SIZE] = text[i];
    }
    g_mutex_unlock(&process->lock);
}

/* Copies text to our own standard error or output, which QEMU may have made non-blocking, because it shares the
 * terminal. */
static void forward(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, text, length);
        if (n > 0) {
            text += n;
            length -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            struct pollfd ready = {.fd = fd, .events = POLLOUT};
            if (poll(&ready, 1, FORWARD_WAIT_MS) <= 0) {
                return;
            }
        } else if (n == 0 || errno != EINTR) {
            return;
        }
    }
}

/*
 * A QEMU that searches for the module of a user interface may find that of another build, in the folder of the system's
 * own QEMU, and prints two lines about it at each start. They are suppressed, because the user did not ask for that
 * interface. (Messages about other modules are kept, because these may be needed.)
 */
static bool is_noise(struct tcgrr_process *process)
{
    static const char first[] = ": failed to initialize module: ";
    static const char second[] = "Only modules from the same build can be loaded.\n";
    bool end =
        process->in_noise && process->held == strlen(second) && memcmp(process->line, second, strlen(second)) == 0;

    process->in_noise = memmem(process->line, process->held, first, strlen(first)) &&
                        memmem(process->line, process->held, "/ui-", strlen("/ui-"));
    return end || process->in_noise;
}

/* Whether the line may yet become noise, so that it has to wait for its end. */
static bool may_be_noise(const char *line, size_t length)
{
    static const char *const starts[] = {"qemu-", "Only modules from the same build can be loaded."};
    for (size_t i = 0; i < G_N_ELEMENTS(starts); i++) {
        if (memcmp(line, starts[i], MIN(length, strlen(starts[i]))) == 0) {
            return true;
        }
    }
    return false;
}

static void take(struct tcgrr_process *process, const char *text, size_t length)
{
    keep_tail(process, text, length);
    if (!process->quiet) {
        forward(STDERR_FILENO, text, length);
    }
}

/* Prints the text that was held back, because the rest of the line will not arrive. */
static void let_go(struct tcgrr_process *process)
{
    take(process, process->line, process->held);
    process->held = 0;
}

/* Copies text immediately, except for lines that may be noise, which are held back until they are complete. */
static void sift(struct tcgrr_process *process, const char *text, size_t length)
{
    while (length > 0) {
        const char *newline = memchr(text, '\n', length);
        size_t part = newline ? (size_t)(newline - text) + 1 : length;
        bool hold = !process->inside && process->held + part <= sizeof(process->line);

        if (hold) {
            memcpy(process->line + process->held, text, part);
            process->held += part;
            if (newline && is_noise(process)) {
                process->held = 0;
            } else if (newline || !may_be_noise(process->line, process->held)) {
                let_go(process);
                process->inside = !newline;
            }
        } else {
            let_go(process);
            take(process, text, part);
            process->inside = !newline;
        }
        text += part;
        length -= part;
    }
}

/* Reads what there is, once. Returns false if there is nothing more now. */
static bool read_errors(struct tcgrr_process *process)
{
    if (process->errors < 0) {
        return false;
    }
    char text[4096];
    ssize_t n = read(process->errors, text, sizeof(text));
    if (n < 0 && errno == EINTR) {
        return true;
    }
    if (n <= 0) {
        let_go(process);
        if (n == 0 || errno != EAGAIN) {
            close(process->errors);
            process->errors = -1;
        }
        return false;
    }
    sift(process, text, (size_t)n);
    return true;
}

/* The same with its standard output, where that comes through us. */
static bool read_output(struct tcgrr_process *process)
{
    char text[4096];
    ssize_t n = process->output < 0 ? 0 : read(process->output, text, sizeof(text));
    if (n < 0 && errno == EINTR) {
        return true;
    }
    if (n <= 0) {
        if (process->output >= 0 && (n == 0 || errno != EAGAIN)) {
            close(process->output); /* a terminal ends with EIO */
            process->output = -1;
        }
        return false;
    }
    if (!process->quiet) {
        forward(STDOUT_FILENO, text, (size_t)n);
    }
    return true;
}

/* Whether the child is a zombie or gone; it stays one until reap(). */
static bool is_over(const struct tcgrr_process *process)
{
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0) {
        return errno == ECHILD;
    }
    return info.si_pid != 0;
}

/* Reaping happens under the lock so that no signal is ever sent to a number that the kernel has given to another
 * process. */
static void reap(struct tcgrr_process *process)
{
    for (int i = 0; i < DRAIN_READS && read_errors(process); i++) {
    }
    for (int i = 0; i < DRAIN_READS && read_output(process); i++) {
    }
    terminal_restore(&process->terminal);
    g_mutex_lock(&process->lock);
    pid_t pid;
    do {
        pid = waitpid(process->pid, &process->status, 0);
    } while (pid < 0 && errno == EINTR);
    if (pid < 0) {
        process->status = -1;
    }
    process->ended = true;
    g_cond_broadcast(&process->changed);
    g_mutex_unlock(&process->lock);
}

/*
 * Some guests see the path of a file that QEMU loads for them (multiboot on x86, MIPS, semihosting). The path of our
 * private folder is different in each run, so QEMU gets the folder as a descriptor, whose path is always the same:
 * `*fd`, or -1. The words are owned by the caller.
 */
static char **with_constant_paths(char *const *argv, int *fd)
{
    g_autofree char *folder = tcgrr_scratch_find_inputs((const char *const *)argv);
    char **words = g_strdupv((char **)argv);

    *fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    for (char **word = words; *fd >= 0 && *word; word++) {
        g_auto(GStrv) pieces = g_strsplit(*word, folder, -1);
        g_free(*word);
        *word = g_strjoinv(INPUTS_PATH, pieces);
    }
    return words;
}

/* The child's environment; NULL: ours. */
static char **choose_environment(const struct tcgrr_process_options *options)
{
    if (!options->large_pages) {
        return g_strdupv((char **)options->environment);
    }
    char **own = options->environment ? g_strdupv((char **)options->environment) : g_get_environ();
    const char *before = g_environ_getenv(own, "GLIBC_TUNABLES");
    g_autofree char *tunables = before && *before ? g_strconcat(before, ":", LARGE_PAGES, NULL) : g_strdup(LARGE_PAGES);
    bool chosen = before && strstr(before, "glibc.malloc.hugetlb=");
    return chosen ? own : g_environ_setenv(own, "GLIBC_TUNABLES", tunables, TRUE);
}

/* Starts the child from this thread, because PR_SET_PDEATHSIG refers to the death of the thread that forked. */
static bool spawn(struct start *start, GError **error)
{
    struct tcgrr_process *process = start->process;
    const struct tcgrr_process_options *options = start->options;
    GSpawnFlags flags =
        G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_LEAVE_DESCRIPTORS_OPEN | G_SPAWN_SEARCH_PATH | G_SPAWN_CLOEXEC_PIPES;
    bool output = options->output_fd > 0;

    flags |= process->quiet || output ? 0 : G_SPAWN_CHILD_INHERITS_STDIN;
    flags |= process->quiet && !output ? G_SPAWN_STDOUT_TO_DEV_NULL : 0;
    int folder = -1;
    g_auto(GStrv) argv =
        options->paths_stay ? g_strdupv((char **)start->argv) : with_constant_paths(start->argv, &folder);
    const int targets[] = {INPUTS_FD, options->pass_fd}, sources[] = {folder, options->pass_fd};
    g_auto(GStrv) environment = choose_environment(options);
    size_t first = folder >= 0 ? 0 : 1, count = (options->pass_fd > 0 ? 2 : 1) - first;
    GPid pid = 0;
    GError *reason = NULL;
    bool good = g_spawn_async_with_pipes_and_fds(options->directory, (const char *const *)argv,
                                                 (const char *const *)environment, flags, prepare_child, start, -1,
                                                 output ? options->output_fd : -1, -1, sources + first, targets + first,
                                                 count, &pid, NULL, NULL, &process->errors, &reason);
    if (folder >= 0) {
        close(folder);
    }
    if (!good) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot start %s: %s", start->argv[0], reason->message);
        g_error_free(reason);
        process->errors = -1;
        return false;
    }
    process->pid = pid;
    process->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    (void)fcntl(process->errors, F_SETFL, O_NONBLOCK);
    return true;
}

/* Watches until the child has ended and then until its last descendant closes standard error or we are freed. */
static void watch(struct tcgrr_process *process)
{
    bool ended = false;
    for (;;) {
        struct pollfd fds[] = {
            {.fd = process->errors, .events = POLLIN},
            {.fd = ended ? -1 : process->pidfd, .events = POLLIN},
            {.fd = process->wakeup, .events = POLLIN},
            {.fd = process->output, .events = POLLIN},
        };
        poll(fds, G_N_ELEMENTS(fds), !ended && process->pidfd < 0 ? REAP_POLL_MS : -1);
        if (fds[0].revents != 0) {
            read_errors(process);
        }
        if (fds[3].revents != 0) {
            read_output(process);
        }
        if (!ended && (process->pidfd < 0 || fds[1].revents != 0) && is_over(process)) {
            reap(process);
            ended = true;
        }
        if (ended && (process->errors < 0 || fds[2].revents != 0)) {
            return;
        }
    }
}

static gpointer run_watcher(gpointer data)
{
    struct start *start = data;
    struct tcgrr_process *process = start->process;
    GError *error = NULL;
    sigset_t all;

    /* Signals are left to the program's other threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    bool good = spawn(start, &error);
    g_mutex_lock(&process->lock);
    process->started = true;
    process->start_error = error;
    g_cond_broadcast(&process->changed);
    g_mutex_unlock(&process->lock);
    if (good) {
        watch(process);
    }
    return NULL;
}

/* ---- processes that are no child of ours ---- */

/* What Linux reports about a process through its pidfd; from 6.15 on also after it has been reaped. */
struct pidfd_info {
    uint64_t mask;
    uint64_t cgroup;
    uint32_t ids[11];
    int32_t exit_code; /* as waitpid() gives it */
};
#define GET_PIDFD_INFO  _IOWR(0xff, 11, struct pidfd_info)
#define PIDFD_INFO_EXIT (UINT64_C(1) << 3)

/* The exit status of a process that its parent has not reaped yet; -1: it has. */
static int status_of_zombie(int pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid);
    g_autofree char *text = NULL;
    const char *name_end =
        g_file_get_contents(path, &text, NULL, NULL) && strrchr(text, ')') ? strrchr(text, ')') : NULL;
    const char *last = name_end ? strrchr(name_end, ' ') : NULL;
    return last && name_end[1] == ' ' && name_end[2] == 'Z' ? atoi(last) : -1;
}

static int status_of_other(const struct tcgrr_process *process)
{
    struct pidfd_info info = {.mask = PIDFD_INFO_EXIT};
    int status = status_of_zombie(process->pid);

    if (status < 0 && ioctl(process->pidfd, GET_PIDFD_INFO, &info) == 0 && info.mask & PIDFD_INFO_EXIT) {
        status = info.exit_code;
    }
    return status;
}

static gpointer watch_other(gpointer data)
{
    struct tcgrr_process *process = data;
    struct pollfd fds[] = {{.fd = process->pidfd, .events = POLLIN}, {.fd = process->wakeup, .events = POLLIN}};
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    while (fds[0].revents == 0 && fds[1].revents == 0) {
        poll(fds, G_N_ELEMENTS(fds), -1);
    }
    if (fds[0].revents != 0) {
        int status = status_of_other(process);
        g_mutex_lock(&process->lock);
        process->status = status;
        process->ended = true;
        g_cond_broadcast(&process->changed);
        g_mutex_unlock(&process->lock);
    }
    return NULL;
}

struct tcgrr_process *tcgrr_process_adopt(int pid, GError **error)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int wakeup = pidfd >= 0 ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;

    if (wakeup < 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot watch process %d: %s", pid, g_strerror(errno));
        if (pidfd >= 0) {
            close(pidfd);
        }
        return NULL;
    }
    struct tcgrr_process *process = g_new0(struct tcgrr_process, 1);
    g_mutex_init(&process->lock);
    g_cond_init(&process->changed);
    process->pid = pid;
    process->pidfd = pidfd;
    process->wakeup = wakeup;
    process->errors = process->output = -1;
    process->other = process->started = true;
    process->watcher = g_thread_new("tcgrr-watch", watch_other, process);
    return process;
}

static void release(struct tcgrr_process *process)
{
    g_thread_join(process->watcher);
    if (process->errors >= 0) {
        close(process->errors);
    }
    if (process->output >= 0) {
        close(process->output);
    }
    if (process->pidfd >= 0) {
        close(process->pidfd);
    }
    close(process->wakeup);
    g_clear_error(&process->start_error);
    g_mutex_clear(&process->lock);
    g_cond_clear(&process->changed);
    g_free(process);
}

struct tcgrr_process *tcgrr_process_start(char *const *argv, const struct tcgrr_process_options *options,
                                          GError **error)
{
    int wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wakeup < 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot start %s: %s", argv[0], g_strerror(errno));
        return NULL;
    }
    struct tcgrr_process *process = g_new0(struct tcgrr_process, 1);
    struct start start = {.process = process, .argv = argv, .options = options, .parent = getpid()};
    g_mutex_init(&process->lock);
    g_cond_init(&process->changed);
    process->wakeup = wakeup;
    process->pidfd = -1;
    process->errors = -1;
    process->quiet = options->quiet;
    process->output = options->drain_fd > 0 ? options->drain_fd : -1;
    if (process->output >= 0) {
        (void)fcntl(process->output, F_SETFL, O_NONBLOCK);
    }
    if (!process->quiet) {
        terminal_save(&process->terminal);
    }
    process->watcher = g_thread_new("tcgrr-watch", run_watcher, &start);

    g_mutex_lock(&process->lock);
    while (!process->started) {
        g_cond_wait(&process->changed, &process->lock);
    }
    GError *reason = g_steal_pointer(&process->start_error);
    g_mutex_unlock(&process->lock);
    if (reason) {
        g_propagate_error(error, reason);
        release(process);
        return NULL;
    }
    return process;
}

bool tcgrr_process_ended(struct tcgrr_process *process)
{
    return tcgrr_process_wait(process, 0);
}

bool tcgrr_process_wait(struct tcgrr_process *process, int timeout_ms)
{
    gint64 deadline = g_get_monotonic_time() + (gint64)MAX(timeout_ms, 0) * 1000;
    g_mutex_lock(&process->lock);
    while (!process->ended && timeout_ms > 0) {
        if (!g_cond_wait_until(&process->changed, &process->lock, deadline)) {
            break;
        }
    }
    bool ended = process->ended;
    g_mutex_unlock(&process->lock);
    return ended;
}

int tcgrr_process_status(struct tcgrr_process *process)
{
    g_mutex_lock(&process->lock);
    int status = process->status;
    g_mutex_unlock(&process->lock);
    return status;
}

char *tcgrr_process_describe_end(struct tcgrr_process *process)
{
    int status = tcgrr_process_status(process);
    if (status >= 0 && WIFSIGNALED(status)) {
        return g_strdup_printf("signal %d (%s)", WTERMSIG(status), g_strsignal(WTERMSIG(status)));
    }
    if (status >= 0 && WIFEXITED(status)) {
        return g_strdup_printf("exit %d", WEXITSTATUS(status));
    }
    return g_strdup("exit status unknown");
}

void tcgrr_process_signal(struct tcgrr_process *process, int signal)
{
    g_mutex_lock(&process->lock);
    if (!process->ended && process->other) {
        syscall(SYS_pidfd_send_signal, process->pidfd, signal, NULL,
                0); /* its number may belong to another process by now */
    } else if (!process->ended) {
        kill(process->pid, signal);
    }
    g_mutex_unlock(&process->lock);
}

void tcgrr_process_stop(struct tcgrr_process *process, int grace_ms)
{
    tcgrr_process_signal(process, SIGTERM);
    if (tcgrr_process_wait(process, grace_ms)) {
        return;
    }
    tcgrr_process_signal(process, SIGKILL);
    while (!tcgrr_process_wait(process, G_MAXINT)) {
    }
}

char *tcgrr_process_stderr_tail(struct tcgrr_process *process)
{
    g_mutex_lock(&process->lock);
    size_t length = MIN(process->written, (size_t)TAIL_SIZE);
    GString *text = g_string_sized_new(length);
    for (size_t i = process->written - length; i < process->written; i++) {
        g_string_append_c(text, process->tail[i % TAIL_SIZE]);
    }
    bool cut = process->written > TAIL_SIZE;
    g_mutex_unlock(&process->lock);

    const char *start = text->str;
    const char *newline = cut ? memchr(text->str, '\n', text->len) : NULL;
    if (newline && newline[1]) {
        start = newline + 1;
    }
    char *valid = g_utf8_make_valid(start, (gssize)(text->len - (size_t)(start - text->str)));
    g_string_free(text, TRUE);
    return g_strchomp(valid);
}

/* QEMU's own error messages begin with its name; the noise about modules of another build is ignored. */
char *tcgrr_process_last_words(struct tcgrr_process *process)
{
    g_autofree char *tail = tcgrr_process_stderr_tail(process);
    g_auto(GStrv) lines = g_strsplit(g_strchomp(tail), "\n", -1);
    const char *found = "";

    for (char **line = lines; *line; line++) {
        bool noise = strstr(*line, "initialize module") || strstr(*line, "from the same build") ||
                     strstr(*line, "terminating on signal") || strstr(*line, ": warning: ");
        if (!noise && **line && (!*found || (g_str_has_prefix(*line, "qemu-") && !g_str_has_prefix(found, "qemu-")))) {
            found = *line;
        }
    }
    return g_strdup(found);
}

void tcgrr_process_explain_end(struct tcgrr_process *process, const char *name, GError **error)
{
    if (!tcgrr_process_wait(process, EXPLAIN_MS)) {
        return;
    }
    g_autofree char *words = tcgrr_process_last_words(process);
    g_autofree char *end = tcgrr_process_describe_end(process);
    g_clear_error(error);
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "%s ended (%s)%s%s", name, end, *words ? ": " : "", words);
}

int tcgrr_process_pid(struct tcgrr_process *process)
{
    return process->pid;
}

int64_t tcgrr_process_spent(struct tcgrr_process *process)
{
    clockid_t clock;
    struct timespec spent;

    if (clock_getcpuclockid(process->pid, &clock) != 0 || clock_gettime(clock, &spent) != 0) {
        return 0;
    }
    return (int64_t)spent.tv_sec * G_USEC_PER_SEC + spent.tv_nsec / 1000;
}

/* The state of a thread, from its stat file: the letter after the name, which is in parentheses. */
static char thread_state(const char *tasks, const char *thread)
{
    g_autofree char *path = g_build_filename(tasks, thread, "stat", NULL);
    g_autofree char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL)) {
        return '\0'; /* it has just ended */
    }
    const char *name_end = strrchr(text, ')');
    return name_end && name_end[1] ? name_end[2] : '\0';
}

bool tcgrr_process_sleeps(struct tcgrr_process *process)
{
    g_autofree char *tasks = g_strdup_printf("/proc/%d/task", process->pid);
    GDir *folder = g_dir_open(tasks, 0, NULL);
    bool sleeps = folder != NULL;

    for (const char *name; sleeps && (name = g_dir_read_name(folder));) {
        char state = thread_state(tasks, name);
        sleeps = state != 'R' && state != 'D';
    }
    if (folder) {
        g_dir_close(folder);
    }
    return sleeps;
}

void tcgrr_process_free(struct tcgrr_process *process)
{
    if (!process) {
        return;
    }
    if (!process->other) {
        tcgrr_process_stop(process, 2000);
    }
    eventfd_write(process->wakeup, 1); /* cannot fail: this is the only time it is counted up */
    release(process);
}
