/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a trace carries so that another QEMU, on another machine too, gives the guest the same: the command with the
 * machine pinned, and the files that it names, by content. A content is stored once, however many inputs have it.
 * Files are streamed, so memory does not grow with them.
 */
#ifndef TCGRR_STORE_INPUTS_H
#define TCGRR_STORE_INPUTS_H

#include "store/trace.h"

/* In the pinned command, this text stands for the folder that holds the inputs under their names. */
#define TCGRR_INPUTS_FOLDER "@tcgrr-inputs@"

/*
 * User mode: the name of the input that has the results of system calls (emu/qemu/calls_file.h); it is not one of the
 * user's files.
 */
#define TCGRR_INPUTS_CALLS "calls"

/* How the machine was pinned. Strings are owned by whoever fills the struct; for a reader, by the reader. */
struct tcgrr_pinned {
    const char *command;       /* JSON array: QEMU and its arguments, with TCGRR_INPUTS_FOLDER/NAME for each input */
    const char *machine;       /* full name: "virt-7.2", no alias; "" if only the start is pinned */
    const char *cpu;           /* the model's name, with its features */
    const char *start_at;      /* where it starts, as the user said; NULL: at reset */
    tcgrr_icount start_icount; /* QEMU's count there; the trace counts from there on */
    bool afterwards;           /* the recording had it as QEMU made it */
};

struct tcgrr_embedded {
    const char *name; /* of the file in the folder of inputs; no slash in it */
    const char *role; /* "kernel", "initrd", "device tree", "firmware", "rom", "flash", "start", … */
    const char *path; /* as the user, or QEMU, named it; "" if it was made for this recording */
    uint64_t size;
    const char *xxh128; /* of the content, 32 hexadecimal digits */
};

/* Stores how the machine was pinned; once. */
bool tcgrr_writer_pinned(struct tcgrr_writer *writer, const struct tcgrr_pinned *pinned, GError **error);

/*
 * Stores the file at `content` as an input. `input` has the name, role and path; the size and digest are computed. The
 * file must not change while it is read: TCGRR_ERROR_FAILED if it does.
 */
bool tcgrr_writer_input(struct tcgrr_writer *writer, const struct tcgrr_embedded *input, const char *content,
                        GError **error);

/* 128-bit XXH3 of the file at `path` as 32 hexadecimal digits, owned by the caller, and its size. NULL with error if it
 * cannot be read. */
char *tcgrr_content_digest(const char *path, uint64_t *size, GError **error);

/* Sets `*pinned` to how the machine was pinned; to NULL if it was not. False with an error if that cannot be read. */
bool tcgrr_reader_pinned(struct tcgrr_reader *reader, const struct tcgrr_pinned **pinned, GError **error);

/*
 * From now on the machine counts as pinned in this way, whatever the trace says; NULL: as the trace says. Copies
 * `pinned`.
 */
void tcgrr_reader_set_pinned(struct tcgrr_reader *reader, const struct tcgrr_pinned *pinned);

/* Calls `visit` for each input, by name; its strings are valid during the call. */
bool tcgrr_reader_inputs(struct tcgrr_reader *reader, void (*visit)(const struct tcgrr_embedded *input, void *data),
                         void *data, GError **error);

/*
 * Writes all inputs into `folder`, which must exist, under their names, and checks each against its digest:
 * TCGRR_ERROR_DAMAGED if they differ. Existing files are replaced. If `folder` is NULL, the inputs are only checked.
 */
bool tcgrr_reader_extract_inputs(struct tcgrr_reader *reader, const char *folder, GError **error);

#endif
