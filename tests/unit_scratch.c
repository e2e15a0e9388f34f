/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The private folder is removed after its process is killed, also while a QEMU that outlives it creates files there. */
#include "emu/qemu/scratch.h"

#include <glib.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Creates files for about half a second, or until it cannot. */
#define WRITER "i=0; while [ $i -lt 50000 ]; do : > \"$0/$i\" || exit; i=$((i + 1)); done"

/* Makes a folder, writes its path to `out`, starts the writer and is killed. */
static void be_killed(int out)
{
    g_autofree char *folder = tcgrr_scratch_folder("test", NULL);
    const char *argv[] = {"sh", "-c", WRITER, folder, NULL};

    if (folder && g_spawn_async(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL,
                                NULL, NULL)) {
        g_usleep(50000); /* the writer is at it */
        if (write(out, folder, strlen(folder)) > 0) {
            raise(SIGKILL);
        }
    }
    _exit(1);
}

static void test_folder_goes_while_files_are_created(void **state)
{
    char folder[512] = "";
    int ends[2], status;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        be_killed(ends[1]);
    }
    close(ends[1]);
    assert_true(read(ends[0], folder, sizeof(folder) - 1) > 0);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));

    g_autofree char *root = g_path_get_dirname(folder);
    for (int i = 0; i < 1000 && g_file_test(root, G_FILE_TEST_EXISTS); i++) {
        g_usleep(20000);
    }
    assert_false(g_file_test(root, G_FILE_TEST_EXISTS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_folder_goes_while_files_are_created)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
