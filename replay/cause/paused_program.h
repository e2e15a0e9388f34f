/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * User mode: the functions of replay/cause/paused.h for a program. The program is recorded while it runs, as in any
 * replay, which shows where it is, and tcgrr's plugin pauses it (emu/plugin/pause.h).
 */
#ifndef TCGRR_REPLAY_PAUSED_PROGRAM_H
#define TCGRR_REPLAY_PAUSED_PROGRAM_H

#include "emu/plugin/peek.h"
#include "emu/qemu/gdb_features.h"
#include "replay/files.h"

struct tcgrr_paused_program;

struct tcgrr_paused_program_options {
    const struct tcgrr_replay_files *files;
    const struct tcgrr_qemu *qemu;
    const char *plugin;
    int hang_ms;
    const volatile int *stop; /* may be NULL */
};

/* Whether this QEMU can pause a program and give it the recorded inputs; else TCGRR_ERROR_FAILED. */
bool tcgrr_paused_program_check(const struct tcgrr_qemu *qemu, GError **error);

/* Starts the program, paused before its first instruction. The options must outlive it. */
struct tcgrr_paused_program *tcgrr_paused_program_start(const struct tcgrr_paused_program_options *options,
                                                        GError **error);
/* NULL is allowed. */
void tcgrr_paused_program_free(struct tcgrr_paused_program *program);

tcgrr_icount tcgrr_paused_program_icount(const struct tcgrr_paused_program *program);
bool tcgrr_paused_program_go(struct tcgrr_paused_program *program, tcgrr_icount icount, GError **error);
bool tcgrr_paused_program_step(struct tcgrr_paused_program *program, GError **error);
const struct tcgrr_peek *tcgrr_paused_program_accesses(const struct tcgrr_paused_program *program);
struct tcgrr_register_layout *tcgrr_paused_program_registers(const struct tcgrr_paused_program *program);
/* Reads all registers, except flags that QEMU updates only at the start of a block. */
void tcgrr_paused_program_read_state(const struct tcgrr_paused_program *program, uint8_t *state);
/* *there: the program has memory there. */
void tcgrr_paused_program_read_memory(struct tcgrr_paused_program *program, uint64_t address, size_t size,
                                      uint8_t *bytes, bool *there);

#endif
