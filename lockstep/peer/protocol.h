/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The messages of two tcgrr processes when each runs one side of a comparison (docs/protocol.md). Each message has a
 * function that writes its payload and one that reads it. The reading functions trust nothing: TCGRR_ERROR_DAMAGED if a
 * payload is too short, too long, or has a value out of range.
 */
#ifndef TCGRR_LOCKSTEP_PROTOCOL_H
#define TCGRR_LOCKSTEP_PROTOCOL_H

#include "lockstep/comparison.h"
#include "lockstep/leader.h"
#include "store/symbols.h"

/* Raise it with every change of the messages. */
#define TCGRR_PROTOCOL_VERSION 2

/* The first bytes of either side, before any message. */
#define TCGRR_HELLO_BYTES 64
#define TCGRR_NONCE_BYTES 32
#define TCGRR_PROOF_BYTES 32

/* How far the serving side may be asked to run ahead, in instructions. */
#define TCGRR_PROTOCOL_AHEAD (64 * TCGRR_CHECKPOINT_STEP)

/* How far it runs ahead of what was requested if the other side's QEMU replays its rr log, because that QEMU needs the
 * log beyond the requested place. */
#define TCGRR_PROTOCOL_LOG_AHEAD (16 * TCGRR_CHECKPOINT_STEP)

/* The longest part of a run that can be requested, in instructions. */
#define TCGRR_MAX_PART (2 * TCGRR_SOURCE_WINDOW)

/* The largest icount in any message. */
#define TCGRR_PROTOCOL_LAST_ICOUNT (UINT64_C(1) << 62)

/* id, name, and the longest payload in bytes */
#define TCGRR_MESSAGES(X)                                                                                              \
    X(PROOF, "proof", TCGRR_PROOF_BYTES)                                                                               \
    X(DESCRIPTION, "description", 4096)                                                                                \
    X(ALIVE, "alive", 16)                                                                                              \
    X(FAILED, "failed", 2048)                                                                                          \
    X(ASK, "ask", 128)                                                                                                 \
    X(MORE, "more", 32)                                                                                                \
    X(POSITIONS, "positions", 65536)                                                                                   \
    X(STRETCH_ASK, "stretch-ask", 32)                                                                                  \
    X(STRETCH, "stretch", 64u << 20)                                                                                   \
    X(FIND_ASK, "find-ask", 64)                                                                                        \
    X(FOUND, "found", 16)                                                                                              \
    X(RESULT, "result", 64u << 20)                                                                                     \
    X(EPILOGUE, "epilogue", 8u << 20)                                                                                  \
    X(LOG, "log", (1u << 20) + 32)                                                                                     \
    X(MACHINE, "machine", 1u << 20)                                                                                    \
    X(ANSWER, "answer", 4096)                                                                                          \
    X(FILE, "file", (1u << 20) + 32)

#define TCGRR_MESSAGE_ENUM(id, name, longest) TCGRR_MESSAGE_##id,
enum tcgrr_message_type { TCGRR_MESSAGES(TCGRR_MESSAGE_ENUM) TCGRR_MESSAGE_TYPES };

/* A received message. */
struct tcgrr_message {
    enum tcgrr_message_type type;
    const uint8_t *payload;
    size_t length;
};

/* "positions". */
const char *tcgrr_message_name(enum tcgrr_message_type type);
/* Its longest payload. */
size_t tcgrr_message_longest(enum tcgrr_message_type type);

/* ---- what the two have to agree on ---- */

struct tcgrr_description {
    char tool[32];     /* version of tcgrr */
    char target[32];   /* "aarch64" */
    char mode[8];      /* "system" or "user" */
    char level[8];     /* "flow" */
    char source[192];  /* a description of the side for people: "QEMU 10.0.2", or a trace's name */
    char qemu[32];     /* its QEMU's version */
    uint64_t step;     /* TCGRR_CHECKPOINT_STEP */
    uint64_t base;     /* TCGRR_DIGEST_BASE */
    uint64_t modulus;  /* TCGRR_DIGEST_MODULUS */
    uint64_t window;   /* TCGRR_SOURCE_WINDOW */
    uint64_t ahead;    /* TCGRR_PROTOCOL_AHEAD */
    char options[512]; /* the user's options that decide what is compared; they have to be the same on both sides */
    struct tcgrr_position from;  /* where this side's comparison starts */
    struct tcgrr_position until; /* and ends */
    bool cut;                    /* it is a recording that was cut short */
    uint32_t patience_s;         /* how long its guest may make no progress before it counts as hung */
    char build[64];              /* its QEMU's build id, "" if that is not known */
    char icount[16];             /* QEMU's icount shift, "" in user mode */
    bool shares;                 /* one rr log may drive its QEMU and the other side's */
};

