/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trace file: one SQLite database. States of its life:
 *   recording  run.complete = 0, beside it NAME-wal and NAME-shm; every commit so far is readable
 *   cut short  run.complete = 0, nobody writes any more; readable as far as it got
 *   complete   run.complete = 1, one file alone, closed by a seal: the digest of all bytes before it
 */
#ifndef TCGRR_STORE_TRACE_H
#define TCGRR_STORE_TRACE_H

#include "store/chunk.h"

/* What the `run` table holds. Strings are owned by whoever fills the struct; for a reader, by the reader. */
struct tcgrr_run {
    const char *tool_version;
    const char *started; /* ISO 8601, UTC */
    const char *ended;   /* NULL while recording */
    double duration_s;
    const char *host;
    const char *directory;        /* working directory of QEMU */
    const char *command;          /* JSON array: what was started */
    const char *original_command; /* JSON array: what the user wrote */
    const char *qemu_path;
    const char *qemu_version;
    const char *qemu_banner;
    const char *qemu_build_id;
    const char *target;
    const char *mode; /* "system" or "user" */
    int api_version;
    bool rr;
    const char *icount_shift; /* "" in user mode */
    uint32_t vcpus;
    bool reports_discontinuities;
    const char *level;   /* tcgrr_level_name() */
    const char *exit;    /* how QEMU ended; NULL while recording */
    bool guest_shutdown; /* it was the guest that shut the machine down */
    bool complete;       /* QEMU exited normally and everything up to there is here */
    int interrupted; /* the number of the signal by which the user ended the recording; 0: the run ended by itself */
    tcgrr_icount icount;
    int64_t qemu_icount; /* QEMU's own count at the end; -1: known neither from QEMU nor from its rr file */
    tcgrr_icount tail;   /* instructions after the guest's request to shut down: in none of what is here */
    tcgrr_icount logged; /* everything up to here is certainly in QEMU's rr log, even if QEMU was killed */
    uint64_t execs;
    uint64_t assumed;     /* executions whose count is not certain by one instruction */
    int64_t decided;      /* and those that QEMU's rr file decided; -1: it was not asked */
    uint32_t sample_step; /* branches and jumps between two samples of the state; 0: it has none */
    bool has_sample_from;
    uint64_t sample_from; /* address at whose first execution their count restarted at 0 */
    /* Level full: the instructions whose memory accesses are here, from the first up to, and without, the second; -1
     * where the window did not begin, or did not end. */
    int64_t mem_from;
    int64_t mem_until;
    const char *output; /* user mode: the kind of file that the program wrote to (emu/qemu/output.h); else NULL */
    const char *auxv;   /* user mode: the auxiliary vector that it started with (store/auxv.h); NULL: not known */
};

/*
 * Whether the run counts as complete in what is reported: everything is here, and the run ended by itself rather than
 * by the user's request.
 */
static inline bool tcgrr_run_ended(const struct tcgrr_run *run)
{
    return run->complete && run->interrupted == 0;
}

/* run->level; FLOW if it says nothing that is known. */
enum tcgrr_level tcgrr_run_level(const struct tcgrr_run *run);

/* ---- writing ---- */

struct tcgrr_symbol; /* store/symbols.h */
struct tcgrr_writer;

/* Bytes written by kind, for reports. */
struct tcgrr_writer_sizes {
    uint64_t execs;   /* chunk.data */
    uint64_t sides;   /* chunk.partials, chunk.switches and chunk.blocks */
    uint64_t samples; /* sample.data */
    uint64_t mem;     /* mem_chunk.data and mem_chunk.pages */
    uint64_t chunks;
};

/*
 * Creates the trace at `path` and stores `run` in it. An existing file is replaced only with `force`. One thread at a
 * time uses a writer. Errors name the path and the reason.
 */
struct tcgrr_writer *tcgrr_writer_create(const char *path, bool force, const struct tcgrr_run *run, GError **error);

/* Stores a chunk with its events, checkpoints and the blocks it is the first to use. Not durable before the next
 * commit. */
bool tcgrr_writer_chunk(struct tcgrr_writer *writer, const struct tcgrr_chunk *chunk, const struct tcgrr_blocks *blocks,
                        GError **error);
bool tcgrr_writer_commit(struct tcgrr_writer *writer, GError **error);
bool tcgrr_writer_note(struct tcgrr_writer *writer, const char *text, GError **error);
bool tcgrr_writer_guest_file(struct tcgrr_writer *writer, const char *path, uint64_t size, const char *xxh128,
                             GError **error);
bool tcgrr_writer_symbol(struct tcgrr_writer *writer, const struct tcgrr_symbol *symbol, GError **error);
/* Takes all of them out again. */
bool tcgrr_writer_forget_symbols(struct tcgrr_writer *writer, GError **error);
/* Stores a part of the machine's physical memory map: addresses `first` to `last`, both included, are `kind` ("ram",
 * "i/o" and so on, as QEMU says) and belong to `name`. */
