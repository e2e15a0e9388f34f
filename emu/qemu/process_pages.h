/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of another process's memory has content (/proc/PID/pagemap, /proc/PID/maps). */
#ifndef TCGRR_EMU_PROCESS_PAGES_H
#define TCGRR_EMU_PROCESS_PAGES_H

#include <glib.h>
#include <stdint.h>

/* A range of addresses, in whole pages of the host's. */
struct tcgrr_page_span {
    uint64_t first;
    uint64_t end;
};

/* A descriptor for tcgrr_process_pages(), which the caller closes; -1: access is not permitted. */
int tcgrr_process_pages_open(int pid);

/*
 * The pages with any of from..end-1 that were written to, as struct tcgrr_page_span, ascending; owned by the caller. On
 * Linux before 6.7 those that were only read are among them. NULL if that cannot be read.
 */
GArray *tcgrr_process_pages(int pages, uint64_t from, uint64_t end);

/* The memory of the process that belongs to no file, as struct tcgrr_page_span, ascending, as few as possible; owned by
 * the caller. NULL: we may not look. */
GArray *tcgrr_process_anonymous(int pid);

#endif
