/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file: a big-endian version, eight bytes that are not used, then events: a byte that says which, and what belongs
 * to it. An event INSTRUCTION moves the icount on; all others happen where it stands. QEMU writes the version last, so
 * a killed one leaves 0.
 */
#include "emu/rrlog/rrlog.h"

#include "store/error.h"

#define HEADER_BYTES 12
#define VERSION_7_2  0xe0200cu /* to 10.0 */
#define VERSION_11_1 0xe0200eu
#define MOST_ICOUNT  (UINT64_C(1) << 61)

enum event {
    INSTRUCTION = 0,
    INTERRUPT = TCGRR_RRLOG_INTERRUPT,
    EXCEPTION = TCGRR_RRLOG_EXCEPTION,
    BOTTOM_HALF = 3,
    BOTTOM_HALF_ONCE = 4,
    INPUT = 5,
    INPUT_SYNC = 6,
    CHAR_READ = 7,
    BLOCK = 8,
    NET = 9,
    SHUTDOWN = 10,
    SHUTDOWN_LAST = 21,
    CHAR_WRITE = 22,
    CHAR_READ_ALL = 23,
    CHAR_READ_ALL_ERROR = 24,
    AUDIO_OUT = 25,
    AUDIO_IN = 26, /* its length depends on the sound card's buffer */
    RANDOM = 27,
    CLOCK = 28,
    CLOCK_LAST = 29,
    CHECKPOINT = 30,
    CHECKPOINT_LAST = 38,
    END = 39,
};

struct input {
    const uint8_t *at;
    size_t left;
};

static bool skip(struct input *input, size_t bytes)
{
    if (bytes > input->left) {
        return false;
    }
    input->at += bytes;
    input->left -= bytes;
    return true;
}

static bool take(struct input *input, uint32_t *value)
{
    const uint8_t *at = input->at;
    if (!skip(input, 4)) {
        return false;
    }
    *value = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    return true;
}

/* `before` bytes and an array. */
static bool skip_array(struct input *input, size_t before)
{
    uint32_t size;
    return skip(input, before) && take(input, &size) && skip(input, size);
}

/* An event of a keyboard or a pointer. */
static bool skip_input(struct input *input, uint32_t version)
{
    static const uint8_t sizes[] = {0, 4 + 1, 4 + 8, 4 + 8,
                                    4 + 8 + 8 + 4 + 8}; /* key, button, relative, absolute, touch */
    uint32_t type, key;

    if (version != VERSION_7_2 || !take(input, &type) || type >= G_N_ELEMENTS(sizes)) {
        return false;
    }
    return type != 0 ? skip(input, sizes[type])
                     : take(input, &key) && key <= 1 && skip(input, key == 0 ? 8 + 1 : 4 + 1);
}

/* What belongs to an event that is of no interest. */
static bool skip_event(struct input *input, uint8_t event, uint32_t version)
{
    switch (event) {
    case BOTTOM_HALF:
    case BOTTOM_HALF_ONCE:
    case BLOCK:
    case CHAR_WRITE:
    case AUDIO_OUT:
    case CLOCK:
    case CLOCK_LAST:
        return skip(input, 8);
    case CHAR_READ_ALL_ERROR:
        return skip(input, 4);
    case CHAR_READ_ALL:
        return skip_array(input, 0);
    case CHAR_READ:
        return skip_array(input, 1);
    case RANDOM:
        return skip_array(input, 4);
    case NET:
        return skip_array(input, 1 + 4);
    case INPUT:
        return skip_input(input, version);
    case INPUT_SYNC:
        return true;
    default:
        return (event >= SHUTDOWN && event <= SHUTDOWN_LAST) || (event >= CHECKPOINT && event <= CHECKPOINT_LAST);
    }
}

/* One event. Returns false where the log ends. */
static bool read_event(struct tcgrr_rrlog *log, struct input *input)
{
    uint8_t event = input->left ? *input->at : END;
    uint32_t count;

    if (!skip(input, 1)) {
        return false;
    }
    switch (event) {
    case INSTRUCTION:
        if (!take(input, &count) || log->total + count > MOST_ICOUNT) {
            return false;
        }
        log->total += count;
        return true;
    case INTERRUPT:
    case EXCEPTION: {
        struct tcgrr_rrlog_event happened = {.icount = log->total, .kind = event};
        if (log->events->len == TCGRR_RRLOG_MOST_EVENTS) {
            return false;
        }
        g_array_append_val(log->events, happened);
        return true;
    }
    case END:
        log->complete = true;
        return false;
    default:
        return skip_event(input, event, log->version);
    }
}

struct tcgrr_rrlog *tcgrr_rrlog_parse(const uint8_t *bytes, size_t size, GError **error)
{
    struct input input = {bytes, size};
    uint32_t version = 0;

    if (!take(&input, &version) || !skip(&input, HEADER_BYTES - 4) || version == 0) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "QEMU did not finish its rr log");
        return NULL;
    }
    if (version != VERSION_7_2 && version != VERSION_11_1) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "QEMU's rr log has version 0x%x, which is not known",
                    version);
        return NULL;
    }
    struct tcgrr_rrlog *log = g_new0(struct tcgrr_rrlog, 1);
    log->version = version;
    log->events = g_array_new(FALSE, FALSE, sizeof(struct tcgrr_rrlog_event));
    do {
        log->end = size - input.left;
    } while (read_event(log, &input));
    if (log->complete) {
        log->end++;
    }
    return log;
}

struct tcgrr_rrlog *tcgrr_rrlog_load(const char *path, GError **error)
{
    GError *problem = NULL;
    GMappedFile *file = g_mapped_file_new(path, FALSE, &problem);
    if (!file) {
        g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot read QEMU's rr log: %s", problem->message);
        g_error_free(problem);
        return NULL;
    }
    struct tcgrr_rrlog *log =
        tcgrr_rrlog_parse((const uint8_t *)g_mapped_file_get_contents(file), g_mapped_file_get_length(file), error);
    g_mapped_file_unref(file);
    return log;
}

void tcgrr_rrlog_free(struct tcgrr_rrlog *log)
{
    if (log) {
        g_array_unref(log->events);
        g_free(log);
    }
}

guint tcgrr_rrlog_find(const struct tcgrr_rrlog *log, tcgrr_icount icount)
{
    guint low = 0;
    guint high = log->events->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;
        if (g_array_index(log->events, struct tcgrr_rrlog_event, middle).icount < icount) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool tcgrr_rrlog_decide(const struct tcgrr_rrlog *log, struct tcgrr_rrlog_asked *asked, const struct tcgrr_doubt *doubt,
                        tcgrr_icount place, bool *retired)
{
    guint here = tcgrr_rrlog_find(log, place);
    guint next = tcgrr_rrlog_find(log, place + 1);
    guint behind = tcgrr_rrlog_find(log, place + 2);
    uint32_t before = 0; /* events at this place that led to the block */
    bool known = log->complete || log->total > place + 1;
    bool left_here = next > here;

    if (!doubt->inside) {
        before = doubt->events + (asked->icount == place ? asked->events : 0);
    }
    if (!doubt->inside && (!doubt->left || behind > next)) {
        /* What is here can all have led to the block: how the vCPU went on is explained by what is behind, or needs no
         * event. */
        left_here = next - here > before + doubt->hidden;
    }
    bool passed = known ? !left_here : doubt->retired;
    asked->icount = place + passed;
    asked->events = passed ? 0 : before;
    if (known) {
        *retired = passed;
    }
    return known;
}
