/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client of QEMU's gdb stub over a unix socket: all registers by name, memory, single steps, on any version of QEMU.
 * Not thread-safe; every wait is bounded. The stub is untrusted: anything malformed is TCGRR_ERROR_DAMAGED. QEMU must
 * be stopped when any function but tcgrr_gdb_wait() is called.
 */
#ifndef TCGRR_EMU_GDB_H
#define TCGRR_EMU_GDB_H

#include "emu/qemu/gdb_features.h"

struct tcgrr_gdb;

/*
 * Connects to the stub at `path`, which stops QEMU, and reads the description of its registers (of a target whose stub
 * has none: emu/qemu/gdb_layout.h). `target` is QEMU's target name. Waits at most `timeout_ms` for the connection.
 */
struct tcgrr_gdb *tcgrr_gdb_connect(const char *path, const char *target, int timeout_ms, GError **error);
/* NULL is allowed. */
void tcgrr_gdb_free(struct tcgrr_gdb *gdb);

/* Owned by `gdb`; take a reference to keep it longer. */
struct tcgrr_register_layout *tcgrr_gdb_registers(const struct tcgrr_gdb *gdb);

/*
 * Reads registers into `state`, of tcgrr_gdb_registers()->state_bytes: the core ones, and of the others those for which
 * `wanted`, by index, is true; NULL: all. The rest, and what the stub cannot read, is not known.
 */
bool tcgrr_gdb_read_state(struct tcgrr_gdb *gdb, const bool *wanted, uint8_t *state, GError **error);

/* Reads registers for which `wanted`, by index, is true and which are not known yet; NULL: all such. */
bool tcgrr_gdb_read_more(struct tcgrr_gdb *gdb, const bool *wanted, uint8_t *state, GError **error);

/*
 * Reads guest memory, at most 4096 bytes a call; by physical addresses if `physical`, else as the vCPU translates them
 * at this moment. *found: it is mapped. Do not use it on device registers: it would read them like RAM, with side
 * effects.
 */
bool tcgrr_gdb_read_memory(struct tcgrr_gdb *gdb, bool physical, uint64_t address, size_t size, uint8_t *bytes,
                           bool *found, GError **error);

/* Sets a breakpoint, which stays, before the instruction at `address` in the vCPU's view. */
bool tcgrr_gdb_break(struct tcgrr_gdb *gdb, uint64_t address, GError **error);

/* Lets interrupts and timers occur during steps, as they do when the guest runs; by default QEMU suppresses them. */
bool tcgrr_gdb_step_with_interrupts(struct tcgrr_gdb *gdb, GError **error);

/*
 * Lets QEMU run, or execute one instruction (or deliver one interrupt). QEMU is running until tcgrr_gdb_wait() reports
 * that it has stopped.
 */
bool tcgrr_gdb_continue(struct tcgrr_gdb *gdb, GError **error);
bool tcgrr_gdb_step(struct tcgrr_gdb *gdb, GError **error);

/* Waits at most `timeout_ms` for QEMU to stop again. *stopped: it has. If QEMU has ended, that is an error. */
bool tcgrr_gdb_wait(struct tcgrr_gdb *gdb, int timeout_ms, bool *stopped, GError **error);

#endif