/* Sets the constants. */
void tcgrr_description_init(struct tcgrr_description *description);
void tcgrr_put_description(GByteArray *to, const struct tcgrr_description *description);
bool tcgrr_take_description(const struct tcgrr_message *message, struct tcgrr_description *description, GError **error);
/* Refuses a side that cannot be compared with ours: TCGRR_ERROR_FAILED with both values. */
bool tcgrr_description_check(const struct tcgrr_description *ours, const struct tcgrr_description *theirs,
                             GError **error);

/* Whether the listening side's rr log drives both QEMUs; the same on both sides. */
bool tcgrr_description_shared(const struct tcgrr_description *ours, const struct tcgrr_description *theirs);

/* ---- the rr log ---- */

/* Maximum number of bytes of the log in one message. */
#define TCGRR_MAX_LOG_PIECE (1u << 20)

void tcgrr_put_log(GByteArray *to, const struct tcgrr_log_news *news);
/* `news->bytes` points into the message. */
bool tcgrr_take_log(const struct tcgrr_message *message, struct tcgrr_log_news *news, GError **error);

/* ---- the machine that both are to have ---- */

#define TCGRR_MAX_MACHINE_FILES 128
#define TCGRR_MAX_MACHINE_FILE  (64u << 20)

struct tcgrr_machine_file {
    char name[128]; /* without a folder: it contains no slash */
    char role[32];
    char xxh128[33]; /* tcgrr_content_digest() */
    uint64_t size;
};

/* The machine that a side's QEMU makes from its arguments. */
struct tcgrr_machine {
    char machine[128]; /* full name, with its version; "": it has none, and nothing is pinned */
    char cpu[256];
    char clock[128];
    GArray *files; /* struct tcgrr_machine_file: device tree, firmware and ROMs */
};
void tcgrr_put_machine(GByteArray *to, const struct tcgrr_machine *machine);
/* Fills machine->files, which must be an empty array. */
bool tcgrr_take_machine(const struct tcgrr_message *message, struct tcgrr_machine *machine, GError **error);

/* The other side's answer. */
struct tcgrr_machine_answer {
    bool has_it;    /* its QEMU has that machine and CPU */
    char why[512];  /* if not */
    GArray *wanted; /* uint32_t: indexes of the files that it lacks, ascending */
};
void tcgrr_put_answer(GByteArray *to, const struct tcgrr_machine_answer *answer);
/* `files`: the number of files. Fills answer->wanted, which must be an empty array. */
bool tcgrr_take_answer(const struct tcgrr_message *message, guint files, struct tcgrr_machine_answer *answer,
                       GError **error);

/* Maximum number of bytes of a file in one message. */
#define TCGRR_MAX_FILE_PIECE (1u << 20)
void tcgrr_put_file(GByteArray *to, const uint8_t *bytes, size_t size);
/* `*bytes` points into the message. */
bool tcgrr_take_file(const struct tcgrr_message *message, const uint8_t **bytes, size_t *size, GError **error);

/* ---- positions ---- */

/*
 * A series of positions: number i, from 0 on, is the result of advance(from + i * from_stride, to + i * to_stride). The
 * first `count` may be sent without a further request.
 */
struct tcgrr_position_plan {
    uint32_t serial; /* distinguishes its positions from those of an earlier plan */
    tcgrr_icount from;
    tcgrr_icount to;
    uint64_t from_stride;
    uint64_t to_stride;
    uint32_t count;
    bool watches; /* find the first execution of `watch` in the instructions that each position adds */
    uint64_t watch;
};

tcgrr_icount tcgrr_position_plan_from(const struct tcgrr_position_plan *plan, uint32_t index);
tcgrr_icount tcgrr_position_plan_to(const struct tcgrr_position_plan *plan, uint32_t index);
/* The start of the instructions that position `index` adds, in which `watch` is searched for. */
tcgrr_icount tcgrr_position_plan_begin(const struct tcgrr_position_plan *plan, uint32_t index);

/* One of a plan's positions. */
struct tcgrr_planned_position {
    struct tcgrr_run_source_position position;
    bool found;         /* `watch` runs in the instructions that it adds */
    tcgrr_icount first; /* the first such place */
};

/* Some positions of plan `serial`, from number `first` on. Only the last one can be before the requested place. */
struct tcgrr_positions {
    uint32_t serial;
    uint32_t first;
    GArray *list; /* struct tcgrr_planned_position */
};
/* Maximum number of positions in one message. */
#define TCGRR_MAX_POSITIONS 256

