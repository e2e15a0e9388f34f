/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "emu/plugin/api.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* POSIX allows converting dlsym's object pointer to a function pointer; copying it avoids a compiler warning. */
static void find_function(void *function_pointer, const char *name)
{
    void *symbol = dlsym(RTLD_DEFAULT, name);
    memcpy(function_pointer, &symbol, sizeof(symbol));
}

static bool has(const char *name)
{
    return dlsym(RTLD_DEFAULT, name) != NULL;
}

/* The number after "api=" in the plugin's own word of QEMU's command line; 0 if there is none. An environment variable
 * would be visible to the guest in user mode. */
static int forced_version(void)
{
    FILE *file = fopen("/proc/self/cmdline", "re");
    char *word = NULL;
    size_t space = 0;
    int version = 0;
    bool ours = false;

    while (file && version == 0 && getdelim(&word, &space, '\0', file) > 0) {
        const char *found = ours ? strstr(word, ",api=") : NULL;
        version = found ? atoi(found + strlen(",api=")) : 0;
        ours = strcmp(word, "-plugin") == 0;
    }
    free(word);
    if (file) {
        fclose(file);
    }
    return version;
}

static int guess_version(void)
{
    int forced = forced_version();
    if (forced > 0) {
        return forced;
    }
    if (has("qemu_plugin_register_vcpu_discon_cb")) {
        return 7;
    }
    if (has("qemu_plugin_write_register")) {
        return 5;
    }
    if (has("qemu_plugin_read_memory_vaddr")) {
        return 4;
    }
    if (has("qemu_plugin_register_vcpu_tb_exec_cond_cb")) {
        return 3;
    }
    return has("qemu_plugin_scoreboard_new") ? 2 : 1;
}

void tcgrr_api_load(struct tcgrr_api *api)
{
    memset(api, 0, sizeof(*api));
    api->version = guess_version();
    api->old_inline = api->version < 2;
    api->has_store = has("qemu_plugin_register_vcpu_tb_exec_cond_cb"); /* both came with QEMU 9.1 */
    api->copy_data = api->version >= 3;
    find_function(&api->tb_n_insns, "qemu_plugin_tb_n_insns");
    find_function(&api->tb_vaddr, "qemu_plugin_tb_vaddr");
    find_function(&api->tb_get_insn, "qemu_plugin_tb_get_insn");
    find_function(api->copy_data ? (void *)&api->insn_data_copy : (void *)&api->insn_data_pointer,
                  "qemu_plugin_insn_data");
    find_function(&api->insn_vaddr, "qemu_plugin_insn_vaddr");
    find_function(&api->insn_size, "qemu_plugin_insn_size");
    find_function(&api->insn_disas, "qemu_plugin_insn_disas");
    find_function(&api->register_tb_exec, "qemu_plugin_register_vcpu_tb_exec_cb");
    find_function(&api->register_insn_exec, "qemu_plugin_register_vcpu_insn_exec_cb");
    find_function(&api->register_mem, "qemu_plugin_register_vcpu_mem_cb");
    find_function(&api->mem_is_store, "qemu_plugin_mem_is_store");
    find_function(&api->mem_value, "qemu_plugin_mem_get_value");
    find_function(&api->mem_size_shift, "qemu_plugin_mem_size_shift");
    find_function(&api->mem_is_big_endian, "qemu_plugin_mem_is_big_endian");
    find_function(&api->get_hwaddr, "qemu_plugin_get_hwaddr");
    find_function(&api->hwaddr_is_io, "qemu_plugin_hwaddr_is_io");
    find_function(&api->hwaddr_phys_addr, "qemu_plugin_hwaddr_phys_addr");
    find_function(&api->hwaddr_device_name, "qemu_plugin_hwaddr_device_name");
    if (api->old_inline) {
        find_function(&api->register_insn_inline_1, "qemu_plugin_register_vcpu_insn_exec_inline");
    } else {
        find_function(&api->register_insn_inline, "qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu");
        find_function(&api->register_mem_inline, "qemu_plugin_register_vcpu_mem_inline_per_vcpu");
        find_function(&api->scoreboard_new, "qemu_plugin_scoreboard_new");
        find_function(&api->scoreboard_find, "qemu_plugin_scoreboard_find");
    }
    find_function(&api->get_registers, "qemu_plugin_get_registers");
    find_function(&api->read_register, "qemu_plugin_read_register");
    find_function(&api->write_register, "qemu_plugin_write_register");
    find_function(&api->insn_haddr, "qemu_plugin_insn_haddr");
    find_function(&api->start_code, "qemu_plugin_start_code");
    find_function(api->version >= 7 ? (void *)&api->reset_7 : (void *)&api->reset, "qemu_plugin_reset");
    find_function(api->version >= 7 ? (void *)&api->register_discon_7 : (void *)&api->register_discon_6,
                  "qemu_plugin_register_vcpu_discon_cb");
}

bool tcgrr_api_register(const struct tcgrr_api *api, qemu_plugin_id_t id, const char *name, tcgrr_any_cb cb)
{
    void (*old_form)(qemu_plugin_id_t, tcgrr_any_cb) = NULL;
    void (*new_form)(qemu_plugin_id_t, tcgrr_any_cb, void *) = NULL;

    /* The exit callback has had userdata since the first version. */
    if (api->version >= 7 || strcmp(name, "qemu_plugin_register_atexit_cb") == 0) {
        find_function(&new_form, name);
        if (new_form) {
            new_form(id, cb, NULL);
        }
        return new_form != NULL;
    }
    find_function(&old_form, name);
    if (old_form) {
        old_form(id, cb);
    }
    return old_form != NULL;
}

static void (*translated)(struct qemu_plugin_tb *tb);

static void translated_1(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    translated(tb);
}

static void translated_7(struct qemu_plugin_tb *tb, void *userdata)
{
    translated(tb);
}

bool tcgrr_api_at_translation(const struct tcgrr_api *api, qemu_plugin_id_t id, void (*call)(struct qemu_plugin_tb *tb))
{
    translated = call;
    return tcgrr_api_register(api, id, "qemu_plugin_register_vcpu_tb_trans_cb",
                              api->version >= 7 ? (tcgrr_any_cb)translated_7 : (tcgrr_any_cb)translated_1);
}

bool tcgrr_api_has_discon(const struct tcgrr_api *api)
{
    return api->register_discon_7 || api->register_discon_6;
}

#define VSYSCALL_SHIFT 12
#define VSYSCALL_PAGE  UINT64_C(0xffffffffff600)

size_t tcgrr_api_insn_bytes(const struct tcgrr_api *api, const struct qemu_plugin_insn *insn, uint8_t *bytes,
                            size_t size)
{
    size_t length = api->insn_size(insn);
    if (api->vsyscalls && api->insn_vaddr(insn) >> VSYSCALL_SHIFT == VSYSCALL_PAGE) {
        return 0; /* only QEMU 7.2 has it; later releases would crash */
    }
    if (length > size) {
        length = size;
    }
    if (api->copy_data) {
        return api->insn_data_copy(insn, bytes, length);
    }
    memcpy(bytes, api->insn_data_pointer(insn), length);
    return length;
}
