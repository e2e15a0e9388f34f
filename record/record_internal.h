/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One recording while it runs; for the files of this room that make it. */
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
    gint64 began_real; /* by the clock that files are dated with */
    GArray *dates; /* int64_t: when the guest's files had been written to before QEMU was started; NULL until then */
    GAsyncQueue *full;             /* struct tcgrr_chunk *; the recorder itself as the end mark */
    GAsyncQueue *empty;            /* struct tcgrr_chunk * */
    struct tcgrr_symbols *symbols; /* those in the trace so far; the storing thread's */
    guint mapped;                  /* of how many parts of memory they are, as in tcgrr_live_mapped() */
    bool origin_in_code; /* user mode: run.sample_from counts from the program's lowest code, until that is known */
    bool limited;        /* some are not there all the time */
    GError *store_error; /* set by the storing thread before `store_failed` */
    gint store_failed;   /* atomic */
    _Atomic tcgrr_icount logged;   /* see struct tcgrr_run */
    _Atomic uint64_t stored_bytes; /* for progress only */
    struct tcgrr_until until;
    struct tcgrr_answers answers;
    struct tcgrr_family *family;      /* the processes that are recorded together; NULL: children are not recorded */
    struct tcgrr_family_child *child; /* the one of them that this is; NULL: the first one */
    const struct tcgrr_qemu *known;   /* what QEMU this is, if that is known; else NULL */
    guint ask_at;                     /* uncertain that there have to be for the log to be asked before the end */
};

/* What is known of the run before it begins, in recorder->run. */
void tcgrr_recorder_describe(struct recorder *recorder);
/* And at its end; `last`: the last chunk, or one that follows it. */
void tcgrr_recorder_describe_end(struct recorder *recorder, const struct tcgrr_chunk *last,
                                 const struct tcgrr_record_result *result);

/* guest_files.c: what the user calls a file that QEMU was given. */
const char *tcgrr_recorder_user_path(const struct recorder *recorder, const char *path);
/* Before QEMU is started, keeps the dates of the guest's files. */
void tcgrr_recorder_date_files(struct recorder *recorder);
/* Stores their digests, "" for what had been written to by now: QEMU may run already. */
bool tcgrr_recorder_digest_files(struct recorder *recorder, GError **error);
/* Likewise those of the files that a program's code was mapped from, `mapped` (struct tcgrr_mapping), from number
 * recorder->mapped on. */
bool tcgrr_recorder_digest_mapped(struct recorder *recorder, const GArray *mapped, GError **error);
/* At the end: notes which were written to; *first: one of them, owned by the caller, NULL: none. */
bool tcgrr_recorder_note_written(struct recorder *recorder, char **first, GError **error);

/* Where children are recorded, too: stores who this process was. */
bool tcgrr_recorder_store_process(struct recorder *recorder, const struct tcgrr_record_result *result, GError **error);
/* The first process has ended: waits for those that it forked, and stores who they were. */
bool tcgrr_recorder_store_children(struct recorder *recorder, struct tcgrr_record_result *result, GError **error);

#endif
