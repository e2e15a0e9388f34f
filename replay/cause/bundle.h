/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The folder for a bug report. */
#ifndef TCGRR_REPLAY_BUNDLE_H
#define TCGRR_REPLAY_BUNDLE_H

#include "replay/cause/bisect.h"

#include <jansson.h>
#include <stdio.h>

/* Functions that show the result. They are called after the stand-alone guest was tried, so that they can report that,
 * too. */
struct tcgrr_bundle_options {
    void (*print)(FILE *to, void *data);          /* prints it for people, as the command does */
    void (*describe)(json_t *object, void *data); /* adds its keys for programs */
    bool (*draw)(const char *path, const json_t *finding, GError **error); /* writes it as a web page */
    void *data;
};

/*
 * Fills the options' folder with what a bug report about bisect->cause needs. False with an error if it cannot be
 * written, a QEMU does not run, or the user interrupts.
 */
bool tcgrr_bundle_fill(struct tcgrr_bisect *bisect, const struct tcgrr_bundle_options *options, GError **error);

#endif
