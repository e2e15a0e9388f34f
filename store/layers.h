/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a trace has of its run: run->level says what it has of all of it, the table `layer` which windows were derived
 * of higher levels (docs/fill.md).
 */
#ifndef TCGRR_STORE_LAYERS_H
#define TCGRR_STORE_LAYERS_H

#include "store/trace.h"

/* Instructions from `first` up to, and without, `end`. */
struct tcgrr_span {
    tcgrr_icount first;
    tcgrr_icount end;
};

/*
 * Which instructions the trace has at `level`: struct tcgrr_span, ascending, apart from one another; owned by the
 * caller. Windows of level full have the flow, but may have no samples of the state. NULL with error if the trace
 * cannot be read.
 */
GArray *tcgrr_reader_spans(struct tcgrr_reader *reader, enum tcgrr_level level, GError **error);

/* Adds a span and merges those that touch. */
void tcgrr_spans_add(GArray *spans, struct tcgrr_span span);

/*
 * Fails with TCGRR_ERROR_LACKS + level, and the command that makes it, if nothing of the run is there at this level;
 * with `whole`, if not all of it is.
 */
bool tcgrr_reader_need_level(struct tcgrr_reader *reader, enum tcgrr_level level, bool whole, GError **error);

#endif
