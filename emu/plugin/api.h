/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of QEMU's plugin interface that the plugin uses, declared here for all versions (1 to 7), because one binary
 * has to load into any QEMU and distributions do not ship the header. Nothing is linked: tcgrr_api_load() looks up each
 * function in the running QEMU and derives the version from those that exist.
 */
#ifndef TCGRR_EMU_PLUGIN_API_H
#define TCGRR_EMU_PLUGIN_API_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_scoreboard;

struct qemu_plugin_info {
    const char *target_name;
    struct {
        int min;
        int cur;
    } version;
    bool system_emulation;
    struct {
        int smp_vcpus;
        int max_vcpus;
    } system;
};

struct qemu_plugin_hwaddr;

typedef struct {
    struct qemu_plugin_scoreboard *score;
    size_t offset;
} qemu_plugin_u64;

struct qemu_plugin_register;
typedef struct {
    struct qemu_plugin_register *handle;
    const char *name;
    const char *feature;
} qemu_plugin_reg_descriptor;

enum { QEMU_PLUGIN_CB_NO_REGS = 0, QEMU_PLUGIN_CB_R_REGS = 1, QEMU_PLUGIN_CB_RW_REGS = 2 };
enum { QEMU_PLUGIN_INLINE_ADD_U64 = 0, QEMU_PLUGIN_INLINE_STORE_U64 = 1 };
enum { QEMU_PLUGIN_MEM_R = 1, QEMU_PLUGIN_MEM_W = 2, QEMU_PLUGIN_MEM_RW = 3 };

/* The value of a memory access, API 4. */
enum {
    QEMU_PLUGIN_MEM_VALUE_U8,
    QEMU_PLUGIN_MEM_VALUE_U16,
    QEMU_PLUGIN_MEM_VALUE_U32,
    QEMU_PLUGIN_MEM_VALUE_U64,
    QEMU_PLUGIN_MEM_VALUE_U128
};
typedef struct {
    int type;
    union {
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
        struct {
            uint64_t low;
            uint64_t high;
        } u128;
    } data;
} qemu_plugin_mem_value;

/* Discontinuity types, API 6. */
enum { QEMU_PLUGIN_DISCON_INTERRUPT = 1, QEMU_PLUGIN_DISCON_EXCEPTION = 2, QEMU_PLUGIN_DISCON_HOSTCALL = 4 };
enum { QEMU_PLUGIN_DISCON_ALL = 7 };

/* Callbacks that no version changed. */
typedef void (*tcgrr_exec_cb)(unsigned vcpu, void *userdata);
typedef void (*tcgrr_mem_cb)(unsigned vcpu, uint32_t info, uint64_t vaddr, void *userdata);

/*
 * Callbacks in the form of API 7 (no plugin id, userdata last) or of APIs 1 to 6 (plugin id first). A registration
 * takes a generic pointer to the form that the running version wants.
 */
typedef void (*tcgrr_any_cb)(void);

struct tcgrr_api {
    int version;     /* that we speak with this QEMU */
    bool old_inline; /* API 1: inline operations go to a plain address, not to a scoreboard */
    bool has_store;  /* inline stores */
    bool copy_data;  /* insn_data copies into a buffer (API 3) */
    bool vsyscalls;  /* x86 in user mode: QEMU emulates the code of one page (vsyscall), at which nothing is mapped */

    size_t (*tb_n_insns)(const struct qemu_plugin_tb *);
    uint64_t (*tb_vaddr)(const struct qemu_plugin_tb *);
    struct qemu_plugin_insn *(*tb_get_insn)(const struct qemu_plugin_tb *, size_t);
    const void *(*insn_data_pointer)(const struct qemu_plugin_insn *);
    size_t (*insn_data_copy)(const struct qemu_plugin_insn *, void *, size_t);
    uint64_t (*insn_vaddr)(const struct qemu_plugin_insn *);
    size_t (*insn_size)(const struct qemu_plugin_insn *);
    char *(*insn_disas)(const struct qemu_plugin_insn *); /* for g_free() */

