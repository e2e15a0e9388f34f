/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A QEMU plugin that makes a fault: it flips one bit of a register or of memory right before the instruction at a
 * chosen icount, as a wrong translation might. For QEMUs of plugin API 7 and, in user mode, of API 5.
 *
 *   -plugin libinject.so,at=ICOUNT,pc=ADDRESS,reg=NAME,bit=N
 *   -plugin libinject.so,at=ICOUNT,pc=ADDRESS,mem=ADDRESS,bit=N
 *
 * pc is that of the instruction at `at`, which spares asking at all others. nth=N in place of at=ICOUNT: right
 * before the Nth time, from 1 on, that the instruction at pc runs. With reg and mem, the memory is that at so many
 * bytes from where the register points. log=FILE: a line is added to it when the bit has been flipped.
 */
#include <dlfcn.h>
#include <glib.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_scoreboard;
struct qemu_plugin_register;
typedef struct {
    struct qemu_plugin_scoreboard *score;
    size_t offset;
} qemu_plugin_u64;
typedef struct {
    struct qemu_plugin_register *handle;
    const char *name;
    const char *feature;
} qemu_plugin_reg_descriptor;

enum { RW_REGS = 2, INLINE_ADD = 0, COND_EQ = 2 };

typedef void (*exec_cb)(unsigned vcpu, void *data);
/* `data` is new with API 7; before, nobody looks at it. */
void qemu_plugin_register_vcpu_init_cb(uint64_t id, void (*cb)(void), void *data);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*cb)(void), void *data);
void qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(struct qemu_plugin_insn *insn, int op, qemu_plugin_u64 entry,
                                                         uint64_t imm);
void qemu_plugin_register_vcpu_insn_exec_cond_cb(struct qemu_plugin_insn *insn, exec_cb cb, int flags, int cond,
                                                 qemu_plugin_u64 entry, uint64_t imm, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t size);
void qemu_plugin_u64_set(qemu_plugin_u64 entry, unsigned vcpu, uint64_t value);
GArray *qemu_plugin_get_registers(void);
bool qemu_plugin_read_register(struct qemu_plugin_register *handle, GByteArray *value);
bool qemu_plugin_write_register(struct qemu_plugin_register *handle, GByteArray *value);
bool qemu_plugin_read_memory_vaddr(uint64_t address, GByteArray *data, size_t length);
bool qemu_plugin_write_memory_vaddr(uint64_t address, GByteArray *data);

__attribute__((visibility("default"))) int qemu_plugin_version = 7;

/* Before QEMU looks at the version. API 6 is none that QEMU was released with. */
__attribute__((constructor)) static void settle_version(void)
{
    qemu_plugin_version = dlsym(RTLD_DEFAULT, "qemu_plugin_set_pc") ? 7 : 5;
}
__attribute__((visibility("default"))) int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv);

static uint64_t at;
static bool nth;
static uint64_t pc;
static uint64_t address;
static unsigned bit;
static bool memory;
static char reg[32];
static char *log_path;
static struct qemu_plugin_register *handle;
static qemu_plugin_u64 count;

/* Counting goes on where tcgrr has QEMU start: the icount is in the name of the snapshot that it loads. */
static void begin_count(unsigned vcpu)
{
    static const char option[] = "rrsnapshot=tcgrr-";
    char text[65536];
    FILE *file = fopen("/proc/self/cmdline", "re");
    size_t size = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
    const char *found = memmem(text, size, option, sizeof(option) - 1);

    text[size] = '\0';
    if (file) {
        fclose(file);
    }
    if (found) {
        qemu_plugin_u64_set(count, vcpu, strtoull(found + sizeof(option) - 1, NULL, 10));
    }
}

static void note(void)
{
    FILE *file = log_path ? fopen(log_path, "ae") : NULL;

    if (file) {
        fprintf(file, "flipped at %" PRIu64 "\n", at);
        fclose(file);
    }
}