void tcgrr_put_ask(GByteArray *to, const struct tcgrr_position_plan *plan);
bool tcgrr_take_ask(const struct tcgrr_message *message, struct tcgrr_position_plan *plan, GError **error);

/* `count` counts from the plan's start. */
void tcgrr_put_more(GByteArray *to, uint32_t serial, uint32_t count);
bool tcgrr_take_more(const struct tcgrr_message *message, uint32_t *serial, uint32_t *count, GError **error);

void tcgrr_put_positions(GByteArray *to, const struct tcgrr_position_plan *plan,
                         const struct tcgrr_positions *positions);
/* Empties `positions->list` and fills it; it stays empty if the positions belong to another plan. */
bool tcgrr_take_positions(const struct tcgrr_message *message, const struct tcgrr_position_plan *plan,
                          struct tcgrr_positions *positions, GError **error);

/* ---- stretches ---- */

/* The blocks that we have sent, numbered from 0 in the order in which they were first named. */
struct tcgrr_sent_blocks {
    GHashTable *numbers; /* const struct tcgrr_block * → number + 1 */
};
void tcgrr_sent_blocks_init(struct tcgrr_sent_blocks *sent);
void tcgrr_sent_blocks_clear(struct tcgrr_sent_blocks *sent);

/* Maximum memory for the other end's blocks. */
#define TCGRR_MAX_HEARD (UINT64_C(256) << 20)
/* The blocks that the other end sent. They live until it is cleared. */
struct tcgrr_received_blocks {
    struct tcgrr_blocks *blocks;
    GArray *numbers; /* uint32_t: number in `blocks` of each */
    uint64_t bytes;  /* of memory that they take */
};
void tcgrr_received_blocks_init(struct tcgrr_received_blocks *received);
void tcgrr_received_blocks_clear(struct tcgrr_received_blocks *received);

struct tcgrr_part {
    tcgrr_icount from;
    tcgrr_icount to;
};
void tcgrr_put_part(GByteArray *to, const struct tcgrr_part *part);
bool tcgrr_take_part(const struct tcgrr_message *message, struct tcgrr_part *part, GError **error);

/* Whether the answer for `part` fits into a message. */
bool tcgrr_stretch_fits(const struct tcgrr_stretch *stretch, const struct tcgrr_part *part);
void tcgrr_put_stretch(GByteArray *to, const struct tcgrr_stretch *stretch, struct tcgrr_sent_blocks *sent);
/* Empties `stretch` and fills it with the answer, which has to be one for `part`. */
bool tcgrr_take_stretch(const struct tcgrr_message *message, const struct tcgrr_part *part,
                        struct tcgrr_received_blocks *received, struct tcgrr_stretch *stretch, GError **error);

void tcgrr_put_find(GByteArray *to, uint64_t pc, const struct tcgrr_part *part);
bool tcgrr_take_find(const struct tcgrr_message *message, uint64_t *pc, struct tcgrr_part *part, GError **error);
void tcgrr_put_found(GByteArray *to, bool found, tcgrr_icount icount);
bool tcgrr_take_found(const struct tcgrr_message *message, const struct tcgrr_part *part, bool *found,
                      tcgrr_icount *icount, GError **error);

/* ---- how it ends ---- */

void tcgrr_put_result(GByteArray *to, const struct tcgrr_comparison *comparison, struct tcgrr_sent_blocks *sent);
/* Fills `comparison`, whose lists point into `received`. */
bool tcgrr_take_result(const struct tcgrr_message *message, struct tcgrr_received_blocks *received,
                       struct tcgrr_comparison *comparison, GError **error);

/* What a side adds to the report after its run. */
struct tcgrr_epilogue {
    char exit[128];                /* how its QEMU ended; "": it is a stored run */
    char words[512];               /* QEMU's error message, "" if there is none */
    struct tcgrr_symbols *symbols; /* those that cover the report's places; NULL: none */
};
void tcgrr_put_epilogue(GByteArray *to, const struct tcgrr_epilogue *epilogue);
/* Creates `epilogue->symbols`, which the caller frees. */
bool tcgrr_take_epilogue(const struct tcgrr_message *message, struct tcgrr_epilogue *epilogue, GError **error);

void tcgrr_put_failed(GByteArray *to, const GError *failure);
/* Sets an error from the other side's failure. */
void tcgrr_take_failed(const struct tcgrr_message *message, GError **error);

#endif