bool tcgrr_writer_region(struct tcgrr_writer *writer, uint64_t first, uint64_t last, const char *kind, const char *name,
                         GError **error);
/* Stores the file at `path` as QEMU's rr file. */
bool tcgrr_writer_rr_file(struct tcgrr_writer *writer, const char *path, GError **error);
void tcgrr_writer_sizes(const struct tcgrr_writer *writer, struct tcgrr_writer_sizes *sizes);

/*
 * Functions that change what was stored, in one transaction with everything up to the next commit. Readers that opened
 * the trace before see it unchanged until then.
 */
/* Number of the chunk that holds execution `seq`; -1 with error if there is none. */
int64_t tcgrr_writer_chunk_of(struct tcgrr_writer *writer, tcgrr_seq seq, GError **error);
/* Stores `chunk`, of the same blocks, in place of chunk `id`, and its checkpoints. Its events stay as they are. */
bool tcgrr_writer_replace(struct tcgrr_writer *writer, int64_t id, const struct tcgrr_chunk *chunk,
                          const struct tcgrr_blocks *blocks, GError **error);
/*
 * Stores `chunk`, which is chunk `id` cut short and has at least one execution, in its place, with its samples,
 * accesses and checkpoints, and removes all chunks and events after it.
 */
bool tcgrr_writer_cut(struct tcgrr_writer *writer, int64_t id, const struct tcgrr_chunk *chunk,
                      const struct tcgrr_blocks *blocks, GError **error);
/* Removes the checkpoints after `icount`. */
bool tcgrr_writer_drop_checkpoints(struct tcgrr_writer *writer, tcgrr_icount icount, GError **error);
enum tcgrr_event_change { TCGRR_EVENT_KEEP, TCGRR_EVENT_CHANGE, TCGRR_EVENT_REMOVE };
/*
 * Calls `change` for each inferred event, and for each event of any kind with seq >= `first`, in order. If it returns
 * TCGRR_EVENT_CHANGE, the event's icount, kind, `confirmed` and from_pc are stored again. Of its other fields only
 * `seq` and `inferred` are filled.
 */
bool tcgrr_writer_change_events(struct tcgrr_writer *writer, tcgrr_seq first,
                                enum tcgrr_event_change (*change)(struct tcgrr_event *event, void *data), void *data,
                                GError **error);
/* Stores struct tcgrr_event, in order of `seq`, each before the stored ones with the same `seq`. */
bool tcgrr_writer_insert_events(struct tcgrr_writer *writer, const GArray *events, GError **error);

/* Updates run.logged alone. */
bool tcgrr_writer_logged(struct tcgrr_writer *writer, tcgrr_icount icount, GError **error);
/* Updates the `run` row. */
bool tcgrr_writer_run(struct tcgrr_writer *writer, const struct tcgrr_run *run, GError **error);

/* Commits, folds everything into the one file, seals it and closes. On failure what was committed stays readable. */
bool tcgrr_writer_finish(struct tcgrr_writer *writer, GError **error);
/* Closes without sealing; what was not committed is lost. NULL is allowed. Call it after finish, too. */
void tcgrr_writer_free(struct tcgrr_writer *writer);

/* ---- reading ---- */

struct tcgrr_reader;

/*
 * Opens a trace read-only, also one that is being recorded or was cut short. One thread. Refuses what is not a trace,
 * or one of another version, with TCGRR_ERROR_DAMAGED or _FAILED.
 */
struct tcgrr_reader *tcgrr_reader_open(const char *path, GError **error);
void tcgrr_reader_free(struct tcgrr_reader *reader);

const struct tcgrr_run *tcgrr_reader_run(const struct tcgrr_reader *reader);
const char *tcgrr_reader_path(const struct tcgrr_reader *reader);
/* All blocks of the trace, loaded at the first call; owned by the reader. NULL with error if they are damaged. */
const struct tcgrr_blocks *tcgrr_reader_blocks(struct tcgrr_reader *reader, GError **error);

/* Totals over all chunks. */
struct tcgrr_totals {
    uint64_t execs;
    tcgrr_icount icount;
    uint64_t blocks;
    uint64_t chunks;
    uint64_t bytes; /* of the file, and of its -wal while there is one */
    uint64_t accesses;
    uint64_t events[TCGRR_EVENT_KIND_COUNT];
    uint64_t flow; /* digest at the end */
};
bool tcgrr_reader_totals(struct tcgrr_reader *reader, struct tcgrr_totals *totals, GError **error);

/*
 * Decodes the chunk in which instruction `icount` runs (first_icount <= icount < its end); with icount = UINT64_MAX the
 * last one. `chunk` must have room for TCGRR_CHUNK_EXECS. Its executions, partials and switches are filled, not its
 * events and checkpoints. *found says whether there is such a chunk. False: an error, TCGRR_ERROR_DAMAGED if the chunk
 * does not check out.
 */
bool tcgrr_reader_seek(struct tcgrr_reader *reader, tcgrr_icount icount, struct tcgrr_chunk *chunk, bool *found,
                       GError **error);
