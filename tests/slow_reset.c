/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into QEMU, makes a plugin that was reset register its callbacks late: QEMU can then leave in between, when
 * it has no exit callback to call. The plugin looks the functions up by name, each time it registers.
 */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define LATE_US 100000

__attribute__((visibility("default"))) void *dlsym(void *restrict handle, const char *restrict name)
{
    static void *(*real)(void *, const char *);
    static atomic_int registered;

    if (!real) {
        *(void **)&real = dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.34");
    }
    if (strcmp(name, "qemu_plugin_register_vcpu_tb_trans_cb") == 0 && atomic_fetch_add(&registered, 1) > 0) {
        usleep(LATE_US);
    }
    return real(handle, name);
}
