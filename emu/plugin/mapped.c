/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mappings are read from /proc/thread-self/maps: once for each mapping in which code is translated, and again after a
 * system call, because any call may have changed it. Nothing is allocated, because QEMU's own memory might then be at
 * an address that the program needs in a replay.
 */
#include "emu/plugin/mapped.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define KNOWN      256 /* number of mappings remembered; if there are more, some are sent again */
#define LINE_BYTES 8192

/* A mapping in the host's address space. */
struct mapping {
    uint64_t first, end, offset; /* `offset` is into the file */
    uint64_t file;               /* a hash of its name */
    bool current;                /* no system call has returned since it was read */
};

static struct mapping known[KNOWN];
static unsigned known_count, known_next;
static bool changed;

void tcgrr_mapped_changed(void)
{
    changed = true;
}

void tcgrr_mapped_restart(void)
{
    known_count = known_next = 0;
}

static bool is_known(uint64_t host)
{
    for (unsigned i = 0; i < known_count; i++) {
        known[i].current = known[i].current && !changed;
    }
    changed = false;
    for (unsigned i = 0; i < known_count; i++) {
        if (known[i].current && host >= known[i].first && host < known[i].end) {
            return true;
        }
    }
    return false;
}

/* Parses a hexadecimal number at `*at`, which is moved to the number's end. */
static uint64_t take_number(const char **at)
{
    uint64_t value = 0;

    for (;; (*at)++) {
        char digit = **at;
        if (digit >= '0' && digit <= '9') {
            value = value << 4 | (uint64_t)(digit - '0');
        } else if (digit >= 'a' && digit <= 'f') {
            value = value << 4 | (uint64_t)(digit - 'a' + 10);
        } else {
            return value;
        }
    }
}

/* "first-end rights offset device inode   path". The path, "" if it is no file's. */
static const char *take_line(const char *line, struct mapping *mapping)
{
    const char *at = line;

    *mapping = (struct mapping){.current = true};
    mapping->first = take_number(&at);
    at += *at == '-';
    mapping->end = take_number(&at);
    for (int field = 0; field < 2; field++) {
        at += strcspn(at, " ");
        at += strspn(at, " ");
        mapping->offset = field == 1 ? take_number(&at) : 0;
    }
    const char *path = strchr(at, '/');
    path = path ? path : "";
    mapping->file = 0xcbf29ce484222325u;
    for (const char *byte = path; *byte; byte++) {
        mapping->file = (mapping->file ^ (uint8_t)*byte) * 0x100000001b3u;
    }
    return path;
}

/* Finds the mapping that contains `host`. Returns its path, in `text`; NULL: there is none, or it is too long. */
static const char *find(uint64_t host, char text[LINE_BYTES], struct mapping *mapping)
{
    int fd = open("/proc/thread-self/maps", O_RDONLY | O_CLOEXEC);
    size_t used = 0;
    const char *path = NULL;

    for (ssize_t got = 1; fd >= 0 && !path && got > 0;) {
        got = read(fd, text + used, LINE_BYTES - 1 - used);
        used += got > 0 ? (size_t)got : 0;
        text[used] = '\0';
        char *line = text;
        for (char *end; !path && (end = strchr(line, '\n')) != NULL; line = path ? line : end + 1) {
            *end = '\0';
            const char *found = take_line(line, mapping);
            path = host >= mapping->first && host < mapping->end ? found : NULL;
        }
        if (!path) {
            used -= (size_t)(line - text);
            memmove(text, line, used);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return path;
}

/* Whether the mapping was sent before; marks it as current. */
static bool was_sent(const struct mapping *mapping)
{
    for (unsigned i = 0; i < known_count; i++) {
        if (known[i].first == mapping->first && known[i].end == mapping->end && known[i].offset == mapping->offset &&
            known[i].file == mapping->file) {
            known[i].current = true;
            return true;
        }
    }
    for (unsigned i = 0; i < known_count; i++) {
        if (known[i].first < mapping->end && mapping->first < known[i].end) {
            known[i] = (struct mapping){0}; /* if it is used again, it is sent again */
        }
    }
    known[known_next] = *mapping;
    known_next = (known_next + 1) % KNOWN;
    known_count += known_count < KNOWN;
    return false;
}

static void send(struct tcgrr_plugin *plugin, const struct mapping *mapping, uint64_t base, const char *path)
{
    uint32_t *space = tcgrr_ring_space(&plugin->ring);
    struct tcgrr_wire_mapped mapped = {
        .first = mapping->first - base, .size = mapping->end - mapping->first, .offset = mapping->offset};
    uint32_t size = (uint32_t)(sizeof(mapped) + strlen(path) + 1);
    uint32_t words = (size + 3) / 4;

    space[words] = 0;
    memcpy(space + 1, &mapped, sizeof(mapped));
    memcpy((char *)(space + 1) + sizeof(mapped), path, strlen(path) + 1);
    space[0] = tcgrr_wire_word(TCGRR_WIRE_MAPPED, words);
    tcgrr_ring_publish(&plugin->ring, 1 + words);
}

void tcgrr_mapped_translated(struct tcgrr_plugin *plugin, const struct qemu_plugin_tb *tb)
{
    static char text[LINE_BYTES];
    const struct qemu_plugin_insn *first = plugin->system ? NULL : plugin->api.tb_get_insn(tb, 0);
    uint64_t host = first && plugin->api.insn_haddr ? (uintptr_t)plugin->api.insn_haddr(first) : 0;
    struct mapping mapping;

    if (host == 0 || is_known(host)) {
        return;
    }
    const char *path = find(host, text, &mapping);
    if (path && !was_sent(&mapping)) {
        send(plugin, &mapping, host - plugin->api.tb_vaddr(tb), path);
    }
}
