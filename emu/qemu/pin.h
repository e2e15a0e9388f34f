/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pinning a machine: turns the user's command into one that gives the guest the same machine in every release of QEMU
 * that has it. What depends on the release (the machine that an alias stands for, the default CPU, the device tree,
 * firmware and ROMs, the clock's base) is queried from this QEMU and then passed explicitly. All files are in one
 * folder, under unique names, so that they can be embedded.
 */
#ifndef TCGRR_EMU_PIN_H
#define TCGRR_EMU_PIN_H

#include "emu/qemu/qemu.h"
#include "store/inputs.h"

/* The name of the device tree that QEMU generates. */
#define TCGRR_PIN_DTB "machine.dtb"

/* A file that the pinned command names. */
struct tcgrr_pin_file {
    char *name;    /* in the folder */
    char *role;    /* struct tcgrr_embedded lists them */
    char *path;    /* as the user or QEMU named it; "" if it was generated */
    char *content; /* absolute path of the file to embed */
};

/* All is owned by the struct; empty with tcgrr_pins_clear(). */
struct tcgrr_pins {
    char **words;     /* arguments, NULL-terminated, with TCGRR_INPUTS_FOLDER/NAME for each file */
    char *machine;    /* full name: "virt-7.2" */
    char *cpu;        /* value of -cpu */
    char *clock;      /* value of -rtc */
    guint given_end;  /* words before this index are the user's or precede the user's; those from it on are defaults */
    char *folder;     /* private; has each file, or a link to it, under its name */
    GPtrArray *files; /* struct tcgrr_pin_file */
    GPtrArray *notes; /* char*: what was pinned, one line each */
    GPtrArray *warnings; /* char*: what cannot be pinned, one line each */
};

/* Whether -dtb replaces the device tree that QEMU generates, on some machine for `target`. */
bool tcgrr_pin_takes_dtb(const char *target);
/* Whether the user's words give the machine a device tree. */
bool tcgrr_pin_has_dtb(const char *const *arguments);

/*
 * Pins the machine that `arguments` (the user's words after QEMU, NULL-terminated) make on `qemu`, a system emulator,
 * which is started and queried for that. Relative names are relative to `directory`; NULL: ours. TCGRR_ERROR_FAILED if
 * QEMU cannot make the machine. On failure `pins` is empty. No file of the user's is written.
 */
bool tcgrr_pin(const struct tcgrr_qemu *qemu, const char *const *arguments, const char *directory,
               struct tcgrr_pins *pins, GError **error);
void tcgrr_pins_clear(struct tcgrr_pins *pins);

/* Adds a file that was created for this run and is in pins->folder already. */
void tcgrr_pins_add_made(struct tcgrr_pins *pins, const char *name, const char *role);

/*
 * Changes `pins` to the machine that another QEMU makes from the same arguments: its full name, CPU and clock, which
 * are untrusted, replace ours. The caller puts the other's files into pins->folder, under their names.
 * TCGRR_ERROR_DAMAGED for a malformed name, TCGRR_ERROR_FAILED if the arguments differ: another machine, or a CPU that
 * only one of them names.
 */
bool tcgrr_pins_adopt(struct tcgrr_pins *pins, const char *machine, const char *cpu, const char *clock, GError **error);

/* Restores the clock that `arguments`, which were pinned, specify: the log of a run with that clock has its readings.
 * */
void tcgrr_pins_unpin_clock(struct tcgrr_pins *pins, const char *const *arguments);

/* The user's name for the file at `path` in pins->folder; NULL if it is not there. */
const char *tcgrr_pins_user_path(const struct tcgrr_pins *pins, const char *path);

/* `words` (NULL-terminated) with `folder` in place of TCGRR_INPUTS_FOLDER; owned by the caller (g_strfreev). */
char **tcgrr_pins_resolve(const char *const *words, const char *folder);

/* `qemu` and its `words` (NULL-terminated) as struct tcgrr_pinned has them, to be freed with free(). */
char *tcgrr_pins_command(const char *qemu, char **words);

/*
 * Checks that `qemu` has the machine and the CPU that were pinned. If not, TCGRR_ERROR_FAILED with one line that says
 * which ones to record with.
 */
bool tcgrr_pin_check(const struct tcgrr_qemu *qemu, const char *machine, const char *cpu, GError **error);

#endif