/* Reads the byte that has the bit, with all that is written together with it. */
static bool read_value(GByteArray *value, unsigned *byte)
{
    *byte = memory ? 0 : bit / 8;
    if (reg[0] && !qemu_plugin_read_register(handle, value)) {
        return false;
    }
    if (memory && reg[0]) {
        uint64_t base = 0;
        memcpy(&base, value->data, MIN(value->len, sizeof(base)));
        address += base;
    }
    return !memory || qemu_plugin_read_memory_vaddr(address + bit / 8, value, 1);
}

static void flip(unsigned vcpu, void *data)
{
    g_autoptr(GByteArray) value = g_byte_array_new();
    unsigned byte;
    bool good = read_value(value, &byte);

    if (good && byte < value->len) {
        value->data[byte] ^= (guint8)(1u << bit % 8);
        good = memory ? qemu_plugin_write_memory_vaddr(address + bit / 8, value)
                      : qemu_plugin_write_register(handle, value);
    }
    if (!good) {
        fprintf(stderr, "inject: the bit could not be flipped\n");
        abort();
    }
    note();
}

static void translate(struct qemu_plugin_tb *tb)
{
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        bool here = qemu_plugin_insn_vaddr(insn) == pc;
        if (here) {
            qemu_plugin_register_vcpu_insn_exec_cond_cb(insn, flip, RW_REGS, COND_EQ, count, at - nth, NULL);
        }
        if (here || !nth) {
            qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(insn, INLINE_ADD, count, 1);
        }
    }
}

/* API 7 has its data last, where earlier ones have the plugin's id first. */
static void translate_5(uint64_t id, struct qemu_plugin_tb *tb)
{
    translate(tb);
}
static void translate_7(struct qemu_plugin_tb *tb, void *data)
{
    translate(tb);
}

static void find_register(unsigned vcpu)
{
    g_autoptr(GArray) list = qemu_plugin_get_registers();
    begin_count(vcpu);
    for (guint i = 0; i < list->len; i++) {
        /* Later versions append fields. */
        const void *place = list->data + (size_t)i * g_array_get_element_size(list);
        const qemu_plugin_reg_descriptor *one = place;
        if (strcmp(one->name, reg) == 0) {
            handle = one->handle;
        }
    }
    if (reg[0] && !handle) {
        fprintf(stderr, "inject: there is no register %s\n", reg);
        abort();
    }
}

static void init_5(uint64_t id, unsigned vcpu)
{
    find_register(vcpu);
}
static void init_7(unsigned vcpu, void *data)
{
    find_register(vcpu);
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        const char *equals = strchr(argv[i], '=');
        const char *value = equals ? equals + 1 : "";
        if (g_str_has_prefix(argv[i], "at=") || g_str_has_prefix(argv[i], "nth=")) {
            at = strtoull(value, NULL, 0);
            nth = argv[i][0] == 'n';
        } else if (g_str_has_prefix(argv[i], "pc=")) {
            pc = strtoull(value, NULL, 0);
        } else if (g_str_has_prefix(argv[i], "mem=")) {
            address = strtoull(value, NULL, 0);
            memory = true;
        } else if (g_str_has_prefix(argv[i], "log=")) {
            log_path = g_strdup(value);
        } else if (g_str_has_prefix(argv[i], "reg=")) {
            g_strlcpy(reg, value, sizeof(reg));
        } else if (g_str_has_prefix(argv[i], "bit=")) {
            bit = (unsigned)strtoul(value, NULL, 0);
        } else {
            fprintf(stderr, "inject: what is %s?\n", argv[i]);
            return -1;
        }
    }
    count.score = qemu_plugin_scoreboard_new(sizeof(uint64_t));
    bool old = qemu_plugin_version < 7;
    qemu_plugin_register_vcpu_init_cb(id, old ? (void (*)(void))init_5 : (void (*)(void))init_7, NULL);
    qemu_plugin_register_vcpu_tb_trans_cb(id, old ? (void (*)(void))translate_5 : (void (*)(void))translate_7, NULL);
    return 0;
}
