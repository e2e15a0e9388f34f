/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of a recording, shared by the files that implement it. */
#ifndef TCGRR_RECORD_RECORD_INTERNAL_H
#define TCGRR_RECORD_RECORD_INTERNAL_H

#include "record/family.h"
#include "record/portable.h"
#include "record/record.h"
#include "record/repair.h"

struct recorder {
    const struct tcgrr_record_options *options;
    struct tcgrr_portable portable; /* its `arguments` are NULL where the machine is not pinned */
    struct tcgrr_session *session;
    struct tcgrr_writer *writer; /* the storing thread's while it runs */
    struct tcgrr_run run;
    GStringChunk *texts;
    char *rr_file;
    char *calls; /* user mode: the file of what system calls gave */
    gint64 began;
    gint64 began_real;  /* in the clock of file timestamps */
    GArray *dates;      /* int64_t: modification times of the guest's files before QEMU was started; NULL until then */
    GAsyncQueue *full;  /* struct tcgrr_chunk *; the recorder itself as the end mark */
    GAsyncQueue *empty; /* struct tcgrr_chunk * */
    struct tcgrr_symbols *symbols; /* those in the trace so far; the storing thread's */
    guint mapped;                  /* number of memory mappings whose symbols are included, as in tcgrr_live_mapped() */
    bool origin_in_code; /* user mode: run.sample_from is relative to the program's lowest code, until that is known */
    bool limited;        /* some symbols are valid only in part of the run */
    GError *store_error; /* set by the storing thread before `store_failed` */
    gint store_failed;   /* atomic */
    _Atomic tcgrr_icount logged;   /* see struct tcgrr_run */
    _Atomic uint64_t stored_bytes; /* for progress only */
    struct tcgrr_until until;
    struct tcgrr_answers answers;
    struct tcgrr_family *family;      /* the processes that are recorded together; NULL: children are not recorded */
    struct tcgrr_family_child *child; /* which of them this is; NULL: the first process */
    const struct tcgrr_qemu *known;   /* the result of probing QEMU, if it has been probed; else NULL */
    guint ask_at;                     /* number of doubts at which the log is consulted before the run's end */
};

/* Fills in recorder->run before the run begins. */
void tcgrr_recorder_describe(struct recorder *recorder);
/* Completes it at the run's end; `last`: the last chunk, or one that follows it. */
void tcgrr_recorder_describe_end(struct recorder *recorder, const struct tcgrr_chunk *last,
                                 const struct tcgrr_record_result *result);

/* guest_files.c: the user's name for a file that QEMU was given. */
const char *tcgrr_recorder_user_path(const struct recorder *recorder, const char *path);
/* Notes the modification times of the guest's files; call it before starting QEMU. */
void tcgrr_recorder_date_files(struct recorder *recorder);
/* Stores their digests, "" for a file that has been written to since: QEMU may already be running. */
bool tcgrr_recorder_digest_files(struct recorder *recorder, GError **error);
/* Likewise stores the digests of the files that a program's code was mapped from, `mapped` (struct tcgrr_mapping), from
 * number recorder->mapped on. */
bool tcgrr_recorder_digest_mapped(struct recorder *recorder, const GArray *mapped, GError **error);
/* At the end: adds notes about the guest's files that were written to; *first: one of them, owned by the caller, NULL:
 * none. */
bool tcgrr_recorder_note_written(struct recorder *recorder, char **first, GError **error);

/* If children are recorded, too: stores a row about this process. */
bool tcgrr_recorder_store_process(struct recorder *recorder, const struct tcgrr_record_result *result, GError **error);
/* Call it when the first process has ended: waits for its children, and stores a row about each. */
bool tcgrr_recorder_store_children(struct recorder *recorder, struct tcgrr_record_result *result, GError **error);

#endif
