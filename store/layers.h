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
 * The span from the first to the last instruction of `asked` that is not in `spans`; empty (`first` >= `end`) if all
 * are there. *some: at least one instruction of `asked` is there.
 */
struct tcgrr_span tcgrr_spans_lack(const GArray *spans, struct tcgrr_span asked, bool *some);

/* One line: the trace does not have `level` of `lack`, and the command that makes it. Owned by the caller. */
char *tcgrr_reader_lack_text(struct tcgrr_reader *reader, enum tcgrr_level level, struct tcgrr_span lack);

/* Whether it has all of the run at that level. */
bool tcgrr_reader_has_all(struct tcgrr_reader *reader, enum tcgrr_level level);

/*
 * Fails with TCGRR_ERROR_LACKS + level, and the command that makes it, if nothing of the run is there at this level;
 * with `whole`, if not all of it is.
 */
bool tcgrr_reader_need_level(struct tcgrr_reader *reader, enum tcgrr_level level, bool whole, GError **error);

#endif