    void (*register_tb_exec)(struct qemu_plugin_tb *, tcgrr_exec_cb, int flags, void *);
    void (*register_insn_exec)(struct qemu_plugin_insn *, tcgrr_exec_cb, int flags, void *);
    void (*register_mem)(struct qemu_plugin_insn *, tcgrr_mem_cb, int flags, int rw, void *);
    bool (*mem_is_store)(uint32_t info);
    qemu_plugin_mem_value (*mem_value)(uint32_t info); /* NULL before API 4 */
    unsigned (*mem_size_shift)(uint32_t info);
    bool (*mem_is_big_endian)(uint32_t info);
    /* Call it only in an access's callback; its result is valid until the next call. NULL in user mode. */
    struct qemu_plugin_hwaddr *(*get_hwaddr)(uint32_t info, uint64_t vaddr);
    bool (*hwaddr_is_io)(const struct qemu_plugin_hwaddr *);
    uint64_t (*hwaddr_phys_addr)(const struct qemu_plugin_hwaddr *);
    const char *(*hwaddr_device_name)(const struct qemu_plugin_hwaddr *); /* the same pointer for the same name */
    void (*register_insn_inline_1)(struct qemu_plugin_insn *, int op, void *, uint64_t);
    void (*register_insn_inline)(struct qemu_plugin_insn *, int op, qemu_plugin_u64, uint64_t);
    void (*register_mem_inline)(struct qemu_plugin_insn *, int rw, int op, qemu_plugin_u64, uint64_t);
    struct qemu_plugin_scoreboard *(*scoreboard_new)(size_t);
    void *(*scoreboard_find)(struct qemu_plugin_scoreboard *, unsigned);

    GArray *(*get_registers)(void); /* of qemu_plugin_reg_descriptor */
    /* API 6 made the result a bool; before, it was the number of bytes. Either way, 0 or less means failure. */
    int (*read_register)(struct qemu_plugin_register *, GByteArray *);
    int (*write_register)(struct qemu_plugin_register *, GByteArray *); /* NULL before API 5; the result likewise */
    /* The instruction's address in the host's memory. */
    void *(*insn_haddr)(const struct qemu_plugin_insn *);
    uint64_t (*start_code)(void); /* user mode: the program's lowest code; NULL before QEMU 7.1 */

    /* Removes all callbacks between two slices of guest time, then calls back. */
    void (*reset)(qemu_plugin_id_t, tcgrr_any_cb);
    void (*reset_7)(qemu_plugin_id_t, tcgrr_any_cb, void *);

    void (*register_discon_6)(qemu_plugin_id_t, int types, tcgrr_any_cb);
    void (*register_discon_7)(qemu_plugin_id_t, int types, tcgrr_any_cb, void *);
};

/*
 * Looks up QEMU's functions with dlsym and chooses a version. Runs in the plugin's constructor, before QEMU reads
 * qemu_plugin_version. The plugin's argument api= overrides the version, because versions 6 and 7 export the same
 * functions.
 */
void tcgrr_api_load(struct tcgrr_api *api);

/* Registers `cb`, in the form of api->version, with the registration function called `name`. Returns whether QEMU has
 * it. */
bool tcgrr_api_register(const struct tcgrr_api *api, qemu_plugin_id_t id, const char *name, tcgrr_any_cb cb);
/* Has QEMU call `call` for each block that it translates, in whichever form the API needs. Call it once in a process.
 * Returns whether that worked. */
bool tcgrr_api_at_translation(const struct tcgrr_api *api, qemu_plugin_id_t id,
                              void (*call)(struct qemu_plugin_tb *tb));

/* Whether interrupts, exceptions and host calls are reported, which they are in system mode only. */
bool tcgrr_api_has_discon(const struct tcgrr_api *api);

/* Copies an instruction's bytes, at most `size`; returns how many. */
size_t tcgrr_api_insn_bytes(const struct tcgrr_api *api, const struct qemu_plugin_insn *insn, uint8_t *bytes,
                            size_t size);

#endif
