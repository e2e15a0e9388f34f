/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a trace takes over from another one as it is. */
#ifndef TCGRR_STORE_MERGE_H
#define TCGRR_STORE_MERGE_H

#include "store/layers.h"

/* Folds the journal that a killed recorder left beside a trace into it, so that the file can be replaced.
 * TCGRR_ERROR_FAILED if the trace is still being recorded. */
bool tcgrr_writer_fold_journal(const char *trace, GError **error);

/*
 * Copies everything about the run that is not derived: notes, guest files, symbols, the memory map, QEMU's rr file,
 * what pins the machine.
 */
bool tcgrr_writer_merge_inputs(struct tcgrr_writer *writer, const char *trace, GError **error);
/* The parts of the memory map that are not there yet. */
bool tcgrr_writer_merge_regions(struct tcgrr_writer *writer, const char *trace, GError **error);

/* Stores that the trace has `level` of a window. */
bool tcgrr_writer_layer(struct tcgrr_writer *writer, enum tcgrr_level level, const struct tcgrr_span *span,
                        GError **error);

#endif
