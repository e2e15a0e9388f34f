/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store/error.h"
#include "store/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define SEAL_BYTES 32
static const char seal_magic[8] = {'t', 'c', 'g', 'r', 's', 'e', 'a', 'l'};

uint64_t tcgrr_chunk_row_digest(const struct tcgrr_chunk_row *row, const void *data, size_t data_size,
                                const void *partials, size_t partials_size, const void *switches, size_t switches_size)
{
    const uint64_t numbers[] = {row->id,   row->first_seq,  row->execs,    row->first_icount, row->insns,
                                row->vcpu, row->first_flow, row->end_flow, row->codec};
    uint64_t words[G_N_ELEMENTS(numbers)];
    XXH3_state_t *state = XXH3_createState();

    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
        words[i] = GUINT64_TO_LE(numbers[i]);
    }
    XXH3_64bits_reset(state);
    XXH3_64bits_update(state, words, sizeof(words));
    XXH3_64bits_update(state, data_size ? data : "", data_size);
    XXH3_64bits_update(state, partials_size ? partials : "", partials_size);
    XXH3_64bits_update(state, switches_size ? switches : "", switches_size);
    uint64_t digest = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return digest;
}

uint64_t tcgrr_sample_row_digest(const struct tcgrr_sample_row *row, const void *data, size_t size)
{
    const uint64_t words[] = {GUINT64_TO_LE(row->chunk), GUINT64_TO_LE(row->samples), GUINT64_TO_LE(row->first_icount),
                              GUINT64_TO_LE(row->last_icount)};
    XXH3_state_t *state = XXH3_createState();

    XXH3_64bits_reset(state);
    XXH3_64bits_update(state, words, sizeof(words));
    XXH3_64bits_update(state, size ? data : "", size);
    uint64_t digest = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return digest;
}

uint64_t tcgrr_mem_row_digest(uint64_t chunk, uint64_t accesses, const void *data, size_t size)
{
    const uint64_t words[] = {GUINT64_TO_LE(chunk), GUINT64_TO_LE(accesses)};
    XXH3_state_t *state = XXH3_createState();

    XXH3_64bits_reset(state);
    XXH3_64bits_update(state, words, sizeof(words));
    XXH3_64bits_update(state, size ? data : "", size);
    uint64_t digest = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return digest;
}

/* The seal's bytes for the first `length` bytes of the file. */
static bool make_seal(int fd, uint64_t length, uint8_t seal[SEAL_BYTES])
{
    enum { PIECE = 1 << 20 };
    g_autofree uint8_t *piece = g_malloc(PIECE);
    XXH3_state_t *state = XXH3_createState();
    bool good = true;

    XXH3_128bits_reset(state);
    for (uint64_t done = 0; good && done < length;) {
        ssize_t got = pread(fd, piece, MIN((uint64_t)PIECE, length - done), (off_t)done);
        good = got > 0;
        if (good) {
            XXH3_128bits_update(state, piece, (size_t)got);
            done += (uint64_t)got;
        }
    }
    XXH128_canonical_t digest;
    XXH128_canonicalFromHash(&digest, XXH3_128bits_digest(state));
    XXH3_freeState(state);
    uint64_t stored_length = GUINT64_TO_LE(length);
    memcpy(seal, seal_magic, sizeof(seal_magic));
    memcpy(seal + 8, &stored_length, sizeof(stored_length));
    memcpy(seal + 16, digest.digest, sizeof(digest.digest));
    return good;
}

static bool fail(const char *path, const char *what, GError **error)
{
    g_set_error(error, TCGRR_ERROR, TCGRR_ERROR_FAILED, "cannot %s %s: %s", what, path, g_strerror(errno));
    return false;
}

bool tcgrr_seal_write(const char *path, GError **error)
{
    struct stat status;
    uint8_t seal[SEAL_BYTES];
    int fd = open(path, O_RDWR | O_CLOEXEC);

    bool good = fd >= 0 && fstat(fd, &status) == 0 && make_seal(fd, (uint64_t)status.st_size, seal) &&
                pwrite(fd, seal, SEAL_BYTES, status.st_size) == SEAL_BYTES && fsync(fd) == 0;
    if (!good) {
        fail(path, "seal", error);
    }
    if (fd >= 0) {
        close(fd);
    }
    return good;
}

static bool check(int fd, enum tcgrr_seal_state *state)
{
    struct stat status;
    uint8_t stored[SEAL_BYTES];
    uint8_t expected[SEAL_BYTES];

    if (fstat(fd, &status) != 0) {
        return false;
    }
    off_t length = status.st_size - SEAL_BYTES;
    if (length <= 0 || status.st_size % 512 != SEAL_BYTES) {
        return true;
    }
    if (pread(fd, stored, SEAL_BYTES, length) != SEAL_BYTES || !make_seal(fd, (uint64_t)length, expected)) {
        return false;
    }
    *state = memcmp(stored, expected, SEAL_BYTES) == 0 ? TCGRR_SEAL_GOOD : TCGRR_SEAL_BROKEN;
    return true;
}

bool tcgrr_seal_check(const char *path, enum tcgrr_seal_state *state, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    *state = TCGRR_SEAL_NONE;
    bool good = (fd >= 0 && check(fd, state)) || fail(path, "read", error);
    if (fd >= 0) {
        close(fd);
    }
    return good;
}
