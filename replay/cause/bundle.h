/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The folder for a bug report. */
#ifndef TCGRR_REPLAY_BUNDLE_H
#define TCGRR_REPLAY_BUNDLE_H

#include "replay/cause/bisect.h"

#include <jansson.h>
#include <stdio.h>

/* How the finding is shown. All are asked once the stand-alone guest was tried, so that they can report that, too. */
struct tcgrr_bundle_options {
    void (*print)(FILE *to, void *data);                                   /* for people, as the command prints it */
    void (*describe)(json_t *object, void *data);                          /* for programs: adds its keys */
    bool (*draw)(const char *path, const json_t *finding, GError **error); /* as a page for a browser */
    void *data;
};

/*
 * Fills the folder of the options with what a bug report on bisect->cause needs. False with an error if it cannot be
 * written, a QEMU does not run, or the user interrupted.
 */
bool tcgrr_bundle_fill(struct tcgrr_bisect *bisect, const struct tcgrr_bundle_options *options, GError **error);

#endif