/* The same for chunk number `id`, 0 being the first. */
bool tcgrr_reader_chunk(struct tcgrr_reader *reader, int64_t id, struct tcgrr_chunk *chunk, bool *found,
                        GError **error);
/* Number of the last chunk that begins before instruction `icount`; -1 if there is none. False: an error. */
bool tcgrr_reader_chunk_before(struct tcgrr_reader *reader, tcgrr_icount icount, int64_t *id, GError **error);
/* Number of the last chunk that begins with or before execution `seq`; -1 if there is none. False: an error. */
bool tcgrr_reader_chunk_of_seq(struct tcgrr_reader *reader, tcgrr_seq seq, int64_t *id, GError **error);

/*
 * Replaces `uses` (struct tcgrr_block_use of store/summary.h) by the blocks that chunk `id` executes, ascending, and
 * how often, without decoding the chunk. *found says whether there is such a chunk.
 */
bool tcgrr_reader_summary(struct tcgrr_reader *reader, int64_t id, GArray *uses, bool *found, GError **error);

/* The registers that the trace has samples of; owned by the reader. NULL with error; none at all below level state. */
struct tcgrr_register_table *tcgrr_reader_registers(struct tcgrr_reader *reader, GError **error);

/*
 * Decodes the samples of one chunk into `samples`, which is emptied first: of the first chunk that has any at `icount`
 * or later; of the first one after chunk `after`; of chunk `wanted` alone; or of the
 * last chunk that has any at `icount` or earlier. *id is which chunk it was, -1 if there
 * is none.
 */
bool tcgrr_reader_samples_from(struct tcgrr_reader *reader, tcgrr_icount icount, struct tcgrr_samples *samples,
                               int64_t *id, GError **error);
bool tcgrr_reader_samples_after(struct tcgrr_reader *reader, int64_t after, struct tcgrr_samples *samples, int64_t *id,
                                GError **error);
bool tcgrr_reader_samples_of(struct tcgrr_reader *reader, int64_t wanted, struct tcgrr_samples *samples, int64_t *id,
                             GError **error);
bool tcgrr_reader_samples_before(struct tcgrr_reader *reader, tcgrr_icount icount, struct tcgrr_samples *samples,
                                 int64_t *id, GError **error);

/*
 * Decodes the memory accesses of chunk number `id` into chunk->accesses, for which `chunk` must hold its executions and
 * partials. Accesses of instructions that did not retire are left out. There are none below level full, nor outside of
 * the window (run.mem_from, run.mem_until).
 */
bool tcgrr_reader_accesses(struct tcgrr_reader *reader, int64_t id, struct tcgrr_chunk *chunk, GError **error);
/*
 * The name of an access's device, where QEMU does not give it the one that the memory map has at the physical address.
 * NULL for memory, "" where it is not known; owned by the reader. *error is set if names cannot be read.
 */
const char *tcgrr_reader_device(struct tcgrr_reader *reader, const struct tcgrr_access *access, GError **error);
/*
 * The start of the part of the memory map that contains `physical`; 0 if the map does not have it. False with an error
 * if it cannot be read.
 */
bool tcgrr_reader_region(struct tcgrr_reader *reader, uint64_t physical, uint64_t *first, GError **error);

/* Calls `visit` for each event with first <= icount <= last, in order. */
bool tcgrr_reader_events(struct tcgrr_reader *reader, tcgrr_icount first, tcgrr_icount last,
                         void (*visit)(const struct tcgrr_event *event, void *data), void *data, GError **error);

/* The stored checkpoint at `icount`; *found is false where there is none. */
bool tcgrr_reader_checkpoint(struct tcgrr_reader *reader, tcgrr_icount icount, struct tcgrr_checkpoint *checkpoint,
                             bool *found, GError **error);

/* Calls `visit` for each note or guest file, in order. */
bool tcgrr_reader_notes(struct tcgrr_reader *reader, void (*visit)(const char *text, void *data), void *data,
                        GError **error);
bool tcgrr_reader_guest_files(struct tcgrr_reader *reader,
                              void (*visit)(const char *path, uint64_t size, const char *xxh128, void *data),
                              void *data, GError **error);

/* Writes QEMU's rr file to `path`. FAILED if the trace has none. */
bool tcgrr_reader_extract_rr(struct tcgrr_reader *reader, const char *path, GError **error);

/* Calls `visit` for each symbol (store/symbols.h). */
bool tcgrr_reader_symbols(struct tcgrr_reader *reader, void (*visit)(const struct tcgrr_symbol *symbol, void *data),
                          void *data, GError **error);

/*
 * Checks everything: the seal, SQLite's own structure, each chunk decoded, its digest, counts, events' and checkpoints'
 * places, block hashes, the rr file. `problem` is called with one line for each thing that is wrong, at most 20 times.
 * False with an error only if checking itself failed.
 */
bool tcgrr_reader_verify(struct tcgrr_reader *reader, void (*problem)(const char *text, void *data), void *data,
                         uint64_t *problems, GError **error);

#endif
